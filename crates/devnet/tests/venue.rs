//! The simulated venue over real sockets, asked by the clients the system itself uses.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod started;

use std::collections::BTreeSet;
use std::time::Duration;

use devnet::{Devnet, DevnetConfig};
use domain::{Market, Price, Rounding, TokenId, Usd};
use futures_util::{SinkExt, StreamExt};
use polymarket::wire::clob::{TermsBody, TokenBody};
use polymarket::{Clob, Gamma, VenueError};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;

use started::{START, client, small};

async fn get(url: impl reqwest::IntoUrl) -> reqwest::Response {
    client().get(url).send().await.unwrap()
}

/// The tokens of the open markets, through the catalogue's own pages.
async fn open_tokens(devnet: &Devnet) -> Vec<TokenId> {
    let url = format!("{}/markets/keyset?limit=100", devnet.urls().gamma);
    let page: Value = get(url).await.json().await.unwrap();
    page["markets"].as_array().unwrap().iter().flat_map(tokens_of).collect()
}

fn tokens_of(market: &Value) -> Vec<TokenId> {
    let list = if market["version"] == "v2" {
        market["positionIds"].as_array().unwrap().clone()
    } else {
        serde_json::from_str(market["clobTokenIds"].as_str().unwrap()).unwrap()
    };
    list.into_iter().map(|id| id.as_str().unwrap().parse().unwrap()).collect()
}

/// What the CLOB says of a market is what Gamma says of it.
async fn the_venue_agrees(devnet: &Devnet, market: &Market) {
    let clob = &devnet.urls().clob;
    let url = format!("{clob}/clob-markets/{}", market.condition);
    let terms: TermsBody = get(url).await.json().await.unwrap();
    assert_eq!(terms.condition, Some(market.condition.to_string()));
    let (tokens, names): (Vec<_>, Vec<_>) =
        terms.tokens.into_iter().map(|outcome| (outcome.token, outcome.outcome)).unzip();
    let tokens: Vec<TokenId> = tokens.iter().map(|token| token.parse().unwrap()).collect();
    assert_eq!((&tokens, &names), (&market.tokens, &market.outcomes));
    let rate = terms.fee.map_or(Usd::ZERO, |fee| fee.rate.0.parse().unwrap());
    assert_eq!(rate.micros(), i64::from(market.fee_rate_ppm));
    let tick: Price = terms.tick_size.0.parse().unwrap();
    assert_eq!((tick.ppm(), terms.min_order_size), (market.tick.ppm(), 5.into()));
    assert_eq!((terms.neg_risk, terms.version.is_some()), (market.neg_risk, market.protocol_v2));

    let url = format!("{clob}/markets-by-token/{}", market.tokens[1]);
    let token: TokenBody = get(url).await.json().await.unwrap();
    assert_eq!(token.condition_id, market.condition.to_string());
    assert_eq!(token.secondary_token_id, market.tokens[1].to_string());
}

#[tokio::test]
async fn the_clients_understand_books_and_markets() {
    // Slow enough that most markets live through the questions, however busy the machine is.
    let config =
        DevnetConfig { speed: 2.0, wallets: 400, skilled: 20, history_days: 6, ..DevnetConfig::default() };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let devnet = Devnet::start(config, START, CancellationToken::new()).await.unwrap();
    let clob = Clob::new(&devnet.urls().clob).unwrap();
    let gamma = Gamma::new(&devnet.urls().gamma).unwrap();
    let tokens = open_tokens(&devnet).await;
    assert!(tokens.len() >= 80, "{}", tokens.len());
    let listing = gamma.markets_of_tokens(&tokens).await.unwrap();
    assert_eq!(listing.rejected, []);
    assert!(listing.markets.len() * 2 >= tokens.len() - 4);
    assert!(listing.markets.iter().any(|market| market.protocol_v2));
    assert!(listing.markets.iter().any(|market| market.neg_risk));
    // Siblings share a market on the adapter, and each has a number of its own in it.
    for market in listing.markets.iter().filter(|market| market.neg_risk) {
        let place = market.place.unwrap();
        let mut siblings = listing.markets.iter().filter(|other| other.event == market.event);
        assert!(siblings.all(|other| other.place.is_some_and(|of| of.market == place.market)));
        let is_same = |other: &&Market| other.place == market.place;
        assert_eq!(listing.markets.iter().filter(is_same).count(), 1);
    }

    let (mut tight, mut deep, mut seen) = (0, 0, 0);
    for market in &listing.markets {
        assert!(market.category.is_some() && market.end.is_some() && market.event != market.slug);
        for token in &market.tokens {
            let book = match clob.book(*token).await {
                Ok(book) => book,
                // It may have been answered in between.
                Err(VenueError::NoBook { .. }) => continue,
                Err(error) => panic!("{error}"),
            };
            let (bid, ask) = (book.best_bid().unwrap().ppm(), book.best_ask().unwrap().ppm());
            assert!(bid < ask && book.at >= START);
            seen += 1;
            tight += u32::from(ask - bid == 10_000);
            let near = book.asks.iter().filter(|level| level.price.ppm() <= ask + 20_000);
            let dollars: Usd = near.map(|level| level.shares.at(level.price, Rounding::Down)).sum();
            deep += u32::from(dollars >= Usd::whole(3_000));
        }
        the_venue_agrees(&devnet, market).await;
    }
    assert!(seen > 60 && tight * 10 > seen * 7 && deep * 10 > seen * 9, "{tight} and {deep} of {seen}");

    // Answered markets are found too, by tokens and by condition, and have no book.
    let closed = format!("{}/markets/keyset?limit=100&closed=true", devnet.urls().gamma);
    let page: Value = get(closed).await.json().await.unwrap();
    let old = page["markets"].as_array().unwrap();
    assert!(!old.is_empty());
    assert!(old.iter().all(
        |market| market["closed"] == true && market["outcomePrices"].as_str().unwrap().contains("\"1\"")
    ));
    let tokens: Vec<TokenId> = old.iter().flat_map(tokens_of).collect();
    let listing = gamma.markets_of_tokens(&tokens).await.unwrap();
    assert_eq!((listing.markets.len(), listing.rejected.len()), (old.len(), 0));
    for market in old {
        let url = format!("{}/markets/keyset?closed=true&condition_ids=", devnet.urls().gamma);
        let page: Value = get(url + market["conditionId"].as_str().unwrap()).await.json().await.unwrap();
        assert_eq!(page["markets"].as_array().unwrap().len(), 1);
        assert_eq!(page["markets"][0]["id"], market["id"]);
    }
    let error = clob.book(listing.markets[0].tokens[0]).await.unwrap_err();
    assert!(matches!(error, VenueError::NoBook { .. }), "{error}");
    let stranger = format!("{}/clob-markets/0x{}", devnet.urls().clob, "3".repeat(64));
    assert_eq!(get(stranger).await.status(), 404);
    let offset = get(format!("{}/markets/keyset?offset=5", devnet.urls().gamma)).await;
    assert_eq!(offset.status(), 422);
}

#[tokio::test]
async fn pages_show_every_market_once() {
    let (devnet, _stop) = small().await;
    let mut seen = BTreeSet::new();
    let mut cursor = String::new();
    loop {
        let url = format!("{}/markets/keyset?limit=30&closed=true{cursor}", devnet.urls().gamma);
        let page: Value = get(url).await.json().await.unwrap();
        for market in page["markets"].as_array().unwrap() {
            assert!(seen.insert(market["id"].as_str().unwrap().to_owned()), "twice");
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&after_cursor={next}"),
            None => break,
        }
    }
    assert!(seen.len() > 40);
    let id = seen.first().unwrap();
    let one: Value = get(format!("{}/markets/{id}", devnet.urls().gamma)).await.json().await.unwrap();
    let slug = one["slug"].as_str().unwrap();
    let same: Value = get(format!("{}/markets/slug/{slug}", devnet.urls().gamma)).await.json().await.unwrap();
    assert_eq!(one["conditionId"], same["conditionId"]);
    assert_eq!(get(format!("{}/markets/99999999", devnet.urls().gamma)).await.status(), 404);
}

#[tokio::test]
async fn the_small_questions_of_the_clob() {
    let (devnet, _stop) = small().await;
    let clob = devnet.urls().clob.clone();
    let ask = async |path: String| get(format!("{clob}{path}")).await.json::<Value>().await.unwrap();
    let token = open_tokens(&devnet).await.pop().unwrap();
    assert_eq!(ask("/ok".into()).await, "OK");
    assert_eq!(ask("/version".into()).await, json!({"version": 2}));
    assert!(ask("/time".into()).await.as_i64().unwrap() >= START.seconds());
    assert_eq!(ask(format!("/tick-size?token_id={token}")).await["minimum_tick_size"], 0.01);
    assert!(ask(format!("/neg-risk?token_id={token}")).await["neg_risk"].is_boolean());
    assert!(ask(format!("/midpoint?token_id={token}")).await["mid"].as_str().unwrap().starts_with("0."));
    assert_eq!(ask("/tick-size?token_id=5".into()).await["error"], "market not found");
    assert!(
        ask("/book?token_id=5".into()).await["error"].as_str().unwrap().starts_with("No orderbook exists")
    );
    let asked = json!([{"token_id": token.to_string()}, {"token_id": "5"}]);
    let client = client();
    let books: Value =
        client.post(format!("{clob}/books")).json(&asked).send().await.unwrap().json().await.unwrap();
    assert_eq!(books.as_array().unwrap().len(), 1);
    assert_eq!(books[0]["asset_id"], token.to_string());
    let bids = books[0]["bids"].as_array().unwrap();
    let prices: Vec<f64> = bids.iter().map(|bid| bid["price"].as_str().unwrap().parse().unwrap()).collect();
    assert!(prices.is_sorted(), "worst first");
    let many: Vec<Value> = (0..501).map(|id| json!({"token_id": id.to_string()})).collect();
    let refused = client.post(format!("{clob}/books")).json(&many).send().await.unwrap();
    assert_eq!(refused.status(), 400);
}

#[tokio::test]
async fn the_market_channel_keeps_a_book_current() {
    let (devnet, _stop) = small().await;
    let (mut socket, _) = tokio_tungstenite::connect_async(&devnet.urls().clob_ws).await.unwrap();
    let tokens: Vec<String> = open_tokens(&devnet).await.iter().map(TokenId::to_string).collect();
    let wish = json!({"type": "market", "assets_ids": tokens});
    socket.send(Message::text(wish.to_string())).await.unwrap();
    socket.send(Message::text("PING")).await.unwrap();
    let mut kinds = BTreeSet::new();
    let mut ponged = false;
    let (mut changes, mut dumped) = (0, 0);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while !(ponged && kinds.len() == 4) {
        let message = tokio::time::timeout_at(deadline, socket.next()).await.unwrap().unwrap().unwrap();
        if message.to_text().unwrap() == "PONG" {
            ponged = true;
            continue;
        }
        let message: Value = serde_json::from_str(message.to_text().unwrap()).unwrap();
        let events = message.as_array().cloned().unwrap_or_else(|| vec![message]);
        for event in events {
            let kind = event["event_type"].as_str().unwrap().to_owned();
            match kind.as_str() {
                "book" => dumped += 1,
                "price_change" => {
                    for change in event["price_changes"].as_array().unwrap() {
                        changes += 1;
                        assert!(tokens.contains(&change["asset_id"].as_str().unwrap().to_owned()));
                    }
                }
                "last_trade_price" => assert!(event["size"].as_str().unwrap().parse::<f64>().unwrap() > 0.0),
                "market_resolved" => assert!(event["winning_outcome"].is_string()),
                kind => panic!("{kind}"),
            }
            kinds.insert(kind);
        }
    }
    assert!(dumped >= tokens.len() - 6 && changes > 10, "{dumped} {changes}");
}
