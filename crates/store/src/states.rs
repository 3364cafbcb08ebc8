//! What is known of wallets, as bytes: saved with the place it is known up to, found by who needs it, and taken
//! back when the chain or a late fact says that it was not so.

mod find;
mod held;
mod undo;

use domain::{Timestamp, TokenId, Wallet};
use sqlx::{PgConnection, Row as _};

use crate::error::{During as _, StoreError};
use crate::row;
use crate::scores::HeldShares;

pub use find::{Wanted, count, due, find, load, seasoned, world};
pub use undo::{changed_from, forget_all, go_back};

/// The kind of a wallet's bytes; what belongs to a question or to everybody has kinds above.
const WALLET: i16 = 0;

/// The name of the reader whose states these are.
const READER: &str = "orderflow-reputation";

/// What the bytes of a question, or of everybody, are found by: a kind above zero, and a number.
pub type WorldKey = (i16, i64);

/// A wallet as it is saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalletState {
    /// Whose.
    pub wallet: Wallet,
    /// Everything known of it; never empty.
    pub bytes: Vec<u8>,
    /// When it has to be looked at, at the latest, whether anything happens to it or not.
    pub wake: Option<Timestamp>,
    /// Whether the next pass has to look at it.
    pub is_due: bool,
    /// Its closed decisions.
    pub decisions: u32,
    /// The tokens whose results concern it.
    pub tokens: Vec<TokenId>,
}

/// Where a fold stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The save's number; they rise, also when something is taken back.
    pub save: i64,
    /// Everything known up to this item of the outbox is in.
    pub seq: i64,
    /// The last block folded.
    pub block: Option<u64>,
    /// Whether there are more blocks that were known at that item.
    pub is_behind: bool,
}

/// What is saved together.
#[derive(Clone, Copy, Debug)]
pub struct Save<'a> {
    /// As in [`Standing`].
    pub seq: i64,
    /// As in [`Standing`].
    pub block: Option<u64>,
    /// As in [`Standing`].
    pub is_behind: bool,
    /// The block up to which nothing can change any more.
    pub settled: u64,
    /// The wallets that changed.
    pub wallets: &'a [WalletState],
    /// What changed of the rest.
    pub world: &'a [(WorldKey, Vec<u8>)],
    /// What changed of what wallets hold.
    pub held: &'a [HeldShares],
}

/// Rows on their way into the table.
struct Rows<'a> {
    kinds: Vec<i16>,
    ids: Vec<i64>,
    wakes: Vec<Option<time::OffsetDateTime>>,
    dues: Vec<bool>,
    decisions: Vec<i32>,
    states: Vec<&'a [u8]>,
}

/// Where the fold stands; `None` before the first save.
///
/// # Errors
/// If the database refuses; never read as "not begun".
pub async fn standing(connection: &mut PgConnection) -> Result<Option<Standing>, StoreError> {
    let found = sqlx::query(
        "SELECT save, seq, block, is_behind FROM orderflow_wallet_saves ORDER BY save DESC LIMIT 1",
    )
    .fetch_optional(connection)
    .await
    .during("read where the fold of the wallets stands")?;
    found.map(|found| standing_of(&found)).transpose()
}

fn standing_of(found: &sqlx::postgres::PgRow) -> Result<Standing, StoreError> {
    let block: i64 = found.try_get("block").during("read a column")?;
    Ok(Standing {
        save: found.try_get("save").during("read a column")?,
        seq: found.try_get("seq").during("read a column")?,
        block: u64::try_from(block).ok(),
        is_behind: found.try_get("is_behind").during("read a column")?,
    })
}

/// The save that the last pass was made at; `None`: everybody has to be looked at.
///
/// # Errors
/// If the database refuses.
pub async fn passed(connection: &mut PgConnection) -> Result<Option<i64>, StoreError> {
    let passed: Option<Option<i64>> =
        sqlx::query_scalar("SELECT passed_save FROM orderflow_cursors WHERE name = $1")
            .bind(READER)
            .fetch_optional(connection)
            .await
            .during("read which states were scored")?;
    Ok(passed.flatten())
}

/// Says at which save a pass was made, after which nobody is due; part of the transaction that publishes it.
///
/// # Errors
/// If the database refuses.
pub async fn set_passed(connection: &mut PgConnection, save: i64) -> Result<(), StoreError> {
    sqlx::query("UPDATE orderflow_wallet_states SET is_due = false WHERE kind = 0 AND is_due")
        .execute(&mut *connection)
        .await
        .during("note that nobody is due")?;
    sqlx::query("UPDATE orderflow_cursors SET passed_save = $2 WHERE name = $1")
        .bind(READER)
        .bind(save)
        .execute(connection)
        .await
        .map(|_| ())
        .during("note which states were scored")
}

/// Forgets the verdicts about wallets of which nothing is known any more.
///
/// # Errors
/// If the database refuses.
pub async fn forget_unknown(connection: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query(
        "DELETE FROM orderflow_wallet_stats v
         WHERE NOT EXISTS (SELECT FROM orderflow_wallets w
                           JOIN orderflow_wallet_states s ON s.kind = 0 AND s.id = w.id AND s.state <> ''
                           WHERE w.address = v.wallet_address)",
    )
    .execute(connection)
    .await
    .map(|_| ())
    .during("forget verdicts about wallets without facts")
}

/// Saves what changed and where the fold stands; the save's number. What can still be taken back keeps what it was.
///
/// # Errors
/// If the database refuses.
pub async fn save(connection: &mut PgConnection, save: &Save<'_>) -> Result<i64, StoreError> {
    let wallets: Vec<Wallet> = save.wallets.iter().map(|state| state.wallet).collect();
    let ids = find::numbers(connection, &wallets).await?;
    let mut rows = Rows::with_capacity(save.wallets.len() + save.world.len());
    for (state, id) in save.wallets.iter().zip(&ids) {
        rows.push(WALLET, i64::from(*id), &state.bytes);
        rows.tell(state);
    }
    for ((kind, id), bytes) in save.world {
        rows.push(*kind, *id, bytes);
    }
    let block = save.block.map_or(-1, row::signed);
    let number = begin(connection, save, block).await?;
    if row::signed(save.settled) < block {
        undo::keep(connection, number, &rows.kinds, &rows.ids).await?;
        held::keep(connection, number, save.held).await?;
    }
    put(connection, number, rows).await?;
    find::note_holders(connection, save.wallets, &ids).await?;
    held::put(connection, save.held).await?;
    undo::settle(connection, row::signed(save.settled)).await?;
    Ok(number)
}

async fn begin(connection: &mut PgConnection, save: &Save<'_>, block: i64) -> Result<i64, StoreError> {
    let number: i64 = sqlx::query_scalar(
        "INSERT INTO orderflow_wallet_saves (save, seq, block, is_behind)
         SELECT coalesce(max(save), 0) + 1, $1, $2, $3 FROM orderflow_wallet_saves RETURNING save",
    )
    .bind(save.seq)
    .bind(block)
    .bind(save.is_behind)
    .fetch_one(&mut *connection)
    .await
    .during("begin a save")?;
    stand(connection, save.seq, block).await?;
    Ok(number)
}

/// Says how far the reader has come, to it and to whoever waits for it.
async fn stand(connection: &mut PgConnection, seq: i64, block: i64) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO orderflow_cursors (name, seq, folded_block) VALUES ($1, $2, nullif($3, -1))
         ON CONFLICT (name) DO UPDATE SET seq = $2, folded_block = nullif($3, -1)",
    )
    .bind(READER)
    .bind(seq)
    .bind(block)
    .execute(connection)
    .await
    .map(|_| ())
    .during("store how far the fold has come")
}

async fn put(connection: &mut PgConnection, number: i64, rows: Rows<'_>) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO orderflow_wallet_states (kind, id, save, wake, is_due, decisions, state)
         SELECT kind, id, $1, wake, is_due, decisions, state
         FROM UNNEST($2::smallint[], $3::bigint[], $4::timestamptz[], $5::boolean[], $6::integer[], $7::bytea[])
              AS fresh (kind, id, wake, is_due, decisions, state)
         ON CONFLICT (kind, id) DO UPDATE SET
             save = excluded.save, wake = excluded.wake, is_due = excluded.is_due, decisions = excluded.decisions,
             state = excluded.state",
    )
    .bind(number)
    .bind(rows.kinds)
    .bind(rows.ids)
    .bind(rows.wakes)
    .bind(rows.dues)
    .bind(rows.decisions)
    .bind(rows.states)
    .execute(connection)
    .await
    .map(|_| ())
    .during("save the states of wallets")
}

impl<'a> Rows<'a> {
    fn with_capacity(rows: usize) -> Self {
        Self {
            kinds: Vec::with_capacity(rows),
            ids: Vec::with_capacity(rows),
            wakes: Vec::with_capacity(rows),
            dues: Vec::with_capacity(rows),
            decisions: Vec::with_capacity(rows),
            states: Vec::with_capacity(rows),
        }
    }

    fn push(&mut self, kind: i16, id: i64, state: &'a [u8]) {
        self.kinds.push(kind);
        self.ids.push(id);
        self.wakes.push(None);
        self.dues.push(false);
        self.decisions.push(0);
        self.states.push(state);
    }

    /// Adds to the newest row when its wallet is to be looked at.
    fn tell(&mut self, state: &WalletState) {
        if let (Some(wake), Some(is_due), Some(decisions)) =
            (self.wakes.last_mut(), self.dues.last_mut(), self.decisions.last_mut())
        {
            *is_due = state.is_due;
            *wake = state.wake.map(Timestamp::to_offset_date_time);
            *decisions = row::small(state.decisions);
        }
    }
}
