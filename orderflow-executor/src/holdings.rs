//! What a wallet holds, as the engine asks.

use decision::EventKind;
use domain::{TokenId, Wallet};
use store::{Store, scores};
use tokio::sync::Semaphore;

/// The reader that says what wallets hold.
const SCORER: &str = "orderflow-reputation";

/// So many are asked for at once. A panic has many sellers, and whoever waits for an answer here may be left waiting while
/// a commit waits for a connection, of which there must be some left.
static AT_ONCE: Semaphore = Semaphore::const_new(3);

/// What a wallet holds of a token's market, as far as anybody has counted. A database that cannot say so is found out
/// when the step is committed, so here it is only an answer that does not come.
pub(crate) async fn of(store: &Store, wallet: Wallet, token: TokenId) -> Option<EventKind> {
    // Never closed, so that there is always a turn to wait for.
    let _turn = AT_ONCE.acquire().await.ok();
    let found = async { scores::held(&mut *store.connection().await?, wallet, token, SCORER).await };
    match found.await {
        Ok(found) => found.map(|(as_of, held)| EventKind::Holdings { wallet, token, as_of, held }),
        Err(error) => {
            tracing::warn!(%wallet, %error, "what a wallet holds could not be read");
            None
        }
    }
}
