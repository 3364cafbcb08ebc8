//! What following the head costs at Polygon's pace, and how late it is.

use std::sync::mpsc;
use std::time::Duration;

use polygon::audit::{Auditor, Receipts};
use polygon::contracts::CONDITIONAL_TOKENS;
use polygon::follow::{FollowSettings, Start};
use polygon::history::HistorySettings;
use polygon::rpc::BlockHeader;
use tokio::task::{spawn_blocking, yield_now};
use tokio::time::{Instant, advance, pause};

use crate::ledger::Ledger;
use crate::node::{ADDRESS, Chain, Node, TOPIC};
use crate::receipts::{add_split, split};

const HOUR: Duration = Duration::from_secs(3_600);
const BLOCK: Duration = Duration::from_millis(1_500);
/// How long an answer is on its way.
const LATENCY: Duration = Duration::from_millis(100);
/// Timers count in milliseconds.
const TICK: Duration = Duration::from_millis(1);
/// How many blocks are audited at once.
const AUDITED: u64 = 100;
/// Every so manieth block has a split that only a receipt can tell whose it is.
const SPLITS: u64 = 10;

/// Adds a block to the node's chain.
fn make_block(node: &Node) {
    let mut inner = node.inner();
    inner.chain.extend(1, 0);
    if inner.chain.head().number.is_multiple_of(SPLITS) {
        let (log, receipt) = add_split(inner.chain.blocks.last_mut().unwrap());
        inner.receipts.insert(log.tx_hash.to_string(), receipt);
    }
}

/// Waits, by the clock on the wall, until nobody asks anything more.
async fn settle(node: &Node) {
    let asked = || node.inner().asked.len();
    let (mut before, mut quiet) = (asked(), 0);
    while quiet < 2 {
        spawn_blocking(|| std::thread::sleep(TICK)).await.unwrap();
        for _ in 0..20 {
            yield_now().await;
        }
        let now = asked();
        quiet = if now == before { quiet + 1 } else { 0 };
        before = now;
    }
}

/// Listens until a block is covered, and lets the clock go on for as long as answers are on their way; when the
/// first question was put.
async fn until(ledger: &mut Ledger, node: &Node, head: BlockHeader) -> Instant {
    let mut asked = None;
    loop {
        settle(node).await;
        while let Ok(update) = ledger.updates.try_recv() {
            ledger.apply(update);
        }
        if ledger.through == Some(head.point()) {
            return asked.unwrap();
        }
        let travels = node.inner().on_the_way > 0;
        if travels {
            asked = asked.or(Some(Instant::now()));
        }
        advance(if travels { LATENCY + TICK } else { TICK }).await;
    }
}

/// An hour by the clock of the runtime, which moves only while answers are on their way: what else there is of the
/// lag is the follower's own.
#[tokio::test]
async fn a_month_at_the_head_stays_below_a_hundred_million_units() {
    let node = Node::start(Chain::of(60)).await;
    node.inner().blooms = true;
    let (addresses, topics) = (vec![ADDRESS, CONDITIONAL_TOKENS], vec![TOPIC, split().topics[0]]);
    // The defaults are what is measured.
    let settings = FollowSettings {
        addresses: addresses.clone(),
        topics: topics.clone(),
        ..FollowSettings::new(vec![node.http()], Start::Block(40))
    };
    let poll = settings.poll_interval + TICK;
    let observer = settings.observer.clone();
    let auditor = Auditor::new(HistorySettings {
        addresses,
        topics,
        observer: observer.clone(),
        ..HistorySettings::new(vec![node.http()])
    })
    .unwrap();
    let mut ledger = Ledger::open(settings, vec![]);
    ledger.agrees_with(&node, 40).await;
    let units = || observer.usage().iter().map(|usage| usage.compute_units).sum::<u64>();
    let before = units();

    // As long as something blocks, the clock moves only when it is told to.
    let (release, held) = mpsc::channel::<()>();
    let holding = spawn_blocking(move || held.recv());
    pause();
    let began = Instant::now();
    let (mut next_block, mut next_poll) = (began + BLOCK, began + poll);
    let (mut oldest, mut lag, mut audited) = (None, Duration::ZERO, node.chain().head().number);
    while began.elapsed() < HOUR {
        // What lies closer together than timers can tell comes after the poll.
        if next_block + 2 * TICK <= next_poll {
            advance(next_block.saturating_duration_since(Instant::now())).await;
            oldest = oldest.or(Some(next_block));
            make_block(&node);
            next_block += BLOCK;
            continue;
        }
        advance(next_poll.saturating_duration_since(Instant::now())).await;
        node.inner().latency = LATENCY;
        let head = node.inner().chain.head();
        next_poll = until(&mut ledger, &node, head).await + poll;
        lag = lag.max(oldest.take().map_or(Duration::ZERO, |made| made.elapsed()));
        if head.number >= audited + AUDITED {
            node.inner().latency = Duration::ZERO;
            let finalized = auditor.finalized().await.unwrap();
            auditor.read(audited + 1..=finalized.number, "", Receipts::Without).await.unwrap();
            audited = finalized.number;
        }
    }
    drop(release);
    let _disconnected = holding.await.unwrap();

    let spent = units() - before;
    let month = spent * 24 * 30;
    println!("{spent} units an hour, {month} in 30 days; no block later than {lag:?}");
    assert!(month < 100_000_000, "{month} units a month");
    assert!(month > 80_000_000, "{month} units a month: is all of it counted?");
    assert!(lag <= Duration::from_secs(3), "{lag:?}");
    assert!(lag > Duration::from_millis(2_750), "{lag:?}: do answers take no time?");
    // One for each split, and none for the audits.
    let blocks = node.chain().head().number - 60;
    let receipts = observer.usage().into_iter().find(|usage| usage.method == "eth_getTransactionReceipt");
    let asked = receipts.unwrap().calls;
    assert!((blocks / SPLITS - 1..=blocks / SPLITS + 1).contains(&asked), "{asked} of {blocks} blocks");
    node.inner().latency = Duration::ZERO;
    ledger.agrees_with(&node, 40).await;
    ledger.close().await;
}
