//! One request and what can go wrong with it, for every service of the venue.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use domain::TokenId;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode, Url, redirect};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// From the first byte sent to the last byte read.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(10);

/// A hundred Gamma markets are about 0.6 MB; whoever sends thirty times that is not answering the question.
const MAX_BODY: usize = 16 << 20;

/// How much of a peer's words goes into an error.
const MAX_MESSAGE: usize = 200;

/// Why the venue gave no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub enum VenueError {
    /// The configured address is not an `http` or `https` URL.
    #[error("`{url}` is not an http(s) address")]
    BadUrl {
        /// The address as configured.
        url: String,
    },
    /// The HTTP client could not be built.
    #[error("no HTTP client")]
    Client {
        /// What `reqwest` said.
        #[source]
        source: reqwest::Error,
    },
    /// No connection, no answer in time, or a body that broke off.
    #[error("{host} did not answer")]
    Unreachable {
        /// The host asked.
        host: String,
        /// What went wrong, without the address.
        #[source]
        source: reqwest::Error,
    },
    /// An answer that says no.
    #[error("{host} answered {code}: {message}")]
    Status {
        /// The host asked.
        host: String,
        /// The HTTP status.
        code: u16,
        /// The venue's own words, shortened.
        message: String,
    },
    /// Too many requests.
    #[error("{host} asks for a pause")]
    RateLimited {
        /// The host asked.
        host: String,
        /// How long a pause, where the answer says so.
        retry_after: Option<Duration>,
    },
    /// The venue keeps no book for the token: unknown, not yet open, or already resolving.
    #[error("no book for token {token}")]
    NoBook {
        /// The token.
        token: TokenId,
    },
    /// The request could not be signed.
    #[error("the request cannot be signed")]
    Unsigned {
        /// What is wrong.
        #[source]
        source: crate::trading::CredentialsError,
    },
    /// More than the venue takes in one request.
    #[error("{given} in one request, where the venue takes {most}")]
    TooMany {
        /// How many were given.
        given: usize,
        /// How many it takes.
        most: usize,
    },
    /// An answer that does not say what was asked.
    #[error("{what} from {host} is malformed: {reason}")]
    Malformed {
        /// The host asked.
        host: String,
        /// What was asked for.
        what: &'static str,
        /// Why it cannot be used.
        reason: String,
    },
}

impl VenueError {
    /// Whether the service as a whole is not to be had: asking it something else right now would fail as well.
    #[must_use]
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::RateLimited { .. } => true,
            // Refused at the door: a wrong key, a region that is not served, a gateway with nobody behind it.
            Self::Status { code, .. } => matches!(code, 401 | 403 | 407 | 425 | 502..=504 | 520..=530),
            Self::BadUrl { .. }
            | Self::Client { .. }
            | Self::NoBook { .. }
            | Self::Unsigned { .. }
            | Self::TooMany { .. }
            | Self::Malformed { .. } => false,
        }
    }
}

/// A service of the venue at its address.
pub(crate) struct Service {
    client: reqwest::Client,
    base: Url,
    host: String,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("host", &self.host).finish_non_exhaustive()
    }
}

/// An answer, whatever it says.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) code: u16,
    /// The pause asked for.
    pub(crate) retry_after: Option<Duration>,
    /// The body, whole.
    pub(crate) body: Vec<u8>,
}

/// The body of a refusal, as the CLOB (`error`) and Gamma (`error` or `message`) write it.
#[derive(Deserialize)]
struct ErrorBody {
    #[serde(alias = "message", alias = "error_msg", alias = "errorMsg")]
    error: String,
}

/// The one form in which the CLOB refuses.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refusal {
    #[serde(rename = "error")]
    _reason: String,
}

impl Service {
    pub(crate) fn new(base_url: &str) -> Result<Self, VenueError> {
        Self::with_timeout(base_url, TIMEOUT)
    }

    pub(crate) fn with_timeout(base_url: &str, timeout: Duration) -> Result<Self, VenueError> {
        Self::build(base_url, timeout, redirect::Policy::default())
    }

    /// A service that is sent what proves who we are: it goes to the address configured and to no other, wherever
    /// an answer points.
    pub(crate) fn guarded(base_url: &str, timeout: Duration) -> Result<Self, VenueError> {
        Self::build(base_url, timeout, redirect::Policy::none())
    }

    fn build(base_url: &str, timeout: Duration, redirects: redirect::Policy) -> Result<Self, VenueError> {
        name_tls_provider();
        let bad = || VenueError::BadUrl { url: base_url.to_owned() };
        let mut base = Url::parse(base_url).map_err(|_| bad())?;
        let host = base.host_str().ok_or_else(bad)?.to_owned();
        if !matches!(base.scheme(), "http" | "https") {
            return Err(bad());
        }
        // `Url::join` replaces what follows the last slash, so a base without one would lose its last part.
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("orderflow/", env!("CARGO_PKG_VERSION")))
            .redirect(redirects)
            .timeout(timeout);
        if is_loopback(&base) {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|source| VenueError::Client { source })?;
        Ok(Self { client, base, host })
    }

    /// Asks for `path` (relative, query included) and reads the answer as JSON.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        what: &'static str,
    ) -> Result<T, VenueError> {
        let (status, body) = self.ask(path, what).await?;
        self.read(status, &body, what)
    }

    /// As [`get`](Self::get); `None` where the service says in its own form that there is nothing of that name. A 404
    /// can also come from a proxy or a wrong address, and those write it in another form.
    pub(crate) async fn find<T: DeserializeOwned>(
        &self,
        path: &str,
        what: &'static str,
    ) -> Result<Option<T>, VenueError> {
        let (status, body) = self.ask(path, what).await?;
        if status == StatusCode::NOT_FOUND && serde_json::from_slice::<Refusal>(&body).is_ok() {
            return Ok(None);
        }
        self.read(status, &body, what).map(Some)
    }

    async fn ask(&self, path: &str, what: &'static str) -> Result<(StatusCode, Vec<u8>), VenueError> {
        let url = self.url(path, what)?;
        let response = self.client.get(url).send().await.map_err(|error| self.unreachable(error))?;
        let status = response.status();
        if status == StatusCode::TOO_MANY_REQUESTS {
            let retry_after = retry_after(&response);
            return Err(VenueError::RateLimited { host: self.host.clone(), retry_after });
        }
        Ok((status, self.body(response, what).await?))
    }

    /// The address of `path` (relative, query included) at this service.
    pub(crate) fn url(&self, path: &str, what: &'static str) -> Result<Url, VenueError> {
        self.base.join(path).map_err(|error| self.malformed(what, error.to_string()))
    }

    /// Sends a request as it is and returns the answer whatever it says.
    pub(crate) async fn send(
        &self,
        method: Method,
        url: Url,
        headers: HeaderMap,
        body: String,
        what: &'static str,
    ) -> Result<Answer, VenueError> {
        let mut request = self.client.request(method, url).headers(headers);
        if !body.is_empty() {
            let json = HeaderValue::from_static("application/json");
            request = request.header(CONTENT_TYPE, json).body(body);
        }
        let response = request.send().await.map_err(|error| self.unreachable(error))?;
        let (code, retry_after) = (response.status().as_u16(), retry_after(&response));
        Ok(Answer { code, retry_after, body: self.body(response, what).await? })
    }

    /// Reads an answer as JSON.
    pub(crate) fn parse<T: DeserializeOwned>(
        &self,
        answer: &Answer,
        what: &'static str,
    ) -> Result<T, VenueError> {
        if answer.code == StatusCode::TOO_MANY_REQUESTS.as_u16() {
            let retry_after = answer.retry_after;
            return Err(VenueError::RateLimited { host: self.host.clone(), retry_after });
        }
        let status = StatusCode::from_u16(answer.code)
            .map_err(|_| self.malformed(what, format!("status {}", answer.code)))?;
        self.read(status, &answer.body, what)
    }

    fn read<T: DeserializeOwned>(
        &self,
        status: StatusCode,
        body: &[u8],
        what: &'static str,
    ) -> Result<T, VenueError> {
        if !status.is_success() {
            let (host, code) = (self.host.clone(), status.as_u16());
            return Err(VenueError::Status { host, code, message: message(body) });
        }
        serde_json::from_slice(body).map_err(|error| self.malformed(what, error.to_string()))
    }

    pub(crate) fn malformed(&self, what: &'static str, reason: impl Into<String>) -> VenueError {
        VenueError::Malformed { host: self.host.clone(), what, reason: reason.into() }
    }

    fn unreachable(&self, error: reqwest::Error) -> VenueError {
        VenueError::Unreachable { host: self.host.clone(), source: error.without_url() }
    }

    /// Reads a body in pieces, so that an endless one costs no more memory than [`MAX_BODY`].
    async fn body(&self, mut response: reqwest::Response, what: &'static str) -> Result<Vec<u8>, VenueError> {
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| self.unreachable(error))? {
            if body.len() + piece.len() > MAX_BODY {
                return Err(self.malformed(what, format!("more than {MAX_BODY} bytes")));
            }
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }
}

/// Says that TLS is ring's. The official client brings a second provider, and whoever builds a connection with two
/// compiled in and none named stops the process. Whatever the process named before stays.
pub(crate) fn name_tls_provider() {
    let _named_before = rustls::crypto::ring::default_provider().install_default();
}

/// The pause an answer asks for, in seconds; dates, which the venue does not send, are not read.
fn retry_after(response: &reqwest::Response) -> Option<Duration> {
    let header = response.headers().get(reqwest::header::RETRY_AFTER)?;
    header.to_str().ok()?.trim().parse().map(Duration::from_secs).ok()
}

/// Whether the service runs on this machine, where no proxy of the environment can reach it: `127.0.0.1` is
/// another machine there.
fn is_loopback(base: &Url) -> bool {
    let host = base.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The venue's own words where the body is its JSON, else the beginning of the body.
pub(crate) fn message(body: &[u8]) -> String {
    let text = match serde_json::from_slice::<ErrorBody>(body) {
        Ok(body) => body.error,
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    };
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(MAX_MESSAGE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_services_of_this_machine_are_asked_past_the_proxy() {
        for (base, here) in [
            ("http://127.0.0.1:8547", true),
            ("http://127.8.8.8", true),
            ("http://[::1]:8547/", true),
            ("http://LOCALHOST:8547", true),
            ("https://clob.polymarket.com", false),
            ("http://10.0.0.1", false),
            ("http://0.0.0.0", false),
            ("http://localhost.example", false),
            ("http://127.0.0.1.example", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(base).unwrap()), here, "{base}");
        }
    }
}
