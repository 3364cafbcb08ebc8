//! The clients against a server that behaves, and against one that does not.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod served;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use domain::TokenId;
use polymarket::{Clob, Gamma, VenueError};
use serde_json::json;

use served::{always, serve};

const TOKEN: &str = "14965588658799411272385430903075831224615961675357217884735713260981483529984";
const CONDITION: &str = "0x779291bef19b6709f61e9764a954aafe9ffae488d50ae674aabdcb4f248006d5";

fn token() -> TokenId {
    TOKEN.parse().unwrap()
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
    let VenueError::RateLimited { host, retry_after } = error else { panic!("{error}") };
    assert_eq!((host.as_str(), retry_after), ("127.0.0.1", Some(Duration::from_secs(7))));
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
