//! Money and shares as integers: millionths of a dollar and millionths of a share, the precision
//! the chain itself uses (all collateral and outcome tokens have six decimals).

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};
use std::str::FromStr;

/// How many units make one dollar or one share.
pub const MICRO: i64 = 1_000_000;

/// An amount of dollars, in millionths; negative for a loss or a payment.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Usd(i64);

/// An amount of outcome shares, in millionths; negative where more left a wallet than was seen entering.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shares(i64);

/// Why a text is not an amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// The text is not a plain decimal number.
    #[error("`{0}` is not a decimal number")]
    NotDecimal(String),
    /// More than six digits after the point: the amount cannot be held exactly.
    #[error("`{0}` has more than six decimals")]
    TooPrecise(String),
    /// The amount does not fit 64 bits of millionths (about 9.2 trillion).
    #[error("`{0}` is too large")]
    TooLarge(String),
}

macro_rules! amount {
    ($name:ident) => {
        impl $name {
            /// Nothing.
            pub const ZERO: Self = Self(0);

            /// From millionths.
            #[must_use]
            pub const fn from_micros(micros: i64) -> Self {
                Self(micros)
            }

            /// From whole units.
            #[must_use]
            pub const fn whole(units: i32) -> Self {
                Self(units as i64 * MICRO)
            }

            /// In millionths.
            #[must_use]
            pub const fn micros(self) -> i64 {
                self.0
            }

            /// As a float, for statistics only: never turn the result back into an amount.
            #[must_use]
            #[expect(clippy::cast_precision_loss, reason = "statistics need no more than 53 bits")]
            pub fn to_f64(self) -> f64 {
                self.0 as f64 / MICRO as f64
            }

            /// The distance from zero.
            #[must_use]
            pub const fn abs(self) -> Self {
                Self(self.0.saturating_abs())
            }

            /// Whether the amount is above zero.
            #[must_use]
            pub const fn is_positive(self) -> bool {
                self.0 > 0
            }

            /// The part of this amount that `part` is of `whole`, rounded toward zero.
            /// Zero where `whole` is zero.
            #[must_use]
            pub fn prorated(self, part: Shares, whole: Shares) -> Self {
                if whole.0 == 0 {
                    return Self(0);
                }
                // Most changes ask for all of it, and 128 bits are dear.
                if part == whole {
                    return self;
                }
                let narrow = self.0.checked_mul(part.0).and_then(|scaled| scaled.checked_div(whole.0));
                if let Some(scaled) = narrow {
                    return Self(scaled);
                }
                let scaled = i128::from(self.0) * i128::from(part.0) / i128::from(whole.0);
                Self(saturate(scaled))
            }
        }

        // Sums saturate: nine trillion dollars is beyond anything that exists, and a decision must
        // neither wrap around nor stop. What comes from outside is range-checked where it enters.
        impl Add for $name {
            type Output = Self;
            fn add(self, other: Self) -> Self {
                Self(self.0.saturating_add(other.0))
            }
        }

        impl Sub for $name {
            type Output = Self;
            fn sub(self, other: Self) -> Self {
                Self(self.0.saturating_sub(other.0))
            }
        }

        impl AddAssign for $name {
            fn add_assign(&mut self, other: Self) {
                *self = *self + other;
            }
        }

        impl SubAssign for $name {
            fn sub_assign(&mut self, other: Self) {
                *self = *self - other;
            }
        }

        impl Neg for $name {
            type Output = Self;
            fn neg(self) -> Self {
                Self(self.0.saturating_neg())
            }
        }

        impl Sum for $name {
            fn sum<I: Iterator<Item = Self>>(items: I) -> Self {
                items.fold(Self::ZERO, |total, item| total + item)
            }
        }

        impl FromStr for $name {
            type Err = AmountError;
            fn from_str(text: &str) -> Result<Self, AmountError> {
                parse_micros(text).map(Self)
            }
        }

        /// The shortest exact decimal: `4.18`, `-0.000001`, `200`.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&decimal(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), decimal(self.0))
            }
        }
    };
}

amount!(Usd);
amount!(Shares);

impl Shares {
    /// Less than this many shares (a hundredth) is nothing: rounding leaves such rests behind, and a print of
    /// fewer says nothing about the price.
    pub const DUST: Self = Self(10_000);
}

impl Usd {
    /// With two decimals, rounded half away from zero, as people read dollars: `74.32`, `-1.50`.
    #[must_use]
    pub fn cents(self) -> String {
        let cents = (i128::from(self.0.unsigned_abs()) + 5_000) / 10_000;
        let sign = if self.0 < 0 && cents != 0 { "-" } else { "" };
        format!("{sign}{}.{:02}", cents / 100, cents % 100)
    }
}

/// Fits a wide intermediate result into 64 bits.
pub(crate) fn saturate(wide: i128) -> i64 {
    i64::try_from(wide).unwrap_or(if wide < 0 { i64::MIN } else { i64::MAX })
}

fn decimal(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let magnitude = micros.unsigned_abs();
    let whole = magnitude / MICRO.unsigned_abs();
    let fraction = format!("{:06}", magnitude % MICRO.unsigned_abs());
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

fn parse_micros(text: &str) -> Result<i64, AmountError> {
    let not_decimal = || AmountError::NotDecimal(text.to_owned());
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) || digits.ends_with('.') {
        return Err(not_decimal());
    }
    let significant = fraction.trim_end_matches('0');
    if significant.len() > 6 {
        return Err(AmountError::TooPrecise(text.to_owned()));
    }
    let joined = format!("{whole}{significant:0<6}");
    let magnitude: i64 = joined.parse().map_err(|_| AmountError::TooLarge(text.to_owned()))?;
    Ok(if negative { -magnitude } else { magnitude })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn amounts_print_as_the_shortest_exact_decimal() {
        for (micros, text) in [(4_180_000, "4.18"), (-1, "-0.000001"), (200 * MICRO, "200"), (0, "0")] {
            assert_eq!(Usd::from_micros(micros).to_string(), text);
        }
    }

    #[test]
    fn what_is_not_an_exact_amount_is_refused() {
        for text in ["", "-", ".5", "5.", "1e3", "0x10", "1,000", " 1", "NaN", "+1"] {
            assert!(matches!(text.parse::<Usd>(), Err(AmountError::NotDecimal(_))), "{text}");
        }
        assert!(matches!("0.0000001".parse::<Usd>(), Err(AmountError::TooPrecise(_))));
        assert!(matches!("99999999999999".parse::<Usd>(), Err(AmountError::TooLarge(_))));
        assert_eq!("1.50000000".parse(), Ok(Usd::from_micros(1_500_000)));
    }

    #[test]
    fn cents_round_half_away_from_zero() {
        assert_eq!(Usd::from_micros(74_324_999).cents(), "74.32");
        assert_eq!(Usd::from_micros(-1_505_000).cents(), "-1.51");
        assert_eq!(Usd::from_micros(-4_999).cents(), "0.00");
    }

    proptest! {
        #[test]
        fn text_and_amount_round_trip(micros in -1_000_000_000_000_000_000i64..1_000_000_000_000_000_000) {
            let amount = Usd::from_micros(micros);
            prop_assert_eq!(amount.to_string().parse::<Usd>(), Ok(amount));
        }

        #[test]
        fn any_text_is_an_amount_or_a_clear_error(text in ".{0,40}") {
            let _ = text.parse::<Shares>();
        }
    }
}
