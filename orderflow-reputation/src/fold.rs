//! The fold over everything known, fed from the outbox and published into the database.

use std::collections::BTreeMap;

use decision::{Eligibility, History};
use domain::{Assessment, Fact, Tier, Timestamp, Verdict, Wallet};
use store::feed::{self, Cursor, News, Wanted};
use store::scores::{self, HeldShares, Publication};
use store::{PgConnection, Store, facts};

/// The name of this reader's cursor.
const READER: &str = crate::NAME;
/// Which rules verdicts are made by. Raised when the same facts come to say something else, or more: then everybody
/// is published anew.
const RULES: u32 = 2;
/// How many items are read at once.
const CHUNK: u32 = 500;

/// Everything known of every wallet, and the place it is known up to.
#[derive(Debug)]
pub struct Reputation {
    store: Store,
    eligibility: Eligibility,
    /// What the verdicts are made under, in words: other settings make other verdicts of the same facts.
    settings: String,
    history: History,
    /// The last item folded; the stored cursor follows with each pass.
    folded: i64,
    last_pass: Option<Timestamp>,
    /// Whether the fold has been through a pass, which is when it learns what prices were worth and what wallets are
    /// like: without one its beliefs are not what is published.
    has_passed: bool,
    /// The moment of the newest thing published.
    last_told: Option<Timestamp>,
    /// Reorganisations up to this item are marked in whatever is read: meeting them changes nothing.
    marked_until: i64,
    /// Whether a reorganisation took facts back, so that everything published must be found anew.
    rebuilt: bool,
    /// What was last published of those who were whales then: they are acted on, and cannot wait for a pass.
    whales: BTreeMap<Wallet, Verdict>,
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
    /// Goes on where the last pass was committed: the fold is made again from the facts up to there. Where those
    /// facts or the settings are not what that pass was made of, the next one publishes everybody.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn resume(store: Store, eligibility: Eligibility) -> anyhow::Result<Self> {
        let mut connection = store.connection().await?;
        let cursor = feed::cursor(&mut connection, READER).await?;
        let newest = feed::newest(&mut connection).await?;
        let reverted = feed::has_reverted(&mut connection, cursor.seq, newest).await?;
        let settings = format!("{eligibility:?}, rules {RULES}");
        let is_as_published = !reverted && cursor.settings.as_ref() == Some(&settings);
        let mut reputation = Self {
            store,
            eligibility,
            settings,
            history: History::new(eligibility),
            folded: 0,
            last_pass: cursor.as_of,
            has_passed: false,
            last_told: cursor.as_of,
            marked_until: newest,
            rebuilt: reverted,
            whales: published_whales(&mut connection).await?,
        };
        reputation.fold_anew(&mut connection, cursor.seq).await?;
        drop(connection);
        if let Some(as_of) = cursor.as_of.filter(|_| is_as_published) {
            // The verdicts of that pass are published already: the fold only has to know that it was made.
            reputation.history.pass(as_of);
            reputation.history.moved();
            reputation.has_passed = true;
        }
        Ok(reputation)
    }

    /// Forgets everything believed, and makes the fold again from the facts that are stored; the next pass publishes
    /// everybody.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn rebuild(&mut self) -> anyhow::Result<()> {
        let mut connection = self.store.connection().await?;
        let newest = feed::newest(&mut connection).await?;
        self.rebuilt = true;
        self.fold_anew(&mut connection, newest).await
    }

    /// Whether what is published was made of another past or by other rules than what is known now: then a pass cannot
    /// wait for its hour.
    #[must_use]
    pub const fn is_outdated(&self) -> bool {
        !self.has_passed
    }

    /// The moment of the last pass.
    #[must_use]
    pub const fn last_pass(&self) -> Option<Timestamp> {
        self.last_pass
    }

    /// Folds what became known, up to the item `until`.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn catch_up(&mut self, until: i64) -> anyhow::Result<()> {
        let mut connection = self.store.connection().await?;
        // What becomes known meanwhile is for the next time, or a backfill would never let this end.
        let until = until.min(feed::newest(&mut connection).await?);
        let mut is_past = false;
        while self.fold_chunk(&mut connection, until, &mut is_past).await? {}
        if is_past {
            tracing::info!(until, "the past is another one now: folding anew");
            self.rebuilt = true;
            self.fold_anew(&mut connection, until).await?;
        }
        Ok(())
    }

    /// Folds the next items, as long as there are some; `is_past` is set by one that changes what is folded
    /// already, which ends it.
    async fn fold_chunk(
        &mut self,
        connection: &mut PgConnection,
        until: i64,
        is_past: &mut bool,
    ) -> anyhow::Result<bool> {
        let items = feed::read(connection, self.folded, until, CHUNK, Wanted::Facts).await?;
        let Some(last) = items.last() else {
            return Ok(false);
        };
        self.folded = last.seq;
        for item in items {
            match item.news {
                News::Reverted(_) if item.seq <= self.marked_until => {}
                // What a wallet paid on average depends on the order: facts from before what is folded already
                // ask for a new beginning.
                News::Reverted(_) | News::History(_) | News::Late(_) => {
                    *is_past = true;
                    return Ok(false);
                }
                News::Block(facts) => self.history.apply_batch(&facts),
                News::Market(market) => self.history.learn(&market),
                News::Scores(_) => {}
            }
        }
        Ok(true)
    }

    /// Folds everything that was known at a place in the outbox, in the order in which it happened.
    async fn fold_anew(&mut self, connection: &mut PgConnection, seq: i64) -> anyhow::Result<()> {
        self.marked_until = feed::newest(connection).await?;
        self.history = History::new(self.eligibility);
        self.has_passed = false;
        let mut read = 0;
        loop {
            let items = feed::read(connection, read, seq, CHUNK, Wanted::Markets).await?;
            let Some(last) = items.last() else { break };
            read = last.seq;
            for item in &items {
                if let News::Market(market) = &item.news {
                    self.history.learn(market);
                }
            }
        }
        let mut height = None;
        loop {
            let blocks = facts::in_chain_order(connection, height, seq, CHUNK).await?;
            let Some((last, _)) = blocks.last() else { break };
            height = Some(*last);
            let facts: Vec<Fact> = blocks.into_iter().flat_map(|(_, facts)| facts).collect();
            self.history.apply_batch(&facts);
        }
        self.folded = seq;
        Ok(())
    }

    /// Makes a pass as of a moment and publishes it, together with the place it was made at.
    ///
    /// # Errors
    /// If the database fails: nothing was published then, and the fold must be resumed anew.
    pub async fn publish(&mut self, as_of: Timestamp, learned: Timestamp) -> anyhow::Result<Pass> {
        let beliefs = self.history.pass(as_of);
        let held: Vec<HeldShares> = self
            .history
            .moved()
            .into_iter()
            .map(|position| HeldShares {
                wallet: position.wallet,
                token: position.token,
                shares: position.holding.shares,
                cost: position.holding.cost,
                realized: position.holding.realized,
            })
            .collect();
        let mut transaction = self.store.begin().await?;
        let publication = Publication { as_of, learned, folded: self.folded, is_anew: self.rebuilt };
        scores::publish(&mut transaction, publication, &beliefs, &held).await?;
        let settings = Some(self.settings.clone());
        let cursor = Cursor { seq: self.folded, as_of: Some(as_of), settings };
        feed::set_cursor(&mut transaction, READER, cursor).await?;
        Store::commit(transaction).await?;
        self.last_pass = Some(as_of);
        self.last_told = self.last_told.max(Some(as_of));
        self.has_passed = true;
        if std::mem::take(&mut self.rebuilt) {
            // Whoever has no fact left is no whale any more, and has no belief that says so.
            self.whales.clear();
        }
        self.note_whales(&beliefs);
        Ok(Pass {
            rated: beliefs.iter().filter(|belief| belief.verdict.tier != Tier::Unrated).count(),
            verdicts: beliefs.len(),
            wallets: self.history.wallets(),
        })
    }

    /// Publishes at once what is believed of the whales with news since the last pass, and of who has become one. It
    /// is no pass: nobody else's news is forgotten by it, and after a crash it is made again.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn publish_whales(&mut self, as_of: Timestamp, learned: Timestamp) -> anyhow::Result<usize> {
        // What is newest must be told last, also where the clock was set back.
        if !self.has_passed || self.last_told.is_none_or(|last| as_of <= last) {
            return Ok(0);
        }
        let mut beliefs = self.history.whales(as_of, |wallet| self.whales.contains_key(&wallet));
        beliefs.retain(|belief| self.whales.get(&belief.verdict.wallet) != Some(&belief.essence()));
        if beliefs.is_empty() {
            return Ok(0);
        }
        let mut transaction = self.store.begin().await?;
        let publication = Publication { as_of, learned, folded: self.folded, is_anew: false };
        scores::publish(&mut transaction, publication, &beliefs, &[]).await?;
        Store::commit(transaction).await?;
        self.last_told = Some(as_of);
        self.note_whales(&beliefs);
        Ok(beliefs.len())
    }

    fn note_whales(&mut self, beliefs: &[Assessment]) {
        for belief in beliefs {
            let wallet = belief.verdict.wallet;
            if belief.verdict.tier == Tier::Whale {
                self.whales.insert(wallet, belief.essence());
            } else {
                self.whales.remove(&wallet);
            }
        }
    }
}

async fn published_whales(connection: &mut PgConnection) -> anyhow::Result<BTreeMap<Wallet, Verdict>> {
    let rated = scores::rated(connection).await?;
    let whales = rated.into_iter().filter(|verdict| verdict.tier == Tier::Whale);
    Ok(whales.map(|verdict| (verdict.wallet, verdict)).collect())
}
