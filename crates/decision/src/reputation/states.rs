//! The history as a working set: which wallets it needs, and how they come and go.
//!
//! What has to be done, in order:
//!
//! 1. In a new process: describe the markets ([`History::learn`], always in the same order; new ones come behind
//!    those that were), load all questions ([`History::load_question`]), load the world ([`History::load_world`]).
//! 2. Before a batch: load ([`History::load`]) what it [`History::needs`]: the wallets it names, everybody who holds
//!    a token of a condition whose result divides a dollar, and every wallet whose wake-up time is no later than the
//!    batch's last fact. Whoever has no bytes yet is new, and needs nothing.
//! 3. Apply the batch, and load everybody who holds a token of another condition it resolves: who is loaded is paid
//!    then. It can be done some at a time, and has to be done before anything else is: also before a save counts.
//! 4. Before a pass: hold a survey where one is due ([`History::survey`]), begin the pass ([`History::begin_pass`]),
//!    and let those in memory be judged ([`History::judge`]); then, some at a time, every wallet that is due, or that
//!    wakes or fades no later than the pass.
//! 5. Save what changed ([`History::changed`], [`History::changed_questions`], [`History::save_world`]), all in one
//!    transaction, and forget ([`History::forget_wallets`]) when there is too much.

use std::collections::BTreeSet;

use domain::{ChainEvent, ConditionId, Fact, FeeKind, Market, Timestamp, TokenId, Wallet};

use super::History;
use super::interner::Spread as _;
use super::saved::{Damaged, WalletState, digest};
use super::shard::Clock;

/// A wallet as it is to be kept while it is not in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedWallet {
    /// Whose.
    pub wallet: Wallet,
    /// Everything that is its own.
    pub bytes: Vec<u8>,
    /// When it must be in memory again at the latest: before the first fact or pass that is not before this. `None`:
    /// not before something happens to it.
    pub wake: Option<Timestamp>,
    /// When a day of its leaves a window, which the first pass that is not before this has to see.
    pub fades: Option<Timestamp>,
    /// Whether it changed since the last pass, or a holding of its since [`History::moved`] was asked: it must be in
    /// memory before either is asked again. Nobody is due where both were asked before saving.
    pub is_due: bool,
    /// The tokens for whose results it must be in memory from now on, beside those that were told with earlier bytes of
    /// its, in order.
    pub tokens: Vec<TokenId>,
    /// Its decisions that have ended and count: those with enough of them take part in surveys.
    pub decisions: u32,
}

/// What must be in memory before something is taken in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// The wallets that are named.
    pub wallets: BTreeSet<Wallet>,
    /// Conditions that get a result: everybody who was saved with one of their tokens is needed, right after it.
    pub resolved: BTreeSet<ConditionId>,
    /// Conditions whose result divides a dollar: everybody who was saved with one of their tokens is needed before it.
    pub divided: BTreeSet<ConditionId>,
    /// Conditions that are grouped in another way: everybody is needed who ever traded, split or converted them.
    pub regrouped: BTreeSet<ConditionId>,
    /// All wallets are needed that wake no later than this; `None`: none of them.
    pub until: Option<Timestamp>,
}

impl History {
    /// What must be in memory before these facts are applied.
    #[must_use]
    pub fn needs(&self, facts: &[Fact]) -> Needs {
        let mut needs =
            Needs { until: facts.iter().map(|fact| fact.place.block_time).max(), ..Needs::default() };
        for fact in facts {
            needs.wallets.extend(concerned(&fact.event));
            match &fact.event {
                ChainEvent::Resolution { condition, payouts } if !payouts.is_whole() => {
                    needs.divided.insert(*condition);
                }
                event => needs.resolved.extend(self.ended_by(event)),
            }
        }
        let is_open = |condition: &ConditionId| {
            let questions = self.catalogue.questions(*condition);
            questions.is_some_and(|questions| !self.catalogue.question(questions.start).is_over)
        };
        needs.resolved.retain(is_open);
        needs.divided.retain(is_open);
        needs
    }

    /// The conditions that a fact gives a result, unless they have one.
    #[must_use]
    pub fn ended_by(&self, event: &ChainEvent) -> Vec<ConditionId> {
        match event {
            ChainEvent::Resolution { condition, .. } | ChainEvent::Derivable { yes: Some(condition), .. } => {
                vec![*condition]
            }
            ChainEvent::Derivable { event, yes: None } => {
                let group = self.catalogue.group(*event).map(|number| self.catalogue.siblings(number));
                let questions = group.into_iter().flat_map(|siblings| siblings.questions.values());
                questions.map(|question| self.catalogue.question(*question).condition).collect()
            }
            _ => vec![],
        }
    }

    /// What must be in memory before a market is described: whoever's facts wait for it.
    #[must_use]
    pub fn needs_to_learn(&self, market: &Market) -> Needs {
        let mut needs = Needs::default();
        let tokens = market.tokens.iter().filter_map(|token| self.late.tokens.get(token));
        let items = tokens.chain(self.late.conditions.get(&market.condition)).flatten();
        needs.wallets.extend(items.filter_map(|item| concerned(&item.event)));
        let questions = self.catalogue.questions(market.condition);
        let known = questions.and_then(|questions| self.catalogue.question(questions.start).siblings);
        let group = market.place.and_then(|place| self.catalogue.group(place.market)).or(known);
        let siblings = group.map(|number| self.catalogue.siblings(number));
        needs.wallets.extend(siblings.into_iter().flat_map(|siblings| siblings.waiters.keys()).copied());
        if self.catalogue.regroups(market) {
            needs.regrouped.insert(market.condition);
        }
        needs
    }

    /// Whether a wallet is in memory.
    #[must_use]
    pub fn has(&self, wallet: Wallet) -> bool {
        self.find(wallet).is_some()
    }

    /// Takes in a wallet as it was saved last, and pays it the results that have come since.
    ///
    /// # Errors
    /// The bytes are damaged, name questions that are not described, or the wallet is in memory.
    pub fn load(&mut self, wallet: Wallet, bytes: &[u8]) -> Result<(), Damaged> {
        if self.has(wallet) {
            return Err(Damaged::Present(wallet));
        }
        let mut state = WalletState::read(wallet, bytes, self.catalogue.count())?;
        state.watched.retain_mut(|(question, watched)| {
            if watched.is_fresh() {
                let mut shards = self.shards.iter_mut();
                if let Some(price) = shards.find_map(|shard| shard.claim(*question, watched.at)).flatten() {
                    watched.pay(price);
                }
            }
            // A result forgets the entries that were not due before it.
            let result = self.shards.first().and_then(|shard| shard.board(*question).result.as_ref());
            result.is_none_or(|result| watched.due < result.at)
        });
        let spread = wallet.spread();
        if let Some(shard) = self.shards.iter_mut().find(|shard| shard.is_home(spread)) {
            shard.take_in(state, digest(bytes), &self.catalogue);
        }
        Ok(())
    }

    /// The wallets that are not as they were saved or loaded last. Each counts as saved when it has been given.
    pub fn changed(&mut self) -> impl Iterator<Item = SavedWallet> {
        let clock = Clock { scored: self.scored_day };
        let catalogue = &self.catalogue;
        self.shards.iter_mut().flat_map(move |shard| shard.unsaved(catalogue, clock))
    }

    /// Lets all wallets go, and keeps everything else. Save first, even those that were only loaded: loading takes
    /// over what the questions kept for a wallet while it was away.
    pub fn forget_wallets(&mut self) {
        self.shards.iter_mut().for_each(super::shard::Shard::forget);
    }
}

/// The wallet of its own that a fact concerns.
fn concerned(event: &ChainEvent) -> Option<Wallet> {
    match event {
        ChainEvent::Fill(fill) => Some(fill.wallet),
        ChainEvent::Split { wallet, .. }
        | ChainEvent::Merge { wallet, .. }
        | ChainEvent::Redemption { wallet, .. }
        | ChainEvent::Conversion { wallet, .. }
        | ChainEvent::Fee { kind: FeeKind::Refunded, receiver: wallet, .. } => Some(*wallet),
        ChainEvent::Match { .. }
        | ChainEvent::Fee { kind: FeeKind::Charged, .. }
        | ChainEvent::Preparation { .. }
        | ChainEvent::Resolution { .. }
        | ChainEvent::Derivable { .. } => None,
    }
}
