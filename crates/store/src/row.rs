//! Between rows and the domain's types: the few conversions every statement needs.

use alloy_primitives::B256;
use domain::{Price, Shares, Timestamp, Usd};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use time::OffsetDateTime;

use crate::error::{During as _, StoreError};

/// Dollars, shares or prices leave as millionths and arrive as millionths: `numeric / 1000000` in SQL.
pub(crate) fn text<T>(row: &PgRow, column: &'static str, expected: &'static str) -> Result<T, StoreError>
where
    T: std::str::FromStr,
{
    let value: String = row.try_get(column).during("read a column")?;
    value.parse().map_err(|_| StoreError::Corrupt { column, value, expected })
}

pub(crate) fn maybe_text<T>(
    row: &PgRow,
    column: &'static str,
    expected: &'static str,
) -> Result<Option<T>, StoreError>
where
    T: std::str::FromStr,
{
    let value: Option<String> = row.try_get(column).during("read a column")?;
    value.map(|value| value.parse().map_err(|_| StoreError::Corrupt { column, value, expected })).transpose()
}

pub(crate) fn named<T>(
    row: &PgRow,
    column: &'static str,
    expected: &'static str,
    from_name: impl Fn(&str) -> Option<T>,
) -> Result<T, StoreError> {
    let value: String = row.try_get(column).during("read a column")?;
    from_name(&value).ok_or(StoreError::Corrupt { column, value, expected })
}

pub(crate) fn time(row: &PgRow, column: &'static str) -> Result<Timestamp, StoreError> {
    let value: OffsetDateTime = row.try_get(column).during("read a column")?;
    Ok(Timestamp::from_offset_date_time(value))
}

pub(crate) fn maybe_time(row: &PgRow, column: &'static str) -> Result<Option<Timestamp>, StoreError> {
    let value: Option<OffsetDateTime> = row.try_get(column).during("read a column")?;
    Ok(value.map(Timestamp::from_offset_date_time))
}

pub(crate) fn usd(row: &PgRow, column: &'static str) -> Result<Usd, StoreError> {
    row.try_get(column).map(Usd::from_micros).during("read a column")
}

pub(crate) fn shares(row: &PgRow, column: &'static str) -> Result<Shares, StoreError> {
    row.try_get(column).map(Shares::from_micros).during("read a column")
}

/// A count that is never negative, kept in one of PostgreSQL's signed columns.
pub(crate) fn unsigned<T: TryFrom<i64>>(row: &PgRow, column: &'static str) -> Result<T, StoreError> {
    let value: i64 = row.try_get(column).during("read a column")?;
    T::try_from(value).map_err(|_| StoreError::Corrupt {
        column,
        value: value.to_string(),
        expected: "a count that fits",
    })
}

/// A height, an index or a count as PostgreSQL's signed 64 bits; what does not fit becomes the largest.
pub(crate) fn signed(value: impl TryInto<i64>) -> i64 {
    value.try_into().unwrap_or(i64::MAX)
}

/// An index or a count as PostgreSQL's signed 32 bits; what does not fit becomes the largest.
pub(crate) fn small(value: impl TryInto<i32>) -> i32 {
    value.try_into().unwrap_or(i32::MAX)
}

pub(crate) fn price_micros(price: Price) -> i64 {
    i64::from(price.ppm())
}

/// A length as a count.
pub(crate) fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// A height or an index in one of PostgreSQL's signed 32-bit columns that name a row: it fits or is refused.
pub(crate) fn exact(
    value: impl TryInto<i32> + Copy + ToString,
    column: &'static str,
) -> Result<i32, StoreError> {
    value.try_into().map_err(|_| StoreError::Corrupt {
        column,
        value: value.to_string(),
        expected: "a number below 2,147,483,648",
    })
}

pub(crate) fn string(row: &PgRow, column: &'static str) -> Result<String, StoreError> {
    row.try_get(column).during("read a column")
}

/// Words of 32 bytes, one behind the other.
pub(crate) fn words(row: &PgRow, column: &'static str) -> Result<Vec<B256>, StoreError> {
    let bytes: Vec<u8> = row.try_get(column).during("read a column")?;
    let (words, rest) = bytes.as_chunks::<32>();
    if !rest.is_empty() {
        let value = format!("{} bytes", bytes.len());
        return Err(StoreError::Corrupt { column, value, expected: "words of 32 bytes" });
    }
    Ok(words.iter().map(|word| B256::from(*word)).collect())
}

/// Indexes of logs.
pub(crate) fn indexes(row: &PgRow, column: &'static str) -> Result<Vec<u32>, StoreError> {
    let indexes: Vec<i32> = row.try_get(column).during("read a column")?;
    let read: Result<Vec<u32>, _> = indexes.iter().map(|index| u32::try_from(*index)).collect();
    read.map_err(|_| StoreError::Corrupt {
        column,
        value: format!("{indexes:?}"),
        expected: "indexes of logs",
    })
}
