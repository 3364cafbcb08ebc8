//! What blocks hold besides fills, as rows: ledger events, conditions, results, and what could not be read.

use std::collections::BTreeMap;

use domain::{ChainEvent, ConditionId, FeeKind, Payouts, Place, Shares};
use sqlx::PgConnection;

use super::Block;
use crate::error::{During as _, StoreError};
use crate::{Statement, row};

/// Inserts what blocks hold besides fills: ledger events, conditions, results, and what could not be read.
pub(super) async fn insert_the_rest(
    connection: &mut PgConnection,
    blocks: &[&Block],
    source: &str,
) -> Result<(), StoreError> {
    insert_ledger_events(connection, blocks).await?;
    insert_the_rare(connection, blocks, source).await
}

/// The same without ledger events: what most blocks have nothing of.
pub(super) async fn insert_the_rare(
    connection: &mut PgConnection,
    blocks: &[&Block],
    source: &str,
) -> Result<(), StoreError> {
    insert_conditions(connection, blocks.iter().copied()).await?;
    insert_unreadable(connection, blocks, source).await?;
    apply_resolutions(connection, blocks).await
}

/// The statement that stores ledger events; its parameters are those that [`bind_events`] binds.
macro_rules! put_events {
    ($hash:literal, $log:literal, $number:literal, $at:literal, $tx:literal, $kind:literal, $wallet:literal,
     $condition:literal, $token:literal, $amount:literal, $detail:literal, $payouts:literal) => {
        concat!(
            "INSERT INTO orderflow_ledger_events
                 (block_hash, log_index, block_number, block_time, tx_hash, kind, wallet_address, condition_id,
                  token_id, amount, detail, payout_numerators)
             SELECT hash, log, number, at, tx, kind, wallet, condition, token::numeric, amount::numeric / 1000000,
                    detail, payouts::bigint[]
             FROM UNNEST(", $hash, "::text[], ", $log, "::int[], ", $number, "::bigint[], ", $at, "::timestamptz[], ",
            $tx, "::text[], ", $kind, "::text[], ", $wallet, "::text[], ", $condition, "::text[], ",
            $token, "::text[], ", $amount, "::bigint[], ", $detail, "::text[], ", $payouts, "::text[])
                  AS events (hash, log, number, at, tx, kind, wallet, condition, token, amount, detail, payouts)
             ON CONFLICT (block_hash, log_index) DO UPDATE SET orphaned = false"
        )
    };
}
pub(super) use put_events;

/// One ledger event as its row.
#[derive(Default)]
pub(super) struct LedgerRow {
    kind: &'static str,
    wallet: Option<String>,
    condition: Option<String>,
    token: Option<String>,
    amount: Option<i64>,
    detail: Option<String>,
    payouts: Option<String>,
}

/// What of an event goes into the ledger; fills have their own table, matches and fees charged repeat them.
fn ledger_row(event: &ChainEvent) -> Option<LedgerRow> {
    let set = |kind, wallet: &domain::Wallet, condition: &ConditionId, amount: &Shares| LedgerRow {
        kind,
        wallet: Some(wallet.to_string()),
        condition: Some(condition.to_string()),
        amount: Some(amount.micros()),
        ..LedgerRow::default()
    };
    Some(match event {
        ChainEvent::Fill(_) | ChainEvent::Match { .. } | ChainEvent::Fee { kind: FeeKind::Charged, .. } => {
            return None;
        }
        ChainEvent::Fee { kind: FeeKind::Refunded, receiver, token, micros, .. } => LedgerRow {
            kind: "refund",
            wallet: Some(receiver.to_string()),
            token: token.map(|token| token.to_string()),
            amount: Some(*micros),
            ..LedgerRow::default()
        },
        ChainEvent::Split { wallet, condition, amount } => set("split", wallet, condition, amount),
        ChainEvent::Merge { wallet, condition, amount } => set("merge", wallet, condition, amount),
        ChainEvent::Redemption { wallet, condition, token, payout } => LedgerRow {
            kind: "redemption",
            wallet: Some(wallet.to_string()),
            condition: condition.map(|condition| condition.to_string()),
            token: token.map(|token| token.to_string()),
            amount: Some(payout.micros()),
            ..LedgerRow::default()
        },
        ChainEvent::Conversion { wallet, market, index_set, amount } => LedgerRow {
            kind: "conversion",
            wallet: Some(wallet.to_string()),
            condition: Some(format!("{market:#x}")),
            amount: Some(amount.micros()),
            detail: Some(index_set.to_string()),
            ..LedgerRow::default()
        },
        ChainEvent::Resolution { condition, payouts } => LedgerRow {
            kind: "resolution",
            condition: Some(condition.to_string()),
            payouts: Some(array(payouts)),
            ..LedgerRow::default()
        },
        ChainEvent::Preparation { .. } => return None,
        ChainEvent::Derivable { event, yes } => LedgerRow {
            kind: "derivable",
            condition: Some(format!("{event:#x}")),
            detail: yes.map(|condition| condition.to_string()),
            ..LedgerRow::default()
        },
    })
}

/// Whether an event leaves a row in the ledger.
pub(crate) fn is_ledger_event(event: &ChainEvent) -> bool {
    ledger_row(event).is_some()
}

async fn insert_ledger_events(connection: &mut PgConnection, blocks: &[&Block]) -> Result<(), StoreError> {
    let events = events_of(blocks);
    if events.is_empty() {
        return Ok(());
    }
    let statement = put_events!("$1", "$2", "$3", "$4", "$5", "$6", "$7", "$8", "$9", "$10", "$11", "$12");
    bind_events(sqlx::query(statement), &events)
        .execute(connection)
        .await
        .map(|_| ())
        .during("insert ledger events")
}

/// The ledger events of blocks, each with its place.
pub(super) fn events_of<'a>(blocks: &[&'a Block]) -> Vec<(&'a Place, LedgerRow)> {
    let facts = blocks.iter().flat_map(|block| &block.facts);
    facts.filter_map(|fact| Some((&fact.place, ledger_row(&fact.event)?))).collect()
}

/// Binds the columns of ledger events.
pub(super) fn bind_events<'q>(query: Statement<'q>, rows: &[(&Place, LedgerRow)]) -> Statement<'q> {
    query
        .bind(rows.iter().map(|(place, _)| place.block_hash.to_string()).collect::<Vec<_>>())
        .bind(rows.iter().map(|(place, _)| row::small(place.log_index)).collect::<Vec<_>>())
        .bind(rows.iter().map(|(place, _)| row::signed(place.block_number)).collect::<Vec<_>>())
        .bind(rows.iter().map(|(place, _)| place.block_time.to_offset_date_time()).collect::<Vec<_>>())
        .bind(rows.iter().map(|(place, _)| place.tx_hash.to_string()).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, event)| event.kind.to_owned()).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, event)| event.wallet.clone()).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, event)| event.condition.clone()).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, event)| event.token.clone()).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, event)| event.amount).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, event)| event.detail.clone()).collect::<Vec<_>>())
        .bind(rows.iter().map(|(_, event)| event.payouts.clone()).collect::<Vec<_>>())
}

/// Stores which tokens a condition has; several blocks of a reorganised chain may say the same.
pub(crate) async fn insert_conditions(
    connection: &mut PgConnection,
    blocks: impl IntoIterator<Item = &Block>,
) -> Result<(), StoreError> {
    let (mut conditions, mut tokens) = (vec![], vec![]);
    for fact in blocks.into_iter().flat_map(|block| &block.facts) {
        if let ChainEvent::Preparation { condition, tokens: [first, second] } = &fact.event {
            conditions.push(condition.to_string());
            tokens.push(format!("{{{first},{second}}}"));
        }
    }
    if conditions.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO orderflow_conditions (condition_id, token_ids)
         SELECT DISTINCT ON (condition) condition, tokens::numeric[]
         FROM UNNEST($1::text[], $2::text[]) AS prepared (condition, tokens)
         ON CONFLICT DO NOTHING",
    )
    .bind(conditions)
    .bind(tokens)
    .execute(connection)
    .await
    .map(|_| ())
    .during("insert conditions")
}

async fn insert_unreadable(
    connection: &mut PgConnection,
    blocks: &[&Block],
    source: &str,
) -> Result<(), StoreError> {
    for block in blocks {
        for (log, nameless) in block.unreadable.iter().zip(1i32..) {
            sqlx::query(
                "INSERT INTO orderflow_quarantine (block_hash, log_index, block_number, reason, raw, source)
                 VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
            )
            .bind(block.hash.to_string())
            // A log whose index could not be read stands below zero, where no index is.
            .bind(log.log_index.map_or(-nameless, row::small))
            .bind(row::signed(block.number))
            .bind(&log.reason)
            .bind(&log.raw)
            .bind(source)
            .execute(&mut *connection)
            .await
            .during("quarantine a log")?;
        }
    }
    Ok(())
}

/// Writes results onto the markets that are known; those learned later find them in the ledger events.
async fn apply_resolutions(connection: &mut PgConnection, blocks: &[&Block]) -> Result<(), StoreError> {
    // A condition resolves once; were it told twice, the later place counts.
    let mut results = BTreeMap::new();
    for fact in blocks.iter().flat_map(|block| &block.facts) {
        if let ChainEvent::Resolution { condition, payouts } = &fact.event {
            results
                .insert(condition.to_string(), (array(payouts), fact.place.block_time.to_offset_date_time()));
        }
    }
    if results.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE orderflow_markets m SET payout_numerators = r.payouts::bigint[], resolved_at = r.at
         FROM UNNEST($1::text[], $2::text[], $3::timestamptz[]) AS r (condition, payouts, at)
         WHERE m.condition_id = r.condition",
    )
    .bind(results.keys().cloned().collect::<Vec<_>>())
    .bind(results.values().map(|(payouts, _)| payouts.clone()).collect::<Vec<_>>())
    .bind(results.values().map(|(_, at)| *at).collect::<Vec<_>>())
    .execute(connection)
    .await
    .map(|_| ())
    .during("write the results of markets")
}

/// What each outcome pays, as PostgreSQL writes an array.
fn array(payouts: &Payouts) -> String {
    let parts: Vec<String> = payouts.numerators().iter().map(ToString::to_string).collect();
    format!("{{{}}}", parts.join(","))
}
