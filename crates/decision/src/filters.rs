//! What keeps a candidate from being a signal, whatever it is believed to be worth
//! (`ORDER_FLOW_STRATEGY.md` §5 and §6).

use domain::{Price, Timestamp, Usd};

use crate::limits::EntryStyle;

/// The filters every candidate passes, and those of whales.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Filters {
    /// Below it a bet is a long shot.
    pub min_price: Price,
    /// Above it there is too little to win.
    pub max_price: Price,
    /// The least time to the market's expected end, in microseconds: just before it, prices are news.
    pub min_time_left: i64,
    /// The most, in microseconds: money that is held for months earns nothing elsewhere.
    pub max_time_left: i64,
    /// The widest book, best offer less best bid.
    pub max_spread: Price,
    /// How many times the stake must be on offer up to the limit. A stake is cut to it before it is refused.
    pub depth_multiple: u32,
    /// How far the middle of the book may have moved above the price that is followed.
    pub max_run_up: Price,
    /// The part of all whales' dollars in a market, weighed by their edges, that may be on its other outcomes, 0 to 1; 1:
    /// nobody asks.
    pub max_opposed: f64,
    /// How far back whales are looked for, in microseconds.
    pub conflict_window: i64,
    /// Whether markets of fifteen minutes and less are followed, whatever their time left.
    pub ultra_short: bool,
    /// The least probability that the wallet's edge is above zero, 0 to 1. Like the next two it holds where skill is what
    /// confidence is found by: the score read literally knows of no such thing.
    pub min_skill_probability: f64,
    /// How many of its entries must have been timed.
    pub min_timed_entries: u32,
    /// The least gain that a copier would have had after them, in its own standard errors; it must be a gain, too.
    pub min_timing: f64,
    /// The least an entry must cost, as a part of the median cost of the wallet's decisions, 0 to 1: what is little for it
    /// says little about what it knows.
    pub min_entry_of_median: f64,
    /// The least part of an entry's dollars that took what rested, 0 to 1: who rests in the book is met by chance.
    pub min_taker_part: f64,
    /// The least dollars that were traded in the market in the last day.
    pub min_volume: Usd,
    /// The most of that which the entry may be, 0 to 1.
    pub max_volume_part: f64,
    /// What the price is expected to lose us between the decision and the order's arrival, dollars a share.
    pub latency_cost: f64,
    /// The least edge after all costs, dollars a share: what is found in error is larger than less. Like the next one it
    /// holds where skill is what confidence is found by.
    pub min_edge: f64,
    /// The least edge after all costs, as a part of what a share costs.
    pub min_edge_part: f64,
}

/// What holds for panics alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FadePolicy {
    /// Whether panics are traded. If not they are shadows: signalled and followed to their outcome, never sent.
    pub live: bool,
    /// How they are entered. Buying what a panic sells pays, if it does, with what little comes back of the drop: the spread
    /// and the fee are more than that, so that nothing but an order that rests can gain.
    pub entry: EntryStyle,
    /// How long one is held, in microseconds: what comes back of a panic comes back soon.
    pub max_holding: i64,
    /// The part of the drop that must have come back for one to be left, 0 to 1; 0: none is left for that.
    pub rebound: f64,
    /// Below it a bet is a long shot.
    pub min_price: Price,
    /// Above it there is too little to come back.
    pub max_price: Price,
    /// The least time to the market's expected end, in microseconds.
    pub min_time_left: i64,
    /// The part of what it held of the outcome that a seller must have given up, 0 to 1.
    pub min_part_sold: f64,
    /// The part of all selling into bids that must be theirs, 0 to 1.
    pub min_sell_share: f64,
    /// How many standard deviations of the market's moves of a quarter of an hour the drop must be, in log-odds: a market
    /// that moves as far every other hour does not panic. 0: nobody asks.
    pub min_sigmas: f64,
    /// How many such moves must be known of the last day. Of a market that is hardly traded nobody can say what is usual, and
    /// who bought there would not find anybody to sell to either.
    pub min_moves: u32,
    /// For how long the price must have set no new low, in microseconds; 0: nobody waits. While it falls, whoever buys is the
    /// one the next seller sells to.
    pub calm: i64,
    /// A sibling market that moved this far in the same minutes makes a panic news.
    pub max_sibling_move: Price,
}

impl Default for Filters {
    fn default() -> Self {
        Self {
            min_price: cents(10),
            max_price: cents(90),
            min_time_left: 2 * Timestamp::HOUR,
            max_time_left: 30 * Timestamp::DAY,
            max_spread: cents(3),
            depth_multiple: 3,
            max_run_up: cents(2),
            max_opposed: 0.35,
            conflict_window: 6 * Timestamp::HOUR,
            ultra_short: false,
            min_skill_probability: 0.90,
            min_timed_entries: 30,
            min_timing: 1.0,
            min_entry_of_median: 0.50,
            min_taker_part: 0.50,
            min_volume: Usd::whole(10_000),
            max_volume_part: 0.50,
            latency_cost: 0.002,
            min_edge: 0.01,
            min_edge_part: 0.015,
        }
    }
}

impl Default for FadePolicy {
    fn default() -> Self {
        Self {
            live: false,
            entry: EntryStyle::Rest { lasts: 10 * Timestamp::MINUTE },
            max_holding: Timestamp::DAY,
            rebound: 0.5,
            min_price: cents(15),
            max_price: cents(85),
            min_time_left: 6 * Timestamp::HOUR,
            min_part_sold: 0.30,
            min_sell_share: 0.60,
            max_sibling_move: cents(3),
            min_sigmas: 3.0,
            min_moves: 8,
            calm: 5 * Timestamp::MINUTE,
        }
    }
}

/// A price of whole cents; the price grid's own step where the number is none.
fn cents(cents: u32) -> Price {
    Price::from_ppm(cents * 10_000).unwrap_or(Price::CENT)
}
