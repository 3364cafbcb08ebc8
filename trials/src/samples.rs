//! What the measured process measures of itself, sample by sample: a histogram's buckets would hide what is asked for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use service::CancellationToken;

use crate::machine::{quantile, say};

/// Durations by the step they were taken for, in microseconds.
type Series = BTreeMap<String, Vec<u32>>;

/// Keeps every sample of every histogram.
#[derive(Clone, Default)]
pub(crate) struct Samples(Arc<Mutex<Series>>);

/// One histogram.
struct One {
    name: String,
    all: Samples,
}

impl Samples {
    /// Begins to keep them, and does what the parent says over standard input: a line forgets what was kept so far, and
    /// the end prints it and stops everything.
    pub(crate) fn begin(stop: CancellationToken) -> anyhow::Result<()> {
        let samples = Self::default();
        metrics::set_global_recorder(samples.clone())
            .map_err(|_| anyhow::anyhow!("something else takes the metrics"))?;
        std::thread::spawn(move || {
            std::io::stdin().lines().map_while(Result::ok).for_each(|_| samples.series().clear());
            let text = serde_json::to_string(&*samples.series());
            say(&text.unwrap_or_default());
            stop.cancel();
        });
        Ok(())
    }

    fn series(&self) -> MutexGuard<'_, Series> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Prints what a measured process said when it ended, as far as its name has this word in it.
pub(crate) fn print(said: &str, word: &str) -> anyhow::Result<()> {
    let series: Series = serde_json::from_str(said.trim())?;
    for (name, taken) in series.into_iter().filter(|(name, _)| name.contains(word)) {
        line(&name, taken.into_iter().map(|micros| Duration::from_micros(micros.into())).collect());
    }
    Ok(())
}

/// Prints the quantiles of durations.
pub(crate) fn line(name: &str, mut taken: Vec<Duration>) {
    taken.sort_unstable();
    let millis = |share| format!("{:.2}", quantile(&taken, share).as_secs_f64() * 1_000.0);
    say(&format!(
        "           {name:<36} p50 {} p90 {} p99 {} longest {} ms ({})",
        millis(0.5),
        millis(0.9),
        millis(0.99),
        millis(1.0),
        taken.len()
    ));
}

impl HistogramFn for One {
    fn record(&self, seconds: f64) {
        let taken = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        let micros = u32::try_from(taken.as_micros()).unwrap_or(u32::MAX);
        self.all.series().entry(self.name.clone()).or_default().push(micros);
    }
}

impl Recorder for Samples {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::noop()
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        let labels: Vec<&str> = key.labels().map(metrics::Label::value).collect();
        let name = [&[key.name()], &labels[..]].concat().join(" ");
        let name = name.trim_start_matches("orderflow_").replace("_seconds", "");
        Histogram::from_arc(Arc::new(One { name, all: self.clone() }))
    }
}
