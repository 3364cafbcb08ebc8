//! The CLOB: who offers what at which price.

use std::time::Duration;

use domain::{Book, TokenId};

use crate::http::{Service, VenueError};
use crate::wire::clob::BookBody;

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
}

/// A 404 can also be a wrong address; only the venue's own sentence says that there is no book.
fn speaks_of_books(message: &str) -> bool {
    message.to_lowercase().contains("no orderbook exists")
}
