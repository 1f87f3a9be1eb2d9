//! Tables as `psql` prints them, pasted into a text, with the text around them.
//!
//! A pasted text is small and must be known as a whole: types come from all values, and several
//! pastes of one table become one table with the union of their columns. What a paste does not show
//! but its query says (`WHERE id = 41073`) is a column too.

mod aligned;
mod glued;
mod known;
mod merge;
mod query;
mod width;

use std::io::BufRead;

pub(crate) use query::prompt;

use crate::facts::{DumpError, DumpFacts, DumpKind, Located, RowSink, Trouble, Want};
use crate::input::Input;
use crate::sniff::{HEAD, glued_rule, sniff};

/// Longest text that is read.
const TEXT_LIMIT: usize = 64 << 20;

/// Reads pasted tables with all rows and their places, anything else as `scan` wants it.
pub(crate) fn read_or_scan(
    reader: &mut dyn BufRead,
    scan: &Want,
    sink: &mut dyn RowSink,
) -> Result<DumpFacts, DumpError> {
    let mut input = Input::new(reader);
    let head = input
        .head(HEAD)
        .map_err(|source| DumpError::Read { byte: 0, source })?;
    match sniff(head) {
        Some(kind @ (DumpKind::PsqlAligned | DumpKind::PsqlGlued)) => {
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
    let tables = merge::merge(std::mem::take(&mut document.pastes), &want.naming);
    let mut rejects = document.tile(&mut facts);
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
}

/// How much text in front of a table may hold its query.
const QUERY_REACH: usize = 64 << 10;

impl<'t> Document<'t> {
    fn new(text: &'t [u8]) -> Document<'t> {
        let mut starts = vec![0];
        starts.extend(memchr::memchr_iter(b'\n', text).map(|at| at + 1));
        if starts.last() != Some(&text.len()) {
            starts.push(text.len());
        }
        Document {
            text,
            starts,
            parts: Vec::new(),
            pastes: Vec::new(),
            loose_from: 0,
            database: None,
        }
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
        let mut index = 0;
        while index < self.lines() {
            let line = self.line(index);
            if let Some((database, length)) = query::prompt(line) {
                if self.database.is_none() {
                    self.database = Some(String::from_utf8_lossy(database).into_owned());
                }
                let start = self.starts[index];
                self.framing(start, start + length);
            }
            let next = self
                .unsupported(index)
                .or_else(|| self.aligned(index))
                .or_else(|| glued_rule(line).and_then(|_| self.glued(index)));
            index = next.unwrap_or(index + 1);
        }
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

    /// Forms of psql output that are not read: `\x` and unicode borders.
    fn unsupported(&mut self, index: usize) -> Option<usize> {
        let expanded = |line: &[u8]| line.trim_ascii().starts_with(b"-[ RECORD ");
        let unicode = |line: &[u8]| {
            memchr::memmem::find(line, "─┼─".as_bytes()).is_some()
                || memchr::memmem::find(line, "┌─".as_bytes()).is_some()
        };
        let what = if expanded(self.line(index)) {
            "a table in psql's expanded form, which this version does not read"
        } else if unicode(self.line(index)) {
            "a table with unicode borders, which this version does not read"
        } else {
            return None;
        };
        let mut end = index + 1;
        while end < self.lines()
            && !self.line(end).trim_ascii().is_empty()
            && query::prompt(self.line(end)).is_none()
        {
            end += 1;
        }
        self.reject(
            self.starts[index],
            self.starts[end],
            Trouble::Unsupported,
            what,
        );
        self.loose_from = self.starts[end];
        Some(end)
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
