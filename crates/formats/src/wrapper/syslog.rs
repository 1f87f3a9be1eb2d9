//! Syslog as it goes over the wire: RFC 3164 and RFC 5424, with a priority before it. (In files the
//! priority is stripped: then it looks like the journal's short output.)

use super::journal::{behind, host_and_ident};
use super::{Found, Range, Way};
use crate::scan::{full_stamp, year_less_stamp};
use memchr::memchr2;
use model::StampZone;

/// `<34>…`
pub(super) fn with_priority(text: &[u8], _: Way, found: &mut Found, _: &mut Vec<u8>) -> bool {
    let digits = text[1..]
        .iter()
        .take(4)
        .take_while(|c| c.is_ascii_digit())
        .count();
    let at = digits + 2;
    if !(1..=3).contains(&digits) || text.get(digits + 1) != Some(&b'>') {
        return false;
    }
    found.priority = Range {
        from: 1,
        to: digits + 1,
        out: false,
    };
    if text[at..].starts_with(b"1 ") {
        return new_form(text, at + 2, found).is_some();
    }
    let (stamp, end) = match year_less_stamp(&text[at..]) {
        Some((stamp, end)) => (stamp, at + end),
        None => match full_stamp(text, at) {
            Some((stamp, end)) if stamp.zone != StampZone::None => (stamp, end),
            _ => return false,
        },
    };
    match host_and_ident(text, end, found) {
        Some(at) => found.rest("syslog-3164", Some(stamp), text, at),
        None => false,
    }
}

/// `2024-01-02T03:04:05.123456Z host app pid msgid [sd@id k="v"] msg`, from the stamp on.
fn new_form(text: &[u8], at: usize, found: &mut Found) -> Option<()> {
    let (stamp, end) = match text.get(at)? {
        b'-' => (None, at + 1),
        _ => {
            let (stamp, end) = full_stamp(text, at)?;
            (Some(stamp), end)
        }
    };
    let mut at = end;
    for name in ["host", "identifier", "pid", ""] {
        if text.get(at) != Some(&b' ') {
            return None;
        }
        let from = at + 1;
        let length = text[from..].iter().take(256).position(|c| *c == b' ')?;
        if length == 0 {
            return None;
        }
        if !name.is_empty() && &text[from..from + length] != b"-" {
            found.fact(name, from, from + length);
        }
        at = from + length;
    }
    at += 1;
    if text.get(at) == Some(&b'-') {
        at += 1;
    } else {
        // Elements touch each other; values escape quotes, backslashes and brackets.
        while text.get(at) == Some(&b'[') {
            let mut quoted = false;
            loop {
                match *text.get(at)? {
                    b'\\' if quoted => at += 1,
                    b'"' => quoted = !quoted,
                    b']' if !quoted => break,
                    _ if quoted => at += memchr2(b'"', b'\\', text.get(at + 1..)?)?,
                    _ => {}
                }
                at += 1;
            }
            at += 1;
        }
    }
    let rest = match text.get(at) {
        None => at,
        Some(b' ') => at + 1,
        Some(_) => return None,
    };
    let mark = text[rest..].starts_with(b"\xef\xbb\xbf");
    found.rest("syslog-5424", stamp, text, rest + if mark { 3 } else { 0 });
    Some(())
}

/// `123 <34>1 …`: octet-counted framing of syslog over TCP.
pub(super) fn octet_counted(text: &[u8], way: Way, found: &mut Found, out: &mut Vec<u8>) -> bool {
    let digits = text
        .iter()
        .take(8)
        .take_while(|c| c.is_ascii_digit())
        .count();
    (1..=7).contains(&digits)
        && text[digits..].starts_with(b" <")
        && behind(digits + 1, with_priority, text, way, found, out)
}
