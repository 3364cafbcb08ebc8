//! `orderflow backfill`: history into the database, with a progress bar.

use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use indicatif::{ProgressBar, ProgressStyle};
use orderflow_listener::{Outcome, Progress, Span, backfill};
use serde_json::{Value, json};
use service::{CancellationToken, interrupted};
use store::Store;

use crate::args::Backfill;
use crate::render;

/// How often the bar moves.
const TICK: Duration = Duration::from_millis(200);

/// Reads history until it is there, or until Ctrl-C: what is stored by then stays, and the same words go on.
pub(crate) async fn run(settings: &Backfill, store: Store) -> anyhow::Result<()> {
    let span = span(settings)?;
    let progress = Arc::new(Progress::default());
    let stop = CancellationToken::new();
    let bar = bar(settings.json)?;
    let chain = settings.listener();
    let mut reading = Box::pin(backfill(&chain, span, store, Arc::clone(&progress), stop.clone()));
    let mut heard = Box::pin(interrupted());
    let outcome = loop {
        tokio::select! {
            outcome = &mut reading => break outcome?,
            heard = &mut heard, if !stop.is_cancelled() => {
                heard?;
                stop.cancel();
            }
            () = tokio::time::sleep(TICK) => {}
        }
        bar.set_length(progress.blocks());
        bar.set_position(progress.done());
        bar.set_message(progress.fills().to_string());
    };
    bar.finish_and_clear();
    render::summary(&summary(&outcome), settings.json)?;
    if outcome.interrupted {
        bail!("stopped before the end: the same command goes on where this one was");
    }
    Ok(())
}

fn span(settings: &Backfill) -> anyhow::Result<Span> {
    match (settings.from_block, settings.days) {
        (Some(from), None) => Ok(Span::Blocks { from, to: settings.to_block }),
        (None, Some(days)) => Ok(Span::Days(days)),
        _ => bail!("say from where: --from-block NUMBER, or --days NUMBER"),
    }
}

fn bar(json: bool) -> anyhow::Result<ProgressBar> {
    if json {
        return Ok(ProgressBar::hidden());
    }
    let style = ProgressStyle::with_template(
        "{wide_bar} {pos}/{len} blocks  {msg} fills  {per_sec}  {elapsed}  {eta} left",
    )?;
    Ok(ProgressBar::new(0).with_style(style))
}

fn summary(outcome: &Outcome) -> Value {
    let seconds = outcome.reading.as_secs_f64();
    json!({
        "from_block": outcome.span.0,
        "to_block": outcome.span.1,
        "blocks": outcome.blocks,
        "fills": outcome.fills,
        "seconds": (seconds * 1_000.0).round() / 1_000.0,
        "indexing_seconds": (outcome.indexing.as_secs_f64() * 1_000.0).round() / 1_000.0,
        "fills_per_second": if seconds > 0.0 { (outcome.fills as f64 / seconds).round() } else { 0.0 },
        "requests": outcome.requests,
        "compute_units": outcome.compute_units,
    })
}
