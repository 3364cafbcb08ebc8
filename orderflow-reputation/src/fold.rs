//! The fold over everything known, fed from the outbox and published into the database.

use std::collections::{BTreeMap, BTreeSet};

use decision::Eligibility;
use decision::reputation::Passing;
use domain::{Assessment, Tier, Timestamp, Verdict, Wallet};
use store::feed::{self, Cursor};
use store::scores::{self, Publication};
use store::states::{self, Published};
use store::{PgConnection, Store, worth};

use crate::working_set::{PAGE, WorkingSet};

/// The name of this reader's cursor.
const READER: &str = crate::NAME;
/// The name under which it says which results it has looked at between the passes.
pub(crate) const LOOKED: &str = "orderflow-reputation results";
/// Which rules verdicts are made by. Raised when the same facts come to say something else, or more: then everybody
/// is published anew.
const RULES: u32 = 3;
/// How many bytes of wallets are in memory, unless somebody says otherwise.
const MEMORY: usize = 160 << 20;

/// Everything known of every wallet, and the place it is known up to.
#[derive(Debug)]
pub struct Reputation {
    pub(crate) store: Store,
    eligibility: Eligibility,
    /// What the verdicts are made under, in words: other settings make other verdicts of the same facts.
    settings: String,
    pub(crate) known: WorkingSet,
    last_pass: Option<Timestamp>,
    /// The moment of the newest thing published.
    pub(crate) last_told: Option<Timestamp>,
    /// What was last published of those who were whales then: they are acted on, and cannot wait for a pass.
    pub(crate) whales: BTreeMap<Wallet, Verdict>,
    published: Published,
}

/// What a pass came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pass {
    /// Verdicts published.
    pub verdicts: usize,
    /// Those about wallets with enough history.
    pub rated: usize,
    /// Wallets known in all.
    pub wallets: usize,
}

/// A pass under way.
#[derive(Debug)]
struct Passage {
    publication: Publication,
    passing: Passing,
    /// Verdicts that readers have to hear of.
    told: i64,
    pass: Pass,
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
        // A machine that fails may lose the last verdicts and saves, which are made again from the facts. Whatever was
        // done on those verdicts was committed behind them, and is lost no sooner than they are.
        let store = store.repeatable();
        let mut connection = store.connection().await?;
        let cursor = feed::cursor(&mut connection, READER).await?;
        let whales = published_whales(&mut connection).await?;
        let looked = feed::cursor(&mut connection, LOOKED).await?;
        drop(connection);
        let mut known = WorkingSet::open(store.clone(), eligibility, memory, cursor.seq).await?;
        known.looked = looked.seq;
        let settings = format!("{eligibility:?}, rules {RULES}");
        let mut published = Published::Nothing;
        if cursor.settings.as_ref() == Some(&settings) {
            let mut connection = store.connection().await?;
            published = states::published(&mut connection).await?;
            // Whoever had news when the last process ended may be a whale by now, and its results may have been saved
            // and not told of.
            if published == Published::Current {
                known.note_due(&mut connection).await?;
                known.note_paid_since(looked.seq).await?;
            }
        } else {
            known.history.survey_again();
        }
        known.heeds_news = published == Published::Current;
        let (last_pass, last_told) = (cursor.as_of, cursor.as_of.max(looked.as_of));
        Ok(Self { store, eligibility, settings, known, last_pass, last_told, whales, published })
    }

    /// Forgets everything believed, and makes the fold again from the facts that are stored; the next pass publishes
    /// everybody.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn rebuild(&mut self) -> anyhow::Result<()> {
        let newest = feed::newest(&mut *self.store.connection().await?).await?;
        self.published = Published::Nothing;
        self.known.forget_all(newest).await?;
        self.known.catch_up(newest).await.map(|_| ())
    }

    /// Whether what is published was made of another past or by other rules than what is known now: then a pass cannot
    /// wait for its hour.
    #[must_use]
    pub fn is_outdated(&self) -> bool {
        self.published != Published::Current
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
        if self.known.catch_up(until).await? && self.published != Published::Nothing {
            // What could not be taken back is found anew, all of it.
            let mut connection = self.store.connection().await?;
            self.published = states::published(&mut connection).await?;
            // What was told before it was saved may be among what is another past now.
            if states::outdate_told(&mut connection).await? {
                self.published = Published::Outdated;
            }
            self.known.heeds_news = self.published == Published::Current;
        }
        Ok(())
    }

    /// Makes a pass as of a moment and publishes it, together with the place it was made at: a page of wallets after
    /// the other, in one transaction.
    ///
    /// # Errors
    /// If the database fails: nothing was published then, and the fold must be resumed anew.
    pub async fn publish(&mut self, as_of: Timestamp, learned: Timestamp) -> anyhow::Result<Pass> {
        // What is newest is dated last, also where the clock was set back.
        let as_of = self.last_told.map_or(as_of, |told| as_of.max(told));
        self.survey(as_of).await?;
        let mut transaction = self.store.begin().await?;
        let saving = self.known.begin_save(&mut transaction).await?;
        let is_anew = self.published == Published::Nothing;
        // Those who go back to what was known before have no news of their own, and are published all the same.
        let mut due = if is_anew {
            states::everybody(&mut transaction).await?
        } else {
            states::due(&mut transaction).await?
        };
        due.extend(states::told(&mut transaction).await?);
        due.sort_unstable();
        due.dedup();
        let mut others = states::restless(&mut transaction, as_of).await?;
        others.retain(|number| due.binary_search(number).is_err());
        let publication = Publication { as_of, learned, folded: self.known.seq() };
        let mut pass = Passage {
            publication,
            told: 0,
            pass: Pass::default(),
            passing: self.known.history.begin_pass(as_of),
        };
        // Those in memory first: they are judged before they are saved.
        let news = self.known.history.judge(&pass.passing);
        pass.write(&mut transaction, &mut self.whales, &news).await?;
        let judged: BTreeSet<Wallet> = news.iter().map(|belief| belief.verdict.wallet).collect();
        for (pages, are_due) in [(due.chunks(PAGE), true), (others.chunks(PAGE), false)] {
            for page in pages {
                // There need be no more of them together than a page.
                if self.known.is_crowded() {
                    self.known.save_wallets(&mut transaction, &saving).await?;
                    self.known.forget();
                }
                let wallets = self.known.load_numbered(&mut transaction, page).await?;
                let mut news = self.known.history.judge(&pass.passing);
                news.retain(|belief| !judged.contains(&belief.verdict.wallet));
                if are_due {
                    let fresh: BTreeSet<Wallet> = news.iter().map(|belief| belief.verdict.wallet).collect();
                    for (wallet, _) in wallets.iter().filter(|(wallet, _)| !fresh.contains(wallet)) {
                        if !judged.contains(wallet) {
                            let known = self.known.history.assess(*wallet, as_of);
                            news.push(
                                known.unwrap_or_else(|| self.known.history.assess_unknown(*wallet, as_of)),
                            );
                        }
                    }
                }
                pass.write(&mut transaction, &mut self.whales, &news).await?;
            }
        }
        if is_anew {
            for page in states::unknown(&mut transaction).await?.chunks(PAGE) {
                let nothing = |wallet: &Wallet| self.known.history.assess_unknown(*wallet, as_of);
                let nothing: Vec<Assessment> = page.iter().map(nothing).collect();
                pass.write(&mut transaction, &mut self.whales, &nothing).await?;
            }
            states::clear_stale(&mut transaction).await?;
        }
        self.known.save_wallets(&mut transaction, &saving).await?;
        self.known.end_save(&mut transaction, saving).await?;
        let cursor = Cursor { seq: self.known.seq(), as_of: Some(as_of), settings: None };
        feed::set_cursor(&mut transaction, LOOKED, cursor.clone()).await?;
        let cursor = Cursor { settings: Some(self.settings.clone()), ..cursor };
        feed::set_cursor(&mut transaction, READER, cursor).await?;
        states::set_published(&mut transaction).await?;
        pass.pass.wallets = states::count(&mut transaction).await?;
        let prices = self.known.history.prices(as_of);
        let is_worth_more = worth::publish(&mut transaction, as_of, &prices).await?;
        if pass.told > 0 || is_worth_more {
            scores::tell(&mut transaction, as_of, learned).await?;
        }
        Store::commit(transaction).await?;
        (self.last_pass, self.last_told) = (Some(as_of), self.last_told.max(Some(as_of)));
        self.published = Published::Current;
        self.known.heeds_news = true;
        self.known.looked = self.known.seq();
        self.known.take_absent();
        self.known.take_paid();
        if self.known.is_crowded() {
            self.known.forget();
        }
        Ok(pass.pass)
    }

    /// Looks at wallets at large where a new week asks for it: at all of them with enough decisions, a page at a
    /// time.
    async fn survey(&mut self, as_of: Timestamp) -> anyhow::Result<()> {
        let Some(mut survey) = self.known.history.survey(as_of) else { return Ok(()) };
        let mut transaction = self.store.begin().await?;
        // Loading takes over what the questions kept for who was away, which is saved with everybody.
        let saving = self.known.begin_save(&mut transaction).await?;
        self.known.save_wallets(&mut transaction, &saving).await?;
        self.known.forget();
        for page in states::seasoned(&mut transaction, self.eligibility.decisions).await?.chunks(PAGE) {
            self.known.load_numbered(&mut transaction, page).await?;
            self.known.history.take_part(&mut survey);
            self.known.save_wallets(&mut transaction, &saving).await?;
            self.known.forget();
        }
        self.known.history.conclude(survey);
        self.known.end_save(&mut transaction, saving).await?;
        Store::commit(transaction).await?;
        Ok(())
    }
}

impl Passage {
    /// Writes verdicts, and counts them.
    async fn write(
        &mut self,
        connection: &mut PgConnection,
        whales: &mut BTreeMap<Wallet, Verdict>,
        beliefs: &[Assessment],
    ) -> anyhow::Result<()> {
        self.told += scores::write(connection, self.publication, beliefs).await?;
        self.pass.verdicts += beliefs.len();
        self.pass.rated += beliefs.iter().filter(|belief| belief.verdict.tier != Tier::Unrated).count();
        note_whales(whales, beliefs);
        Ok(())
    }
}

/// Remembers what was published of whales.
pub(crate) fn note_whales(whales: &mut BTreeMap<Wallet, Verdict>, beliefs: &[Assessment]) {
    for belief in beliefs {
        let wallet = belief.verdict.wallet;
        if belief.verdict.tier == Tier::Whale {
            whales.insert(wallet, belief.essence());
        } else {
            whales.remove(&wallet);
        }
    }
}

async fn published_whales(connection: &mut PgConnection) -> anyhow::Result<BTreeMap<Wallet, Verdict>> {
    let whales = scores::whales(connection).await?;
    Ok(whales.into_iter().map(|verdict| (verdict.wallet, verdict)).collect())
}
