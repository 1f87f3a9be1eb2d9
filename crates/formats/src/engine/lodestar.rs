//! Lodestar's text form (`packages/logger/src/utils/format.ts` of ChainSafe/lodestar): beacon node,
//! validator client, light client.
//!
//! * `Mon-DD HH:MM:SS.mmm[module]   level: message k=v, k=v`, since 2022; `[]` is the main program. No
//!   year, no zone. 2020 and 2021: `YYYY-MM-DD HH:MM:SS  [MODULE]   level: …`. Test networks:
//!   `Eph 231/17 4.123[NODE-A CHAIN] level: …`, a time within a slot.
//! * Values are neither quoted nor escaped: a value ends at `, ` and a following `key=`, or at a blank and
//!   `key=` if it has no blank itself (an error's own context follows so).
//! * An error follows as ` - text`, then its stack on lines of its own, whose first line says the text
//!   again: that tells exactly where it begins. Without a stack, the first ` - ` of the last value begins
//!   it. Text and stack become the fields `error` and `stack`.
//! * The line of every slot has no `=`: `Synced - slot: 7 - head: 0x12…ab - peers: 9`. Its parts are fields,
//!   also in JSON; the definition says what such messages begin with (`segments`).

use super::{Head, Rules, Shape};
use crate::lanes::{Blank, KeyByte, Lane, Truths, run_within};
use crate::scan::{KEY_MAX, Signs, digits, find, is_word, key_before, near, trim_end};
use crate::words::Literal;
use memchr::memchr;
use model::{Field, FieldValue, Stamp, StampDate, StampZone};

/// The most bytes between the brackets.
const MODULE_MAX: usize = 64;

/// Reads up to nine digits; returns number and length.
fn number(text: &[u8]) -> Option<(u32, usize)> {
    let length = text
        .iter()
        .take(9)
        .take_while(|c| c.is_ascii_digit())
        .count();
    Some((digits(text, 0, length).filter(|_| length > 0)?, length))
}

/// `Eph 231/17 4.123`: epoch, slot, seconds within the slot.
fn slot_stamp(line: &[u8]) -> Option<(Stamp, usize)> {
    let mut at = 4;
    line.strip_prefix(b"Eph ")?;
    let (epoch, length) = number(&line[at..])?;
    at += length;
    if line.get(at) != Some(&b'/') {
        return None;
    }
    let (slot, length) = number(&line[at + 1..])?;
    at += 1 + length;
    if line.get(at) != Some(&b' ') {
        return None;
    }
    at += 1;
    let (seconds, length) = number(&line[at..])?;
    at += length;
    let mut nanos = u64::from(seconds) * 1_000_000_000;
    let mut fraction_digits = 0;
    if line.get(at) == Some(&b'.') {
        let (fraction, length) = number(&line[at + 1..])?;
        at += 1 + length;
        fraction_digits = length as u8;
        nanos += u64::from(fraction) * 10u64.pow(9 - length as u32);
    }
    let stamp = Stamp {
        date: StampDate::Slot { epoch, slot },
        nanos_of_day: nanos,
        fraction_digits,
        zone: StampZone::None,
    };
    Some((stamp, at))
}

/// Says whether a record starts with this line, which begins with a time within a slot.
pub(crate) fn of_slot(line: &[u8]) -> Option<Head> {
    let (stamp, end) = slot_stamp(line)?;
    after_stamp(line, &stamp, end)
}

/// The same of a line with a date: whole seconds where it has a year, and a fraction where it has none.
pub(crate) fn dated(line: &[u8], stamp: &Stamp, end: usize) -> Option<Head> {
    let fine = match stamp.date {
        StampDate::NoYear { .. } => stamp.fraction_digits > 0,
        _ => end == 19,
    };
    if !fine {
        return None;
    }
    after_stamp(line, stamp, end)
}

#[inline(always)]
fn after_stamp(line: &[u8], stamp: &Stamp, mut at: usize) -> Option<Head> {
    if line.get(at) != Some(&b'[') {
        at += run_within::<Blank>(line, at, 3);
        if line.get(at) != Some(&b'[') {
            return None;
        }
    }
    let module = at + 1;
    let room = &line[module..line.len().min(module + MODULE_MAX)];
    let module_end = module + near(b']', room)?;
    at = module_end + 1;
    let start = at;
    at += run_within::<Blank>(line, at, 40);
    if at == start {
        return None;
    }
    let level = at;
    // The longest level has seven letters.
    at += Lane::of(line.get(level..)?)
        .is(b':')
        .marks()
        .trailing_zeros() as usize;
    let is_level = is_word!(
        line.get(level..at)?,
        b"error" | b"warn" | b"info" | b"verbose" | b"debug" | b"trace" | b"silly"
    );
    if !is_level || !matches!(line.get(at + 1), None | Some(b' ')) {
        return None;
    }
    Some(Head {
        shape: Shape::Lodestar,
        stamp: Some(*stamp),
        level: (level as u32, at as u32),
        component: (module as u32, module_end as u32),
        spans: (0, 0),
        body: (at + 2).min(line.len()) as u32,
    })
}

/// `Error: …`, `TypeError [ERR_X]: …`: what the stack of an error begins with.
fn is_error_line(text: &[u8]) -> bool {
    let name = text
        .iter()
        .take(64)
        .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'$'))
        .count();
    let rest = &text[name..];
    (text[..name].ends_with(b"Error") || text[..name].ends_with(b"Exception"))
        && (matches!(rest.first(), None | Some(b':')) || rest.starts_with(b" ["))
}

/// Whether a line that starts no record goes on with one by its looks.
pub(crate) fn goes_on(text: &[u8]) -> bool {
    (matches!(text.first(), Some(b' ' | b'\t')) && !text.trim_ascii().is_empty())
        || is_error_line(text)
        || text.starts_with(b"Caused by: ")
        || matches!(text, b"}" | b"]" | b"})")
}

/// Where the stack begins, and the text that its first line repeats.
fn stack(text: &[u8], from: usize) -> Option<(usize, &[u8])> {
    let mut at = from + memchr(b'\n', &text[from..])? + 1;
    loop {
        let end = memchr(b'\n', &text[at..]).map_or(text.len(), |feed| at + feed);
        let line = &text[at..end];
        let frame = line.trim_ascii_start();
        if is_error_line(line) {
            let colon = find(line, b": ").map_or(line.len(), |colon| colon + 2);
            return Some((at, &line[colon..]));
        }
        if frame.starts_with(b"at ") && frame.len() < line.len()
            || frame.starts_with("✖".as_bytes())
        {
            return Some((at, b""));
        }
        if end == text.len() {
            return None;
        }
        at = end + 1;
    }
}

/// Where blanks and line feeds stand, and where `=`.
const BLANK: usize = 0;
const EQUALS: usize = 1;

fn kinds(lane: Lane) -> [Truths; 2] {
    [lane.is(b' ').or(lane.is(b'\n')), lane.is(b'=')]
}

/// Where the first key behind `from` begins, and its `=`, which does not stand before `search`.
fn next_key(
    text: &[u8],
    from: usize,
    mut search: usize,
    signs: &mut Signs<'_, impl Fn(Lane) -> [Truths; 2], 2>,
) -> Option<(usize, usize)> {
    loop {
        let equals = signs.next(EQUALS, search, text.len());
        if equals == text.len() {
            return None;
        }
        if let Some(start) = key_before(text, from, equals)
            && start > from
        {
            return Some((start, equals));
        }
        search = equals + 1;
    }
}

/// Where the key that follows the value at `from` begins, and its `=`: behind a comma and a blank, or behind the value's
/// only blank.
#[inline(always)]
fn key_behind(
    text: &[u8],
    from: usize,
    signs: &mut Signs<'_, impl Fn(Lane) -> [Truths; 2], 2>,
) -> Option<(usize, usize)> {
    let blank = signs.next(BLANK, from, text.len());
    let start = blank + 1;
    // Nearly all values are one word.
    if text.get(start)?.is_ascii_alphabetic() && text[blank] == b' ' {
        let equals = start + run_within::<KeyByte>(text, start, KEY_MAX);
        if text.get(equals) == Some(&b'=') {
            return Some((start, equals));
        }
    }
    key_further(text, from, signs)
}

/// The same where the value is not one word: kept out of the way of all others.
#[inline(never)]
fn key_further(
    text: &[u8],
    from: usize,
    signs: &mut Signs<'_, impl Fn(Lane) -> [Truths; 2], 2>,
) -> Option<(usize, usize)> {
    let blank = near(b' ', &text[from..]).map(|blank| from + blank + 1);
    let mut search = from;
    loop {
        let (start, equals) = next_key(text, from, search, signs)?;
        if (start - 1 > from && text[start - 2] == b',') || blank == Some(start) {
            return Some((start, equals));
        }
        search = equals + 1;
    }
}

/// Cuts the text of the error off, where the stack tells what it is.
fn cut_error<'a>(head: &'a [u8], said: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let said = trim_end(said);
    if said.is_empty() {
        return None;
    }
    if let Some(rest) = head.strip_suffix(said)
        && rest.ends_with(b" ")
    {
        let error = &head[rest.len()..];
        let rest = trim_end(rest);
        return Some((trim_end(rest.strip_suffix(b" -").unwrap_or(rest)), error));
    }
    // The line was cut: what is left of the text begins like it.
    let dash = find(head, b" - ")?;
    let error = trim_end(&head[dash + 3..]);
    (!error.is_empty() && said.starts_with(error)).then(|| (trim_end(&head[..dash]), error))
}

/// Splits what follows the level; returns the message.
pub(crate) fn body<'a>(
    text: &'a [u8],
    head: &Head,
    rules: Rules<'_>,
    fields: &mut Vec<Field<'a>>,
) -> &'a [u8] {
    let text = trim_end(text);
    let from = (head.body as usize).min(text.len());
    let level = &text[head.level.0 as usize..head.level.1 as usize];
    let said = if rules.one_line {
        None
    } else {
        stack(text, from)
    };
    let line = match said {
        Some((at, _)) => trim_end(&text[from..at - 1]),
        None => &text[from..],
    };
    let mut push = |key: &'a [u8], value: &'a [u8]| {
        fields.push(Field {
            key,
            value: FieldValue::Text(value),
        });
    };
    let mut error: Option<&'a [u8]> = None;
    let message = if is_segmented(line, &rules.manner.segments) {
        split_segments(line, &mut push)
    } else {
        let (line, repeated) = match said.and_then(|(_, said)| cut_error(line, said)) {
            Some((line, repeated)) => (line, Some(repeated)),
            None => (line, None),
        };
        error = repeated;
        let grave = matches!(level, b"error" | b"warn");
        let may_tell = error.is_none() && (level != b"info" || said.is_some());
        split_context(
            line,
            may_tell,
            grave || said.is_some(),
            &mut error,
            &mut push,
        )
    };
    if let Some(error) = error {
        push(b"error", error);
    }
    if let Some((at, _)) = said {
        push(b"stack", &text[at..]);
    }
    message
}

/// Splits `message k=v, k=v - error`. `may_tell`: an error may be in it; `grave`: also behind a message
/// without context.
fn split_context<'a>(
    line: &'a [u8],
    may_tell: bool,
    grave: bool,
    error: &mut Option<&'a [u8]>,
    push: &mut impl FnMut(&'a [u8], &'a [u8]),
) -> &'a [u8] {
    let dash = |text: &[u8]| find(text, b" - ");
    let mut signs = Signs::new(line, kinds);
    let first = next_key(line, 0, 0, &mut signs);
    let message_end = first.map_or(line.len(), |(start, _)| start - 1);
    if may_tell
        && grave
        && let Some(at) = dash(&line[..message_end])
    {
        *error = Some(&line[at + 3..]);
        return trim_end(&line[..at]);
    }
    let Some((start, mut equals)) = first else {
        return line;
    };
    let message = line[..message_end].trim_ascii_end();
    let mut key = &line[start..equals];
    loop {
        let value = equals + 1;
        let mut told = None;
        if let Some((start, next_equals)) = key_behind(line, value, &mut signs) {
            let comma = start - 1 > value && line[start - 2] == b',';
            let text = &line[value..start - 1 - usize::from(comma)];
            if comma && may_tell && grave {
                told = dash(text).map(|at| value + at);
            }
            if told.is_none() {
                push(key, text);
                key = &line[start..next_equals];
                equals = next_equals;
                continue;
            }
        }
        let last = &line[value..];
        let at = told.or_else(|| {
            // One word has no blanks around anything.
            let may_have = may_tell && signs.next(BLANK, value, line.len()) < line.len();
            may_have.then(|| dash(last)).flatten().map(|at| value + at)
        });
        match at {
            Some(at) => {
                push(key, trim_end(&line[value..at]));
                *error = Some(line[at + 3..].trim_ascii_start());
            }
            None => push(key, trim_end(last)),
        }
        return message;
    }
}

/// What messages that consist of parts begin with, by their first words.
pub(crate) fn beginnings(words: &[String]) -> Vec<Literal> {
    let up_to_part = |words: &String| Literal::new(format!("{words} - ").into_bytes());
    words.iter().map(up_to_part).collect()
}

/// Whether a message consists of parts with ` - ` between them.
#[inline]
pub(crate) fn is_segmented(message: &[u8], beginnings: &[Literal]) -> bool {
    beginnings.iter().any(|beginning| beginning.begins(message))
}

/// Splits `Syncing - 9 seconds left - 5.00 slots/s - slot: 7 - peers: 8`; returns the first part.
pub(crate) fn split_segments<'a>(
    line: &'a [u8],
    push: &mut impl FnMut(&'a [u8], &'a [u8]),
) -> &'a [u8] {
    let mut dashes = Signs::new(line, |lane| [lane.is(b'-')]);
    // Where the next part begins.
    let mut next = |mut from: usize| {
        let mut search = from;
        loop {
            let dash = dashes.next(0, search, line.len());
            if dash == line.len() {
                return None;
            }
            search = dash + 1;
            if dash > from && line[dash - 1] == b' ' && line.get(dash + 1) == Some(&b' ') {
                // `head: (slot - 484)` is one part.
                if !line[..dash - 1].ends_with(b"(slot") {
                    return Some(dash + 2);
                }
                from = dash + 2;
            }
        }
    };
    let mut following = next(0);
    let message = following.map_or(line, |first| &line[..first - 3]);
    while let Some(from) = following {
        following = next(from);
        let part = &line[from..following.map_or(line.len(), |next| next - 3)];
        let name = run_within::<KeyByte>(part, 0, 32);
        if name > 0 && part[name..].starts_with(b": ") {
            push(&part[..name], trim_end(&part[name + 2..]));
        } else if let Some(left) = part.strip_suffix(b" left") {
            push(b"left", left);
        } else if part.ends_with(b" slots/s") {
            push(b"speed", part);
        } else {
            push(b"part", part);
        }
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Manner;
    use crate::scan::{english_stamp, full_stamp};

    fn recognise(line: &[u8]) -> Option<Head> {
        let stamp = full_stamp(line, 0).or_else(|| english_stamp(line));
        stamp.map_or_else(|| of_slot(line), |(stamp, end)| dated(line, &stamp, end))
    }

    #[track_caller]
    fn check(line: &str, stamp: &str, component: &str, message: &str, fields: &[(&str, &str)]) {
        // Whoever reads a line takes its colours out first.
        let mut plain = Vec::new();
        crate::colours::strip_colours(line.as_bytes(), &mut plain);
        let line = plain.as_slice();
        let head = recognise(line).expect("a record");
        let mut seen = Vec::new();
        let manner = Manner {
            segments: beginnings(&["Synced".to_owned(), "Syncing".to_owned()]),
            ..Manner::default()
        };
        let rules = Rules {
            manner: &manner,
            one_line: false,
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let got = text(body(line, &head, rules, &mut seen));
        let seen: Vec<_> = seen
            .iter()
            .map(|field| (text(field.key), text(field.value.bytes())))
            .collect();
        let fields: Vec<_> = fields
            .iter()
            .map(|(key, value)| (key.to_string(), value.to_string()))
            .collect();
        let own = head.stamp.map(|stamp| stamp.to_string());
        assert_eq!(own.as_deref(), Some(stamp));
        let (from, to) = head.component;
        assert_eq!(text(&line[from as usize..to as usize]), component);
        assert_eq!((got.as_str(), seen), (message, fields));
    }

    #[test]
    fn context_and_errors() {
        check(
            "Sep-14 13:12:26.917[]                error: Error proposing block slot=122, validator=0xac97…73f7 - Internal Server Error: x - y\n\
             Error: Internal Server Error: x - y\n    at f (file:///a.ts:1:2)",
            "--09-14T13:12:26.917",
            "",
            "Error proposing block",
            &[
                ("slot", "122"),
                ("validator", "0xac97…73f7"),
                ("error", "Internal Server Error: x - y"),
                (
                    "stack",
                    "Error: Internal Server Error: x - y\n    at f (file:///a.ts:1:2)",
                ),
            ],
        );
        check(
            "Jun-22 08:04:32.454[sync]          verbose: Batch error id=Finalized, status=Downloading Missing sidecars for a=1 with b=2\n\
             Error: Missing sidecars for a=1 with b=2",
            "--06-22T08:04:32.454",
            "sync",
            "Batch error",
            &[
                ("id", "Finalized"),
                ("status", "Downloading"),
                ("error", "Missing sidecars for a=1 with b=2"),
                ("stack", "Error: Missing sidecars for a=1 with b=2"),
            ],
        );
        // The error's own context follows behind a blank.
        check(
            "2021-05-17 13:59:26  [CHAIN]           error: Block error slot=5, errCode=A code=A, errorMessage=two words, x",
            "2021-05-17T13:59:26",
            "CHAIN",
            "Block error",
            &[
                ("slot", "5"),
                ("errCode", "A"),
                ("code", "A"),
                ("errorMessage", "two words, x"),
            ],
        );
        check(
            "Mar-11 15:20:36.128[rest]            error: Req req-2p getState error - mismatch payload=0x80 expected=0x35",
            "--03-11T15:20:36.128",
            "rest",
            "Req req-2p getState error",
            &[("error", "mismatch payload=0x80 expected=0x35")],
        );
        check(
            "Mar-11 15:20:36.128[api]             error: Error signing slot=604, index=3 - failed: not found, root=0xa7",
            "--03-11T15:20:36.128",
            "api",
            "Error signing",
            &[
                ("slot", "604"),
                ("index", "3"),
                ("error", "failed: not found, root=0xa7"),
            ],
        );
        // No error in what all goes well.
        check(
            "Jun-08 09:50:12.616[]                 info: Published block slot=5951, graffiti=a - b",
            "--06-08T09:50:12.616",
            "",
            "Published block",
            &[("slot", "5951"), ("graffiti", "a - b")],
        );
    }

    #[test]
    fn the_line_of_every_slot() {
        check(
            "Eph 167991/6 6.007 []  info: Syncing - 22 seconds left - 4.92 slots/s - slot: 7 - head: (slot - 4) 0xd1…05 - peers: 4",
            "167991/6T00:00:06.007",
            "",
            "Syncing",
            &[
                ("left", "22 seconds"),
                ("speed", "4.92 slots/s"),
                ("slot", "7"),
                ("head", "(slot - 4) 0xd1…05"),
                ("peers", "4"),
            ],
        );
        check(
            "May-13 13:22:24.741[NODE-A NODE-A API]     ^[[36mverbose^[[39m: Synced - peers: 4",
            "--05-13T13:22:24.741",
            "NODE-A NODE-A API",
            "Synced",
            &[("peers", "4")],
        );
    }

    #[test]
    fn other_lines_are_nobodys() {
        for line in [
            "Jun-08 09:50:12.616 info: x",
            "Jun-08 09:50:12.616[x]info: x",
            "Jun-08 09:50:12.616[x] INFO: x",
            "Jun-08 09:50:12[x]   info: x",
            "Jun-32 09:50:12.616[x]   info: x",
            "Eph 1 6.007 []  info: x",
            "2021-05-17 13:59:26 [x] INFO x",
        ] {
            let line = line.as_bytes();
            assert!(recognise(line).is_none(), "{}", line.escape_ascii());
        }
    }
}
