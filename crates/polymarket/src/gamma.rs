//! Gamma: what a token is a share of.

mod listing;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use domain::{ConditionId, Market, TokenId};
use serde_json::Value;

use crate::http::{Service, VenueError};
use crate::wire::MarketFlaw;
use crate::wire::gamma::{MarketBody, Page};
use listing::Found;
pub use listing::{Listing, Rejected, Unanswered};

/// Fifty ids of 78 digits make an address of about 5 KB; longer ones meet limits on the way.
const IDS_A_REQUEST: usize = 50;

/// A page holds at most a hundred markets, so fifty ids never fill two; more pages than this are a loop.
const MAX_PAGES: usize = 5;

/// How often a part that failed is asked for again in halves, in one lookup. One id that Gamma chokes on costs
/// six; a Gamma that chokes on all of them must not be asked for each.
const MAX_HALVINGS: usize = 12;

/// One lookup gives up after so many times the limit of a request, whatever is left.
const PATIENCE: u32 = 4;

/// The catalogue service.
#[derive(Debug)]
pub struct Gamma {
    service: Service,
    patience: Duration,
}

/// By what a market is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Token(TokenId),
    Condition(ConditionId),
}

impl Key {
    fn names(self, market: &Market) -> bool {
        match self {
            Self::Token(token) => market.tokens.contains(&token),
            Self::Condition(condition) => market.condition == condition,
        }
    }

    /// Appends the query parameter, and for what may be a condition of Protocol V2 both of its widths: Gamma
    /// knows it in 31 bytes, everybody else in 32.
    fn write(self, query: &mut String) {
        let _ = match self {
            Self::Token(token) => write!(query, "&clob_token_ids={token}"),
            Self::Condition(condition) => {
                let text = condition.to_string();
                let short = text.strip_suffix("00");
                let also = short.map(|short| format!("&condition_ids={short}")).unwrap_or_default();
                write!(query, "&condition_ids={text}{also}")
            }
        };
    }
}

impl Gamma {
    /// The service at `base_url`, such as `https://gamma-api.polymarket.com`.
    ///
    /// # Errors
    /// [`VenueError::BadUrl`] and [`VenueError::Client`].
    pub fn new(base_url: &str) -> Result<Self, VenueError> {
        Self::with_timeout(base_url, crate::http::TIMEOUT)
    }

    /// The same with another limit than ten seconds on each request.
    ///
    /// # Errors
    /// As [`Gamma::new`].
    pub fn with_timeout(base_url: &str, timeout: Duration) -> Result<Self, VenueError> {
        Ok(Self { service: Service::with_timeout(base_url, timeout)?, patience: timeout * PATIENCE })
    }

    /// The markets, open and closed, that any of `tokens` is an outcome of.
    ///
    /// # Errors
    /// If nothing at all was answered. A part that failed is in [`Listing::unanswered`].
    pub async fn markets_of_tokens(&self, tokens: &[TokenId]) -> Result<Listing, VenueError> {
        self.look_up(tokens.iter().copied().map(Key::Token).collect()).await
    }

    /// The markets, open and closed, of these conditions.
    ///
    /// # Errors
    /// As [`Gamma::markets_of_tokens`].
    pub async fn markets_of_conditions(&self, conditions: &[ConditionId]) -> Result<Listing, VenueError> {
        self.look_up(conditions.iter().copied().map(Key::Condition).collect()).await
    }

    /// Asks in parts. A part that fails for its own sake is halved, so that an id Gamma chokes on, or a market
    /// whose page it cannot write, holds up no other.
    async fn look_up(&self, keys: BTreeSet<Key>) -> Result<Listing, VenueError> {
        let keys: Vec<Key> = keys.into_iter().collect();
        let begun = Instant::now();
        let mut found = Found::default();
        let mut halvings = 0;
        let mut parts: Vec<&[Key]> = keys.chunks(IDS_A_REQUEST).rev().collect();
        while let Some(part) = parts.pop() {
            if self.patience <= begun.elapsed() {
                found.fail(part, self.service.malformed("the catalogue", "it takes too long"));
                continue;
            }
            let Err(error) = self.ask(part, &mut found).await else {
                found.succeed();
                continue;
            };
            if !error.is_outage() && part.len() > 1 && halvings < MAX_HALVINGS {
                halvings += 1;
                let (first, second) = part.split_at(part.len() / 2);
                parts.extend([second, first]);
                continue;
            }
            let is_outage = error.is_outage();
            found.fail(part, error);
            if is_outage {
                // It is one for the rest as well.
                parts.drain(..).for_each(|part| found.leave(part));
            }
        }
        found.into_listing()
    }

    /// Asks for the open markets of a part, and for what is not among them among the closed: unasked, Gamma
    /// hides what is closed; asked for it, it hides what is open.
    async fn ask(&self, part: &[Key], found: &mut Found) -> Result<(), VenueError> {
        for closed in [false, true] {
            let missing: Vec<Key> = part.iter().copied().filter(|key| !found.has(*key)).collect();
            if missing.is_empty() {
                break;
            }
            let mut query = format!("markets/keyset?limit=100&include_tag=true&closed={closed}");
            missing.iter().for_each(|key| key.write(&mut query));
            self.read_pages(&query, &missing, found).await?;
        }
        Ok(())
    }

    /// Reads page after page. What the pages before a broken one said stays found: each market stands for itself.
    async fn read_pages(&self, query: &str, asked: &[Key], found: &mut Found) -> Result<(), VenueError> {
        let what = "a page of markets";
        let mut cursors: Vec<String> = Vec::new();
        for _ in 0..MAX_PAGES {
            let path = match cursors.last() {
                Some(cursor) => format!("{query}&after_cursor={}", escaped(cursor)),
                None => query.to_owned(),
            };
            let page: Page = self.service.get(&path, what).await?;
            for value in page.markets {
                match read_market(value) {
                    // A server that ignores the filter lists the whole world: only what was asked counts.
                    Ok(market) if asked.iter().any(|key| key.names(&market)) => found.take_in(market),
                    Ok(_) => {}
                    Err(flawed) => found.reject(flawed),
                }
            }
            match page.next_cursor.filter(|next| !next.is_empty()) {
                None => return Ok(()),
                // It can lead to nothing new.
                _ if asked.iter().all(|key| found.has(*key)) => return Ok(()),
                Some(next) if cursors.contains(&next) => {
                    return Err(self.service.malformed(what, format!("its cursor `{next:.40}` repeats")));
                }
                Some(next) => cursors.push(next),
            }
        }
        Err(self.service.malformed(what, format!("more than {MAX_PAGES} pages for {IDS_A_REQUEST} ids")))
    }
}

fn read_market(value: Value) -> Result<Market, Rejected> {
    let id = match &value["id"] {
        Value::String(id) => id.clone(),
        Value::Number(id) => id.to_string(),
        _ => String::new(),
    };
    let condition = value["conditionId"].as_str().unwrap_or_default().to_owned();
    serde_json::from_value(value)
        .map_err(|error| MarketFlaw::Json(error.to_string()))
        .and_then(MarketBody::into_market)
        .map_err(|reason| Rejected { id, condition, reason })
}

/// Percent-encodes what may not stand in a query.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
