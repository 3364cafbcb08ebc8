//! Why a tape cannot be played: always with the file, and with the place in it.

use std::fmt;
use std::path::PathBuf;

use ::parquet::errors::ParquetError;

/// Why a tape cannot be played.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TapeError {
    /// Neither form of a file is there.
    #[error("{} has neither {name}.csv nor {name}.parquet: write one of them", folder.display())]
    Missing {
        /// The tape's folder.
        folder: PathBuf,
        /// The file without its ending.
        name: &'static str,
    },
    /// Both forms are there, and may say different things.
    #[error("{} has both {name}.csv and {name}.parquet: remove one of them", folder.display())]
    Twice {
        /// The tape's folder.
        folder: PathBuf,
        /// The file without its ending.
        name: &'static str,
    },
    /// A CSV file cannot be opened or read.
    #[error("cannot read {}", file.display())]
    Csv {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: csv::Error,
    },
    /// A Parquet file cannot be opened.
    #[error("cannot open {}", file.display())]
    Open {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A Parquet file cannot be read.
    #[error(
        "cannot read {} from row {row} on; it must be a whole Parquet file, compressed with snappy, zstd or not at all",
        file.display()
    )]
    Parquet {
        /// The file.
        file: PathBuf,
        /// The first row that was not read, counted from 1.
        row: u64,
        /// Why.
        #[source]
        source: ParquetError,
    },
    /// The columns are not those of a tape.
    #[error("{}: the columns are `{found}`, but must be `{expected}`", file.display())]
    Columns {
        /// The file.
        file: PathBuf,
        /// Those it has.
        found: String,
        /// Those it must have.
        expected: String,
    },
    /// A Parquet column is of a type that cannot hold what it must.
    #[error("{}, column `{column}`: its type is {found}; write it as {expected}", file.display())]
    Type {
        /// The file.
        file: PathBuf,
        /// The column.
        column: &'static str,
        /// Its type.
        found: String,
        /// The types it may have.
        expected: &'static str,
    },
    /// A field does not hold what it must.
    #[error("{}, {spot} `{field}`: `{value}` {problem}", file.display())]
    Field {
        /// The file.
        file: PathBuf,
        /// Where in the file.
        spot: Spot,
        /// The column.
        field: &'static str,
        /// What it holds.
        value: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// A place in a file, as people find it there.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Spot {
    /// A line of a text, counted from 1; the first one names the columns.
    Line(u64),
    /// A row of a table, counted from 1.
    Row(u64),
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}, field"),
            Self::Row(row) => write!(f, "row {row}, column"),
        }
    }
}
