//! Everything that one wallet did, and what its bets came to: enough to fold it again, without everybody else.

use std::collections::BTreeSet;

use domain::{ChainEvent, ConditionId, Fact, FeeKind, Market, TokenId, Wallet};
use sqlx::PgConnection;

use super::read::{fact_of_event, fact_of_fill, select_events, select_fills};
use crate::error::{During as _, StoreError};
use crate::markets;

/// One wallet's past.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WalletFacts {
    /// Its fills, splits, merges, redemptions, conversions and refunds, and the results of the conditions it
    /// touched, in the order they happened.
    pub facts: Vec<Fact>,
    /// The descriptions of these conditions, by condition; of a neg-risk market in which it converted, of all
    /// questions.
    pub markets: Vec<Market>,
}

/// The condition of a statement about `f`, a fill or a ledger event, and `b`, its block: that it was known at the
/// place `$2` of the outbox. As with [`super::in_chain_order`], what was told again or late counts from then on.
macro_rules! was_known {
    () => {
        " AND NOT EXISTS (SELECT FROM orderflow_outbox o
                          WHERE o.kind = 'block' AND o.block_hash = b.block_hash AND o.seq > $2)
          AND NOT EXISTS (SELECT FROM orderflow_outbox o
                          WHERE o.kind = 'late' AND o.block_hash = b.block_hash AND o.seq > $2
                            AND f.log_index = ANY (o.log_indexes))
          AND NOT EXISTS (SELECT FROM orderflow_outbox o
                          WHERE o.kind = 'history' AND o.seq > $2
                            AND b.block_number BETWEEN o.first_block AND o.block_number)"
    };
}

/// What was known of a wallet at a place in the outbox, and nothing of what came after.
///
/// # Errors
/// If the database refuses, or holds what it should not.
pub async fn of_wallet(
    connection: &mut PgConnection,
    wallet: Wallet,
    until: i64,
) -> Result<WalletFacts, StoreError> {
    let mut facts = own_facts(connection, wallet, until).await?;
    let mut touched = Touched::default();
    facts.iter().for_each(|fact| touched.add(&fact.event));
    let markets = touched.markets(connection, until).await?;
    for market in &markets {
        touched.conditions.insert(market.condition);
        touched.groups.extend(market.place.map(|place| place.market.to_string()));
    }
    facts.extend(touched.results(connection, until).await?);
    facts.sort_by_key(|fact| (fact.place.block_number, fact.place.log_index));
    Ok(WalletFacts { facts, markets })
}

async fn own_facts(
    connection: &mut PgConnection,
    wallet: Wallet,
    until: i64,
) -> Result<Vec<Fact>, StoreError> {
    let fills = sqlx::query(concat!(
        select_fills!(""),
        "WHERE f.wallet = (SELECT id FROM orderflow_wallets WHERE address = $1)",
        was_known!()
    ))
    .bind(wallet.to_string())
    .bind(until)
    .fetch_all(&mut *connection)
    .await
    .during("read a wallet's fills")?;
    let events = sqlx::query(concat!(
        select_events!(""),
        "WHERE f.wallet_address = $1 AND NOT f.orphaned",
        was_known!()
    ))
    .bind(wallet.to_string())
    .bind(until)
    .fetch_all(connection)
    .await
    .during("read a wallet's ledger events")?;
    fills.iter().map(fact_of_fill).chain(events.iter().map(fact_of_event)).collect()
}

/// What a wallet's facts are about.
#[derive(Default)]
struct Touched {
    tokens: BTreeSet<TokenId>,
    conditions: BTreeSet<ConditionId>,
    /// Neg-risk markets, and events of Protocol V2: those it converted in, then those its conditions belong to.
    groups: BTreeSet<String>,
}

impl Touched {
    fn add(&mut self, event: &ChainEvent) {
        match event {
            ChainEvent::Fill(fill) => {
                self.tokens.insert(fill.token);
            }
            ChainEvent::Split { condition, .. } | ChainEvent::Merge { condition, .. } => {
                self.conditions.insert(*condition);
            }
            ChainEvent::Redemption { condition, token, .. } => {
                self.conditions.extend(*condition);
                self.tokens.extend(*token);
            }
            ChainEvent::Fee { kind: FeeKind::Refunded, token, .. } => self.tokens.extend(*token),
            ChainEvent::Conversion { market, .. } => {
                self.groups.insert(market.to_string());
            }
            _ => {}
        }
    }

    /// The markets that were described at a place in the outbox.
    async fn markets(&self, connection: &mut PgConnection, until: i64) -> Result<Vec<Market>, StoreError> {
        let conditions: Vec<String> = sqlx::query_scalar(
            "SELECT condition_id
             FROM (SELECT condition_id FROM orderflow_markets WHERE condition_id = ANY($1)
                   UNION
                   SELECT condition_id FROM orderflow_markets WHERE neg_risk_market = ANY($3)
                   UNION
                   SELECT m.condition_id
                   FROM UNNEST($4::text[]::numeric[]) AS asked (token)
                   JOIN orderflow_markets m ON m.token_ids @> ARRAY[asked.token]) AS touched
             WHERE EXISTS (SELECT FROM orderflow_outbox o
                           WHERE o.kind = 'market' AND o.condition_id = touched.condition_id AND o.seq <= $2)
             ORDER BY condition_id",
        )
        .bind(texts(&self.conditions))
        .bind(until)
        .bind(texts(&self.groups))
        .bind(texts(&self.tokens))
        .fetch_all(&mut *connection)
        .await
        .during("read a wallet's markets")?;
        let mut markets = markets::of_conditions(connection, &conditions).await?;
        markets.sort_by_key(|market| market.condition);
        Ok(markets)
    }

    /// What the chain said of the conditions' results, or of what follows in their groups.
    async fn results(&self, connection: &mut PgConnection, until: i64) -> Result<Vec<Fact>, StoreError> {
        // Two statements, because each has an index of its own.
        let resolved = sqlx::query(concat!(
            select_events!(""),
            "WHERE f.kind = 'resolution' AND f.condition_id = ANY($1) AND NOT f.orphaned",
            was_known!()
        ))
        .bind(texts(&self.conditions))
        .bind(until)
        .fetch_all(&mut *connection)
        .await
        .during("read results")?;
        let derivable = sqlx::query(concat!(
            select_events!(""),
            "WHERE f.kind = 'derivable' AND f.condition_id = ANY($1) AND NOT f.orphaned",
            was_known!()
        ))
        .bind(texts(&self.groups))
        .bind(until)
        .fetch_all(connection)
        .await
        .during("read derivable results")?;
        resolved.iter().chain(&derivable).map(fact_of_event).collect()
    }
}

fn texts<T: ToString>(values: &BTreeSet<T>) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}
