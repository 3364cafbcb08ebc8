//! Verdicts between the passes: about whales, who are acted on, and about everybody whom a result has concerned.

use std::collections::BTreeSet;

use domain::{Assessment, Tier, Timestamp, Wallet};
use store::feed::{self, Cursor};
use store::scores::{self, Publication};
use store::{Store, Transaction, states};

use crate::fold::{LOOKED, Reputation, note_whales};
use crate::working_set::PAGE;

/// How many verdicts are written while the next ones are made.
const PART: usize = 4_000;
/// How many wallets are judged between two looks at what the database answers.
const BREATH: usize = 64;

/// Verdicts on their way out.
struct Telling {
    publication: Publication,
    /// Begun with the first verdict.
    transaction: Option<Transaction>,
    verdicts: usize,
    /// Verdicts that readers have to hear of.
    told: i64,
    /// Who has been looked at.
    seen: BTreeSet<Wallet>,
}

impl Reputation {
    /// Publishes at once what is believed of those whom a result has concerned since this was last asked, and of whales
    /// with news, and of who has become one. It is no pass: nobody's news is forgotten by it.
    ///
    /// What is known is saved behind it, not before: after a crash in between the same facts are folded again, and
    /// results that were looked at are not looked at again. Who was told of is told of again at the next pass, lest a
    /// reorganisation took back what had not been saved.
    ///
    /// # Errors
    /// If the database fails; the fold must be resumed anew then.
    pub async fn publish_at_once(&mut self, as_of: Timestamp, learned: Timestamp) -> anyhow::Result<usize> {
        // What is newest must be told last, also where the clock was set back.
        if self.is_outdated() || self.last_told.is_none_or(|last| as_of <= last) {
            return Ok(0);
        }
        let publication = Publication { as_of, learned, folded: self.known.seq() };
        let paid = self.known.take_paid();
        let seen = BTreeSet::new();
        let mut telling = Telling { publication, transaction: None, verdicts: 0, told: 0, seen };
        self.look(&mut telling, &paid).await?;
        let absent = self.known.take_absent();
        for page in absent.chunks(PAGE) {
            if self.known.is_full() {
                self.known.save().await?;
                self.known.forget_seen(&telling.seen);
            }
            let mut connection = self.store.connection().await?;
            self.known.load(&mut connection, page).await?;
            drop(connection);
            self.look(&mut telling, &paid).await?;
        }
        let verdicts = telling.verdicts;
        if let Some(transaction) = telling.transaction.take() {
            self.tell(&telling, transaction).await?;
        }
        self.known.is_seen = true;
        Ok(verdicts)
    }

    /// Saves what is in memory, so that there is room for the holders of the next result: for when nobody waits.
    ///
    /// # Errors
    /// If the database fails; the fold must be resumed anew then.
    pub async fn make_room(&mut self) -> anyhow::Result<()> {
        if self.known.is_crowded() {
            self.known.save().await?;
            self.known.forget();
        }
        Ok(())
    }

    /// Looks at those in memory who have not been looked at: the database writes some verdicts while the next ones are
    /// made.
    async fn look(&mut self, telling: &mut Telling, paid: &BTreeSet<Wallet>) -> anyhow::Result<()> {
        let is_wanted = |wallet| paid.contains(&wallet) || self.whales.contains_key(&wallet);
        let mut urgent = self.known.history.urgent(is_wanted);
        urgent.retain(|wallet| !telling.seen.contains(wallet));
        telling.seen.extend(self.known.history.with_news());
        let as_of = telling.publication.as_of;
        let mut made = Vec::new();
        for part in urgent.chunks(PART) {
            let (written, later) =
                tokio::join!(telling.write(&self.store, &made), self.believed_of(part, as_of, paid));
            written?;
            note_whales(&mut self.whales, &made);
            made = later;
        }
        telling.write(&self.store, &made).await?;
        note_whales(&mut self.whales, &made);
        Ok(())
    }

    /// What is believed of those wallets, as far as it is to be told now.
    async fn believed_of(
        &self,
        wallets: &[Wallet],
        as_of: Timestamp,
        paid: &BTreeSet<Wallet>,
    ) -> Vec<Assessment> {
        let mut believed = Vec::with_capacity(wallets.len());
        for some in wallets.chunks(BREATH) {
            for belief in some.iter().filter_map(|wallet| self.known.history.assess(*wallet, as_of)) {
                let wallet = belief.verdict.wallet;
                let before = self.whales.get(&wallet);
                let is_news = (before.is_some() || belief.verdict.tier == Tier::Whale)
                    && before != Some(&belief.essence());
                if is_news || paid.contains(&wallet) {
                    believed.push(belief);
                }
            }
            tokio::task::yield_now().await;
        }
        believed
    }

    /// Tells of what was written, and of how far results have been looked at.
    async fn tell(&mut self, telling: &Telling, mut transaction: Transaction) -> anyhow::Result<()> {
        let Publication { as_of, learned, folded } = telling.publication;
        if telling.told > 0 {
            scores::tell(&mut transaction, as_of, learned).await?;
        }
        let cursor = Cursor { seq: folded, as_of: Some(as_of), settings: None };
        feed::set_cursor(&mut transaction, LOOKED, cursor).await?;
        Store::commit(transaction).await?;
        self.known.looked = folded;
        self.last_told = Some(as_of);
        Ok(())
    }
}

impl Telling {
    /// Writes verdicts, and counts them.
    async fn write(&mut self, store: &Store, beliefs: &[Assessment]) -> anyhow::Result<()> {
        if beliefs.is_empty() {
            return Ok(());
        }
        let transaction = match &mut self.transaction {
            Some(transaction) => transaction,
            None => self.transaction.insert(store.begin().await?),
        };
        self.told += scores::write(transaction, self.publication, beliefs).await?;
        let told: Vec<Wallet> = beliefs.iter().map(|belief| belief.verdict.wallet).collect();
        states::note_told(transaction, &told).await?;
        self.verdicts += beliefs.len();
        Ok(())
    }
}
