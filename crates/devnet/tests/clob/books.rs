//! Orders of every kind of wallet on every kind of market: they rest, match, and leave.

use devnet::{OrderStatus, SignatureType};
use domain::{Shares, Side};
use serde_json::{Value, json};

use crate::trader::{Ledger, Terms, Trader, begin, market_of, touch, until};

const KINDS: [SignatureType; 4] =
    [SignatureType::Eoa, SignatureType::Proxy, SignatureType::Safe, SignatureType::Poly1271];

#[tokio::test]
async fn every_wallet_trades_on_every_ledger() {
    let (devnet, _stop) = begin(1.0).await;
    for (kind, seed) in KINDS.into_iter().zip(1..) {
        let mut trader = Trader::arrive(&devnet, seed, kind, 1_000).await;
        for ledger in Ledger::ALL {
            let (market, bid, ask) = market_of(&devnet, ledger).await;
            let low = Terms::limit(Side::Buy, 10, bid - 5);
            let (status, placed, id) = trader.place(&market, 0, &low).await;
            assert_eq!((status, &placed["status"]), (200, &json!("live")), "{kind:?} {ledger:?} {placed}");
            assert_eq!(placed["orderID"], json!(id), "the id is the order's hash");
            let order = trader.get(&format!("/data/order/{id}")).await;
            assert_eq!((&order["status"], &order["original_size"]), (&json!("LIVE"), &json!("10")));
            let listed = trader.get(&format!("/data/orders?market={}", market.condition)).await;
            assert_eq!((&listed["count"], &listed["data"][0]["id"]), (&json!(1), &json!(id)));
            let (_, gone) = trader.ask("DELETE", "/order", &json!({"orderID": id})).await;
            assert_eq!(gone, json!({"canceled": [id], "not_canceled": {}}));

            let (status, taken, id) = trader.place(&market, 0, &Terms::spend(10, ask + 3)).await;
            assert_eq!((status, &taken["status"]), (200, &json!("matched")), "{kind:?} {ledger:?} {taken}");
            let order = trader.get(&format!("/data/order/{id}")).await;
            assert_eq!(order["associate_trades"], taken["tradeIDs"]);
            // Price improvement is the taker's.
            let got: Shares = taken["takingAmount"].as_str().unwrap().parse().unwrap();
            assert!(got.micros() >= 10_000_000 * 100 / i64::try_from(ask + 3).unwrap(), "{taken}");
        }
        let truth = devnet.venue().account(trader.wallet).unwrap();
        assert_eq!(truth.orders.len(), 6);
        let ended = |status: &OrderStatus| !matches!(status, OrderStatus::Live | OrderStatus::Delayed);
        assert!(truth.orders.values().all(|(status, _)| ended(status)), "{:?}", truth.orders);
    }
}

#[tokio::test]
async fn a_resting_order_is_in_both_books_and_is_met_by_another_trader() {
    let (devnet, _stop) = begin(1.0).await;
    let mut maker = Trader::arrive(&devnet, 11, SignatureType::Safe, 1_000).await;
    let mut taker = Trader::arrive(&devnet, 12, SignatureType::Eoa, 1_000).await;
    let (market, _, ask) = market_of(&devnet, Ledger::Standard).await;
    // On a finer grid there is room between the world's best prices.
    devnet.venue().set_tick(market.tokens[0], 1_000).unwrap();
    let inside = Terms { maker: 20 * (ask * 10_000 - 1_000), ..Terms::limit(Side::Buy, 20, ask) };
    let (status, placed, id) = maker.place(&market, 0, &inside).await;
    assert_eq!((status, &placed["status"]), (200, &json!("live")), "{placed}");
    let price = format!("0.{}9", ask - 1);
    let book = |token: domain::TokenId| {
        let url = format!("{}/book?token_id={token}", devnet.urls().clob);
        async move { crate::trader::client().get(url).send().await.unwrap().json::<Value>().await.unwrap() }
    };
    let yes = book(market.tokens[0]).await;
    assert_eq!(yes["bids"].as_array().unwrap().last().unwrap(), &json!({"price": price, "size": "20"}));
    let no = book(market.tokens[1]).await;
    let mirrored = 1_000_000 - (ask * 10_000 - 1_000);
    let best = no["asks"].as_array().unwrap().last().unwrap().clone();
    let best_price: domain::Price = best["price"].as_str().unwrap().parse().unwrap();
    assert_eq!((u64::from(best_price.ppm()), &best["size"]), (mirrored, &json!("20")));

    // Who buys the other outcome at that price makes new shares with it.
    let usd = 10 * mirrored;
    let other = Terms { maker: usd, taker: 10_000_000, ..Terms::limit(Side::Buy, 10, 1) };
    let (status, taken, _) = taker.place(&market, 1, &other).await;
    assert_eq!((status, &taken["status"]), (200, &json!("matched")), "{taken}");
    let order = maker.get(&format!("/data/order/{id}")).await;
    let matched: Shares = order["size_matched"].as_str().unwrap().parse().unwrap();
    assert!(matched >= Shares::whole(10), "{order}");
    let trades = maker.get(&format!("/data/trades?id={}", taken["tradeIDs"][0].as_str().unwrap())).await;
    let trade = &trades["data"][0];
    assert_eq!((&trade["trader_side"], &trade["owner"]), (&json!("MAKER"), &json!(maker.api_key())));
    let met = trade["maker_orders"]
        .as_array()
        .unwrap()
        .iter()
        .find(|order| order["order_id"] == json!(id))
        .unwrap();
    assert_eq!((&met["matched_amount"], &met["side"]), (&json!("10"), &json!("BUY")));
    assert_eq!(met["asset_id"], market.tokens[0].to_string());
}

#[tokio::test]
async fn what_rests_is_filled_when_the_world_trades_through_it() {
    let (devnet, _stop) = begin(3.0).await;
    let mut trader = Trader::arrive(&devnet, 13, SignatureType::Eoa, 5_000).await;
    let mut placed = Vec::new();
    // At the touch of many markets, some is reached before the market ends.
    for outcome in [0, 1].into_iter().cycle().take(12) {
        let (market, bid, ask) = market_of(&devnet, Ledger::ALL[placed.len() % 3]).await;
        let best = if outcome == 0 { bid } else { 100 - ask };
        let (status, answer, id) =
            trader.place(&market, outcome, &Terms::limit(Side::Buy, 5, best).post_only()).await;
        if status == 200 {
            placed.push(id);
        } else {
            assert!(answer["error"].as_str().unwrap().contains("crosses book"), "{answer}");
        }
    }
    let filled = until(async || {
        let truth = devnet.venue().account(trader.wallet).unwrap();
        placed.iter().find(|id| truth.orders[*id].0 == OrderStatus::Matched).copied()
    })
    .await;
    let order = trader.get(&format!("/data/order/{filled}")).await;
    assert_eq!((&order["status"], &order["size_matched"]), (&json!("MATCHED"), &json!("5")));
    let trade =
        trader.get(&format!("/data/trades?id={}", order["associate_trades"][0].as_str().unwrap())).await;
    assert_eq!(trade["data"][0]["trader_side"], "MAKER");
}

#[tokio::test]
async fn orders_that_trade_at_once_do_so_in_their_own_way() {
    let (devnet, _stop) = begin(1.0).await;
    let mut trader = Trader::arrive(&devnet, 14, SignatureType::Eoa, 60_000).await;
    let (market, bid, ask) = market_of(&devnet, Ledger::Standard).await;
    let error = |answer: &Value| answer["error"].as_str().unwrap_or_default().to_owned();

    let (status, answer, _) = trader.place(&market, 0, &Terms::spend(10, bid)).await;
    assert_eq!(status, 400);
    assert!(error(&answer).starts_with("no orders found to match with FAK order"), "{answer}");
    let (status, answer, id) = trader.place(&market, 0, &Terms::limit(Side::Buy, 10, bid).kind("FOK")).await;
    assert_eq!(status, 400);
    assert_eq!(error(&answer), "order couldn't be fully filled. FOK orders are fully filled or killed.");
    assert_eq!(trader.get(&format!("/data/order/{id}")).await["status"], "CANCELED");
    let crossing = Terms::limit(Side::Buy, 10, ask + 2);
    let (status, answer, _) = trader.place(&market, 0, &crossing.clone().post_only()).await;
    assert_eq!((status, error(&answer).as_str()), (400, "invalid post-only order: order crosses book"));

    // More than rests there: what there is is taken, the rest of it rests, or ends.
    let (_, top) = touch(&devnet, market.tokens[0]).await.unwrap();
    let much = Terms::limit(Side::Buy, 60_000, top);
    let (status, answer, id) = trader.place(&market, 0, &much).await;
    assert_eq!((status, &answer["status"]), (200, &json!("matched")), "{answer}");
    let rest = trader.get(&format!("/data/order/{id}")).await;
    assert_eq!(rest["status"], "LIVE", "{rest}");
    let matched: Shares = rest["size_matched"].as_str().unwrap().parse().unwrap();
    assert!(matched.is_positive() && matched < Shares::whole(60_000), "{rest}");
    let (_, gone) = trader.ask("DELETE", "/cancel-all", &Value::Null).await;
    assert_eq!(gone["canceled"], json!([id]));
}

#[tokio::test]
async fn batches_and_selective_cancels() {
    let (devnet, _stop) = begin(1.0).await;
    let mut trader = Trader::arrive(&devnet, 15, SignatureType::Proxy, 5_000).await;
    let (market, bid, _) = market_of(&devnet, Ledger::Standard).await;
    let (other, other_bid, _) = market_of(&devnet, Ledger::V3).await;
    let mut bodies: Vec<Value> =
        (1..5).map(|step| trader.order(&market, 0, &Terms::limit(Side::Buy, 5, bid - step)).0).collect();
    bodies.push(trader.order(&other, 0, &Terms::limit(Side::Buy, 5, other_bid - 1)).0);
    bodies.push(trader.order(&other, 0, &Terms::limit(Side::Buy, 1, other_bid - 1)).0);
    let (status, answers) = trader.ask("POST", "/orders", &json!(bodies)).await;
    assert_eq!(status, 200);
    let answers = answers.as_array().unwrap();
    assert!(answers[..5].iter().all(|one| one["status"] == "live"), "{answers:?}");
    // A refusal looks like success.
    assert_eq!((&answers[5]["success"], &answers[5]["orderID"]), (&json!(true), &json!("")));
    assert!(answers[5]["errorMsg"].as_str().unwrap().contains("lower than the minimum"));

    let sixteen: Vec<Value> = vec![bodies[0].clone(); 16];
    assert_eq!(trader.ask("POST", "/orders", &json!(sixteen)).await.0, 400);
    let (_, gone) = trader.ask("DELETE", "/cancel-market-orders", &json!({"market": other.condition})).await;
    assert_eq!(gone["canceled"], json!([answers[4]["orderID"]]));
    let two = json!([answers[0]["orderID"], answers[4]["orderID"]]);
    let (_, gone) = trader.ask("DELETE", "/orders", &two).await;
    assert_eq!(gone["canceled"], json!([answers[0]["orderID"]]));
    assert_eq!(
        gone["not_canceled"][answers[4]["orderID"].as_str().unwrap()],
        "the order is already canceled"
    );
    let (_, gone) = trader.ask("DELETE", "/cancel-all", &Value::Null).await;
    assert_eq!(gone["canceled"].as_array().unwrap().len(), 3);
}
