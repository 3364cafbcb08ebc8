//! How long a server asks to be left alone: the header `Retry-After`, in both of its forms.

use std::time::{Duration, SystemTime};

use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

/// The one form in which servers write dates today (RFC 9110, section 5.6.7).
const HTTP_DATE: &[BorrowedFormatItem<'_>] =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");

/// The pause that a server asks for, if it asks for one that can be read.
pub(crate) fn asked_for(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = text(headers, &RETRY_AFTER)?;
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = date(text)?;
    // By the server's own clock where it tells it, so that the two need not agree.
    let now = text_date(headers).unwrap_or_else(|| OffsetDateTime::from(now));
    // A date that has passed asks for no pause.
    Some(Duration::try_from(until - now).unwrap_or_default())
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

fn text_date(headers: &HeaderMap) -> Option<OffsetDateTime> {
    date(text(headers, &DATE)?)
}

fn date(text: &str) -> Option<OffsetDateTime> {
    PrimitiveDateTime::parse(text, HTTP_DATE).ok().map(PrimitiveDateTime::assume_utc)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sun, 06 Nov 1994 08:49:37 GMT.
    const NOW: u64 = 784_111_777;

    fn asked(retry_after: &str, date: Option<&str>) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, retry_after.parse().unwrap());
        if let Some(date) = date {
            headers.insert(DATE, date.parse().unwrap());
        }
        asked_for(&headers, SystemTime::UNIX_EPOCH + Duration::from_secs(NOW))
    }

    #[test]
    fn seconds_and_dates_are_both_understood() {
        assert_eq!(asked(" 7 ", None), Some(Duration::from_secs(7)));
        assert_eq!(asked("Sun, 06 Nov 1994 08:50:37 GMT", None), Some(Duration::from_secs(60)));
        assert_eq!(asked("Sun, 06 Nov 1994 08:40:37 GMT", None), Some(Duration::ZERO));
        for none in ["soon", "-5", "1.5", "06 Nov 1994", "Sun, 06 Nov 1994 08:50:37 CET"] {
            assert_eq!(asked(none, None), None, "{none}");
        }
        assert_eq!(asked_for(&HeaderMap::new(), SystemTime::UNIX_EPOCH), None);
    }

    #[test]
    fn clocks_need_not_agree() {
        let hours_ahead = Some("Sun, 06 Nov 1994 11:00:00 GMT");
        assert_eq!(asked("Sun, 06 Nov 1994 11:00:09 GMT", hours_ahead), Some(Duration::from_secs(9)));
    }
}
