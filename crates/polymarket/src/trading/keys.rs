//! Getting API credentials, with the wallet's own signature.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde::Deserialize;

use super::account::Account;
use super::clock::{ClockReading, VenueClock, machine_time};
use super::credentials::{Credentials, attest};
use crate::http::{Service, VenueError};

const WHAT: &str = "API credentials";

/// So many nonces are tried, from zero: those of a nonce may have been taken back for good.
pub const NONCES: u32 = 3;

/// Where credentials are made.
#[derive(Debug)]
pub struct KeyDesk {
    service: Service,
    clock: VenueClock,
}

/// Credentials as they are handed out. Not `Debug`: nothing may print it.
#[derive(Deserialize)]
struct CredentialsBody {
    #[serde(rename = "apiKey")]
    key: String,
    secret: String,
    passphrase: String,
}

impl KeyDesk {
    /// The desk of the CLOB at `base_url`, with a limit on each request.
    ///
    /// # Errors
    /// [`VenueError::BadUrl`] and [`VenueError::Client`].
    pub fn new(base_url: &str, timeout: Duration) -> Result<Self, VenueError> {
        Ok(Self { service: Service::guarded(base_url, timeout)?, clock: VenueClock::default() })
    }

    /// Reads the venue's clock, which every attestation is held to.
    ///
    /// # Errors
    /// As everywhere.
    pub async fn sync_clock(&self) -> Result<ClockReading, VenueError> {
        read_clock(&self.service, &self.clock).await
    }

    /// Makes credentials. The venue refuses where there are some for the nonce already.
    ///
    /// # Errors
    /// [`VenueError::Status`] for a refusal; else as everywhere.
    pub async fn create(&self, account: &Account, nonce: u32) -> Result<Credentials, VenueError> {
        self.ask(Method::POST, "auth/api-key", account, nonce).await
    }

    /// The credentials that were made for the nonce, the same each time.
    ///
    /// # Errors
    /// As [`KeyDesk::create`], where there are none.
    pub async fn derive(&self, account: &Account, nonce: u32) -> Result<Credentials, VenueError> {
        self.ask(Method::GET, "auth/derive-api-key", account, nonce).await
    }

    /// The credentials of the nonce, made if there are none yet.
    ///
    /// # Errors
    /// As [`KeyDesk::create`].
    pub async fn derive_or_create(&self, account: &Account, nonce: u32) -> Result<Credentials, VenueError> {
        match self.derive(account, nonce).await {
            Err(VenueError::Status { code: 400 | 404, .. }) => self.create(account, nonce).await,
            answered => answered,
        }
    }

    /// The credentials of the first nonce for which the venue hands any out.
    ///
    /// # Errors
    /// As [`KeyDesk::create`].
    pub async fn obtain(&self, account: &Account) -> Result<Credentials, VenueError> {
        let mut nonce = 0;
        loop {
            match self.derive_or_create(account, nonce).await {
                Err(VenueError::Status { code: 400 | 404, .. }) if nonce + 1 < NONCES => nonce += 1,
                answered => return answered,
            }
        }
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        account: &Account,
        nonce: u32,
    ) -> Result<Credentials, VenueError> {
        let url = self.service.url(path, WHAT)?;
        let headers = attest(account.key(), self.clock.now().seconds(), nonce)
            .await
            .map_err(|source| VenueError::Unsigned { source })?;
        let answer = self.service.send(method, url, headers, String::new(), WHAT).await?;
        // Whatever a body that should hold a secret holds instead, none of it goes into an error.
        let body: CredentialsBody = self.service.parse(&answer, WHAT).map_err(|error| match error {
            VenueError::Malformed { .. } => self.service.malformed(WHAT, "not what it should be"),
            error => error,
        })?;
        Credentials::new(&body.key, &body.secret, &body.passphrase)
            .map_err(|error| self.service.malformed(WHAT, error.to_string()))
    }
}

/// Asks the venue what time it is and keeps the difference.
pub(crate) async fn read_clock(service: &Service, clock: &VenueClock) -> Result<ClockReading, VenueError> {
    let what = "the venue's time";
    let url = service.url("time", what)?;
    let asked = machine_time();
    let answer = service.send(Method::GET, url, HeaderMap::new(), String::new(), what).await?;
    let answered = machine_time();
    let number: crate::wire::Number = service.parse(&answer, what)?;
    let said = super::report::moment(&number)
        .ok_or_else(|| service.malformed(what, format!("`{:.40}`", number.0)))?;
    let reading = ClockReading::new(said.seconds(), asked, answered);
    clock.set(reading);
    Ok(reading)
}
