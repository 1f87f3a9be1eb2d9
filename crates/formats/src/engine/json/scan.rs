//! One pass over a line of JSON: the members of its object and of the objects right in it.
//!
//! Whoever wants something of the line (each dialect, the record's body, the reason of a reject) reads
//! it from a [`Scan`]; nobody goes over the text again. Strings without escapes are ranges of the
//! line, others are decoded into an arena. The work is linear and the memory bounded, whatever the
//! bytes: 64 levels, [`MEMBERS_MAX`] members.
//!
//! Strings of the outermost object may hold what strict readers refuse (bare tabs, broken UTF-8),
//! since they come out as text; anything deeper must be strict, since it goes into other JSON as it is.

use super::dialect::{Dialect, Found, Stamped, Syntax};
use super::keys::{Keys, NO_KEY};
use super::logfmt::Words;
use super::outline::{Fit, Outline, Outlines, Trait};
use super::tokens::{blanks, escape, number, plain_run, word};
use crate::claim::Tier;
use crate::lanes::{Lane, WIDTH};
use crate::words::near2;
use memchr::memchr;
use std::cell::Cell;

/// An object with more members than this is data, not a line of a log.
pub(crate) const MEMBERS_MAX: usize = 4096;

/// The most brackets that may be open at once.
const DEPTH_MAX: u32 = 64;

/// No parent: a member of the outermost object.
pub(crate) const TOP: u32 = u32::MAX;

/// A stretch of the line, or of the arena.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Part {
    /// With [`ARENA`] if it is one of the arena.
    from: u32,
    to: u32,
}

/// Marks a place in the arena; no text is so long that one of its own has this bit.
const ARENA: u32 = 1 << 31;

impl Part {
    #[inline(always)]
    fn of_line(from: usize, to: usize) -> Part {
        Part {
            from: from as u32,
            to: to as u32,
        }
    }
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Number,
    /// `true`, `false`, `null`.
    Word,
    Object,
    Array,
}

impl Kind {
    /// By their numbers.
    pub(super) const ALL: [Kind; 5] = [
        Kind::Text,
        Kind::Number,
        Kind::Word,
        Kind::Object,
        Kind::Array,
    ];
}

/// A member of the outermost object, or of an object right in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member {
    key: Part,
    value: Part,
    /// The key's number among those that dialects ask for.
    pub(crate) id: u16,
    pub(crate) kind: Kind,
    /// The member whose object this one is in, or [`TOP`].
    pub(crate) parent: u32,
}

/// What a line turned out to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum State {
    /// It doesn't begin like an object.
    #[default]
    NoObject,
    /// It begins like one but is not valid, or too deep.
    Broken,
    /// One whole object, but too large to be a line of a log.
    TooLarge,
    /// One whole object; it begins at this offset.
    Object(u32),
    /// Pairs of logfmt, see [`super::logfmt`].
    Pairs,
}

/// The members of a line's object; reused from line to line.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    pub(crate) state: State,
    pub(crate) members: Vec<Member>,
    outline: Outline,
    outlines: Outlines,
    pub(super) words: Words,
    /// Which text this is of, in the reader's own words: the same text needs no second pass.
    pub(crate) of: Option<(u32, u32, bool)>,
    /// The number of the dialect that was found last, and what it found.
    pub(crate) found: Cell<Option<(u16, Found)>>,
    arena: Vec<u8>,
}

impl Scan {
    /// Finds out which dialects the line may be of: `asked` gives those that are asked in a tier.
    #[inline]
    pub(crate) fn settle<'d, D>(&mut self, asked: impl Fn(Syntax, Tier) -> D)
    where
        D: Iterator<Item = (u16, &'d Dialect)>,
    {
        if let Some(syntax) = self.syntax() {
            let asked = |tier| asked(syntax, tier);
            self.outlines.find(&mut self.outline, syntax, asked);
        }
    }

    /// The dialects of a tier that the line may be of, and where they look for a time; see [`Scan::settle`].
    #[inline]
    pub(crate) fn fits(&self, tier: Tier) -> (&[Fit], &[Stamped]) {
        match self.syntax() {
            Some(_) => self.outlines.fits(tier),
            None => (&[], &[]),
        }
    }

    /// What the dialect with this number finds in the line; `None` if the line is not of it.
    #[inline(always)]
    pub(crate) fn found_by(&self, number: u16, dialect: &Dialect, line: &[u8]) -> Option<Found> {
        match self.found.get() {
            Some((last, found)) if last == number => Some(found),
            _ => self.find_by(number, dialect, line),
        }
    }

    #[inline(never)]
    fn find_by(&self, number: u16, dialect: &Dialect, line: &[u8]) -> Option<Found> {
        [Tier::Specific, Tier::Generic]
            .into_iter()
            .find_map(|tier| {
                let (fits, stamps) = self.fits(tier);
                let fit = fits.iter().find(|fit| fit.dialect == number)?;
                dialect.fits(&fit.roles, stamps, line, self, &mut None)
            })
    }

    /// What the line is read as, if it is an object or pairs.
    #[inline]
    pub(crate) fn syntax(&self) -> Option<Syntax> {
        match self.state {
            State::Object(_) => Some(Syntax::Json),
            State::Pairs => Some(Syntax::Logfmt),
            _ => None,
        }
    }

    /// The number of the key of the object that a member is in, [`NO_KEY`] for the outermost. Nobody asks for what
    /// is in an object that nobody asks for.
    #[inline]
    pub(crate) fn parent_id(&self, member: &Member) -> u16 {
        match self.members.get(member.parent as usize) {
            None => NO_KEY,
            Some(parent) if parent.id == NO_KEY => u16::MAX,
            Some(parent) => parent.id,
        }
    }

    /// Forgets the last line.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.state = State::NoObject;
        self.of = None;
    }

    /// The key of a member, decoded.
    #[inline]
    pub(crate) fn key<'a>(&'a self, line: &'a [u8], member: &Member) -> &'a [u8] {
        self.part(line, member.key)
    }

    /// The value of a member: a string decoded, anything else as written.
    #[inline]
    pub(crate) fn value<'a>(&'a self, line: &'a [u8], member: &Member) -> &'a [u8] {
        self.part(line, member.value)
    }

    #[inline]
    fn part<'a>(&'a self, line: &'a [u8], part: Part) -> &'a [u8] {
        if part.from & ARENA == 0 {
            &line[part.from as usize..part.to as usize]
        } else {
            &self.arena[(part.from ^ ARENA) as usize..part.to as usize]
        }
    }

    /// Reads a line that may be indented; whatever stands around the object makes it broken.
    pub(crate) fn read(&mut self, line: &[u8], keys: &Keys) {
        let at = blanks(line, 0);
        self.restart();
        if line.get(at) != Some(&b'{') {
            return;
        }
        self.state = match self.bracket(line, at, Some(keys)) {
            Some(end) if blanks(line, end) == line.len() => {
                return self.finish(State::Object(at as u32));
            }
            // `{ word` is text in braces, not broken JSON.
            _ if line.get(at + 1) == Some(&b'"') => State::Broken,
            _ => State::NoObject,
        };
    }

    /// Forgets the last line and its members.
    pub(super) fn restart(&mut self) {
        self.state = State::NoObject;
        self.found.set(None);
        self.members.clear();
        self.arena.clear();
        self.outline.clear();
    }

    /// Says what the line was, unless it has too much in it.
    pub(super) fn finish(&mut self, state: State) {
        self.state = if self.members.len() < MEMBERS_MAX {
            state
        } else {
            State::TooLarge
        };
    }

    /// Takes in `key=value`, whose key has the number `id`; escapes are decoded where they are known ones.
    #[inline(always)]
    pub(super) fn pair(
        &mut self,
        line: &[u8],
        key: (usize, usize),
        id: u16,
        value: (usize, usize),
        escaped: bool,
    ) {
        let mut member = Member {
            key: Part::of_line(key.0, key.1),
            value: Part::of_line(value.0, value.1),
            id,
            kind: Kind::Text,
            parent: TOP,
        };
        if escaped {
            member.value = self.decoded(&line[value.0..value.1]);
        }
        self.push(member);
    }

    /// Decodes a value of a pair into the arena.
    #[inline(never)]
    fn decoded(&mut self, mut rest: &[u8]) -> Part {
        let start = self.arena.len();
        let mut coloured = false;
        while let Some(slash) = memchr(b'\\', rest) {
            self.arena.extend_from_slice(&rest[..slash]);
            let before = self.arena.len();
            let (length, ok) = escape(&rest[slash..], &mut self.arena);
            coloured |= self.arena.get(before) == Some(&0x1b);
            let length = if ok { length } else { 1 };
            if !ok {
                self.arena.push(b'\\');
            }
            rest = &rest[slash + length..];
        }
        self.arena.extend_from_slice(rest);
        if coloured {
            self.clean(start);
        }
        self.decoded_from(start)
    }

    /// What was decoded from `start` on.
    fn decoded_from(&self, start: usize) -> Part {
        Part {
            from: start as u32 | ARENA,
            to: self.arena.len() as u32,
        }
    }

    #[inline(always)]
    fn push(&mut self, member: Member) {
        let at = self.members.len();
        if at < MEMBERS_MAX {
            if member.id != NO_KEY {
                self.outline.add(Trait {
                    at: at as u32,
                    kind: member.kind,
                    parent: self.parent_id(&member),
                    id: member.id,
                });
            }
            self.members.push(member);
        }
    }

    /// Reads the object or list at `at`; returns the offset after it. Without keys nothing is kept,
    /// and all of it must be strict.
    fn bracket(&mut self, line: &[u8], at: usize, keys: Option<&Keys>) -> Option<usize> {
        // A stack of open brackets as bits: 1 is an object.
        let (mut stack, mut depth) = (u64::from(line[at] == b'{'), 1u32);
        // The open members at depth 1 and 2, and the one whose object's members are wanted.
        let mut open = [usize::MAX; 2];
        let mut parent = TOP;
        let mut at = blanks(line, at + 1);
        if line.get(at) == Some(if stack == 1 { &b'}' } else { &b']' }) {
            return Some(at + 1);
        }
        loop {
            // A member or an element begins here.
            let wanted = keys.is_some() && (depth == 1 || (depth == 2 && parent != TOP));
            let strict = depth > 1 || keys.is_none();
            let mut key = Part::default();
            let mut id = NO_KEY;
            if stack & 1 == 1 {
                if line.get(at) != Some(&b'"') {
                    return None;
                }
                (key, at) = self.string(line, at, strict, wanted)?;
                if let Some(keys) = keys
                    && wanted
                {
                    id = match key.from & ARENA {
                        0 => keys.id_within(line, key.from as usize, key.to as usize),
                        _ => keys.id(self.part(line, key)),
                    };
                }
                at = blanks(line, at);
                if line.get(at) != Some(&b':') {
                    return None;
                }
                at = blanks(line, at + 1);
            }
            let mut member = Member {
                key,
                value: Part::of_line(at, at),
                id,
                kind: Kind::Text,
                parent: if depth == 1 { TOP } else { parent },
            };
            let mut opened = false;
            match *line.get(at)? {
                b'"' => (member.value, at) = self.string(line, at, strict, wanted)?,
                bracket @ (b'{' | b'[') => {
                    if depth == DEPTH_MAX {
                        return None;
                    }
                    let object = bracket == b'{';
                    member.kind = if object { Kind::Object } else { Kind::Array };
                    if depth <= 2 {
                        open[depth as usize - 1] = if wanted {
                            self.members.len()
                        } else {
                            usize::MAX
                        };
                    }
                    if depth == 1 {
                        parent = if object {
                            self.members.len() as u32
                        } else {
                            TOP
                        };
                    }
                    stack = (stack << 1) | u64::from(object);
                    depth += 1;
                    at = blanks(line, at + 1);
                    opened = line.get(at) != Some(if object { &b'}' } else { &b']' });
                }
                b't' | b'f' | b'n' => {
                    member.kind = Kind::Word;
                    at = word(line, at)?;
                }
                _ => {
                    member.kind = Kind::Number;
                    at = number(line, at)?;
                }
            }
            if wanted {
                if matches!(member.kind, Kind::Number | Kind::Word) {
                    member.value.to = at as u32;
                }
                self.push(member);
            }
            if opened {
                continue;
            }
            // A value has ended here, or an empty bracket is about to.
            loop {
                at = blanks(line, at);
                match line.get(at)? {
                    b',' => {
                        at = blanks(line, at + 1);
                        break;
                    }
                    b'}' if stack & 1 == 1 => {}
                    b']' if stack & 1 == 0 => {}
                    _ => return None,
                }
                at += 1;
                stack >>= 1;
                depth -= 1;
                match depth {
                    0 => return Some(at),
                    1 | 2 => {
                        if let Some(member) = self.members.get_mut(open[depth as usize - 1]) {
                            member.value.to = at as u32;
                        }
                        if depth == 1 {
                            parent = TOP;
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    /// Takes colour sequences out of the text decoded last: programs that colour their text go on doing so
    /// when they write JSON.
    #[cold]
    fn clean(&mut self, start: usize) {
        let text = self.arena.split_off(start);
        crate::colours::strip_colours(&text, &mut self.arena);
    }

    /// Reads the string whose opening quote is at `at`; returns its content and the offset after it.
    /// What isn't `wanted` is checked only.
    #[inline(always)]
    fn string(
        &mut self,
        line: &[u8],
        at: usize,
        strict: bool,
        wanted: bool,
    ) -> Option<(Part, usize)> {
        let from = at + 1;
        // Most strings are short and have no escapes: they end in a lane, or right behind it.
        let lane = Lane::of(&line[from..]);
        let marks = lane.is(b'"').or(lane.is(b'\\')).marks() | 1 << WIDTH;
        let end = from + marks.trailing_zeros() as usize;
        if !strict && line.get(end) == Some(&b'"') {
            return Some((Part::of_line(from, end), end + 1));
        }
        self.any_string(line, from, strict, wanted)
    }

    /// Reads any string whose content begins at `from`.
    #[inline(never)]
    fn any_string(
        &mut self,
        line: &[u8],
        from: usize,
        strict: bool,
        wanted: bool,
    ) -> Option<(Part, usize)> {
        let end = if strict {
            let run = plain_run(line, from)?;
            run.is_strict(line, from).then_some(run.end)?
        } else {
            from + near2(b'"', b'\\', &line[from..])?
        };
        if line[end] != b'"' {
            return self.escaped(line, (from, end), strict, wanted);
        }
        Some((Part::of_line(from, end), end + 1))
    }

    /// Reads the same whose first backslash stands behind a stretch that is as it should be.
    #[inline(never)]
    fn escaped(
        &mut self,
        line: &[u8],
        (mut from, mut end): (usize, usize),
        strict: bool,
        wanted: bool,
    ) -> Option<(Part, usize)> {
        let start = self.arena.len();
        let mut coloured = false;
        loop {
            if wanted {
                self.arena.extend_from_slice(&line[from..end]);
            }
            if line[end] == b'"' {
                break;
            }
            let before = self.arena.len();
            let (length, ok) = escape(&line[end..], &mut self.arena);
            if !ok {
                return None;
            }
            coloured |= self.arena.get(before) == Some(&0x1b);
            if !wanted {
                self.arena.truncate(before);
            }
            from = end + length;
            let run = plain_run(line, from)?;
            if strict && !run.is_strict(line, from) {
                return None;
            }
            end = run.end;
        }
        if coloured {
            self.clean(start);
        }
        Some((self.decoded_from(start), end + 1))
    }
}

/// The end of a valid JSON value at `at`, strict throughout: it may go into other JSON as it is.
pub(crate) fn token(line: &[u8], at: usize) -> Option<usize> {
    match line.get(at)? {
        b'{' | b'[' => Scan::default().bracket(line, at, None),
        b'"' => Some(Scan::default().string(line, at, true, false)?.1),
        _ => word(line, at).or_else(|| number(line, at)),
    }
}
