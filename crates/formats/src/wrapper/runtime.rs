//! Container runtimes: docker's json-file driver, `docker logs -t` and `--details`, CRI.

use super::{Found, Range, Way};
use crate::engine::json;
use crate::lanes::{Class, Lane, Truths, run_within};
use crate::scan::full_stamp;
use memchr::{memchr, memchr2};
use model::{Stamp, StampZone};

/// Bytes in which docker copies a container's output: a longer line comes in several chunks.
const CHUNK_BYTES: usize = 16 << 10;

/// `{"log":"…\n","stream":"stdout","time":"…Z"}`: docker's json-file driver. No line feed at the end of
/// `log` means a chunk.
pub(super) fn docker_json(text: &[u8], _: Way, found: &mut Found, out: &mut Vec<u8>) -> bool {
    if !text.starts_with(b"{\"log\":\"") {
        return false;
    }
    let start = out.len();
    let Some((stream, attrs, stamp)) = docker_parts(text, out) else {
        return false;
    };
    found.kind = "docker-json-file";
    found.stamp = Some(stamp);
    found.fact("stream", stream.0, stream.1);
    if let Some((from, to)) = attrs {
        found.fact("attrs", from, to);
    }
    found.partial = out.last() != Some(&b'\n') || out.len() == start;
    found.decoded(start, out);
    true
}

type DockerParts = ((usize, usize), Option<(usize, usize)>, Stamp);

fn docker_parts(text: &[u8], decoded: &mut Vec<u8>) -> Option<DockerParts> {
    let text = text.trim_ascii_end();
    let mut at = 8;
    loop {
        let next = at + memchr2(b'"', b'\\', text.get(at..)?)?;
        decoded.extend_from_slice(&text[at..next]);
        if text[next] == b'"' {
            at = next + 1;
            break;
        }
        let (length, ok) = json::escape(&text[next..], decoded);
        if !ok {
            return None;
        }
        at = next + length;
    }
    if !text[at..].starts_with(b",\"stream\":\"") {
        return None;
    }
    let from = at + 11;
    let to = from + memchr(b'"', &text[from..])?;
    at = to + 1;
    let mut attrs = None;
    if text[at..].starts_with(b",\"attrs\":") {
        let end = json::token(text, at + 9)?;
        attrs = Some((at + 9, end));
        at = end;
    }
    if !text[at..].starts_with(b",\"time\":\"") {
        return None;
    }
    let (stamp, end) = full_stamp(text, at + 9)?;
    (&text[end..] == b"\"}").then_some(((from, to), attrs, stamp))
}

/// `2024-01-02T03:04:05.123456789Z stdout F …`: containerd and CRI-O. `P` parts go on in the next record
/// of their stream.
pub(super) fn cri(text: &[u8], _: Way, found: &mut Found, _: &mut Vec<u8>) -> bool {
    if text.get(10) != Some(&b'T') {
        return false;
    }
    let Some((stamp, end)) = full_stamp(text, 0).filter(|(stamp, _)| stamp.zone != StampZone::None)
    else {
        return false;
    };
    let rest = &text[end..];
    if !(rest.starts_with(b" stdout ") || rest.starts_with(b" stderr ")) {
        return false;
    }
    let tag = end + 8;
    let partial = match text.get(tag) {
        Some(b'P') => true,
        Some(b'F') => false,
        _ => return false,
    };
    let mut at = tag + 1;
    if text.get(at) == Some(&b':') {
        let more = text[at..].iter().take(64).position(|c| *c == b' ');
        at = more.map_or(text.len(), |length| at + length);
    }
    if !matches!(text.get(at), None | Some(b' ')) {
        return false;
    }
    found.fact("stream", end + 1, end + 7);
    found.partial = partial;
    found.rest("cri", Some(stamp), text, at + 1)
}

/// `2024-01-02T03:04:05.123456789Z …`: `docker logs -t`, `kubectl logs --timestamps`. Always nine digits;
/// every chunk of a long line has its own stamp, which goes.
pub(super) fn timestamps(text: &[u8], way: Way, found: &mut Found, out: &mut Vec<u8>) -> bool {
    let Some((stamp, end)) = runtime_stamp(text, 0) else {
        return false;
    };
    let kubernetes =
        matches!(way.outer, "kubectl-prefix" | "kubetail") || stamp.zone != StampZone::Utc;
    let kind = if kubernetes {
        "kubectl-timestamps"
    } else {
        "docker-timestamps"
    };
    found.rest(kind, Some(stamp), text, end + 1);
    let mut chunk = end + 1;
    if text.len() > chunk + CHUNK_BYTES && runtime_stamp(text, chunk + CHUNK_BYTES).is_some() {
        let start = out.len();
        while text.len() > chunk + CHUNK_BYTES
            && let Some((_, end)) = runtime_stamp(text, chunk + CHUNK_BYTES)
        {
            out.extend_from_slice(&text[chunk..chunk + CHUNK_BYTES]);
            chunk = (end + 1).min(text.len());
        }
        out.extend_from_slice(&text[chunk..]);
        found.text = Range {
            from: start,
            to: out.len(),
            out: true,
        };
    }
    true
}

fn runtime_stamp(text: &[u8], at: usize) -> Option<(Stamp, usize)> {
    if text.get(at + 10) != Some(&b'T') || text.get(at + 19) != Some(&b'.') {
        return None;
    }
    let (stamp, end) = full_stamp(text, at)?;
    (stamp.fraction_digits == 9
        && stamp.zone != StampZone::None
        && matches!(text.get(end), None | Some(b' ')))
    .then_some((stamp, end))
}

/// What attributes are written with.
struct Attributes;

impl Class for Attributes {
    #[inline(always)]
    fn truths(lane: Lane) -> Truths {
        // `*`, `+`, `,`, `-`, `.` are neighbours.
        let marks = lane.within(b'*', b'.').or(lane.is(b'=')).or(lane.is(b'%'));
        let letters = lane.lowered().within(b'a', b'z');
        let others = lane.is(b'_').or(lane.is(b'~'));
        letters.or(lane.within(b'0', b'9')).or(marks).or(others)
    }
}

/// The end of the first word, if it may be attributes.
#[inline(always)]
fn attributes_end(text: &[u8]) -> Option<usize> {
    // Nearly every other line has another byte in its first word.
    let end = run_within::<Attributes>(text, 0, 1024);
    if end == 1024 || text.get(end) != Some(&b' ') {
        return None;
    }
    // One plain pair is logfmt's; attributes are several, or a label's dotted name.
    let several = text[..end].iter().any(|c| matches!(c, b',' | b'.'));
    several.then_some(end)
}

/// A quick no for [`details`].
#[inline]
pub(super) fn may_be_details(text: &[u8]) -> bool {
    attributes_end(text).is_some()
}

/// `k=v,k=v …`: `docker logs --details`. Keys and values are URL-escaped, so neither holds quotes.
pub(super) fn details(text: &[u8], _: Way, found: &mut Found, _: &mut Vec<u8>) -> bool {
    let Some(end) = attributes_end(text) else {
        return false;
    };
    let plain = |c: &u8| c.is_ascii_alphanumeric() || b"._-~%+*".contains(c);
    for pair in text[..end].split(|c| *c == b',') {
        let Some(equals) = memchr(b'=', pair) else {
            return false;
        };
        if equals == 0 || !pair[..equals].iter().all(plain) || !pair[equals + 1..].iter().all(plain)
        {
            return false;
        }
    }
    found.fact("attrs", 0, end);
    found.weak = true;
    found.rest("docker-timestamps", None, text, end + 1)
}
