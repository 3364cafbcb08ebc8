//! Following by a portal: whatever it does, what comes out is the chain.

use std::time::{Duration, Instant};

use domain::BlockHash;
use polygon::follow::{BlockPoint, ChainUpdate, Start};
use polygon::log::RawLog;
use polygon::portal::{PortalError, PortalSettings, follow};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::server::{Fault, PATIENCE, Portal, logs_of, same};

/// What comes out of a follower, put together as its receiver would.
struct Ledger {
    updates: mpsc::Receiver<ChainUpdate>,
    logs: Vec<RawLog>,
    last: Option<BlockPoint>,
    /// Where the chain was taken back to, and whether something was in its place at once.
    reverts: Vec<(BlockPoint, bool)>,
    malformed: usize,
    task: JoinHandle<Result<(), PortalError>>,
    stop: CancellationToken,
}

impl Ledger {
    fn open(settings: PortalSettings, known: Vec<BlockPoint>) -> Self {
        let (sender, updates) = mpsc::channel(4);
        let stop = CancellationToken::new();
        let task = tokio::spawn(follow(settings, known, sender, stop.clone()));
        Self { updates, logs: vec![], last: None, reverts: vec![], malformed: 0, task, stop }
    }

    fn apply(&mut self, update: ChainUpdate) {
        let stretch = match update {
            ChainUpdate::Committed(stretch) => Some(stretch),
            ChainUpdate::Reverted { to } => {
                self.rewind(to, false);
                None
            }
            ChainUpdate::Reorged { to, new } => {
                self.rewind(to, true);
                Some(new)
            }
        };
        let Some(stretch) = stretch else { return };
        if let Some(last) = self.last {
            assert_eq!((stretch.from, stretch.headers[0].parent_hash), (last.number + 1, last.hash));
        }
        for pair in stretch.headers.windows(2) {
            assert_eq!((pair[0].hash, pair[0].number + 1), (pair[1].parent_hash, pair[1].number));
        }
        self.logs.extend(logs_of(&stretch));
        self.malformed += stretch.blocks.iter().map(|block| block.malformed.len()).sum::<usize>();
        self.last = Some(stretch.through.point());
    }

    fn rewind(&mut self, to: BlockPoint, replaced: bool) {
        self.reverts.push((to, replaced));
        self.logs.retain(|log| log.block_number <= to.number);
        self.last = Some(to);
    }

    /// Waits until the portal's head is reached, and compares.
    async fn agrees_with(&mut self, portal: &Portal, from: u64) {
        let head = portal.inner().head().point();
        while self.last != Some(head) {
            let update = timeout(PATIENCE, self.updates.recv()).await.unwrap().unwrap();
            self.apply(update);
        }
        same(&self.logs, &portal.inner().logs(from, head.number));
    }

    async fn close(self) {
        self.stop.cancel();
        timeout(PATIENCE, self.task).await.unwrap().unwrap().unwrap();
    }
}

#[tokio::test]
async fn history_and_head_are_one_stream() {
    let portal = Portal::start(200).await;
    let settings = portal.settings(Start::Block(7));
    let observer = settings.observer.clone();
    let mut ledger = Ledger::open(settings, vec![]);
    ledger.agrees_with(&portal, 7).await;
    for count in [1, 40] {
        portal.inner().extend(count, 0);
        ledger.agrees_with(&portal, 7).await;
    }
    assert!(ledger.reverts.is_empty());
    ledger.close().await;
    // Each question names the block that the answer must follow.
    let asked = portal.inner().asked.clone();
    assert_eq!((&asked[0].1["fromBlock"], &asked[0].1["parentBlockHash"]), (&json!(7), &Value::Null));
    assert_eq!(asked[1].1["parentBlockHash"], json!(portal.inner().point(199).hash.to_string()));
    assert_eq!(observer.complaints(), 0);
    let usage = observer.usage();
    assert_eq!((usage[0].method, usage[0].failures, usage[0].compute_units), ("stream", 0, 0));
    assert!(usage[0].bytes > 50_000, "{usage:?}");
}

#[tokio::test]
async fn a_start_at_the_head_brings_only_what_comes() {
    let portal = Portal::start(50).await;
    let mut ledger = Ledger::open(portal.settings(Start::Head), vec![]);
    // The head, and what there is behind it.
    while portal.inner().asked.len() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(ledger.updates.is_empty());
    portal.inner().extend(4, 0);
    ledger.agrees_with(&portal, 50).await;
    // Deeper than anything that was seen: what was never emitted needs not be replaced, but what was does.
    portal.inner().reorganise(7, 9, 1);
    ledger.agrees_with(&portal, 49).await;
    assert_eq!(ledger.reverts, [(portal.inner().point(48), true)]);
    ledger.close().await;
}

#[tokio::test]
async fn a_reorganisation_is_one_step_where_the_new_branch_is_there() {
    for named in [1, 2, 10] {
        let portal = Portal::start(30).await;
        portal.inner().named = named;
        let mut ledger = Ledger::open(portal.settings(Start::Block(0)), vec![]);
        ledger.agrees_with(&portal, 0).await;
        portal.inner().reorganise(3, 4, 1);
        ledger.agrees_with(&portal, 0).await;
        // Also where the portal names too few blocks to tell which is the highest common one.
        assert_eq!(ledger.reverts, [(portal.inner().point(26), true)], "{named}");
        ledger.close().await;
    }
}

#[tokio::test]
async fn what_is_taken_back_without_a_new_branch_is_said_alone() {
    let portal = Portal::start(30).await;
    portal.inner().named = 1;
    let mut ledger = Ledger::open(portal.settings(Start::Block(0)), vec![]);
    ledger.agrees_with(&portal, 0).await;
    portal.inner().reorganise(3, 0, 1);
    ledger.agrees_with(&portal, 0).await;
    assert_eq!(ledger.reverts, [(portal.inner().point(26), false)]);
    portal.inner().extend(5, 1);
    ledger.agrees_with(&portal, 0).await;
    assert_eq!(ledger.reverts.len(), 1);
    ledger.close().await;
}

#[tokio::test]
async fn what_happened_between_two_runs_is_found() {
    let portal = Portal::start(30).await;
    let known: Vec<BlockPoint> = (10..30).map(|number| portal.inner().point(number)).collect();
    let resume = *known.last().unwrap();
    portal.inner().reorganise(12, 20, 1);
    let mut ledger = Ledger::open(portal.settings(Start::Resume(resume)), known);
    ledger.agrees_with(&portal, 18).await;
    assert_eq!(ledger.reverts, [(portal.inner().point(17), true)]);
    ledger.close().await;
}

#[tokio::test]
async fn a_chain_that_is_another_is_an_error_and_not_a_reorganisation() {
    let portal = Portal::start(30).await;
    let foreign =
        |number: u64| BlockPoint { number, hash: BlockHash(alloy_primitives::B256::repeat_byte(1)) };
    let known = vec![foreign(28), foreign(29)];
    let mut ledger = Ledger::open(portal.settings(Start::Resume(foreign(29))), known);
    assert_eq!(timeout(PATIENCE, ledger.updates.recv()).await.unwrap(), None);
    let error = ledger.task.await.unwrap().unwrap_err();
    assert!(matches!(error, PortalError::TooDeep { newest, .. } if newest.number == 29), "{error}");
}

#[tokio::test]
async fn a_conflict_that_is_none_changes_nothing() {
    let portal = Portal::start(30).await;
    let settings = portal.settings(Start::Block(0));
    let mut ledger = Ledger::open(settings, vec![]);
    ledger.agrees_with(&portal, 0).await;
    // It leads below its own claim, and from there on the chain is as it was.
    portal.inner().faults.push_back(Fault::FalseConflict);
    portal.inner().extend(3, 0);
    ledger.agrees_with(&portal, 0).await;
    assert_eq!(ledger.reverts, []);
    ledger.close().await;
}

/// Follows through one fault; how many complaints it was worth.
async fn through(fault: Fault) -> (u64, Vec<polygon::rpc::Complaint>) {
    let shown = format!("{fault:?}");
    let portal = Portal::start(40).await;
    portal.inner().faults.push_back(fault);
    let settings = portal.settings(Start::Block(5));
    let observer = settings.observer.clone();
    let mut ledger = Ledger::open(settings, vec![]);
    ledger.agrees_with(&portal, 5).await;
    portal.inner().extend(3, 0);
    ledger.agrees_with(&portal, 5).await;
    assert!(ledger.reverts.is_empty(), "{shown}");
    ledger.close().await;
    let told = format!("{:?} {:?}", observer.health(), observer.usage());
    assert!(!told.contains("s3cr3tk3y"), "{told}");
    (observer.complaints(), observer.take_complaints())
}

#[tokio::test]
async fn an_answer_that_ends_early_is_gone_on_with() {
    for count in [0, 1, 10] {
        assert_eq!(through(Fault::EndAfter(count)).await.0, 0);
        assert_eq!(through(Fault::BreakAfter(count)).await.0, 0);
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_complained_of_and_asked_for_again() {
    for (fault, what) in [
        (Fault::HalfALineAfter(0), "breaks off"),
        (Fault::HalfALineAfter(10), "breaks off"),
        (Fault::Html, "breaks off"),
        (Fault::Alter(|lines| lines.swap(3, 4)), "block 9 instead of 8"),
        (Fault::Alter(|lines| drop(lines.remove(3))), "block 9 instead of 8"),
        (Fault::Alter(|lines| drop(lines.remove(0))), "block 6 instead of 5"),
        (Fault::Alter(|lines| lines[3] = lines[2].clone()), "block 7 instead of 8"),
        (
            Fault::Alter(|lines| lines[3]["header"]["parentHash"] = lines[3]["header"]["hash"].clone()),
            "does not follow",
        ),
        (Fault::Alter(|lines| lines[3] = json!({ "error": "sorry" })), "without a header"),
        (
            Fault::Alter(|lines| lines[3]["logs"][0]["address"] = json!(format!("0x{}", "07".repeat(20)))),
            "not asked for",
        ),
    ] {
        let shown = format!("{fault:?}");
        let (count, complaints) = through(fault).await;
        assert_eq!(count, 1, "{shown}: {complaints:?}");
        assert!(complaints[0].what.contains(what), "{shown}: {complaints:?}");
        assert!(!complaints[0].excerpt.is_empty() && complaints[0].endpoint.starts_with("portal 127."));
    }
}

#[tokio::test]
async fn a_malformed_log_is_asked_for_again_and_believed_of_a_portal_that_insists() {
    // A block with two logs, spoiled in passing, and for good.
    for (times, is_kept) in [(1, false), (3, false), (u32::MAX, true)] {
        let portal = Portal::start(40).await;
        portal.inner().garbled = Some((8, times));
        let settings = portal.settings(Start::Block(5));
        let observer = settings.observer.clone();
        let mut ledger = Ledger::open(settings, vec![]);
        let head = portal.inner().head().point();
        while ledger.last != Some(head) {
            let update = timeout(PATIENCE, ledger.updates.recv()).await.unwrap().unwrap();
            ledger.apply(update);
        }
        let mut expected = portal.inner().logs(5, 39);
        expected.retain(|log| !is_kept || (log.block_number, log.log_index) != (8, 0));
        same(&ledger.logs, &expected);
        assert_eq!(ledger.malformed, usize::from(is_kept));
        // It was asked for three times more, each time from that block on.
        assert_eq!(observer.complaints(), u64::from(times.min(4)));
        assert!(observer.take_complaints()[0].what.contains("field `data`"));
        let asked: Vec<Value> =
            portal.inner().asked.iter().map(|(_, query)| query["fromBlock"].clone()).collect();
        let again = usize::try_from(times.min(3)).unwrap();
        assert_eq!(asked[..=again], [vec![json!(5)], vec![json!(8); again]].concat());
        ledger.close().await;
    }
}

#[tokio::test]
async fn a_reorganisation_below_all_that_is_remembered_is_an_error() {
    let portal = Portal::start(400).await;
    portal.inner().named = 300;
    let mut ledger = Ledger::open(portal.settings(Start::Block(0)), vec![]);
    ledger.agrees_with(&portal, 0).await;
    // The oldest blocks are forgotten by now, and would stay as they were.
    portal.inner().reorganise(390, 395, 1);
    let ended = async { while ledger.updates.recv().await.is_some() {} };
    timeout(PATIENCE, ended).await.expect("it goes on as if nothing had happened");
    let error = ledger.task.await.unwrap().unwrap_err();
    assert!(matches!(error, PortalError::TooDeep { newest, .. } if newest.number == 399), "{error}");
}

#[tokio::test]
async fn an_answer_that_brought_blocks_before_it_broke_is_no_failure_to_be_slow_after() {
    let portal = Portal::start(40).await;
    portal.inner().faults.extend(std::iter::repeat_n(Fault::HalfALineAfter(1), 10));
    let mut ledger = Ledger::open(portal.settings(Start::Block(5)), vec![]);
    // With pauses that grow it would take a minute and more.
    ledger.agrees_with(&portal, 5).await;
    assert!(portal.inner().faults.is_empty());
    ledger.close().await;
}

#[tokio::test]
async fn a_busy_portal_is_left_alone_for_as_long_as_it_asks() {
    for status in [429, 503] {
        let portal = Portal::start(40).await;
        portal.inner().faults.push_back(Fault::Status(status, Some("1")));
        let mut ledger = Ledger::open(portal.settings(Start::Block(5)), vec![]);
        ledger.agrees_with(&portal, 5).await;
        ledger.close().await;
        let asked = portal.inner().asked.clone();
        assert!(asked[1].0 - asked[0].0 >= Duration::from_secs(1));
    }
    assert_eq!(through(Fault::Status(500, None)).await.0, 0);
    assert_eq!(through(Fault::Status(429, None)).await.0, 0);
}

#[tokio::test]
async fn the_allowance_of_requests_is_kept() {
    let portal = Portal::start(40).await;
    portal.inner().faults.extend(std::iter::repeat_n(Fault::EndAfter(1), 100));
    let mut ledger = Ledger::open(portal.settings(Start::Block(5)), vec![]);
    let asked = || portal.inner().asked.len();
    let the_twentieth = async {
        while asked() < 20 {
            let update = ledger.updates.recv().await.unwrap();
            ledger.apply(update);
        }
    };
    timeout(PATIENCE, the_twentieth).await.unwrap();
    // The next one comes when the first is ten seconds old, and not before.
    let the_next = async {
        while asked() < 21 {
            let update = ledger.updates.recv().await.unwrap();
            ledger.apply(update);
        }
    };
    timeout(PATIENCE, the_next).await.unwrap();
    let times: Vec<Instant> = portal.inner().asked.iter().map(|(at, _)| *at).collect();
    assert!(times[20] - times[0] >= Duration::from_millis(9_900), "{:?}", times[20] - times[0]);
    ledger.close().await;
}
