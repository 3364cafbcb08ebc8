//! Facts as rows, in bulk.

use std::collections::BTreeSet;

use domain::{BlockHash, ChainEvent, ConditionId, Fee, FeeKind, Fill, Place, Shares};
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::Block;
use crate::error::{During as _, StoreError};
use crate::row;

/// Inserts blocks and says which of them are new, or back from having been orphaned.
pub(super) async fn insert_blocks(
    connection: &mut PgConnection,
    blocks: &[Block],
) -> Result<BTreeSet<BlockHash>, StoreError> {
    let rows = sqlx::query(
        "INSERT INTO orderflow_blocks (block_hash, block_number, block_time)
         SELECT * FROM UNNEST($1::text[], $2::bigint[], $3::timestamptz[])
         ON CONFLICT (block_hash) DO UPDATE SET orphaned = false WHERE orderflow_blocks.orphaned
         RETURNING block_hash",
    )
    .bind(blocks.iter().map(|block| block.hash.to_string()).collect::<Vec<_>>())
    .bind(blocks.iter().map(|block| row::signed(block.number)).collect::<Vec<_>>())
    .bind(blocks.iter().map(|block| block.time.to_offset_date_time()).collect::<Vec<_>>())
    .fetch_all(connection)
    .await
    .during("insert blocks")?;
    rows.iter().map(|found| row::text(found, "block_hash", "a block hash")).collect()
}

pub(super) async fn insert_trades(
    connection: &mut PgConnection,
    blocks: &[&Block],
) -> Result<u64, StoreError> {
    let fills: Vec<(&Place, &Fill)> = blocks
        .iter()
        .flat_map(|block| &block.facts)
        .filter_map(|fact| match &fact.event {
            ChainEvent::Fill(fill) => Some((&fact.place, fill)),
            _ => None,
        })
        .collect();
    if fills.is_empty() {
        return Ok(0);
    }
    let texts = |column: fn(&Place, &Fill) -> String| -> Vec<String> {
        fills.iter().map(|(place, fill)| column(place, fill)).collect()
    };
    let numbers = |column: fn(&Place, &Fill) -> i64| -> Vec<i64> {
        fills.iter().map(|(place, fill)| column(place, fill)).collect()
    };
    let times: Vec<OffsetDateTime> =
        fills.iter().map(|(place, _)| place.block_time.to_offset_date_time()).collect();
    let done = sqlx::query(
        "INSERT INTO orderflow_trades
             (block_hash, log_index, block_number, block_time, tx_hash, exchange, wallet_address,
              counterparty_address, role, side, token_id, shares, usd, fee, fee_asset)
         SELECT block_hash, log_index, block_number, block_time, tx_hash, exchange, wallet, counterparty, role,
                side, token::numeric, shares::numeric / 1000000, usd::numeric / 1000000, fee::numeric / 1000000,
                fee_asset
         FROM UNNEST($1::text[], $2::bigint[], $3::bigint[], $4::timestamptz[], $5::text[], $6::text[],
                     $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::bigint[], $13::bigint[],
                     $14::bigint[], $15::text[])
              AS fills (block_hash, log_index, block_number, block_time, tx_hash, exchange, wallet, counterparty,
                        role, side, token, shares, usd, fee, fee_asset)
         ON CONFLICT (block_hash, log_index) DO UPDATE SET orphaned = false",
    )
    .bind(texts(|place, _| place.block_hash.to_string()))
    .bind(numbers(|place, _| i64::from(place.log_index)))
    .bind(numbers(|place, _| row::signed(place.block_number)))
    .bind(times)
    .bind(texts(|place, _| place.tx_hash.to_string()))
    .bind(texts(|_, fill| fill.exchange.name().to_owned()))
    .bind(texts(|_, fill| fill.wallet.to_string()))
    .bind(texts(|_, fill| fill.counterparty.to_string()))
    .bind(texts(|_, fill| fill.role.name().to_owned()))
    .bind(texts(|_, fill| fill.side.name().to_owned()))
    .bind(texts(|_, fill| fill.token.to_string()))
    .bind(numbers(|_, fill| fill.shares.micros()))
    .bind(numbers(|_, fill| fill.usd.micros()))
    .bind(numbers(|_, fill| fee_micros(fill.fee)))
    .bind(texts(|_, fill| fee_asset(fill.fee).to_owned()))
    .execute(connection)
    .await
    .during("insert trades")?;
    Ok(done.rows_affected())
}

const fn fee_micros(fee: Fee) -> i64 {
    match fee {
        Fee::Usd(fee) => fee.micros(),
        Fee::Shares(fee) => fee.micros(),
    }
}

const fn fee_asset(fee: Fee) -> &'static str {
    match fee {
        Fee::Usd(_) => "usd",
        Fee::Shares(_) => "shares",
    }
}

/// One ledger event as its row.
#[derive(Default)]
struct LedgerRow {
    kind: &'static str,
    wallet: Option<String>,
    condition: Option<String>,
    token: Option<String>,
    amount: Option<i64>,
    detail: Option<String>,
    payouts: Option<Vec<i64>>,
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
            payouts: Some(payouts.numerators().iter().map(|part| row::signed(*part)).collect()),
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

pub(super) async fn insert_ledger_events(
    connection: &mut PgConnection,
    blocks: &[&Block],
) -> Result<(), StoreError> {
    let facts = blocks.iter().flat_map(|block| &block.facts);
    for (place, event) in facts.filter_map(|fact| Some((&fact.place, ledger_row(&fact.event)?))) {
        sqlx::query(
            "INSERT INTO orderflow_ledger_events
                 (block_hash, log_index, block_number, block_time, tx_hash, kind, wallet_address, condition_id,
                  token_id, amount, detail, payout_numerators)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::text::numeric, $10::bigint::numeric / 1000000, $11, $12)
             ON CONFLICT (block_hash, log_index) DO UPDATE SET orphaned = false",
        )
        .bind(place.block_hash.to_string())
        .bind(row::small(place.log_index))
        .bind(row::signed(place.block_number))
        .bind(place.block_time.to_offset_date_time())
        .bind(place.tx_hash.to_string())
        .bind(event.kind)
        .bind(event.wallet)
        .bind(event.condition)
        .bind(event.token)
        .bind(event.amount)
        .bind(event.detail)
        .bind(event.payouts)
        .execute(&mut *connection)
        .await
        .during("insert a ledger event")?;
    }
    Ok(())
}

pub(super) async fn insert_unreadable(
    connection: &mut PgConnection,
    blocks: &[&Block],
) -> Result<(), StoreError> {
    for block in blocks {
        for log in &block.unreadable {
            sqlx::query(
                "INSERT INTO orderflow_quarantine (block_hash, log_index, block_number, reason, raw)
                 VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
            )
            .bind(block.hash.to_string())
            .bind(row::small(log.log_index))
            .bind(row::signed(block.number))
            .bind(&log.reason)
            .bind(&log.raw)
            .execute(&mut *connection)
            .await
            .during("quarantine a log")?;
        }
    }
    Ok(())
}

/// Writes results onto the markets that are known; those learned later find them in the ledger events.
pub(super) async fn apply_resolutions(
    connection: &mut PgConnection,
    blocks: &[&Block],
) -> Result<(), StoreError> {
    for fact in blocks.iter().flat_map(|block| &block.facts) {
        let ChainEvent::Resolution { condition, payouts } = &fact.event else {
            continue;
        };
        let numerators: Vec<i64> = payouts.numerators().iter().map(|part| row::signed(*part)).collect();
        sqlx::query(
            "UPDATE orderflow_markets SET payout_numerators = $2, resolved_at = $3 WHERE condition_id = $1",
        )
        .bind(condition.to_string())
        .bind(numerators)
        .bind(fact.place.block_time.to_offset_date_time())
        .execute(&mut *connection)
        .await
        .during("write a market's result")?;
    }
    Ok(())
}

pub(super) async fn tell(connection: &mut PgConnection, blocks: &[&Block]) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO orderflow_outbox (learned_at, kind, block_hash, block_number)
         SELECT learned_at, 'block', block_hash, block_number
         FROM UNNEST($1::timestamptz[], $2::text[], $3::bigint[])
              WITH ORDINALITY AS told (learned_at, block_hash, block_number, place)
         ORDER BY place",
    )
    .bind(blocks.iter().map(|block| block.learned.to_offset_date_time()).collect::<Vec<_>>())
    .bind(blocks.iter().map(|block| block.hash.to_string()).collect::<Vec<_>>())
    .bind(blocks.iter().map(|block| row::signed(block.number)).collect::<Vec<_>>())
    .execute(connection)
    .await
    .map(|_| ())
    .during("tell of new blocks")
}
