//! Gamma and the CLOB in one server, each well or ill.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use domain::{ConditionId, TokenId};
use futures_util::Stream;
use polygon::contracts::USDC_E;
use polygon::tokens::{ctf_token, protocol_v2_token};
use serde_json::{Value, json};
use tokio::time::{Sleep, sleep};

/// How a service answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    Well,
    /// A gateway with nobody behind it.
    Down,
    /// JSON, but not of this world.
    Nonsense,
    /// A body that ends in the middle.
    HalfAPage,
    /// The same cursor for ever.
    Loops,
    /// No answer.
    Stalls,
    /// A byte now and then, for ever.
    Drips,
}

/// A market as the venue has it.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    number: u64,
    pub(super) condition: ConditionId,
    pub(super) tokens: [TokenId; 2],
    protocol_v2: bool,
    fee: &'static str,
    oracle: &'static str,
    in_gamma: bool,
    by_token: bool,
    is_swapped: bool,
}

impl Listed {
    fn new(number: u64, condition: ConditionId, tokens: [TokenId; 2], protocol_v2: bool) -> Self {
        let (fee, oracle, in_gamma, by_token, is_swapped) = ("0.05", "", true, true, false);
        Self { number, condition, tokens, protocol_v2, fee, oracle, in_gamma, by_token, is_swapped }
    }

    /// A market of conditional tokens.
    pub(super) fn ctf(number: u64) -> Self {
        let condition = format!("{:#066x}", number + 1_000).parse().unwrap();
        Self::new(number, condition, [0, 1].map(|outcome| ctf_token(USDC_E, condition, outcome)), false)
    }

    /// A market of Protocol V2's binary module.
    pub(super) fn protocol_v2(number: u64) -> Self {
        let condition = format!("0x01{number:032x}{:030}", 0).parse().unwrap();
        let token = |outcome| protocol_v2_token(condition, outcome).unwrap();
        Self::new(number, condition, [token(0), token(1)], true)
    }

    /// Gamma lists it, but does not find it by its tokens.
    pub(super) fn hidden_by_token(self) -> Self {
        Self { by_token: false, ..self }
    }

    /// Gamma does not list it.
    pub(super) fn unlisted(self) -> Self {
        Self { in_gamma: false, ..self }
    }

    /// Both services have its tokens in the wrong order.
    pub(super) fn swapped(self) -> Self {
        Self { is_swapped: true, ..self }
    }

    fn ids(&self) -> [String; 2] {
        let [first, second] = self.tokens.map(|token| token.to_string());
        if self.is_swapped { [second, first] } else { [first, second] }
    }

    fn gamma_condition(&self) -> String {
        let condition = self.condition.to_string();
        if self.protocol_v2 { condition[..64].to_owned() } else { condition }
    }

    fn gamma_body(&self) -> Value {
        let mut body = json!({
            "id": self.number.to_string(), "version": "v1", "question": format!("Question {}?", self.number),
            "conditionId": self.gamma_condition(), "slug": format!("question-{}", self.number),
            "outcomes": "[\"Yes\", \"No\"]", "orderPriceMinTickSize": 0.01,
            "events": [{"id": "1", "slug": format!("event-{}", self.number)}],
            "feesEnabled": true, "feeSchedule": {"rate": self.fee.parse::<f64>().unwrap(), "exponent": 1},
            "clobTokenIds": json!(self.ids()).to_string(),
        });
        if !self.oracle.is_empty() {
            body["umaResolutionStatus"] = json!(self.oracle);
        }
        if self.protocol_v2 {
            body["version"] = json!("v2");
            body["clobTokenIds"] = Value::Null;
            body["positionIds"] = json!(self.ids());
        }
        body
    }
}

struct Room {
    listed: Vec<Listed>,
    gamma: Mood,
    clob: Mood,
    chokes_on: Option<TokenId>,
    requests: Vec<String>,
}

type Shared = Arc<Mutex<Room>>;

/// The server.
pub(super) struct Venue {
    pub(super) url: String,
    state: Shared,
}

impl Venue {
    pub(super) async fn open(listed: impl IntoIterator<Item = Listed>) -> Self {
        // Even plain http needs a provider: the client builds its TLS in advance.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let state = Arc::new(Mutex::new(Room {
            listed: listed.into_iter().collect(),
            gamma: Mood::Well,
            clob: Mood::Well,
            chokes_on: None,
            requests: vec![],
        }));
        let router = Router::new()
            .route("/markets/keyset", get(keyset))
            .route("/markets-by-token/{token}", get(by_token))
            .route("/clob-markets/{condition}", get(terms))
            .route("/markets/{condition}", get(words))
            .with_state(Arc::clone(&state));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, state }
    }

    fn state(&self) -> MutexGuard<'_, Room> {
        self.state.lock().unwrap()
    }

    pub(super) fn set_gamma(&self, mood: Mood) {
        self.state().gamma = mood;
    }

    pub(super) fn set_clob(&self, mood: Mood) {
        self.state().clob = mood;
    }

    /// A query with this token makes Gamma stumble.
    pub(super) fn choke_on(&self, token: TokenId) {
        self.state().chokes_on = Some(token);
    }

    pub(super) fn set_oracle(&self, condition: ConditionId, oracle: &'static str) {
        self.state().listed.iter_mut().find(|listed| listed.condition == condition).unwrap().oracle = oracle;
    }

    pub(super) fn set_fee(&self, condition: ConditionId, fee: &'static str) {
        self.state().listed.iter_mut().find(|listed| listed.condition == condition).unwrap().fee = fee;
    }

    /// Gamma lists everything from now on.
    pub(super) fn list_all(&self) {
        self.state().listed.iter_mut().for_each(|listed| listed.in_gamma = true);
    }

    pub(super) fn requests(&self) -> usize {
        self.state().requests.len()
    }

    pub(super) fn was_asked(&self, route: &str) -> bool {
        self.state().requests.iter().any(|asked| asked == route)
    }
}

/// The answer of a service in a mood; `None` when it is well.
async fn ill(mood: Mood, page: &Value) -> Option<Response> {
    let body = page.to_string();
    match mood {
        Mood::Well => None,
        Mood::Down => Some((StatusCode::BAD_GATEWAY, "<html>bad gateway</html>").into_response()),
        Mood::Nonsense => Some(r#"{"weather": "fair"}"#.into_response()),
        Mood::HalfAPage => Some(body[..body.len() / 2].to_owned().into_response()),
        Mood::Loops => Some(json!({"markets": [], "next_cursor": "abc"}).to_string().into_response()),
        Mood::Stalls => {
            tokio::time::sleep(Duration::from_secs(600)).await;
            None
        }
        Mood::Drips => Some(Body::from_stream(Dripping::default()).into_response()),
    }
}

/// A space now and then, for ever: JSON may begin with any number of them.
#[derive(Default)]
struct Dripping {
    pause: Option<Pin<Box<Sleep>>>,
}

impl Stream for Dripping {
    type Item = Result<&'static str, std::io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let pause = self.pause.get_or_insert_with(|| Box::pin(sleep(Duration::from_millis(20))));
        std::task::ready!(pause.as_mut().poll(context));
        self.pause = None;
        Poll::Ready(Some(Ok(" ")))
    }
}

async fn keyset(State(state): State<Shared>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let asked = |name: &str| -> Vec<String> {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|pair| pair.0 == name).map(|pair| pair.1.to_owned()).collect()
    };
    let (tokens, conditions) = (asked("clob_token_ids"), asked("condition_ids"));
    let (mood, page, chokes) = {
        let mut state = state.lock().unwrap();
        state.requests.push("keyset".to_owned());
        let wanted = |listed: &&Listed| {
            let by_token = listed.by_token && listed.ids().iter().any(|id| tokens.contains(id));
            listed.in_gamma && (by_token || conditions.contains(&listed.gamma_condition()))
        };
        let open = asked("closed") == ["false"];
        let markets: Vec<Value> =
            state.listed.iter().filter(wanted).filter(|_| open).map(Listed::gamma_body).collect();
        let chokes = state.chokes_on.is_some_and(|token| tokens.contains(&token.to_string()));
        (state.gamma, json!({"markets": markets}), chokes)
    };
    if chokes {
        return (StatusCode::INTERNAL_SERVER_ERROR, json!({"error": "oops"}).to_string()).into_response();
    }
    match ill(mood, &page).await {
        Some(answer) => answer,
        None => page.to_string().into_response(),
    }
}

/// The CLOB's answer about the market that is meant, or its 404.
async fn clob(
    state: &Shared,
    route: &str,
    is_meant: impl Fn(&Listed) -> bool,
    body: impl Fn(&Listed) -> Value,
) -> Response {
    let (mood, found) = {
        let mut state = state.lock().unwrap();
        state.requests.push(route.to_owned());
        (state.clob, state.listed.iter().find(|listed| is_meant(listed)).map(body))
    };
    let found = found.unwrap_or_default();
    match ill(mood, &found).await {
        Some(answer) => answer,
        None if found.is_null() => {
            (StatusCode::NOT_FOUND, json!({"error": "market not found"}).to_string()).into_response()
        }
        None => found.to_string().into_response(),
    }
}

async fn by_token(State(state): State<Shared>, Path(token): Path<String>) -> Response {
    let is_meant = |listed: &Listed| listed.ids().contains(&token);
    clob(&state, "markets-by-token", is_meant, |listed| {
        let [primary, secondary] = listed.ids();
        json!({"condition_id": listed.condition.to_string(), "primary_token_id": secondary,
               "secondary_token_id": primary})
    })
    .await
}

async fn terms(State(state): State<Shared>, Path(condition): Path<String>) -> Response {
    let is_meant = |listed: &Listed| listed.condition.to_string() == condition;
    clob(&state, "clob-markets", is_meant, |listed| {
        let [first, second] = listed.ids();
        let mut body = json!({
            "t": [{"t": first, "o": "Yes"}, {"t": second, "o": "No"}], "c": listed.condition.to_string(),
            "mos": 5, "mts": 0.01, "fd": {"r": listed.fee.parse::<f64>().unwrap(), "e": 1, "to": true},
        });
        if listed.protocol_v2 {
            body["v"] = json!("v2");
        }
        body
    })
    .await
}

async fn words(State(state): State<Shared>, Path(condition): Path<String>) -> Response {
    let is_meant = |listed: &Listed| listed.condition.to_string() == condition;
    clob(&state, "markets", is_meant, |listed| {
        json!({"condition_id": listed.condition.to_string(), "question": format!("Question {}?", listed.number),
               "market_slug": format!("question-{}", listed.number), "neg_risk_market_id": ""})
    })
    .await
}
