//! All that one transaction emitted.

use domain::{BlockHash, TxHash};
use serde_json::Value;

use super::RpcError;
use crate::hex;
use crate::log::LogList;

const METHOD: &str = "eth_getTransactionReceipt";

/// The receipt of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TransactionReceipt {
    /// The block it is in.
    pub(crate) block_hash: BlockHash,
    /// Its logs.
    pub(crate) logs: LogList,
}

/// The receipt of the transaction that was asked for; `None` where the node has none.
pub(super) fn receipt(value: &Value, asked: TxHash) -> Result<Option<TransactionReceipt>, RpcError> {
    if value.is_null() {
        return Ok(None);
    }
    let malformed = |what: String| RpcError::Malformed { method: METHOD, what };
    let field = |name: &'static str| {
        let found = value.get(name).unwrap_or(&Value::Null);
        hex::fixed(found).ok_or_else(|| malformed(format!("field `{name}` is {}", hex::cut(found))))
    };
    let hash = TxHash(field("transactionHash")?);
    if hash != asked {
        return Err(malformed(format!("transaction {hash} instead of {asked}")));
    }
    let block_hash = BlockHash(field("blockHash")?);
    let list = LogList::from_value(value.get("logs").unwrap_or(&Value::Null));
    let mut logs = list.map_err(|error| malformed(error.to_string()))?;
    if let Some(stranger) = logs.logs.iter().find(|log| log.tx_hash != asked || log.block_hash != block_hash)
    {
        return Err(malformed(format!("log {} of another transaction", stranger.log_index)));
    }
    logs.logs.sort_by_key(|log| log.log_index);
    logs.logs.dedup();
    Ok(Some(TransactionReceipt { block_hash, logs }))
}

#[cfg(test)]
mod tests {
    use alloy_primitives::B256;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_receipt_is_the_one_that_was_asked_for() {
        let (tx, block) = (TxHash(B256::repeat_byte(1)), B256::repeat_byte(2));
        let log = |index: u32, tx: TxHash| {
            json!({
                "address": format!("0x{}", "11".repeat(20)), "topics": [], "data": "0x", "blockNumber": "0x1",
                "blockHash": block, "transactionHash": tx.to_string(), "logIndex": format!("{index:#x}"),
            })
        };
        let sound = json!({
            "transactionHash": tx.to_string(), "blockHash": block, "logs": [log(2, tx), log(1, tx), log(2, tx)],
        });
        let read = receipt(&sound, tx).unwrap().unwrap();
        assert_eq!(read.block_hash, BlockHash(block));
        assert_eq!(read.logs.logs.iter().map(|log| log.log_index).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(receipt(&Value::Null, tx), Ok(None));
        assert!(receipt(&sound, TxHash(B256::ZERO)).is_err());
        for (field, wrong) in
            [("blockHash", json!(null)), ("logs", json!({})), ("logs", json!([log(1, TxHash(B256::ZERO))]))]
        {
            let mut broken = sound.clone();
            broken[field] = wrong;
            assert!(matches!(receipt(&broken, tx), Err(RpcError::Malformed { .. })), "{broken}");
        }
    }
}
