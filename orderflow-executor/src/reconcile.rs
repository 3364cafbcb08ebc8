//! Whether our books and the venue's say the same: open orders, shares, dollars, winners paid.
//!
//! Whatever is on its way between the two is no difference: a match that the venue has told of and the chain has not
//! settled may be in the one and not in the other. A difference stops entries until it is gone, and says what to do.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use alloy_primitives::B256;
use domain::{Shares, TokenId, Usd, Wallet};
use polymarket::VenueError;
use polymarket::trading::{Asset, OpenOrder, OrderFilter, Trader};
use service::clock;
use store::live::{self, Account, Unpaid};
use store::{Store, StoreError};

/// A match whose fee only the chain tells exactly may be so far off, in dollars.
const FEE_ROUNDING: i64 = 1_000;

/// What the books say and the venue does not, or the other way round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// An order rests at the venue that is none of ours.
    StrayOrder {
        /// Its hash.
        hash: B256,
        /// The token.
        token: TokenId,
    },
    /// The venue's word about an open order could not be read.
    UnreadableOrder {
        /// Why.
        why: String,
    },
    /// Another number of shares.
    Shares {
        /// The token.
        token: TokenId,
        /// What the books say.
        books: Shares,
        /// What the venue says.
        venue: Shares,
    },
    /// Shares of a token that the books do not have at all.
    Unknown {
        /// The token.
        token: TokenId,
        /// Its market and outcome, where they are known.
        what: Option<String>,
        /// How many, as the venue says.
        venue: Shares,
    },
    /// Another amount of dollars than can be explained.
    Cash {
        /// What the books say.
        books: Usd,
        /// What the venue says.
        venue: Usd,
        /// How far apart the two may be for what is on its way.
        tolerance: Usd,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StrayOrder { hash, token } => write!(
                f,
                "order {hash} on token {token} rests at the venue and is none of ours: cancel it there, or everything \
                 with `orderflow kill`"
            ),
            Self::UnreadableOrder { why } => {
                write!(f, "an open order cannot be read ({why}): look at it at the venue")
            }
            Self::Shares { token, books, venue } => write!(
                f,
                "{books} shares of token {token} in the books, {venue} in the wallet: if somebody traded or moved them \
                 by hand, undo that"
            ),
            Self::Unknown { token, what, venue } => {
                let what = what.as_deref().unwrap_or("a market that nobody has described");
                write!(
                    f,
                    "{venue} shares of {what} (token {token}) are in the wallet and not in the books: whoever bought \
                     them by hand sells them, or moves them to a wallet of their own"
                )
            }
            Self::Cash { books, venue, .. } => write!(
                f,
                "${books} in the books, ${venue} in the wallet: if somebody paid in or took out, `orderflow reconcile \
                 --accept` opens the balance anew"
            ),
        }
    }
}

/// Why the two could not be compared.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The venue did not answer.
    #[error("the venue was not heard")]
    Venue(#[from] VenueError),
    /// The database did not.
    #[error("the books were not read")]
    Store(#[from] StoreError),
    /// An opening balance would contain what is not settled yet.
    #[error("{tokens} tokens have orders that are not settled: cancel what rests, wait, and ask again")]
    Moving {
        /// How many.
        tokens: usize,
    },
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Whether shares and dollars were compared: not where the books changed meanwhile.
    pub is_compared: bool,
    /// The differences; empty where the two agree.
    pub differences: Vec<Difference>,
    /// Winners that have not been paid yet.
    pub unpaid: Vec<Unpaid>,
}

impl Findings {
    /// All differences in one text; `None` where there is none.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        let texts: Vec<String> = self.differences.iter().map(ToString::to_string).collect();
        (!texts.is_empty()).then(|| texts.join("; "))
    }
}

/// Compares the books with the venue. The books are read before and after: what changed meanwhile is on its way, and is
/// compared another time.
///
/// # Errors
/// [`ReconcileError`]: nothing is known then.
pub async fn reconcile(trader: &Trader, store: &Store) -> Result<Findings, ReconcileError> {
    let wallet = trader.account().funder();
    let unpaid = pay(trader, store).await?;
    let before = live::account(&mut *store.connection().await?).await?;
    let open = trader.orders(&OrderFilter::default()).await?;
    let mut balances = BTreeMap::new();
    for token in before.shares.keys() {
        balances.insert(*token, trader.balance(Asset::of(*token)).await?.shares());
    }
    let unknown = unknown(trader, store, &before).await?;
    let cash = trader.balance(Asset::Collateral).await?.usd();
    let mut connection = store.connection().await?;
    let after = live::account(&mut connection).await?;
    let hashes: Vec<String> = open.items.iter().map(|order| order.hash.to_string()).collect();
    let ours: BTreeSet<String> = live::ours(&mut connection, &hashes).await?.into_iter().collect();
    let opening = live::opening(&mut connection, wallet).await?;
    let mut differences: Vec<Difference> =
        open.unreadable.into_iter().map(|why| Difference::UnreadableOrder { why }).collect();
    differences.extend(stray(&open.items, &ours));
    let is_compared = before == after;
    if is_compared {
        differences.extend(shares(&after, &balances));
        differences.extend(unknown);
        match opening {
            Some(opening) => differences.extend(dollars(&after, opening, cash)),
            // Nobody has counted yet: from here on every dollar must be accounted for.
            None if after.moving.is_empty() => live::open(&mut connection, wallet, cash - after.flow).await?,
            None => {}
        }
    }
    Ok(Findings { is_compared, differences, unpaid })
}

/// Opens the balance anew, after money was paid in or taken out: from here on what the wallet has is what it must have.
///
/// # Errors
/// [`ReconcileError`]; [`ReconcileError::Moving`] while a match or an order is not at its end.
pub async fn accept(trader: &Trader, store: &Store) -> Result<(Wallet, Usd), ReconcileError> {
    let wallet = trader.account().funder();
    let cash = trader.balance(Asset::Collateral).await?.usd();
    let mut connection = store.connection().await?;
    let account = live::account(&mut connection).await?;
    if !account.moving.is_empty() {
        return Err(ReconcileError::Moving { tokens: account.moving.len() });
    }
    live::open(&mut connection, wallet, cash - account.flow).await?;
    Ok((wallet, cash))
}

/// What is in the wallet and not in the books. The chain says what it may be, and the venue how much of it there is.
async fn unknown(trader: &Trader, store: &Store, books: &Account) -> Result<Vec<Difference>, ReconcileError> {
    let touched = live::touched(&mut *store.connection().await?, trader.account().funder()).await?;
    let is_known = |token: &TokenId| books.shares.contains_key(token) || books.moving.contains(token);
    let mut unknown = vec![];
    for live::Touched { token, what } in touched.into_iter().filter(|touched| !is_known(&touched.token)) {
        let asset = Asset::of(token);
        if trader.balance(asset).await?.shares() < Shares::DUST {
            continue;
        }
        // What was sold a moment ago may still be there as the venue remembers it.
        trader.refresh_balance(asset).await?;
        let venue = trader.balance(asset).await?.shares();
        if Shares::DUST <= venue {
            unknown.push(Difference::Unknown { token, what, venue });
        }
    }
    Ok(unknown)
}

/// Finds out which winners were paid: a token that paid is in the wallet no more.
async fn pay(trader: &Trader, store: &Store) -> Result<Vec<Unpaid>, ReconcileError> {
    let winners = live::unpaid(&mut *store.connection().await?).await?;
    let mut unpaid = vec![];
    for winner in winners {
        let asset = Asset::of(winner.token);
        trader.refresh_balance(asset).await?;
        // What is left of a position that was sold may itself be less than what is otherwise called nothing.
        let nothing = Shares::DUST.min(Shares::from_micros(winner.payout.micros()));
        if trader.balance(asset).await?.shares() < nothing {
            let mut connection = store.connection().await?;
            live::redeemed(&mut connection, winner.position, winner.payout, clock::now()).await?;
            tracing::info!(position = winner.position, paid = %winner.payout, "a winner was paid");
        } else {
            unpaid.push(winner);
        }
    }
    Ok(unpaid)
}

fn stray(open: &[OpenOrder], ours: &BTreeSet<String>) -> Vec<Difference> {
    open.iter()
        .filter(|order| !ours.contains(&order.hash.to_string()))
        .map(|order| Difference::StrayOrder { hash: order.hash, token: order.token })
        .collect()
}

fn shares(books: &Account, venue: &BTreeMap<TokenId, Shares>) -> Vec<Difference> {
    books
        .shares
        .iter()
        .filter(|(token, _)| !books.moving.contains(token))
        .filter_map(|(token, held)| {
            let there = venue.get(token).copied().unwrap_or(Shares::ZERO);
            let is_same = (there - *held).abs() < Shares::DUST;
            (!is_same).then_some(Difference::Shares { token: *token, books: *held, venue: there })
        })
        .collect()
}

fn dollars(books: &Account, opening: Usd, venue: Usd) -> Option<Difference> {
    let expected = opening + books.flow;
    let rounding = Usd::from_micros(FEE_ROUNDING.saturating_mul(books.unchecked));
    let tolerance = rounding + books.unsettled;
    let (least, most) = (expected - tolerance, expected + tolerance + books.unpaid);
    let is_explained = (least..=most).contains(&venue);
    (!is_explained).then_some(Difference::Cash { books: expected, venue, tolerance })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(number: u64) -> TokenId {
        TokenId(alloy_primitives::U256::from(number))
    }

    #[test]
    fn dollars_may_differ_by_what_is_on_its_way_and_by_no_more() {
        let books = Account { flow: Usd::whole(-30), unpaid: Usd::whole(50), ..Account::default() };
        let opening = Usd::whole(100);
        for (venue, is_explained) in [(70, true), (120, true), (69, false), (121, false)] {
            assert_eq!(dollars(&books, opening, Usd::whole(venue)).is_none(), is_explained, "{venue}");
        }
        let settling = Account { unsettled: Usd::whole(10), unchecked: 1, ..books };
        assert_eq!(dollars(&settling, opening, Usd::whole(60)), None);
        assert!(dollars(&settling, opening, Usd::from_micros(59_998_000)).is_some());
    }

    #[test]
    fn shares_on_their_way_are_no_difference() {
        let held = [(token(1), Shares::whole(5)), (token(2), Shares::whole(7))].into();
        let books = Account { shares: held, moving: vec![token(2)], ..Account::default() };
        assert_eq!(
            shares(&books, &BTreeMap::new()),
            [Difference::Shares { token: token(1), books: Shares::whole(5), venue: Shares::ZERO }]
        );
        assert_eq!(shares(&books, &[(token(1), Shares::whole(5))].into()), []);
    }
}
