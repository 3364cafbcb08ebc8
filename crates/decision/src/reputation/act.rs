//! What a fact asks of the shards, once it is known what it means.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use domain::{ChainEvent, Fact, Fill, Payouts, Shares, Side, Timestamp, TokenId, Usd, Wallet};

use super::catalogue::Seat;
use super::interner::usize_of;

/// Facts in a row, as the shards fold them: the fills that need no more than a glance, and the acts that the others
/// ask for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch<'a> {
    pub(super) facts: &'a [Fact],
    /// The number of the first of them.
    pub(super) first: u64,
    /// In two parts, as they were glanced at.
    pub(super) glances: [&'a [Glance]; 2],
    pub(super) acts: &'a [Act<'a>],
}

/// What a look at a fill says: nothing about it has to wait. Half a line of memory, with all that a shard needs of the
/// fills of wallets that are not its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Glance {
    /// The spread of the wallet's address.
    pub(super) spread: u64,
    pub(super) at: Timestamp,
    /// Its place among the facts.
    pub(super) place: u32,
    pub(super) question: u32,
    /// The price of the question's first token in millionths; zero where the fill tells none.
    pub(super) price: u32,
    /// The shard where the wallet is at home.
    pub(super) home: u16,
    pub(super) outcome: u8,
}

/// Something to be done, and when it happened.
#[derive(Clone, Debug)]
pub(super) struct Act<'a> {
    pub(super) seq: u64,
    pub(super) at: Timestamp,
    /// Whether it is news; else it was counted when it was, and comes now to be folded.
    pub(super) is_new: bool,
    pub(super) deed: Deed<'a>,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub(super) enum Deed<'a> {
    /// A wallet traded a token. Its price is everybody's news.
    Trade(Trade<'a>),
    /// Something that concerns one wallet alone.
    Own { wallet: Wallet, spread: u64, own: Own },
    /// A question has a result, which pays these wallets their shares.
    Settle { question: u32, payouts: Arc<Payouts>, first: usize, whom: Whom },
    /// A question has a result, and everybody's pay is reckoned already.
    Pay { question: u32, payouts: Arc<Payouts>, first: usize, pay: Arc<Vec<(Wallet, [Usd; 2])>> },
}

/// A fill and what is known of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trade<'a> {
    pub(super) fill: &'a Fill,
    /// The spread of the wallet's address.
    pub(super) spread: u64,
    /// The question, where it is known.
    pub(super) seat: Option<Seat>,
    /// The price of the question's first token in millionths, where the fill tells one that is news.
    pub(super) price: Option<u32>,
    /// Whether it can be folded; else it waits, and is only counted.
    pub(super) is_ripe: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Own {
    /// A split of pairs, or a merge if negative.
    Pairs { questions: Range<u32>, amount: Shares },
    /// Shares given back.
    Shares { seat: Seat, shares: Shares },
    /// Shares given back of a token that nobody has described.
    Bare { token: TokenId, shares: Shares },
    /// Dollars given back.
    Dollars(Usd),
    /// A result was collected.
    Collect { question: u32, payout: Usd },
    /// Shares against some questions become shares for others.
    Convert(Arc<Conversion>),
    /// The token has been described: what was kept of it by itself goes.
    Described(TokenId),
}

/// A conversion among questions that are all known.
#[derive(Clone, Debug)]
pub(super) struct Conversion {
    /// The questions against which shares are given.
    pub(super) against: Vec<u32>,
    /// The questions for which shares are got.
    pub(super) others: Vec<u32>,
    pub(super) amount: Shares,
}

/// Whom a result pays now.
#[derive(Clone, Debug)]
pub(super) enum Whom {
    All,
    /// Everybody but those who wait.
    Except(Arc<BTreeSet<Wallet>>),
    /// Those who waited.
    Only(Arc<BTreeSet<Wallet>>),
}

impl Whom {
    pub(super) fn includes(&self, wallet: Wallet) -> bool {
        match self {
            Self::All => true,
            Self::Except(those) => !those.contains(&wallet),
            Self::Only(those) => those.contains(&wallet),
        }
    }
}

impl<'a> Stretch<'a> {
    /// Acts and nothing else.
    pub(super) const fn of(acts: &'a [Act<'a>]) -> Self {
        Self { facts: &[], first: 0, glances: [&[], &[]], acts }
    }

    /// The number of a fill that was glanced at.
    pub(super) fn seq(&self, glance: &Glance) -> u64 {
        self.first + u64::from(glance.place)
    }

    /// The content of a fill that was glanced at.
    pub(super) fn trade(&self, glance: &Glance) -> Option<Trade<'a>> {
        let fact = self.facts.get(usize_of(glance.place))?;
        let ChainEvent::Fill(fill) = &fact.event else { return None };
        let seat = Seat { question: glance.question, outcome: glance.outcome };
        let price = Some(glance.price).filter(|price| *price > 0);
        Some(Trade { fill, spread: glance.spread, seat: Some(seat), price, is_ripe: true })
    }
}

impl Trade<'_> {
    /// What a part of the fill's shares cost in a direction, without the fee.
    pub(super) fn gross(&self, outcome: u8, direction: Side, shares: Shares) -> Usd {
        let usd = self.fill.usd.prorated(shares, self.fill.shares);
        let is_first = outcome == 0;
        if is_first == (direction == Side::Buy) { usd } else { Usd::from_micros(shares.micros()) - usd }
    }
}
