//! One round: processes that are killed again and again while something goes wrong, then rest, then the verdict.

use std::time::Duration;

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;
use tokio::time::sleep;

use crate::database::Database;
use crate::process::Process;
use crate::trouble::{Trouble, any_provider};
use crate::verdict::{assert_complete, assert_true};
use crate::world::{FINALITY, HISTORY, World};

/// The deepest reorganisation: what is final stays.
const DEEPEST: usize = 64;

/// Who is at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// The listener, from the first block on.
    Listening,
    /// A backfill of the history, behind which a listener goes on in the end.
    Backfilling,
    /// A listener from the middle of the history on, beside a backfill of what is before.
    Both,
}

/// How the chain is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    /// Both nodes over HTTP.
    Http,
    /// Both over WebSocket.
    Socket,
    /// The first over WebSocket, the second over HTTP.
    Mixed,
    /// The portal.
    Portal,
}

/// All ways to work over all ways to reach the chain.
pub(crate) const WORKS: [Work; 3] = [Work::Both, Work::Listening, Work::Backfilling];
/// See [`Wire`].
pub(crate) const WIRES: [Wire; 4] = [Wire::Socket, Wire::Http, Wire::Portal, Wire::Mixed];

/// What a round is about.
pub(crate) struct Round {
    /// Which world it happens in.
    pub(crate) seed: u64,
    /// What goes wrong.
    pub(crate) trouble: &'static Trouble,
    /// Who is at work.
    pub(crate) work: Work,
    /// How the chain is reached.
    pub(crate) wire: Wire,
    /// The most kills.
    pub(crate) kills: u32,
    /// Chance.
    pub(crate) dice: ChaCha8Rng,
}

/// What came of it.
#[derive(Default)]
pub(crate) struct Outcome {
    /// How often a process was killed.
    pub(crate) kills: u32,
    /// How often the database was compared.
    pub(crate) verdicts: u32,
    /// How many fills it had in the end.
    pub(crate) fills: usize,
}

/// A round under way.
struct Scene {
    round: Round,
    world: World,
    database: Database,
    folder: TempDir,
    listener: Option<Process>,
    backfill: Option<Process>,
    /// Whether a backfill came to its end.
    is_filled: bool,
    outcome: Outcome,
}

impl Round {
    /// Plays it to its end.
    pub(crate) async fn play(mut self) -> Outcome {
        let provider = any_provider(&mut self.dice);
        let world = World::start(self.seed).await;
        world.misbehave(self.trouble, provider, self.dice.random());
        let mut scene = Scene {
            world,
            database: Database::create().await,
            folder: tempfile::tempdir().unwrap(),
            listener: None,
            backfill: None,
            is_filled: false,
            outcome: Outcome::default(),
            round: self,
        };
        scene.suffer().await;
        scene.rest().await;
        scene.outcome
    }
}

impl Scene {
    /// Kills at random moments, until enough were killed or everything is done.
    async fn suffer(&mut self) {
        while self.outcome.kills < self.round.kills {
            if self.backfill.is_none() && self.round.work != Work::Listening && !self.is_filled {
                self.backfill = Some(self.start_backfill());
            }
            if self.listener.is_none() && self.round.work != Work::Backfilling {
                self.listener = Some(self.start_listener());
            }
            self.let_pass().await;
            // Both, or either.
            let who = self.round.dice.random_range(0..3);
            if who != 0 || self.backfill.is_none() {
                self.kill_listener().await;
            }
            if who != 1 || self.listener.is_none() {
                self.kill_backfill().await;
            }
            if self.round.work == Work::Backfilling && self.is_filled {
                break;
            }
        }
    }

    /// Between 50 milliseconds and a second and a half, in which the chain may change its mind.
    async fn let_pass(&mut self) {
        let (dice, devnet) = (&mut self.round.dice, &self.world.devnet);
        let mut left = dice.random_range(50..1_500);
        for _ in 0..dice.random_range(0..3) {
            let part = dice.random_range(0..=left);
            sleep(Duration::from_millis(part)).await;
            left -= part;
            match dice.random_range(0..6) {
                0 => devnet.disconnect_all(),
                1 | 2 => devnet.reorg(dice.random_range(1..=3)),
                _ => devnet.reorg(dice.random_range(1..=DEEPEST)),
            }
        }
        sleep(Duration::from_millis(left)).await;
    }

    /// Lets everything come to rest, and compares.
    async fn rest(&mut self) {
        // Those that run wait for nodes that have failed them; new ones know nothing of it.
        self.kill_listener().await;
        self.kill_backfill().await;
        let (world, first) = (&self.world, self.world.devnet.first_block());
        world.behave();
        let concerned = world.head().number;
        if self.round.work != Work::Listening {
            self.start_backfill().end().await;
        }
        let needs_audit = self.needs_audit();
        if self.round.work == Work::Backfilling && !needs_audit {
            let end = self.database.covered().await.unwrap();
            assert_true(world, &self.database, first..=end, self.knows_receipts()).await;
            self.outcome.verdicts += 1;
        }
        let mut listener = self.start_listener();
        while needs_audit && world.head().number <= concerned + FINALITY {
            sleep(Duration::from_millis(50)).await;
        }
        world.devnet.pause(true);
        if self.round.dice.random_bool(0.3) {
            world.devnet.reorg(self.round.dice.random_range(1..=DEEPEST));
        }
        let (database, head) = (&self.database, world.head());
        listener.until("the head", async || database.is_at(head.hash).await).await;
        if needs_audit {
            listener.until("the audit", async || database.is_audited(first..=concerned).await).await;
        }
        self.outcome.fills = assert_true(world, database, first..=head.number, self.knows_receipts()).await;
        assert_complete(world, database).await;
        self.outcome.verdicts += 1;
        listener.kill().await;
    }

    fn needs_audit(&self) -> bool {
        self.round.trouble.deceives(self.round.wire == Wire::Portal)
    }

    fn knows_receipts(&self) -> bool {
        self.round.wire != Wire::Portal
    }

    async fn kill_listener(&mut self) {
        if let Some(listener) = self.listener.take() {
            assert!(listener.kill().await, "the listener ended by itself");
            self.outcome.kills += 1;
        }
    }

    async fn kill_backfill(&mut self) {
        if let Some(backfill) = self.backfill.take() {
            let is_killed = backfill.kill().await;
            self.outcome.kills += u32::from(is_killed);
            self.is_filled |= !is_killed;
        }
    }

    fn start_backfill(&self) -> Process {
        let first = self.world.devnet.first_block();
        self.start("backfill", &["--from", &first.to_string()])
    }

    /// A listener begins where the work wants it to; one behind a backfill where that ended.
    fn start_listener(&self) -> Process {
        let first = self.world.devnet.first_block();
        let from = match self.round.work {
            Work::Listening => first.to_string(),
            Work::Both => (first + HISTORY / 2).to_string(),
            Work::Backfilling => return self.start("listen", &[]),
        };
        self.start("listen", &["--from", &from])
    }

    fn start(&self, task: &str, more: &[&str]) -> Process {
        let urls = self.world.devnet.urls();
        let (over_http, over_socket) = (&urls.rpc_http_all, &urls.rpc_ws_all);
        let source = match self.round.wire {
            Wire::Http => ["--rpc".to_owned(), over_http.join(",")],
            Wire::Socket => ["--rpc".to_owned(), over_socket.join(",")],
            Wire::Mixed => ["--rpc".to_owned(), format!("{},{}", over_socket[0], over_http[1])],
            Wire::Portal => ["--portal".to_owned(), urls.portal.clone()],
        };
        // Small ranges, so that there are many moments to be killed at; but each is audited in its turn.
        let range = if self.needs_audit() { "240" } else { "30" };
        let always = ["--poll", "100", "--audit", "1", "--range", range, "--log", "info"];
        let mut arguments: Vec<String> =
            ["child", task, "--database", self.database.url(), "--gamma", &urls.gamma, "--clob", &urls.clob]
                .iter()
                .chain(&always)
                .chain(more)
                .map(|text| (*text).to_owned())
                .collect();
        arguments.extend(source);
        if self.round.wire == Wire::Socket {
            arguments.push("--subscribe".to_owned());
        }
        Process::start(arguments, self.folder.path().join(task))
    }
}
