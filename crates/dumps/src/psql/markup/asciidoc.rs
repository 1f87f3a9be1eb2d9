//! AsciiDoc tables of `psql`: `|` before every cell (inside of cells it is `\|`), a line per row, cells
//! may hold line feeds.

use super::{Row, from_records, names};
use crate::psql::Document;
use crate::psql::aligned::footer;

/// Cuts text into cells: what stands between bars without a backslash before them. The first piece is
/// what stands before the first bar.
fn pieces(text: &[u8]) -> Vec<(usize, Vec<u8>)> {
    let mut pieces = vec![(0, Vec::new())];
    let mut from = 0;
    for at in memchr::memchr_iter(b'|', text) {
        let escaped = at > 0 && text[at - 1] == b'\\';
        let Some((_, piece)) = pieces.last_mut() else {
            break;
        };
        piece.extend_from_slice(&text[from..at - usize::from(escaped)]);
        from = at + usize::from(!escaped);
        if !escaped {
            pieces.push((at, Vec::new()));
        }
    }
    if let Some((_, piece)) = pieces.last_mut() {
        piece.extend_from_slice(&text[from..]);
    }
    pieces
}

fn value(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let blanks = text.iter().rev().take_while(|b| **b == b' ').count();
    let text = &text[..text.len() - blanks];
    (!text.is_empty()).then(|| text.to_vec())
}

/// Takes `<l`, `>l`, `^l` off the end: how the next cell is aligned.
fn without_alignment(text: &[u8]) -> &[u8] {
    match text {
        [front @ .., b'<' | b'>' | b'^', b'l'] => front,
        _ => text,
    }
}

impl Document<'_> {
    /// Reads the table whose `|====` stands at a line.
    pub(super) fn asciidoc(&mut self, index: usize) -> Option<usize> {
        let attributes = index.checked_sub(1).filter(|&at| {
            let line = self.line(at).trim_ascii();
            line.starts_with(b"[") && line.ends_with(b"]")
        });
        let first = attributes.unwrap_or(index);
        let end = self.find_line(index + 1, |line| line == b"|====")?;
        let body = self.starts[index + 1];
        let stop = self.starts[end];
        let (columns, rows) = match self.text[body..stop].starts_with(b"2+^|") {
            true => self.asciidoc_records(index + 1, end)?,
            false => self.asciidoc_rows(index + 1, end)?,
        };
        self.table(self.starts[first], self.starts[end + 1], columns, rows);
        let mut next = end + 1;
        // A blank line, and the footer between dots.
        let dots = |at: usize| at < self.lines() && self.line(at) == b"....";
        if dots(next + 1)
            && dots(next + 3)
            && let Some(count) = footer(self.line(next + 2))
        {
            let found = self
                .pastes
                .last()
                .map_or(0, |p| p.rows.len() as u64 + p.damaged);
            self.framing(self.starts[next], self.starts[next + 2]);
            self.counted(next + 2, count, found);
            self.framing(self.starts[next + 3], self.starts[next + 4]);
            next += 4;
            self.loose_from = self.starts[next];
        }
        Some(next)
    }

    fn asciidoc_rows(&self, from: usize, end: usize) -> Option<(Vec<String>, Vec<Row>)> {
        let header: Vec<Option<Vec<u8>>> = pieces(self.line(from))
            .into_iter()
            .skip(1)
            .map(|(_, text)| value(without_alignment(&text)))
            .collect();
        let columns = names(&header).filter(|_| from < end)?;
        let start = self.starts[from + 1];
        let text = &self.text[start..self.starts[end]];
        let cells: Vec<(usize, Vec<u8>)> = pieces(text).into_iter().skip(1).collect();
        let mut rows: Vec<Row> = Vec::new();
        for cells in cells.chunks(columns.len()) {
            rows.push(Row {
                cells: cells.iter().map(|(_, text)| value(text)).collect(),
                start: start + cells[0].0,
                end: start + cells[0].0,
            });
        }
        // Where a row ends is where the next one begins.
        for nth in 1..rows.len() {
            rows[nth - 1].end = rows[nth].start;
        }
        if let Some(last) = rows.last_mut() {
            last.end = self.starts[end];
        }
        Some((columns, rows))
    }

    fn asciidoc_records(&self, from: usize, end: usize) -> Option<(Vec<String>, Vec<Row>)> {
        let mut records: Vec<(Vec<String>, Row)> = Vec::new();
        let mut at = from;
        while at < end {
            let start = self.starts[at];
            let is_head = |at: usize| {
                let line = self.line(at);
                line.starts_with(b"2+^|") || line.starts_with(b"<l|")
            };
            let mut next = at + 1;
            while next < end && !is_head(next) {
                next += 1;
            }
            let line = &self.text[start..self.starts[next]];
            if line.starts_with(b"2+^|") {
                let row = Row {
                    cells: Vec::new(),
                    start,
                    end: self.starts[next],
                };
                records.push((Vec::new(), row));
            } else {
                let cells = pieces(line);
                let [_, name, text] = cells.as_slice() else {
                    return None;
                };
                let (names, row) = records.last_mut()?;
                let name = without_alignment(&name.1).trim_ascii_end();
                names.push(String::from_utf8_lossy(name).into_owned());
                row.cells.push(value(&text.1));
                row.end = self.starts[next];
            }
            at = next;
        }
        from_records(records)
    }
}
