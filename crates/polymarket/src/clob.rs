//! The CLOB: who offers what at which price, and what it knows of a market where nobody else does.

use std::time::Duration;

use domain::{Book, ConditionId, Market, TokenId};

use crate::http::{Service, VenueError};
use crate::trading::{ClockReading, VenueClock, read_clock};
use crate::wire::clob::{BookBody, TermsBody, TokenBody, WordsBody};
use crate::wire::rules::{RulesBody, TradingTerms, VersionBody};

/// The order book service.
#[derive(Debug)]
pub struct Clob {
    service: Service,
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

    /// The condition a token belongs to; `None` where the CLOB does not know the token.
    ///
    /// # Errors
    /// [`VenueError::Malformed`] for an answer about other tokens; else as everywhere.
    pub async fn condition_of(&self, token: TokenId) -> Result<Option<ConditionId>, VenueError> {
        let what = "the market of a token";
        let Some(body) = self.service.find::<TokenBody>(&format!("markets-by-token/{token}"), what).await?
        else {
            return Ok(None);
        };
        body.into_condition(token).map(Some).map_err(|reason| self.service.malformed(what, reason))
    }

    /// What a market demands of its orders now; `None` where the CLOB knows no such market, as it does for minutes
    /// after a market was made.
    ///
    /// # Errors
    /// [`VenueError::Malformed`] for terms that make no sense; else as everywhere.
    pub async fn trading_terms(&self, condition: ConditionId) -> Result<Option<TradingTerms>, VenueError> {
        let what = "the trading terms of a market";
        let body = self.service.find::<RulesBody>(&format!("clob-markets/{condition}"), what).await?;
        let read = body.map(|body| body.into_terms(condition)).transpose();
        read.map_err(|reason| self.service.malformed(what, reason))
    }

    /// How far the CLOB's clock is from this machine's, which anybody may ask.
    ///
    /// # Errors
    /// As everywhere.
    pub async fn clock(&self) -> Result<ClockReading, VenueError> {
        read_clock(&self.service, &VenueClock::default()).await
    }

    /// The generation of the CLOB's orders, 2 today. It says nothing of the protocol a market belongs to.
    ///
    /// # Errors
    /// As everywhere.
    pub async fn version(&self) -> Result<u64, VenueError> {
        Ok(self.service.get::<VersionBody>("version", "the CLOB's version").await?.version)
    }

    /// What the CLOB tells of the market of a condition; `None` where it knows none.
    ///
    /// Outcomes, tokens, grid, fee and neg-risk come from `/clob-markets`, which alone is right about them; the
    /// question, the slug, the tags and the end from `/markets`, and are the condition's own text, or missing,
    /// where that has nothing to say. The event is the id that neg-risk siblings share, else the condition:
    /// Gamma's description is fuller, and should replace this one.
    ///
    /// # Errors
    /// [`VenueError::Malformed`] for a market that makes no sense; else as everywhere.
    pub async fn market_of_condition(&self, condition: ConditionId) -> Result<Option<Market>, VenueError> {
        let what = "the terms of a market";
        let Some(terms) = self.service.find::<TermsBody>(&format!("clob-markets/{condition}"), what).await?
        else {
            return Ok(None);
        };
        let path = format!("markets/{condition}");
        let words = match self.service.find::<WordsBody>(&path, "the words of a market").await {
            Ok(words) => words,
            Err(outage) if outage.is_outage() => return Err(outage),
            // Words that make no sense are no reason to do without the terms.
            Err(_) => None,
        };
        let read = terms.into_market(condition, words);
        read.map(Some).map_err(|reason| self.service.malformed(what, reason.to_string()))
    }
}

/// A 404 can also be a wrong address; only the venue's own sentence says that there is no book.
fn speaks_of_books(message: &str) -> bool {
    message.to_lowercase().contains("no orderbook exists")
}
