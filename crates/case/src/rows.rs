//! Rows on their way into segments.

use crate::builder::Builder;
use crate::columns::{
    Columns, columns_of, conform, constant, memory_schema, merge_columns, slice_bytes, to_arrow,
};
use crate::error::segment_error;
use crate::segment::{Encoded, PAGE_ROWS, SOURCE, SourceValue, new_placeholder};
use crate::segment_reader::SegmentReader;
use crate::spool::{Block, Work};
use crate::{CaseError, TableId};
use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use model::{Batch, ColumnType};
use std::path::Path;
use std::sync::Arc;

/// Spooled bytes after which a source is taken for a large one. Only speed depends on it.
const SPOOL_LIMIT: u64 = 112 << 20;
/// Rows of the hash table that go to the spool together: blocks of it all overlap when they are merged.
const HASH_BLOCK_ROWS: usize = 8 * PAGE_ROWS;
/// Bytes after which rows go to the spool, if there are not enough of them before.
const BLOCK_BYTES: u64 = 16 << 20;
/// Length of a source's digest.
pub(crate) const DIGEST_LENGTH: usize = 12;

/// Takes the rows of one source for one table, in line order. May live in its own thread.
pub struct RowWriter {
    work: Arc<Work>,
    table: TableId,
    source_key: String,
    /// Columns without `source`.
    columns: Option<Columns>,
    source_at: usize,
    pending: Vec<RecordBatch>,
    pending_rows: usize,
    pending_bytes: u64,
    blocks: Vec<Block>,
    spooled_bytes: u64,
    large: bool,
    builder: Option<Builder>,
    rows: u64,
}

impl std::fmt::Debug for RowWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowWriter")
            .field("table", &self.table)
            .field("source_key", &self.source_key)
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

impl RowWriter {
    pub(crate) fn new(work: Arc<Work>, table: TableId, source_key: &str) -> RowWriter {
        RowWriter {
            work,
            large: !table.is_timed(),
            table,
            source_key: source_key.to_owned(),
            columns: None,
            source_at: 0,
            pending: Vec::new(),
            pending_rows: 0,
            pending_bytes: 0,
            blocks: Vec::new(),
            spooled_bytes: 0,
            builder: None,
            rows: 0,
        }
    }

    /// Says how long the source will be, if that is known: a large one's rows are then encoded at once
    /// instead of passing through the spool. The files are the same with and without it.
    pub fn expect_raw_bytes(&mut self, raw_bytes: u64) {
        self.large |= raw_bytes >= crate::layout::LARGE_BYTES;
    }

    /// Appends rows; batches of any size give the same files (128 Ki rows are ideal).
    ///
    /// # Errors
    /// If columns do not fit the table, or the disk does not take them.
    pub fn push(&mut self, batch: Batch) -> Result<(), CaseError> {
        let timed = self.table.is_timed();
        let rows = batch
            .columns
            .iter()
            .map(model::Column::len)
            .max()
            .unwrap_or(0);
        if rows == 0 {
            return Ok(());
        }
        if self.columns.is_none() {
            self.set_columns(&batch);
        }
        let arrow = to_arrow(batch, timed.then_some(SOURCE)).map_err(|error| self.misfit(error))?;
        let columns = self.columns.as_ref().expect("set above");
        let schema = memory_schema(columns);
        if let Some(field) = arrow
            .schema_ref()
            .fields()
            .iter()
            .find(|field| schema.index_of(field.name()).is_err())
        {
            return Err(self.misfit(format!(
                "column {} was not in the first batch",
                field.name()
            )));
        }
        let arrow = conform(&arrow, columns, &schema).map_err(|error| self.misfit(error))?;
        self.rows += rows as u64;
        if self.large {
            return self.encode(arrow);
        }
        let block_rows = match self.table {
            TableId::Hashes => HASH_BLOCK_ROWS,
            _ => PAGE_ROWS,
        };
        let mut start = 0;
        while start < rows {
            let take = (block_rows - self.pending_rows).min(rows - start);
            self.pending.push(arrow.slice(start, take));
            self.pending_rows += take;
            self.pending_bytes += self.pending.last().map_or(0, slice_bytes);
            start += take;
            if self.pending_rows == block_rows || self.pending_bytes > BLOCK_BYTES {
                self.spool()?;
            }
        }
        if self.spooled_bytes > SPOOL_LIMIT {
            self.large = true;
        }
        Ok(())
    }

    fn set_columns(&mut self, batch: &Batch) {
        let mut columns = columns_of(batch);
        if self.table.is_timed() {
            let position = |wanted: &str| columns.iter().position(|(name, _)| name == wanted);
            let given = position(SOURCE);
            self.source_at = given.or_else(|| position("line")).unwrap_or(columns.len());
            if let Some(given) = given {
                columns.remove(given);
            }
        }
        self.columns = Some(columns);
    }

    fn misfit(&self, what: impl ToString) -> CaseError {
        CaseError::Rows {
            table: self.table.to_string(),
            source_key: self.source_key.clone(),
            what: what.to_string(),
        }
    }

    fn spool(&mut self) -> Result<(), CaseError> {
        if self.pending_rows == 0 {
            return Ok(());
        }
        let pending = std::mem::take(&mut self.pending);
        self.pending_rows = 0;
        self.pending_bytes = 0;
        let batch = match &pending[..] {
            [only] => only.clone(),
            several => {
                concat_batches(&several[0].schema(), several).map_err(|error| self.misfit(error))?
            }
        };
        let block = self.work.spool(batch)?;
        self.spooled_bytes += block.bytes();
        self.blocks.push(block);
        Ok(())
    }

    /// Gives rows to the builder, what was spooled first.
    fn encode(&mut self, batch: RecordBatch) -> Result<(), CaseError> {
        if self.builder.is_none() {
            self.spool()?;
            let columns = self.columns.clone().unwrap_or_default();
            let (columns, source) = if self.table.is_timed() {
                let placeholder = new_placeholder(DIGEST_LENGTH);
                (
                    with_source(columns, self.source_at),
                    SourceValue::Placeholder(placeholder, self.source_at),
                )
            } else {
                (columns, SourceValue::InRows)
            };
            let mut builder = Builder::new(self.work.clone(), self.table.clone(), columns, source);
            for block in std::mem::take(&mut self.blocks) {
                builder.push(self.work.load(&block)?)?;
                // Its memory is free again when the builder has written it.
                drop(block);
            }
            self.builder = Some(builder);
        }
        self.builder.as_mut().expect("made above").push(batch)
    }

    /// Returns the number of rows pushed.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Ends the rows of the source.
    ///
    /// # Errors
    /// If the disk does not take the rest.
    pub fn finish(mut self) -> Result<Run, CaseError> {
        let content = match self.builder.take() {
            Some(builder) => Content::Encoded(builder.finish()?),
            None => {
                self.spool()?;
                Content::Spooled(self.blocks)
            }
        };
        Ok(Run {
            work: self.work,
            table: self.table,
            columns: self.columns.unwrap_or_default(),
            source_at: self.source_at,
            content,
            rows: self.rows,
        })
    }
}

/// Returns columns with `source` among them.
pub(crate) fn with_source(mut columns: Columns, at: usize) -> Columns {
    let at = at.min(columns.len());
    columns.insert(at, (SOURCE.to_owned(), ColumnType::Dict));
    columns
}

/// Where the rows of a run lie.
#[derive(Debug)]
pub(crate) enum Content {
    /// In the spool, in line order, without `source`.
    Spooled(Vec<Block>),
    /// In finished segments.
    Encoded(Vec<Encoded>),
}

/// Rows that wait for their source's digest. Dropped, they are forgotten.
#[derive(Debug)]
pub struct Run {
    pub(crate) work: Arc<Work>,
    pub(crate) table: TableId,
    /// Columns without `source`.
    pub(crate) columns: Columns,
    pub(crate) source_at: usize,
    pub(crate) content: Content,
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

    /// Returns rows of the spool as a file has them, with `source`.
    pub(crate) fn load(&self, block: &Block, digest: &str) -> Result<RecordBatch, CaseError> {
        let batch = self.work.load(block)?;
        let mut arrays = batch.columns().to_vec();
        let at = self.source_at.min(arrays.len());
        arrays.insert(at, constant(digest, batch.num_rows()));
        RecordBatch::try_new(memory_schema(&self.file_columns()), arrays)
            .map_err(|error| segment_error(Path::new("spool"), error))
    }

    /// Passes all rows to `f` in line order, with `source`.
    pub(crate) fn in_line_order(
        &self,
        digest: &str,
        f: &mut dyn FnMut(RecordBatch) -> Result<(), CaseError>,
    ) -> Result<(), CaseError> {
        match &self.content {
            Content::Spooled(blocks) => {
                for block in blocks {
                    f(self.load(block, digest)?)?;
                }
            }
            Content::Encoded(segments) => {
                for encoded in segments {
                    SegmentReader::open(&encoded.path)?.in_line_order(&|_, _| true, f)?;
                }
            }
        }
        Ok(())
    }

    /// Returns the columns of its rows in a file.
    pub(crate) fn file_columns(&self) -> Columns {
        if self.table.is_timed() {
            with_source(self.columns.clone(), self.source_at)
        } else {
            self.columns.clone()
        }
    }
}

/// Merges the columns of runs and files: see [`merge_columns`].
pub(crate) fn merged(inputs: &[Columns]) -> Columns {
    merge_columns(&inputs.iter().collect::<Vec<_>>())
}
