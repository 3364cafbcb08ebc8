//! Questions by hand.

use devnet::{Devnet, DevnetConfig};
use domain::Timestamp;
use polygon::contracts::watched_addresses;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// When the present of the worlds begins.
const START: Timestamp = Timestamp::from_seconds(1_795_420_800);

/// The signature of OrderFilled since V2.
pub(crate) const FILL: &str = "0xd543adfd945773f1a62f74f0ee55a5e3b9b1a28262980ba90b1a89f2ea84d8ee";

/// A small fast world with several nodes.
pub(crate) async fn nodes(nodes: usize) -> (Devnet, CancellationToken) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let stop = CancellationToken::new();
    let config = DevnetConfig {
        speed: 15.0,
        wallets: 300,
        skilled: 10,
        history_days: 3,
        nodes,
        ..DevnetConfig::default()
    };
    (Devnet::start(config, START, stop.clone()).await.unwrap(), stop)
}

pub(crate) fn request(method: &str, params: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": 5, "method": method, "params": params}).to_string()
}

/// The status and the text of an answer.
pub(crate) async fn text(url: &str, method: &str, params: &Value) -> reqwest::Result<(StatusCode, String)> {
    let response = client().post(url).body(request(method, params)).send().await?;
    Ok((response.status(), response.text().await?))
}

/// The answer, whole.
pub(crate) async fn ask(url: &str, method: &str, params: Value) -> Value {
    let (_, text) = text(url, method, &params).await.unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The result of a question that succeeds.
pub(crate) async fn get(url: &str, method: &str, params: Value) -> Value {
    let mut answer = ask(url, method, params).await;
    assert!(answer["error"].is_null(), "{answer}");
    answer["result"].take()
}

/// All logs of the venue in a range.
pub(crate) fn range(from: u64, to: u64) -> Value {
    json!([{"fromBlock": hex(from), "toBlock": hex(to), "address": watched_addresses()}])
}

pub(crate) fn hex(number: u64) -> String {
    format!("{number:#x}")
}

pub(crate) fn number(value: &Value) -> u64 {
    u64::from_str_radix(value.as_str().unwrap().strip_prefix("0x").unwrap(), 16).unwrap()
}

/// Where a log stands.
pub(crate) fn place(log: &Value) -> (u64, u64) {
    (number(&log["blockNumber"]), number(&log["logIndex"]))
}

/// A client for what runs on this machine, whatever proxy the environment names.
pub(crate) fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}
