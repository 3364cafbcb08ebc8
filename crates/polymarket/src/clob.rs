//! The CLOB: who offers what at which price, and on which terms.

use std::time::Duration;

use domain::{Book, ConditionId, Shares, Tick, TokenId};

use crate::http::{Service, VenueError};
use crate::wire::clob::{BookBody, TermsBody, TokenBody, read_condition, read_fee, read_tick};

/// The order book service.
#[derive(Debug)]
pub struct Clob {
    service: Service,
}

/// On which terms a market trades: the venue's own word on ticks and fees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The condition asked for.
    pub condition: ConditionId,
    /// The tokens and the names of their outcomes.
    pub outcomes: Vec<(TokenId, String)>,
    /// The price grid.
    pub tick: Tick,
    /// The smallest order.
    pub min_order: Shares,
    /// The taker fee's rate: the fee is `shares * rate * p * (1 - p)` dollars. Zero where free.
    pub fee_rate_ppm: u32,
    /// Whether it settles through the neg-risk contracts.
    pub neg_risk: bool,
    /// Whether it is a Protocol V2 market.
    pub protocol_v2: bool,
    /// Whether orders are accepted now; `false` where the venue does not say.
    pub accepting_orders: bool,
}

impl Clob {
    /// The service at `base_url`, such as `https://clob.polymarket.com`.
    ///
    /// # Errors
    /// [`VenueError::BadUrl`] and [`VenueError::Client`].
    pub fn new(base_url: &str) -> Result<Self, VenueError> {
        Ok(Self { service: Service::new(base_url)? })
    }

    /// The same with another limit than ten seconds on each request.
    ///
    /// # Errors
    /// As [`Clob::new`].
    pub fn with_timeout(base_url: &str, timeout: Duration) -> Result<Self, VenueError> {
        Ok(Self { service: Service::with_timeout(base_url, timeout)? })
    }

    /// The book of a token.
    ///
    /// # Errors
    /// [`VenueError::NoBook`] where the venue keeps none; else as everywhere.
    pub async fn book(&self, token: TokenId) -> Result<Book, VenueError> {
        let what = "a book";
        let body: BookBody =
            self.service.get(&format!("book?token_id={token}"), what).await.map_err(|error| match error {
                VenueError::Status { code: 404, message, .. } if speaks_of_books(&message) => {
                    VenueError::NoBook { token }
                }
                error => error,
            })?;
        body.into_book(token).map_err(|reason| self.service.malformed(what, reason))
    }

    /// The terms of a market.
    ///
    /// # Errors
    /// [`VenueError::Status`] 404 for a condition the venue does not know; else as everywhere.
    pub async fn market(&self, condition: ConditionId) -> Result<Terms, VenueError> {
        let what = "the terms of a market";
        let body: TermsBody = self.service.get(&format!("clob-markets/{condition}"), what).await?;
        terms(body, condition).map_err(|reason| self.service.malformed(what, reason))
    }

    /// The condition a token belongs to, for tokens Gamma does not find.
    ///
    /// # Errors
    /// [`VenueError::Status`] 404 for a token the venue does not know; else as everywhere.
    pub async fn condition_of(&self, token: TokenId) -> Result<ConditionId, VenueError> {
        let what = "the market of a token";
        let body: TokenBody = self.service.get(&format!("markets-by-token/{token}"), what).await?;
        let malformed = |reason: String| self.service.malformed(what, reason);
        if ![&body.primary_token_id, &body.secondary_token_id].iter().any(|id| id.parse() == Ok(token)) {
            return Err(malformed("it is another token's".to_owned()));
        }
        read_condition(&body.condition_id).map_err(malformed)
    }
}

/// A 404 can also be a wrong address; only the venue's own sentence says that there is no book.
fn speaks_of_books(message: &str) -> bool {
    message.to_lowercase().contains("no orderbook exists")
}

fn terms(body: TermsBody, condition: ConditionId) -> Result<Terms, String> {
    if let Some(other) = &body.condition
        && read_condition(other)? != condition
    {
        return Err(format!("they are those of {other}"));
    }
    let protocol_v2 = match body.version.as_deref() {
        None | Some("v1") => false,
        Some("v2") => true,
        Some(version) => return Err(format!("version `{version}`")),
    };
    let outcome = |outcome: crate::wire::clob::OutcomeBody| {
        outcome.token.parse().map(|token| (token, outcome.outcome)).map_err(|error| format!("{error}"))
    };
    Ok(Terms {
        condition,
        outcomes: body.tokens.into_iter().map(outcome).collect::<Result<_, _>>()?,
        tick: read_tick(&body.tick_size)?,
        min_order: body.min_order_size.0.parse().map_err(|error| format!("smallest order: {error}"))?,
        fee_rate_ppm: body.fee.map_or(Ok(0), |fee| read_fee(&fee.rate, fee.exponent.as_ref()))?,
        neg_risk: body.neg_risk,
        protocol_v2,
        accepting_orders: body.accepting_orders.unwrap_or(false),
    })
}
