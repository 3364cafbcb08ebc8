//! The wallets in memory, and the others in the database: who is needed is loaded, what changed is saved with the
//! place it is known up to, and when there is too much of it everybody is forgotten.

use std::collections::BTreeSet;

use decision::reputation::{Damaged, Needs, SavedWallet, WalletPosition};
use decision::{Eligibility, History};
use domain::{ConditionId, Fact, Market, Wallet};
use store::feed::{self, Item, News, Wanted};
use store::scores::HeldShares;
use store::states::{self, Reached, Saving, Standing, WalletNumber, WalletState, WorldKey};
use store::{PgConnection, Store, Transaction, audit, facts};

/// How many items or blocks are read at once.
const CHUNK: u32 = 500;
/// How many wallets are loaded or saved with one statement.
pub(crate) const PAGE: usize = 2_000;
/// How many facts are taken in at once: they decide how many wallets must be in memory together.
const SLICE: usize = 2_000;
/// The kinds of what is not a wallet's.
const QUESTION: i16 = 1;
const WORLD: i16 = 2;
/// How many blocks are folded between two saves: what a crash costs to fold again.
const SAVED_EVERY: u32 = 2_000;
/// A wallet in memory is that much larger than its bytes.
const UNPACKED: usize = 4;

/// Facts on their way in, and a save in their transaction where there was no room for everybody.
struct Intake {
    transaction: Transaction,
    saving: Option<Saving>,
}

/// Everything that is in memory, and where it stands.
#[derive(Debug)]
pub(crate) struct WorkingSet {
    store: Store,
    eligibility: Eligibility,
    pub(crate) history: History,
    /// What is in memory is known up to here; its save is the last one.
    standing: Standing,
    /// The bytes of who was loaded or became known since everybody was forgotten.
    bytes: usize,
    most_bytes: usize,
    /// Blocks folded since the last save.
    unsaved: u32,
    /// Who was forgotten with news that nobody has looked at, as long as that matters.
    absent: BTreeSet<Wallet>,
    pub(crate) heeds_news: bool,
}

impl WorkingSet {
    /// Goes on from the last save; where there is none, from everything known at the item `seq`.
    pub(crate) async fn open(
        store: Store,
        eligibility: Eligibility,
        memory: usize,
        seq: i64,
    ) -> anyhow::Result<Self> {
        let mut connection = store.connection().await?;
        let standing = states::standing(&mut connection).await?;
        drop(connection);
        let mut set = Self {
            store,
            eligibility,
            history: History::new(eligibility),
            standing: Standing { save: 0, seq, block: None, is_behind: true },
            bytes: 0,
            most_bytes: memory / UNPACKED,
            unsaved: 0,
            absent: BTreeSet::new(),
            heeds_news: false,
        };
        let Some(standing) = standing else {
            set.forget_all(seq).await?;
            return Ok(set);
        };
        set.standing = standing;
        if let Err(error) = set.restore().await {
            // A database that fails says nothing about what is in it.
            if !error.is::<Damaged>() {
                return Err(error);
            }
            // States of another version are made again from the facts.
            tracing::warn!(%error, "the saved states cannot be read: folding anew");
            set.forget_all(standing.seq).await?;
        }
        Ok(set)
    }

    /// The last item that is folded.
    pub(crate) const fn seq(&self) -> i64 {
        self.standing.seq
    }

    /// Makes what is everybody's from the last save, with nobody in memory.
    async fn restore(&mut self) -> anyhow::Result<()> {
        self.begin_anew();
        self.learn_between(0, self.standing.seq).await?;
        let mut connection = self.store.connection().await?;
        for ((kind, id), bytes) in states::world(&mut connection).await? {
            if kind == QUESTION {
                self.history.load_question(u32::try_from(id)?, &bytes)?;
            } else {
                self.history.load_world(&bytes)?;
            }
        }
        Ok(())
    }

    fn begin_anew(&mut self) {
        self.history = History::new(self.eligibility);
        (self.bytes, self.unsaved) = (0, 0);
        self.absent.clear();
    }

    /// Forgets everything, so that what was known at an item is folded anew.
    pub(crate) async fn forget_all(&mut self, seq: i64) -> anyhow::Result<()> {
        let mut transaction = self.store.begin().await?;
        self.standing = states::forget_all(&mut transaction, seq).await?;
        Store::commit(transaction).await?;
        self.begin_anew();
        self.learn_between(0, seq).await
    }

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

    /// Learns the markets that were described between two items, in that order: it numbers the questions.
    async fn learn_between(&mut self, after: i64, until: i64) -> anyhow::Result<()> {
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
        let items = feed::read(&mut transaction, self.standing.seq, until, CHUNK, Wanted::Facts).await?;
        let Some(last) = items.last() else { return Ok(false) };
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
                News::Reverted(_) | News::History(_) | News::Late(_) | News::Scores(_) => {}
            }
        }
        self.take_in(&mut intake, &blocks).await?;
        self.end_intake(intake, count).await?;
        Ok(true)
    }

    async fn take_in(&mut self, intake: &mut Intake, facts: &[Fact]) -> anyhow::Result<()> {
        for slice in facts.chunks(SLICE) {
            self.make_room(intake).await?;
            let needs = self.history.needs(slice);
            self.load_needs(&mut intake.transaction, &needs).await?;
            self.history.apply_batch(slice);
            // What the facts added to those in memory.
            self.bytes += slice.len() * 32;
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
        let wanted = states::Wanted { resolved: &resolved, regrouped: &[], awake: None };
        let holders = states::find(&mut intake.transaction, wanted).await?;
        for page in holders.chunks(PAGE) {
            self.make_room(intake).await?;
            self.load(&mut intake.transaction, page).await?;
        }
        Ok(())
    }

    /// Saves and forgets everybody where there is too much in memory. It counts when the intake ends.
    async fn make_room(&mut self, intake: &mut Intake) -> anyhow::Result<()> {
        if !self.is_full() {
            return Ok(());
        }
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

    /// Loads who is needed and not in memory.
    pub(crate) async fn load_needs(
        &mut self,
        connection: &mut PgConnection,
        needs: &Needs,
    ) -> anyhow::Result<()> {
        let mut wallets: Vec<Wallet> = needs.wallets.iter().copied().collect();
        let divided: Vec<ConditionId> = needs.divided.iter().copied().collect();
        let regrouped: Vec<ConditionId> = needs.regrouped.iter().copied().collect();
        let wanted = states::Wanted { resolved: &divided, regrouped: &regrouped, awake: needs.until };
        wallets.extend(states::find(connection, wanted).await?);
        wallets.sort_unstable();
        wallets.dedup();
        self.load(connection, &wallets).await
    }

    /// Loads those of the wallets that are not in memory.
    pub(crate) async fn load(
        &mut self,
        connection: &mut PgConnection,
        wallets: &[Wallet],
    ) -> anyhow::Result<()> {
        let missing: Vec<Wallet> =
            wallets.iter().filter(|wallet| !self.history.has(**wallet)).copied().collect();
        for page in missing.chunks(PAGE) {
            for (wallet, bytes) in states::load(connection, page).await? {
                self.bytes += bytes.len();
                self.history.load(wallet, &bytes)?;
            }
        }
        Ok(())
    }

    /// Loads those with these numbers who are not in memory; everybody's address, and whether anything is known of
    /// it.
    pub(crate) async fn load_numbered(
        &mut self,
        connection: &mut PgConnection,
        page: &[WalletNumber],
    ) -> anyhow::Result<Vec<(Wallet, bool)>> {
        let mut wallets = Vec::with_capacity(page.len());
        for (wallet, bytes) in states::load_numbered(connection, page).await? {
            // Whoever is known only since the last save has no bytes that say so.
            let is_here = self.history.has(wallet);
            if !is_here && !bytes.is_empty() {
                self.bytes += bytes.len();
                self.history.load(wallet, &bytes)?;
            }
            wallets.push((wallet, is_here || !bytes.is_empty()));
        }
        Ok(wallets)
    }

    /// Whether there is more in memory than there may be.
    pub(crate) const fn is_full(&self) -> bool {
        self.most_bytes <= self.bytes
    }

    /// Lets everybody go; what is not saved is lost.
    pub(crate) fn forget(&mut self) {
        if self.heeds_news {
            self.absent.extend(self.history.with_news());
        }
        self.history.forget_wallets();
        self.bytes = 0;
    }

    /// Who has had news since the last pass and was forgotten since this was last asked.
    pub(crate) fn take_absent(&mut self) -> Vec<Wallet> {
        std::mem::take(&mut self.absent).into_iter().collect()
    }

    /// Takes note of those who are due for the next pass and not in memory.
    pub(crate) async fn note_due(&mut self, connection: &mut PgConnection) -> anyhow::Result<()> {
        let due = states::due(connection).await?;
        for page in due.chunks(PAGE) {
            self.absent.extend(states::named(connection, page).await?);
        }
        Ok(())
    }

    /// Takes note of wallets with news that are not in memory.
    pub(crate) fn note_absent(&mut self, wallets: Vec<Wallet>) {
        self.absent.extend(wallets);
    }

    /// Saves what changed, in a transaction of its own.
    pub(crate) async fn save(&mut self) -> anyhow::Result<()> {
        let mut transaction = self.store.begin().await?;
        self.save_within(&mut transaction).await?;
        Store::commit(transaction).await?;
        Ok(())
    }

    /// Saves what changed. If the transaction fails, what is in memory is of no use any more.
    pub(crate) async fn save_within(&mut self, connection: &mut PgConnection) -> anyhow::Result<()> {
        let saving = self.begin_save(connection).await?;
        self.save_wallets(connection, &saving).await?;
        self.end_save(connection, saving).await
    }

    /// Begins a save of what changes from now on until it is ended, with everybody who is forgotten in between.
    pub(crate) async fn begin_save(&self, connection: &mut PgConnection) -> anyhow::Result<Saving> {
        // Without an audit nothing is ever confirmed, and everything is taken as it is.
        let confirmed = audit::place(connection).await?.map_or(u64::MAX, |place| place.number);
        let Standing { seq, block, is_behind, .. } = self.standing;
        // What the audit has found missing on its way there is not taken in yet.
        let unseen = states::changed_from(connection, seq, i64::MAX).await?;
        let settled = unseen.map_or(confirmed, |height| confirmed.min(u64::try_from(height).unwrap_or(0)));
        Ok(states::begin_save(connection, Reached { seq, block, is_behind, settled }).await?)
    }

    /// Saves the wallets in memory that changed.
    pub(crate) async fn save_wallets(
        &mut self,
        connection: &mut PgConnection,
        saving: &Saving,
    ) -> anyhow::Result<()> {
        let held: Vec<HeldShares> = self.history.moved().into_iter().map(held_of).collect();
        for held in held.chunks(PAGE) {
            saving.held(connection, held).await?;
        }
        let mut changed = self.history.changed().map(state_of);
        loop {
            let page: Vec<WalletState> = changed.by_ref().take(PAGE).collect();
            if page.is_empty() {
                return Ok(());
            }
            saving.wallets(connection, &page).await?;
        }
    }

    /// Saves what is everybody's, and ends a save.
    pub(crate) async fn end_save(
        &mut self,
        connection: &mut PgConnection,
        saving: Saving,
    ) -> anyhow::Result<()> {
        let mut questions = self.history.changed_questions();
        loop {
            let page =
                questions.by_ref().take(PAGE).map(|(number, bytes)| ((QUESTION, i64::from(number)), bytes));
            let page: Vec<(WorldKey, Vec<u8>)> = page.collect();
            if page.is_empty() {
                break;
            }
            saving.world(connection, &page).await?;
        }
        drop(questions);
        saving.world(connection, &[((WORLD, 0), self.history.save_world())]).await?;
        self.standing.save = saving.end(connection).await?;
        self.unsaved = 0;
        Ok(())
    }
}

fn held_of(position: WalletPosition) -> HeldShares {
    HeldShares {
        wallet: position.wallet,
        token: position.token,
        shares: position.holding.shares,
        cost: position.holding.cost,
        realized: position.holding.realized,
    }
}

fn state_of(saved: SavedWallet) -> WalletState {
    WalletState {
        wallet: saved.wallet,
        bytes: saved.bytes,
        wake: saved.wake,
        fades: saved.fades,
        is_due: saved.is_due,
        decisions: saved.decisions,
        tokens: saved.tokens,
    }
}
