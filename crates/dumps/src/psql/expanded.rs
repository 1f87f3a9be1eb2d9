//! Expanded output (`\x`): one line per cell, one block of lines per row.
//!
//! `-[ RECORD 1 ]---` (in any language) begins a row in the usual border, `┌─[ RECORD 1 ]` in a box,
//! `* Record 1` without a border; with tuples only nothing but a rule stands between two rows.

use super::aligned::{More, add, footer, unique};
use super::frame::{Border, Rule, as_ascii, is_bar, is_line_feed, is_wrap, last_char};
use super::width::Chars;
use super::{Document, Paste, PastedRow, query};
use crate::facts::Trouble;
use crate::sniff::COLUMNS;

/// Most lines of one row with tuples only.
const BLOCK_LINES: usize = 4 * COLUMNS;
/// How many bars of a row's first line are tried.
const BARS_TRIED: usize = 16;

/// The line in front of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) border: Border,
    number: u64,
}

/// Reads `-[ RECORD 12 ]--`, `+-[ RECORD 1 ]-+`, `├─[ 记录 2 ]─┤`, `* Record 1`.
pub(crate) fn head(line: &[u8]) -> Option<Head> {
    let text = line.trim_ascii();
    // Most lines are none: that must be seen at once.
    if !matches!(text.first()?, b'-' | b'+' | b'*' | 0xe2) {
        return None;
    }
    if let Some(label) = text.strip_prefix(b"* ") {
        return Some(Head {
            border: Border::None,
            number: numbered(label)?,
        });
    }
    let open = memchr::memchr(b'[', &text[..text.len().min(16)])?;
    let close = open + memchr::memchr(b']', &text[open..])?;
    let (front, behind) = (as_ascii(&text[..open])?, as_ascii(&text[close + 1..])?);
    let dashed = |drawn: &[u8]| drawn.contains(&b'-') && !drawn.contains(&b' ');
    if !dashed(&front) || !(behind.is_empty() || dashed(&behind)) {
        return None;
    }
    Some(Head {
        border: match front[0] {
            b'+' => Border::Full,
            _ => Border::Inner,
        },
        number: numbered(text[open + 1..close].trim_ascii())?,
    })
}

/// A word or two, and a number: the number.
fn numbered(label: &[u8]) -> Option<u64> {
    let at = memchr::memrchr(b' ', label)?;
    let (word, number) = (label[..at].trim_ascii(), &label[at + 1..]);
    let words = !word.is_empty()
        && word.len() < 40
        && word
            .iter()
            .all(|b| b.is_ascii_alphabetic() || *b >= 0x80 || *b == b' ');
    let digits = number.len() <= 15 && number.iter().all(u8::is_ascii_digit);
    (words && digits)
        .then(|| std::str::from_utf8(number).ok()?.parse().ok())
        .flatten()
}

/// Where name and value of a line part.
#[derive(Clone, Copy, Debug)]
enum Part {
    /// A bar (or its old-ascii stand-in) at this column of the terminal.
    Bar(usize),
    /// Without a border: the value begins behind this column.
    Blank(usize),
    /// The blanks were lost: the first bar.
    First,
}

/// A line: the name, what parts it from the value, the value with its left margin taken off.
struct Cell<'l> {
    name: &'l [u8],
    parted: char,
    value: &'l [u8],
}

/// Cuts a line at a column of the terminal.
fn at_column(line: &[u8], column: usize) -> Option<(&[u8], char, &[u8])> {
    let mut chars = Chars::new(line);
    let mut at = 0;
    while at < column {
        at += chars.next()?.1;
    }
    let name = &line[..line.len() - chars.rest().len()];
    let (c, _) = chars.next()?;
    (at == column).then_some((name, c?, chars.rest()))
}

impl Part {
    fn cell<'l>(self, line: &'l [u8]) -> Option<Cell<'l>> {
        let (name, parted, value) = match self {
            Part::Bar(column) => {
                at_column(line, column).filter(|(_, c, _)| is_bar(*c) || matches!(c, ':' | ';'))?
            }
            Part::Blank(column) => match at_column(line, column) {
                Some(found @ (_, c, _)) if c == ' ' || is_wrap(c) => found,
                Some(_) => return None,
                // Blanks at the end of a line are easily lost.
                None => (line, ' ', &b""[..]),
            },
            Part::First => {
                let at = memchr::memchr(b'|', line)?;
                (&line[..at], '|', &line[at + 1..])
            }
        };
        let first = Chars::new(value).next().and_then(|(c, _)| c);
        let left = match self {
            Part::Blank(_) => None,
            _ => first.filter(|c| *c == ' ' || is_wrap(*c)),
        };
        Some(Cell {
            name: name.trim_ascii(),
            parted,
            value: &value[left.map_or(0, char::len_utf8)..],
        })
    }

    /// Finds where the lines of a row part.
    fn find(lines: &[&[u8]], border: Border) -> Option<Part> {
        let first = *lines.first()?;
        if border == Border::None {
            // Names have no blanks; the longest one tells.
            let widest = lines
                .iter()
                .filter(|line| !line.starts_with(b" "))
                .filter_map(|line| line.split(|&b| b == b' ').next())
                .map(super::width::text_width)
                .max()?;
            let part = Part::Blank(widest);
            return lines
                .iter()
                .all(|line| part.cell(line).is_some())
                .then_some(part);
        }
        let (mut column, mut tried) = (0, 0);
        for (c, width) in Chars::new(first).take(1 << 10) {
            if c.is_some_and(is_bar) && column > 0 && tried < BARS_TRIED {
                tried += 1;
                let part = Part::Bar(column);
                if lines.iter().all(|line| part.cell(line).is_some()) {
                    return Some(part);
                }
            }
            column += width;
        }
        let bars = lines
            .iter()
            .all(|line| memchr::memchr(b'|', line).is_some());
        bars.then_some(Part::First)
    }
}

/// Names and values of one row.
type Pairs = (Vec<String>, Vec<Option<Vec<u8>>>);

/// Reads the lines of a row.
fn pairs(lines: &[&[u8]], border: Border) -> Option<Pairs> {
    let part = Part::find(lines, border)?;
    let (mut names, mut values) = (Vec::new(), Vec::new());
    let mut open: Option<Vec<u8>> = None;
    for (nth, line) in lines.iter().enumerate() {
        let cell = part.cell(line)?;
        // What follows tells whether a mark at the end of this line is one.
        let next = lines.get(nth + 1).and_then(|line| part.cell(line));
        let more = next.filter(|next| next.name.is_empty()).map(|next| {
            let last = last_char(cell.value.trim_ascii_end());
            match (next.parted, last) {
                (';', _) => (More::Wrapped, 0),
                (':', _) => (More::LineFeed, 0),
                (_, Some(c)) if is_wrap(c) => (More::Wrapped, c.len_utf8()),
                (_, Some(c)) if is_line_feed(c) => (More::LineFeed, c.len_utf8()),
                _ => (More::LineFeed, 0),
            }
        });
        let text = match more {
            Some((kind, mark)) => {
                let text = match mark {
                    0 => cell.value,
                    mark => {
                        let text = cell.value.trim_ascii_end();
                        &text[..text.len() - mark]
                    }
                };
                match kind {
                    More::Wrapped => text,
                    More::LineFeed => text.trim_ascii_end(),
                }
            }
            None => cell.value.trim_ascii_end(),
        };
        match &mut open {
            // A line without a name, and nothing to go on with.
            None if cell.name.is_empty() => return None,
            None => {
                names.push(String::from_utf8_lossy(cell.name).into_owned());
                open = Some(text.to_vec());
            }
            Some(held) => held.extend_from_slice(text),
        }
        match more {
            Some((More::LineFeed, _)) => {
                add(open.get_or_insert_default(), More::LineFeed, None);
            }
            Some((More::Wrapped, _)) => {}
            None => values.push(open.take().filter(|text| !text.is_empty())),
        }
    }
    (names.len() == values.len() && names.len() <= COLUMNS).then(|| (unique(names), values))
}

impl Document<'_> {
    /// Reads the rows whose first head stands at `index`; returns the line behind them.
    pub(crate) fn expanded(&mut self, index: usize) -> Option<usize> {
        let first = head(self.line(index))?;
        if first.border == Border::None
            && (first.number != 1 || self.record_end(index) <= index + 1)
        {
            // A list in a text looks like this.
            return None;
        }
        let mut query = self.query_before(self.starts[index]);
        let mut paste = Paste {
            line: index as u64 + 1,
            ..Paste::default()
        };
        let mut at = index;
        while !self.is_full()
            && at < self.lines()
            && head(self.line(at)).is_some_and(|h| h.border == first.border)
        {
            self.framing(self.starts[at], self.starts[at + 1]);
            let end = self.record_end(at);
            self.record(at + 1, end, first.border, &mut paste, &mut query);
            at = end;
        }
        // The lower border, and what psql prints if it counts rows here.
        if at < self.lines() && Rule::read(self.line(at)).is_some() {
            self.framing(self.starts[at], self.starts[at + 1]);
            at += 1;
        }
        // psql counts no rows in this form: a count is that of a table around this one, whose cell this may be.
        if at < self.lines() && footer(self.line(at)) == Some(0) && self.footed(at, &paste) {
            at += 1;
        }
        paste.query = paste.query.or(query);
        self.loose_from = self.starts[at];
        self.pastes.push(paste);
        Some(at)
    }

    /// Where the lines of the row behind a head end.
    fn record_end(&self, head_at: usize) -> usize {
        let border = head(self.line(head_at)).map(|head| head.border);
        let mut end = head_at + 1;
        while end < self.lines() {
            let line = self.line(end);
            let bare = border == Some(Border::None);
            let over = line.is_empty()
                || (!bare && line.trim_ascii().is_empty())
                || head(line).is_some()
                || Rule::read(line).is_some()
                || query::prompt(line).is_some()
                || (!bare
                    && !Chars::new(line)
                        .any(|(c, _)| c.is_some_and(|c| is_bar(c) || matches!(c, ':' | ';'))));
            if over {
                break;
            }
            end += 1;
        }
        end
    }

    /// Reads one row into the paste, or into a new one if it has other columns.
    pub(super) fn record(
        &mut self,
        from: usize,
        end: usize,
        border: Border,
        paste: &mut Paste,
        query: &mut Option<query::Query>,
    ) {
        if from == end {
            return;
        }
        let (start, stop) = (self.starts[from], self.starts[end]);
        let lines: Vec<&[u8]> = (from..end)
            .map(|at| match border {
                Border::Full => unframed(self.line(at)),
                _ => self.line(at),
            })
            .collect();
        let Some((names, cells)) = pairs(&lines, border) else {
            paste.damaged += 1;
            let what = "a record whose lines can't be told into names and values";
            self.reject(start, stop, Trouble::Damaged, what);
            return;
        };
        if paste.columns.is_empty() {
            paste.columns = names;
        } else if paste.columns != names {
            // Another query's rows, its prompt lost.
            let mut done = std::mem::take(paste);
            done.query = query.take();
            self.pastes.push(done);
            paste.columns = names;
            paste.line = from as u64 + 1;
        }
        self.row(start, stop);
        let held = PastedRow {
            cells,
            byte: start as u64,
            length: (stop - start) as u64,
            line: from as u64 + 1,
        };
        self.hold(paste, held);
    }

    /// Reads rows with tuples only: rules between blocks of lines that have the same names.
    pub(crate) fn expanded_tuples(&mut self, index: usize) -> Option<usize> {
        // Only where a block begins: every line of a long one must not be tried.
        let before = index.checked_sub(1).map(|at| self.line(at));
        let goes_on =
            |line: &[u8]| has_bar(line) && !line.ends_with(b";") && query::prompt(line).is_none();
        if before.is_some_and(goes_on) {
            return None;
        }
        let end = self.block_end(index)?;
        if !self.is_pair_rule(end) {
            return None;
        }
        let first = self.block_names(index, end)?;
        let second = self.block_end(end + 1)?;
        if self.block_names(end + 1, second)? != first {
            return None;
        }
        let mut query = self.query_before(self.starts[index]);
        let mut paste = Paste {
            line: index as u64 + 1,
            ..Paste::default()
        };
        let mut at = index;
        while let Some(end) = self.block_end(at).filter(|_| !self.is_full())
            && (at <= second || self.block_names(at, end).as_ref() == Some(&first))
        {
            self.record(at, end, Border::Inner, &mut paste, &mut query);
            at = end;
            if !self.is_pair_rule(at) {
                break;
            }
            self.framing(self.starts[at], self.starts[at + 1]);
            at += 1;
        }
        paste.query = query;
        self.loose_from = self.starts[at];
        self.pastes.push(paste);
        Some(at)
    }

    fn is_pair_rule(&self, at: usize) -> bool {
        at < self.lines()
            && Rule::read(self.line(at))
                .is_some_and(|rule| rule.runs.len() == 2 && rule.border == Border::Inner)
    }

    /// Where a block of lines with bars ends; the first two blocks have a rule between them.
    fn block_end(&self, from: usize) -> Option<usize> {
        let reach = self.lines().min(from + BLOCK_LINES);
        let end = (from..reach)
            .find(|&at| !has_bar(self.line(at)))
            .unwrap_or(reach);
        (end > from).then_some(end)
    }

    fn block_names(&self, from: usize, end: usize) -> Option<Vec<String>> {
        let lines: Vec<&[u8]> = (from..end).map(|at| self.line(at)).collect();
        pairs(&lines, Border::Inner).map(|(names, _)| names)
    }
}

fn has_bar(line: &[u8]) -> bool {
    memchr::memchr(b'|', line).is_some()
}

/// Takes a box's sides off a line; the mark in the right margin stays.
fn unframed(line: &[u8]) -> &[u8] {
    let line = line.trim_ascii();
    let first = Chars::new(line).next().and_then(|(c, _)| c);
    let left = first.filter(|c| is_bar(*c)).map_or(0, char::len_utf8);
    let line = &line[left..];
    let right = last_char(line)
        .filter(|c| is_bar(*c))
        .map_or(0, char::len_utf8);
    let line = &line[..line.len() - right];
    line.strip_prefix(b" ").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_in_all_borders_and_languages() {
        for (line, expected) in [
            ("-[ RECORD 1 ]--+---", Some((Border::Inner, 1))),
            ("-[ RECORD 12 ]", Some((Border::Inner, 12))),
            ("+-[ RECORD 1 ]--+", Some((Border::Full, 1))),
            ("┌─[ RECORD 1 ]─┬─┐", Some((Border::Full, 1))),
            ("─[ ЗАПИСЬ 2 ]──", Some((Border::Inner, 2))),
            ("* Record 3   ", Some((Border::None, 3))),
            ("-[ x ]-", None),
            ("- [ RECORD 1 ]-", None),
            ("* a list", None),
            ("[ RECORD 1 ]", None),
        ] {
            let found = head(line.as_bytes()).map(|head| (head.border, head.number));
            assert_eq!(found, expected, "{line}");
        }
    }

    #[track_caller]
    fn check(lines: &str, border: Border, expected: &[(&str, Option<&str>)]) {
        let lines: Vec<&[u8]> = lines.split('\n').map(str::as_bytes).collect();
        let (names, values) = pairs(&lines, border).unwrap();
        let found: Vec<(&str, Option<&str>)> = names
            .iter()
            .map(String::as_str)
            .zip(
                values
                    .iter()
                    .map(|v| v.as_ref().map(|v| std::str::from_utf8(v).unwrap())),
            )
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn names_and_values() {
        check(
            "a    | 1\nlong | x | y\nb    | ",
            Border::Inner,
            &[("a", Some("1")), ("long", Some("x | y")), ("b", None)],
        );
        check(
            "a | one  +\n  | two +\nb | 2",
            Border::Inner,
            &[("a", Some("one\ntwo +")), ("b", Some("2"))],
        );
        check("a | one.\n  |.two", Border::Inner, &[("a", Some("onetwo"))]);
        check(
            "a | one\n  : two\n  ; three",
            Border::Inner,
            &[("a", Some("one\ntwothree"))],
        );
        check(
            "a  1\nbb x y\nc",
            Border::None,
            &[("a", Some("1")), ("bb", Some("x y")), ("c", None)],
        );
        check(
            "a|1\nlong|2",
            Border::Inner,
            &[("a", Some("1")), ("long", Some("2"))],
        );
    }
}
