//! Everything that goes wrong, on command: what the client sees, and what is really so.

use std::time::Duration;

use devnet::{RandomFaults, SignatureType, Trouble, VenueFault, VenueRoute};
use domain::Side;
use serde_json::{Value, json};

use crate::trader::{Ledger, Terms, Trader, answer, begin, client, market_of};

/// What a client sees of a request: an answer, a broken one, or none in time.
#[derive(Debug, PartialEq)]
enum Seen {
    Answer(u16, Value),
    Broken,
    Silence,
}

async fn send(trader: &Trader, body: &Value) -> Seen {
    let request = trader.request("POST", "/order", &body.to_string(), 0).await;
    let asked = async {
        let response = request.send().await.map_err(|_| ())?;
        let status = response.status().as_u16();
        let text = response.text().await.map_err(|_| ())?;
        Ok::<_, ()>(Seen::Answer(status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    };
    match tokio::time::timeout(Duration::from_millis(700), asked).await {
        Ok(Ok(seen)) => seen,
        Ok(Err(())) => Seen::Broken,
        Err(_) => Seen::Silence,
    }
}

/// Each trouble, and whether the order is taken in nevertheless.
fn troubles() -> Vec<(Trouble, bool)> {
    vec![
        (Trouble::Restarting, false),
        (Trouble::RateLimited(3), false),
        (
            Trouble::Refused { status: 400, message: "order match delayed due to market conditions".into() },
            false,
        ),
        (Trouble::ErrorBefore, false),
        (Trouble::ErrorAfter, true),
        (Trouble::Html, false),
        (Trouble::HangBefore, false),
        (Trouble::HangAfter, true),
        (Trouble::CutBefore, false),
        (Trouble::CutAfter, true),
        (Trouble::Duplicated, true),
        (Trouble::Late(50), true),
        (Trouble::SoftFailure("could not insert order".into()), false),
        (Trouble::WrongOrderId, true),
        (Trouble::MissingOrderId, true),
        (Trouble::Half, true),
    ]
}

fn is_as_promised(trouble: &Trouble, seen: &Seen, id: &str) -> bool {
    match (trouble, seen) {
        (Trouble::HangBefore | Trouble::HangAfter, Seen::Silence)
        | (Trouble::CutBefore | Trouble::CutAfter, Seen::Broken) => true,
        (Trouble::Restarting, Seen::Answer(425, _)) | (Trouble::RateLimited(_), Seen::Answer(429, _)) => true,
        (Trouble::Refused { status, message }, Seen::Answer(seen, body)) => {
            seen == status && body["error"] == *message
        }
        (Trouble::ErrorBefore | Trouble::ErrorAfter, Seen::Answer(500, body)) => {
            body["error"] == "could not insert order"
        }
        (Trouble::Html, Seen::Answer(502, Value::String(page))) => page.starts_with("<html>"),
        (Trouble::Duplicated, Seen::Answer(400, body)) => {
            body["error"] == format!("order {id} is invalid. Duplicated.")
        }
        (Trouble::Late(_), Seen::Answer(200, body)) => body["orderID"] == id,
        (Trouble::SoftFailure(message), Seen::Answer(200, body)) => {
            body["success"] == true && body["errorMsg"] == *message && body["orderID"] == ""
        }
        (Trouble::WrongOrderId, Seen::Answer(200, body)) => {
            body["orderID"].is_string() && body["orderID"] != id && body["success"] == true
        }
        (Trouble::MissingOrderId, Seen::Answer(200, body)) => body["orderID"].is_null(),
        (Trouble::Half, Seen::Answer(200, Value::String(half))) => half.starts_with('{'),
        _ => false,
    }
}

#[tokio::test]
async fn every_trouble_is_seen_and_leaves_the_truth_it_promises() {
    let (devnet, _stop) = begin(0.5).await;
    let venue = devnet.venue();
    let mut trader = Trader::arrive(&devnet, 51, SignatureType::Eoa, 9_000).await;
    let (market, bid, _) = market_of(&devnet, Ledger::Standard).await;
    for (trouble, is_taken) in troubles() {
        venue.add_fault(VenueFault {
            route: Some(VenueRoute::PlaceOrder),
            trouble: trouble.clone(),
            times: Some(1),
        });
        let (body, id) = trader.order(&market, 0, &Terms::limit(Side::Buy, 5, bid - 6));
        let seen = send(&trader, &body).await;
        assert!(is_as_promised(&trouble, &seen, &id.to_string()), "{trouble:?}: {seen:?}");
        let truth = venue.account(trader.wallet).unwrap();
        assert_eq!(truth.orders.contains_key(&id), is_taken, "{trouble:?}");
        // What the client finds out by the order's hash is the truth, and the next attempt goes through.
        let (status, _) = trader.ask("GET", &format!("/data/order/{id}"), &Value::Null).await;
        assert_eq!(status, if is_taken { 200 } else { 404 }, "{trouble:?}");
        let again = send(&trader, &body).await;
        let expected = if is_taken { 400 } else { 200 };
        assert!(matches!(again, Seen::Answer(status, _) if status == expected), "{trouble:?}: {again:?}");
    }
}

#[tokio::test]
async fn a_slow_request_lands_after_its_client_has_left() {
    let (devnet, _stop) = begin(0.5).await;
    let venue = devnet.venue();
    let mut trader = Trader::arrive(&devnet, 52, SignatureType::Eoa, 900).await;
    let (market, bid, _) = market_of(&devnet, Ledger::Standard).await;
    let fault = VenueFault { route: None, trouble: Trouble::Slow(1_500), times: Some(1) };
    let (body, id) = trader.order(&market, 0, &Terms::limit(Side::Buy, 5, bid - 6));
    let request = trader.request("POST", "/order", &body.to_string(), 0).await;
    venue.add_fault(fault);
    let gone = tokio::time::timeout(Duration::from_millis(300), request.send()).await;
    assert!(gone.is_err());
    assert!(!venue.account(trader.wallet).unwrap().orders.contains_key(&id));
    crate::trader::until(async || {
        venue.account(trader.wallet).unwrap().orders.contains_key(&id).then_some(())
    })
    .await;
}

#[tokio::test]
async fn another_process_can_do_the_same_over_http() {
    let (devnet, _stop) = begin(1.0).await;
    let clob = &devnet.urls().clob;
    let post = async |path: &str, body: Value| {
        answer(client().post(format!("{clob}{path}")).json(&body).send().await.unwrap()).await
    };
    let owner = "0x00000000000000000000000000000000000000aa";
    let (status, opened) =
        post("/admin/accounts", json!({"owner": owner, "signature_type": "safe", "usd": "12.5"})).await;
    assert_eq!(status, 200, "{opened}");
    let url = format!("{clob}/admin/accounts/{}", opened["wallet"].as_str().unwrap());
    let truth: Value = client().get(url).send().await.unwrap().json().await.unwrap();
    assert_eq!((&truth["cash"], &truth["settled"]), (&json!("12.5"), &json!(true)));

    let fault = json!({"route": "time", "trouble": {"rate_limited": 9}, "times": 1});
    assert_eq!(post("/admin/faults", fault).await.0, 200);
    let limited = client().get(format!("{clob}/time")).send().await.unwrap();
    assert_eq!((limited.status().as_u16(), &limited.headers()["retry-after"]), (429, &"9".parse().unwrap()));
    assert_eq!(client().get(format!("{clob}/time")).send().await.unwrap().status(), 200);
    post("/admin/faults", json!({"trouble": "html"})).await;
    assert_eq!(client().get(format!("{clob}/ok")).send().await.unwrap().status(), 502);
    client().delete(format!("{clob}/admin/faults")).send().await.unwrap();
    assert_eq!(client().get(format!("{clob}/ok")).send().await.unwrap().status(), 200);
    let random = RandomFaults { seed: 3, share: 0.5, routes: vec![], troubles: vec![Trouble::Restarting] };
    assert_eq!(post("/admin/faults/random", json!(random)).await.0, 200);
    let mut met = 0;
    for _ in 0..40 {
        met += u32::from(client().get(format!("{clob}/ok")).send().await.unwrap().status() == 425);
    }
    assert!((8..=32).contains(&met), "{met}");
    devnet.venue().lift_faults();

    for (path, body) in [
        ("/admin/mode", json!({"mode": "cancel_only", "seconds": 5})),
        ("/admin/settlements", json!({"plan": ["failed", {"retried": 2}], "failed": 0.1})),
        ("/admin/sockets", json!({"missing": 0.5})),
        ("/admin/manners", json!({"geoblocked": true})),
    ] {
        assert_eq!(post(path, body).await.0, 200, "{path}");
    }
    let geo: Value = client().get(&devnet.urls().geoblock).send().await.unwrap().json().await.unwrap();
    assert_eq!((&geo["blocked"], &geo["country"]), (&json!(true), &json!("US")));
}
