//! Blocks and their fills as rows.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use alloy_primitives::B256;
use domain::{BlockHash, Exchange, Fee, Fill, Role, Side};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use super::dictionary::Dictionary;
use super::{Block, writer};
use crate::error::{During as _, StoreError};
use crate::{Statement, row};

/// Inserts blocks and says which of them are new, or back from having been orphaned.
pub(super) async fn insert_blocks(
    connection: &mut PgConnection,
    blocks: &[&Block],
) -> Result<BTreeSet<BlockHash>, StoreError> {
    if blocks.is_empty() {
        return Ok(BTreeSet::new());
    }
    let rows = sqlx::query(
        "INSERT INTO orderflow_blocks (block_hash, block_number, block_time, parent_hash)
         SELECT * FROM UNNEST($1::text[], $2::bigint[], $3::timestamptz[], $4::text[])
         ON CONFLICT (block_hash) DO UPDATE SET orphaned = false WHERE orderflow_blocks.orphaned
         RETURNING block_hash, xmax <> 0 AS is_back",
    )
    .bind(blocks.iter().map(|block| block.hash.to_string()).collect::<Vec<_>>())
    .bind(blocks.iter().map(|block| row::signed(block.number)).collect::<Vec<_>>())
    .bind(blocks.iter().map(|block| block.time.to_offset_date_time()).collect::<Vec<_>>())
    .bind(blocks.iter().map(|block| block.parent.map(|hash| hash.to_string())).collect::<Vec<_>>())
    .fetch_all(&mut *connection)
    .await
    .during("insert blocks")?;
    inserted(connection, &rows).await
}

/// The blocks that a statement inserted; those that count again leave what was taken back.
pub(super) async fn inserted(
    connection: &mut PgConnection,
    rows: &[PgRow],
) -> Result<BTreeSet<BlockHash>, StoreError> {
    let back: Vec<String> = rows
        .iter()
        .filter(|found| found.try_get("is_back").unwrap_or(true))
        .map(|found| row::string(found, "block_hash"))
        .collect::<Result<_, _>>()?;
    if !back.is_empty() {
        sqlx::query("DELETE FROM orderflow_orphaned_trades WHERE block_hash = ANY($1)")
            .bind(back)
            .execute(connection)
            .await
            .during("take blocks back in")?;
    }
    writer::hashes(rows)
}

/// The statement that stores which transactions belong to blocks; its parameters are heights and concatenated hashes.
macro_rules! put_txs {
    ($numbers:literal, $hashes:literal) => {
        concat!(
            "INSERT INTO orderflow_block_txs (block_number, tx_hashes)
             SELECT * FROM UNNEST(",
            $numbers,
            "::bigint[]::int[], ",
            $hashes,
            "::bytea[])
             ON CONFLICT (block_number) DO UPDATE SET tx_hashes = excluded.tx_hashes"
        )
    };
}
pub(super) use put_txs;

/// The statement that stores fills, those that are there already aside; its parameters are the columns of [`FillRow`].
macro_rules! put_fills {
    ($shares:literal, $usd:literal, $fee:literal, $block:literal, $log:literal, $wallet:literal, $counterparty:literal,
     $token:literal, $tx:literal, $kind:literal) => {
        concat!(
            "INSERT INTO orderflow_fills
                 (shares, usd, fee, block_number, log_index, wallet, counterparty, token, tx_index, kind)
             SELECT * FROM UNNEST(",
            $shares,
            "::bigint[], ",
            $usd,
            "::bigint[], ",
            $fee,
            "::bigint[], ",
            $block,
            "::int[], ",
            $log,
            "::int[], ",
            $wallet,
            "::int[], ",
            $counterparty,
            "::int[], ",
            $token,
            "::int[], ",
            $tx,
            "::smallint[], ",
            $kind,
            "::smallint[])
             ON CONFLICT DO NOTHING"
        )
    };
}
pub(super) use put_fills;

/// A fill as its row.
pub(super) struct FillRow {
    pub(super) shares: i64,
    pub(super) usd: i64,
    pub(super) fee: i64,
    pub(super) block_number: i32,
    pub(super) log_index: i32,
    pub(super) wallet: i32,
    pub(super) counterparty: i32,
    pub(super) token: i32,
    pub(super) tx_index: i16,
    pub(super) kind: i16,
}

/// Whether blocks are taken in whole, or added to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whole {
    Yes,
    No,
}

/// The rows of the blocks' fills, whose transactions are in the blocks' lists by now.
pub(super) async fn fill_rows(
    connection: &mut PgConnection,
    dictionary: &Dictionary,
    blocks: &[&Block],
    whole: Whole,
) -> Result<Vec<FillRow>, StoreError> {
    let lists = transactions(connection, blocks, whole).await?;
    rows_of(dictionary, blocks, &lists)
}

/// The rows of the blocks' fills, whose transactions are in these lists.
pub(super) fn rows_of(
    dictionary: &Dictionary,
    blocks: &[&Block],
    lists: &BTreeMap<u64, Txs>,
) -> Result<Vec<FillRow>, StoreError> {
    let mut rows = Vec::with_capacity(blocks.iter().map(|block| block.facts.len()).sum());
    for block in blocks {
        let Some(txs) = lists.get(&block.number) else { continue };
        let block_number = row::exact(block.number, "block_number")?;
        for (place, fill) in block.fills() {
            let tx_index = txs.index(place.tx_hash.0)?;
            rows.push(FillRow {
                shares: fill.shares.micros(),
                usd: fill.usd.micros(),
                fee: fee_micros(fill.fee),
                block_number,
                log_index: row::exact(place.log_index, "log_index")?,
                wallet: dictionary.wallet(fill.wallet)?,
                counterparty: dictionary.wallet(fill.counterparty)?,
                token: dictionary.token(fill.token)?,
                tx_index,
                kind: kind(fill),
            });
        }
    }
    Ok(rows)
}

/// A block's transactions that have fills.
pub(super) struct Txs {
    /// In the order of the block's list, each once.
    list: Vec<B256>,
    places: BTreeMap<B256, usize>,
}

impl Txs {
    fn new(list: Vec<B256>) -> Self {
        let places = list.iter().enumerate().map(|(index, hash)| (*hash, index)).collect();
        Self { list, places }
    }

    /// The hashes one after the other, as they are stored.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.list.concat()
    }

    fn add(&mut self, hash: B256) {
        let index = self.list.len();
        if self.list.last() == Some(&hash) {
            return;
        }
        if let Entry::Vacant(place) = self.places.entry(hash) {
            place.insert(index);
            self.list.push(hash);
        }
    }

    fn index(&self, hash: B256) -> Result<i16, StoreError> {
        let index = self.places.get(&hash).copied().unwrap_or(usize::MAX);
        i16::try_from(index).map_err(|_| StoreError::Corrupt {
            column: "tx_index",
            value: index.to_string(),
            expected: "one of at most 32,768 transactions of a block",
        })
    }
}

/// Adds the transactions of the blocks' fills behind those that are in the lists.
pub(super) fn list_transactions(mut lists: BTreeMap<u64, Txs>, blocks: &[&Block]) -> BTreeMap<u64, Txs> {
    for block in blocks {
        for (place, _) in block.fills() {
            lists.entry(block.number).or_insert_with(|| Txs::new(vec![])).add(place.tx_hash.0);
        }
    }
    lists
}

/// Stores which transactions the blocks' fills belong to, behind those that are there.
async fn transactions(
    connection: &mut PgConnection,
    blocks: &[&Block],
    whole: Whole,
) -> Result<BTreeMap<u64, Txs>, StoreError> {
    let with_fills: Vec<&Block> =
        blocks.iter().copied().filter(|block| block.fills().next().is_some()).collect();
    if with_fills.is_empty() {
        return Ok(BTreeMap::new());
    }
    let there = match whole {
        Whole::Yes => BTreeMap::new(),
        Whole::No => transactions_there(connection, &with_fills).await?,
    };
    let lists = list_transactions(there, &with_fills);
    sqlx::query(put_txs!("$1", "$2"))
        .bind(lists.keys().map(|number| row::signed(*number)).collect::<Vec<_>>())
        .bind(lists.values().map(Txs::bytes).collect::<Vec<_>>())
        .execute(connection)
        .await
        .during("insert transactions")?;
    Ok(lists)
}

async fn transactions_there(
    connection: &mut PgConnection,
    blocks: &[&Block],
) -> Result<BTreeMap<u64, Txs>, StoreError> {
    let rows = sqlx::query(
        "SELECT block_number::bigint AS block_number, tx_hashes FROM orderflow_block_txs
         WHERE block_number = ANY($1::bigint[]::int[])",
    )
    .bind(blocks.iter().map(|block| row::signed(block.number)).collect::<Vec<_>>())
    .fetch_all(connection)
    .await
    .during("read transactions")?;
    rows.iter()
        .map(|found| Ok((row::unsigned(found, "block_number")?, Txs::new(row::words(found, "tx_hashes")?))))
        .collect()
}

/// Inserts the fills of blocks, those that are there already aside; how many were new.
pub(super) async fn insert_fills(
    connection: &mut PgConnection,
    dictionary: &Dictionary,
    blocks: &[&Block],
    whole: Whole,
) -> Result<u64, StoreError> {
    let rows = fill_rows(connection, dictionary, blocks, whole).await?;
    if rows.is_empty() {
        return Ok(0);
    }
    let statement = put_fills!("$1", "$2", "$3", "$4", "$5", "$6", "$7", "$8", "$9", "$10");
    let done = bind_fills(sqlx::query(statement), &rows).execute(connection).await.during("insert fills")?;
    Ok(done.rows_affected())
}

/// Binds the columns of fills, in their order.
pub(super) fn bind_fills<'q>(query: Statement<'q>, rows: &[FillRow]) -> Statement<'q> {
    let bigints = |column: fn(&FillRow) -> i64| rows.iter().map(column).collect::<Vec<_>>();
    let integers = |column: fn(&FillRow) -> i32| rows.iter().map(column).collect::<Vec<_>>();
    let smallints = |column: fn(&FillRow) -> i16| rows.iter().map(column).collect::<Vec<_>>();
    query
        .bind(bigints(|row| row.shares))
        .bind(bigints(|row| row.usd))
        .bind(bigints(|row| row.fee))
        .bind(integers(|row| row.block_number))
        .bind(integers(|row| row.log_index))
        .bind(integers(|row| row.wallet))
        .bind(integers(|row| row.counterparty))
        .bind(integers(|row| row.token))
        .bind(smallints(|row| row.tx_index))
        .bind(smallints(|row| row.kind))
}

/// Exchange, role, side and the fee's asset in one number; [`super::read::fill_of`] takes it apart.
fn kind(fill: &Fill) -> i16 {
    let exchange = match fill.exchange {
        Exchange::V1 => 0,
        Exchange::V1NegRisk => 1,
        Exchange::V2 => 2,
        Exchange::V2NegRisk => 3,
        Exchange::V3 => 4,
        Exchange::Tape => 5,
    };
    let role = if fill.role == Role::Taker { 8 } else { 0 };
    let side = if fill.side == Side::Sell { 16 } else { 0 };
    let asset = if matches!(fill.fee, Fee::Shares(_)) { 32 } else { 0 };
    exchange | role | side | asset
}

const fn fee_micros(fee: Fee) -> i64 {
    match fee {
        Fee::Usd(fee) => fee.micros(),
        Fee::Shares(fee) => fee.micros(),
    }
}
