//! Receipts come with the blocks that want them, and without them the blocks come all the same.

use alloy_primitives::{Address, B256};
use domain::{ConditionId, Shares, TokenId, TxHash, Wallet};
use polygon::audit::{Auditor, Receipts};
use polygon::contracts::{CONDITIONAL_TOKENS, USDC_E, is_protocol_contract, watched_addresses};
use polygon::encode;
use polygon::follow::{FollowSettings, Start};
use polygon::history::HistorySettings;
use polygon::log::RawLog;
use serde_json::{Value, json};

use crate::ledger::{Ledger, settings};
use crate::node::{ADDRESS, Block, Chain, Node, TOPIC};

/// A split by a contract of the protocol, for whom the log does not say.
pub(crate) fn split() -> encode::LogBody {
    let adapter = *watched_addresses()
        .iter()
        .find(|address| {
            polygon::contracts::kind_of(**address) == Some(polygon::contracts::Kind::CollateralAdapter)
        })
        .unwrap();
    assert!(is_protocol_contract(adapter));
    let condition = ConditionId(B256::repeat_byte(5));
    encode::position_split(Wallet(adapter), USDC_E, condition, Shares::from_micros(5_000_000)).unwrap()
}

/// Adds the split to a block, and returns the log and its receipt.
pub(crate) fn add_split(block: &mut Block) -> (RawLog, Value) {
    let (body, header) = (split(), block.header);
    let log = RawLog {
        address: body.address,
        topics: body.topics.try_into().unwrap(),
        data: body.data,
        block_number: header.number,
        block_hash: header.hash,
        block_timestamp: Some(header.time),
        tx_hash: TxHash(B256::left_padding_from(&header.number.to_be_bytes())),
        log_index: 100,
        removed: false,
    };
    block.logs.push(log.clone());
    let stranger = RawLog { address: Address::repeat_byte(0xee), log_index: 99, ..log.clone() };
    let (adapter, user) = (Wallet(Address::from_word(log.topics[1])), Wallet(Address::repeat_byte(0xab)));
    let moved = encode::transfer_single(CONDITIONAL_TOKENS, adapter, user, TokenId::default(), Shares::ZERO);
    let moved = moved.unwrap();
    let moved =
        RawLog { topics: moved.topics.try_into().unwrap(), data: moved.data, log_index: 101, ..log.clone() };
    let receipt = json!({
        "transactionHash": log.tx_hash.to_string(), "blockHash": header.hash.to_string(),
        "status": "0x1", "logs": [log, stranger, moved],
    });
    (log, receipt)
}

fn with_splits(endpoint: String, start: u64) -> FollowSettings {
    FollowSettings {
        addresses: vec![ADDRESS, CONDITIONAL_TOKENS],
        topics: vec![TOPIC, split().topics[0]],
        ..settings(&[endpoint], Start::Block(start))
    }
}

#[tokio::test]
async fn a_block_comes_with_the_receipts_that_it_wants() {
    let node = Node::start(Chain::of(100)).await;
    // One in the settled part, one near the head.
    for number in [20, 95] {
        let mut inner = node.inner();
        let (log, receipt) = add_split(&mut inner.chain.blocks[number]);
        inner.receipts.insert(log.tx_hash.to_string(), receipt);
    }
    let settings = with_splits(node.http(), 1);
    let observer = settings.observer.clone();
    let mut ledger = Ledger::open(settings, vec![]);
    ledger.agrees_with(&node, 1).await;
    assert_eq!(ledger.receipts.len(), 2);
    for receipt in &ledger.receipts {
        let indices: Vec<_> = receipt.logs.iter().map(|log| log.log_index).collect();
        // What nobody looks at is not kept.
        assert_eq!(indices, [100, 101]);
    }
    let usage = observer.usage();
    let asked = usage.iter().find(|usage| usage.method == "eth_getTransactionReceipt").unwrap();
    assert_eq!((asked.calls, asked.compute_units), (2, 40));
    ledger.close().await;
}

#[tokio::test]
async fn an_audit_asks_for_receipts_only_where_it_is_told_to() {
    let node = Node::start(Chain::of(100)).await;
    {
        let mut inner = node.inner();
        let (log, receipt) = add_split(&mut inner.chain.blocks[20]);
        inner.receipts.insert(log.tx_hash.to_string(), receipt);
    }
    let settings = HistorySettings {
        addresses: vec![ADDRESS, CONDITIONAL_TOKENS],
        topics: vec![TOPIC, split().topics[0]],
        ..HistorySettings::new(vec![node.http()])
    };
    let auditor = Auditor::new(settings).unwrap();
    for (receipts, expected) in [(Receipts::Without, 0), (Receipts::With, 1)] {
        let stretch = auditor.read(0..=99, "", receipts).await.unwrap();
        let came: usize = stretch.blocks.iter().map(|block| block.receipts.len()).sum();
        let asked = node.inner().asked.iter().filter(|method| *method == "eth_getTransactionReceipt").count();
        assert_eq!((came, asked), (expected, expected));
        let logs: usize = stretch.blocks.iter().map(|block| block.logs.len()).sum();
        assert_eq!(logs, node.chain().logs_from(0).len());
    }
}

#[tokio::test]
async fn a_receipt_that_nobody_gives_is_gone_without_and_one_of_another_block_is_not_believed() {
    let node = Node::start(Chain::of(100)).await;
    let settings = with_splits(node.http(), 90);
    let (observer, counters) = (settings.observer.clone(), settings.counters.clone());
    let mut ledger = Ledger::open(settings, vec![]);
    ledger.agrees_with(&node, 90).await;
    node.change(|chain| {
        chain.extend(1, 0);
        add_split(chain.blocks.last_mut().unwrap());
    });
    ledger.agrees_with(&node, 90).await;
    assert!(ledger.receipts.is_empty() && counters.refetched() == 0);
    let [complaint] = observer.take_complaints().try_into().unwrap();
    assert!(complaint.what.contains("no receipt of transaction 0x"), "{complaint:?}");

    let stale = node.chain().block_hash(50);
    {
        let mut inner = node.inner();
        inner.chain.extend(1, 0);
        let (log, receipt) = add_split(inner.chain.blocks.last_mut().unwrap());
        let mut wrong = receipt.clone();
        wrong["blockHash"] = json!(stale.to_string());
        wrong["logs"] = json!([]);
        inner.receipts.insert(log.tx_hash.to_string(), wrong);
    }
    while counters.refetched() == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    {
        let mut inner = node.inner();
        let block = inner.chain.blocks.last_mut().unwrap();
        block.logs.pop();
        let (log, receipt) = add_split(block);
        inner.receipts.insert(log.tx_hash.to_string(), receipt);
    }
    ledger.agrees_with(&node, 90).await;
    assert_eq!(ledger.receipts.len(), 1);
    ledger.close().await;
}
