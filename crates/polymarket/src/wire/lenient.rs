//! The two inconsistencies that run through the whole venue.

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// A decimal number as its digits, sent as a JSON number or as a string; written as a string.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Number(pub String);

impl Number {
    /// For fields the venue writes as a JSON number.
    ///
    /// # Errors
    /// Digits that are no finite number.
    pub fn bare<S: Serializer>(number: &Self, serializer: S) -> Result<S::Ok, S::Error> {
        let bare: serde_json::Number = number
            .0
            .parse()
            .map_err(|_| serde::ser::Error::custom(format!("`{}` is not a number", number.0)))?;
        bare.serialize(serializer)
    }

    /// [`Number::bare`] for a field that may be missing.
    ///
    /// # Errors
    /// Digits that are no finite number.
    pub fn bare_option<S: Serializer>(number: &Option<Self>, serializer: S) -> Result<S::Ok, S::Error> {
        match number {
            Some(number) => Self::bare(number, serializer),
            None => serializer.serialize_none(),
        }
    }
}

impl<T: ToString> From<T> for Number {
    fn from(value: T) -> Self {
        Self(value.to_string())
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(text.trim().to_owned())),
            // A float prints without an exponent this way, which is what decimal parsers expect.
            Value::Number(number) => Ok(Self(match (number.as_u64(), number.as_f64()) {
                (Some(whole), _) => whole.to_string(),
                (None, Some(float)) => float.to_string(),
                (None, None) => number.to_string(),
            })),
            other => Err(D::Error::custom(format!("expected a number, got {other}"))),
        }
    }
}

/// A list sent as JSON, or as JSON inside a string, or as `null` or `""` for none; written inside a string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Embedded<T>(pub Vec<T>);

impl<T> Default for Embedded<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Serialize> Serialize for Embedded<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = serde_json::to_string(&self.0).map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(&text)
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Embedded<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = match Value::deserialize(deserializer)? {
            Value::Null => return Ok(Self(Vec::new())),
            Value::String(text) if text.trim().is_empty() => return Ok(Self(Vec::new())),
            Value::String(text) => serde_json::from_str(&text).map_err(D::Error::custom)?,
            value => value,
        };
        let list: Option<Vec<T>> = serde_json::from_value(value).map_err(D::Error::custom)?;
        Ok(Self(list.unwrap_or_default()))
    }
}

/// An id as its digits, sent as a string, or as a JSON number that every parser keeps to the last digit. Any other
/// number keeps the form in which no id is written, so that it is refused with whatever it stands in: the nearest
/// float to an id of 77 digits is the id of something else.
struct Exact(String);

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(text.trim().to_owned())),
            Value::Number(number) => Ok(Self(match number.as_u64() {
                Some(whole) => whole.to_string(),
                None => format!("{number} without its last digits"),
            })),
            other => Err(D::Error::custom(format!("expected an id, got {other}"))),
        }
    }
}

/// Reads a list of ids, each with all its digits.
pub(super) fn exact<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Embedded<Number>, D::Error> {
    let Embedded(ids) = Embedded::<Exact>::deserialize(deserializer)?;
    Ok(Embedded(ids.into_iter().map(|Exact(id)| Number(id)).collect()))
}

/// Reads `null` like a missing field.
pub(crate) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_bare_or_as_text() {
        for (json, digits) in [("\"0.010\"", "0.010"), ("0.01", "0.01"), ("1e-4", "0.0001"), ("5", "5")] {
            assert_eq!(serde_json::from_str::<Number>(json).unwrap(), Number(digits.into()), "{json}");
        }
        assert!(serde_json::from_str::<Number>("[1]").is_err());
    }

    #[test]
    fn lists_come_plain_or_inside_a_string() {
        for json in [r#"["a","b"]"#, r#""[\"a\", \"b\"]""#] {
            assert_eq!(serde_json::from_str::<Embedded<String>>(json).unwrap().0, ["a", "b"], "{json}");
        }
        for json in ["null", r#""""#, r#""null""#, "[]"] {
            assert!(serde_json::from_str::<Embedded<String>>(json).unwrap().0.is_empty(), "{json}");
        }
        assert!(serde_json::from_str::<Embedded<String>>(r#""[\"a\"""#).is_err());
        assert_eq!(serde_json::to_string(&Embedded(vec!["a"])).unwrap(), r#""[\"a\"]""#);
    }
}
