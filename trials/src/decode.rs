//! Decoding logs, against parsing the same JSON into borrowed structs and nothing more.

use std::hint::black_box;
use std::time::{Duration, Instant};

use devnet::load::{LoadConfig, LoadNode};
use polygon::decode::decode;
use polygon::log::LogList;
use serde::Deserialize;

use crate::machine::say;

/// How often each side is measured; the fastest counts, and they take turns.
const ROUNDS: u32 = 15;
/// Blocks and fills of the answer.
const BLOCKS: u64 = 128;
const FILLS_PER_BLOCK: u32 = 78;

/// An answer, parsed and no more.
#[derive(Deserialize)]
struct Borrowed<'a> {
    #[serde(borrow)]
    result: Vec<BorrowedLog<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BorrowedLog<'a> {
    address: &'a str,
    #[serde(borrow)]
    topics: Vec<&'a str>,
    data: &'a str,
    block_number: &'a str,
    block_hash: &'a str,
    block_timestamp: &'a str,
    transaction_hash: &'a str,
    transaction_index: &'a str,
    log_index: &'a str,
    removed: bool,
}

/// An answer, as the listener reads it.
#[derive(Deserialize)]
struct Answer {
    result: LogList,
}

pub(crate) async fn run() -> anyhow::Result<()> {
    let config = LoadConfig {
        first_block: 1,
        blocks: BLOCKS,
        fills_per_block: FILLS_PER_BLOCK,
        block_interval: None,
        ..LoadConfig::default()
    };
    let node = LoadNode::start(config).await?;
    let question = serde_json::json!({
        "jsonrpc": "2.0", "id": 1, "method": "eth_getLogs",
        "params": [{ "fromBlock": "0x1", "toBlock": format!("{BLOCKS:#x}") }]
    });
    let client = reqwest::Client::builder().no_proxy().build()?;
    let json = client
        .post(node.url_http())
        .header("content-type", "application/json")
        .body(question.to_string())
        .send()
        .await?
        .bytes()
        .await?;
    let (mut parsing, mut decoding) = (Duration::MAX, Duration::MAX);
    let (mut parsed, mut decoded) = (0, 0);
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        parsed = parse(&json)?;
        parsing = parsing.min(begun.elapsed());
        let begun = Instant::now();
        decoded = read(&json)?;
        decoding = decoding.min(begun.elapsed());
    }
    anyhow::ensure!(parsed == decoded, "{parsed} logs parsed, {decoded} decoded");
    let rate = |taken: Duration| decoded as f64 / taken.as_secs_f64();
    say(&format!(
        "decode     {:.0} logs/s from JSON to facts; the same JSON into borrowed structs {:.0} logs/s: \
         {:.2} times as long",
        rate(decoding),
        rate(parsing),
        decoding.as_secs_f64() / parsing.as_secs_f64()
    ));
    Ok(())
}

fn parse(json: &[u8]) -> anyhow::Result<usize> {
    let answer: Borrowed<'_> = serde_json::from_slice(json)?;
    for log in &answer.result {
        let BorrowedLog { address, topics, data, block_number, block_hash, .. } = log;
        black_box((address, topics, data, block_number, block_hash));
        black_box((
            log.block_timestamp,
            log.transaction_hash,
            log.transaction_index,
            log.log_index,
            log.removed,
        ));
    }
    Ok(answer.result.len())
}

fn read(json: &[u8]) -> anyhow::Result<usize> {
    let answer: Answer = serde_json::from_slice(json)?;
    let mut decoded = 0;
    for log in &answer.result.logs {
        black_box(decode(log)?);
        decoded += 1;
    }
    Ok(decoded)
}
