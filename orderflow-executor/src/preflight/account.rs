//! What only the venue can say of the account: whether it knows the key, what kind of wallet it is, and what it may spend.

use alloy_primitives::U256;
use domain::{Market, TokenId, Usd, Wallet};
use polymarket::VenueError;
use polymarket::trading::{Account, Asset, Balance, Exchange, KeyDesk, Trader, WalletKind};
use store::PgConnection;

use super::{Check, plainly, unanswered};
use crate::live::Rhythm;
use crate::settings::VenueSettings;

/// The exchanges, each of which needs leave of its own.
const EXCHANGES: [Exchange; 3] = [Exchange::Standard, Exchange::NegRisk, Exchange::Positions];

/// What is looked at with the venue's own word for it, in this order.
const WITH_CREDENTIALS: [&str; 9] = [
    "wallet",
    "standing",
    "balance",
    allowance_name(Exchange::Standard),
    allowance_name(Exchange::NegRisk),
    allowance_name(Exchange::Positions),
    sales_name(Exchange::Standard),
    sales_name(Exchange::NegRisk),
    sales_name(Exchange::Positions),
];

/// Every line about the account. Those behind the first that cannot be had say what they wait for.
pub(super) async fn checks(
    venue: &VenueSettings,
    most: Usd,
    rhythm: &Rhythm,
    connection: &mut PgConnection,
) -> Vec<Check> {
    let account = match venue.live.account() {
        Ok(account) => account,
        Err(error) => {
            let to_do =
                "chmod 600 the key's file, and set PRIVATE_KEY_FILE, SIGNATURE_TYPE and FUNDER_ADDRESS";
            let waits = "give the key first: the line `key` says how";
            let mut checks = vec![
                Check::red("key", format!("{error:#}"), to_do),
                Check::unknown("credentials", "without a key nobody can be asked", waits),
            ];
            checks.extend(waiting("without a key nobody can be asked", waits));
            return checks;
        }
    };
    let mut checks = vec![Check::green("key", format!("signs for {}", account.address()))];
    match trader(venue, account, rhythm).await {
        Ok(trader) => {
            checks.push(Check::green("credentials", "the venue knows the key"));
            checks.extend(standing(&trader, most, connection).await);
        }
        Err(error) => {
            checks.push(Check::red(
                "credentials",
                plainly(&error),
                "look whether CLOB_URL is right, and whether the key's account was ever used at the venue",
            ));
            let waits = "get credentials first: the line `credentials` says how";
            checks.extend(waiting("the venue tells nothing without credentials", waits));
        }
    }
    checks
}

fn waiting(found: &'static str, waits: &'static str) -> impl Iterator<Item = Check> {
    WITH_CREDENTIALS.into_iter().map(move |name| Check::unknown(name, found, waits))
}

async fn standing(trader: &Trader, most: Usd, connection: &mut PgConnection) -> Vec<Check> {
    let balance = read_anew(trader, Asset::Collateral).await;
    let mut checks =
        vec![wallet(trader, &balance).await, closed_only(&trader.closed_only().await), dollars(&balance)];
    for exchange in EXCHANGES {
        let name = allowance_name(exchange);
        checks.push(match &balance {
            Ok(balance) => allowance(name, exchange, balance.allowance(Wallet(exchange.address())), most),
            Err(error) => unanswered(name, error),
        });
    }
    match store::markets::one_of_each_kind(connection).await {
        Ok(markets) => {
            for exchange in EXCHANGES {
                checks.push(sales(trader, exchange, &markets).await);
            }
        }
        Err(error) => {
            checks.extend(EXCHANGES.map(|exchange| {
                Check::unknown(sales_name(exchange), error.to_string(), "look at the database")
            }))
        }
    }
    checks
}

/// A balance and its allowances as the chain has them: what the venue remembers may be older than the last approval.
async fn read_anew(trader: &Trader, asset: Asset) -> Result<Balance, VenueError> {
    trader.refresh_balance(asset).await?;
    trader.balance(asset).await
}

fn dollars(balance: &Result<Balance, VenueError>) -> Check {
    match balance {
        Ok(balance) if balance.usd().is_positive() => Check::green("balance", format!("${}", balance.usd())),
        Ok(_) => Check::red(
            "balance",
            "the wallet has no dollars at the venue",
            "pay in, or correct SIGNATURE_TYPE and FUNDER_ADDRESS: with the wrong kind of wallet the venue says zero",
        ),
        Err(error) => unanswered("balance", error),
    }
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

/// Whether the kind of wallet is the account's: where it follows from the key it must be that one, and where the venue
/// sees the key's money in a wallet of another kind, that one is meant.
async fn wallet(trader: &Trader, balance: &Result<Balance, VenueError>) -> Check {
    let account = trader.account();
    let found =
        format!("{}, {}, signed for by {}", account.funder(), kind_of(account.kind()), account.address());
    if let Some(derived) = account.derived().filter(|derived| *derived != account.funder()) {
        return Check::red(
            "wallet",
            format!("{found}; the venue's own of that kind for this key is {derived}"),
            "leave FUNDER_ADDRESS empty, or correct SIGNATURE_TYPE or the key",
        );
    }
    match balance {
        Ok(balance) if balance.usd().is_positive() => return Check::green("wallet", found),
        Ok(_) => {}
        Err(error) => return unanswered("wallet", error),
    }
    for kind in WalletKind::ALL.into_iter().filter(|kind| *kind != account.kind()) {
        match trader.balance_as(Asset::Collateral, kind).await {
            Ok(balance) if balance.usd().is_positive() => {
                return Check::red(
                    "wallet",
                    format!(
                        "{found}, which has nothing; the venue sees ${} of this key's in {}",
                        balance.usd(),
                        kind_of(kind)
                    ),
                    "set SIGNATURE_TYPE to the kind that has the money, and FUNDER_ADDRESS to that wallet",
                );
            }
            Ok(_) => {}
            Err(error) => return unanswered("wallet", &error),
        }
    }
    Check::green("wallet", found)
}

const fn kind_of(kind: WalletKind) -> &'static str {
    match kind {
        WalletKind::Eoa => "the key's own account (type 0)",
        WalletKind::Proxy => "a proxy (type 1)",
        WalletKind::Safe => "a Safe (type 2)",
        WalletKind::Deposit => "a deposit wallet (type 3)",
    }
}

const fn allowance_name(exchange: Exchange) -> &'static str {
    match exchange {
        Exchange::Standard => "allowance V2",
        Exchange::NegRisk => "allowance NR",
        Exchange::Positions => "allowance V3",
    }
}

const fn sales_name(exchange: Exchange) -> &'static str {
    match exchange {
        Exchange::Standard => "sales V2",
        Exchange::NegRisk => "sales NR",
        Exchange::Positions => "sales V3",
    }
}

/// Whether an exchange may take the wallet's shares: without that a position could be opened and not be left. The approval
/// is of all tokens of a contract, so that it can be read off any of them.
async fn sales(trader: &Trader, exchange: Exchange, markets: &[Market]) -> Check {
    let name = sales_name(exchange);
    let Some(token) = token_on(exchange, markets) else {
        return Check::green(name, "no market of this kind is known, so that nothing can be bought there");
    };
    match read_anew(trader, Asset::of(token)).await {
        Ok(balance) if !balance.allowance(Wallet(exchange.address())).is_zero() => {
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
