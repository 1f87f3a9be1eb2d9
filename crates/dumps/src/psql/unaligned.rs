//! Unaligned output (`psql -A`): bare cells with any separator between them, closed by a footer.
//!
//! Nothing is escaped, so a table is found from its footer: the header stands so many rows above it,
//! and cells with line feeds in them are put together again by counting separators. Where that is not
//! sure, the table is rejected, not guessed. Rows without a header (tuples only) are taken right
//! behind the query that names their columns, or where a whole text is nothing else.

use model::ColumnType;

use super::aligned::{footer, unique};
use super::{Document, Paste, PastedRow, query};
use crate::delimited::is_name;
use crate::facts::Trouble;
use crate::infer::Inference;
use crate::sniff::COLUMNS;

/// How many lines more than rows are looked at, above a footer, for the header.
const EXTRA_LINES: usize = 1000;

/// What looking at a line costs, beside its bytes.
const LINE_COST: usize = 64;

/// A header cut at the separator that all its names have between them.
pub(super) fn header(line: &[u8]) -> Option<(Vec<&[u8]>, &[u8])> {
    let is_part =
        |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'?' | b'$') || *b >= 0x80;
    let first = line.iter().position(|b| !is_part(b));
    let Some(first) = first else {
        return is_name(line).then(|| (vec![line], &b""[..]));
    };
    let length = line[first..].iter().position(is_part)?;
    let separator = &line[first..first + length];
    let names = cut(line, separator);
    let named = names.len() <= COLUMNS && names.iter().all(|name| is_name(name));
    // One word behind another is prose.
    (named && separator != b" ").then_some((names, separator))
}

/// The separator of a header with several names.
pub(crate) fn separator(line: &[u8]) -> Option<&[u8]> {
    header(line)
        .filter(|(names, _)| names.len() > 1)
        .map(|(_, separator)| separator)
}

/// Whether a line may be the header of an unaligned table as psql prints it: names without blanks, parted by signs
/// without blanks; `alone` allows one name.
pub(crate) fn is_tight_header(line: &[u8], alone: bool) -> bool {
    if line.is_empty() || line.iter().any(u8::is_ascii_whitespace) && !line.contains(&b'\t') {
        return false;
    }
    let small = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'?');
    header(line).is_some_and(|(names, _)| match names.len() {
        1 => alone && line.iter().all(small),
        _ => true,
    })
}

pub(super) fn cut<'l>(line: &'l [u8], separator: &[u8]) -> Vec<&'l [u8]> {
    let mut pieces = Vec::new();
    let mut from = 0;
    if !separator.is_empty() {
        for at in memchr::memmem::find_iter(line, separator) {
            pieces.push(&line[from..at]);
            from = at + separator.len();
        }
    }
    pieces.push(&line[from..]);
    pieces
}

pub(super) fn count(line: &[u8], separator: &[u8]) -> usize {
    match separator {
        b"" => 0,
        _ => memchr::memmem::find_iter(line, separator).count(),
    }
}

impl Document<'_> {
    /// Reads the table whose footer stands at `index`; returns the line behind it.
    pub(crate) fn unaligned(&mut self, index: usize) -> Option<usize> {
        let rows = usize::try_from(footer(self.line(index))?).ok()?;
        if self.is_worn() {
            return None;
        }
        let top = self.line_of(self.loose_from).saturating_sub(1) as usize;
        let Some(nearest) = index.checked_sub(rows + 1) else {
            return self.footer_alone(index);
        };
        let farthest = top.max(nearest.saturating_sub(EXTRA_LINES));
        let found = (farthest..=nearest).rev().find_map(|at| {
            if self.is_worn() || !self.may_look(LINE_COST + self.line(at).len()) {
                return None;
            }
            // One name alone is any word of a text, unless exactly the rows stand below it.
            let names = header(self.line(at))?.0.len();
            let length = self.starts[index] - self.starts[at];
            let worth = (names > 1 || at == nearest) && self.may_look(length);
            worth.then(|| Some((at, self.groups(at, index, rows)?)))?
        });
        let Some((at, found)) = found else {
            return self.footer_alone(index);
        };
        let query = self.query_before(self.starts[at]);
        self.framing(self.starts[at], self.starts[at + 1]);
        let (names, separator) = header(self.line(at))?;
        let mut paste = Paste {
            columns: unique(
                names
                    .iter()
                    .map(|name| String::from_utf8_lossy(name).into_owned())
                    .collect(),
            ),
            query,
            line: at as u64 + 1,
            ..Paste::default()
        };
        let separator = separator.to_vec();
        for (from, end) in found {
            if self.is_full() {
                self.overflow(self.starts[from], self.starts[index]);
                break;
            }
            self.bare_row(from, end, &separator, &mut paste);
        }
        self.footed(index, &paste);
        self.loose_from = self.starts[index + 1];
        self.pastes.push(paste);
        Some(index + 1)
    }

    /// Rejects a footer whose table can't be found above it: rows are lost here, unless there were none.
    fn footer_alone(&mut self, index: usize) -> Option<usize> {
        let what = "psql's count of rows, and no table above it that can be told: \
                    print it with the usual separators, or with \\pset format csv";
        let (start, end) = (self.starts[index], self.starts[index + 1]);
        if footer(self.line(index)) == Some(0) {
            // Of an empty result the expanded form prints nothing else: no row is lost.
            if self.is_asked(index) {
                self.query_before(start);
            }
            self.framing(start, end);
            self.loose_from = end;
            return Some(index + 1);
        }
        if let Some(next) = self.doubt_inside(index) {
            return Some(next);
        }
        self.reject(start, end, Trouble::Unsupported, what);
        None
    }

    pub(super) fn bare_row(
        &mut self,
        from: usize,
        end: usize,
        separator: &[u8],
        paste: &mut Paste,
    ) {
        let (start, stop) = (self.starts[from], self.starts[end]);
        let text = &self.text[start..self.starts[end - 1] + self.line(end - 1).len()];
        self.row(start, stop);
        let held = PastedRow {
            cells: cut(text, separator)
                .into_iter()
                .map(|cell| (!cell.is_empty()).then(|| cell.to_vec()))
                .collect(),
            byte: start as u64,
            length: (stop - start) as u64,
            line: from as u64 + 1,
        };
        self.hold(paste, held);
    }

    /// Puts the lines between a header and a footer together to so many rows; `None` if that is no
    /// header, or if the lines can't be told into rows.
    fn groups(&self, at: usize, footer: usize, rows: usize) -> Option<Vec<(usize, usize)>> {
        let (names, separator) = header(self.line(at))?;
        let per_row = names.len() - 1;
        let (first, lines) = (at + 1, footer - at - 1);
        let counts: Vec<usize> = (first..footer)
            .map(|line| count(self.line(line), separator))
            .collect();
        if per_row == 0 {
            // One column: every line is a row, or nothing is sure.
            let plain = lines == rows && (self.is_asked(at) || rows > 0);
            return plain.then(|| (first..footer).map(|line| (line, line + 1)).collect());
        }
        if counts.iter().sum::<usize>() != per_row * rows {
            return None;
        }
        let mut groups = Vec::with_capacity(rows);
        let mut line = 0;
        let mut tail = false;
        while line < lines {
            let start = line;
            let mut found = 0;
            while line < lines && found < per_row {
                found += counts[line];
                line += 1;
            }
            if found == 0 {
                tail = true;
            } else if found == per_row {
                groups.push((start, line));
            } else {
                return None;
            }
        }
        if groups.len() != rows {
            return None;
        }
        // A line without a separator belongs to the last cell above it or to the first one below.
        let loose = |&(start, _): &(usize, usize)| counts[start] == 0;
        if (tail || groups.iter().any(loose)) && self.above(&groups, &counts, first, separator)? {
            for nth in 0..rows {
                let (start, end) = groups[nth];
                let zero = counts[start..end].iter().take_while(|n| **n == 0).count();
                groups[nth].0 += zero;
                match nth.checked_sub(1) {
                    Some(above) => groups[above].1 += zero,
                    None if zero > 0 => return None,
                    None => {}
                }
            }
            if let Some(last) = groups.last_mut() {
                last.1 = lines;
            }
        } else if tail {
            return None;
        }
        Some(groups.iter().map(|(a, b)| (a + first, b + first)).collect())
    }

    /// Whether lines without a separator belong to the row above them: `true` if the first column of
    /// all undisputed rows has a type that text with line feeds can't be of; `false` if the last one
    /// has, `None` if neither says anything.
    fn above(
        &self,
        groups: &[(usize, usize)],
        counts: &[usize],
        first: usize,
        separator: &[u8],
    ) -> Option<bool> {
        let mut edges = [Inference::default(); 2];
        for &(start, end) in groups {
            let top = (start..end).find(|line| counts[*line] > 0)?;
            let front = self.line(first + top);
            let back = self.line(first + end - 1);
            if let Some(cell) = cut(front, separator).first() {
                edges[0].see(cell);
            }
            if let Some(cell) = cut(back, separator).last()
                && !cell.is_empty()
            {
                edges[1].see(cell);
            }
        }
        let typed = edges.map(|edge| edge.column_type() != ColumnType::Text);
        match typed {
            [true, _] => Some(true),
            [false, true] => Some(false),
            [false, false] => None,
        }
    }

    /// Reads rows without a header right behind their query; returns the line behind them.
    pub(crate) fn tuples(&mut self, index: usize) -> Option<usize> {
        if !self.is_asked(index) || self.loose_from > self.starts[index - 1] {
            return None;
        }
        let columns: Vec<String> = query::last(self.line(index - 1))?
            .items?
            .into_iter()
            .map(|item| item.output)
            .collect();
        let bars = columns.len().checked_sub(1).filter(|bars| *bars > 0)?;
        let fits = |line: &[u8], separator: &[u8]| count(line, separator) == bars;
        let separator: &[u8] = [&b"|"[..], b"\t"]
            .into_iter()
            .find(|separator| fits(self.line(index), separator))?;
        let first = cut(self.line(index), separator);
        if first
            .iter()
            .zip(&columns)
            .all(|(cell, name)| cell.trim_ascii() == name.as_bytes())
        {
            // A header after all.
            return None;
        }
        let mut end = index;
        while end < self.lines()
            && fits(self.line(end), separator)
            && query::prompt(self.line(end)).is_none()
        {
            end += 1;
        }
        let query = self.query_before(self.starts[index]);
        let mut paste = Paste {
            columns: unique(columns),
            query,
            line: index as u64 + 1,
            ..Paste::default()
        };
        for line in index..end {
            if self.is_full() {
                end = line;
                break;
            }
            self.bare_row(line, line + 1, separator, &mut paste);
        }
        for cell in paste.rows.iter_mut().flat_map(|row| &mut row.cells) {
            // With tuples only, aligned cells keep their blanks.
            let text = cell.take().map(|text| text.trim_ascii().to_vec());
            *cell = text.filter(|text| !text.is_empty());
        }
        self.loose_from = self.starts[end];
        self.pastes.push(paste);
        Some(end)
    }

    /// Reads a text that is nothing but rows with tabs between their cells.
    pub(crate) fn tab_rows(&mut self) -> bool {
        if !is_tab_rows(self.text) {
            return false;
        }
        let mut line = 0;
        while line < self.lines() && !self.is_full() {
            let bars = count(self.line(line), b"\t");
            let mut end = line;
            let mut paste = Paste {
                columns: (1..=bars + 1).map(|nth| format!("c{nth}")).collect(),
                line: line as u64 + 1,
                ..Paste::default()
            };
            while end < self.lines() && !self.is_full() && count(self.line(end), b"\t") == bars {
                self.bare_row(end, end + 1, b"\t", &mut paste);
                end += 1;
            }
            self.pastes.push(paste);
            line = end;
        }
        self.loose_from = self.starts[line];
        if self.is_full() && self.loose_from < self.text.len() {
            self.overflow(self.loose_from, self.text.len());
        }
        true
    }
}

/// Whether a text is rows of `psql -A -t` with tabs: every line has some, none has a word that logs
/// have in a field of their own, and most have a value that hardly anything but psql writes.
pub(crate) fn is_tab_rows(text: &[u8]) -> bool {
    let (mut lines, mut signs) = (0, 0);
    for line in text.split_inclusive(|&b| b == b'\n').take(200) {
        let line = line.trim_ascii_end();
        if count(line, b"\t") == 0 || count(line, b"\t") >= COLUMNS {
            return false;
        }
        let mut sign = false;
        for (nth, cell) in line.split(|&b| b == b'\t').enumerate() {
            if crate::delimited::is_level(cell) {
                return false;
            }
            let typed = match cell {
                b"t" | b"f" => true,
                [b'\\' | b'0', b'x', digits @ ..] => digits.iter().all(u8::is_ascii_hexdigit),
                _ => crate::null::is_symbol(cell),
            };
            sign |= typed;
            if nth == 0 && !typed && crate::value::integer(cell).is_none() {
                return false;
            }
        }
        lines += 1;
        signs += usize::from(sign);
    }
    lines > 0 && signs * 2 >= lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_with_any_separator() {
        let names = |line: &str| header(line.as_bytes()).map(|(names, _)| names.len());
        assert_eq!(names("a|b|c"), Some(3));
        assert_eq!(names("a::b"), Some(2));
        assert_eq!(names("a\tb"), Some(2));
        assert_eq!(names("?column?|b"), Some(2));
        assert_eq!(names("count"), Some(1));
        assert_eq!(names("some words"), None);
        assert_eq!(names("a|b;c"), None);
        assert_eq!(names("1|2"), None);
    }
}
