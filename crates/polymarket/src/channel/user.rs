//! News of our own orders and trades.
//!
//! Nothing is repeated after a connection was lost: whoever sees [`UserEvent::Connected`] reads orders and trades
//! over REST once, and has missed nothing then.

use domain::Timestamp;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::link::{Link, Lost, Pace, is_sign_of_life, pause};
use crate::trading::{Access, Credentials, OpenOrder, Trade};
use crate::wire::private::{OrderBody, TradeBody};

/// So much news waits for its reader; then the connection waits too.
const WAITING: usize = 1_024;

/// What comes over the user channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserEvent {
    /// Connected, subscribed and answered to: read orders and trades once now.
    Connected,
    /// News of an order.
    Order(OrderNews),
    /// News of a trade.
    Trade(Trade),
    /// News that cannot be read: read orders and trades once now.
    Unreadable {
        /// Why.
        why: String,
    },
    /// No news from here to the next [`UserEvent::Connected`].
    Lost {
        /// Why.
        why: String,
    },
}

/// News of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderNews {
    /// What happened.
    pub kind: OrderNewsKind,
    /// The order since.
    pub order: OpenOrder,
    /// When it was said.
    pub at: Option<Timestamp>,
}

/// What happened to an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderNewsKind {
    /// It came into the book.
    Placed,
    /// It matched in part.
    Updated,
    /// It was cancelled or killed.
    Cancelled,
    /// Something else.
    Other(String),
}

/// Opens the user channel at `base_url` (such as `wss://ws-subscriptions-clob.polymarket.com`) and keeps it open until
/// the receiver is dropped. Each connection begins with the credentials in use then.
#[must_use]
pub fn user_channel(base_url: &str, access: impl Into<Access>, pace: Pace) -> mpsc::Receiver<UserEvent> {
    let (events, receiver) = mpsc::channel(WAITING);
    let url = format!("{}/ws/user", base_url.trim_end_matches('/'));
    tokio::spawn(run(url, access.into(), pace, events));
    receiver
}

async fn run(url: String, access: Access, pace: Pace, events: mpsc::Sender<UserEvent>) {
    let mut failures = 0;
    loop {
        let (begun, credentials) = (Instant::now(), access.current());
        let lost = tokio::select! {
            lost = serve(&url, &credentials, pace, &events) => lost,
            () = events.closed() => return,
        };
        let why = lost.to_string();
        tracing::debug!(%why, "user channel lost");
        if events.send(UserEvent::Lost { why }).await.is_err() {
            return;
        }
        failures = if begun.elapsed() > pace.longest_pause { 0 } else { failures + 1 };
        tokio::select! {
            () = sleep(pause(&pace, failures)) => {}
            () = events.closed() => return,
        }
    }
}

/// Passes on what comes until the connection is lost.
async fn serve(url: &str, credentials: &Credentials, pace: Pace, events: &mpsc::Sender<UserEvent>) -> Lost {
    let mut link = match Link::connect(url, pace).await {
        Ok(link) => link,
        Err(lost) => return lost,
    };
    if let Err(lost) = link.send(greeting(credentials)).await {
        return lost;
    }
    let mut is_connected = false;
    loop {
        let text = match link.next().await {
            Ok(text) => text,
            Err(lost) => return lost,
        };
        // The first word, at the latest the answer to the first ping, proves that the subscription was read.
        if !is_connected {
            is_connected = true;
            if events.send(UserEvent::Connected).await.is_err() {
                return Lost::Doubtful("nobody listens");
            }
        }
        for event in read(&text) {
            if events.send(event).await.is_err() {
                return Lost::Doubtful("nobody listens");
            }
        }
    }
}

fn greeting(credentials: &Credentials) -> String {
    json!({
        "type": "user",
        "auth": {
            "apiKey": credentials.key(),
            "secret": credentials.expose_secret(),
            "passphrase": credentials.expose_passphrase(),
        },
        "markets": [],
    })
    .to_string()
}

fn read(text: &str) -> Vec<UserEvent> {
    if is_sign_of_life(text) {
        return Vec::new();
    }
    match serde_json::from_str(text) {
        Ok(Value::Array(events)) => events.into_iter().filter_map(event).collect(),
        Ok(value) => event(value).into_iter().collect(),
        Err(_) => vec![UserEvent::Unreadable { why: "it is not JSON".to_owned() }],
    }
}

/// One event; `None` for kinds that concern nobody here.
fn event(value: Value) -> Option<UserEvent> {
    let kind = value.get("event_type").and_then(Value::as_str).unwrap_or_default().to_owned();
    let read = match kind.as_str() {
        "order" => serde_json::from_value(value).map_err(|error| error.to_string()).and_then(order),
        "trade" => serde_json::from_value(value)
            .map_err(|error| error.to_string())
            .and_then(TradeBody::into_trade)
            .map(UserEvent::Trade),
        _ => return None,
    };
    Some(read.unwrap_or_else(|why| UserEvent::Unreadable { why: format!("{kind}: {why}") }))
}

fn order(body: OrderBody) -> Result<UserEvent, String> {
    let kind = match body.kind.as_str() {
        "PLACEMENT" => OrderNewsKind::Placed,
        "UPDATE" => OrderNewsKind::Updated,
        "CANCELLATION" => OrderNewsKind::Cancelled,
        other => OrderNewsKind::Other(other.to_owned()),
    };
    let at = crate::trading::moment(&body.timestamp);
    Ok(UserEvent::Order(OrderNews { kind, order: body.into_order()?, at }))
}
