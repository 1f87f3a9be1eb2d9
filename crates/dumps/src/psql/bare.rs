//! Tables that psql prints without alignment and without a frame, found by bytes instead of lines:
//! expanded (`-x -A`, `-x --csv`), with NUL between cells or rows (`-z`, `-0`), with other separators.
//!
//! What is common to them: a table that was found becomes a paste, and a text that must be such a
//! table but can't be told apart is a located reject that says how to print it.

use super::aligned::{footer, unique};
use super::{Document, Paste, PastedRow, pairs, query, records, vertical};
use crate::facts::Trouble;

/// Cells of a row; `None` is an empty cell.
pub(crate) type Cells = Vec<Option<Vec<u8>>>;

/// A table, with its places in the text.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Bare {
    pub(crate) columns: Vec<String>,
    /// Where a row begins and ends, separators behind it included; without cells it is damaged.
    pub(crate) rows: Vec<(usize, usize, Option<Cells>)>,
    /// Header and footer.
    pub(crate) framing: Vec<(usize, usize)>,
    /// Where the text goes on behind the table.
    pub(crate) end: usize,
    /// What the footer counts.
    pub(crate) counted: Option<u64>,
    pub(crate) notes: Vec<String>,
}

/// The query right in front of a table: its columns, unless it asked for `*`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) columns: Option<Vec<String>>,
}

/// How much may be held and looked at.
#[derive(Debug)]
pub(crate) struct Look {
    /// Cells of one table.
    pub(crate) room: usize,
    /// Bytes, in vain.
    pub(crate) effort: usize,
    /// Whether there is a NUL anywhere.
    pub(crate) zeros: bool,
}

impl Look {
    /// Takes so many bytes off; `None` if that is more than there were.
    pub(crate) fn at(&mut self, bytes: usize) -> Option<()> {
        let left = self.effort.checked_sub(bytes);
        self.effort = left.unwrap_or(0);
        left.map(|_| ())
    }
}

/// A cell as the rest of this crate holds it; line ends that another program has changed on their way
/// become line feeds again.
pub(crate) fn cell(text: &[u8], crlf: bool) -> Option<Vec<u8>> {
    if text.is_empty() {
        return None;
    }
    if !crlf || memchr::memchr(b'\r', text).is_none() {
        return Some(text.to_vec());
    }
    let mut plain = Vec::with_capacity(text.len());
    for (nth, &byte) in text.iter().enumerate() {
        if byte != b'\r' || text.get(nth + 1) != Some(&b'\n') {
            plain.push(byte);
        }
    }
    Some(plain)
}

/// Characters of names that need no quotes.
pub(crate) fn is_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'?' | b'$') || byte >= 0x80
}

/// The name at the front, if there is one.
pub(crate) fn name(text: &[u8]) -> Option<&[u8]> {
    let length = text.iter().take(64).take_while(|b| is_part(**b)).count();
    let name = &text[..length];
    (crate::delimited::is_name(name) && !crate::delimited::is_level(name)).then_some(name)
}

/// Whether such a table begins a text, and which kind of psql's output it is: `true` if expanded.
pub(crate) fn begins(text: &[u8]) -> Option<bool> {
    let mut look = Look {
        room: 4096,
        effort: 4 << 20,
        zeros: memchr::memchr(0, text).is_some(),
    };
    if vertical::read(text, 0, None, &mut look).is_some() {
        return Some(true);
    }
    records::read(text, 0, None, &mut look).map(|_| false)
}

/// How many lines a query in front of a table may have.
const QUERY_LINES: usize = 32;

impl Document<'_> {
    /// Reads the table that begins at a line; returns the line behind it.
    pub(crate) fn bare(&mut self, index: usize) -> Option<usize> {
        let line = self.line(index);
        let before = index
            .checked_sub(1)
            .map(|at| self.line(at).trim_ascii_end());
        let start = self.starts[index];
        let may_begin = start == self.loose_from
            || before.is_none_or(|before| before.is_empty() || before.ends_with(b";"));
        if !may_begin || line.is_empty() || self.bare_effort == 0 {
            return None;
        }
        let asked = match before.is_some_and(|before| before.ends_with(b";")) {
            true => self.asked(index),
            false => None,
        };
        let mut at = start;
        let mut asked_here = asked.as_ref();
        // Behind a NUL the next table begins in the same line.
        while let Some(found) = self.bare_at(at, asked_here) {
            self.take_bare(at, found);
            at = self.loose_from;
            asked_here = None;
            if self.is_full() || at >= self.text.len() {
                break;
            }
        }
        if at == start {
            return self.unlike(index, asked.as_ref());
        }
        if let Some((_, length)) = query::prompt(&self.text[at..]) {
            self.framing(at, (at + length).min(self.text.len()));
        }
        Some(
            self.starts
                .partition_point(|begin| *begin < at)
                .min(self.lines()),
        )
    }

    fn bare_at(&mut self, at: usize, asked: Option<&Asked>) -> Option<Bare> {
        let text = self.text;
        let mut look = Look {
            room: self.room,
            effort: self.bare_effort,
            zeros: self.zeros,
        };
        let found = pairs::read(text, at, asked, &mut look)
            .or_else(|| vertical::read(text, at, asked, &mut look))
            .or_else(|| records::read(text, at, asked, &mut look));
        // What became a table was not looked at in vain.
        let gained = found.as_ref().map_or(0, |found| found.end - at);
        self.bare_effort = self.bare_effort.min(look.effort + gained);
        found
    }

    /// The query that ends right in front of a place.
    fn asked(&mut self, index: usize) -> Option<Asked> {
        // A line of a cell ends in a semicolon, too: the query's begin must be near.
        let reach = index.saturating_sub(QUERY_LINES)..index;
        let first = reach.rev().find(|&at| {
            let line = self.line(at);
            self.starts[at] >= self.loose_from
                && line.len() < super::QUERY_REACH
                && memchr::memmem::find(&line.to_ascii_lowercase(), b"select").is_some()
        })?;
        let (from, start) = (self.starts[first], self.starts[index]);
        self.bare_effort = self.bare_effort.saturating_sub(start - from);
        let text = &self.text[from..start];
        let query = query::last(text)?;
        let behind = text.get(query.end..).unwrap_or_default();
        let near = behind.iter().all(|b| b.is_ascii_whitespace() || *b == b';');
        near.then(|| Asked {
            columns: query.items.map(|items| {
                let names = items.into_iter().map(|item| item.output);
                names.collect()
            }),
        })
    }

    fn take_bare(&mut self, start: usize, found: Bare) {
        let query = self.query_before(start);
        let line = self.line_of(start);
        let mut paste = Paste {
            columns: unique(found.columns),
            query,
            line,
            notes: found
                .notes
                .into_iter()
                .map(|note| format!("line {line}: {note}"))
                .collect(),
            ..Paste::default()
        };
        for (from, end) in found.framing {
            self.framing(from, end);
        }
        let mut line_at = (start, line);
        for (from, end, cells) in found.rows {
            line_at.1 += memchr::memchr_iter(b'\n', &self.text[line_at.0..from]).count() as u64;
            line_at.0 = from;
            match cells {
                Some(cells) => {
                    self.row(from, end);
                    let row = PastedRow {
                        cells,
                        byte: from as u64,
                        length: (end - from) as u64,
                        line: line_at.1,
                    };
                    self.hold(&mut paste, row);
                }
                None => {
                    paste.damaged += 1;
                    let what = "a row whose cells can't be told apart: \
                                print the table with \\pset format csv";
                    self.reject(from, end, Trouble::Damaged, what);
                }
            }
        }
        let rows = paste.rows.len() as u64 + paste.damaged;
        if let Some(count) = found
            .counted
            .filter(|count| *count != rows && !self.is_full())
        {
            let what = format!("the footer counts {count} rows, {rows} are here");
            self.reject(found.end, found.end, Trouble::Damaged, &what);
        }
        self.loose_from = found.end;
        self.pastes.push(paste);
    }

    /// Names what stands behind a query, ends in a footer and is nothing that can be told into cells;
    /// so does a record whose names are those asked for.
    fn unlike(&mut self, index: usize, asked: Option<&Asked>) -> Option<usize> {
        let columns = asked?.columns.as_ref()?;
        let line = self.line(index);
        let first = columns.first()?.as_bytes();
        let begins = line.starts_with(first)
            && columns.len() > 1
            && line.get(first.len()).is_some_and(|b| !is_part(*b))
            && columns
                .iter()
                .all(|name| memchr::memmem::find(line, name.as_bytes()).is_some());
        let inner = memchr::memrchr(b'(', line).filter(|at| *at > 0)?;
        let footed = footer(&line[inner..]).is_some();
        if !begins || !footed {
            return None;
        }
        let what = "psql's output with separators that can't be told from its cells: \
                    print it without -F and -R, or with \\pset format csv";
        let (start, end) = (self.starts[index], self.starts[index + 1]);
        self.reject(start, end, Trouble::Unsupported, what);
        self.loose_from = end;
        Some(index + 1)
    }
}
