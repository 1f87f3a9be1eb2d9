//! The loop: lines into records, rejects, framing; nothing is lost, spans tile the block.

mod emit;

use crate::catalogue::Catalogue;
use crate::chunks::{self, Chunks};
use crate::document::{Document, Rows, Source};
use crate::engine::{
    self,
    json::{Scan, State},
};
use crate::framing::{Run, RunLine, goes_on};
use crate::line::{Class, Line};
use crate::wrapper::Way;
use memchr::{memchr, memrchr};
use model::{Clue, Field, ObsValue, Observation, Position, RecordSink, Reject};

/// The most lines and bytes of one record; what is beyond is rejected as too long.
const RECORD_LINES: usize = 4096;
pub(crate) const RECORD_BYTES: usize = 1 << 20;
/// How many places between entries are looked at for one where a record starts.
const BORDERS: usize = 512;

/// Reads blocks of lines into records. Holds buffers only: what was read before never changes what
/// is read next.
pub struct Parser<'c> {
    catalogue: &'c Catalogue,
    /// Boxed, since they change places with every line.
    here: Box<Line>,
    ahead: Box<Line>,
    run: Run,
    joined: Vec<u8>,
    /// Of a joined record.
    scan: Scan,
    fields: Vec<Field<'static>>,
    values: Vec<Option<ObsValue<'static>>>,
    observations: Vec<Observation<'static>>,
    clues: Vec<Clue>,
    /// Lines beyond the limit of the record before them.
    too_long: bool,
    chunks: Chunks,
    rows: Rows,
}

impl<'c> Parser<'c> {
    pub(crate) fn new(catalogue: &'c Catalogue) -> Parser<'c> {
        Parser {
            catalogue,
            here: Box::default(),
            ahead: Box::default(),
            run: Run::default(),
            joined: Vec::new(),
            scan: Scan::default(),
            fields: Vec::new(),
            values: Vec::new(),
            observations: Vec::new(),
            clues: Vec::new(),
            too_long: false,
            chunks: Chunks::default(),
            rows: Rows::default(),
        }
    }

    /// Returns the offset of the last line in `block` that certainly starts a record, so that the
    /// block may be cut there. Only whole lines are looked at, and never offset 0. Pure in the bytes.
    pub fn cut_point(&mut self, block: &[u8]) -> Option<usize> {
        let source = Source::lines(block, Position::START);
        let mut end = memrchr(b'\n', block)? + 1;
        let mut start = memrchr(b'\n', &block[..end - 1])? + 1;
        self.here
            .read(self.catalogue, source, start, &Way::default());
        loop {
            let whole = self.here.next == end;
            if whole
                && self.here.starts_anyway()
                && !chunks::pending(self.catalogue, block, start, &mut self.ahead)
            {
                return Some(start);
            }
            let before = memrchr(b'\n', &block[..start - 1]).map(|feed| feed + 1);
            let of_journal = whole && matches!(self.here.class, Some(Class::Journal(_)));
            let looked_at = before.or(of_journal.then_some(0))?;
            self.ahead
                .read(self.catalogue, source, looked_at, &Way::default());
            // Records go on with lines that came the same way only.
            if of_journal
                && self.ahead.next == start
                && self.here.comes_another_way(block, &self.ahead, block)
                && !chunks::pending(self.catalogue, block, start, &mut self.ahead)
            {
                return Some(start);
            }
            end = start;
            start = before?;
            if self.ahead.start != start {
                self.ahead
                    .read(self.catalogue, source, start, &Way::default());
            }
            std::mem::swap(&mut self.here, &mut self.ahead);
        }
    }

    /// Parses a block that begins at a record's start (or at the source's), handing everything to
    /// `sink` in order; the spans tile the block.
    ///
    /// # Errors
    /// What the sink returns; parsing itself does not fail.
    pub fn parse_block<S: RecordSink>(
        &mut self,
        block: &[u8],
        at: Position,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        self.chunks.clear();
        let source = Source::looked_at(block, at);
        let mut position = 0;
        if at.byte == 0 && block.starts_with(b"\xef\xbb\xbf") {
            sink.framing(source.span(0, 3, at.line, 0), "byte order mark")?;
            position = 3;
        }
        self.parse_lines(source, position, at.line, sink)
    }

    /// Parses a block of a document, which begins where `document` stands; `last` says that it is the
    /// source's last one. Entries that share a physical line have spans without a whole line: such a span
    /// counts the line feeds in it.
    ///
    /// # Errors
    /// What the sink returns.
    pub fn parse_document<S: RecordSink>(
        &mut self,
        document: &Document,
        block: &[u8],
        at: Position,
        last: bool,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        self.chunks.clear();
        let mut from = 0;
        if at.byte == 0 && block.starts_with(b"\xef\xbb\xbf") {
            from = 3;
            let span = Source::lines(block, at).span(0, 3, at.line, 0);
            sink.framing(span, "byte order mark")?;
        }
        let mut rows = std::mem::take(&mut self.rows);
        document.unfold(block, from, last, &mut rows);
        let result = self.parse_lines(Source::rows(&rows, at), 0, at.line, sink);
        self.rows = rows;
        result
    }

    /// Finds where a block of a document may be cut: between entries, the last one that certainly starts a
    /// record. Moves `document` there. Pure in the bytes.
    pub fn cut_document(&mut self, document: &mut Document, block: &[u8]) -> Option<usize> {
        let borders = document.borders(block, BORDERS);
        let mut rows = std::mem::take(&mut self.rows);
        let mut before = Rows::default();
        let mut chosen = None;
        for (index, (at, cursor)) in borders.iter().enumerate() {
            // The entry alone is enough to see whether a record starts there.
            let end = index
                .checked_sub(1)
                .map_or(block.len(), |after| borders[after].0);
            cursor.unfold(&block[*at..end], 0, false, &mut rows);
            let source = Source::rows(&rows, Position::START);
            self.here.read(self.catalogue, source, 0, &Way::default());
            let mut starts = self.here.starts_anyway();
            if matches!(self.here.class, Some(Class::Journal(_)))
                && let Some((earlier, cursor)) = borders.get(index + 1)
            {
                cursor.unfold(&block[*earlier..*at], 0, false, &mut before);
                let last = Source::rows(&before, Position::START);
                self.ahead
                    .read(self.catalogue, last, last.end() - 1, &Way::default());
                let (own, others) = (source.block, last.block);
                starts = self.here.comes_another_way(own, &self.ahead, others);
            }
            if starts {
                chosen = Some(index);
                break;
            }
        }
        self.rows = rows;
        // A stretch in which nothing starts goes on with nothing that is as far away.
        let enough = borders.len() == BORDERS || block.len() > 4 * RECORD_BYTES;
        let Some(index) = chosen.or(borders.len().checked_sub(1).filter(|_| enough)) else {
            // Nothing but what cannot be read: it may end anywhere.
            return (enough && borders.is_empty()).then(|| {
                document.lose();
                block.len() - 1
            });
        };
        let (at, cursor) = borders.into_iter().nth(index)?;
        *document = cursor;
        Some(at)
    }

    /// Parses the lines (or rows) from `position` on.
    fn parse_lines<S: RecordSink>(
        &mut self,
        source: Source<'_>,
        mut position: usize,
        mut line: u64,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        let block = source.block;
        self.too_long = false;
        let mut fresh = true;
        while position < source.end() {
            line = source.line(position, line);
            if let Some(chunk) = self.chunks.at(position) {
                let span = source.span(chunk.start, chunk.next, line, 1);
                if chunk.record {
                    sink.continued(span, chunk.of)?;
                } else {
                    sink.rejected(span, Reject::Unrecognised)?;
                }
                line += 1;
                position = chunk.next;
                fresh = true;
                continue;
            }
            if fresh {
                self.here
                    .read(self.catalogue, source, position, &Way::default());
            }
            fresh = true;
            if self.here.peeled.partial > 0 {
                self.complete(source, line);
            }
            let next = self.here.next;
            let class = self.here.class.expect("read sets it");
            match class {
                Class::Start(format) => {
                    self.too_long = false;
                    // What was read as following a weakly wrapped line is read again for itself.
                    let follows = self.here.peeled.is_weak();
                    (position, line) = self.record(source, line, format, sink)?;
                    // The line after the record was looked at already.
                    let starts = matches!(self.ahead.class, Some(Class::Start(..)));
                    if position < block.len() && self.ahead.start == position && starts && !follows
                    {
                        std::mem::swap(&mut self.here, &mut self.ahead);
                        fresh = false;
                    }
                    continue;
                }
                Class::Journal(format) => {
                    self.too_long = false;
                    (position, line) = self.journal_record(source, line, format, sink)?;
                    continue;
                }
                Class::Blank => sink.framing(source.span(position, next, line, 1), "blank line")?,
                Class::Frame(what) => sink.framing(source.span(position, next, line, 1), what)?,
                Class::Omitted => {
                    self.too_long = false;
                    sink.rejected(source.span(position, next, line, 1), Reject::Omitted)?;
                }
                Class::Broken => {
                    self.too_long = false;
                    let span = source.span(position, next, line, 1);
                    let why = if span.length > RECORD_BYTES as u64 {
                        Reject::RecordTooLong
                    } else {
                        Reject::Unrecognised
                    };
                    sink.rejected(span, why)?;
                }
                Class::Nul => {
                    self.too_long = false;
                    let lines = u64::from(block[next - 1] == b'\n' || next == block.len());
                    let span = source.span(position, next, line, lines);
                    sink.rejected(span, Reject::Binary)?;
                    line += lines;
                    position = next;
                    continue;
                }
                Class::Ambiguous => {
                    self.too_long = false;
                    sink.rejected(source.span(position, next, line, 1), Reject::Ambiguous)?;
                }
                Class::Other => {
                    let span = source.span(position, next, line, 1);
                    let why = if self.too_long {
                        Reject::RecordTooLong
                    } else {
                        why_not(self.here.text(block), &self.here.scan)
                    };
                    sink.rejected(span, why)?;
                }
            }
            line += 1;
            position = next;
        }
        Ok(())
    }

    /// Reads the record that starts at `self.here`; returns where it ends. Leaves the line after it
    /// in `self.ahead`.
    fn record<S: RecordSink>(
        &mut self,
        source: Source<'_>,
        line: u64,
        format: u16,
        sink: &mut S,
    ) -> Result<(usize, u64), S::Error> {
        let next = self.here.next;
        if self.chunks.at(next).is_some() {
            return self.long_record(source, line, format, sink);
        }
        if next < source.end() {
            let way = self.here.peeled.way();
            self.read_ahead(source, next, &way);
        }
        let goes_on =
            next < source.end() && (!self.ahead.is_boundary() || self.goes_on(source.block));
        // What follows is looked at for itself then, unless it is too long for anything.
        let alone = self.here.head.shape.stands_alone()
            && goes_on
            && source.bytes(self.here.start, self.ahead.next) <= RECORD_BYTES;
        if !goes_on || alone {
            let span = source.span(self.here.start, next, line, 1);
            self.emit(source.block, span, format, false, sink)?;
            return Ok((next, line + 1));
        }
        self.long_record(source, line, format, sink)
    }

    /// Reads the record of a program of the machine that starts at `self.here`: one line, and those that the
    /// journal indented to its message, since they were one message.
    fn journal_record<S: RecordSink>(
        &mut self,
        source: Source<'_>,
        line: u64,
        format: u16,
        sink: &mut S,
    ) -> Result<(usize, u64), S::Error> {
        let mut next = self.here.next;
        let mut lines = 1;
        if let Some(column) = self.here.indent_of_message() {
            while lines < RECORD_LINES
                && next < source.end()
                && source.bytes(self.here.start, next) <= RECORD_BYTES
                && self.read_indented(source, next, column)
            {
                if lines == 1 {
                    self.joined.clear();
                    let first = self.here.text(source.block);
                    self.joined.extend_from_slice(first);
                }
                let text = &self.ahead.text(source.block)[column..];
                self.joined.push(b'\n');
                self.joined.extend_from_slice(text);
                next = self.ahead.next;
                lines += 1;
            }
        }
        let span = source.span(self.here.start, next, line, lines as u64);
        self.emit(source.block, span, format, lines > 1, sink)?;
        // What stands there now is looked at for itself.
        self.ahead.start = usize::MAX;
        Ok((next, line + lines as u64))
    }

    /// Reads the line at `at`, which follows one of the journal's; says whether it goes on with that.
    fn read_indented(&mut self, source: Source<'_>, at: usize, column: usize) -> bool {
        let block = source.block;
        let outer = self.here.peeled.layers.len() - 1;
        let is_indented = |text: &[u8]| {
            let blanks = text.get(..column);
            blanks.is_some_and(|blanks| blanks.iter().all(|c| *c == b' '))
        };
        // Most lines that follow are none: that is seen at once where nothing is around the journal.
        if self.chunks.at(at).is_some() || (outer == 0 && !is_indented(&block[at..])) {
            return false;
        }
        let way = Way {
            after: Some(outer as u8),
            ..self.here.peeled.way()
        };
        self.ahead.read(self.catalogue, source, at, &way);
        matches!(self.ahead.class, Some(Class::Other | Class::Blank))
            && self.ahead.peeled.layers.len() == outer
            && self.here.peeled.same_outer(
                outer,
                (block, &self.here.decoded),
                &self.ahead.peeled,
                (block, &self.ahead.decoded),
            )
            && is_indented(self.ahead.text(block))
    }

    /// Reads the line at `at`, which follows one that came that way. What starts a record by itself does so there
    /// as well: weak wrappings of the line before must not hide it.
    #[inline]
    fn read_ahead(&mut self, source: Source<'_>, at: usize, way: &Way) {
        self.ahead.read(self.catalogue, source, at, way);
        if way.follows && !self.ahead.is_boundary() {
            self.ahead.read(self.catalogue, source, at, &Way::default());
            if !self.ahead.starts_anyway() {
                self.ahead.read(self.catalogue, source, at, way);
            }
        }
    }

    /// Joins the chunks of a line that its runtime cut.
    #[cold]
    fn complete(&mut self, source: Source<'_>, line: u64) {
        let found = chunks::join(
            self.catalogue,
            source,
            &self.here,
            &mut self.ahead,
            &mut self.chunks,
            line,
            &mut self.joined,
        );
        if found > 0 {
            self.here
                .complete(self.catalogue, source.block, &self.joined);
            let record = matches!(self.here.class, Some(Class::Start(..) | Class::Journal(..)));
            self.chunks.settle(self.here.start, record);
        }
    }

    /// A record whose next line starts none: finds out which of the lines after it are its own.
    #[cold]
    fn long_record<S: RecordSink>(
        &mut self,
        source: Source<'_>,
        line: u64,
        format: u16,
        sink: &mut S,
    ) -> Result<(usize, u64), S::Error> {
        let block = source.block;
        let head = self.here.head;
        let owner = self.here.start;
        // The record spans its lines up to the first chunk; what comes after goes on with it.
        let mut after = self.here.next;
        let mut chunks = 0;
        while let Some(chunk) = self.chunks.at(after).filter(|chunk| chunk.owner == owner) {
            after = chunk.next;
            chunks += 1;
        }
        let limited = self.gather(source, after);
        self.joined.clear();
        let first = self.here.peeled.text.of(block, &self.here.decoded);
        self.joined.extend_from_slice(first);
        let manner = &self.catalogue.compiled[usize::from(format)]
            .definition
            .manner;
        let open = engine::is_open(&self.joined, &head, manner);
        let own = self.run.belonging(head.shape, &self.joined, open, manner);
        for index in 0..own {
            self.joined.push(b'\n');
            self.joined.extend_from_slice(self.run.text(index));
        }
        let lines = if chunks > 0 { 0 } else { own };
        let end = match lines {
            0 => self.here.next,
            n => self.run.lines[n - 1].next,
        };
        let span = source.span(self.here.start, end, line, 1 + lines as u64);
        self.emit(source.block, span, format, true, sink)?;
        let mut next = line + 1 + lines as u64;
        let mut last = end;
        while let Some(chunk) = self.chunks.at(last).filter(|chunk| chunk.owner == owner) {
            sink.continued(source.span(chunk.start, chunk.next, next, 1), line)?;
            last = chunk.next;
            next += 1;
        }
        for part in &self.run.lines[lines..own] {
            sink.continued(source.span(part.start, part.next, next, 1), line)?;
            last = part.next;
            next += 1;
        }
        self.too_long = limited && own == self.run.lines.len();
        // The next line is looked at again: it may be one of the run, or the one after it.
        self.ahead.start = usize::MAX;
        Ok((last, next))
    }

    /// Whether the line ahead, which would start a record, goes on with the one here.
    #[inline]
    fn goes_on(&self, block: &[u8]) -> bool {
        matches!(self.ahead.class, Some(Class::Start(_)))
            && self.ahead.head.shape.may_go_on()
            && goes_on(
                (&self.here.head, self.here.text(block)),
                (&self.ahead.head, self.ahead.text(block)),
            )
    }

    /// Collects the lines from `at` on that start no record. Returns whether the limit ended it.
    fn gather(&mut self, source: Source<'_>, mut at: usize) -> bool {
        let block = source.block;
        self.run.clear();
        let way = self.here.peeled.way();
        let column = self.here.journal_column();
        let mut bytes = source.bytes(self.here.start, at);
        while at < source.end() {
            if self.chunks.at(at).is_some() {
                return false;
            }
            self.read_ahead(source, at, &way);
            let own = self.goes_on(block);
            // A cut line is looked at when it is whole.
            if (!own && self.ahead.is_boundary()) || self.ahead.peeled.partial > 0 {
                return false;
            }
            bytes += source.bytes(at, self.ahead.next);
            if self.run.lines.len() + 2 > RECORD_LINES || bytes > RECORD_BYTES {
                return true;
            }
            let same_way = self.here.peeled.same_way(
                (block, &self.here.decoded),
                &self.ahead.peeled,
                (block, &self.ahead.decoded),
            );
            let mut text = self.ahead.peeled.text.of(block, &self.ahead.decoded);
            // The journal indents later lines of one entry to the first one's column.
            let indented = self.ahead.peeled.layers.is_empty() && text.first() == Some(&b' ');
            // Nothing goes on with a record behind what came another way.
            if !(same_way || indented) {
                return false;
            }
            if indented && let Some(column) = column {
                let blanks = text.iter().take(column).take_while(|c| **c == b' ').count();
                text = &text[blanks..];
            }
            let from = self.run.text.len();
            self.run.text.extend_from_slice(text);
            self.run.lines.push(RunLine {
                start: at,
                next: self.ahead.next,
                from,
                to: self.run.text.len(),
                same_way: same_way || indented,
                own,
            });
            at = self.ahead.next;
        }
        false
    }
}

/// Why a line is no record.
fn why_not(text: &[u8], scan: &Scan) -> Reject {
    if memchr(0, text).is_some() {
        Reject::Binary
    } else if scan.state == State::Broken {
        Reject::BrokenJson
    } else {
        Reject::Unrecognised
    }
}
