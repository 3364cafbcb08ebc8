//! What was traded of each token in the last day, by the quarter of an hour: how much, and at what price.

use std::collections::{BTreeMap, VecDeque};

use domain::{Fill, Role, Shares, Timestamp, TokenId, Usd};

use crate::refit::logit;

/// A market's volume is that of so many hours, the one under way among them.
const HOURS: i64 = 24;

/// So many hours are kept, and must be known after a restart: a day before the minutes of a panic, and what a clock may be
/// off by.
pub const KEPT_HOURS: i64 = HOURS + 2;

/// So many of the parts that are counted make an hour.
const QUARTERS: i64 = 4;

/// What was traded of a token from one moment on for a quarter of an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traded {
    /// Which token.
    pub token: TokenId,
    /// A moment of that quarter.
    pub at: Timestamp,
    /// Dollars.
    pub usd: Usd,
    /// Shares.
    pub shares: Shares,
}

/// How a token's price moves: from one quarter of an hour to the next, in log-odds, average price to average price.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moves {
    /// How many moves are known: those between neighbours in which something was traded.
    pub count: u32,
    /// Their standard deviation about none.
    pub deviation: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Quarter {
    /// Counted from 1970.
    number: i64,
    usd: Usd,
    shares: Shares,
}

/// The volumes of all tokens that were traded lately.
#[derive(Clone, Debug, Default)]
pub struct Volumes {
    /// The quarters in which something was traded, earliest first.
    quarters: BTreeMap<TokenId, VecDeque<Quarter>>,
    swept: i64,
}

impl Volumes {
    /// Adds a fill. Each match counts once, as its taker's.
    pub fn observe(&mut self, fill: &Fill, at: Timestamp) {
        if fill.role == Role::Taker {
            self.add(Traded { token: fill.token, at, usd: fill.usd, shares: fill.shares });
        }
    }

    /// Adds what was traded in a quarter of an hour.
    pub fn add(&mut self, traded: Traded) {
        let Traded { token, at, usd, shares } = traded;
        let number = quarter_of(at);
        self.sweep(hour_of(number));
        let quarters = self.quarters.entry(token).or_default();
        let place = quarters.partition_point(|other| other.number < number);
        match quarters.get_mut(place).filter(|other| other.number == number) {
            Some(known) => {
                known.usd += usd;
                known.shares += shares;
            }
            None => quarters.insert(place, Quarter { number, usd, shares }),
        }
        let newest = quarters.back().map_or(number, |newest| newest.number);
        while quarters.front().is_some_and(|oldest| hour_of(oldest.number) <= hour_of(newest) - KEPT_HOURS) {
            quarters.pop_front();
        }
    }

    /// Dollars traded of these tokens together in the day that ends with a moment.
    #[must_use]
    pub fn of(&self, tokens: &[TokenId], at: Timestamp) -> Usd {
        let until = hour_of(quarter_of(at));
        let quarters = tokens.iter().filter_map(|token| self.quarters.get(token)).flatten();
        quarters.filter(|quarter| until - HOURS < hour_of(quarter.number)).map(|quarter| quarter.usd).sum()
    }

    /// The moves of a token in the day before a moment, between quarters that were over by then.
    #[must_use]
    pub fn moves(&self, token: TokenId, until: Timestamp) -> Moves {
        let under_way = quarter_of(until);
        let is_of_that_day =
            |quarter: &&Quarter| (under_way - HOURS * QUARTERS..under_way).contains(&quarter.number);
        let prices = self.quarters.get(&token).into_iter().flatten().filter(is_of_that_day);
        let mut prices = prices.filter_map(|quarter| Some((quarter.number, quarter.log_odds()?)));
        let (mut moves, mut squares) = (Moves::default(), 0.0);
        let mut before = prices.next();
        for (number, price) in prices {
            if let Some((earlier, from)) = before
                && earlier + 1 == number
            {
                moves.count += 1;
                squares += (price - from) * (price - from);
            }
            before = Some((number, price));
        }
        if 0 < moves.count {
            moves.deviation = (squares / f64::from(moves.count)).sqrt();
        }
        moves
    }

    /// Forgets the tokens nobody trades any more, now and then.
    fn sweep(&mut self, hour: i64) {
        if self.swept < hour {
            let is_recent = |quarters: &VecDeque<Quarter>| {
                quarters.back().is_some_and(|newest| hour - KEPT_HOURS < hour_of(newest.number))
            };
            self.quarters.retain(|_, quarters| is_recent(quarters));
            self.swept = hour;
        }
    }
}

impl Quarter {
    /// The average price in log-odds; `None` where the fills come to no price.
    fn log_odds(&self) -> Option<f64> {
        let price = self.usd.to_f64() / self.shares.to_f64();
        (0.0 < price && price < 1.0).then(|| logit(price))
    }
}

fn quarter_of(at: Timestamp) -> i64 {
    at.micros().div_euclid(Timestamp::HOUR / QUARTERS)
}

const fn hour_of(quarter: i64) -> i64 {
    quarter.div_euclid(QUARTERS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(hour: i64) -> Timestamp {
        Timestamp::from_micros(hour * Timestamp::HOUR)
    }

    fn token(number: u32) -> TokenId {
        number.to_string().parse().unwrap()
    }

    fn add(volumes: &mut Volumes, of: u32, at: Timestamp, usd: i32) {
        volumes.add(Traded { token: token(of), at, usd: Usd::whole(usd), shares: Shares::whole(2 * usd) });
    }

    #[test]
    fn a_day_is_its_last_hours_in_whatever_order_they_came() {
        let mut volumes = Volumes::default();
        for (at, usd) in [(30, 1), (7, 10), (29, 100), (6, 1_000), (30, 10_000)] {
            add(&mut volumes, 1, hour(at), usd);
        }
        add(&mut volumes, 2, hour(30), 5);
        assert_eq!(volumes.of(&[token(1)], hour(30)), Usd::whole(10_111));
        assert_eq!(volumes.of(&[token(1), token(2)], hour(31)), Usd::whole(10_106));
        assert_eq!(volumes.of(&[token(1)], hour(54)), Usd::ZERO);
        // Whatever the quarter: an hour counts as a whole.
        add(&mut volumes, 2, hour(30).plus_micros(Timestamp::HOUR - 1), 7);
        assert_eq!(volumes.of(&[token(2)], hour(53)), Usd::whole(12));
        assert_eq!(volumes.of(&[token(2)], hour(54)), Usd::ZERO);
    }

    #[test]
    fn what_nobody_trades_is_forgotten() {
        let mut volumes = Volumes::default();
        add(&mut volumes, 1, hour(1), 5);
        add(&mut volumes, 2, hour(27), 5);
        assert_eq!(volumes.quarters.len(), 1);
    }

    fn quarter(quarter: i64) -> Timestamp {
        Timestamp::from_micros(quarter * Timestamp::HOUR / QUARTERS)
    }

    /// Prices by quarter, in cents.
    fn moves(prices: &[(i64, i32)], until: Timestamp) -> Moves {
        let mut volumes = Volumes::default();
        for (at, cents) in prices {
            let (usd, shares) = (Usd::whole(*cents), Shares::whole(100));
            volumes.add(Traded { token: token(1), at: quarter(*at), usd, shares });
        }
        volumes.moves(token(1), until)
    }

    /// From 0.50 to 0.60 is ln 1.5 in log-odds, from 0.60 to 0.75 ln 2.
    #[test]
    fn moves_are_those_between_neighbours_that_are_over() {
        let (one, two) = (libm::log(1.5), libm::log(2.0));
        let prices = [(100, 50), (101, 60), (103, 75), (104, 60), (105, 50)];
        let found = moves(&prices, quarter(106));
        assert_eq!(found.count, 3, "nothing was traded in 102");
        let expected = ((one * one + two * two + one * one) / 3.0).sqrt();
        assert!((found.deviation - expected).abs() < 1e-12, "{found:?}");
        // What is under way is not over, and a day before it is over for good.
        assert_eq!(moves(&prices, quarter(106).plus_micros(-1)).count, 2);
        assert_eq!(moves(&prices, quarter(100 + 96)).count, 3);
        assert_eq!(moves(&prices, quarter(100 + 97)).count, 2);
        assert_eq!(moves(&prices, quarter(100)), Moves::default());
        // What comes to no price is none.
        assert_eq!(moves(&[(1, 0), (2, 50), (3, 100), (4, 50)], quarter(5)).count, 0);
    }

    /// The order in which trades of a quarter come changes nothing.
    #[test]
    fn a_quarter_has_one_price() {
        let there = moves(&[(1, 40), (2, 80), (2, 60), (1, 60)], quarter(3));
        assert_eq!(there, moves(&[(1, 50), (2, 70)], quarter(3)));
        assert_eq!(there.count, 1);
    }
}
