//! nim-chronicles' text lines: `INF 2023-09-15 15:34:00.000+00:00 Slot start      topics="beacnde" slot=217470`.
//!
//! The message is padded to 42 columns; a longer one is followed by one blank. A value is quoted where it
//! holds a blank, `=`, a quote or anything but printable ASCII, and backslashes escape inside; so a bare
//! value ends at the next blank. Old builds print whole seconds and `NOT` for `NTC`.

use super::{Head, Manner, Shape, logrus};
use crate::scan::{full_stamp, is_word, key_before, near, near2, trim_end};
use model::{Field, FieldValue, StampZone};

/// Columns that a message is padded to.
const WIDTH: usize = 42;

fn is_level(word: &[u8]) -> bool {
    is_word!(
        word,
        b"INF" | b"DBG" | b"NTC" | b"WRN" | b"TRC" | b"ERR" | b"FAT" | b"NOT"
    )
}

/// A line with level, stamp and written zone.
#[inline]
pub(crate) fn recognise(line: &[u8]) -> Option<Head> {
    // The date's dash tells a year-less stamp (`Jan 03 …`) apart before any word is compared.
    if line.get(3) != Some(&b' ') || line.get(8) != Some(&b'-') || !is_level(&line[..3]) {
        return None;
    }
    let (stamp, end) = full_stamp(line, 4)?;
    if stamp.zone == StampZone::None || !matches!(line.get(end), None | Some(b' ')) {
        return None;
    }
    Some(Head {
        shape: Shape::Chronicles,
        stamp: Some(stamp),
        level: (0, 3),
        component: (0, 0),
        spans: (0, 0),
        body: (end + 1).min(line.len()) as u32,
    })
}

/// The end of the key at `at`, if a `=` follows it. None has blanks in it.
#[inline]
fn key_at(text: &[u8], at: usize) -> Option<usize> {
    logrus::key_at(text, at, &[])
}

/// Where the fields begin, and where the first key ends; the end of the text if there are none.
#[inline]
fn fields_start(text: &[u8], from: usize) -> (usize, Option<usize>) {
    let padded = from + WIDTH + 1;
    if text.get(padded - 1) == Some(&b' ')
        && let Some(equals) = key_at(text, padded)
    {
        return (padded, Some(equals));
    }
    let mut search = from;
    while let Some(offset) = near(b'=', &text[search..]) {
        let equals = search + offset;
        search = equals + 1;
        if let Some(start) = key_before(text, from, equals)
            && start > from
        {
            return (start, Some(equals));
        }
    }
    (text.len(), None)
}

/// Splits `message topics="…" key=value …`; returns message and component.
#[inline]
pub(crate) fn body<'a>(
    text: &'a [u8],
    from: usize,
    manner: &Manner,
    fields: &mut Vec<Field<'a>>,
) -> (&'a [u8], Option<&'a [u8]>) {
    let text = trim_end(text);
    let from = from.min(text.len());
    let (mut at, mut key_end) = fields_start(text, from);
    let message = trim_end(&text[from..at]);
    let mut component = None;
    while let Some(equals) = key_end {
        let key = &text[at..equals];
        let (value, next, known) = value(text, equals + 1);
        if component.is_none() && manner.component_rank(key).is_some() {
            component = Some(value);
        } else {
            fields.push(Field {
                key,
                value: FieldValue::Text(value),
            });
        }
        at = next + gap(text, next);
        key_end = known.or_else(|| key_at(text, at));
    }
    (message, component)
}

/// How many blanks and line feeds there are.
#[inline]
fn gap(text: &[u8], at: usize) -> usize {
    let rest = text[at..].iter();
    rest.take_while(|c| matches!(c, b' ' | b'\n')).count()
}

/// The value at `at`, where what follows it begins, and where the key ends there, if that had to be known. Text
/// that is no key after a bare value belongs to it: pastes and patched programs leave quotes out.
#[inline]
fn value(text: &[u8], at: usize) -> (&[u8], usize, Option<usize>) {
    if text.get(at) == Some(&b'"') {
        let from = at + 1;
        let mut search = from;
        while let Some(offset) = near2(b'"', b'\\', text.get(search..).unwrap_or_default()) {
            let end = search + offset;
            if text[end] == b'"' {
                return (&text[from..end], end + 1, None);
            }
            search = end + 2;
        }
        return (&text[from..], text.len(), None);
    }
    let mut search = at;
    while let Some(offset) = near2(b' ', b'\n', &text[search..]) {
        let end = search + offset;
        let next = end + gap(text, end);
        if let Some(equals) = key_at(text, next) {
            return (&text[at..end], next, Some(equals));
        }
        search = next;
    }
    (&text[at..], text.len(), None)
}

/// ` peers: 3 ❯ finalized: …`: the status bar that Nimbus redraws at the foot of a terminal.
pub(crate) fn is_status_bar(line: &[u8]) -> bool {
    let text = line.trim_ascii_start();
    text.starts_with(b"peers: ") && memchr::memmem::find(text, "❯".as_bytes()).is_some()
}
