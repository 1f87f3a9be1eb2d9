//! One pass over a line of JSON: the members of its object and of the objects right in it.
//!
//! Whoever wants something of the line (each dialect, the record's body, the reason of a reject) reads
//! it from a [`Scan`]; nobody goes over the text again. Strings without escapes are ranges of the
//! line, others are decoded into an arena. The work is linear and the memory bounded, whatever the
//! bytes: 64 levels, [`MEMBERS_MAX`] members.
//!
//! Strings of the outermost object may hold what strict readers refuse (bare tabs, broken UTF-8),
//! since they come out as text; anything deeper must be strict, since it goes into other JSON as it is.

use super::dialect::Found;
use super::keys::{Keys, NO_KEY};
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
    from: u32,
    to: u32,
    arena: bool,
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
    /// One bit for each number of a key in the outermost object, modulo 128: a quick no.
    pub(crate) seen: u128,
    /// Which text this is of, in the reader's own words: the same text needs no second pass.
    pub(crate) of: Option<(u32, u32, bool)>,
    /// The number of the dialect that was found last, and what it found.
    pub(crate) found: Cell<Option<(u16, Found)>>,
    arena: Vec<u8>,
}

impl Scan {
    /// The bit of a key's number in [`Scan::seen`].
    #[inline]
    pub(crate) fn bit(id: u16) -> u128 {
        1 << (id & 127)
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
        let text = if part.arena { &self.arena } else { line };
        &text[part.from as usize..part.to as usize]
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
        self.seen = 0;
    }

    /// Says what the line was, unless it has too much in it.
    pub(super) fn finish(&mut self, state: State) {
        self.state = if self.members.len() < MEMBERS_MAX {
            state
        } else {
            State::TooLarge
        };
    }

    /// Takes in `key=value`; escapes are decoded where they are known ones.
    pub(super) fn pair(
        &mut self,
        line: &[u8],
        key: (usize, usize),
        value: (usize, usize),
        escaped: bool,
        keys: &Keys,
    ) {
        let part = |(from, to): (usize, usize)| Part {
            from: from as u32,
            to: to as u32,
            arena: false,
        };
        let id = keys.id(&line[key.0..key.1]);
        self.seen |= Scan::bit(id);
        let mut member = Member {
            key: part(key),
            value: part(value),
            id,
            kind: Kind::Text,
            parent: TOP,
        };
        if escaped {
            let start = self.arena.len();
            let mut coloured = false;
            let mut rest = &line[value.0..value.1];
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
            member.value = Part {
                from: start as u32,
                to: self.arena.len() as u32,
                arena: true,
            };
        }
        self.push(member);
    }

    fn push(&mut self, member: Member) {
        if self.members.len() < MEMBERS_MAX {
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
                    id = keys.id(self.part(line, key));
                    if depth == 1 {
                        self.seen |= Scan::bit(id);
                    }
                }
                at = blanks(line, at);
                if line.get(at) != Some(&b':') {
                    return None;
                }
                at = blanks(line, at + 1);
            }
            let mut member = Member {
                key,
                value: Part {
                    from: at as u32,
                    to: at as u32,
                    arena: false,
                },
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
        crate::scan::strip_colours(&text, &mut self.arena);
    }

    /// Reads the string whose opening quote is at `at`; returns its content and the offset after it.
    /// What isn't `wanted` is checked only.
    #[inline]
    fn string(
        &mut self,
        line: &[u8],
        at: usize,
        strict: bool,
        wanted: bool,
    ) -> Option<(Part, usize)> {
        let from = at + 1;
        let mut run = plain_run(line, from)?;
        if line[run.end] == b'"' {
            if strict && !run.is_strict(line, from) {
                return None;
            }
            let part = Part {
                from: from as u32,
                to: run.end as u32,
                arena: false,
            };
            return Some((part, run.end + 1));
        }
        let start = self.arena.len();
        let mut copied = from;
        let mut coloured = false;
        loop {
            if strict && !run.is_strict(line, copied) {
                return None;
            }
            if wanted {
                self.arena.extend_from_slice(&line[copied..run.end]);
            }
            if line[run.end] == b'"' {
                break;
            }
            let before = self.arena.len();
            let (length, ok) = escape(&line[run.end..], &mut self.arena);
            if !ok {
                return None;
            }
            coloured |= self.arena.get(before) == Some(&0x1b);
            if !wanted {
                self.arena.truncate(before);
            }
            copied = run.end + length;
            run = plain_run(line, copied)?;
        }
        if coloured {
            self.clean(start);
        }
        let part = Part {
            from: start as u32,
            to: self.arena.len() as u32,
            arena: true,
        };
        Some((part, run.end + 1))
    }
}

/// A stretch of a string up to a quote or a backslash.
struct Run {
    end: usize,
    /// It has control characters.
    control: bool,
    /// It has bytes outside of ASCII.
    high: bool,
}

impl Run {
    #[inline]
    fn is_strict(&self, line: &[u8], from: usize) -> bool {
        !self.control && (!self.high || std::str::from_utf8(&line[from..self.end]).is_ok())
    }
}

/// Finds the next quote or backslash, eight bytes at a time: strings in logs are too short for a call
/// of memchr to pay.
#[inline]
fn plain_run(line: &[u8], from: usize) -> Option<Run> {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let (mut controls, mut highs) = (0u64, 0u64);
    let mut at = from;
    while let Some(bytes) = line.get(at..at + 8) {
        let word = u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
        let quote = word ^ (LOW * b'"' as u64);
        let slash = word ^ (LOW * b'\\' as u64);
        // The lowest marks are exact, and none counts above the first stop.
        let stop = ((quote.wrapping_sub(LOW) & !quote) | (slash.wrapping_sub(LOW) & !slash)) & HIGH;
        let control = word.wrapping_sub(LOW * 0x20) & !word & HIGH;
        if stop != 0 {
            let before = (stop & stop.wrapping_neg()) - 1;
            return Some(Run {
                end: at + stop.trailing_zeros() as usize / 8,
                control: controls | (control & before) != 0,
                high: highs | (word & HIGH & before) != 0,
            });
        }
        controls |= control;
        highs |= word & HIGH;
        at += 8;
    }
    loop {
        match *line.get(at)? {
            b'"' | b'\\' => {
                return Some(Run {
                    end: at,
                    control: controls != 0,
                    high: highs != 0,
                });
            }
            byte => {
                controls |= u64::from(byte < 0x20);
                highs |= u64::from(byte >= 0x80);
                at += 1;
            }
        }
    }
}

/// Decodes the escape at the start of `text`; returns its length and whether it is one.
pub(crate) fn escape(text: &[u8], out: &mut Vec<u8>) -> (usize, bool) {
    let plain = match text.get(1) {
        Some(b'n') => b'\n',
        Some(b't') => b'\t',
        Some(b'r') => b'\r',
        Some(b'b') => 8,
        Some(b'f') => 12,
        Some(c @ (b'"' | b'\\' | b'/')) => *c,
        Some(b'u') => {
            let unit = |at: usize| -> Option<u32> {
                let digits = text.get(at..at + 4)?;
                digits
                    .iter()
                    .try_fold(0, |n, c| Some(n * 16 + (*c as char).to_digit(16)?))
            };
            let Some(high) = unit(2) else {
                return (0, false);
            };
            let mut length = 6;
            let mut code = high;
            if (0xd800..0xdc00).contains(&high)
                && text[6..].starts_with(b"\\u")
                && let Some(low) = unit(8)
                && (0xdc00..0xe000).contains(&low)
            {
                code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                length = 12;
            }
            let c = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
            let mut buffer = [0; 4];
            out.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
            return (length, true);
        }
        _ => return (0, false),
    };
    out.push(plain);
    (2, true)
}

/// The end of a valid JSON value at `at`, strict throughout: it may go into other JSON as it is.
pub(crate) fn token(line: &[u8], at: usize) -> Option<usize> {
    match line.get(at)? {
        b'{' | b'[' => Scan::default().bracket(line, at, None),
        b'"' => Some(Scan::default().string(line, at, true, false)?.1),
        _ => word(line, at).or_else(|| number(line, at)),
    }
}

/// The end of `true`, `false` or `null`.
#[inline]
fn word(line: &[u8], at: usize) -> Option<usize> {
    let rest = &line[at..];
    if rest.starts_with(b"true") || rest.starts_with(b"null") {
        Some(at + 4)
    } else {
        rest.starts_with(b"false").then_some(at + 5)
    }
}

#[inline]
fn blanks(line: &[u8], mut at: usize) -> usize {
    while matches!(line.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

fn number(line: &[u8], at: usize) -> Option<usize> {
    let digits = |at: usize| {
        line[at.min(line.len())..]
            .iter()
            .take_while(|c| c.is_ascii_digit())
            .count()
    };
    let mut end = at + usize::from(line.get(at) == Some(&b'-'));
    let whole = digits(end);
    if whole == 0 || (whole > 1 && line[end] == b'0') {
        return None;
    }
    end += whole;
    if line.get(end) == Some(&b'.') {
        let fraction = digits(end + 1);
        if fraction == 0 {
            return None;
        }
        end += 1 + fraction;
    }
    if matches!(line.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(line.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits(end + 1 + sign);
        if exponent == 0 {
            return None;
        }
        end += 1 + sign + exponent;
    }
    Some(end)
}
