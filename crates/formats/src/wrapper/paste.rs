//! What people and their tools put around lines: quote marks of chats, line numbers of `grep -n` and of
//! viewers, backticks, colours whose escape character was lost.
//!
//! All but the quote mark are weak: they could be anything, and count only if a record is inside.

use super::{Found, Range, Way};
use crate::lanes::is_any;
use crate::scan::full_stamp;
use memchr::{memchr, memmem};

const KIND: &str = "chat-paste";

/// `> …`: quoted in a chat. A Go test log's `helpers.go:199: ` after it goes as well.
pub(super) fn quote_mark(text: &[u8], _: Way, found: &mut Found, _: &mut Vec<u8>) -> bool {
    if text.get(1) != Some(&b' ') {
        return false;
    }
    let mut at = 2;
    while text[at..].starts_with(b"> ") && at < 32 {
        at += 2;
    }
    let blanks = text[at..]
        .iter()
        .take(16)
        .take_while(|c| **c == b' ')
        .count();
    let rest = &text[at + blanks..];
    let word = &rest[..rest.len().min(64)];
    if let Some(blank) = memchr(b' ', word)
        && word[..blank].ends_with(b":")
        && memmem::find(&word[..blank], b".go:").is_some()
    {
        at += blanks + blank + 1;
    }
    found.rest(KIND, None, text, at)
}

/// `1702888:…` as `grep -n` has it, `1702888-…` around hits, `  12  …` as viewers and `cat -n` have it.
pub(super) fn line_number(text: &[u8], way: Way, found: &mut Found, _: &mut Vec<u8>) -> bool {
    // A stamp's year, month and day are no line numbers.
    if way.outer == KIND || full_stamp(text, 0).is_some() {
        return false;
    }
    let from = text.iter().take(12).take_while(|c| **c == b' ').count();
    let digits = text[from..]
        .iter()
        .take(10)
        .take_while(|c| c.is_ascii_digit())
        .count();
    let at = from + digits;
    if digits == 0 {
        return false;
    }
    let rest = match text.get(at) {
        Some(b':' | b'-' | b'\t') => at + 1,
        Some(b' ') => {
            let most = if way.follows { way.indent.into() } else { 8 };
            let blanks = text[at..]
                .iter()
                .take(most)
                .take_while(|c| **c == b' ')
                .count();
            found.indent = blanks as u8;
            let bar = text[at + blanks..].starts_with(b"| ");
            at + blanks + if bar { 2 } else { 0 }
        }
        _ => return false,
    };
    if text.get(at) == Some(&b'-')
        && digits == 4
        && text[rest..].first().is_some_and(u8::is_ascii_digit)
    {
        return false;
    }
    found.weak = true;
    found.rest(KIND, None, text, rest)
}

/// `beacon.log:123:…`, `helpers.go:199: …`, `beacon.log:…`: grep over several files, tests.
pub(super) fn file_and_line(text: &[u8], _: Way, found: &mut Found, _: &mut Vec<u8>) -> bool {
    let name = text
        .iter()
        .take(256)
        .position(|c| matches!(c, b':' | b' ' | b'"' | b'='));
    let Some(name) = name.filter(|end| text[*end] == b':') else {
        return false;
    };
    let path = &text[..name];
    if !path.iter().any(|c| matches!(c, b'.' | b'/')) {
        return false;
    }
    let digits = text[name + 1..]
        .iter()
        .take(10)
        .take_while(|c| c.is_ascii_digit())
        .count();
    let mut at = name + 1;
    if digits > 0 && text.get(at + digits) == Some(&b':') {
        at += digits + 1;
    } else if memmem::find(path, b".log").is_none() {
        return false;
    }
    if text.get(at) == Some(&b' ') && path.ends_with(b".go") {
        at += 1;
    }
    found.fact("file", 0, name);
    found.weak = true;
    found.rest(KIND, None, text, at)
}

/// One to eight blanks before a record. Deeper indentation continues something.
pub(super) fn indented(text: &[u8], way: Way, found: &mut Found, _: &mut Vec<u8>) -> bool {
    let mut blanks = text.iter().take(9).take_while(|c| **c == b' ').count();
    if way.follows {
        // What follows an indented line is indented as far, and further if it continues.
        if usize::from(way.indent) > blanks || way.indent == 0 {
            return false;
        }
        blanks = usize::from(way.indent);
    } else if blanks > 8 {
        return false;
    }
    found.weak = true;
    found.indent = blanks as u8;
    found.rest(KIND, None, text, blanks)
}

/// Backticks around a line, or a fence on the line itself.
pub(super) fn backticks(text: &[u8], _: Way, found: &mut Found, _: &mut Vec<u8>) -> bool {
    let at = text.iter().take_while(|c| **c == b'`').count();
    if at > 3 {
        return false;
    }
    let mut to = text.len();
    while to > at && text[to - 1] == b'`' {
        to -= 1;
    }
    found.weak = true;
    found.kind = KIND;
    found.text = Range {
        from: at,
        to,
        out: false,
    };
    true
}

/// How far into a line its first lost colour stands.
const COLOUR_WITHIN: usize = 96;

/// A quick no for [`lost_escapes`].
#[inline]
pub(super) fn may_have_lost_escapes(text: &[u8]) -> bool {
    is_any(&text[..text.len().min(COLOUR_WITHIN)], |lane| lane.is(b'['))
}

/// `[34m`, `\u001b[34m`, `\x1b[34m`: colours whose escape character was lost or spelled out.
pub(super) fn lost_escapes(text: &[u8], _: Way, found: &mut Found, out: &mut Vec<u8>) -> bool {
    let early = &text[..text.len().min(COLOUR_WITHIN)];
    let mut from = 0;
    let any = loop {
        let Some(at) = memchr(b'[', &early[from..]) else {
            break false;
        };
        if colour_end(text, from + at).is_some() {
            break true;
        }
        from += at + 1;
    };
    if !any {
        return false;
    }
    let start = out.len();
    let mut copied = 0;
    let mut from = 0;
    while let Some(at) = memchr(b'[', &text[from..]) {
        let open = from + at;
        from = open + 1;
        let Some(end) = colour_end(text, open) else {
            continue;
        };
        let escape = [
            &b"\\u001b"[..],
            b"\\u001B",
            b"\\x1b",
            b"\\x1B",
            b"\\033",
            b"\\e",
        ]
        .iter()
        .find(|escape| text[copied..open].ends_with(escape))
        .map_or(0, |escape| escape.len());
        out.extend_from_slice(&text[copied..open - escape]);
        copied = end;
        from = end;
    }
    out.extend_from_slice(&text[copied..]);
    found.kind = KIND;
    found.weak = true;
    found.text = Range {
        from: start,
        to: out.len(),
        out: true,
    };
    true
}

/// The end of `[34m`, `[1;31m` whose bracket is at `open`.
fn colour_end(text: &[u8], open: usize) -> Option<usize> {
    let inside = text[open + 1..]
        .iter()
        .take(12)
        .take_while(|c| c.is_ascii_digit() || **c == b';')
        .count();
    (inside > 0 && text.get(open + 1 + inside) == Some(&b'm')).then_some(open + inside + 2)
}
