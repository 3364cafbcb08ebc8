//! What prices were worth, by the pass that learned it: a map holds from its pass's verdicts on, until the next one.

use domain::{Category, Horizon, PriceMap, Timestamp};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use crate::error::{During as _, StoreError};

/// Stores what prices are worth as of a pass, unless that is what was known before; whether it was stored. Readers are
/// told by [`crate::scores::tell`] in the same transaction.
///
/// # Errors
/// If the database refuses, or holds what it should not.
pub async fn publish(
    connection: &mut PgConnection,
    as_of: Timestamp,
    map: &PriceMap,
) -> Result<bool, StoreError> {
    let newest = sqlx::query(
        "SELECT curves, shifts FROM orderflow_price_maps WHERE as_of <= $1 ORDER BY as_of DESC LIMIT 1",
    )
    .bind(as_of.to_offset_date_time())
    .fetch_optional(&mut *connection)
    .await
    .during("read what prices were worth")?;
    // Before the first one every price is worth itself.
    let known = newest.as_ref().map(map_of).transpose()?.unwrap_or_default();
    if known == *map {
        return Ok(false);
    }
    let names: Vec<String> = map.curves().map(|(about, _)| name_of(about)).collect();
    let shifts: Vec<f64> = map.curves().flat_map(|(_, curve)| curve.iter().copied()).collect();
    sqlx::query(
        "INSERT INTO orderflow_price_maps (as_of, curves, shifts) VALUES ($1, $2, $3)
         ON CONFLICT (as_of) DO UPDATE SET curves = excluded.curves, shifts = excluded.shifts",
    )
    .bind(as_of.to_offset_date_time())
    .bind(names)
    .bind(shifts)
    .execute(connection)
    .await
    .during("store what prices are worth")?;
    Ok(true)
}

/// What prices were worth at a place in the outbox, and nothing of what came after.
///
/// # Errors
/// If the database refuses, or holds what it should not.
pub async fn known_at(connection: &mut PgConnection, seq: i64) -> Result<PriceMap, StoreError> {
    let found = sqlx::query(
        "SELECT curves, shifts FROM orderflow_price_maps
         WHERE as_of <= (SELECT max(as_of) FROM orderflow_outbox WHERE kind = 'scores' AND seq <= $1)
         ORDER BY as_of DESC LIMIT 1",
    )
    .bind(seq)
    .fetch_optional(connection)
    .await
    .during("read what prices were worth")?;
    Ok(found.as_ref().map(map_of).transpose()?.unwrap_or_default())
}

/// The map of the pass made for a moment; `None` where that pass found the one before to hold.
pub(crate) async fn published(
    connection: &mut PgConnection,
    as_of: Timestamp,
) -> Result<Option<PriceMap>, StoreError> {
    let found = sqlx::query("SELECT curves, shifts FROM orderflow_price_maps WHERE as_of = $1")
        .bind(as_of.to_offset_date_time())
        .fetch_optional(connection)
        .await
        .during("read what prices were worth")?;
    found.as_ref().map(map_of).transpose()
}

fn name_of((category, horizon): (Category, Horizon)) -> String {
    format!("{}/{}", category.name(), horizon.name())
}

fn about(name: &str) -> Option<(Category, Horizon)> {
    let (category, horizon) = name.split_once('/')?;
    Some((Category::from_name(category)?, Horizon::from_name(horizon)?))
}

fn map_of(found: &PgRow) -> Result<PriceMap, StoreError> {
    let names: Vec<String> = found.try_get("curves").during("read a column")?;
    let shifts: Vec<f64> = found.try_get("shifts").during("read a column")?;
    let curves = names.into_iter().zip(shifts.chunks(PriceMap::BINS)).map(|(name, shifts)| {
        let curve = shifts.try_into().ok().filter(|curve: &[f64; PriceMap::BINS]| {
            // A price and what it is worth are both between 0 and 1.
            curve.iter().all(|shift| shift.abs() < 1.0)
        });
        match about(&name).zip(curve) {
            Some(read) => Ok(read),
            None => Err(StoreError::Corrupt {
                column: "curves",
                value: name,
                expected: "a category and a horizon with twenty shifts",
            }),
        }
    });
    curves.collect::<Result<Vec<_>, _>>().map(PriceMap::new)
}
