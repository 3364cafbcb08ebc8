//! A setting whose default depends on another one.

use std::fmt::Display;
use std::str::FromStr;

/// What a person chose, or that the strategy chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice<T> {
    /// As the confidence model has it.
    Auto,
    /// As a person has it.
    Set(T),
}

impl<T> Choice<T> {
    /// What was chosen; else what the strategy chooses.
    pub fn or(self, auto: T) -> T {
        match self {
            Self::Auto => auto,
            Self::Set(chosen) => chosen,
        }
    }

    /// Reads a choice: `auto`, or whatever `read` takes.
    pub(crate) fn read(text: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("auto") { Ok(Self::Auto) } else { read(text).map(Self::Set) }
    }
}

/// Any text of a type's own, with its own words for what is wrong.
pub(crate) fn parsed<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}
