//! The rows of a tape's file, alike from CSV and from Parquet: every field as the text that a CSV file holds.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{Spot, TapeError};
use super::parquet::{Cell, ParquetRows};

/// A column of a tape's file.
#[derive(Debug)]
pub(super) struct Column {
    /// Its name.
    pub(super) name: &'static str,
    /// What it holds.
    pub(super) holds: Holds,
}

/// What a column holds, which says of what type it may be in a file that has types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// Words.
    Name,
    /// A moment.
    Moment,
    /// Money or shares, to the millionth.
    Amount,
}

impl Column {
    /// Words.
    pub(super) const fn name(name: &'static str) -> Self {
        Self { name, holds: Holds::Name }
    }

    /// A moment.
    pub(super) const fn moment(name: &'static str) -> Self {
        Self { name, holds: Holds::Moment }
    }

    /// Money or shares.
    pub(super) const fn amount(name: &'static str) -> Self {
        Self { name, holds: Holds::Amount }
    }
}

/// The rows of a file, in its order.
pub(super) struct Rows {
    file: Arc<Path>,
    columns: &'static [Column],
    source: Source,
}

enum Source {
    Csv(csv::StringRecordsIntoIter<File>),
    Parquet(Box<ParquetRows>),
}

impl Rows {
    /// Opens the file of this name in a folder, whichever form it has.
    pub(super) fn open(
        folder: &Path,
        name: &'static str,
        columns: &'static [Column],
    ) -> Result<Self, TapeError> {
        let (text, table) = (folder.join(format!("{name}.csv")), folder.join(format!("{name}.parquet")));
        match (text.exists(), table.exists()) {
            (true, true) => Err(TapeError::Twice { folder: folder.to_owned(), name }),
            (false, false) => Err(TapeError::Missing { folder: folder.to_owned(), name }),
            (true, false) => Self::open_csv(&text, columns),
            (false, true) => {
                let file: Arc<Path> = table.into();
                let rows = ParquetRows::open(file.clone(), columns)?;
                Ok(Self { file, columns, source: Source::Parquet(Box::new(rows)) })
            }
        }
    }

    fn open_csv(file: &Path, columns: &'static [Column]) -> Result<Self, TapeError> {
        let failed = |source| TapeError::Csv { file: file.to_owned(), source };
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_path(file).map_err(failed)?;
        let headers = reader.headers().map_err(failed)?;
        let found: Vec<&str> = headers.iter().map(str::trim).collect();
        if !found.iter().copied().eq(columns.iter().map(|column| column.name)) {
            return Err(TapeError::Columns {
                file: file.to_owned(),
                found: found.join(","),
                expected: names(columns),
            });
        }
        Ok(Self { file: file.into(), columns, source: Source::Csv(reader.into_records()) })
    }

    fn of_record(&self, record: &csv::StringRecord) -> Result<Row, TapeError> {
        let spot = Spot::Line(record.position().map_or(0, csv::Position::line));
        if record.len() != self.columns.len() {
            return Err(TapeError::Field {
                file: self.file.to_path_buf(),
                spot,
                field: "(the whole line)",
                value: record.iter().collect::<Vec<_>>().join(","),
                problem: format!("has {} fields instead of {}", record.len(), self.columns.len()),
            });
        }
        let fields = record.iter().map(|field| Some(field.trim().to_owned())).collect();
        Ok(Row { file: self.file.clone(), spot, columns: self.columns, fields })
    }

    fn of_cells(&self, number: u64, cells: Vec<Cell>) -> Result<Row, TapeError> {
        let spot = Spot::Row(number);
        let mut fields = Vec::with_capacity(cells.len());
        for (column, cell) in self.columns.iter().zip(cells) {
            fields.push(match cell {
                Cell::Missing => None,
                Cell::Text(text) => Some(text.trim().to_owned()),
                Cell::Bad { value, problem } => {
                    let (file, field) = (self.file.to_path_buf(), column.name);
                    return Err(TapeError::Field { file, spot, field, value, problem });
                }
            });
        }
        Ok(Row { file: self.file.clone(), spot, columns: self.columns, fields })
    }
}

impl Iterator for Rows {
    type Item = Result<Row, TapeError>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.source {
            Source::Csv(records) => {
                let record = records.next()?;
                let failed = |source| TapeError::Csv { file: self.file.to_path_buf(), source };
                Some(record.map_err(failed).and_then(|record| self.of_record(&record)))
            }
            Source::Parquet(rows) => {
                let row = rows.next()?;
                Some(row.and_then(|(number, cells)| self.of_cells(number, cells)))
            }
        }
    }
}

/// One row, which knows where it stands.
pub(super) struct Row {
    file: Arc<Path>,
    spot: Spot,
    columns: &'static [Column],
    /// By column; none where a table has no value.
    fields: Vec<Option<String>>,
}

impl Row {
    /// What a column holds; nothing where it has no value.
    pub(super) fn field(&self, name: &'static str) -> &str {
        self.cell(name).unwrap_or_default()
    }

    /// The error that names this field, its place and its value.
    pub(super) fn bad(&self, field: &'static str, problem: &str) -> TapeError {
        TapeError::Field {
            file: PathBuf::from(&*self.file),
            spot: self.spot,
            field,
            value: self.cell(field).unwrap_or("null").to_owned(),
            problem: problem.to_owned(),
        }
    }

    fn cell(&self, name: &'static str) -> Option<&str> {
        let index = self.columns.iter().position(|column| column.name == name)?;
        self.fields.get(index)?.as_deref()
    }
}

/// The columns' names, as a CSV file's first line has them.
pub(super) fn names(columns: &[Column]) -> String {
    columns.iter().map(|column| column.name).collect::<Vec<_>>().join(",")
}
