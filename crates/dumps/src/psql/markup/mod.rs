//! Tables in a markup language: what psql writes as HTML, AsciiDoc and LaTeX, and the Markdown tables
//! of postmortem drafts and web pages.

mod asciidoc;
mod html;
mod latex;
mod markdown;

pub(crate) use markdown::rule as markdown_rule;

use super::aligned::unique;
use super::{Document, Paste, PastedRow};
use crate::facts::Trouble;
use crate::sniff::COLUMNS;

/// A row of a table in markup: its cells, and where it stands in the text.
struct Row {
    cells: Vec<Option<Vec<u8>>>,
    start: usize,
    end: usize,
}

/// Whether a line begins a table in markup that is worth a closer look.
pub(crate) fn begins(line: &[u8]) -> bool {
    let text = line.trim_ascii();
    match text.first() {
        Some(b'<') => html::begins(text),
        Some(b'|') => text == b"|====",
        Some(b'\\') => latex::begins(text),
        Some(b'.') => text == b".TS",
        _ => false,
    }
}

impl Document<'_> {
    /// Reads the table in markup that begins at a line; returns the line behind it.
    pub(crate) fn markup(&mut self, index: usize) -> Option<usize> {
        let line = self.line(index).trim_ascii();
        let start = self.starts[index];
        if !begins(line) {
            return self.markdown(index);
        }
        // The end mark may be far away, or not there at all.
        if !self.may_look(self.text.len() - start) {
            return None;
        }
        let found = match line.first()? {
            b'<' if html::begins(line) => self.html(index),
            b'|' if line == b"|====" => self.asciidoc(index),
            b'\\' if latex::begins(line) => self.latex(index),
            b'.' if line == b".TS" => {
                let end = self.find_line(index, |line| line == b".TE")?;
                let what = "a table as troff (psql's format troff-ms), which is not read: \
                            print it with \\pset format csv";
                let (start, stop) = (self.starts[index], self.starts[end + 1]);
                self.reject(start, stop, Trouble::Unsupported, what);
                self.loose_from = stop;
                Some(end + 1)
            }
            _ => None,
        };
        if let Some(next) = found {
            // It was not in vain.
            self.effort += self.text.len() - self.starts[next];
        }
        found.or_else(|| self.markdown(index))
    }

    /// Finds a line, itself trimmed, from `index` on.
    fn find_line(&self, index: usize, is: impl Fn(&[u8]) -> bool) -> Option<usize> {
        (index..self.lines()).find(|&at| is(self.line(at).trim_ascii()))
    }

    /// Takes a whole table: rows of another number of cells than there are columns are damaged.
    fn table(&mut self, start: usize, end: usize, columns: Vec<String>, rows: Vec<Row>) {
        let query = self.query_before(start);
        let mut paste = Paste {
            columns: unique(columns),
            query,
            line: self.line_of(start),
            ..Paste::default()
        };
        let mut at = start;
        for row in rows {
            if self.is_full() {
                self.overflow(row.start, end);
                at = end;
                break;
            }
            self.framing(at, row.start);
            at = row.end;
            if row.cells.len() == paste.columns.len() {
                self.row(row.start, row.end);
                let held = PastedRow {
                    cells: row.cells,
                    byte: row.start as u64,
                    length: (row.end - row.start) as u64,
                    line: self.line_of(row.start),
                };
                self.hold(&mut paste, held);
            } else {
                paste.damaged += 1;
                let what = format!(
                    "the row has {} cells, the table {} columns",
                    row.cells.len(),
                    paste.columns.len()
                );
                self.reject(row.start, row.end, Trouble::Damaged, &what);
            }
        }
        self.framing(at, end);
        self.loose_from = end;
        self.pastes.push(paste);
    }
}

/// Names for the columns of a table that has none.
fn numbered(count: usize) -> Vec<String> {
    (1..=count.min(COLUMNS))
        .map(|nth| format!("c{nth}"))
        .collect()
}

/// Names out of cells; `None` if one is empty or there are too many.
fn names(cells: &[Option<Vec<u8>>]) -> Option<Vec<String>> {
    if cells.is_empty() || cells.len() > COLUMNS {
        return None;
    }
    cells
        .iter()
        .map(|cell| {
            let text = cell.as_ref()?.trim_ascii();
            Some(String::from_utf8_lossy(text).into_owned())
        })
        .collect()
}

/// Turns records (names beside values) into rows under the first record's names; records with other
/// names have another number of cells and are told apart by that.
fn from_records(records: Vec<(Vec<String>, Row)>) -> Option<(Vec<String>, Vec<Row>)> {
    let names = records.first()?.0.clone();
    let rows = records
        .into_iter()
        .map(|(own, mut row)| {
            if own != names {
                row.cells.clear();
            }
            row
        })
        .collect();
    Some((names, rows))
}
