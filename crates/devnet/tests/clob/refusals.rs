//! Whoever is not who they say, and orders that are not what they must be, are refused in the venue's words.

use std::time::Duration;

use devnet::{Mode, SignatureType};
use domain::{Exchange, Side};
use serde_json::{Value, json};

use crate::trader::{Ledger, Terms, Trader, answer, begin, client, market_of};

fn error(answer: &Value) -> &str {
    answer["error"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn nobody_gets_in_without_proof() {
    let (devnet, _stop) = begin(1.0).await;
    let trader = Trader::arrive(&devnet, 21, SignatureType::Eoa, 100).await;
    // A key is made once.
    let (status, again) = trader.attested("POST", "/auth/api-key", 0).await;
    assert_eq!((status, error(&again)), (400, "Could not create api key"));
    let (status, other) = trader.attested("POST", "/auth/api-key", 7).await;
    assert_eq!(status, 200);
    assert_ne!(other["apiKey"], trader.auth()["apiKey"]);
    assert_eq!(trader.attested("GET", "/auth/derive-api-key", 7).await.1, other);

    for (method, path) in [
        ("GET", "/data/orders"),
        ("GET", "/data/trades"),
        ("GET", "/data/order/0x00"),
        ("GET", "/balance-allowance"),
        ("GET", "/auth/ban-status/closed-only"),
        ("GET", "/auth/api-keys"),
        ("POST", "/order"),
        ("POST", "/orders"),
        ("DELETE", "/order"),
        ("DELETE", "/orders"),
        ("DELETE", "/cancel-all"),
        ("DELETE", "/cancel-market-orders"),
        ("POST", "/v1/heartbeats"),
    ] {
        let url = format!("{}{path}", devnet.urls().clob);
        let bare = client().request(method.parse().unwrap(), url).send().await.unwrap();
        assert_eq!(
            answer(bare).await,
            (401, json!({"error": "Unauthorized/Invalid api key"})),
            "{method} {path}"
        );
        // Proved, but for another moment, or another body.
        for off in [-90, 90] {
            let late = trader.request(method, path, "{}", off).await.send().await.unwrap();
            assert_eq!(late.status(), 401, "{method} {path} {off}");
        }
        let changed = trader.request(method, path, "{}", 0).await.body("{ }").send().await.unwrap();
        assert_eq!(changed.status(), 401, "{method} {path}");
        let right = trader.request(method, path, "{}", 0).await.send().await.unwrap();
        assert_ne!(right.status(), 401, "{method} {path}");
    }
    // The attestation, too, is for a moment.
    let url = format!("{}/auth/derive-api-key", devnet.urls().clob);
    let bare = client().get(url).header("POLY_ADDRESS", trader.owner.to_string()).send().await.unwrap();
    assert_eq!(answer(bare).await, (401, json!({"error": "Invalid L1 Request headers"})));
}

#[tokio::test]
async fn orders_that_are_not_right_are_refused_in_the_venues_words() {
    let (devnet, _stop) = begin(1.0).await;
    let mut trader = Trader::arrive(&devnet, 22, SignatureType::Eoa, 100).await;
    let stranger = Trader::arrive(&devnet, 23, SignatureType::Safe, 100).await;
    let (market, bid, ask) = market_of(&devnet, Ledger::Standard).await;
    let low = Terms::limit(Side::Buy, 5, bid - 2);
    let now = trader.server_seconds().await;

    let mut refused = Vec::new();
    let (mut body, _) = trader.order(&market, 0, &low);
    body["owner"] = json!(stranger.api_key());
    refused.push((body, "the order owner has to be the owner of the API KEY"));
    let (mut body, _) = trader.order(&market, 0, &low);
    body["order"]["signer"] = json!(stranger.owner.to_string());
    refused.push((body, "the order signer address has to be the address of the API KEY"));
    let (mut body, _) = trader.order(&market, 0, &low);
    (body["order"]["signatureType"], body["order"]["maker"]) = (json!(2), json!(stranger.wallet.to_string()));
    refused.push((body, "maker address not allowed, please use the deposit wallet flow"));
    let (mut body, _) = trader.order(&market, 0, &low);
    body["order"]["takerAmount"] = json!("6000000");
    refused.push((body, "invalid signature"));
    let (body, _) = trader.order_for(Ledger::V3, market.tokens[0], &low);
    refused.push((body, "order_version_mismatch"));
    let (body, _) = trader.order_for(Ledger::NegRisk, market.tokens[0], &low);
    refused.push((body, "invalid signature"));
    let mut with = |terms: Terms, says| refused.push((trader.order(&market, 0, &terms).0, says));
    with(Terms { maker: low.maker + 5_000, ..low.clone() }, "breaks minimum tick size rule: 0.01");
    with(Terms { maker: low.maker + 1, ..low.clone() }, "invalid amounts");
    with(Terms::limit(Side::Buy, 4, bid - 2), "Size (4) lower than the minimum: 5");
    with(Terms { expiration: now + 170, ..low.clone() }.kind("GTD"), "invalid expiration");
    with(Terms { expiration: now + 170, ..low.clone() }, "invalid expiration");
    with(Terms { maker: 500_000, taker: 1_000_000, ..Terms::spend(1, 50) }, "min size: $1");
    with(Terms { maker: 10_001_000, ..Terms::spend(10, ask) }, "max accuracy of 2 decimals");
    with(Terms::limit(Side::Buy, 5_000, bid - 2), "not enough balance / allowance");
    with(Terms::limit(Side::Sell, 5, 90), "not enough balance / allowance");
    for (body, says) in refused {
        let (status, said) = trader.ask("POST", "/order", &body).await;
        assert_eq!(status, 400, "{says}: {said}");
        assert!(error(&said).contains(says), "{says}: {said}");
    }
    for body in [json!({}), json!({"order": 5}), json!([]), json!("x")] {
        let (status, said) = trader.ask("POST", "/order", &body).await;
        assert_eq!((status, error(&said)), (400, "Invalid order payload"));
    }
    let (mut body, _) = trader.order(&market, 0, &low);
    body["order"]["salt"] = json!(1u64 << 53);
    assert_eq!(error(&trader.ask("POST", "/order", &body).await.1), "Invalid order payload");

    // Nothing of that was taken in, and what is right is taken once.
    let venue = devnet.venue();
    assert!(venue.account(trader.wallet).unwrap().orders.is_empty());
    let (body, id) = trader.order(&market, 0, &low);
    assert_eq!(trader.ask("POST", "/order", &body).await.0, 200);
    let (status, said) = trader.ask("POST", "/order", &body).await;
    assert_eq!((status, error(&said)), (400, format!("order {id} is invalid. Duplicated.").as_str()));
    assert_eq!(venue.account(trader.wallet).unwrap().orders.len(), 1);
    let nobodys = Terms::limit(Side::Buy, 5, 50);
    let (body, _) = trader.order_for(Ledger::Standard, "77".parse().unwrap(), &nobodys);
    assert_eq!(trader.ask("POST", "/order", &body).await.0, 404);
    assert_eq!(stranger.ask("GET", &format!("/data/order/{id}"), &Value::Null).await.0, 404);
    let (_, gone) = stranger.ask("DELETE", "/order", &json!({"orderID": id})).await;
    assert_eq!(gone["canceled"], json!([]));
}

#[tokio::test]
async fn standing_allowances_and_modes_hold_orders_back() {
    let (devnet, _stop) = begin(1.0).await;
    let venue = devnet.venue();
    let mut trader = Trader::arrive(&devnet, 24, SignatureType::Poly1271, 500).await;
    let (market, bid, _) = market_of(&devnet, Ledger::Standard).await;
    let low = Terms::limit(Side::Buy, 5, bid - 2);
    let wallet = trader.wallet;

    venue.allow_dollars(wallet, Exchange::V2, false).unwrap();
    let (status, said, _) = trader.place(&market, 0, &low).await;
    assert_eq!(status, 400);
    assert!(error(&said).contains("the allowance is not enough"), "{said}");
    // It tells what it read off the chain last, until it is asked to read it again.
    let asked = "asset_type=COLLATERAL&signature_type=3";
    for forbidden in [0, 1] {
        let balance = trader.get(&format!("/balance-allowance?{asked}")).await;
        assert_eq!(balance["balance"], "500000000");
        let allowances = balance["allowances"].as_object().unwrap();
        assert_eq!(allowances.len(), 3);
        assert_eq!(allowances.values().filter(|allowance| *allowance == "0").count(), forbidden);
        trader.get(&format!("/balance-allowance/update?{asked}")).await;
    }
    // Another type is another wallet, which has nothing.
    let other = trader.get("/balance-allowance?asset_type=COLLATERAL&signature_type=0").await;
    assert_eq!(other["balance"], "0");
    venue.allow_dollars(wallet, Exchange::V2, true).unwrap();

    venue.set_closed_only(wallet, true).unwrap();
    assert_eq!(trader.get("/auth/ban-status/closed-only").await, json!({"closed_only": true}));
    let (_, said, _) = trader.place(&market, 0, &low).await;
    assert_eq!(error(&said), format!("'{wallet}' address in closed only mode"));
    venue.set_closed_only(wallet, false).unwrap();
    venue.set_banned(wallet, true).unwrap();
    let (_, said, _) = trader.place(&market, 0, &low).await;
    assert_eq!(error(&said), format!("'{wallet}' address banned"));
    venue.set_banned(wallet, false).unwrap();

    let (_, placed, id) = trader.place(&market, 0, &low).await;
    assert_eq!(placed["status"], "live", "{placed}");
    venue.set_mode(Mode::CancelOnly, None);
    let (status, said, _) = trader.place(&market, 0, &low).await;
    assert_eq!(status, 503);
    assert!(error(&said).starts_with("Trading is currently cancel-only"), "{said}");
    let (_, gone) = trader.ask("DELETE", "/order", &json!({"orderID": id})).await;
    assert_eq!(gone["canceled"], json!([id]));
    venue.set_mode(Mode::Disabled, None);
    assert_eq!(trader.place(&market, 0, &low).await.0, 503);
    assert_eq!(trader.ask("DELETE", "/cancel-all", &Value::Null).await.0, 503);
    venue.set_mode(Mode::Restarting, None);
    assert_eq!(trader.place(&market, 0, &low).await.0, 425);
    assert_eq!(trader.ask("DELETE", "/cancel-all", &Value::Null).await.0, 425);

    venue.set_mode(Mode::PostOnly, Some(Duration::from_secs(79)));
    let (body, _) = trader.order(&market, 0, &low);
    let text = body.to_string();
    let response = trader.request("POST", "/order", &text, 0).await.send().await.unwrap();
    let wait = response.headers()["retry-after"].to_str().unwrap().to_owned();
    let (status, said) = answer(response).await;
    assert_eq!((status, &said["code"]), (503, &json!("post_only_mode")));
    assert_eq!(said["retry_after_seconds"].to_string(), wait);
    let (status, said) = trader.ask("POST", "/orders", &json!([body])).await;
    assert_eq!((status, &said[0]["success"], &said[0]["orderID"]), (200, &json!(true), &json!("")));
    assert!(said[0]["errorMsg"].as_str().unwrap().starts_with("post-only mode"));
    assert_eq!(trader.place(&market, 0, &low.post_only()).await.0, 200);
}
