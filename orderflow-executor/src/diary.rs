//! Between the engine's words and the database's: refusals, holdings, and what past candidates came to.

use decision::experience::Known;
use decision::{Case, Engine, EventKind, Refusal};
use domain::{TokenId, Wallet};
use store::signals::{self, RefusalRow};
use store::{PgConnection, Store, scores};

/// The reader that says what wallets hold.
const SCORER: &str = "orderflow-reputation";

/// Stores a refusal with its numbers.
pub(crate) async fn refusal(connection: &mut PgConnection, refusal: &Refusal) -> anyhow::Result<()> {
    let row = RefusalRow {
        at: refusal.at,
        kind: refusal.kind,
        signal: refusal.signal,
        wallet: refusal.wallet,
        token: refusal.token,
        notional: refusal.notional,
        reason: refusal.reason.code(),
        detail: refusal.reason.to_string(),
        figures: refusal.reason.figures(),
        appraisal: refusal.appraisal.as_deref(),
    };
    Ok(signals::refusal(connection, &row).await?)
}

/// What a wallet holds of a token's market, as far as anybody has counted. A database that cannot say so is found out
/// when the step is committed, so here it is only an answer that does not come.
pub(crate) async fn holdings(store: &Store, wallet: Wallet, token: TokenId) -> Option<EventKind> {
    let found = async { scores::held(&mut *store.connection().await?, wallet, token, SCORER).await };
    match found.await {
        Ok(found) => found.map(|(as_of, held)| EventKind::Holdings { wallet, token, as_of, held }),
        Err(error) => {
            tracing::warn!(%wallet, %error, "what a wallet holds could not be read");
            None
        }
    }
}

/// Tells the engine of every candidate that was ever priced, and what it came to.
pub(crate) async fn remember(connection: &mut PgConnection, engine: &mut Engine) -> anyhow::Result<()> {
    for judged in signals::judged(connection).await? {
        let case = Case {
            at: judged.at,
            kind: judged.kind,
            condition: judged.condition,
            event: judged.event,
            outcome: judged.outcome,
            market: judged.market,
            regressor: Case::regressor(judged.kind, judged.market, judged.kappa, judged.drop),
        };
        match judged.known {
            Some((payoff, learned)) => engine.remember_outcome(Known { case, payoff, learned }),
            None => engine.remember_case(case),
        }
    }
    Ok(())
}
