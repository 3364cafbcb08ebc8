//! Whoever listens to a follower, and what it may rely on.

use std::time::Duration;

use domain::Timestamp;
use polygon::follow::{
    BlockPoint, ChainUpdate, FollowError, FollowSettings, Receipt, Start, Stretch, follow,
};
use polygon::log::{MalformedLog, RawLog};
use polygon::rpc::BlockHeader;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::node::{ADDRESS, Node, TOPIC};

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn settings(endpoints: &[String], start: Start) -> FollowSettings {
    FollowSettings {
        poll_interval: Duration::from_millis(20),
        addresses: vec![ADDRESS],
        topics: vec![TOPIC],
        ..FollowSettings::new(endpoints.to_vec(), start)
    }
}

/// The other end: keeps what it is told, and holds the follower to its promises.
pub(crate) struct Ledger {
    pub(crate) updates: mpsc::Receiver<ChainUpdate>,
    pub(crate) logs: Vec<RawLog>,
    pub(crate) through: Option<BlockPoint>,
    /// Where it was gone back to, with something in the old blocks' place or without.
    pub(crate) reverts: Vec<BlockPoint>,
    /// How often there was nothing in their place.
    pub(crate) bare_reverts: usize,
    /// How many stretches came.
    pub(crate) stretches: usize,
    pub(crate) malformed: Vec<MalformedLog>,
    pub(crate) receipts: Vec<Receipt>,
    pub(crate) stop: CancellationToken,
    pub(crate) task: JoinHandle<Result<(), FollowError>>,
}

impl Ledger {
    pub(crate) fn open(settings: FollowSettings, known: Vec<BlockPoint>) -> Self {
        let (sender, updates) = mpsc::channel(4);
        let stop = CancellationToken::new();
        let task = tokio::spawn(follow(settings, known, sender, stop.clone()));
        Self {
            updates,
            logs: Vec::new(),
            through: None,
            reverts: Vec::new(),
            bare_reverts: 0,
            stretches: 0,
            malformed: Vec::new(),
            receipts: Vec::new(),
            stop,
            task,
        }
    }

    pub(crate) fn apply(&mut self, update: ChainUpdate) {
        match update {
            ChainUpdate::Committed(stretch) => self.append(stretch),
            ChainUpdate::Reorged { to, new } => {
                self.go_back(to);
                self.append(new);
            }
            ChainUpdate::Reverted { to } => {
                self.go_back(to);
                self.bare_reverts += 1;
            }
        }
    }

    fn go_back(&mut self, to: BlockPoint) {
        assert!(self.through.is_none_or(|through| to.number < through.number));
        self.logs.retain(|log| log.block_number <= to.number);
        self.reverts.push(to);
        self.through = Some(to);
    }

    fn append(&mut self, stretch: Stretch) {
        let Stretch { from, blocks, headers, through, source, .. } = stretch;
        assert!(
            self.through.is_none_or(|before| from == before.number + 1),
            "{from} after {:?}",
            self.through
        );
        assert!(from <= through.number && headers.last() == Some(&through));
        assert!(
            headers.is_sorted_by(
                |a, b| a.number < b.number && (a.number + 1 < b.number || a.hash == b.parent_hash)
            )
        );
        assert!(source.contains("://127.0.0.1:") && !source.contains("s3cr3tk3y"));
        for block in blocks {
            let after = self.logs.last().map(|log| log.block_number).max(self.through.map(|at| at.number));
            assert!(after.is_none_or(|after| block.number > after), "block {} again", block.number);
            assert!((from..=through.number).contains(&block.number));
            assert!(!block.logs.is_empty() || !block.malformed.is_empty());
            let header = headers.iter().find(|header| header.number == block.number);
            if let Some(header) = header {
                assert_eq!((block.hash, block.parent), (header.hash, Some(header.parent_hash)));
            }
            let belongs = |log: &RawLog| log.block_number == block.number && log.block_hash == block.hash;
            assert!(block.logs.iter().all(belongs));
            assert!(block.logs.is_sorted_by(|a, b| a.log_index < b.log_index));
            let time = 1_700_000_000 + i64::try_from(block.number).unwrap() * 2;
            assert_eq!(block.time, Timestamp::from_seconds(time));
            self.logs.extend(block.logs);
            self.malformed.extend(block.malformed);
            self.receipts.extend(block.receipts);
        }
        self.through = Some(through.point());
        self.stretches += 1;
    }

    /// Listens until a block is covered.
    pub(crate) async fn until(&mut self, head: BlockHeader) {
        let reaching = async {
            while self.through != Some(head.point()) {
                let update = self.updates.recv().await.expect("the follower has ended");
                self.apply(update);
            }
        };
        timeout(PATIENCE, reaching).await.expect("the follower does not arrive");
    }

    /// Listens until the end of a node's chain, and compares.
    pub(crate) async fn agrees_with(&mut self, node: &Node, from: u64) {
        let chain = node.chain();
        self.until(chain.head()).await;
        let mut logs = chain.logs_from(from);
        if node.inner().timeless {
            logs.iter_mut().for_each(|log| log.block_timestamp = None);
        }
        let numbers =
            |logs: &[RawLog]| logs.iter().map(|log| (log.block_number, log.log_index)).collect::<Vec<_>>();
        assert_eq!(numbers(&self.logs), numbers(&logs));
        assert!(self.logs == logs, "the same places, but other logs");
    }

    pub(crate) async fn close(self) {
        self.stop.cancel();
        timeout(PATIENCE, self.task).await.unwrap().unwrap().unwrap();
    }

    pub(crate) async fn error(self) -> FollowError {
        let Self { mut updates, task, .. } = self;
        let ended = async {
            while updates.recv().await.is_some() {}
            task.await.unwrap().unwrap_err()
        };
        timeout(PATIENCE, ended).await.expect("the follower goes on")
    }
}
