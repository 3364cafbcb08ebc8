//! The facts and verdicts that a recording names by their item of the outbox. Facts that the chain took back since are
//! among them: decisions were made on them.

use std::collections::BTreeMap;

use domain::{
    BlockHash, ChainEvent, Exchange, Fact, Fee, Fill, Place, PriceMap, Role, Shares, Side, Timestamp, Usd,
    Verdict,
};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use crate::error::{During as _, StoreError};
use crate::facts::{of_blocks, taken_back};
use crate::{row, scores, worth};

/// The facts of the blocks of these items, by item and log: all that were ever known of those blocks.
///
/// # Errors
/// If the database refuses, or holds what it should not.
pub async fn facts(
    connection: &mut PgConnection,
    seqs: &[i64],
) -> Result<BTreeMap<i64, BTreeMap<u32, Fact>>, StoreError> {
    let rows = sqlx::query(
        "SELECT seq, block_hash, block_number FROM orderflow_outbox
         WHERE seq = ANY($1) AND block_hash IS NOT NULL",
    )
    .bind(seqs)
    .fetch_all(&mut *connection)
    .await
    .during("read which blocks were told")?;
    let mut told: Vec<(i64, BlockHash)> = Vec::with_capacity(rows.len());
    let mut blocks: Vec<(u64, BlockHash)> = Vec::with_capacity(rows.len());
    for found in &rows {
        let hash = row::text(found, "block_hash", "a block hash")?;
        told.push((found.try_get("seq").during("read a column")?, hash));
        blocks.push((row::unsigned(found, "block_number")?, hash));
    }
    let hashes: Vec<BlockHash> = told.iter().map(|(_, hash)| *hash).collect();
    let mut known: BTreeMap<BlockHash, BTreeMap<u32, Fact>> = BTreeMap::new();
    let orphaned = orphaned_fills(connection, &hashes).await?;
    let events = taken_back(connection, &hashes).await?;
    let canonical = of_blocks(connection, &blocks).await?;
    // What counts now comes last and wins.
    for fact in orphaned.into_iter().chain(events).chain(canonical.into_values().flatten()) {
        known.entry(fact.place.block_hash).or_default().insert(fact.place.log_index, fact);
    }
    Ok(told.into_iter().map(|(seq, hash)| (seq, known.get(&hash).cloned().unwrap_or_default())).collect())
}

/// The verdicts that an item told, and what prices were worth from there on where that had changed.
///
/// # Errors
/// If the database refuses, or holds what it should not.
pub async fn verdicts(
    connection: &mut PgConnection,
    seq: i64,
) -> Result<(Option<PriceMap>, Vec<Verdict>), StoreError> {
    let found = sqlx::query("SELECT as_of FROM orderflow_outbox WHERE seq = $1 AND kind = 'scores'")
        .bind(seq)
        .fetch_optional(&mut *connection)
        .await
        .during("read which verdicts were told")?;
    let as_of: Option<Timestamp> = found.map(|found| row::time(&found, "as_of")).transpose()?;
    match as_of {
        Some(as_of) => {
            Ok((worth::published(connection, as_of).await?, scores::published(connection, as_of).await?))
        }
        None => Ok((None, vec![])),
    }
}

async fn orphaned_fills(
    connection: &mut PgConnection,
    blocks: &[BlockHash],
) -> Result<Vec<Fact>, StoreError> {
    let hashes: Vec<String> = blocks.iter().map(ToString::to_string).collect();
    let rows = sqlx::query(
        "SELECT block_hash, log_index::bigint AS log_index, block_number, block_time, tx_hash, exchange,
                wallet_address, counterparty_address, role, side, token_id::text AS token_id,
                (shares * 1000000)::bigint AS shares, (usd * 1000000)::bigint AS usd,
                (fee * 1000000)::bigint AS fee, fee_asset
         FROM orderflow_orphaned_trades WHERE block_hash = ANY($1)",
    )
    .bind(hashes)
    .fetch_all(connection)
    .await
    .during("read fills that were taken back")?;
    rows.iter().map(orphaned_fill).collect()
}

fn orphaned_fill(found: &PgRow) -> Result<Fact, StoreError> {
    let fee: i64 = found.try_get("fee").during("read a column")?;
    let fill = Fill {
        exchange: row::named(found, "exchange", "an exchange", Exchange::from_name)?,
        wallet: row::text(found, "wallet_address", "an address")?,
        counterparty: row::text(found, "counterparty_address", "an address")?,
        role: row::named(found, "role", "a role", Role::from_name)?,
        side: row::named(found, "side", "a side", Side::from_name)?,
        token: row::text(found, "token_id", "a token id")?,
        shares: row::shares(found, "shares")?,
        usd: row::usd(found, "usd")?,
        fee: match row::string(found, "fee_asset")?.as_str() {
            "shares" => Fee::Shares(Shares::from_micros(fee)),
            _ => Fee::Usd(Usd::from_micros(fee)),
        },
    };
    let place = Place {
        block_number: row::unsigned(found, "block_number")?,
        block_hash: row::text(found, "block_hash", "a block hash")?,
        block_time: row::time(found, "block_time")?,
        tx_hash: row::text(found, "tx_hash", "a transaction hash")?,
        log_index: row::unsigned(found, "log_index")?,
    };
    Ok(Fact { place, event: ChainEvent::Fill(fill) })
}
