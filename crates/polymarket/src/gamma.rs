//! Gamma: what a token is a share of.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use domain::{Market, TokenId};
use serde_json::Value;

use crate::http::{Service, VenueError};
use crate::wire::gamma::{MarketBody, MarketFlaw, Page};

/// Fifty ids of 78 digits make an address of about 5 KB; longer ones meet limits on the way.
const IDS_A_REQUEST: usize = 50;

/// A page holds at most a hundred markets, so fifty ids never fill two; more pages than this are a loop.
const MAX_PAGES: usize = 5;

/// The catalogue service.
#[derive(Debug)]
pub struct Gamma {
    service: Service,
}

/// What the catalogue lists of what was asked for. What is in neither list is unknown to it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listing {
    /// The markets, each once, by condition.
    pub markets: Vec<Market>,
    /// What it lists but cannot be read as a market.
    pub rejected: Vec<Rejected>,
}

/// A listed market that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Gamma's own id; empty where it has none.
    pub id: String,
    /// What is wrong with it.
    pub reason: MarketFlaw,
}

impl Gamma {
    /// The service at `base_url`, such as `https://gamma-api.polymarket.com`.
    ///
    /// # Errors
    /// [`VenueError::BadUrl`] and [`VenueError::Client`].
    pub fn new(base_url: &str) -> Result<Self, VenueError> {
        Ok(Self { service: Service::new(base_url)? })
    }

    /// The same with another limit than ten seconds on each request.
    ///
    /// # Errors
    /// As [`Gamma::new`].
    pub fn with_timeout(base_url: &str, timeout: Duration) -> Result<Self, VenueError> {
        Ok(Self { service: Service::with_timeout(base_url, timeout)? })
    }

    /// The markets, open and closed, that any of `tokens` is an outcome of.
    ///
    /// # Errors
    /// As soon as one request fails; nothing is listed by halves.
    pub async fn markets_of_tokens(&self, tokens: &[TokenId]) -> Result<Listing, VenueError> {
        let asked: BTreeSet<TokenId> = tokens.iter().copied().collect();
        let ids: Vec<TokenId> = asked.iter().copied().collect();
        let wanted = |market: &Market| market.tokens.iter().any(|token| asked.contains(token));
        let mut markets = BTreeMap::new();
        let mut rejected = BTreeMap::new();
        for ids in ids.chunks(IDS_A_REQUEST) {
            // Unasked, Gamma hides what is closed; asked for it, it hides what is open.
            for closed in [false, true] {
                let mut query = format!("markets/keyset?limit=100&include_tag=true&closed={closed}");
                for id in ids {
                    let _ = write!(query, "&clob_token_ids={id}");
                }
                for value in self.pages(&query).await? {
                    match read_market(value) {
                        // A server that ignores the filter lists the whole world: only what was asked counts.
                        Ok(market) if wanted(&market) => {
                            markets.insert(market.condition, market);
                        }
                        Ok(_) => {}
                        Err(flawed) => {
                            rejected.insert(flawed.id.clone(), flawed);
                        }
                    }
                }
            }
        }
        Ok(Listing { markets: markets.into_values().collect(), rejected: rejected.into_values().collect() })
    }

    async fn pages(&self, query: &str) -> Result<Vec<Value>, VenueError> {
        let what = "a page of markets";
        let mut markets = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let path = match &cursor {
                Some(cursor) => format!("{query}&after_cursor={}", escaped(cursor)),
                None => query.to_owned(),
            };
            let page: Page = self.service.get(&path, what).await?;
            markets.extend(page.markets);
            match page.next_cursor.filter(|next| !next.is_empty()) {
                Some(next) => cursor = Some(next),
                None => return Ok(markets),
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
    serde_json::from_value(value)
        .map_err(|error| MarketFlaw::Json(error.to_string()))
        .and_then(MarketBody::into_market)
        .map_err(|reason| Rejected { id, reason })
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
