//! What the benchmarks stand on: a PostgreSQL of their own, and a process of its own for what is measured.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use orderflow_executor::ServiceSettings;
use orderflow_listener::{ChainSource, ListenerSettings, NewHeads, Progress, Span, backfill};
use service::telemetry::TelemetrySettings;
use service::{CancellationToken, Database, Supervisor};
use store::Store;
use store::managed::Durability;
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;

use crate::machine::peak_memory;

/// A database of its own that survives a crash, as a user's does.
pub(crate) struct Stage {
    pub(crate) database: Database,
    folder: TempDir,
}

impl Stage {
    pub(crate) async fn set_up() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("orderflow-bench-").tempdir()?;
        let database = Database::private(folder.path().to_owned(), Durability::Durable).await?;
        Ok(Self { database, folder })
    }

    /// A place for its files, which goes with it.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// What a process of its own is to do.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Child {
    /// `backfill`, `listen`, `pass` or `result`.
    task: String,
    /// The database.
    #[arg(long)]
    database: String,
    /// The nodes, separated by commas.
    #[arg(long, default_value = "")]
    rpc: String,
    /// A portal to ask instead of the nodes.
    #[arg(long)]
    portal: Option<String>,
    /// Where markets are described.
    #[arg(long, default_value = NOBODY)]
    gamma: String,
    /// Where the books are.
    #[arg(long, default_value = NOBODY)]
    clob: String,
    /// The first block; a listener without one goes on behind what is covered.
    #[arg(long)]
    from: Option<u64>,
    /// The last block of a backfill.
    #[arg(long)]
    to: Option<u64>,
    /// Milliseconds between two looks at the head.
    #[arg(long, default_value_t = 2_750)]
    poll: u32,
    /// Whether announcements are subscribed to where the node is on this machine.
    #[arg(long)]
    subscribe: bool,
    /// Seconds between two audits.
    #[arg(long, default_value_t = 120)]
    audit: u32,
    /// The most blocks to ask for at once.
    #[arg(long, default_value_t = 500)]
    range: u32,
    /// What is logged.
    #[arg(long, default_value = "error")]
    log: String,
}

impl Child {
    pub(crate) fn new(task: &str, stage: &Stage, rpc: String, from: u64) -> Self {
        let database = stage.database.url().to_owned();
        Self {
            task: task.to_owned(),
            database,
            rpc,
            portal: None,
            // Nobody answers there, and titles are not what is measured.
            gamma: NOBODY.to_owned(),
            clob: NOBODY.to_owned(),
            from: Some(from),
            to: None,
            poll: 2_750,
            subscribe: false,
            audit: 120,
            range: 500,
            log: "error".to_owned(),
        }
    }

    pub(crate) fn to(mut self, to: u64) -> Self {
        self.to = Some(to);
        self
    }

    pub(crate) fn subscribing(mut self) -> Self {
        self.subscribe = true;
        self
    }

    pub(crate) fn polling(mut self, millis: u32, audit: u32) -> Self {
        (self.poll, self.audit) = (millis, audit);
        self
    }

    fn settings(&self) -> ListenerSettings {
        ListenerSettings {
            polygon_rpc_url: self.rpc.clone(),
            start_block: self.from.map(|from| from.to_string()),
            chain_source: if self.portal.is_some() { ChainSource::Portal } else { ChainSource::Rpc },
            portal_url: self.portal.clone().unwrap_or_default(),
            poll_interval_ms: self.poll,
            new_heads: if self.subscribe { NewHeads::Always } else { NewHeads::Never },
            audit_interval_secs: self.audit,
            trade_retention_days: None,
            max_block_range: self.range,
            gamma_url: self.gamma.clone(),
        }
    }
}

/// An address at which nobody answers.
const NOBODY: &str = "http://127.0.0.1:9";

/// The executor's own settings.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Executor {
    #[command(flatten)]
    settings: ServiceSettings,
}

/// Does what the executor's own program does, until it ends or is killed.
pub(crate) async fn run_executor(executor: Executor) -> anyhow::Result<()> {
    let ServiceSettings { database, strategy, venue, telemetry } = executor.settings;
    telemetry.start()?;
    let database = database.open().await?;
    let mut supervisor = Supervisor::new();
    let store = database.store.clone();
    supervisor
        .spawn("orderflow-executor", orderflow_executor::run(strategy, venue, store, supervisor.stop()));
    let ran = supervisor.run().await;
    let closed = database.close().await;
    ran.and(closed)
}

/// A process that is measured.
pub(crate) struct Measured {
    process: tokio::process::Child,
}

impl Measured {
    pub(crate) fn spawn(child: &Child) -> anyhow::Result<Self> {
        let mut command = tokio::process::Command::new(std::env::current_exe()?);
        command.args(["child", &child.task, "--database", &child.database, "--rpc", &child.rpc]).args([
            "--poll",
            &child.poll.to_string(),
            "--audit",
            &child.audit.to_string(),
        ]);
        if let Some(from) = child.from {
            command.args(["--from", &from.to_string()]);
        }
        if let Some(to) = child.to {
            command.args(["--to", &to.to_string()]);
        }
        if child.subscribe {
            command.arg("--subscribe");
        }
        let process = command.stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        Ok(Self { process })
    }

    /// The most memory it has had so far, megabytes.
    pub(crate) fn peak(&self) -> f64 {
        self.process.id().and_then(peak_memory).unwrap_or_default()
    }

    /// Waits for its end: what it printed, and the most memory it had, looked at ten times a second.
    pub(crate) async fn finish(mut self) -> anyhow::Result<(String, f64)> {
        let mut printed = vec![];
        let mut output = self.process.stdout.take().context("the child has no output")?;
        let mut peak = 0.0;
        loop {
            peak = self.peak().max(peak);
            // What is half read must not be lost when the clock is looked at, so it is read piece by piece.
            tokio::select! {
                read = output.read_buf(&mut printed) => {
                    if read? == 0 {
                        break;
                    }
                }
                () = tokio::time::sleep(Duration::from_millis(100)) => {}
            }
        }
        let status = self.process.wait().await?;
        anyhow::ensure!(status.success(), "the measured process ended with {status}");
        Ok((String::from_utf8(printed)?, peak))
    }

    pub(crate) async fn kill(mut self) -> anyhow::Result<()> {
        Ok(self.process.kill().await?)
    }
}

/// Does what a measured process does.
pub(crate) async fn run_child(child: Child) -> anyhow::Result<()> {
    TelemetrySettings::only_logs(&child.log).start()?;
    let store = Store::connect(&child.database).await?;
    let stop = CancellationToken::new();
    if child.task == "pass" || child.task == "result" {
        return crate::reputation::child(&child.task, child.from, store).await;
    }
    if child.task == "listen" {
        return orderflow_listener::run(child.settings(), child.clob, store, stop).await;
    }
    let from = child.from.context("a backfill begins with a block")?;
    let span = Span::Blocks { from, to: child.to };
    let outcome = backfill(&child.settings(), span, store, Arc::<Progress>::default(), stop).await?;
    crate::machine::say(&format!(
        "{} {} {} {}",
        outcome.fills,
        outcome.reading.as_secs_f64(),
        outcome.indexing.as_secs_f64(),
        outcome.compute_units
    ));
    Ok(())
}
