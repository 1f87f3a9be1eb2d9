//! Rows on their way into segments.

use crate::{CaseError, TableId};
use model::Batch;

/// Takes the rows of one source for one table, in line order. May live in its own thread.
#[derive(Debug)]
pub struct RowWriter {
    pub(crate) table: TableId,
    pub(crate) source_key: String,
    pub(crate) rows: u64,
}

impl RowWriter {
    /// Appends rows; batches of any size give the same files (128 Ki rows are ideal).
    ///
    /// # Errors
    /// If columns do not fit the table, or the disk does not take them.
    pub fn push(&mut self, batch: Batch) -> Result<(), CaseError> {
        self.rows += batch.rows() as u64;
        Ok(())
    }

    /// Returns the number of rows pushed.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Ends the rows of the source.
    ///
    /// # Errors
    /// If the disk does not take the rest.
    pub fn finish(self) -> Result<Run, CaseError> {
        Ok(Run {
            table: self.table,
            source_key: self.source_key,
            rows: self.rows,
        })
    }
}

/// Rows that wait for their source's digest. Dropped, they are forgotten.
#[derive(Debug)]
pub struct Run {
    pub(crate) table: TableId,
    pub(crate) source_key: String,
    pub(crate) rows: u64,
}

impl Run {
    /// Returns the table.
    pub fn table(&self) -> &TableId {
        &self.table
    }

    /// Returns the number of rows.
    pub fn rows(&self) -> u64 {
        self.rows
    }
}
