//! A database of its own on a real server, and what is read out of it to be compared.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use domain::BlockHash;
use serde_json::Value;
use sqlx::Row as _;
use store::facts;
use store::testing::TestDatabase;
use store::{Store, audit, coverage, status};

use crate::line::Line;

/// The name of the listener's place on the chain.
const LISTENER: &str = "orderflow-listener";

/// An empty database with the schema in it.
pub(crate) struct Database {
    held: TestDatabase,
    store: Store,
}

impl Database {
    /// A new one.
    pub(crate) async fn create() -> Self {
        let held = TestDatabase::create().await;
        let store = Store::over(held.pool()).await.unwrap();
        Self { held, store }
    }

    /// Where it is.
    pub(crate) fn url(&self) -> &str {
        self.held.url()
    }

    /// Whether the listener has come to this block.
    pub(crate) async fn is_at(&self, block: BlockHash) -> bool {
        let place = facts::point(&mut self.store.connection().await.unwrap(), LISTENER).await.unwrap();
        place.is_some_and(|place| place.hash == block)
    }

    /// Whether all these blocks were audited.
    pub(crate) async fn is_audited(&self, blocks: RangeInclusive<u64>) -> bool {
        let mut connection = self.store.connection().await.unwrap();
        audit::holes(&mut connection, *blocks.start(), *blocks.end()).await.unwrap().is_empty()
    }

    /// How many logs are kept aside as unreadable and read as fills as well.
    pub(crate) async fn aside_and_read(&self) -> i64 {
        let query = "SELECT count(*) FROM orderflow_quarantine q
                     JOIN orderflow_trades t USING (block_hash, log_index) WHERE NOT t.orphaned";
        sqlx::query_scalar(query).fetch_one(&self.held.pool()).await.unwrap()
    }

    /// The last block covered.
    pub(crate) async fn covered(&self) -> Option<u64> {
        coverage::end(&mut self.store.connection().await.unwrap()).await.unwrap()
    }

    /// What `orderflow status` shows of the listener.
    pub(crate) async fn status(&self) -> Value {
        let mut connection = self.store.connection().await.unwrap();
        status::listener(&mut connection, service::clock::now()).await.unwrap()
    }

    /// All fills that count, as people read them.
    pub(crate) async fn fills(&self) -> Vec<Line> {
        self.lines(
            "SELECT block_number, log_index,
                    concat_ws(' ', block_hash, tx_hash, exchange, wallet_address, counterparty_address, role, side,
                              token_id, (shares * 1000000)::bigint, (usd * 1000000)::bigint,
                              (fee * 1000000)::bigint, fee_asset) AS line
             FROM orderflow_trades WHERE NOT orphaned ORDER BY block_number, log_index",
        )
        .await
    }

    /// All fills that a reorganisation took back.
    pub(crate) async fn orphans(&self) -> Vec<Line> {
        self.lines(
            "SELECT block_number, log_index,
                    concat_ws(' ', block_hash, tx_hash, exchange, wallet_address, counterparty_address, role, side,
                              token_id, (shares * 1000000)::bigint, (usd * 1000000)::bigint,
                              (fee * 1000000)::bigint, fee_asset) AS line
             FROM orderflow_trades WHERE orphaned ORDER BY block_number, log_index, block_hash",
        )
        .await
    }

    /// All other events that count.
    pub(crate) async fn ledger(&self) -> Vec<Line> {
        self.lines(
            "SELECT block_number, log_index,
                    concat_ws(' ', block_hash, tx_hash, kind, coalesce(wallet_address, '-'),
                              coalesce(condition_id, '-'), coalesce(token_id::text, '-'),
                              coalesce((amount * 1000000)::bigint::text, '-'),
                              coalesce(array_to_string(payout_numerators, ','), '-')) AS line
             FROM orderflow_ledger_events WHERE NOT orphaned ORDER BY block_number, log_index",
        )
        .await
    }

    /// All conditions, each with its tokens.
    pub(crate) async fn conditions(&self) -> BTreeSet<String> {
        let query = "SELECT condition_id || ' ' || array_to_string(token_ids, ',') FROM orderflow_conditions";
        sqlx::query_scalar(query).fetch_all(&self.held.pool()).await.unwrap().into_iter().collect()
    }

    async fn lines(&self, query: &'static str) -> Vec<Line> {
        let rows = sqlx::query(query).fetch_all(&self.held.pool()).await.unwrap();
        let line = |row: &sqlx::postgres::PgRow| Line {
            block: row.get::<i64, _>("block_number").try_into().unwrap(),
            log: row.get::<i32, _>("log_index").try_into().unwrap(),
            text: row.get("line"),
        };
        rows.iter().map(line).collect()
    }
}
