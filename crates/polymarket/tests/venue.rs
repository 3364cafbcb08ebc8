//! The clients against a server that behaves, and against one that does not.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use domain::TokenId;
use polymarket::{Clob, Gamma, MarketFlaw, VenueError};
use serde_json::{Value, json};

const TOKEN: &str = "14965588658799411272385430903075831224615961675357217884735713260981483529984";
const CONDITION: &str = "0x779291bef19b6709f61e9764a954aafe9ffae488d50ae674aabdcb4f248006d5";

fn token() -> TokenId {
    TOKEN.parse().unwrap()
}

async fn serve(router: Router) -> String {
    // Even plain http needs a provider: the client builds its TLS in advance.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

/// A server that gives one answer to everything.
async fn always(status: u16, body: &'static str) -> String {
    let status = StatusCode::from_u16(status).unwrap();
    serve(Router::new().fallback(move || async move { (status, body) })).await
}

#[tokio::test]
async fn a_book_of_the_token_asked_for_and_no_other() {
    let agent = Arc::new(Mutex::new(String::new()));
    let seen = Arc::clone(&agent);
    let router = Router::new().route(
        "/book",
        get(move |headers: HeaderMap| async move {
            *seen.lock().unwrap() = headers["user-agent"].to_str().unwrap().to_owned();
            json!({"market": CONDITION, "asset_id": TOKEN, "timestamp": "1785207332003",
                    "bids": [{"price": "0.5", "size": "260"}], "asks": [{"price": "0.52", "size": "210"}],
                    "tick_size": "0.01"})
            .to_string()
        }),
    );
    let clob = Clob::new(&serve(router).await).unwrap();
    assert_eq!(clob.book(token()).await.unwrap().mid(), Some("0.51".parse().unwrap()));
    assert!(agent.lock().unwrap().starts_with("orderflow/"));
    let stranger = "12".parse().unwrap();
    assert!(matches!(clob.book(stranger).await, Err(VenueError::Malformed { .. })));
}

#[tokio::test]
async fn refusals_keep_their_reason() {
    let none = always(404, r#"{"error":"No orderbook exists for the requested token id"}"#).await;
    let error = Clob::new(&none).unwrap().book(token()).await.unwrap_err();
    assert!(matches!(error, VenueError::NoBook { token: asked } if asked == token()), "{error}");

    // A 404 that does not speak of books is a wrong address, not a market without a book.
    let elsewhere = always(404, "<html>nginx</html>").await;
    let error = Clob::new(&elsewhere).unwrap().book(token()).await.unwrap_err();
    assert!(matches!(error, VenueError::Status { code: 404, .. }), "{error}");

    let down = serve(Router::new().fallback(|| async {
        (StatusCode::BAD_GATEWAY, Html(format!("<html>\n  Bad   gateway{}</html>", "!".repeat(5_000))))
    }));
    let error = Gamma::new(&down.await).unwrap().markets_of_tokens(&[token()]).await.unwrap_err();
    let VenueError::Status { code: 502, message, .. } = error else { panic!("{error}") };
    assert!(message.starts_with("<html> Bad gateway!") && message.len() == 200);

    let busy = serve(
        Router::new()
            .fallback(|| async { (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "7")]).into_response() }),
    );
    let error = Clob::new(&busy.await).unwrap().book(token()).await.unwrap_err();
    assert!(matches!(&error, VenueError::RateLimited { host } if host == "127.0.0.1"), "{error}");
}

#[tokio::test]
async fn silence_and_nonsense() {
    let silent = serve(Router::new().fallback(|| async {
        tokio::time::sleep(Duration::from_secs(60)).await;
    }));
    let clob = Clob::with_timeout(&silent.await, Duration::from_millis(50)).unwrap();
    let error = clob.book(token()).await.unwrap_err();
    assert!(matches!(&error, VenueError::Unreachable { source, .. } if source.is_timeout()), "{error}");

    let nobody = Clob::new("http://127.0.0.1:1/secret-key").unwrap();
    let error = nobody.book(token()).await.unwrap_err();
    let source = std::error::Error::source(&error).unwrap();
    assert!(!format!("{error} {source} {error:?} {nobody:?}").contains("secret"), "{error:?}");

    for nonsense in ["", "null", "[]", "{", "<html></html>", r#"{"markets":7}"#] {
        let url = always(200, nonsense).await;
        let clob = Clob::new(&url).unwrap();
        assert!(matches!(clob.book(token()).await, Err(VenueError::Malformed { .. })), "{nonsense}");
        let gamma = Gamma::new(&url).unwrap();
        let listing = gamma.markets_of_tokens(&[token()]).await;
        assert!(matches!(listing, Err(VenueError::Malformed { .. })), "{nonsense}");
    }
    for address in ["", "clob.polymarket.com", "ftp://clob.polymarket.com", "http://"] {
        assert!(matches!(Clob::new(address), Err(VenueError::BadUrl { .. })), "{address}");
    }
}

fn market(number: u64, closed: bool) -> Value {
    json!({
        "id": number.to_string(), "version": "v1", "question": format!("Question {number}?"),
        "conditionId": format!("{:#066x}", number), "slug": format!("question-{number}"),
        "outcomes": "[\"Yes\", \"No\"]", "closed": closed, "orderPriceMinTickSize": 0.01,
        "clobTokenIds": json!([wide(number, 1), wide(number, 2)]).to_string(),
    })
}

/// A token of more than 64 bits, as all are.
fn wide(number: u64, outcome: u64) -> String {
    ((u128::from(number) << 64) | u128::from(outcome)).to_string()
}

/// A catalogue of 120 markets, the last twenty closed, that pages by thirty; it also lists a market
/// nobody asked for, and one of a version nobody knows.
async fn catalogue(State(requests): State<Arc<Mutex<Vec<String>>>>, RawQuery(query): RawQuery) -> String {
    let query = query.unwrap();
    requests.lock().unwrap().push(query.clone());
    let pairs: Vec<(&str, &str)> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
    let one = |name: &str| pairs.iter().find(|pair| pair.0 == name).map(|pair| pair.1);
    let asked: Vec<&str> =
        pairs.iter().filter(|pair| pair.0 == "clob_token_ids").map(|pair| pair.1).collect();
    let closed = one("closed") == Some("true");
    let from: usize = one("after_cursor").map_or(0, |cursor| cursor.replace("%3D", "").parse().unwrap());
    let all: BTreeMap<u64, Value> = (1..=120).map(|number| (number, market(number, number > 100))).collect();
    let mut found: Vec<Value> = all
        .into_iter()
        .filter(|(number, market)| market["closed"] == closed && asked.contains(&wide(*number, 1).as_str()))
        .map(|(_, market)| market)
        .collect();
    found.push(market(999, closed));
    found.push(json!({"id": 1000, "version": "v9"}));
    let next = (from + 30 < found.len()).then(|| format!("{}=", from + 30));
    let page: Vec<Value> = found.into_iter().skip(from).take(30).collect();
    json!({"$schema": "s", "markets": page, "next_cursor": next}).to_string()
}

#[tokio::test]
async fn a_catalogue_is_asked_in_parts_for_open_and_closed_alike() {
    let requests = Arc::new(Mutex::new(Vec::new()));
    let router = Router::new().route("/markets/keyset", get(catalogue)).with_state(Arc::clone(&requests));
    let gamma = Gamma::new(&serve(router).await).unwrap();
    let tokens: Vec<TokenId> = (1..=120).map(|number| wide(number, 1).parse().unwrap()).collect();
    let listing = gamma.markets_of_tokens(&tokens).await.unwrap();
    assert_eq!(listing.markets.len(), 120, "all of them once, and nobody else's");
    assert_eq!(listing.rejected.len(), 1);
    assert_eq!(listing.rejected[0].id, "1000");
    assert_eq!(listing.rejected[0].reason, MarketFlaw::Version(Some("v9".into())));
    for query in requests.lock().unwrap().iter() {
        assert!(query.matches("clob_token_ids=").count() <= 50, "{query}");
    }
    assert_eq!(gamma.markets_of_tokens(&[]).await.unwrap(), polymarket::Listing::default());
}

#[tokio::test]
async fn a_catalogue_without_an_end_is_left() {
    let url = serve(Router::new().fallback(|RawQuery(query): RawQuery| async move {
        json!({"markets": [], "next_cursor": query.unwrap_or_default().len().to_string()}).to_string()
    }));
    let gamma = Gamma::new(&url.await).unwrap();
    let error = gamma.markets_of_tokens(&[token()]).await.unwrap_err();
    assert!(matches!(error, VenueError::Malformed { .. }), "{error}");
}
