//! Gamma as a catalogue: asked in parts, and only partly able to answer.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod served;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use domain::{ConditionId, TokenId};
use polymarket::{Gamma, MarketFlaw, VenueError};
use serde_json::{Value, json};

use served::{always, serve};

fn tokens(numbers: RangeInclusive<u64>) -> Vec<TokenId> {
    numbers.map(|number| wide(number, 1).parse().unwrap()).collect()
}

fn condition(number: u64) -> ConditionId {
    format!("{number:#066x}").parse().unwrap()
}

/// The numbers asked for by token, and the values of a parameter.
fn asked(query: &str) -> Vec<u64> {
    values(query, "clob_token_ids")
        .iter()
        .map(|id| u64::try_from(id.parse::<u128>().unwrap() >> 64).unwrap())
        .collect()
}

fn values<'a>(query: &'a str, name: &str) -> Vec<&'a str> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|pair| pair.0 == name).map(|pair| pair.1).collect()
}

/// A page with the markets asked for by token, all of them open.
fn page(query: &str) -> Value {
    let open = values(query, "closed") == ["false"];
    let markets: Vec<Value> =
        asked(query).into_iter().filter(|_| open).map(|number| market(number, false)).collect();
    json!({"markets": markets})
}

/// A catalogue that answers a query as `answer` says; the queries are kept.
async fn catalogue_of<A: IntoResponse + 'static>(
    timeout: Duration,
    answer: impl Fn(&str) -> A + Clone + Send + Sync + 'static,
) -> (Gamma, Arc<Mutex<Vec<String>>>) {
    let queries = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&queries);
    let router = Router::new().fallback(move |RawQuery(query): RawQuery| async move {
        let query = query.unwrap();
        kept.lock().unwrap().push(query.clone());
        answer(&query).into_response()
    });
    (Gamma::with_timeout(&serve(router).await, timeout).unwrap(), queries)
}

const LONG: Duration = Duration::from_secs(10);

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
    let listing = gamma.markets_of_tokens(&tokens(1..=120)).await.unwrap();
    assert_eq!(listing.markets.len(), 120, "all of them once, and nobody else's");
    assert_eq!(listing.rejected.len(), 1);
    assert_eq!(listing.rejected[0].id, "1000");
    assert_eq!(listing.rejected[0].reason, MarketFlaw::Version(Some("v9".into())));
    for query in requests.lock().unwrap().iter() {
        assert!(query.matches("clob_token_ids=").count() <= 50, "{query}");
    }
    assert!(listing.unanswered.tokens.is_empty() && listing.unanswered.error.is_none());
    let before = requests.lock().unwrap().len();
    assert!(gamma.markets_of_tokens(&[]).await.unwrap().markets.is_empty());
    assert_eq!(requests.lock().unwrap().len(), before, "nothing is asked for nothing");
}

#[tokio::test]
async fn a_catalogue_without_an_end_is_left() {
    let url = serve(Router::new().fallback(|RawQuery(query): RawQuery| async move {
        json!({"markets": [], "next_cursor": query.unwrap_or_default().len().to_string()}).to_string()
    }));
    let gamma = Gamma::new(&url.await).unwrap();
    let error = gamma.markets_of_tokens(&tokens(1..=1)).await.unwrap_err();
    assert!(matches!(error, VenueError::Malformed { .. }), "{error}");
}

#[tokio::test]
async fn an_id_it_chokes_on_holds_up_no_other() {
    for status in [StatusCode::INTERNAL_SERVER_ERROR, StatusCode::UNPROCESSABLE_ENTITY, StatusCode::OK] {
        let (gamma, queries) = catalogue_of(LONG, move |query| {
            if asked(query).contains(&77) {
                (status, "half a [".to_owned())
            } else {
                (StatusCode::OK, page(query).to_string())
            }
        })
        .await;
        let listing = gamma.markets_of_tokens(&tokens(1..=120)).await.unwrap();
        assert_eq!(listing.markets.len(), 119, "{status}");
        assert_eq!(listing.unanswered.tokens.into_iter().collect::<Vec<_>>(), tokens(77..=77));
        assert!(listing.unanswered.error.is_some());
        assert!(queries.lock().unwrap().len() < 20, "{}", queries.lock().unwrap().len());
    }
}

#[tokio::test]
async fn one_that_chokes_on_everything_is_not_asked_for_each() {
    let (gamma, queries) = catalogue_of(LONG, |_: &str| "[]").await;
    let error = gamma.markets_of_tokens(&tokens(1..=200)).await.unwrap_err();
    assert!(matches!(error, VenueError::Malformed { .. }), "{error}");
    assert!(queries.lock().unwrap().len() < 40, "{}", queries.lock().unwrap().len());
}

#[tokio::test]
async fn addresses_that_are_too_long_become_shorter() {
    let (gamma, _) = catalogue_of(LONG, |query| {
        if query.len() > 700 {
            (StatusCode::URI_TOO_LONG, String::new())
        } else {
            (StatusCode::OK, page(query).to_string())
        }
    })
    .await;
    let listing = gamma.markets_of_tokens(&tokens(1..=50)).await.unwrap();
    assert_eq!((listing.markets.len(), listing.unanswered.tokens.len()), (50, 0));
}

#[tokio::test]
async fn what_came_before_an_outage_counts_and_the_rest_is_not_asked_for() {
    let (gamma, queries) = catalogue_of(LONG, |query| {
        if asked(query).contains(&1) {
            (StatusCode::OK, page(query).to_string())
        } else {
            (StatusCode::BAD_GATEWAY, String::new())
        }
    })
    .await;
    let listing = gamma.markets_of_tokens(&tokens(1..=200)).await.unwrap();
    assert_eq!((listing.markets.len(), listing.unanswered.tokens.len()), (50, 150));
    assert!(matches!(listing.unanswered.error, Some(VenueError::Status { code: 502, .. })));
    assert_eq!(queries.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_cursor_that_repeats_keeps_nothing_waiting_and_loses_nothing() {
    // The first page has all but one of what is asked for; then the same cursor, for ever.
    let (gamma, queries) = catalogue_of(LONG, |query| {
        let mut page = page(query);
        if let Some(markets) = page["markets"].as_array_mut() {
            markets.retain(|market| market["id"] != "7");
        }
        page["next_cursor"] = json!("again");
        page.to_string()
    })
    .await;
    let listing = gamma.markets_of_tokens(&tokens(1..=20)).await.unwrap();
    assert_eq!(listing.markets.len(), 19);
    assert_eq!(listing.unanswered.tokens.into_iter().collect::<Vec<_>>(), tokens(7..=7));
    let error = listing.unanswered.error.unwrap();
    assert!(error.to_string().contains("repeats"), "{error}");
    assert!(queries.lock().unwrap().len() < 30);
}

#[tokio::test]
async fn a_stall_costs_one_wait() {
    let router = Router::new().fallback(|| async { tokio::time::sleep(Duration::from_secs(60)).await });
    let gamma = Gamma::with_timeout(&serve(router).await, Duration::from_millis(200)).unwrap();
    let begun = Instant::now();
    let error = gamma.markets_of_tokens(&tokens(1..=200)).await.unwrap_err();
    assert!(matches!(&error, VenueError::Unreachable { source, .. } if source.is_timeout()), "{error}");
    assert!(begun.elapsed() < Duration::from_millis(900), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn slow_answers_end_with_patience() {
    let router = Router::new().fallback(|RawQuery(query): RawQuery| async move {
        tokio::time::sleep(Duration::from_millis(150)).await;
        page(&query.unwrap()).to_string()
    });
    let gamma = Gamma::with_timeout(&serve(router).await, Duration::from_millis(250)).unwrap();
    let begun = Instant::now();
    let listing = gamma.markets_of_tokens(&tokens(1..=2_000)).await.unwrap();
    assert!(begun.elapsed() < Duration::from_millis(1_500), "{:?}", begun.elapsed());
    assert!(listing.markets.len() >= 50 && !listing.unanswered.tokens.is_empty());
    assert_eq!(listing.markets.len() + listing.unanswered.tokens.len(), 2_000);
}

#[tokio::test]
async fn conditions_are_asked_for_in_the_width_that_gamma_has() {
    let short = "0x017089ce3ba22aaa0a4cba8250b8c8e1eb0000000000000000000000000000";
    let (gamma, queries) = catalogue_of(LONG, move |query| {
        let of_v2 = json!({
            "id": 7, "version": "v2", "question": "Up?", "slug": "up", "conditionId": short,
            "outcomes": ["Up", "Down"], "positionIds": ["651150819117105875331414918119047680898421632356043490229292782433651916800",
                "651150819117105875331414918119047680898421632356043490229292782433651916801"],
        });
        let asked = values(query, "condition_ids");
        let open = values(query, "closed") == ["false"];
        let mut markets = vec![];
        if open && asked.contains(&short) {
            markets.push(of_v2);
        }
        // A closed one, and one that nobody asked for.
        if !open && asked.contains(&condition(5).to_string().as_str()) {
            markets.push(market(5, true));
        }
        markets.push(market(6, false));
        json!({"markets": markets}).to_string()
    })
    .await;
    let long: ConditionId = format!("{short}00").parse().unwrap();
    let listing = gamma.markets_of_conditions(&[long, condition(5), long]).await.unwrap();
    assert_eq!(
        listing.markets.iter().map(|market| market.condition).collect::<Vec<_>>(),
        [condition(5), long]
    );
    assert!(listing.unanswered.error.is_none());
    let queries = queries.lock().unwrap();
    assert_eq!(queries.len(), 2);
    assert!(!queries[1].contains(short), "what was found open is not asked for again: {}", queries[1]);
}

#[tokio::test]
async fn a_catalogue_that_is_down_is_asked_once() {
    let gamma = Gamma::new(&always(503, "<html>maintenance</html>").await).unwrap();
    let error = gamma.markets_of_tokens(&tokens(1..=200)).await.unwrap_err();
    assert!(error.is_outage() && matches!(error, VenueError::Status { code: 503, .. }), "{error}");
}
