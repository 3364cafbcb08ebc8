//! Nodes that leave something out, say it twice or say it wrongly: what comes out is the chain all the same,
//! and what was malformed is kept.

use std::time::Duration;

use polygon::follow::{FollowSettings, Heads, Start};
use time::OffsetDateTime;
use time::macros::format_description;
use tokio::time::{Instant, sleep, timeout};

use crate::ledger::{Ledger, PATIENCE, settings};
use crate::node::{Chain, Mood, Node};

#[tokio::test]
async fn logs_withheld_of_the_last_blocks_are_asked_for_by_hash() {
    let node = Node::start(Chain::of(60)).await;
    let mut ledger = Ledger::open(settings(&[node.http()], Start::Block(40)), vec![]);
    ledger.agrees_with(&node, 40).await;
    node.inner().withheld = 2;
    for count in [3, 5, 2, 7] {
        node.change(|chain| chain.extend(count, 0));
        ledger.agrees_with(&node, 40).await;
    }
    // Where headers say that a block has none of the logs, nobody asks for them.
    {
        let mut inner = node.inner();
        (inner.withheld, inner.blooms, inner.by_hash) = (0, true, 0);
    }
    node.change(|chain| chain.extend(12, 0));
    ledger.agrees_with(&node, 40).await;
    assert_eq!(node.inner().by_hash, 0);
    node.inner().withheld = 2;
    node.change(|chain| chain.extend(12, 0));
    ledger.agrees_with(&node, 40).await;
    assert!((1..=2).contains(&node.inner().by_hash));
    ledger.close().await;
}

#[tokio::test]
async fn a_node_whose_other_machine_is_behind_is_asked_again() {
    let node = Node::start(Chain::of(60)).await;
    let settings = settings(&[node.http()], Start::Block(40));
    let counters = settings.counters.clone();
    let mut ledger = Ledger::open(settings, vec![]);
    ledger.agrees_with(&node, 40).await;
    {
        let mut inner = node.inner();
        (inner.withheld, inner.unknown) = (2, 2);
    }
    node.change(|chain| chain.extend(3, 0));
    ledger.agrees_with(&node, 40).await;
    assert!((1..=2).contains(&counters.refetched()) && counters.failovers() == 0);
    // One that falls behind as a whole takes nothing back.
    node.inner().behind = 5;
    sleep(Duration::from_millis(200)).await;
    node.change(|chain| chain.extend(4, 0));
    node.inner().behind = 0;
    ledger.agrees_with(&node, 40).await;
    assert!(ledger.reverts.is_empty());
    ledger.close().await;
}

#[tokio::test]
async fn silence_about_the_newest_block_is_not_believed_at_once() {
    let node = Node::start(Chain::of(60)).await;
    let mut ledger = Ledger::open(settings(&[node.http()], Start::Block(40)), vec![]);
    ledger.agrees_with(&node, 40).await;
    // A node may have a block a moment earlier than the block's logs.
    for _ in 0..6 {
        node.inner().hushed = 1;
        node.change(|chain| chain.extend(1, 0));
        ledger.agrees_with(&node, 40).await;
    }
    // Where the header says that there are none, nobody asks twice.
    {
        let mut inner = node.inner();
        (inner.blooms, inner.hushed, inner.by_hash) = (true, 0, 0);
    }
    for asked in 1..=6 {
        node.change(|chain| chain.extend(1, 0));
        ledger.agrees_with(&node, 40).await;
        assert_eq!(node.inner().by_hash, asked);
    }
    ledger.close().await;
}

#[tokio::test]
async fn a_node_that_holds_a_block_for_one_to_come_is_asked_for_as_much_again() {
    let node = Node::start(Chain::of(60)).await;
    let settings = settings(&[node.http()], Start::Block(40));
    let counters = settings.counters.clone();
    let mut ledger = Ledger::open(settings, vec![]);
    ledger.agrees_with(&node, 40).await;
    {
        let mut inner = node.inner();
        inner.beyond = 2;
        inner.ranges.clear();
        inner.chain.extend(3, 0);
    }
    ledger.agrees_with(&node, 40).await;
    assert_eq!(node.inner().ranges, [(60, 62); 3]);
    assert_eq!((counters.refetched(), counters.failovers()), (2, 0));
    ledger.close().await;
}

#[tokio::test]
async fn what_is_said_twice_counts_once() {
    let node = Node::start(Chain::of(300)).await;
    node.inner().repeats = true;
    let mut ledger = Ledger::open(settings(&[node.http()], Start::Block(1)), vec![]);
    ledger.agrees_with(&node, 1).await;
    node.change(|chain| chain.extend(7, 0));
    ledger.agrees_with(&node, 1).await;
    ledger.close().await;
}

#[tokio::test]
async fn a_malformed_log_is_kept_and_spoils_no_other() {
    let chain = Chain::of(300);
    for transport in [Node::http, Node::ws] {
        let node = Node::start(chain.clone()).await;
        let settings = settings(&[transport(&node)], Start::Block(1));
        let observer = settings.observer.clone();
        // Once: the second answer is sound.
        node.inner().garbled = 1;
        let mut ledger = Ledger::open(settings, vec![]);
        ledger.agrees_with(&node, 1).await;
        assert!(ledger.malformed.is_empty());
        let [complaint] = observer.take_complaints().try_into().unwrap();
        assert_eq!(complaint.method, "eth_getLogs");
        assert!(complaint.what.contains("field `data` is \"0x123\""), "{complaint:?}");
        assert!(complaint.excerpt.contains("0x123") && !complaint.endpoint.contains("s3cr3tk3y"));
        // Always: it is kept with its block, and so are the others.
        node.inner().garbled = u32::MAX;
        let before = ledger.logs.len();
        node.change(|chain| chain.extend(9, 0));
        ledger.until(node.chain().head()).await;
        let told = node.chain().logs_from(300).len();
        assert_eq!(ledger.logs.len() - before + ledger.malformed.len(), told);
        let first = &ledger.malformed[0];
        assert_eq!((first.block_number, first.log_index), (Some(301), Some(0)));
        assert!(first.reason.contains("`data`") && first.raw.contains("0x123"));
        assert!(observer.complaints() >= 3);
        ledger.close().await;
    }
}

#[tokio::test]
async fn every_malformed_answer_is_a_complaint() {
    let moods = [Mood::Html, Mood::CutOff, Mood::WrongId, Mood::WrongType];
    for (mood, is_socket) in moods.into_iter().flat_map(|mood| [(mood, false), (mood, true)]) {
        // Over WebSocket that mood is to hang up.
        if is_socket && mood == Mood::Html {
            continue;
        }
        let node = Node::start(Chain::of(40)).await;
        let url = if is_socket { node.ws() } else { node.http() };
        let settings = settings(&[url], Start::Block(1));
        let observer = settings.observer.clone();
        let mut ledger = Ledger::open(settings, vec![]);
        ledger.agrees_with(&node, 1).await;
        node.inner().mood = mood;
        let complained = async {
            while observer.complaints() == 0 {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, complained).await.unwrap_or_else(|_| panic!("{mood:?} {is_socket}"));
        node.inner().mood = Mood::Well;
        for complaint in observer.take_complaints() {
            assert!(!format!("{complaint:?}").contains("s3cr3tk3y"), "{complaint:?}");
            assert!(!complaint.excerpt.is_empty(), "{complaint:?}");
        }
        node.change(|chain| chain.extend(2, 0));
        ledger.agrees_with(&node, 1).await;
        assert!(observer.health()[0].working);
        ledger.close().await;
    }
}

#[tokio::test]
async fn a_node_is_left_alone_for_as_long_as_it_asks() {
    let in_three_seconds = || {
        let form = format_description!(
            "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
        );
        (OffsetDateTime::now_utc() + Duration::from_secs(3)).format(form).unwrap()
    };
    for asked in ["2".to_owned(), in_three_seconds()] {
        for status in [429, 503] {
            let node = Node::start(Chain::of(40)).await;
            let settings = settings(&[node.http()], Start::Block(1));
            let observer = settings.observer.clone();
            let mut ledger = Ledger::open(settings, vec![]);
            ledger.agrees_with(&node, 1).await;
            let asked = if asked.contains("GMT") { in_three_seconds() } else { asked.clone() };
            {
                let mut inner = node.inner();
                (inner.mood, inner.retry_after) = (Mood::Status(status), Some(asked));
            }
            let failures = || observer.usage().iter().map(|usage| usage.failures).sum::<u64>();
            while failures() == 0 {
                sleep(Duration::from_millis(1)).await;
            }
            let refused = Instant::now();
            assert!(!observer.health()[0].working);
            node.inner().mood = Mood::Well;
            node.change(|chain| chain.extend(1, 0));
            ledger.agrees_with(&node, 1).await;
            let waited = refused.elapsed();
            assert!(waited >= Duration::from_millis(1_900), "{waited:?}");
            ledger.close().await;
        }
    }
}

#[tokio::test]
async fn an_open_and_silent_socket_is_left_for_another_node() {
    let chain = Chain::of(60);
    let nodes = [Node::start(chain.clone()).await, Node::start(chain).await];
    let settings = FollowSettings {
        heads: Heads::Subscribe,
        ..settings(&nodes.each_ref().map(Node::ws), Start::Block(40))
    };
    let (counters, observer) = (settings.counters.clone(), settings.observer.clone());
    let mut ledger = Ledger::open(settings, vec![]);
    ledger.agrees_with(&nodes[0], 40).await;
    nodes[0].inner().mood = Mood::Silent;
    nodes.iter().for_each(|node| node.change(|chain| chain.extend(3, 0)));
    ledger.agrees_with(&nodes[1], 40).await;
    assert_eq!(counters.failovers(), 1);
    let health = observer.health();
    assert_eq!(health.iter().filter(|node| node.working).count(), 1);
    let silent = health.iter().find(|node| !node.working).unwrap();
    assert!(silent.last_error.as_ref().unwrap().contains("no answer within 10 s"), "{silent:?}");
    assert_eq!(silent.failures_in_a_row, 1);
    ledger.close().await;
}
