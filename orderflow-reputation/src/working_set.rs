//! The wallets in memory, and the others in the database: who is needed is loaded, what changed is saved with the
//! place it is known up to, and when there is too much of it everybody is forgotten.

use decision::reputation::{Damaged, Needs, SavedWallet};
use decision::{Eligibility, History};
use domain::{ConditionId, Fact, Market, Wallet};
use store::feed::{self, News, Wanted};
use store::scores::HeldShares;
use store::states::{self, Save, Standing, WalletState, WorldKey};
use store::{PgConnection, Store, audit, facts};

/// How many items or blocks are read at once.
const CHUNK: u32 = 500;
/// How many wallets are loaded with one statement.
const PAGE: usize = 2_000;
/// The kinds of what is not a wallet's.
const QUESTION: i16 = 1;
const WORLD: i16 = 2;
/// How many blocks are folded between two saves: what a crash costs to fold again.
const SAVED_EVERY: u32 = 2_000;
/// A wallet in memory is that much larger than its bytes.
const UNPACKED: usize = 4;

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

    /// The newest save.
    pub(crate) const fn saved(&self) -> i64 {
        self.standing.save
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
    }

    /// Forgets everything, so that what was known at an item is folded anew.
    pub(crate) async fn forget_all(&mut self, seq: i64) -> anyhow::Result<()> {
        let mut transaction = self.store.begin().await?;
        self.standing = states::forget_all(&mut transaction, seq).await?;
        Store::commit(transaction).await?;
        self.begin_anew();
        self.learn_between(0, seq).await
    }

    /// Folds what became known, up to an item.
    pub(crate) async fn catch_up(&mut self, until: i64) -> anyhow::Result<()> {
        let mut connection = self.store.connection().await?;
        let until = until.min(feed::newest(&mut connection).await?);
        // Blocks that were read in the chain's order are not all known before the last of them is.
        while self.standing.is_behind {
            self.fold_blocks(&mut connection).await?;
        }
        if let Some(height) = states::changed_from(&mut connection, self.standing.seq, until).await? {
            let height = u64::try_from(height).ok();
            // What a wallet paid on average depends on the order.
            if height < self.standing.block {
                self.go_back(height, until).await?;
            }
            self.learn_between(self.standing.seq, until).await?;
            (self.standing.seq, self.standing.is_behind) = (until, true);
            while self.standing.is_behind {
                self.fold_blocks(&mut connection).await?;
            }
        }
        while self.fold_items(&mut connection, until).await? {}
        Ok(())
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
    async fn fold_blocks(&mut self, connection: &mut PgConnection) -> anyhow::Result<()> {
        let Standing { block, seq, .. } = self.standing;
        let blocks = facts::in_chain_order(connection, block, seq, CHUNK).await?;
        let Some((last, _)) = blocks.last() else {
            self.standing.is_behind = false;
            return Ok(());
        };
        let last = *last;
        let count = u32::try_from(blocks.len()).unwrap_or(u32::MAX);
        let facts: Vec<Fact> = blocks.into_iter().flat_map(|(_, facts)| facts).collect();
        self.take_in(connection, &facts).await?;
        self.standing.block = Some(last);
        tracing::debug!(block = last, "folded");
        self.unsaved = self.unsaved.saturating_add(count);
        self.save_if_due().await
    }

    /// Folds the next items, as long as there are some. None of them changes what is folded already.
    async fn fold_items(&mut self, connection: &mut PgConnection, until: i64) -> anyhow::Result<bool> {
        let items = feed::read(connection, self.standing.seq, until, CHUNK, Wanted::Facts).await?;
        let Some(last) = items.last() else { return Ok(false) };
        let last = last.seq;
        let mut blocks: Vec<Fact> = Vec::new();
        let mut count = 0u32;
        for item in items {
            match item.news {
                News::Block(facts) => {
                    blocks.extend(facts);
                    count = count.saturating_add(1);
                }
                News::Market(market) => {
                    self.take_in(connection, &std::mem::take(&mut blocks)).await?;
                    self.learn(connection, &market).await?;
                }
                News::Reverted(_) | News::History(_) | News::Late(_) | News::Scores(_) => {}
            }
        }
        self.take_in(connection, &blocks).await?;
        self.standing.seq = last;
        self.unsaved = self.unsaved.saturating_add(count);
        self.save_if_due().await?;
        Ok(true)
    }

    async fn take_in(&mut self, connection: &mut PgConnection, facts: &[Fact]) -> anyhow::Result<()> {
        let Some(last) = facts.last() else { return Ok(()) };
        let needs = self.history.needs(facts);
        self.load_needs(connection, &needs).await?;
        self.history.apply_batch(facts);
        self.standing.block = self.standing.block.max(Some(last.place.block_number));
        // What the facts added to those in memory.
        self.bytes += facts.len() * 32;
        Ok(())
    }

    /// Loads who is needed and not in memory.
    pub(crate) async fn load_needs(
        &mut self,
        connection: &mut PgConnection,
        needs: &Needs,
    ) -> anyhow::Result<()> {
        let mut wallets: Vec<Wallet> = needs.wallets.iter().copied().collect();
        let resolved: Vec<ConditionId> = needs.resolved.iter().copied().collect();
        let regrouped: Vec<ConditionId> = needs.regrouped.iter().copied().collect();
        let wanted = states::Wanted { resolved: &resolved, regrouped: &regrouped, awake: needs.until };
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

    async fn save_if_due(&mut self) -> anyhow::Result<()> {
        if self.is_full() {
            self.save().await?;
            self.forget();
        } else if self.unsaved >= SAVED_EVERY {
            self.save().await?;
        }
        Ok(())
    }

    /// Whether there is more in memory than there may be.
    pub(crate) const fn is_full(&self) -> bool {
        self.most_bytes <= self.bytes
    }

    /// Lets everybody go; what is not saved is lost.
    pub(crate) fn forget(&mut self) {
        self.history.forget_wallets();
        self.bytes = 0;
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
        let held = self.history.moved();
        let held: Vec<HeldShares> = held
            .into_iter()
            .map(|position| HeldShares {
                wallet: position.wallet,
                token: position.token,
                shares: position.holding.shares,
                cost: position.holding.cost,
                realized: position.holding.realized,
            })
            .collect();
        let wallets: Vec<WalletState> = self.history.changed().map(state_of).collect();
        let questions = self.history.changed_questions();
        let mut world: Vec<(WorldKey, Vec<u8>)> =
            questions.map(|(number, bytes)| ((QUESTION, i64::from(number)), bytes)).collect();
        world.push(((WORLD, 0), self.history.save_world()));
        // Without an audit nothing is ever confirmed, and everything is taken as it is.
        let confirmed = audit::place(connection).await?.map_or(u64::MAX, |place| place.number);
        let Standing { seq, block, is_behind, .. } = self.standing;
        // What the audit has found missing on its way there is not taken in yet.
        let unseen = states::changed_from(connection, seq, i64::MAX).await?;
        let settled = unseen.map_or(confirmed, |height| confirmed.min(u64::try_from(height).unwrap_or(0)));
        let save = Save { seq, block, is_behind, settled, wallets: &wallets, world: &world, held: &held };
        self.standing.save = states::save(connection, &save).await?;
        self.unsaved = 0;
        Ok(())
    }
}

fn state_of(saved: SavedWallet) -> WalletState {
    WalletState {
        wallet: saved.wallet,
        bytes: saved.bytes,
        wake: saved.wake,
        is_due: saved.is_due,
        decisions: saved.decisions,
        tokens: saved.tokens,
    }
}
