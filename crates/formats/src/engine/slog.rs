//! Lighthouse's two text forms: slog's aligned one (2019 to early 2025) and the one its tracing layer
//! prints since (`common/logging` of sigp/lighthouse).
//!
//! * slog: `Mon DD HH:MM:SS.mmm INFO message key: value, key: value`; levels have four letters, the message
//!   is padded to 40 columns; a longer one, and every message in a log file, is followed by `, ` at once.
//! * tracing: `… INFO  message  key: value, …`; levels are padded to five, the message to 44 and always
//!   followed by two blanks; strings are quoted but nothing inside them is escaped; the fields of spans
//!   come last, and a comma may hang at the end.
//!
//! Values are Rust's Debug text or bare prose, so a field ends only at `, ` and a following
//! `identifier: `, outside brackets and outside a quoted value. Text that was cut leaves brackets and
//! quotes open: then they count for nothing from that value on. Keys that are no lower-case identifiers
//! (`Terminal POW Block Hash`) are listed in the definition.
//!
//! The stamp has no year; with `--disable-log-timestamp` there is none, and a line then needs fields, or
//! a level that only slog spells so, to be taken for one.

use super::{Head, Manner, Shape};
use crate::lanes::{Blank, Lane, LowerName, Truths, WIDTH, position, run, run_within};
use crate::scan::{KEY_MAX, Signs, digits, english_month, month_day_clock, near, near2, trim_end};
use memchr::memmem;
use model::{Field, FieldValue, Stamp};

/// Columns the message is padded to; tracing puts two blanks after them.
const SLOG_COLUMN: usize = 40;
const TRACING_COLUMN: usize = 46;
/// Pasted lines are indented by a few blanks; deeper ones go on with something.
const INDENT_MAX: usize = 8;

/// `Mon DD HH:MM:SS.mmm`, nothing else: English, two digits, three digits of fraction.
#[inline]
fn stamp(line: &[u8], at: usize) -> Option<Stamp> {
    let text = line.get(at..at + 19)?;
    if text[3] != b' ' || text[6] != b' ' || text[15] != b'.' {
        return None;
    }
    let month = english_month(&text[..3])?;
    let (stamp, end) = month_day_clock(month, digits(text, 4, 2)?, line, at + 7)?;
    (end == at + 19).then_some(stamp)
}

/// How a level is spelled.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Spelling {
    /// `TRCE DEBG ERRO`: slog alone.
    Slog,
    /// `TRACE DEBUG ERROR`.
    Tracing,
    /// `INFO WARN CRIT`: both.
    Either,
}

#[inline]
fn level(line: &[u8], at: usize) -> Option<(usize, Spelling)> {
    // As numbers: matching byte strings calls a comparison for each of them.
    const fn number(level: &[u8; 4]) -> u32 {
        u32::from_be_bytes(*level)
    }
    const INFO: u32 = number(b"INFO");
    const WARN: u32 = number(b"WARN");
    const CRIT: u32 = number(b"CRIT");
    const TRCE: u32 = number(b"TRCE");
    const DEBG: u32 = number(b"DEBG");
    const ERRO: u32 = number(b"ERRO");
    const DEBU: u32 = number(b"DEBU");
    const TRAC: u32 = number(b"TRAC");
    let rest = line.get(at..)?;
    let (length, spelling) = match (number(rest.first_chunk()?), rest.get(4)) {
        (INFO | WARN | CRIT, _) => (4, Spelling::Either),
        (ERRO, Some(b'R')) | (DEBU, Some(b'G')) | (TRAC, Some(b'E')) => (5, Spelling::Tracing),
        (TRCE | DEBG | ERRO, _) => (4, Spelling::Slog),
        _ => return None,
    };
    matches!(rest.get(length), None | Some(b' ')).then_some((at + length, spelling))
}

/// Level, place in the source and beginning of the message, from `at` on.
#[inline]
fn after_stamp(line: &[u8], at: usize, stamp: Option<Stamp>) -> Option<(Head, Spelling)> {
    let (end, spelling) = level(line, at)?;
    let two = line.get(end + 1) == Some(&b' ') && line.get(end + 2).is_some_and(|c| *c != b' ');
    let padded = end - at == 5 || two;
    let mut body = (end + 1 + usize::from(two)).min(line.len());
    let shape = match spelling {
        Spelling::Either if padded => Shape::SlogTracing,
        Spelling::Tracing => Shape::SlogTracing,
        _ => Shape::Slog,
    };
    let mut head = Head {
        shape,
        stamp,
        level: (at as u32, end as u32),
        component: (0, 0),
        spans: (0, 0),
        body: 0,
    };
    if line.get(body).is_some_and(u8::is_ascii_lowercase)
        && let Some((component, next)) = place(line, body)
    {
        head.component = component;
        body = next;
    }
    head.body = body as u32;
    Some((head, spelling))
}

/// A target (`discv5::service: `) or, with extra info on, module, file and line
/// (`client::notifier::beacon_node/client/src/notifier.rs:215 `): the module, and what comes after it.
fn place(line: &[u8], at: usize) -> Option<((u32, u32), usize)> {
    let rest = &line[at..line.len().min(at + 256)];
    let word = rest
        .iter()
        .take_while(|c| c.is_ascii_alphanumeric() || b"_:/.-".contains(c))
        .count();
    if rest.get(word) != Some(&b' ') {
        return None;
    }
    let text = &rest[..word];
    let next = at + word + 1;
    if let Some(target) = text.strip_suffix(b":") {
        let path = target
            .iter()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, b'_' | b':'));
        return path.then_some(((at as u32, (at + target.len()) as u32), next));
    }
    let file = memmem::find(text, b".rs:")?;
    let module = memmem::rfind(&text[..file], b"::")?;
    text[file + 4..]
        .iter()
        .all(u8::is_ascii_digit)
        .then_some(((at as u32, (at + module) as u32), next))
}

/// A line that begins with an English stamp of two digits, which must be slog's to the last digit.
pub(crate) fn dated(line: &[u8], stamp: &Stamp, end: usize) -> Option<Head> {
    if end != 19 || line.get(19).is_some_and(|c| *c != b' ') {
        return None;
    }
    after_stamp(line, 20, Some(*stamp)).map(|(head, _)| head)
}

/// A line that begins with the stamp, or with the level if there is none.
pub(crate) fn recognise(line: &[u8]) -> Option<Head> {
    at(line, 0)
}

/// The same after a few blanks, as people paste it (and as the stamp's place is left empty).
pub(crate) fn indented(line: &[u8]) -> Option<Head> {
    let blanks = line
        .iter()
        .take(INDENT_MAX + 1)
        .take_while(|c| **c == b' ')
        .count();
    (blanks <= INDENT_MAX)
        .then(|| at(line, blanks))
        .flatten()
        .filter(|head| head.stamp.is_some() || blanks == 1)
}

#[inline]
fn at(line: &[u8], at: usize) -> Option<Head> {
    match stamp(line, at) {
        Some(stamp) => {
            if line.len() > at + 19 && line[at + 19] != b' ' {
                return None;
            }
            after_stamp(line, at + 20, Some(stamp)).map(|(head, _)| head)
        }
        None => stampless(line, at),
    }
}

/// Without a stamp any shouted sentence looks like a record: a message begins with a capital, and
/// there are fields, or the level is slog's own.
fn stampless(line: &[u8], at: usize) -> Option<Head> {
    let (head, spelling) = after_stamp(line, at, None)?;
    let body = head.body as usize;
    let message = line.get(body..)?;
    if !message.first()?.is_ascii_uppercase() && !message.starts_with(b"  ") {
        return None;
    }
    let split = split_message(line, body, head.shape, &[]);
    (split.is_some() || (spelling == Spelling::Slog && message[0] != b' ')).then_some(head)
}

/// The end of the key at `at`: where its colon stands, which a blank or the end follows.
#[inline(always)]
fn key_end(text: &[u8], at: usize, listed: &[String]) -> Option<usize> {
    let first = *text.get(at)?;
    if first.is_ascii_lowercase() || first == b'_' {
        let end = at + run_within::<LowerName>(text, at, KEY_MAX);
        return is_colon(text, end).then_some(end);
    }
    listed_end(text, at, first, listed)
}

/// The same of a key that is no identifier.
fn listed_end(text: &[u8], at: usize, first: u8, listed: &[String]) -> Option<usize> {
    listed
        .iter()
        .find(|key| {
            // The first letter tells nearly always.
            key.as_bytes().first() == Some(&first)
                && text[at..].starts_with(key.as_bytes())
                && is_colon(text, at + key.len())
        })
        .map(|key| at + key.len())
}

#[inline(always)]
fn is_colon(text: &[u8], at: usize) -> bool {
    text.get(at) == Some(&b':') && matches!(text.get(at + 1), None | Some(b' ' | b'\n'))
}

/// Where the message ends and where the first key stands.
#[inline]
fn split_message(
    text: &[u8],
    from: usize,
    shape: Shape,
    listed: &[String],
) -> Option<(usize, Key)> {
    let tracing = shape == Shape::SlogTracing;
    let column = from + if tracing { TRACING_COLUMN } else { SLOG_COLUMN };
    if text.len() > column
        && text[column - 1] == b' '
        && text[column - 2] == b' '
        && let Some(colon) = key_end(text, column, listed)
    {
        return Some((column, (column, colon)));
    }
    if tracing {
        return padding(text, from, text.len(), listed);
    }
    // What is padded behind the first comma that a key follows is no message.
    let comma = comma(text, from, listed);
    let before = comma.map_or(text.len(), |(end, _)| end);
    let first = padding(text, from, before, listed).or(comma);
    if first.is_some_and(|(end, _)| end < column - 1) {
        return first;
    }
    // A message that just fills the column is followed by one blank.
    let filled = [column, column + 1].into_iter().find_map(|key| {
        let apart = text.len() > key && text[key - 1] == b' ' && text[key - 2] != b',';
        let colon = apart.then(|| key_end(text, key, listed)).flatten()?;
        Some((key, (key, colon)))
    });
    filled.or(first)
}

/// The first run of blanks before `to` that a key follows.
#[inline(always)]
fn padding(text: &[u8], from: usize, to: usize, listed: &[String]) -> Option<(usize, Key)> {
    let mut at = from;
    while let Some(start) = two_blanks(&text[..to], at) {
        at = start + run::<Blank>(&text[start..]);
        if let Some(colon) = key_end(text, at, listed) {
            return Some((start, (at, colon)));
        }
    }
    None
}

/// The next two blanks in a row.
#[inline]
fn two_blanks(text: &[u8], mut at: usize) -> Option<usize> {
    while at + 1 < text.len() {
        let blanks = Lane::of(&text[at..]).is(b' ').marks();
        let pairs = blanks & (blanks >> 1);
        if pairs != 0 {
            return Some(at + pairs.trailing_zeros() as usize);
        }
        // The last byte may be the first of two.
        at += WIDTH - 1;
    }
    None
}

/// The first comma that a key follows.
#[inline(always)]
fn comma(text: &[u8], from: usize, listed: &[String]) -> Option<(usize, Key)> {
    let mut at = from;
    while let Some(offset) = near(b',', &text[at..]) {
        let comma = at + offset;
        if let Some(key) = key_after(text, comma, listed) {
            return Some((comma, key));
        }
        at = comma + 1;
    }
    None
}

/// Where a key stands: its first byte and its colon.
type Key = (usize, usize);

/// The key that begins after a comma and one blank, or after a comma at a line's end.
#[inline(always)]
fn key_after(text: &[u8], comma: usize, listed: &[String]) -> Option<Key> {
    if !matches!(text.get(comma + 1), Some(b' ' | b'\n')) {
        return None;
    }
    let key = comma + 2;
    key_end(text, key, listed).map(|colon| (key, colon))
}

/// Splits `message  key: value, key: value`; returns message and component.
#[inline]
pub(crate) fn body<'a>(
    text: &'a [u8],
    head: &Head,
    manner: &Manner,
    fields: &mut Vec<Field<'a>>,
) -> (&'a [u8], Option<&'a [u8]>) {
    let text = trim_end(text);
    let from = (head.body as usize).min(text.len());
    let listed = &manner.spaced_keys;
    let Some((message_end, first)) = split_message(text, from, head.shape, listed) else {
        return (&text[from..], None);
    };
    // Spans without fields leave a comma behind.
    let text = text.strip_suffix(b",").map_or(text, trim_end);
    let mut component: Option<(usize, &'a [u8])> = None;
    let mut nesting = Nesting::default();
    // Where a value may end, or a bracket in it opens.
    let mut stops = Signs::new(text, |lane| [lane.is(b',').or(opening(lane))]);
    let mut next = Some(first);
    while let Some((at, colon)) = next
        && colon < text.len()
    {
        let key = &text[at..colon];
        let start = (colon + 2).min(text.len());
        let mut known = None;
        if text.get(start) != Some(&b'"') {
            let mut stop = stops.next(0, start, text.len());
            // Most values have no bracket before their end, and then nobody asks what is nested.
            while known.is_none() && matches!(text.get(stop), Some(b',') | None) {
                let key = key_after(text, stop, listed);
                if key.is_some() || stop == text.len() {
                    known = Some((stop, key));
                } else {
                    stop = stops.next(0, stop + 1, text.len());
                }
            }
        }
        let (end, following) = known.unwrap_or_else(|| nesting.value_end(text, start, listed));
        let value = unquoted(&text[start..end]);
        if let Some(rank) = manner.component_rank(key)
            && component.is_none_or(|(other, _)| rank < other)
        {
            component = Some((rank, value));
        }
        fields.push(Field {
            key,
            value: FieldValue::Text(value),
        });
        next = following;
    }
    let message = trim_end(&text[from..message_end.min(text.len())]);
    (message, component.map(|(_, name)| name))
}

fn unquoted(value: &[u8]) -> &[u8] {
    match value {
        [b'"', inner @ .., b'"'] => inner,
        _ => value,
    }
}

/// What is known of the brackets and quotes of a record. Once one stays open to the end, that kind
/// is not looked at again: so a record is read at most three times, whatever its text.
#[derive(Default)]
struct Nesting {
    quotes_stay_open: bool,
    brackets_stay_open: bool,
}

impl Nesting {
    /// Where the value that begins at `start` ends, and where the next key begins.
    #[inline(never)]
    fn value_end(&mut self, text: &[u8], start: usize, listed: &[String]) -> (usize, Option<Key>) {
        if text.get(start) == Some(&b'"') && !self.quotes_stay_open {
            if let Some(end) = closing_quote(text, start + 1, listed) {
                return (end, key_after(text, end, listed));
            }
            self.quotes_stay_open = true;
        }
        let mut scanned = start;
        let mut search = start;
        let mut state = Brackets::default();
        while let Some(offset) = near(b',', &text[search..]) {
            let comma = search + offset;
            search = comma + 1;
            let Some(key) = key_after(text, comma, listed) else {
                continue;
            };
            if !self.brackets_stay_open {
                state.read(&text[scanned..comma]);
                scanned = comma;
                if state.open() {
                    continue;
                }
            }
            return (comma, Some(key));
        }
        if !self.brackets_stay_open {
            state.read(&text[scanned..]);
            if state.open() {
                self.brackets_stay_open = true;
                return self.value_end(text, start, listed);
            }
        }
        (text.len(), None)
    }
}

/// The end of a quoted value: behind the first quote that the end or a field follows.
fn closing_quote(text: &[u8], from: usize, listed: &[String]) -> Option<usize> {
    let mut search = from;
    while let Some(offset) = near(b'"', &text[search..]) {
        let quote = search + offset;
        search = quote + 1;
        let ends = search == text.len() || key_after(text, search, listed).is_some();
        if ends && (text[quote - 1] != b'\\' || is_even_run(text, from, quote)) {
            return Some(search);
        }
    }
    None
}

/// Whether the backslashes before `quote` escape each other, and not the quote.
fn is_even_run(text: &[u8], from: usize, quote: usize) -> bool {
    let run = text[from..quote]
        .iter()
        .rev()
        .take_while(|c| **c == b'\\')
        .count();
    run % 2 == 0
}

/// Whether a bracket opens.
#[inline]
fn has_brackets(text: &[u8]) -> bool {
    position(text, opening).is_some()
}

/// Which bytes are opening brackets: square ones and braces differ in the bit that makes letters lower.
#[inline(always)]
fn opening(lane: Lane) -> Truths {
    lane.is(b'(').or(lane.lowered().is(b'{'))
}

/// Depth of Rust's Debug text.
#[derive(Default)]
struct Brackets {
    depth: u32,
    quoted: bool,
    escaped: bool,
}

impl Brackets {
    fn open(&self) -> bool {
        self.depth > 0 || self.quoted
    }

    #[inline]
    fn read(&mut self, text: &[u8]) {
        if self.open() || has_brackets(text) {
            self.read_nested(text);
        }
    }

    fn read_nested(&mut self, text: &[u8]) {
        let mut at = 0;
        while at < text.len() {
            if self.escaped {
                self.escaped = false;
                at += 1;
                continue;
            }
            if self.quoted {
                let Some(offset) = near2(b'"', b'\\', &text[at..]) else {
                    return;
                };
                at += offset + 1;
                self.escaped = text[at - 1] == b'\\';
                self.quoted = self.escaped;
                continue;
            }
            let marked = |lane: Lane| {
                let low = lane.lowered();
                let round = lane.within(b'(', b')').or(lane.is(b'"'));
                round.or(low.is(b'{')).or(low.is(b'}'))
            };
            let Some(offset) = position(&text[at..], marked) else {
                return;
            };
            at += offset + 1;
            match text[at - 1] {
                b'(' | b'[' | b'{' => self.depth += 1,
                b')' | b']' | b'}' => self.depth = self.depth.saturating_sub(1),
                // Quotes count inside brackets only: bare prose may hold a single one.
                b'"' if self.depth > 0 => self.quoted = true,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a line without stamp as `message | key=value | …`.
    #[track_caller]
    fn check(line: &str, expected: &str) {
        let line = format!("Aug 14 10:52:08.123 {line}");
        let head = recognise(line.as_bytes()).expect("a record starts there");
        let manner = Manner {
            spaced_keys: vec!["Total Difficulty".to_owned()],
            ..Manner::default()
        };
        let mut fields = Vec::new();
        let (message, _) = body(line.as_bytes(), &head, &manner, &mut fields);
        let mut seen = String::from_utf8_lossy(message).into_owned();
        for field in &fields {
            let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
            seen += &format!(" | {}={}", text(field.key), text(field.value.bytes()));
        }
        assert_eq!(seen, expected, "{line}");
    }

    #[test]
    fn two_blanks_are_found_wherever_they_are() {
        for before in 0..40 {
            for after in 0..20 {
                let mut text = vec![b'x'; before];
                text.extend_from_slice(b"  ");
                text.extend(std::iter::repeat_n(b' ', after % 3));
                text.extend(std::iter::repeat_n(b'!', after));
                assert_eq!(two_blanks(&text, 0), Some(before));
                text[before] = b' ' | 0x80;
                text.truncate(before + 2);
                assert_eq!(two_blanks(&text, 0), None);
            }
        }
        let apart: Vec<u8> = b"a ".repeat(30);
        assert_eq!(two_blanks(&apart, 0), None);
    }

    #[test]
    fn the_message_ends_at_the_column_or_at_a_comma() {
        let padded = |message: &str, width: usize| format!("{message:<width$}");
        check(
            &format!("INFO {}a: 1, b: 2", padded("Synced", 40)),
            "Synced | a=1 | b=2",
        );
        check("INFO Short, a: 1, b: 2", "Short | a=1 | b=2");
        let message = "x".repeat(38);
        check(
            &format!("INFO {message}  a: 1"),
            &format!("{message} | a=1"),
        );
        for length in [39, 40] {
            let message = "x".repeat(length);
            check(&format!("INFO {message} a: 1"), &format!("{message} | a=1"));
            check(
                &format!("INFO {message}, a: 1"),
                &format!("{message} | a=1"),
            );
        }
        let message = "x".repeat(41);
        check(&format!("INFO {message} a: 1"), &format!("{message} a: 1"));
        // A comma inside a message that is padded, blanks inside a value after one that isn't.
        check(
            &format!("INFO {}a: 1", padded("Waiting, left: 5", 40)),
            "Waiting, left: 5 | a=1",
        );
        check(
            "INFO Synced, block:    …  empty, slot: 5",
            "Synced | block=   …  empty | slot=5",
        );
        // The tracing layer never puts a comma there.
        check(
            &format!("INFO  {}a: 1", padded("Waiting, left: 5", 46)),
            "Waiting, left: 5 | a=1",
        );
        check("ERROR Waiting, left: 5", "Waiting, left: 5");
        check(
            &format!("ERROR {}  a: 1, ", "x".repeat(60)),
            &format!("{} | a=1", "x".repeat(60)),
        );
    }

    #[test]
    fn values_end_where_a_key_follows_outside_brackets() {
        check("INFO x  a: b, c d: e, f: g", "x | a=b, c d: e | f=g");
        check(
            "INFO x  a: S { b: 1, c: [2, d: 3] }, e: 4",
            "x | a=S { b: 1, c: [2, d: 3] } | e=4",
        );
        check(
            "INFO x  a: E(\"), b: \\\" (\"), c: 4",
            "x | a=E(\"), b: \\\" (\") | c=4",
        );
        check("INFO x  a: \"b, c: d\", e: \"f\"", "x | a=b, c: d | e=f");
        check("INFO x  a: \"b \"q\", c: d", "x | a=b \"q | c=d");
        check("INFO x  a: , b:", "x | a= | b=");
        check(
            "INFO x  a: 1, Total Difficulty: 2, B: 3",
            "x | a=1 | Total Difficulty=2, B: 3",
        );
        // What stays open to the end counts for nothing.
        check("INFO x  a: (b, c: d, e: [f]", "x | a=(b | c=d | e=[f]");
        check("INFO x  a: \"b, c: d", "x | a=\"b | c=d");
        check("INFO x  a: :), b: ( :-), c: 1", "x | a=:) | b=( :-) | c=1");
    }

    #[test]
    fn only_its_own_stamps_and_levels() {
        for line in [
            "Aug 14 10:52:08 INFO x",
            "Aug 14 10:52:08.123456 INFO x",
            "Aug  4 10:52:08.123 INFO x",
            "Aug 32 10:52:08.123 INFO x",
            "aug 14 10:52:08.123 INFO x",
            "Aug 14 10:52:08.123 INFOx",
            "Aug 14 10:52:08.123 Info x",
            "Aug 14 10:52:08.123INFO x",
            "INFO x  a: 1",
            "INFO X: 1",
            "WARN",
        ] {
            assert!(recognise(line.as_bytes()).is_none(), "{line}");
        }
        for line in [
            "Aug 14 10:52:08.123 INFO",
            "INFO X  a: 1",
            "DEBG X",
            "CRIT X, a: 1",
        ] {
            assert!(recognise(line.as_bytes()).is_some(), "{line}");
        }
    }
}
