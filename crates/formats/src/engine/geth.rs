//! The text of Go programs that log as go-ethereum and Erigon do (both descend from log15).
//!
//! * geth: `INFO [08-14|17:31:02.123] message   key=value`: the level is padded to five columns before
//!   the bracket, the fraction is missing before 2018, and `|core/blockchain.go:1500` may stand in the
//!   bracket. No year, no zone.
//! * Erigon: `[INFO] [08-14|17:31:02.123] [2/12 Headers] message   key=value`, or with colours
//!   `INFO[08-14|17:31:02.123] …`, levels of four letters; the bracket before the message is the component.
//! * logfmt: `t=2023-08-14T17:31:02+0000 lvl=info msg="…" key=value`, the same for both.
//!
//! Messages are padded to 40 columns, values to the longest seen. A value with a blank is quoted (Go's
//! escapes), keys are not, so whatever stands between a value and the next `=` is key: `header sending=9µs`.
//! A message may hold line feeds: the report of a bad block is a block of its own between rows of `#`.

use super::{Head, Rules, Shape};
use crate::lanes::{KeyByteOrBlank, run_before};
use crate::scan::{
    KEY_MAX, Signs, digits, full_stamp, is_key_byte, is_word, month_day_clock, near, near2,
    trim_end,
};
use memchr::{memchr, memrchr};
use model::{Field, FieldValue, Stamp};

/// The most bytes of a source location or of a component in brackets.
const BRACKET_MAX: usize = 96;

const EMPTY: Head = Head {
    shape: Shape::Geth,
    stamp: None,
    level: (0, 0),
    component: (0, 0),
    spans: (0, 0),
    body: 0,
};

/// `MM-DD|HH:MM:SS.mmm`; returns the offset after it.
fn stamp(line: &[u8], at: usize) -> Option<(Stamp, usize)> {
    if line.get(at + 2) != Some(&b'-') || line.get(at + 5) != Some(&b'|') {
        return None;
    }
    let month = digits(line, at, 2)? as u8;
    month_day_clock(month, digits(line, at + 3, 2)?, line, at + 6)
}

/// Stamp, location and what follows; `at` is after the opening bracket.
fn after_level(line: &[u8], at: usize, mut head: Head) -> Option<Head> {
    let (stamp, mut end) = stamp(line, at)?;
    head.stamp = Some(stamp);
    if line.get(end) == Some(&b'|') {
        let room = &line[end + 1..line.len().min(end + 1 + BRACKET_MAX)];
        let length = memchr(b']', room)?;
        head.component = ((end + 1) as u32, (end + 1 + length) as u32);
        end += 1 + length;
    }
    if line.get(end) != Some(&b']') || !matches!(line.get(end + 1), None | Some(b' ')) {
        return None;
    }
    let mut at = end + 1;
    while line.get(at) == Some(&b' ') {
        at += 1;
    }
    if head.shape == Shape::Erigon
        && line.get(at) == Some(&b'[')
        && let room = &line[at + 1..line.len().min(at + 1 + BRACKET_MAX)]
        && let Some(length) = memchr(b']', room)
        && line.get(at + 2 + length) == Some(&b' ')
    {
        head.component = ((at + 1) as u32, (at + 1 + length) as u32);
        at += length + 3;
    }
    head.body = at.min(line.len()) as u32;
    Some(head)
}

/// `INFO [08-14|17:31:02.123] …` (geth), `INFO[08-14|17:31:02.123] …` (Erigon's coloured form).
pub(crate) fn terminal(line: &[u8]) -> Option<Head> {
    let letters = line
        .iter()
        .take(6)
        .take_while(|c| c.is_ascii_uppercase())
        .count();
    let blanks = line[letters..]
        .iter()
        .take(3)
        .take_while(|c| **c == b' ')
        .count();
    if line.get(letters + blanks) != Some(&b'[') {
        return fatal(line);
    }
    let shape = match (&line[..letters], blanks) {
        (b"INFO" | b"WARN" | b"CRIT", 1) | (b"ERROR" | b"DEBUG" | b"TRACE", 0 | 1) => Shape::Geth,
        (b"INFO" | b"WARN" | b"CRIT" | b"EROR" | b"DBUG" | b"TRCE", 0) => Shape::Erigon,
        _ => return None,
    };
    let head = Head {
        shape,
        level: (0, letters as u32),
        ..EMPTY
    };
    after_level(line, letters + blanks + 1, head)
}

/// `Fatal: Failed to …`: what geth's commands print before they end. Only beginnings of theirs.
fn fatal(line: &[u8]) -> Option<Head> {
    let rest = line.strip_prefix(b"Fatal: ")?;
    let known = [
        &b"Error starting protocol stack"[..],
        b"Failed to ",
        b"Could not ",
    ];
    known
        .iter()
        .any(|start| rest.starts_with(start))
        .then_some(Head {
            level: (0, 5),
            ..EMPTY
        })
}

/// `[INFO] [08-14|17:31:02.123] …`.
pub(crate) fn bracketed(line: &[u8]) -> Option<Head> {
    if line.get(5) != Some(&b']') || !line[6..].starts_with(b" [") {
        return None;
    }
    if !is_word!(
        &line[1..5],
        b"INFO" | b"WARN" | b"EROR" | b"CRIT" | b"DBUG" | b"TRCE"
    ) {
        return None;
    }
    let head = Head {
        shape: Shape::Erigon,
        level: (1, 5),
        ..EMPTY
    };
    after_level(line, 8, head)
}

/// `t=2023-08-14T17:31:02+0000 lvl=info msg=…`.
pub(crate) fn logfmt(line: &[u8]) -> Option<Head> {
    if !line.starts_with(b"t=") {
        return None;
    }
    let (stamp, end) = full_stamp(line, 2)?;
    let level = end + 5;
    if !line[end..].starts_with(b" lvl=") {
        return None;
    }
    let letters = line[level..]
        .iter()
        .take_while(|c| c.is_ascii_alphabetic())
        .count();
    let body = level + letters;
    if letters == 0 || !line[body..].starts_with(b" msg=") {
        return None;
    }
    Some(Head {
        shape: Shape::GethLogfmt,
        stamp: Some(stamp),
        level: (level as u32, body as u32),
        body: (body + 5) as u32,
        ..EMPTY
    })
}

/// The end of a value that starts at `at`, and what is inside its quotes.
fn value(text: &[u8], at: usize) -> (&[u8], usize) {
    if text.get(at) != Some(&b'"') {
        let end = near(b' ', &text[at..]).map_or(text.len(), |blank| at + blank);
        return (&text[at..end], end);
    }
    let mut end = at + 1;
    while let Some(offset) = near2(b'"', b'\\', text.get(end..).unwrap_or_default()) {
        end += offset;
        if text[end] == b'"' {
            return (&text[at + 1..end], end + 1);
        }
        end += 2;
    }
    // A quote that never closes: the line was cut.
    (&text[at + 1..], text.len())
}

/// Where the key that ends at `equals` begins: its own word, or after the padding of the message if all
/// words since then may be of a key.
fn first_key(text: &[u8], from: usize, equals: usize) -> Option<usize> {
    let floor = from.max(equals.saturating_sub(KEY_MAX));
    let mut word = equals;
    while word > floor && is_key_byte(text[word - 1]) {
        word -= 1;
    }
    let starts_word = word == from || text[word - 1] == b' ';
    if word == equals || !starts_word || !text[word].is_ascii_alphanumeric() {
        return None;
    }
    if word >= floor + 2 && text[word - 2] == b' ' {
        return Some(word);
    }
    // The last two blanks among the words before it.
    let words = word - run_before::<KeyByteOrBlank>(text, word, word - floor);
    let mut end = word;
    while let Some(offset) = memrchr(b' ', &text[words..end]) {
        let blank = words + offset;
        if blank > 0 && text[blank - 1] == b' ' {
            return Some(blank + 1);
        }
        end = blank;
    }
    Some(word)
}

/// Splits `message key=value …` from `from` on.
fn split<'a>(
    text: &'a [u8],
    from: usize,
    rules: Rules<'_>,
    fields: &mut Vec<Field<'a>>,
) -> &'a [u8] {
    let whole = trim_end(text);
    let from = from.min(whole.len());
    let line_end = match rules.one_line {
        true => whole.len(),
        false => memchr(b'\n', &whole[from..]).map_or(whole.len(), |feed| from + feed),
    };
    let line = trim_end(&whole[..line_end]);
    let mut search = from;
    while let Some(offset) = near(b'=', line.get(search..).unwrap_or_default()) {
        let equals = search + offset;
        search = equals + 1;
        if let Some(start) = first_key(line, from, equals) {
            read_fields(whole, line, start, equals, fields);
            return unquote(trim_end(&line[from..start]));
        }
    }
    unquote(whole[from..].trim_ascii())
}

/// geth since 2023 quotes a message that holds a `=`.
fn unquote(message: &[u8]) -> &[u8] {
    message
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""))
        .unwrap_or(message)
}

/// Reads `key=value …`; the first key is `start..equals`. Further lines of `whole` belong to the last value.
fn read_fields<'a>(
    whole: &'a [u8],
    line: &'a [u8],
    start: usize,
    equals: usize,
    fields: &mut Vec<Field<'a>>,
) {
    const BLANK: usize = 0;
    const NO_KEY: usize = 1;
    let mut signs = Signs::new(line, |lane| {
        let no_key = lane.is(b'=').or(lane.is(b'"')).or(lane.within(0, b' ' - 1));
        [lane.is(b' '), no_key]
    });
    let (mut key, mut equals) = (start, equals);
    loop {
        let from = equals + 1;
        let (mut shown, end) = if line.get(from) == Some(&b'"') {
            value(line, from)
        } else {
            let end = signs.next(BLANK, from, line.len());
            (&line[from..end], end)
        };
        let mut next = end;
        while line.get(next) == Some(&b' ') {
            next += 1;
        }
        let room = line.len().min(next + KEY_MAX);
        let stop = signs.next(NO_KEY, next, room);
        let is_key = stop < room && line[stop] == b'=';
        if !is_key && end < whole.len() {
            // Words without a `=`, and lines after the first, go on with the last value.
            shown = &whole[from..];
        }
        fields.push(Field {
            key: trim_end(&line[key..equals]),
            value: FieldValue::Text(shown),
        });
        if !is_key {
            return;
        }
        (key, equals) = (next, stop);
    }
}

/// Splits a record of any of the shapes.
pub(crate) fn body<'a>(
    text: &'a [u8],
    head: &Head,
    rules: Rules<'_>,
    fields: &mut Vec<Field<'a>>,
) -> &'a [u8] {
    let from = (head.body as usize).min(text.len());
    if head.shape != Shape::GethLogfmt {
        return split(text, from, rules, fields);
    }
    let text = trim_end(text);
    let (message, end) = value(text, from);
    let rest = end + text[end..].iter().take_while(|c| **c == b' ').count();
    if let Some(length) = near(b'=', &text[rest..]) {
        read_fields(text, text, rest, rest + length, fields);
    }
    message
}
