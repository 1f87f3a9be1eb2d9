//! Tables that may be the text of a cell. psql without alignment escapes nothing: a cell with line feeds in it can look
//! like any table. Where the table around it can't be told, what looks like tables inside is no evidence.

use super::{Document, query, session};
use crate::facts::Trouble;
use crate::psql::is_tight_header;

/// How far above a footer its table may begin.
const REACH_LINES: usize = 4096;

impl Document<'_> {
    /// Takes back the tables between what may be the header of an unaligned table and its footer, which stands alone
    /// at `index`; returns the line behind it, or `None` if there are none.
    pub(super) fn doubt_inside(&mut self, index: usize) -> Option<usize> {
        let reach = index.saturating_sub(REACH_LINES)..index;
        let said = |at: &usize| {
            let line = self.line(*at);
            query::prompt(line).is_some() || session::is_said(line.trim_ascii())
        };
        let from = reach.clone().rev().find(said).unwrap_or(reach.start);
        let header = (from..index).find(|&at| {
            let before = at
                .checked_sub(1)
                .map_or(&b""[..], |at| self.line(at).trim_ascii_end());
            let begins = before.is_empty() || before.ends_with(b";");
            is_tight_header(self.line(at), begins)
        })?;
        let line = header as u64 + 1;
        if !self.pastes.iter().any(|paste| paste.line >= line) {
            return None;
        }
        let what = "psql's unaligned output, whose rows can't be told: what looks like other tables in it may be \
                    the text of its cells: print it with \\pset format csv";
        self.take_back(header, index + 1, what);
        Some(index + 1)
    }

    /// Takes back what was read in a text that is the expanded form without alignment, if that form was not read.
    pub(super) fn doubt_pairs(&mut self) {
        let first_line = self.pastes.iter().map(|paste| paste.line).min();
        if first_line.is_none_or(|line| line == 1) {
            return;
        }
        let first = self.text.split(|&b| b == b'\n').next().unwrap_or_default();
        let name = first.iter().position(|&b| b == b'|').unwrap_or(0);
        let begin = &first[..name];
        if name == 0 || !is_tight_header(begin, true) {
            return;
        }
        let mut again = b"\n\n".to_vec();
        again.extend_from_slice(&first[..=name]);
        let (lines, text) = (self.lines(), self.text);
        if memchr::memmem::find(text, &again).is_none() || memchr::memchr(0, text).is_some() {
            return;
        }
        // Whole records are read by who reads that form; here something stands between them.
        let stray = text.split(|&b| b == b'\n').any(|line| {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let name = line.iter().position(|&b| b == b'|').map(|at| &line[..at]);
            !line.is_empty() && !name.is_some_and(|name| is_tight_header(name, true))
        });
        if stray {
            let what = "psql's expanded and unaligned output, whose rows can't be told: what looks like other \
                        tables in it may be the text of its cells: print it with \\pset format csv";
            self.take_back(0, lines, what);
        }
    }

    /// Rejects CSV of one column, if the text is that, and a cell in it has line feeds.
    pub(super) fn doubt_column(&mut self) -> bool {
        let lines = self.lines();
        let name = lines > 2 && is_tight_header(self.line(0), true);
        let quotes = |line: &[u8]| memchr::memchr_iter(b'"', line).count();
        let open = |at: usize| self.line(at).starts_with(b"\"") && quotes(self.line(at)) % 2 == 1;
        let whole = quotes(self.text) % 2 == 0;
        let found = name
            && whole
            && self.text.trim_ascii_end().ends_with(b"\"")
            && (1..lines)
                .find(|&at| quotes(self.line(at)) > 0)
                .is_some_and(open);
        if found {
            let what = "one column as CSV, with line feeds in its cells, is not read: select a key beside it";
            self.take_back(0, lines, what);
        }
        found
    }

    /// Rejects these lines and forgets what was read in them.
    fn take_back(&mut self, from: usize, to: usize, what: &str) {
        let (start, end) = (self.starts[from], self.starts[to]);
        self.parts.retain(|(a, b, _)| *b <= start || *a >= end);
        let lines = from as u64 + 1..to as u64 + 1;
        self.pastes.retain(|paste| !lines.contains(&paste.line));
        self.reject(start, end, Trouble::Unsupported, what);
        self.loose_from = end;
    }
}
