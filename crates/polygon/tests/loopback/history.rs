//! History: complete and without repetition, whatever the nodes' limits and faults.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use polygon::follow::Stretch;
use polygon::history::{HistoryError, HistorySettings, history};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::ledger::PATIENCE;
use crate::node::{ADDRESS, Chain, Limit, Mood, Node, TOPIC};

pub(crate) fn settings(endpoints: &[String]) -> HistorySettings {
    HistorySettings {
        addresses: vec![ADDRESS],
        topics: vec![TOPIC],
        ..HistorySettings::new(endpoints.to_vec())
    }
}

/// Reads ranges to the end, and holds what comes to its promises.
async fn read(settings: HistorySettings, ranges: &[RangeInclusive<u64>], chain: &Chain) -> Vec<Stretch> {
    let (sender, mut batches) = mpsc::channel(2);
    let task = tokio::spawn(history(settings, ranges.to_vec(), sender, CancellationToken::new()));
    let mut stretches = Vec::new();
    let receiving = async {
        while let Some(stretch) = batches.recv().await {
            stretches.push(stretch);
        }
        task.await.unwrap().unwrap();
    };
    timeout(PATIENCE, receiving).await.expect("history does not end");
    stretches.sort_by_key(|stretch| stretch.from);
    let covered = stretches.iter().flat_map(|stretch| stretch.from..=stretch.through.number);
    assert!(covered.eq(ranges.iter().flat_map(Clone::clone)), "each block is covered once");
    for stretch in &stretches {
        assert_eq!(stretch.through, chain.blocks[usize::try_from(stretch.through.number).unwrap()].header);
        assert_eq!(stretch.headers, [stretch.through]);
    }
    let told: Vec<_> =
        stretches.iter().flat_map(|stretch| &stretch.blocks).flat_map(|block| block.logs.clone()).collect();
    let wanted = |number: u64| ranges.iter().any(|range| range.contains(&number));
    let mut truth = chain.logs_from(0);
    truth.retain(|log| wanted(log.block_number));
    assert!(told == truth, "{} logs instead of {}", told.len(), truth.len());
    stretches
}

#[tokio::test]
async fn ranges_are_read_completely_and_no_block_twice() {
    let node = Node::start(Chain::of(3_000)).await;
    for url in [node.http(), node.ws()] {
        let stretches = read(settings(&[url]), &[0..=0, 10..=1_500, 1_600..=2_999], &node.chain()).await;
        assert!(stretches.len() > 4);
    }
    // Nothing to do is done at once; the empty range is one on purpose.
    #[expect(clippy::reversed_empty_ranges, reason = "that is the case")]
    let nothing = [5..=4];
    assert!(read(settings(&[node.http()]), &nothing, &node.chain()).await.is_empty());
}

/// Every provider's way to refuse: status, code and words.
const LIMITS: [Limit; 10] = [
    limit(
        200,
        -32_602,
        "Log response size exceeded. You can make eth_getLogs requests with up to a 2K block range and no limit \
         on the response size, or you can request any block range with a cap of 10K logs in the response.",
    ),
    limit(
        400,
        -32_600,
        "Under the Free tier plan, you can make eth_getLogs requests with up to a 10 block range. Based on your \
         parameters, this block range should work: [0x1, 0xa]",
    ),
    limit(200, -32_005, "query returned more than 10000 results. Try with this block range [0x1, 0x2]."),
    limit(200, -32_602, "range 20001 exceeds limit of 10000"),
    limit(413, -32_614, "eth_getLogs is limited to a 10,000 range"),
    limit(200, -32_616, "response over the cap"),
    limit(400, 35, "ranges over 10000 blocks are not supported on free plan"),
    limit(408, 30, "Request timeout on the free tier, please upgrade your tier to the paid one"),
    limit(200, -32_701, "exceed maximum block range: 50000"),
    limit(403, -32_000, "words that nobody has ever read"),
];

const fn limit(status: u16, code: i64, message: &'static str) -> Limit {
    Limit { blocks: u64::MAX, logs: usize::MAX, status, code, message }
}

#[tokio::test]
async fn every_providers_limit_is_met_by_asking_for_less() {
    for limit in LIMITS {
        for (blocks, logs, most) in [(10, usize::MAX, 400), (u64::MAX, 500, 3_000)] {
            let node = Node::start(Chain::of(most)).await;
            node.inner().limit = Some(Limit { blocks, logs, ..limit });
            let settings = settings(&[node.http()]);
            let observer = Arc::clone(&settings.observer);
            let stretches = read(settings, &[0..=most - 1], &node.chain()).await;
            assert!(stretches.iter().all(|stretch| stretch.through.number - stretch.from < blocks));
            let usage = observer.usage();
            let logs = usage.iter().find(|usage| usage.method == "eth_getLogs").unwrap();
            // The way back up meets the limit again, but seldom.
            let answers = logs.calls - logs.failures;
            assert!(logs.failures >= 1 && logs.failures <= answers, "{} {logs:?}", limit.message);
            assert!(observer.health()[0].working);
        }
    }
}

#[tokio::test]
async fn what_one_node_fails_to_answer_another_does() {
    let chain = Chain::of(2_000);
    let nodes = [Node::start(chain.clone()).await, Node::start(chain.clone()).await];
    nodes[0].inner().mood = Mood::Status(502);
    let settings = settings(&nodes.each_ref().map(Node::http));
    let counters = Arc::clone(&settings.counters);
    let observer = Arc::clone(&settings.observer);
    read(settings, &[0..=1_999], &chain).await;
    assert!(!nodes[1].inner().ranges.is_empty() && nodes[0].inner().ranges.is_empty());
    assert_eq!(observer.health().iter().filter(|health| health.working).count(), 1);
    assert_eq!(counters.refetched(), 0);
}

#[tokio::test]
async fn faults_that_pass_are_outlasted() {
    for mood in [Mood::Html, Mood::CutOff, Mood::WrongId, Mood::WrongType, Mood::Status(429)] {
        let node = Node::start(Chain::of(500)).await;
        node.inner().mood = mood;
        let settings = settings(&[node.http()]);
        let observer = Arc::clone(&settings.observer);
        let chain = node.chain();
        let healing = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            assert!(!observer.health()[0].working);
            node.inner().mood = Mood::Well;
        };
        tokio::join!(read(settings, &[0..=499], &chain), healing);
        let expected = u64::from(!matches!(mood, Mood::Status(_)));
        assert!(observer.complaints() >= expected, "{mood:?}");
    }
}

#[tokio::test]
async fn a_silent_node_is_not_believed_where_its_headers_speak() {
    let chain = Chain::of(300);
    let nodes = [Node::start(chain.clone()).await, Node::start(chain.clone()).await];
    // No index of logs at all, as after pruning, but for single blocks.
    nodes[0].inner().withheld = 300;
    let settings = settings(&nodes.each_ref().map(Node::http));
    let counters = Arc::clone(&settings.counters);
    // The last block of each part has logs: 98, 197, 296 leave a remainder of two by three.
    let settings = HistorySettings { max_range: 99, ..settings };
    read(settings, &[0..=98, 99..=197, 198..=296], &chain).await;
    assert!(counters.refetched() >= 1);
}

#[tokio::test]
async fn what_is_withheld_of_the_end_of_a_range_is_noticed() {
    let chain = Chain::of(300);
    let nodes = [Node::start(chain.clone()).await, Node::start(chain.clone()).await];
    // The newest blocks are not in its index yet, though it has them, and their elders are.
    nodes[0].inner().withheld = 2;
    let settings = settings(&nodes.each_ref().map(Node::http));
    let counters = Arc::clone(&settings.counters);
    read(HistorySettings { at_once: 1, ..settings }, &[210..=299], &chain).await;
    assert!(counters.refetched() >= 1);
}

#[tokio::test]
async fn the_wrong_chain_is_an_error_only_where_all_are_on_it() {
    let chain = Chain::of(300);
    let nodes = [Node::start(chain.clone()).await, Node::start(chain.clone()).await];
    nodes[0].inner().chain_id = 1;
    let endpoints = nodes.each_ref().map(Node::http);
    read(settings(&endpoints), &[0..=299], &chain).await;
    assert!(nodes[0].inner().ranges.is_empty());
    nodes[1].inner().chain_id = 1;
    let (sender, _batches) = mpsc::channel(2);
    let ended = history(settings(&endpoints), vec![0..=299], sender, CancellationToken::new());
    let error = timeout(PATIENCE, ended).await.unwrap().unwrap_err();
    assert!(matches!(error, HistoryError::WrongChain { expected: 137, found: 1, .. }), "{error}");
    assert!(!error.to_string().contains("s3cr3tk3y"));
    let (sender, _batches) = mpsc::channel(2);
    let none = history(settings(&[]), vec![0..=299], sender, CancellationToken::new()).await;
    assert!(matches!(none, Err(HistoryError::NoEndpoints)));
}

#[tokio::test]
async fn a_full_channel_holds_history_back_and_a_stop_ends_it() {
    let node = Node::start(Chain::of(5_000)).await;
    let (sender, mut batches) = mpsc::channel(2);
    let stop = CancellationToken::new();
    let settings = HistorySettings { max_range: 50, ..settings(&[node.http()]) };
    let task = tokio::spawn(history(settings.clone(), vec![0..=4_999], sender, stop.clone()));
    // Two in the channel, and one with each of the four who read.
    let asked = || node.inner().ranges.len();
    let six = async {
        while asked() < 6 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, six).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(asked(), 6);
    batches.recv().await.unwrap();
    stop.cancel();
    timeout(PATIENCE, task).await.unwrap().unwrap().unwrap();
    let (sender, batches) = mpsc::channel(2);
    drop(batches);
    let ended = history(settings, vec![0..=4_999], sender, CancellationToken::new());
    assert!(matches!(timeout(PATIENCE, ended).await.unwrap(), Err(HistoryError::Closed)));
}
