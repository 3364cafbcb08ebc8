//! Verdicts in PostgreSQL: everything that is believed, now and at any earlier time, and quickly.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use alloy_primitives::Address;
use domain::{Assessment, Figures, Tier, Timestamp, Verdict, Wallet, WalletScore};
use serde_json::{Value, json};
use store::reports::{self, WantedWallets};
use store::scores::{Publication, Standing};
use store::testing::{self, TestDatabase};
use store::{Store, feed, scores};

fn wallet(number: u64) -> Wallet {
    Wallet(Address::left_padding_from(&number.to_be_bytes()))
}

fn hour(number: i64) -> Timestamp {
    Timestamp::from_seconds(1_780_000_000 + 3_600 * number)
}

fn assessment(number: u64, tier: Tier, as_of: Timestamp) -> Assessment {
    testing::assessment(wallet(number), tier, as_of)
}

/// Nothing has happened but that it was seen.
fn beginner(number: u64, as_of: Timestamp) -> Assessment {
    let full = assessment(number, Tier::Unrated, as_of);
    Assessment {
        verdict: WalletScore {
            win_rate: None,
            break_even_win_rate: None,
            profit_factor: None,
            roi: None,
            profitable_weeks: None,
            mean_drift: None,
            decisions: 0,
            wins: 0,
            ..full.verdict
        },
        figures: Figures {
            win_rate_30d: None,
            break_even_win_rate_30d: None,
            decisions_30d: 0,
            wins_30d: 0,
            tier_before: None,
            ..full.figures
        },
        skill: None,
        median_cost: None,
        clv: None,
        is_verified: false,
        flags: vec![],
        ..full
    }
}

async fn opened() -> (TestDatabase, Store) {
    let database = TestDatabase::create().await;
    let store = Store::over(database.pool()).await.unwrap();
    (database, store)
}

async fn publish(store: &Store, as_of: Timestamp, assessments: &[Assessment]) {
    publish_as(store, Publication { as_of, learned: as_of, folded: 41 }, assessments).await;
}

async fn publish_as(store: &Store, publication: Publication, assessments: &[Assessment]) {
    let mut transaction = store.begin().await.unwrap();
    let told = scores::write(&mut transaction, publication, assessments).await.unwrap();
    if told > 0 {
        scores::tell(&mut transaction, publication.as_of, publication.learned).await.unwrap();
    }
    Store::commit(transaction).await.unwrap();
}

async fn believed(store: &Store, number: u64, at: Option<Timestamp>) -> Option<Value> {
    reports::wallet(&mut store.connection().await.unwrap(), wallet(number), at).await.unwrap()
}

#[tokio::test]
async fn everything_that_is_believed_reads_back_now_and_later() {
    let (_database, store) = opened().await;
    let first = assessment(1, Tier::Whale, hour(0));
    publish(&store, hour(0), &[first.clone(), beginner(2, hour(0))]).await;

    let row = believed(&store, 1, None).await.unwrap();
    for (column, value) in [
        ("folded_seq", json!(41)),
        ("reputation_score", json!(7.9125)),
        ("calibrated_win_rate_score", json!(9.625)),
        ("raw_kappa", json!(0.4)),
        ("raw_n_eff", json!(100.0)),
        ("decisions_30d", json!(20)),
        ("wins_30d", json!(12)),
        ("break_even_win_rate_30d", json!(0.51)),
        ("unknown_cost_decisions", json!(3)),
        ("unknown_cost_pnl_usd", json!(-4.25)),
        ("total_pnl_usd", json!(-9876.543211)),
        ("shrunken_roi", json!(0.045)),
        ("median_cost_usd", json!(412.345678)),
        ("clv_observations", json!(37)),
        ("clv_copyable", json!(0.008)),
        ("clv_t", json!(2.1)),
        ("tier_before", json!("SMART")),
        ("is_verified", json!(true)),
        ("is_copyable", json!(false)),
    ] {
        assert_eq!(row[column].as_f64(), value.as_f64(), "{column}");
        assert!(value.is_number() || row[column] == value, "{column}: {}", row[column]);
    }
    let flags = json!([{"name": "market-maker", "figure": 0.72, "limit": 0.6},
                       {"name": "short-holds", "figure": 4.0, "limit": 15.0}]);
    assert_eq!(row["flags"], flags);
    let nulls = row.as_object().unwrap().iter().filter(|(_, value)| value.is_null()).count();
    assert_eq!(nulls, 0, "every column is written: {row}");

    // The next pass changes its mind about one of them; what was believed before stays as it was, to the column.
    let second = Assessment { flags: vec![], ..assessment(1, Tier::Average, hour(1)) };
    publish(&store, hour(1), &[second]).await;
    assert_eq!(believed(&store, 1, Some(hour(0))).await.unwrap(), row);
    assert_eq!(believed(&store, 1, Some(hour(1).plus_micros(-1))).await.unwrap(), row);
    assert_eq!(believed(&store, 1, Some(hour(0).plus_micros(-1))).await, None);
    let now = believed(&store, 1, None).await.unwrap();
    assert_eq!(believed(&store, 1, Some(hour(9))).await.unwrap(), now);
    assert_eq!((&now["is_copyable"], &now["trader_tier"]), (&json!(true), &json!("AVERAGE")));

    // Who has no history of decisions has no row in the history, and nulls where nothing is known.
    let unrated = believed(&store, 2, Some(hour(5))).await.unwrap();
    assert!(
        unrated["raw_kappa"].is_null() && unrated["clv_t"].is_null() && unrated["win_rate_30d"].is_null()
    );
    assert_eq!((&unrated["flags"], &unrated["is_copyable"]), (&json!([]), &json!(true)));
}

#[tokio::test]
async fn readers_of_verdicts_hear_whether_copying_is_barred() {
    let (_database, store) = opened().await;
    let copyable = Assessment { flags: vec![], ..assessment(1, Tier::Whale, hour(0)) };
    let barred = assessment(2, Tier::Whale, hour(0));
    publish(&store, hour(0), &[copyable.clone(), barred.clone(), beginner(3, hour(0))]).await;
    let mut connection = store.connection().await.unwrap();
    let expected: Vec<Verdict> = vec![copyable.essence(), barred.essence()];
    assert_eq!(scores::rated(&mut connection).await.unwrap(), expected);
    let newest = feed::newest(&mut connection).await.unwrap();
    assert_eq!(scores::rated_at(&mut connection, newest).await.unwrap(), expected);
    let items = feed::read(&mut connection, 0, newest, 10, feed::Wanted::Everything).await.unwrap();
    assert_eq!(items.last().unwrap().news, feed::News::Scores { prices: None, verdicts: expected });

    let names = async |wanted| -> Vec<String> {
        let rows = reports::wallets(&mut store.connection().await.unwrap(), wanted, 10).await.unwrap();
        rows.iter().map(|row| row["wallet_address"].as_str().unwrap().to_owned()).collect()
    };
    let all = WantedWallets::default();
    assert_eq!(names(all).await.len(), 2);
    assert_eq!(names(WantedWallets { copyable: true, ..all }).await, [wallet(1).to_string()]);
    assert_eq!(names(WantedWallets { verified: true, ..all }).await.len(), 2);
    assert_eq!(names(WantedWallets { tier: Some(Tier::Degen), ..all }).await.len(), 0);
    assert_eq!(names(WantedWallets { tier: Some(Tier::Unrated), ..all }).await, [wallet(3).to_string()]);
}

#[tokio::test]
async fn a_tier_lasts_since_it_was_last_reached() {
    let (_database, store) = opened().await;
    let tiers = [Tier::Whale, Tier::Smart, Tier::Whale, Tier::Whale, Tier::Unrated];
    for (tier, at) in tiers.into_iter().zip(0..) {
        publish(&store, hour(at), &[assessment(1, tier, hour(at))]).await;
    }
    let mut connection = store.connection().await.unwrap();
    for (at, since) in [(0, 0), (1, 1), (2, 2), (3, 2), (4, 4)] {
        let found = reports::tier_since(&mut connection, wallet(1), hour(at)).await.unwrap();
        assert_eq!(found, Some(hour(since)), "as of hour {at}");
    }
    assert_eq!(reports::tier_since(&mut connection, wallet(9), hour(4)).await.unwrap(), None);
    let unbelieved = reports::unbelieved(&mut connection, wallet(1)).await.unwrap();
    assert_eq!((unbelieved.is_known, unbelieved.first), (false, Some(hour(0))));
}

/// Rows from before the columns were there are read as what they are: nobody knows, so nobody copies.
#[tokio::test]
async fn rows_of_before_are_read_with_what_they_have() {
    let (database, store) = opened().await;
    sqlx::query(
        "INSERT INTO orderflow_score_history (wallet_address, as_of, reputation_score, trader_tier, skill_kappa,
                                              skill_se, closed_decisions, total_pnl_usd)
         VALUES ($1, $2, 8, 'WHALE', 0.1, 0.05, 40, 12.5)",
    )
    .bind(wallet(1).to_string())
    .bind(hour(0).to_offset_date_time())
    .execute(&database.pool())
    .await
    .unwrap();
    sqlx::query("INSERT INTO orderflow_outbox (learned_at, kind, as_of) VALUES ($1, 'scores', $1)")
        .bind(hour(0).to_offset_date_time())
        .execute(&database.pool())
        .await
        .unwrap();
    let mut connection = store.connection().await.unwrap();
    let [verdict] = scores::rated_at(&mut connection, i64::MAX).await.unwrap()[..] else { panic!() };
    assert!(!verdict.is_copyable && verdict.tier == Tier::Whale);
    let row = believed(&store, 1, Some(hour(3))).await.unwrap();
    assert!(row["is_copyable"].is_null() && row["flags"].is_null() && row["calibrated_score"].is_null());
    assert_eq!(row["total_pnl_usd"].as_f64(), Some(12.5));
}

/// A pass over more wallets than one statement takes, first new and then changed.
#[tokio::test]
async fn twenty_thousand_verdicts_are_all_written() {
    const WALLETS: u64 = 20_000;
    let (_database, store) = opened().await;
    for at in 0..2i64 {
        let pass: Vec<Assessment> =
            (1..=WALLETS).map(|number| assessment(number, Tier::Average, hour(at))).collect();
        publish(&store, hour(at), &pass).await;
    }
    let mut connection = store.connection().await.unwrap();
    assert_eq!(scores::rated(&mut connection).await.unwrap().len(), 20_000);
    let standing = scores::standing(&mut connection).await.unwrap();
    assert_eq!(standing, Standing { verdicts: WALLETS, rated: WALLETS });
}
