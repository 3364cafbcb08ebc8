//! The fold over everything known, fed from the outbox and published into the database.

use std::collections::BTreeSet;

use decision::Eligibility;
use decision::reputation::Needs;
use domain::{Tier, Timestamp, Wallet};
use store::feed::{self, Cursor};
use store::{Store, scores, states};

use crate::working_set::WorkingSet;

/// The name of this reader's cursor.
const READER: &str = "orderflow-reputation";
/// How many wallets are looked at together where all of them are.
const PAGE: usize = 2_000;
/// How many bytes of wallets are in memory, unless somebody says otherwise.
const MEMORY: usize = 128 << 20;

/// Everything known of every wallet, and the place it is known up to.
#[derive(Debug)]
pub struct Reputation {
    store: Store,
    eligibility: Eligibility,
    /// What the verdicts are made under, in words: other settings make other verdicts of the same facts.
    settings: String,
    known: WorkingSet,
    last_pass: Option<Timestamp>,
    /// The save the last pass was made at; `None`: everything published must be found anew.
    passed: Option<i64>,
    /// Whether the pass looks at wallets at large by itself, so that nobody may be forgotten during it.
    is_surveyed_by_pass: bool,
}

/// What a pass came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// Verdicts published.
    pub verdicts: usize,
    /// Those about wallets with enough history.
    pub rated: usize,
    /// Wallets known in all.
    pub wallets: usize,
}

impl Reputation {
    /// Goes on from the last save. Where there is none, everything that was known at the last pass is folded anew;
    /// where the settings are not what that pass was made under, the next one publishes everybody.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn resume(store: Store, eligibility: Eligibility) -> anyhow::Result<Self> {
        Self::resume_within(store, eligibility, MEMORY).await
    }

    /// The same with another bound for the bytes of wallets in memory. What is found is the same for any.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn resume_within(
        store: Store,
        eligibility: Eligibility,
        memory: usize,
    ) -> anyhow::Result<Self> {
        let mut connection = store.connection().await?;
        let cursor = feed::cursor(&mut connection, READER).await?;
        drop(connection);
        let known = WorkingSet::open(store.clone(), eligibility, memory, cursor.seq).await?;
        let settings = format!("{eligibility:?}");
        let passed = match cursor.settings.as_ref() == Some(&settings) {
            true => states::passed(&mut *store.connection().await?).await?,
            false => None,
        };
        Ok(Self {
            store,
            eligibility,
            settings,
            known,
            last_pass: cursor.as_of,
            passed,
            is_surveyed_by_pass: false,
        })
    }

    /// Forgets everything believed, and makes the fold again from the facts that are stored; the next pass publishes
    /// everybody.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn rebuild(&mut self) -> anyhow::Result<()> {
        let newest = feed::newest(&mut *self.store.connection().await?).await?;
        self.passed = None;
        self.known.forget_all(newest).await?;
        self.known.catch_up(newest).await
    }

    /// The moment of the last pass.
    #[must_use]
    pub const fn last_pass(&self) -> Option<Timestamp> {
        self.last_pass
    }

    /// Folds what became known, up to the item `until`.
    ///
    /// # Errors
    /// If the database fails; the fold must be resumed anew then.
    pub async fn catch_up(&mut self, until: i64) -> anyhow::Result<()> {
        self.known.catch_up(until).await?;
        // Whatever was taken back altogether has taken the mark of the last pass with it.
        if self.passed.is_some() {
            self.passed = states::passed(&mut *self.store.connection().await?).await?;
        }
        Ok(())
    }

    /// Makes a pass as of a moment and publishes it, together with the place it was made at.
    ///
    /// # Errors
    /// If the database fails: nothing was published then, and the fold must be resumed anew.
    pub async fn publish(&mut self, as_of: Timestamp, learned: Timestamp) -> anyhow::Result<Pass> {
        self.survey(as_of).await?;
        let mut connection = self.store.connection().await?;
        let awake = Needs { until: Some(as_of), ..Needs::default() };
        self.known.load_needs(&mut connection, &awake).await?;
        let due = states::due(&mut connection, self.passed.is_none()).await?;
        drop(connection);
        let mut transaction = self.store.begin().await?;
        // Those who were awake anyway first, among them everybody whose verdict changes with the day; then, page by
        // page, those with news since the last pass.
        let mut verdicts = self.known.history.pass(as_of);
        self.known.save_within(&mut transaction).await?;
        let mut is_someone_unknown = self.passed.is_none();
        let seen: BTreeSet<Wallet> = verdicts.iter().map(|verdict| verdict.wallet).collect();
        let others: Vec<Wallet> = due.into_iter().filter(|wallet| !seen.contains(wallet)).collect();
        for page in others.chunks(PAGE) {
            if self.known.is_full() && !self.is_surveyed_by_pass {
                self.known.forget();
            }
            self.known.load(&mut transaction, page).await?;
            let news = self.known.history.pass(as_of);
            let told: BTreeSet<Wallet> = news.iter().map(|verdict| verdict.wallet).collect();
            verdicts.extend(news);
            // Who went back to what was known before has no news of its own.
            for wallet in page.iter().filter(|wallet| !told.contains(wallet)) {
                let verdict = self.known.history.verdict(*wallet, as_of);
                is_someone_unknown |= verdict.is_none();
                verdicts.extend(verdict);
            }
            self.known.save_within(&mut transaction).await?;
        }
        if is_someone_unknown {
            states::forget_unknown(&mut transaction).await?;
        }
        verdicts.sort_by_key(|verdict| verdict.wallet);
        scores::publish(&mut transaction, as_of, learned, &verdicts, &[]).await?;
        let settings = Some(self.settings.clone());
        let cursor = Cursor { seq: self.known.seq(), as_of: Some(as_of), settings };
        feed::set_cursor(&mut transaction, READER, cursor).await?;
        states::set_passed(&mut transaction, self.known.saved()).await?;
        let wallets = states::count(&mut transaction).await?;
        Store::commit(transaction).await?;
        self.last_pass = Some(as_of);
        self.passed = Some(self.known.saved());
        if self.known.is_full() {
            self.known.forget();
        }
        let rated = verdicts.iter().filter(|verdict| verdict.tier != Tier::Unrated).count();
        Ok(Pass { rated, verdicts: verdicts.len(), wallets })
    }

    /// Looks at wallets at large where a new week asks for it: at all of them with enough decisions, a page at a
    /// time.
    async fn survey(&mut self, as_of: Timestamp) -> anyhow::Result<()> {
        self.is_surveyed_by_pass = false;
        let Some(mut survey) = self.known.history.survey(as_of) else { return Ok(()) };
        self.known.save().await?;
        self.known.forget();
        let mut connection = self.store.connection().await?;
        for page in states::seasoned(&mut connection, self.eligibility.decisions).await?.chunks(PAGE) {
            self.known.load(&mut connection, page).await?;
            self.known.history.take_part(&mut survey);
            // Loading takes over what the questions kept for who was away.
            self.known.save().await?;
            self.known.forget();
        }
        self.known.history.conclude(survey);
        if self.known.history.survey(as_of).is_some() {
            // No fact of this week has come yet: the pass looks by itself, at whoever is in memory.
            self.is_surveyed_by_pass = true;
            let seasoned = states::seasoned(&mut connection, self.eligibility.decisions).await?;
            self.known.load(&mut connection, &seasoned).await?;
        }
        Ok(())
    }
}
