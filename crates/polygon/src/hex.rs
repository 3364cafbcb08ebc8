//! The hexadecimal quantities of Ethereum's JSON, read without guessing.

use alloy_primitives::{Bytes, FixedBytes, hex};
use domain::Timestamp;
use serde_json::Value;

/// The last second of the year 9999, the end of written time.
const LAST_SECOND: u64 = 253_402_300_799;
/// How much of a wrong value an error repeats.
const SHOWN: usize = 80;

/// What stands behind the prefix.
fn digits(text: &[u8]) -> Option<&[u8]> {
    // The parser below would take a second prefix too.
    text.strip_prefix(b"0x").filter(|digits| !digits.starts_with(b"0x"))
}

/// Bytes of a fixed number.
pub(crate) fn fixed_text<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let digits = digits(text).filter(|digits| digits.len() == 2 * N)?;
    let mut bytes = [0; N];
    hex::decode_to_slice(digits, &mut bytes).ok()?;
    Some(bytes)
}

/// Bytes of any number.
pub(crate) fn bytes_text(text: &[u8]) -> Option<Bytes> {
    hex::decode(digits(text)?).ok().map(Bytes::from)
}

/// A quantity of 64 bits.
pub(crate) fn number_text(text: &[u8]) -> Option<u64> {
    let digits = digits(text).filter(|digits| !digits.is_empty())?;
    digits.iter().try_fold(0u64, |number, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(number.checked_mul(16)? + u64::from(digit))
    })
}

/// Seconds since 1970, as far as time is written.
pub(crate) fn time_of(seconds: u64) -> Option<Timestamp> {
    let seconds = Some(seconds).filter(|seconds| *seconds <= LAST_SECOND)?;
    i64::try_from(seconds).ok().map(Timestamp::from_seconds)
}

fn text(value: &Value) -> Option<&[u8]> {
    value.as_str().map(str::as_bytes)
}

/// Bytes of a fixed number.
pub(crate) fn fixed<const N: usize, T: From<FixedBytes<N>>>(value: &Value) -> Option<T> {
    fixed_text::<N>(text(value)?).map(|bytes| T::from(FixedBytes(bytes)))
}

/// Bytes of any number.
pub(crate) fn bytes(value: &Value) -> Option<Bytes> {
    bytes_text(text(value)?)
}

/// A quantity of 64 bits.
pub(crate) fn number(value: &Value) -> Option<u64> {
    number_text(text(value)?)
}

/// A quantity of 32 bits.
pub(crate) fn number_32(value: &Value) -> Option<u32> {
    number(value).and_then(|number| u32::try_from(number).ok())
}

/// Seconds since 1970.
pub(crate) fn time(value: &Value) -> Option<Timestamp> {
    time_of(number(value)?)
}

/// What kind of JSON a value is.
pub(crate) const fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// The value for an error message, cut short: it comes from outside and may be of any size.
pub(crate) fn cut(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn long_values_are_cut_between_characters() {
        assert_eq!(cut(&json!("short")), "\"short\"");
        let long = cut(&json!("ä".repeat(200)));
        assert_eq!(long.chars().count(), SHOWN + 1);
        assert!(long.ends_with('…'));
    }

    #[test]
    fn quantities_have_one_form() {
        assert_eq!(number(&json!("0x2a")), Some(42));
        assert_eq!(number(&json!("2a")), None);
        assert_eq!(number(&json!("0x0x2a")), None);
        assert_eq!(number(&json!("0x-1")), None);
        assert_eq!(number(&json!("0x")), None);
        assert_eq!(number(&json!("0xffffffffffffffff")), Some(u64::MAX));
        assert_eq!(number(&json!("0x10000000000000000")), None);
        assert_eq!(fixed::<2, FixedBytes<2>>(&json!("0xA00b")), Some(FixedBytes([0xa0, 0x0b])));
        for wrong in ["0xa00", "0xa00b0c", "a00b", "0x0x0b", "0xa00g", "0xä0"] {
            assert_eq!(fixed::<2, FixedBytes<2>>(&json!(wrong)), None, "{wrong}");
        }
        assert_eq!(bytes(&json!("0x0x12")), None);
        assert_eq!(number_32(&json!("0x1ffffffff")), None);
        assert_eq!(bytes(&json!("0x")), Some(Bytes::new()));
    }
}
