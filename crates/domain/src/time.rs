//! Points in time as integers of microseconds, PostgreSQL's own precision, so that a stored time
//! reads back equal. There is deliberately no way here to ask what time it is now.

use std::fmt;

use ::time::OffsetDateTime;
use ::time::format_description::well_known::Rfc3339;

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A text that is not an RFC 3339 time of the years 0001 to 9999.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an RFC 3339 time such as 2026-11-23T08:30:00Z")]
pub struct TimestampError(String);

const SECOND: i64 = 1_000_000;

impl Timestamp {
    /// A minute in microseconds.
    pub const MINUTE: i64 = 60 * SECOND;
    /// An hour in microseconds.
    pub const HOUR: i64 = 60 * Self::MINUTE;
    /// A day in microseconds.
    pub const DAY: i64 = 24 * Self::HOUR;

    /// From microseconds since 1970.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From whole seconds since 1970, as blocks carry them.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(SECOND))
    }

    /// Microseconds since 1970.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, rounded down.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(SECOND)
    }

    /// This time moved by `micros`.
    #[must_use]
    pub const fn plus_micros(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// Microseconds from `earlier` to this time; negative if `earlier` is later.
    #[must_use]
    pub const fn micros_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Days since 1970, UTC, rounded down: the number of the calendar day.
    #[must_use]
    pub const fn day(self) -> i64 {
        self.0.div_euclid(Self::DAY)
    }

    /// Weeks since 1970, rounded down.
    #[must_use]
    pub const fn week(self) -> i64 {
        self.0.div_euclid(7 * Self::DAY)
    }

    /// The first microsecond of this time's hour.
    #[must_use]
    pub const fn hour_start(self) -> Self {
        Self(self.0.div_euclid(Self::HOUR) * Self::HOUR)
    }

    /// Reads RFC 3339, any offset.
    ///
    /// # Errors
    /// The text, where it is not such a time.
    pub fn parse_rfc3339(text: &str) -> Result<Self, TimestampError> {
        let parsed = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| TimestampError(text.to_owned()))?;
        i64::try_from(parsed.unix_timestamp_nanos().div_euclid(1_000))
            .map(Self)
            .map_err(|_| TimestampError(text.to_owned()))
    }

    /// As the `time` crate's type; times beyond the year 9999 become its last one.
    #[must_use]
    pub fn to_offset_date_time(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000)
            .unwrap_or_else(|_| ::time::PrimitiveDateTime::MAX.assume_utc())
    }

    /// From the `time` crate's type, rounded down to the microsecond.
    #[must_use]
    pub fn from_offset_date_time(moment: OffsetDateTime) -> Self {
        let micros = moment.unix_timestamp_nanos().div_euclid(1_000);
        Self(i64::try_from(micros).unwrap_or(i64::MAX))
    }
}

/// RFC 3339 in UTC: `2026-11-23T08:30:00Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_offset_date_time().format(&Rfc3339) {
            Ok(text) => f.pad(&text),
            Err(_) => write!(f, "{} µs", self.0),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timestamp({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc3339_round_trips() {
        let at = Timestamp::parse_rfc3339("2022-01-12T21:10:26Z").unwrap();
        assert_eq!(at.seconds(), 1_642_021_826);
        assert_eq!(at.to_string(), "2022-01-12T21:10:26Z");
        assert_eq!(Timestamp::parse_rfc3339("2022-01-12T22:10:26+01:00"), Ok(at));
        assert!(Timestamp::parse_rfc3339("yesterday").is_err());
    }

    #[test]
    fn days_and_hours_floor_before_1970_too() {
        let just_before = Timestamp::from_micros(-1);
        assert_eq!(just_before.day(), -1);
        assert_eq!(just_before.hour_start().micros(), -Timestamp::HOUR);
    }
}
