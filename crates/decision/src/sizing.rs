//! Where beliefs meet money: the only place that turns a float into dollars.

use domain::{Price, Probability, Rounding, Tick, Usd};

/// The part of the bankroll that maximises its growth: `(p - c) / (1 - c)` for a share that costs `c` and
/// pays a dollar with probability `p`. Zero where there is no edge (Kelly 1956; `ORDER_FLOW_STRATEGY.md` §7).
#[must_use]
pub fn kelly(probability: Probability, cost: f64) -> f64 {
    if !(0.0..1.0).contains(&cost) {
        return 0.0;
    }
    ((probability.to_f64() - cost) / (1.0 - cost)).max(0.0)
}

/// An amount that was estimated, to the nearest millionth of a dollar; nothing where it is no amount.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "cut off far below the largest amount")]
pub fn estimated(dollars: f64) -> Usd {
    if dollars.is_finite() {
        Usd::from_micros((dollars.clamp(0.0, 1e12) * 1e6).round() as i64)
    } else {
        Usd::ZERO
    }
}

/// That part of `amount`, rounded down to the millionth of a dollar; nothing for a part that is not in `[0, 1]`.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "the one border between beliefs and money: the result is below the amount, and rounds down"
)]
pub fn part_of(amount: Usd, part: f64) -> Usd {
    if !(0.0..=1.0).contains(&part) || !amount.is_positive() {
        return Usd::ZERO;
    }
    Usd::from_micros((amount.micros() as f64 * part).floor() as i64).min(amount)
}

/// The part of the bankroll for one of several bets that stand and fall together, `together` of which are held already:
/// `part / (1 + correlation · together)`. Bets on one piece of news are nearly one bet, and Kelly's stake is for one.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a handful of positions")]
pub fn shared_part(part: f64, correlation: f64, together: usize) -> f64 {
    part / (1.0 + correlation.max(0.0) * together as f64)
}

/// The highest price an order may pay: the reference price plus the slippage allowed, moved onto the grid.
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a clamped number of millionths")]
pub fn limit_price(reference: Price, slippage: f64, tick: Tick, rounding: Rounding) -> Price {
    let ppm = (reference.to_f64() * (1.0 + slippage.max(0.0)) * 1_000_000.0).round();
    let ppm = ppm.clamp(1.0, 999_999.0) as u32;
    Price::from_ppm(ppm).unwrap_or(reference).on_tick(tick, rounding)
}

/// The price at which an order to buy rests: the reference price or a tick above the best bid, whichever is lower, and in
/// any case below the best offer.
#[must_use]
pub fn resting_price(reference: Price, bid: Price, ask: Price, tick: Tick) -> Price {
    let step = tick.ppm();
    let most = bid.ppm().saturating_add(step).min(ask.ppm().saturating_sub(step)).max(1);
    let most = Price::from_ppm(most).unwrap_or(bid);
    reference.min(most).on_tick(tick, Rounding::Down)
}

/// The lowest price a sale may take: the best bid less the slippage allowed, moved onto the grid from below.
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a clamped number of millionths")]
pub fn floor_price(bid: Price, slippage: f64, tick: Tick) -> Price {
    let ppm = (bid.to_f64() * (1.0 - slippage.clamp(0.0, 1.0)) * 1_000_000.0).round();
    let floor = Price::from_ppm(ppm.clamp(1.0, 999_999.0) as u32).unwrap_or(bid).on_tick(tick, Rounding::Up);
    floor.min(bid)
}

/// The taker fee a share, in dollars: `rate · p · (1 - p)` (docs.polymarket.com/trading/fees).
#[must_use]
pub fn fee_per_share(fee_rate_ppm: u32, price: f64) -> f64 {
    f64::from(fee_rate_ppm) / 1_000_000.0 * price * (1.0 - price)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_rests_rests_below_the_offer() {
        let price = |text: &str| text.parse::<Price>().unwrap();
        for (reference, bid, ask, expected) in [
            ("0.50", "0.45", "0.55", "0.46"),
            ("0.455", "0.45", "0.55", "0.45"),
            ("0.40", "0.45", "0.55", "0.40"),
            // With nothing between them the best bid is joined.
            ("0.50", "0.45", "0.46", "0.45"),
        ] {
            let found = resting_price(price(reference), price(bid), price(ask), Tick::CENT);
            assert_eq!(found, price(expected), "{reference} in {bid} to {ask}");
        }
    }

    /// The strategy's worked example (`ORDER_FLOW_STRATEGY.md` §10).
    #[test]
    fn the_worked_example() {
        let whale: Price = "0.72".parse().unwrap();
        assert_eq!(limit_price(whale, 0.05, Tick::CENT, Rounding::Nearest).to_string(), "0.76");
        assert_eq!(limit_price(whale, 0.05, Tick::CENT, Rounding::Down).to_string(), "0.75");
        let full = kelly(Probability::clamped(0.85), 0.74);
        assert!((full - 0.4231).abs() < 5e-5);
        let quarter = part_of(Usd::whole(2_000), 0.25 * full);
        let half = part_of(Usd::whole(1_000), 0.50 * full);
        assert_eq!(quarter.cents(), "211.54");
        assert_eq!(half.cents(), "211.54");
    }

    proptest! {
        #[test]
        fn a_stake_never_exceeds_the_bankroll(micros in 0i64..i64::MAX, part in -1.0f64..3.0) {
            let amount = Usd::from_micros(micros);
            let stake = part_of(amount, part);
            prop_assert!(stake <= amount && stake >= Usd::ZERO);
        }

        #[test]
        fn kelly_is_a_part(p in 0.0f64..=1.0, cost in -1.0f64..2.0) {
            let part = kelly(Probability::clamped(p), cost);
            prop_assert!((0.0..=1.0).contains(&part));
        }
    }
}
