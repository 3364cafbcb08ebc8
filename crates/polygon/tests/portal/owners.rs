//! Deeds that only a receipt tells, from a portal that sends none.

use alloy_primitives::{Address, B256};
use domain::{ChainEvent, ConditionId, Shares, TxHash, Wallet};
use polygon::contracts::{CONDITIONAL_TOKENS, Kind, USDC_E, kind_of, watched_addresses};
use polygon::decode::decode_block;
use polygon::encode::{self, LogBody};
use polygon::follow::{ChainBlock, ChainUpdate, Start};
use polygon::log::RawLog;
use polygon::portal::{PortalSettings, follow, history};
use polygon::tokens::ctf_token;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::server::{ADDRESS, PATIENCE, Portal, TOPIC};

const CONDITION: ConditionId = ConditionId(B256::repeat_byte(5));
const USER: Wallet = Wallet(Address::repeat_byte(0xab));
const AMOUNT: Shares = Shares::from_micros(5_000_000);

fn adapter() -> Wallet {
    let is_adapter = |address: &&Address| kind_of(**address) == Some(Kind::CollateralAdapter);
    Wallet(*watched_addresses().iter().find(is_adapter).unwrap())
}

fn moved(from: Wallet, to: Wallet) -> LogBody {
    let shares = [0, 1].map(|outcome| (ctf_token(USDC_E, CONDITION, outcome), AMOUNT));
    encode::transfer_batch(CONDITIONAL_TOKENS, from, to, &shares).unwrap()
}

/// A split through an adapter in one block, a merge in another, and what strangers do beside them.
async fn portal() -> (Portal, PortalSettings) {
    let portal = Portal::start(30).await;
    let split = encode::position_split(adapter(), USDC_E, CONDITION, AMOUNT).unwrap();
    let merge = encode::positions_merge(adapter(), USDC_E, CONDITION, AMOUNT).unwrap();
    let stranger = Wallet(Address::repeat_byte(0xcd));
    let mut settings = portal.settings(Start::Block(10));
    settings.addresses = vec![ADDRESS, CONDITIONAL_TOKENS];
    settings.topics = vec![TOPIC, split.topics[0], merge.topics[0]];
    for (number, bodies) in [
        (15, vec![moved(stranger, USER), split, moved(adapter(), USER), moved(USER, stranger)]),
        (20, vec![moved(USER, adapter()), merge]),
        // Nobody's deed: shares that somebody sends to an adapter.
        (21, vec![moved(stranger, adapter())]),
    ] {
        let mut inner = portal.inner();
        let block = &mut inner.blocks[number];
        let header = block.header;
        for (body, log_index) in bodies.into_iter().zip(100..) {
            block.logs.push(RawLog {
                address: body.address,
                topics: body.topics.try_into().unwrap(),
                data: body.data,
                block_number: header.number,
                block_hash: header.hash,
                block_timestamp: Some(header.time),
                tx_hash: TxHash(B256::repeat_byte(9)),
                log_index,
                removed: false,
            });
        }
    }
    (portal, settings)
}

fn tells_whose_they_were(blocks: &[ChainBlock]) {
    let (mut facts, mut moves) = (vec![], 0);
    for block in blocks {
        let decoded = decode_block(block);
        assert_eq!(decoded.unreadable, []);
        facts.extend(decoded.facts.into_iter().map(|fact| (block.number, fact.place.log_index, fact.event)));
        assert!(block.logs.iter().all(|log| log.address == ADDRESS || log.topics.len() == 4));
        moves += block.logs.iter().filter(|log| log.topics[0] == moved(USER, USER).topics[0]).count();
    }
    let split = ChainEvent::Split { wallet: USER, condition: CONDITION, amount: AMOUNT };
    let merge = ChainEvent::Merge { wallet: USER, condition: CONDITION, amount: AMOUNT };
    assert_eq!(facts, [(15, 101, split), (20, 101, merge)]);
    assert_eq!(moves, 0, "transfers are no logs of the block");
}

#[tokio::test]
async fn transfers_stand_in_for_receipts_at_the_head() {
    let (_portal, settings) = portal().await;
    let (sender, mut updates) = mpsc::channel(4);
    let stop = CancellationToken::new();
    let task = tokio::spawn(follow(settings, vec![], sender, stop.clone()));
    let mut blocks = vec![];
    loop {
        let update = timeout(PATIENCE, updates.recv()).await.unwrap().unwrap();
        let ChainUpdate::Committed(stretch) = update else { panic!("{update:?}") };
        blocks.extend(stretch.blocks);
        if stretch.through.number == 29 {
            break;
        }
    }
    tells_whose_they_were(&blocks);
    // A block of which nothing but a transfer was sent is one without logs.
    assert!(blocks.iter().all(|block| block.number != 21));
    stop.cancel();
    timeout(PATIENCE, task).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn transfers_stand_in_for_receipts_in_history() {
    let (_portal, settings) = portal().await;
    let (sender, mut batches) = mpsc::channel(1);
    let reading = tokio::spawn(history(settings, vec![10..=29], sender, CancellationToken::new()));
    let mut blocks = vec![];
    while let Some(stretch) = timeout(PATIENCE, batches.recv()).await.unwrap() {
        blocks.extend(stretch.blocks);
    }
    reading.await.unwrap().unwrap();
    tells_whose_they_were(&blocks);
}
