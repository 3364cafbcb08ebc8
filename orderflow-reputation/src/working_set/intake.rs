//! Facts on their way in: in the order of the outbox, or of the chain where the past became another one; whoever they
//! concern is in memory then.

use std::collections::BTreeSet;

use decision::reputation::Needs;
use domain::{ConditionId, Fact, Market};
use store::feed::{self, Item, News, Wanted};
use store::states::{self, Saving, Standing};
use store::{PgConnection, Store, Transaction, facts};

use super::WorkingSet;

/// How many items or blocks are read at once.
const CHUNK: u32 = 500;
/// How many facts are taken in at once: they decide how many wallets must be in memory together.
const SLICE: usize = 2_000;
/// How many holders are loaded with one statement.
const HOLDERS: usize = 5_000;
/// How many blocks are folded between two saves: what a crash costs to fold again.
const SAVED_EVERY: u32 = 2_000;

/// Facts on their way in, and a save in their transaction where there was no room for everybody.
struct Intake {
    transaction: Transaction,
    saving: Option<Saving>,
}

impl WorkingSet {
    /// Folds what became known, up to an item. Whether that changed the past.
    pub(crate) async fn catch_up(&mut self, until: i64) -> anyhow::Result<bool> {
        let mut connection = self.store.connection().await?;
        let until = until.min(feed::newest(&mut connection).await?);
        // Blocks that were read in the chain's order are not all known before the last of them is.
        while self.standing.is_behind {
            self.fold_blocks().await?;
        }
        let changed = states::changed_from(&mut connection, self.standing.seq, until).await?;
        if let Some(height) = changed {
            let height = u64::try_from(height).ok();
            // What a wallet paid on average depends on the order.
            if height < self.standing.block {
                self.go_back(height, until).await?;
            }
            self.learn_between(self.standing.seq, until).await?;
            (self.standing.seq, self.standing.is_behind) = (until, true);
            while self.standing.is_behind {
                self.fold_blocks().await?;
            }
        }
        while self.fold_items(until).await? {}
        Ok(changed.is_some())
    }

    /// Takes back what is known of the blocks above a height. If that is too far back, everything known at the item
    /// `until` is folded anew.
    async fn go_back(&mut self, height: Option<u64>, until: i64) -> anyhow::Result<()> {
        let mut transaction = self.store.begin().await?;
        let went = states::go_back(&mut transaction, height).await?;
        Store::commit(transaction).await?;
        match went {
            Some((standing, wallets)) => {
                tracing::info!(?height, to = ?standing.block, wallets = wallets.len(), "taking facts back");
                self.standing = standing;
                self.restore().await
            }
            None => {
                tracing::info!(?height, "the past is another one now: folding anew");
                self.forget_all(until).await
            }
        }
    }

    /// Takes note of whom results have paid that were folded after an item, and saved: whoever has news is known to be
    /// absent already.
    pub(crate) async fn note_paid_since(&mut self, after: i64) -> anyhow::Result<()> {
        let mut connection = self.store.connection().await?;
        let until = self.standing.seq;
        let mut read = after;
        loop {
            let items = feed::read(&mut connection, read, until, CHUNK, Wanted::Facts).await?;
            let Some(last) = items.last() else { return Ok(()) };
            read = last.seq;
            let facts = items.iter().filter_map(|item| match &item.news {
                News::Block(facts) => Some(facts),
                _ => None,
            });
            let ended = facts.flatten().flat_map(|fact| self.history.ended_by(&fact.event));
            let ended: BTreeSet<ConditionId> = ended.collect();
            if ended.is_empty() {
                continue;
            }
            let ended: Vec<ConditionId> = ended.into_iter().collect();
            // Who bought and was paid between two saves is not among the holders of either.
            let wanted = states::Wanted { resolved: &ended, regrouped: &ended, awake: None };
            let concerned = states::find(&mut connection, wanted).await?;
            self.paid.extend(concerned.into_iter().filter(|wallet| self.absent.contains(wallet)));
        }
    }

    /// Learns the markets that were described between two items, in that order: it numbers the questions.
    pub(crate) async fn learn_between(&mut self, after: i64, until: i64) -> anyhow::Result<()> {
        let mut connection = self.store.connection().await?;
        let mut read = after;
        loop {
            let items = feed::read(&mut connection, read, until, CHUNK, Wanted::Markets).await?;
            let Some(last) = items.last() else { return Ok(()) };
            read = last.seq;
            for item in items {
                if let News::Market(market) = item.news {
                    self.learn(&mut connection, &market).await?;
                }
            }
        }
    }

    async fn learn(&mut self, connection: &mut PgConnection, market: &Market) -> anyhow::Result<()> {
        self.is_seen = false;
        let needs = self.history.needs_to_learn(market);
        self.load_needs(connection, &needs).await?;
        self.history.learn(market);
        Ok(())
    }

    /// Folds the next blocks in the chain's order, as known at the item the set stands at.
    async fn fold_blocks(&mut self) -> anyhow::Result<()> {
        let mut transaction = self.store.begin().await?;
        let Standing { block, seq, .. } = self.standing;
        let blocks = facts::in_chain_order(&mut transaction, block, seq, CHUNK).await?;
        let Some((last, _)) = blocks.last() else {
            self.standing.is_behind = false;
            return Ok(());
        };
        self.standing.block = Some(*last);
        let count = blocks.len();
        let facts: Vec<Fact> = blocks.into_iter().flat_map(|(_, facts)| facts).collect();
        let mut intake = Intake { transaction, saving: None };
        self.take_in(&mut intake, &facts).await?;
        tracing::debug!(block = self.standing.block, "folded");
        self.end_intake(intake, count).await
    }

    /// Folds the next items, as long as there are some. None of them changes what is folded already.
    async fn fold_items(&mut self, until: i64) -> anyhow::Result<bool> {
        let mut transaction = self.store.begin().await?;
        // Whether results are looked at is asked for all of a chunk: it ends with those that were.
        let Standing { seq, .. } = self.standing;
        let stop = if seq < self.looked { until.min(self.looked) } else { until };
        let items = feed::read(&mut transaction, seq, stop, CHUNK, Wanted::Facts).await?;
        let Some(last) = items.last() else {
            self.standing.seq = seq.max(stop);
            return Ok(stop < until);
        };
        let height = |item: &Item| match &item.news {
            News::Block(facts) => facts.last().map(|fact| fact.place.block_number),
            _ => None,
        };
        self.standing.seq = last.seq;
        self.standing.block = self.standing.block.max(items.iter().filter_map(height).max());
        let mut intake = Intake { transaction, saving: None };
        let mut blocks: Vec<Fact> = Vec::new();
        let mut count = 0;
        for item in items {
            match item.news {
                News::Block(facts) => {
                    blocks.extend(facts);
                    count += 1;
                }
                News::Market(market) => {
                    self.take_in(&mut intake, &std::mem::take(&mut blocks)).await?;
                    self.learn(&mut intake.transaction, &market).await?;
                }
                News::Reverted(_) | News::History(_) | News::Late(_) | News::Scores { .. } => {}
            }
        }
        self.take_in(&mut intake, &blocks).await?;
        self.end_intake(intake, count).await?;
        Ok(true)
    }

    async fn take_in(&mut self, intake: &mut Intake, facts: &[Fact]) -> anyhow::Result<()> {
        self.is_seen &= facts.is_empty();
        for slice in facts.chunks(SLICE) {
            if self.has_no_room_for_news() {
                self.make_room(intake).await?;
            }
            let needs = self.history.needs(slice);
            self.load_needs(&mut intake.transaction, &needs).await?;
            self.history.apply_batch(slice);
            // What the facts added to those in memory.
            self.bytes += slice.len() * 32;
            self.note_paid();
            self.pay_holders(intake, &needs).await?;
        }
        Ok(())
    }

    /// Loads whom results concern, some at a time: whoever is loaded is paid.
    async fn pay_holders(&mut self, intake: &mut Intake, needs: &Needs) -> anyhow::Result<()> {
        if needs.resolved.is_empty() {
            return Ok(());
        }
        let resolved: Vec<ConditionId> = needs.resolved.iter().copied().collect();
        let holders = states::holders(&mut intake.transaction, &resolved).await?;
        for page in holders.chunks(HOLDERS) {
            if self.is_full() {
                self.make_room(intake).await?;
            }
            self.load_numbered(&mut intake.transaction, page).await?;
            self.note_paid();
        }
        Ok(())
    }

    /// Forgets who was paid where nobody has to be told.
    fn note_paid(&mut self) {
        if !self.heeds_results() {
            self.history.forget_results();
        }
    }

    /// Saves and forgets everybody. It counts when the intake ends.
    async fn make_room(&mut self, intake: &mut Intake) -> anyhow::Result<()> {
        let saving = match &intake.saving {
            Some(saving) => saving,
            None => intake.saving.insert(self.begin_save(&mut intake.transaction).await?),
        };
        self.save_wallets(&mut intake.transaction, saving).await?;
        self.forget();
        Ok(())
    }

    /// Saves what was begun to be saved, or what is worth it.
    async fn end_intake(&mut self, intake: Intake, blocks: usize) -> anyhow::Result<()> {
        self.unsaved = self.unsaved.saturating_add(u32::try_from(blocks).unwrap_or(u32::MAX));
        let Intake { mut transaction, saving } = intake;
        let saving = match saving {
            None if !self.is_full() && self.unsaved < SAVED_EVERY => return Ok(()),
            None => self.begin_save(&mut transaction).await?,
            Some(saving) => saving,
        };
        self.save_wallets(&mut transaction, &saving).await?;
        self.end_save(&mut transaction, saving).await?;
        Store::commit(transaction).await?;
        if self.is_full() {
            self.forget();
        }
        Ok(())
    }
}
