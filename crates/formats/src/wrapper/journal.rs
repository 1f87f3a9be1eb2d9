//! What `journalctl` prints, one line an entry: `short` and its kin. (Entries over several lines,
//! `export`, `verbose`, `json-pretty`, are documents.)
//!
//! The later lines of one message are indented to the column of the first and bear no stamp; markers
//! (`-- Boot … --`) stand between.

use super::{Found, Peeler, Range, Way, shipper};
use crate::scan::{epoch_stamp, full_stamp, year_less_stamp};
use memchr::memchr;
use model::{Stamp, StampZone};

/// Where `host ident[pid]: ` ends, which begins with a blank at `at`; keeps host, identifier and pid.
pub(super) fn host_and_ident(text: &[u8], at: usize, found: &mut Found) -> Option<usize> {
    let word = |at: usize| -> Option<(usize, usize)> {
        if text.get(at) != Some(&b' ') {
            return None;
        }
        let from = at + 1;
        let length = text[from..]
            .iter()
            .take(256)
            .position(|c| matches!(c, b' ' | b':'))
            .filter(|length| *length > 0)?;
        Some((from, from + length))
    };
    let host = word(at).filter(|(_, to)| text[*to] == b' ')?;
    let ident = ident(text, host.1 + 1)?;
    found.fact("host", host.0, host.1);
    named(text, ident, found);
    Some(ident.1 + 2)
}

/// The identifier at `at`, up to the colon that a blank or the end follows.
fn ident(text: &[u8], at: usize) -> Option<(usize, usize)> {
    let rest = text.get(at..)?;
    let length = rest.iter().take(256).position(|c| {
        // An identifier of a container's may hold a colon (`image:tag`): the last one counts.
        matches!(c, b' ')
    });
    let end = at + length.unwrap_or(rest.len().min(256));
    let colon = end.checked_sub(1).filter(|colon| *colon > at)?;
    (text[colon] == b':' && text[at] != b'[').then_some((at, colon))
}

/// Keeps an identifier (or a unit's name) and the pid behind it.
fn named(text: &[u8], (from, to): (usize, usize), found: &mut Found) {
    let name = &text[from..to];
    let pid = name
        .strip_suffix(b"]")
        .and_then(|name| Some((memchr(b'[', name)?, name.len())))
        .filter(|(open, end)| name[open + 1..*end].iter().all(u8::is_ascii_digit));
    let end = pid.map_or(to, |(open, _)| from + open);
    let unit = [
        &b".service"[..],
        b".scope",
        b".socket",
        b".timer",
        b".mount",
    ]
    .iter()
    .any(|ending| text[from..end].ends_with(ending));
    found.fact(if unit { "unit" } else { "identifier" }, from, end);
    if let Some((open, end)) = pid {
        found.fact("pid", from + open + 1, from + end);
    }
}

/// `Aug 14 10:52:08 host ident[pid]: …`: `short` and `short-precise`, month names in any language. A day
/// padded with a blank is a syslog file's.
pub(super) fn short(text: &[u8], _: Way, found: &mut Found, _: &mut Vec<u8>) -> bool {
    // Cheap no for the many lines that begin with a letter: a blank, then a digit or blank.
    let Some(blank) = memchr(b' ', &text[..text.len().min(14)]) else {
        return false;
    };
    if !matches!(text.get(blank + 1), Some(b' ' | b'0'..=b'9')) {
        return false;
    }
    let Some((stamp, end)) = year_less_stamp(text) else {
        return false;
    };
    let Some(at) = host_and_ident(text, end, found) else {
        return false;
    };
    let kind = if text[blank + 1] == b' ' {
        "syslog-3164"
    } else {
        "journald-short"
    };
    found.rest(kind, Some(stamp), text, at)
}

/// `2024-01-02T03:04:05+00:00 host ident[pid]: …`: `short-iso`, `short-iso-precise`; newer syslog files.
pub(super) fn iso(text: &[u8], _: Way, found: &mut Found, _: &mut Vec<u8>) -> bool {
    if text.get(10) != Some(&b'T') {
        return false;
    }
    let Some((stamp, end)) = full_stamp(text, 0).filter(|(stamp, _)| stamp.zone != StampZone::None)
    else {
        return false;
    };
    match host_and_ident(text, end, found) {
        Some(at) => found.rest("journald-short", Some(stamp), text, at),
        None => false,
    }
}

/// `Tue 2024-01-02 03:04:05[.123456] UTC`: the stamp of `short-full` and `verbose`, and where it ends.
pub(crate) fn full_form(text: &[u8]) -> Option<(Stamp, usize)> {
    let weekday = matches!(
        text.get(..4)?,
        b"Mon " | b"Tue " | b"Wed " | b"Thu " | b"Fri " | b"Sat " | b"Sun "
    );
    if !weekday || text.get(14) != Some(&b' ') {
        return None;
    }
    let (mut stamp, end) = full_stamp(text, 4)?;
    let zone = text.get(end + 1..)?;
    let length = zone.iter().take(8).position(|c| *c == b' ')?;
    // Only UTC says what it is: CST is China's time and Chicago's.
    if zone[..length] == *b"UTC" {
        stamp.zone = StampZone::Utc;
    }
    let letters = zone[..length]
        .iter()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'+' | b'-'));
    (length > 0 && letters && text[end] == b' ').then_some((stamp, end + 1 + length))
}

/// `Tue 2024-01-02 03:04:05 UTC host ident[pid]: …`: `short-full`, `with-unit`.
pub(super) fn full(text: &[u8], _: Way, found: &mut Found, _: &mut Vec<u8>) -> bool {
    let Some((stamp, end)) = full_form(text) else {
        return false;
    };
    match host_and_ident(text, end, found) {
        Some(at) => found.rest("journald-short", Some(stamp), text, at),
        None => false,
    }
}

/// `1704164645.123456 host ident[pid]: …`: `short-unix`.
pub(super) fn unix(text: &[u8], _: Way, found: &mut Found, _: &mut Vec<u8>) -> bool {
    if text.get(10) != Some(&b'.') || text.get(17) != Some(&b' ') {
        return false;
    }
    let Some(stamp) = epoch_stamp(&text[..17]) else {
        return false;
    };
    match host_and_ident(text, 17, found) {
        Some(at) => found.rest("journald-short", Some(stamp), text, at),
        None => false,
    }
}

/// `[12345.123456] host ident[pid]: …`, `[12345.123456 <    0.000123 >] …`: `short-monotonic`,
/// `short-delta`. Time since boot says nothing of the date.
pub(super) fn monotonic(text: &[u8], _: Way, found: &mut Found, _: &mut Vec<u8>) -> bool {
    let limit = text.len().min(48);
    let Some(close) = memchr(b']', &text[..limit]) else {
        return false;
    };
    let inside = &text[1..close];
    let strict = inside.contains(&b'.')
        && inside
            .iter()
            .all(|c| c.is_ascii_digit() || matches!(c, b'.' | b' ' | b'<' | b'>' | b'-'));
    if !strict {
        return false;
    }
    match host_and_ident(text, close + 1, found) {
        Some(at) => found.rest("journald-short", None, text, at),
        None => false,
    }
}

/// The record separator of `json-seq` before an object.
pub(super) fn sequence(text: &[u8], way: Way, found: &mut Found, out: &mut Vec<u8>) -> bool {
    behind(1, shipper::object, text, way, found, out)
}

/// `data: {…}`: `json-sse`.
pub(super) fn server_sent(text: &[u8], way: Way, found: &mut Found, out: &mut Vec<u8>) -> bool {
    text.starts_with(b"data: {") && behind(6, shipper::object, text, way, found, out)
}

/// Lets a peeler look at the text behind its first bytes.
pub(super) fn behind(
    skip: usize,
    peeler: Peeler,
    text: &[u8],
    way: Way,
    found: &mut Found,
    out: &mut Vec<u8>,
) -> bool {
    if !peeler(&text[skip..], way, found, out) {
        return false;
    }
    let shift = |range: &mut Range| {
        if !range.out {
            range.from += skip;
            range.to += skip;
        }
    };
    shift(&mut found.text);
    shift(&mut found.priority);
    found.facts.iter_mut().for_each(|(_, range)| shift(range));
    true
}
