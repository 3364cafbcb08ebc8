//! Rows in bulk, in the binary form of PostgreSQL's COPY: the cheapest way in, for the server and for us.

use domain::Timestamp;
use sqlx::PgConnection;

use crate::error::{During as _, StoreError};

/// What the binary form begins with: its signature, no flags, no extension. Source: PostgreSQL's documentation
/// of COPY, "Binary Format".
const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What it ends with.
const TRAILER: [u8; 2] = (-1i16).to_be_bytes();
/// The length of a null.
const NULL: i32 = -1;
/// How much is sent at once.
const CHUNK: usize = 256 << 10;
/// PostgreSQL counts microseconds from 2000-01-01; ours are from 1970.
const EPOCH: i64 = 946_684_800_000_000;
/// A numeric's digits are groups of four.
const GROUP: u64 = 10_000;
/// The version that stands before a jsonb's text.
const JSONB: u8 = 1;

/// A row being written, field by field, in the order of the statement's columns.
#[derive(Debug)]
pub(crate) struct Row<'a>(&'a mut Vec<u8>);

impl Row<'_> {
    pub(crate) fn null(&mut self) {
        self.0.extend_from_slice(&NULL.to_be_bytes());
    }

    pub(crate) fn small(&mut self, number: i16) {
        self.field(&number.to_be_bytes());
    }

    pub(crate) fn integer(&mut self, number: i32) {
        self.field(&number.to_be_bytes());
    }

    pub(crate) fn big(&mut self, number: i64) {
        self.field(&number.to_be_bytes());
    }

    pub(crate) fn float(&mut self, number: f64) {
        self.field(&number.to_be_bytes());
    }

    pub(crate) fn flag(&mut self, flag: bool) {
        self.field(&[u8::from(flag)]);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.field(text.as_bytes());
    }

    pub(crate) fn json(&mut self, text: &str) {
        self.parts(&[&[JSONB], text.as_bytes()]);
    }

    pub(crate) fn time(&mut self, at: Timestamp) {
        self.big(at.micros().saturating_sub(EPOCH));
    }

    /// A decimal of so many millionths, with six places. As it is stored: turning a float into one would cost the
    /// server more than everything else about a row.
    pub(crate) fn millionths(&mut self, millionths: i64) {
        // Two groups stand behind the point: four places, and two more in the upper half of the last.
        let whole = millionths.unsigned_abs() / 1_000_000;
        let part = millionths.unsigned_abs() % 1_000_000;
        let groups = [
            whole / GROUP.pow(3) % GROUP,
            whole / GROUP.pow(2) % GROUP,
            whole / GROUP % GROUP,
            whole % GROUP,
            part / 100,
            part % 100 * 100,
        ];
        let first = groups.iter().position(|group| *group != 0).unwrap_or(groups.len());
        let sign: u16 = if millionths < 0 { 0x4000 } else { 0 };
        let mut bytes = [0u8; 8 + 2 * 6];
        let count = groups.len() - first;
        // The first group's place: the one before the point is at zero.
        let weight = 3 - i16::try_from(first).unwrap_or(0);
        let header = [u16::try_from(count).unwrap_or(0), weight.cast_unsigned(), sign, 6];
        let digits = groups[first..].iter().map(|group| u16::try_from(*group).unwrap_or(0));
        for (to, word) in bytes.chunks_exact_mut(2).zip(header.into_iter().chain(digits)) {
            to.copy_from_slice(&word.to_be_bytes());
        }
        self.field(&bytes[..8 + 2 * count]);
    }

    fn field(&mut self, bytes: &[u8]) {
        self.parts(&[bytes]);
    }

    fn parts(&mut self, parts: &[&[u8]]) {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        // What is too long for the form is too long for the server as well, which says so.
        self.0.extend_from_slice(&i32::try_from(length).unwrap_or(i32::MAX).to_be_bytes());
        parts.iter().for_each(|part| self.0.extend_from_slice(part));
    }
}

/// Copies rows of so many columns by a statement `COPY … FROM STDIN (FORMAT binary)`.
pub(crate) async fn copy<T>(
    connection: &mut PgConnection,
    statement: &str,
    columns: i16,
    rows: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut Row<'_>, T),
) -> Result<(), StoreError> {
    let mut copying = connection.copy_in_raw(statement).await.during("begin to copy rows")?;
    let mut buffer = Vec::with_capacity(CHUNK * 2);
    buffer.extend_from_slice(HEADER);
    for row in rows {
        buffer.extend_from_slice(&columns.to_be_bytes());
        write(&mut Row(&mut buffer), row);
        if buffer.len() >= CHUNK {
            copying.send(buffer.as_slice()).await.during("copy rows")?;
            buffer.clear();
        }
    }
    buffer.extend_from_slice(&TRAILER);
    copying.send(buffer.as_slice()).await.during("copy rows")?;
    copying.finish().await.map(|_| ()).during("finish copying rows")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Store;
    use crate::testing::TestDatabase;

    #[tokio::test]
    async fn every_kind_of_field_arrives_as_what_it_was() {
        let database = TestDatabase::create().await;
        let store = Store::over(database.pool()).await.unwrap();
        let mut connection = store.connection().await.unwrap();
        sqlx::query(
            "CREATE TEMPORARY TABLE fields (a smallint, b integer, c bigint, d double precision, e boolean, f text,
                                            g jsonb, h timestamptz, i integer)",
        )
        .execute(&mut *connection)
        .await
        .unwrap();
        let at = Timestamp::from_seconds(1_780_000_000).plus_micros(123_456);
        let early = Timestamp::from_seconds(-1);
        copy(&mut connection, "COPY fields FROM STDIN (FORMAT binary)", 9, [at, early], |to, at| {
            to.small(-7);
            to.integer(i32::MIN);
            to.big(i64::MAX);
            to.float(-0.1);
            to.flag(true);
            to.text("käse");
            to.json(r#"[{"a": 1}]"#);
            to.time(at);
            to.null();
        })
        .await
        .unwrap();
        let rows: Vec<String> = sqlx::query_scalar(
            "SELECT concat_ws(' ', a, b, c, d, e, f, g, extract(epoch FROM h), i IS NULL) FROM fields",
        )
        .fetch_all(&mut *connection)
        .await
        .unwrap();
        let row = "-7 -2147483648 9223372036854775807 -0.1 t käse [{\"a\": 1}]";
        assert_eq!(rows, [format!("{row} 1780000000.123456 t"), format!("{row} -1.000000 t")]);
    }

    #[tokio::test]
    async fn decimals_arrive_to_the_last_place() {
        let database = TestDatabase::create().await;
        let store = Store::over(database.pool()).await.unwrap();
        let mut connection = store.connection().await.unwrap();
        sqlx::query("CREATE TEMPORARY TABLE decimals (exact numeric, rounded numeric(20,4))")
            .execute(&mut *connection)
            .await
            .unwrap();
        let mut all: Vec<i64> =
            vec![0, 1, -1, 99, 100, 10_000, 1_000_000, -123_456_789_012, i64::MAX, i64::MIN];
        all.extend((0..19).map(|power| 10i64.pow(power)));
        all.extend((0..19).map(|power| 3 - 10i64.pow(power)));
        let statement = "COPY decimals FROM STDIN (FORMAT binary)";
        copy(&mut connection, statement, 2, &all, |to, micros| {
            to.millionths(*micros);
            to.millionths(micros / 100 * 100);
        })
        .await
        .unwrap();
        let rows: Vec<(String, i64)> =
            sqlx::query_as("SELECT exact::text, (rounded * 1000000)::bigint FROM decimals")
                .fetch_all(&mut *connection)
                .await
                .unwrap();
        for (micros, (text, rounded)) in all.iter().zip(rows) {
            let sign = if *micros < 0 { "-" } else { "" };
            let (whole, part) = (micros.unsigned_abs() / 1_000_000, micros.unsigned_abs() % 1_000_000);
            assert_eq!(text, format!("{sign}{whole}.{part:06}"));
            assert_eq!(rounded, micros / 100 * 100);
        }
    }
}
