//! Who asks: the two levels of the venue's authentication.

use std::collections::HashMap;
use std::sync::Arc;

use alloy_primitives::{Address, hex};
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::HeaderMap;
use axum::http::request::Parts;

use crate::shared::Shared;
use crate::venue::{ApiKey, Credentials, Refusal, attests, is_fresh};

/// Larger bodies are nobody's orders.
const LARGEST_BODY: usize = 1 << 20;

/// A request proved by a signature of the wallet's key.
#[derive(Debug)]
pub(super) struct Attested {
    pub(super) owner: Address,
    pub(super) nonce: u64,
}

/// A request proved by an API key.
#[derive(Debug)]
pub(super) struct Private {
    pub(super) key: ApiKey,
    pub(super) query: HashMap<String, String>,
    pub(super) body: Bytes,
}

impl FromRequestParts<Arc<Shared>> for Attested {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Refusal> {
        let invalid = || Refusal::new(axum::http::StatusCode::UNAUTHORIZED, "Invalid L1 Request headers");
        let said = |name: &str| header(&parts.headers, name).ok_or_else(invalid);
        let owner: Address = said("poly_address")?.parse().map_err(|_| invalid())?;
        let timestamp = said("poly_timestamp")?;
        let nonce = header(&parts.headers, "poly_nonce").unwrap_or("0").parse().map_err(|_| invalid())?;
        let signature = hex::decode(said("poly_signature")?).map_err(|_| invalid())?;
        if !is_fresh(timestamp, shared.clock()) || !attests(owner, timestamp, nonce, &signature) {
            return Err(invalid());
        }
        Ok(Self { owner, nonce })
    }
}

impl FromRequest<Arc<Shared>> for Private {
    type Rejection = Refusal;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, Refusal> {
        let (parts, body) = request.into_parts();
        let body = axum::body::to_bytes(body, LARGEST_BODY)
            .await
            .map_err(|_| Refusal::bad("Payload exceeds the limit"))?;
        let said = |name: &str| header(&parts.headers, name).ok_or_else(Refusal::unauthorized);
        let credentials = Credentials {
            address: said("poly_address")?,
            key: said("poly_api_key")?,
            passphrase: said("poly_passphrase")?,
            timestamp: said("poly_timestamp")?,
            signature: said("poly_signature")?,
        };
        let asked = (parts.method.as_str(), parts.uri.path());
        let key = shared.read().venue.authorise(credentials, asked, &body, shared.clock())?;
        let Query(query) = Query::try_from_uri(&parts.uri).map_err(|_| Refusal::bad("invalid query"))?;
        Ok(Self { key, query, body })
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
