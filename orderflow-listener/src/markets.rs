//! Tokens that were traded before anybody knew what they are, until somebody does.
//!
//! Gamma may be slow or down: trades go on without it, and titles come later.

use std::sync::Arc;
use std::time::Duration;

use domain::Market;
use polygon::contracts::{USDC_E, WRAPPED_COLLATERAL};
use polygon::tokens::{ctf_token, protocol_v2_condition};
use polymarket::Gamma;
use service::{CancellationToken, clock};
use store::{Store, markets};
use tokio::sync::Notify;

/// How many tokens are asked for at once.
const BATCH: u32 = 200;
/// How often the queue is looked at when nothing new comes.
const LOOK: Duration = Duration::from_secs(3);

/// Looks tokens up until it is told to stop.
pub(crate) async fn run(
    store: Store,
    gamma: Gamma,
    unknown_tokens: Arc<Notify>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    loop {
        let found_some = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            found = look_up(&store, &gamma) => found?,
        };
        if found_some {
            continue;
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            () = unknown_tokens.notified() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// Looks up the tokens whose turn it is; whether there were any.
async fn look_up(store: &Store, gamma: &Gamma) -> anyhow::Result<bool> {
    let tokens = markets::due_unknown(&mut *store.connection().await?, BATCH).await?;
    if tokens.is_empty() {
        return Ok(false);
    }
    let listing = match gamma.markets_of_tokens(&tokens).await {
        Ok(listing) => listing,
        Err(error) => {
            tracing::warn!(
                tokens = tokens.len(),
                "markets cannot be looked up and will be asked for again: {error}"
            );
            return Ok(false);
        }
    };
    for rejected in &listing.rejected {
        tracing::warn!(market = rejected.id, "a market's description makes no sense: {}", rejected.reason);
    }
    let mut learned = 0;
    for market in listing.markets {
        if !names_its_own_tokens(&market) {
            tracing::warn!(
                market = market.slug,
                "a market's tokens are not those of its condition: not believed"
            );
            continue;
        }
        learned += learn(store, market).await?;
    }
    tracing::debug!(asked = tokens.len(), learned, "markets");
    Ok(true)
}

/// Takes in one market; what the database will not have must not keep the others out.
async fn learn(store: &Store, market: Market) -> anyhow::Result<u64> {
    let mut transaction = store.begin().await?;
    match markets::learn(&mut transaction, std::slice::from_ref(&market), clock::now()).await {
        Ok(learned) => {
            Store::commit(transaction).await?;
            Ok(learned)
        }
        Err(error) if error.is_refusal() => {
            tracing::warn!(market = market.slug, "a market cannot be stored: {error}");
            Ok(0)
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether each token is the one that its condition and its place among the outcomes give: a swapped pair would
/// turn every win into a loss, and the ids can be computed.
fn names_its_own_tokens(market: &Market) -> bool {
    market.tokens.iter().zip(0u32..).all(|(token, outcome)| {
        if market.protocol_v2 {
            return protocol_v2_condition(*token) == Some(market.condition)
                && u32::from(token.0.byte(0)) == outcome;
        }
        [USDC_E, WRAPPED_COLLATERAL]
            .into_iter()
            .any(|collateral| ctf_token(collateral, market.condition, outcome) == *token)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Tick;

    /// A live market ("US-Iran nuclear deal before 2027?"), its condition and its two tokens.
    fn market() -> Market {
        let token = |text: &str| text.parse().unwrap();
        Market {
            condition: "0x182390641d3b1b47cc64274b9da290efd04221c586651ba190880713da6347d9".parse().unwrap(),
            title: String::new(),
            slug: String::new(),
            event: String::new(),
            category: None,
            outcomes: vec!["Yes".to_owned(), "No".to_owned()],
            tokens: vec![
                token("102936224134271070189104847090829839924697394514566827387181305960175107677216"),
                token("45763018441764333771124945243746174684578244015331389396782339063349542289693"),
            ],
            neg_risk: false,
            protocol_v2: false,
            tick: Tick::CENT,
            fee_rate_ppm: 0,
            end: None,
        }
    }

    #[test]
    fn a_swapped_pair_of_tokens_is_not_believed() {
        let mut market = market();
        assert!(names_its_own_tokens(&market));
        market.tokens.reverse();
        assert!(!names_its_own_tokens(&market));
    }
}
