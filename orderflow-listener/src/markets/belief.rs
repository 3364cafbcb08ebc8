//! Which descriptions are believed.

use domain::Market;
use polygon::contracts::{USDC_E, WRAPPED_COLLATERAL};
use polygon::tokens::{ctf_token, protocol_v2_condition};

/// The markets whose tokens are those of their condition. The others are told of in the log.
pub(super) fn believed(described: Vec<Market>) -> Vec<Market> {
    let is_believed = |market: Market| {
        let (slug, condition) = (market.slug.clone(), market.condition);
        let proven = proven(market);
        if proven.is_none() {
            tracing::warn!(market = slug, %condition, "a market's tokens are not those of its condition: not believed");
        }
        proven
    };
    described.into_iter().filter_map(is_believed).collect()
}

/// The market, if each token is the one that its condition and its place among the outcomes give: a swapped pair
/// would turn every win into a loss, and the ids can be computed.
///
/// The collateral in the ids also says by which contracts a market of conditional tokens settles, whatever the
/// description forgets to say: the order book's service leaves `false` out.
fn proven(mut market: Market) -> Option<Market> {
    if market.protocol_v2 {
        let is_its_own = market.tokens.iter().zip(0u32..).all(|(token, outcome)| {
            protocol_v2_condition(*token) == Some(market.condition) && u32::from(token.0.byte(0)) == outcome
        });
        return is_its_own.then_some(market);
    }
    let hangs_on = |collateral| {
        let mut outcomes = market.tokens.iter().zip(0u32..);
        outcomes.all(|(token, outcome)| ctf_token(collateral, market.condition, outcome) == *token)
    };
    // Ids are dear to compute: those of the rarer collateral only where it must be.
    let neg_risk = !hangs_on(USDC_E);
    if neg_risk && !hangs_on(WRAPPED_COLLATERAL) {
        return None;
    }
    market.neg_risk = neg_risk;
    Some(market)
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
            place: None,
            protocol_v2: false,
            tick: Tick::CENT,
            fee_rate_ppm: 0,
            end: None,
            oracle: None,
        }
    }

    #[test]
    fn a_swapped_pair_of_tokens_is_not_believed() {
        let right = market();
        let mut swapped = market();
        swapped.tokens.reverse();
        assert_eq!(believed(vec![swapped, right.clone()]), [right]);
    }

    #[test]
    fn tokens_of_two_collaterals_make_no_market() {
        let mut mixed = market();
        mixed.tokens[1] = ctf_token(WRAPPED_COLLATERAL, mixed.condition, 1);
        assert_eq!(proven(mixed), None);
    }

    #[test]
    fn the_collateral_says_by_which_contracts_a_market_settles() {
        let mut wrapped = market();
        wrapped.tokens =
            [0, 1].map(|outcome| ctf_token(WRAPPED_COLLATERAL, wrapped.condition, outcome)).into();
        for neg_risk in [false, true] {
            assert!(proven(Market { neg_risk, ..wrapped.clone() }).unwrap().neg_risk);
            assert!(!proven(Market { neg_risk, ..market() }).unwrap().neg_risk);
        }
        assert_eq!(proven(Market { protocol_v2: true, ..wrapped }), None);
    }
}
