//! A case's tables as Polars frames: for whoever wants to ask in Rust what no verb asks.
//!
//! The columns are those of the Parquet files: instants are UTC microseconds, with the same number as
//! `…_us` beside them.

use case::{Case, TableId};
use polars::prelude::{DataFrame, ParquetReader, PolarsError, SerReader};
use std::fs::File;
use std::path::PathBuf;

/// Why a table could not be read as a frame.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A segment cannot be opened.
    #[error("cannot open {}", path.display())]
    Open {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Polars cannot read it.
    #[error("cannot read {} as a frame", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: PolarsError,
    },
}

/// Reads a table of a case, all of it or the named columns, in the order of its segments. A table without
/// rows is an empty frame.
///
/// # Errors
/// If a segment cannot be read.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let case = case::Case::open(std::path::Path::new("medalla.case"))?;
/// let records = analysis::frames::frame(&case, &case::TableId::Records, Some(&["ts", "node", "level"]))?;
/// println!("{} records", records.height());
/// # Ok(()) }
/// ```
pub fn frame(
    case: &Case,
    table: &TableId,
    columns: Option<&[&str]>,
) -> Result<DataFrame, FrameError> {
    let mut whole: Option<DataFrame> = None;
    for path in case.files(table) {
        let file = File::open(&path).map_err(|source| FrameError::Open {
            path: path.clone(),
            source,
        })?;
        let columns = columns.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        let failed = |source| FrameError::Read {
            path: path.clone(),
            source,
        };
        let part = ParquetReader::new(file)
            .with_columns(columns)
            .finish()
            .map_err(failed)?;
        match &mut whole {
            Some(whole) => {
                whole.vstack_mut(&part).map_err(failed)?;
            }
            None => whole = Some(part),
        }
    }
    Ok(whole.unwrap_or_default())
}
