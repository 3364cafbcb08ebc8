//! Fills in bulk: for history, which comes by the hundred thousand.

use sqlx::PgConnection;

use super::Block;
use super::dictionary::Dictionary;
use super::write::{FillRow, Whole, fill_rows};
use crate::error::StoreError;
use crate::{bulk, row};

/// The columns of a row, and how many they are.
const STATEMENT: &str = "COPY orderflow_fills
         (shares, usd, fee, block_number, log_index, wallet, counterparty, token, tx_index, kind)
     FROM STDIN (FORMAT binary)";
const COLUMNS: i16 = 10;

/// Copies the fills of blocks, none of which may be there; how many.
pub(super) async fn copy_fills(
    connection: &mut PgConnection,
    dictionary: &Dictionary,
    blocks: &[&Block],
) -> Result<u64, StoreError> {
    let rows = fill_rows(connection, dictionary, blocks, Whole::Yes).await?;
    if rows.is_empty() {
        return Ok(0);
    }
    bulk::copy(connection, STATEMENT, COLUMNS, &rows, encode).await?;
    Ok(row::count(rows.len()))
}

fn encode(to: &mut bulk::Row<'_>, row: &FillRow) {
    for amount in [row.shares, row.usd, row.fee] {
        to.big(amount);
    }
    for number in [row.block_number, row.log_index, row.wallet, row.counterparty, row.token] {
        to.integer(number);
    }
    for number in [row.tx_index, row.kind] {
        to.small(number);
    }
}
