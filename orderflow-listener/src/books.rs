//! What the sources cost, how they are and what nonsense they said, from memory into the database.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use polygon::rpc::Observer;
use service::{CancellationToken, clock};
use store::{Store, sources};

/// How often the books are brought up to date.
const EVERY: Duration = Duration::from_secs(5);

/// A month of 30 days, as prices are given for.
const MONTH_HOURS: f64 = 720.0;

/// What was spent in all, by source and method.
type Accounts = HashMap<(Arc<str>, &'static str), sources::Usage>;

/// What an account of spending is kept under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// What goes on for ever.
    Live,
    /// What goes on for ever beside it, and once for all history.
    Audit,
    /// What is paid once.
    Backfill,
}

impl Purpose {
    const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Audit => "audit",
            Self::Backfill => "backfill",
        }
    }
}

/// Keeps the books of one observer.
pub(crate) struct Books {
    store: Store,
    observer: Arc<Observer>,
    purpose: Purpose,
    begun: Instant,
    /// Bad answers that are not in the database yet.
    untold: Vec<sources::BadAnswer>,
    /// What is in the database of each method's account.
    written: Accounts,
}

impl Books {
    pub(crate) fn new(store: Store, observer: Arc<Observer>, purpose: Purpose) -> Self {
        Self { store, observer, purpose, begun: Instant::now(), untold: vec![], written: HashMap::new() }
    }

    /// Keeps them until it is told to stop, and once more then.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        while stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
            self.write_or_warn().await;
        }
        self.write_or_warn().await;
        Ok(())
    }

    /// Keeps them as long as something else takes.
    pub(crate) async fn beside<T>(mut self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        let done = loop {
            tokio::select! {
                done = &mut work => break done,
                () = tokio::time::sleep(EVERY) => self.write_or_warn().await,
            }
        };
        self.write_or_warn().await;
        done
    }

    /// Facts are worth more than their account: what cannot be written now is written the next time.
    async fn write_or_warn(&mut self) {
        if let Err(error) = self.write().await {
            tracing::warn!("the books could not be brought up to date: {error:#}");
        }
    }

    async fn write(&mut self) -> anyhow::Result<()> {
        let (news, usage) = self.usage();
        self.untold.extend(self.observer.take_complaints().into_iter().map(|one| sources::BadAnswer {
            endpoint: one.endpoint.to_string(),
            method: one.method.to_owned(),
            reason: one.what,
            excerpt: one.excerpt,
            at: one.at,
        }));
        let health: Vec<sources::Health> = self
            .observer
            .health()
            .into_iter()
            .map(|one| sources::Health {
                endpoint: one.endpoint.to_string(),
                working: one.working,
                head: one.head,
                last_answer: one.last_answer,
                last_error: one.last_error,
                failures: one.failures_in_a_row,
            })
            .collect();
        self.show(&usage, &health);
        let mut transaction = self.store.begin().await?;
        sources::add_usage(&mut transaction, clock::now(), self.purpose.name(), &news).await?;
        // How a source is, is told by those who follow it; an audit that asks it now and then knows less.
        if self.purpose != Purpose::Audit {
            sources::set_health(&mut transaction, &health).await?;
        }
        sources::add_bad_answers(&mut transaction, &self.untold).await?;
        Store::commit(transaction).await?;
        // Only what is committed is not told again.
        self.written = usage;
        self.untold.clear();
        Ok(())
    }

    /// The same for whoever scrapes metrics.
    fn show(&self, usage: &Accounts, health: &[sources::Health]) {
        for one in usage.values() {
            let labels = [
                ("purpose", self.purpose.name().to_owned()),
                ("endpoint", one.endpoint.clone()),
                ("method", one.method.clone()),
            ];
            metrics::counter!("orderflow_rpc_calls_total", &labels).absolute(one.calls);
            metrics::counter!("orderflow_rpc_failures_total", &labels).absolute(one.failures);
            metrics::counter!("orderflow_compute_units_total", &labels).absolute(one.compute_units);
        }
        let spent: u64 = usage.values().map(|one| one.compute_units).sum();
        let hours = self.begun.elapsed().as_secs_f64().max(60.0) / 3_600.0;
        if self.purpose == Purpose::Live {
            // Units are far below the numbers a float holds exactly.
            metrics::gauge!("orderflow_compute_units_month_forecast").set(spent as f64 / hours * MONTH_HOURS);
        }
        for one in health {
            let head = one.head.unwrap_or_default() as f64;
            metrics::gauge!("orderflow_source_head", "endpoint" => one.endpoint.clone()).set(head);
            let working = if one.working { 1.0 } else { 0.0 };
            metrics::gauge!("orderflow_source_working", "endpoint" => one.endpoint.clone()).set(working);
        }
        let purpose = self.purpose.name();
        metrics::counter!("orderflow_bad_answers_total", "purpose" => purpose)
            .absolute(self.observer.complaints());
    }

    /// What was spent since the last time, and in all.
    fn usage(&self) -> (Vec<sources::Usage>, Accounts) {
        let mut news = vec![];
        let mut all = HashMap::new();
        for one in self.observer.usage() {
            let now = sources::Usage {
                endpoint: one.endpoint.to_string(),
                method: one.method.to_owned(),
                calls: one.calls,
                failures: one.failures,
                bytes: one.bytes,
                compute_units: one.compute_units,
            };
            let key = (one.endpoint, one.method);
            let more = match self.written.get(&key) {
                None => now.clone(),
                Some(before) => sources::Usage {
                    calls: now.calls.saturating_sub(before.calls),
                    failures: now.failures.saturating_sub(before.failures),
                    bytes: now.bytes.saturating_sub(before.bytes),
                    compute_units: now.compute_units.saturating_sub(before.compute_units),
                    ..now.clone()
                },
            };
            if more.calls + more.failures + more.bytes > 0 {
                news.push(more);
            }
            all.insert(key, now);
        }
        (news, all)
    }
}
