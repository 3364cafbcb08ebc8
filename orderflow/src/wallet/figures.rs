//! A verdict's columns as numbers, and numbers as people read them.

use domain::{Tier, Timestamp, Usd};
use serde_json::{Map, Value};

/// What is shown where nothing is known.
pub(crate) const UNKNOWN: &str = "–";

/// A row of `orderflow_wallet_stats` or `orderflow_score_history`.
#[derive(Clone, Debug)]
pub(crate) struct Row(Map<String, Value>);

impl Row {
    /// A row that is no object has no columns.
    pub(crate) fn new(row: Value) -> Self {
        match row {
            Value::Object(columns) => Self(columns),
            _ => Self(Map::new()),
        }
    }

    pub(crate) fn object(&self) -> &Map<String, Value> {
        &self.0
    }

    pub(crate) fn number(&self, column: &str) -> Option<f64> {
        self.0.get(column)?.as_f64()
    }

    pub(crate) fn count(&self, column: &str) -> Option<u64> {
        self.0.get(column)?.as_u64()
    }

    pub(crate) fn text(&self, column: &str) -> Option<&str> {
        self.0.get(column)?.as_str()
    }

    pub(crate) fn truth(&self, column: &str) -> Option<bool> {
        self.0.get(column)?.as_bool()
    }

    pub(crate) fn list(&self, column: &str) -> Option<&Vec<Value>> {
        self.0.get(column)?.as_array()
    }

    /// To the millionth, as long as it is below nine billion.
    pub(crate) fn usd(&self, column: &str) -> Option<Usd> {
        format!("{:.6}", self.number(column)?).parse().ok()
    }

    pub(crate) fn time(&self, column: &str) -> anyhow::Result<Timestamp> {
        let found = self.text(column).and_then(|text| Timestamp::parse_rfc3339(text).ok());
        found.map_or_else(|| super::corrupt(column), Ok)
    }

    pub(crate) fn tier(&self) -> Option<Tier> {
        self.text("trader_tier").and_then(Tier::from_name)
    }

    pub(crate) fn is_rated(&self) -> bool {
        self.tier().is_some_and(|tier| tier != Tier::Unrated)
    }
}

/// A part of one in percent: `52.3 %`.
pub(crate) fn percent(part: Option<f64>) -> String {
    part.map_or_else(|| UNKNOWN.to_owned(), |part| format!("{:.1} %", 100.0 * part))
}

/// The same with its sign.
pub(crate) fn signed_percent(part: Option<f64>) -> String {
    part.map_or_else(|| UNKNOWN.to_owned(), |part| format!("{:+.1} %", 100.0 * part))
}

/// Dollars a share, in cents with their sign: `+1.2 ¢`.
pub(crate) fn cents(dollars: Option<f64>) -> String {
    dollars.map_or_else(|| UNKNOWN.to_owned(), |dollars| format!("{:+.1} ¢", 100.0 * dollars))
}

/// Any number with some decimals.
pub(crate) fn decimals(number: Option<f64>, decimals: usize) -> String {
    number.map_or_else(|| UNKNOWN.to_owned(), |number| format!("{number:.decimals$}"))
}

/// A count.
pub(crate) fn counted(count: Option<u64>) -> String {
    count.map_or_else(|| UNKNOWN.to_owned(), |count| count.to_string())
}

/// Dollars and cents in groups of three: `-$1,234.50`.
pub(crate) fn dollars(amount: Usd) -> String {
    let text = amount.cents();
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |digits| ("-", digits));
    let (whole, cents) = digits.split_once('.').unwrap_or((digits, "00"));
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}${grouped}.{cents}")
}

/// All six decimals that are there.
pub(crate) fn exact(amount: Usd) -> String {
    format!("${amount}")
}

/// For JSON, where dollars are numbers.
pub(crate) fn float(amount: Usd) -> f64 {
    amount.to_f64()
}

/// At most so many characters, the last of which says that there were more.
pub(crate) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// Text in lines of at most so many characters, broken at spaces.
pub(crate) fn wrapped(text: &str, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = vec![];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= most => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(cut(word, most)),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_grouped_from_the_right() {
        for (micros, text) in [
            (0, "$0.00"),
            (999_990_000, "$999.99"),
            (-1_234_500_000, "-$1,234.50"),
            (1_234_567_890_000, "$1,234,567.89"),
        ] {
            assert_eq!(dollars(Usd::from_micros(micros)), text);
        }
    }

    #[test]
    fn long_words_are_cut_and_long_texts_wrapped() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcde fg", 7), "abcde…");
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
    }
}
