//! What the CLOB tells of markets that Gamma does not describe.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod served;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use domain::{ConditionId, Tick, TokenId};
use polymarket::{Clob, VenueError};
use serde_json::{Value, json};

use served::{always, serve};

const CONDITION: &str = "0x779291bef19b6709f61e9764a954aafe9ffae488d50ae674aabdcb4f248006d5";
const UP: &str = "14965588658799411272385430903075831224615961675357217884735713260981483529984";
const DOWN: &str = "8761897749749422724209054078244794145777693856614463256546737399611489089783";

/// A body of July 2026.
fn terms() -> Value {
    json!({
        "r": {"mi": 50, "ma": 4.5, "moas": 30}, "t": [{"t": UP, "o": "Up"}, {"t": DOWN, "o": "Down"}],
        "c": CONDITION, "mos": 5, "mts": 0.01, "mbf": 1000, "tbf": 1000, "ao": true,
        "aot": "2026-07-27T03:07:27Z", "itode": true, "fd": {"r": 0.07, "e": 1, "to": true}
    })
}

/// What `/markets` says, cut to the fields that matter.
fn words() -> Value {
    json!({
        "condition_id": CONDITION, "question": "Ethereum Up or Down?", "market_slug": "eth-up-or-down",
        "end_date_iso": "2026-07-28T03:00:00Z", "tags": ["All", "Politics", "Crypto"],
        "neg_risk": false, "neg_risk_market_id": "", "minimum_tick_size": 0.001,
        "tokens": [{"token_id": DOWN, "outcome": "Down", "price": 0, "winner": false}]
    })
}

fn condition() -> ConditionId {
    CONDITION.parse().unwrap()
}

/// A CLOB with these answers; without one, its own 404.
async fn clob(terms: Option<Value>, words: Option<Value>) -> Clob {
    let answer = |body: Option<Value>| {
        let none = (StatusCode::NOT_FOUND, json!({"error": "market not found"}).to_string());
        body.map_or(none, |body| (StatusCode::OK, body.to_string()))
    };
    let (terms, words) = (answer(terms), answer(words));
    let router = Router::new()
        .route(&format!("/clob-markets/{CONDITION}"), get(|| async { terms }))
        .route(&format!("/markets/{CONDITION}"), get(|| async { words }));
    Clob::new(&serve(router).await).unwrap()
}

fn with(mut value: Value, field: &str, new: Value) -> Value {
    value[field] = new;
    value
}

#[tokio::test]
async fn terms_and_words_make_a_market() {
    let market =
        clob(Some(terms()), Some(words())).await.market_of_condition(condition()).await.unwrap().unwrap();
    assert_eq!(market.condition, condition());
    assert_eq!((market.title.as_str(), market.slug.as_str()), ("Ethereum Up or Down?", "eth-up-or-down"));
    assert_eq!(market.event, CONDITION, "which event it belongs to is not known");
    assert_eq!(market.category.as_deref(), Some("crypto"));
    assert_eq!(market.outcomes, ["Up", "Down"]);
    assert_eq!(market.tokens, [UP, DOWN].map(|id| id.parse::<TokenId>().unwrap()));
    assert_eq!(
        (market.tick, market.fee_rate_ppm),
        (Tick::CENT, 70_000),
        "the terms are right, not the words"
    );
    assert!(!market.neg_risk && !market.protocol_v2);
    assert_eq!(market.end.unwrap().to_string(), "2026-07-28T03:00:00Z");
}

#[tokio::test]
async fn neg_risk_siblings_share_an_event() {
    let group = "0x09ac0b2770dbcad3f2e4f5356a68af57cb8ca7502b02645a07b0290d46026a00";
    let terms = with(terms(), "nr", json!(true));
    let words = with(words(), "neg_risk_market_id", json!(group));
    let market =
        clob(Some(terms), Some(words)).await.market_of_condition(condition()).await.unwrap().unwrap();
    assert!(market.neg_risk);
    assert_eq!(market.event, group);
}

#[tokio::test]
async fn without_words_of_its_own_it_goes_by_its_condition() {
    let foreign = with(words(), "condition_id", json!(format!("{:#066x}", 7)));
    for words in [None, Some(json!("nonsense")), Some(json!([])), Some(foreign)] {
        let clob = clob(Some(terms()), words.clone()).await;
        let market = clob.market_of_condition(condition()).await.unwrap().unwrap();
        assert_eq!((market.title.as_str(), market.slug.as_str()), (CONDITION, CONDITION), "{words:?}");
        assert_eq!((market.category, market.end, market.fee_rate_ppm), (None, None, 70_000), "{words:?}");
    }
}

#[tokio::test]
async fn what_is_missing_is_free_and_of_the_first_protocol_and_nothing_else_is_guessed() {
    let read = async |terms| clob(Some(terms), None).await.market_of_condition(condition()).await;
    let mut free = terms();
    assert!(free.as_object_mut().unwrap().remove("fd").is_some());
    assert_eq!(read(free).await.unwrap().unwrap().fee_rate_ppm, 0);
    for nulls in [with(terms(), "fd", Value::Null), with(terms(), "nr", Value::Null)] {
        assert!(!read(nulls).await.unwrap().unwrap().neg_risk);
    }
    for (field, value) in [
        ("c", json!(format!("{:#066x}", 7))),
        ("v", json!("v3")),
        ("mts", json!(0.03)),
        ("fd", json!({"r": 0.25, "e": 2})),
        ("t", json!([])),
        ("t", json!([{"t": UP, "o": "Up"}])),
        ("t", json!([{"t": UP, "o": "Up"}, {"t": UP, "o": "Down"}])),
        ("t", json!([{"t": "0x7", "o": "Up"}, {"t": DOWN, "o": "Down"}])),
        ("t", json!([{"t": UP, "o": "U\u{1b}p"}, {"t": DOWN, "o": "Down"}])),
    ] {
        let error = read(with(terms(), field, value.clone())).await.unwrap_err();
        assert!(matches!(error, VenueError::Malformed { .. }), "{field} {value}: {error}");
    }
}

#[tokio::test]
async fn a_market_of_protocol_v2() {
    // The CLOB writes the condition in 32 bytes, where Gamma has 31.
    let condition = format!("0x01{}{}00", "7791f2".repeat(5), "0".repeat(30));
    let terms = with(with(terms(), "c", json!(condition)), "v", json!("v2"));
    let router =
        Router::new().route(&format!("/clob-markets/{condition}"), get(|| async move { terms.to_string() }));
    let clob = Clob::new(&serve(router).await).unwrap();
    // There is no route for its words, and a 404 without a word of the venue is no outage.
    let market = clob.market_of_condition(condition.parse().unwrap()).await.unwrap().unwrap();
    assert!(market.protocol_v2);
}

#[tokio::test]
async fn unknown_is_not_the_same_as_a_wrong_address() {
    let unknown = always(404, r#"{"error":"market not found"}"#).await;
    let clob = Clob::new(&unknown).unwrap();
    assert_eq!(clob.market_of_condition(condition()).await.unwrap(), None);
    assert_eq!(clob.condition_of(UP.parse().unwrap()).await.unwrap(), None);
    for elsewhere in [
        "<html>404 Not Found</html>",
        "",
        "404 page not found",
        "default backend - 404",
        r#"{"message":"no Route matched with those values"}"#,
        r#"{"error":{"code":404}}"#,
        r#""not found""#,
    ] {
        let clob = Clob::new(&always(404, elsewhere).await).unwrap();
        let error = clob.condition_of(UP.parse().unwrap()).await.unwrap_err();
        assert!(matches!(error, VenueError::Status { code: 404, .. }), "{error}");
        assert!(clob.market_of_condition(condition()).await.is_err());
    }
}

#[tokio::test]
async fn the_condition_of_a_token_and_of_no_other() {
    // The primary token may be the second outcome's.
    let url = always(
        200,
        r#"{"condition_id":"0x779291bef19b6709f61e9764a954aafe9ffae488d50ae674aabdcb4f248006d5",
            "primary_token_id":"8761897749749422724209054078244794145777693856614463256546737399611489089783",
            "secondary_token_id":"14965588658799411272385430903075831224615961675357217884735713260981483529984"}"#,
    );
    let clob = Clob::new(&url.await).unwrap();
    for token in [UP, DOWN] {
        assert_eq!(clob.condition_of(token.parse().unwrap()).await.unwrap(), Some(condition()));
    }
    let error = clob.condition_of("7".parse().unwrap()).await.unwrap_err();
    assert!(matches!(error, VenueError::Malformed { .. }), "{error}");
}

#[test]
fn outages_are_told_from_refusals() {
    let status = |code| VenueError::Status { host: String::new(), code, message: String::new() };
    for code in [401, 403, 425, 502, 503, 504, 522] {
        assert!(status(code).is_outage(), "{code}");
    }
    for code in [400, 404, 414, 422, 500] {
        assert!(!status(code).is_outage(), "{code}");
    }
    assert!(VenueError::RateLimited { host: String::new(), retry_after: None }.is_outage());
}
