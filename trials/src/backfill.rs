//! History from a node on loopback into PostgreSQL, typed columns and unique key included.

use std::time::Instant;

use anyhow::Context as _;
use devnet::load::{LoadConfig, LoadNode};

use crate::machine::say;
use crate::stage::{Child, Measured, Stage};

/// Fills a block, as on Polygon in late 2026.
const FILLS_PER_BLOCK: u32 = 78;

/// Measures a backfill of a node's blocks, or of the built-in one's.
pub(crate) async fn run(rpc: Option<String>, blocks: u64, fills: u64) -> anyhow::Result<()> {
    let stage = Stage::set_up().await?;
    let built_in = match rpc {
        Some(_) => None,
        None => {
            let blocks = fills / u64::from(FILLS_PER_BLOCK);
            let config = LoadConfig {
                first_block: 1,
                blocks,
                fills_per_block: FILLS_PER_BLOCK,
                block_interval: None,
                ..LoadConfig::default()
            };
            Some((LoadNode::start(config).await?, blocks))
        }
    };
    let (url, last) = match (&rpc, &built_in) {
        (Some(url), _) => (url.clone(), blocks),
        (None, Some((node, blocks))) => (node.url_http(), *blocks),
        (None, None) => anyhow::bail!("no node"),
    };
    let raw = raw_read(&url, last).await?;
    let child = Child::new("backfill", &stage, url, 1).to(last);
    let (printed, peak) = Measured::spawn(&child)?.finish().await?;
    let mut numbers = printed.split_whitespace().map(str::parse::<f64>);
    let mut next = || numbers.next().context("the child said too little").and_then(|number| Ok(number?));
    let (fills, reading, indexing, units) = (next()?, next()?, next()?, next()?);
    if let Some((node, _)) = &built_in {
        let all = node.fills_in_all();
        anyhow::ensure!(format!("{fills:.0}") == all.to_string(), "{fills} fills of {all}");
    }
    say(&format!(
        "backfill   {:.0} fills in {reading:.2} s: {:.0} fills/s, {peak:.0} MB resident at most; \
         indexes afterwards {indexing:.2} s; {units:.0} compute units",
        fills,
        fills / reading
    ));
    say(&format!(
        "           the node alone, its answers thrown away: {:.0} fills/s; the ratio is {:.2}",
        fills / raw,
        raw / reading
    ));
    stage.database.close().await
}

/// Seconds the node needs for the same logs when nobody looks at them.
async fn raw_read(url: &str, last: u64) -> anyhow::Result<f64> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let begun = Instant::now();
    let mut from = 1;
    while from <= last {
        let to = (from + 199).min(last);
        let question = serde_json::json!({
            "jsonrpc": "2.0", "id": 1, "method": "eth_getLogs",
            "params": [{ "fromBlock": format!("{from:#x}"), "toBlock": format!("{to:#x}") }]
        });
        let mut answer = client
            .post(url)
            .header("content-type", "application/json")
            .body(question.to_string())
            .send()
            .await?;
        while answer.chunk().await?.is_some() {}
        from = to + 1;
    }
    Ok(begun.elapsed().as_secs_f64())
}
