//! Anvil as a real node: fills emitted in real transactions are in the database, live and as history, and a
//! reorganisation by the node's own call replaces them.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod chain;
#[path = "../shared/database.rs"]
#[expect(dead_code, reason = "the fault suite reads more out of a database")]
mod database;
mod emitter;
#[path = "../shared/line.rs"]
#[expect(dead_code, reason = "the fault suite compares ledgers, too")]
mod line;
mod node;
#[path = "../shared/process.rs"]
mod process;
mod reader;

use alloy_primitives::B256;
use domain::Exchange;
use polygon::contracts::exchange_address;
use polygon::encode::LogBody;
use polygon::log::RawLog;
use serde_json::{Value, json};

use chain::Chain;
use line::Line;
use reader::Reader;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_nodes_fills_are_there_and_its_reorganisations_take_them_back() {
    service::process::use_tls();
    let mut chain = Chain::start().await;
    chain.mine(3, 2).await;
    let mut readers = [
        Reader::follow(chain.anvil.ws(), &["--subscribe"]).await,
        Reader::follow(chain.anvil.http(), &[]).await,
        Reader::follow(chain.anvil.http(), &[]).await,
    ];
    // Live, with blocks in which nothing happens between.
    for (blocks, fills) in [(0, 0), (2, 3), (2, 0), (3, 5), (1, 0), (1, 1)] {
        chain.mine(blocks, fills).await;
        for reader in &mut readers {
            assert_eq!(reader.agrees_with(&chain).await, []);
        }
    }
    // The node replaces its last five blocks: three other fills in two of the new ones. One of the readers is dead
    // meanwhile.
    readers[2].kill().await;
    let (before, (head, _)) = (chain.truth().await, chain.head().await);
    let fills: Vec<_> = (0..3).map(|_| chain.fill()).collect();
    let pairs: Vec<Value> =
        fills.iter().zip([0, 0, 2]).map(|(fill, block)| json!([chain.transaction(fill), block])).collect();
    chain.anvil.ask("anvil_reorg", json!([5, pairs])).await;
    chain.find(fills, head - 5).await;
    readers[2].start();
    let after = chain.truth().await;
    let taken_back: Vec<Line> =
        before.iter().filter(|line| after.binary_search(line).is_err()).cloned().collect();
    assert_eq!((before.len(), taken_back.len(), after.len()), (28, 16, 15));
    for reader in &mut readers {
        assert_eq!(reader.agrees_with(&chain).await, taken_back);
    }
    // It goes back to an earlier block, and grows another branch beyond where it was.
    chain.anvil.ask("anvil_rollback", json!([3])).await;
    chain.mine(5, 2).await;
    for reader in &mut readers {
        let orphans = reader.agrees_with(&chain).await;
        assert!(taken_back.len() < orphans.len() && taken_back.iter().all(|line| orphans.contains(line)));
    }
    // What is history by now is read as such, and is the same.
    chain.mine(4, 0).await;
    reader::history_agrees_with(&chain).await;
}

#[tokio::test]
async fn the_emitter_emits_what_it_is_told_to_and_nothing_else() {
    let chain = Chain::start().await;
    let address = exchange_address(Exchange::V2).unwrap();
    for (topics, data) in [(1, 64), (2, 0), (3, 33), (4, 96), (0, 32), (5, 32)] {
        let log = LogBody {
            address,
            topics: (1..=topics).map(B256::repeat_byte).collect(),
            data: (0..data).collect::<Vec<u8>>().into(),
        };
        let receipt = chain.call(&log).await;
        let emitted: Vec<RawLog> = serde_json::from_value(receipt["logs"].clone()).unwrap();
        let is_known = (1..=4).contains(&topics);
        assert_eq!(emitted.len(), usize::from(is_known), "{topics} topics: {receipt}");
        for found in emitted {
            assert_eq!((&found.topics.to_vec(), &found.data), (&log.topics, &log.data));
        }
    }
}
