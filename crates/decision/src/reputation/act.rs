//! What a fact asks of the shards, once it is known what it means.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use domain::{Fill, Payouts, Role, Shares, Side, Timestamp, TokenId, Usd, Wallet};

use super::catalogue::Seat;
use super::interner::Spread as _;

/// Something to be done, and when it happened.
#[derive(Clone, Debug)]
pub(super) struct Act {
    pub(super) seq: u64,
    pub(super) at: Timestamp,
    /// Whether it is news; else it was counted when it was, and comes now to be folded.
    pub(super) is_new: bool,
    pub(super) deed: Deed,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub(super) enum Deed {
    /// A wallet traded a token. Its price, in millionths of the question's first token, is everybody's news where the
    /// fill tells one.
    Trade { trade: Trade, price: Option<u32>, standing: Standing },
    /// Something that concerns one wallet alone.
    Own { wallet: Wallet, spread: u64, own: Own },
    /// A question has a result, which pays these wallets their shares.
    Settle { question: u32, payouts: Arc<Payouts>, first: usize, whom: Whom },
    /// A question has a result, and everybody's pay is reckoned already.
    Pay { question: u32, payouts: Arc<Payouts>, first: usize, pay: Arc<Vec<(Wallet, [Usd; 2])>> },
}

/// What a fill did to a wallet: all that its shard asks of it, so that the fact needs not be looked at again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trade {
    /// The spread of the wallet's address.
    pub(super) spread: u64,
    pub(super) at: Timestamp,
    pub(super) usd: Usd,
    pub(super) shares: Shares,
    /// What it changed, fees included.
    pub(super) cash: Usd,
    pub(super) change: Shares,
    pub(super) wallet: Wallet,
    /// Wallets and tokens are told apart by 32 bits of their hashes where it is asked with whom what was traded: enough
    /// to tell the few that matter, and the same whatever has been described. Opposite a taker stands the exchange.
    pub(super) counterparty: u32,
    pub(super) token: u32,
    /// Its place among the facts that are folded together.
    pub(super) place: u32,
    pub(super) question: u32,
    pub(super) outcome: u8,
    pub(super) side: Side,
    pub(super) role: Role,
    /// Whether it tells a price that is news.
    pub(super) tells: bool,
}

/// What becomes of a trade beyond being counted.
#[derive(Clone, Copy, Debug)]
pub(super) enum Standing {
    /// It can be folded.
    Ripe,
    /// It waits until all questions of a conversion are known.
    Waits,
    /// Nobody has described the token: its shares are kept by themselves.
    Bare(TokenId),
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

impl Trade {
    /// A fill, of a token of this spread, as it is folded; a token that nobody has described has no seat.
    pub(super) fn of(fill: &Fill, token: u64, at: Timestamp, seat: Option<Seat>) -> Self {
        let Seat { question, outcome } = seat.unwrap_or(Seat { question: 0, outcome: 0 });
        let is_maker = fill.role == Role::Maker;
        Self {
            spread: fill.wallet.spread(),
            at,
            usd: fill.usd,
            shares: fill.shares,
            cash: fill.cash_change(),
            change: fill.share_change(),
            wallet: fill.wallet,
            counterparty: if is_maker { half(fill.counterparty.spread()) } else { 0 },
            token: half(token),
            place: 0,
            question,
            outcome,
            side: fill.side,
            role: fill.role,
            tells: false,
        }
    }

    /// What a part of the fill's shares cost in a direction, without the fee.
    pub(super) fn gross(&self, direction: Side, shares: Shares) -> Usd {
        let usd = self.usd.prorated(shares, self.shares);
        let is_first = self.outcome == 0;
        if is_first == (direction == Side::Buy) { usd } else { Usd::from_micros(shares.micros()) - usd }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "half of a hash is asked for")]
const fn half(spread: u64) -> u32 {
    spread as u32
}
