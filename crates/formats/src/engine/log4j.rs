//! log4j, with the patterns that Teku and Besu set.
//!
//! * Console: `2022-03-19 16:17:24.021 INFO  - message`; where Teku logs to a file as well, its console
//!   drops the date: `16:17:24.021 INFO  - message`.
//! * File (Teku), console and file (Besu): `2023-05-11 20:19:04.003+00:00 | thread | INFO  | Logger | message`.
//! * log4j's own status lines: `2020-09-30 13:12:13,599 main INFO message`.
//!
//! Messages are prose. An exception comes on the lines after it, or, where Teku keeps stack traces for its
//! file, at the end of the line; it becomes the field `throwable`, as log4j's JSON layouts name it.

use super::{Head, Manner, Rules, Shape};
use crate::lanes::{Blank, Capital, run_within};
use crate::scan::{Places, clock, digits, is_word, near, trim_end};
use memchr::{memchr, memchr_iter};
use model::{Field, FieldValue, Stamp, StampDate, StampZone};

/// How Teku ends a line whose stack trace only its log file has.
const TRACE_IN_FILE: &[u8] = b"(See log file for full stack trace)";

/// Whether a word is a level as log4j (and NLog) print it.
#[inline]
pub(super) fn is_level(word: &[u8]) -> bool {
    is_word!(
        word,
        b"INFO" | b"DEBUG" | b"WARN" | b"ERROR" | b"TRACE" | b"FATAL"
    )
}

fn head(shape: Shape, stamp: &Stamp, level: (usize, usize), body: usize) -> Head {
    Head {
        shape,
        stamp: Some(*stamp),
        level: (level.0 as u32, level.1 as u32),
        component: (0, 0),
        spans: (0, 0),
        body: body as u32,
    }
}

/// The level at `at`: its end.
#[inline]
fn level_at(line: &[u8], at: usize) -> Option<usize> {
    if at > line.len() {
        return None;
    }
    let end = at + run_within::<Capital>(line, at, 6);
    is_level(&line[at..end]).then_some(end)
}

/// A line of the console whose date was dropped.
pub(crate) fn dateless(line: &[u8]) -> Option<Head> {
    if line.get(2) != Some(&b':') {
        return None;
    }
    let (nanos_of_day, fraction_digits, end) = clock(line, 0)?;
    let mut stamp = Stamp {
        date: StampDate::None,
        nanos_of_day,
        fraction_digits,
        zone: StampZone::None,
    };
    let end = comma_fraction(line, end, &mut stamp);
    console(line, end, &stamp).filter(|_| stamp.fraction_digits > 0)
}

/// A line of any of the three forms, with its date.
pub(crate) fn recognise(line: &[u8], stamp: &Stamp, end: usize) -> Option<Head> {
    if line.get(end) == Some(&b',') {
        let mut stamp = *stamp;
        let end = comma_fraction(line, end, &mut stamp);
        return dated(line, &stamp, end);
    }
    dated(line, stamp, end)
}

#[inline]
fn dated(line: &[u8], stamp: &Stamp, end: usize) -> Option<Head> {
    if line.get(end) != Some(&b' ') || stamp.fraction_digits == 0 {
        return None;
    }
    match line.get(end + 1)? {
        b'|' => file(line, end + 1, stamp),
        b'm' => status(line, end + 1, stamp),
        _ => console(line, end, stamp),
    }
}

/// Locales and JSON layouts put a comma before the milliseconds.
fn comma_fraction(line: &[u8], at: usize, stamp: &mut Stamp) -> usize {
    match digits(line, at + 1, 3) {
        Some(millis) if line[at] == b',' && stamp.fraction_digits == 0 => {
            stamp.nanos_of_day += u64::from(millis) * 1_000_000;
            stamp.fraction_digits = 3;
            at + 4
        }
        _ => at,
    }
}

/// ` INFO  - message`, from the blank on.
#[inline]
fn console(line: &[u8], at: usize, stamp: &Stamp) -> Option<Head> {
    if line.get(at) != Some(&b' ') {
        return None;
    }
    let end = level_at(line, at + 1)?;
    let dash = end + run_within::<Blank>(line, end, 4);
    if dash == end
        || line.get(dash) != Some(&b'-')
        || !matches!(line.get(dash + 1), None | Some(b' '))
    {
        return None;
    }
    let body = (dash + 2).min(line.len());
    Some(head(Shape::Log4jConsole, stamp, (at + 1, end), body))
}

/// `| thread | INFO  | Logger | message`, from the first bar on.
#[inline]
fn file(line: &[u8], bar: usize, stamp: &Stamp) -> Option<Head> {
    let mut bars = Places::new(b'|', &line[..line.len().min(bar + 512)], bar + 1);
    let mut from = bar + 1;
    let mut cell = |end: usize| {
        let (mut start, mut stop) = (from, end);
        while start < stop && line[start] == b' ' {
            start += 1;
        }
        while start < stop && line[stop - 1] == b' ' {
            stop -= 1;
        }
        from = end + 1;
        (start, stop)
    };
    let thread = cell(bars.next()?);
    let level = cell(bars.next()?);
    let last = bars.next()?;
    let logger = cell(last);
    if !is_level(&line[level.0..level.1])
        || logger.0 == logger.1
        || near(b' ', &line[logger.0..logger.1]).is_some()
    {
        return None;
    }
    let body = last + 1 + usize::from(line.get(last + 1) == Some(&b' '));
    Some(Head {
        component: (logger.0 as u32, logger.1 as u32),
        spans: (thread.0 as u32, thread.1 as u32),
        ..head(Shape::Log4jFile, stamp, level, body)
    })
}

/// `main INFO message`: what log4j says of itself while it is configured. Any other thread may be any
/// program's logger.
fn status(line: &[u8], at: usize, stamp: &Stamp) -> Option<Head> {
    if !line[at..].starts_with(b"main ") {
        return None;
    }
    let end = level_at(line, at + 5)?;
    if line.get(end) != Some(&b' ') {
        return None;
    }
    Some(Head {
        spans: (at as u32, (at + 4) as u32),
        ..head(Shape::Log4jStatus, stamp, (at + 5, end), end + 1)
    })
}

/// Splits a record into message and exception; returns the message.
#[inline]
pub(crate) fn body<'a>(
    text: &'a [u8],
    head: &Head,
    rules: Rules<'_>,
    fields: &mut Vec<Field<'a>>,
) -> &'a [u8] {
    let (from, to) = head.spans;
    if from < to {
        fields.push(Field {
            key: b"thread",
            value: FieldValue::Text(&text[from as usize..to as usize]),
        });
    }
    let text = &text[(head.body as usize).min(text.len())..];
    let Some(split) = throwable_start(text, rules) else {
        return trim_end(text);
    };
    fields.push(Field {
        key: b"throwable",
        value: FieldValue::Text(trim_end(&text[split..])),
    });
    trim_end(&text[..split - 1])
}

/// Where the exception begins, if the record has one.
#[inline]
fn throwable_start(text: &[u8], rules: Rules<'_>) -> Option<usize> {
    if !rules.one_line && memchr(b'\n', text).is_some() {
        let mut starts = memchr_iter(b'\n', text).map(|feed| feed + 1);
        return starts.find(|start| {
            let rest = &text[*start..];
            let line = &rest[..memchr(b'\n', rest).unwrap_or(rest.len())];
            is_exception(line) || is_frame(line.trim_ascii_start())
        });
    }
    if !text.ends_with(TRACE_IN_FILE) {
        return None;
    }
    // `thrown for io.netty.X: thread` names a class in the message itself.
    memchr_iter(b' ', text)
        .map(|blank| blank + 1)
        .find(|start| is_exception(&text[*start..]) && !text[..*start].ends_with(b" for "))
}

/// Whether a line begins with the name of an exception's class: `java.lang.OutOfMemoryError: Java heap space`.
pub(crate) fn is_exception(line: &[u8]) -> bool {
    if !line.first().is_some_and(u8::is_ascii_lowercase) {
        return false;
    }
    let length = line
        .iter()
        .take(256)
        .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'$'))
        .count();
    let (name, rest) = line.split_at(length);
    let class = name
        .iter()
        .rposition(|c| *c == b'.')
        .map_or(&name[..0], |dot| &name[dot + 1..]);
    class.first().is_some_and(u8::is_ascii_uppercase)
        && (rest.trim_ascii().is_empty() || rest.starts_with(b":") || rest.starts_with(b" ("))
}

/// Whether a line, blanks off, is a later line of a stack trace.
fn is_frame(line: &[u8]) -> bool {
    if let Some(place) = line.strip_prefix(b"at ") {
        let name = &place[..place
            .iter()
            .take(256)
            .position(|c| *c == b'(')
            .unwrap_or(place.len().min(256))];
        return name.first().is_some_and(u8::is_ascii_alphabetic)
            && !name.contains(&b' ')
            && name
                .windows(2)
                .any(|pair| pair[0] == b'.' && pair[1].is_ascii_alphanumeric());
    }
    if let Some(rest) = line.strip_prefix(b"... ") {
        return rest.first().is_some_and(u8::is_ascii_digit) && trim_end(rest).ends_with(b" more");
    }
    [
        &b"Caused by: "[..],
        b"Suppressed: ",
        b"Wrapped by: ",
        b"[CIRCULAR REFERENCE",
    ]
    .iter()
    .any(|start| line.starts_with(start))
}

/// Whether a line goes on with the record before it by its own looks: of a stack trace (pastes lose its
/// tabs), indented, a closing bracket, or of the frame that Besu draws round its configuration.
pub(crate) fn goes_on(line: &[u8]) -> bool {
    let text = line.trim_ascii();
    if text.is_empty() {
        return false;
    }
    matches!(line[0], b' ' | b'\t')
        || is_exception(text)
        || is_frame(text)
        || text.starts_with(b"#")
        || text
            .iter()
            .all(|c| matches!(c, b'}' | b')' | b']' | b',' | b' '))
}

/// Whether the message itself goes on over the next lines: the definition lists such messages.
pub(crate) fn is_banner(text: &[u8], head: &Head, manner: &Manner) -> bool {
    let message = &text[(head.body as usize).min(text.len())..];
    manner
        .banners
        .iter()
        .any(|start| message.starts_with(start.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_and_frames_are_known_by_their_looks() {
        for line in [
            "java.lang.OutOfMemoryError: Java heap space",
            "java.lang.NullPointerException",
            "io.netty.channel.AbstractChannel$X (See log file for full stack trace)",
            "\tat a.b.C.d(C.java:12) ~[a-b.jar:1.2]",
            "at java.base/",
            "Caused by: a.B: c",
            "\tSuppressed: a.B: c",
            "\t... 17 common frames omitted",
            "... 17 more",
            "}",
            "# Besu version 23.1.0   #",
        ] {
            assert!(goes_on(line.as_bytes()), "{line}");
        }
        for line in [
            "at the moment nothing works",
            "at midnight.",
            "www.example.org",
            "e.g. This",
            "OpenJDK 64-Bit Server VM warning: x",
            "",
            "   ",
        ] {
            assert!(!goes_on(line.as_bytes()), "{line}");
        }
    }
}
