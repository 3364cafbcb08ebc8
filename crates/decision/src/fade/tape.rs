//! The last prints of one token in the order of their time, with the sum of those before a panic's minutes kept: what
//! the price was is asked at every sale of a busy market, and must not cost a walk through its whole hour.

use std::collections::VecDeque;

use domain::{Price, Shares, Side, Timestamp, Usd, Wallet, price};

use super::{LOOKBACK, WINDOW};

/// A fill, as far as the tape is asked about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Print {
    pub(super) at: Timestamp,
    pub(super) wallet: Wallet,
    pub(super) side: Side,
    pub(super) is_taker: bool,
    pub(super) usd: Usd,
    pub(super) shares: Shares,
}

/// Prints, oldest first, none of them older than the latest by more than [`LOOKBACK`].
#[derive(Clone, Debug, Default)]
pub(super) struct Tape {
    prints: VecDeque<Print>,
    /// So many of them are before the minutes of a panic that ends with the latest, and come to so much.
    before: Sum,
}

/// What some prints come to; wide enough that no sum of them ever saturates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum {
    prints: usize,
    usd: i128,
    shares: i128,
}

impl Tape {
    /// Adds a print. One that comes late takes its place among the others.
    pub(super) fn push(&mut self, print: Print) {
        let place = match self.prints.back() {
            Some(latest) if print.at < latest.at => self.place_of(|other| other.at <= print.at),
            _ => self.prints.len(),
        };
        self.prints.insert(place, print);
        if place < self.before.prints {
            self.before.add(&print);
        }
        let Some(latest) = self.prints.back().map(|print| print.at) else { return };
        self.before = self.before_minutes_to(latest);
        while let Some(oldest) =
            self.prints.front().filter(|oldest| LOOKBACK < latest.micros_since(oldest.at))
        {
            self.before.take(oldest);
            self.prints.pop_front();
        }
    }

    /// The latest print.
    pub(super) fn latest(&self) -> Option<&Print> {
        self.prints.back()
    }

    /// The prints of the panic's minutes that end at a moment, and all later ones.
    pub(super) fn minutes_to(&self, at: Timestamp) -> impl Iterator<Item = &Print> {
        self.prints.range(self.before_minutes_to(at).prints..)
    }

    /// The average price of all prints before those.
    pub(super) fn baseline(&self, at: Timestamp) -> Option<Price> {
        self.before_minutes_to(at).average()
    }

    /// The prints from a moment on.
    pub(super) fn since(&self, from: Timestamp) -> impl Iterator<Item = &Print> {
        self.prints.range(self.place_of(|print| print.at < from)..)
    }

    /// Walks from what is kept to what is asked for: a few prints, as a moment that is asked about is never far from
    /// the latest.
    fn before_minutes_to(&self, at: Timestamp) -> Sum {
        let is_before = |print: &Print| WINDOW < at.micros_since(print.at);
        let mut before = self.before;
        while let Some(print) = self.prints.get(before.prints).filter(|print| is_before(print)) {
            before.add(print);
        }
        while let Some(place) = before.prints.checked_sub(1)
            && let Some(print) = self.prints.get(place).filter(|print| !is_before(print))
        {
            before.take(print);
        }
        before
    }

    fn place_of(&self, is_before: impl Fn(&Print) -> bool) -> usize {
        self.prints.partition_point(is_before)
    }
}

impl Print {
    /// Its own price, on the grid of prices.
    pub(super) fn price(&self) -> Option<Price> {
        let mut sum = Sum::default();
        sum.add(self);
        sum.average()
    }
}

impl Sum {
    fn add(&mut self, print: &Print) {
        self.prints += 1;
        self.usd += i128::from(print.usd.micros());
        self.shares += i128::from(print.shares.micros());
    }

    fn take(&mut self, print: &Print) {
        self.prints -= 1;
        self.usd -= i128::from(print.usd.micros());
        self.shares -= i128::from(print.shares.micros());
    }

    fn average(self) -> Option<Price> {
        let usd = Usd::from_micros(i64::try_from(self.usd).ok()?);
        let shares = Shares::from_micros(i64::try_from(self.shares).ok()?);
        price::ratio_ppm(usd, shares).and_then(|ppm| u32::try_from(ppm).ok()).and_then(Price::from_ppm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn print(seconds: i64, shares: i32, usd: i32) -> Print {
        Print {
            at: Timestamp::from_seconds(seconds),
            wallet: Wallet::default(),
            side: Side::Sell,
            is_taker: true,
            usd: Usd::whole(usd),
            shares: Shares::whole(shares),
        }
    }

    proptest! {
        /// Whatever comes in whatever order, the kept sum is that of a walk through all prints.
        #[test]
        fn the_kept_sum_is_that_of_all_prints_before(
            prints in proptest::collection::vec((0_i64..12_000, 1_i32..100), 1..60),
            asked in 0_i64..12_000,
        ) {
            let mut tape = Tape::default();
            for (seconds, shares) in &prints {
                tape.push(print(*seconds, 100, *shares));
            }
            let latest = prints.iter().map(|(seconds, _)| *seconds).max().unwrap();
            let kept = || prints.iter().filter(|(seconds, _)| (latest - seconds) * 1_000_000 <= LOOKBACK);
            let is_before = |seconds: i64| WINDOW < (asked - seconds) * 1_000_000;
            let before: Vec<i32> =
                kept().filter(|(seconds, _)| is_before(*seconds)).map(|(_, usd)| *usd).collect();
            let recent = kept().filter(|(seconds, _)| !is_before(*seconds)).count();
            let at = Timestamp::from_seconds(asked);
            prop_assert_eq!(tape.minutes_to(at).count(), recent);
            let number = i32::try_from(before.len()).unwrap();
            let expected = (number > 0).then(|| {
                let usd = Usd::whole(before.iter().sum());
                price::ratio_ppm(usd, Shares::whole(100 * number))
            });
            prop_assert_eq!(
                tape.baseline(at).map(|price| i64::from(price.ppm())),
                expected.flatten().filter(|ppm| *ppm < 1_000_000)
            );
        }
    }
}
