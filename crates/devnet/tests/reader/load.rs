//! The node for measuring: what it serves is what a real one would, and it keeps its times.

use std::time::{Duration, Instant};

use devnet::load::{LoadConfig, LoadNode};
use domain::{ChainEvent, Role};
use futures_util::{SinkExt, StreamExt};
use polygon::contracts::{exchange_address, watched_addresses, watched_topics};
use polygon::decode::{Decoded, decode};
use polygon::log::RawLog;
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use crate::ask::{ask, get, hex, number, request, text};

fn filter(from: u64, to: u64) -> Value {
    json!([{"fromBlock": hex(from), "toBlock": hex(to), "address": watched_addresses(),
        "topics": [watched_topics()]}])
}

async fn logs(url: &str, filter: Value) -> Vec<RawLog> {
    serde_json::from_value(get(url, "eth_getLogs", filter).await).unwrap()
}

#[tokio::test]
async fn a_history_is_there_at_once_and_decodes() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = LoadConfig { blocks: 120, burst: Some((50, 300)), ..LoadConfig::default() };
    let (node, again) =
        (LoadNode::start(config.clone()).await.unwrap(), LoadNode::start(config.clone()).await.unwrap());
    let (url, first) = (node.url_http(), config.first_block);
    let expected = 118 * 78 + 2 * 300;
    assert_eq!((node.fills(), node.fills_in_all(), node.head()), (expected, expected, first + 119));
    let all = logs(&url, filter(first, first + 500)).await;
    assert_eq!(u64::try_from(all.len()).unwrap(), expected);
    let mut takers = 0;
    for log in &all {
        let Ok(Decoded::Event(ChainEvent::Fill(fill))) = decode(log) else { panic!("{log:?}") };
        assert!(fill.price().is_some(), "{fill:?}");
        takers += u32::from(fill.role == Role::Taker);
        assert_eq!(exchange_address(fill.exchange), Some(log.address));
    }
    assert!(takers > 2_000);
    assert!(all.windows(2).all(|pair| {
        (pair[0].block_number, pair[0].log_index) < (pair[1].block_number, pair[1].log_index)
    }));
    // The same seed, the same bytes; and every field a Bor node gives.
    let question = filter(first + 3, first + 9);
    let said = text(&url, "eth_getLogs", &question).await.unwrap();
    assert_eq!(said, text(&again.url_http(), "eth_getLogs", &question).await.unwrap());
    let one = get(&url, "eth_getLogs", question.clone()).await[0].clone();
    for field in ["blockTimestamp", "transactionIndex", "removed", "blockHash", "logIndex"] {
        assert!(!one[field].is_null(), "{field}");
    }
    assert!((1_050..1_100).contains(&one.to_string().len()), "{}", one.to_string().len());

    // Blocks, one on the other, and their logs by hash.
    let empty = get(&url, "eth_getBlockByNumber", json!([hex(first - 1), false])).await;
    let mut parent = empty["hash"].clone();
    for height in first..first + 60 {
        let block = get(&url, "eth_getBlockByNumber", json!([hex(height), false])).await;
        assert_eq!(block["parentHash"], parent);
        parent = block["hash"].clone();
        let by_hash = logs(&url, json!([{"blockHash": parent}])).await;
        let of_range: Vec<&RawLog> = all.iter().filter(|log| log.block_number == height).collect();
        assert_eq!(by_hash.iter().collect::<Vec<_>>(), of_range);
        assert!(by_hash.iter().all(|log| block["hash"] == log.block_hash.to_string()));
        let time = by_hash[0].block_timestamp.unwrap().seconds();
        assert_eq!(number(&block["timestamp"]), u64::try_from(time).unwrap());
        let mut txs: Vec<String> = by_hash.iter().map(|log| log.tx_hash.to_string()).collect();
        txs.dedup();
        assert_eq!(json!(txs), block["transactions"]);
        assert_eq!(get(&url, "eth_getBlockByHash", json!([parent, false])).await, block);
    }
    let last = get(&url, "eth_getBlockByNumber", json!(["finalized", false])).await;
    assert_eq!(number(&last["number"]), first + 119, "history is final");

    // Part of it.
    let one_exchange = json!([{"fromBlock": hex(first), "toBlock": "latest", "address": all[0].address}]);
    let some = logs(&url, one_exchange).await;
    assert!(some.iter().eq(all.iter().filter(|log| log.address == all[0].address)));
    let nothing =
        json!([{"fromBlock": hex(first), "toBlock": "latest", "topics": [all[0].tx_hash.to_string()]}]);
    assert!(logs(&url, nothing).await.is_empty());
    let beyond = logs(&url, filter(first + 120, first + 130)).await;
    assert!(beyond.is_empty());
    let unknown = json!([{"blockHash": all[0].tx_hash.to_string()}]);
    assert_eq!(ask(&url, "eth_getLogs", unknown).await["error"]["message"], "unknown block");
    assert_eq!(ask(&url, "eth_getLogs", json!([7])).await["error"]["code"], -32602);
    assert_eq!(ask(&url, "eth_mine", json!([])).await["error"]["code"], -32601);
    again.stop().await;
}

#[tokio::test]
async fn live_blocks_appear_at_their_times_and_are_announced() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let interval = Duration::from_millis(100);
    let config = LoadConfig {
        blocks: 6,
        fills_per_block: 20,
        block_interval: Some(interval),
        ..LoadConfig::default()
    };
    let first = config.first_block;
    let begun = Instant::now();
    let node = LoadNode::start(config).await.unwrap();
    let (mut socket, _) = tokio_tungstenite::connect_async(node.url_ws()).await.unwrap();
    socket.send(Message::text(request("eth_subscribe", &json!(["newHeads"])))).await.unwrap();
    let mut heads = Vec::new();
    while heads.len() < 4 {
        let message = timeout(Duration::from_secs(5), socket.next()).await.unwrap().unwrap().unwrap();
        let heard = Instant::now();
        let message: Value = serde_json::from_str(message.to_text().unwrap()).unwrap();
        if message["method"] == "eth_subscription" {
            let header = &message["params"]["result"];
            let announced = node.announced(number(&header["number"])).unwrap();
            assert!(announced >= begun && announced <= heard);
            // Never before its time; how long after it, is this machine's affair.
            let nth = u32::try_from(number(&header["number"]) - first + 1).unwrap();
            assert!(announced - begun >= interval * nth);
            // The block can be read the moment it is announced.
            let logs = logs(&node.url_http(), json!([{"blockHash": header["hash"]}])).await;
            assert_eq!(logs.len(), 20);
            heads.push(number(&header["number"]));
        }
    }
    assert!(heads.windows(2).all(|pair| pair[1] == pair[0] + 1));
    assert_eq!(node.announced(first + 60), None, "there is no such block");
    let finalized = get(&node.url_http(), "eth_getBlockByNumber", json!(["finalized", false])).await;
    assert_eq!(number(&finalized["number"]), first - 1);
    timeout(Duration::from_secs(5), node.stop()).await.unwrap();
}
