//! Where this machine is, and whether anything may be traded from there.

use polymarket::{Geoblock, Region, VenueError};

use super::{Check, plainly};
use crate::live::Rhythm;
use crate::settings::VenueSettings;

/// Where the venue sees this machine.
pub(crate) async fn region(venue: &VenueSettings, rhythm: &Rhythm) -> Result<Region, VenueError> {
    Geoblock::new(&venue.live.geoblock_url, rhythm.limits.other)?.region().await
}

/// Where nothing at all may be traded, whoever is asked: countries, and regions of countries
/// (<https://docs.polymarket.com/api-reference/geoblock>).
const NOWHERE: [&str; 7] = ["IR", "SY", "CU", "KP", "UA-43", "UA-14", "UA-09"];

/// The line's name.
pub(crate) const PLACE: &str = "place";

/// Fails closed: without an answer this place counts as one that is not served, and so does one that nobody names. For the
/// rest the venue's own word counts, because its list changes.
pub(crate) fn place(region: &Result<Region, VenueError>) -> Check {
    match region {
        Ok(region) if is_nowhere(region) => Check::red(
            PLACE,
            format!("nothing may be traded from {}", where_of(region)),
            "trade on paper: from here nothing else is allowed",
        ),
        Ok(region) if !region.blocked && region.country.trim().is_empty() => Check::unknown(
            PLACE,
            "nobody says where this machine is",
            "wait, or correct GEOBLOCK_URL: without an answer nothing is opened",
        ),
        Ok(region) if !region.blocked => Check::green(PLACE, where_of(region)),
        Ok(region) => Check::red(
            PLACE,
            format!("the venue does not serve {}", where_of(region)),
            "trade on paper: from here nothing else is allowed",
        ),
        Err(error) => Check::unknown(
            PLACE,
            format!("nobody says whether the venue serves this place: {}", plainly(error)),
            "wait, or correct GEOBLOCK_URL: without an answer nothing is opened",
        ),
    }
}

fn is_nowhere(region: &Region) -> bool {
    let place = where_of(region).to_uppercase();
    let country = region.country.trim().to_uppercase();
    NOWHERE.contains(&country.as_str()) || NOWHERE.contains(&place.as_str())
}

fn where_of(region: &Region) -> String {
    [region.country.trim(), region.region.trim()]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("-")
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    /// The venue's own word counts, but for places from which nothing may be traded, and for no place at all.
    #[test]
    fn a_place_is_one_that_somebody_names() {
        let is_green = |blocked, country: &str, part: &str| {
            let (country, region) = (country.to_owned(), part.to_owned());
            place(&Ok(Region { blocked, ip: String::new(), country, region })).is_green()
        };
        assert!(is_green(false, "IE", "L") && is_green(false, "UA", "30") && is_green(false, "ie", ""));
        assert!(!is_green(true, "IE", "L"));
        let is_unknown = |country: &str| {
            let region = Region {
                blocked: false,
                ip: String::new(),
                country: country.to_owned(),
                region: String::new(),
            };
            matches!(place(&Ok(region)).verdict, Verdict::Unknown { .. })
        };
        // A place that nobody names is none that is forbidden.
        assert!(is_unknown(" ") && !is_unknown("IR"));
        for (country, part) in [("", ""), ("", "NY"), ("IR", "23"), ("UA", "43"), ("ua", "09"), (" CU ", "")]
        {
            assert!(!is_green(false, country, part), "{country}-{part}");
        }
    }
}
