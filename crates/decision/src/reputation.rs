//! From facts to verdicts: a fold over everything that happened, in the order it happened, and the
//! strategy's score read off it (`ORDER_FLOW_STRATEGY.md` §2, column as-spec).
//!
//! Nothing in a verdict was learned after its moment, and the same facts give the same verdicts, however
//! they are cut into batches, and whenever the markets were described.

mod act;
mod beliefs;
mod board;
mod catalogue;
mod chain;
mod compare;
mod copying;
mod describe;
mod entry;
mod evidence;
mod factors;
mod fold;
mod interner;
mod late;
mod record;
pub(crate) mod saved;
mod shard;
mod stake;
mod states;
mod tally;

use domain::{Fact, Timestamp, TokenId, Wallet, WalletScore};

use crate::ledger::Holding;
use crate::policy::Eligibility;
use beliefs::Beliefs;
pub use beliefs::Survey;
use catalogue::Catalogue;
pub use evidence::Assessment;
pub use factors::Figures;
use fold::{Looked, Mode};
use interner::{Spread as _, usize_of};
use late::Late;
use record::{Books, Record};
pub use saved::Damaged;
use shard::Shard;
pub use states::{Needs, SavedWallet};
use tally::{Tally, WINDOW_DAYS};

/// As many parts as the smallest machines have cores.
const SHARDS: usize = 2;

/// Everything known of every wallet up to a moment.
///
/// Two are equal if they know the same of every wallet.
#[derive(Clone, Debug)]
pub struct History {
    eligibility: Eligibility,
    catalogue: Catalogue,
    late: Late,
    beliefs: Beliefs,
    shards: Vec<Shard>,
    /// Behind the number of the last fact.
    seq: u64,
    /// The time of the last one.
    now: Timestamp,
    scored_day: Option<i64>,
    /// What tells each question's bytes from those that were saved or loaded last; zero where there were none.
    marks: Vec<u64>,
}

/// What a wallet holds of a token, for those who ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalletPosition {
    /// Whose.
    pub wallet: Wallet,
    /// Of what.
    pub token: TokenId,
    /// How much, at what cost, and with what result so far.
    pub holding: Holding,
}

impl History {
    /// Knows nothing yet.
    #[must_use]
    pub fn new(eligibility: Eligibility) -> Self {
        Self::in_shards(eligibility, SHARDS)
    }

    /// Knows nothing yet, and folds large batches on as many threads. What it finds is the same for any number.
    #[must_use]
    pub fn in_shards(eligibility: Eligibility, shards: usize) -> Self {
        let shards = shards.max(1);
        Self {
            eligibility,
            catalogue: Catalogue::default(),
            late: Late::default(),
            beliefs: Beliefs::default(),
            shards: (0..shards).map(|number| Shard::new(number, shards)).collect(),
            seq: 0,
            now: Timestamp::from_micros(i64::MIN),
            scored_day: None,
            marks: Vec::new(),
        }
    }

    /// How many wallets there are facts about.
    #[must_use]
    pub fn wallets(&self) -> usize {
        self.shards.iter().map(|shard| shard.records.len()).sum()
    }

    /// Takes in a fact. Facts come in the order they happened.
    pub fn apply(&mut self, fact: &Fact) {
        self.apply_batch(std::slice::from_ref(fact));
    }

    /// Takes in facts in the order they happened, large batches on several threads.
    pub fn apply_batch(&mut self, facts: &[Fact]) {
        let Some(last) = facts.last() else { return };
        let mut next = self.seq;
        let looked = facts.iter().map(|fact| {
            let seq = states::chain_position(&fact.place).max(next);
            next = seq.saturating_add(1);
            Looked { seq, at: fact.place.block_time, event: &fact.event }
        });
        self.fold(looked, &Mode::New);
        self.seq = next;
        self.now = self.now.max(last.place.block_time);
        for shard in &mut self.shards {
            shard.mature(self.now);
        }
    }

    /// The verdicts that changed since the last pass, by wallet: of those with news, and on a new UTC day of
    /// those with a day of trading that has left the volume window. Entries are looked at again when a fact a
    /// day later comes in and not here, so that a pass in between changes nothing.
    pub fn pass(&mut self, as_of: Timestamp) -> Vec<WalletScore> {
        let faded = self.scored_day.filter(|scored| *scored < as_of.day());
        self.scored_day = self.scored_day.max(Some(as_of.day()));
        for shard in &mut self.shards {
            shard.mature_watches(self.now);
        }
        self.believe(as_of);
        let mut verdicts = Vec::new();
        for shard in &mut self.shards {
            for number in 0..shard.records.len() {
                let record = &shard.records[number];
                let loses = |from| record.loses_volume(&shard.books, WINDOW_DAYS, from, as_of.day());
                if faded.is_some_and(loses) {
                    shard.change(u32::try_from(number).unwrap_or(u32::MAX));
                }
            }
            for number in shard.take_changed() {
                let record = &shard.records[usize_of(number)];
                verdicts.push(factors::verdict(
                    &self.catalogue,
                    &self.beliefs,
                    &shard.books,
                    record,
                    as_of,
                    self.eligibility,
                ));
            }
        }
        verdicts.sort_by_key(|verdict| verdict.wallet);
        verdicts
    }

    /// The holdings that changed since they were last asked for, by token and wallet.
    pub fn moved(&mut self) -> Vec<WalletPosition> {
        let mut moved = Vec::new();
        for shard in &mut self.shards {
            let (places, bare) = shard.take_moved();
            for place in places {
                let stake = &shard.stakes[usize_of(place)];
                let wallet = shard.records[usize_of(stake.wallet)].wallet;
                let tokens = self.catalogue.question(stake.question).tokens;
                for (token, holding) in tokens.into_iter().zip(stake.holdings) {
                    let held = token.filter(|_| holding != Holding::default());
                    moved.extend(held.map(|token| WalletPosition { wallet, token, holding }));
                }
            }
            for (number, token) in bare {
                let wallet = shard.records[usize_of(number)].wallet;
                let held = shard.bare.get(&(number, token));
                moved.extend(held.map(|bare| WalletPosition { wallet, token, holding: bare.holding }));
            }
        }
        moved.sort_by_key(|position| (position.token, position.wallet));
        moved.dedup();
        moved
    }

    /// What is believed about a wallet as of a moment no earlier than the last fact.
    #[must_use]
    pub fn verdict(&self, wallet: Wallet, as_of: Timestamp) -> Option<WalletScore> {
        let (books, record) = self.record(wallet)?;
        Some(factors::verdict(&self.catalogue, &self.beliefs, books, record, as_of, self.eligibility))
    }

    /// What else is known of a wallet as of a moment no earlier than the last fact.
    #[must_use]
    pub fn figures(&self, wallet: Wallet, as_of: Timestamp) -> Option<Figures> {
        let (books, record) = self.record(wallet)?;
        Some(factors::figures(&self.catalogue, books, record, as_of, self.eligibility))
    }

    /// Everything that is believed about a wallet as of a moment no earlier than the last fact. What it takes from
    /// wallets at large and from what prices were worth, it takes as of the last pass.
    #[must_use]
    pub fn assess(&self, wallet: Wallet, as_of: Timestamp) -> Option<Assessment> {
        let spread = wallet.spread();
        let shard = self.shards.iter().find(|shard| shard.is_home(spread))?;
        let number = shard.find(wallet, spread)?;
        let (record, copying) = (&shard.records[usize_of(number)], &shard.copying[usize_of(number)]);
        let verdict =
            factors::verdict(&self.catalogue, &self.beliefs, &shard.books, record, as_of, self.eligibility);
        let figures = factors::figures(&self.catalogue, &shard.books, record, as_of, self.eligibility);
        let mut tally = Tally::new(&self.catalogue, &shard.books, record);
        tally.advance(as_of, self.eligibility);
        Some(Assessment::of(verdict, figures, (&self.catalogue, &self.beliefs), &tally, copying))
    }

    fn record(&self, wallet: Wallet) -> Option<(&Books, &Record)> {
        let spread = wallet.spread();
        let shard = self.shards.iter().find(|shard| shard.is_home(spread))?;
        shard.find(wallet, spread).map(|number| (&shard.books, &shard.records[usize_of(number)]))
    }
}
