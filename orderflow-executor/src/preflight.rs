//! Whether orders may be sent in earnest: a list of checks, each green, or red with what was found and what to do.
//!
//! What cannot be found out counts as red: nobody may trade on the hope that it would have been green.

mod account;
mod grid;
mod place;

use std::fmt;

use domain::Timestamp;
use polymarket::Clob;
use polymarket::VenueError;
use polymarket::trading::{ClockReading, self_test};
use service::clock;
use store::{PgConnection, StoreError, resume};

pub(crate) use self::account::closed_only;
use self::grid::grid;
pub(crate) use self::place::{PLACE, place, region};
use crate::live::Rhythm;
use crate::settings::{StakeSettings, VenueSettings};

/// How far this machine's clock may be from the venue's.
const MOST_SKEW: i64 = 2_000_000;

/// How old the newest block in the database may be.
const MOST_LAG: i64 = 60_000_000;

/// The name of the line about the chain, which the engine minds by itself while it runs.
pub const CHAIN: &str = "chain";

/// One line of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// What was seen.
    pub verdict: Verdict,
}

/// What a check came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Green {
        /// What was found.
        found: String,
    },
    /// Not to trade with.
    Red {
        /// What was found.
        found: String,
        /// What a person can do about it.
        what_to_do: String,
    },
    /// Not to trade with either, because nobody could say.
    Unknown {
        /// Why not.
        found: String,
        /// What a person can do about it.
        what_to_do: String,
    },
}

impl Check {
    /// A line that is as it should be.
    pub(crate) fn green(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Green { found: found.into() } }
    }

    /// A line that is not.
    pub(crate) fn red(name: &'static str, found: impl Into<String>, what_to_do: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Red { found: found.into(), what_to_do: what_to_do.into() } }
    }

    /// A line of which nothing could be found out.
    pub(crate) fn unknown(
        name: &'static str,
        found: impl Into<String>,
        what_to_do: impl Into<String>,
    ) -> Self {
        Self { name, verdict: Verdict::Unknown { found: found.into(), what_to_do: what_to_do.into() } }
    }

    /// What speaks against trading here, if anything does.
    #[must_use]
    pub fn objection(&self) -> Option<&str> {
        match &self.verdict {
            Verdict::Green { .. } => None,
            Verdict::Red { found, .. } | Verdict::Unknown { found, .. } => Some(found),
        }
    }

    /// Whether nothing speaks against trading here.
    #[must_use]
    pub const fn is_green(&self) -> bool {
        matches!(self.verdict, Verdict::Green { .. })
    }
}

/// One line for a person.
impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.verdict {
            Verdict::Green { found } => write!(f, "ok   {:<13} {found}", self.name),
            Verdict::Red { found, what_to_do } | Verdict::Unknown { found, what_to_do } => {
                write!(f, "RED  {:<13} {found}\n     {:<13} -> {what_to_do}", self.name, "")
            }
        }
    }
}

/// Whether every line is green.
#[must_use]
pub fn all_green(checks: &[Check]) -> bool {
    checks.iter().all(Check::is_green)
}

/// Looks at everything. Asks the venue, and sends nothing that could trade. Each line is there whatever the others came
/// to: what cannot be asked, for want of a key or of credentials, is red and says what to do first.
pub async fn preflight(
    venue: &VenueSettings,
    stake: StakeSettings,
    connection: &mut PgConnection,
) -> Vec<Check> {
    let rhythm = Rhythm::default();
    let mut checks = vec![
        database(connection).await,
        chain_lag(resume::reached(connection, i64::MAX).await, clock::now()),
        signing(&self_test().await),
        place(&region(venue, &rhythm).await),
        skew(&venue_clock(venue, &rhythm).await),
        grid(venue, connection).await,
    ];
    checks.extend(account::checks(venue, stake.max_position_usd, &rhythm, connection).await);
    checks
}

/// Anybody may ask for the venue's time.
async fn venue_clock(venue: &VenueSettings, rhythm: &Rhythm) -> Result<ClockReading, VenueError> {
    Clob::with_timeout(&venue.clob_url, rhythm.limits.other)?.clock().await
}

pub(crate) fn skew(reading: &Result<ClockReading, VenueError>) -> Check {
    match reading {
        Ok(reading) if reading.ahead.abs() <= MOST_SKEW => {
            Check::green("clock", format!("{} ms from the venue's", reading.ahead / 1_000))
        }
        Ok(reading) => Check::red(
            "clock",
            format!("this machine's clock is {} ms from the venue's", reading.ahead / 1_000),
            "let the system keep its clock (systemd-timesyncd, chrony)",
        ),
        Err(error) => unanswered("clock", error),
    }
}

fn signing(result: &Result<(), String>) -> Check {
    match result {
        Ok(()) => Check::green("signing", "the known order has the known signature"),
        Err(what) => Check::red("signing", what.clone(), "do not trade with this build"),
    }
}

async fn database(connection: &mut PgConnection) -> Check {
    match latched(connection).await {
        Ok((0, says)) => Check::green("database", says),
        Ok((number, _)) => Check::red(
            "database",
            format!("{number} positions or orders on paper are not at their end"),
            "trade live with a database of its own, or let them end on paper first",
        ),
        Err(error) => Check::red("database", error.to_string(), "look whether DATABASE_URL is right"),
    }
}

/// How much of the database is on paper, and what stands in it that stops entries. The latter is no reason not to begin:
/// there are no entries then, and what is held and what is on its way is followed all the same.
async fn latched(connection: &mut PgConnection) -> Result<(i64, String), StoreError> {
    let on_paper = store::live::of_other_mode(connection, "live").await?;
    let killed = store::controls::latches(connection).await?.killed;
    let halts = store::halts::standing(connection).await?;
    let mut says = "answers".to_owned();
    if let Some(reason) = killed {
        says.push_str(&format!("; a person stopped all trading: {reason}"));
    }
    for halt in halts {
        says.push_str(&format!("; no entries until `orderflow lift`: {}", halt.reason));
    }
    Ok((on_paper, says))
}

fn chain_lag(reached: Result<Option<Timestamp>, store::StoreError>, now: Timestamp) -> Check {
    let to_do = "let the listener run until it has caught up, and look at POLYGON_RPC_URL";
    match reached {
        Ok(Some(at)) if now.micros_since(at) <= MOST_LAG => {
            Check::green(CHAIN, format!("the newest block is of {at}"))
        }
        Ok(Some(at)) => Check::red(CHAIN, format!("the newest block is of {at}"), to_do),
        Ok(None) => Check::red(CHAIN, "there is no block in the database", to_do),
        Err(error) => Check::red(CHAIN, error.to_string(), to_do),
    }
}

fn unanswered(name: &'static str, error: &VenueError) -> Check {
    Check::unknown(name, plainly(error), "wait for the venue, or correct CLOB_URL")
}

/// The error with what is behind it. None of these has a secret in it.
fn plainly(error: &VenueError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What signs otherwise than the official clients do is not to be traded with.
    #[test]
    fn a_build_that_signs_otherwise_is_red() {
        assert!(signing(&Ok(())).is_green());
        let red = signing(&Err("the known order is signed otherwise".to_owned()));
        assert_eq!(red.objection(), Some("the known order is signed otherwise"));
    }
}
