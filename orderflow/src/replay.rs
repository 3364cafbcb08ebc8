//! `orderflow replay`: a recorded tape through the same store, reputation and executor as live trades, in the
//! tape's own time.
//!
//! An hour is taken in, acted on, and scored, in this order, so that nothing is seen before it happened.
//! Every part commits with its own cursor; a replay that was killed goes on in the hour it was killed in and
//! comes to the same end.

mod score;
mod tape;
mod tie;

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, bail};
use domain::{BlockHash, Market, Timestamp};
use indicatif::{ProgressBar, ProgressStyle};
use orderflow_executor::{Executor, Prints, StrategySettings, Venue};
use orderflow_reputation::{Reputation, ReputationSettings};
use store::facts::{self, Block, Point, Stretch, Writer};
use store::{Store, controls, markets};
use tape::Tape;

pub(crate) use score::score;
pub(crate) use tie::verify;

/// The name of a replay's place among the writers', and of the lock of whatever plays a tape.
const REPLAY: &str = "orderflow-replay";
/// The name of the place of a tape that is scored without being traded on.
const ALONE: &str = "orderflow-reputation-tape";

/// An hour of the tape in which something happened.
struct Hour<'tape> {
    end: Timestamp,
    /// The height behind the hour before.
    from: u64,
    blocks: &'tape [Block],
    markets: Vec<Market>,
}

/// Plays a folder's tape into the database.
pub(crate) async fn play(
    folder: &Path,
    store: &Store,
    strategy: &StrategySettings,
    reputation: &ReputationSettings,
) -> anyhow::Result<()> {
    // The whole tape is read and checked before the database is touched.
    let tape = Tape::read(folder)?;
    let _only = store.become_only(REPLAY).await?;
    let _scorer = store.become_only("orderflow-reputation").await?;
    let _trader = store.become_only("orderflow-executor").await?;
    let mut transaction = store.begin().await?;
    controls::claim(&mut transaction, controls::TAPE).await?;
    Store::commit(transaction).await?;

    refuse_what_is_scored(store).await?;
    let known = known_blocks(store, &tape).await?;
    let mut scorer = Reputation::resume(store.clone(), reputation.eligibility()).await?;
    let decided = scorer.last_pass();
    let until = decided.unwrap_or_default();
    let stored = facts::blocks_before(&mut *store.connection().await?, until).await?;
    refuse_another_past(&tape, &known, decided, stored)?;
    let venue = Venue::Tape(Prints::default());
    let mut trader = Executor::resume(store.clone(), strategy.policy(), venue).await?;

    let mut writer = Writer::new(store.clone(), REPLAY);
    let progress = progress(tape.trades);
    for hour in hours(&tape) {
        let trades = hour.blocks.iter().map(|block| block.facts.len() as u64).sum();
        if scorer.last_pass().is_none_or(|last| last < hour.end) {
            take_in(&mut writer, &hour).await?;
            trader.catch_up().await?;
            scorer.catch_up(i64::MAX).await?;
            scorer.publish(hour.end, hour.end).await?;
        }
        trader.catch_up().await?;
        progress.inc(trades);
    }
    progress.finish_and_clear();
    Ok(())
}

/// Takes an hour's markets and blocks into the database.
async fn take_in(writer: &mut Writer, hour: &Hour<'_>) -> anyhow::Result<()> {
    let (Some(first), Some(last)) = (hour.blocks.first(), hour.blocks.last()) else {
        return Ok(());
    };
    let mut transaction = writer.begin(hour.blocks).await?;
    markets::learn(&mut transaction, &hour.markets, first.time).await?;
    let through = Point { number: last.number, hash: last.hash };
    let stretch = Stretch { from: hour.from, through, blocks: hour.blocks, source: controls::TAPE };
    writer.commit(&mut transaction, &stretch).await?;
    Store::commit(transaction).await?;
    Ok(())
}

/// The tape's hours in which something happened.
fn hours(tape: &Tape) -> impl Iterator<Item = Hour<'_>> {
    let mut markets = tape.markets.iter().peekable();
    let mut from = tape.blocks.first().map_or(0, |block| block.number);
    tape.blocks.chunk_by(|one, next| one.time.hour_start() == next.time.hour_start()).map(move |blocks| {
        let end = blocks
            .first()
            .map_or(Timestamp::default(), |block| block.time.hour_start().plus_micros(Timestamp::HOUR));
        let mut fresh = vec![];
        while let Some((_, market)) = markets.next_if(|(from, _)| *from < end) {
            fresh.push(market.clone());
        }
        let past = blocks.last().map_or(from, |block| block.number + 1);
        Hour { end, from: std::mem::replace(&mut from, past), blocks, markets: fresh }
    })
}

async fn known_blocks(store: &Store, tape: &Tape) -> anyhow::Result<BTreeSet<BlockHash>> {
    let hashes: Vec<BlockHash> = tape.blocks.iter().map(|block| block.hash).collect();
    let known = facts::known(&mut *store.connection().await?, &hashes).await?;
    Ok(known.into_iter().collect())
}

/// Where a tape was scored as a whole, what is believed at its end would be known at its beginning.
async fn refuse_what_is_scored(store: &Store) -> anyhow::Result<()> {
    if facts::point(&mut *store.connection().await?, ALONE).await?.is_some() {
        bail!(
            "`orderflow reputation --tape` filled this database, without trading: replay into another database \
             (DATABASE_URL) or folder (ORDERFLOW_DATA_DIR)"
        );
    }
    Ok(())
}

/// What was decided cannot be decided again with another past: up to the last pass, the tape must be the one
/// that the database was filled from.
fn refuse_another_past(
    tape: &Tape,
    known: &BTreeSet<BlockHash>,
    decided: Option<Timestamp>,
    stored: u64,
) -> anyhow::Result<()> {
    let Some(decided) = decided else { return Ok(()) };
    let missing = tape.blocks.iter().filter(|block| block.time < decided).count();
    if (missing as u64) < stored {
        bail!(
            "this database was filled from a longer tape and decided up to {decided}: replay into another database \
             (DATABASE_URL) or folder (ORDERFLOW_DATA_DIR)"
        );
    }
    let stranger = tape.blocks.iter().find(|block| block.time < decided && !known.contains(&block.hash));
    if let Some(block) = stranger {
        bail!(
            "this database was filled from another tape and decided up to {decided}, but has nothing that happened \
             at {}: replay into another database (DATABASE_URL) or folder (ORDERFLOW_DATA_DIR)",
            block.time
        );
    }
    Ok(())
}

fn progress(trades: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} events  {per_sec}  {eta} left")
        .context("the progress bar's template")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(trades).with_style(style)
}
