//! The way facts enter the database, and the way they are taken back.

use std::collections::{BTreeSet, HashSet};

use domain::{BlockHash, Timestamp};
use sqlx::PgConnection;

use super::dictionary::Dictionary;
use super::newest::{News, Together};
use super::write::Whole;
use super::{Added, Block, Point, Stretch, copy, ledger, newest, place, take_back, told, write};
use crate::coverage::{self, Kind};
use crate::error::{During as _, StoreError};
use crate::{Store, Transaction, announce, row, take_turn};

/// Blocks a partition of the fills holds; the function in the schema knows the same number.
const PARTITION: u64 = 131_072;

/// Writes facts, exactly once, each together with the cursor and the coverage that say so.
#[derive(Debug)]
pub struct Writer {
    store: Store,
    /// The same database for whom others wait meanwhile.
    hurried: Store,
    /// The name of its place on the chain.
    name: &'static str,
    dictionary: Dictionary,
    /// Partitions that are there, and whether with their indexes.
    partitions: HashSet<(u64, bool)>,
}

impl Writer {
    /// A writer whose place on the chain has this name.
    #[must_use]
    pub fn new(store: Store, name: &'static str) -> Self {
        let hurried = store.in_a_hurry();
        Self { store, hurried, name, dictionary: Dictionary::default(), partitions: HashSet::new() }
    }

    /// Begins a transaction for these blocks, whose wallets and tokens have their numbers then, once it is this
    /// writer's turn.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn begin(&mut self, blocks: &[Block]) -> Result<Transaction, StoreError> {
        self.prepare(blocks, true).await?;
        self.store.begin_in_turn().await
    }

    /// Whether tokens were given numbers, since this was last asked, that nobody has described.
    pub fn take_unknown(&mut self) -> bool {
        self.dictionary.take_unknown()
    }

    /// Numbers and partitions, of which both are there for good whatever becomes of the blocks. Nobody whose turn it is
    /// waits for them: what they wait for themselves may wait for its turn.
    async fn prepare(&mut self, blocks: &[Block], indexed: bool) -> Result<(), StoreError> {
        self.make_partitions(blocks, indexed).await?;
        self.dictionary.learn(&self.store, blocks).await
    }

    /// Takes blocks in that follow what is there, with the writer's place, and tells the readers: all or nothing
    /// with the transaction, which [`begin`](Self::begin) made for them.
    ///
    /// What is covered already, because history was read meanwhile, adds nothing.
    ///
    /// # Errors
    /// If the database refuses, or another block counts at one of these heights.
    pub async fn commit(
        &self,
        connection: &mut PgConnection,
        stretch: &Stretch<'_>,
    ) -> Result<Added, StoreError> {
        let news = newest::insert_blocks(connection, stretch).await?;
        self.insert_the_rest(connection, stretch, news).await
    }

    /// Begins a transaction as [`begin`](Self::begin) does, and takes blocks in as [`commit`](Self::commit) does, for what
    /// the head of the chain is on most days: numbers are given while the blocks themselves are inserted. Where giving
    /// them takes long, the turn is given back first.
    ///
    /// # Errors
    /// If the database refuses, or another block counts at one of these heights.
    pub async fn append(&mut self, stretch: &Stretch<'_>) -> Result<(Transaction, Added), StoreError> {
        self.make_partitions(stretch.blocks, true).await?;
        let (store, hurried) = (self.store.clone(), self.hurried.clone());
        let inserting = async || {
            let mut transaction = store.begin_in_turn().await?;
            let news = newest::insert_blocks(&mut transaction, stretch).await?;
            Ok::<_, StoreError>((transaction, news))
        };
        // Both to their end: a transaction that is cut off while it begins goes on in its connection.
        let (numbered, inserted) = tokio::join!(self.dictionary.learn(&hurried, stretch.blocks), inserting());
        let (mut transaction, news) = match (numbered, inserted?) {
            (Ok(()), inserted) => inserted,
            (Err(error), (transaction, _)) if error.is_impatience() => {
                Store::give_up(transaction).await?;
                self.dictionary.learn(&self.store, stretch.blocks).await?;
                inserting().await?
            }
            (Err(error), _) => return Err(error),
        };
        let added = self.insert_the_rest(&mut transaction, stretch, news).await?;
        Ok((transaction, added))
    }

    async fn insert_the_rest(
        &self,
        connection: &mut PgConnection,
        stretch: &Stretch<'_>,
        News { holes, blocks: new }: News,
    ) -> Result<Added, StoreError> {
        let fresh: Vec<&Block> = stretch.blocks.iter().filter(|block| new.contains(&block.hash)).collect();
        let Some((first, further)) = holes.split_first() else {
            place::set_point(connection, self.name, stretch.through).await?;
            return Ok(Added::default());
        };
        ledger::insert_the_rare(connection, &fresh, stretch.source).await?;
        for hole in further {
            coverage::extend(connection, hole.clone(), stretch.source, Kind::Live).await?;
        }
        let together = Together {
            dictionary: &self.dictionary,
            blocks: &fresh,
            covered: first,
            source: stretch.source,
            writer: self.name,
            through: stretch.through,
        };
        let fills = together.insert(connection).await?;
        self.store.recent.remember(&fresh);
        Ok(Added { blocks: row::count(fresh.len()), fills })
    }

    /// Takes back everything above a height, within a transaction: see [`take_back::revert`].
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn revert(
        &self,
        connection: &mut PgConnection,
        to: Point,
        learned: Timestamp,
    ) -> Result<u64, StoreError> {
        take_back::revert(connection, self.name, to, learned).await
    }

    /// Takes in a stretch of settled history, of which nothing may be covered yet: in bulk, in its own
    /// transaction. Nobody need wait for the disk ([`Store::repeatable`]): what a failing machine loses is not covered
    /// either.
    ///
    /// # Errors
    /// If the database refuses, which [`StoreError::is_overlap`] tells apart: then part of it is covered.
    pub async fn history(&mut self, stretch: &Stretch<'_>) -> Result<Added, StoreError> {
        self.prepare(stretch.blocks, false).await?;
        let mut transaction = self.store.begin().await?;
        let blocks: Vec<&Block> = stretch.blocks.iter().collect();
        let new = write::insert_blocks(&mut transaction, &blocks).await?;
        let fresh: Vec<&Block> = blocks.into_iter().filter(|block| new.contains(&block.hash)).collect();
        let fills = copy::copy_fills(&mut transaction, &self.dictionary, &fresh).await?;
        // Only now, because everybody waits for it; but before results, which others write behind it too.
        take_turn(&mut transaction).await?;
        ledger::insert_the_rest(&mut transaction, &fresh, stretch.source).await?;
        let covered = stretch.from..=stretch.through.number;
        coverage::extend(&mut transaction, covered.clone(), stretch.source, Kind::History).await?;
        told::tell_of_history(&mut transaction, covered).await?;
        announce(&mut transaction).await?;
        Store::commit(transaction).await?;
        Ok(Added { blocks: row::count(fresh.len()), fills })
    }

    /// Notes up to where this writer means to come.
    ///
    /// # Errors
    /// If the database refuses.
    pub async fn aim(&self, connection: &mut PgConnection, to: u64) -> Result<(), StoreError> {
        place::set_point(connection, self.name, Point { number: to, hash: BlockHash::default() }).await
    }

    /// Adds the facts of blocks that are missing from what is covered: only those named by `missing`, and tells
    /// them as late.
    pub(crate) async fn add_late(
        &self,
        connection: &mut PgConnection,
        blocks: &[Block],
        source: &str,
    ) -> Result<(), StoreError> {
        let all: Vec<&Block> = blocks.iter().collect();
        write::insert_blocks(connection, &all).await?;
        write::insert_fills(connection, &self.dictionary, &all, Whole::No).await?;
        ledger::insert_the_rest(connection, &all, source).await?;
        let told: Vec<&Block> = all.into_iter().filter(|block| !block.facts.is_empty()).collect();
        if !told.is_empty() {
            told::tell_late(connection, &told).await?;
            announce(connection).await?;
        }
        Ok(())
    }

    async fn make_partitions(&mut self, blocks: &[Block], indexed: bool) -> Result<(), StoreError> {
        let wanted: BTreeSet<u64> = blocks
            .iter()
            .filter(|block| block.fills().next().is_some())
            .map(|block| block.number / PARTITION)
            .collect();
        for slice in wanted {
            if self.partitions.contains(&(slice, indexed)) {
                continue;
            }
            let mut connection = self.store.connection().await?;
            sqlx::query("SELECT orderflow_fills_partition($1, $2)")
                .bind(row::signed(slice.saturating_mul(PARTITION)))
                .bind(indexed)
                .execute(&mut *connection)
                .await
                .during("make a partition of the fills")?;
            self.partitions.insert((slice, indexed));
        }
        Ok(())
    }
}

/// Gives every partition its indexes: those that history filled have none yet.
///
/// # Errors
/// If the database refuses.
pub async fn index_partitions(connection: &mut PgConnection) -> Result<(), StoreError> {
    let slices: Vec<i64> = sqlx::query_scalar(
        "SELECT substr(c.relname, length('orderflow_fills_') + 1)::bigint AS slice
         FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
         WHERE i.inhparent = 'orderflow_fills'::regclass
           AND (SELECT count(*) FROM pg_index x WHERE x.indrelid = c.oid) < 3
         ORDER BY slice",
    )
    .fetch_all(&mut *connection)
    .await
    .during("look for partitions without indexes")?;
    for slice in slices {
        sqlx::query("SELECT orderflow_fills_partition($1, true)")
            .bind(slice.saturating_mul(row::signed(PARTITION)))
            .execute(&mut *connection)
            .await
            .during("index a partition of the fills")?;
    }
    Ok(())
}

/// The hashes of blocks that a statement returned.
pub(super) fn hashes(rows: &[sqlx::postgres::PgRow]) -> Result<BTreeSet<BlockHash>, StoreError> {
    rows.iter().map(|found| row::text(found, "block_hash", "a block hash")).collect()
}
