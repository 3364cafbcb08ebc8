//! Tasks that live and fall together: one that ends, fails or panics takes the process down in order.

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;

/// How long tasks have to finish what they are doing once they are asked to stop.
const DRAIN: Duration = Duration::from_secs(12);

/// Returns when a person or the system asks the process to end: Ctrl-C or SIGTERM.
///
/// # Errors
/// If signals cannot be listened for.
pub async fn interrupted() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    tokio::select! {
        heard = tokio::signal::ctrl_c() => heard.context("cannot listen for Ctrl-C"),
        _ = terminate.recv() => Ok(()),
    }
}

/// The tasks of a process.
#[derive(Debug, Default)]
pub struct Supervisor {
    stop: CancellationToken,
    tasks: JoinSet<anyhow::Result<()>>,
    names: HashMap<Id, &'static str>,
}

impl Supervisor {
    /// Without tasks yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What tells tasks to stop.
    #[must_use]
    pub fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Starts a task. It is expected to run until it is told to stop.
    pub fn spawn(
        &mut self,
        name: &'static str,
        task: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        let handle = self.tasks.spawn(task);
        self.names.insert(handle.id(), name);
    }

    /// Runs until Ctrl-C, SIGTERM or somebody's `stop`, or until a task ends by itself; then stops the others.
    ///
    /// # Errors
    /// The first task that failed, panicked, ended unasked, or did not stop in time, by its name.
    pub async fn run(mut self) -> anyhow::Result<()> {
        let first = tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            heard = interrupted() => { tracing::info!("stopping"); heard.err().map(Err) }
            ended = self.tasks.join_next_with_id() => ended.map(|ended| self.verdict(ended, false)),
        };
        self.stop.cancel();
        let mut outcome = first.unwrap_or(Ok(()));
        let drained = tokio::time::timeout(DRAIN, async {
            while let Some(ended) = self.tasks.join_next_with_id().await {
                let verdict = self.verdict(ended, true);
                if outcome.is_ok() {
                    outcome = verdict;
                }
            }
        })
        .await;
        if drained.is_err() {
            self.tasks.abort_all();
            let late = anyhow!("tasks did not stop within {} s and were aborted", DRAIN.as_secs());
            return outcome.and(Err(late));
        }
        outcome
    }

    fn verdict(
        &self,
        ended: Result<(Id, anyhow::Result<()>), tokio::task::JoinError>,
        asked: bool,
    ) -> anyhow::Result<()> {
        let id = match &ended {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        let name = self.names.get(&id).copied().unwrap_or("a task");
        match ended {
            Ok((_, Ok(()))) if asked => Ok(()),
            Ok((_, Ok(()))) => Err(anyhow!("{name} ended though nobody asked it to")),
            Ok((_, Err(error))) => Err(error.context(format!("{name} failed"))),
            Err(error) => Err(anyhow!("{name} panicked: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn until_stopped(stop: CancellationToken) -> anyhow::Result<()> {
        stop.cancelled().await;
        Ok(())
    }

    #[tokio::test]
    async fn a_failing_task_stops_the_others_and_is_named() {
        let mut supervisor = Supervisor::new();
        supervisor.spawn("steady", until_stopped(supervisor.stop()));
        supervisor.spawn("broken", async { Err(anyhow!("no luck")) });
        let error = supervisor.run().await.unwrap_err();
        assert_eq!(format!("{error:#}"), "broken failed: no luck");
    }

    #[tokio::test]
    async fn a_panicking_task_is_named() {
        let mut supervisor = Supervisor::new();
        supervisor.spawn("shaky", async { panic!("oh") });
        let error = supervisor.run().await.unwrap_err();
        assert!(error.to_string().starts_with("shaky panicked"), "{error}");
    }

    #[tokio::test]
    async fn a_task_that_just_ends_is_a_failure() {
        let mut supervisor = Supervisor::new();
        supervisor.spawn("lazy", async { Ok(()) });
        assert!(supervisor.run().await.is_err());
    }

    #[tokio::test]
    async fn stopping_is_no_failure() {
        let mut supervisor = Supervisor::new();
        supervisor.spawn("steady", until_stopped(supervisor.stop()));
        supervisor.stop().cancel();
        supervisor.run().await.unwrap();
    }
}
