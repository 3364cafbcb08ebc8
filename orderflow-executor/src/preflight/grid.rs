//! Whether the price grid is the venue's, on a market that was traded lately.

use polymarket::Clob;
use store::PgConnection;

use super::{Check, unanswered};
use crate::settings::VenueSettings;

/// In how many of the newest blocks a market is looked for.
const LATELY: u32 = 1_000;

/// The grid of a market that was traded lately, as we have it and as the venue has it.
pub(super) async fn grid(venue: &VenueSettings, connection: &mut PgConnection) -> Check {
    let known = match store::markets::traded_lately(connection, LATELY).await {
        Ok(conditions) => match conditions.first() {
            Some(condition) => store::live::market(connection, *condition).await,
            None => return Check::green("grid", "no market was traded lately"),
        },
        Err(error) => Err(error),
    };
    let ours = match known {
        Ok(Some(ours)) => ours,
        Ok(None) => return Check::green("grid", "no market was traded lately"),
        Err(error) => return Check::red("grid", error.to_string(), "look at the database"),
    };
    let theirs = match Clob::new(&venue.clob_url) {
        Ok(clob) => clob.market_of_condition(ours.condition).await,
        Err(error) => Err(error),
    };
    match theirs {
        Ok(Some(theirs)) if theirs.tick == ours.tick => {
            Check::green("grid", format!("{} ppm for \"{}\"", ours.tick.ppm(), ours.title))
        }
        Ok(Some(theirs)) => Check::red(
            "grid",
            format!(
                "\"{}\" has {} ppm at the venue, {} here",
                ours.title,
                theirs.tick.ppm(),
                ours.tick.ppm()
            ),
            "let the listener read the markets again; orders keep to the grid of the book in any case",
        ),
        Ok(None) => Check::green("grid", format!("\"{}\" is not in the order book", ours.title)),
        Err(error) => unanswered("grid", &error),
    }
}
