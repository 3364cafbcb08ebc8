//! Answers that do not come, come wrong, or come from a machine that knows less.

use std::collections::BTreeSet;
use std::time::Duration;

use devnet::{Faults, RateLimit, Withheld, WrongAnswers};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::ask::{ask, client, get, hex, nodes, number, place, range, request, text};

const SHORT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn a_stalled_request_is_held_until_the_faults_change() {
    let (devnet, _stop) = nodes(1).await;
    let url = devnet.urls().rpc_http.clone();
    devnet.set_faults(Faults { stalled: 1.0, ..Faults::default() });
    let held = tokio::spawn(async move { ask(&url, "eth_chainId", json!([])).await });
    tokio::time::sleep(SHORT).await;
    assert!(!held.is_finished());
    devnet.set_faults(Faults::default());
    let answer = timeout(Duration::from_secs(5), held).await.unwrap().unwrap();
    assert_eq!(answer["result"], "0x89");
}

#[tokio::test]
async fn a_share_of_connections_drops_in_the_middle_of_the_answer() {
    let (devnet, _stop) = nodes(1).await;
    let url = &devnet.urls().rpc_http;
    let faults = Faults { seed: 9, disconnected: 0.4, ..Faults::default() };
    let fates = async || {
        devnet.set_faults(faults.clone());
        let mut fates = Vec::new();
        for _ in 0..30 {
            fates.push(text(url, "eth_chainId", &json!([])).await.is_ok());
        }
        fates
    };
    let first = fates().await;
    let answered = first.iter().filter(|answered| **answered).count();
    assert!((8..28).contains(&answered), "{answered}");
    assert_eq!(fates().await, first, "the same seed, the same fates");
}

#[tokio::test]
async fn wrong_answers_are_wrong_in_their_way() {
    let (devnet, _stop) = nodes(1).await;
    devnet.pause(true);
    let (url, head) = (&devnet.urls().rpc_http, devnet.head().number);
    let question = range(head - 200, head);
    let honest = get(url, "eth_getLogs", question.clone()).await;
    assert!(!honest.as_array().unwrap().is_empty());
    let with = |wrong| devnet.set_faults(Faults { wrong, ..Faults::default() });
    let none = WrongAnswers::default();

    with(WrongAnswers { html: 1.0, ..none });
    let (status, page) = text(url, "eth_getLogs", &question).await.unwrap();
    assert!(status.is_success() && page.starts_with("<html>"), "{page}");

    with(WrongAnswers { half: 1.0, ..none });
    let (_, half) = text(url, "eth_getLogs", &question).await.unwrap();
    assert!(half.starts_with("{\"jsonrpc\"") && serde_json::from_str::<Value>(&half).is_err());

    let differing = |answer: &Value| -> Vec<Value> {
        let logs = answer["result"].as_array().unwrap().iter();
        logs.zip(honest.as_array().unwrap())
            .filter(|(one, two)| one != two)
            .map(|(one, _)| one.clone())
            .collect()
    };
    with(WrongAnswers { wrong_type: 1.0, ..none });
    let wrong = differing(&ask(url, "eth_getLogs", question.clone()).await);
    assert!(wrong.len() == 1 && wrong[0]["logIndex"].is_number(), "{wrong:?}");
    let block = get(url, "eth_getBlockByNumber", json!(["latest", false])).await;
    assert_eq!(block["number"], head);

    with(WrongAnswers { bad_length: 1.0, ..none });
    let wrong = differing(&ask(url, "eth_getLogs", question.clone()).await);
    assert!(wrong.len() == 1 && (wrong[0]["data"].as_str().unwrap().len() - 2) % 64 == 62, "{wrong:?}");

    with(WrongAnswers { other_id: 1.0, ..none });
    let answer = ask(url, "eth_getLogs", question.clone()).await;
    assert_eq!((&answer["result"], answer["id"].as_u64() == Some(5)), (&honest, false));

    devnet.set_faults(Faults::default());
    assert_eq!(get(url, "eth_getLogs", question).await, honest);
}

#[tokio::test]
async fn too_many_requests_and_an_overloaded_server_say_so() {
    let (devnet, _stop) = nodes(1).await;
    let url = &devnet.urls().rpc_http;
    let retry_after = Duration::from_secs(3);
    devnet.set_faults(Faults {
        rate_limited: Some(RateLimit { share: 1.0, retry_after }),
        ..Faults::default()
    });
    let response = client().post(url).body(request("eth_chainId", &json!([]))).send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["retry-after"]),
        (429, &"3".parse().unwrap())
    );
    let answer: Value = response.json().await.unwrap();
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(5), &json!(429)));
    devnet.set_faults(Faults { overloaded: 1.0, ..Faults::default() });
    assert_eq!(text(url, "eth_chainId", &json!([])).await.unwrap().0.as_u16(), 503);
}

#[tokio::test]
async fn logs_come_twice() {
    let (devnet, _stop) = nodes(1).await;
    devnet.pause(true);
    let (url, head) = (&devnet.urls().rpc_http, devnet.head().number);
    let honest = get(url, "eth_getLogs", range(head - 200, head)).await;
    devnet.set_faults(Faults { duplicated_logs: 0.5, ..Faults::default() });
    let doubled = get(url, "eth_getLogs", range(head - 200, head)).await;
    let (honest, doubled) = (honest.as_array().unwrap(), doubled.as_array().unwrap());
    let places: BTreeSet<_> = doubled.iter().map(place).collect();
    assert_eq!(places, honest.iter().map(place).collect());
    let more = doubled.len() - honest.len();
    assert!(more > honest.len() / 3 && more < honest.len() * 2 / 3, "{more} of {}", honest.len());
    assert!(!doubled.is_sorted_by_key(place), "some come late");
}

#[tokio::test]
async fn an_index_lags_behind_young_blocks() {
    let (devnet, _stop) = nodes(1).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    devnet.pause(true);
    let (url, head) = (&devnet.urls().rpc_http, devnet.head());
    let honest = get(url, "eth_getLogs", range(head.number - 9, head.number)).await;
    let honest: Vec<(u64, u64)> = honest.as_array().unwrap().iter().map(place).collect();
    let old: Vec<(u64, u64)> =
        honest.iter().copied().filter(|(block, _)| *block <= head.number - 4).collect();
    assert!(!old.is_empty() && old.len() < honest.len());
    let places = async || -> Vec<(u64, u64)> {
        let logs = get(url, "eth_getLogs", range(head.number - 9, head.number)).await;
        logs.as_array().unwrap().iter().map(place).collect()
    };
    let with = |withheld| devnet.set_faults(Faults { withheld: Some(withheld), ..Faults::default() });
    let none = Withheld { younger_than: 4, ..Withheld::default() };
    let by_hash = json!([{"blockHash": head.hash.to_string()}]);

    with(Withheld { blocks: 1.0, ..none });
    assert_eq!(places().await, old);
    // Who asks for a block by its hash is told all of it, or that it is not there.
    assert!(!get(url, "eth_getLogs", by_hash.clone()).await.as_array().unwrap().is_empty());
    with(Withheld { logs: 0.5, ..none });
    let some = places().await;
    assert!(some.starts_with(&old) && some.len() > old.len() && some.len() < honest.len());
    with(Withheld { unknown: 1.0, ..none });
    assert_eq!(places().await, honest);
    assert_eq!(ask(url, "eth_getLogs", by_hash).await["error"]["message"], "unknown block");
    assert!(get(url, "eth_getBlockByHash", json!([head.hash.to_string(), false])).await.is_null());
    let block = get(url, "eth_getBlockByNumber", json!([hex(head.number - 4), false])).await;
    assert_eq!(
        get(url, "eth_getBlockByHash", json!([block["hash"], false])).await,
        block,
        "it is old enough"
    );
}

#[tokio::test]
async fn another_machine_is_behind() {
    let (devnet, _stop) = nodes(3).await;
    devnet.pause(true);
    let head = devnet.head();
    devnet.set_faults_of(1, Faults { behind: 7, ..Faults::default() });
    devnet.set_faults_of(9, Faults { behind: 7, ..Faults::default() });
    let urls = &devnet.urls().rpc_http_all;
    assert_eq!(urls.len(), 3);
    assert_eq!(urls[0], devnet.urls().rpc_http);
    for (url, behind) in urls.iter().zip([0, 7, 0]) {
        assert_eq!(number(&get(url, "eth_blockNumber", json!([])).await), head.number - behind);
        let latest = get(url, "eth_getBlockByNumber", json!(["latest", false])).await;
        assert_eq!(number(&latest["number"]), head.number - behind);
        let newest = get(url, "eth_getBlockByHash", json!([head.hash.to_string(), false])).await;
        assert_eq!(newest.is_null(), behind > 0);
        let logs = get(url, "eth_getLogs", range(head.number - 200, head.number)).await;
        let last = logs.as_array().unwrap().iter().map(|log| place(log).0).max().unwrap();
        assert!(last <= head.number - behind);
        let finalized = get(url, "eth_getBlockByNumber", json!(["finalized", false])).await;
        assert_eq!(number(&finalized["number"]), head.number - behind - 64);
    }
}
