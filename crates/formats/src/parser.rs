//! The loop: lines into records, rejects, framing; nothing is lost, spans tile the block.

use crate::catalogue::{Catalogue, Tier, is_panic};
use crate::claim::Claim;
use crate::engine::json::{self, Scan, State};
use crate::engine::{self, Head, Shape};
use crate::framing::{Run, RunLine, goes_on};
use crate::meaning::{Meaning, NO_CAPTURES, Told};
use crate::scan::{has_colours, strip_colours};
use crate::wrapper::{MAX_LAYERS, Peeled, Place, peel};
use memchr::{memchr, memrchr};
use model::{Field, Position, Record, RecordSink, Reject, Span, WrapperFact};

/// The most lines and bytes of one record; what is beyond is rejected as too long.
const RECORD_LINES: usize = 4096;
const RECORD_BYTES: usize = 1 << 20;

/// What a physical line is, by its own bytes.
#[derive(Clone, Copy, Debug)]
enum Class {
    /// A record starts here.
    Start(Head, u16),
    /// Nothing but blanks.
    Blank,
    /// A run of NUL bytes (a crash leaves them), with the rest of the line still to come.
    Nul,
    /// Claimed by two formats.
    Ambiguous,
    /// Starts nothing: a continuation or a reject.
    Other,
}

/// One physical line, its wrapping taken off.
#[derive(Default)]
struct Line {
    start: usize,
    /// The offset after its line feed.
    next: usize,
    peeled: Peeled,
    /// Text that had to be decoded or cleaned.
    decoded: Vec<u8>,
    class: Option<Class>,
    /// What is in the text if it begins like JSON.
    scan: Scan,
}

impl Line {
    fn text<'a>(&'a self, block: &'a [u8]) -> &'a [u8] {
        self.peeled.text.of(block, &self.decoded)
    }

    /// Whether the line ends a record before it, whatever the record is.
    fn is_boundary(&self) -> bool {
        !matches!(self.class, Some(Class::Blank | Class::Other) | None)
    }

    fn read(&mut self, catalogue: &Catalogue, block: &[u8], start: usize) {
        self.start = start;
        self.peeled.layers.clear();
        self.peeled.partial = false;
        self.decoded.clear();
        let feed = memchr(b'\n', &block[start..]);
        let mut end = feed.map_or(block.len(), |feed| start + feed);
        self.next = feed.map_or(block.len(), |feed| start + feed + 1);
        if block[start] == 0 {
            let nuls = block[start..end].iter().take_while(|c| **c == 0).count();
            if start + nuls < end {
                self.next = start + nuls;
            }
            self.peeled.text = Place::default();
            self.class = Some(Class::Nul);
            return;
        }
        if end > start && block[end - 1] == b'\r' {
            end -= 1;
        }
        self.peeled.text = Place {
            from: start as u32,
            to: end as u32,
            decoded: false,
        };
        self.clean(block);
        self.class = Some(self.classify(catalogue, block));
    }

    /// Moves the text into the line's own buffer without its colours, if it has any.
    #[inline]
    fn clean(&mut self, block: &[u8]) {
        let place = self.peeled.text;
        if !has_colours(place.of(block, &self.decoded)) {
            return;
        }
        let from = self.decoded.len();
        if place.decoded {
            let text = place.of(block, &self.decoded).to_vec();
            strip_colours(&text, &mut self.decoded);
        } else {
            strip_colours(place.of(block, &[]), &mut self.decoded);
        }
        self.peeled.text = Place {
            from: from as u32,
            to: self.decoded.len() as u32,
            decoded: true,
        };
    }

    #[inline]
    fn classify(&mut self, catalogue: &Catalogue, block: &[u8]) -> Class {
        loop {
            let text = self.peeled.text.of(block, &self.decoded);
            self.scan.clear();
            // Docker's JSON is no record of anybody, however much of one its payload holds.
            if !text.starts_with(b"{\"log\":\"") {
                catalogue.scan(text, &mut self.scan, Tier::Specific);
                match catalogue.claim(text, &self.scan, Tier::Specific) {
                    Claim::One(head, format) => return Class::Start(head, format),
                    Claim::Several => return Class::Ambiguous,
                    Claim::Nobody => {}
                }
            }
            if !peel(&mut self.peeled, block, &mut self.decoded) {
                break;
            }
            if self.peeled.text.decoded {
                self.clean(block);
            }
        }
        let text = self.peeled.text.of(block, &self.decoded);
        if text.trim_ascii().is_empty() {
            return Class::Blank;
        }
        if catalogue.has_generic {
            if self.scan.state == State::NoObject {
                catalogue.scan(text, &mut self.scan, Tier::Generic);
            }
            match catalogue.claim(text, &self.scan, Tier::Generic) {
                Claim::One(head, format) => return Class::Start(head, format),
                Claim::Several => return Class::Ambiguous,
                Claim::Nobody => {}
            }
        }
        Class::Other
    }
}

/// Reads blocks of lines into records. Holds buffers only: what was read before never changes what
/// is read next.
pub struct Parser<'c> {
    catalogue: &'c Catalogue,
    here: Line,
    ahead: Line,
    run: Run,
    joined: Vec<u8>,
    /// Of a joined record.
    scan: Scan,
    fields: Vec<Field<'static>>,
    meaning: Meaning<'static>,
    /// Lines beyond the limit of the record before them.
    too_long: bool,
}

/// Forgets the lifetime of an empty vector; mapping in place keeps its allocation.
fn recycle<'b>(mut fields: Vec<Field<'_>>) -> Vec<Field<'b>> {
    fields.clear();
    fields
        .into_iter()
        .map(|_| unreachable!("cleared"))
        .collect()
}

/// Where the block lies, to make spans of offsets.
#[derive(Clone, Copy)]
struct Base {
    byte: u64,
}

impl Base {
    fn span(self, from: usize, to: usize, line: u64, lines: u64) -> Span {
        Span {
            byte: self.byte + from as u64,
            length: (to - from) as u64,
            line,
            lines,
        }
    }
}

impl<'c> Parser<'c> {
    pub(crate) fn new(catalogue: &'c Catalogue) -> Parser<'c> {
        Parser {
            catalogue,
            here: Line::default(),
            ahead: Line::default(),
            run: Run::default(),
            joined: Vec::new(),
            scan: Scan::default(),
            fields: Vec::new(),
            meaning: Meaning::default(),
            too_long: false,
        }
    }

    /// Returns the offset of the last line in `block` that certainly starts a record, so that the
    /// block may be cut there. Only whole lines are looked at, and never offset 0. Pure in the bytes.
    pub fn cut_point(&mut self, block: &[u8]) -> Option<usize> {
        let mut end = memrchr(b'\n', block)? + 1;
        loop {
            let start = memrchr(b'\n', &block[..end - 1])? + 1;
            self.here.read(self.catalogue, block, start);
            if let Some(Class::Start(head, _)) = self.here.class
                && !head.shape.may_go_on()
                && self.here.next == end
                && !self.follows_part(block, start)
            {
                return Some(start);
            }
            end = start;
        }
    }

    /// Whether the line before `start` may be cut short by its runtime.
    fn follows_part(&mut self, block: &[u8], start: usize) -> bool {
        let before = memrchr(b'\n', &block[..start - 1]).map_or(0, |feed| feed + 1);
        // NUL bytes before it are rejected by themselves (see `parse_block`).
        let nuls = block[before..start]
            .iter()
            .take_while(|byte| **byte == 0)
            .count();
        let mut before = before + nuls;
        if before == 0 && block.starts_with(b"\xef\xbb\xbf") {
            before = 3;
        }
        self.ahead.read(self.catalogue, block, before);
        self.ahead.peeled.partial
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
        let base = Base { byte: at.byte };
        let mut line = at.line;
        let mut position = 0;
        self.too_long = false;
        if at.byte == 0 && block.starts_with(b"\xef\xbb\xbf") {
            sink.framing(base.span(0, 3, line, 0), "byte order mark")?;
            position = 3;
        }
        let mut fresh = true;
        while position < block.len() {
            if fresh {
                self.here.read(self.catalogue, block, position);
            }
            fresh = true;
            let next = self.here.next;
            let class = self.here.class.expect("read sets it");
            match class {
                Class::Start(head, format) => {
                    self.too_long = false;
                    (position, line) = self.record(block, base, line, head, format, sink)?;
                    // The line after the record was looked at already.
                    if position < block.len() && self.ahead.start == position {
                        std::mem::swap(&mut self.here, &mut self.ahead);
                        fresh = false;
                    }
                    continue;
                }
                Class::Blank => sink.framing(base.span(position, next, line, 1), "blank line")?,
                Class::Nul => {
                    self.too_long = false;
                    let lines = u64::from(block[next - 1] == b'\n' || next == block.len());
                    let span = base.span(position, next, line, lines);
                    sink.rejected(span, Reject::Binary)?;
                    line += lines;
                    position = next;
                    continue;
                }
                Class::Ambiguous => {
                    self.too_long = false;
                    sink.rejected(base.span(position, next, line, 1), Reject::Ambiguous)?;
                }
                Class::Other => {
                    let span = base.span(position, next, line, 1);
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
        block: &[u8],
        base: Base,
        line: u64,
        head: Head,
        format: u16,
        sink: &mut S,
    ) -> Result<(usize, u64), S::Error> {
        let next = self.here.next;
        if next < block.len() {
            self.ahead.read(self.catalogue, block, next);
        }
        let goes_on = next < block.len()
            && (!self.ahead.is_boundary()
                || self.here.peeled.partial
                || self.goes_on(block, &head));
        if !goes_on {
            let span = base.span(self.here.start, next, line, 1);
            self.emit(block, span, head, format, false, sink)?;
            return Ok((next, line + 1));
        }
        self.long_record(block, base, line, head, format, sink)
    }

    /// A record whose next line starts none: finds out which of the lines after it are its own.
    #[cold]
    fn long_record<S: RecordSink>(
        &mut self,
        block: &[u8],
        base: Base,
        line: u64,
        head: Head,
        format: u16,
        sink: &mut S,
    ) -> Result<(usize, u64), S::Error> {
        let limited = self.gather(block, &head);
        self.joined.clear();
        let first = self.here.peeled.text.of(block, &self.here.decoded);
        self.joined.extend_from_slice(first);
        let chunks = self.run.lines.iter().take_while(|line| line.chunk).count();
        for index in 0..chunks {
            self.joined.extend_from_slice(self.run.text(index));
        }
        let compiled = &self.catalogue.compiled[usize::from(format)];
        let rules = compiled.rules();
        let open = engine::is_open(&self.joined, &head, rules);
        let mut rest = std::mem::take(&mut self.run);
        let head_lines: Vec<RunLine> = rest.lines.drain(..chunks).collect();
        let own = rest.belonging(head.shape, &self.joined, open, rules);
        for index in 0..own {
            if !rest.lines[index].chunk {
                self.joined.push(b'\n');
            }
            self.joined.extend_from_slice(rest.text(index));
        }
        rest.lines.splice(0..0, head_lines);
        self.run = rest;
        let own = own + chunks;
        // The record spans its lines up to the first chunk; what comes after goes on with it.
        let until_chunk = self.run.lines[..own]
            .iter()
            .position(|line| line.chunk)
            .unwrap_or(own);
        let end = match until_chunk {
            0 => self.here.next,
            n => self.run.lines[n - 1].next,
        };
        let span = base.span(self.here.start, end, line, 1 + until_chunk as u64);
        self.emit(block, span, head, format, true, sink)?;
        for (index, part) in self.run.lines[until_chunk..own].iter().enumerate() {
            let at = line + 1 + (until_chunk + index) as u64;
            sink.continued(base.span(part.start, part.next, at, 1), line)?;
        }
        let mut last = self.here.next;
        if let Some(part) = own.checked_sub(1).map(|index| self.run.lines[index]) {
            last = part.next;
        }
        self.too_long = limited && own == self.run.lines.len();
        // The next line is looked at again: it may be one of the run, or the one after it.
        self.ahead.start = usize::MAX;
        Ok((last, line + 1 + own as u64))
    }

    /// Whether the line ahead, which would start a record, goes on with the one here.
    fn goes_on(&self, block: &[u8], first: &Head) -> bool {
        match self.ahead.class {
            Some(Class::Start(head, _)) if head.shape.may_go_on() => goes_on(
                (first, self.here.text(block)),
                (&head, self.ahead.text(block)),
            ),
            _ => false,
        }
    }

    /// Collects the lines after `self.here` that start no record. Returns whether the limit ended it.
    fn gather(&mut self, block: &[u8], first: &Head) -> bool {
        self.run.clear();
        let mut partial = self.here.peeled.partial;
        let mut at = self.here.next;
        let mut bytes = at - self.here.start;
        while at < block.len() {
            self.ahead.read(self.catalogue, block, at);
            let same_way = self.here.peeled.same_way(
                (block, &self.here.decoded),
                &self.ahead.peeled,
                (block, &self.ahead.decoded),
            );
            let chunk = partial && same_way;
            let own = self.goes_on(block, first);
            if !chunk && !own && self.ahead.is_boundary() {
                return false;
            }
            bytes += self.ahead.next - at;
            if self.run.lines.len() + 2 > RECORD_LINES || bytes > RECORD_BYTES {
                return true;
            }
            let text = self.ahead.peeled.text.of(block, &self.ahead.decoded);
            // The journal indents later lines of one entry instead of wrapping them.
            let indented = self.ahead.peeled.layers.is_empty() && text.first() == Some(&b' ');
            let from = self.run.text.len();
            self.run.text.extend_from_slice(text);
            self.run.lines.push(RunLine {
                start: at,
                next: self.ahead.next,
                from,
                to: self.run.text.len(),
                same_way: same_way || indented,
                chunk,
                own,
            });
            partial = same_way && self.ahead.peeled.partial;
            at = self.ahead.next;
        }
        false
    }

    /// Hands one record to the sink: or a reject, if its text is not what its head promised.
    fn emit<S: RecordSink>(
        &mut self,
        block: &[u8],
        span: Span,
        head: Head,
        format: u16,
        joined: bool,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        let text: &[u8] = if joined {
            &self.joined
        } else {
            self.here.peeled.text.of(block, &self.here.decoded)
        };
        let mut format = format;
        if is_panic(&head) {
            match self.catalogue.panic_owner(&head, text) {
                Some(owner) => format = owner,
                None => return sink.rejected(span, Reject::Unrecognised),
            }
        }
        let compiled = &self.catalogue.compiled[usize::from(format)];
        let rules = compiled.rules();
        let mut fields = recycle(std::mem::take(&mut self.fields));
        let mut own_level = None;
        let body = if let Shape::Regex(number) = head.shape {
            let regex = self.catalogue.regex(number);
            regex.read_fields(text, &mut self.scan);
            regex.body(text, &self.scan, &mut fields)
        } else if let Shape::Json(dialect) | Shape::Logfmt(dialect) = head.shape {
            let scan = if joined {
                match head.shape {
                    Shape::Json(_) => self.scan.read(text, &self.catalogue.keys),
                    _ => self.scan.read_logfmt(text, &self.catalogue.keys),
                }
                &self.scan
            } else {
                &self.here.scan
            };
            let dialect = &self.catalogue.dialects[usize::from(dialect)];
            let Some(found) = dialect.find(text, scan) else {
                self.fields = recycle(fields);
                return sink.rejected(span, Reject::BrokenJson);
            };
            let body = json::body(text, scan, dialect, &found, rules, &mut fields);
            own_level = dialect.level(body.level_raw);
            body
        } else {
            engine::text_body(text, &head, rules, &mut fields)
        };
        let level = if is_panic(&head) {
            Some(model::Level::Fatal)
        } else {
            own_level.or_else(|| compiled.level(body.level_raw))
        };
        let mut meaning = std::mem::take(&mut self.meaning).recycle();
        let mut kind = None;
        let mut role = None;
        let known = compiled.message(body.message);
        if known.is_some() || !(fields.is_empty() || compiled.definition.otherwise.is_empty()) {
            let mut told = Told {
                stamp: body.stamp,
                message: body.message,
                fields: &fields,
                captures: NO_CAPTURES,
                captured: body.message,
                outer: NO_CAPTURES,
            };
            if let Some((spec, captures)) = known {
                told.captures = captures;
                kind = Some(meaning.read(spec, &mut told));
                role = spec.role.as_deref();
            }
            if known.is_none_or(|(spec, _)| spec.when.is_empty()) {
                let said = meaning.first_that_fits(&compiled.definition.otherwise, &mut told);
                kind = kind.or(said.and_then(|case| case.kind.as_deref()));
            }
        }
        if role.is_none() {
            role = compiled.role(body.component);
        }
        let layers = &self.here.peeled.layers;
        let mut facts: [(&'static str, &[u8]); 3 * MAX_LAYERS];
        let mut layer_facts: [WrapperFact<'_>; MAX_LAYERS];
        let wrapper: &[WrapperFact<'_>] = if layers.is_empty() {
            &[]
        } else {
            facts = [("", b""); 3 * MAX_LAYERS];
            let mut filled = 0;
            for layer in layers {
                for (name, place) in layer.facts() {
                    facts[filled] = (name, place.of(block, &self.here.decoded));
                    filled += 1;
                }
            }
            layer_facts = [WrapperFact {
                kind: "",
                stamp: None,
                facts: &[],
            }; MAX_LAYERS];
            let mut from = 0;
            for (index, layer) in layers.iter().enumerate() {
                let to = from + layer.facts().len();
                layer_facts[index] = WrapperFact {
                    kind: layer.kind,
                    stamp: layer.stamp,
                    facts: &facts[from..to],
                };
                from = to;
            }
            &layer_facts[..layers.len()]
        };
        let record = Record {
            span,
            stamp: body.stamp,
            format: &compiled.definition.name,
            client: &compiled.definition.client,
            component: body.component,
            level,
            level_raw: body.level_raw,
            message: body.message,
            fields: &fields,
            wrapper,
            kind,
            observations: &meaning.observations,
            clues: &meaning.clues,
            role,
        };
        let result = sink.record(&record);
        self.fields = recycle(fields);
        self.meaning = meaning.recycle();
        result
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
