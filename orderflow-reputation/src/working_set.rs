//! The wallets in memory, and the others in the database: who is needed is loaded, what changed is saved with the
//! place it is known up to, and when there is too much of it everybody is forgotten.

mod intake;
mod saving;

use std::collections::BTreeSet;
use std::pin::pin;

use decision::reputation::{Damaged, Needs};
use decision::{Eligibility, History};
use domain::{ConditionId, Wallet};
use futures_util::TryStreamExt as _;
use store::states::{self, Standing, WalletNumber};
use store::{PgConnection, Store};

/// How many wallets are loaded or saved with one statement.
pub(crate) const PAGE: usize = 2_000;
/// The kinds of what is not a wallet's.
const QUESTION: i16 = 1;
const WORLD: i16 = 2;
/// A wallet in memory is that much larger than its bytes.
const UNPACKED: usize = 6;
/// The part of the room that is left to news: the rest waits for a result's holders, who come all at once.
const FOR_NEWS: usize = 5;

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
    /// Whom results have paid who was forgotten since that was last asked, as long as that matters.
    paid: BTreeSet<Wallet>,
    /// Results up to this item have been looked at already.
    pub(crate) looked: i64,
    /// Whether everybody in memory with news has been looked at.
    pub(crate) is_seen: bool,
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
            paid: BTreeSet::new(),
            looked: 0,
            is_seen: false,
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
        self.paid.clear();
        // Everybody would have news; a pass over all of them follows in any case.
        self.heeds_news = false;
    }

    /// Forgets everything, so that what was known at an item is folded anew.
    pub(crate) async fn forget_all(&mut self, seq: i64) -> anyhow::Result<()> {
        let mut transaction = self.store.begin().await?;
        self.standing = states::forget_all(&mut transaction, seq).await?;
        Store::commit(transaction).await?;
        self.begin_anew();
        self.learn_between(0, seq).await
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
        let mut states = pin!(states::load_numbered(connection, page));
        while let Some((wallet, bytes)) = states.try_next().await? {
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

    /// Whether there is more in memory than leaves room for the holders of a result.
    pub(crate) const fn is_crowded(&self) -> bool {
        0 < self.bytes && self.most_bytes / FOR_NEWS <= self.bytes
    }

    /// Whether somebody has to go before more come for news of their own: those whom a result has paid stay until they
    /// are told of, as long as there is room at all.
    pub(crate) fn has_no_room_for_news(&self) -> bool {
        if self.history.with_results().next().is_some() { self.is_full() } else { self.is_crowded() }
    }

    /// Lets everybody go; what is not saved is lost.
    pub(crate) fn forget(&mut self) {
        if self.heeds_news && !self.is_seen {
            self.absent.extend(self.history.with_news());
            self.paid.extend(self.history.with_results());
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

    /// Lets everybody go who has been looked at by now, so that nobody has to be looked at again.
    pub(crate) fn forget_seen(&mut self, seen: &BTreeSet<Wallet>) {
        let unseen = self.history.with_news().filter(|wallet| !seen.contains(wallet));
        let unseen: Vec<Wallet> = unseen.collect();
        self.paid.extend(self.history.with_results());
        self.history.forget_wallets();
        self.bytes = 0;
        self.absent.extend(unseen);
    }

    /// Whom results have paid since this was last asked.
    pub(crate) fn take_paid(&mut self) -> BTreeSet<Wallet> {
        self.paid.extend(self.history.with_results());
        self.history.forget_results();
        std::mem::take(&mut self.paid)
    }

    /// Whether results are to be looked at before the next pass.
    const fn heeds_results(&self) -> bool {
        self.heeds_news && self.looked < self.standing.seq
    }
}
