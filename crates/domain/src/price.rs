//! The price of one share, strictly between 0 and 1 dollar, in parts per million.

use std::fmt;
use std::str::FromStr;

use crate::money::{MICRO, Shares, Usd, saturate};

/// Which way an inexact product is rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// Toward zero.
    Down,
    /// Away from zero.
    Up,
    /// To the nearest, halves away from zero.
    Nearest,
}

/// Dollars a share, in millionths, with `0 < price < 1`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price(u32);

/// The grid a market's order prices lie on, in millionths of a dollar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick(u32);

/// A text or number that is not a price strictly between 0 and 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a price strictly between 0 and 1 with at most six decimals")]
pub struct PriceError(String);

impl Price {
    /// From parts per million; `None` outside `0 < price < 1`.
    #[must_use]
    pub fn from_ppm(ppm: u32) -> Option<Self> {
        (0 < ppm && ppm < 1_000_000).then_some(Self(ppm))
    }

    /// The average price of `shares` for `usd`, rounded to the nearest millionth.
    /// `None` where there are no shares or the quotient lies outside `0 < price < 1`, as it does for dust.
    #[must_use]
    pub fn average(usd: Usd, shares: Shares) -> Option<Self> {
        let ppm = ratio_ppm(usd, shares)?;
        u32::try_from(ppm).ok().and_then(Self::from_ppm)
    }

    /// In parts per million.
    #[must_use]
    pub const fn ppm(self) -> u32 {
        self.0
    }

    /// As a float, for beliefs.
    #[must_use]
    pub fn to_f64(self) -> f64 {
        f64::from(self.0) / 1_000_000.0
    }

    /// The price of the other outcome of a two-outcome market.
    #[must_use]
    pub const fn complement(self) -> Self {
        Self(1_000_000 - self.0)
    }

    /// This price moved onto the grid, kept inside `[tick, 1 - tick]`.
    #[must_use]
    pub fn on_tick(self, tick: Tick, rounding: Rounding) -> Self {
        let (price, step) = (self.0, tick.0);
        let steps = match rounding {
            Rounding::Down => price / step,
            Rounding::Up => price.div_ceil(step),
            Rounding::Nearest => (price + step / 2) / step,
        };
        Self((steps * step).clamp(step, 1_000_000 - step))
    }
}

impl Shares {
    /// What these shares cost at `price`.
    #[must_use]
    pub fn at(self, price: Price, rounding: Rounding) -> Usd {
        let product = i128::from(self.micros()) * i128::from(price.0);
        Usd::from_micros(saturate(divide(product, i128::from(MICRO), rounding)))
    }
}

impl Usd {
    /// How many shares this buys at `price`, rounded down.
    #[must_use]
    pub fn buys_at(self, price: Price) -> Shares {
        Shares::from_micros(saturate(i128::from(self.micros()) * i128::from(MICRO) / i128::from(price.0)))
    }
}

impl Tick {
    /// One cent, the grid of nearly all markets.
    pub const CENT: Self = Self(10_000);

    /// From parts per million; `None` unless it is one of the ticks the venue knows
    /// (0.1, 0.01, 0.005, 0.0025, 0.001, 0.0001).
    #[must_use]
    pub fn from_ppm(ppm: u32) -> Option<Self> {
        matches!(ppm, 100_000 | 10_000 | 5_000 | 2_500 | 1_000 | 100).then_some(Self(ppm))
    }

    /// In parts per million.
    #[must_use]
    pub const fn ppm(self) -> u32 {
        self.0
    }
}

/// `usd / shares` in parts per million, to the nearest; `None` without shares.
#[must_use]
pub fn ratio_ppm(usd: Usd, shares: Shares) -> Option<i64> {
    /// Millionths of a dollar that fit 63 bits a million times.
    const FITS: i64 = i64::MAX / MICRO;
    let (usd, shares) = (usd.micros(), shares.micros());
    if shares == 0 {
        return None;
    }
    // Nearly every price fits, and 128 bits are dear.
    if (0..=FITS).contains(&usd) && shares > 0 {
        let (quotient, remainder) = (usd * MICRO / shares, usd * MICRO % shares);
        // Half of it or more: twice the remainder might not fit.
        return Some(quotient + i64::from(remainder >= shares - remainder));
    }
    Some(widely(usd, shares))
}

/// The same for amounts of any size.
fn widely(usd: i64, shares: i64) -> i64 {
    saturate(divide(i128::from(usd) * i128::from(MICRO), i128::from(shares), Rounding::Nearest))
}

fn divide(numerator: i128, denominator: i128, rounding: Rounding) -> i128 {
    let (numerator, denominator) =
        if denominator < 0 { (-numerator, -denominator) } else { (numerator, denominator) };
    let quotient = numerator / denominator;
    let remainder = (numerator % denominator).abs();
    let away = match rounding {
        Rounding::Down => false,
        Rounding::Up => remainder > 0,
        Rounding::Nearest => remainder * 2 >= denominator,
    };
    match (away, numerator < 0) {
        (false, _) => quotient,
        (true, false) => quotient + 1,
        (true, true) => quotient - 1,
    }
}

impl FromStr for Price {
    type Err = PriceError;
    fn from_str(text: &str) -> Result<Self, PriceError> {
        let amount: Usd = text.parse().map_err(|_| PriceError(text.to_owned()))?;
        u32::try_from(amount.micros())
            .ok()
            .and_then(Self::from_ppm)
            .ok_or_else(|| PriceError(text.to_owned()))
    }
}

/// The shortest exact decimal: `0.74`.
impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Usd::from_micros(i64::from(self.0)), f)
    }
}

impl fmt::Debug for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Price({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn price(text: &str) -> Price {
        text.parse().unwrap()
    }

    #[test]
    fn prices_move_onto_the_grid_as_asked() {
        assert_eq!(price("0.756").on_tick(Tick::CENT, Rounding::Nearest), price("0.76"));
        assert_eq!(price("0.756").on_tick(Tick::CENT, Rounding::Down), price("0.75"));
        assert_eq!(price("0.999").on_tick(Tick::CENT, Rounding::Nearest), price("0.99"));
        assert_eq!(price("0.001").on_tick(Tick::CENT, Rounding::Down), price("0.01"));
    }

    #[test]
    fn an_average_price_needs_shares_and_sense() {
        let average = |usd, shares| Price::average(Usd::from_micros(usd), Shares::from_micros(shares));
        assert_eq!(average(3_929_200, 4_180_000), Some(price("0.94")));
        assert_eq!(average(1, 0), None);
        assert_eq!(average(5, 3), None);
        assert_eq!(average(0, 10), None);
    }

    proptest! {
        /// The short way and the long way are the same, with amounts that fit the short one, that do not, and at its end.
        #[test]
        fn a_ratio_is_the_same_either_way(
            usd in prop_oneof![any::<i64>(), -1_000i64..1_000, 0i64..1_000_000_000_000, 9_000_000_000_000i64..9_500_000_000_000],
            shares in prop_oneof![any::<i64>(), 1i64..5_000_000],
        ) {
            let ratio = ratio_ppm(Usd::from_micros(usd), Shares::from_micros(shares));
            prop_assert_eq!(ratio, (shares != 0).then(|| widely(usd, shares)));
        }

        #[test]
        fn rounding_brackets_the_exact_product(micros in -1_000_000_000_000i64..1_000_000_000_000, ppm in 1u32..1_000_000) {
            let shares = Shares::from_micros(micros);
            let price = Price::from_ppm(ppm).unwrap();
            let down = shares.at(price, Rounding::Down).abs();
            let near = shares.at(price, Rounding::Nearest).abs();
            let up = shares.at(price, Rounding::Up).abs();
            prop_assert!(down <= near && near <= up);
            prop_assert!(up.micros() - down.micros() <= 1);
        }

        #[test]
        fn money_spent_never_exceeds_the_stake(micros in 0i64..1_000_000_000_000, ppm in 1u32..1_000_000) {
            let stake = Usd::from_micros(micros);
            let price = Price::from_ppm(ppm).unwrap();
            prop_assert!(stake.buys_at(price).at(price, Rounding::Up) <= stake);
        }
    }
}
