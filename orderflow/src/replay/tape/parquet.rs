//! The rows of a Parquet file, read in batches: what is held of the file at a time is a page of each column.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use ::parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type};
use ::parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use ::parquet::data_type::{ByteArray, DataType};
use ::parquet::errors::ParquetError;
use ::parquet::file::reader::FileReader as _;
use ::parquet::file::serialized_reader::SerializedFileReader;
use ::parquet::schema::types::ColumnDescriptor;
use domain::Timestamp;

use super::decimal;
use super::error::TapeError;
use super::rows::{Column, Holds, names};

/// How many rows are decoded at once.
const BATCH: usize = 1_024;
/// More decimals than any writer's widest type has.
const MOST_DECIMALS: i32 = 76;

/// What a row has in a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    /// No value.
    Missing,
    /// The text that a CSV file would have there.
    Text(String),
    /// A value that is none for this column.
    Bad {
        /// The value.
        value: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl Cell {
    fn bad(value: impl ToString, problem: &str) -> Self {
        Self::Bad { value: value.to_string(), problem: problem.to_owned() }
    }
}

/// The rows of a file, in its order, each with its number from 1.
pub(super) struct ParquetRows {
    file: Arc<Path>,
    reader: SerializedFileReader<File>,
    /// Where each of the tape's columns stands in the file, and how it is written there.
    places: Vec<Place>,
    /// The next row group.
    group: usize,
    /// The columns of the one that is being read, and its rows that are not decoded yet.
    open: Vec<ColumnReader>,
    left: usize,
    /// What is decoded and not yet given, by column.
    batch: Vec<std::vec::IntoIter<Cell>>,
    /// Rows given so far.
    given: u64,
    /// After an error there is nothing more.
    is_over: bool,
}

struct Place {
    index: usize,
    is_optional: bool,
    written: Written,
}

/// How a column's values are written.
#[derive(Clone, Copy)]
enum Written {
    Text,
    Whole {
        is_signed: bool,
    },
    Decimal {
        decimals: usize,
    },
    Double,
    Moment(TimeUnit),
    /// What writers make of a column without any value.
    Nothing,
}

impl ParquetRows {
    /// Opens a file and finds the columns in it, by their names; others are not looked at.
    pub(super) fn open(file: Arc<Path>, columns: &[Column]) -> Result<Self, TapeError> {
        let failed = |source| TapeError::Open { file: file.to_path_buf(), source };
        let handle = File::open(&file).map_err(failed)?;
        let broken = |source| TapeError::Parquet { file: file.to_path_buf(), row: 1, source };
        let reader = guarded(|| SerializedFileReader::new(handle)).map_err(broken)?;
        let schema = reader.metadata().file_metadata().schema_descr_ptr();
        let mut places = vec![];
        for column in columns {
            let mut found = schema.columns().iter().enumerate().filter(|(_, leaf)| {
                leaf.path().parts().len() == 1 && leaf.name() == column.name && leaf.max_rep_level() == 0
            });
            let (Some((index, leaf)), None) = (found.next(), found.next()) else {
                return Err(TapeError::Columns {
                    file: file.to_path_buf(),
                    found: schema
                        .columns()
                        .iter()
                        .map(|leaf| leaf.path().string())
                        .collect::<Vec<_>>()
                        .join(","),
                    expected: names(columns),
                });
            };
            let written = written(leaf).filter(|written| may_hold(column.holds, *written));
            let written = written.ok_or_else(|| TapeError::Type {
                file: file.to_path_buf(),
                column: column.name,
                found: type_name(leaf),
                expected: types_of(column.holds),
            })?;
            places.push(Place { index, is_optional: 0 < leaf.max_def_level(), written });
        }
        let (open, batch) = (vec![], vec![]);
        Ok(Self { file, reader, places, group: 0, open, left: 0, batch, given: 0, is_over: false })
    }

    /// Decodes the next rows, as long as there are some.
    fn decode(&mut self) -> Result<bool, ParquetError> {
        while self.left == 0 {
            if self.group == self.reader.num_row_groups() {
                return Ok(false);
            }
            self.open_group()?;
        }
        let rows = self.left.min(BATCH);
        self.left -= rows;
        self.batch.clear();
        for (place, column) in self.places.iter().zip(&mut self.open) {
            self.batch.push(cells(place, column, rows)?.into_iter());
        }
        Ok(true)
    }

    fn open_group(&mut self) -> Result<(), ParquetError> {
        let group = self.reader.get_row_group(self.group)?;
        let rows = group.metadata().num_rows();
        self.open.clear();
        for place in &self.places {
            // Otherwise the rows would be put together from values that do not belong together.
            if group.metadata().column(place.index).num_values() != rows {
                return Err(ParquetError::General("its columns are not of the same length".to_owned()));
            }
            self.open.push(group.get_column_reader(place.index)?);
        }
        self.left = usize::try_from(rows)
            .map_err(|_| ParquetError::General(format!("a row group has {rows} rows")))?;
        self.group += 1;
        Ok(())
    }

    fn next_row(&mut self) -> Result<Option<(u64, Vec<Cell>)>, ParquetError> {
        if self.batch.first().is_none_or(|column| column.len() == 0) && !self.decode()? {
            return Ok(None);
        }
        let cells: Vec<Cell> = self.batch.iter_mut().filter_map(Iterator::next).collect();
        self.given += 1;
        Ok(Some((self.given, cells)))
    }
}

impl Iterator for ParquetRows {
    type Item = Result<(u64, Vec<Cell>), TapeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let row = guarded(|| self.next_row());
        self.is_over = !matches!(row, Ok(Some(_)));
        let broken =
            |source| TapeError::Parquet { file: self.file.to_path_buf(), row: self.given + 1, source };
        row.map_err(broken).transpose()
    }
}

/// Makes an error of a panic: the decoder trusts the lengths that a file states, and a damaged one must not end the
/// program. Whoever was panicked in is not asked again.
fn guarded<T>(read: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ParquetError> {
    let contradiction = |_| Err(ParquetError::General("the file contradicts itself".to_owned()));
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(contradiction)
}

/// How a column's values are written, where that is a way we know.
fn written(leaf: &ColumnDescriptor) -> Option<Written> {
    let (logical, converted) = (leaf.logical_type_ref(), leaf.converted_type());
    let is_decimal = matches!(logical, Some(LogicalType::Decimal(_))) || converted == ConvertedType::DECIMAL;
    let physical = leaf.physical_type();
    if matches!(logical, Some(LogicalType::Unknown)) {
        return Some(Written::Nothing);
    }
    if is_decimal {
        let has_digits = !matches!(physical, Type::BOOLEAN | Type::INT96 | Type::FLOAT | Type::DOUBLE);
        let decimals = leaf.type_scale();
        let is_plain = has_digits && (0..=MOST_DECIMALS).contains(&decimals);
        return usize::try_from(decimals)
            .ok()
            .filter(|_| is_plain)
            .map(|decimals| Written::Decimal { decimals });
    }
    match (physical, logical) {
        (Type::BYTE_ARRAY, Some(LogicalType::String | LogicalType::Enum)) => Some(Written::Text),
        (Type::BYTE_ARRAY, None) => {
            let is_text =
                matches!(converted, ConvertedType::NONE | ConvertedType::UTF8 | ConvertedType::ENUM);
            is_text.then_some(Written::Text)
        }
        (Type::DOUBLE, None) => Some(Written::Double),
        (Type::INT64, Some(LogicalType::Timestamp(stamp))) => Some(Written::Moment(stamp.unit)),
        (Type::INT32 | Type::INT64, Some(LogicalType::Integer(kind))) => {
            Some(Written::Whole { is_signed: kind.is_signed })
        }
        (Type::INT32 | Type::INT64, None) => match converted {
            ConvertedType::TIMESTAMP_MILLIS => Some(Written::Moment(TimeUnit::MILLIS)),
            ConvertedType::TIMESTAMP_MICROS => Some(Written::Moment(TimeUnit::MICROS)),
            ConvertedType::UINT_8
            | ConvertedType::UINT_16
            | ConvertedType::UINT_32
            | ConvertedType::UINT_64 => Some(Written::Whole { is_signed: false }),
            ConvertedType::NONE
            | ConvertedType::INT_8
            | ConvertedType::INT_16
            | ConvertedType::INT_32
            | ConvertedType::INT_64 => Some(Written::Whole { is_signed: true }),
            _ => None,
        },
        _ => None,
    }
}

/// Whether values written so can be what a column holds. A bare number is no moment: nobody said of what unit.
const fn may_hold(holds: Holds, written: Written) -> bool {
    match written {
        Written::Text | Written::Nothing => true,
        Written::Whole { .. } => matches!(holds, Holds::Name | Holds::Amount),
        Written::Decimal { .. } | Written::Double => matches!(holds, Holds::Amount),
        Written::Moment(_) => matches!(holds, Holds::Moment),
    }
}

/// The types that can, in words.
const fn types_of(holds: Holds) -> &'static str {
    match holds {
        Holds::Name => "a string",
        Holds::Moment => {
            "a timestamp in UTC (INT64, milliseconds to nanoseconds) or a string such as 2022-01-12T21:10:26Z"
        }
        Holds::Amount => "DECIMAL, a string, a whole number or DOUBLE",
    }
}

fn type_name(leaf: &ColumnDescriptor) -> String {
    match (leaf.logical_type_ref(), leaf.converted_type()) {
        (Some(logical), _) => format!("{} ({logical:?})", leaf.physical_type()),
        (None, ConvertedType::NONE) => leaf.physical_type().to_string(),
        (None, converted) => format!("{} ({converted})", leaf.physical_type()),
    }
}

/// The next rows of a column.
fn cells(place: &Place, column: &mut ColumnReader, rows: usize) -> Result<Vec<Cell>, ParquetError> {
    let (written, is_optional) = (place.written, place.is_optional);
    match column {
        ColumnReader::Int32ColumnReader(column) => typed(column, is_optional, rows, |value| {
            let unsigned = i64::from(value.cast_unsigned());
            of_number(written, i64::from(*value), unsigned.cast_unsigned())
        }),
        ColumnReader::Int64ColumnReader(column) => {
            typed(column, is_optional, rows, |value| of_number(written, *value, value.cast_unsigned()))
        }
        ColumnReader::DoubleColumnReader(column) => typed(column, is_optional, rows, |value| {
            decimal::of_double(*value).map_or_else(|problem| Cell::bad(value, problem), Cell::Text)
        }),
        ColumnReader::ByteArrayColumnReader(column) => {
            typed(column, is_optional, rows, |value: &ByteArray| of_bytes(written, value.data()))
        }
        ColumnReader::FixedLenByteArrayColumnReader(column) => {
            typed(column, is_optional, rows, |value| of_bytes(written, value.data()))
        }
        ColumnReader::BoolColumnReader(_)
        | ColumnReader::Int96ColumnReader(_)
        | ColumnReader::FloatColumnReader(_) => {
            Err(ParquetError::General("a column has another type than the file says".to_owned()))
        }
    }
}

fn typed<T: DataType>(
    column: &mut ColumnReaderImpl<T>,
    is_optional: bool,
    rows: usize,
    cell: impl Fn(&T::T) -> Cell,
) -> Result<Vec<Cell>, ParquetError> {
    let mut cells = Vec::with_capacity(rows);
    let (mut levels, mut values) = (Vec::new(), Vec::new());
    while cells.len() < rows {
        levels.clear();
        values.clear();
        let (read, _, _) =
            column.read_records(rows - cells.len(), is_optional.then_some(&mut levels), None, &mut values)?;
        if read == 0 {
            return Err(ParquetError::EOF("a column has fewer rows than the file says".to_owned()));
        }
        let mut values = values.iter();
        if is_optional {
            let of_level = |level: &i16| if *level == 0 { None } else { values.next() };
            cells.extend(levels.iter().map(of_level).map(|value| value.map_or(Cell::Missing, &cell)));
        } else {
            cells.extend(values.map(&cell));
        }
    }
    Ok(cells)
}

fn of_number(written: Written, number: i64, unsigned: u64) -> Cell {
    match written {
        Written::Decimal { decimals } => Cell::Text(decimal::text(i128::from(number), decimals)),
        Written::Moment(unit) => of_moment(unit, number),
        Written::Whole { is_signed: false } => Cell::Text(unsigned.to_string()),
        Written::Whole { is_signed: true } | Written::Text | Written::Double | Written::Nothing => {
            Cell::Text(number.to_string())
        }
    }
}

/// A moment is a number of units since 1970 in UTC; finer than a microsecond it is cut, as a text's is.
fn of_moment(unit: TimeUnit, number: i64) -> Cell {
    let micros = match unit {
        TimeUnit::MILLIS => number.checked_mul(1_000),
        TimeUnit::MICROS => Some(number),
        TimeUnit::NANOS => Some(number.div_euclid(1_000)),
    };
    let moment = micros.map(Timestamp::from_micros);
    // What lies outside the calendar has no text of its own.
    let text = moment.map(|moment| moment.to_string());
    let is_same = |text: &String| Timestamp::parse_rfc3339(text).ok() == moment;
    text.filter(is_same)
        .map_or_else(|| Cell::bad(number, "is not a time between the years 0 and 9999"), Cell::Text)
}

fn of_bytes(written: Written, bytes: &[u8]) -> Cell {
    if let Written::Decimal { decimals } = written {
        let number = decimal::unscaled(bytes).map(|unscaled| Cell::Text(decimal::text(unscaled, decimals)));
        return number.unwrap_or_else(|| Cell::bad(hex(bytes), "is too large"));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Cell::Text(text.to_owned()),
        Err(_) => Cell::bad(hex(bytes), "is not a text: write it as a string"),
    }
}

fn hex(bytes: &[u8]) -> String {
    alloy_primitives::hex::encode_prefixed(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use ::parquet::data_type::{ByteArrayType, DoubleType};
    use ::parquet::file::writer::SerializedFileWriter;
    use ::parquet::schema::parser::parse_message_type;

    use super::*;

    const COLUMNS: &[Column] = &[Column::name("who"), Column::amount("usd")];

    /// Two row groups of two columns.
    fn file() -> Vec<u8> {
        let schema = "message tape { optional binary who (STRING); required double usd; }";
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let mut writer = SerializedFileWriter::new(vec![], schema, Arc::default()).unwrap();
        for _ in 0..2 {
            let mut group = writer.next_row_group().unwrap();
            let mut who = group.next_column().unwrap().unwrap();
            let names = [ByteArray::from("one"), ByteArray::from("two")];
            who.typed::<ByteArrayType>().write_batch(&names, Some(&[1, 0, 1]), None).unwrap();
            who.close().unwrap();
            let mut usd = group.next_column().unwrap().unwrap();
            usd.typed::<DoubleType>().write_batch(&[0.5, 1.25, 7.0], None, None).unwrap();
            usd.close().unwrap();
            group.close().unwrap();
        }
        writer.into_inner().unwrap()
    }

    fn read(path: &Path) -> Result<Vec<(u64, Vec<Cell>)>, TapeError> {
        ParquetRows::open(path.into(), COLUMNS)?.collect()
    }

    #[test]
    fn rows_come_in_order_over_all_groups() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some.parquet");
        fs::write(&path, file()).unwrap();
        let rows = read(&path).unwrap();
        let text = |text: &str| Cell::Text(text.to_owned());
        assert_eq!(rows.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
        assert_eq!(rows[3].1, [text("one"), text("0.500000")]);
        assert_eq!(rows[4].1, [Cell::Missing, text("1.250000")]);
    }

    /// Whatever a damaged file says, it is read or refused.
    #[test]
    fn a_damaged_file_is_no_panic() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some.parquet");
        let whole = file();
        let mut refused = 0;
        for place in 0..whole.len() {
            for flip in [0x01, 0x80, 0xFF] {
                let mut damaged = whole.clone();
                damaged[place] ^= flip;
                fs::write(&path, damaged).unwrap();
                refused += u32::from(read(&path).is_err());
            }
        }
        assert!(100 < refused, "{refused}");
    }
}
