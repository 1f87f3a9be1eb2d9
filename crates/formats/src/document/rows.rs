//! Rows: what the entries of a document hold, one payload each, beside the stretch of the source they came
//! from. And the source of lines: a block as it is, or the rows of one.

use super::super::wrapper::{Found, Layer, Place, Range};
use crate::colours::may_have_colours;
use memchr::memchr_iter;
use model::{Position, Span};

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowKind {
    /// A payload.
    Text,
    /// Brackets, commas, headers.
    Frame(&'static str),
    /// Nothing that can be read.
    Broken,
}

/// One row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) kind: RowKind,
    /// Its payload among the texts of the block.
    pub(crate) text: Place,
    pub(crate) layer: Layer,
    /// Its layer's facts.
    facts: (u32, u32),
    pub(crate) partial: bool,
    pub(crate) omitted: bool,
    /// Where it lies in the block.
    from: u32,
    to: u32,
    /// Line feeds before it.
    line: u32,
    /// Line feeds in it; at a source's end its last line counts as if it had one.
    lines: u32,
}

/// The rows of a block. Reused from block to block.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    pub(crate) rows: Vec<Row>,
    facts: Vec<(&'static str, Place)>,
    /// Payloads and facts.
    texts: Vec<u8>,
    pub(crate) found: Found,
    pub(crate) out: Vec<u8>,
    /// What the entry's context says, and the entry behind it.
    pub(crate) scratch: Vec<u8>,
    entry: (usize, usize),
    first: usize,
}

impl Rows {
    pub(super) fn clear(&mut self) {
        self.rows.clear();
        self.facts.clear();
        self.texts.clear();
    }

    pub(super) fn plain(&mut self, kind: RowKind, from: usize, to: usize) {
        self.rows.push(Row {
            kind,
            text: Place::default(),
            layer: Layer::default(),
            facts: (0, 0),
            partial: false,
            omitted: false,
            from: from as u32,
            to: to as u32,
            line: 0,
            lines: 0,
        });
    }

    pub(super) fn begin(&mut self, from: usize, to: usize) {
        self.entry = (from, to);
        self.first = self.rows.len();
    }

    /// Takes what was found in an entry's `text` (and decoded into `out`) as one row.
    pub(super) fn push(&mut self, text: &[u8]) {
        let (from, to) = self.entry;
        self.push_part(text, from, to);
    }

    /// The same, of the part of the entry that lies at `from..to` in the block.
    pub(super) fn push_part(&mut self, text: &[u8], from: usize, to: usize) {
        let place = |range: Range, texts: &mut Vec<u8>, out: &[u8]| {
            let from = texts.len() as u32;
            texts.extend_from_slice(range.of(text, out));
            Place {
                from,
                to: texts.len() as u32,
                decoded: false,
            }
        };
        let payload = place(self.found.text, &mut self.texts, &self.out);
        let priority = place(self.found.priority, &mut self.texts, &self.out);
        let facts_from = self.facts.len();
        for (name, range) in self.found.facts.iter().take(16) {
            let place = place(*range, &mut self.texts, &self.out);
            self.facts.push((*name, place));
        }
        self.rows.push(Row {
            kind: RowKind::Text,
            text: payload,
            layer: Layer {
                kind: self.found.kind,
                stamp: self.found.stamp,
                facts: (0, (self.facts.len() - facts_from) as u8),
                text: payload,
                priority,
                ..Layer::default()
            },
            facts: (facts_from as u32, self.facts.len() as u32),
            partial: self.found.partial,
            omitted: self.found.omitted,
            from: from as u32,
            to: to as u32,
            line: 0,
            lines: 0,
        });
    }

    /// Where the entry begins that is being opened.
    pub(super) fn entry_start(&self) -> usize {
        self.entry.0
    }

    /// Forgets the rows of the entry that is being opened.
    pub(super) fn drop_entry(&mut self) {
        self.rows.truncate(self.first);
    }

    /// Ends an entry: one that gave no row is broken.
    pub(super) fn end(&mut self) {
        if self.rows.len() == self.first {
            let (from, to) = self.entry;
            self.plain(RowKind::Broken, from, to);
        }
    }

    /// Counts the line feeds before and in each row.
    pub(super) fn count_lines(&mut self, block: &[u8], last: bool) {
        let mut line = 0;
        for row in &mut self.rows {
            row.line = line;
            let bytes = &block[row.from as usize..row.to as usize];
            row.lines = memchr_iter(b'\n', bytes).count() as u32;
            line += row.lines;
        }
        if last
            && let Some(row) = self.rows.last_mut()
            && block.last() != Some(&b'\n')
        {
            row.lines += 1;
        }
    }

    pub(crate) fn facts_of(&self, row: &Row) -> &[(&'static str, Place)] {
        &self.facts[row.facts.0 as usize..row.facts.1 as usize]
    }
}

/// Where lines come from: a block, or the rows of one. Places in it are offsets, or numbers of rows.
#[derive(Clone, Copy)]
pub(crate) struct Source<'b> {
    /// The text that lines lie in.
    pub(crate) block: &'b [u8],
    pub(crate) rows: Option<&'b Rows>,
    /// Whether a line may have colours: most logs have none in all of a block, and then no line is asked.
    pub(crate) coloured: bool,
    at: Position,
}

impl<'b> Source<'b> {
    #[inline]
    pub(crate) fn lines(block: &'b [u8], at: Position) -> Source<'b> {
        Source {
            block,
            rows: None,
            coloured: true,
            at,
        }
    }

    /// The same, after a look at the whole block.
    pub(crate) fn looked_at(block: &'b [u8], at: Position) -> Source<'b> {
        Source {
            coloured: may_have_colours(block),
            ..Source::lines(block, at)
        }
    }

    pub(crate) fn rows(rows: &'b Rows, at: Position) -> Source<'b> {
        Source {
            block: &rows.texts,
            rows: Some(rows),
            coloured: true,
            at,
        }
    }

    /// The place behind the last line.
    #[inline]
    pub(crate) fn end(self) -> usize {
        match self.rows {
            None => self.block.len(),
            Some(rows) => rows.rows.len(),
        }
    }

    /// The span from one place to another; `line` and `lines` are what a count of lines says.
    #[inline]
    pub(crate) fn span(self, from: usize, to: usize, line: u64, lines: u64) -> Span {
        let Some(rows) = self.rows else {
            return Span {
                byte: self.at.byte + from as u64,
                length: (to - from) as u64,
                line,
                lines,
            };
        };
        let (first, last) = (&rows.rows[from], &rows.rows[to - 1]);
        Span {
            byte: self.at.byte + u64::from(first.from),
            length: u64::from(last.to - first.from),
            line: self.at.line + u64::from(first.line),
            lines: u64::from(last.line + last.lines - first.line),
        }
    }

    /// The line that a place is on, if it isn't counted.
    #[inline]
    pub(crate) fn line(self, at: usize, counted: u64) -> u64 {
        match self.rows {
            None => counted,
            Some(rows) => self.at.line + u64::from(rows.rows[at].line),
        }
    }

    /// The bytes from one place to another.
    #[inline]
    pub(crate) fn bytes(self, from: usize, to: usize) -> usize {
        match self.rows {
            None => to - from,
            Some(rows) => (rows.rows[to - 1].to - rows.rows[from].from) as usize,
        }
    }
}
