//! The receipts of transactions whose logs alone do not tell whose deed they are.

use std::time::Duration;

use domain::{BlockHash, TxHash};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio::time::sleep;

use super::range::Inconsistency;
use super::read::{AT_ONCE, Reader, Trouble};
use super::{ChainBlock, Receipt};
use crate::attribute::wanting_receipts;
use crate::rpc::RpcError;

/// How often a receipt is asked for that a node does not have, and how long after: nodes come to know a block
/// a little earlier than the receipts in it.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(200);

/// A transaction, and where it is.
#[derive(Clone, Copy)]
struct Wanted {
    /// The block's place in its stretch.
    at: usize,
    number: u64,
    block: BlockHash,
    transaction: TxHash,
}

impl Reader<'_> {
    /// Adds to the blocks the receipts that they want.
    ///
    /// A receipt that the node refuses to give is gone without: what it would have told is then kept as
    /// unreadable, which is better than no trades at all from a node that gives none.
    pub(super) async fn add_receipts(self, blocks: &mut [ChainBlock]) -> Result<(), Trouble> {
        let of_block = |(at, block): (usize, &ChainBlock)| {
            let (number, hash) = (block.number, block.hash);
            let wanted = move |transaction| Wanted { at, number, block: hash, transaction };
            wanting_receipts(&block.logs).into_iter().map(wanted)
        };
        let wanted: Vec<_> = blocks.iter().enumerate().flat_map(of_block).collect();
        let asking = stream::iter(wanted)
            .map(|wanted| async move { Ok::<_, Trouble>((wanted.at, self.receipt(wanted).await?)) });
        let found: Vec<(usize, Option<Receipt>)> = asking.buffered(AT_ONCE).try_collect().await?;
        for (at, receipt) in found {
            if let (Some(receipt), Some(block)) = (receipt, blocks.get_mut(at)) {
                block.receipts.push(receipt);
            }
        }
        Ok(())
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
                    return Ok(Some(Receipt { tx_hash, logs: found.logs.logs }));
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
