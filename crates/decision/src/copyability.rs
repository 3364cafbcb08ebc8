//! Whether copying a wallet could work at all: makers, arbitrageurs and sweepers may deserve their profits, and
//! none of it reaches somebody who buys what they just bought. Each reason is a flag with its figure; none
//! changes a score, any one bars a wallet from FOLLOW_WHALE (`ORDER_FLOW_STRATEGY.md` §3).

use domain::{Flag, FlagKind, Role, Side, Timestamp, Usd};
use smallvec::SmallVec;

use crate::quantile::Sizes;

mod counterparties;
mod saved;

use counterparties::Counterparties;

/// Days of the window for the pace of decisions.
const WINDOW: i32 = 30;
/// Splits and merges below this many are no habit.
const FEW_SETS: u32 = 10;
/// From this price on a purchase collects what is already decided.
const NEARLY_CERTAIN: f64 = 0.95;
/// Decisions in one neg-risk event that make it a basket.
const BASKET: u32 = 3;

/// A fill, as far as copyability cares. `W` names wallets and `T` tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dealt<W, T> {
    /// When.
    pub at: Timestamp,
    /// Of what.
    pub token: T,
    /// Bought or sold.
    pub side: Side,
    /// For how much.
    pub usd: Usd,
    /// With whom; `None` where it is the exchange itself.
    pub counterparty: Option<W>,
}

/// A decision that opens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DecisionOpened {
    /// When.
    pub at: Timestamp,
    /// The price paid.
    pub price: f64,
    /// Whether the wallet never decided on this market before.
    pub is_new_market: bool,
    /// How many decisions the wallet has made in this neg-risk event, with this one; 0 outside neg-risk events.
    pub neg_risk_legs: u32,
}

/// A decision that closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecisionClosed {
    /// How long it was held, in microseconds.
    pub held: i64,
    /// What was paid for shares of one outcome.
    pub yes_cost: Usd,
    /// What was paid for shares of the other.
    pub no_cost: Usd,
    /// Whether all that was sold was seen arriving.
    pub is_cost_known: bool,
}

/// What is kept of one wallet: 256 bytes, and beyond that, of whoever has more than two or three of each, 12 for each of
/// the last 30 days with a decision, 8 for each size of holding time (a quarter of an octave), and at most eight
/// counterparties of 48 bytes each where wallets and tokens are numbers of 32 bits: 1.3 kB for the busiest.
///
/// What every fill changes comes first, then whom it was dealt with, and then what decisions change: a fill looks at
/// few lines of memory.
#[derive(Clone, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct CopyabilitySums<W, T> {
    trades: u32,
    closed: u32,
    opened: Usd,
    opened_as_maker: Usd,
    opened_ultra_short: Usd,
    cost: Usd,
    hedged: Usd,
    counterparties: Counterparties<W, T>,
    days: SmallVec<[Day; 2]>,
    holds: Sizes<u32>,
    splits: u32,
    merges: u32,
    decisions: u32,
    in_baskets: u32,
    nearly_certain: u32,
    cost_unknown: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Day {
    /// Days since 1970.
    number: i32,
    decisions: u32,
    new_markets: u32,
}

impl Day {
    /// The day of a moment; the first or the last there is for moments beyond them.
    fn of(at: Timestamp) -> i32 {
        i32::try_from(at.day()).unwrap_or(if at.day() < 0 { i32::MIN } else { i32::MAX })
    }
}

impl<W, T> Default for CopyabilitySums<W, T> {
    fn default() -> Self {
        Self {
            trades: 0,
            splits: 0,
            merges: 0,
            opened: Usd::ZERO,
            opened_as_maker: Usd::ZERO,
            opened_ultra_short: Usd::ZERO,
            decisions: 0,
            in_baskets: 0,
            nearly_certain: 0,
            closed: 0,
            cost_unknown: 0,
            cost: Usd::ZERO,
            hedged: Usd::ZERO,
            holds: Sizes::default(),
            days: SmallVec::new(),
            counterparties: Counterparties::default(),
        }
    }
}

impl<W: Copy + Ord, T: Copy + Eq> CopyabilitySums<W, T> {
    /// Counts a fill. Fills come in the order they happened.
    pub fn trade(&mut self, dealt: &Dealt<W, T>) {
        self.trades = self.trades.saturating_add(1);
        self.counterparties.trade(dealt);
    }

    /// Counts the part of a fill that increased the wallet's exposure.
    pub fn open(&mut self, usd: Usd, role: Role, is_ultra_short: bool) {
        self.opened += usd;
        if role == Role::Maker {
            self.opened_as_maker += usd;
        }
        if is_ultra_short {
            self.opened_ultra_short += usd;
        }
    }

    /// Counts a split.
    pub fn split(&mut self) {
        self.splits = self.splits.saturating_add(1);
    }

    /// Counts a merge.
    pub fn merge(&mut self) {
        self.merges = self.merges.saturating_add(1);
    }

    /// Counts a decision that opens.
    pub fn decide(&mut self, opened: &DecisionOpened) {
        self.decisions = self.decisions.saturating_add(1);
        self.nearly_certain += u32::from(NEARLY_CERTAIN <= opened.price);
        // The third leg makes baskets of the first two as well.
        self.in_baskets += match opened.neg_risk_legs {
            BASKET => BASKET,
            more if more > BASKET => 1,
            _ => 0,
        };
        let day = Day::of(opened.at);
        let later = self.days.iter().rposition(|known| known.number <= day).map_or(0, |place| place + 1);
        let is_known = later.checked_sub(1).is_some_and(|place| self.days[place].number == day);
        let place = if is_known { later - 1 } else { later };
        if !is_known {
            self.days.insert(place, Day { number: day, decisions: 0, new_markets: 0 });
        }
        self.days[place].decisions += 1;
        self.days[place].new_markets += u32::from(opened.is_new_market);
        let newest = self.days.last().map_or(day, |newest| newest.number);
        let gone = self.days.partition_point(|day| day.number <= newest.saturating_sub(WINDOW));
        self.days.drain(..gone);
    }

    /// Counts a decision that closes.
    pub fn close(&mut self, closed: &DecisionClosed) {
        self.closed = self.closed.saturating_add(1);
        self.cost_unknown += u32::from(!closed.is_cost_known);
        self.cost += closed.yes_cost + closed.no_cost;
        self.hedged += closed.yes_cost.min(closed.no_cost);
        // Bought and sold in one block is a second, not never.
        let seconds = Usd::from_micros(closed.held).to_f64().max(1.0);
        if let Some(count) = self.holds.bin(seconds) {
            *count = count.saturating_add(1);
        }
    }

    /// The reasons against copying, with their figures.
    #[must_use]
    pub fn flags(&self, as_of: Timestamp) -> Vec<Flag> {
        self.figures(as_of).into_iter().filter(Flag::is_raised).collect()
    }

    /// All figures there are, raised or not.
    #[must_use]
    pub fn figures(&self, as_of: Timestamp) -> Vec<Flag> {
        FlagKind::ALL
            .into_iter()
            .filter_map(|kind| {
                let figure = self.figure(kind, as_of)?;
                Some(Flag { kind, figure, limit: kind.limit() })
            })
            .collect()
    }

    /// Whether a day with decisions is in the window that ends on day `from` and not in the one that ends on day
    /// `to`: then flags may have gone without news.
    #[must_use]
    pub fn loses_pace(&self, from: i64, to: i64) -> bool {
        let window = i64::from(WINDOW);
        self.days.iter().map(|day| i64::from(day.number)).any(|day| from - window < day && day <= to - window)
    }

    /// Reads what every fill needs.
    pub(crate) fn touch(&self) -> u64 {
        self.opened.micros().unsigned_abs() ^ self.counterparties.touch()
    }

    /// Reads whom fills were dealt with, beside that.
    pub(crate) fn touch_dealt(&self) -> u64 {
        self.counterparties.touch_more()
    }

    /// Reads what a decision that opens needs, beside that.
    pub(crate) fn touch_opening(&self) -> u64 {
        self.days.last().map_or(0, |day| u64::from(day.decisions)) ^ u64::from(self.decisions)
    }

    /// Reads what a decision that closes needs, beside that.
    pub(crate) fn touch_closing(&self) -> u64 {
        let counts = u64::from(self.closed) ^ u64::from(self.cost_unknown);
        counts ^ self.hedged.micros().unsigned_abs() ^ self.holds.touch()
    }

    fn figure(&self, kind: FlagKind, as_of: Timestamp) -> Option<f64> {
        let volume = |part: Usd| ratio(part.to_f64(), self.opened.to_f64());
        let decisions = |part: u32| ratio(f64::from(part), f64::from(self.decisions));
        let sets = self.splits.saturating_add(self.merges);
        match kind {
            FlagKind::MarketMaker => volume(self.opened_as_maker),
            FlagKind::UltraShortMarkets => volume(self.opened_ultra_short),
            FlagKind::Hedged => ratio(self.hedged.to_f64(), self.cost.to_f64()),
            FlagKind::Sets | FlagKind::Merges if sets < FEW_SETS => None,
            FlagKind::Sets => ratio(f64::from(sets), f64::from(self.trades.max(1))),
            FlagKind::Merges => ratio(f64::from(self.merges), f64::from(self.splits.max(1))),
            FlagKind::Baskets => decisions(self.in_baskets),
            FlagKind::Sweeper => decisions(self.nearly_certain),
            FlagKind::ShortHolds => self.holds.quantile(0.5, |count| *count).map(|seconds| seconds / 60.0),
            FlagKind::ManyDecisions => self.window(as_of).map(|day| day.decisions).max().map(f64::from),
            FlagKind::ManyMarkets => Some(self.window(as_of).map(|day| f64::from(day.new_markets)).sum()),
            FlagKind::FewCounterparties => self.counterparties.concentration(),
            FlagKind::RoundTrips => self.counterparties.round_trips(),
            FlagKind::TruncatedHistory => ratio(f64::from(self.cost_unknown), f64::from(self.closed)),
        }
    }

    fn window(&self, as_of: Timestamp) -> impl Iterator<Item = &Day> {
        self.days.iter().filter(move |day| as_of.day() - i64::from(WINDOW) < i64::from(day.number))
    }
}

/// Whether a market of this name lasts fifteen minutes or less. The venue writes the length of its rolling price
/// markets into their slugs: `btc-updown-15m-1769405400`.
#[must_use]
pub fn is_ultra_short(slug: &str) -> bool {
    let length = slug.split_once("-updown-").and_then(|(_, rest)| rest.split('-').next());
    let minutes = length.and_then(|length| length.strip_suffix('m')).and_then(|minutes| minutes.parse().ok());
    minutes.is_some_and(|minutes: u32| minutes <= 15)
}

fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

#[cfg(test)]
mod tests;
