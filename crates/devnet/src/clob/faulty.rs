//! A venue that misbehaves: what happens to a request and its answer on the way.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use alloy_primitives::B256;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::{Value, json};

use super::trading::declined;
use crate::faults::{Trouble, VenueRoute};
use crate::shared::Shared;
use crate::venue::{Refusal, restarting};

/// What stands before the venue shows when the venue is gone.
const PAGE: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n\
     <center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n";

/// The largest request or answer that is looked at.
const LARGEST: usize = 1 << 22;

/// Lets a request through, or not.
pub(super) async fn intercept(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let route = route_of(request.method(), request.uri().path());
    match route.and_then(|route| shared.mood.next(route)) {
        Some(trouble) => meet(&shared, trouble, request, next).await,
        None => next.run(request).await,
    }
}

fn route_of(method: &Method, path: &str) -> Option<VenueRoute> {
    Some(match path {
        "/order" if *method == Method::POST => VenueRoute::PlaceOrder,
        "/orders" if *method == Method::POST => VenueRoute::PlaceOrders,
        "/order" | "/orders" | "/cancel-all" | "/cancel-market-orders" => VenueRoute::Cancel,
        "/data/orders" => VenueRoute::Orders,
        "/data/trades" => VenueRoute::Trades,
        "/balance-allowance" | "/balance-allowance/update" => VenueRoute::Balance,
        "/v1/heartbeats" => VenueRoute::Heartbeat,
        "/book" | "/books" | "/midpoint" => VenueRoute::Book,
        "/tick-size" | "/neg-risk" | "/fee-rate" => VenueRoute::Market,
        "/time" | "/version" | "/ok" => VenueRoute::Time,
        "/api/geoblock" => VenueRoute::Geoblock,
        _ if path.starts_with("/data/order/") => VenueRoute::Order,
        _ if path.starts_with("/auth/") => VenueRoute::Auth,
        _ if path.contains("markets") => VenueRoute::Market,
        _ => return None,
    })
}

async fn meet(shared: &Arc<Shared>, trouble: Trouble, request: Request, next: Next) -> Response {
    match trouble {
        Trouble::Restarting => restarting().into_response(),
        Trouble::RateLimited(seconds) => {
            let mut refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests");
            refusal.retry_after = Some(seconds);
            refusal.into_response()
        }
        Trouble::Refused { status, message } => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Refusal::new(status, &message).into_response()
        }
        Trouble::ErrorBefore => broken(),
        Trouble::ErrorAfter => {
            next.run(request).await;
            broken()
        }
        Trouble::Html => (StatusCode::BAD_GATEWAY, [(CONTENT_TYPE, "text/html")], PAGE).into_response(),
        Trouble::HangBefore => {
            shared.mood.until_lifted().await;
            broken()
        }
        Trouble::HangAfter => {
            let response = next.run(request).await;
            shared.mood.until_lifted().await;
            response
        }
        Trouble::CutBefore => cut(),
        Trouble::CutAfter => {
            next.run(request).await;
            cut()
        }
        Trouble::Duplicated => twice(request, next).await,
        Trouble::Late(millis) => {
            let response = next.run(request).await;
            tokio::time::sleep(Duration::from_millis(millis)).await;
            response
        }
        Trouble::Slow(millis) => slowly(millis, request, next).await,
        Trouble::SoftFailure(message) => softly(&message, request).await,
        Trouble::WrongOrderId => {
            rewrite(next.run(request).await, |id| *id = json!(B256::repeat_byte(0xab))).await
        }
        Trouble::MissingOrderId => rewrite(next.run(request).await, |id| *id = Value::Null).await,
        Trouble::Half => {
            let (parts, body) = next.run(request).await.into_parts();
            let whole = axum::body::to_bytes(body, LARGEST).await.unwrap_or_default();
            let half = whole.slice(..whole.len() / 2);
            (parts.status, [(CONTENT_TYPE, "application/json")], half).into_response()
        }
    }
}

fn broken() -> Response {
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "could not insert order").into_response()
}

/// An answer that promises more than it brings before its connection ends.
fn cut() -> Response {
    let begun = Ok(Bytes::from_static(b"{\"success\":"));
    let ended = Err(io::Error::from(io::ErrorKind::ConnectionReset));
    let headers = [(CONTENT_TYPE, "application/json"), (CONTENT_LENGTH, "400")];
    (headers, Body::from_stream(stream::iter([begun, ended]))).into_response()
}

/// The same bytes arrive twice.
async fn twice(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, LARGEST).await else { return broken() };
    let first = Request::from_parts(parts.clone(), Body::from(body.clone()));
    next.clone().run(first).await;
    next.run(Request::from_parts(parts, Body::from(body))).await
}

/// It arrives although whoever sent it may have given up.
async fn slowly(millis: u64, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, LARGEST).await else { return broken() };
    let request = Request::from_parts(parts, Body::from(body));
    let arrives = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(millis)).await;
        next.run(request).await
    });
    arrives.await.unwrap_or_else(|_| broken())
}

/// One such failure for an order, a list of them for a batch.
async fn softly(message: &str, request: Request) -> Response {
    let is_batch = request.uri().path() == "/orders";
    let body = axum::body::to_bytes(request.into_body(), LARGEST).await.unwrap_or_default();
    let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
    if is_batch {
        let orders = asked.as_array().map_or(0, Vec::len);
        return Json(json!(vec![declined(message); orders])).into_response();
    }
    Json(declined(message)).into_response()
}

/// Changes every order id of an answer; one that has none stays as it is.
async fn rewrite(response: Response, change: impl Fn(&mut Value)) -> Response {
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, LARGEST).await.unwrap_or_default();
    let Ok(mut value) = serde_json::from_slice::<Value>(&body) else {
        return (parts.status, body).into_response();
    };
    let answers = match &mut value {
        Value::Array(answers) => answers.iter_mut().collect::<Vec<_>>(),
        answer => vec![answer],
    };
    for id in answers.into_iter().filter_map(|answer| answer.get_mut("orderID")) {
        change(id);
    }
    (parts.status, Json(value)).into_response()
}
