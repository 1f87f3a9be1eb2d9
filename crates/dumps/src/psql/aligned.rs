//! Aligned tables: a header, a rule of dashes, rows, a footer.
//!
//! Intact tables are cut at the rule's columns, so that a `|` inside a cell does no harm and cells of
//! several lines (a `+` in the margin) are put together. Where blanks were lost on the way (a web
//! page, a chat), cells are cut at `|`, as long as that is unambiguous.

use super::width::{cut, text_width};
use super::{Document, Paste, PastedRow, query};
use crate::facts::Trouble;
use crate::sniff::rule;
use crate::value::is_numeric;

/// A row whose cells go on in the next line.
struct Open {
    cells: Vec<Option<Vec<u8>>>,
    /// Which cells go on, and whether behind a line feed.
    goes_on: Vec<Option<bool>>,
    start: usize,
}

/// A table's shape.
struct Shape {
    runs: Vec<usize>,
    /// Blanks in front of every line.
    indent: usize,
    /// With `|` at both ends.
    bordered: bool,
}

impl Shape {
    /// Takes indent and outer borders off a line.
    fn inner<'l>(&self, line: &'l [u8]) -> &'l [u8] {
        let blanks = line
            .iter()
            .take(self.indent)
            .take_while(|b| **b == b' ')
            .count();
        let line = &line[blanks..];
        if !self.bordered {
            return line;
        }
        let line = line.trim_ascii_end();
        let line = line.strip_prefix(b"|").unwrap_or(line);
        line.strip_suffix(b"|").unwrap_or(line)
    }

    fn pipes(&self) -> usize {
        self.runs.len() - 1
    }
}

fn pipes(line: &[u8]) -> usize {
    memchr::memchr_iter(b'|', line).count()
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
        let line = self.line(index);
        let upper = line.trim_ascii().starts_with(b"+-");
        let (header, rule_at) = if upper {
            (index + 1, index + 2)
        } else {
            (index, index + 1)
        };
        if rule_at >= self.lines() {
            return None;
        }
        let rule_line = self.line(rule_at);
        let runs = rule(rule_line.trim_ascii())?;
        let bordered = rule_line.trim_ascii().starts_with(b"+");
        if bordered != upper || (upper && line.trim_ascii() != rule_line.trim_ascii()) {
            return None;
        }
        let shape = Shape {
            runs,
            indent: rule_line.len() - rule_line.trim_ascii_start().len(),
            bordered,
        };
        let columns = self.header(header, rule_at, &shape)?;
        let query = self.query_before(self.starts[index]);
        self.framing(self.starts[index], self.starts[rule_at + 1]);
        let mut paste = Paste {
            columns,
            query,
            line: header as u64 + 1,
            ..Paste::default()
        };
        let next = self.body(rule_at + 1, &shape, &mut paste);
        self.loose_from = self.starts[next];
        self.pastes.push(paste);
        Some(next)
    }

    /// Reads the column names, if this is a header.
    fn header(&self, header: usize, rule_at: usize, shape: &Shape) -> Option<Vec<String>> {
        let line = shape.inner(self.line(header));
        let cells: Vec<&[u8]> = if pipes(line) == shape.pipes() {
            line.split(|&b| b == b'|').collect()
        } else {
            cut(line, &shape.runs)?
        };
        let names: Vec<String> = cells
            .iter()
            .map(|cell| String::from_utf8_lossy(cell.trim_ascii()).into_owned())
            .collect();
        let fits = names.iter().zip(&shape.runs).all(|(name, run)| {
            !name.is_empty() && text_width(name.as_bytes()) <= run.saturating_sub(2).max(1)
        });
        if !fits {
            return None;
        }
        // One column: a heading underlined in a text looks the same. Ask for a footer or a query.
        if names.len() == 1 && !shape.bordered {
            let mut end = rule_at + 1;
            while end < self.lines()
                && footer(self.line(end)).is_none()
                && rule(self.line(end).trim_ascii()).is_none()
                && !self.line(end).is_empty()
                && query::prompt(self.line(end)).is_none()
            {
                end += 1;
            }
            let rows = (end - rule_at - 1) as u64;
            let footed = end < self.lines() && footer(self.line(end)).is_some_and(|n| n <= rows);
            let asked = header > 0
                && self.line(header - 1).trim_ascii_end().ends_with(b";")
                && query::last(self.line(header - 1)).is_some();
            if !footed && !asked {
                return None;
            }
        }
        Some(unique(names))
    }

    /// Reads rows and footer from line `from` on; returns the line behind.
    fn body(&mut self, from: usize, shape: &Shape, paste: &mut Paste) -> usize {
        let mut open: Option<Open> = None;
        let mut index = from;
        while index < self.lines() {
            let (start, end) = (self.starts[index], self.starts[index + 1]);
            let raw = self.line(index);
            let line = shape.inner(raw);
            if open.is_none() {
                if let Some(count) = footer(raw) {
                    let found = paste.rows.len() as u64 + paste.damaged;
                    if count != found {
                        let what = format!("the footer counts {count} rows, {found} are here");
                        self.reject(start, start, Trouble::Damaged, &what);
                    }
                    self.framing(start, end);
                    index += 1;
                    break;
                }
                if shape.bordered && rule(raw.trim_ascii()).is_some() {
                    self.framing(start, end);
                    index += 1;
                    continue;
                }
                let blank = line.trim_ascii().is_empty();
                let null_row = shape.runs.len() == 1 && raw.len() > shape.indent;
                if (blank && !null_row) || query::prompt(raw).is_some() {
                    break;
                }
                if shape.pipes() > 0 && pipes(line) == 0 {
                    break;
                }
                if shape.pipes() == 0 && !self.is_single(line, shape) {
                    break;
                }
            }
            let intact = cut(line, &shape.runs);
            let cells = match &intact {
                Some(cells) => cells.clone(),
                None if pipes(line) == shape.pipes() => line.split(|&b| b == b'|').collect(),
                None => {
                    let start = open.take().map_or(start, |open| open.start);
                    paste.damaged += 1;
                    let what = "the line does not fit the table's columns";
                    self.reject(start, end, Trouble::Damaged, what);
                    index += 1;
                    continue;
                }
            };
            let goes_on = match &intact {
                Some(cells) => margins(cells, &shape.runs),
                None => vec![None; cells.len()],
            };
            let values = cells
                .iter()
                .zip(&goes_on)
                .map(|(cell, margin)| value(cell, intact.is_some(), margin.is_some()));
            let mut row = match open.take() {
                None => Open {
                    cells: values.collect(),
                    goes_on: goes_on.clone(),
                    start,
                },
                Some(mut row) => {
                    for ((cell, before), more) in row.cells.iter_mut().zip(&row.goes_on).zip(values)
                    {
                        if let Some(line_feed) = before {
                            let text = cell.get_or_insert_default();
                            if *line_feed {
                                text.push(b'\n');
                            }
                            text.extend_from_slice(&more.unwrap_or_default());
                        }
                    }
                    row
                }
            };
            row.goes_on = goes_on;
            index += 1;
            if row.goes_on.iter().any(Option::is_some) && index < self.lines() {
                open = Some(row);
                continue;
            }
            self.row(row.start, end);
            paste.rows.push(PastedRow {
                cells: row.cells,
                byte: row.start as u64,
                length: (end - row.start) as u64,
                line: self.line_of(row.start),
            });
        }
        if let Some(open) = open {
            paste.damaged += 1;
            let end = self.starts[index];
            let what = "the text ends in the middle of a row";
            self.reject(open.start, end, Trouble::Truncated, what);
        }
        index
    }

    /// Whether a line can be a row of a table with one column.
    fn is_single(&self, line: &[u8], shape: &Shape) -> bool {
        text_width(line.trim_ascii_end()) <= shape.runs[0]
    }
}

/// Says which cells of an intact line go on in the next one: `+` in the margin, behind a line feed;
/// `.` where psql wrapped the text itself.
fn margins(cells: &[&[u8]], runs: &[usize]) -> Vec<Option<bool>> {
    cells
        .iter()
        .zip(runs)
        .map(|(cell, run)| match cell.last() {
            Some(b'+') if text_width(cell) == *run => Some(true),
            Some(b'.') if text_width(cell) == *run => Some(false),
            _ => None,
        })
        .collect()
}

/// Takes the value out of a cell; an empty cell is null.
fn value(cell: &[u8], intact: bool, marked: bool) -> Option<Vec<u8>> {
    let cell = match cell {
        [inner @ .., _] if marked => inner,
        _ => cell,
    };
    let trimmed = cell.trim_ascii();
    if trimmed.is_empty() {
        // An empty line inside of a longer text is no null.
        return marked.then(Vec::new);
    }
    let kept = if intact && !is_numeric(trimmed) {
        // Text is aligned to the left, behind one blank: more blanks are its own.
        let inner = cell
            .strip_prefix(b" ")
            .or_else(|| cell.strip_prefix(b"."))
            .unwrap_or(cell);
        inner.trim_ascii_end()
    } else {
        trimmed
    };
    Some(kept.to_vec())
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
