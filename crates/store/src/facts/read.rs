//! Rows as facts again.

use std::collections::BTreeMap;

use alloy_primitives::{B256, U256};
use domain::{
    BlockHash, ChainEvent, Exchange, Fact, Fee, FeeKind, Fill, Payouts, Place, Role, Shares, Side, TxHash,
    Usd,
};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use crate::error::{During as _, StoreError};
use crate::row;

/// A statement about fills that count, each as [`fill_of`] and [`fill_place`] read it: `f` is the fill, `b` its
/// block, `k` its token.
macro_rules! select_fills {
    ($rest:literal) => {
        $crate::facts::select_fills!("", $rest)
    };
    ($more:literal, $rest:literal) => {
        concat!(
            "SELECT b.block_hash, f.log_index::bigint AS log_index, b.block_number, b.block_time,
                    substr(x.tx_hashes, f.tx_index * 32 + 1, 32) AS tx_hash, f.kind, w.address AS wallet_address,
                    c.address AS counterparty_address, k.token_id::text AS token_id, f.shares, f.usd, f.fee",
            $more,
            "
             FROM orderflow_fills f
             JOIN orderflow_blocks b ON b.block_number = f.block_number AND NOT b.orphaned
             JOIN orderflow_block_txs x ON x.block_number = f.block_number
             JOIN orderflow_wallets w ON w.id = f.wallet
             JOIN orderflow_wallets c ON c.id = f.counterparty
             JOIN orderflow_tokens k ON k.id = f.token ",
            $rest
        )
    };
}
pub(crate) use select_fills;

/// A statement about ledger events, each as [`fact_of_event`] reads it: `f` is the event, `b` its block.
macro_rules! select_events {
    ($rest:literal) => {
        concat!(
            "SELECT f.block_hash, f.log_index::bigint AS log_index, f.block_number, f.block_time,
                    f.tx_hash AS event_tx, f.kind AS event_kind, f.wallet_address, f.condition_id, f.token_id::text AS token_id,
                    (f.amount * 1000000)::bigint AS amount, f.detail, f.payout_numerators
             FROM orderflow_ledger_events f
             JOIN orderflow_blocks b ON b.block_hash = f.block_hash ",
            $rest
        )
    };
}
pub(super) use select_events;

/// The facts of blocks, given by height and hash, by block, each block's by log index. Orphaned ones are left out.
pub(crate) async fn of_blocks(
    connection: &mut PgConnection,
    blocks: &[(u64, BlockHash)],
) -> Result<BTreeMap<BlockHash, Vec<Fact>>, StoreError> {
    let heights = || blocks.iter().map(|(height, _)| *height);
    let (Some(lowest), Some(highest)) = (heights().min(), heights().max()) else {
        return Ok(BTreeMap::new());
    };
    let hashes: Vec<String> = blocks.iter().map(|(_, hash)| hash.to_string()).collect();
    // In one statement, because the newest block waits for it. The heights tell PostgreSQL which partitions it need not
    // look at; there are hundreds in time.
    let rows = sqlx::query(concat!(
        select_fills!(
            ", NULL AS event_kind, NULL AS event_tx, NULL AS condition_id, NULL::bigint AS amount, NULL AS detail,
             NULL::bigint[] AS payout_numerators",
            "WHERE b.block_hash = ANY($1) AND f.block_number BETWEEN $2 AND $3"
        ),
        " UNION ALL
         SELECT f.block_hash, f.log_index, f.block_number, f.block_time, NULL, NULL, f.wallet_address, NULL, f.token_id,
                NULL, NULL, NULL, f.event_kind, f.event_tx, f.condition_id, f.amount, f.detail, f.payout_numerators
         FROM (",
        select_events!("WHERE f.block_hash = ANY($1) AND NOT f.orphaned"),
        ") AS f"
    ))
    .bind(&hashes)
    .bind(row::signed(lowest))
    .bind(row::signed(highest))
    .fetch_all(&mut *connection)
    .await
    .during("read the facts of blocks")?;
    let mut facts: BTreeMap<BlockHash, Vec<Fact>> = BTreeMap::new();
    for found in &rows {
        let kind: Option<&str> = found.try_get("event_kind").during("read a column")?;
        let fact = if kind.is_some() { fact_of_event(found)? } else { fact_of_fill(found)? };
        facts.entry(fact.place.block_hash).or_default().push(fact);
    }
    for block in facts.values_mut() {
        block.sort_by_key(|fact| fact.place.log_index);
    }
    Ok(facts)
}

/// The ledger events of blocks that the chain took back.
pub(crate) async fn taken_back(
    connection: &mut PgConnection,
    blocks: &[BlockHash],
) -> Result<Vec<Fact>, StoreError> {
    let hashes: Vec<String> = blocks.iter().map(ToString::to_string).collect();
    let events = sqlx::query(select_events!("WHERE f.block_hash = ANY($1) AND f.orphaned"))
        .bind(hashes)
        .fetch_all(connection)
        .await
        .during("read ledger events that were taken back")?;
    events.iter().map(fact_of_event).collect()
}

/// The next blocks behind a height that count and were known at a place in the outbox, by height, at most
/// `limit`, each with its facts that were known there. Empty: there are no more.
///
/// # Errors
/// If the database refuses, or holds what it should not.
pub async fn in_chain_order(
    connection: &mut PgConnection,
    after: Option<u64>,
    seq: i64,
    limit: u32,
) -> Result<Vec<(u64, Vec<Fact>)>, StoreError> {
    // When a block was told last is asked block by block, by its index: as a join, a database without statistics, such
    // as one that was just filled, would compare every block with every item.
    let rows = sqlx::query(
        "SELECT b.block_hash, b.block_number
         FROM orderflow_blocks b
         WHERE NOT b.orphaned AND b.block_number > $1
           AND coalesce((SELECT max(o.seq) FROM orderflow_outbox o
                         WHERE o.kind = 'block' AND o.block_hash = b.block_hash), 0) <= $2
           AND NOT EXISTS (SELECT FROM orderflow_outbox o
                           WHERE o.kind = 'history' AND o.seq > $2
                             AND b.block_number BETWEEN o.first_block AND o.block_number)
         ORDER BY b.block_number LIMIT $3",
    )
    .bind(after.map_or(-1, row::signed))
    .bind(seq)
    .bind(i64::from(limit))
    .fetch_all(&mut *connection)
    .await
    .during("read the chain's blocks")?;
    let mut blocks: Vec<(u64, BlockHash)> = Vec::with_capacity(rows.len());
    for found in &rows {
        blocks.push((row::unsigned(found, "block_number")?, row::text(found, "block_hash", "a block hash")?));
    }
    let mut facts = of_blocks(connection, &blocks).await?;
    let hashes: Vec<BlockHash> = blocks.iter().map(|(_, hash)| *hash).collect();
    let late = late_logs(connection, &hashes, seq).await?;
    for (hash, logs) in late {
        if let Some(facts) = facts.get_mut(&hash) {
            facts.retain(|fact| !logs.contains(&fact.place.log_index));
        }
    }
    Ok(blocks.into_iter().map(|(number, hash)| (number, facts.remove(&hash).unwrap_or_default())).collect())
}

/// The logs of blocks that were found missing and told by themselves, behind a place in the outbox.
async fn late_logs(
    connection: &mut PgConnection,
    blocks: &[BlockHash],
    after: i64,
) -> Result<Vec<(BlockHash, Vec<u32>)>, StoreError> {
    let hashes: Vec<String> = blocks.iter().map(ToString::to_string).collect();
    let rows = sqlx::query(
        "SELECT block_hash, log_indexes FROM orderflow_outbox
         WHERE kind = 'late' AND block_hash = ANY($1) AND seq > $2",
    )
    .bind(hashes)
    .bind(after)
    .fetch_all(connection)
    .await
    .during("look for late facts")?;
    rows.iter()
        .map(|found| {
            Ok((row::text(found, "block_hash", "a block hash")?, row::indexes(found, "log_indexes")?))
        })
        .collect()
}

pub(super) fn fact_of_fill(found: &PgRow) -> Result<Fact, StoreError> {
    Ok(Fact { place: fill_place(found)?, event: ChainEvent::Fill(fill_of(found)?) })
}

pub(super) fn fact_of_event(found: &PgRow) -> Result<Fact, StoreError> {
    let tx_hash = row::text(found, "event_tx", "a transaction hash")?;
    Ok(Fact { place: place_of(found, tx_hash)?, event: event_of(found)? })
}

fn fill_place(found: &PgRow) -> Result<Place, StoreError> {
    let hash = row::words(found, "tx_hash")?;
    let [hash] = hash.as_slice() else {
        let value = format!("{} hashes", hash.len());
        return Err(StoreError::Corrupt {
            column: "tx_index",
            value,
            expected: "the place of a transaction",
        });
    };
    place_of(found, TxHash(*hash))
}

fn place_of(found: &PgRow, tx_hash: TxHash) -> Result<Place, StoreError> {
    Ok(Place {
        block_number: row::unsigned(found, "block_number")?,
        block_hash: row::text(found, "block_hash", "a block hash")?,
        block_time: row::time(found, "block_time")?,
        tx_hash,
        log_index: row::unsigned(found, "log_index")?,
    })
}

pub(crate) fn fill_of(found: &PgRow) -> Result<Fill, StoreError> {
    let fee: i64 = found.try_get("fee").during("read a column")?;
    let kind: i16 = found.try_get("kind").during("read a column")?;
    let corrupt =
        || StoreError::Corrupt { column: "kind", value: kind.to_string(), expected: "a kind of fill" };
    // The writing side puts them together in `write::kind`.
    let exchange = Exchange::ALL.get(usize::try_from(kind & 7).map_err(|_| corrupt())?);
    Ok(Fill {
        exchange: *exchange.ok_or_else(corrupt)?,
        wallet: row::text(found, "wallet_address", "an address")?,
        counterparty: row::text(found, "counterparty_address", "an address")?,
        role: if kind & 8 == 0 { Role::Maker } else { Role::Taker },
        side: if kind & 16 == 0 { Side::Buy } else { Side::Sell },
        token: row::text(found, "token_id", "a token id")?,
        shares: row::shares(found, "shares")?,
        usd: row::usd(found, "usd")?,
        fee: if kind & 32 == 0 {
            Fee::Usd(Usd::from_micros(fee))
        } else {
            Fee::Shares(Shares::from_micros(fee))
        },
    })
}

fn event_of(found: &PgRow) -> Result<ChainEvent, StoreError> {
    let kind: String = found.try_get("event_kind").during("read a column")?;
    let wallet = || row::text(found, "wallet_address", "an address");
    let condition = || row::text(found, "condition_id", "a condition");
    let bytes = || row::text::<B256>(found, "condition_id", "32 bytes");
    Ok(match kind.as_str() {
        "split" => ChainEvent::Split {
            wallet: wallet()?,
            condition: condition()?,
            amount: row::shares(found, "amount")?,
        },
        "merge" => ChainEvent::Merge {
            wallet: wallet()?,
            condition: condition()?,
            amount: row::shares(found, "amount")?,
        },
        "refund" => ChainEvent::Fee {
            exchange: None,
            kind: FeeKind::Refunded,
            receiver: wallet()?,
            token: row::maybe_text(found, "token_id", "a token id")?,
            micros: row::usd(found, "amount")?.micros(),
        },
        "redemption" => ChainEvent::Redemption {
            wallet: wallet()?,
            condition: row::maybe_text(found, "condition_id", "a condition")?,
            token: row::maybe_text(found, "token_id", "a token id")?,
            payout: row::usd(found, "amount")?,
        },
        "conversion" => ChainEvent::Conversion {
            wallet: wallet()?,
            market: bytes()?,
            index_set: row::text::<U256>(found, "detail", "an index set")?,
            amount: row::shares(found, "amount")?,
        },
        "resolution" => ChainEvent::Resolution { condition: condition()?, payouts: payouts_of(found)? },
        "derivable" => {
            ChainEvent::Derivable { event: bytes()?, yes: row::maybe_text(found, "detail", "a condition")? }
        }
        _ => {
            return Err(StoreError::Corrupt {
                column: "event_kind",
                value: kind,
                expected: "a ledger event",
            });
        }
    })
}

pub(crate) fn payouts_of(found: &PgRow) -> Result<Payouts, StoreError> {
    let numerators: Vec<i64> = found.try_get("payout_numerators").during("read a column")?;
    let corrupt = || StoreError::Corrupt {
        column: "payout_numerators",
        value: format!("{numerators:?}"),
        expected: "payouts",
    };
    let parts: Option<Vec<u64>> = numerators.iter().map(|part| u64::try_from(*part).ok()).collect();
    parts.and_then(Payouts::new).ok_or_else(corrupt)
}
