//! What was traded of each token in the last day, by the hour.

use std::collections::{BTreeMap, VecDeque};

use domain::{Fill, Role, Timestamp, TokenId, Usd};

/// A market's volume is that of so many hours, the one under way among them.
pub const HOURS: i64 = 24;

/// The volumes of all tokens that were traded lately.
#[derive(Clone, Debug, Default)]
pub struct Volumes {
    /// Dollars of each hour in which something was traded, earliest first; hours are counted from 1970.
    hours: BTreeMap<TokenId, VecDeque<(i64, Usd)>>,
    swept: i64,
}

impl Volumes {
    /// Adds a fill. Each match counts once, as its taker's.
    pub fn observe(&mut self, fill: &Fill, at: Timestamp) {
        if fill.role == Role::Taker {
            self.add(fill.token, at, fill.usd);
        }
    }

    /// Adds dollars that were traded in the hour of a moment.
    pub fn add(&mut self, token: TokenId, at: Timestamp, usd: Usd) {
        let hour = hour_of(at);
        self.sweep(hour);
        let hours = self.hours.entry(token).or_default();
        let place = hours.partition_point(|(other, _)| *other < hour);
        match hours.get_mut(place).filter(|(other, _)| *other == hour) {
            Some((_, known)) => *known += usd,
            None => hours.insert(place, (hour, usd)),
        }
        let newest = hours.back().map_or(hour, |(newest, _)| *newest);
        while hours.front().is_some_and(|(oldest, _)| *oldest <= newest - HOURS) {
            hours.pop_front();
        }
    }

    /// Dollars traded of these tokens together in the day that ends with a moment.
    #[must_use]
    pub fn of(&self, tokens: &[TokenId], at: Timestamp) -> Usd {
        let until = hour_of(at);
        let hours = tokens.iter().filter_map(|token| self.hours.get(token)).flatten();
        hours.filter(|(hour, _)| until - HOURS < *hour).map(|(_, usd)| *usd).sum()
    }

    /// Forgets the tokens nobody trades any more, now and then.
    fn sweep(&mut self, hour: i64) {
        if self.swept < hour {
            let is_recent =
                |hours: &VecDeque<(i64, Usd)>| hours.back().is_some_and(|(newest, _)| hour - HOURS < *newest);
            self.hours.retain(|_, hours| is_recent(hours));
            self.swept = hour;
        }
    }
}

fn hour_of(at: Timestamp) -> i64 {
    at.micros().div_euclid(Timestamp::HOUR)
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

    #[test]
    fn a_day_is_its_last_hours_in_whatever_order_they_came() {
        let mut volumes = Volumes::default();
        for (at, usd) in [(30, 1), (7, 10), (29, 100), (6, 1_000), (30, 10_000)] {
            volumes.add(token(1), hour(at), Usd::whole(usd));
        }
        volumes.add(token(2), hour(30), Usd::whole(5));
        assert_eq!(volumes.of(&[token(1)], hour(30)), Usd::whole(10_111));
        assert_eq!(volumes.of(&[token(1), token(2)], hour(31)), Usd::whole(10_106));
        assert_eq!(volumes.of(&[token(1)], hour(54)), Usd::ZERO);
    }

    #[test]
    fn what_nobody_trades_is_forgotten() {
        let mut volumes = Volumes::default();
        volumes.add(token(1), hour(1), Usd::whole(5));
        volumes.add(token(2), hour(26), Usd::whole(5));
        assert_eq!(volumes.hours.len(), 1);
    }
}
