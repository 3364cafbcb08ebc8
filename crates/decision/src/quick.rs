//! Divisions of money as the domain does them, the common ones without 128 bits.

use domain::{MICRO, Shares, Usd};

/// `usd · part / whole`, rounded toward zero; what most changes ask for is all of it.
pub(crate) fn prorated(usd: Usd, part: Shares, whole: Shares) -> Usd {
    if part == whole && whole != Shares::ZERO { usd } else { usd.prorated(part, whole) }
}

/// `usd / shares` in parts per million, to the nearest; `None` without shares.
pub(crate) fn ratio_ppm(usd: Usd, shares: Shares) -> Option<i64> {
    /// Millionths of a dollar that fit 63 bits a million times.
    const FITS: i64 = i64::MAX / MICRO;
    let (usd_micros, whole) = (usd.micros(), shares.micros());
    if !(0..=FITS).contains(&usd_micros) || whole <= 0 {
        return domain::price::ratio_ppm(usd, shares);
    }
    let scaled = usd_micros * MICRO;
    let (quotient, remainder) = (scaled / whole, scaled % whole);
    // Half of it or more: twice the remainder might not fit.
    Some(quotient + i64::from(remainder >= whole - remainder))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn amount() -> impl Strategy<Value = i64> {
        prop_oneof![
            any::<i64>(),
            -1_000i64..1_000,
            0i64..1_000_000_000_000,
            9_000_000_000_000i64..9_500_000_000_000
        ]
    }

    proptest! {
        #[test]
        fn they_are_the_domains(usd in amount(), part in amount(), whole in amount()) {
            let (usd, part, whole) = (Usd::from_micros(usd), Shares::from_micros(part), Shares::from_micros(whole));
            prop_assert_eq!(prorated(usd, part, whole), usd.prorated(part, whole));
            prop_assert_eq!(prorated(usd, whole, whole), usd.prorated(whole, whole));
            prop_assert_eq!(ratio_ppm(usd, whole), domain::price::ratio_ppm(usd, whole));
        }

        #[test]
        fn halves_go_away_from_zero(usd in 0i64..1_000, whole in 1i64..5_000_000) {
            let (usd, whole) = (Usd::from_micros(usd), Shares::from_micros(whole));
            prop_assert_eq!(ratio_ppm(usd, whole), domain::price::ratio_ppm(usd, whole));
        }
    }
}
