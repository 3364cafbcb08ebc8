//! What is known of wallets, as bytes: saved with the place it is known up to, found by who needs it, and taken
//! back when the chain or a late fact says that it was not so.

mod find;
mod held;
mod told;
mod undo;

use domain::{Timestamp, TokenId, Wallet};
use sqlx::{PgConnection, Row as _};

use crate::error::{During as _, StoreError};
use crate::row;
use crate::scores::HeldShares;

pub use find::{
    WalletNumber, Wanted, count, due, everybody, find, holders, load, load_numbered, named, restless,
    seasoned, unknown, world,
};
pub use held::clear_stale;
pub use told::{note_told, outdate_told, told};
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
    /// When a pass has to look at it, at the latest.
    pub fades: Option<Timestamp>,
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

/// The place that a save is made at.
#[derive(Clone, Copy, Debug)]
pub struct Reached {
    /// As in [`Standing`].
    pub seq: i64,
    /// As in [`Standing`].
    pub block: Option<u64>,
    /// As in [`Standing`].
    pub is_behind: bool,
    /// The block up to which nothing can change any more.
    pub settled: u64,
}

/// A save that is being made, within a transaction: in as many parts as there is no room for together.
#[derive(Debug)]
pub struct Saving {
    number: i64,
    reached: Reached,
    /// Whether it may be taken back.
    is_kept: bool,
}

/// How what was published stands to what is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// Everything has to be found anew.
    Nothing,
    /// Something was taken back since.
    Outdated,
    /// It was made of what is known, but for what is new.
    Current,
}

/// Rows on their way into the table.
struct Rows<'a> {
    kinds: Vec<i16>,
    ids: Vec<i64>,
    wakes: Vec<Option<time::OffsetDateTime>>,
    fades: Vec<Option<time::OffsetDateTime>>,
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

/// How what was published stands to what is known.
///
/// # Errors
/// If the database refuses.
pub async fn published(connection: &mut PgConnection) -> Result<Published, StoreError> {
    let published: Option<Option<String>> =
        sqlx::query_scalar("SELECT published FROM orderflow_cursors WHERE name = $1")
            .bind(READER)
            .fetch_optional(connection)
            .await
            .during("read what was published")?;
    Ok(match published.flatten().as_deref() {
        None => Published::Nothing,
        Some("current") => Published::Current,
        Some(_) => Published::Outdated,
    })
}

/// Says that everything that is known is published, so that nobody is due; part of the transaction that does it.
///
/// # Errors
/// If the database refuses.
pub async fn set_published(connection: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query("UPDATE orderflow_wallet_states SET is_due = false WHERE kind = 0 AND is_due")
        .execute(&mut *connection)
        .await
        .during("note that nobody is due")?;
    told::forget_told(connection).await?;
    set(connection, Some("current")).await
}

async fn set(connection: &mut PgConnection, published: Option<&'static str>) -> Result<(), StoreError> {
    sqlx::query("UPDATE orderflow_cursors SET published = $2 WHERE name = $1")
        .bind(READER)
        .bind(published)
        .execute(connection)
        .await
        .map(|_| ())
        .during("note what was published")
}

/// Begins to save what changed. What can still be taken back keeps what it was.
///
/// # Errors
/// If the database refuses.
pub async fn begin_save(connection: &mut PgConnection, reached: Reached) -> Result<Saving, StoreError> {
    let block = reached.block.map_or(-1, row::signed);
    let number: i64 = sqlx::query_scalar(
        "INSERT INTO orderflow_wallet_saves (save, seq, block, is_behind)
         SELECT coalesce(max(save), 0) + 1, $1, $2, $3 FROM orderflow_wallet_saves RETURNING save",
    )
    .bind(reached.seq)
    .bind(block)
    .bind(reached.is_behind)
    .fetch_one(connection)
    .await
    .during("begin a save")?;
    Ok(Saving { number, reached, is_kept: row::signed(reached.settled) < block })
}

impl Saving {
    /// Its number.
    #[must_use]
    pub const fn number(&self) -> i64 {
        self.number
    }

    /// Saves wallets, each of them once.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn wallets(
        &self,
        connection: &mut PgConnection,
        wallets: &[WalletState],
    ) -> Result<(), StoreError> {
        if wallets.is_empty() {
            return Ok(());
        }
        let names: Vec<Wallet> = wallets.iter().map(|state| state.wallet).collect();
        let ids = find::numbers(connection, &names).await?;
        let mut rows = Rows::with_capacity(wallets.len());
        for (state, id) in wallets.iter().zip(&ids) {
            rows.push(WALLET, i64::from(*id), &state.bytes);
            rows.tell(state);
        }
        self.put(connection, rows).await?;
        find::note_holders(connection, wallets, &ids).await
    }

    /// Saves what belongs to questions and to everybody.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn world(
        &self,
        connection: &mut PgConnection,
        world: &[(WorldKey, Vec<u8>)],
    ) -> Result<(), StoreError> {
        let mut rows = Rows::with_capacity(world.len());
        for ((kind, id), bytes) in world {
            rows.push(*kind, *id, bytes);
        }
        self.put(connection, rows).await
    }

    /// Saves what wallets hold.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn held(&self, connection: &mut PgConnection, held: &[HeldShares]) -> Result<(), StoreError> {
        if self.is_kept {
            held::keep(connection, self.number, held).await?;
        }
        held::put(connection, self.number, held).await
    }

    /// Ends the save: lets go of what nobody can go back to any more, and says how far the reader has come.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn end(self, connection: &mut PgConnection) -> Result<i64, StoreError> {
        undo::settle(connection, row::signed(self.reached.settled)).await?;
        stand(connection, self.reached.seq).await?;
        Ok(self.number)
    }

    async fn put(&self, connection: &mut PgConnection, rows: Rows<'_>) -> Result<(), StoreError> {
        if self.is_kept {
            undo::keep(connection, self.number, &rows.kinds, &rows.ids).await?;
        }
        put(connection, self.number, rows).await
    }
}

/// Says how far the reader has come, to it and to whoever waits for it: facts up to the oldest save are not read again.
async fn stand(connection: &mut PgConnection, seq: i64) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO orderflow_cursors (name, seq, folded_block)
         SELECT $1, $2, nullif(block, -1) FROM orderflow_wallet_saves
         WHERE save = (SELECT min(save) FROM orderflow_wallet_saves)
         ON CONFLICT (name) DO UPDATE SET seq = excluded.seq, folded_block = excluded.folded_block",
    )
    .bind(READER)
    .bind(seq)
    .execute(connection)
    .await
    .map(|_| ())
    .during("store how far the fold has come")
}

async fn put(connection: &mut PgConnection, number: i64, rows: Rows<'_>) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO orderflow_wallet_states (kind, id, save, wake, fades, is_due, decisions, state)
         SELECT kind, id, $1, wake, fades, is_due, decisions, state
         FROM UNNEST($2::smallint[], $3::bigint[], $4::timestamptz[], $5::timestamptz[], $6::boolean[],
                     $7::integer[], $8::bytea[])
              AS fresh (kind, id, wake, fades, is_due, decisions, state)
         ON CONFLICT (kind, id) DO UPDATE SET
             save = excluded.save, wake = excluded.wake, fades = excluded.fades, is_due = excluded.is_due,
             decisions = excluded.decisions, state = excluded.state",
    )
    .bind(number)
    .bind(rows.kinds)
    .bind(rows.ids)
    .bind(rows.wakes)
    .bind(rows.fades)
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
            fades: Vec::with_capacity(rows),
            dues: Vec::with_capacity(rows),
            decisions: Vec::with_capacity(rows),
            states: Vec::with_capacity(rows),
        }
    }

    fn push(&mut self, kind: i16, id: i64, state: &'a [u8]) {
        self.kinds.push(kind);
        self.ids.push(id);
        self.wakes.push(None);
        self.fades.push(None);
        self.dues.push(false);
        self.decisions.push(0);
        self.states.push(state);
    }

    /// Adds to the newest row when its wallet is to be looked at.
    fn tell(&mut self, state: &WalletState) {
        if let (Some(wake), Some(fades), Some(is_due), Some(decisions)) =
            (self.wakes.last_mut(), self.fades.last_mut(), self.dues.last_mut(), self.decisions.last_mut())
        {
            *is_due = state.is_due;
            *wake = state.wake.map(Timestamp::to_offset_date_time);
            *fades = state.fades.map(Timestamp::to_offset_date_time);
            *decisions = row::small(state.decisions);
        }
    }
}
