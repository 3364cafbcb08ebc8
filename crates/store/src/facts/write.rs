//! Facts as rows, a statement a kind.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};
use std::ops::RangeInclusive;

use alloy_primitives::B256;
use domain::{BlockHash, ChainEvent, ConditionId, Exchange, Fee, FeeKind, Fill, Payouts, Role, Shares, Side};
use sqlx::{PgConnection, Row as _};

use super::dictionary::Dictionary;
use super::{Block, writer};
use crate::error::{During as _, StoreError};
use crate::{CHANNEL, row};

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
    let back: Vec<String> = rows
        .iter()
        .filter(|found| found.try_get("is_back").unwrap_or(true))
        .map(|found| row::string(found, "block_hash"))
        .collect::<Result<_, _>>()?;
    if !back.is_empty() {
        // Those that count again leave what was taken back.
        sqlx::query("DELETE FROM orderflow_orphaned_trades WHERE block_hash = ANY($1)")
            .bind(back)
            .execute(connection)
            .await
            .during("take blocks back in")?;
    }
    writer::hashes(&rows)
}

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
    let mut places = transactions(connection, blocks, whole).await?;
    let mut rows = Vec::with_capacity(blocks.iter().map(|block| block.facts.len()).sum());
    for block in blocks {
        let Some(txs) = places.remove(&block.number) else { continue };
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
struct Txs {
    /// In the order of the block's list, each once.
    list: Vec<B256>,
    places: BTreeMap<B256, usize>,
}

impl Txs {
    fn new(list: Vec<B256>) -> Self {
        let places = list.iter().enumerate().map(|(index, hash)| (*hash, index)).collect();
        Self { list, places }
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

/// Stores which transactions the blocks' fills belong to, behind those that are there.
async fn transactions(
    connection: &mut PgConnection,
    blocks: &[&Block],
    whole: Whole,
) -> Result<BTreeMap<u64, Txs>, StoreError> {
    let with_fills: Vec<&&Block> = blocks.iter().filter(|block| block.fills().next().is_some()).collect();
    if with_fills.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut lists = match whole {
        Whole::Yes => BTreeMap::new(),
        Whole::No => transactions_there(connection, &with_fills).await?,
    };
    for block in &with_fills {
        let txs = lists.entry(block.number).or_insert_with(|| Txs::new(vec![]));
        block.fills().for_each(|(place, _)| txs.add(place.tx_hash.0));
    }
    sqlx::query(
        "INSERT INTO orderflow_block_txs (block_number, tx_hashes)
         SELECT * FROM UNNEST($1::bigint[]::int[], $2::bytea[])
         ON CONFLICT (block_number) DO UPDATE SET tx_hashes = excluded.tx_hashes",
    )
    .bind(lists.keys().map(|number| row::signed(*number)).collect::<Vec<_>>())
    .bind(lists.values().map(|txs| txs.list.concat()).collect::<Vec<_>>())
    .execute(connection)
    .await
    .during("insert transactions")?;
    Ok(lists)
}

async fn transactions_there(
    connection: &mut PgConnection,
    blocks: &[&&Block],
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
    let bigints = |column: fn(&FillRow) -> i64| rows.iter().map(column).collect::<Vec<_>>();
    let integers = |column: fn(&FillRow) -> i32| rows.iter().map(column).collect::<Vec<_>>();
    let smallints = |column: fn(&FillRow) -> i16| rows.iter().map(column).collect::<Vec<_>>();
    let done = sqlx::query(
        "INSERT INTO orderflow_fills
             (shares, usd, fee, block_number, log_index, wallet, counterparty, token, tx_index, kind)
         SELECT * FROM UNNEST($1::bigint[], $2::bigint[], $3::bigint[], $4::int[], $5::int[], $6::int[], $7::int[],
                              $8::int[], $9::smallint[], $10::smallint[])
         ON CONFLICT DO NOTHING",
    )
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
    .execute(connection)
    .await
    .during("insert fills")?;
    Ok(done.rows_affected())
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

/// Inserts what blocks hold besides fills: ledger events, conditions, results, and what could not be read.
pub(super) async fn insert_the_rest(
    connection: &mut PgConnection,
    blocks: &[&Block],
    source: &str,
) -> Result<(), StoreError> {
    insert_ledger_events(connection, blocks).await?;
    insert_conditions(connection, blocks.iter().copied()).await?;
    insert_unreadable(connection, blocks, source).await?;
    apply_resolutions(connection, blocks).await
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
    let facts = blocks.iter().flat_map(|block| &block.facts);
    let rows: Vec<_> = facts.filter_map(|fact| Some((&fact.place, ledger_row(&fact.event)?))).collect();
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO orderflow_ledger_events
             (block_hash, log_index, block_number, block_time, tx_hash, kind, wallet_address, condition_id,
              token_id, amount, detail, payout_numerators)
         SELECT hash, log, number, at, tx, kind, wallet, condition, token::numeric, amount::numeric / 1000000,
                detail, payouts::bigint[]
         FROM UNNEST($1::text[], $2::int[], $3::bigint[], $4::timestamptz[], $5::text[], $6::text[], $7::text[],
                     $8::text[], $9::text[], $10::bigint[], $11::text[], $12::text[])
              AS events (hash, log, number, at, tx, kind, wallet, condition, token, amount, detail, payouts)
         ON CONFLICT (block_hash, log_index) DO UPDATE SET orphaned = false",
    )
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
    .execute(connection)
    .await
    .map(|_| ())
    .during("insert ledger events")
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

/// Tells the readers of new blocks, in their order, and wakes them: in one statement, because this is what the
/// newest block waits for.
pub(super) async fn tell(connection: &mut PgConnection, blocks: &[&Block]) -> Result<(), StoreError> {
    sqlx::query(
        "WITH news AS (
             INSERT INTO orderflow_outbox (learned_at, kind, block_hash, block_number)
             SELECT learned_at, 'block', block_hash, block_number
             FROM UNNEST($1::timestamptz[], $2::text[], $3::bigint[])
                  WITH ORDINALITY AS told (learned_at, block_hash, block_number, place)
             ORDER BY place
             RETURNING seq)
         SELECT pg_notify($4, '') FROM news LIMIT 1",
    )
    .bind(blocks.iter().map(|block| block.learned.to_offset_date_time()).collect::<Vec<_>>())
    .bind(blocks.iter().map(|block| block.hash.to_string()).collect::<Vec<_>>())
    .bind(blocks.iter().map(|block| row::signed(block.number)).collect::<Vec<_>>())
    .bind(CHANNEL)
    .execute(connection)
    .await
    .map(|_| ())
    .during("tell of new blocks")
}

/// Tells the readers that settled blocks became known.
pub(super) async fn tell_of_history(
    connection: &mut PgConnection,
    covered: RangeInclusive<u64>,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO orderflow_outbox (learned_at, kind, first_block, block_number)
         VALUES (now(), 'history', $1, $2)",
    )
    .bind(row::signed(*covered.start()))
    .bind(row::signed(*covered.end()))
    .execute(connection)
    .await
    .map(|_| ())
    .during("tell of history")
}

/// Tells the readers of single facts that were missing from blocks they may know already.
pub(super) async fn tell_late(connection: &mut PgConnection, blocks: &[&Block]) -> Result<(), StoreError> {
    for block in blocks {
        let logs: Vec<i32> = block.facts.iter().map(|fact| row::small(fact.place.log_index)).collect();
        sqlx::query(
            "INSERT INTO orderflow_outbox (learned_at, kind, block_hash, block_number, log_indexes)
             VALUES ($1, 'late', $2, $3, $4)",
        )
        .bind(block.learned.to_offset_date_time())
        .bind(block.hash.to_string())
        .bind(row::signed(block.number))
        .bind(logs)
        .execute(&mut *connection)
        .await
        .during("tell of late facts")?;
    }
    Ok(())
}
