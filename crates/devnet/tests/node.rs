//! The simulated node over real sockets, asked by hand and by the system's own follower.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod started;

use std::collections::BTreeSet;
use std::time::Duration;

use devnet::{Devnet, DevnetConfig, DevnetError};
use futures_util::{SinkExt, StreamExt};
use polygon::contracts::{PUSD, watched_addresses, watched_topics};
use polygon::log::RawLog;
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

use started::{START, begin, client, small};

async fn post(url: &str, body: impl Into<reqwest::Body>) -> Value {
    let response = client().post(url).body(body).send().await.unwrap();
    response.json().await.unwrap()
}

async fn call(devnet: &Devnet, method: &str, params: Value) -> Value {
    let request = json!({"jsonrpc": "2.0", "id": 5, "method": method, "params": params});
    let answer = post(&devnet.urls().rpc_http, request.to_string()).await;
    assert_eq!((&answer["jsonrpc"], &answer["id"]), (&json!("2.0"), &json!(5)));
    answer
}

fn number(value: &Value) -> u64 {
    u64::from_str_radix(value.as_str().unwrap().strip_prefix("0x").unwrap(), 16).unwrap()
}

async fn head(devnet: &Devnet) -> u64 {
    number(&call(devnet, "eth_blockNumber", json!([])).await["result"])
}

#[tokio::test]
async fn the_node_answers_like_a_node() {
    let (devnet, stop) = small().await;
    assert_eq!(call(&devnet, "eth_chainId", json!([])).await["result"], "0x89");
    assert_eq!(call(&devnet, "net_version", json!([])).await["result"], "137");
    assert!(
        call(&devnet, "web3_clientVersion", json!([])).await["result"].as_str().unwrap().contains("devnet")
    );

    let latest = call(&devnet, "eth_getBlockByNumber", json!(["latest", false])).await["result"].clone();
    let by_hash = call(&devnet, "eth_getBlockByHash", json!([latest["hash"], false])).await["result"].clone();
    assert_eq!(latest, by_hash);
    let below = format!("{:#x}", number(&latest["number"]) - 1);
    let parent = call(&devnet, "eth_getBlockByNumber", json!([below, false])).await["result"].clone();
    assert_eq!(latest["parentHash"], parent["hash"]);
    for field in [
        "logsBloom",
        "miner",
        "gasLimit",
        "gasUsed",
        "stateRoot",
        "receiptsRoot",
        "sha3Uncles",
        "transactionsRoot",
        "extraData",
        "nonce",
        "difficulty",
        "totalDifficulty",
        "size",
        "transactions",
        "uncles",
        "baseFeePerGas",
        "mixHash",
        "timestamp",
    ] {
        assert!(!latest[field].is_null(), "{field}");
    }
    let earliest = call(&devnet, "eth_getBlockByNumber", json!(["earliest", false])).await["result"].clone();
    assert_eq!(number(&earliest["number"]), devnet.first_block() - 1);
    for unknown in [json!(["0x1", false]), json!(["0xffffffffff", false])] {
        assert!(call(&devnet, "eth_getBlockByNumber", unknown).await["result"].is_null());
    }

    let account = devnet.test_account();
    assert_ne!(call(&devnet, "eth_getBalance", json!([account.address, "latest"])).await["result"], "0x0");
    let data = format!("0x70a08231{:0>64}", format!("{:x}", account.address));
    let balance =
        call(&devnet, "eth_call", json!([{"to": PUSD, "data": data}, "latest"])).await["result"].clone();
    assert_eq!(u64::from_str_radix(&balance.as_str().unwrap()[50..], 16).unwrap(), 10_000_000_000);
    let stranger = format!("0x70a08231{:0>64}", "1");
    let balance =
        call(&devnet, "eth_call", json!([{"to": PUSD, "input": stranger}, "latest"])).await["result"].clone();
    assert_eq!(balance, format!("0x{}", "0".repeat(64)));

    let unknown = call(&devnet, "eth_mine", json!([])).await;
    assert_eq!(unknown["error"]["code"], -32601);
    assert_eq!(call(&devnet, "eth_getLogs", json!([7])).await["error"]["code"], -32602);
    assert_eq!(call(&devnet, "eth_getBlockByNumber", json!(["soon", false])).await["error"]["code"], -32602);
    assert_eq!(post(&devnet.urls().rpc_http, "{").await["error"]["code"], -32700);
    assert_eq!(post(&devnet.urls().rpc_http, "[]").await["error"]["code"], -32600);
    assert_eq!(post(&devnet.urls().rpc_http, "[7]").await[0]["error"]["code"], -32600);
    let batch = json!([{"jsonrpc": "2.0", "id": "a", "method": "eth_chainId"},
        {"jsonrpc": "2.0", "method": "eth_chainId"},
        {"jsonrpc": "2.0", "id": "b", "method": "net_version", "params": []}]);
    let answers = post(&devnet.urls().rpc_http, batch.to_string()).await;
    assert_eq!(answers.as_array().unwrap().len(), 2, "a notification is not answered");
    assert_eq!((&answers[0]["id"], &answers[1]["result"]), (&json!("a"), &json!("137")));

    stop.cancel();
    timeout(Duration::from_secs(5), devnet.wait()).await.unwrap().unwrap();
}

#[tokio::test]
async fn logs_are_found_by_range_block_address_and_topic() {
    let (devnet, _stop) = begin(1_200, 12).await;
    let first = devnet.first_block();
    let hex = |number: u64| format!("{number:#x}");
    let logs = async |filter: Value| {
        let answer = call(&devnet, "eth_getLogs", json!([filter])).await;
        serde_json::from_value::<Vec<RawLog>>(answer["result"].clone())
            .unwrap_or_else(|error| panic!("{error}: {}", answer["error"]))
    };
    // The past is more than a node gives at once.
    let head = head(&devnet).await;
    let everything =
        call(&devnet, "eth_getLogs", json!([{"fromBlock": "earliest", "toBlock": "latest"}])).await;
    assert_eq!(everything["error"]["code"], -32005);
    assert!(everything["error"]["message"].as_str().unwrap().contains("more than 10000 results"));

    // In parts it is all there, in order, and as much as the world says.
    let topics = watched_topics();
    let mut fills = 0;
    let mut all = Vec::new();
    let fill_topic = "0xd543adfd945773f1a62f74f0ee55a5e3b9b1a28262980ba90b1a89f2ea84d8ee";
    for from in (first..=head).step_by(150) {
        let to = (from + 149).min(head);
        let part = logs(json!({"fromBlock": hex(from), "toBlock": hex(to),
            "address": watched_addresses(), "topics": [topics]}))
        .await;
        fills += part.iter().filter(|log| format!("{}", log.topics[0]) == fill_topic).count();
        assert!(part.iter().all(|log| (from..=to).contains(&log.block_number)));
        all.extend(part);
    }
    assert!(all.windows(2).all(|pair| {
        (pair[0].block_number, pair[0].log_index) < (pair[1].block_number, pair[1].log_index)
    }));
    assert!(fills > 1_000);
    assert!(devnet.fills() >= u64::try_from(fills).unwrap());

    let one = all[all.len() / 2].clone();
    let same_block: Vec<RawLog> =
        all.iter().filter(|log| log.block_hash == one.block_hash).cloned().collect();
    let by_hash = logs(json!({"blockHash": one.block_hash.to_string(), "address": watched_addresses(),
        "topics": [topics]}))
    .await;
    assert_eq!(by_hash, same_block);
    // By position: the wallet in the third topic.
    let wallet = all.iter().find(|log| format!("{}", log.topics[0]) == fill_topic).unwrap().topics[2];
    let range = json!({"fromBlock": hex(first), "toBlock": hex(head)});
    let mut filter = range.clone();
    filter["topics"] = json!([[fill_topic], null, [wallet]]);
    let mine = logs(filter).await;
    assert!(!mine.is_empty() && mine.iter().all(|log| log.topics[2] == wallet));
    let mut filter = range;
    filter["address"] = json!(PUSD);
    assert!(logs(filter).await.is_empty());
    assert!(logs(json!({"fromBlock": "0x1", "toBlock": "0x2"})).await.is_empty());
    let upside_down = json!([{"fromBlock": hex(head), "toBlock": hex(first)}]);
    assert_eq!(call(&devnet, "eth_getLogs", upside_down).await["error"]["code"], -32602);
    let unknown = json!([{"blockHash": format!("0x{}", "12".repeat(32))}]);
    assert_eq!(call(&devnet, "eth_getLogs", unknown).await["error"]["message"], "unknown block");
}

#[tokio::test]
async fn subscribers_hear_of_blocks_logs_and_reorganisations() {
    let (devnet, _stop) = small().await;
    let (mut socket, _) = tokio_tungstenite::connect_async(&devnet.urls().rpc_ws).await.unwrap();
    for (id, params) in [(1, json!(["newHeads"])), (2, json!(["logs", {"address": watched_addresses()}]))] {
        let request = json!({"jsonrpc": "2.0", "id": id, "method": "eth_subscribe", "params": params});
        socket.send(Message::text(request.to_string())).await.unwrap();
    }
    let mut names = Vec::new();
    let mut heads: Vec<Value> = Vec::new();
    let mut logs: Vec<RawLog> = Vec::new();
    let mut reorganised = false;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        let message = tokio::time::timeout_at(deadline, socket.next()).await.unwrap().unwrap().unwrap();
        let message: Value = serde_json::from_str(message.to_text().unwrap()).unwrap();
        if message["method"] != "eth_subscription" {
            names.push(message["result"].clone());
            continue;
        }
        let params = &message["params"];
        if params["subscription"] == names[0] {
            heads.push(params["result"].clone());
        } else {
            assert_eq!(params["subscription"], names[1]);
            logs.push(serde_json::from_value(params["result"].clone()).unwrap());
        }
        if heads.len() >= 8 && !reorganised {
            devnet.reorg(3);
            reorganised = true;
        }
        let last = heads.last().map(|head| &head["number"]);
        let again = heads.iter().filter(|head| Some(&head["number"]) == last).count();
        let removed = logs.iter().any(|log| log.removed);
        if reorganised && removed && again == 1 && heads.len() > 12 && !logs.last().unwrap().removed {
            break;
        }
    }
    // Some height was told twice, with different hashes; every head stands on the one told before it, or on
    // the common ancestor.
    let numbers: Vec<u64> = heads.iter().map(|head| number(&head["number"])).collect();
    let back = numbers.windows(2).position(|pair| pair[1] <= pair[0]).unwrap();
    assert_eq!(numbers[back + 1], numbers[back] - 2, "three blocks are replaced");
    let hashes: BTreeSet<&str> = heads.iter().map(|head| head["hash"].as_str().unwrap()).collect();
    assert_eq!(hashes.len(), heads.len());
    let ancestor = numbers.iter().position(|one| *one == numbers[back + 1] - 1).unwrap();
    assert_eq!(heads[back + 1]["parentHash"], heads[ancestor]["hash"]);

    // What was taken back is gone from the node, and what replaces it is there.
    let gone = logs.iter().find(|log| log.removed).unwrap();
    let answer = call(&devnet, "eth_getBlockByHash", json!([gone.block_hash.to_string(), false])).await;
    assert!(answer["result"].is_null());
    let replaced = call(&devnet, "eth_getBlockByNumber", json!([heads[back + 1]["number"], false])).await;
    assert_eq!(replaced["result"]["hash"], heads[back + 1]["hash"]);

    let request = json!({"jsonrpc": "2.0", "id": 9, "method": "eth_unsubscribe", "params": [names[0]]});
    socket.send(Message::text(request.to_string())).await.unwrap();
    let unsubscribed = async {
        while let Some(Ok(message)) = socket.next().await {
            let message: Value = serde_json::from_str(message.to_text().unwrap()).unwrap();
            if message["id"] == 9 {
                return message["result"].clone();
            }
        }
        Value::Null
    };
    assert_eq!(timeout(Duration::from_secs(5), unsubscribed).await.unwrap(), true);
}
#[tokio::test]
async fn ports_follow_each_other_or_are_refused() {
    let config =
        DevnetConfig { wallets: 10, skilled: 1, history_days: 0, nodes: 2, ..DevnetConfig::default() };
    let stop = CancellationToken::new();
    // The ports after a free one may be somebody else's: then another one is tried.
    let (devnet, config, base) = loop {
        let probe = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = probe.local_addr().unwrap().port().min(65_000);
        drop(probe);
        let config = DevnetConfig { port: Some(base), ..config };
        match Devnet::start(config, START, stop.clone()).await {
            Ok(devnet) => break (devnet, config, base),
            Err(DevnetError::Listen { port, .. }) => assert!((base..base + 5).contains(&port)),
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(devnet.urls().rpc_http, format!("http://127.0.0.1:{base}"));
    assert_eq!(devnet.urls().clob, format!("http://127.0.0.1:{}", base + 1));
    assert_eq!(devnet.urls().gamma, format!("http://127.0.0.1:{}", base + 2));
    assert_eq!(devnet.urls().portal, format!("http://127.0.0.1:{}/datasets/polygon-mainnet", base + 3));
    assert_eq!(devnet.urls().rpc_ws_all[1], format!("ws://127.0.0.1:{}", base + 4));
    let taken = Devnet::start(config, START, stop.clone()).await.unwrap_err();
    assert!(matches!(taken, DevnetError::Listen { port, .. } if port == base), "{taken}");
    let high = DevnetConfig { port: Some(65_532), ..config };
    let error = Devnet::start(high, START, stop.clone()).await.unwrap_err();
    assert!(matches!(error, DevnetError::Port { port: 65_532 }), "{error}");
    stop.cancel();
    timeout(Duration::from_secs(5), devnet.wait()).await.unwrap().unwrap();
}

/// The system's own follower of the chain drinks the whole past and the present, reorganisations included.
#[tokio::test]
async fn the_follower_follows() {
    use polygon::follow::{ChainUpdate, FollowSettings, Heads, Start, follow};
    let (devnet, stop) = small().await;
    let settings = FollowSettings {
        heads: Heads::Subscribe,
        ..FollowSettings::new(
            vec![devnet.urls().rpc_ws.clone(), devnet.urls().rpc_http.clone()],
            Start::Block(devnet.first_block()),
        )
    };
    let (sender, mut updates) = tokio::sync::mpsc::channel(8);
    let follower = tokio::spawn(follow(settings, Vec::new(), sender, stop.child_token()));
    let target = head(&devnet).await + 12;
    let mut fills = 0;
    let mut reverted = 0;
    let fill_topic = "0xd543adfd945773f1a62f74f0ee55a5e3b9b1a28262980ba90b1a89f2ea84d8ee";
    let mut last = 0;
    while last < target || reverted == 0 {
        let stretch = match timeout(Duration::from_secs(20), updates.recv()).await.unwrap().unwrap() {
            ChainUpdate::Committed(stretch) => stretch,
            ChainUpdate::Reorged { new, .. } => {
                reverted += 1;
                new
            }
            ChainUpdate::Reverted { .. } => {
                reverted += 1;
                continue;
            }
        };
        fills += stretch
            .blocks
            .iter()
            .flat_map(|block| &block.logs)
            .filter(|log| log.topics.first().is_some_and(|topic| topic.to_string() == fill_topic))
            .count();
        last = stretch.through.number;
        if last >= target && reverted == 0 {
            devnet.reorg(2);
        }
    }
    assert!(fills > 1_000, "{fills}");
    stop.cancel();
    timeout(Duration::from_secs(10), follower).await.unwrap().unwrap().unwrap();
}
