//! What following the head costs at Polygon's pace, and how late it is.

use std::sync::mpsc;
use std::time::Duration;

use polygon::audit::Auditor;
use polygon::follow::{FollowSettings, Start};
use polygon::history::HistorySettings;
use tokio::time::{Instant, advance, pause};

use crate::ledger::Ledger;
use crate::node::{ADDRESS, Chain, Node, TOPIC};

const HOUR: Duration = Duration::from_secs(3_600);
const BLOCK: Duration = Duration::from_millis(1_500);
/// How many blocks are audited at once.
const AUDITED: u64 = 100;

/// An hour by the clock of the runtime, which stands still while anything is asked and answered: what is left
/// of the lag is the follower's own.
#[tokio::test]
async fn a_month_at_the_head_stays_below_a_hundred_million_units() {
    let node = Node::start(Chain::of(60)).await;
    node.inner().blooms = true;
    // The defaults are what is measured.
    let settings = FollowSettings {
        addresses: vec![ADDRESS],
        topics: vec![TOPIC],
        ..FollowSettings::new(vec![node.http()], Start::Block(40))
    };
    let poll = settings.poll_interval + Duration::from_millis(1);
    let observer = settings.observer.clone();
    let auditor = Auditor::new(HistorySettings {
        addresses: vec![ADDRESS],
        topics: vec![TOPIC],
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
    let holding = tokio::task::spawn_blocking(move || held.recv());
    pause();
    let began = Instant::now();
    let (mut next_block, mut next_poll) = (began + BLOCK, began + poll);
    let (mut oldest, mut lag, mut audited) = (None, Duration::ZERO, node.chain().head().number);
    while began.elapsed() < HOUR {
        // Timers count in milliseconds: what lies closer together than that comes after the poll.
        if next_block + Duration::from_millis(2) <= next_poll {
            advance(next_block.saturating_duration_since(Instant::now())).await;
            oldest = oldest.or(Some(next_block));
            node.change(|chain| chain.extend(1, 0));
            next_block += BLOCK;
            continue;
        }
        advance(next_poll - Instant::now()).await;
        let head = node.inner().chain.head();
        ledger.until(head).await;
        lag = lag.max(oldest.take().map_or(Duration::ZERO, |made| made.elapsed()));
        next_poll += poll;
        if head.number >= audited + AUDITED {
            let finalized = auditor.finalized().await.unwrap();
            auditor.read(audited + 1..=finalized.number, "").await.unwrap();
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
    ledger.agrees_with(&node, 40).await;
    ledger.close().await;
}
