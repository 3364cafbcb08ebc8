//! Wallets and tokens by their numbers in this database.
//!
//! A number is given once and for ever, in a transaction of its own: two writers that meet the same new wallet
//! must not wait for each other's blocks, and a number whose block never came does no harm.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

use domain::{TokenId, Wallet};
use sqlx::{PgConnection, Row as _};

use super::Block;
use crate::error::{During as _, StoreError};
use crate::{Store, markets, row};

/// How many wallets, and how many tokens, are remembered: some 15 MB. Beyond that all are forgotten, which
/// costs a look into the database each.
const MOST: usize = 300_000;

/// What is remembered of the numbers.
#[derive(Debug, Default)]
pub(super) struct Dictionary {
    wallets: HashMap<Wallet, i32>,
    tokens: HashMap<TokenId, i32>,
}

impl Dictionary {
    /// The number of a wallet that was learned.
    pub(super) fn wallet(&self, wallet: Wallet) -> Result<i32, StoreError> {
        self.wallets.get(&wallet).copied().ok_or_else(|| unknown("wallet", &wallet))
    }

    /// The number of a token that was learned.
    pub(super) fn token(&self, token: TokenId) -> Result<i32, StoreError> {
        self.tokens.get(&token).copied().ok_or_else(|| unknown("token", &token))
    }

    /// Makes sure that every wallet and token of the blocks' fills has a number. Tokens that are new and belong
    /// to no known market are queued to be looked up; whether there were any.
    pub(super) async fn learn(&mut self, store: &Store, blocks: &[Block]) -> Result<bool, StoreError> {
        self.forget_if_full();
        let fills = || blocks.iter().flat_map(Block::fills).map(|(_, fill)| fill);
        let wallets = missing(&self.wallets, fills().flat_map(|fill| [fill.wallet, fill.counterparty]));
        let tokens = missing(&self.tokens, fills().map(|fill| fill.token));
        if wallets.is_empty() && tokens.is_empty() {
            return Ok(false);
        }
        let mut transaction = store.begin().await?;
        let wallets = numbers(&mut transaction, &WALLETS, &wallets).await?;
        let found = numbers(&mut transaction, &TOKENS, &tokens).await?;
        let queued = match found.new.is_empty() {
            true => 0,
            false => markets::queue_unknown(&mut transaction, &found.new).await?,
        };
        Store::commit(transaction).await?;
        self.wallets.extend(wallets.all);
        self.tokens.extend(found.all);
        Ok(queued > 0)
    }

    fn forget_if_full(&mut self) {
        if self.wallets.len() > MOST {
            self.wallets = HashMap::new();
        }
        if self.tokens.len() > MOST {
            self.tokens = HashMap::new();
        }
    }
}

fn unknown(what: &'static str, value: &impl ToString) -> StoreError {
    StoreError::Corrupt { column: what, value: value.to_string(), expected: "one that was given a number" }
}

/// Sorted, so that two writers ask for new numbers in the same order and never wait for each other in a circle.
fn missing<T: Copy + Ord + Hash>(known: &HashMap<T, i32>, all: impl Iterator<Item = T>) -> Vec<T> {
    let missing: BTreeSet<T> = all.filter(|one| !known.contains_key(one)).collect();
    missing.into_iter().collect()
}

/// The statements about one of the two tables.
struct Table {
    find: &'static str,
    add: &'static str,
}

const WALLETS: Table = Table {
    find: "SELECT id, address AS name FROM orderflow_wallets WHERE address = ANY($1)",
    add: "INSERT INTO orderflow_wallets (address) SELECT UNNEST($1::text[]) ON CONFLICT DO NOTHING
          RETURNING id, address AS name",
};
const TOKENS: Table = Table {
    find: "SELECT id, token_id::text AS name FROM orderflow_tokens WHERE token_id = ANY($1::text[]::numeric[])",
    add: "INSERT INTO orderflow_tokens (token_id) SELECT UNNEST($1::text[]::numeric[]) ON CONFLICT DO NOTHING
          RETURNING id, token_id::text AS name",
};

struct Numbered<T> {
    all: HashMap<T, i32>,
    new: Vec<T>,
}

async fn numbers<T>(
    connection: &mut PgConnection,
    table: &Table,
    wanted: &[T],
) -> Result<Numbered<T>, StoreError>
where
    T: Copy + Eq + Hash + ToString + std::str::FromStr,
{
    let mut all = ask(connection, table.find, wanted).await?;
    let rest = |all: &HashMap<T, i32>| -> Vec<T> {
        wanted.iter().filter(|one| !all.contains_key(one)).copied().collect()
    };
    let added = ask(connection, table.add, &rest(&all)).await?;
    let new = added.keys().copied().collect();
    all.extend(added);
    // Somebody else was faster with these; the statement above waited until they were there.
    let theirs = ask(connection, table.find, &rest(&all)).await?;
    all.extend(theirs);
    Ok(Numbered { all, new })
}

async fn ask<T>(
    connection: &mut PgConnection,
    statement: &'static str,
    names: &[T],
) -> Result<HashMap<T, i32>, StoreError>
where
    T: Eq + Hash + ToString + std::str::FromStr,
{
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let rows = sqlx::query(statement).bind(names).fetch_all(connection).await.during("number names")?;
    rows.iter()
        .map(|found| Ok((row::text(found, "name", "a name")?, found.try_get("id").during("read a column")?)))
        .collect()
}
