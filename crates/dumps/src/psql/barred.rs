//! Rows of psql without a header and a footer, and with bars between their cells: `psql -t` (aligned) and
//! `psql -A -t`, where a whole text is nothing else.
//!
//! Logs have bars, too. What is read here has them in every line, has no word of a log's in a cell of its own,
//! and has cells that are more than words; what can't be told from a log safely stays one.

use model::ColumnType;

use super::frame::{Border, Rule};
use super::unaligned::{count, cut};
use super::width::{Chars, text_width};
use super::{Document, Paste};
use crate::facts::Trouble;
use crate::infer::Inference;
use crate::sniff::COLUMNS;

/// How many lines say what a text is.
const LINES: usize = 200;

/// Which rows a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Barred {
    /// Bars stand below each other.
    Aligned,
    /// Nothing stands around the bars.
    Unaligned,
}

/// Says whether a text is nothing but such rows.
pub(crate) fn bar_rows(text: &[u8]) -> Option<Barred> {
    // The text may be cut inside of its last line.
    let whole = memchr::memrchr(b'\n', text).map_or(text, |end| &text[..end]);
    let lines: Vec<&[u8]> = whole
        .split(|&b| b == b'\n')
        .take(LINES)
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .collect();
    // An empty line stands behind the rows of an aligned table; several tables are parted by it.
    let blocks: Vec<&[&[u8]]> = lines
        .split(|line| line.is_empty())
        .filter(|block| !block.is_empty())
        .collect();
    let barred = match whole.first()? {
        b' ' => Barred::Aligned,
        _ => Barred::Unaligned,
    };
    let is_rows = |rows: &&[&[u8]]| match barred {
        Barred::Aligned => is_aligned(rows),
        Barred::Unaligned => blocks.len() == 1 && is_unaligned(rows),
    };
    let all = !blocks.is_empty() && blocks.iter().all(is_rows);
    all.then_some(barred)
}

/// Whether lines are rows with their bars below each other: as psql aligns, with a blank in front.
fn is_aligned(lines: &[&[u8]]) -> bool {
    if lines.len() < 2 || lines.iter().any(|line| line.first() != Some(&b' ')) {
        return false;
    }
    let Some(rule) = rule(lines) else {
        return false;
    };
    let mut kinds = vec![Inference::default(); rule.runs.len()];
    for line in lines {
        let Some(pieces) = rule.cut(line) else {
            return false;
        };
        for (piece, kind) in pieces.iter().zip(&mut kinds) {
            let cell = piece.text.trim_ascii();
            if crate::delimited::is_level(cell) {
                return false;
            }
            if !cell.is_empty() {
                kind.see(cell);
            }
        }
    }
    let kinds: Vec<ColumnType> = kinds.iter().map(|kind| kind.column_type()).collect();
    // Numbers in front alone are those of lines.
    kinds[0] == ColumnType::Bytes || kinds[1..].iter().any(|kind| is_value(*kind))
}

/// Whether lines are rows of as many cells each, most of which are values.
fn is_unaligned(lines: &[&[u8]]) -> bool {
    let bars = lines.first().map_or(0, |line| count(line, b"|"));
    let same = lines.iter().all(|line| count(line, b"|") == bars);
    if lines.len() < 2 || bars == 0 || bars >= COLUMNS || !same {
        return false;
    }
    let mut kinds = vec![Inference::default(); bars + 1];
    for line in lines {
        for (cell, kind) in cut(line, b"|").into_iter().zip(&mut kinds) {
            // psql -A puts no blank around a cell, people and loggers do.
            let padded = cell.trim_ascii().len() != cell.len();
            if padded || crate::delimited::is_level(cell) {
                return false;
            }
            if !cell.is_empty() {
                kind.see(cell);
            }
        }
    }
    let kinds: Vec<ColumnType> = kinds.iter().map(|kind| kind.column_type()).collect();
    let values = kinds.iter().filter(|kind| is_value(**kind)).count();
    let sure = kinds
        .iter()
        .any(|kind| matches!(kind, ColumnType::Bool | ColumnType::Bytes));
    is_value(kinds[0]) && (sure || values == kinds.len())
}

/// Whether a column's type is one that prose does not have. A time is what lines of logs begin with.
fn is_value(kind: ColumnType) -> bool {
    matches!(
        kind,
        ColumnType::Bool
            | ColumnType::I64
            | ColumnType::F64
            | ColumnType::Numeric
            | ColumnType::Bytes
    )
}

/// The columns of the terminal at which a line has a bar that may part two cells.
fn bars(line: &[u8]) -> Vec<usize> {
    let mut found = Vec::new();
    let (mut column, mut before) = (0, None);
    let mut chars = Chars::new(line);
    while let Some((c, width)) = chars.next() {
        let open = chars.rest().first().is_none_or(|b| *b == b' ');
        // `+` stands there where a cell goes on in the next line.
        if c == Some('|') && open && matches!(before, Some(' ' | '+')) {
            found.push(column);
        }
        (column, before) = (column + width, c);
    }
    found
}

/// The rule that stands under a header of these rows, had psql printed one.
fn rule(lines: &[&[u8]]) -> Option<Rule> {
    let mut all = bars(lines.first()?);
    for line in &lines[1..] {
        let here = bars(line);
        all.retain(|column| here.binary_search(column).is_ok());
    }
    let mut from = 0;
    let mut runs = Vec::with_capacity(all.len() + 1);
    for bar in &all {
        runs.push(bar - from);
        from = bar + 1;
    }
    // psql fills the last column only where a cell goes on in the next line: then its mark is the margin.
    let widths = lines.iter().map(|line| text_width(line.trim_ascii_end()));
    let widest = widths.clone().max()?;
    let mut longest = lines
        .iter()
        .zip(widths)
        .filter(|(_, width)| *width == widest);
    let marked = longest.all(|(line, _)| line.trim_ascii_end().ends_with(b"+"));
    runs.push((widest + usize::from(!marked)).saturating_sub(from).max(2));
    (!all.is_empty() && runs.len() <= COLUMNS).then_some(Rule {
        runs,
        border: Border::Inner,
        indent: 0,
        boxed: false,
    })
}

impl Document<'_> {
    /// Reads a text that is nothing but rows with bars between their cells.
    pub(crate) fn bar_rows(&mut self) -> bool {
        let head = &self.text[..self.text.len().min(crate::sniff::HEAD)];
        let Some(barred) = bar_rows(head) else {
            return false;
        };
        let mut line = 0;
        while line < self.lines() && !self.is_full() {
            if self.line(line).is_empty() {
                line += 1;
                continue;
            }
            line = match barred {
                Barred::Aligned => self.aligned_rows(line),
                Barred::Unaligned => self.unaligned_rows(line),
            };
        }
        self.loose_from = self.starts[line];
        if self.is_full() && self.loose_from < self.text.len() {
            self.overflow(self.loose_from, self.text.len());
        }
        true
    }

    /// Reads the rows up to an empty line; returns the line behind them.
    fn aligned_rows(&mut self, from: usize) -> usize {
        let behind = (from..self.lines()).find(|at| self.line(*at).is_empty());
        let end = behind.unwrap_or(self.lines());
        let lines: Vec<&[u8]> = (from..end).map(|at| self.line(at)).collect();
        let Some(rule) = rule(&lines) else {
            let what = "rows without names of columns whose cells can't be told apart: let psql print the header";
            self.reject(self.starts[from], self.starts[end], Trouble::Damaged, what);
            return end;
        };
        let mut paste = unnamed(rule.runs.len(), from);
        // At least one line is taken, or a line that the rule does not end in would be looked at for ever.
        let next = self.body(from, &rule, &mut paste).max(from + 1);
        self.pastes.push(paste);
        next
    }

    /// Reads rows without blanks up to an empty line; returns the line behind them.
    fn unaligned_rows(&mut self, from: usize) -> usize {
        let bars = count(self.line(from), b"|");
        let mut paste = unnamed(bars + 1, from);
        let mut at = from;
        while at < self.lines() && !self.is_full() && !self.line(at).is_empty() {
            if count(self.line(at), b"|") == bars {
                self.bare_row(at, at + 1, b"|", &mut paste);
            } else {
                paste.damaged += 1;
                let what =
                    "a row whose cells can't be told apart: print the table with \\pset format csv";
                self.reject(self.starts[at], self.starts[at + 1], Trouble::Damaged, what);
            }
            at += 1;
        }
        self.pastes.push(paste);
        at
    }
}

/// A table whose columns nobody has named.
fn unnamed(columns: usize, line: usize) -> Paste {
    Paste {
        columns: (1..=columns).map(|nth| format!("c{nth}")).collect(),
        line: line as u64 + 1,
        ..Paste::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_what_only_looks_like_them() {
        for (text, barred) in [
            (" 7670 | t | 41073\n 7671 | f |      \n\n", Barred::Aligned),
            (" \\x01 | sent\n \\x02 | successful\n", Barred::Aligned),
            (" successful | 12\n failed     |  3\n", Barred::Aligned),
            (" 中 |  1\n ab | 20\n", Barred::Aligned),
            ("7670|t|41073\n7671|f|\n", Barred::Unaligned),
            ("7670|41073\n7671|41074\n", Barred::Unaligned),
        ] {
            assert_eq!(bar_rows(text.as_bytes()), Some(barred), "{text}");
        }
        for text in [
            // One row says nothing of columns.
            " 7670 | t | 41073\n",
            "7670|t\n",
            // Docker compose, with and without a name in front that is shorter.
            "geth-1   | 12 | 13\nprysm-1  | 12 | 13\n",
            "web  | t\nweb  | f\n",
            // Lines of a program, of a change and of a log.
            "  9 | let a = 1;\n 10 | let b = 2;\n",
            " src/main.rs | 12 ++++\n src/lib.rs  |  3 +--\n",
            " 2023-09-18 03:50:19 | INFO | 12\n 2023-09-18 03:50:20 | WARN | 13\n",
            " 2023-09-18 03:50:19 | started\n 2023-09-18 03:50:20 | stopped\n",
            "1695009019|INFO|12\n1695009020|WARN|13\n",
            "1695009019|started|x\n1695009020|stopped|y\n",
            "2023-09-18 03:50:19|12|t\n2023-09-18 03:50:20|13|f\n",
            // Bars that stand in some lines alone.
            " 7670 | t | 41073\n and so on\n",
            "7670|t|41073\n7671|f\n",
            "",
        ] {
            assert_eq!(bar_rows(text.as_bytes()), None, "{text}");
        }
    }
}
