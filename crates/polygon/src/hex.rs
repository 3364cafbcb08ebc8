//! The hexadecimal quantities of Ethereum's JSON, read without guessing.

use alloy_primitives::{Bytes, FixedBytes};
use domain::Timestamp;
use serde_json::Value;

/// The last second of the year 9999, the end of written time.
const LAST_SECOND: u64 = 253_402_300_799;
/// How much of a wrong value an error repeats.
const SHOWN: usize = 80;

fn digits(value: &Value) -> Option<&str> {
    let digits = value.as_str()?.strip_prefix("0x")?;
    // The standard parsers also take a sign, and a second prefix.
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(digits)
}

/// Bytes of a fixed number.
pub(crate) fn fixed<const N: usize, T: From<FixedBytes<N>>>(value: &Value) -> Option<T> {
    let digits = digits(value)?;
    digits.parse::<FixedBytes<N>>().ok().map(T::from)
}

/// Bytes of any number.
pub(crate) fn bytes(value: &Value) -> Option<Bytes> {
    digits(value)?.parse().ok()
}

/// A quantity of 64 bits.
pub(crate) fn number(value: &Value) -> Option<u64> {
    u64::from_str_radix(digits(value)?, 16).ok()
}

/// A quantity of 32 bits.
pub(crate) fn number_32(value: &Value) -> Option<u32> {
    number(value).and_then(|number| u32::try_from(number).ok())
}

/// Seconds since 1970.
pub(crate) fn time(value: &Value) -> Option<Timestamp> {
    let seconds = number(value).filter(|seconds| *seconds <= LAST_SECOND)?;
    i64::try_from(seconds).ok().map(Timestamp::from_seconds)
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
        assert_eq!(number_32(&json!("0x1ffffffff")), None);
        assert_eq!(bytes(&json!("0x")), Some(Bytes::new()));
    }
}
