//! Markets: what their tokens are called and belong to.

mod unknown;

use std::collections::BTreeMap;

use domain::{ConditionId, Market, NegRiskPlace, Oracle, Tick, Timestamp, TokenId};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use crate::error::{During as _, StoreError};
use crate::{announce, row, take_turn};

pub use unknown::{Unknown, conditions_of_tokens, due_unknown, hurry_unknown, queue_unknown};

/// What markets brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Learned {
    /// Markets the readers had not been told of.
    pub new: u64,
    /// Markets that were known otherwise, and of which the readers are told again.
    pub changed: u64,
}

/// Takes in full descriptions of markets: the new ones with the results the chain has already given them, the
/// known ones where title, slug, category, grid, fee, end or oracle differ. The readers are told of both. Their tokens
/// are unknown no more.
///
/// A known market keeps its tokens, and its event too, by which positions are grouped; only a market described
/// by [`sketch`] gets its event here.
///
/// # Errors
/// If the database refuses.
pub async fn learn(
    connection: &mut PgConnection,
    markets: &[Market],
    learned: Timestamp,
) -> Result<Learned, StoreError> {
    let known = known_of(connection, markets).await?;
    let fresh = markets.iter().filter(|market| {
        known.get(&market.condition).is_none_or(|known| is_sketch(known) || differ(known, market))
    });
    let fresh: Vec<&Market> = fresh.collect();
    let mut count = Learned::default();
    if !fresh.is_empty() {
        take_turn(connection).await?;
        for market in fresh {
            put(connection, market).await?;
            tell(connection, market.condition, learned).await?;
            match known.get(&market.condition).filter(|known| !known.event.is_empty()) {
                Some(_) => count.changed += 1,
                None => count.new += 1,
            }
        }
        announce(connection).await?;
    }
    let tokens: Vec<String> =
        markets.iter().flat_map(|market| &market.tokens).map(ToString::to_string).collect();
    sqlx::query("DELETE FROM orderflow_unknown_tokens WHERE token_id = ANY($1::text[]::numeric[])")
        .bind(tokens)
        .execute(connection)
        .await
        .during("forget unknown tokens")?;
    Ok(count)
}

/// Takes in what is known of a market while the catalogue does not describe it, and says whether the readers
/// were told. Its tokens stay in the queue, so that the catalogue is asked again.
///
/// People see it at once. The services group bets by event, which such a market does not tell, so that they
/// hear of it only if `tell_readers`; until then its event is empty. Afterwards it is `market.event`, which is
/// the id of a condition or of a neg-risk market: that is how a sketch is known from a full description, which
/// this never replaces.
///
/// # Errors
/// If the database refuses.
pub async fn sketch(
    connection: &mut PgConnection,
    market: &Market,
    learned: Timestamp,
    tell_readers: bool,
) -> Result<bool, StoreError> {
    let known = known_of(connection, std::slice::from_ref(market)).await?.remove(&market.condition);
    let mut drawn = market.clone();
    let told = known.as_ref().is_some_and(|known| !known.event.is_empty());
    if !told && !tell_readers {
        drawn.event.clear();
    }
    if let Some(known) = known {
        if !is_sketch(&known) {
            return Ok(false);
        }
        keep_words(&mut drawn, &known);
        if drawn == known {
            return Ok(false);
        }
    }
    if drawn.event.is_empty() {
        put(connection, &drawn).await?;
        return Ok(false);
    }
    take_turn(connection).await?;
    put(connection, &drawn).await?;
    tell(connection, drawn.condition, learned).await?;
    announce(connection).await?;
    Ok(true)
}

/// Whether the market is known from [`sketch`] alone.
fn is_sketch(market: &Market) -> bool {
    market.event.is_empty() || market.event.parse::<ConditionId>().is_ok()
}

/// Whether two descriptions of a market say something else.
fn differ(known: &Market, market: &Market) -> bool {
    let words = |market: &Market| (market.title.clone(), market.slug.clone(), market.category.clone());
    let terms = |market: &Market| (market.tick, market.fee_rate_ppm, market.end);
    terms(known) != terms(market)
        || words(known) != words(market)
        || is_better_placed(known, market)
        || market.oracle.is_some_and(|oracle| known.oracle != Some(oracle))
}

/// Whether a description tells a place among siblings that was not known, or of more siblings than were known.
/// A place itself never changes.
fn is_better_placed(known: &Market, market: &Market) -> bool {
    let siblings = |market: &Market| market.place.and_then(|place| place.questions);
    market.place.is_some() && (known.place.is_none() || siblings(known) < siblings(market))
}

/// Keeps the words of an earlier sketch where the new one has none.
fn keep_words(drawn: &mut Market, known: &Market) {
    let nameless = drawn.condition.to_string();
    for (new, old) in [(&mut drawn.title, &known.title), (&mut drawn.slug, &known.slug)] {
        if *new == nameless {
            new.clone_from(old);
        }
    }
    if drawn.event == nameless && !known.event.is_empty() {
        drawn.event.clone_from(&known.event);
    }
    drawn.category = drawn.category.take().or_else(|| known.category.clone());
    drawn.end = drawn.end.or(known.end);
    drawn.place = drawn.place.or(known.place);
    drawn.oracle = drawn.oracle.or(known.oracle);
}

async fn known_of(
    connection: &mut PgConnection,
    markets: &[Market],
) -> Result<BTreeMap<ConditionId, Market>, StoreError> {
    let conditions: Vec<String> = markets.iter().map(|market| market.condition.to_string()).collect();
    let known = of_conditions(connection, &conditions).await?;
    Ok(known.into_iter().map(|market| (market.condition, market)).collect())
}

async fn tell(
    connection: &mut PgConnection,
    condition: ConditionId,
    learned: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO orderflow_outbox (learned_at, kind, condition_id) VALUES ($1, 'market', $2)")
        .bind(learned.to_offset_date_time())
        .bind(condition.to_string())
        .execute(connection)
        .await
        .map(|_| ())
        .during("tell of a market")
}

/// Writes a market, with its result if the chain gave one before.
async fn put(connection: &mut PgConnection, market: &Market) -> Result<(), StoreError> {
    // Results are written behind the turn too: either their writer sees this market, or this one sees the result.
    take_turn(connection).await?;
    let tokens: Vec<String> = market.tokens.iter().map(ToString::to_string).collect();
    // Of a sketch, everything is replaced but the tokens, which follow from the condition.
    sqlx::query(
        "INSERT INTO orderflow_markets AS known
             (condition_id, title, slug, event, category, outcomes, token_ids, neg_risk, protocol, tick_size,
              fee_rate, end_date, neg_risk_market, neg_risk_question, neg_risk_questions, oracle)
         VALUES ($1, $2, $3, $4, $5, $6, $7::text[]::numeric[], $8, $9, $10::bigint::numeric / 1000000,
                 $11::bigint::numeric / 1000000, $12, $13, $14, $15, $16)
         ON CONFLICT (condition_id) DO UPDATE
         SET title = excluded.title, slug = excluded.slug, category = excluded.category,
             tick_size = excluded.tick_size, fee_rate = excluded.fee_rate, end_date = excluded.end_date,
             oracle = coalesce(excluded.oracle, known.oracle),
             neg_risk_market = coalesce(known.neg_risk_market, excluded.neg_risk_market),
             neg_risk_question = coalesce(known.neg_risk_question, excluded.neg_risk_question),
             neg_risk_questions = greatest(known.neg_risk_questions, excluded.neg_risk_questions),
             (event, outcomes, neg_risk) =
                 (SELECT CASE WHEN sketch THEN excluded.event ELSE known.event END,
                         CASE WHEN sketch THEN excluded.outcomes ELSE known.outcomes END,
                         CASE WHEN sketch THEN excluded.neg_risk ELSE known.neg_risk END
                  FROM (SELECT known.event ~ '^(0x[0-9a-f]{64})?$' AS sketch) AS of)",
    )
    .bind(market.condition.to_string())
    .bind(&market.title)
    .bind(&market.slug)
    .bind(&market.event)
    .bind(&market.category)
    .bind(&market.outcomes)
    .bind(tokens)
    .bind(market.neg_risk)
    .bind(if market.protocol_v2 { 2i16 } else { 1 })
    .bind(i64::from(market.tick.ppm()))
    .bind(i64::from(market.fee_rate_ppm))
    .bind(market.end.map(Timestamp::to_offset_date_time))
    .bind(market.place.map(|place| place.market.to_string()))
    .bind(market.place.map(|place| i16::from(place.question)))
    .bind(market.place.and_then(|place| place.questions).map(i16::from))
    .bind(market.oracle.map(Oracle::name))
    .execute(&mut *connection)
    .await
    .during("write a market")?;
    adopt_result(connection, market.condition).await
}

/// Gives a market the result that came before its description.
async fn adopt_result(connection: &mut PgConnection, condition: ConditionId) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE orderflow_markets m
         SET payout_numerators = e.payout_numerators, resolved_at = e.block_time
         FROM orderflow_ledger_events e
         WHERE m.condition_id = $1 AND e.condition_id = $1 AND e.kind = 'resolution' AND NOT e.orphaned",
    )
    .bind(condition.to_string())
    .execute(connection)
    .await
    .map(|_| ())
    .during("give a market its result")
}

/// The conditions of known markets without a result that were traded in the newest `blocks` blocks.
///
/// # Errors
/// If the database refuses, or holds what it should not.
pub async fn traded_lately(
    connection: &mut PgConnection,
    blocks: u32,
) -> Result<Vec<ConditionId>, StoreError> {
    let rows = sqlx::query(
        "SELECT DISTINCT m.condition_id
         FROM orderflow_tokens t
         JOIN orderflow_markets m ON m.token_ids @> ARRAY[t.token_id]
         WHERE m.resolved_at IS NULL
           AND t.id IN (SELECT token FROM orderflow_fills
                        WHERE block_number > (SELECT (max(block_number) - $1)::integer FROM orderflow_blocks
                                              WHERE NOT orphaned))
         ORDER BY m.condition_id",
    )
    .bind(i64::from(blocks))
    .fetch_all(connection)
    .await
    .during("read the markets traded lately")?;
    rows.iter().map(|found| row::text(found, "condition_id", "a condition")).collect()
}

/// A market without a result of each kind that is settled by contracts of its own: the newest of those that are known.
///
/// # Errors
/// If the database refuses, or holds what it should not.
pub async fn one_of_each_kind(connection: &mut PgConnection) -> Result<Vec<Market>, StoreError> {
    let conditions: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT ON (protocol, neg_risk AND protocol = 1) condition_id
         FROM orderflow_markets WHERE resolved_at IS NULL
         ORDER BY protocol, neg_risk AND protocol = 1, created_at DESC, condition_id",
    )
    .fetch_all(&mut *connection)
    .await
    .during("read a market of each kind")?;
    of_conditions(connection, &conditions).await
}

/// The conditions without a result in which the executor holds something, or has orders on their way.
///
/// # Errors
/// If the database refuses, or holds what it should not.
pub async fn held(connection: &mut PgConnection) -> Result<Vec<ConditionId>, StoreError> {
    let rows = sqlx::query(
        "SELECT m.condition_id FROM orderflow_markets m
         WHERE m.resolved_at IS NULL
           AND m.condition_id IN (SELECT condition_id FROM orderflow_positions WHERE status = 'OPEN'
                                  UNION SELECT condition_id FROM orderflow_orders WHERE NOT is_final)
         ORDER BY m.condition_id",
    )
    .fetch_all(connection)
    .await
    .during("read the markets held")?;
    rows.iter().map(|found| row::text(found, "condition_id", "a condition")).collect()
}

/// Every market that was known at a place in the outbox, and nothing of what came after.
///
/// # Errors
/// If the database refuses.
pub async fn known_at(connection: &mut PgConnection, seq: i64) -> Result<Vec<Market>, StoreError> {
    let conditions: Vec<String> = sqlx::query_scalar(
        "SELECT condition_id FROM orderflow_outbox WHERE kind = 'market' AND seq <= $1 ORDER BY seq",
    )
    .bind(seq)
    .fetch_all(&mut *connection)
    .await
    .during("read the markets known")?;
    of_conditions(connection, &conditions).await
}

/// The markets of these conditions.
///
/// # Errors
/// If the database refuses.
pub(crate) async fn of_conditions(
    connection: &mut PgConnection,
    conditions: &[String],
) -> Result<Vec<Market>, StoreError> {
    if conditions.is_empty() {
        return Ok(vec![]);
    }
    let rows = sqlx::query(
        "SELECT condition_id, title, slug, event, category, outcomes, token_ids::text[] AS token_ids, neg_risk,
                protocol, (tick_size * 1000000)::bigint AS tick, (fee_rate * 1000000)::bigint AS fee_rate,
                end_date, neg_risk_market, neg_risk_question::bigint, neg_risk_questions::bigint, oracle
         FROM orderflow_markets WHERE condition_id = ANY($1)",
    )
    .bind(conditions)
    .fetch_all(connection)
    .await
    .during("read markets")?;
    rows.iter().map(market_of).collect()
}

fn market_of(found: &PgRow) -> Result<Market, StoreError> {
    let texts: Vec<String> = found.try_get("token_ids").during("read a column")?;
    let corrupt = |column, value: String, expected| StoreError::Corrupt { column, value, expected };
    let tokens: Result<Vec<TokenId>, StoreError> = texts
        .into_iter()
        .map(|text| text.parse().map_err(|_| corrupt("token_ids", text, "a token id")))
        .collect();
    let tick: u32 = row::unsigned(found, "tick")?;
    Ok(Market {
        condition: row::text(found, "condition_id", "a condition")?,
        title: found.try_get("title").during("read a column")?,
        slug: found.try_get("slug").during("read a column")?,
        event: found.try_get("event").during("read a column")?,
        category: found.try_get("category").during("read a column")?,
        outcomes: found.try_get("outcomes").during("read a column")?,
        tokens: tokens?,
        neg_risk: found.try_get("neg_risk").during("read a column")?,
        place: place_of(found)?,
        protocol_v2: found.try_get::<i16, _>("protocol").during("read a column")? == 2,
        tick: Tick::from_ppm(tick).ok_or_else(|| corrupt("tick_size", tick.to_string(), "a tick"))?,
        fee_rate_ppm: row::unsigned(found, "fee_rate")?,
        end: row::maybe_time(found, "end_date")?,
        oracle: oracle_of(found)?,
    })
}

fn oracle_of(found: &PgRow) -> Result<Option<Oracle>, StoreError> {
    let known: Option<String> = found.try_get("oracle").during("read a column")?;
    let named = |name: String| {
        Oracle::from_name(&name).ok_or(StoreError::Corrupt {
            column: "oracle",
            value: name,
            expected: "how far an oracle is",
        })
    };
    known.map(named).transpose()
}

/// The place among siblings, which has all of its columns or none but the number of siblings.
fn place_of(found: &PgRow) -> Result<Option<NegRiskPlace>, StoreError> {
    let Some(market) = row::maybe_text(found, "neg_risk_market", "a neg-risk market")? else {
        return Ok(None);
    };
    let questions: Option<i64> = found.try_get("neg_risk_questions").during("read a column")?;
    let questions = questions.map(|_| row::unsigned(found, "neg_risk_questions")).transpose()?;
    Ok(Some(NegRiskPlace { market, question: row::unsigned(found, "neg_risk_question")?, questions }))
}

#[cfg(test)]
mod tests;
