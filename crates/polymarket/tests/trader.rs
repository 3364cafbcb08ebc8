//! The trading client against venues that take orders, refuse them, break down over them and vanish.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod served;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use domain::{Shares, Side, Tick, Timestamp};
use polymarket::trading::{
    AcceptedStatus, Account, Asset, CancelRefusal, Credentials, Doubt, Exchange, Heartbeat, KeyDesk,
    Lifetime, Limits, OrderFilter, OrderRules, OrderSigner, OrderStatus, OrderTerms, PrivateKey, Quantity,
    Rejection, SignedOrder, Stamp, Submitted, TradeFilter, TradeStatus, Trader, WalletKind,
};
use polymarket::{Geoblock, VenueError};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use served::{always, serve};

/// The first account of every test chain: its key is public.
const KEY: &str = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
const TOKEN: &str = "15871154585880608648532107628464183779895785213830018178010423617714102767076";
const POSITION: &str = "663574927012476832975694178961957910328055987427402067619466963999000625152";
const CONDITION: &str = "0x779291bef19b6709f61e9764a954aafe9ffae488d50ae674aabdcb4f248006d5";
const SECRET: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const PASSPHRASE: &str = "the-passphrase";

fn account() -> Account {
    use std::os::unix::fs::PermissionsExt as _;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), KEY).unwrap();
    std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o600)).unwrap();
    Account::new(PrivateKey::from_hex_file(file.path()).unwrap(), WalletKind::Eoa, None).unwrap()
}

fn credentials() -> Credentials {
    Credentials::new("00000000-0000-4000-8000-000000000001", SECRET, PASSPHRASE).unwrap()
}

fn trader(url: &str) -> Trader {
    let limits = Limits { order: Duration::from_millis(300), other: Duration::from_millis(300) };
    Trader::new(url, account(), credentials(), limits).unwrap()
}

async fn order() -> SignedOrder {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let signer = OrderSigner::new(account(), &credentials()).await.unwrap();
    let terms = OrderTerms {
        token: TOKEN.parse().unwrap(),
        side: Side::Buy,
        limit: "0.52".parse().unwrap(),
        quantity: Quantity::Shares(Shares::whole(10)),
        lifetime: Lifetime::UntilCancelled { post_only: false },
    };
    let rules = OrderRules { exchange: Exchange::Standard, tick: Tick::CENT, least: Shares::whole(5) };
    signer.sign(&terms, &rules, Stamp::random(Timestamp::from_seconds(1_790_000_000))).await.unwrap()
}

type Seen = Arc<Mutex<Vec<(String, HeaderMap, String)>>>;

/// A server that keeps what it is asked, and answers what `answer` says to the path and its query.
async fn listening(answer: impl Fn(&str) -> Response + Clone + Send + Sync + 'static) -> (String, Seen) {
    let seen = Seen::default();
    let kept = Arc::clone(&seen);
    let router = Router::new().fallback(move |request: Request| {
        let (kept, answer) = (Arc::clone(&kept), answer.clone());
        async move {
            let line = format!("{} {}", request.method(), request.uri());
            let headers = request.headers().clone();
            let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
            let response = answer(&line);
            kept.lock().unwrap().push((line, headers, String::from_utf8(body.to_vec()).unwrap()));
            response
        }
    });
    (serve(router).await, seen)
}

/// A server that reads the request and then writes these bytes and hangs up.
async fn raw(bytes: &'static [u8]) -> String {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut buffer = [0; 16 << 10];
            let _ = socket.read(&mut buffer).await;
            let _ = socket.write_all(bytes).await;
        }
    });
    format!("http://{address}")
}

#[tokio::test]
async fn the_same_bytes_go_out_each_time_and_are_signed_anew() {
    let order = order().await;
    let accepted = json!({"success": true, "errorMsg": "", "orderID": order.hash, "status": "matched",
                          "makingAmount": "", "takingAmount": "", "tradeIDs": ["t1", "t2"]});
    let (url, seen) = listening(move |line| match line {
        "GET /time" => "4102444800".into_response(),
        _ => accepted.to_string().into_response(),
    })
    .await;
    let trader = trader(&url);
    let Submitted::Accepted(first) = trader.submit(&order).await else { panic!("refused") };
    assert_eq!((first.status, first.trades.len()), (AcceptedStatus::Matched, 2));
    // The venue's clock is far ahead, and the headers follow it.
    let reading = trader.sync_clock().await.unwrap();
    assert!(reading.ahead > 0 && trader.venue_time().seconds() >= 4_102_444_799);
    assert!(matches!(trader.submit(&order).await, Submitted::Accepted(_)));
    let seen = seen.lock().unwrap();
    let posts: Vec<_> = seen.iter().filter(|(line, ..)| line == "POST /order").collect();
    assert_eq!(posts.len(), 2);
    for (_, headers, body) in &posts {
        assert_eq!(*body, order.body);
        assert_eq!(headers["content-type"], "application/json");
        assert_eq!(headers["poly_address"], "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
        assert_eq!(headers["poly_passphrase"], PASSPHRASE);
    }
    assert_ne!(posts[0].1["poly_signature"], posts[1].1["poly_signature"]);
    let ahead: i64 = posts[1].1["poly_timestamp"].to_str().unwrap().parse().unwrap();
    assert!(ahead >= 4_102_444_799);
}

#[tokio::test]
async fn what_is_not_known_is_called_unknown() {
    let order = order().await;
    let silent = serve(Router::new().fallback(|| async {
        tokio::time::sleep(Duration::from_secs(60)).await;
    }))
    .await;
    let half = raw(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"success\":true,").await;
    let mute = raw(b"").await;
    for (url, name) in [(silent, "silent"), (half, "half"), (mute, "mute")] {
        let outcome = trader(&url).submit(&order).await;
        assert!(matches!(outcome, Submitted::Unknown(Doubt::NoAnswer { .. })), "{name}: {outcome:?}");
    }
    let broken = always(500, r#"{"error":"could not insert order"}"#).await;
    let outcome = trader(&broken).submit(&order).await;
    assert!(matches!(outcome, Submitted::Unknown(Doubt::ServerError { code: 500, .. })), "{outcome:?}");
    let page = always(502, "<html>Bad gateway</html>").await;
    assert!(matches!(trader(&page).submit(&order).await, Submitted::Unknown(_)));
    let another = r#"{"success":true,"errorMsg":"","orderID":"0x01","status":"live"}"#;
    let outcome = trader(&always(200, another).await).submit(&order).await;
    assert!(matches!(outcome, Submitted::Unknown(Doubt::AnotherOrder { .. })), "{outcome:?}");
}

#[tokio::test]
async fn what_never_left_was_not_sent() {
    let order = order().await;
    let outcome = trader("http://127.0.0.1:1/").submit(&order).await;
    assert!(matches!(outcome, Submitted::Rejected(Rejection::NotSent { .. })), "{outcome:?}");
    // What proves who we are goes to nobody else, whatever an answer says.
    let (elsewhere, seen) = listening(|_| "stolen".into_response()).await;
    let (url, _) = listening(move |_| {
        (StatusCode::TEMPORARY_REDIRECT, [("location", elsewhere.clone())]).into_response()
    })
    .await;
    assert!(matches!(trader(&url).submit(&order).await, Submitted::Unknown(_)));
    assert!(trader(&url).order(order.hash).await.is_err());
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn refusals_come_with_their_pauses() {
    let order = order().await;
    let (url, _) =
        listening(|_| (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "7")]).into_response()).await;
    let outcome = trader(&url).submit(&order).await;
    let retry_after = Some(Duration::from_secs(7));
    assert_eq!(outcome, Submitted::Rejected(Rejection::RateLimited { retry_after }));
    let duplicated = always(400, r#"{"error":"order 0xab is invalid. Duplicated."}"#).await;
    assert_eq!(trader(&duplicated).submit(&order).await, Submitted::Rejected(Rejection::Duplicated));
}

#[tokio::test]
async fn cancels() {
    let hashes = [order().await.hash, order().await.hash, order().await.hash];
    let answer = json!({"canceled": [hashes[0]], "not_canceled": {
        hashes[1].to_string(): "the order is already canceled", hashes[2].to_string(): "order can't be found - matched"}});
    let (url, seen) = listening(move |_| answer.to_string().into_response()).await;
    let trader = trader(&url);
    let cancelled = trader.cancel_many(&hashes).await.unwrap();
    assert_eq!(cancelled.cancelled, [hashes[0]]);
    assert_eq!(cancelled.refused[&hashes[1]], CancelRefusal::AlreadyCancelled);
    assert_eq!(cancelled.refused[&hashes[2]], CancelRefusal::NotFound);
    trader.cancel(hashes[0]).await.unwrap();
    trader.cancel_all().await.unwrap();
    assert!(matches!(trader.cancel_many(&[hashes[0]; 1_001]).await, Err(VenueError::TooMany { .. })));
    let seen = seen.lock().unwrap();
    let lines: Vec<_> = seen.iter().map(|(line, _, body)| (line.as_str(), body.clone())).collect();
    assert_eq!(lines[0].0, "DELETE /orders");
    assert_eq!(lines[1], ("DELETE /order", json!({"orderID": hashes[0]}).to_string()));
    assert_eq!(lines[2], ("DELETE /cancel-all", String::new()));
    assert_eq!(lines.len(), 3, "too many are not sent");
}

fn open_order(hash: &str) -> Value {
    json!({"id": hash, "status": "ORDER_STATUS_LIVE", "owner": "o", "maker_address": "0x", "market": CONDITION,
           "asset_id": TOKEN, "side": "BUY", "original_size": "10", "size_matched": "2.5", "price": 0.52,
           "outcome": "Yes", "expiration": null, "order_type": "GTC", "created_at": 1_790_000_000, "associate_trades": null})
}

#[tokio::test]
async fn an_order_is_found_by_its_hash_or_not_at_all() {
    let hash = order().await.hash;
    let (url, seen) = listening(move |_| open_order(&hash.to_string()).to_string().into_response()).await;
    let found = trader(&url).order(hash).await.unwrap().unwrap();
    assert_eq!((found.hash, found.status.clone()), (hash, OrderStatus::Live));
    assert_eq!(found.matched, Some("2.5".parse().unwrap()));
    assert_eq!((found.expires, found.created), (None, Some(Timestamp::from_seconds(1_790_000_000))));
    assert_eq!(seen.lock().unwrap()[0].0, format!("GET /data/order/{hash}"));
    let stranger = order().await.hash;
    assert!(matches!(trader(&url).order(stranger).await, Err(VenueError::Malformed { .. })));
    for (code, body) in [(200, "null"), (404, "null"), (404, r#"{"error":"order not found"}"#)] {
        assert_eq!(trader(&always(code, body).await).order(hash).await.unwrap(), None, "{code} {body}");
    }
    for (code, body) in [(404, "<html>Not Found</html>"), (500, r#"{"error":"x"}"#), (200, ""), (200, "[]")] {
        assert!(trader(&always(code, body).await).order(hash).await.is_err(), "{code} {body}");
    }
}

fn trade(id: &str, order: &str) -> Value {
    json!({"id": id, "taker_order_id": order, "market": CONDITION, "asset_id": TOKEN, "side": "BUY", "size": "10",
           "fee_rate_bps": "0", "price": "0.5233333333", "status": "TRADE_STATUS_FAILED", "match_time": "1790000000",
           "last_update": "1790000001000", "outcome": "Yes", "bucket_index": 0, "owner": "o", "maker_address": "0x",
           "transaction_hash": "", "err_msg": "reverted", "trader_side": "TAKER",
           "maker_orders": [{"order_id": order, "matched_amount": "10", "price": "0.4766667", "side": "BUY",
                             "asset_id": "7", "maker_address": "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"}]})
}

#[tokio::test]
async fn listings_are_read_to_the_last_page_and_never_in_circles() {
    let hash = order().await.hash;
    let text = hash.to_string();
    let (url, seen) = listening(move |line| {
        let page = if line.contains("next_cursor=Mg%3D%3D") {
            json!({"limit": 1, "count": 1, "next_cursor": "LTE=", "data": [trade("t2", &text)]})
        } else {
            json!({"limit": 2, "count": 2, "next_cursor": "Mg==", "data": [trade("t1", &text), {"id": "t3"}]})
        };
        page.to_string().into_response()
    })
    .await;
    let after = Some(Timestamp::from_seconds(1_790_000_000));
    let filter = TradeFilter { market: Some(CONDITION.parse().unwrap()), after, ..TradeFilter::default() };
    let listed = trader(&url).trades(&filter).await.unwrap();
    assert_eq!(listed.items.iter().map(|trade| trade.id.as_str()).collect::<Vec<_>>(), ["t1", "t2"]);
    assert_eq!(listed.unreadable.len(), 1);
    let first = &listed.items[0];
    assert_eq!((first.status.clone(), first.transaction), (TradeStatus::Failed, None));
    assert_eq!(first.leg_of(hash).unwrap().price, "0.523333".parse().unwrap());
    assert_eq!(first.updated_at, Some(Timestamp::from_seconds(1_790_000_001)));
    assert_eq!(first.failure.as_deref(), Some("reverted"));
    let asked = seen.lock().unwrap()[0].0.clone();
    assert_eq!(asked, format!("GET /data/trades?market={CONDITION}&after=1790000000"));

    let circle = always(200, r#"{"next_cursor":"Mg==","data":[]}"#).await;
    let error = trader(&circle).orders(&OrderFilter::default()).await.unwrap_err();
    assert!(error.to_string().contains("circles"), "{error}");
    let bare = always(200, r#"{"next_cursor":null,"data":[]}"#).await;
    assert!(trader(&bare).orders(&OrderFilter::default()).await.unwrap().items.is_empty());
    let id = Some("x&market=0".to_owned());
    let trick = TradeFilter { id, ..TradeFilter::default() };
    assert!(trader(&bare).trades(&trick).await.is_err());
}

#[tokio::test]
async fn balances_standing_and_heartbeats() {
    let (url, seen) = listening(|line| match line {
        "GET /auth/ban-status/closed-only" => r#"{"closed_only":true}"#.into_response(),
        "POST /v1/heartbeats" => {
            (StatusCode::BAD_REQUEST, r#"{"error_msg":"Invalid Heartbeat ID","heartbeat_id":"next"}"#).into_response()
        }
        line if line.contains("/update") => StatusCode::OK.into_response(),
        _ => {
            r#"{"balance":"12500000","allowances":{"0xE111180000d2663C0091e4f400237545B87B996B":"115792089237316195423570985008687907853269984665640564039457584007913129639935"}}"#
                .into_response()
        }
    })
    .await;
    let trader = trader(&url);
    let balance = trader.balance(Asset::Collateral).await.unwrap();
    assert_eq!(balance.usd(), "12.5".parse().unwrap());
    assert!(
        balance.allowance(domain::Wallet(Exchange::Standard.address()))
            > balance.allowance(Default::default())
    );
    trader.balance(Asset::of(TOKEN.parse().unwrap())).await.unwrap();
    trader.balance(Asset::of(POSITION.parse().unwrap())).await.unwrap();
    trader.refresh_balance(Asset::Collateral).await.unwrap();
    assert!(trader.closed_only().await.unwrap());
    assert_eq!(trader.heartbeat("").await.unwrap(), Heartbeat::Expected("next".to_owned()));
    let lines: Vec<String> = seen.lock().unwrap().iter().map(|(line, ..)| line.clone()).collect();
    assert_eq!(lines[0], "GET /balance-allowance?asset_type=COLLATERAL&signature_type=0");
    assert_eq!(
        lines[1],
        format!("GET /balance-allowance?asset_type=CONDITIONAL&token_id={TOKEN}&signature_type=0")
    );
    assert!(lines[2].starts_with("GET /balance-allowance?asset_type=CONDITIONAL-V2&token_id=66357"));
    assert_eq!(lines[3], "GET /balance-allowance/update?asset_type=COLLATERAL&signature_type=0");
    let nonsense = always(200, r#"{"balance":"much"}"#).await;
    assert!(crate::trader(&nonsense).balance(Asset::Collateral).await.is_err());
}

#[tokio::test]
async fn credentials_are_derived_or_made_and_never_quoted() {
    let (url, seen) = listening(|line| match line {
        "GET /auth/derive-api-key" => {
            (StatusCode::BAD_REQUEST, r#"{"error":"Could not derive api key!"}"#).into_response()
        }
        _ => format!(
            r#"{{"apiKey":"00000000-0000-4000-8000-000000000001","secret":"{SECRET}","passphrase":"{PASSPHRASE}"}}"#
        )
        .into_response(),
    })
    .await;
    let desk = KeyDesk::new(&url, Duration::from_millis(300)).unwrap();
    let made = desk.derive_or_create(&account(), 3).await.unwrap();
    assert_eq!(made.key(), "00000000-0000-4000-8000-000000000001");
    assert_eq!((made.expose_secret(), made.expose_passphrase()), (SECRET, PASSPHRASE));
    {
        let seen = seen.lock().unwrap();
        assert_eq!(seen[1].0, "POST /auth/api-key");
        assert_eq!(seen[1].1["poly_nonce"], "3");
    }
    let odd = format!(r#"{{"apiKey":"k","secret":"{SECRET}","passphrase":"{PASSPHRASE}"}}"#);
    let (url, _) = listening(move |_| odd.clone().into_response()).await;
    let error =
        KeyDesk::new(&url, Duration::from_millis(300)).unwrap().derive(&account(), 0).await.unwrap_err();
    let trader = trader(&url);
    let shown = format!("{error} {error:?} {trader:?} {:?} {:?}", credentials(), order().await);
    for hidden in [KEY, SECRET, PASSPHRASE] {
        assert!(!shown.contains(hidden), "{shown}");
    }
}

#[tokio::test]
async fn where_we_are() {
    let here = always(200, r#"{"blocked":true,"ip":"203.0.113.7","country":"US","region":"NY"}"#).await;
    let region = Geoblock::new(&here, Duration::from_millis(300)).unwrap().region().await.unwrap();
    assert!(region.blocked && region.country == "US");
    for (code, body) in [(200, r#"{"ip":"203.0.113.7"}"#), (200, "<html>"), (500, "")] {
        let somewhere = Geoblock::new(&always(code, body).await, Duration::from_millis(300)).unwrap();
        assert!(somewhere.region().await.is_err(), "{code} {body}");
    }
}
