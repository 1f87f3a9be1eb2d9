//! Rows into the column chunks of a Parquet row group.
//!
//! Our columns come coded: words have codes already, numbers lie in slices. The writer of the `parquet`
//! crate would hash every word of every row again, which took most of the time of an ingest; so pages
//! are encoded here, and that crate writes headers, footer and indexes. Readers see plain Parquet 1.0
//! pages in the encodings PLAIN, RLE_DICTIONARY and DELTA_BINARY_PACKED, compressed with zstd.

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
use std::io::{self, Write};
use zstd::bulk::Compressor;

/// How a column is written.
#[derive(Clone, Debug)]
pub(crate) struct ColumnPlan {
    /// Its type.
    pub(crate) column_type: ColumnType,
    /// Every row holds this word; batches do not have the column.
    pub(crate) constant: Option<String>,
    /// Whether pages are compressed.
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

/// A page of numbers that was written.
#[derive(Default)]
struct NumberPage {
    levels: Vec<u8>,
    numbers: Vec<i64>,
    bounds: Option<Bounds>,
    uncompressed_bytes: usize,
    compressed: bytes::Bytes,
}

/// As in the evidence store: half the time of level 1 for a third more room.
const ZSTD_LEVEL: i32 = -3;

fn new_compressor() -> io::Result<Compressor<'static>> {
    Compressor::new(ZSTD_LEVEL)
}

/// A row group being written.
pub(crate) struct RowGroup {
    plans: Vec<ColumnPlan>,
    columns: Vec<ColumnEncoder>,
    scratch: Scratch,
}

impl RowGroup {
    pub(crate) fn new(plans: Vec<ColumnPlan>) -> RowGroup {
        RowGroup {
            plans,
            columns: Vec::new(),
            scratch: Scratch::default(),
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
        for (column, plan) in self.columns.iter_mut().zip(&self.plans) {
            column.page(pieces, index, &mut self.scratch)?;
            index += usize::from(plan.constant.is_none());
        }
        Ok(())
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
            let (bytes, close) = column.finish(&mut self.scratch)?;
            group.append_column(&bytes, close)?;
        }
        group.close()?;
        Ok(())
    }
}
