//! What the node answers to each question, as its faults will have it.

use alloy_primitives::{Address, B256, Bloom};
use domain::BlockHash;
use polygon::log::RawLog;
use serde_json::{Value, json};

use super::{ADDRESS, Block, Inner, Shared, TOPIC};

pub(super) fn answer(shared: &Shared, question: &Value) -> Value {
    let mut inner = shared.inner.lock().unwrap();
    let method = question["method"].as_str().unwrap().to_owned();
    let params = &question["params"];
    let result = match method.as_str() {
        "eth_chainId" => Ok(json!(format!("{:#x}", inner.chain_id))),
        "eth_getBlockByNumber" => Ok(header(&inner, params[0].as_str().unwrap())),
        "eth_getLogs" => logs(&mut inner, &params[0]),
        "eth_getTransactionReceipt" => {
            Ok(inner.receipts.get(params[0].as_str().unwrap()).cloned().unwrap_or_default())
        }
        "eth_subscribe" => Ok(json!("0x1")),
        _ => Err((-32_601, "no such method")),
    };
    inner.asked.push(method);
    match result {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": question["id"], "result": result }),
        Err((code, message)) => {
            json!({ "jsonrpc": "2.0", "id": question["id"], "error": { "code": code, "message": message } })
        }
    }
}

fn quantity(text: &str) -> u64 {
    u64::from_str_radix(text.strip_prefix("0x").unwrap(), 16).unwrap()
}

pub(super) fn header(inner: &Inner, tag: &str) -> Value {
    let newest = inner.head();
    let has = |block: &&Block| block.header.number <= newest && !inner.lost.contains(&block.header.number);
    let block = match tag {
        "latest" => inner.chain.block(newest),
        "finalized" => inner.chain.block(newest.saturating_sub(4)),
        _ => inner.chain.block(quantity(tag)).filter(has),
    };
    block.map_or(Value::Null, |block| {
        let mut header = json!({
            "number": format!("{:#x}", block.header.number),
            "hash": block.header.hash.to_string(),
            "parentHash": block.header.parent_hash.to_string(),
            "timestamp": format!("{:#x}", block.header.time.seconds()),
        });
        if inner.blooms {
            let mut bloom = Bloom::ZERO;
            // Somebody else's log is in every block.
            bloom.accrue_raw_log(Address::repeat_byte(0xee), &[B256::repeat_byte(0xee)]);
            block.logs.iter().for_each(|log| bloom.accrue_raw_log(log.address, &log.topics));
            header["logsBloom"] = json!(format!("{bloom:#x}"));
        }
        header
    })
}

impl Inner {
    /// The height that it takes for the newest.
    fn head(&self) -> u64 {
        self.chain.head().number.saturating_sub(self.behind)
    }

    /// The blocks that a question for logs is about.
    fn asked(&mut self, filter: &Value) -> Result<Vec<RawLog>, (i64, &'static str)> {
        let unknown = Err((-32_000, "unknown block"));
        let newest = self.head();
        if let Some(hash) = filter["blockHash"].as_str() {
            let hash: BlockHash = hash.parse().unwrap();
            self.by_hash += 1;
            if self.hushed > 0 {
                self.hushed -= 1;
                return Ok(vec![]);
            }
            if self.unknown > 0 {
                self.unknown -= 1;
                return unknown;
            }
            let found = self.chain.blocks.iter().find(|block| block.header.hash == hash);
            let found = found.filter(|block| block.header.number <= newest);
            return found.map_or(unknown, |block| Ok(block.logs.clone()));
        }
        let [from, to] = ["fromBlock", "toBlock"].map(|end| match filter[end].as_str().unwrap() {
            "latest" => newest,
            number => quantity(number),
        });
        self.ranges.push((from, to));
        if self.beyond > 0 && to == newest {
            self.beyond -= 1;
            return Err((-32_602, "block range extends beyond current head block"));
        }
        let newest = newest.saturating_sub(self.withheld);
        let wanted = |block: &&Block| (from..=to.min(newest)).contains(&block.header.number);
        let found: Vec<_> =
            self.chain.blocks.iter().filter(wanted).flat_map(|block| block.logs.clone()).collect();
        match self.limit {
            Some(limit) if to - from + 1 > limit.blocks || found.len() > limit.logs => {
                Err((limit.code, limit.message))
            }
            _ => Ok(found),
        }
    }
}

fn logs(inner: &mut Inner, filter: &Value) -> Result<Value, (i64, &'static str)> {
    assert_eq!(filter["address"][0], json!(format!("{ADDRESS:#x}")));
    assert_eq!(filter["topics"][0][0], json!(TOPIC.to_string()));
    let mut found = inner.asked(filter)?;
    if inner.most_logs.is_some_and(|most| found.len() > most) {
        let obscure = (-32_000, "the stars are not right");
        return Err(if inner.is_obscure {
            obscure
        } else {
            (-32_005, "query returned more than 10000 results")
        });
    }
    if inner.timeless {
        found.iter_mut().for_each(|log| log.block_timestamp = None);
    }
    if !found.is_empty()
        && let Some(spoil) = inner.spoil.pop()
    {
        spoil(&mut found);
    }
    if inner.repeats {
        let again = found.clone();
        found.extend(again);
    }
    let mut told = json!(found);
    if inner.garbled > 0 && !found.is_empty() {
        inner.garbled -= 1;
        told[0]["data"] = json!("0x123");
    }
    Ok(told)
}
