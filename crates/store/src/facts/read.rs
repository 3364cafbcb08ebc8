//! Rows as facts again.

use std::collections::BTreeMap;

use alloy_primitives::{B256, U256};
use domain::{
    BlockHash, ChainEvent, Exchange, Fact, Fee, FeeKind, Fill, Payouts, Place, Role, Shares, Side, Usd,
};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use crate::error::{During as _, StoreError};
use crate::row;

/// The facts of blocks, by block, each block's by log index. Orphaned ones are left out.
pub(crate) async fn of_blocks(
    connection: &mut PgConnection,
    blocks: &[BlockHash],
) -> Result<BTreeMap<BlockHash, Vec<Fact>>, StoreError> {
    let hashes: Vec<String> = blocks.iter().map(ToString::to_string).collect();
    let trades = sqlx::query(
        "SELECT block_hash, log_index::bigint, block_number, block_time, tx_hash, exchange, wallet_address,
                counterparty_address, role, side, token_id::text, (shares * 1000000)::bigint AS shares,
                (usd * 1000000)::bigint AS usd, (fee * 1000000)::bigint AS fee, fee_asset
         FROM orderflow_trades WHERE block_hash = ANY($1) AND NOT orphaned",
    )
    .bind(&hashes)
    .fetch_all(&mut *connection)
    .await
    .during("read trades")?;
    let events = sqlx::query(
        "SELECT block_hash, log_index::bigint, block_number, block_time, tx_hash, kind, wallet_address,
                condition_id, token_id::text, (amount * 1000000)::bigint AS amount, detail, payout_numerators
         FROM orderflow_ledger_events WHERE block_hash = ANY($1) AND NOT orphaned",
    )
    .bind(&hashes)
    .fetch_all(&mut *connection)
    .await
    .during("read ledger events")?;
    let mut facts: BTreeMap<BlockHash, Vec<Fact>> = BTreeMap::new();
    for found in &trades {
        let fact = Fact { place: place_of(found)?, event: ChainEvent::Fill(fill_of(found)?) };
        facts.entry(fact.place.block_hash).or_default().push(fact);
    }
    for found in &events {
        let fact = Fact { place: place_of(found)?, event: event_of(found)? };
        facts.entry(fact.place.block_hash).or_default().push(fact);
    }
    for block in facts.values_mut() {
        block.sort_by_key(|fact| fact.place.log_index);
    }
    Ok(facts)
}

fn place_of(found: &PgRow) -> Result<Place, StoreError> {
    Ok(Place {
        block_number: row::unsigned(found, "block_number")?,
        block_hash: row::text(found, "block_hash", "a block hash")?,
        block_time: row::time(found, "block_time")?,
        tx_hash: row::text(found, "tx_hash", "a transaction hash")?,
        log_index: row::unsigned(found, "log_index")?,
    })
}

pub(crate) fn fill_of(found: &PgRow) -> Result<Fill, StoreError> {
    let fee: i64 = found.try_get("fee").during("read a column")?;
    let asset: String = found.try_get("fee_asset").during("read a column")?;
    Ok(Fill {
        exchange: row::named(found, "exchange", "an exchange", Exchange::from_name)?,
        wallet: row::text(found, "wallet_address", "an address")?,
        counterparty: row::text(found, "counterparty_address", "an address")?,
        role: row::named(found, "role", "a role", Role::from_name)?,
        side: row::named(found, "side", "a side", Side::from_name)?,
        token: row::text(found, "token_id", "a token id")?,
        shares: row::shares(found, "shares")?,
        usd: row::usd(found, "usd")?,
        fee: if asset == "shares" {
            Fee::Shares(Shares::from_micros(fee))
        } else {
            Fee::Usd(Usd::from_micros(fee))
        },
    })
}

fn event_of(found: &PgRow) -> Result<ChainEvent, StoreError> {
    let kind: String = found.try_get("kind").during("read a column")?;
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
            return Err(StoreError::Corrupt { column: "kind", value: kind, expected: "a ledger event" });
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
