//! A node that misbehaves: what goes out instead of the honest answer.

use std::io;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use polygon::log::RawLog;
use serde_json::{Value, json};

use super::{Node, envelope};
use crate::chain::Block;
use crate::faults::{Mood, Refusal, Spoiling};
use crate::rpc::RpcError;

/// What a proxy shows whose node is gone.
const PAGE: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n\
     <center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n";

/// The refusal as HTTP has it; whoever asked, the portal's clients too.
pub(crate) fn over_http(refusal: Refusal, body: &[u8]) -> Response {
    match refusal {
        Refusal::Disconnected => dropped(),
        Refusal::RateLimited(wait) => {
            let headers = [(RETRY_AFTER, wait.as_millis().div_ceil(1_000).to_string()), json_type()];
            (StatusCode::TOO_MANY_REQUESTS, headers, too_often(body)).into_response()
        }
        Refusal::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, "no healthy upstream").into_response(),
        Refusal::Html => ([(CONTENT_TYPE, "text/html")], PAGE).into_response(),
    }
}

/// The refusal as a message; `None` where the connection ends instead.
pub(super) fn over_socket(refusal: Refusal, body: &[u8]) -> Option<String> {
    match refusal {
        Refusal::Disconnected => None,
        Refusal::RateLimited(_) => Some(too_often(body)),
        Refusal::Overloaded => {
            Some(envelope(&id_of(body), Err(RpcError::new(-32000, "no healthy upstream"))))
        }
        Refusal::Html => Some(PAGE.to_owned()),
    }
}

/// An answer that promises more than it brings before its connection ends.
fn dropped() -> Response {
    let begun = Ok(Bytes::from_static(b"{\"jsonrpc\":\"2.0\","));
    let ended = Err(io::Error::from(io::ErrorKind::ConnectionReset));
    let headers = [json_type(), (CONTENT_LENGTH, "1000000".to_owned())];
    (headers, Body::from_stream(stream::iter([begun, ended]))).into_response()
}

fn json_type() -> (HeaderName, String) {
    (CONTENT_TYPE, "application/json".to_owned())
}

fn too_often(body: &[u8]) -> String {
    let message = "Your app has exceeded its compute units per second capacity.";
    envelope(&id_of(body), Err(RpcError::new(429, message)))
}

fn id_of(body: &[u8]) -> Value {
    serde_json::from_slice::<Value>(body).map(|request| request["id"].clone()).unwrap_or_default()
}

/// What becomes of an answer that is to be spoiled; one that has nothing to spoil stays as it is.
pub(super) fn spoil(mut answer: String, spoiling: Spoiling, mood: &Mood) -> String {
    if spoiling == Spoiling::Half {
        answer.truncate(answer.floor_char_boundary(answer.len() / 2));
        return answer;
    }
    let Ok(mut value) = serde_json::from_str::<Value>(&answer) else { return answer };
    let one = match &mut value {
        Value::Array(batch) => {
            let any = mood.any(batch.len());
            batch.get_mut(any)
        }
        one => Some(one),
    };
    let spoiled = one.is_some_and(|one| match spoiling {
        Spoiling::WrongType => one.get_mut("result").is_some_and(|result| mistype(result, mood)),
        Spoiling::BadLength => {
            one.get_mut("result").and_then(|result| any_log(result, mood)).is_some_and(shorten)
        }
        Spoiling::OtherId => {
            one["id"] = one["id"].as_u64().map_or_else(|| json!("another"), |id| json!(id + 1_000_003));
            true
        }
        Spoiling::Half => false,
    });
    if spoiled { value.to_string() } else { answer }
}

fn any_log<'a>(result: &'a mut Value, mood: &Mood) -> Option<&'a mut Value> {
    let logs = result.as_array_mut()?;
    let any = mood.any(logs.len());
    logs.get_mut(any).filter(|log| log.get("data").is_some())
}

/// Puts a number where a text was.
fn mistype(result: &mut Value, mood: &Mood) -> bool {
    let place = match result {
        Value::Array(_) => any_log(result, mood).and_then(|log| log.get_mut("logIndex")),
        Value::Object(_) if result.get("number").is_some() => result.get_mut("number"),
        Value::Object(_) => result.get_mut("blockNumber"),
        Value::String(_) => Some(result),
        _ => None,
    };
    let Some(place) = place else { return false };
    let digits = place.as_str().and_then(|text| text.strip_prefix("0x"));
    *place = json!(digits.and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or(7));
    true
}

/// Takes the last byte off a log's data.
pub(crate) fn shorten(log: &mut Value) -> bool {
    match log.get_mut("data") {
        Some(Value::String(data)) if data.len() >= 4 => {
            data.truncate(data.len() - 2);
            true
        }
        _ => false,
    }
}

impl Node {
    /// What of a block's logs is left in an answer to a range.
    pub(super) fn left_of<'a>(
        &self,
        mut logs: Vec<&'a RawLog>,
        block: &Block,
        newest: u64,
    ) -> Vec<&'a RawLog> {
        let faults = self.mood.faults();
        let young = |within: u64| newest.saturating_sub(block.number) < within;
        if let Some(withheld) = faults.withheld.filter(|withheld| young(withheld.younger_than)) {
            if self.mood.happens(withheld.blocks) {
                logs.clear();
            }
            logs.retain(|_| !self.mood.happens(withheld.logs));
        }
        logs
    }

    /// Whether it does not know yet of a block that it knows of.
    pub(super) fn forgets(&self, block: &Block, newest: u64) -> bool {
        let withheld = self.mood.faults().withheld;
        withheld.is_some_and(|withheld| {
            newest.saturating_sub(block.number) < withheld.younger_than && self.mood.happens(withheld.unknown)
        })
    }

    /// The logs, some of them twice: behind themselves or at the end.
    pub(super) fn repeated<'a>(&self, logs: Vec<&'a RawLog>) -> Vec<&'a RawLog> {
        let share = self.mood.faults().duplicated_logs;
        if share <= 0.0 {
            return logs;
        }
        let (mut repeated, mut late) = (Vec::with_capacity(logs.len() * 2), Vec::new());
        for log in logs {
            repeated.push(log);
            if self.mood.happens(share) {
                if self.mood.happens(0.5) { repeated.push(log) } else { late.push(log) }
            }
        }
        repeated.append(&mut late);
        repeated
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(result: Value) -> String {
        json!({"jsonrpc": "2.0", "id": 4, "result": result}).to_string()
    }

    fn spoiled(result: Value, spoiling: Spoiling) -> Value {
        serde_json::from_str(&spoil(answer(result), spoiling, &Mood::default())).unwrap()
    }

    #[test]
    fn each_answer_is_spoiled_where_it_hurts() {
        let log = json!({"data": "0x0102", "logIndex": "0x10"});
        let half = spoil(answer(json!("0x1")), Spoiling::Half, &Mood::default());
        assert!(serde_json::from_str::<Value>(&half).is_err());
        assert_eq!(spoiled(json!("0x10"), Spoiling::WrongType)["result"], 16);
        assert_eq!(spoiled(json!({"number": "0x10"}), Spoiling::WrongType)["result"]["number"], 16);
        assert_eq!(spoiled(json!([log]), Spoiling::WrongType)["result"][0]["logIndex"], 16);
        assert_eq!(spoiled(json!([log]), Spoiling::BadLength)["result"][0]["data"], "0x01");
        assert_eq!(spoiled(json!([log]), Spoiling::OtherId)["id"], 1_000_007);
        let batch = format!("[{}]", answer(json!([log])));
        let batch: Value =
            serde_json::from_str(&spoil(batch, Spoiling::BadLength, &Mood::default())).unwrap();
        assert_eq!(batch[0]["result"][0]["data"], "0x01");
        // What has nothing to spoil stays as it is.
        for (result, spoiling) in [
            (json!([]), Spoiling::WrongType),
            (json!("0x1"), Spoiling::BadLength),
            (json!(null), Spoiling::WrongType),
        ] {
            assert_eq!(spoiled(result.clone(), spoiling)["result"], result);
        }
    }
}
