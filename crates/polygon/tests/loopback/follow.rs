//! The follower against nodes on loopback: whatever they do, what comes out is the chain.
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::BlockHash;
use polygon::follow::{FollowError, FollowSettings, Heads, SETTLED, Start, follow};
use polygon::log::RawLog;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::ledger::{Ledger, PATIENCE, settings};
use crate::node::{Chain, Mood, Node};

#[tokio::test]
async fn history_and_head_are_one_stream() {
    for start in [0, 1, 7] {
        let node = Node::start(Chain::of(400)).await;
        let mut ledger = Ledger::open(settings(&[node.http()], Start::Block(start)), vec![]);
        ledger.agrees_with(&node, start).await;
        // Ranges follow each other without a gap, and none holds both what is settled and what is not.
        let ranges = node.inner().ranges.clone();
        assert_eq!((ranges[0].0, ranges.last().unwrap()), (start, &(400 - SETTLED, 399)));
        assert!(ranges.windows(2).all(|pair| pair[1].0 == pair[0].1 + 1));
        for count in [1, 2, 1, 40, 3] {
            node.change(|chain| chain.extend(count, 0));
            ledger.agrees_with(&node, start).await;
        }
        assert!(ledger.reverts.is_empty());
        ledger.close().await;
    }
}

#[tokio::test]
async fn a_start_at_the_head_brings_only_what_comes() {
    let node = Node::start(Chain::of(50)).await;
    let mut ledger = Ledger::open(settings(&[node.http()], Start::Head), vec![]);
    // Which chain it is, where its head is, and where it still is.
    let heads = || node.inner().asked.iter().filter(|method| *method == "eth_getBlockByNumber").count();
    while heads() < 20 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(ledger.updates.is_empty());
    node.change(|chain| chain.extend(4, 0));
    ledger.agrees_with(&node, 50).await;
    // The first block seen is replaced, and two before it that were never asked for.
    node.change(|chain| chain.reorganise(7, 8, 1));
    ledger.until(node.chain().head()).await;
    assert_eq!(ledger.reverts, [node.chain().point(46)]);
    assert_eq!(ledger.logs, node.chain().logs_from(47));
    ledger.close().await;
}

#[tokio::test]
async fn a_start_in_the_future_waits() {
    let node = Node::start(Chain::of(10)).await;
    let mut ledger = Ledger::open(settings(&[node.http()], Start::Block(12)), vec![]);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(ledger.updates.is_empty());
    node.change(|chain| chain.extend(5, 0));
    ledger.agrees_with(&node, 12).await;
    ledger.close().await;
}

#[tokio::test]
async fn a_reorganisation_is_taken_back_to_its_ancestor() {
    let node = Node::start(Chain::of(100)).await;
    let mut ledger = Ledger::open(settings(&[node.http()], Start::Block(1)), vec![]);
    ledger.agrees_with(&node, 1).await;
    let ancestor = node.chain().point(96);
    // Three blocks replaced by four, then by as many, then by fewer.
    node.change(|chain| chain.reorganise(3, 4, 1));
    ledger.agrees_with(&node, 1).await;
    assert_eq!(ledger.reverts, [ancestor]);
    node.change(|chain| chain.reorganise(3, 3, 2));
    ledger.agrees_with(&node, 1).await;
    node.change(|chain| chain.reorganise(3, 1, 3));
    ledger.agrees_with(&node, 1).await;
    assert_eq!(ledger.reverts.len(), 3);
    ledger.close().await;
}

#[tokio::test]
async fn a_reorganisation_during_the_downtime_is_found_through_what_was_known() {
    let node = Node::start(Chain::of(100)).await;
    let before = node.chain();
    node.change(|chain| chain.reorganise(10, 15, 1));
    let known: Vec<_> = (70..100).map(|number| before.point(number)).collect();
    let mut ledger = Ledger::open(settings(&[node.http()], Start::Resume(before.point(99))), known);
    ledger.until(node.chain().head()).await;
    assert_eq!(ledger.reverts, [before.point(89)]);
    assert_eq!(ledger.logs, node.chain().logs_from(90));
    ledger.close().await;
}

#[tokio::test]
async fn resuming_repeats_nothing() {
    let node = Node::start(Chain::of(300)).await;
    let mut ledger = Ledger::open(settings(&[node.http()], Start::Resume(node.chain().point(200))), vec![]);
    ledger.agrees_with(&node, 201).await;
    ledger.close().await;
}

#[tokio::test]
async fn another_chain_is_an_error_not_a_reorganisation() {
    let node = Node::start(Chain::of(100)).await;
    let mut other = Chain::default();
    other.extend(100, 9);
    let known: Vec<_> = (60..100).map(|number| other.point(number)).collect();
    let ledger = Ledger::open(settings(&[node.http()], Start::Resume(other.point(99))), known);
    let error = ledger.error().await;
    assert!(matches!(error, FollowError::TooDeep { newest, .. } if newest == other.point(99)), "{error}");
    assert!(!error.to_string().contains("s3cr3tk3y"), "{error}");
}

#[tokio::test]
async fn the_wrong_chain_id_is_an_error() {
    let node = Node::start(Chain::of(3)).await;
    node.inner().chain_id = 1;
    let error = Ledger::open(settings(&[node.http()], Start::Head), vec![]).error().await;
    assert!(matches!(error, FollowError::WrongChain { expected: 137, found: 1, .. }), "{error}");
    let none = Ledger::open(settings(&[], Start::Head), vec![]).error().await;
    assert!(matches!(none, FollowError::NoEndpoints));
    let wrong = Ledger::open(settings(&["ftp://node.example".to_owned()], Start::Head), vec![]).error().await;
    assert!(matches!(wrong, FollowError::Endpoint(_)));
}

#[tokio::test]
async fn too_many_results_halve_the_range() {
    let node = Node::start(Chain::of(600)).await;
    // A block has one log on average, so that ranges of more than about 30 blocks are refused.
    node.inner().most_logs = Some(30);
    let mut ledger = Ledger::open(settings(&[node.http()], Start::Block(0)), vec![]);
    ledger.agrees_with(&node, 0).await;
    let ranges = node.inner().ranges.clone();
    let lengths: Vec<_> = ranges.iter().map(|(from, to)| to - from + 1).collect();
    assert_eq!(lengths[..3], [100, 50, 25]);
    let refused = ranges.windows(2).filter(|pair| pair[0].0 == pair[1].0).count();
    assert!(refused >= 3 && refused * 3 < ranges.len() * 2, "{refused} of {} refused", ranges.len());
    ledger.close().await;
}

#[tokio::test]
async fn the_next_node_takes_over_when_one_dies() {
    let chain = Chain::of(120);
    let (first, second) = (Node::start(chain.clone()).await, Node::start(chain).await);
    let settings = settings(&[first.http(), second.http()], Start::Block(1));
    let counters = settings.counters.clone();
    let mut ledger = Ledger::open(settings, vec![]);
    ledger.agrees_with(&first, 1).await;
    assert!(second.inner().asked.is_empty());
    assert_eq!(counters.failovers(), 0);
    // The node goes, and its port with it.
    drop(first);
    second.change(|chain| chain.extend(5, 0));
    ledger.agrees_with(&second, 1).await;
    assert!(counters.failovers() >= 1);
    ledger.close().await;
}

#[tokio::test]
async fn answers_that_are_none_are_waited_out() {
    let moods = [Mood::Html, Mood::CutOff, Mood::WrongId, Mood::Status(502), Mood::Status(429)];
    let node = Node::start(Chain::of(40)).await;
    let mut ledger = Ledger::open(settings(&[node.http()], Start::Block(1)), vec![]);
    ledger.agrees_with(&node, 1).await;
    for mood in moods {
        node.inner().mood = mood;
        tokio::time::sleep(Duration::from_millis(100)).await;
        node.change(|chain| chain.extend(2, 0));
        node.inner().mood = Mood::Well;
        ledger.agrees_with(&node, 1).await;
    }
    ledger.close().await;
}

#[tokio::test]
async fn contradictory_logs_are_asked_for_again() {
    let spoils: [fn(&mut Vec<RawLog>); 5] = [
        |logs| logs[0].removed = true,
        |logs| logs[0].block_number = 5_000,
        |logs| logs[0].address = alloy_primitives::Address::ZERO,
        // The last block of the range has two logs.
        |logs| logs.last_mut().unwrap().block_hash = BlockHash(alloy_primitives::B256::repeat_byte(9)),
        |logs| logs[0].topics = polygon::log::Topics::default(),
    ];
    // In the settled part, where ranges are read, and in the last blocks, which are read one by one.
    for (blocks, start) in [(300, 250), (40, 20)] {
        let node = Node::start(Chain::of(blocks)).await;
        node.inner().spoil = spoils.to_vec();
        let settings = settings(&[node.http()], Start::Block(start));
        let counters = settings.counters.clone();
        let mut ledger = Ledger::open(settings, vec![]);
        ledger.agrees_with(&node, start).await;
        assert!(node.inner().spoil.is_empty());
        assert!((1..=5).contains(&counters.refetched()), "{}", counters.refetched());
        assert_eq!(counters.failovers(), 0);
        ledger.close().await;
    }
}

#[tokio::test]
async fn times_come_from_headers_where_logs_have_none() {
    let node = Node::start(Chain::of(200)).await;
    node.inner().timeless = true;
    // The ledger checks every block's time.
    let mut ledger = Ledger::open(settings(&[node.http()], Start::Block(1)), vec![]);
    ledger.agrees_with(&node, 1).await;
    ledger.close().await;
}

#[tokio::test]
async fn over_websocket_a_new_head_wakes_the_follower() {
    let node = Node::start(Chain::of(60)).await;
    let settings = FollowSettings {
        heads: Heads::Subscribe,
        poll_interval: Duration::from_secs(3_600),
        ..settings(&[node.ws()], Start::Block(1))
    };
    let mut ledger = Ledger::open(settings, vec![]);
    ledger.agrees_with(&node, 1).await;
    for count in [1, 1, 3] {
        node.change(|chain| chain.extend(count, 0));
        ledger.agrees_with(&node, 1).await;
    }
    node.change(|chain| chain.reorganise(3, 5, 1));
    ledger.agrees_with(&node, 1).await;
    assert_eq!(ledger.reverts.len(), 1);
    // The node hangs up on its next question, and is back at once.
    node.inner().mood = Mood::Html;
    node.change(|chain| chain.extend(1, 0));
    tokio::time::sleep(Duration::from_millis(200)).await;
    node.inner().mood = Mood::Well;
    ledger.agrees_with(&node, 1).await;
    ledger.close().await;
}

/// What the follower says, to be read by the test.
#[derive(Clone, Default)]
struct Spoken(Arc<Mutex<Vec<u8>>>);

impl io::Write for Spoken {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn an_outage_is_said_once_and_without_the_key() {
    // For all tests of this binary: one for a single thread would be deaf to what other threads spoke first.
    let spoken = Spoken::default();
    let writer = spoken.clone();
    tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).init();
    let node = Node::start(Chain::of(40)).await;
    let settings = settings(&[node.http()], Start::Block(1));
    let counters = settings.counters.clone();
    let mut ledger = Ledger::open(settings, vec![]);
    ledger.agrees_with(&node, 1).await;
    node.inner().mood = Mood::Status(502);
    let several_failures = async {
        while counters.failovers() < 3 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, several_failures).await.unwrap();
    node.inner().mood = Mood::Well;
    node.change(|chain| chain.extend(1, 0));
    ledger.agrees_with(&node, 1).await;
    ledger.close().await;
    let all = String::from_utf8(spoken.0.lock().unwrap().clone()).unwrap();
    assert!(!all.contains("s3cr3tk3y"), "{all}");
    let http = node.http();
    let shown = http.strip_suffix("/v2/s3cr3tk3y").unwrap();
    let lines: Vec<_> = all.lines().filter(|line| line.contains(shown)).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].contains("WARN") && lines[0].contains("502"), "{lines:?}");
    assert!(lines[1].contains("INFO") && lines[1].contains("has recovered"), "{lines:?}");
}

#[tokio::test]
async fn nobody_listening_ends_it() {
    let node = Node::start(Chain::of(60)).await;
    let (sender, receiver) = mpsc::channel(1);
    drop(receiver);
    let settings = settings(&[node.http()], Start::Block(1));
    let ended = follow(settings, vec![], sender, CancellationToken::new());
    assert!(matches!(timeout(PATIENCE, ended).await.unwrap(), Err(FollowError::Closed)));
}

#[tokio::test]
async fn a_full_channel_holds_it_back_and_a_stop_still_ends_it() {
    let node = Node::start(Chain::of(5_000)).await;
    let (sender, receiver) = mpsc::channel(1);
    let stop = CancellationToken::new();
    let task = tokio::spawn(follow(settings(&[node.http()], Start::Block(1)), vec![], sender, stop.clone()));
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(node.inner().ranges.len() <= 3, "{}", node.inner().ranges.len());
    stop.cancel();
    timeout(PATIENCE, task).await.unwrap().unwrap().unwrap();
    drop(receiver);
}

/// A chain that grows and forks at random moments, on two nodes that fail at random moments.
#[tokio::test]
async fn whatever_happens_the_ledger_is_the_chain() {
    let mut reverts = 0;
    for seed in 0..6 {
        let mut random = StdRng::seed_from_u64(seed);
        let nodes = [Node::start(Chain::of(80)).await, Node::start(Chain::of(80)).await];
        let endpoints =
            if seed % 2 == 0 { nodes.each_ref().map(Node::http) } else { nodes.each_ref().map(Node::ws) };
        let mut ledger = Ledger::open(settings(&endpoints, Start::Block(10)), vec![]);
        for salt in 1..60 {
            let (depth, count) = (random.random_range(0..12usize), random.random_range(1..10));
            for node in &nodes {
                node.inner().mood = if random.random_bool(0.02) { Mood::Html } else { Mood::Well };
                node.change(|chain| {
                    let depth = depth.min(chain.blocks.len() - 60);
                    chain.reorganise(depth, count, salt);
                });
            }
            tokio::time::sleep(Duration::from_millis(random.random_range(0..40))).await;
            while let Ok(update) = ledger.updates.try_recv() {
                ledger.apply(update);
            }
        }
        for node in &nodes {
            node.inner().mood = Mood::Well;
            node.change(|chain| chain.extend(1, 0));
        }
        ledger.agrees_with(&nodes[0], 10).await;
        reverts += ledger.reverts.len();
        ledger.close().await;
    }
    assert!(reverts > 20, "{reverts}");
}
