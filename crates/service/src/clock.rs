//! The one place where a program asks what time it is. Decisions never do.

use domain::Timestamp;
use time::OffsetDateTime;

/// The wall clock.
#[must_use]
pub fn now() -> Timestamp {
    Timestamp::from_offset_date_time(OffsetDateTime::now_utc())
}
