//! Rows into the column chunks of a Parquet row group.
//!
//! Our columns come coded: words have codes already, numbers lie in slices. The writer of the `parquet`
//! crate would hash every word of every row again, which took most of the time of an ingest; so pages
//! are encoded here, and that crate writes headers, footer and indexes. Readers see plain Parquet 1.0
//! pages in the encodings PLAIN, RLE_DICTIONARY and DELTA_BINARY_PACKED, compressed with zstd where it helps.

mod column;
mod delta;
mod dictionary;
mod hybrid;
mod page;
#[cfg(test)]
mod tests;

use arrow::array::RecordBatch;
use column::ColumnEncoder;
use model::ColumnType;
use page::Bounds;
use parquet::errors::Result;
use parquet::file::writer::SerializedFileWriter;
use std::cell::RefCell;
use std::io::{self, Write};
use zstd::bulk::Compressor;

/// How a column is written.
#[derive(Clone, Debug)]
pub(crate) struct ColumnPlan {
    /// Its type.
    pub(crate) column_type: ColumnType,
    /// Every row holds this word; batches do not have the column.
    pub(crate) constant: Option<String>,
    /// Whether pages are compressed, if that saves anything.
    pub(crate) compressed: bool,
    /// Whether each page has bounds.
    pub(crate) page_bounds: bool,
    /// Whether the column has bounds. Numbers always do.
    pub(crate) bounds: bool,
}

/// Rows of a batch.
#[derive(Clone, Copy)]
pub(crate) struct Piece<'a> {
    pub(crate) batch: &'a RecordBatch,
    pub(crate) start: usize,
    pub(crate) rows: usize,
}

thread_local! {
    /// A source's rows go to a dozen files, written in turn by one thread: buffers and the compressor's
    /// tables, a MiB or two, are the thread's.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Buffers that all columns use in turn.
#[derive(Default)]
pub(crate) struct Scratch {
    numbers: Vec<i64>,
    codes: Vec<u32>,
    page: Vec<u8>,
    compressed: Vec<u8>,
    compressor: Option<Compressor<'static>>,
    /// The last page of numbers: times stand in several columns beside each other.
    before: NumberPage,
}

impl Scratch {
    /// Gives back the memory of an uncommonly long page.
    fn shrink(&mut self) {
        for buffer in [&mut self.page, &mut self.compressed] {
            if buffer.capacity() > KEPT_BYTES {
                *buffer = Vec::new();
            }
        }
    }
}

/// A page of numbers that was written.
#[derive(Default)]
struct NumberPage {
    /// The column it is of, while the other columns of the same rows are written.
    column: Option<usize>,
    levels: Vec<u8>,
    numbers: Vec<i64>,
    bounds: Option<Bounds>,
    uncompressed_bytes: usize,
    /// What was written, and whether that is compressed.
    compressed: bytes::Bytes,
    is_compressed: Option<bool>,
}

/// As in the evidence store: half the time of level 1 for a third more room.
const ZSTD_LEVEL: i32 = -3;

/// Buffers of pages are kept for the next page up to this size.
const KEPT_BYTES: usize = 4 << 20;

fn new_compressor() -> io::Result<Compressor<'static>> {
    Compressor::new(ZSTD_LEVEL)
}

/// A row group being written.
pub(crate) struct RowGroup {
    plans: Vec<ColumnPlan>,
    columns: Vec<ColumnEncoder>,
}

impl RowGroup {
    pub(crate) fn new(plans: Vec<ColumnPlan>) -> RowGroup {
        RowGroup {
            plans,
            columns: Vec::new(),
        }
    }

    /// Writes a page of every column.
    pub(crate) fn page<W: Write + Send>(
        &mut self,
        pieces: &[Piece<'_>],
        file: &SerializedFileWriter<W>,
    ) -> Result<()> {
        if self.columns.is_empty() {
            let described = file.schema_descr().columns().iter();
            self.columns = self
                .plans
                .iter()
                .zip(described)
                .map(|(plan, described)| ColumnEncoder::new(plan.clone(), described.clone()))
                .collect();
        }
        let mut index = 0;
        SCRATCH.with_borrow_mut(|scratch| {
            scratch.before.column = None;
            for (column, plan) in self.columns.iter_mut().zip(&self.plans) {
                column.page(pieces, index, scratch)?;
                index += usize::from(plan.constant.is_none());
            }
            scratch.shrink();
            Ok(())
        })
    }

    /// Ends the row group, if there is one.
    pub(crate) fn end<W: Write + Send>(
        &mut self,
        file: &mut SerializedFileWriter<W>,
    ) -> Result<()> {
        if self.columns.is_empty() {
            return Ok(());
        }
        let mut group = file.next_row_group()?;
        for column in self.columns.drain(..) {
            let (bytes, close) = SCRATCH.with_borrow_mut(|scratch| column.finish(scratch))?;
            group.append_column(&bytes, close)?;
        }
        group.close()?;
        Ok(())
    }
}
