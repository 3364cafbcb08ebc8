//! Reads the answer to `POST /order`.
//!
//! The rule: accepted only where everything says so and the venue names the order that was sent; rejected only
//! where the venue's own words, or a status it gives before it looks at orders, say so; unknown otherwise.

use std::time::Duration;

use alloy_primitives::B256;
use serde::Deserialize;
use serde_json::Value;

use super::outcome::{Acceptance, AcceptedStatus, Doubt, Submitted};
use super::rejection::{Meaning, Rejection, VenueMode};
use crate::http::{Answer, message};
use crate::wire::lenient::or_default;

/// What the venue says of one order.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Said {
    #[serde(default)]
    success: Option<bool>,
    #[serde(default, deserialize_with = "or_default", alias = "error")]
    error_msg: String,
    #[serde(default, rename = "orderID", alias = "orderId", deserialize_with = "or_default")]
    order_id: String,
    #[serde(default, deserialize_with = "or_default")]
    status: String,
    #[serde(default, rename = "tradeIDs", alias = "tradeIds", deserialize_with = "or_default")]
    trade_ids: Vec<String>,
}

/// A refusal that names the pause in its body.
#[derive(Default, Deserialize)]
struct Pause {
    #[serde(default)]
    code: Option<Value>,
    #[serde(default)]
    retry_after_seconds: Option<u64>,
}

/// The outcome of an order sent alone.
pub(super) fn of_order(sent: B256, answer: &Answer) -> Submitted {
    if (200..300).contains(&answer.code) {
        return match serde_json::from_slice(&answer.body) {
            Ok(said) => of_said(sent, said),
            Err(error) => Submitted::Unknown(Doubt::Unreadable { why: error.to_string() }),
        };
    }
    refusal(answer)
}

/// `success: true` beside words of refusal and no id is a refusal: so restricted modes are answered.
fn of_said(sent: B256, said: Said) -> Submitted {
    let words = said.error_msg.trim();
    let names_an_order = !said.order_id.trim().is_empty();
    let names_ours = said.order_id.trim().parse() == Ok(sent);
    match (said.success, words.is_empty(), names_an_order) {
        (Some(true), true, true) if !names_ours => {
            Submitted::Unknown(Doubt::AnotherOrder { named: shortened(&said.order_id), sent })
        }
        (Some(true), true, true) => match AcceptedStatus::from_name(&said.status) {
            Some(status) => Submitted::Accepted(Acceptance { status, trades: said.trade_ids }),
            None => Submitted::Unknown(Doubt::Contradiction {
                said: format!("accepted with status `{}`", shortened(&said.status)),
            }),
        },
        // Its words of refusal go before an id, which the venue also gives an order it killed.
        (_, false, _) => match Meaning::of(&shortened(words), None) {
            Meaning::Refusal(rejection) => Submitted::Rejected(rejection),
            Meaning::Open => Submitted::Unknown(Doubt::PutOff { message: shortened(words) }),
            Meaning::Unknown if names_an_order => {
                Submitted::Unknown(Doubt::Contradiction { said: shortened(words) })
            }
            Meaning::Unknown => {
                Submitted::Rejected(Rejection::Other { code: 200, message: shortened(words) })
            }
        },
        (Some(false), true, false) => {
            Submitted::Rejected(Rejection::Other { code: 200, message: "without a reason".to_owned() })
        }
        (Some(true), true, false) => {
            Submitted::Unknown(Doubt::Contradiction { said: "accepted without an id".to_owned() })
        }
        (Some(false), true, true) => {
            Submitted::Unknown(Doubt::Contradiction { said: "refused with an id and no reason".to_owned() })
        }
        (None, true, _) => {
            Submitted::Unknown(Doubt::Unreadable { why: "it says neither yes nor no".to_owned() })
        }
    }
}

/// What an answer other than 2xx says. A sentence of the venue's goes before the status, except where the server
/// broke down: a sentence it wrote while breaking down says nothing of the order.
fn refusal(answer: &Answer) -> Submitted {
    let words = message(&answer.body);
    let retry_after = answer.retry_after.or_else(|| pause(&answer.body));
    let is_json = serde_json::from_slice::<Value>(&answer.body).is_ok();
    let meaning = if is_json { Meaning::of(&words, retry_after) } else { Meaning::Unknown };
    let code = answer.code;
    let broken = || Submitted::Unknown(Doubt::ServerError { code, message: words.clone() });
    let rejection = match (code, meaning) {
        (_, Meaning::Open) => return Submitted::Unknown(Doubt::PutOff { message: words }),
        (425, _) => Rejection::Restarting,
        (429, _) => Rejection::RateLimited { retry_after },
        (503, Meaning::Refusal(mode @ Rejection::Mode { .. })) => mode,
        (503, _) if names_post_only(&answer.body) => {
            Rejection::Mode { mode: VenueMode::PostOnly, retry_after }
        }
        (_, Meaning::Refusal(timed_out @ Rejection::TimedOutInQueue)) => timed_out,
        // The request itself took too long, wherever it was by then.
        (408 | 499, _) => return broken(),
        (400..500, Meaning::Refusal(rejection)) => rejection,
        (401, Meaning::Unknown) => Rejection::Unauthorized { message: words },
        (403 | 407 | 451, Meaning::Unknown) => Rejection::Forbidden { message: words },
        (404, Meaning::Unknown) => Rejection::NotFound { message: words },
        (400..500, Meaning::Unknown) => Rejection::Other { code, message: words },
        _ => return broken(),
    };
    Submitted::Rejected(rejection)
}

fn pause(body: &[u8]) -> Option<Duration> {
    let said: Pause = serde_json::from_slice(body).ok()?;
    said.retry_after_seconds.map(Duration::from_secs)
}

fn names_post_only(body: &[u8]) -> bool {
    let said: Pause = serde_json::from_slice(body).unwrap_or_default();
    said.code.is_some_and(|code| code == "post_only_mode")
}

fn shortened(words: &str) -> String {
    message(words.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trading::rejection::ConfigFault;
    use crate::trading::{Advice, outcome};

    const SENT: B256 = B256::repeat_byte(0xab);

    fn answer(code: u16, body: &str) -> Answer {
        Answer { code, retry_after: None, body: body.as_bytes().to_vec() }
    }

    fn said(code: u16, words: &str) -> Submitted {
        of_order(SENT, &answer(code, &serde_json::json!({"error": words}).to_string()))
    }

    fn rejection(code: u16, words: &str) -> Rejection {
        match said(code, words) {
            Submitted::Rejected(rejection) => rejection,
            other => panic!("{code} {words}: {other:?}"),
        }
    }

    /// Every sentence of the venue's list, with what it asks for.
    #[test]
    fn every_row_of_the_venues_list() {
        use outcome::Advice::{Drop, Halt, HaltOpens, LookUp, Rebuild, RefreshBalance, RefreshTick, Renew};
        let second = Duration::from_secs(1);
        let address = "'0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266'";
        for (code, words, advice) in [
            (400, "Invalid order payload", Halt),
            (400, "the order owner has to be the owner of the API KEY", Halt),
            (400, "the order signer address has to be the address of the API KEY", Halt),
            (400, "invalid signature", Halt),
            (400, "order_version_mismatch", Halt),
            (400, "maker address not allowed, please use the deposit wallet flow", Halt),
            (400, &format!("{address} address banned"), HaltOpens),
            (400, &format!("{address} address in closed only mode"), HaltOpens),
            (400, "order 0xab is invalid. Price (0.525) breaks minimum tick size rule: 0.01", RefreshTick),
            (400, "order 0xab is invalid. Size (1) lower than the minimum: 5", Drop),
            (400, "invalid amount for a marketable BUY order ($0.5), min size: $1", Drop),
            (400, "order 0xab is invalid. Duplicated.", LookUp),
            (
                400,
                "not enough balance / allowance: the balance is not enough -> balance: 1, order amount: 2",
                RefreshBalance,
            ),
            (400, "invalid expiration", Rebuild),
            (400, "invalid post-only order: order crosses book", Rebuild),
            (400, "order 0xab crosses the book", Rebuild),
            (400, "order couldn't be fully filled. FOK orders are fully filled or killed.", Drop),
            (
                400,
                "no orders found to match with FAK order. FAK orders are partially filled or killed.",
                Drop,
            ),
            (400, "FOK orders are filled or killed", Drop),
            (400, "there are no matching orders", Drop),
            (400, "the market is not yet ready to process new orders", Drop),
            (400, "order canceled in the CTF exchange contract", Drop),
            (400, "order timed out", Advice::SendAgain),
            (504, "order timed out", Advice::SendAgain),
            (
                400,
                "invalid amounts, the market buy orders maker amount supports a max accuracy of 2 decimals",
                Rebuild,
            ),
            (400, "the trade contains rounding issues", Rebuild),
            (400, "the price of the taker's order has a discrepancy greater than allowed", Rebuild),
            (401, "Unauthorized/Invalid api key", Renew),
            (401, "Invalid L1 Request headers", Renew),
            (404, "market not found", Drop),
            (404, "No orderbook exists for the requested token id", Drop),
            (425, "service not ready", Advice::Wait { at_least: second }),
            (429, "Too Many Requests", Advice::Wait { at_least: second }),
            (
                503,
                "Trading is currently disabled. Check the status page",
                Advice::PauseTakers { at_least: None },
            ),
            (503, "Trading is currently cancel-only.", Advice::PauseTakers { at_least: None }),
            (418, "I'm a teapot", Drop),
        ] {
            let outcome = said(code, words);
            assert!(matches!(outcome, Submitted::Rejected(_)), "{code} {words}: {outcome:?}");
            assert_eq!(outcome.advice(), advice, "{code} {words}: {outcome:?}");
        }
    }

    #[test]
    fn sentences_that_resemble_each_other_are_told_apart() {
        let fak = "no orders found to match with FAK order. FAK orders are partially filled or killed.";
        assert!(matches!(rejection(400, fak), Rejection::NoMatch { .. }));
        let fok = "order couldn't be fully filled. FOK orders are fully filled or killed.";
        assert!(matches!(rejection(400, fok), Rejection::NotFilled { .. }));
        let crossing = "invalid post-only order: order crosses book";
        assert!(matches!(rejection(400, crossing), Rejection::Crosses { .. }));
        let version = rejection(400, "order_version_mismatch");
        assert!(matches!(version, Rejection::Misconfigured { fault: ConfigFault::Version, .. }));
        assert_eq!(rejection(400, "order 0xab is invalid. Duplicated."), Rejection::Duplicated);
    }

    #[test]
    fn a_breakdown_leaves_the_fate_open() {
        for (code, body) in [
            (500, r#"{"error":"could not insert order"}"#),
            (500, r#"{"error":"Internal server error"}"#),
            (500, r#"{"error":"order not found"}"#),
            (502, "<html><body>Bad gateway</body></html>"),
            (503, "<html>upstream</html>"),
            (503, ""),
            (504, "upstream timed out"),
            (520, ""),
            (408, ""),
            (400, r#"{"error":"order match delayed due to market conditions"}"#),
            (400, r#"{"error":"context canceled"}"#),
            (302, ""),
        ] {
            let outcome = of_order(SENT, &answer(code, body));
            assert!(matches!(outcome, Submitted::Unknown(_)), "{code} {body}: {outcome:?}");
            assert_eq!(outcome.advice(), Advice::LookUp);
        }
    }

    #[test]
    fn pages_of_those_before_the_venue_are_no_sentences_of_its() {
        let page = "<html>Attention required! Your request is not found to match. Duplicated.</html>";
        let outcome = of_order(SENT, &answer(403, page));
        assert!(matches!(outcome, Submitted::Rejected(Rejection::Forbidden { .. })), "{outcome:?}");
        let outcome = of_order(SENT, &answer(400, page));
        assert!(matches!(outcome, Submitted::Rejected(Rejection::Other { code: 400, .. })), "{outcome:?}");
    }

    #[test]
    fn modes_and_their_pauses() {
        let body =
            r#"{"error":"post-only mode: try later","code":"post_only_mode","retry_after_seconds":79}"#;
        let pause = Some(Duration::from_secs(79));
        let mode = Submitted::Rejected(Rejection::Mode { mode: VenueMode::PostOnly, retry_after: pause });
        assert_eq!(of_order(SENT, &answer(503, body)), mode);
        assert_eq!(mode.advice(), Advice::PauseTakers { at_least: pause });
        let bare = of_order(SENT, &answer(503, r#"{"error":"wait","code":"post_only_mode"}"#));
        assert!(matches!(bare, Submitted::Rejected(Rejection::Mode { mode: VenueMode::PostOnly, .. })));
        let header = Answer { retry_after: Some(Duration::from_secs(7)), ..answer(429, "") };
        assert_eq!(of_order(SENT, &header).advice(), Advice::Wait { at_least: Duration::from_secs(7) });
    }

    fn ok(order_id: &str, status: &str, success: &str, error: &str) -> Submitted {
        let body = format!(
            r#"{{"success":{success},"errorMsg":{error},"orderID":{order_id},"status":"{status}","makingAmount":"","tradeIDs":["t1"]}}"#
        );
        of_order(SENT, &answer(200, &body))
    }

    #[test]
    fn accepted_only_where_everything_says_so() {
        let ours = format!(r#""{SENT}""#);
        for (name, status) in [
            ("live", AcceptedStatus::Live),
            ("matched", AcceptedStatus::Matched),
            ("DELAYED", AcceptedStatus::Delayed),
            ("ORDER_STATUS_UNMATCHED", AcceptedStatus::Unmatched),
        ] {
            let trades = vec!["t1".to_owned()];
            assert_eq!(ok(&ours, name, "true", r#""""#), Submitted::Accepted(Acceptance { status, trades }));
        }
        assert!(matches!(ok(&ours, "live", "true", "null"), Submitted::Accepted(_)));
        let another = ok(r#""0x01""#, "live", "true", r#""""#);
        assert!(matches!(another, Submitted::Unknown(Doubt::AnotherOrder { .. })), "{another:?}");
        for outcome in [
            ok(&ours, "pending", "true", r#""""#),
            ok(r#""""#, "live", "true", r#""""#),
            ok(&ours, "live", "false", r#""""#),
            ok(&ours, "live", "true", r#""something new""#),
        ] {
            assert!(matches!(outcome, Submitted::Unknown(Doubt::Contradiction { .. })), "{outcome:?}");
        }
        for body in ["", "{}", "[]", r#"{"success":tr"#, "<html>200</html>", r#"{"orderID":"0xab"}"#] {
            let outcome = of_order(SENT, &answer(200, body));
            assert!(matches!(outcome, Submitted::Unknown(Doubt::Unreadable { .. })), "{body}: {outcome:?}");
        }
    }

    #[test]
    fn a_success_with_words_of_refusal_is_a_refusal() {
        let soft = ok(r#""""#, "", "true", r#""not enough balance / allowance""#);
        assert!(matches!(soft, Submitted::Rejected(Rejection::Balance { .. })), "{soft:?}");
        let hard = ok("null", "", "false", r#""there are no matching orders""#);
        assert!(matches!(hard, Submitted::Rejected(Rejection::NoMatch { .. })), "{hard:?}");
        let mute = ok("null", "", "false", "null");
        assert!(matches!(mute, Submitted::Rejected(Rejection::Other { .. })), "{mute:?}");
        let new = ok("null", "", "true", r#""something new""#);
        assert!(matches!(new, Submitted::Rejected(Rejection::Other { .. })), "{new:?}");
    }
}
