//! The channels: who proves a key hears of their own orders and trades, whoever follows a market of its books.

use std::collections::BTreeSet;
use std::time::Duration;

use devnet::{Devnet, Settlement, SignatureType, SocketFaults};
use domain::Side;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::trader::{Ledger, Terms, Trader, begin, market_of};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn open(url: &str, hello: &Value) -> Socket {
    let (mut socket, _) = connect_async(url).await.unwrap();
    socket.send(Message::text(hello.to_string())).await.unwrap();
    // Once this is answered, the greeting was read.
    socket.send(Message::text("PING")).await.unwrap();
    loop {
        let message = next(&mut socket).await.expect("it is open");
        if message == "PONG" {
            return socket;
        }
    }
}

/// The next text; `None` at the end.
async fn next(socket: &mut Socket) -> Option<String> {
    loop {
        let message = tokio::time::timeout(Duration::from_secs(60), socket.next()).await.unwrap()?;
        match message.ok()? {
            Message::Text(text) => return Some(text.to_string()),
            Message::Close(_) => return None,
            _ => {}
        }
    }
}

async fn event(socket: &mut Socket) -> Value {
    serde_json::from_str(&next(socket).await.unwrap()).unwrap()
}

async fn follow(devnet: &Devnet, trader: &Trader, markets: Value) -> Socket {
    let hello = json!({"type": "user", "auth": trader.auth(), "markets": markets});
    open(&devnet.urls().clob_user_ws, &hello).await
}

#[tokio::test]
async fn the_user_channel_tells_the_whole_life_of_an_order_and_a_trade() {
    let (devnet, _stop) = begin(2.0).await;
    let mut trader = Trader::arrive(&devnet, 41, SignatureType::Poly1271, 1_000).await;
    let mut other = Trader::arrive(&devnet, 42, SignatureType::Eoa, 1_000).await;
    let mut socket = follow(&devnet, &trader, json!([])).await;
    let (market, bid, ask) = market_of(&devnet, Ledger::V3).await;
    // Nobody hears of others.
    other.place(&market, 0, &Terms::limit(Side::Buy, 5, bid - 2)).await;
    let (_, placed, id) = trader.place(&market, 0, &Terms::limit(Side::Buy, 5, bid - 4)).await;
    assert_eq!(placed["status"], "live", "{placed}");
    let told = event(&mut socket).await;
    assert_eq!(
        (&told["event_type"], &told["type"], &told["id"]),
        (&json!("order"), &json!("PLACEMENT"), &json!(id))
    );
    assert_eq!((&told["order_owner"], &told["market"]), (&json!(trader.api_key()), &json!(market.condition)));
    trader.ask("DELETE", "/order", &json!({"orderID": id})).await;
    let told = event(&mut socket).await;
    assert_eq!((&told["type"], &told["id"]), (&json!("CANCELLATION"), &json!(id)));

    devnet.venue().plan_settlements([Settlement::Retried(1)]);
    let (_, taken, _) = trader.place(&market, 0, &Terms::spend(10, ask + 4)).await;
    assert_eq!(taken["status"], "matched", "{taken}");
    let mut seen = Vec::new();
    while seen.last().is_none_or(|status| status != "CONFIRMED") {
        let told = event(&mut socket).await;
        if told["event_type"] == "trade" {
            assert_eq!(told["id"], taken["tradeIDs"][0]);
            assert_eq!(told["trade_owner"], trader.api_key());
            seen.push(told["status"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(seen, ["MATCHED", "RETRYING", "MINED", "CONFIRMED"]);
}

#[tokio::test]
async fn the_user_channel_lets_nobody_else_in_and_can_be_made_to_fail() {
    let (devnet, _stop) = begin(1.0).await;
    let mut trader = Trader::arrive(&devnet, 43, SignatureType::Eoa, 1_000).await;
    let mut wrong = trader.auth();
    wrong["passphrase"] = json!("no");
    let (mut socket, _) = connect_async(&devnet.urls().clob_user_ws).await.unwrap();
    socket.send(Message::text(json!({"type": "user", "auth": wrong}).to_string())).await.unwrap();
    assert_eq!(next(&mut socket).await, None);

    let venue = devnet.venue();
    let (market, bid, _) = market_of(&devnet, Ledger::NegRisk).await;
    let (_, elsewhere) = (0, format!("0x{}", "11".repeat(32)));
    let mut deaf = follow(&devnet, &trader, json!([elsewhere])).await;
    let mut socket = follow(&devnet, &trader, json!([market.condition])).await;
    venue.set_socket_faults(SocketFaults { missing: 1.0, ..SocketFaults::default() });
    trader.place(&market, 0, &Terms::limit(Side::Buy, 5, bid - 4)).await;
    venue.set_socket_faults(SocketFaults { duplicated: 1.0, delay_ms: 300, ..SocketFaults::default() });
    let (status, answer, second) = trader.place(&market, 0, &Terms::limit(Side::Buy, 5, bid - 5)).await;
    assert_eq!(status, 200, "{answer}");
    let (one, two) = (event(&mut socket).await, event(&mut socket).await);
    assert_eq!((&one["id"], &one), (&json!(second), &two));
    venue.cut_sockets();
    // Whatever was under way, the connection ends.
    while next(&mut socket).await.is_some() {}
    assert_eq!(next(&mut deaf).await, None);
}

#[tokio::test]
async fn the_market_channel_shows_outside_orders_and_other_grids() {
    let (devnet, _stop) = begin(1.0).await;
    let mut trader = Trader::arrive(&devnet, 44, SignatureType::Eoa, 1_000).await;
    let (market, _, ask) = market_of(&devnet, Ledger::Standard).await;
    let hello = json!({"type": "market", "assets_ids": market.tokens.map(|token| token.to_string())});
    let mut socket = open(&devnet.urls().clob_ws, &hello).await;
    devnet.venue().set_tick(market.tokens[0], 1_000).unwrap();
    let price = ask * 10_000 - 1_000;
    let inside = Terms { maker: 50 * price, ..Terms::limit(Side::Buy, 50, ask) };
    let (status, placed, _) = trader.place(&market, 0, &inside).await;
    assert_eq!(status, 200, "{placed}");
    let (_, taken, _) = trader.place(&market, 1, &Terms::spend(10, 99)).await;
    assert_eq!(taken["status"], "matched", "{taken}");
    let mut kinds = BTreeSet::new();
    let mut sides = BTreeSet::new();
    while kinds.len() < 3 || sides.len() < 2 {
        let told = event(&mut socket).await;
        match told["event_type"].as_str() {
            Some("tick_size_change") => {
                assert_eq!(
                    (&told["old_tick_size"], &told["new_tick_size"]),
                    (&json!("0.01"), &json!("0.001"))
                );
                kinds.insert("tick");
            }
            Some("price_change") => {
                for change in told["price_changes"].as_array().unwrap() {
                    let at: domain::Price = change["price"].as_str().unwrap().parse().unwrap();
                    let ppm = u64::from(at.ppm());
                    if (ppm == price || ppm == 1_000_000 - price) && change["size"] != "0" {
                        sides.insert((ppm, change["side"].as_str().unwrap().to_owned()));
                    }
                }
                kinds.insert("levels");
            }
            Some("last_trade_price") => {
                kinds.insert("trade");
            }
            _ => {}
        }
    }
    let expected = BTreeSet::from([(price, "BUY".to_owned()), (1_000_000 - price, "SELL".to_owned())]);
    assert_eq!(sides, expected);
}
