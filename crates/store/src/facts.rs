//! Facts into the database, exactly once, and out again in their order.

use std::collections::BTreeMap;

use alloy_primitives::{B256, U256};
use domain::{
    BlockHash, ChainEvent, ConditionId, Exchange, Fact, Fee, Fill, Payouts, Place, Role, Shares, Side,
    Timestamp, Usd,
};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use time::OffsetDateTime;

use crate::error::{During as _, StoreError};
use crate::{announce, row, take_turn};

/// A block and what of it concerns us.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// Its height.
    pub number: u64,
    /// Its hash.
    pub hash: BlockHash,
    /// Its own time.
    pub time: Timestamp,
    /// When we learned of it.
    pub learned: Timestamp,
    /// Its facts, by log index.
    pub facts: Vec<Fact>,
    /// Its logs that could not be read.
    pub unreadable: Vec<Unreadable>,
}

/// A log that could not be read, kept as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Its index in the block.
    pub log_index: u32,
    /// Why.
    pub reason: String,
    /// Address, topics and data.
    pub raw: String,
}

/// A place on the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// The height.
    pub number: u64,
    /// The hash of the block there.
    pub hash: BlockHash,
}

/// What a commit added: nothing that was there before counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// Blocks.
    pub blocks: u64,
    /// Fills.
    pub fills: u64,
}

/// Takes blocks in, with the writer's place on the chain, and tells the readers: all or nothing.
///
/// A block that is known already, and not orphaned, adds nothing and is not announced again.
///
/// # Errors
/// If the database refuses.
pub async fn commit(
    connection: &mut PgConnection,
    writer: &str,
    blocks: &[Block],
    through: Point,
) -> Result<Added, StoreError> {
    take_turn(connection).await?;
    let new = insert_blocks(connection, blocks).await?;
    let fresh: Vec<&Block> = blocks.iter().filter(|block| new.contains_key(&block.hash)).collect();
    let fills = insert_trades(connection, &fresh).await?;
    insert_ledger_events(connection, &fresh).await?;
    insert_unreadable(connection, &fresh).await?;
    apply_resolutions(connection, &fresh).await?;
    let told: Vec<&Block> = fresh.iter().copied().filter(|block| !block.facts.is_empty()).collect();
    if !told.is_empty() {
        tell(connection, &told).await?;
        announce(connection).await?;
    }
    set_point(connection, writer, through).await?;
    Ok(Added { blocks: row::count(fresh.len()), fills })
}

/// Takes back everything above a height: its rows are marked orphaned, its results undone, the readers told.
///
/// # Errors
/// If the database refuses.
pub async fn revert(
    connection: &mut PgConnection,
    writer: &str,
    to: Point,
    learned: Timestamp,
) -> Result<u64, StoreError> {
    take_turn(connection).await?;
    let height = row::signed(to.number);
    let orphaned =
        sqlx::query("UPDATE orderflow_blocks SET orphaned = true WHERE block_number > $1 AND NOT orphaned")
            .bind(height)
            .execute(&mut *connection)
            .await
            .during("orphan blocks")?
            .rows_affected();
    for statement in [
        "UPDATE orderflow_trades SET orphaned = true WHERE block_number > $1 AND NOT orphaned",
        "UPDATE orderflow_markets SET payout_numerators = NULL, resolved_at = NULL
         WHERE condition_id IN (SELECT condition_id FROM orderflow_ledger_events
                                WHERE kind = 'resolution' AND block_number > $1 AND NOT orphaned)",
        "UPDATE orderflow_ledger_events SET orphaned = true WHERE block_number > $1 AND NOT orphaned",
    ] {
        sqlx::query(statement).bind(height).execute(&mut *connection).await.during("orphan facts")?;
    }
    sqlx::query("INSERT INTO orderflow_outbox (learned_at, kind, block_number) VALUES ($1, 'reverted', $2)")
        .bind(learned.to_offset_date_time())
        .bind(height)
        .execute(&mut *connection)
        .await
        .during("tell of a reorganisation")?;
    set_point(connection, writer, to).await?;
    announce(connection).await?;
    Ok(orphaned)
}

/// How far a writer has come on the chain.
///
/// # Errors
/// If the database refuses; never read as "not begun".
pub async fn point(connection: &mut PgConnection, writer: &str) -> Result<Option<Point>, StoreError> {
    let found = sqlx::query("SELECT block_number, block_hash FROM orderflow_cursors WHERE name = $1")
        .bind(writer)
        .fetch_optional(connection)
        .await
        .during("read a place on the chain")?;
    found.as_ref().map(point_of).transpose()
}

/// The newest blocks on the chain as we know it, at most `count`, oldest first.
///
/// # Errors
/// If the database refuses.
pub async fn recent_points(connection: &mut PgConnection, count: u32) -> Result<Vec<Point>, StoreError> {
    let rows = sqlx::query(
        "SELECT block_number, block_hash FROM orderflow_blocks WHERE NOT orphaned
         ORDER BY block_number DESC LIMIT $1",
    )
    .bind(i64::from(count))
    .fetch_all(connection)
    .await
    .during("read the newest blocks")?;
    rows.iter().rev().map(point_of).collect()
}

/// Which of these blocks are known and not orphaned.
///
/// # Errors
/// If the database refuses.
pub async fn known(
    connection: &mut PgConnection,
    blocks: &[BlockHash],
) -> Result<Vec<BlockHash>, StoreError> {
    let hashes: Vec<String> = blocks.iter().map(ToString::to_string).collect();
    let rows =
        sqlx::query("SELECT block_hash FROM orderflow_blocks WHERE block_hash = ANY($1) AND NOT orphaned")
            .bind(hashes)
            .fetch_all(connection)
            .await
            .during("look for blocks")?;
    rows.iter().map(|found| row::text(found, "block_hash", "a block hash")).collect()
}

fn point_of(found: &PgRow) -> Result<Point, StoreError> {
    Ok(Point {
        number: row::unsigned(found, "block_number")?,
        hash: row::text(found, "block_hash", "a block hash")?,
    })
}

async fn set_point(connection: &mut PgConnection, writer: &str, point: Point) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO orderflow_cursors (name, block_number, block_hash) VALUES ($1, $2, $3)
         ON CONFLICT (name) DO UPDATE SET block_number = $2, block_hash = $3",
    )
    .bind(writer)
    .bind(row::signed(point.number))
    .bind(point.hash.to_string())
    .execute(connection)
    .await
    .map(|_| ())
    .during("store a place on the chain")
}

/// Inserts blocks and says which of them are new, or back from having been orphaned.
async fn insert_blocks(
    connection: &mut PgConnection,
    blocks: &[Block],
) -> Result<BTreeMap<BlockHash, ()>, StoreError> {
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
    rows.iter().map(|found| Ok((row::text(found, "block_hash", "a block hash")?, ()))).collect()
}

async fn insert_trades(connection: &mut PgConnection, blocks: &[&Block]) -> Result<u64, StoreError> {
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

/// What of an event goes into the ledger; fills have their own table, matches and fees repeat them.
fn ledger_row(event: &ChainEvent) -> Option<LedgerRow> {
    let set = |kind, wallet: &domain::Wallet, condition: &ConditionId, amount: &Shares| LedgerRow {
        kind,
        wallet: Some(wallet.to_string()),
        condition: Some(condition.to_string()),
        amount: Some(amount.micros()),
        ..LedgerRow::default()
    };
    Some(match event {
        ChainEvent::Fill(_) | ChainEvent::Match { .. } | ChainEvent::Fee { .. } => return None,
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
        ChainEvent::Derivable { event, yes } => LedgerRow {
            kind: "derivable",
            condition: Some(format!("{event:#x}")),
            detail: yes.map(|condition| condition.to_string()),
            ..LedgerRow::default()
        },
    })
}

async fn insert_ledger_events(connection: &mut PgConnection, blocks: &[&Block]) -> Result<(), StoreError> {
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

async fn insert_unreadable(connection: &mut PgConnection, blocks: &[&Block]) -> Result<(), StoreError> {
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
async fn apply_resolutions(connection: &mut PgConnection, blocks: &[&Block]) -> Result<(), StoreError> {
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

async fn tell(connection: &mut PgConnection, blocks: &[&Block]) -> Result<(), StoreError> {
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
