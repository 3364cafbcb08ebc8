//! One account's dealings with the CLOB: sends orders, cancels them, asks after them.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use alloy_primitives::B256;
use domain::Timestamp;
use reqwest::Method;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::access::Access;
use super::account::Account;
use super::answer;
use super::clock::{ClockReading, VenueClock};
use super::keys::read_clock;
use super::outcome::{Doubt, Submitted};
use super::rejection::Rejection;
use super::signed::SignedOrder;
use crate::http::{Answer, Service, VenueError};
use crate::wire::lenient::or_default;

/// The venue takes so many cancels in one request.
pub const MOST_CANCELS: usize = 1_000;

/// Limits from the first byte sent to the last byte read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// On each order sent: beyond it, its fate is unknown.
    pub order: Duration,
    /// On everything else.
    pub other: Duration,
}

impl Default for Limits {
    /// Eight seconds for orders, which the venue may hold back for three; ten for the rest.
    fn default() -> Self {
        Self { order: Duration::from_secs(8), other: Duration::from_secs(10) }
    }
}

/// One account's client of the CLOB.
pub struct Trader {
    orders: Service,
    pub(super) service: Service,
    pub(super) account: Account,
    access: Access,
    clock: VenueClock,
}

impl fmt::Debug for Trader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trader")
            .field("service", &self.service)
            .field("account", &self.account)
            .field("access", &self.access)
            .finish_non_exhaustive()
    }
}

/// What became of cancels. An order that is in neither list was not spoken of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cancelled {
    /// Cancelled now.
    pub cancelled: Vec<B256>,
    /// Not cancelled, and why.
    pub refused: BTreeMap<B256, CancelRefusal>,
}

/// Why an order was not cancelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CancelRefusal {
    /// It matched wholly before.
    Matched,
    /// It was cancelled before.
    AlreadyCancelled,
    /// The venue does not know it, or no more.
    NotFound,
    /// It waits out a delay, and cannot be cancelled meanwhile.
    Delayed,
    /// Other words.
    Other(String),
}

#[derive(Deserialize)]
struct CancelBody {
    #[serde(default, deserialize_with = "or_default")]
    canceled: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    not_canceled: BTreeMap<String, Value>,
}

#[derive(Serialize)]
struct CancelOne {
    #[serde(rename = "orderID")]
    order: String,
}

impl Trader {
    /// The client of `account` at the CLOB at `base_url`. It asks with whatever credentials are in use then.
    ///
    /// # Errors
    /// [`VenueError::BadUrl`] and [`VenueError::Client`].
    pub fn new(
        base_url: &str,
        account: Account,
        access: impl Into<Access>,
        limits: Limits,
    ) -> Result<Self, VenueError> {
        Ok(Self {
            orders: Service::guarded(base_url, limits.order)?,
            service: Service::guarded(base_url, limits.other)?,
            account,
            access: access.into(),
            clock: VenueClock::default(),
        })
    }

    /// The account.
    #[must_use]
    pub const fn account(&self) -> &Account {
        &self.account
    }

    /// Reads the venue's clock; requests are signed by it from then on.
    ///
    /// # Errors
    /// As everywhere.
    pub async fn sync_clock(&self) -> Result<ClockReading, VenueError> {
        read_clock(&self.service, &self.clock).await
    }

    /// The venue's time now, as far as [`Trader::sync_clock`] told.
    #[must_use]
    pub fn venue_time(&self) -> Timestamp {
        self.clock.now()
    }

    /// Sends an order. The bytes of its body go out as they are, however often it is sent; the headers are new.
    pub async fn submit(&self, order: &SignedOrder) -> Submitted {
        match self.sent("order", order.body.clone(), "an order").await {
            Ok(answer) => answer::of_order(order.hash, &answer),
            Err(failed) => failed,
        }
    }

    async fn sent(&self, path: &str, body: String, what: &'static str) -> Result<Answer, Submitted> {
        self.signed(&self.orders, Method::POST, path, body, what).await.map_err(|error| match error {
            VenueError::Unreachable { source, .. } if source.is_connect() => {
                Submitted::Rejected(Rejection::NotSent { why: plainly(&source) })
            }
            VenueError::Unreachable { source, .. } => {
                Submitted::Unknown(Doubt::NoAnswer { why: plainly(&source) })
            }
            VenueError::Unsigned { .. } => Submitted::Rejected(Rejection::NotSent { why: error.to_string() }),
            other => Submitted::Unknown(Doubt::Unreadable { why: other.to_string() }),
        })
    }

    /// Cancels an order.
    ///
    /// # Errors
    /// As everywhere; the order may then be cancelled or not, and cancelling again does no harm.
    pub async fn cancel(&self, order: B256) -> Result<Cancelled, VenueError> {
        let body = CancelOne { order: order.to_string() };
        self.cancelling("order", &body).await
    }

    /// Cancels up to [`MOST_CANCELS`] orders.
    ///
    /// # Errors
    /// [`VenueError::TooMany`]; else as [`Trader::cancel`].
    pub async fn cancel_many(&self, orders: &[B256]) -> Result<Cancelled, VenueError> {
        at_most(orders.len(), MOST_CANCELS)?;
        if orders.is_empty() {
            return Ok(Cancelled::default());
        }
        let hashes: Vec<String> = orders.iter().map(B256::to_string).collect();
        self.cancelling("orders", &hashes).await
    }

    /// Cancels every order of these credentials.
    ///
    /// # Errors
    /// As [`Trader::cancel`].
    pub async fn cancel_all(&self) -> Result<Cancelled, VenueError> {
        self.cancelled("cancel-all", String::new()).await
    }

    async fn cancelling(&self, path: &str, body: &impl Serialize) -> Result<Cancelled, VenueError> {
        let text = serde_json::to_string(body)
            .map_err(|error| self.service.malformed("a cancel", error.to_string()))?;
        self.cancelled(path, text).await
    }

    async fn cancelled(&self, path: &str, body: String) -> Result<Cancelled, VenueError> {
        let what = "a cancel";
        let said: CancelBody = self.ask(Method::DELETE, path, body, what).await?;
        let hash = |text: &String| {
            text.parse::<B256>().map_err(|_| self.service.malformed(what, format!("order `{text:.80}`")))
        };
        let cancelled = said.canceled.iter().map(hash).collect::<Result<_, _>>()?;
        let refused = said
            .not_canceled
            .iter()
            .map(|(order, reason)| Ok((hash(order)?, CancelRefusal::of(reason))))
            .collect::<Result<_, VenueError>>()?;
        Ok(Cancelled { cancelled, refused })
    }

    /// Asks something private and reads the answer.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: String,
        what: &'static str,
    ) -> Result<T, VenueError> {
        let answer = self.signed(&self.service, method, path, body, what).await?;
        self.service.parse(&answer, what)
    }

    /// Sends a request with the headers that prove it is ours. The query is not signed.
    pub(super) async fn signed(
        &self,
        service: &Service,
        method: Method,
        path: &str,
        body: String,
        what: &'static str,
    ) -> Result<Answer, VenueError> {
        let url = service.url(path, what)?;
        let (address, seconds) = (self.account.address().0, self.clock.now().seconds());
        let headers = self
            .access
            .current()
            .headers(address, seconds, &method, url.path(), &body)
            .map_err(|source| VenueError::Unsigned { source })?;
        service.send(method, url, headers, body, what).await
    }
}

impl CancelRefusal {
    fn of(reason: &Value) -> Self {
        let reason = reason.as_str().map_or_else(|| reason.to_string(), str::to_owned);
        let text = reason.to_lowercase();
        let has = |part: &str| text.contains(part);
        match () {
            () if has("delayed") => Self::Delayed,
            () if has("already canceled") || has("already cancelled") => Self::AlreadyCancelled,
            () if has("not found") || has("can't be found") => Self::NotFound,
            () if has("matched") => Self::Matched,
            () => Self::Other(reason.chars().take(200).collect()),
        }
    }
}

fn at_most(given: usize, most: usize) -> Result<(), VenueError> {
    if given > most { Err(VenueError::TooMany { given, most }) } else { Ok(()) }
}

/// The error and what is behind it, in one line, without the address.
fn plainly(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
