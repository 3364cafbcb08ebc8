//! Gamma: the catalogue of markets, open ones unless closed ones are asked for.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use domain::Market;
use polymarket::MarketFlaw;
use polymarket::wire::gamma::{EventBody, FeeSchedule, MarketBody, Page, Tag};
use polymarket::wire::{Embedded, Number};
use serde_json::{Value, json};

use crate::board::{Board, Listed};
use crate::shared::Shared;
use crate::world::SimMarket;

/// Unasked, a page holds so many; asked for more than a hundred, a hundred.
const PAGE: usize = 20;
const LARGEST_PAGE: usize = 100;

type Answer = Result<Json<Value>, (StatusCode, Json<Value>)>;

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/markets/keyset", get(keyset))
        .route("/markets/{id}", get(by_id))
        .route("/markets/slug/{slug}", get(by_slug))
        .with_state(shared)
}

/// What a keyset query asks for. What it does not know it ignores, as the real one does.
#[derive(Default)]
struct Query {
    tokens: Vec<String>,
    conditions: Vec<String>,
    ids: Vec<String>,
    slugs: Vec<String>,
    closed: bool,
    tags: bool,
    limit: usize,
    after: usize,
}

impl Query {
    fn read(query: &str) -> Result<Self, &'static str> {
        let mut read = Self { limit: PAGE, ..Self::default() };
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let value = value.to_owned();
            match name {
                "clob_token_ids" => read.tokens.push(value),
                "condition_ids" => read.conditions.push(value.to_lowercase()),
                "id" => read.ids.push(value),
                "slug" => read.slugs.push(value),
                "closed" => read.closed = value.parse().map_err(|_| "closed is not a boolean")?,
                "include_tag" => read.tags = value == "true",
                "limit" => read.limit = value.parse().map_err(|_| "limit is not a number")?,
                "after_cursor" => read.after = value.parse().map_err(|_| "invalid cursor")?,
                "offset" => return Err("offset is not supported, use after_cursor"),
                _ => {}
            }
        }
        read.limit = read.limit.clamp(1, LARGEST_PAGE);
        Ok(read)
    }

    fn wants(&self, market: &Listed) -> bool {
        let any = |asked: &[String], has: &dyn Fn(&str) -> bool| {
            asked.is_empty() || asked.iter().any(|one| has(one))
        };
        let (long, short) = conditions(market);
        market.winner.is_some() == self.closed
            && any(&self.tokens, &|id| market.tokens.iter().any(|token| token.to_string() == id))
            && any(&self.conditions, &|id| id == long || Some(id) == short.as_deref())
            && any(&self.ids, &|id| id == market.id.to_string())
            && any(&self.slugs, &|slug| slug == market.slug)
    }

    /// The markets whose ids could matter: looked up where tokens are asked for, else all.
    fn candidates(&self, board: &Board) -> Vec<Arc<Listed>> {
        if self.tokens.is_empty() {
            return board.all().to_vec();
        }
        let found = self.tokens.iter().filter_map(|id| board.of_token(id.parse().ok()?));
        let mut found: Vec<Arc<Listed>> = found.map(|(market, _)| Arc::clone(market)).collect();
        found.sort_by_key(|market| market.id);
        found.dedup_by_key(|market| market.id);
        found
    }
}

async fn keyset(State(shared): State<Arc<Shared>>, RawQuery(query): RawQuery) -> Answer {
    let query = Query::read(query.as_deref().unwrap_or_default())
        .map_err(|message| refusal(StatusCode::UNPROCESSABLE_ENTITY, message))?;
    let candidates = query.candidates(&shared.read().board);
    // The cursor is the id the next page begins at: ids only grow, so nothing is skipped or shown twice.
    let mut found = candidates.iter().filter(|market| market.id >= query.after && query.wants(market));
    let markets = found.by_ref().take(query.limit).map(|market| body(&shared, market, query.tags)).collect();
    let next_cursor = found.next().map(|market| market.id.to_string());
    Ok(Json(json!(Page { markets, next_cursor })))
}

async fn by_id(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Answer {
    find(&shared, |market| market.id.to_string() == id)
}

async fn by_slug(State(shared): State<Arc<Shared>>, Path(slug): Path<String>) -> Answer {
    find(&shared, |market| market.slug == slug)
}

fn find(shared: &Shared, wanted: impl Fn(&Listed) -> bool) -> Answer {
    let found = shared.read().board.all().iter().find(|market| wanted(market)).cloned();
    let found = found.ok_or_else(|| refusal(StatusCode::NOT_FOUND, "id not found"))?;
    Ok(Json(body(shared, &found, true)))
}

fn refusal(status: StatusCode, message: &str) -> (StatusCode, Json<Value>) {
    (status, Json(json!({"type": "validation error", "error": message})))
}

/// The condition in 32 bytes, and in 31 for Protocol V2, as Gamma writes it.
fn conditions(market: &Listed) -> (String, Option<String>) {
    let long = market.condition.to_string();
    let short = long.strip_suffix("00").filter(|_| market.protocol_v2()).map(str::to_owned);
    (long, short)
}

fn body(shared: &Shared, market: &Listed, tags: bool) -> Value {
    let mut value = json!(market_body(market, tags));
    // Numbers people look at; nothing is computed from them.
    value["volumeNum"] = json!(market.volume.to_f64());
    value["startDate"] = json!(market.opens.to_string());
    value["lastTradePrice"] = json!(market.last_price.map(domain::Price::to_f64));
    if market.seconds_delay > 0 {
        value["secondsDelay"] = json!(market.seconds_delay);
    }
    let depth = shared.read().board.depth(market.id, 0);
    if let Some(depth) = depth {
        value["bestBid"] = json!(depth.best_bid().map(domain::Price::to_f64));
        value["bestAsk"] = json!(depth.best_ask().map(domain::Price::to_f64));
    }
    value
}

impl SimMarket {
    /// The market as a client of Gamma reads it.
    ///
    /// # Errors
    /// A flaw in the description: then this Gamma serves one that no client accepts.
    pub fn described(&self) -> Result<Market, MarketFlaw> {
        market_body(&Listed::of(self), true).into_market()
    }
}

fn market_body(market: &Listed, tags: bool) -> MarketBody {
    let (long, short) = conditions(market);
    let ids = market.tokens.map(Number::from).to_vec();
    let (clob_token_ids, position_ids) =
        if market.protocol_v2() { (Vec::new(), ids) } else { (ids, Vec::new()) };
    let (event_id, event_slug, event_title) = market.event.clone();
    let tag = || vec![Tag { slug: market.category.to_owned(), label: capital(market.category) }];
    let fee = (market.fee_rate_ppm > 0).then(|| FeeSchedule {
        rate: Number::from(f64::from(market.fee_rate_ppm) / 1e6),
        exponent: Some(Number::from(1)),
        taker_only: true,
        rebate_rate: Some(Number::from(0.25)),
    });
    let event = EventBody {
        id: Number::from(event_id),
        slug: event_slug,
        title: event_title,
        category: None,
        tags: tags.then(tag),
    };
    MarketBody {
        id: Number::from(market.id),
        version: Some(if market.protocol_v2() { "v2" } else { "v1" }.to_owned()),
        condition_id: short.unwrap_or(long),
        question: market.title.clone(),
        slug: market.slug.clone(),
        outcomes: Embedded(market.outcomes.map(str::to_owned).to_vec()),
        outcome_prices: Embedded(prices(market)),
        clob_token_ids: Embedded(clob_token_ids),
        position_ids: Embedded(position_ids),
        end_date: Some(market.closes.to_string()),
        active: true,
        closed: market.winner.is_some(),
        accepting_orders: market.winner.is_none(),
        enable_order_book: true,
        uma_resolution_status: status(market).map(str::to_owned),
        neg_risk: Some(market.neg_risk()),
        neg_risk_market_id: market.neg_risk_market().map(|id| id.to_string()),
        question_id: Some(market.question_id.to_string()),
        order_price_min_tick_size: Some(Number::from(f64::from(market.tick_ppm) / 1e6)),
        order_min_size: Some(Number::from(5)),
        fees_enabled: Some(market.fee_rate_ppm > 0),
        fee_type: (market.fee_rate_ppm > 0).then(|| format!("{}_fees", market.category)),
        fee_schedule: fee,
        category: None,
        tags: tags.then(tag),
        events: Some(vec![event]),
    }
}

/// How far the oracle is; nothing until it is asked.
fn status(market: &Listed) -> Option<&'static str> {
    match (market.winner, market.is_disputed) {
        (Some(_), _) => Some("resolved"),
        (None, true) => Some("disputed"),
        (None, false) => None,
    }
}

/// 1 and 0 once it is answered, else the last price and what it leaves.
fn prices(market: &Listed) -> Vec<Number> {
    match (market.winner, market.last_price) {
        (Some(winner), _) => [0, 1].map(|outcome| Number::from(u8::from(outcome == winner))).to_vec(),
        (None, Some(price)) => vec![Number::from(price), Number::from(price.complement())],
        (None, None) => vec![Number::from(0.5), Number::from(0.5)],
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
