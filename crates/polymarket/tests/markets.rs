//! Bodies as the venue sent them in 2026, cut to the fields that matter, and what they must become.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use domain::{Market, Oracle, Tick};
use polymarket::MarketFlaw;
use polymarket::wire::clob::BookBody;
use polymarket::wire::gamma::MarketBody;
use serde_json::{Value, json};

/// A neg-risk market of October 2026.
fn fed() -> Value {
    json!({
        "id": "2589812",
        "question": "Will there be no change in Fed interest rates after the October 2026 meeting?",
        "conditionId": "0xdf9bf27ee5757c55b44b8b9826ddc9ec3a8809aa3278634c45edbb7fc8f1a3e3",
        "slug": "will-there-be-no-change-in-fed-interest-rates",
        "endDate": "2026-10-29T03:59:00Z",
        "outcomes": "[\"Yes\", \"No\"]",
        "outcomePrices": "[\"0.745\", \"0.255\"]",
        "active": true, "closed": false, "acceptingOrders": true, "enableOrderBook": true,
        "negRisk": true,
        "orderPriceMinTickSize": 0.01, "orderMinSize": 5,
        "clobTokenIds": "[\"111061902544814266207267295505639408607400625795891618462682726460921782993748\", \"42038775866198212615491650114881818219665139981763207699110491615333273795415\"]",
        "events": [{"id": "606422", "slug": "fed-decision-in-october", "title": "Fed Decision in October?"}],
        "makerBaseFee": 1000, "takerBaseFee": 1000,
        "feesEnabled": true, "feeType": "economics_fees",
        "feeSchedule": {"exponent": 1, "rate": 0.05, "takerOnly": true, "rebateRate": 0.25},
        "version": "v1"
    })
}

/// A Protocol V2 market in the documented shape: 31-byte condition, position ids as a list.
fn up_or_down() -> Value {
    json!({
        "id": 7,
        "question": "Bitcoin Up or Down",
        "conditionId": "0x017089ce3ba22aaa0a4cba8250b8c8e1eb0000000000000000000000000000",
        "slug": "btc-up-or-down",
        "outcomes": ["Up", "Down"],
        "orderPriceMinTickSize": "0.001",
        "clobTokenIds": null,
        "positionIds": [
            "651150819117105875331414918119047680898421632356043490229292782433651916800",
            "651150819117105875331414918119047680898421632356043490229292782433651916801"
        ],
        "tags": [{"slug": "all"}, {"slug": "crypto"}],
        "feeSchedule": null,
        "version": "v2"
    })
}

fn read(value: Value) -> Result<Market, MarketFlaw> {
    serde_json::from_value::<MarketBody>(value).unwrap().into_market()
}

fn with(mut value: Value, field: &str, new: Value) -> Value {
    value[field] = new;
    value
}

#[test]
fn a_market_of_conditional_tokens() {
    let market = read(fed()).unwrap();
    assert_eq!(market.event, "fed-decision-in-october");
    assert_eq!(market.category.as_deref(), Some("economics"));
    assert_eq!(market.outcomes, ["Yes", "No"]);
    assert_eq!(market.tokens[1].to_string().get(..8), Some("42038775"));
    assert_eq!((market.tick, market.fee_rate_ppm), (Tick::CENT, 50_000));
    assert!(market.neg_risk && !market.protocol_v2);
    assert_eq!(market.end.unwrap().to_string(), "2026-10-29T03:59:00Z");
}

#[test]
fn a_question_on_the_neg_risk_adapter_has_its_place() {
    let id =
        |last: &str| json!(format!("0xdfe79e9a5f49307f93d4e6cf52a364f0e0a4cb170adde99c3dfd70506c3082{last}"));
    let place = |market: Value, question: Value| {
        read(with(with(fed(), "negRiskMarketID", market), "questionID", question)).unwrap().place
    };
    let found = place(id("00"), id("11")).unwrap();
    assert_eq!((json!(found.market.to_string()), found.question, found.questions), (id("00"), 17, None));
    // What does not fit together is no place, and no flaw either.
    assert_eq!(place(id("01"), id("11")), None);
    assert_eq!(place(json!(""), id("11")), None);
    assert_eq!(place(Value::Null, id("11")), None);
    assert_eq!(place(json!("nonsense"), id("11")), None);
    assert_eq!(read(fed()).unwrap().place, None);
}

#[test]
fn a_neg_risk_condition_of_protocol_v2_has_its_place_in_its_own_bits() {
    // Three conditions were asked for, and this is the fourth: any other answer.
    let condition =
        json!("0x02aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa000300000000000000000000000300"[..64].to_owned());
    let place = read(with(up_or_down(), "conditionId", condition)).unwrap().place.unwrap();
    assert_eq!((place.question, place.questions), (3, Some(4)));
    assert_eq!(
        place.market.to_string(),
        "0x02aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa000300000000000000000000000000"
    );
}

#[test]
fn a_market_of_protocol_v2() {
    let market = read(up_or_down()).unwrap();
    assert_eq!(
        market.condition.to_string(),
        "0x017089ce3ba22aaa0a4cba8250b8c8e1eb000000000000000000000000000000"
    );
    assert!(market.protocol_v2);
    assert_eq!((market.tick.ppm(), market.fee_rate_ppm), (1_000, 0));
    assert_eq!(market.event, market.slug, "without an event it is its own");
    assert_eq!((market.category.as_deref(), market.end), (Some("crypto"), None));
    // One client saw the list inside a string.
    let text = serde_json::to_string(&up_or_down()["positionIds"]).unwrap();
    assert_eq!(read(with(up_or_down(), "positionIds", json!(text))).unwrap(), market);
}

#[test]
fn a_v1_market_may_carry_positions_too_and_they_do_not_count() {
    let both = with(fed(), "positionIds", up_or_down()["positionIds"].clone());
    assert_eq!(read(both), read(fed()));
}

#[test]
fn how_far_the_oracle_is() {
    for (status, oracle) in [
        (Value::Null, Some(Oracle::Open)),
        (json!(""), Some(Oracle::Open)),
        (json!("requested"), Some(Oracle::Open)),
        (json!("proposed"), Some(Oracle::Proposed)),
        (json!("disputed"), Some(Oracle::Disputed)),
        (json!("resolved"), Some(Oracle::Settled)),
        (json!("settled"), Some(Oracle::Settled)),
        // A word that nobody knows says nothing, and keeps nobody from trading the market.
        (json!("pondered"), None),
    ] {
        assert_eq!(read(with(fed(), "umaResolutionStatus", status)).unwrap().oracle, oracle);
    }
    assert_eq!(read(fed()).unwrap().oracle, Some(Oracle::Open));
}

#[test]
fn free_markets() {
    assert_eq!(read(with(fed(), "feesEnabled", json!(false))).unwrap().fee_rate_ppm, 0);
    assert_eq!(read(with(fed(), "feeSchedule", Value::Null)).unwrap().fee_rate_ppm, 0);
}

#[test]
fn nothing_is_guessed() {
    let flaw = |field, value| read(with(fed(), field, value)).unwrap_err();
    assert_eq!(flaw("version", json!("v3")), MarketFlaw::Version(Some("v3".into())));
    assert!(matches!(flaw("version", json!("v2")), MarketFlaw::Tokens { .. }));
    assert!(matches!(flaw("conditionId", json!("0x12")), MarketFlaw::Condition(_)));
    assert!(matches!(flaw("clobTokenIds", json!("[\"1\"]")), MarketFlaw::Tokens { outcomes: 2, .. }));
    assert!(matches!(flaw("clobTokenIds", json!(["7", "7"])), MarketFlaw::Tokens { .. }));
    assert!(matches!(flaw("clobTokenIds", json!(["0x7", "8"])), MarketFlaw::Tokens { .. }));
    assert!(matches!(flaw("outcomes", Value::Null), MarketFlaw::Tokens { outcomes: 0, .. }));
    assert!(matches!(flaw("orderPriceMinTickSize", json!(0.03)), MarketFlaw::Tick(_)));
    let stale = json!({"exponent": 2, "rate": 0.25});
    assert!(matches!(flaw("feeSchedule", stale), MarketFlaw::Fee(_)));
}

/// JSON numbers lose digits where they have too many, and what is left is the id of something else.
#[test]
fn an_id_that_is_no_text_must_be_small_enough_to_be_exact() {
    let of = |ids: &str| {
        let text = fed().to_string();
        let quoted = json!(fed()["clobTokenIds"]).to_string();
        assert!(text.contains(&quoted));
        read(serde_json::from_str(&text.replace(&quoted, ids)).unwrap())
    };
    let unquoted = fed()["clobTokenIds"].as_str().unwrap().replace('"', "");
    for ids in [unquoted.clone(), json!(unquoted).to_string(), "[7, 8.0]".to_owned(), "[7, -8]".to_owned()] {
        let flaw = of(&ids).unwrap_err();
        assert!(matches!(flaw, MarketFlaw::Tokens { outcomes: 2, .. }), "{ids}: {flaw}");
    }
    let small = of("[7, 18446744073709551615]").unwrap();
    assert_eq!(small.tokens[1].to_string(), "18446744073709551615");
    let positions: Value =
        serde_json::from_str(&format!("{}", up_or_down()["positionIds"]).replace('"', "")).unwrap();
    assert!(matches!(read(with(up_or_down(), "positionIds", positions)), Err(MarketFlaw::Tokens { .. })));
}

#[test]
fn what_an_old_market_lacks_is_completed() {
    let mut old = fed();
    let fields = old.as_object_mut().unwrap();
    assert!(fields.remove("version").is_some() && fields.remove("orderPriceMinTickSize").is_some());
    assert_eq!(read(old.clone()), read(fed()), "conditional tokens on a grid of cents");
    let nulls = with(with(fed(), "version", Value::Null), "orderPriceMinTickSize", Value::Null);
    assert_eq!(read(nulls), read(fed()));

    // Which tokens count is not said, and the age does not tell.
    let both = with(old.clone(), "positionIds", up_or_down()["positionIds"].clone());
    assert_eq!(read(both), Err(MarketFlaw::Version(None)));
    assert_eq!(read(with(up_or_down(), "version", Value::Null)), Err(MarketFlaw::Version(None)));
    assert_eq!(read(with(old.clone(), "clobTokenIds", Value::Null)), Err(MarketFlaw::Version(None)));
    // Nor does it excuse a fee of another form.
    let fee = json!({"exponent": 2, "rate": 0.25});
    assert!(matches!(read(with(old, "feeSchedule", fee)), Err(MarketFlaw::Fee(_))));
}

#[test]
fn texts_with_control_characters_are_refused() {
    for letter in ['\0', '\n', '\u{1b}', '\u{7f}', '\u{9b}'] {
        let text = format!("Yes{letter}");
        for (field, named, value) in [
            ("question", "title", json!(text)),
            ("slug", "slug", json!(text)),
            ("events", "event", json!([{"id": 1, "slug": text}])),
            ("outcomes", "outcomes", json!(["No", text])),
            ("outcomes", "outcomes", json!(json!(["No", text]).to_string())),
        ] {
            let flaw = read(with(fed(), field, value)).unwrap_err();
            assert_eq!(flaw, MarketFlaw::Text { field: named }, "{letter:?}");
            assert!(!flaw.to_string().contains(letter));
        }
        // A category with one is simply not among the known.
        let category = with(up_or_down(), "tags", json!([{"slug": format!("crypto{letter}")}]));
        assert_eq!(read(category).unwrap().category, None);
    }
    let foreign = "Wird „Köln“ gewinnen\u{a0}? 🏆";
    assert_eq!(read(with(fed(), "question", json!(foreign))).unwrap().title, foreign);
}

#[test]
fn a_market_body_survives_being_written() {
    for value in [fed(), up_or_down()] {
        let body: MarketBody = serde_json::from_value(value.clone()).unwrap();
        let written = serde_json::to_value(&body).unwrap();
        assert!(written["outcomes"].is_string(), "lists inside strings, as the venue writes them");
        assert_eq!(read(written), read(value));
    }
}

/// Cut from a live book of July 2026: bids rise and asks fall towards the end, the best come last.
fn book() -> Value {
    json!({
        "market": "0x779291bef19b6709f61e9764a954aafe9ffae488d50ae674aabdcb4f248006d5",
        "asset_id": "14965588658799411272385430903075831224615961675357217884735713260981483529984",
        "timestamp": "1785207332003",
        "hash": "ed51f29564356daa77080c931e5dedaa7c2217ac",
        "bids": [{"price": "0.01", "size": "97895.02"}, {"price": "0.5", "size": "260"}],
        "asks": [{"price": "0.53", "size": "229.67"}, {"price": "0.52", "size": "210"}],
        "min_order_size": "5", "tick_size": "0.01", "neg_risk": false, "last_trade_price": "0.510"
    })
}

#[test]
fn a_book_is_read_from_its_worst_level_to_its_best() {
    let token = book()["asset_id"].as_str().unwrap().parse().unwrap();
    let read = |value| serde_json::from_value::<BookBody>(value).unwrap().into_book(token);
    let made = read(book()).unwrap();
    assert_eq!(made.best_bid(), Some("0.5".parse().unwrap()));
    assert_eq!(made.best_ask(), Some("0.52".parse().unwrap()));
    assert_eq!(made.bids[1].shares, "97895.02".parse().unwrap());
    assert_eq!(made.at.micros(), 1_785_207_332_003_000);

    // Numbers may come bare; a book may be empty.
    let bare = with(book(), "bids", json!([{"price": 0.5, "size": 260}, {"price": 0.01, "size": 97895.02}]));
    assert_eq!(read(bare).unwrap(), made);
    let empty = with(with(book(), "bids", json!([])), "asks", json!([]));
    assert_eq!(read(empty).unwrap().mid(), None);

    for (field, value) in [
        ("asset_id", json!("1")),
        ("timestamp", json!("soon")),
        ("tick_size", json!("0.02")),
        ("bids", json!([{"price": "1", "size": "5"}])),
        ("bids", json!([{"price": "0.5", "size": "-5"}])),
        ("asks", json!([{"price": "0.5", "size": "1e9"}])),
    ] {
        assert!(read(with(book(), field, value)).is_err(), "{field}");
    }
}
