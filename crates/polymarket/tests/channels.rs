//! The channels against venues that speak, lie, fall silent and hang up.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod served;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::routing::get;
use domain::TokenId;
use polymarket::channel::{
    MOST_TOKENS, MarketChannel, MarketEvent, OrderNewsKind, Pace, UserEvent, user_channel,
};
use polymarket::trading::{Credentials, OrderStatus, TradeStatus};
use polymarket::{Clob, VenueError};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::timeout;

use served::{always, serve};

const TOKEN: &str = "15871154585880608648532107628464183779895785213830018178010423617714102767076";
const CONDITION: &str = "0x779291bef19b6709f61e9764a954aafe9ffae488d50ae674aabdcb4f248006d5";
const HASH: &str = "0x89da86bf10752a4f85bb1342f6c18e52e75fd1c210e4334171103ae45c0f7cfd";
const SECRET: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

fn pace() -> Pace {
    Pace {
        ping: Duration::from_millis(50),
        silence: Duration::from_millis(400),
        connect: Duration::from_secs(5),
        first_pause: Duration::from_millis(10),
        longest_pause: Duration::from_millis(50),
        compare: Duration::from_secs(3_600),
    }
}

fn credentials() -> Credentials {
    Credentials::new("00000000-0000-4000-8000-000000000001", SECRET, "the-passphrase").unwrap()
}

fn token() -> TokenId {
    TOKEN.parse().unwrap()
}

async fn next<T>(events: &mut mpsc::Receiver<T>) -> T {
    timeout(Duration::from_secs(20), events.recv()).await.expect("an event").expect("an open channel")
}

/// What the venue was told, a word at a time.
type Heard = Arc<Mutex<Vec<String>>>;

/// What the venue says on each connection: these words after the first of ours, then, where it is alive, an answer
/// to each ping; else it hangs up.
#[derive(Clone)]
struct Script {
    connections: Arc<Mutex<Vec<Vec<String>>>>,
    heard: Heard,
    then: Then,
}

#[derive(Clone, Copy, PartialEq)]
enum Then {
    Answers,
    HangsUp,
    IsSilent,
}

async fn venue(script: Script, book: Arc<Mutex<Value>>) -> String {
    let path = |script: Script| {
        get(move |upgrade: WebSocketUpgrade| async move {
            upgrade.on_upgrade(move |socket| speak(socket, script))
        })
    };
    let router = Router::new()
        .route("/ws/user", path(script.clone()))
        .route("/ws/market", path(script))
        .route("/book", get(move || async move { book.lock().unwrap().to_string() }));
    serve(router).await
}

async fn speak(mut socket: WebSocket, script: Script) {
    let mut words = {
        let mut connections = script.connections.lock().unwrap();
        if connections.is_empty() { None } else { Some(connections.remove(0)) }
    };
    while let Some(Ok(message)) = socket.recv().await {
        let Message::Text(text) = message else { continue };
        if text.as_str() == "PING" {
            if script.then == Then::Answers && socket.send(Message::text("PONG")).await.is_err() {
                return;
            }
            continue;
        }
        script.heard.lock().unwrap().push(text.to_string());
        for word in words.take().into_iter().flatten() {
            if socket.send(Message::text(word)).await.is_err() {
                return;
            }
        }
        if script.then == Then::HangsUp {
            return;
        }
    }
}

fn script(connections: Vec<Vec<String>>, then: Then) -> Script {
    Script { connections: Arc::new(Mutex::new(connections)), heard: Heard::default(), then }
}

fn no_book() -> Arc<Mutex<Value>> {
    Arc::new(Mutex::new(json!({"error": "none"})))
}

fn ws(url: &str) -> String {
    url.replace("http://", "ws://")
}

#[tokio::test]
async fn news_of_our_orders_and_trades() {
    let killed = json!({"event_type": "order", "type": "CANCELLATION", "id": HASH, "market": CONDITION, "asset_id": TOKEN,
        "side": "SELL", "original_size": "10", "size_matched": "", "price": "0.57", "outcome": "", "created_at": "",
        "status": "CANCELED_order couldn't be fully filled. FOK orders are fully filled or killed.",
        "associate_trades": null, "expiration": "", "timestamp": "1672290687"});
    let trade = json!({"event_type": "trade", "type": "TRADE", "id": "t1", "taker_order_id": HASH, "market": CONDITION,
        "asset_id": TOKEN, "side": "BUY", "size": "10", "price": "0.57", "status": "MATCHED", "matchtime": "1672290687",
        "last_update": "1672290687", "transaction_hash": "", "bucket_index": 0, "maker_orders": null, "timestamp": "1672290687000"});
    let words = vec![
        json!([killed, trade]).to_string(),
        "not JSON".to_owned(),
        json!({"event_type": "order", "id": "0x12"}).to_string(),
        json!({"event_type": "something new"}).to_string(),
    ];
    let script = script(vec![words], Then::Answers);
    let heard = Arc::clone(&script.heard);
    let mut events = user_channel(&ws(&venue(script, no_book()).await), credentials(), pace());
    assert_eq!(next(&mut events).await, UserEvent::Connected);
    let UserEvent::Order(news) = next(&mut events).await else { panic!("no order") };
    assert_eq!((news.kind, news.order.matched), (OrderNewsKind::Cancelled, None));
    assert!(matches!(&news.order.status, OrderStatus::Cancelled(why) if why.contains("FOK")));
    let UserEvent::Trade(trade) = next(&mut events).await else { panic!("no trade") };
    assert_eq!(trade.status, TradeStatus::Matched);
    assert_eq!(trade.leg_of(HASH.parse().unwrap()).unwrap().price, "0.57".parse().unwrap());
    assert!(matches!(next(&mut events).await, UserEvent::Unreadable { .. }));
    assert!(matches!(next(&mut events).await, UserEvent::Unreadable { .. }));
    let greeting: Value = serde_json::from_str(&heard.lock().unwrap()[0]).unwrap();
    assert_eq!(greeting["auth"]["secret"], SECRET);
    assert_eq!(greeting["type"], "user");
}

#[tokio::test]
async fn a_lost_connection_says_so_and_comes_back() {
    for (then, why) in [(Then::HangsUp, ""), (Then::IsSilent, "not a word")] {
        let hello = vec![json!({"event_type": "hello"}).to_string()];
        let script = script(vec![hello.clone(), hello], then);
        let heard = Arc::clone(&script.heard);
        let mut events = user_channel(&ws(&venue(script, no_book()).await), credentials(), pace());
        for _ in 0..2 {
            assert_eq!(next(&mut events).await, UserEvent::Connected);
            let UserEvent::Lost { why: said } = next(&mut events).await else { panic!("not lost") };
            assert!(said.contains(why) && !said.contains(SECRET), "{said}");
        }
        assert!(heard.lock().unwrap().len() >= 2, "it subscribes on each connection");
    }
    let refused = always(403, "<html>the-passphrase</html>").await;
    let mut events = user_channel(&ws(&refused), credentials(), pace());
    let UserEvent::Lost { why } = next(&mut events).await else { panic!("not lost") };
    assert!(why.contains("403") && !why.contains("the-passphrase"), "{why}");
    // Nobody there at all.
    let mut events = user_channel("ws://127.0.0.1:1", credentials(), pace());
    for _ in 0..3 {
        assert!(matches!(next(&mut events).await, UserEvent::Lost { .. }));
    }
}

fn snapshot(at: u64, bids: Value, asks: Value) -> Value {
    json!({"event_type": "book", "asset_id": TOKEN, "market": CONDITION, "timestamp": at.to_string(), "hash": "0x",
           "bids": bids, "asks": asks, "tick_size": "0.01", "last_trade_price": ""})
}

fn change(at: u64, side: &str, price: &str, size: &str, bid: &str, ask: &str) -> String {
    json!({"event_type": "price_change", "market": CONDITION, "timestamp": at.to_string(), "price_changes": [
        {"asset_id": TOKEN, "price": price, "size": size, "side": side, "hash": "", "best_bid": bid, "best_ask": ask}]})
    .to_string()
}

fn level(price: &str, size: &str) -> Value {
    json!([{"price": price, "size": size}])
}

async fn market(
    script: Script,
    book: Arc<Mutex<Value>>,
    pace: Pace,
) -> (MarketChannel, mpsc::Receiver<MarketEvent>) {
    let url = venue(script, book).await;
    let clob = Arc::new(Clob::new(&url).unwrap());
    let (channel, events) = MarketChannel::open(&ws(&url), clob, pace);
    channel.watch([token()]).unwrap();
    (channel, events)
}

async fn next_book(events: &mut mpsc::Receiver<MarketEvent>) -> domain::Book {
    match next(events).await {
        MarketEvent::Book(book) => book,
        other => panic!("no book: {other:?}"),
    }
}

#[tokio::test]
async fn books_follow_their_changes() {
    let words = vec![
        json!([snapshot(1_790_000_000_000, level("0.50", "10"), level("0.52", "5"))]).to_string(),
        change(1_790_000_000_001, "BUY", "0.51", "7", "0.51", "0.52"),
        change(1_790_000_000_002, "SELL", "0.52", "0", "0.51", "1"),
        json!({"event_type": "tick_size_change", "asset_id": TOKEN, "market": CONDITION, "old_tick_size": "0.01",
               "new_tick_size": "0.001", "timestamp": "1790000000003"}).to_string(),
        change(1_790_000_000_004, "SELL", "0.513", "1", "0.51", "0.513"),
        json!({"event_type": "last_trade_price", "asset_id": TOKEN, "price": "0.5"}).to_string(),
        json!({"event_type": "market_resolved", "id": "1", "market": CONDITION, "winning_asset_id": TOKEN}).to_string(),
    ];
    let script = script(vec![words], Then::Answers);
    let heard = Arc::clone(&script.heard);
    let (channel, mut events) = market(script, no_book(), pace()).await;
    assert_eq!(next(&mut events).await, MarketEvent::Connected);
    let book = next_book(&mut events).await;
    assert_eq!((book.best_bid(), book.best_ask()), ("0.5".parse().ok(), "0.52".parse().ok()));
    assert_eq!(next_book(&mut events).await.best_bid(), "0.51".parse().ok());
    assert_eq!(next_book(&mut events).await.best_ask(), None);
    assert!(matches!(next(&mut events).await, MarketEvent::Tick { tick, .. } if tick.ppm() == 1_000));
    let book = next_book(&mut events).await;
    assert_eq!((book.tick.ppm(), book.best_ask()), (1_000, "0.513".parse().ok()));
    let resolved = next(&mut events).await;
    assert!(matches!(resolved, MarketEvent::Resolved { winner, .. } if winner == Some(token())));
    let greeting: Value = serde_json::from_str(&heard.lock().unwrap()[0]).unwrap();
    assert_eq!(greeting["assets_ids"], json!([TOKEN]));

    let many = (1..=MOST_TOKENS + 1).map(|number| number.to_string().parse().unwrap());
    assert!(matches!(channel.watch(many), Err(VenueError::TooMany { .. })));
}

#[tokio::test]
async fn a_book_that_does_not_fit_is_doubted_and_read_again() {
    let rest = Arc::new(Mutex::new(snapshot(1_790_000_000_900, level("0.40", "3"), level("0.41", "3"))));
    for bad in [
        // It says the best bid is one we never heard of.
        change(1_790_000_000_500, "SELL", "0.55", "1", "0.51", "0.52"),
        // It would leave the book crossed.
        change(1_790_000_000_500, "BUY", "0.53", "1", "0.53", "0.52"),
    ] {
        let first = snapshot(1_790_000_000_000, level("0.50", "10"), level("0.52", "5")).to_string();
        let script = script(vec![vec![first, bad]], Then::Answers);
        let (_channel, mut events) = market(script, Arc::clone(&rest), pace()).await;
        assert_eq!(next(&mut events).await, MarketEvent::Connected);
        assert_eq!(next_book(&mut events).await.best_bid(), "0.5".parse().ok());
        assert_eq!(next(&mut events).await, MarketEvent::Doubted(token()));
        assert_eq!(next_book(&mut events).await.best_bid(), "0.4".parse().ok());
    }
}

#[tokio::test]
async fn changes_that_cannot_be_read_end_the_connection() {
    let first = snapshot(1_790_000_000_000, level("0.50", "10"), level("0.52", "5")).to_string();
    let words = vec![first.clone(), change(1_790_000_000_500, "BUY", "twelve", "1", "0.5", "0.52")];
    let script = script(vec![words, vec![first]], Then::Answers);
    let (_channel, mut events) = market(script, no_book(), pace()).await;
    assert_eq!(next(&mut events).await, MarketEvent::Connected);
    next_book(&mut events).await;
    assert!(matches!(next(&mut events).await, MarketEvent::Unreadable { .. }));
    assert!(matches!(next(&mut events).await, MarketEvent::Lost { .. }));
    assert_eq!(next(&mut events).await, MarketEvent::Connected);
    next_book(&mut events).await;
}

/// The connection answers every ping and brings nothing, while the book has moved on.
#[tokio::test]
async fn a_frozen_channel_is_noticed_by_its_book() {
    let first = snapshot(1_790_000_000_000, level("0.50", "10"), level("0.52", "5")).to_string();
    let rest = Arc::new(Mutex::new(snapshot(1_790_000_060_000, level("0.30", "3"), level("0.31", "3"))));
    let script = script(vec![vec![first.clone()], vec![first]], Then::Answers);
    let pace = Pace { compare: Duration::from_millis(100), ..pace() };
    let (_channel, mut events) = market(script, rest, pace).await;
    assert_eq!(next(&mut events).await, MarketEvent::Connected);
    next_book(&mut events).await;
    let MarketEvent::Lost { why } = next(&mut events).await else { panic!("not lost") };
    assert!(why.contains("lags"), "{why}");
}

#[tokio::test]
async fn who_joins_later_gets_a_book_too() {
    let rest = Arc::new(Mutex::new(snapshot(1_790_000_000_900, level("0.40", "3"), level("0.41", "3"))));
    let script = script(vec![vec![]], Then::Answers);
    let heard = Arc::clone(&script.heard);
    let url = venue(script, rest).await;
    let (channel, mut events) = MarketChannel::open(&ws(&url), Arc::new(Clob::new(&url).unwrap()), pace());
    channel.watch(["7".parse().unwrap()]).unwrap();
    assert_eq!(next(&mut events).await, MarketEvent::Connected);
    channel.watch([token()]).unwrap();
    assert_eq!(next_book(&mut events).await.best_bid(), "0.4".parse().ok());
    let heard = heard.lock().unwrap();
    assert!(heard[1].contains("unsubscribe") && heard[1].contains("\"7\""), "{heard:?}");
    assert!(heard[2].contains("subscribe") && heard[2].contains(TOKEN), "{heard:?}");
    drop(channel);
}
