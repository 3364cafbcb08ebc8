//! The receipts of transactions whose logs alone do not tell whose deed they are.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::{BlockHash, TxHash};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio::time::sleep;

use super::range::Inconsistency;
use super::read::{AT_ONCE, Reader, Trouble};
use super::{ChainBlock, Receipt};
use crate::attribute::{is_transfer, wanting_receipts};
use crate::contracts::{watched_addresses, watched_topics};
use crate::log::RawLog;
use crate::rpc::RpcError;

/// How often a receipt is asked for that a node does not have, and how long after: nodes come to know a block
/// a little earlier than the receipts in it.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(200);

/// Whether receipts are asked for. Each costs as much as a block's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receipts {
    /// None are: a deed whose owner only a receipt tells stays without one.
    Without,
    /// Those are that the logs want.
    With,
}

/// What came of asking for receipts, also for those that nobody gives.
pub(super) type Found = BTreeMap<TxHash, Option<Receipt>>;

/// A transaction, and where it is.
#[derive(Clone, Copy)]
struct Wanted {
    number: u64,
    block: BlockHash,
    transaction: TxHash,
}

impl Reader<'_> {
    /// The receipts that some logs want, be they of one block or of several.
    ///
    /// A receipt that the node refuses to give is gone without: what it would have told is then kept as
    /// unreadable, which is better than no trades at all from a node that gives none.
    pub(super) async fn receipts_of(self, logs: &[RawLog], mut found: Found) -> Result<Found, Trouble> {
        if self.receipts == Receipts::Without {
            return Ok(found);
        }
        let place = |transaction| {
            let log = logs.iter().find(|log| log.tx_hash == transaction)?;
            Some(Wanted { number: log.block_number, block: log.block_hash, transaction })
        };
        let wanted = wanting_receipts(logs).into_iter().filter(|wanted| !found.contains_key(wanted));
        let wanted: Vec<_> = wanted.filter_map(place).collect();
        let asking = stream::iter(wanted)
            .map(|wanted| async move { Ok::<_, Trouble>((wanted.transaction, self.receipt(wanted).await?)) });
        let more: Vec<_> = asking.buffered(AT_ONCE).try_collect().await?;
        found.extend(more);
        Ok(found)
    }

    async fn receipt(self, wanted: Wanted) -> Result<Option<Receipt>, Trouble> {
        let tx_hash = wanted.transaction;
        let mut why = String::new();
        for _ in 0..TRIES {
            why = match self.client.receipt(tx_hash).await {
                Ok(Some(found)) if found.block_hash != wanted.block => {
                    return Err(Inconsistency::TwoHashes(wanted.number).into());
                }
                Ok(Some(found)) if found.logs.malformed.is_empty() => {
                    let mut logs = found.logs.logs;
                    logs.retain(is_of_use);
                    return Ok(Some(Receipt { tx_hash, logs }));
                }
                Ok(Some(_)) => "some of its logs are malformed".to_owned(),
                Ok(None) => "there is none".to_owned(),
                Err(error @ (RpcError::Rpc { .. } | RpcError::Malformed { .. })) => error.to_string(),
                Err(error) => return Err(error.into()),
            };
            sleep(PAUSE).await;
        }
        let what = format!("no receipt of transaction {tx_hash}: {why}");
        let (observer, source) = (self.client.observer(), self.client.source());
        observer.complain(source, "eth_getTransactionReceipt", &what, "");
        Ok(None)
    }
}

/// Gives each block the receipts of its transactions.
pub(super) fn hand_out(mut found: Found, blocks: &mut [ChainBlock]) {
    if found.is_empty() {
        return;
    }
    for block in blocks {
        let given = block.logs.iter().filter_map(|log| found.remove(&log.tx_hash).flatten());
        block.receipts.extend(given);
    }
}

/// Whether a log of a receipt is ever looked at: a transfer of shares, or one that the block itself should have.
fn is_of_use(log: &RawLog) -> bool {
    is_transfer(log)
        || watched_addresses().contains(&log.address)
            && log.topics.first().is_some_and(|topic| watched_topics().contains(topic))
}
