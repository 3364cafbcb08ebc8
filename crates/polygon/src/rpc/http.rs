//! JSON-RPC over HTTP: a question a request.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use serde_json::Value;

use super::endpoint::Endpoint;
use super::wire;
use super::{LARGEST_ANSWER, RpcError};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) struct Http {
    client: Client,
    endpoint: Arc<Endpoint>,
}

impl Http {
    pub(super) fn new(endpoint: Arc<Endpoint>) -> Result<Self, RpcError> {
        let mut builder = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            // A node that moves must be told so by its operator; following it could carry the key elsewhere.
            .redirect(Policy::none())
            .user_agent(concat!("orderflow/", env!("CARGO_PKG_VERSION")));
        if endpoint.is_loopback() {
            builder = builder.no_proxy();
        }
        let client =
            builder.build().map_err(|error| RpcError::Client { what: endpoint.scrub(&reasons(error)) })?;
        Ok(Self { client, endpoint })
    }

    pub(super) async fn ask(
        &self,
        id: u64,
        method: &'static str,
        question: String,
    ) -> Result<Value, RpcError> {
        let request = self
            .client
            .post(self.endpoint.url().clone())
            .header(CONTENT_TYPE, "application/json")
            .body(question);
        let response = request.send().await.map_err(|error| self.broken(error))?;
        let status = response.status();
        if status == StatusCode::TOO_MANY_REQUESTS {
            return Err(RpcError::RateLimited { retry_after: retry_after(&response) });
        }
        let body = self.body(response).await?;
        // Providers send their refusals with all kinds of statuses, so the body speaks first.
        match serde_json::from_slice::<Value>(&body) {
            Ok(answer) if status.is_success() || answer.get("error").is_some_and(Value::is_object) => {
                wire::answer(answer, id, method, &self.endpoint)
            }
            Err(error) if status.is_success() => {
                Err(RpcError::Malformed { method, what: self.endpoint.scrub(&error) })
            }
            _ if status == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(RpcError::TooManyResults { message: status.to_string() })
            }
            _ => Err(RpcError::Transport { what: format!("the server answered {status}") }),
        }
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, RpcError> {
        let mut body = Vec::new();
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

/// An error with all its causes in one line; the client's own says little more than that there was one.
fn reasons(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// The seconds a server asks to wait. The other form of the header, a date, needs both clocks to agree and is
/// left alone.
fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}
