//! What Roughtime clients print to a terminal or a small log, mostly without stamp.
//!
//! * cloudflare's `getroughtime` and programs with its package: `NAME: 2020-08-14 17:31:02.1 +0000 UTC ±1s (in
//!   22ms)` for each server, `skipped NAME: no reply`, `delta: 4h0m0.3s`, `ping response: …`; bare, or after Go's
//!   `2020/08/14 17:31:02 client.go:235: `.
//! * Google's `simple_client` and its children: `Current time is 1597426262000000μs from the epoch, ±1000000μs`.
//! * roughenough 1.x: `Received time from server: midpoint="…", radius=…, verified=…`.
//!
//! Other programs' words begin like that, so the shape of the whole line counts.

use super::{Head, Shape};
use crate::convert::go_duration_s;
use crate::scan::{clock, digits, full_stamp, is_key_byte};
use memchr::memchr;
use model::{Stamp, StampDate, StampZone, time};

/// The longest name of a server.
const NAME_MAX: usize = 64;

/// `2020/08/14 17:31:02 client.go:235: `, each part optional but the first; returns what is after it.
fn go_prefix(line: &[u8]) -> Option<(Option<Stamp>, usize)> {
    if line.get(4) != Some(&b'/') || line.get(7) != Some(&b'/') || line.get(10) != Some(&b' ') {
        return None;
    }
    let year = digits(line, 0, 4)? as i32;
    let month = digits(line, 5, 2)? as u8;
    let day = digits(line, 8, 2)? as u8;
    if !(1..=12).contains(&month) || day == 0 || day > time::days_in_month(year, month) {
        return None;
    }
    let mut at = 11;
    let mut stamp = None;
    if let Some((nanos_of_day, fraction_digits, end)) = clock(line, at) {
        stamp = Some(Stamp {
            date: StampDate::Full(time::days_from_civil(year, month, day)),
            nanos_of_day,
            fraction_digits,
            zone: StampZone::None,
        });
        at = (end + 1).min(line.len());
    }
    let room = &line[at..line.len().min(at + NAME_MAX)];
    if let Some(colon) = memchr(b':', room)
        && room[..colon].ends_with(b".go")
    {
        let number = room[colon + 1..]
            .iter()
            .take_while(|c| c.is_ascii_digit())
            .count();
        let end = colon + 1 + number;
        if number > 0 && room[end..].starts_with(b": ") {
            at += end + 2;
        }
    }
    Some((stamp, at))
}

/// `NAME: <Go's time> ±<duration> (in <duration>)`; a ping has no name.
fn is_reply(text: &[u8]) -> bool {
    let text = text.trim_ascii_end();
    if !text.ends_with(b"s)") {
        return false;
    }
    let room = &text[..text.len().min(NAME_MAX)];
    let Some(colon) = memchr(b':', room) else {
        return false;
    };
    let name = &room[..colon];
    let is_name = !name.is_empty() && name.iter().all(|c| is_key_byte(*c));
    if !is_name && !matches!(name, b"ping response" | b"Ping response") {
        return false;
    }
    let Some(end) = text
        .get(colon + 1)
        .filter(|c| **c == b' ')
        .and_then(|_| full_stamp(text, colon + 2))
        .map(|(_, end)| end)
    else {
        return false;
    };
    let rest = &text[end..];
    memchr::memmem::find(rest, " ±".as_bytes())
        .is_some_and(|at| memchr::memmem::find(&rest[at..], b" (in ").is_some())
}

/// Whether the text is one of what these clients say, by its whole shape.
fn is_theirs(text: &[u8]) -> bool {
    let after = |start: &[u8]| text.strip_prefix(start);
    if let Some(delta) = after(b"delta: ").or_else(|| after(b"Delta: ")) {
        let delta = delta.trim_ascii_end();
        return delta.ends_with(b"s") && go_duration_s(delta).is_some();
    }
    if let Some(skipped) = after(b"skipped ") {
        let room = &skipped[..skipped.len().min(NAME_MAX)];
        let why = memchr(b':', room).map(|colon| &skipped[colon + 1..]);
        return why.is_some_and(|why| {
            [
                &b" no reply"[..],
                b" reading from socket",
                b" protocol: ",
                b" lookup ",
                b" dial udp",
            ]
            .iter()
            .any(|known| why.starts_with(known))
        });
    }
    let micros = "μs".as_bytes();
    let holds = |needle: &[u8]| memchr::memmem::find(text, needle).is_some();
    match text.first() {
        Some(b'R') => {
            after(b"Received time from server: midpoint=").is_some()
                || (after(b"Received reply in ").is_some() && holds(micros))
        }
        Some(b'C') if after(b"Current time is ").is_some() => {
            holds("μs from the epoch, ±".as_bytes())
        }
        Some(b'S') if after(b"System clock differs from that estimate by ").is_some() => {
            holds(micros)
        }
        _ => is_reply(text),
    }
}

/// Recognises any of them.
pub(crate) fn recognise(line: &[u8]) -> Option<Head> {
    let (stamp, at) = match line.first()? {
        b'0'..=b'9' => go_prefix(line)?,
        _ => (None, 0),
    };
    is_theirs(&line[at..]).then(|| Head {
        body: at as u32,
        ..Head::bare(Shape::Roughtime, stamp)
    })
}
