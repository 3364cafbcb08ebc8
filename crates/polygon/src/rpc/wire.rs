//! The forms of JSON-RPC answers, and what nodes mean by their errors.

use alloy_primitives::B256;
use domain::BlockHash;
use serde_json::Value;

use super::endpoint::Endpoint;
use super::{BlockHeader, BlockTag, RpcError};
use crate::hex;

/// What providers say when a range or an answer is too large, in lower case. Codes do not tell: most share
/// one code among several refusals. From the documentation and issue trackers of Alchemy, Infura, QuickNode,
/// dRPC, publicnode, Ankr, and of the nodes bor, erigon and reth.
const TOO_MUCH: [&str; 17] = [
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

/// The result of an answer to question `id`.
pub(super) fn answer(
    mut answer: Value,
    id: u64,
    method: &'static str,
    endpoint: &Endpoint,
) -> Result<Value, RpcError> {
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
        return RpcError::RateLimited { retry_after: None };
    }
    let message = endpoint.scrub(&words);
    if TOO_MUCH_CODES.contains(&code) || says(&TOO_MUCH) {
        return RpcError::TooManyResults { message };
    }
    RpcError::Rpc { code, message }
}

/// A hexadecimal number.
pub(super) fn number(method: &'static str, value: &Value) -> Result<u64, RpcError> {
    hex::number(value).ok_or_else(|| RpcError::Malformed {
        method,
        what: format!("{} is not a 0x-number of 64 bits", hex::cut(value)),
    })
}

/// The header of the block that was asked for; `None` where there is none.
pub(super) fn header(value: &Value, asked: BlockTag) -> Result<Option<BlockHeader>, RpcError> {
    if value.is_null() {
        return Ok(None);
    }
    let malformed = |what: String| RpcError::Malformed { method: "eth_getBlockByNumber", what };
    let field = |name: &'static str| {
        let found = value.get(name).unwrap_or(&Value::Null);
        (found, malformed(format!("field `{name}` is {}", hex::cut(found))))
    };
    let hash = |name| {
        let (found, error) = field(name);
        hex::fixed::<32, B256>(found).map(BlockHash).ok_or(error)
    };
    let (found, error) = field("number");
    let number = hex::number(found).ok_or(error)?;
    let (found, error) = field("timestamp");
    let time = hex::time(found).ok_or(error)?;
    if let BlockTag::Number(asked) = asked
        && asked != number
    {
        return Err(malformed(format!("block {number} instead of {asked}")));
    }
    Ok(Some(BlockHeader { number, hash: hash("hash")?, parent_hash: hash("parentHash")?, time }))
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
        answer(body, 1, "eth_getLogs", &endpoint()).unwrap_err()
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
        ];
        for (code, message) in words {
            assert!(matches!(refused(code, message), RpcError::TooManyResults { .. }), "{message}");
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
        let error = answer(bare, 1, "eth_chainId", &endpoint()).unwrap_err();
        assert_eq!(error, RpcError::Rpc { code: 0, message: String::new() });
    }

    #[test]
    fn an_answer_belongs_to_its_question() {
        let take = |body: Value| answer(body, 7, "eth_chainId", &endpoint());
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
    fn a_header_is_the_one_that_was_asked_for() {
        let hash = format!("{:#x}", B256::repeat_byte(1));
        let block =
            json!({ "number": "0x5", "hash": hash, "parentHash": hash, "timestamp": "0x6a0955e4", "x": 1 });
        let read = header(&block, BlockTag::Number(5)).unwrap().unwrap();
        assert_eq!((read.number, read.time.seconds()), (5, 1_778_996_708));
        assert!(header(&block, BlockTag::Latest).unwrap().is_some());
        assert_eq!(header(&Value::Null, BlockTag::Latest), Ok(None));
        assert!(header(&block, BlockTag::Number(6)).is_err());
        for field in ["number", "hash", "parentHash", "timestamp"] {
            let mut broken = block.clone();
            broken[field] = json!("0xzz");
            let error = header(&broken, BlockTag::Latest).unwrap_err().to_string();
            assert!(error.contains(&format!("field `{field}` is \"0xzz\"")), "{error}");
        }
    }
}
