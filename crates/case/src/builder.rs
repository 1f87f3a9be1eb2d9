//! Segments of one source, cut and sorted in bounded memory while its rows come in line order.
//!
//! A segment ends after 1 Mi rows, or where a row comes that belongs before rows already written: the
//! window that sorts holds two row groups. Where cuts fall depends on the rows alone, and what lies
//! before a cut does not depend on what follows: a grown source rewrites only its last segment.

use crate::columns::Columns;
use crate::error::segment_error;
use crate::segment::{Encoded, GROUP_ROWS, PAGE_ROWS, SEGMENT_ROWS, SegmentFile, SourceValue};
use crate::spool::{Keys, Work};
use crate::{CaseError, TableId};
use arrow::array::RecordBatch;
use arrow::compute::interleave_record_batch;
use std::collections::VecDeque;
use std::sync::Arc;

/// Rows that are held back to be sorted.
const WINDOW_ROWS: usize = 2 * GROUP_ROWS;

/// Writes the segments of one source and table.
pub(crate) struct Builder {
    work: Arc<Work>,
    table: TableId,
    columns: Columns,
    source: SourceValue,
    file: Option<SegmentFile>,
    window: VecDeque<(RecordBatch, Keys)>,
    window_rows: usize,
    window_sorted: bool,
    /// The key of the last row pushed into the window.
    newest: Option<(i64, i64)>,
    /// The key of the last row given to the file.
    written: Option<(i64, i64)>,
    segment_rows: u64,
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
        Builder {
            work,
            table,
            columns,
            source,
            file: None,
            window: VecDeque::new(),
            window_rows: 0,
            window_sorted: true,
            newest: None,
            written: None,
            segment_rows: 0,
            finished: Vec::new(),
        }
    }

    /// Appends rows in line order.
    pub(crate) fn push(&mut self, batch: RecordBatch) -> Result<(), CaseError> {
        if !self.table.is_timed() {
            return self.push_in_order(batch);
        }
        let keys = Keys::of(&batch);
        let mut start = 0;
        while start < batch.num_rows() {
            let room = (WINDOW_ROWS - self.window_rows)
                .min((SEGMENT_ROWS - self.segment_rows) as usize)
                .min(batch.num_rows() - start);
            let mut end = start;
            let mut late = false;
            while end < start + room {
                let key = keys.get(end);
                if self.written.is_some_and(|written| key < written) {
                    late = true;
                    break;
                }
                if self.newest.is_some_and(|newest| key < newest) {
                    self.window_sorted = false;
                }
                self.newest = Some(key);
                end += 1;
            }
            if end > start {
                let part = Keys {
                    times: keys.times[start..end].to_vec(),
                    lines: keys.lines[start..end].to_vec(),
                };
                self.window
                    .push_back((batch.slice(start, end - start), part));
                self.window_rows += end - start;
                self.segment_rows += (end - start) as u64;
                start = end;
            }
            if late || self.segment_rows == SEGMENT_ROWS {
                self.end_segment()?;
            } else if self.window_rows == WINDOW_ROWS {
                self.write_window(GROUP_ROWS)?;
            }
        }
        Ok(())
    }

    fn push_in_order(&mut self, batch: RecordBatch) -> Result<(), CaseError> {
        let mut start = 0;
        while start < batch.num_rows() {
            let rows = ((SEGMENT_ROWS - self.segment_rows) as usize).min(batch.num_rows() - start);
            self.open()?.push(&batch, start, rows)?;
            self.segment_rows += rows as u64;
            start += rows;
            if self.segment_rows == SEGMENT_ROWS {
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
    fn write_window(&mut self, rows: usize) -> Result<(), CaseError> {
        if !self.window_sorted {
            self.sort_window()?;
        }
        let mut left = rows;
        while left > 0 {
            let Some((batch, keys)) = self.window.pop_front() else {
                break;
            };
            let take = left.min(batch.num_rows());
            self.written = Some(keys.get(take - 1));
            self.open()?.push(&batch, 0, take)?;
            left -= take;
            self.window_rows -= take;
            if take < batch.num_rows() {
                let rest = Keys {
                    times: keys.times[take..].to_vec(),
                    lines: keys.lines[take..].to_vec(),
                };
                let rows = batch.num_rows() - take;
                self.window.push_front((batch.slice(take, rows), rest));
            }
        }
        Ok(())
    }

    fn sort_window(&mut self) -> Result<(), CaseError> {
        let window = std::mem::take(&mut self.window);
        let mut order = Vec::with_capacity(self.window_rows);
        for (index, (_, keys)) in window.iter().enumerate() {
            order.extend((0..keys.times.len()).map(|row| (keys.get(row), index, row)));
        }
        // Batch and row follow the key: rows with equal keys keep their order.
        order.sort_unstable();
        let batches: Vec<&RecordBatch> = window.iter().map(|(batch, _)| batch).collect();
        for page in order.chunks(PAGE_ROWS) {
            let rows: Vec<(usize, usize)> =
                page.iter().map(|(_, batch, row)| (*batch, *row)).collect();
            let batch = interleave_record_batch(&batches, &rows)
                .map_err(|error| segment_error(std::path::Path::new("spool"), error))?;
            let keys = Keys {
                times: page.iter().map(|(key, ..)| key.0).collect(),
                lines: page.iter().map(|(key, ..)| key.1).collect(),
            };
            self.window.push_back((batch, keys));
        }
        self.window_sorted = true;
        self.newest = order.last().map(|(key, ..)| *key);
        Ok(())
    }

    fn end_segment(&mut self) -> Result<(), CaseError> {
        self.write_window(self.window_rows)?;
        if let Some(file) = self.file.take() {
            self.finished.push(file.finish()?);
        }
        self.newest = None;
        self.written = None;
        self.window_sorted = true;
        self.segment_rows = 0;
        Ok(())
    }

    /// Ends the source.
    pub(crate) fn finish(mut self) -> Result<Vec<Encoded>, CaseError> {
        self.end_segment()?;
        Ok(self.finished)
    }
}
