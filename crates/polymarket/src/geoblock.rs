//! Whether orders may be sent from where this machine stands, which its address alone decides.

use std::time::Duration;

use serde::Deserialize;

use crate::http::{Service, VenueError};
use crate::wire::lenient::or_default;

/// The service that says whether a region is served.
#[derive(Debug)]
pub struct Geoblock {
    service: Service,
}

/// Where the venue sees this machine, and whether it serves that place.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Region {
    /// Whether orders from there are refused.
    pub blocked: bool,
    /// The address it sees.
    #[serde(default, deserialize_with = "or_default")]
    pub ip: String,
    /// The country, by its two letters.
    #[serde(default, deserialize_with = "or_default")]
    pub country: String,
    /// The region of the country.
    #[serde(default, deserialize_with = "or_default")]
    pub region: String,
}

impl Geoblock {
    /// The service at `base_url`, in earnest `https://polymarket.com`.
    ///
    /// # Errors
    /// [`VenueError::BadUrl`] and [`VenueError::Client`].
    pub fn new(base_url: &str, timeout: Duration) -> Result<Self, VenueError> {
        Ok(Self { service: Service::with_timeout(base_url, timeout)? })
    }

    /// Where we are. Whoever gets no answer must do as if it were blocked.
    ///
    /// # Errors
    /// As everywhere; an answer that does not say whether is [`VenueError::Malformed`].
    pub async fn region(&self) -> Result<Region, VenueError> {
        self.service.get("api/geoblock", "the region").await
    }
}
