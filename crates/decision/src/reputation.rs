//! From facts to verdicts: a fold over everything that happened, in the order it happened, and the
//! strategy's score read off it (`ORDER_FLOW_STRATEGY.md` §2, column as-spec).
//!
//! Nothing in a verdict was learned after its moment, and the same facts give the same verdicts, however
//! they are cut into batches, and whenever the markets were described.

mod act;
mod at_once;
mod beliefs;
mod board;
mod by_question;
mod catalogue;
mod chain;
mod compare;
mod copying;
mod describe;
mod entry;
mod evidence;
mod factors;
mod fold;
mod front;
mod interner;
mod late;
mod meaning;
mod person;
mod record;
pub(crate) mod saved;
mod shard;
mod sheet;
mod stake;
mod states;
mod table;
mod tally;

use std::collections::BTreeMap;

use domain::{
    Assessment, ConditionId, Fact, MarketResult, PriceMap, Timestamp, TokenId, Usd, Wallet, WalletDay,
    WalletScore,
};

use crate::ledger::Holding;
use crate::policy::Eligibility;
use beliefs::Beliefs;
pub use beliefs::Survey;
use catalogue::Catalogue;
use copying::Copying;
use fold::Room;
use interner::Spread as _;
use late::Late;
use record::{Books, Record};
pub use saved::Damaged;
use shard::Shard;
use stake::Stake;
pub use states::{Needs, SavedWallet};
use tally::WINDOW_DAYS;

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
    room: Room,
    /// The time of the last one.
    now: Timestamp,
    scored_day: Option<i64>,
    /// What tells each question's bytes from those that were saved or loaded last; zero where there were none.
    marks: Vec<u64>,
}

/// A pass that is being made, some wallets at a time.
#[derive(Clone, Copy, Debug)]
pub struct Passing {
    as_of: Timestamp,
    /// The day of the last pass, where that was an earlier one.
    faded: Option<i64>,
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
            room: Room::default(),
            now: Timestamp::from_micros(i64::MIN),
            scored_day: None,
            marks: Vec::new(),
        }
    }

    /// How many wallets there are facts about.
    #[must_use]
    pub fn wallets(&self) -> usize {
        self.shards.iter().map(|shard| shard.people.len()).sum()
    }

    /// Takes in a fact. Facts come in the order they happened.
    pub fn apply(&mut self, fact: &Fact) {
        self.apply_batch(std::slice::from_ref(fact));
    }

    /// Takes in facts in the order they happened, large batches on several threads.
    pub fn apply_batch(&mut self, facts: &[Fact]) {
        let first = self.seq;
        self.fold_news(facts, first);
        self.seq = first.saturating_add(u64::try_from(facts.len()).unwrap_or(u64::MAX));
        for shard in &mut self.shards {
            shard.mature(self.now);
        }
    }

    /// What is believed anew since the last pass, by wallet: of those with news, and on a new UTC day of those with
    /// a day that has left a window of 30 days. Entries are looked at again when a fact a day later comes in and not
    /// here, so that a pass in between changes nothing.
    pub fn pass(&mut self, as_of: Timestamp) -> Vec<Assessment> {
        self.believe(as_of);
        let passing = self.begin_pass(as_of);
        self.judge(&passing)
    }

    /// Begins a pass over wallets that are not all in memory, after wallets at large were looked at where that was due
    /// ([`Self::survey`]).
    pub fn begin_pass(&mut self, as_of: Timestamp) -> Passing {
        let faded = self.scored_day.filter(|scored| *scored < as_of.day());
        self.scored_day = self.scored_day.max(Some(as_of.day()));
        self.shards.iter_mut().for_each(Shard::begin_pass);
        Passing { as_of, faded }
    }

    /// What is believed anew of those in memory. Must be asked of those that were there when the pass began before
    /// they are saved, and then of those that are loaded. Who is loaded again may be among them again.
    pub fn judge(&mut self, passing: &Passing) -> Vec<Assessment> {
        let Passing { as_of, faded } = *passing;
        let mut beliefs = Vec::new();
        for shard in &mut self.shards {
            shard.mature_watches(self.now);
            if let Some(from) = faded {
                shard.change_faded(WINDOW_DAYS, from, as_of.day());
            }
            for number in shard.take_changed() {
                shard.people[number].record.is_paid = false;
                let known = shard.known(number);
                let world = (&self.catalogue, &self.beliefs);
                beliefs.push(evidence::assess(world, known, (as_of, self.eligibility)));
            }
        }
        beliefs.sort_by_key(|belief| belief.verdict.wallet);
        beliefs
    }

    /// The holdings that changed since they were last asked for, by token and wallet.
    pub fn moved(&mut self) -> Vec<WalletPosition> {
        let mut moved = Vec::new();
        for shard in &mut self.shards {
            let (places, bare) = shard.take_moved();
            for place in places {
                let stake = &shard.stakes[place];
                let wallet = shard.people[stake.wallet].record.wallet;
                let tokens = self.catalogue.question(stake.question).tokens;
                for (token, holding) in tokens.into_iter().zip(stake.holdings) {
                    let held = token.filter(|_| holding != Holding::default());
                    moved.extend(held.map(|token| WalletPosition { wallet, token, holding }));
                }
            }
            for (number, token) in bare {
                let wallet = shard.people[number].record.wallet;
                let held = shard.bare.get(&(number, token));
                moved.extend(held.map(|bare| WalletPosition { wallet, token, holding: bare.holding }));
            }
        }
        moved.sort_by_key(|position| (position.token, position.wallet));
        moved.dedup();
        moved
    }

    /// What prices were worth as of a moment, as the last pass learned it.
    #[must_use]
    pub fn prices(&self, as_of: Timestamp) -> PriceMap {
        self.beliefs.maps.as_of(as_of).cloned().unwrap_or_default()
    }

    /// Everything that is believed about a wallet as of a moment no earlier than the last fact. What it takes from
    /// wallets at large and from what prices were worth, it takes as of the last pass.
    #[must_use]
    pub fn assess(&self, wallet: Wallet, as_of: Timestamp) -> Option<Assessment> {
        let (shard, number) = self.find(wallet)?;
        let world = (&self.catalogue, &self.beliefs);
        Some(evidence::assess(world, shard.known(number), (as_of, self.eligibility)))
    }

    /// What is believed about a wallet of which nothing is known any more.
    #[must_use]
    pub fn assess_unknown(&self, wallet: Wallet, as_of: Timestamp) -> Assessment {
        let (books, record, copying) = (Books::default(), Record::new(wallet, as_of), Copying::default());
        let world = (&self.catalogue, &self.beliefs);
        evidence::assess(world, (&books, &record, &copying), (as_of, self.eligibility))
    }

    /// The strategy's own part of that.
    #[must_use]
    pub fn verdict(&self, wallet: Wallet, as_of: Timestamp) -> Option<WalletScore> {
        self.assess(wallet, as_of).map(|belief| belief.verdict)
    }

    /// What a wallet's decisions have come to, by condition.
    #[must_use]
    pub fn results(&self, wallet: Wallet) -> Vec<MarketResult> {
        let Some((shard, number)) = self.find(wallet) else { return Vec::new() };
        let mut results: BTreeMap<ConditionId, MarketResult> = BTreeMap::new();
        let mut result_of = |question: u32, realized: Usd, decisions: u32| {
            let condition = self.catalogue.question(question).condition;
            let fresh = MarketResult { condition, realized: Usd::ZERO, decisions: 0 };
            let result = results.entry(condition).or_insert(fresh);
            result.realized += realized;
            result.decisions += decisions;
        };
        // A stake that says nothing is not kept while its wallet is away.
        let says = |stake: &&Stake| stake.wallet == number && stake.alone() != Stake::default();
        for stake in shard.stakes.iter().filter(says) {
            for holding in stake.holdings {
                result_of(stake.question, holding.realized, 0);
            }
        }
        let (books, record, _) = shard.known(number);
        for closed in record.closed(books).iter().filter(|closed| closed.counts()) {
            result_of(closed.question, Usd::ZERO, 1);
        }
        results.into_values().collect()
    }

    /// What happened to a wallet, day by day.
    #[must_use]
    pub fn days(&self, wallet: Wallet) -> Vec<WalletDay> {
        let Some((shard, number)) = self.find(wallet) else { return Vec::new() };
        let (books, record, _) = shard.known(number);
        let day = |day: &record::Day| WalletDay {
            day: day.number(),
            pnl: day.pnl,
            volume: day.volume,
            fills: day.fills,
        };
        record.days(books).iter().map(day).collect()
    }

    fn find(&self, wallet: Wallet) -> Option<(&Shard, u32)> {
        let spread = wallet.spread();
        let shard = self.shards.iter().find(|shard| shard.is_home(spread))?;
        shard.find(wallet, spread).map(|number| (shard, number))
    }
}
