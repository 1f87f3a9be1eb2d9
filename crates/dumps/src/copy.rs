//! Blocks of COPY rows: read row by row where they are wanted, skipped at memory speed where not.

use crate::block::Open;
use crate::facts::{BlockForm, DumpError, Trouble};
use crate::input::{Input, Line};
use crate::plain::Reader;
use crate::rows::{Place, check_fields};
use crate::schema::FullName;

/// Longest row.
pub(crate) const ROW_LIMIT: usize = 64 << 20;

/// What stands at the front of the window inside a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Front {
    /// A row: bytes of its text, and bytes with its line end.
    Row(usize, usize),
    /// The end mark, with its line end.
    Mark(usize),
    /// The last bytes of a dump that ends inside a row.
    Cut(usize),
    /// A row over the limit.
    Long,
    /// The dump ends between two rows.
    End,
}

/// Looks at the front of a block.
#[inline]
pub(crate) fn front(input: &mut Input<'_>) -> Result<Front, DumpError> {
    Ok(match input.line(ROW_LIMIT)? {
        Line::Full(length) => {
            let line = &input.window()[..length - 1];
            // Rows hold no bare carriage return: one at the end belongs to the line end.
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line == b"\\." {
                Front::Mark(length)
            } else {
                Front::Row(line.len(), length)
            }
        }
        Line::Cut(length) if input.window()[..length].trim_ascii_end() == b"\\." => {
            Front::Mark(length)
        }
        Line::Cut(length) => Front::Cut(length),
        Line::Long => Front::Long,
        Line::End => Front::End,
    })
}

/// Whether a row that has the wrong number of fields is the head of the next block: the end mark
/// between them is lost.
fn is_copy_head(row: &[u8]) -> bool {
    row.starts_with(b"COPY ") && row.trim_ascii_end().ends_with(b" FROM stdin;")
}

impl Reader<'_, '_> {
    /// Reads the block behind a COPY statement.
    pub(crate) fn copy(
        &mut self,
        table: FullName,
        columns: Option<Vec<String>>,
        text_format: bool,
    ) -> Result<(), DumpError> {
        let columns = match columns {
            Some(columns) => columns,
            None => match self.schema.stored_columns(&table) {
                Some(declared) => declared,
                None => self.guess_columns()?,
            },
        };
        let mut open = self.open_block(table, columns);
        if !text_format {
            return self.skip_unsupported(&open);
        }
        self.begin(&mut open)?;
        self.block(&mut open)
    }

    /// Reads the rows.
    fn block(&mut self, open: &mut Open) -> Result<(), DumpError> {
        loop {
            if open.is_skipped() {
                self.skip_rows(open)?;
            }
            match front(&mut self.input)? {
                Front::Row(text, length) => {
                    if self.row(open, text, length)? {
                        self.end_block(open)?;
                        let what = "rows without an end mark: the next COPY follows at once";
                        let at = (self.input.byte(), self.input.line_number());
                        let name = Some(open.table.1.clone());
                        return self.reject(Trouble::Damaged, name, at, 0, 0, what);
                    }
                }
                Front::Mark(length) => {
                    self.end_block(open)?;
                    self.framing(length);
                    return Ok(());
                }
                Front::Long => {
                    open.rows += 1;
                    let at = (self.input.byte(), self.input.line_number());
                    let (length, _) = self.input.skip_line()?;
                    self.broken(open, at, length, "a row of more than 64 MiB")?;
                }
                Front::Cut(length) => {
                    open.rows += 1;
                    self.facts.tables[open.index()].damaged_rows += 1;
                    let name = Some(open.table.1.clone());
                    let what = "the dump is cut in the middle of a row";
                    self.reject_front(Trouble::Truncated, name, length, false, what)?;
                    let first = open.first;
                    let end = self.input.byte() - length as u64;
                    return self.close(open, first, end, BlockForm::CopyText);
                }
                Front::End => {
                    let name = Some(open.table.1.clone());
                    let what = "the dump ends inside of a table's rows";
                    let at = (self.input.byte(), self.input.line_number());
                    self.reject(Trouble::Truncated, name, at, 0, 0, what)?;
                    return self.end_block(open);
                }
            }
        }
    }

    /// Takes the row at the front; `true`, and the row is left, if it is the head of another block.
    fn row(&mut self, open: &mut Open, text: usize, length: usize) -> Result<bool, DumpError> {
        let place = Place {
            line: self.input.line_number(),
            byte: self.input.byte(),
            length: length as u64,
        };
        let row = &self.input.window()[..text];
        let good = open.take(row, place, &mut self.migrations);
        if good.is_err() && check_fields(row, open.columns.len()).is_err() && is_copy_head(row) {
            return Ok(true);
        }
        open.rows += 1;
        self.input.consume_lines(length, 1);
        match good {
            Ok(()) => self.facts.row_bytes += place.length,
            Err(what) => self.broken(open, (place.byte, place.line), place.length, &what)?,
        }
        self.relieve(open)?;
        Ok(false)
    }

    fn end_block(&mut self, open: &mut Open) -> Result<(), DumpError> {
        let (first, end) = (open.first, self.input.byte());
        self.close(open, first, end, BlockForm::CopyText)
    }

    /// Passes over rows without looking into them, up to what [`front`] must look at.
    fn skip_rows(&mut self, open: &mut Open) -> Result<(), DumpError> {
        loop {
            let window = self.input.window();
            let stop = stop(window, open.columns.len());
            let (length, found) = match stop {
                Some(at) => (at, true),
                // Keep the last line: it may go on, or be an end mark.
                None => (memchr::memrchr(b'\n', window).map_or(0, |at| at + 1), false),
            };
            let lines = self.input.consume(length);
            open.rows += lines;
            self.facts.row_bytes += length as u64;
            if found {
                return Ok(());
            }
            if length == 0 && !self.input.window().is_empty() {
                // One row fills the window: its end is looked for step by step, never from the start.
                if !matches!(self.input.line(ROW_LIMIT)?, Line::Full(_)) {
                    return Ok(());
                }
            } else if !self.input.more()? {
                return Ok(());
            }
        }
    }

    /// COPY with options: its rows are not ours to read.
    fn skip_unsupported(&mut self, open: &Open) -> Result<(), DumpError> {
        let at = open.first;
        let mut rows = 0;
        let mut bytes = 0;
        let mark = loop {
            match front(&mut self.input)? {
                Front::Mark(length) => break length,
                Front::Row(_, length) | Front::Cut(length) => {
                    self.input.consume(length);
                    bytes += length as u64;
                }
                Front::Long => bytes += self.input.skip_line()?.0,
                Front::End => break 0,
            }
            rows += 1;
        };
        let facts = &mut self.facts.tables[open.index()];
        facts.rows += rows;
        facts.damaged_rows += rows;
        self.count_lost_above(open, rows);
        let name = Some(open.table.1.clone());
        let what = "COPY with options, which this version does not read";
        self.reject(Trouble::Unsupported, name, at, bytes, rows, what)?;
        self.framing(mark);
        Ok(())
    }

    /// Names for the columns of a block whose head names none, by the first row's fields.
    fn guess_columns(&mut self) -> Result<Vec<String>, DumpError> {
        let fields = match front(&mut self.input)? {
            Front::Row(text, _) => {
                memchr::memchr_iter(b'\t', &self.input.window()[..text]).count() + 1
            }
            _ => 0,
        };
        Ok((1..=fields).map(|nth| format!("column_{nth}")).collect())
    }
}

/// Where in the window, at a line's begin, stands an end mark or the head of another block.
fn stop(window: &[u8], columns: usize) -> Option<usize> {
    let is_mark = |at: usize| {
        let line = &window[at..];
        line.starts_with(b"\\.\n") || line.starts_with(b"\\.\r\n")
    };
    if is_mark(0) {
        return Some(0);
    }
    let mark = memchr::memmem::find_iter(window, b"\n\\.")
        .map(|at| at + 1)
        .find(|&at| is_mark(at));
    let searched = &window[..mark.unwrap_or(window.len())];
    let first = searched.starts_with(b"COPY ").then_some(0);
    let heads = memchr::memmem::find_iter(searched, b"\nCOPY ").map(|at| at + 1);
    let head = first.into_iter().chain(heads).find(|&at| {
        let line = &searched[at..];
        memchr::memchr(b'\n', line).is_some_and(|end| {
            let line = line[..end].strip_suffix(b"\r").unwrap_or(&line[..end]);
            is_copy_head(line) && check_fields(line, columns).is_err()
        })
    });
    head.or(mark)
}
