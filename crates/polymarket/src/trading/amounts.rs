//! What an order gives and asks for, in the venue's own roundings and in integers throughout.
//!
//! The recipes are those of the official clients for orders that rest, and for orders that match at once the venue's
//! stricter rule: the maker's amount has at most two decimals, the taker's at most four, whatever the grid.

use domain::{MICRO, Price, Shares, Side, Tick, Usd};

/// Two decimals in millionths.
const CENT: i64 = 10_000;

/// Four decimals in millionths.
const MYRIADTH: i64 = 100;

/// The venue takes no marketable order to buy for less than a dollar.
const LEAST_SPENT: Usd = Usd::whole(1);

/// The two amounts that are signed, in millionths: what the order gives, and what it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amounts {
    /// Dollars for an order to buy, shares for one to sell.
    pub maker: i64,
    /// Shares for an order to buy, dollars for one to sell.
    pub taker: i64,
}

/// How much is to be traded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// So many shares.
    Shares(Shares),
    /// So many dollars, fee not included: only for an order to buy that matches at once.
    Spend(Usd),
}

/// Why an order cannot be written in the venue's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountsError {
    /// The price is not on the market's grid, or not inside one tick and one minus a tick.
    #[error("{price} is not on the grid of {tick_ppm} millionths")]
    OffGrid {
        /// The price.
        price: Price,
        /// The grid, in millionths of a dollar.
        tick_ppm: u32,
    },
    /// Fewer shares than the market takes.
    #[error("{shares} shares are less than the market's smallest order of {least}")]
    TooFewShares {
        /// What is left after rounding down.
        shares: Shares,
        /// The market's smallest order.
        least: Shares,
    },
    /// Less than a dollar, for an order to buy at once.
    #[error("${spent} is less than the $1 that an order to buy at once must spend")]
    TooLittleMoney {
        /// What is left after rounding down.
        spent: Usd,
    },
    /// So small an amount that rounding moves its price by a tick or more.
    #[error("rounding would move the price {price} by a tick or more")]
    BreaksLimit {
        /// The limit.
        price: Price,
    },
    /// Dollars are given where only shares can be.
    #[error("only an order to buy at once can be given in dollars")]
    NotInDollars,
    /// Nothing, or more than any market holds.
    #[error("the quantity is not above zero, or is beyond what can be held")]
    Unreasonable,
}

impl Amounts {
    /// The amounts of an order that may rest: shares to two decimals, dollars exact.
    ///
    /// # Errors
    /// [`AmountsError`].
    pub fn resting(
        side: Side,
        quantity: Quantity,
        limit: Price,
        tick: Tick,
        least: Shares,
    ) -> Result<Self, AmountsError> {
        on_grid(limit, tick)?;
        let Quantity::Shares(shares) = quantity else { return Err(AmountsError::NotInDollars) };
        let shares = down(shares.micros(), CENT)?;
        if shares < least.micros() {
            return Err(AmountsError::TooFewShares { shares: Shares::from_micros(shares), least });
        }
        // Exact: hundredths of a share at a price of whole ten-thousandths of a dollar are whole millionths.
        let dollars = scaled(shares, i64::from(limit.ppm()), MICRO)?;
        Ok(Self::of(side, shares, dollars))
    }

    /// The amounts of an order that matches at once or not at all (FAK and FOK).
    ///
    /// To buy, dollars are rounded down to cents and shares down to four decimals, so that the order can still cross
    /// at its limit; to sell, shares down to hundredths and dollars down to four decimals. Either way the price the
    /// amounts imply lies less than a tick beyond the limit, where nothing can trade.
    ///
    /// # Errors
    /// [`AmountsError`].
    pub fn immediate(
        side: Side,
        quantity: Quantity,
        limit: Price,
        tick: Tick,
        least: Shares,
    ) -> Result<Self, AmountsError> {
        on_grid(limit, tick)?;
        let price = i64::from(limit.ppm());
        let (shares, dollars) = match (side, quantity) {
            (Side::Sell, Quantity::Spend(_)) => return Err(AmountsError::NotInDollars),
            (Side::Sell, Quantity::Shares(shares)) => {
                let shares = down(shares.micros(), CENT)?;
                if shares < least.micros() {
                    return Err(AmountsError::TooFewShares { shares: Shares::from_micros(shares), least });
                }
                (shares, down(scaled(shares, price, MICRO)?, MYRIADTH)?)
            }
            (Side::Buy, quantity) => {
                let spent = match quantity {
                    Quantity::Spend(usd) => usd.micros(),
                    Quantity::Shares(shares) => scaled(shares.micros(), price, MICRO)?,
                };
                let spent = down(spent, CENT)?;
                if spent < LEAST_SPENT.micros() {
                    return Err(AmountsError::TooLittleMoney { spent: Usd::from_micros(spent) });
                }
                (down(scaled(spent, MICRO, price)?, MYRIADTH)?, spent)
            }
        };
        if !keeps_limit(side, shares, dollars, limit, tick) {
            return Err(AmountsError::BreaksLimit { price: limit });
        }
        Ok(Self::of(side, shares, dollars))
    }

    const fn of(side: Side, shares: i64, dollars: i64) -> Self {
        match side {
            Side::Buy => Self { maker: dollars, taker: shares },
            Side::Sell => Self { maker: shares, taker: dollars },
        }
    }

    /// The shares among the two, by the order's side.
    #[must_use]
    pub const fn shares(self, side: Side) -> Shares {
        Shares::from_micros(match side {
            Side::Buy => self.taker,
            Side::Sell => self.maker,
        })
    }

    /// The dollars among the two, by the order's side.
    #[must_use]
    pub const fn usd(self, side: Side) -> Usd {
        Usd::from_micros(match side {
            Side::Buy => self.maker,
            Side::Sell => self.taker,
        })
    }
}

fn on_grid(price: Price, tick: Tick) -> Result<(), AmountsError> {
    let (ppm, step) = (price.ppm(), tick.ppm());
    if ppm.is_multiple_of(step) && (step..=1_000_000 - step).contains(&ppm) {
        return Ok(());
    }
    Err(AmountsError::OffGrid { price, tick_ppm: step })
}

/// A positive amount rounded down to a multiple of `step`.
fn down(micros: i64, step: i64) -> Result<i64, AmountsError> {
    if micros <= 0 {
        return Err(AmountsError::Unreasonable);
    }
    Ok(micros - micros % step)
}

fn scaled(amount: i64, by: i64, of: i64) -> Result<i64, AmountsError> {
    let product = i128::from(amount) * i128::from(by) / i128::from(of);
    i64::try_from(product).map_err(|_| AmountsError::Unreasonable)
}

/// Whether no price on the grid beyond the limit can fill the order.
fn keeps_limit(side: Side, shares: i64, dollars: i64, limit: Price, tick: Tick) -> bool {
    if shares <= 0 || dollars <= 0 {
        return false;
    }
    let beyond = match side {
        Side::Buy => limit.ppm() + tick.ppm(),
        Side::Sell => limit.ppm().saturating_sub(tick.ppm()),
    };
    let implied = i128::from(dollars) * i128::from(MICRO);
    let beyond = i128::from(beyond) * i128::from(shares);
    match side {
        Side::Buy => implied < beyond,
        Side::Sell => implied > beyond,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FIVE: Shares = Shares::whole(5);
    const TICKS: [u32; 6] = [100_000, 10_000, 5_000, 2_500, 1_000, 100];

    fn price(text: &str) -> Price {
        text.parse().unwrap()
    }

    fn tick(ppm: u32) -> Tick {
        Tick::from_ppm(ppm).unwrap()
    }

    #[test]
    fn the_recipes_by_hand() {
        let spend = |usd: &str, limit: &str, step: u32| {
            let usd = Quantity::Spend(usd.parse().unwrap());
            let amounts = Amounts::immediate(Side::Buy, usd, price(limit), tick(step), FIVE).unwrap();
            (Usd::from_micros(amounts.maker).to_string(), Shares::from_micros(amounts.taker).to_string())
        };
        // 10 / 0.52 = 19.23076…: down, though the official text shows it rounded up.
        assert_eq!(spend("10", "0.52", 10_000), ("10".into(), "19.2307".into()));
        // The official Rust client writes five decimals here, and is refused.
        assert_eq!(spend("7.77", "0.523", 1_000), ("7.77".into(), "14.8565".into()));
        assert_eq!(spend("7.779999", "0.5", 10_000), ("7.77".into(), "15.54".into()));
        // The official Python client reads 0.57 as 0.56.
        assert_eq!(spend("5.7", "0.57", 10_000), ("5.7".into(), "10".into()));
        let shares = Quantity::Shares("10.129".parse().unwrap());
        let sold = Amounts::immediate(Side::Sell, shares, price("0.523"), tick(1_000), FIVE).unwrap();
        assert_eq!(sold, Amounts { maker: 10_120_000, taker: 5_292_700 });
        let rests = Amounts::resting(Side::Sell, shares, price("0.5225"), tick(2_500), FIVE).unwrap();
        assert_eq!(rests, Amounts { maker: 10_120_000, taker: 5_287_700 });
        let buys =
            Amounts::resting(Side::Buy, Quantity::Shares(Shares::whole(10)), price("0.52"), Tick::CENT, FIVE);
        assert_eq!(buys, Ok(Amounts { maker: 5_200_000, taker: 10_000_000 }));
    }

    #[test]
    fn what_the_venue_would_refuse_is_refused_here() {
        let resting = |quantity, limit: &str, step| {
            Amounts::resting(Side::Buy, quantity, price(limit), tick(step), FIVE).unwrap_err()
        };
        let ten = Quantity::Shares(Shares::whole(10));
        assert!(matches!(resting(ten, "0.525", 10_000), AmountsError::OffGrid { tick_ppm: 10_000, .. }));
        assert!(matches!(resting(ten, "0.95", 100_000), AmountsError::OffGrid { .. }));
        let few = Quantity::Shares(Shares::from_micros(4_999_999));
        assert!(matches!(resting(few, "0.52", 10_000), AmountsError::TooFewShares { .. }));
        assert_eq!(resting(Quantity::Spend(Usd::whole(9)), "0.52", 10_000), AmountsError::NotInDollars);
        assert_eq!(resting(Quantity::Shares(-Shares::whole(9)), "0.52", 10_000), AmountsError::Unreasonable);
        let immediate = |side, quantity| Amounts::immediate(side, quantity, price("0.5"), Tick::CENT, FIVE);
        let pennies = Quantity::Spend("0.999999".parse().unwrap());
        let error = immediate(Side::Buy, pennies).unwrap_err();
        assert_eq!(error, AmountsError::TooLittleMoney { spent: "0.99".parse().unwrap() });
        let dust = immediate(Side::Sell, Quantity::Shares(Shares::whole(4)));
        assert!(matches!(dust, Err(AmountsError::TooFewShares { .. })));
        let all = immediate(Side::Buy, Quantity::Spend(Usd::from_micros(i64::MAX)));
        assert_eq!(all, Err(AmountsError::Unreasonable));
        assert_eq!(immediate(Side::Sell, Quantity::Spend(Usd::whole(5))), Err(AmountsError::NotInDollars));
    }

    proptest! {
        /// Whatever is asked for, on every grid: the venue's precision, no more than was asked for, and no price
        /// beyond the limit at which anything can trade.
        #[test]
        fn never_worse_than_the_limit_and_always_on_the_venues_precision(
            (step, level) in prop::sample::select(TICKS.to_vec())
                .prop_flat_map(|step| (Just(step), 1..1_000_000 / step)),
            micros in 1_i64..2_000_000_000_000,
            sells in any::<bool>(),
            in_dollars in any::<bool>(),
        ) {
            let (limit, tick) = (Price::from_ppm(level * step).unwrap(), tick(step));
            let side = if sells { Side::Sell } else { Side::Buy };
            let quantity = if in_dollars && !sells {
                Quantity::Spend(Usd::from_micros(micros))
            } else {
                Quantity::Shares(Shares::from_micros(micros))
            };
            if let Ok(amounts) = Amounts::immediate(side, quantity, limit, tick, Shares::ZERO) {
                prop_assert_eq!(amounts.maker % CENT, 0);
                prop_assert_eq!(amounts.taker % MYRIADTH, 0);
                let (usd, shares) = (amounts.usd(side), amounts.shares(side));
                let implied = i128::from(usd.micros()) * 1_000_000;
                let at = |ppm: u32| i128::from(ppm) * i128::from(shares.micros());
                match side {
                    // It can cross at the limit, and not a tick above.
                    Side::Buy => prop_assert!(at(limit.ppm()) <= implied && implied < at(limit.ppm() + step)),
                    Side::Sell => prop_assert!(at(limit.ppm() - step) < implied && implied <= at(limit.ppm())),
                }
                match quantity {
                    Quantity::Spend(most) => prop_assert!(usd <= most),
                    Quantity::Shares(most) => prop_assert!(shares <= most || side == Side::Buy && usd.micros() <= most.micros()),
                }
            }
            if let Ok(amounts) = Amounts::resting(side, quantity, limit, tick, Shares::ZERO) {
                let (usd, shares) = (amounts.usd(side), amounts.shares(side));
                prop_assert_eq!(shares.micros() % CENT, 0);
                prop_assert_eq!(
                    i128::from(usd.micros()) * 1_000_000,
                    i128::from(limit.ppm()) * i128::from(shares.micros())
                );
            }
        }

        #[test]
        fn every_order_of_ordinary_size_can_be_written(
            (step, level) in prop::sample::select(TICKS.to_vec())
                .prop_flat_map(|step| (Just(step), 1..1_000_000 / step)),
            micros in 5_000_000_i64..2_000_000_000_000,
        ) {
            let (limit, tick) = (Price::from_ppm(level * step).unwrap(), tick(step));
            prop_assert!(Amounts::immediate(Side::Buy, Quantity::Spend(Usd::from_micros(micros)), limit, tick, FIVE).is_ok());
            let shares = Quantity::Shares(Shares::from_micros(micros));
            prop_assert!(Amounts::resting(Side::Buy, shares, limit, tick, FIVE).is_ok());
            prop_assert!(Amounts::immediate(Side::Sell, shares, limit, tick, FIVE).is_ok());
        }
    }
}
