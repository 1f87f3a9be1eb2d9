//! Aligned tables: a header, a rule of dashes, rows, a footer; all borders and line styles, wrapped or
//! not.
//!
//! Intact tables are cut at the rule's columns, so that a `|` inside a cell does no harm and cells of
//! several lines (a mark in the margin) are put together. Where blanks were lost on the way (a web
//! page, a chat), cells are cut at bars, as long as that is unambiguous.

use super::frame::{Behind, Border, Piece, Rule, is_line_feed, is_wrap, last_char};
use super::width::{Chars, text_width};
use super::{Document, Paste, PastedRow, query};
use crate::facts::Trouble;
use crate::value::is_numeric;

/// In how many lines a mark is looked for that says which border a column has.
const ROWS_LOOKED_AT: usize = 200;

/// How a cell goes on in the next line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum More {
    LineFeed,
    Wrapped,
}

/// A row that goes on in the next line.
struct Open {
    cells: Vec<Option<Vec<u8>>>,
    more: Vec<Option<More>>,
    start: usize,
}

/// Reads `(9 rows)` in any language: the number.
pub(crate) fn footer(line: &[u8]) -> Option<u64> {
    let inner = line.trim_ascii().strip_prefix(b"(")?.strip_suffix(b")")?;
    let digits = inner.iter().take_while(|b| b.is_ascii_digit()).count();
    let rest = inner[digits..].trim_ascii_start();
    // "(9 rows)", "(1 row)", "(9 行记录)", "(9 行)", "(9 строк)": one word, no more.
    let word = !rest.is_empty()
        && rest.len() < 40
        && rest.iter().all(|b| b.is_ascii_alphabetic() || *b >= 0x80);
    if digits == 0 || digits > 15 || !word {
        return None;
    }
    std::str::from_utf8(&inner[..digits]).ok()?.parse().ok()
}

impl Document<'_> {
    /// Reads the table whose header (or upper border) stands at `index`; returns the line behind it.
    pub(crate) fn aligned(&mut self, index: usize) -> Option<usize> {
        if index + 1 >= self.lines() {
            return None;
        }
        let upper = Rule::read(self.line(index)).filter(|rule| rule.border == Border::Full);
        let (header, rule_at) = match upper {
            Some(_) => (index + 1, index + 2),
            None => (index, index + 1),
        };
        if rule_at >= self.lines() {
            return None;
        }
        let mut rule = Rule::read(self.line(rule_at))?;
        if self.is_bare_column(&rule, rule_at + 1) {
            rule.border = Border::None;
        }
        let framed = match &upper {
            Some(upper) => *upper == rule,
            None => rule.border != Border::Full,
        };
        if !framed {
            return None;
        }
        let columns = self.header(header, rule_at, &rule)?;
        let query = self.query_before(self.starts[index]);
        self.framing(self.starts[index], self.starts[rule_at + 1]);
        let mut paste = Paste {
            columns,
            query,
            line: header as u64 + 1,
            ..Paste::default()
        };
        let next = self.body(rule_at + 1, &rule, &mut paste);
        self.loose_from = self.starts[next];
        self.pastes.push(paste);
        Some(next)
    }

    /// Whether one column is printed without a border, whose rule looks the same: a mark stands behind its edge, where
    /// with a border it would stand on it.
    fn is_bare_column(&self, rule: &Rule, from: usize) -> bool {
        if rule.border != Border::Inner || rule.runs.len() != 1 {
            return false;
        }
        let marked = |at: &usize| {
            let line = &self.line(*at)[rule.indent.min(self.line(*at).len())..];
            let mark = last_char(line).is_some_and(|c| is_line_feed(c) || is_wrap(c));
            mark && text_width(line) == rule.runs[0] + 1
        };
        (from..self.lines().min(from + ROWS_LOOKED_AT))
            .take_while(|at| footer(self.line(*at)).is_none() && !self.line(*at).is_empty())
            .any(|at| marked(&at))
    }

    /// Reads the column names, if this is a header.
    fn header(&self, header: usize, rule_at: usize, rule: &Rule) -> Option<Vec<String>> {
        let line = rule.inner(self.line(header));
        let split = rule.split(line);
        let cells: Vec<&[u8]> = if split.len() == rule.runs.len() {
            split
        } else {
            let pieces = rule.cut(line)?;
            pieces.iter().map(|piece| piece.text).collect()
        };
        let names: Vec<String> = cells
            .iter()
            .map(|cell| String::from_utf8_lossy(cell.trim_ascii()).into_owned())
            .collect();
        let margins = if rule.border == Border::None { 0 } else { 2 };
        let fits = names.iter().zip(&rule.runs).all(|(name, run)| {
            !name.is_empty() && text_width(name.as_bytes()) <= run.saturating_sub(margins).max(1)
        });
        if !fits {
            return None;
        }
        // A heading underlined in a text looks like one column, a list in columns like a table
        // without borders: ask for a footer or a query.
        let alone = names.len() == 1 && rule.border != Border::Full;
        if (alone || rule.border == Border::None)
            && !self.is_footed(rule_at + 1)
            && !self.is_asked(header)
        {
            return None;
        }
        Some(unique(names))
    }

    /// Whether the lines from `from` on end in a footer that counts no more rows than there are lines.
    fn is_footed(&self, from: usize) -> bool {
        let mut end = from;
        while end < self.lines()
            && footer(self.line(end)).is_none()
            && Rule::read(self.line(end)).is_none()
            && !self.line(end).is_empty()
            && query::prompt(self.line(end)).is_none()
        {
            end += 1;
        }
        let rows = (end - from) as u64;
        end < self.lines() && footer(self.line(end)).is_some_and(|count| count <= rows)
    }

    /// Whether a query ends right in front of a line.
    pub(super) fn is_asked(&self, header: usize) -> bool {
        header > 0
            && self.line(header - 1).trim_ascii_end().ends_with(b";")
            && query::last(self.line(header - 1)).is_some()
    }

    /// Reads rows and footer from line `from` on; returns the line behind.
    pub(super) fn body(&mut self, from: usize, rule: &Rule, paste: &mut Paste) -> usize {
        let mut open: Option<Open> = None;
        let mut left = vec![false; rule.runs.len()];
        let mut index = from;
        while index < self.lines() {
            let (start, end) = (self.starts[index], self.starts[index + 1]);
            let raw = self.line(index);
            let line = rule.inner(raw);
            let pieces = rule.cut(line);
            if open.is_none() {
                if self.is_full() {
                    break;
                }
                if self.footed(index, paste) {
                    index += 1;
                    break;
                }
                if rule.border == Border::Full
                    && Rule::read(raw).is_some_and(|lower| lower.border == Border::Full)
                {
                    self.framing(start, end);
                    index += 1;
                    continue;
                }
                if let Some(pieces) = &pieces
                    && goes_on_old(pieces, rule)
                    && self.go_on_old(index, pieces, paste)
                {
                    index += 1;
                    continue;
                }
                if ends_table(raw, line, rule, pieces.is_some()) {
                    break;
                }
            }
            let intact = pieces.filter(|pieces| is_intact(pieces, rule));
            let found = match &intact {
                Some(pieces) => Some(cells(pieces, rule)),
                None => {
                    let split = rule.split(line);
                    (split.len() == rule.runs.len() && rule.border != Border::None)
                        .then(|| split.into_iter().map(|cell| (bare(cell), None)).collect())
                }
            };
            let Some(found) = found else {
                let start = open.take().map_or(start, |open| open.start);
                paste.damaged += 1;
                let what = "the line does not fit the table's columns";
                self.reject(start, end, Trouble::Damaged, what);
                index += 1;
                continue;
            };
            let (values, more): (Vec<_>, Vec<_>) = found.into_iter().unzip();
            if open.is_none() {
                see_left(&values, rule, &mut left);
            }
            let row = match open.take() {
                None => Open {
                    cells: values,
                    more,
                    start,
                },
                Some(mut row) => {
                    row.go_on(values);
                    row.more = more;
                    row
                }
            };
            index += 1;
            if row.more.iter().any(Option::is_some) && index < self.lines() {
                open = Some(row);
                continue;
            }
            self.row(row.start, end);
            let held = PastedRow {
                cells: row.cells,
                byte: row.start as u64,
                length: (end - row.start) as u64,
                line: self.line_of(row.start),
            };
            self.hold(paste, held);
        }
        if let Some(open) = open {
            paste.damaged += 1;
            let end = self.starts[index];
            let what = "the text ends in the middle of a row";
            self.reject(open.start, end, Trouble::Truncated, what);
        }
        for row in &mut paste.rows {
            for (cell, left) in row.cells.iter_mut().zip(&left) {
                if let Some(text) = cell
                    && !left
                {
                    let blanks = text.len() - text.trim_ascii_start().len();
                    text.drain(..blanks);
                }
            }
        }
        index
    }

    /// Takes a footer; `false` if the line is none.
    pub(super) fn footed(&mut self, index: usize, paste: &Paste) -> bool {
        let Some(count) = footer(self.line(index)) else {
            return false;
        };
        self.counted(index, count, paste.rows.len() as u64 + paste.damaged);
        true
    }

    /// Takes a line that counts the rows above it.
    pub(super) fn counted(&mut self, index: usize, count: u64, found: u64) {
        let (start, end) = (self.starts[index], self.starts[index + 1]);
        if count != found {
            let what = format!("the footer counts {count} rows, {found} are here");
            self.reject(start, start, Trouble::Damaged, &what);
        }
        self.framing(start, end);
    }

    /// Adds a line of the old-ascii style to the row above it; `false` if there is none right above.
    fn go_on_old(&mut self, index: usize, pieces: &[Piece<'_>], paste: &mut Paste) -> bool {
        let (start, end) = (self.starts[index], self.starts[index + 1]);
        let Some(row) = paste.rows.last_mut() else {
            return false;
        };
        if row.byte + row.length != start as u64 {
            return false;
        }
        for ((before, piece), cell) in pieces.iter().zip(&pieces[1..]).zip(&mut row.cells[1..]) {
            let text = piece.text.strip_prefix(b" ").unwrap_or(piece.text);
            let text = text.trim_ascii_end();
            let cell = cell.get_or_insert_default();
            match before.behind {
                Behind::Colon => cell.push(b'\n'),
                Behind::Semicolon => {}
                _ => continue,
            }
            cell.extend_from_slice(text);
        }
        row.length += (end - start) as u64;
        self.row(start, end);
        true
    }
}

/// Whether a line goes on with cells of the row above in the old-ascii style.
fn goes_on_old(pieces: &[Piece<'_>], rule: &Rule) -> bool {
    let old = |piece: &Piece<'_>| matches!(piece.behind, Behind::Colon | Behind::Semicolon);
    // The first cell has no bar in front: what it says there can't be told from a new row.
    rule.border != Border::None && pieces.iter().any(old) && pieces[0].text.trim_ascii().is_empty()
}

fn is_intact(pieces: &[Piece<'_>], rule: &Rule) -> bool {
    let inner = &pieces[..pieces.len() - 1];
    rule.border == Border::None || inner.iter().all(|piece| piece.behind == Behind::Bar)
}

/// Whether a line, where a row could begin, is behind the table.
fn ends_table(raw: &[u8], line: &[u8], rule: &Rule, fits: bool) -> bool {
    if query::prompt(raw).is_some() {
        return true;
    }
    let blank = line.trim_ascii().is_empty();
    match (rule.border, rule.runs.len()) {
        // A row of nulls is all blanks, but as wide as the columns in front of the last.
        (Border::None, _) => {
            let least: usize = rule.runs.iter().rev().skip(1).map(|run| run + 1).sum();
            !fits || (blank && raw.len() < (rule.indent + least).max(1))
        }
        (_, 1) => {
            (blank && raw.len() <= rule.indent) || text_width(line.trim_ascii_end()) > rule.runs[0]
        }
        _ => blank || !rule.has_bar(line),
    }
}

/// Notes which columns are aligned to the left: there, blanks in front are a text's own. In a column
/// aligned to the right nothing that is narrower than the column begins at its left edge.
fn see_left(values: &[Option<Vec<u8>>], rule: &Rule, left: &mut [bool]) {
    let margins = if rule.border == Border::None { 0 } else { 2 };
    for ((value, run), left) in values.iter().zip(&rule.runs).zip(left) {
        if let Some(text) = value
            && !*left
        {
            *left = text.first() != Some(&b' ') && text_width(text) + margins < *run;
        }
    }
}

/// Takes the values out of an intact line, and says which of them go on in the next.
fn cells(pieces: &[Piece<'_>], rule: &Rule) -> Vec<(Option<Vec<u8>>, Option<More>)> {
    pieces
        .iter()
        .zip(&rule.runs)
        .map(|(piece, run)| {
            let (text, more) = match rule.border {
                Border::None => {
                    let more = match piece.behind {
                        Behind::LineFeed => Some(More::LineFeed),
                        Behind::Wrap => Some(More::Wrapped),
                        _ => None,
                    };
                    (piece.text, more)
                }
                _ => margins(piece.text, *run),
            };
            (value(text, more), more)
        })
        .collect()
}

/// Takes the margins off: `+` in the right one says that the cell goes on behind a line feed, `.` that
/// psql wrapped it here; `.` in the left one that it was wrapped before.
fn margins(cell: &[u8], run: usize) -> (&[u8], Option<More>) {
    let (mut text, mut more) = (cell, None);
    if let Some(mark) = last_char(cell)
        && (is_line_feed(mark) || is_wrap(mark))
        && text_width(cell) == run
    {
        text = &cell[..cell.len() - mark.len_utf8()];
        more = Some(match is_line_feed(mark) {
            true => More::LineFeed,
            false => More::Wrapped,
        });
    }
    let first = Chars::new(text).next().and_then(|(c, _)| c);
    let left = first.filter(|c| *c == ' ' || is_wrap(*c));
    (&text[left.map_or(0, char::len_utf8)..], more)
}

/// A value between its margins; an empty cell is nothing.
fn value(text: &[u8], more: Option<More>) -> Option<Vec<u8>> {
    let trimmed = text.trim_ascii();
    if more == Some(More::Wrapped) {
        // What was cut out of a longer text may end in a blank of its own.
        return Some(text.to_vec());
    }
    if trimmed.is_empty() {
        // An empty line inside of a longer text is no null.
        return more.map(|_| Vec::new());
    }
    Some(text.trim_ascii_end().to_vec())
}

/// A cell of a line whose blanks were lost.
fn bare(cell: &[u8]) -> Option<Vec<u8>> {
    let text = cell.trim_ascii();
    (!text.is_empty()).then(|| text.to_vec())
}

impl Open {
    /// Adds the next line's cells to those that go on.
    fn go_on(&mut self, values: Vec<Option<Vec<u8>>>) {
        for ((cell, more), value) in self.cells.iter_mut().zip(&self.more).zip(values) {
            if let Some(more) = more {
                add(cell.get_or_insert_default(), *more, value.as_deref());
            }
        }
    }
}

/// Puts the next line of a cell behind what is there.
pub(super) fn add(cell: &mut Vec<u8>, more: More, next: Option<&[u8]>) {
    let next = next.unwrap_or_default();
    match more {
        More::LineFeed => cell.push(b'\n'),
        More::Wrapped => {
            let front = cell.rsplit(|&b| b == b'\n').next().unwrap_or_default();
            let wide = Chars::new(next).next().is_some_and(|(_, width)| width == 2);
            if is_numeric(front.trim_ascii()) && next.trim_ascii().iter().all(u8::is_ascii_digit) {
                // The end of a long number, aligned to the right.
                cell.extend_from_slice(next.trim_ascii());
                return;
            }
            if wide && cell.ends_with(b" ") {
                // There was no room for a wide character.
                cell.pop();
            }
        }
    }
    cell.extend_from_slice(next);
}

/// Makes names unique: the second `a` becomes `a#2`.
pub(crate) fn unique(names: Vec<String>) -> Vec<String> {
    let mut out: Vec<String> = Vec::with_capacity(names.len());
    for name in names {
        let mut candidate = name.clone();
        let mut nth = 2;
        while out.contains(&candidate) {
            candidate = format!("{name}#{nth}");
            nth += 1;
        }
        out.push(candidate);
    }
    out
}
