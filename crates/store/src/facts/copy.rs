//! Fills in bulk, in the binary form of PostgreSQL's COPY: for history, which comes by the hundred thousand.

use sqlx::PgConnection;

use super::Block;
use super::dictionary::Dictionary;
use super::write::{FillRow, Whole, fill_rows};
use crate::error::{During as _, StoreError};
use crate::row;

/// What the binary form begins with: its signature, no flags, no extension. Source: PostgreSQL's documentation
/// of COPY, "Binary Format".
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What it ends with.
const TRAILER: [u8; 2] = (-1i16).to_be_bytes();
/// The columns of a row.
const COLUMNS: i16 = 10;
/// The bytes of a row: a count, then each column behind its length.
const ROW: usize = 2 + 3 * (4 + 8) + 5 * (4 + 4) + 2 * (4 + 2);
/// How much is sent at once.
const CHUNK: usize = 256 << 10;

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
    let mut copying = connection
        .copy_in_raw(
            "COPY orderflow_fills
                 (shares, usd, fee, block_number, log_index, wallet, counterparty, token, tx_index, kind)
             FROM STDIN (FORMAT binary)",
        )
        .await
        .during("begin to copy fills")?;
    let mut buffer = Vec::with_capacity(CHUNK + ROW);
    buffer.extend_from_slice(HEADER);
    for row in &rows {
        encode(row, &mut buffer);
        if buffer.len() >= CHUNK {
            copying.send(buffer.as_slice()).await.during("copy fills")?;
            buffer.clear();
        }
    }
    buffer.extend_from_slice(&TRAILER);
    copying.send(buffer.as_slice()).await.during("copy fills")?;
    copying.finish().await.during("finish copying fills")?;
    Ok(row::count(rows.len()))
}

fn encode(row: &FillRow, out: &mut Vec<u8>) {
    out.extend_from_slice(&COLUMNS.to_be_bytes());
    for amount in [row.shares, row.usd, row.fee] {
        out.extend_from_slice(&8i32.to_be_bytes());
        out.extend_from_slice(&amount.to_be_bytes());
    }
    for number in [row.block_number, row.log_index, row.wallet, row.counterparty, row.token] {
        out.extend_from_slice(&4i32.to_be_bytes());
        out.extend_from_slice(&number.to_be_bytes());
    }
    for number in [row.tx_index, row.kind] {
        out.extend_from_slice(&2i32.to_be_bytes());
        out.extend_from_slice(&number.to_be_bytes());
    }
}
