//! Exact texts of the numbers that a table holds: money must not be rounded on its way in.

/// What an unscaled whole number with this many decimals says: `(-150, 2)` is `-1.50`.
pub(super) fn text(unscaled: i128, decimals: usize) -> String {
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = decimals + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    let sign = if unscaled < 0 { "-" } else { "" };
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// The number in big-endian two's complement, where it fits 128 bits.
pub(super) fn unscaled(bytes: &[u8]) -> Option<i128> {
    let is_negative = bytes.first().is_some_and(|first| *first >= 0x80);
    let filling = if is_negative { 0xFF } else { 0 };
    // Writers with a wider type fill up with the sign, which says nothing.
    let (filled, kept) = bytes.split_at(bytes.len().saturating_sub(16));
    let mut wide = [filling; 16];
    wide.get_mut(16 - kept.len()..)?.copy_from_slice(kept);
    let number = i128::from_be_bytes(wide);
    let fits = filled.iter().all(|byte| *byte == filling) && (number < 0) == is_negative;
    fits.then_some(number)
}

/// The millionths that a binary floating-point number stands for, as a text; or what is wrong with it.
///
/// Such a number is hardly ever exactly the decimal that was meant. Within a billionth of an amount it can only have
/// been that one; anything else has digits that an amount does not have, and nobody can say which were meant. Above
/// eight millions doubles stand so far apart that they may have to be refused; a decimal column holds them.
pub(super) fn of_double(number: f64) -> Result<String, &'static str> {
    if !number.is_finite() {
        return Err("is not a number");
    }
    // All digits of a double can be written exactly; twelve decimals are far more than the billionth asks for.
    let digits = format!("{number:.12}").replace('.', "");
    let trillionths: i128 = digits.parse().map_err(|_| "is too large")?;
    let micros = (trillionths + 500_000 * trillionths.signum()) / 1_000_000;
    let off = (trillionths - micros * 1_000_000).abs();
    if 1_000 < off {
        return Err(
            "is not within a billionth of a number with six decimals: write it as DECIMAL or as a text",
        );
    }
    Ok(text(micros, 6))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_written_digit_by_digit() {
        for (number, decimals, expected) in [
            (-150, 2, "-1.50"),
            (5, 6, "0.000005"),
            (0, 0, "0"),
            (0, 3, "0.000"),
            (-7, 0, "-7"),
            (123_456_789_012_345_678, 6, "123456789012.345678"),
        ] {
            assert_eq!(text(number, decimals), expected);
        }
    }

    #[test]
    fn a_number_of_any_width_is_read_or_refused() {
        assert_eq!(unscaled(&[]), Some(0));
        assert_eq!(unscaled(&[0x01, 0x00]), Some(256));
        assert_eq!(unscaled(&[0xFF]), Some(-1));
        assert_eq!(unscaled(&[0xFF; 32]), Some(-1));
        assert_eq!(unscaled(&i128::MIN.to_be_bytes()), Some(i128::MIN));
        let mut wide = [0; 20];
        wide[19] = 9;
        assert_eq!(unscaled(&wide), Some(9));
        wide[2] = 1;
        assert_eq!(unscaled(&wide), None);
        // The bits of a negative number behind the sign of a positive one.
        let mut false_sign = [0; 17];
        false_sign[1] = 0x80;
        assert_eq!(unscaled(&false_sign), None);
    }

    #[test]
    fn a_double_is_the_millionth_next_to_it_or_nothing() {
        for (number, expected) in [
            (0.1 + 0.2, "0.300000"),
            (99.78, "99.780000"),
            (-2.5, "-2.500000"),
            (1e-6, "0.000001"),
            (0.000_001_000_9, "0.000001"),
            (8_000_000.123_457, "8000000.123457"),
            (9e15, "9000000000000000.000000"),
            (-0.0, "0.000000"),
        ] {
            assert_eq!(of_double(number).as_deref(), Ok(expected));
        }
        for number in [1.0 / 3.0, 0.000_001_002, 1e-7, 900_000_000.123_457, f64::NAN, f64::INFINITY, 1e300] {
            assert!(of_double(number).is_err(), "{number}");
        }
    }
}
