//! What a candidate for a signal looked like against its book: everything it was judged on.

use crate::book::Level;
use crate::id::ConditionId;
use crate::money::{Shares, Usd};
use crate::price::Price;
use crate::score::Skill;
use crate::time::Timestamp;

/// A number that is known with an error, and from how many events.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coefficient {
    /// Its mean.
    pub mean: f64,
    /// Its standard deviation.
    pub deviation: f64,
    /// The events it was learned from; 0 for what is assumed before any.
    pub events: u32,
}

/// What counts of a whale's bet beside its edge.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Further {
    /// How much more an edge counts whose entry took what rested.
    pub taken: Coefficient,
    /// How much the logarithm of its size counts.
    pub size: Coefficient,
    /// How much of what the price ran away is lost.
    pub run_up: Coefficient,
}

/// What a candidate looked like when its book came. The same for what was raised and for what was refused, so that
/// what is learned from outcomes later is not learned from the chosen alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Appraisal {
    /// The condition.
    pub condition: ConditionId,
    /// The event that groups its market with its siblings.
    pub event: String,
    /// The token's place among the market's outcomes.
    pub outcome: usize,
    /// When the venue made the book.
    pub book_at: Timestamp,
    /// The best bids, highest first.
    pub bids: Vec<Level>,
    /// The best offers, lowest first.
    pub asks: Vec<Level>,
    /// The middle of the book.
    pub market_price: Price,
    /// What that price is worth, as far as past outcomes have taught it: where the belief starts from.
    pub fair_price: f64,
    /// The best offer less the best bid, dollars a share.
    pub spread: f64,
    /// Dollars on offer up to the limit.
    pub depth: Usd,
    /// The average price of those who led to it.
    pub reference_price: Price,
    /// How far the middle of the book stood above that price, dollars a share.
    pub run_up: f64,
    /// How old the fill was when the book came, in microseconds.
    pub age: i64,
    /// How long the book was waited for, in microseconds.
    pub waited: i64,
    /// The score it was judged by; in a panic, the sellers' mean.
    pub score: f64,
    /// κ̂ of the wallet; 0 in a panic.
    pub kappa: f64,
    /// The standard error of κ̂.
    pub kappa_error: f64,
    /// What it and the others who bought the same lately know together, and how unsure that is; the wallet's own where it is
    /// alone.
    pub consensus: Skill,
    /// How many they are; 0 in a panic.
    pub backers: usize,
    /// The probability that κ is above zero.
    pub skill_probability: f64,
    /// What prices did after the wallet's entries, in standard errors; `None` where nobody knows, and in a panic.
    pub timing_t: Option<f64>,
    /// The part of the entry's dollars that took what rested; in a panic, the sellers' part of all selling.
    pub part: f64,
    /// The median cost of the wallet's decisions; `None` where nobody knows, and in a panic.
    pub median_cost: Option<Usd>,
    /// How many times that its entry costs.
    pub size: Option<f64>,
    /// Dollars traded in the market in the last day.
    pub volume: Usd,
    /// How far a panic had moved the price, dollars a share; 0 for a whale.
    pub drop: f64,
    /// Dollars of other whales on the same outcome, the candidate's own included.
    pub whales_with: Usd,
    /// Dollars of whales on the market's other outcomes.
    pub whales_against: Usd,
    /// The part that is against, 0 to 1, each whale's dollars weighed by its κ̂.
    pub whales_opposed: f64,
    /// The wallet's net shares of the outcome before its entry; `None` where nobody knows.
    pub held_before: Option<Shares>,
    /// The part of the edge that is kept (of a whale), or of the drop that comes back (of a panic).
    pub coefficient: Coefficient,
    /// What else counts of a whale's bet, and how much; `None` in a panic.
    pub further: Option<Further>,
    /// The market's taker fee rate, in millionths.
    pub fee_rate_ppm: u32,
    /// What the price is expected to lose us until the order arrives, dollars a share.
    pub latency_cost: f64,
    /// The average price the stake would have paid.
    pub expected_price: Price,
    /// The highest price the order may pay.
    pub limit_price: Price,
    /// What a share costs: price, fee and latency.
    pub cost: f64,
    /// The probability that the outcome wins.
    pub probability: f64,
    /// The standard error of that probability.
    pub error: f64,
    /// The probability that the trade pays.
    pub confidence: f64,
    /// Kelly's full fraction.
    pub kelly: f64,
    /// The policy it was judged under, by its digest.
    pub policy: String,
}

impl Appraisal {
    /// Levels of a book that are kept, a side.
    pub const LEVELS: usize = 10;
}
