//! JSON-RPC over HTTP: a question a request.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};

use super::endpoint::Endpoint;
use super::wire::Answer;
use super::{LARGEST_ANSWER, RpcError, wait};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) struct Http {
    client: Client,
    endpoint: Arc<Endpoint>,
}

impl Http {
    pub(super) fn new(endpoint: Arc<Endpoint>) -> Result<Self, RpcError> {
        let client = client_of(&endpoint).map_err(|what| RpcError::Client { what })?;
        Ok(Self { client, endpoint })
    }

    pub(super) async fn ask(&self, question: String) -> Result<Answer, RpcError> {
        let request = self
            .client
            .post(self.endpoint.url().clone())
            .header(CONTENT_TYPE, "application/json")
            .body(question);
        let response = request.send().await.map_err(|error| self.broken(error))?;
        let status = response.status();
        let wants_a_pause = status == StatusCode::TOO_MANY_REQUESTS
            || status == StatusCode::SERVICE_UNAVAILABLE && response.headers().contains_key(RETRY_AFTER);
        if wants_a_pause {
            let retry_after = wait::asked_for(response.headers(), SystemTime::now());
            return Err(RpcError::RateLimited { retry_after });
        }
        let body = self.body(response).await?;
        Ok(Answer { body: body.into(), status: (!status.is_success()).then_some(status) })
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, RpcError> {
        let announced = response.content_length().and_then(|bytes| usize::try_from(bytes).ok());
        let mut body = Vec::with_capacity(announced.unwrap_or_default().min(LARGEST_ANSWER));
        while let Some(chunk) = response.chunk().await.map_err(|error| self.broken(error))? {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                let message = format!("the answer is longer than {LARGEST_ANSWER} bytes");
                return Err(RpcError::TooManyResults { message });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn broken(&self, error: reqwest::Error) -> RpcError {
        RpcError::Transport { what: self.endpoint.scrub(&reasons(error)) }
    }
}

/// The client for a node or a portal, or what is missing for one.
pub(crate) fn client_of(endpoint: &Endpoint) -> Result<Client, String> {
    secure();
    let mut builder = Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        // Whoever moves must be told so by the operator; following could carry the key elsewhere.
        .redirect(Policy::none())
        .user_agent(concat!("orderflow/", env!("CARGO_PKG_VERSION")));
    if endpoint.is_loopback() {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| endpoint.scrub(&reasons(error)))
}

/// Clients panic without a TLS provider, and a panic would take down more than a wrong setting should. Where the
/// process has installed one, this does nothing.
pub(super) fn secure() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        let _lost_the_race = rustls::crypto::ring::default_provider().install_default();
    }
}

/// An error with all its causes in one line; the client's own says little more than that there was one.
pub(crate) fn reasons(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
