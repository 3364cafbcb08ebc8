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
use crate::{Store, row};

/// How many wallets, and how many tokens, are remembered: some 15 MB. Beyond that all are forgotten, which
/// costs a look into the database each.
const MOST: usize = 300_000;

/// What is remembered of the numbers.
#[derive(Debug, Default)]
pub(super) struct Dictionary {
    wallets: HashMap<Wallet, i32>,
    tokens: HashMap<TokenId, i32>,
    /// Whether tokens were queued since somebody asked.
    has_queued: bool,
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
    /// to no known market are queued to be looked up.
    pub(super) async fn learn(&mut self, store: &Store, blocks: &[Block]) -> Result<(), StoreError> {
        self.forget_if_full();
        let fills = || blocks.iter().flat_map(Block::fills).map(|(_, fill)| fill);
        let wallets = missing(&self.wallets, fills().flat_map(|fill| [fill.wallet, fill.counterparty]));
        let tokens = missing(&self.tokens, fills().map(|fill| fill.token));
        if wallets.is_empty() && tokens.is_empty() {
            return Ok(());
        }
        // In one statement that is its own transaction, because the newest block waits for it.
        let mut connection = store.connection().await?;
        let mut numbered = number(&mut connection, &wallets, &tokens).await?;
        // It is so from here on, whatever becomes of the blocks.
        self.has_queued |= numbered.has_queued;
        numbered.complete(&mut connection, &wallets, &tokens).await?;
        self.wallets.extend(numbered.wallets);
        self.tokens.extend(numbered.tokens);
        Ok(())
    }

    /// Whether tokens were queued to be looked up since this was last asked.
    pub(super) fn take_unknown(&mut self) -> bool {
        std::mem::take(&mut self.has_queued)
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

/// Numbers that were found or given.
#[derive(Default)]
struct Numbered {
    wallets: HashMap<Wallet, i32>,
    tokens: HashMap<TokenId, i32>,
    /// Whether tokens were new, and their markets not known.
    has_queued: bool,
}

impl Numbered {
    /// Finds those that somebody else was faster with: the statement that left them out has waited until they were
    /// there, but saw the tables as they had been before.
    async fn complete(
        &mut self,
        connection: &mut PgConnection,
        wallets: &[Wallet],
        tokens: &[TokenId],
    ) -> Result<(), StoreError> {
        self.wallets.extend(find(connection, FIND_WALLETS, &rest(&self.wallets, wallets)).await?);
        self.tokens.extend(find(connection, FIND_TOKENS, &rest(&self.tokens, tokens)).await?);
        Ok(())
    }
}

/// Those that have no number yet.
fn rest<T: Copy + Eq + Hash>(known: &HashMap<T, i32>, wanted: &[T]) -> Vec<T> {
    wanted.iter().filter(|one| !known.contains_key(one)).copied().collect()
}

fn texts<T: ToString>(all: &[T]) -> Vec<String> {
    all.iter().map(ToString::to_string).collect()
}

/// Finds the numbers of wallets and tokens, gives numbers to those that have none, and queues the tokens among these
/// whose market nobody knows.
async fn number(
    connection: &mut PgConnection,
    wallets: &[Wallet],
    tokens: &[TokenId],
) -> Result<Numbered, StoreError> {
    let rows = sqlx::query(
        "WITH wallets AS (
             SELECT id, address FROM orderflow_wallets WHERE address = ANY($1::text[])),
         new_wallets AS (
             INSERT INTO orderflow_wallets (address)
             SELECT address FROM UNNEST($1::text[]) WITH ORDINALITY AS asked (address, place)
             WHERE NOT EXISTS (SELECT FROM wallets w WHERE w.address = asked.address) ORDER BY place
             ON CONFLICT DO NOTHING RETURNING id, address),
         tokens AS (
             SELECT id, token_id FROM orderflow_tokens WHERE token_id = ANY($2::text[]::numeric[])),
         new_tokens AS (
             INSERT INTO orderflow_tokens (token_id)
             SELECT token FROM UNNEST($2::text[]::numeric[]) WITH ORDINALITY AS asked (token, place)
             WHERE NOT EXISTS (SELECT FROM tokens t WHERE t.token_id = asked.token) ORDER BY place
             ON CONFLICT DO NOTHING RETURNING id, token_id),
         queued AS (
             INSERT INTO orderflow_unknown_tokens (token_id)
             SELECT token_id FROM new_tokens n
             WHERE NOT EXISTS (SELECT FROM orderflow_markets m WHERE m.token_ids @> ARRAY[n.token_id])
             ON CONFLICT DO NOTHING RETURNING token_id)
         SELECT 'wallet' AS what, id, address AS name FROM wallets
         UNION ALL SELECT 'wallet', id, address FROM new_wallets
         UNION ALL SELECT 'token', id, token_id::text FROM tokens
         UNION ALL SELECT 'token', id, token_id::text FROM new_tokens
         UNION ALL SELECT 'queued', 0, token_id::text FROM queued",
    )
    .bind(texts(wallets))
    .bind(texts(tokens))
    .fetch_all(connection)
    .await
    .during("number names")?;
    let mut numbered = Numbered::default();
    for found in &rows {
        let id = found.try_get("id").during("read a column")?;
        match row::string(found, "what")?.as_str() {
            "wallet" => {
                numbered.wallets.insert(row::text(found, "name", "an address")?, id);
            }
            "token" => {
                numbered.tokens.insert(row::text(found, "name", "a token id")?, id);
            }
            _ => numbered.has_queued = true,
        }
    }
    Ok(numbered)
}

const FIND_WALLETS: &str = "SELECT id, address AS name FROM orderflow_wallets WHERE address = ANY($1)";
const FIND_TOKENS: &str =
    "SELECT id, token_id::text AS name FROM orderflow_tokens WHERE token_id = ANY($1::text[]::numeric[])";

async fn find<T>(
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
    let rows =
        sqlx::query(statement).bind(texts(names)).fetch_all(connection).await.during("number names")?;
    rows.iter()
        .map(|found| Ok((row::text(found, "name", "a name")?, found.try_get("id").during("read a column")?)))
        .collect()
}
