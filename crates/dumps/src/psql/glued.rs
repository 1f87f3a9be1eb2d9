//! Whole tables on one line: a web page lost the line feeds, and blanks with them.
//!
//! `number | is_finished --------+------------- 7670 | t`: the runs of the rule tell how many columns
//! there are and how wide each can be. Where one row ends and the next begins is told by widths and
//! by what the values look like; where that is not sure, the table is rejected, not guessed.

use super::aligned::{footer, unique};
use super::width::text_width;
use super::{Document, Paste, PastedRow, query};
use crate::facts::Trouble;
use crate::psql::Rule;
use crate::sniff::glued_rule;
use crate::timestamp;
use crate::value::{integer, is_numeric};

/// What a value looks like.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    Empty,
    Int,
    Decimal,
    Truth,
    Hex,
    Time,
    Other,
}

fn look(text: &[u8]) -> Look {
    let hex = |digits: &[u8]| digits.iter().all(u8::is_ascii_hexdigit);
    match text {
        b"" => Look::Empty,
        b"t" | b"f" => Look::Truth,
        _ if integer(text).is_some() => Look::Int,
        _ if is_numeric(text) => Look::Decimal,
        [b'\\' | b'0', b'x', digits @ ..] if hex(digits) => Look::Hex,
        _ if timestamp::parse(text).is_some() => Look::Time,
        _ => Look::Other,
    }
}

/// Longest stretch between two bars that is searched for the seam of two rows.
const SEAM_LIMIT: usize = 2 << 10;

/// A stretch of the text.
type Span = (usize, usize);

impl Document<'_> {
    /// Reads the glued tables of a line; returns the next line, or nothing if there is none.
    pub(crate) fn glued(&mut self, index: usize) -> Option<usize> {
        let start = self.starts[index];
        let end = start + self.line(index).len();
        let mut from = start;
        let mut found = false;
        while let Some(rule_at) = self.glued_in(from, end) {
            let runs = Rule::read(&self.text[rule_at.0..rule_at.1])?.runs;
            let Some((header, columns)) = self.glued_header(from, rule_at.0, runs.len()) else {
                from = rule_at.1;
                continue;
            };
            found = true;
            let query = self.query_before(header);
            self.framing(header, rule_at.1);
            let mut paste = Paste {
                columns,
                query,
                line: index as u64 + 1,
                ..Paste::default()
            };
            from = self.glued_body(rule_at.1, end, &runs, &mut paste);
            self.pastes.push(paste);
            self.loose_from = from;
        }
        found.then_some(index + 1)
    }

    fn glued_in(&self, from: usize, end: usize) -> Option<Span> {
        let range = glued_rule(&self.text[from..end])?;
        Some((from + range.start, from + range.end))
    }

    /// Reads the names in front of a rule: the last ones, as many as the rule has runs.
    fn glued_header(&self, from: usize, rule: usize, count: usize) -> Option<(usize, Vec<String>)> {
        let text = &self.text[from..rule];
        let first = memchr::memrchr_iter(b'|', text).nth(count - 2)?;
        let mut names: Vec<&[u8]> = text[first + 1..].split(|&b| b == b'|').collect();
        // In front of the first name may stand anything.
        let before = text[..first].trim_ascii_end();
        let start = before
            .iter()
            .rposition(|b| b.is_ascii_whitespace() || *b == b';' || *b >= 0x80)
            .map_or(0, |at| at + 1);
        names.insert(0, &before[start..]);
        let names: Vec<String> = names
            .iter()
            .map(|name| String::from_utf8_lossy(name.trim_ascii()).into_owned())
            .collect();
        let plain = names
            .iter()
            .all(|name| !name.is_empty() && !name.contains(char::is_whitespace));
        plain.then(|| (from + start, unique(names)))
    }

    /// Reads the rows behind a rule; returns where the text behind them begins.
    fn glued_body(&mut self, from: usize, end: usize, runs: &[usize], paste: &mut Paste) -> usize {
        let (to, footed) = self.glued_end(from, end);
        let body = &self.text[from..to];
        let pipes: Vec<usize> = memchr::memchr_iter(b'|', body)
            .map(|at| from + at)
            .collect();
        let per_row = runs.len() - 1;
        let behind = footed.map_or(to, |(_, behind)| behind);
        if let Some((_, behind)) = footed {
            self.framing(to, behind);
        }
        if pipes.is_empty() && body.trim_ascii().is_empty() {
            return behind;
        }
        let (rows, last) = match self.glued_rows(from, to, &pipes, runs, footed.is_some()) {
            Some(found) if pipes.len().is_multiple_of(per_row) && !pipes.is_empty() => found,
            _ => {
                paste.damaged += footed.map_or(1, |(count, _)| count.max(1));
                let what = "rows put on one line that can't be told apart";
                self.reject(from, to, Trouble::Damaged, what);
                return behind;
            }
        };
        for row in rows {
            let (start, stop) = (row[0].0, row[row.len() - 1].1);
            self.row(start, stop);
            let held = PastedRow {
                cells: row
                    .iter()
                    .map(|&(a, b)| (a < b).then(|| self.text[a..b].to_vec()))
                    .collect(),
                byte: start as u64,
                length: (stop - start) as u64,
                line: self.line_of(start),
            };
            self.hold(paste, held);
        }
        if let Some((count, behind)) = footed {
            let found = paste.rows.len() as u64;
            if count != found {
                let what = format!("the footer counts {count} rows, {found} are here");
                self.reject(behind, behind, Trouble::Damaged, &what);
            }
            return behind;
        }
        last
    }

    /// Where the rows end at the latest: a footer (its number, and what is behind it), a prompt, a
    /// query, the header of another table.
    fn glued_end(&self, from: usize, end: usize) -> (usize, Option<(u64, usize)>) {
        let mut to = end;
        if let Some(next) = self.glued_in(from, end) {
            // The other header begins somewhere in front of its rule; its query comes before.
            to = next.0;
        }
        let body = &self.text[from..to];
        for open in memchr::memchr_iter(b'(', body) {
            let Some(close) = memchr::memchr(b')', &body[open..]) else {
                break;
            };
            if let Some(count) = footer(&body[open..open + close + 1]) {
                return (from + open, Some((count, from + open + close + 1)));
            }
        }
        let lower = body.to_ascii_lowercase();
        if let Some(at) = memchr::memmem::find(&lower, b"select ") {
            // A prompt in front of the query belongs to it.
            let word = body[..at].trim_ascii_end();
            let word_start = word
                .iter()
                .rposition(u8::is_ascii_whitespace)
                .map_or(0, |p| p + 1);
            let prompted = query::prompt(&word[word_start..]).is_some();
            return (from + if prompted { word_start } else { at }, None);
        }
        (to, None)
    }

    fn trim(&self, (mut start, mut end): Span) -> Span {
        while start < end && self.text[start].is_ascii_whitespace() {
            start += 1;
        }
        while end > start && self.text[end - 1].is_ascii_whitespace() {
            end -= 1;
        }
        (start, end)
    }

    fn look(&self, (start, end): Span) -> Look {
        look(&self.text[start..end])
    }

    fn width(&self, (start, end): Span) -> usize {
        text_width(&self.text[start..end])
    }

    /// All ways to cut a stretch in two at blanks, trimmed.
    fn cuts(&self, span: Span) -> Vec<(Span, Span)> {
        let (start, end) = self.trim(span);
        let mut cuts = vec![((start, start), (start, end))];
        let blanks = (start..end).filter(|&at| {
            self.text[at].is_ascii_whitespace() && !self.text[at - 1].is_ascii_whitespace()
        });
        cuts.extend(blanks.map(|at| ((start, at), self.trim((at, end)))));
        if start < end {
            cuts.push(((start, end), (end, end)));
        }
        cuts
    }

    /// Cuts the rows; also returns where the last one ends.
    fn glued_rows(
        &self,
        from: usize,
        to: usize,
        pipes: &[usize],
        runs: &[usize],
        footed: bool,
    ) -> Option<(Vec<Vec<Span>>, usize)> {
        let widths: Vec<usize> = runs.iter().map(|run| run.saturating_sub(2)).collect();
        let per_row = runs.len() - 1;
        let (first_width, last_width) = (widths[0], widths[per_row]);
        let mut chunks: Vec<Span> = Vec::with_capacity(pipes.len() + 1);
        let mut start = from;
        for &pipe in pipes {
            chunks.push((start, pipe));
            start = pipe + 1;
        }
        let tail = self.last_cell((start, to), last_width, footed)?;
        let first_look = self.look(self.trim(*chunks.first()?));
        let tail_look = self.look(tail);
        let mut rows = Vec::new();
        let mut row = Vec::new();
        for (nth, &chunk) in chunks.iter().enumerate() {
            if nth == 0 || !nth.is_multiple_of(per_row) {
                row.push(self.trim(chunk));
                continue;
            }
            // The last cell of one row and the first of the next.
            if chunk.1 - chunk.0 > SEAM_LIMIT {
                return None;
            }
            let mut fitting: Vec<(Span, Span)> = self
                .cuts(chunk)
                .into_iter()
                .filter(|(left, right)| {
                    self.width(*left) <= last_width
                        && self.width(*right) <= first_width
                        && self.look(*right) == first_look
                })
                .collect();
            if fitting.len() > 1 {
                fitting.retain(|(left, _)| self.look(*left) == tail_look);
            }
            let [(left, right)] = fitting.as_slice() else {
                return None;
            };
            row.push(*left);
            rows.push(std::mem::replace(&mut row, vec![*right]));
        }
        row.push(tail);
        rows.push(row);
        let fits = rows.iter().all(|row| {
            row.len() == runs.len()
                && row
                    .iter()
                    .zip(&widths)
                    .all(|(cell, width)| self.width(*cell) <= *width)
        });
        fits.then_some((rows, tail.1))
    }

    /// The last cell of all: behind it there may be more text, if no footer closes the table.
    fn last_cell(&self, span: Span, width: usize, footed: bool) -> Option<Span> {
        let whole = self.trim(span);
        if footed || whole.0 == whole.1 {
            return (self.width(whole) <= width).then_some(whole);
        }
        // No character of one column takes more than 4 bytes.
        let reach = whole.1.min(whole.0 + (width * 4 + 8).min(SEAM_LIMIT));
        let prefixes: Vec<Span> = self
            .cuts((whole.0, reach))
            .into_iter()
            .map(|(left, _)| left)
            .filter(|left| left.0 < left.1 && self.width(*left) <= width)
            .collect();
        let sure = prefixes
            .iter()
            .rev()
            .find(|left| self.look(**left) != Look::Other);
        match sure {
            Some(left) => Some(*left),
            // Words: all of them, if they fit.
            None => prefixes
                .last()
                .copied()
                .filter(|left| *left == whole && reach == whole.1),
        }
    }
}
