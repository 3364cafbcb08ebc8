//! The truth to compare with is what the chain says, and stays so through pauses and reorganisations.

use std::collections::BTreeMap;
use std::time::Duration;

use alloy_primitives::{Address, B256, U256};
use devnet::{Devnet, TruthEvent, TruthFill};
use domain::{ChainEvent, TokenId, Wallet};
use polygon::attribute::wanting_receipts;
use polygon::contracts::{
    CONDITIONAL_TOKENS, NEG_RISK_ADAPTER, USDC_E, WRAPPED_COLLATERAL, is_protocol_contract, watched_topics,
};
use polygon::decode::{Decoded, decode, decode_block};
use polygon::follow::{ChainBlock, Receipt};
use polygon::log::RawLog;
use polygon::tokens::{condition_id, ctf_token};
use serde_json::{Value, json};

use crate::ask::{FILL, get, hex, nodes, number, range};

/// Everything the first node has, in order.
async fn all_logs(devnet: &Devnet, to: u64) -> Vec<RawLog> {
    let mut logs = Vec::new();
    for from in (devnet.first_block()..=to).step_by(400) {
        let part = get(&devnet.urls().rpc_http, "eth_getLogs", range(from, (from + 399).min(to))).await;
        logs.extend(serde_json::from_value::<Vec<RawLog>>(part).unwrap());
    }
    logs
}

#[tokio::test]
async fn the_truth_is_on_the_chain_whatever_happens_while_it_is_read() {
    let (devnet, _stop) = nodes(1).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    // Reorganisations of all depths, while the history is read and new blocks come.
    let to = devnet.head().number;
    let (torn, ()) = tokio::join!(all_logs(&devnet, to), async {
        for depth in [1, 2, 64, 5, 200, 256, 17] {
            devnet.reorg(depth);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(!torn.is_empty());
    devnet.pause(true);
    devnet.reorg(64);
    let (head, fills) = (devnet.head(), devnet.canonical_fills());
    assert_eq!(u64::try_from(fills.len()).unwrap(), devnet.fills());
    let mut read = Vec::new();
    for log in all_logs(&devnet, head.number).await {
        if format!("{:#x}", log.topics[0]) == FILL {
            let Ok(Decoded::Event(ChainEvent::Fill(fill))) = decode(&log) else { panic!("{log:?}") };
            read.push(TruthFill {
                block_number: log.block_number,
                block_hash: log.block_hash,
                log_index: log.log_index,
                tx_hash: log.tx_hash,
                fill,
            });
        }
    }
    assert!(read.len() > 500);
    assert_eq!(read, fills);
    assert_ne!(torn.last().unwrap().block_hash, fills.last().unwrap().block_hash);

    // Paused is paused, and then it goes on.
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!((devnet.head(), devnet.canonical_fills()), (head, fills));
    devnet.pause(false);
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(devnet.head().number > head.number + 3, "what was owed came");
}

#[tokio::test]
async fn what_is_final_stays_through_reorganisations_of_64() {
    let (devnet, _stop) = nodes(1).await;
    devnet.pause(true);
    let finalized =
        async || get(&devnet.urls().rpc_http, "eth_getBlockByNumber", json!(["finalized", false])).await;
    let (before, head) = (finalized().await, devnet.head());
    assert_eq!(number(&before["number"]), head.number - 64);
    devnet.reorg(64);
    assert_eq!(finalized().await, before);
    assert_ne!(devnet.head().hash, head.hash);
    let above = json!([hex(head.number - 63), false]);
    let above = get(&devnet.urls().rpc_http, "eth_getBlockByNumber", above).await;
    assert_eq!(above["parentHash"], before["hash"]);
    let logs =
        json!([{"fromBlock": hex(devnet.first_block()), "toBlock": "finalized", "topics": [B256::ZERO]}]);
    assert_eq!(get(&devnet.urls().rpc_http, "eth_getLogs", logs).await, json!([]));
}

/// Who gave how much of which token to whom, out of a receipt.
fn transfers(receipt: &Value) -> Vec<(Address, Address, U256, U256)> {
    let mut transfers = Vec::new();
    for log in serde_json::from_value::<Vec<RawLog>>(receipt["logs"].clone()).unwrap() {
        let words: Vec<U256> = log.data.chunks(32).map(U256::from_be_slice).collect();
        let [from, to] = [2, 3].map(|index| log.topics.get(index).map(|topic| Address::from_word(*topic)));
        match format!("{:#x}", log.topics[0]).as_str() {
            "0x4a39dc06d4c0dbc64b70af90fd698a233a518aa5d07e595d983b8c0526c8f7fb" => {
                assert_eq!((log.address, words.len()), (CONDITIONAL_TOKENS, 8));
                for outcome in [0, 1] {
                    transfers.push((from.unwrap(), to.unwrap(), words[3 + outcome], words[6 + outcome]));
                }
            }
            "0xc3d58168c5ae7397731d063d5bbf3d657854427343f4c083240f7aacaa2d0f62" => {
                assert_eq!((log.address, words.len()), (CONDITIONAL_TOKENS, 2));
                transfers.push((from.unwrap(), to.unwrap(), words[0], words[1]));
            }
            _ => {}
        }
    }
    transfers
}

#[tokio::test]
async fn the_ledger_credits_users_and_the_receipts_prove_it() {
    let (devnet, _stop) = nodes(1).await;
    devnet.pause(true);
    let url = &devnet.urls().rpc_http;
    let ledger = devnet.canonical_ledger();
    let logs: BTreeMap<(u64, u32), RawLog> = all_logs(&devnet, devnet.head().number)
        .await
        .into_iter()
        .map(|log| ((log.block_number, log.log_index), log))
        .collect();
    let mut tokens = BTreeMap::new();
    let mut seen = BTreeMap::new();
    for truth in &ledger {
        let log = &logs[&(truth.block_number, truth.log_index)];
        assert_eq!((log.tx_hash, log.block_hash), (truth.tx_hash, truth.block_hash));
        let said = Wallet(Address::from_word(log.topics[1]));
        let (kind, wallet, amount) = match &truth.event {
            ChainEvent::Preparation { condition, tokens: both } => {
                let (oracle, question) = (Address::from_word(log.topics[2]), log.topics[3]);
                assert_eq!(condition_id(oracle, question, 2), *condition);
                let collateral = if oracle == NEG_RISK_ADAPTER { WRAPPED_COLLATERAL } else { USDC_E };
                assert_eq!([0, 1].map(|outcome| ctf_token(collateral, *condition, outcome)), *both);
                tokens.insert(*condition, *both);
                *seen.entry("preparation").or_insert(0) += 1;
                continue;
            }
            ChainEvent::Resolution { .. } => {
                let Ok(Decoded::Event(read)) = decode(log) else { panic!("{log:?}") };
                assert_eq!(read, truth.event);
                *seen.entry("resolution").or_insert(0) += 1;
                continue;
            }
            ChainEvent::Split { wallet, amount, .. } => ("split", *wallet, amount.micros()),
            ChainEvent::Merge { wallet, amount, .. } => ("merge", *wallet, amount.micros()),
            ChainEvent::Redemption { wallet, payout, .. } => ("redemption", *wallet, payout.micros()),
            other => panic!("{other:?}"),
        };
        assert!(!is_protocol_contract(wallet.0), "{wallet} is no user");
        let receipt = get(url, "eth_getTransactionReceipt", json!([truth.tx_hash.to_string()])).await;
        check_receipt(&receipt, truth);
        let moved = transfers(&receipt);
        if moved.is_empty() {
            assert_eq!(said, wallet, "who acts for themselves is named");
            *seen.entry(kind).or_insert(0) += 1;
            continue;
        }
        // Somebody acted for them: the transfers say for whom, and how much.
        let amount = U256::from(u64::try_from(amount).unwrap());
        let theirs: Vec<_> = moved.iter().filter(|(from, to, ..)| [*from, *to].contains(&wallet.0)).collect();
        assert!(theirs.iter().all(|(from, to, _, value)| {
            *value == amount && (*to == wallet.0) == (kind == "split") && from != to
        }));
        let ids: Vec<TokenId> = theirs.iter().map(|(_, _, id, _)| TokenId(*id)).collect();
        let both = match &truth.event {
            ChainEvent::Split { condition, .. } | ChainEvent::Merge { condition, .. } => {
                assert!(is_protocol_contract(said.0), "{said}");
                tokens[condition].to_vec()
            }
            ChainEvent::Redemption { condition, .. } => {
                assert_eq!(said, wallet, "the contract's own event names the user");
                tokens[&condition.unwrap()].iter().copied().filter(|token| ids.contains(token)).collect()
            }
            _ => Vec::new(),
        };
        assert!(!both.is_empty());
        assert_eq!(ids, both);
        *seen
            .entry(if kind == "redemption" && moved.len() == 3 { "automatic" } else { "through the adapter" })
            .or_insert(0) += 1;
    }
    println!("{seen:?}");
    for kind in ["preparation", "resolution", "split", "redemption", "through the adapter", "automatic"] {
        assert!(seen.get(kind).is_some_and(|count| *count > 2), "{kind}: {seen:?}");
    }
    let nobody = json!([B256::repeat_byte(1)]);
    assert!(get(url, "eth_getTransactionReceipt", nobody).await.is_null());
}

fn check_receipt(receipt: &Value, truth: &TruthEvent) {
    assert_eq!(receipt["status"], "0x1");
    assert_eq!(receipt["transactionHash"], truth.tx_hash.to_string());
    assert_eq!(receipt["blockHash"], truth.block_hash.to_string());
    assert_eq!(number(&receipt["blockNumber"]), truth.block_number);
    let logs = receipt["logs"].as_array().unwrap();
    assert!(logs.iter().any(|log| number(&log["logIndex"]) == u64::from(truth.log_index)));
    assert!(logs.iter().all(|log| log["transactionHash"] == receipt["transactionHash"]));
}

#[tokio::test]
async fn a_blocks_receipts_are_its_logs() {
    let (devnet, _stop) = nodes(1).await;
    devnet.pause(true);
    let url = &devnet.urls().rpc_http;
    let block = get(url, "eth_getBlockByNumber", json!(["latest", false])).await;
    let logs = get(url, "eth_getLogs", json!([{"blockHash": block["hash"]}])).await;
    for which in [json!([block["number"]]), json!([block["hash"]]), json!(["latest"])] {
        let receipts = get(url, "eth_getBlockReceipts", which).await;
        let hashes: Vec<Value> =
            receipts.as_array().unwrap().iter().map(|receipt| receipt["transactionHash"].clone()).collect();
        assert_eq!(json!(hashes), block["transactions"]);
        let together: Vec<Value> = receipts
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|receipt| receipt["logs"].as_array().unwrap().clone())
            .collect();
        assert_eq!(json!(together), logs);
    }
}

/// The system's own reader finds the truth, given the receipts it asks for: every fill and every other fact, and
/// nothing besides.
#[tokio::test]
async fn the_systems_own_decoder_agrees() {
    let (devnet, _stop) = nodes(1).await;
    devnet.pause(true);
    let mut facts = Vec::new();
    for logs in
        all_logs(&devnet, devnet.head().number).await.chunk_by(|one, two| one.block_hash == two.block_hash)
    {
        let (place, mut receipts) = (&logs[0], Vec::new());
        // What the node's client asks for: the watched events alone.
        let logs: Vec<RawLog> =
            logs.iter().filter(|log| watched_topics().contains(&log.topics[0])).cloned().collect();
        for tx_hash in wanting_receipts(&logs) {
            let receipt =
                get(&devnet.urls().rpc_http, "eth_getTransactionReceipt", json!([tx_hash.to_string()])).await;
            receipts
                .push(Receipt { tx_hash, logs: serde_json::from_value(receipt["logs"].clone()).unwrap() });
        }
        let decoded = decode_block(&ChainBlock {
            number: place.block_number,
            hash: place.block_hash,
            parent: None,
            time: place.block_timestamp.unwrap(),
            logs,
            malformed: Vec::new(),
            receipts,
        });
        assert_eq!(decoded.unreadable, []);
        facts.extend(decoded.facts.into_iter().map(|fact| {
            (
                fact.place.block_number,
                fact.place.log_index,
                fact.place.block_hash,
                fact.place.tx_hash,
                fact.event,
            )
        }));
    }
    let fills = devnet.canonical_fills().into_iter().map(|truth| {
        (truth.block_number, truth.log_index, truth.block_hash, truth.tx_hash, ChainEvent::Fill(truth.fill))
    });
    let ledger = devnet
        .canonical_ledger()
        .into_iter()
        .map(|truth| (truth.block_number, truth.log_index, truth.block_hash, truth.tx_hash, truth.event));
    let mut truth: Vec<_> = fills.chain(ledger).collect();
    truth.sort_by_key(|fact| (fact.0, fact.1));
    facts.sort_by_key(|fact| (fact.0, fact.1));
    let missing: Vec<_> = truth.iter().filter(|fact| !facts.contains(fact)).take(3).collect();
    let more: Vec<_> = facts.iter().filter(|fact| !truth.contains(fact)).take(3).collect();
    assert!(missing.is_empty() && more.is_empty() && facts == truth, "missing {missing:#?}\nmore {more:#?}");
}
