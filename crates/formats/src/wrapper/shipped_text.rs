//! What log shippers and stores write as text: fluentd's and fluent-bit's files, `logcli`, Grafana's download.

use super::object;
use super::shipper::{fact_of, kubernetes_file, ship};
use super::{Found, Range, Way};
use crate::scan::{epoch_stamp, full_stamp};
use memchr::{memchr, memchr2, memmem};
use model::StampZone;

/// `<time>\t<tag>\t{json}`: fluentd's files. The delimiter can be a blank or a comma.
pub(super) fn fluentd(text: &[u8], _: Way, found: &mut Found, out: &mut Vec<u8>) -> bool {
    let Some((stamp, end)) = full_stamp(text, 0).filter(|(stamp, _)| stamp.zone != StampZone::None)
    else {
        return false;
    };
    let Some(delimiter @ (b'\t' | b' ' | b',')) = text.get(end).copied() else {
        return false;
    };
    let tag = end + 1;
    let limit = text.len().min(tag + 256);
    let Some(length) = memchr2(delimiter, b'{', &text[tag..limit]) else {
        return false;
    };
    let tag_end = tag + length;
    let object = if text[tag_end] == b'{' && length == 0 {
        tag
    } else if text[tag_end] == delimiter && text.get(tag_end + 1) == Some(&b'{') {
        tag_end + 1
    } else {
        return false;
    };
    if !ship(text, object, Some("fluentd"), found, out) {
        return false;
    }
    if object > tag && !found.has("tag") {
        found.fact("tag", tag, tag_end);
        kubernetes_file(text, found, out);
    }
    found.stamp = Some(stamp);
    true
}

/// `<tag>: [<time>, {json}]`: fluent-bit's files.
pub(super) fn fluent_bit_file(text: &[u8], _: Way, found: &mut Found, out: &mut Vec<u8>) -> bool {
    // The end first: a cheap no for nearly all lines.
    if !text.ends_with(b"}]") {
        return false;
    }
    let limit = text.len().min(256);
    let Some(tag) = memmem::find(&text[..limit], b": [") else {
        return false;
    };
    if text[..tag].iter().any(|c| b" :/{[".contains(c)) {
        return false;
    }
    let time = tag + 3;
    let digits = text[time..]
        .iter()
        .take(24)
        .take_while(|c| c.is_ascii_digit() || **c == b'.')
        .count();
    let end = time + digits;
    if digits == 0 || !text[end..].starts_with(b", {") {
        return false;
    }
    if !ship(
        &text[..text.len() - 1],
        end + 2,
        Some("fluentd"),
        found,
        out,
    ) {
        return false;
    }
    if !found.has("tag") {
        found.fact("tag", 0, tag);
    }
    found.stamp = epoch_stamp(&text[time..end]);
    true
}

/// `[0] <tag>: [1704164645.123456789, {"log"=>"…"}]`: fluent-bit's standard output, newer with metadata
/// beside the time. Nothing in its strings is escaped, so the payload ends before the next key.
pub(super) fn fluent_bit_stdout(text: &[u8], _: Way, found: &mut Found, _: &mut Vec<u8>) -> bool {
    let digits = text[1..]
        .iter()
        .take(8)
        .take_while(|c| c.is_ascii_digit())
        .count();
    let tag = digits + 3;
    if digits == 0 || !text[digits + 1..].starts_with(b"] ") {
        return false;
    }
    let limit = text.len().min(tag + 256);
    let Some(length) = memmem::find(&text[tag..limit], b": [") else {
        return false;
    };
    let mut time = tag + length + 3;
    if text.get(time) == Some(&b'[') {
        time += 1;
    }
    let count = text[time..]
        .iter()
        .take(24)
        .take_while(|c| c.is_ascii_digit() || **c == b'.')
        .count();
    let Some(stamp) = epoch_stamp(&text[time..time + count]) else {
        return false;
    };
    let start = [&b"\"log\"=>\""[..], b"\"message\"=>\""]
        .iter()
        .find_map(|key| Some(memmem::find(text, key)? + key.len()));
    let Some(start) = start else { return false };
    let is_key = |at: usize| {
        let rest = &text[at..];
        let name = rest
            .iter()
            .take(64)
            .position(|c| !(c.is_ascii_alphanumeric() || b"_.-@".contains(c)));
        name.is_some_and(|end| rest[end..].starts_with(b"\"=>"))
    };
    let next = memmem::find_iter(&text[start..], b"\", \"")
        .map(|at| start + at)
        .find(|at| is_key(at + 4));
    let last = memmem::rfind(text, b"\"}]").filter(|at| *at >= start);
    let Some(end) = next.or(last) else {
        return false;
    };
    let end = if text[start..end].ends_with(b"\\n") {
        end - 2
    } else {
        end
    };
    found.fact("tag", tag, tag + length);
    for (key, name) in [
        (&b"\"stream\"=>\""[..], "stream"),
        (b"\"pod_name\"=>\"", "pod"),
        (b"\"namespace_name\"=>\"", "namespace"),
        (b"\"container_name\"=>\"", "container"),
        (b"\"host\"=>\"", "host"),
    ] {
        if let Some(at) = memmem::find(text, key) {
            let from = at + key.len();
            let length = memchr(b'"', &text[from..]).unwrap_or(0);
            found.fact(name, from, from + length);
        }
    }
    found.kind = "fluentd";
    found.stamp = Some(stamp);
    found.text = Range {
        from: start,
        to: end,
        out: false,
    };
    true
}

/// `<stamp> {labels} <line>`: `logcli`. Labels that all lines share are left out and the gap stays.
pub(super) fn loki_text(text: &[u8], _: Way, found: &mut Found, _: &mut Vec<u8>) -> bool {
    if text.get(10) != Some(&b'T') {
        return false;
    }
    let Some((stamp, end)) = full_stamp(text, 0).filter(|(stamp, _)| stamp.zone != StampZone::None)
    else {
        return false;
    };
    let gap = |at: usize| {
        text[at..]
            .iter()
            .take(256)
            .take_while(|c| **c == b' ')
            .count()
    };
    let blanks = gap(end);
    if blanks == 0 {
        return false;
    }
    let mut at = end + blanks;
    let labels = text.get(at) == Some(&b'{')
        && text
            .get(at + 1)
            .is_some_and(|c| c.is_ascii_alphabetic() || *c == b'}');
    match labels.then(|| label_pairs(text, at + 1, found)).flatten() {
        Some(close) => at = close + gap(close),
        None => {
            found.facts.clear();
            found.weak = true;
        }
    }
    found.rest("loki", Some(stamp), text, at)
}

/// Reads `pod="x", namespace="y"}`; returns what is behind the brace.
fn label_pairs(text: &[u8], mut at: usize, found: &mut Found) -> Option<usize> {
    for _ in 0..64 {
        if text.get(at) == Some(&b'}') {
            return Some(at + 1);
        }
        let limit = text.len().min(at + 128);
        let equals = at + memchr(b'=', text.get(at..limit)?)?;
        if text.get(equals + 1) != Some(&b'"') {
            return None;
        }
        let from = equals + 2;
        let to = object::string_end(text, from)?;
        if let Some((name, _)) = fact_of(&text[at..equals])
            && !found.has(name)
        {
            found.fact(name, from, to);
        }
        at = to + 1;
        if text.get(at) == Some(&b',') {
            at = object::blanks(text, at + 1);
        }
    }
    None
}

/// `1704164645123\t2024-01-02T03:04:05.123Z\t<line>`: Grafana's text download.
pub(super) fn grafana_text(text: &[u8], _: Way, found: &mut Found, _: &mut Vec<u8>) -> bool {
    if text.get(13) != Some(&b'\t') || !text[..13].iter().all(u8::is_ascii_digit) {
        return false;
    }
    match full_stamp(text, 14) {
        Some((stamp, end)) if text.get(end) == Some(&b'\t') => {
            found.rest("loki", Some(stamp), text, end + 1)
        }
        _ => false,
    }
}
