//! Segments of one source, cut and sorted in bounded memory while its rows come in line order.
//!
//! A segment ends after 1 Mi rows, or where a row comes that belongs before rows already written: the
//! window that sorts holds 32 Ki rows. Where cuts fall depends on the rows alone, and what lies
//! before a cut does not depend on what follows: a grown source rewrites only its last segment.
//! Segments of the hash table are shorter and sorted as a whole.

use crate::columns::{Columns, row_units};
use crate::error::segment_error;
use crate::hashes::SortedHashes;
use crate::segment::{
    Encoded, HASH_SEGMENT_ROWS, PAGE_ROWS, SEGMENT_ROWS, SegmentFile, SourceValue,
};
use crate::spool::{Keys, Work};
use crate::{CaseError, TableId};
use arrow::array::RecordBatch;
use arrow::compute::interleave_record_batch;
use std::collections::VecDeque;
use std::sync::Arc;

/// Rows that are held back to be sorted: lines of several threads are out of order by a few, and a dozen
/// tables are written at once.
const WINDOW_ROWS: usize = 32 * 1024;
/// Rows written when the window is full.
const WRITE_ROWS: usize = 2 * PAGE_ROWS;

/// Rows of the window.
struct Rows {
    batch: RecordBatch,
    keys: Keys,
    units: Vec<u32>,
}

impl Rows {
    /// Returns the rows before `at` and those from there on, where there are any.
    fn split(self, at: usize) -> (Option<Rows>, Option<Rows>) {
        let rows = self.units.len();
        match at {
            0 => (None, Some(self)),
            _ if at == rows => (Some(self), None),
            _ => (Some(self.slice(0, at)), Some(self.slice(at, rows))),
        }
    }

    fn slice(&self, start: usize, end: usize) -> Rows {
        Rows {
            batch: self.batch.slice(start, end - start),
            keys: self.keys.slice(start, end - start),
            units: self.units[start..end].to_vec(),
        }
    }
}

/// Writes the segments of one source and table.
pub(crate) struct Builder {
    work: Arc<Work>,
    table: TableId,
    columns: Columns,
    source: SourceValue,
    /// Rows after which a segment ends, and those that are held back to be sorted.
    segment_rows: u64,
    window_rows: usize,
    file: Option<SegmentFile>,
    window: VecDeque<Rows>,
    window_units: usize,
    window_sorted: bool,
    /// The key of the last row pushed into the window.
    newest: Option<(i64, i64)>,
    /// The key of the last row given to the file.
    written: Option<(i64, i64)>,
    segment_units: u64,
    finished: Vec<Encoded>,
}

impl Builder {
    /// Begins; `columns` are those of the file, with `source`.
    pub(crate) fn new(
        work: Arc<Work>,
        table: TableId,
        columns: Columns,
        source: SourceValue,
    ) -> Builder {
        // Hashes come in no order at all.
        let (segment_rows, window_rows) = match table {
            TableId::Hashes => (HASH_SEGMENT_ROWS, HASH_SEGMENT_ROWS as usize),
            _ => (SEGMENT_ROWS, WINDOW_ROWS),
        };
        Builder {
            segment_rows,
            window_rows,
            work,
            table,
            columns,
            source,
            file: None,
            window: VecDeque::new(),
            window_units: 0,
            window_sorted: true,
            newest: None,
            written: None,
            segment_units: 0,
            finished: Vec::new(),
        }
    }

    /// Appends rows in line order.
    pub(crate) fn push(&mut self, batch: RecordBatch) -> Result<(), CaseError> {
        if !self.table.is_timed() {
            return self.push_in_order(batch);
        }
        let mut left = Some(Rows {
            keys: Keys::of(&batch),
            units: row_units(&batch),
            batch,
        });
        while let Some(rows) = left.take().filter(|rows| !rows.units.is_empty()) {
            let mut end = 0;
            let mut late = false;
            while end < rows.units.len()
                && self.window_units < self.window_rows
                && self.segment_units < self.segment_rows
            {
                let key = rows.keys.get(end);
                if self.written.is_some_and(|written| key < written) {
                    late = true;
                    break;
                }
                if self.newest.is_some_and(|newest| key < newest) {
                    self.window_sorted = false;
                }
                self.newest = Some(key);
                self.window_units += rows.units[end] as usize;
                self.segment_units += u64::from(rows.units[end]);
                end += 1;
            }
            let (taken, rest) = rows.split(end);
            self.window.extend(taken);
            left = rest;
            if late || self.segment_units >= self.segment_rows {
                self.end_segment()?;
            } else if self.window_units >= self.window_rows {
                self.write_window(WRITE_ROWS)?;
            }
        }
        Ok(())
    }

    fn push_in_order(&mut self, batch: RecordBatch) -> Result<(), CaseError> {
        let units = row_units(&batch);
        let mut start = 0;
        while start < units.len() {
            let mut end = start;
            while end < units.len() && self.segment_units < self.segment_rows {
                self.segment_units += u64::from(units[end]);
                end += 1;
            }
            self.open()?.push(&batch, start, &units[start..end])?;
            start = end;
            if self.segment_units >= self.segment_rows {
                self.end_segment()?;
            }
        }
        Ok(())
    }

    fn open(&mut self) -> Result<&mut SegmentFile, CaseError> {
        match self.file {
            Some(ref mut file) => Ok(file),
            ref mut none => Ok(none.insert(SegmentFile::create(
                &self.work.disk,
                &self.work.temp_path("segment")?,
                &self.table,
                self.columns.clone(),
                self.source.clone(),
            )?)),
        }
    }

    /// Writes the first rows of the window in order.
    fn write_window(&mut self, units: usize) -> Result<(), CaseError> {
        let mut written = 0;
        if !self.window_sorted {
            self.sort_window(units, &mut written)?;
        }
        while written < units {
            let Some(rows) = self.window.pop_front() else {
                break;
            };
            self.write_rows(rows, units, &mut written)?;
        }
        self.window_units -= written;
        Ok(())
    }

    /// Writes rows until enough are written; what is left of them goes back to the window's front.
    fn write_rows(
        &mut self,
        rows: Rows,
        units: usize,
        written: &mut usize,
    ) -> Result<(), CaseError> {
        let mut take = 0;
        while take < rows.units.len() && *written < units {
            *written += rows.units[take] as usize;
            take += 1;
        }
        self.written = Some(rows.keys.get(take - 1));
        self.open()?.push(&rows.batch, 0, &rows.units[..take])?;
        if let (_, Some(rest)) = rows.split(take) {
            self.window.push_front(rest);
        }
        Ok(())
    }

    /// Sorts the window. Rows that are to be written are, a page at a time: a whole window of hashes is
    /// never in memory twice.
    fn sort_window(&mut self, units: usize, written: &mut usize) -> Result<(), CaseError> {
        let failed = |error| segment_error(std::path::Path::new("spool"), error);
        let mut window: Vec<Rows> = std::mem::take(&mut self.window).into();
        let batches: Vec<&RecordBatch> = window.iter().map(|rows| &rows.batch).collect();
        if self.table == TableId::Hashes
            && let Some(sorted) = SortedHashes::of(&batches)
        {
            window.clear();
            for page in sorted.pages() {
                let (batch, keys) = page.map_err(failed)?;
                let units_of_page = vec![1; batch.num_rows()];
                self.write_or_keep(batch, keys, units_of_page, units, written)?;
            }
            return Ok(());
        }
        let mut order: Vec<((i64, i64), u32, u32)> = Vec::with_capacity(self.window_units);
        for (index, rows) in (0..).zip(&window) {
            order.extend(
                (0..)
                    .zip(0..rows.units.len())
                    .map(|(row, at)| (rows.keys.get(at), index, row)),
            );
        }
        // Batch and row follow the key: rows with equal keys keep their order.
        order.sort_unstable();
        for page in order.chunks(PAGE_ROWS) {
            let rows: Vec<(usize, usize)> = page
                .iter()
                .map(|(_, batch, row)| (*batch as usize, *row as usize))
                .collect();
            let batch = interleave_record_batch(&batches, &rows).map_err(failed)?;
            let keys = Keys {
                times: page.iter().map(|(key, ..)| key.0).collect(),
                lines: page.iter().map(|(key, ..)| key.1).collect(),
            };
            let page_units = rows.iter().map(|(batch, row)| window[*batch].units[*row]);
            self.write_or_keep(batch, keys, page_units.collect(), units, written)?;
        }
        Ok(())
    }

    /// Takes the next sorted rows: writes them as long as not enough are written.
    fn write_or_keep(
        &mut self,
        batch: RecordBatch,
        keys: Keys,
        units_of_rows: Vec<u32>,
        units: usize,
        written: &mut usize,
    ) -> Result<(), CaseError> {
        self.window_sorted = true;
        self.newest = units_of_rows
            .len()
            .checked_sub(1)
            .map(|last| keys.get(last));
        let rows = Rows {
            batch,
            keys,
            units: units_of_rows,
        };
        if *written < units {
            self.write_rows(rows, units, written)?;
        } else {
            self.window.push_back(rows);
        }
        Ok(())
    }

    fn end_segment(&mut self) -> Result<(), CaseError> {
        self.write_window(usize::MAX)?;
        if let Some(file) = self.file.take() {
            self.finished.push(file.finish()?);
        }
        self.newest = None;
        self.written = None;
        self.window_sorted = true;
        self.segment_units = 0;
        Ok(())
    }

    /// Ends the source.
    pub(crate) fn finish(mut self) -> Result<Vec<Encoded>, CaseError> {
        self.end_segment()?;
        Ok(self.finished)
    }
}
