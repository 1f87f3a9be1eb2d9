//! logrus as text, as `x-cray/logrus-prefixed-formatter` and logrus' own text formatter print it.
//!
//! * Terminal: `[2020-08-14 17:31:02]  WARN roughtime: message key=value`; values are never quoted
//!   and may hold blanks and `=`; keys are sorted bytewise, which tells many false keys from true.
//! * Quoted: `time="…" level=warning msg="…" key="value" key=value`; **nothing is escaped**, so a
//!   closing quote is the first one followed by the end or by ` key=`; bare values run to the next
//!   ` key=`.
//!
//! Some keys hold blanks (`peer id`, `Server Name`); the definition lists them.

use super::{Head, Manner, Shape};
use crate::lanes::{Blank, Capital, KeyByte, LowerSlug, run, run_within};
use crate::scan::{KEY_MAX, Places, digits, full_stamp, is_word, key_before, near, trim_end};
use crate::words::end_bit;
use memchr::{memchr2, memrchr};
use model::{Field, FieldValue, Stamp};

/// Whether a word is a level as the terminal shape prints it.
#[inline]
fn is_level(word: &[u8]) -> bool {
    is_word!(
        word,
        b"INFO" | b"DEBUG" | b"WARN" | b"ERROR" | b"WARNING" | b"FATAL" | b"PANIC" | b"TRACE"
    )
}

/// The end of the prefix at `at` (`rpc/validator`, `state-gen`, `beacon-api`): before a colon that a blank or the end follows.
#[inline]
fn prefix_end(line: &[u8], at: usize) -> Option<usize> {
    let end = at + run_within::<LowerSlug>(line, at, KEY_MAX);
    (end > at && line.get(end) == Some(&b':') && matches!(line.get(end + 1), None | Some(b' ')))
        .then_some(end)
}

/// Level, prefix and message from `at` on, which stands on blanks before the level.
#[inline]
fn after_stamp(line: &[u8], mut at: usize, mut head: Head) -> Option<Head> {
    at += run_within::<Blank>(line, at, 8);
    let level = at;
    at += run::<Capital>(&line[at..]);
    if !is_level(&line[level..at]) || !matches!(line.get(at), None | Some(b' ')) {
        return None;
    }
    head.level = (level as u32, at as u32);
    at = (at + 1).min(line.len());
    if let Some(end) = prefix_end(line, at) {
        head.component = (at as u32, end as u32);
        at = (end + 2).min(line.len());
    }
    head.body = at as u32;
    Some(head)
}

const EMPTY: Head = Head {
    shape: Shape::Terminal,
    stamp: None,
    level: (0, 0),
    component: (0, 0),
    spans: (0, 0),
    body: 0,
};

/// `[stamp] LEVEL …`; `at` is where the stamp begins.
pub(crate) fn terminal(line: &[u8], at: usize) -> Option<Head> {
    let (stamp, end) = full_stamp(line, at)?;
    bracketed(line, &stamp, end)
}

/// The same from the end of the stamp on (the bracket before it may be lost).
pub(crate) fn bracketed(line: &[u8], stamp: &Stamp, end: usize) -> Option<Head> {
    if line.get(end) != Some(&b']') {
        return None;
    }
    let head = Head {
        stamp: Some(*stamp),
        ..EMPTY
    };
    after_stamp(line, end + 1, head)
}

/// `LEVEL prefix: …`: what is left when the stamp was dropped. The prefix is needed, else every
/// shouted sentence would be a record.
pub(crate) fn stampless(line: &[u8]) -> Option<Head> {
    let head = after_stamp(line, 0, EMPTY)?;
    (head.component.0 < head.component.1).then_some(head)
}

/// `time="…" level=info msg=…`; a letter or two may be lost in pasting.
pub(crate) fn quoted_line(line: &[u8]) -> Option<Head> {
    let stamp = match line {
        [b't', b'i', b'm', b'e', b'=', b'"', ..] => 6,
        [b'i', b'm', b'e', b'=', b'"', ..] => 5,
        [b'm', b'e', b'=', b'"', ..] => 4,
        _ => return None,
    };
    quoted(line, stamp)
}

fn quoted(line: &[u8], at: usize) -> Option<Head> {
    let (stamp, end) = full_stamp(line, at)?;
    if !line[end..].starts_with(b"\" level=") {
        return None;
    }
    let mut head = level_and_message(line, end + 8)?;
    head.stamp = Some(stamp);
    Some(head)
}

/// `level=info msg=…`: the stamp was dropped.
pub(crate) fn level_first(line: &[u8]) -> Option<Head> {
    if !line.starts_with(b"level=") {
        return None;
    }
    level_and_message(line, 6)
}

#[inline]
fn level_and_message(line: &[u8], level: usize) -> Option<Head> {
    let mut at = level;
    while line.get(at).is_some_and(u8::is_ascii_lowercase) {
        at += 1;
    }
    if at == level || !line[at..].starts_with(b" msg=") {
        return None;
    }
    Some(Head {
        shape: Shape::Quoted,
        level: (level as u32, at as u32),
        body: (at + 5) as u32,
        ..EMPTY
    })
}

/// The bits of the last words of keys.
pub(crate) fn ends(keys: &[String]) -> u64 {
    let last = |key: &String| {
        key.rsplit(' ')
            .next()
            .map_or(0, |word| end_bit(word.as_bytes()))
    };
    keys.iter().map(last).fold(0, |bits, bit| bits | bit)
}

/// Moves the start of a key back if it is the last word of a key with blanks.
#[inline]
fn spaced_start(text: &[u8], from: usize, start: usize, equals: usize, manner: &Manner) -> usize {
    if end_bit(&text[start..equals]) & manner.spaced_ends == 0 {
        return start;
    }
    for key in &manner.spaced_keys {
        let Some(long_start) = equals.checked_sub(key.len()) else {
            continue;
        };
        if long_start < start
            && long_start >= from
            && text[long_start..equals] == *key.as_bytes()
            && (long_start == from || matches!(text[long_start - 1], b' ' | b'\n'))
        {
            return long_start;
        }
    }
    start
}

/// Splits `message key=value …` of the terminal shape; returns the message.
#[inline]
pub(crate) fn terminal_body<'a>(
    text: &'a [u8],
    from: usize,
    manner: &Manner,
    fields: &mut Vec<Field<'a>>,
) -> &'a [u8] {
    let text = trim_end(text);
    let from = from.min(text.len());
    let mut start = from; // of the message, then of the current value
    let mut key: Option<&[u8]> = None;
    let mut message: &[u8] = &text[from..];
    // Most records have none.
    let first_paren = memchr2(b'(', b')', &text[from..]).map_or(text.len(), |at| from + at);
    let (mut counted, mut depth) = (from, 0i32);
    let mut last_paren: Option<Option<usize>> = None;
    for equals in Places::new(b'=', text, from) {
        let Some(word) = key_before(text, start, equals) else {
            continue;
        };
        let at = spaced_start(text, start, word, equals, manner);
        let candidate = &text[at..equals];
        // A message is not empty: `builder: expected=[202], got=500, …` is all message, and so are
        // its words that end with a comma.
        if key.is_none() && at == from {
            continue;
        }
        if let (Some(_), true) = (key, fields.is_empty())
            && text[start..at].ends_with(b", ")
        {
            key = None;
            start = from;
        }
        // Keys are sorted: one that comes too early belongs to the text of a value. Only `error` is
        // surely a key; then the one before it was none.
        if key.is_some_and(|key| stands_before(candidate, key)) {
            if !fields.is_empty() || candidate != b"error" {
                continue;
            }
            key = None;
            start = from;
        }
        // `(in processBatchedBlocks, slot=1)`: inside parentheses that do close.
        if at > first_paren {
            depth += parens(&text[counted..at]);
        }
        counted = at;
        if depth > 0 {
            let last = *last_paren.get_or_insert_with(|| memrchr(b')', text));
            if last.is_some_and(|last| last > at) {
                continue;
            }
        }
        let value = &text[start..at.saturating_sub(1).max(start)];
        match key {
            None => message = value,
            Some(key) => fields.push(Field {
                key,
                value: FieldValue::Text(value),
            }),
        }
        key = Some(candidate);
        start = equals + 1;
        counted = start;
        depth = 0;
    }
    if let Some(key) = key {
        fields.push(Field {
            key,
            value: FieldValue::Text(&text[start..]),
        });
    }
    trim_end(message)
}

/// Whether a key sorts before another: nearly always the first letter tells.
#[inline]
fn stands_before(key: &[u8], other: &[u8]) -> bool {
    match (key.first(), other.first()) {
        (Some(a), Some(b)) if a != b => a < b,
        _ => key < other,
    }
}

fn parens(text: &[u8]) -> i32 {
    text.iter().fold(0, |depth, c| match c {
        b'(' => depth + 1,
        b')' => depth - 1,
        _ => depth,
    })
}

/// The end of the key at `at`, if a `=` follows it.
#[inline]
pub(super) fn key_at(text: &[u8], at: usize, spaced: &[String]) -> Option<usize> {
    if !text.get(at)?.is_ascii_alphabetic() {
        return None;
    }
    let end = at + run_within::<KeyByte>(text, at, KEY_MAX);
    match text.get(end) {
        Some(b'=') => Some(end),
        Some(b' ') => spaced
            .iter()
            .find(|key| {
                text[at..].starts_with(key.as_bytes()) && text.get(at + key.len()) == Some(&b'=')
            })
            .map(|key| at + key.len()),
        _ => None,
    }
}

/// A value of the quoted shape.
struct Value<'a> {
    text: &'a [u8],
    /// Where the next key begins, or the end.
    next: usize,
    /// Whether a quote was opened and never closed.
    open: bool,
}

#[inline]
fn value<'a>(text: &'a [u8], at: usize, key: &[u8], manner: &Manner) -> Value<'a> {
    if text.get(at) == Some(&b'"') {
        let from = at + 1;
        let mut search = from;
        while let Some(offset) = near(b'"', &text[search..]) {
            let quote = search + offset;
            let mut after = quote + 1;
            if after == text.len() {
                return Value {
                    text: &text[from..quote],
                    next: after,
                    open: false,
                };
            }
            if matches!(text[after], b' ' | b'\n') {
                while after < text.len() && text[after] == b' ' && after - quote < 8 {
                    after += 1;
                }
                if text[quote + 1] == b'\n' {
                    after = quote + 2;
                }
                if key_at(text, after, &manner.spaced_keys).is_some() {
                    return Value {
                        text: &text[from..quote],
                        next: after,
                        open: false,
                    };
                }
            }
            search = quote + 1;
        }
        return Value {
            text: &text[from..],
            next: text.len(),
            open: true,
        };
    }
    let mut search = at;
    while let Some(offset) = near(b'=', &text[search..]) {
        let equals = search + offset;
        search = equals + 1;
        if let Some(word) = key_before(text, at, equals) {
            let start = spaced_start(text, at, word, equals, manner);
            // Sorted keys again; at the value's very start there is no blank before a key.
            if start > at && !stands_before(&text[start..equals], key) {
                return Value {
                    text: &text[at..start - 1],
                    next: start,
                    open: false,
                };
            }
        }
    }
    Value {
        text: &text[at..],
        next: text.len(),
        open: false,
    }
}

/// Splits `"message" key=value …` of the quoted shape; returns message and component.
#[inline]
pub(crate) fn quoted_body<'a>(
    text: &'a [u8],
    from: usize,
    manner: &Manner,
    fields: &mut Vec<Field<'a>>,
) -> (&'a [u8], Option<&'a [u8]>) {
    let text = trim_end(text);
    let first = value(text, from.min(text.len()), b"", manner);
    let mut component: Option<(usize, &'a [u8])> = None;
    let mut at = first.next;
    while at < text.len() {
        let Some(end) = key_at(text, at, &manner.spaced_keys) else {
            break;
        };
        let key = &text[at..end];
        let got = value(text, end + 1, key, manner);
        match manner.component_rank(key) {
            Some(rank) if component.is_none_or(|(other, _)| rank < other) => {
                component = Some((rank, got.text));
            }
            Some(_) => {}
            None => fields.push(Field {
                key,
                value: FieldValue::Text(got.text),
            }),
        }
        at = got.next;
    }
    (trim_end(first.text), component.map(|(_, text)| text))
}

/// Whether the quoted shape's last value has no closing quote: the record goes on.
pub(crate) fn quote_is_open(text: &[u8], from: usize, manner: &Manner) -> bool {
    let text = trim_end(text);
    let first = value(text, from.min(text.len()), b"", manner);
    first.open || fields_leave_open(text, first.next, manner)
}

/// `2020/06/14 07:28:55 …`, as Go's `log.Println` writes: it bypasses the formatter, any Go program
/// may have written it, so no format claims it; but it ends the record before it.
pub(crate) fn is_go_println(line: &[u8]) -> bool {
    line.len() > 19
        && line[4] == b'/'
        && line[7] == b'/'
        && line[10] == b' '
        && digits(line, 0, 4).is_some()
        && crate::scan::clock(line, 11).is_some()
}

/// Whether, inside an open quote, this further line leaves a quote open at its end.
pub(crate) fn quote_still_open(line: &[u8], manner: &Manner) -> bool {
    let line = trim_end(line);
    let mut search = 0;
    while let Some(offset) = near(b'"', &line[search..]) {
        let quote = search + offset;
        let mut after = quote + 1;
        if after == line.len() {
            return false;
        }
        while line.get(after) == Some(&b' ') && after - quote < 8 {
            after += 1;
        }
        if after > quote + 1 && key_at(line, after, &manner.spaced_keys).is_some() {
            return fields_leave_open(line, after, manner);
        }
        search = quote + 1;
    }
    true
}

fn fields_leave_open(text: &[u8], mut at: usize, manner: &Manner) -> bool {
    while at < text.len() {
        let Some(end) = key_at(text, at, &manner.spaced_keys) else {
            return false;
        };
        let got = value(text, end + 1, &text[at..end], manner);
        if got.open {
            return true;
        }
        at = got.next;
    }
    false
}
