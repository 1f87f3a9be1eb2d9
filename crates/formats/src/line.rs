//! One physical line: its wrapping taken off, and what it is by its own bytes.

use crate::catalogue::Catalogue;
use crate::claim::{Claim, Tier};
use crate::colours::take_colours_off;
use crate::document::{RowKind, Rows, Source};
use crate::engine::journal::{Told, is_journal};
use crate::engine::json::{self, Scan, State, logfmt};
use crate::engine::{Head, Shape};
use crate::words::far;
use crate::wrapper::{self, Layer, MAX_LAYERS, Peeled, Place, Way, object, peel};
use memchr::memchr;

/// What a physical line is, by its own bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Class {
    /// A record of the format with this index starts here; the line has its head.
    Start(u16),
    /// A record of the machine's journal starts here, of the format with this index, unless the line goes on
    /// with a record before it that came the same way: no bytes of its own say that it doesn't.
    Journal(u16),
    /// Nothing but blanks.
    Blank,
    /// A run of NUL bytes (a crash leaves them), with the rest of the line still to come.
    Nul,
    /// Claimed by two formats.
    Ambiguous,
    /// A marker, a header, a fence: it frames evidence.
    Frame(&'static str),
    /// A collector had a message and left it out.
    Omitted,
    /// A part of a document that cannot be read.
    Broken,
    /// Starts nothing: a continuation or a reject.
    Other,
}

/// One physical line, its wrapping taken off.
#[derive(Default)]
pub(crate) struct Line {
    pub(crate) start: usize,
    /// The offset after its line feed.
    pub(crate) next: usize,
    pub(crate) peeled: Peeled,
    /// Text that had to be decoded or cleaned.
    pub(crate) decoded: Vec<u8>,
    /// Text on its way into `decoded`.
    spare: Vec<u8>,
    /// It lies in a block of lines; what a document holds may have line feeds.
    of_lines: bool,
    pub(crate) class: Option<Class>,
    /// Where a record starts. It stays where it was found: copying it with the class costs more than to find it.
    pub(crate) head: Head,
    /// What is in the text if it begins like JSON.
    pub(crate) scan: Scan,
    /// A journal says that the text is of a program of the machine.
    pub(crate) of_machine: bool,
}

impl Line {
    pub(crate) fn text<'a>(&'a self, block: &'a [u8]) -> &'a [u8] {
        self.peeled.text.of(block, &self.decoded)
    }

    /// Whether there is certainly no line feed in a stretch of the line: what was decoded may have some.
    #[inline]
    pub(crate) fn is_one_line(&self, place: Place) -> bool {
        self.of_lines && !place.decoded
    }

    /// The column of the message, if the journal wrapped the line and nobody else did.
    pub(crate) fn journal_column(&self) -> Option<usize> {
        match self.peeled.layers.as_slice() {
            [only] if only.kind == "journald-short" && !only.text.decoded => {
                Some(only.text.from as usize - self.start)
            }
            _ => None,
        }
    }

    /// Who wrote the line, as the innermost wrapping says.
    pub(crate) fn writer<'a>(&'a self, block: &'a [u8]) -> Option<&'a [u8]> {
        self.told(self.peeled.layers.last()?, block).name()
    }

    /// Whether the line came through other wrapping than the one before it, which lies in `others`: so that it
    /// goes on with no record. What may be read otherwise behind a record tells nothing.
    pub(crate) fn comes_another_way(&self, block: &[u8], other: &Line, others: &[u8]) -> bool {
        let (own, theirs) = (&self.peeled, &other.peeled);
        let both = own.layers.len().min(theirs.layers.len());
        !(own.is_weak() || theirs.is_weak())
            && both > 0
            && !own.same_outer(
                both,
                (block, &self.decoded),
                theirs,
                (others, &other.decoded),
            )
    }

    /// The column of the message in what is around a journal's short line, to which the journal indents the
    /// message's later lines.
    pub(crate) fn indent_of_message(&self) -> Option<usize> {
        let (journal, outer) = self.peeled.layers.split_last()?;
        let around = match outer.last() {
            Some(layer) => layer.text,
            None if self.of_lines => Place {
                from: self.start as u32,
                ..Place::default()
            },
            None => return None,
        };
        let text = journal.text;
        (journal.kind == "journald-short" && text.decoded == around.decoded)
            .then(|| (text.from - around.from) as usize)
    }

    /// Whether a record certainly starts there, whatever is before it.
    pub(crate) fn starts_anyway(&self) -> bool {
        matches!(self.class, Some(Class::Start(_))) && !self.head.shape.may_go_on()
    }

    /// Whether the line ends a record before it, whatever the record is.
    pub(crate) fn is_boundary(&self) -> bool {
        !matches!(
            self.class,
            Some(Class::Blank | Class::Other | Class::Frame(_) | Class::Journal(_)) | None
        )
    }

    pub(crate) fn read(
        &mut self,
        catalogue: &Catalogue,
        source: Source<'_>,
        start: usize,
        way: &Way,
    ) {
        self.start = start;
        self.scan.clear();
        self.peeled.clear();
        self.decoded.clear();
        self.of_machine = false;
        let block = source.block;
        self.of_lines = source.rows.is_none();
        if let Some(rows) = source.rows {
            self.next = start + 1;
            self.read_row(catalogue, block, rows, start, way);
            return;
        }
        let feed = far(b'\n', &block[start..]);
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
        // A chat's fence may close on the last line itself.
        if end - start > 6
            && block[end - 1] == b'`'
            && block[start..end].ends_with(b"```")
            && block[start] != b'`'
        {
            end -= 3;
        }
        self.peeled.text = Place {
            from: start as u32,
            to: end as u32,
            decoded: false,
        };
        if source.coloured {
            self.clean(block);
        }
        self.classify(catalogue, block, way);
    }

    /// Reads a row of a document: its wrapper is off already.
    fn read_row(
        &mut self,
        catalogue: &Catalogue,
        block: &[u8],
        rows: &Rows,
        index: usize,
        way: &Way,
    ) {
        let row = &rows.rows[index];
        self.scan.clear();
        self.peeled.text = row.text;
        let told = match row.kind {
            RowKind::Frame(what) => Some(Class::Frame(what)),
            RowKind::Broken => Some(Class::Broken),
            RowKind::Text => None,
        };
        if told.is_some() {
            self.class = told;
            return;
        }
        self.peeled.facts.extend_from_slice(rows.facts_of(row));
        self.peeled.layers.push(row.layer);
        self.peeled.partial = u8::from(row.partial);
        self.peeled.omitted = row.omitted;
        if row.omitted {
            self.class = Some(Class::Omitted);
            return;
        }
        self.clean(block);
        self.peeled.layers[0].text = self.peeled.text;
        self.classify(catalogue, block, way);
    }

    /// Moves the text into the line's own buffer without its colours, if it has any.
    #[inline]
    fn clean(&mut self, block: &[u8]) {
        let place = self.peeled.text;
        let from = self.decoded.len();
        let had_some = if place.decoded {
            self.spare.clear();
            let had_some = take_colours_off(place.of(block, &self.decoded), &mut self.spare);
            self.decoded.extend_from_slice(&self.spare);
            had_some
        } else {
            take_colours_off(place.of(block, &[]), &mut self.decoded)
        };
        if !had_some {
            return;
        }
        self.peeled.text = Place {
            from: from as u32,
            to: self.decoded.len() as u32,
            decoded: true,
        };
    }

    /// Puts all of a line's text in the place of the part that its runtime left in it.
    pub(crate) fn complete(&mut self, catalogue: &Catalogue, block: &[u8], joined: &[u8]) {
        let layer = self.peeled.layers[usize::from(self.peeled.partial) - 1];
        self.peeled
            .layers
            .truncate(usize::from(self.peeled.partial));
        self.peeled.facts.truncate(usize::from(layer.facts.1));
        let from = self.decoded.len();
        self.decoded.extend_from_slice(joined);
        self.peeled.text = Place {
            from: from as u32,
            to: self.decoded.len() as u32,
            decoded: true,
        };
        self.classify(catalogue, block, &Way::default());
    }

    /// Finds out what the line is: `class` says it then.
    #[inline(always)]
    fn classify(&mut self, catalogue: &Catalogue, block: &[u8], way: &Way) {
        let place = self.peeled.text;
        let text = place.of(block, &self.decoded);
        // An object may be a wrapper's, however much of a record its payload holds.
        if !object::may_wrap(text) {
            // With nothing around them, as most lines are, they are asked about without a call.
            if self.peeled.layers.is_empty() {
                // A program's lines are alike. Those that only the generic formats know are shown to all others by their
                // first bytes, which say of pairs that nobody else has such.
                if matches!(self.head.shape, Shape::Logfmt(_))
                    && is_plain_pairs(text, catalogue)
                    && self.ask_last(place, catalogue, block)
                {
                    return;
                }
                let text = place.of(block, &self.decoded);
                let (scan, head) = (&mut self.scan, &mut self.head);
                let claim = claim_line(text, place, catalogue, scan, Tier::Specific, head);
                if let Some(class) = claim.class() {
                    let deeper = begins_like_a_collectors(text);
                    self.class = Some(class);
                    if deeper {
                        self.look_deeper(catalogue, block, way);
                    }
                    return;
                }
            } else if !self.is_machines(catalogue, block) && self.is_claimed(catalogue, block, way)
            {
                return;
            }
        }
        if let Some(class) = self.unwrap(catalogue, block, way) {
            self.class = Some(class);
        }
    }

    /// Says whose text it is: `class`, if anybody claims it. A line that begins with a stamp as runtimes and
    /// collectors write them may be taken for one of a program that writes such stamps: if the rest has a stamp
    /// of its own, it is not.
    #[inline(never)]
    fn is_claimed(&mut self, catalogue: &Catalogue, block: &[u8], way: &Way) -> bool {
        let claimed = self.ask_of(self.peeled.text, catalogue, block, Tier::Specific);
        if claimed && begins_like_a_collectors(self.text(block)) {
            self.look_deeper(catalogue, block, way);
        }
        claimed
    }

    /// Whether a record with a stamp of its own starts there.
    fn is_stamped(&self) -> bool {
        matches!(self.class, Some(Class::Start(_))) && self.head.stamp.is_some()
    }

    #[cold]
    fn look_deeper(&mut self, catalogue: &Catalogue, block: &[u8], way: &Way) {
        if !self.is_stamped() {
            return;
        }
        let (class, head) = (self.class, self.head);
        let outside = self.peeled.text;
        let count = self.peeled.layers.len();
        let scan = std::mem::take(&mut self.scan);
        if peel(&mut self.peeled, block, &mut self.decoded, *way) {
            if self.peeled.text.decoded {
                self.clean(block);
            }
            self.peeled.layers[count].text = self.peeled.text;
            if self.is_claimed(catalogue, block, way) && self.is_stamped() {
                return;
            }
            self.peeled.take_back(count, &[outside; MAX_LAYERS]);
        }
        self.scan = scan;
        (self.class, self.head) = (class, head);
    }

    /// Asks those who read lines of any program.
    #[inline(never)]
    fn ask_last(&mut self, place: Place, catalogue: &Catalogue, block: &[u8]) -> bool {
        self.ask_of(place, catalogue, block, Tier::Generic)
    }

    /// Asks whose text it is: `class`, if anybody claims it. A payload may hold several lines: its first says
    /// what starts there, unless it is JSON over several lines.
    #[inline(always)]
    fn ask_of(&mut self, place: Place, catalogue: &Catalogue, block: &[u8], tier: Tier) -> bool {
        let text = place.of(block, &self.decoded);
        let mut first = text;
        if !(self.peeled.layers.is_empty() || self.is_one_line(place))
            && let Some(feed) = memchr(b'\n', text)
        {
            first = &text[..feed];
        }
        let mut claim = Claim::Nobody;
        if first.len() < text.len() && json::begins(text) {
            claim = claim_lines(text, catalogue, &mut self.scan, tier, &mut self.head);
        }
        if matches!(claim, Claim::Nobody) {
            let (scan, head) = (&mut self.scan, &mut self.head);
            claim = claim_line(first, place, catalogue, scan, tier, head);
        }
        let class = claim.class();
        self.class = class.or(self.class);
        class.is_some()
    }

    /// Takes layers off until somebody claims what is left, or nothing comes off. Returns what the line is, unless
    /// who claims it has said so.
    fn unwrap(&mut self, catalogue: &Catalogue, block: &[u8], way: &Way) -> Option<Class> {
        // The texts outside each layer: weak layers go back if nobody claims what is in them.
        let mut outside = [Place::default(); MAX_LAYERS];
        loop {
            let count = self.peeled.layers.len();
            let before = self.peeled.text;
            if self.is_machines(catalogue, block) {
                break;
            }
            if !peel(&mut self.peeled, block, &mut self.decoded, *way) {
                // A program's own object, though it begins like a shipper's.
                if object::may_wrap(self.text(block)) && self.is_claimed(catalogue, block, way) {
                    return None;
                }
                break;
            }
            outside[count] = before;
            if self.peeled.omitted {
                return Some(Class::Omitted);
            }
            if self.peeled.text.decoded {
                self.clean(block);
            }
            self.peeled.layers[count].text = self.peeled.text;
            if object::may_wrap(self.text(block)) || self.is_machines(catalogue, block) {
                continue;
            }
            if self.is_claimed(catalogue, block, way) {
                return None;
            }
        }
        let journal = self.journal(catalogue, block);
        let weak = self.peeled.layers.iter().position(|layer| layer.weak);
        if let Some(weak) = weak {
            // Formats of any program are asked last, of what is inside each layer first.
            if catalogue.has_generic {
                for depth in weak + 1..=self.peeled.layers.len() {
                    // What a strong layer is around is a wrapper's.
                    let inner = self.peeled.layers.get(depth);
                    if inner.is_some_and(|layer| !layer.weak) {
                        continue;
                    }
                    let text = self.peeled.layers[depth - 1].text;
                    if self.ask_last(text, catalogue, block) {
                        self.peeled.take_back(depth, &outside);
                        self.of_machine = journal.is_some_and(|journal| journal <= depth);
                        return None;
                    }
                }
            }
            // A journal inside shows that they are right.
            if !way.follows && journal.is_none_or(|depth| depth <= weak) {
                self.peeled.take_back(weak, &outside);
            }
        }
        // What follows a record may look as if it were wrapped once more; but what starts one always does.
        if let Some(count) = way.after.map(usize::from)
            && count < self.peeled.layers.len()
        {
            if self.says_something(block) {
                if self.ask_any(catalogue, block, journal.is_some()) {
                    return None;
                }
                if let Some(depth) = journal.filter(|depth| *depth > count && weak.is_none()) {
                    return Some(self.take_journals(catalogue, depth, &outside));
                }
            }
            self.peeled.take_back(count, &outside);
        }
        let journal = journal.filter(|depth| *depth <= self.peeled.layers.len());
        let text = self.text(block);
        if text.trim_ascii().is_empty() {
            return Some(Class::Blank);
        }
        if let Some(what) = wrapper::framing(text) {
            return Some(Class::Frame(what));
        }
        if self.ask_any(catalogue, block, journal.is_some()) {
            return None;
        }
        Some(match journal {
            Some(depth) => self.take_journals(catalogue, depth, &outside),
            None => Class::Other,
        })
    }

    /// Takes all that the journal at this depth kept as one program's words, wrapped or not.
    fn take_journals(
        &mut self,
        catalogue: &Catalogue,
        depth: usize,
        outside: &[Place; MAX_LAYERS],
    ) -> Class {
        let Some(writers) = &catalogue.writers else {
            return Class::Other;
        };
        self.peeled.take_back(depth, outside);
        self.head = Head::bare(Shape::Journal, None);
        self.of_machine = true;
        Class::Journal(writers.format)
    }

    /// Whether the text is neither blank nor a marker.
    fn says_something(&self, block: &[u8]) -> bool {
        let text = self.text(block);
        !text.trim_ascii().is_empty() && wrapper::framing(text).is_none()
    }

    /// Asks the formats of any program.
    fn ask_any(&mut self, catalogue: &Catalogue, block: &[u8], of_machine: bool) -> bool {
        let claimed = catalogue.has_generic && self.ask_last(self.peeled.text, catalogue, block);
        self.of_machine = claimed && of_machine;
        claimed
    }

    /// Whether the innermost layer is a journal's and names a program of the machine: what that wrote is not a
    /// client's, however much it looks like it (docker's daemon writes as Prysm does).
    #[inline]
    fn is_machines(&self, catalogue: &Catalogue, block: &[u8]) -> bool {
        let (Some(layer), Some(writers)) = (self.peeled.layers.last(), &catalogue.writers) else {
            return false;
        };
        writers.is_machines(&self.told(layer, block))
    }

    /// How many layers there are up to the innermost journal that says of a program that it is none of a client.
    fn journal(&self, catalogue: &Catalogue, block: &[u8]) -> Option<usize> {
        let writers = catalogue.writers.as_ref()?;
        let mut layers = self.peeled.layers.iter();
        let at = layers.rposition(|layer| is_journal(layer.kind))?;
        let layer = &self.peeled.layers[at];
        writers
            .is_no_clients(&self.told(layer, block))
            .then_some(at + 1)
    }

    fn told<'t>(&'t self, layer: &'t Layer, block: &'t [u8]) -> Told<'t> {
        Told {
            peeled: &self.peeled,
            layer,
            block,
            decoded: &self.decoded,
        }
    }
}

/// Whether nobody but the generic formats may claim a text with nothing around it, since it is pairs. What they then say
/// is what [`Line::unwrap`] would come to.
fn is_plain_pairs(text: &[u8], catalogue: &Catalogue) -> bool {
    logfmt::begins(text) && !wrapper::may_be_around_pairs(text) && !catalogue.may_be_specific(text)
}

/// Says whose a line is, the first one of what stands at `place`.
#[inline(always)]
fn claim_line(
    line: &[u8],
    place: Place,
    catalogue: &Catalogue,
    scan: &mut Scan,
    tier: Tier,
    head: &mut Head,
) -> Claim {
    // Who is asked last finds what was found before.
    let of = (place.from, place.from + line.len() as u32, place.decoded);
    if scan.of != Some(of) || scan.state == State::NoObject {
        catalogue.scan(line, scan, tier);
        scan.of = Some(of);
    }
    catalogue.claim(line, scan, tier, head)
}

impl Claim {
    /// What a line is that is claimed so.
    #[inline(always)]
    fn class(self) -> Option<Class> {
        match self {
            Claim::One(format) => Some(Class::Start(format)),
            Claim::Several => Some(Class::Ambiguous),
            Claim::Nobody => None,
        }
    }
}

/// Says whose the lines of a payload are together.
#[cold]
fn claim_lines(
    text: &[u8],
    catalogue: &Catalogue,
    scan: &mut Scan,
    tier: Tier,
    head: &mut Head,
) -> Claim {
    catalogue.scan(text, scan, tier);
    catalogue.claim(text, scan, tier, head)
}

/// Whether a text begins with `2024-01-02T03:04:05` and no fraction, or one of nine digits.
#[inline]
fn begins_like_a_collectors(text: &[u8]) -> bool {
    let zone = |at: usize| matches!(text.get(at), Some(b'Z' | b'+' | b'-'));
    text.get(10) == Some(&b'T') && (zone(19) || (text.get(19) == Some(&b'.') && zone(29)))
}
