//! The portal's protocol, kept and broken.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use devnet::{Devnet, Faults, RateLimit, WrongAnswers};
use domain::ChainEvent;
use polygon::contracts::watched_addresses;
use polygon::decode::{Decoded, decode};
use polygon::follow::{ChainUpdate, Start};
use polygon::portal::{PortalSettings, follow};
use reqwest::Response;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::ask::{FILL, client, get, hex, nodes, range};

fn query(from: u64) -> Value {
    let addresses: Vec<String> = watched_addresses().iter().map(|address| format!("{address:#x}")).collect();
    json!({
        "type": "evm",
        "fromBlock": from,
        "fields": {
            "block": {"number": true, "hash": true, "parentHash": true, "timestamp": true},
            "log": {"address": true, "topics": true, "data": true, "transactionHash": true,
                "transactionIndex": true, "logIndex": true},
        },
        "logs": [{"address": addresses, "topic0": [FILL]}],
    })
}

async fn post(devnet: &Devnet, path: &str, query: &Value) -> Response {
    let url = format!("{}/{path}", devnet.urls().portal);
    client().post(url).body(query.to_string()).send().await.unwrap()
}

async fn lines(response: Response) -> Vec<Value> {
    assert_eq!(response.status(), 200);
    let text = response.text().await.unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn fetch(devnet: &Devnet, path: &str) -> Value {
    let url = format!("{}/{path}", devnet.urls().portal);
    client().get(url).send().await.unwrap().json().await.unwrap()
}

fn number(line: &Value) -> u64 {
    line["header"]["number"].as_u64().unwrap()
}

#[tokio::test]
async fn the_stream_tells_what_the_node_tells() {
    let (devnet, _stop) = nodes(1).await;
    devnet.pause(true);
    let head = devnet.head();
    assert_eq!(fetch(&devnet, "metadata").await["real_time"], true);
    assert_eq!(fetch(&devnet, "metadata").await["start_block"], devnet.first_block() - 1);
    let top = fetch(&devnet, "head").await;
    assert_eq!(top, json!({"number": head.number, "hash": head.hash.to_string()}));
    assert_eq!(fetch(&devnet, "finalized-head").await["number"], head.number - 64);

    let from = head.number - 300;
    let response = post(&devnet, "stream", &query(from)).await;
    assert_eq!(response.headers()["x-sqd-head-number"], head.number.to_string());
    assert_eq!(response.headers()["x-sqd-finalized-head-number"], (head.number - 64).to_string());
    assert!(response.headers()["x-sqd-finalized-head-hash"].to_str().unwrap().len() == 66);
    let lines = lines(response).await;
    assert_eq!((number(&lines[0]), number(lines.last().unwrap())), (from, head.number));
    assert!(lines.len() < 301, "blocks without fills are left out");
    let mut filter = range(from, head.number);
    filter[0]["topics"] = json!([FILL]);
    let expected = get(&devnet.urls().rpc_http, "eth_getLogs", filter).await;
    let mut told = Vec::new();
    for line in &lines {
        let block =
            get(&devnet.urls().rpc_http, "eth_getBlockByNumber", json!([hex(number(line)), false])).await;
        assert_eq!(line["header"]["hash"], block["hash"]);
        assert_eq!(line["header"]["parentHash"], block["parentHash"]);
        let time = line["header"]["timestamp"].as_u64().unwrap();
        assert_eq!(hex(time), block["timestamp"].as_str().unwrap());
        for log in line["logs"].as_array().into_iter().flatten() {
            let tx = usize::try_from(log["transactionIndex"].as_u64().unwrap()).unwrap();
            assert_eq!(block["transactions"][tx], log["transactionHash"]);
            told.push((
                line["header"]["hash"].clone(),
                log["logIndex"].as_u64().unwrap(),
                log["data"].clone(),
            ));
        }
    }
    let expected = expected
        .as_array()
        .unwrap()
        .iter()
        .map(|log| (log["blockHash"].clone(), crate::ask::number(&log["logIndex"]), log["data"].clone()));
    assert_eq!(told, expected.collect::<Vec<_>>());
    assert!(told.len() > 20);
}

#[tokio::test]
async fn ranges_end_where_they_should() {
    let (devnet, _stop) = nodes(1).await;
    devnet.pause(true);
    let head = devnet.head().number;
    assert_eq!(post(&devnet, "stream", &query(head + 1)).await.status(), 204);
    assert_eq!(post(&devnet, "finalized-stream", &query(head - 63)).await.status(), 204);
    let finalized = lines(post(&devnet, "finalized-stream", &query(head - 80)).await).await;
    assert_eq!(number(finalized.last().unwrap()), head - 64);
    let mut all = query(head - 20);
    all["toBlock"] = json!(head - 10);
    all["includeAllBlocks"] = json!(true);
    let numbers: Vec<u64> = lines(post(&devnet, "stream", &all).await).await.iter().map(number).collect();
    assert_eq!(numbers, (head - 20..=head - 10).collect::<Vec<_>>());
    // Early ends: where it stopped, the next one goes on.
    devnet.set_portal_faults(Faults { stream_blocks: Some(7), ..Faults::default() });
    let (mut from, mut streams) = (head - 20, 0);
    while from <= head {
        let part = lines(post(&devnet, "stream", &query(from)).await).await;
        assert!(number(part.last().unwrap()) < from + 7);
        from = number(part.last().unwrap()) + 1;
        streams += 1;
    }
    assert_eq!(streams, 3);
    // Only what is asked for.
    let bare = json!({"type": "evm", "fromBlock": head});
    assert_eq!(
        lines(post(&devnet, "stream", &bare).await).await,
        [json!({"header": {"number": head, "hash": devnet.head().hash.to_string()}})]
    );
    assert_eq!(post(&devnet, "stream", &json!({"type": "evm"})).await.status(), 400);
}

#[tokio::test]
async fn a_client_on_a_dead_branch_is_told_the_living_one() {
    let (devnet, _stop) = nodes(1).await;
    devnet.pause(true);
    let old = devnet.head();
    let mut next = query(old.number + 1);
    next["parentBlockHash"] = json!(old.hash.to_string());
    assert_eq!(post(&devnet, "stream", &next).await.status(), 204, "it stands where the chain stands");
    devnet.reorg(3);
    let response = post(&devnet, "stream", &next).await;
    assert_eq!(response.status(), 409);
    let answer: Value = response.json().await.unwrap();
    let previous = answer["previousBlocks"].as_array().unwrap();
    assert_eq!(previous.last().unwrap()["number"], old.number);
    assert_eq!(previous.last().unwrap()["hash"], devnet.head().hash.to_string());
    assert!(previous.len() > 3);
    // From the common ancestor on it goes on.
    let ancestor = &previous[previous.len() - 4];
    let mut again = query(old.number - 2);
    again["parentBlockHash"] = ancestor["hash"].clone();
    let lines = lines(post(&devnet, "stream", &again).await).await;
    assert_eq!(lines[0]["header"]["parentHash"], ancestor["hash"]);
    assert_eq!(lines.last().unwrap()["header"]["hash"], devnet.head().hash.to_string());
}

#[tokio::test]
async fn the_portal_misbehaves_on_command() {
    let (devnet, _stop) = nodes(1).await;
    devnet.pause(true);
    let from = devnet.head().number - 200;
    let honest = lines(post(&devnet, "stream", &query(from)).await).await;
    let set = |faults| devnet.set_portal_faults(faults);
    let wrong = |wrong| set(Faults { wrong, ..Faults::default() });

    let retry_after = Duration::from_secs(2);
    set(Faults { rate_limited: Some(RateLimit { share: 1.0, retry_after }), ..Faults::default() });
    let response = post(&devnet, "stream", &query(from)).await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()["retry-after"]),
        (429, &"2".parse().unwrap())
    );
    set(Faults { overloaded: 1.0, ..Faults::default() });
    assert_eq!(post(&devnet, "finalized-stream", &query(from)).await.status(), 503);
    set(Faults { disconnected: 1.0, ..Faults::default() });
    let response = post(&devnet, "stream", &query(from)).await;
    assert_eq!(response.status(), 200);
    assert!(response.text().await.is_err(), "it breaks off in the middle");
    wrong(WrongAnswers { html: 1.0, ..WrongAnswers::default() });
    assert!(post(&devnet, "stream", &query(from)).await.text().await.unwrap().starts_with("<html>"));

    wrong(WrongAnswers { half: 1.0, ..WrongAnswers::default() });
    let text = post(&devnet, "stream", &query(from)).await.text().await.unwrap();
    let (whole, half) = text.rsplit_once('\n').unwrap_or(("", &text));
    assert!(serde_json::from_str::<Value>(half).is_err(), "{half}");
    for (line, honest) in whole.lines().zip(&honest) {
        assert_eq!(&serde_json::from_str::<Value>(line).unwrap(), honest);
    }
    let differing = async || -> Vec<Value> {
        let lines = lines(post(&devnet, "stream", &query(from)).await).await;
        assert_eq!(lines.len(), honest.len());
        lines.iter().zip(&honest).filter(|(one, two)| one != two).map(|(one, _)| one.clone()).collect()
    };
    wrong(WrongAnswers { wrong_type: 1.0, ..WrongAnswers::default() });
    let changed = differing().await;
    assert!(changed.len() == 1 && changed[0]["header"]["hash"].is_number());
    wrong(WrongAnswers { bad_length: 1.0, ..WrongAnswers::default() });
    let changed = differing().await;
    assert!(changed.len() == 1 && (changed[0]["logs"][0]["data"].as_str().unwrap().len() - 2) % 64 == 62);
    set(Faults { duplicated_logs: 1.0, ..Faults::default() });
    let doubled = lines(post(&devnet, "stream", &query(from)).await).await;
    assert_eq!(doubled.len(), honest.len() * 2);
    set(Faults { behind: 9, ..Faults::default() });
    assert_eq!(fetch(&devnet, "head").await["number"], devnet.head().number - 9);
    // The nodes are as honest as ever.
    get(&devnet.urls().rpc_http, "eth_blockNumber", json!([])).await;
}

/// The system's own client of the portal reads the whole chain through all this, a reorganisation included, and
/// ends with the truth.
#[tokio::test]
async fn the_systems_own_client_finds_the_truth() {
    let (devnet, stop) = nodes(1).await;
    devnet.set_portal_faults(Faults {
        seed: 6,
        disconnected: 0.1,
        overloaded: 0.05,
        stream_blocks: Some(400),
        wrong: WrongAnswers { half: 0.1, wrong_type: 0.05, html: 0.05, ..WrongAnswers::default() },
        ..Faults::default()
    });
    let start = Start::Block(devnet.first_block());
    let mut settings = PortalSettings::new(&devnet.urls().portal, start, Arc::default());
    settings.poll_interval = Duration::from_millis(200);
    let (sender, mut updates) = tokio::sync::mpsc::channel(2);
    let following = tokio::spawn(follow(settings, Vec::new(), sender, stop.child_token()));
    let mut blocks = BTreeMap::new();
    let mut reorganised = false;
    loop {
        let update = timeout(Duration::from_secs(40), updates.recv()).await.unwrap().unwrap();
        let stretch = match update {
            ChainUpdate::Committed(stretch) => stretch,
            ChainUpdate::Reorged { to, new } => {
                blocks.retain(|number, _| *number <= to.number);
                new
            }
            ChainUpdate::Reverted { to } => {
                blocks.retain(|number, _| *number <= to.number);
                continue;
            }
        };
        let through = stretch.through;
        blocks.extend(stretch.blocks.into_iter().map(|block| (block.number, block)));
        if reorganised && through.hash == devnet.head().hash {
            break;
        }
        if !reorganised && through.number + 3 > devnet.head().number {
            devnet.pause(true);
            devnet.reorg(20);
            reorganised = true;
            devnet.pause(false);
            tokio::time::sleep(Duration::from_millis(300)).await;
            devnet.pause(true);
        }
    }
    let fills = blocks.values().flat_map(|block| &block.logs).filter_map(|log| match decode(log) {
        Ok(Decoded::Event(ChainEvent::Fill(fill))) => Some((log.block_hash, log.log_index, fill)),
        _ => None,
    });
    let truth = devnet.canonical_fills();
    let truth = truth.iter().map(|truth| (truth.block_hash, truth.log_index, truth.fill));
    assert!(fills.eq(truth));
    stop.cancel();
    timeout(Duration::from_secs(5), following).await.unwrap().unwrap().unwrap();
}
