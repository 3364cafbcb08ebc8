//! Why not: every refusal has a reason with its numbers.

mod figures;
mod words;

use domain::{Appraisal, ConditionId, Price, Shares, SignalKind, Timestamp, Timing, TokenId, Usd, Wallet};

use crate::guards::VenueMode;

/// One thing the engine would not do.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// When.
    pub at: Timestamp,
    /// Of which kind of signal.
    pub kind: SignalKind,
    /// Whose fill led to it.
    pub wallet: Wallet,
    /// Which token.
    pub token: TokenId,
    /// How many dollars the wallet had put in (or, in a panic, taken out) by then.
    pub notional: Usd,
    /// Why not.
    pub reason: Reason,
    /// The signal that had been raised by then, if one had.
    pub signal: Option<i64>,
    /// What it looked like against its book; `None` if it was refused before, or once it was a signal.
    pub appraisal: Option<Box<Appraisal>>,
}

/// Why not, with the numbers that decided.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// The fill was known too late.
    Stale {
        /// Its age in microseconds.
        age: i64,
        /// The most allowed.
        limit: i64,
    },
    /// The wallet is still a whale by its tier, and its score has slipped.
    Score {
        /// The score.
        score: f64,
        /// The least.
        minimum: f64,
    },
    /// Something about the wallet's ways means that copying it cannot work.
    NotCopyable,
    /// The wallet's edge may well be luck.
    Skill {
        /// The probability that it is above zero.
        probability: f64,
        /// The least.
        minimum: f64,
    },
    /// Prices did not go the wallet's way after its entries, as far as a copier would have had it, or too few were seen.
    Timing {
        /// What they did.
        timing: Timing,
        /// How many entries must have been looked at.
        entries: u32,
        /// The least gain, in standard errors.
        minimum: f64,
    },
    /// Most of the entry rested in the book, and was met by chance.
    Resting {
        /// The part that took what rested.
        part: f64,
        /// The least.
        minimum: f64,
    },
    /// Little is traded in the market.
    Volume {
        /// Dollars of the last day.
        volume: Usd,
        /// The least.
        minimum: Usd,
    },
    /// The entry is most of what is traded in the market.
    EntryOfVolume {
        /// Its dollars.
        entry: Usd,
        /// Those of the last day.
        volume: Usd,
        /// The part that it may be.
        maximum: f64,
    },
    /// Most of the selling is somebody else's.
    SellShare {
        /// The part of those who panic.
        part: f64,
        /// The least.
        minimum: f64,
    },
    /// The price falls as far as that every other hour.
    Ordinary {
        /// How far it fell, in log-odds.
        fall: f64,
        /// The standard deviation of its moves of a quarter of an hour.
        deviation: f64,
        /// How many of these the fall must be.
        minimum: f64,
    },
    /// Too few of the price's moves are known to say whether it fell further than usual.
    Unmeasured {
        /// How many moves of a quarter of an hour.
        moves: u32,
        /// The least.
        minimum: u32,
    },
    /// Too few of the sellers gave up much of what they held.
    NoPanic {
        /// How many did.
        sellers: usize,
        /// The least.
        minimum: usize,
        /// The part of what they held that counts.
        part: f64,
    },
    /// Nothing is known of the token's market yet.
    UnknownMarket,
    /// The market has its result.
    Resolved,
    /// The market's result is disputed.
    Disputed,
    /// A result is proposed: whoever sells may know it.
    Proposed,
    /// The price leaves too little to win, or is a long shot.
    PriceBand {
        /// The price.
        price: Price,
        /// The least.
        minimum: Price,
        /// The most.
        maximum: Price,
    },
    /// The market lasts minutes: whoever sees a fill on the chain is too late for it.
    UltraShort,
    /// The market is expected to end too soon.
    EndsSoon {
        /// The time left, in microseconds; below zero where the expected end has passed.
        left: i64,
        /// The least.
        minimum: i64,
    },
    /// The market is expected to end too late.
    EndsLate {
        /// The time left, in microseconds.
        left: i64,
        /// The most.
        maximum: i64,
    },
    /// The venue had no book.
    NoBook {
        /// What it said.
        detail: String,
    },
    /// One side of the book was empty, or it was crossed.
    OneSidedBook,
    /// The best offer was already above what we would pay.
    AboveLimit {
        /// The best offer.
        ask: Price,
        /// Our limit.
        limit: Price,
    },
    /// The best bid and the best offer lie too far apart.
    Spread {
        /// The best bid.
        bid: Price,
        /// The best offer.
        ask: Price,
        /// The most between them.
        maximum: Price,
    },
    /// The smallest stake would be too large a part of what is on offer up to the limit.
    Depth {
        /// Dollars on offer.
        depth: Usd,
        /// The least.
        needed: Usd,
    },
    /// The market has moved too far since the whale bought.
    RunUp {
        /// The whale's price.
        whale: Price,
        /// The middle of the book now.
        mid: Price,
        /// The most between them.
        maximum: Price,
    },
    /// The wallet is not betting on the outcome: it closes a bet on the other one, or sells what it buys.
    Closing {
        /// Its net shares of the outcome before its entry; below zero for a bet on the others.
        before: Shares,
        /// Its net shares now.
        after: Shares,
    },
    /// Whales disagree.
    Conflict {
        /// Their dollars on this outcome.
        with: Usd,
        /// Their dollars on the others.
        against: Usd,
        /// The part that is against, each one's dollars weighed by its edge.
        opposed: f64,
        /// The part of that that may be. However small it is, fewer dollars must be against than with it.
        maximum: f64,
    },
    /// Whales sell into the panic, so it may be right.
    WhaleSelling {
        /// Dollars they took out of the outcome, or put on the others.
        sold: Usd,
    },
    /// Another market of the event moved as well: that is news and no panic.
    News {
        /// The sibling.
        sibling: ConditionId,
        /// How far it moved, dollars a share.
        moved: f64,
        /// From where on it is news.
        maximum: Price,
    },
    /// The signal was not sure enough.
    Confidence {
        /// The signal's.
        confidence: f64,
        /// The least.
        minimum: f64,
    },
    /// The price has taken the edge, or left too little of it.
    NoEdge {
        /// The probability believed.
        probability: f64,
        /// What a share costs, fee included.
        cost: f64,
        /// How far the first must be above the second, dollars a share.
        minimum: f64,
    },
    /// The stake was not worth an order.
    StakeTooSmall {
        /// The stake.
        stake: Usd,
        /// The least.
        minimum: Usd,
    },
    /// Entries are paused by hand.
    Paused,
    /// All trading was stopped by hand.
    Killed {
        /// Why.
        reason: String,
    },
    /// The newest block is old: the chain is not seen.
    StaleChain {
        /// Its age in microseconds.
        age: i64,
        /// The most allowed.
        limit: i64,
    },
    /// The newest word of the books is old: prices are not seen.
    StaleBook {
        /// Its age in microseconds.
        age: i64,
        /// The most allowed.
        limit: i64,
    },
    /// Our clock is not the venue's.
    ClockSkew {
        /// The distance in microseconds.
        skew: i64,
        /// The most allowed.
        limit: i64,
    },
    /// The venue does not take such orders now.
    VenueMode {
        /// What it takes.
        mode: VenueMode,
    },
    /// Our books and the venue's disagree.
    Disagreement {
        /// About what.
        detail: String,
    },
    /// Too many positions in a row lost.
    Cooling {
        /// How many.
        losses: u32,
        /// Until when entries rest.
        until: Timestamp,
    },
    /// Too much would be in positions and orders at once.
    Exposure {
        /// What the order can cost, fee included.
        cost: Usd,
        /// What may still be added.
        left: Usd,
    },
    /// There is not that much to sell.
    NotHeld {
        /// What was to be sold.
        wanted: Shares,
        /// What can be.
        sellable: Shares,
    },
    /// The day's loss stopped entries.
    Halted {
        /// Until when.
        until: Timestamp,
    },
    /// As many positions are open or on their way as may be.
    TooManyPositions {
        /// How many.
        open: usize,
        /// The most.
        limit: usize,
    },
    /// As many positions of one category are to end on the market's day as may be.
    SameDay {
        /// How many.
        open: usize,
        /// The most.
        limit: usize,
    },
    /// There is a position in this event already.
    EventHeld,
    /// The order could cost more than one trade may.
    AboveMaxPosition {
        /// What the order can cost, fee included.
        cost: Usd,
        /// The most.
        limit: Usd,
    },
    /// The day's loss would exceed its limit if this trade lost.
    DailyBudget {
        /// What the order can cost, fee included.
        cost: Usd,
        /// What may still be lost today.
        left: Usd,
    },
    /// There is not enough money that is not in a position.
    Cash {
        /// What the order can cost, fee included.
        cost: Usd,
        /// The money there is.
        free: Usd,
    },
}

impl Reason {
    /// The name under which refusals are counted.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Stale { .. } => "stale",
            Self::Score { .. } => "score",
            Self::NotCopyable => "not_copyable",
            Self::Skill { .. } => "skill",
            Self::Timing { .. } => "timing",
            Self::Resting { .. } => "resting",
            Self::Volume { .. } => "volume",
            Self::EntryOfVolume { .. } => "entry_of_volume",
            Self::SellShare { .. } => "sell_share",
            Self::Ordinary { .. } => "ordinary",
            Self::Unmeasured { .. } => "unmeasured",
            Self::NoPanic { .. } => "no_panic",
            Self::UnknownMarket => "unknown_market",
            Self::Resolved => "resolved",
            Self::Disputed => "disputed",
            Self::Proposed => "proposed",
            Self::PriceBand { .. } => "price_band",
            Self::UltraShort => "ultra_short",
            Self::EndsSoon { .. } => "ends_soon",
            Self::EndsLate { .. } => "ends_late",
            Self::NoBook { .. } => "no_book",
            Self::OneSidedBook => "one_sided_book",
            Self::AboveLimit { .. } => "above_limit",
            Self::Spread { .. } => "spread",
            Self::Depth { .. } => "depth",
            Self::RunUp { .. } => "run_up",
            Self::Closing { .. } => "closing",
            Self::Conflict { .. } => "conflict",
            Self::WhaleSelling { .. } => "whale_selling",
            Self::News { .. } => "news",
            Self::Confidence { .. } => "confidence",
            Self::NoEdge { .. } => "no_edge",
            Self::StakeTooSmall { .. } => "stake_too_small",
            Self::Paused => "paused",
            Self::Killed { .. } => "killed",
            Self::StaleChain { .. } => "stale_chain",
            Self::StaleBook { .. } => "stale_book",
            Self::ClockSkew { .. } => "clock_skew",
            Self::VenueMode { .. } => "venue_mode",
            Self::Disagreement { .. } => "disagreement",
            Self::Cooling { .. } => "cooling",
            Self::Exposure { .. } => "exposure",
            Self::NotHeld { .. } => "not_held",
            Self::Halted { .. } => "halted",
            Self::TooManyPositions { .. } => "too_many_positions",
            Self::SameDay { .. } => "same_day",
            Self::EventHeld => "event_held",
            Self::AboveMaxPosition { .. } => "above_max_position",
            Self::DailyBudget { .. } => "daily_budget",
            Self::Cash { .. } => "cash",
        }
    }
}
