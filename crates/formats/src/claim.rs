//! Whose line it is, where several formats could have written it.

use crate::catalogue::{Catalogue, Compiled, is_panic};
use crate::engine::json::{self, Found, Scan, State, Syntax, logfmt};
use crate::engine::regex::RegexSpec;
use crate::engine::{self, Head, Shape, tracing};
use crate::scan::trim_end;
use crate::table::Table;
use crate::targets::Beginnings;
use crate::words::end_bit;

/// Names that a program alone has: whole ones, and beginnings.
#[derive(Debug, Default)]
pub(crate) struct Names {
    whole: Table<()>,
    /// A quick no for both: most names are another program's.
    ends: u64,
    beginnings: Beginnings<()>,
    starts: u64,
}

impl Names {
    pub(crate) fn new(names: &[String]) -> Names {
        let mut all = Names::default();
        for name in names {
            match name.strip_suffix('*') {
                // What every name begins with tells nothing.
                Some("") => {}
                Some(beginning) => {
                    all.starts |= end_bit(&beginning.as_bytes()[..1]);
                    all.beginnings.add(beginning.as_bytes(), ());
                }
                None => {
                    all.ends |= end_bit(name.as_bytes());
                    all.whole.add(name.as_bytes(), ());
                }
            }
        }
        all
    }

    #[inline]
    pub(crate) fn have(&self, name: &[u8]) -> bool {
        let Some(first) = name.get(..1) else {
            return false;
        };
        (end_bit(first) & self.starts != 0 && self.beginnings.of(name).next().is_some())
            || (end_bit(name) & self.ends != 0 && self.whole.get(name).is_some())
    }
}

/// By what right a format claims a line, the weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Right {
    /// The line's shape.
    Shape,
    /// A message of its catalogue.
    Message,
    /// A thread that it alone has.
    Thread,
    /// A logger that it alone has.
    Logger,
}

/// Whose line it is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Claim {
    Nobody,
    /// The index of the format.
    One(u16),
    /// Two formats with equal right.
    Several,
}

/// One that claims a line.
#[derive(Clone, Copy)]
struct Claimant {
    right: Right,
    breadth: u32,
    format: u16,
    /// Whether another claims it with equal right.
    several: bool,
}

impl Claimant {
    /// Takes the place of `best`, which it says, shares it, or leaves it. Two shapes of one format: the first is
    /// as good.
    #[inline]
    fn contend(self, best: &mut Claimant) -> bool {
        match (best.right, self.breadth).cmp(&(self.right, best.breadth)) {
            std::cmp::Ordering::Less => {
                *best = self;
                return true;
            }
            std::cmp::Ordering::Equal => best.several |= best.format != self.format,
            std::cmp::Ordering::Greater => {}
        }
        false
    }
}

/// The best of those who claim a line so far: by their right, then the most specific.
pub(crate) struct Best<'h> {
    best: Option<Claimant>,
    /// The head that it sees. It is written to its place at once: heads are large, and most often there is one.
    head: &'h mut Head,
    /// Of those who claim it by its shape alone, once somebody has a better right.
    plain: Option<(Claimant, Head)>,
}

impl<'h> Best<'h> {
    /// Begins with nobody; `head` becomes that of the best.
    #[inline]
    pub(crate) fn new(head: &'h mut Head) -> Best<'h> {
        Best {
            best: None,
            head,
            plain: None,
        }
    }

    #[inline]
    pub(crate) fn offer(&mut self, right: Right, breadth: u32, format: u16, head: &Head) {
        let claimant = Claimant {
            right,
            // Among those who show something of their own, being narrow is no better right.
            breadth: if right == Right::Shape { breadth } else { 0 },
            format,
            several: false,
        };
        let Some(best) = &mut self.best else {
            self.best = Some(claimant);
            *self.head = *head;
            return;
        };
        if right == Right::Shape && best.right > Right::Shape {
            match &mut self.plain {
                Some((plain, its)) => {
                    if claimant.contend(plain) {
                        *its = *head;
                    }
                }
                None => self.plain = Some((claimant, *head)),
            }
            return;
        }
        if right > Right::Shape && best.right == Right::Shape {
            self.plain = Some((*best, *self.head));
        }
        if claimant.contend(best) {
            *self.head = *head;
        }
    }

    /// Where two have the same right by something of their own, the line shows both: then it is of a format
    /// that claims by shape alone, if there is one. Such a line is nobody's and goes with its process.
    #[inline]
    pub(crate) fn claim(&mut self) -> Claim {
        let Some(mut best) = self.best else {
            return Claim::Nobody;
        };
        if best.several && best.right > Right::Shape {
            // So rare that it is done only then.
            if let Some((plain, head)) = &self.plain {
                best = *plain;
                *self.head = *head;
            }
        }
        // Panics are claimed by their whole text, later.
        if best.several && !is_panic(self.head) {
            return Claim::Several;
        }
        Claim::One(best.format)
    }
}

/// Who is asked about a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tier {
    /// Formats of certain programs, and users' own.
    Specific,
    /// Formats that read lines of any program: only about what nobody claims and nothing wraps. A
    /// collector's JSON is a wrapper before it is a record.
    Generic,
}

impl Compiled {
    /// By what right the format claims a line with this head; `None` if it doesn't, or only by its message
    /// (see [`Compiled::claims_message`]). What takes more than a look is a function of its own: inlined, loops over
    /// formats would work out for every line what only some need.
    #[inline(always)]
    fn claims(&self, head: &Head, line: &[u8]) -> Option<Right> {
        let definition = &self.definition;
        match head.shape {
            Shape::TracingText => self.claims_tracing(head, line).then_some(Right::Shape),
            Shape::Slog | Shape::SlogTracing | Shape::Bracketed => {
                self.claims_module(head, line).then_some(Right::Shape)
            }
            Shape::Log4jFile | Shape::Log4jStatus
                if !(definition.threads.is_empty() && definition.loggers.is_empty()) =>
            {
                self.claims_log4j(head, line)
            }
            _ => Some(Right::Shape),
        }
    }

    /// By what right the format, one of those that share log4j's file form, claims a line by its logger or thread.
    #[inline(never)]
    fn claims_log4j(&self, head: &Head, line: &[u8]) -> Option<Right> {
        let range = |(from, to): (u32, u32)| &line[from as usize..to as usize];
        if self.loggers.have(range(head.component)) {
            return Some(Right::Logger);
        }
        let threads = &self.threads;
        threads.have(range(head.spans)).then_some(Right::Thread)
    }

    /// Whether a line names no module, or one of the format's own.
    #[inline(never)]
    fn claims_module(&self, head: &Head, line: &[u8]) -> bool {
        let (from, to) = head.component;
        let module = &line[from as usize..to as usize];
        let modules = &self.definition.modules;
        module.is_empty() || modules.is_empty() || engine::is_own_target(modules, module)
    }

    /// Whether a tracing target is the format's own. Text without one (a definition allows it by the empty
    /// target) is its own if it knows the message: any program may print so.
    #[inline(never)]
    fn claims_tracing(&self, head: &Head, line: &[u8]) -> bool {
        self.claims_target(head, line)
            && (head.component.0 < head.component.1
                || self.definition.targets.is_empty()
                || self.knows(tracing::likely_message(line, head.body as usize)))
    }

    /// By what right the format claims an object of one of its dialects: programs that share layouts with
    /// others only by loggers and messages of their own.
    #[inline]
    fn claims_object(&self, found: &Found, line: &[u8], scan: &Scan) -> Option<Right> {
        if self.definition.loggers.is_empty() {
            return Some(Right::Shape);
        }
        let logger = found.component(line, scan).unwrap_or_default();
        if self.loggers.have(logger) {
            return Some(Right::Logger);
        }
        let message = found.message(line, scan).unwrap_or_default();
        self.knows(trim_end(message)).then_some(Right::Message)
    }

    /// Whether the format, one of those that share log4j's file form, knows the message of the line.
    fn claims_message(&self, head: &Head, line: &[u8]) -> bool {
        let definition = &self.definition;
        matches!(head.shape, Shape::Log4jFile | Shape::Log4jStatus)
            && !(definition.threads.is_empty() && definition.loggers.is_empty())
            && self.knows(trim_end(&line[head.body as usize..]))
    }

    fn claims_target(&self, head: &Head, line: &[u8]) -> bool {
        let (from, to) = head.component;
        self.definition.targets.is_empty() || self.targets.have(&line[from as usize..to as usize])
    }
}

impl Catalogue {
    /// Reads a line's keys and values, if it has such and somebody of the tier asks for them.
    #[inline(always)]
    pub(crate) fn scan(&self, line: &[u8], scan: &mut Scan, tier: Tier) {
        scan.clear();
        if json::begins(line) {
            scan.read(line, &self.keys);
        } else if self.asks_for_logfmt(tier) && logfmt::may_begin(line) {
            scan.read_logfmt(line, &self.keys);
        }
        self.settle(scan);
    }

    /// Finds out which dialects may be those of a line that was read.
    #[inline]
    pub(crate) fn settle(&self, scan: &mut Scan) {
        scan.settle(|syntax, tier| {
            let asked = self.asked(syntax, tier).iter();
            asked.map(|number| (*number, &self.dialects[usize::from(*number)]))
        });
    }

    /// Whether anybody who is asked before the generic formats may know a line of pairs.
    #[inline]
    pub(crate) fn may_be_specific(&self, line: &[u8]) -> bool {
        engine::knows_pairs(line)
            || self.printed.may_be(line)
            || !self.regexes.is_empty()
            || self.asks_for_logfmt(Tier::Specific)
    }

    #[inline]
    fn asks_for_logfmt(&self, tier: Tier) -> bool {
        !self.asked(Syntax::Logfmt, tier).is_empty()
    }

    /// Says whose line it is, unwrapped: of all in the tier that claim it the one with the best right, of
    /// those the most specific. `scan` is what [`Catalogue::scan`] found; `head` becomes the line's head.
    #[inline(always)]
    pub(crate) fn claim(&self, line: &[u8], scan: &Scan, tier: Tier, head: &mut Head) -> Claim {
        let mut best = Best::new(head);
        self.offers(line, scan, tier, |right, breadth, format, head| {
            best.offer(right, breadth, format, head);
        });
        best.claim()
    }

    /// Calls `offer` with right, breadth, format and head for everybody in the tier who claims the line, but for
    /// those who stand behind another in any case.
    #[inline]
    pub(crate) fn offers(
        &self,
        line: &[u8],
        scan: &Scan,
        tier: Tier,
        mut offer: impl FnMut(Right, u32, u16, &Head),
    ) {
        let generic = tier == Tier::Generic;
        let breadth = |format: u16| self.breadth.get(usize::from(format)).copied().unwrap_or(0);
        let mut recognised = false;
        let asks_for_text = match scan.state {
            State::Pairs => self.generic_pairs,
            _ => self.generic_text,
        };
        if !generic || asks_for_text {
            engine::recognise(line, |head| {
                recognised = true;
                self.offer_text(line, head, tier, &mut offer)
            });
        }
        if !recognised && scan.state == State::NoObject && self.printed.may_be(line) {
            for (format, head) in self.printed.claim(&self.compiled, line) {
                if self.compiled[usize::from(format)].definition.generic == generic {
                    offer(Right::Shape, breadth(format), format, &head);
                }
            }
        }
        // Most lines are text, and users' own expressions are few.
        if scan.syntax().is_none() && self.regexes.is_empty() {
            return;
        }
        // Of a format's dialects the first that fits is taken.
        let mut offered = None;
        let (fits, stamps) = scan.fits(tier);
        for fit in fits {
            let dialect = &self.dialects[usize::from(fit.dialect)];
            let format = dialect.format;
            if offered == Some(format) {
                continue;
            }
            let mut head = Head::bare(dialect.shape(fit.dialect), None);
            let stamp = &mut head.stamp;
            let Some(found) = dialect.fits(&fit.roles, stamps, line, scan, stamp) else {
                continue;
            };
            let compiled = &self.compiled[usize::from(format)];
            let Some(right) = compiled.claims_object(&found, line, scan) else {
                continue;
            };
            offered = Some(format);
            scan.found.set(Some((fit.dialect, found)));
            offer(right, breadth(format), format, &head);
        }
        for (number, (format, _)) in self.regexes.iter().enumerate() {
            if self.compiled[usize::from(*format)].definition.generic == generic
                && let Some(stamp) = self.regex(number as u16).recognise(line)
            {
                let head = Head::bare(Shape::Regex(number as u16), stamp);
                offer(Right::Shape, breadth(*format), *format, &head);
            }
        }
    }

    /// Offers those of an engine's formats who claim a line with this head. Returns whether one of them leaves
    /// nothing to the engine's rival.
    #[inline]
    fn offer_text(
        &self,
        line: &[u8],
        head: &Head,
        tier: Tier,
        offer: &mut impl FnMut(Right, u32, u16, &Head),
    ) -> bool {
        let breadth = |format: u16| self.breadth.get(usize::from(format)).copied().unwrap_or(0);
        let formats = &self.by_engine[head.shape.engine() as usize][tier as usize];
        // Most engines have one format, and its lines are known by their shape.
        if let [only] = formats[..]
            && !head.shape.is_shared()
        {
            offer(Right::Shape, breadth(only), only, head);
            return false;
        }
        let mut owned = false;
        let mut settles = false;
        for &index in formats {
            let compiled = &self.compiled[usize::from(index)];
            if let Some(right) = compiled.claims(head, line) {
                owned |= right > Right::Shape;
                settles |= self.settles.get(usize::from(index)) == Some(&true);
                offer(right, breadth(index), index, head);
            }
        }
        if owned || !matches!(head.shape, Shape::Log4jFile | Shape::Log4jStatus) {
            return settles && engine::shows_no_target(line, head);
        }
        for &index in formats {
            let compiled = &self.compiled[usize::from(index)];
            if compiled.claims_message(head, line) {
                offer(Right::Message, breadth(index), index, head);
            }
        }
        false
    }

    /// A user's expression by its number.
    pub(crate) fn regex(&self, number: u16) -> &RegexSpec {
        let (format, own) = self.regexes[usize::from(number)];
        &self.compiled[usize::from(format)].definition.regexes[usize::from(own)]
    }

    /// Says which format a panic with this text belongs to: the one whose marks stand in it most often,
    /// of equals the one whose mark comes first (libraries of one client are built into others).
    pub(crate) fn panic_owner(&self, head: &Head, text: &[u8]) -> Option<u16> {
        let owners = self.by_engine[head.shape.engine() as usize]
            .iter()
            .flatten();
        let ranked = owners.filter_map(|index| {
            let marks = &self.compiled[usize::from(*index)].definition.panics;
            let mut count = 0usize;
            let mut first = text.len();
            for mark in marks {
                let mut found = memchr::memmem::find_iter(text, mark.as_bytes());
                if let Some(at) = found.next() {
                    first = first.min(at);
                    count += 1 + found.count();
                }
            }
            (count > 0).then_some((std::cmp::Reverse(count), first, *index))
        });
        ranked.min().map(|(_, _, index)| index)
    }
}
