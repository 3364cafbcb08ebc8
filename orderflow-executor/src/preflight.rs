//! Whether orders may be sent in earnest: a list of checks, each green, or red with what was found and what to do.
//!
//! What cannot be found out counts as red: nobody may trade on the hope that it would have been green.

mod place;

use std::fmt;

use alloy_primitives::U256;
use domain::{Market, Timestamp, TokenId, Usd};
use polymarket::Clob;
use polymarket::VenueError;
use polymarket::trading::{Account, Asset, ClockReading, Exchange, KeyDesk, Trader, WalletKind, self_test};
use service::clock;
use store::{PgConnection, StoreError, resume};

pub(crate) use self::place::{PLACE, place, region};
use crate::live::Rhythm;
use crate::settings::{StakeSettings, VenueSettings};

/// How far this machine's clock may be from the venue's.
const MOST_SKEW: i64 = 2_000_000;

/// In how many of the newest blocks a market is looked for.
const LATELY: u32 = 1_000;

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

/// Looks at everything. Asks the venue, and sends nothing that could trade.
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
    ];
    let account = match venue.live.account() {
        Ok(account) => account,
        Err(error) => {
            let to_do =
                "chmod 600 the key's file, and set PRIVATE_KEY_FILE, SIGNATURE_TYPE and FUNDER_ADDRESS";
            checks.push(Check::red("key", format!("{error:#}"), to_do));
            return checks;
        }
    };
    checks.push(wallet(&account));
    match trader(venue, account, &rhythm).await {
        Ok(trader) => checks.extend(standing(&trader, venue, stake.max_position_usd, connection).await),
        Err(error) => checks.push(Check::red(
            "credentials",
            plainly(&error),
            "look whether CLOB_URL is right, and whether the key's account was ever used at the venue",
        )),
    }
    checks
}

/// What only the venue can say of the account.
async fn standing(
    trader: &Trader,
    venue: &VenueSettings,
    most: Usd,
    connection: &mut PgConnection,
) -> Vec<Check> {
    let mut checks = vec![
        Check::green("credentials", "the venue knows the key"),
        skew(&trader.sync_clock().await),
        closed_only(&trader.closed_only().await),
    ];
    let balance = trader.balance(Asset::Collateral).await;
    checks.push(match &balance {
        Ok(balance) if balance.usd().is_positive() => Check::green("balance", format!("${}", balance.usd())),
        Ok(_) => Check::red(
            "balance",
            "the wallet has no dollars at the venue",
            "pay in, or correct SIGNATURE_TYPE and FUNDER_ADDRESS: with the wrong kind of wallet the venue says zero",
        ),
        Err(error) => unanswered("balance", error),
    });
    for exchange in [Exchange::Standard, Exchange::NegRisk, Exchange::Positions] {
        let name = allowance_name(exchange);
        checks.push(match &balance {
            Ok(balance) => {
                allowance(name, exchange, balance.allowance(domain::Wallet(exchange.address())), most)
            }
            Err(error) => unanswered(name, error),
        });
    }
    match store::markets::one_of_each_kind(connection).await {
        Ok(markets) => {
            for exchange in [Exchange::Standard, Exchange::NegRisk, Exchange::Positions] {
                checks.push(sales(trader, exchange, &markets).await);
            }
        }
        Err(error) => checks.push(Check::red("sales", error.to_string(), "look at the database")),
    }
    checks.push(grid(venue, connection).await);
    checks
}

async fn trader(venue: &VenueSettings, account: Account, rhythm: &Rhythm) -> Result<Trader, VenueError> {
    let desk = KeyDesk::new(&venue.clob_url, rhythm.limits.other)?;
    desk.sync_clock().await?;
    let credentials = desk.obtain(&account).await?;
    let trader = Trader::new(&venue.clob_url, account, credentials, rhythm.limits)?;
    trader.sync_clock().await?;
    Ok(trader)
}

pub(crate) fn closed_only(answer: &Result<bool, VenueError>) -> Check {
    match answer {
        Ok(false) => Check::green("standing", "the account may open positions"),
        Ok(true) => Check::red(
            "standing",
            "the account may only close what it holds",
            "ask the venue why; what is held can still be sold",
        ),
        Err(error) => unanswered("standing", error),
    }
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

fn wallet(account: &Account) -> Check {
    let (kind, number) = match account.kind() {
        WalletKind::Eoa => ("the key's own account", 0),
        WalletKind::Proxy => ("a proxy", 1),
        WalletKind::Safe => ("a Safe", 2),
        WalletKind::Deposit => ("a deposit wallet", 3),
    };
    Check::green(
        "wallet",
        format!("{}, {kind} (type {number}), signed for by {}", account.funder(), account.address()),
    )
}

const fn allowance_name(exchange: Exchange) -> &'static str {
    match exchange {
        Exchange::Standard => "allowance V2",
        Exchange::NegRisk => "allowance NR",
        Exchange::Positions => "allowance V3",
    }
}

/// Whether an exchange may take the wallet's shares: without that a position could be opened and not be left. The approval
/// is of all tokens of a contract, so that it can be read off any of them.
async fn sales(trader: &Trader, exchange: Exchange, markets: &[Market]) -> Check {
    let name = match exchange {
        Exchange::Standard => "sales V2",
        Exchange::NegRisk => "sales NR",
        Exchange::Positions => "sales V3",
    };
    let Some(token) = token_on(exchange, markets) else {
        return Check::green(name, "no market of this kind is known, so that nothing can be bought there");
    };
    match trader.balance(Asset::of(token)).await {
        Ok(balance) if !balance.allowance(domain::Wallet(exchange.address())).is_zero() => {
            Check::green(name, format!("{} may take shares", exchange.address()))
        }
        Ok(_) => Check::red(
            name,
            format!(
                "{} may not take the wallet's shares: what is bought could not be sold",
                exchange.address()
            ),
            match exchange {
                Exchange::Positions => {
                    "call setApprovalForAll for that contract on PositionManager from the wallet; approvals of the \
                     conditional tokens do not carry over"
                }
                Exchange::Standard | Exchange::NegRisk => {
                    "call setApprovalForAll for that contract on the conditional tokens from the wallet (the venue's \
                     own page does it with the first trade)"
                }
            },
        ),
        Err(error) => unanswered(name, &error),
    }
}

/// A token that is traded on an exchange.
fn token_on(exchange: Exchange, markets: &[Market]) -> Option<TokenId> {
    let of = |market: &Market| {
        let on = |token: &TokenId| Exchange::of(market, *token) == Ok(exchange);
        market.tokens.iter().copied().find(on)
    };
    markets.iter().find_map(of)
}

/// At least what one trade may cost: less would be refused in the middle of trading.
fn allowance(name: &'static str, exchange: Exchange, amount: U256, most: Usd) -> Check {
    if U256::from(most.micros().unsigned_abs()) <= amount {
        return Check::green(name, format!("{} may take dollars", exchange.address()));
    }
    Check::red(
        name,
        format!(
            "{} may take {amount} millionths of the wallet's dollars, and a trade up to ${most}",
            exchange.address()
        ),
        "approve pUSD for that contract from the wallet (the venue's own page does it with the first trade)",
    )
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

/// The grid of a market that was traded lately, as we have it and as the venue has it.
async fn grid(venue: &VenueSettings, connection: &mut PgConnection) -> Check {
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

    /// What may be taken must be enough for the largest trade that the settings allow.
    #[test]
    fn an_allowance_is_held_against_the_largest_trade() {
        let look = |amount: i64, most: i32| {
            let amount = U256::from(Usd::whole(i32::try_from(amount).unwrap()).micros().unsigned_abs());
            allowance("allowance V2", Exchange::Standard, amount, Usd::whole(most)).is_green()
        };
        assert!(look(1_000, 1_000) && look(200, 200));
        assert!(!look(999, 1_000) && !look(1_000, 2_500));
    }
}
