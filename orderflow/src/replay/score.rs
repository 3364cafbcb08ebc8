//! `orderflow reputation --tape`: a tape's facts taken in, folded and judged once, as of its last moment. Nobody
//! trades.
//!
//! Every hour of the tape commits whole, and the pass does; what was interrupted goes on behind the last hour
//! that is there, and what was done already adds nothing.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, bail};
use domain::{BlockHash, Timestamp};
use orderflow_reputation::{Pass, Reputation, ReputationSettings};
use store::facts::{self, Block, Writer};
use store::{Store, controls, scores};

use super::tape::Tape;
use super::{ALONE, REPLAY, hours, known_blocks, progress, take_in};

/// Scores the wallets of a folder's tape, and says what stands then.
pub(crate) async fn score(
    folder: &Path,
    store: &Store,
    settings: &ReputationSettings,
    rebuild: bool,
) -> anyhow::Result<Pass> {
    // The whole tape is read and checked before the database is touched.
    let tape = Tape::read(folder)?;
    let last = tape.blocks.last().context("the tape is empty: there is nobody to score")?.time;
    let _only = store.become_only(REPLAY).await?;
    let _scorer = store.become_only("orderflow-reputation").await?;
    let mut transaction = store.begin().await?;
    controls::claim(&mut transaction, controls::TAPE).await?;
    Store::commit(transaction).await?;

    refuse_a_replay(store).await?;
    let known = known_blocks(store, &tape).await?;
    let ever = Timestamp::from_micros(i64::MAX);
    let stored = facts::blocks_before(&mut *store.connection().await?, ever).await?;
    refuse_another_tape(&tape.blocks, &known, stored)?;
    let mut scorer = Reputation::resume(store.clone(), settings.eligibility()).await?;
    let mut writer = Writer::new(store.clone(), ALONE);
    let progress = progress(tape.trades);
    for hour in hours(&tape) {
        if !hour.blocks.iter().all(|block| known.contains(&block.hash)) {
            take_in(&mut writer, &hour).await?;
        }
        progress.inc(hour.blocks.iter().map(|block| block.facts.len() as u64).sum());
    }
    progress.finish_and_clear();

    if rebuild {
        scorer.rebuild().await?;
    }
    scorer.catch_up(i64::MAX).await?;
    let wallets = scorer.publish(last, last).await?.wallets;
    let rated = scores::rated(&mut *store.connection().await?).await?.len();
    // Whether this run published them or one before it: every wallet of the tape has its verdict now.
    Ok(Pass { verdicts: wallets, rated, wallets })
}

/// A replay judges hour by hour; one pass at the end would be about another past.
async fn refuse_a_replay(store: &Store) -> anyhow::Result<()> {
    if facts::point(&mut *store.connection().await?, REPLAY).await?.is_some() {
        bail!(
            "`orderflow replay` filled this database and scored its wallets (see `orderflow wallets`): score the \
             tape into another database (DATABASE_URL) or folder (ORDERFLOW_DATA_DIR)"
        );
    }
    Ok(())
}

/// What is stored must be how this tape begins: nothing else, and without a gap.
fn refuse_another_tape(blocks: &[Block], known: &BTreeSet<BlockHash>, stored: u64) -> anyhow::Result<()> {
    let begun = blocks.iter().take_while(|block| known.contains(&block.hash)).count();
    if begun == known.len() && begun as u64 == stored {
        return Ok(());
    }
    let differs = blocks.get(begun).map_or_else(
        || "it goes on where this one ends".to_owned(),
        |block| format!("they differ at {}", block.time),
    );
    bail!(
        "this database was filled from another tape ({differs}): score this one into another database \
         (DATABASE_URL) or folder (ORDERFLOW_DATA_DIR)"
    );
}
