//! Tables as `psql` prints them, pasted into a text, with the text around them.
//!
//! A pasted text is small and must be known as a whole: types come from all values, and several
//! pastes of one table become one table with the union of their columns. What a paste does not show
//! but its query says (`WHERE id = 41073`) is a column too.

mod aligned;
mod bare;
mod barred;
mod doubt;
mod expanded;
mod frame;
mod glued;
pub(crate) mod known;
mod markup;
mod merge;
mod pairs;
mod query;
mod records;
mod session;
mod unaligned;
mod vertical;
mod width;
mod width_table;

use std::io::BufRead;

pub(crate) use aligned::{footer, unique};
pub(crate) use bare::begins as bare_begins;
pub(crate) use barred::{Barred, bar_rows};
pub(crate) use expanded::head as record_head;
pub(crate) use frame::{Border, Rule};
pub(crate) use markup::{begins as markup_begins, markdown_rule};
pub(crate) use pairs::begins as pairs_begin;
pub(crate) use query::prompt;
pub(crate) use unaligned::{is_tab_rows, is_tight_header, separator};

use crate::encoding::TextEncoding;
use crate::facts::{DumpError, DumpFacts, DumpKind, Located, RowSink, Trouble, Want};
use crate::input::Input;
use crate::null;
use crate::sniff::{HEAD, MARK, glued_rule};

/// Longest text that is read.
const TEXT_LIMIT: usize = 64 << 20;

/// Reads pasted tables with all rows and their places, anything else as `scan` wants it.
pub(crate) fn read_or_scan(
    reader: &mut dyn BufRead,
    kind_of: fn(&[u8]) -> Option<DumpKind>,
    scan: &Want,
    sink: &mut dyn RowSink,
) -> Result<DumpFacts, DumpError> {
    let mut input = Input::new(reader);
    let head = input
        .head(HEAD)
        .map_err(|source| DumpError::Read { byte: 0, source })?;
    match kind_of(head) {
        Some(kind) if kind.is_held() => {
            let all = Want::all(scan.naming.clone());
            read_with(input, kind, &all, true, sink)
        }
        other => crate::read_form(input, other, scan, sink),
    }
}

/// Reads a text with pasted tables.
pub(crate) fn read(
    input: Input<'_>,
    kind: DumpKind,
    want: &Want,
    sink: &mut dyn RowSink,
) -> Result<DumpFacts, DumpError> {
    read_with(input, kind, want, false, sink)
}

fn read_with(
    mut input: Input<'_>,
    kind: DumpKind,
    want: &Want,
    places: bool,
    sink: &mut dyn RowSink,
) -> Result<DumpFacts, DumpError> {
    let mut facts = DumpFacts::new(kind);
    while input.window().len() <= TEXT_LIMIT && input.more()? {}
    let whole = input.window();
    let held = match whole.len() > TEXT_LIMIT {
        true => memchr::memrchr(b'\n', &whole[..TEXT_LIMIT]).map_or(TEXT_LIMIT, |at| at + 1),
        false => whole.len(),
    };
    let mut document = Document::new(&whole[..held]);
    document.scan();
    facts.database = document.database.take();
    let mut pastes = std::mem::take(&mut document.pastes);
    null::settle(&mut pastes);
    let mut tables = merge::merge(pastes, &want.naming);
    let mut rejects = document.tile(&mut facts);
    for table in &mut tables {
        let Some((byte, line)) = table.misread.first else {
            continue;
        };
        let what = table.misread.told(TextEncoding::default());
        table.facts.notes.push(what.clone());
        rejects.push(Located {
            trouble: Trouble::Damaged,
            table: Some(table.facts.info.name.clone()),
            byte,
            length: 0,
            line,
            lines: 0,
            what,
        });
    }
    facts
        .tables
        .extend(tables.iter().map(|table| table.facts.clone()));
    merge::emit(&tables, want, places, sink)?;
    let lines = memchr::memchr_iter(b'\n', &whole[..held]).count() as u64;
    input.consume_lines(held, lines);
    if held == TEXT_LIMIT || !input.window().is_empty() {
        rejects.extend(the_rest(&mut input)?);
    }
    for located in rejects {
        facts.reject(located, sink)?;
    }
    facts.bytes = input.byte();
    facts.lines = input.line_number() - 1;
    Ok(facts)
}

/// What stands behind the limit.
fn the_rest(input: &mut Input<'_>) -> Result<Option<Located>, DumpError> {
    let (byte, line) = (input.byte(), input.line_number());
    loop {
        let n = input.window().len();
        input.consume(n);
        if !input.more()? {
            break;
        }
    }
    let length = input.byte() - byte;
    Ok((length > 0).then(|| Located {
        trouble: Trouble::Truncated,
        table: None,
        byte,
        length,
        line,
        lines: input.line_number() - line + 1,
        what: "pasted text is read up to 64 MiB".to_owned(),
    }))
}

/// A pasted table, its cells still text.
#[derive(Debug, Default)]
pub(crate) struct Paste {
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<PastedRow>,
    /// Rows that do not fit the columns.
    pub(crate) damaged: u64,
    pub(crate) query: Option<query::Query>,
    /// Line of the header.
    pub(crate) line: u64,
    /// How null is written here, where the session says so.
    pub(crate) null: Option<Vec<u8>>,
    /// What a reader should know.
    pub(crate) notes: Vec<String>,
}

/// A row; `None` is an empty cell.
#[derive(Clone, Debug)]
pub(crate) struct PastedRow {
    pub(crate) cells: Vec<Option<Vec<u8>>>,
    pub(crate) byte: u64,
    pub(crate) length: u64,
    pub(crate) line: u64,
}

/// What a stretch of the text is.
#[derive(Clone, Debug)]
enum Part {
    Row,
    Framing,
    Reject(Trouble, String),
}

/// A text while its tables are looked for.
pub(crate) struct Document<'t> {
    pub(crate) text: &'t [u8],
    /// Where lines begin; the last entry is the text's end.
    pub(crate) starts: Vec<usize>,
    parts: Vec<(usize, usize, Part)>,
    pub(crate) pastes: Vec<Paste>,
    /// What stands behind the last table: the next one's query is looked for here.
    pub(crate) loose_from: usize,
    database: Option<String>,
    /// How null is written, as far as the session has said so.
    null: Option<Vec<u8>>,
    /// Bytes that may still be looked at in vain.
    effort: usize,
    /// The same, of tables without any frame.
    bare_effort: usize,
    /// Whether there is a NUL anywhere.
    zeros: bool,
    /// Cells that may still be held.
    room: usize,
}

/// How much text in front of a table may hold its query.
const QUERY_REACH: usize = 64 << 10;

/// How often the length of a text may be looked at in vain.
const EFFORT: usize = 64;

/// The same, of tables without any frame, which begin like any line.
const BARE_EFFORT: usize = 8;

/// Most cells of pasted tables that are held. Short cells cost many times their text.
const CELLS: usize = 2_000_000;

impl<'t> Document<'t> {
    fn new(text: &'t [u8]) -> Document<'t> {
        let mark = match text.starts_with(MARK) {
            true => MARK.len(),
            false => 0,
        };
        let mut starts = vec![mark];
        starts.extend(memchr::memchr_iter(b'\n', text).map(|at| at + 1));
        if starts.last() != Some(&text.len()) {
            starts.push(text.len());
        }
        Document {
            text,
            starts,
            parts: vec![(0, mark, Part::Framing)],
            pastes: Vec::new(),
            loose_from: mark,
            database: None,
            null: None,
            effort: EFFORT * text.len().max(4096),
            bare_effort: BARE_EFFORT * text.len().max(1 << 18),
            zeros: memchr::memchr(0, text).is_some(),
            room: CELLS,
        }
    }

    /// Whether nothing more is looked at in vain.
    pub(crate) fn is_worn(&self) -> bool {
        self.effort == 0
    }

    /// Holds a row.
    pub(crate) fn hold(&mut self, paste: &mut Paste, row: PastedRow) {
        self.room = self.room.saturating_sub(row.cells.len().max(1));
        paste.rows.push(row);
    }

    /// Whether no more rows are taken.
    pub(crate) fn is_full(&self) -> bool {
        self.room == 0
    }

    /// Takes so many bytes off what may be looked at in vain; `false` if that is used up. Begins of
    /// tables whose ends are far away could otherwise cost the whole text each.
    pub(crate) fn may_look(&mut self, bytes: usize) -> bool {
        let left = self.effort.checked_sub(bytes);
        self.effort = left.unwrap_or(0);
        left.is_some()
    }

    pub(crate) fn lines(&self) -> usize {
        self.starts.len() - 1
    }

    /// Returns a line without its end.
    pub(crate) fn line(&self, index: usize) -> &'t [u8] {
        let line = &self.text[self.starts[index]..self.starts[index + 1]];
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        line.strip_suffix(b"\r").unwrap_or(line)
    }

    fn scan(&mut self) {
        if self.doubt_column() || self.tab_rows() || self.bar_rows() {
            return;
        }
        let mut index = 0;
        while index < self.lines() && !self.is_full() {
            let line = self.line(index);
            let pasted = self.pastes.len();
            if let Some((database, length)) = query::prompt(line) {
                if self.database.is_none() {
                    self.database = Some(String::from_utf8_lossy(database).into_owned());
                }
                let start = self.starts[index];
                self.framing(start, start + length);
            }
            let next = self
                .said(index)
                .or_else(|| self.expanded(index))
                .or_else(|| self.expanded_tuples(index))
                .or_else(|| self.aligned(index))
                .or_else(|| self.markup(index))
                .or_else(|| self.bare(index))
                .or_else(|| self.unaligned(index))
                .or_else(|| self.tuples(index))
                .or_else(|| glued_rule(line).and_then(|_| self.glued(index)));
            // What psql calls null changes in the course of a session.
            let null = self.null.clone();
            for paste in self.pastes.iter_mut().skip(pasted) {
                paste.null.clone_from(&null);
            }
            index = next.unwrap_or(index + 1);
        }
        self.doubt_pairs();
        if self.is_full() && self.loose_from < self.text.len() {
            self.overflow(self.loose_from, self.text.len());
        }
    }

    /// Rejects what there is no room for.
    pub(crate) fn overflow(&mut self, start: usize, end: usize) {
        let what = "pasted tables are read up to 2 million cells: \
                    export such a table with \\copy as CSV";
        self.reject(start, end, Trouble::Truncated, what);
    }

    pub(crate) fn row(&mut self, start: usize, end: usize) {
        self.parts.push((start, end, Part::Row));
    }

    pub(crate) fn framing(&mut self, start: usize, end: usize) {
        self.parts.push((start, end, Part::Framing));
    }

    pub(crate) fn reject(&mut self, start: usize, end: usize, trouble: Trouble, what: &str) {
        self.parts
            .push((start, end, Part::Reject(trouble, what.to_owned())));
    }

    /// Looks for the query of a table whose header begins at `header`.
    pub(crate) fn query_before(&mut self, header: usize) -> Option<query::Query> {
        let from = self.loose_from.max(header.saturating_sub(QUERY_REACH));
        let query = query::last(&self.text[from..header])?;
        self.framing(from + query.start, from + query.end);
        Some(query)
    }

    /// Gives every byte its place: rows, framing, rejects; what no one claimed is text around tables.
    fn tile(&mut self, facts: &mut DumpFacts) -> Vec<Located> {
        let mut parts = std::mem::take(&mut self.parts);
        parts.sort_by_key(|(start, end, _)| (*start, *end));
        let mut rejects = Vec::new();
        let mut at = 0;
        for (start, end, part) in parts {
            if start > at {
                self.loose(at, start, facts, &mut rejects);
            }
            let (start, end) = (start.max(at), end.max(at));
            let length = (end - start) as u64;
            match part {
                Part::Row => facts.row_bytes += length,
                Part::Framing => facts.framing_bytes += length,
                Part::Reject(trouble, what) => {
                    rejects.push(self.located(start, end, trouble, what))
                }
            }
            at = end;
        }
        self.loose(at, self.text.len(), facts, &mut rejects);
        rejects
    }

    fn loose(&self, start: usize, end: usize, facts: &mut DumpFacts, rejects: &mut Vec<Located>) {
        let text = &self.text[start..end];
        let blank = text.len() - text.trim_ascii_start().len();
        let tail = text.trim_ascii_end().len();
        if blank >= tail {
            facts.framing_bytes += text.len() as u64;
            return;
        }
        facts.framing_bytes += (blank + text.len() - tail) as u64;
        let what = "text around the tables".to_owned();
        rejects.push(self.located(start + blank, start + tail, Trouble::Other, what));
    }

    pub(crate) fn line_of(&self, at: usize) -> u64 {
        let at = at.min(self.text.len());
        self.starts[..self.lines().max(1)].partition_point(|start| *start <= at) as u64
    }

    fn located(&self, start: usize, end: usize, trouble: Trouble, what: String) -> Located {
        let line = self.line_of(start).max(1);
        let last = self.line_of(end.saturating_sub(1).max(start)).max(line);
        Located {
            trouble,
            table: None,
            byte: start as u64,
            length: (end - start) as u64,
            line,
            lines: last - line + 1,
            what,
        }
    }
}
