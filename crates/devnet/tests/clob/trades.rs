//! What becomes of matches: on the chain, confirmed, retried, failed, redeemed; and every millionth of a dollar.

use devnet::{AccountTruth, Devnet, OrderStatus, Settlement, SignatureType, TradeStatus};
use domain::{ChainEvent, Fee, Fill, Role, Side, Usd, Wallet};
use serde_json::{Value, json};

use crate::trader::{Ledger, Terms, Trader, begin, market_of, until};

/// What the chain says a wallet paid and got.
fn cash_on_chain(devnet: &Devnet, account: &AccountTruth) -> Usd {
    let wallet = Wallet(account.wallet);
    let fills: Usd = devnet
        .canonical_fills()
        .iter()
        .filter(|fill| fill.fill.wallet == wallet)
        .map(|fill| fill.fill.cash_change())
        .sum();
    let paid: Usd = devnet
        .canonical_ledger()
        .iter()
        .filter_map(|told| match told.event {
            ChainEvent::Redemption { wallet: whose, payout, .. } if whose == wallet => Some(payout),
            _ => None,
        })
        .sum();
    account.funded + fills + paid
}

fn fills_of(devnet: &Devnet, trader: &Trader) -> Vec<Fill> {
    let fills = devnet.canonical_fills().into_iter().map(|fill| fill.fill);
    fills.filter(|fill| fill.wallet == Wallet(trader.wallet)).collect()
}

async fn settled(devnet: &Devnet, trader: &Trader) -> AccountTruth {
    until(async || devnet.venue().is_settled(trader.wallet).then_some(())).await;
    devnet.venue().account(trader.wallet).unwrap()
}

#[tokio::test]
async fn matches_come_to_the_chain_and_the_cash_agrees_to_the_millionth() {
    let (devnet, _stop) = begin(2.0).await;
    let mut trader = Trader::arrive(&devnet, 31, SignatureType::Poly1271, 1_000).await;
    let mut ids = Vec::new();
    for ledger in Ledger::ALL {
        let (market, _, ask) = market_of(&devnet, ledger).await;
        let (status, bought, _) = trader.place(&market, 0, &Terms::spend(37, ask + 3)).await;
        assert_eq!(status, 200, "{bought}");
        ids.push(bought["tradeIDs"][0].as_str().unwrap().to_owned());
        // What is not on the chain yet cannot be sold.
        let sale = Terms::limit(Side::Sell, 20, 1);
        let (early, said, _) = trader.place(&market, 0, &sale).await;
        assert_eq!(early, 400, "{said}");
        settled(&devnet, &trader).await;
        let kind = if ledger == Ledger::V3 { "CONDITIONAL-V2" } else { "CONDITIONAL" };
        let path =
            format!("/balance-allowance?asset_type={kind}&token_id={}&signature_type=3", market.tokens[0]);
        let held: i64 = trader.get(&path).await["balance"].as_str().unwrap().parse().unwrap();
        assert!(held > 20_000_000, "{held}");
        let (status, sold, _) = trader.place(&market, 0, &sale).await;
        if status == 200 {
            ids.push(sold["tradeIDs"][0].as_str().unwrap().to_owned());
        } else {
            // It was answered meanwhile.
            assert_eq!(status, 404, "{sold}");
        }
    }
    let truth = settled(&devnet, &trader).await;
    assert!(truth.trades.iter().all(|(_, status, tx)| *status == TradeStatus::Confirmed && tx.is_some()));
    assert_eq!(truth.trades.iter().map(|(id, ..)| id.clone()).collect::<Vec<_>>(), ids);
    for id in &ids {
        let page = trader.get(&format!("/data/trades?id={id}")).await;
        let trade = &page["data"][0];
        assert_eq!((&page["count"], &trade["status"]), (&json!(1), &json!("CONFIRMED")));
        let on_chain = devnet.canonical_fills();
        let hash = trade["transaction_hash"].as_str().unwrap();
        let rows: Vec<_> = on_chain.iter().filter(|fill| fill.tx_hash.to_string() == hash).collect();
        assert_eq!(rows.len(), trade["maker_orders"].as_array().unwrap().len() + 1);
        let mine = rows.iter().find(|row| row.fill.role == Role::Taker).unwrap().fill;
        assert_eq!(
            (mine.wallet, mine.shares.to_string().as_str()),
            (Wallet(trader.wallet), trade["size"].as_str().unwrap())
        );
        // Both sides of a match, and of the dollars, are there.
        let others = rows.iter().filter(|row| row.fill.role == Role::Maker);
        let shares: i64 = others.map(|row| row.fill.shares.micros()).sum();
        assert_eq!(shares, mine.shares.micros());
    }
    let fees: i64 = fills_of(&devnet, &trader)
        .iter()
        .map(|fill| match fill.fee {
            Fee::Usd(fee) => fee.micros(),
            Fee::Shares(_) => 0,
        })
        .sum();
    assert!(fees >= 0);
    let truth = devnet.venue().account(trader.wallet).unwrap();
    assert_eq!(truth.cash, cash_on_chain(&devnet, &truth));
    assert_eq!(trader.get("/data/trades?next_cursor=MA==").await["count"], json!(ids.len()));
}

#[tokio::test]
async fn failed_settlements_take_everything_back() {
    let (devnet, _stop) = begin(2.0).await;
    let mut trader = Trader::arrive(&devnet, 32, SignatureType::Eoa, 1_000).await;
    devnet.venue().plan_settlements([Settlement::Failed, Settlement::Retried(2), Settlement::Mined]);
    let mut ids = Vec::new();
    for _ in 0..3 {
        let (market, _, ask) = market_of(&devnet, Ledger::Standard).await;
        let (status, bought, _) = trader.place(&market, 0, &Terms::spend(10, ask + 3)).await;
        assert_eq!((status, &bought["status"]), (200, &json!("matched")), "{bought}");
        ids.push(bought["tradeIDs"][0].clone());
    }
    let truth = settled(&devnet, &trader).await;
    let ends: Vec<_> = truth.trades.iter().map(|(_, status, _)| *status).collect();
    assert_eq!(ends, [TradeStatus::Failed, TradeStatus::Confirmed, TradeStatus::Confirmed]);
    let page = trader.get("/data/trades").await;
    let failed = page["data"].as_array().unwrap().iter().find(|trade| trade["id"] == ids[0]).unwrap();
    assert_eq!(
        (&failed["status"], &failed["err_msg"]),
        (&json!("FAILED"), &json!("the transaction was reverted"))
    );
    let hash = failed["transaction_hash"].as_str().unwrap();
    assert!(devnet.canonical_fills().iter().all(|fill| fill.tx_hash.to_string() != hash));
    assert_eq!(fills_of(&devnet, &trader).len(), 2);
    let truth = devnet.venue().account(trader.wallet).unwrap();
    assert_eq!(truth.cash, cash_on_chain(&devnet, &truth));
}

#[tokio::test]
async fn winners_of_every_ledger_are_paid_and_losers_keep_their_shares() {
    let (devnet, _stop) = begin(10.0).await;
    let mut trader = Trader::arrive(&devnet, 33, SignatureType::Safe, 5_000).await;
    let mut held = Vec::new();
    for ledger in Ledger::ALL {
        let (market, _, ask) = market_of(&devnet, ledger).await;
        for (outcome, cents) in [(0, ask + 8), (1, 99)] {
            let (status, answer, _) = trader.place(&market, outcome, &Terms::spend(20, cents.min(99))).await;
            // It may have been answered in between.
            if status == 200 {
                held.push((ledger, market.tokens[outcome]));
            } else {
                assert!([400, 404].contains(&status), "{answer}");
            }
        }
        // Something that rests when the market is answered.
        trader.place(&market, 0, &Terms::limit(Side::Buy, 5, 1)).await;
    }
    assert!(held.len() >= 3, "{held:?}");
    // All of these markets are answered soon, and those who won in them are paid.
    let truth = until(async || {
        let truth = devnet.venue().account(trader.wallet).unwrap();
        let is_over = truth.orders.values().all(|(status, _)| *status != OrderStatus::Live);
        let paid = truth.redeemed.is_positive() && devnet.venue().is_settled(trader.wallet);
        let url = format!("{}/books", devnet.urls().clob);
        let asked: Vec<Value> =
            held.iter().map(|(_, token)| json!({"token_id": token.to_string()})).collect();
        let books: Value =
            crate::trader::client().post(url).json(&asked).send().await.unwrap().json().await.unwrap();
        let is_answered = books.as_array().unwrap().is_empty();
        // The blocks after the answer bring the dollars.
        (is_over && paid && is_answered && cash_on_chain(&devnet, &truth) == truth.cash).then_some(truth)
    })
    .await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let later = devnet.venue().account(trader.wallet).unwrap();
    assert_eq!(later.cash, cash_on_chain(&devnet, &later));
    assert!(later.redeemed >= truth.redeemed);
    assert!(later.orders.values().any(|(status, _)| *status == OrderStatus::CanceledMarketResolved));
    // Of each market at most one of the two outcomes is left, and it is worth nothing.
    assert!(later.shares.len() < held.len(), "{:?}", later.shares);
}

#[tokio::test]
async fn who_falls_silent_has_nothing_in_the_book_any_more() {
    let (devnet, _stop) = begin(0.5).await;
    let mut trader = Trader::arrive(&devnet, 34, SignatureType::Eoa, 1_000).await;
    let (market, ..) = market_of(&devnet, Ledger::Standard).await;
    let (_, beat) = trader.ask("POST", "/v1/heartbeats", &json!({"heartbeat_id": ""})).await;
    let first = beat["heartbeat_id"].as_str().unwrap().to_owned();
    let (status, wrong) = trader.ask("POST", "/v1/heartbeats", &json!({"heartbeat_id": "x"})).await;
    assert_eq!((status, &wrong["heartbeat_id"]), (400, &json!(first)));
    let (status, _) = trader.ask("POST", "/v1/heartbeats", &json!({"heartbeat_id": first})).await;
    assert_eq!(status, 200);
    let (_, placed, id) = trader.place(&market, 0, &Terms::limit(Side::Buy, 5, 1)).await;
    assert_eq!(placed["status"], "live", "{placed}");
    let ended = until(async || {
        let truth = devnet.venue().account(trader.wallet).unwrap();
        let status = truth.orders[&id].0.clone();
        (status != OrderStatus::Live).then_some(status)
    })
    .await;
    assert!(
        [OrderStatus::Canceled("heartbeat missed"), OrderStatus::CanceledMarketResolved].contains(&ended),
        "{ended:?}"
    );
}

#[tokio::test]
async fn where_takers_wait_an_order_is_delayed_and_then_matched_like_any_other() {
    let (devnet, _stop) = begin(0.5).await;
    let mut trader = Trader::arrive(&devnet, 35, SignatureType::Eoa, 1_000).await;
    let market = crate::trader::game(&devnet).await;
    let (status, placed, id) = trader.place(&market, 0, &Terms::spend(10, 99)).await;
    assert_eq!((status, &placed["status"]), (200, &json!("delayed")), "{placed}");
    assert_eq!(placed["tradeIDs"], json!([]));
    let (_, gone) = trader.ask("DELETE", "/order", &json!({"orderID": id})).await;
    assert_eq!(gone["not_canceled"][id.to_string()], "the order is delayed and can't be canceled");
    let order = until(async || {
        let order = trader.get(&format!("/data/order/{id}")).await;
        (order["status"] != "DELAYED").then_some(order)
    })
    .await;
    assert_eq!(order["status"], "MATCHED", "{order}");
    // What only rests need not wait.
    let low = Terms::limit(Side::Buy, 5, 1);
    assert_eq!(trader.place(&market, 0, &low).await.1["status"], "live");
}
