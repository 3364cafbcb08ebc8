//! The forms of JSON-RPC answers, and what nodes mean by their errors.

use std::fmt;
use std::time::Duration;

use alloy_primitives::Bytes;
use reqwest::StatusCode;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::RpcError;
use super::endpoint::Endpoint;
use crate::hex;
use crate::log::LogList;

/// What providers say when a range or an answer is too large, in lower case. Codes do not tell: most share
/// one code among several refusals. From the documentation and issue trackers of Alchemy, Infura, QuickNode,
/// dRPC, publicnode, Ankr, and of the nodes bor, erigon and reth.
const TOO_MUCH: [&str; 20] = [
    "query returned more than",
    "response size exceeded",
    "response size should not",
    "response is too big",
    "response too large",
    "exceeds limit of",
    "exceed maximum block range",
    "exceeds max results",
    "exceeds max block range",
    "exceeds server limit",
    "block range",
    "ranges over",
    "range limit",
    "is limited to a",
    "blocks range",
    "too many logs",
    "query timeout exceeded",
    "query duration exceeded",
    "timeout on the free tier",
    "reduce the range",
];
/// What nodes say of a range that ends above their newest block, in lower case. Asking for less does not help.
const BEYOND: [&str; 4] = [
    "beyond current head",
    "beyond the latest block",
    "block range extends beyond",
    "invalid block range params",
];
/// What providers say when they are asked too often.
const TOO_OFTEN: [&str; 8] = [
    "rate limit",
    "request rate",
    "too many requests",
    "request limit",
    "compute units per second",
    "requests per second",
    "daily request count",
    "capacity",
];
/// dRPC on ranges, and QuickNode on answers over WebSocket: their own codes, used for nothing else.
const TOO_MUCH_CODES: [i64; 2] = [35, -32_616];

/// What came back, unread.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) body: Bytes,
    /// The status over HTTP, where it is none of success.
    pub(super) status: Option<StatusCode>,
}

/// The form of the answer that every sound node gives to a question for logs.
#[derive(Deserialize)]
struct LogsAnswer {
    id: u64,
    result: LogList,
    error: Option<IgnoredAny>,
}

/// The logs that answer question `id`: read at one go if all is as it should be, else carefully.
pub(super) fn logs(answer: &Answer, id: u64, endpoint: &Endpoint) -> Result<LogList, RpcError> {
    let method = "eth_getLogs";
    if answer.status.is_none()
        && let Ok(sound) = serde_json::from_slice::<LogsAnswer>(&answer.body)
        && sound.id == id
        && sound.error.is_none()
    {
        return Ok(sound.result);
    }
    let result = value(answer, id, method, endpoint)?;
    LogList::from_value(&result).map_err(|error| RpcError::Malformed { method, what: endpoint.scrub(&error) })
}

/// The result that answers question `id`.
pub(super) fn value(
    answer: &Answer,
    id: u64,
    method: &'static str,
    endpoint: &Endpoint,
) -> Result<Value, RpcError> {
    // Providers send their refusals with all kinds of statuses, so the body speaks first.
    match (serde_json::from_slice::<Value>(&answer.body), answer.status) {
        (Ok(value), None) => result(value, id, method, endpoint),
        (Ok(value), Some(_)) if value.get("error").is_some_and(Value::is_object) => {
            result(value, id, method, endpoint)
        }
        (Err(error), None) => Err(RpcError::Malformed { method, what: endpoint.scrub(&error) }),
        (_, Some(StatusCode::PAYLOAD_TOO_LARGE)) => {
            Err(RpcError::TooManyResults { message: StatusCode::PAYLOAD_TOO_LARGE.to_string() })
        }
        (_, Some(status)) => Err(RpcError::Transport { what: format!("the server answered {status}") }),
    }
}

/// What a message over WebSocket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The answer to a question.
    Answer(u64),
    /// What a subscription delivers.
    News,
    /// JSON, but neither.
    Other,
}

/// Tells what a message is without reading more of it than needed: nodes write the id first. `None` where
/// it is no JSON object as far as it was read.
pub(super) fn kind(message: &[u8]) -> Option<Kind> {
    let mut kind = None;
    let mut json = serde_json::Deserializer::from_slice(message);
    let read = json.deserialize_map(KindSeeker(&mut kind));
    // Where something was found, reading was ended on purpose.
    kind.or_else(|| read.is_ok().then_some(Kind::Other))
}

struct KindSeeker<'k>(&'k mut Option<Kind>);

impl<'de> Visitor<'de> for KindSeeker<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "id" => *self.0 = map.next_value::<Value>()?.as_u64().map(Kind::Answer),
                "method" => {
                    let is_news = map.next_value::<Value>()? == "eth_subscription";
                    *self.0 = is_news.then_some(Kind::News);
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            if self.0.is_some() {
                return Err(A::Error::custom("enough is known"));
            }
        }
        Ok(())
    }
}

/// The result of an answer to question `id`.
fn result(mut answer: Value, id: u64, method: &'static str, endpoint: &Endpoint) -> Result<Value, RpcError> {
    let Some(object) = answer.as_object_mut() else {
        let what = format!("{} instead of an object", hex::name_of(&answer));
        return Err(RpcError::Malformed { method, what });
    };
    let answered = object.get("id").and_then(Value::as_u64);
    let error = object.get("error").filter(|error| !error.is_null());
    // A server that could not read the question does not know its id.
    if answered != Some(id) && (answered.is_some() || error.is_none()) {
        return Err(RpcError::Malformed { method, what: format!("not the answer to question {id}") });
    }
    if let Some(error) = error {
        return Err(refusal(error, endpoint));
    }
    object
        .remove("result")
        .ok_or_else(|| RpcError::Malformed { method, what: "neither a result nor an error".to_owned() })
}

fn refusal(error: &Value, endpoint: &Endpoint) -> RpcError {
    let code = error.get("code").and_then(Value::as_i64).unwrap_or_default();
    let words = error.get("message").and_then(Value::as_str).unwrap_or_default();
    // Some put the reason into the data and nothing but a title into the message.
    let details = error.get("data").map(Value::to_string).unwrap_or_default();
    let said = format!("{words} {details}").to_lowercase();
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| said.contains(phrase));
    // Asked in this order, because "limit" stands in the words for both.
    if code == 429 || says(&TOO_OFTEN) {
        return RpcError::RateLimited { retry_after: backoff(error) };
    }
    let message = endpoint.scrub(&words);
    // Before what is too much, whose words are in these.
    if says(&BEYOND) {
        return RpcError::Beyond { message };
    }
    if TOO_MUCH_CODES.contains(&code) || says(&TOO_MUCH) {
        return RpcError::TooManyResults { message };
    }
    RpcError::Rpc { code, message }
}

/// The pause that Infura asks for within its refusal.
fn backoff(error: &Value) -> Option<Duration> {
    let seconds = error.pointer("/data/rate/backoff_seconds")?.as_f64()?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// A hexadecimal number.
pub(super) fn number(method: &'static str, value: &Value) -> Result<u64, RpcError> {
    hex::number(value).ok_or_else(|| RpcError::Malformed {
        method,
        what: format!("{} is not a 0x-number of 64 bits", hex::cut(value)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn endpoint() -> Endpoint {
        Endpoint::parse("http://node.example/s3cr3tk3y").unwrap()
    }

    fn refused(code: i64, message: &str) -> RpcError {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "error": { "code": code, "message": message } });
        result(body, 1, "eth_getLogs", &endpoint()).unwrap_err()
    }

    #[test]
    fn every_providers_words_for_too_much_are_understood() {
        let words = [
            (
                -32_602,
                "Log response size exceeded. You can make eth_getLogs requests with up to a 2K block range",
            ),
            (
                -32_600,
                "Under the Free tier plan, you can make eth_getLogs requests with up to a 10 block range.",
            ),
            (-32_005, "query returned more than 10000 results. Try with this block range [0x1, 0x2]."),
            (-32_602, "range 1000000 exceeds limit of 10000"),
            (-32_614, "eth_getLogs is limited to a 10,000 range"),
            (-32_616, "response over the cap"),
            (35, "ranges over 10000 blocks are not supported on free plan"),
            (-32_602, "query exceeds max results 20000, retry with the range 1-2"),
            (-32_701, "exceed maximum block range: 50000"),
            (-32_000, "block range is too wide"),
            (-32_000, "query timeout exceeded"),
            (-32_602, "Query timeout exceeded. Consider reducing your block range."),
            (-32_005, "query duration exceeded 10s, reduce the range"),
            (-32_614, "eth_getLogs and eth_newFilter are limited to a 10,000 blocks range"),
            (30, "Request timeout on the free tier, please upgrade your tier to the paid one"),
            (-32_000, "exceed max block range: 5000"),
        ];
        for (code, message) in words {
            assert!(matches!(refused(code, message), RpcError::TooManyResults { .. }), "{message}");
        }
    }

    #[test]
    fn beyond_the_head_is_not_too_much() {
        for (code, message) in [
            (-32_602, "block range extends beyond current head block"),
            (-32_000, "invalid block range params"),
            (-32_000, "toBlock is beyond the latest block"),
            (-32_602, "Block range extends beyond the chain's end"),
        ] {
            assert_eq!(refused(code, message), RpcError::Beyond { message: message.to_owned() });
        }
    }

    #[test]
    fn too_often_is_not_too_much() {
        let words = [
            (429, "slow down"),
            (-32_005, "project ID request rate exceeded"),
            (-32_005, "daily request count exceeded, request rate limited"),
            (-32_007, "50/second request limit reached - reduce calls per second"),
            (429, "Your app has exceeded its compute units per second capacity."),
        ];
        for (code, message) in words {
            assert_eq!(refused(code, message), RpcError::RateLimited { retry_after: None }, "{message}");
        }
    }

    #[test]
    fn other_refusals_stay_as_they_are_but_for_secrets() {
        let expected = RpcError::Rpc { code: -32_000, message: "no … here".to_owned() };
        assert_eq!(refused(-32_000, "no s3cr3tk3y here"), expected);
        let bare = json!({ "id": 1, "error": {} });
        let error = result(bare, 1, "eth_chainId", &endpoint()).unwrap_err();
        assert_eq!(error, RpcError::Rpc { code: 0, message: String::new() });
    }

    #[test]
    fn an_answer_belongs_to_its_question() {
        let take = |body: Value| result(body, 7, "eth_chainId", &endpoint());
        assert_eq!(take(json!({ "id": 7, "result": "0x89" })), Ok(json!("0x89")));
        assert_eq!(take(json!({ "id": 7, "result": null })), Ok(Value::Null));
        assert_eq!(take(json!({ "id": 7, "error": null, "result": "0x89" })), Ok(json!("0x89")));
        for wrong in [
            json!({ "id": 8, "result": "0x89" }),
            json!({ "id": "7", "result": "0x89" }),
            json!({ "result": "0x89" }),
            json!({ "id": 8, "error": { "code": 1, "message": "" } }),
            json!({ "id": 7 }),
            json!([]),
            json!("0x89"),
        ] {
            assert!(matches!(take(wrong.clone()), Err(RpcError::Malformed { .. })), "{wrong}");
        }
        let unread = json!({ "id": null, "error": { "code": -32_700, "message": "parse error" } });
        assert!(matches!(take(unread), Err(RpcError::Rpc { code: -32_700, .. })));
    }

    #[test]
    fn a_pause_may_stand_in_the_refusal() {
        let data = json!({ "rate": { "allowed_rps": 1, "backoff_seconds": 1.5, "current_rps": 4 } });
        let error = json!({ "code": -32_005, "message": "project ID request rate exceeded", "data": data });
        let refused = result(json!({ "id": 1, "error": error }), 1, "eth_getLogs", &endpoint());
        let retry_after = Some(Duration::from_millis(1_500));
        assert_eq!(refused, Err(RpcError::RateLimited { retry_after }));
    }

    fn answered(body: &str) -> Result<LogList, RpcError> {
        logs(&Answer { body: Bytes::copy_from_slice(body.as_bytes()), status: None }, 7, &endpoint())
    }

    #[test]
    fn logs_are_read_whatever_else_the_answer_holds() {
        let sound = LogList::default();
        for body in
            [r#"{"jsonrpc":"2.0","id":7,"result":[]}"#, r#"{"result":[],"error":null,"id":7,"x":{"y":[1]}}"#]
        {
            assert_eq!(answered(body), Ok(sound.clone()), "{body}");
        }
        let list = answered(r#"{"id":7,"result":[7]}"#).unwrap();
        assert_eq!((list.logs.len(), list.malformed.len()), (0, 1));
        for wrong in [
            r#"{"id":8,"result":[]}"#,
            r#"{"id":7,"result":{}}"#,
            r#"{"id":7}"#,
            r#"{"id":7,"result":["#,
            "<html>",
        ] {
            assert!(matches!(answered(wrong), Err(RpcError::Malformed { .. })), "{wrong}");
        }
        let refused = answered(r#"{"id":7,"result":[],"error":{"code":-1,"message":"no"}}"#);
        assert_eq!(refused, Err(RpcError::Rpc { code: -1, message: "no".to_owned() }));
    }

    #[test]
    fn messages_are_told_apart_from_their_beginning() {
        for (message, expected) in [
            (r#"{"jsonrpc":"2.0","id":7,"result":[{"cut o"#, Some(Kind::Answer(7))),
            (r#"{"result":{"id":1},"id":7}"#, Some(Kind::Answer(7))),
            (r#"{"method":"eth_subscription","params":{}}"#, Some(Kind::News)),
            (r#"{"method":"else","id":null}"#, Some(Kind::Other)),
            (r#"{"id":"7"}"#, Some(Kind::Other)),
            (r#"{"id":-7}"#, Some(Kind::Other)),
            (r#"{"result":["#, None),
            ("[]", None),
            ("<html>", None),
            ("", None),
        ] {
            assert_eq!(kind(message.as_bytes()), expected, "{message}");
        }
    }
}
