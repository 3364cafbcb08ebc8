//! The simulated world over real sockets, asked by the clients the system itself uses.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeSet;
use std::time::Duration;

use devnet::{Devnet, DevnetConfig, DevnetError};
use domain::{Rounding, Shares, Timestamp, TokenId, Usd};
use futures_util::{SinkExt, StreamExt};
use polygon::contracts::{PUSD, watched_addresses, watched_topics};
use polygon::log::RawLog;
use polymarket::{Clob, Gamma, VenueError};
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

const START: Timestamp = Timestamp::from_seconds(1_795_420_800);

/// A small fast world: a block each tenth of a second.
async fn small() -> (Devnet, CancellationToken) {
    begin(400, 6).await
}

async fn begin(wallets: usize, history_days: u32) -> (Devnet, CancellationToken) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let stop = CancellationToken::new();
    let config = DevnetConfig { speed: 15.0, wallets, skilled: 20, history_days, ..DevnetConfig::default() };
    let devnet = Devnet::start(config, START, stop.clone()).await.unwrap();
    (devnet, stop)
}

async fn post(url: &str, body: impl Into<reqwest::Body>) -> Value {
    let response = reqwest::Client::new().post(url).body(body).send().await.unwrap();
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

/// The tokens of the open markets, through the catalogue's own pages.
async fn open_tokens(devnet: &Devnet) -> Vec<TokenId> {
    let url = format!("{}/markets/keyset?limit=100", devnet.urls().gamma);
    let page: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    let ids = page["markets"].as_array().unwrap().iter().flat_map(|market| {
        let list = if market["version"] == "v2" {
            market["positionIds"].as_array().unwrap().clone()
        } else {
            serde_json::from_str(market["clobTokenIds"].as_str().unwrap()).unwrap()
        };
        list.into_iter().map(|id| id.as_str().unwrap().parse().unwrap())
    });
    ids.collect()
}

#[tokio::test]
async fn the_clients_understand_books_and_markets() {
    let (devnet, _stop) = small().await;
    let clob = Clob::new(&devnet.urls().clob).unwrap();
    let gamma = Gamma::new(&devnet.urls().gamma).unwrap();
    let tokens = open_tokens(&devnet).await;
    assert!(tokens.len() >= 80, "{}", tokens.len());
    let listing = gamma.markets_of_tokens(&tokens).await.unwrap();
    assert_eq!(listing.rejected, []);
    assert!(listing.markets.len() * 2 >= tokens.len() - 4);
    assert!(listing.markets.iter().any(|market| market.protocol_v2));
    assert!(listing.markets.iter().any(|market| market.neg_risk));

    let (mut tight, mut deep, mut seen) = (0, 0, 0);
    for market in &listing.markets {
        assert!(market.category.is_some() && market.end.is_some() && market.event != market.slug);
        for token in &market.tokens {
            let book = match clob.book(*token).await {
                Ok(book) => book,
                // It may have been answered in between.
                Err(VenueError::NoBook { .. }) => continue,
                Err(error) => panic!("{error}"),
            };
            let (bid, ask) = (book.best_bid().unwrap().ppm(), book.best_ask().unwrap().ppm());
            assert!(bid < ask && book.at >= START);
            seen += 1;
            tight += u32::from(ask - bid == 10_000);
            let near = book.asks.iter().filter(|level| level.price.ppm() <= ask + 20_000);
            let dollars: Usd = near.map(|level| level.shares.at(level.price, Rounding::Down)).sum();
            deep += u32::from(dollars >= Usd::whole(3_000));
        }
        let terms = clob.market(market.condition).await.unwrap();
        assert_eq!(
            (terms.fee_rate_ppm, terms.neg_risk, terms.protocol_v2, terms.tick, terms.min_order),
            (market.fee_rate_ppm, market.neg_risk, market.protocol_v2, market.tick, Shares::whole(5))
        );
        assert_eq!(clob.condition_of(market.tokens[1]).await.unwrap(), market.condition);
    }
    assert!(seen > 60 && tight * 10 > seen * 7 && deep * 10 > seen * 9, "{tight} and {deep} of {seen}");

    // Answered markets are found too, by token and by condition, and have no book.
    let closed = format!("{}/markets/keyset?limit=100&closed=true", devnet.urls().gamma);
    let page: Value = reqwest::get(closed).await.unwrap().json().await.unwrap();
    let old = page["markets"].as_array().unwrap();
    assert_eq!(old.len(), 1.max(old.len()));
    assert!(old.iter().all(
        |market| market["closed"] == true && market["outcomePrices"].as_str().unwrap().contains("\"1\"")
    ));
    let conditions: Vec<_> = old
        .iter()
        .map(|market| format!("{:0<66}", market["conditionId"].as_str().unwrap()).parse().unwrap())
        .collect();
    let listing = gamma.markets_of_conditions(&conditions).await.unwrap();
    assert_eq!((listing.markets.len(), listing.rejected.len()), (conditions.len(), 0));
    let error = clob.book(listing.markets[0].tokens[0]).await.unwrap_err();
    assert!(matches!(error, VenueError::NoBook { .. }), "{error}");
    assert!(matches!(
        clob.market("0x".to_owned().replace("0x", &format!("0x{}", "3".repeat(64))).parse().unwrap()).await,
        Err(VenueError::Status { code: 404, .. })
    ));
    let offset = reqwest::get(format!("{}/markets/keyset?offset=5", devnet.urls().gamma)).await.unwrap();
    assert_eq!(offset.status(), 422);
}

#[tokio::test]
async fn pages_show_every_market_once() {
    let (devnet, _stop) = small().await;
    let mut seen = BTreeSet::new();
    let mut cursor = String::new();
    loop {
        let url = format!("{}/markets/keyset?limit=30&closed=true{cursor}", devnet.urls().gamma);
        let page: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
        for market in page["markets"].as_array().unwrap() {
            assert!(seen.insert(market["id"].as_str().unwrap().to_owned()), "twice");
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&after_cursor={next}"),
            None => break,
        }
    }
    assert!(seen.len() > 40);
    let id = seen.first().unwrap();
    let one: Value =
        reqwest::get(format!("{}/markets/{id}", devnet.urls().gamma)).await.unwrap().json().await.unwrap();
    let slug = one["slug"].as_str().unwrap();
    let same: Value = reqwest::get(format!("{}/markets/slug/{slug}", devnet.urls().gamma))
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(one["conditionId"], same["conditionId"]);
    assert_eq!(
        reqwest::get(format!("{}/markets/99999999", devnet.urls().gamma)).await.unwrap().status(),
        404
    );
}

#[tokio::test]
async fn the_small_questions_of_the_clob() {
    let (devnet, _stop) = small().await;
    let clob = devnet.urls().clob.clone();
    let get = async |path: String| {
        reqwest::get(format!("{clob}{path}")).await.unwrap().json::<Value>().await.unwrap()
    };
    let token = open_tokens(&devnet).await.pop().unwrap();
    assert_eq!(get("/ok".into()).await, "OK");
    assert_eq!(get("/version".into()).await, json!({"version": 2}));
    assert!(get("/time".into()).await.as_i64().unwrap() >= START.seconds());
    assert_eq!(get(format!("/tick-size?token_id={token}")).await["minimum_tick_size"], 0.01);
    assert!(get(format!("/neg-risk?token_id={token}")).await["neg_risk"].is_boolean());
    assert!(get(format!("/midpoint?token_id={token}")).await["mid"].as_str().unwrap().starts_with("0."));
    assert_eq!(get("/tick-size?token_id=5".into()).await["error"], "market not found");
    assert!(
        get("/book?token_id=5".into()).await["error"].as_str().unwrap().starts_with("No orderbook exists")
    );
    let asked = json!([{"token_id": token.to_string()}, {"token_id": "5"}]);
    let client = reqwest::Client::new();
    let books: Value =
        client.post(format!("{clob}/books")).json(&asked).send().await.unwrap().json().await.unwrap();
    assert_eq!(books.as_array().unwrap().len(), 1);
    assert_eq!(books[0]["asset_id"], token.to_string());
    let bids = books[0]["bids"].as_array().unwrap();
    let prices: Vec<f64> = bids.iter().map(|bid| bid["price"].as_str().unwrap().parse().unwrap()).collect();
    assert!(prices.is_sorted(), "worst first");
    let many: Vec<Value> = (0..501).map(|id| json!({"token_id": id.to_string()})).collect();
    let refused = client.post(format!("{clob}/books")).json(&many).send().await.unwrap();
    assert_eq!(refused.status(), 400);
}

#[tokio::test]
async fn the_market_channel_keeps_a_book_current() {
    let (devnet, _stop) = small().await;
    let (mut socket, _) = tokio_tungstenite::connect_async(&devnet.urls().clob_ws).await.unwrap();
    let tokens: Vec<String> = open_tokens(&devnet).await.iter().map(TokenId::to_string).collect();
    let wish = json!({"type": "market", "assets_ids": tokens});
    socket.send(Message::text(wish.to_string())).await.unwrap();
    socket.send(Message::text("PING")).await.unwrap();
    let mut kinds = BTreeSet::new();
    let mut ponged = false;
    let (mut changes, mut dumped) = (0, 0);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while !(ponged && kinds.len() == 4) {
        let message = tokio::time::timeout_at(deadline, socket.next()).await.unwrap().unwrap().unwrap();
        if message.to_text().unwrap() == "PONG" {
            ponged = true;
            continue;
        }
        let message: Value = serde_json::from_str(message.to_text().unwrap()).unwrap();
        let events = message.as_array().cloned().unwrap_or_else(|| vec![message]);
        for event in events {
            let kind = event["event_type"].as_str().unwrap().to_owned();
            match kind.as_str() {
                "book" => dumped += 1,
                "price_change" => {
                    for change in event["price_changes"].as_array().unwrap() {
                        changes += 1;
                        assert!(tokens.contains(&change["asset_id"].as_str().unwrap().to_owned()));
                    }
                }
                "last_trade_price" => assert!(event["size"].as_str().unwrap().parse::<f64>().unwrap() > 0.0),
                "market_resolved" => assert!(event["winning_outcome"].is_string()),
                kind => panic!("{kind}"),
            }
            kinds.insert(kind);
        }
    }
    assert!(dumped >= tokens.len() - 6 && changes > 10, "{dumped} {changes}");
}

#[tokio::test]
async fn ports_follow_each_other_or_are_refused() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let base = free.min(65_000);
    let config = DevnetConfig {
        port: Some(base),
        wallets: 10,
        skilled: 1,
        history_days: 0,
        ..DevnetConfig::default()
    };
    let stop = CancellationToken::new();
    let devnet = Devnet::start(config, START, stop.clone()).await.unwrap();
    assert_eq!(devnet.urls().rpc_http, format!("http://127.0.0.1:{base}"));
    assert_eq!(devnet.urls().clob, format!("http://127.0.0.1:{}", base + 1));
    assert_eq!(devnet.urls().gamma, format!("http://127.0.0.1:{}", base + 2));
    let taken = Devnet::start(config, START, stop.clone()).await.unwrap_err();
    assert!(matches!(taken, DevnetError::Listen { port, .. } if port == base), "{taken}");
    let high = DevnetConfig { port: Some(65_534), ..config };
    let error = Devnet::start(high, START, stop.clone()).await.unwrap_err();
    assert!(matches!(error, DevnetError::Port { port: 65_534 }), "{error}");
    stop.cancel();
    timeout(Duration::from_secs(5), devnet.wait()).await.unwrap().unwrap();
}

/// The system's own follower of the chain drinks the whole past and the present, reorganisations included.
#[tokio::test]
async fn the_follower_follows() {
    use polygon::follow::{ChainUpdate, FollowSettings, Start, follow};
    let (devnet, stop) = small().await;
    let settings = FollowSettings {
        endpoints: vec![devnet.urls().rpc_ws.clone(), devnet.urls().rpc_http.clone()],
        start: Start::Block(devnet.first_block()),
        ..FollowSettings::new(Vec::new(), Start::Head)
    };
    let (sender, mut updates) = tokio::sync::mpsc::channel(8);
    let follower = tokio::spawn(follow(settings, Vec::new(), sender, stop.child_token()));
    let target = head(&devnet).await + 12;
    let mut fills = 0;
    let mut reverted = 0;
    let fill_topic = "0xd543adfd945773f1a62f74f0ee55a5e3b9b1a28262980ba90b1a89f2ea84d8ee";
    let mut last = 0;
    while last < target || reverted == 0 {
        match timeout(Duration::from_secs(20), updates.recv()).await.unwrap().unwrap() {
            ChainUpdate::Committed { blocks, through } => {
                fills += blocks
                    .iter()
                    .flat_map(|block| &block.logs)
                    .filter(|log| log.topics.first().is_some_and(|topic| topic.to_string() == fill_topic))
                    .count();
                last = through.number;
                if last >= target && reverted == 0 {
                    devnet.reorg(2);
                }
            }
            ChainUpdate::Reverted { .. } => reverted += 1,
        }
    }
    assert!(fills > 1_000, "{fills}");
    stop.cancel();
    timeout(Duration::from_secs(10), follower).await.unwrap().unwrap().unwrap();
}
