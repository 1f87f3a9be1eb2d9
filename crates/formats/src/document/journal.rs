//! The journal over several lines: `export` (fields, a blank line after each entry, binary fields with their
//! length) and `verbose` (a stamp, then indented fields).

use super::Step;
use super::rows::Rows;
use crate::wrapper::Range;
use crate::wrapper::journal::full_form;
use crate::wrapper::object::{Kind, Value};
use crate::wrapper::shipper::Told;
use memchr::memchr;

pub(super) fn begins_export(start: &[u8]) -> bool {
    start.starts_with(b"__CURSOR=") || start.starts_with(b"__REALTIME_TIMESTAMP=")
}

pub(super) fn begins_verbose(start: &[u8]) -> bool {
    full_form(start).is_some_and(|(_, end)| start[end..].starts_with(b" [s="))
}

/// A field of an export: its name, its value, what follows it. `None` if the text ends before it does.
fn field(text: &[u8], at: usize) -> Option<(&[u8], (usize, usize), usize)> {
    let end = at + memchr(b'\n', text.get(at..)?)?;
    let line = &text[at..end];
    if let Some(equals) = memchr(b'=', line) {
        return Some((&line[..equals], (at + equals + 1, end), end + 1));
    }
    let size: [u8; 8] = text.get(end + 1..end + 9)?.try_into().ok()?;
    let size = usize::try_from(u64::from_le_bytes(size)).ok()?;
    let from = end + 9;
    let to = from.checked_add(size)?;
    (text.get(to) == Some(&b'\n')).then_some((line, (from, to), to + 1))
}

pub(super) fn export_step(block: &[u8], at: usize, last: bool) -> Step {
    if block[at] == b'\n' {
        return Step::Frame(at + 1, "blank line");
    }
    let mut end = at;
    loop {
        match block.get(end) {
            None if last => return Step::Entry(end),
            None => return Step::More,
            Some(b'\n') => return Step::Entry(end),
            Some(_) => match field(block, end) {
                Some((_, _, next)) => end = next,
                None => return Step::More,
            },
        }
    }
}

pub(super) fn open_export(entry: &[u8], rows: &mut Rows) {
    let mut told = Told::default();
    let mut at = 0;
    while let Some((name, (from, to), next)) = field(entry, at) {
        let value = Value {
            kind: Kind::Plain,
            from,
            to,
        };
        told.member(entry, name, value);
        at = next;
    }
    rows.found.clear();
    rows.out.clear();
    if told.take("journald-export", entry, &mut rows.found, &mut rows.out) {
        rows.push(entry);
    }
}

pub(super) fn verbose_step(block: &[u8], at: usize, last: bool) -> Step {
    let line_end = |from: usize| memchr(b'\n', &block[from..]).map(|feed| from + feed + 1);
    if !block[at].is_ascii_alphabetic() {
        return match line_end(at) {
            Some(end) => Step::Frame(end, "journal marker"),
            None if last => Step::Frame(block.len(), "journal marker"),
            None => Step::More,
        };
    }
    let mut end = match line_end(at) {
        Some(end) => end,
        None if last => return Step::Entry(block.len()),
        None => return Step::More,
    };
    loop {
        match block.get(end) {
            None if last => return Step::Entry(end),
            None => return Step::More,
            Some(b' ') => match line_end(end) {
                Some(next) => end = next,
                None if last => return Step::Entry(block.len()),
                None => return Step::More,
            },
            Some(_) => return Step::Entry(end),
        }
    }
}

/// Fields stand behind four blanks; the later lines of a value are indented further, to where it began.
pub(super) fn open_verbose(entry: &[u8], rows: &mut Rows) {
    rows.found.clear();
    rows.out.clear();
    let Some((stamp, _)) = full_form(entry) else {
        return;
    };
    let mut told = Told::default();
    let mut message: Option<usize> = None;
    let mut column = 0;
    let mut at = memchr(b'\n', entry).map_or(entry.len(), |feed| feed + 1);
    while at < entry.len() {
        let end = memchr(b'\n', &entry[at..]).map_or(entry.len(), |feed| at + feed);
        let line = &entry[at..end];
        let is_field = line.len() > 4
            && line[..4] == *b"    "
            && (line[4].is_ascii_uppercase() || line[4] == b'_')
            && line[4..]
                .iter()
                .find(|c| !(c.is_ascii_uppercase() || c.is_ascii_digit() || **c == b'_'))
                == Some(&b'=');
        if is_field {
            let equals = memchr(b'=', line).unwrap_or(4);
            let name = &line[4..equals];
            message = None;
            if name == b"MESSAGE" {
                message = Some(rows.out.len());
                column = equals + 1;
                rows.out.extend_from_slice(&line[column..]);
                rows.found.text = Range {
                    from: 0,
                    to: rows.out.len(),
                    out: true,
                };
            } else {
                let value = Value {
                    kind: Kind::Plain,
                    from: at + equals + 1,
                    to: end,
                };
                told.member(entry, name, value);
            }
        } else if message.is_some() {
            let blanks = line.iter().take(column).take_while(|c| **c == b' ').count();
            rows.out.push(b'\n');
            rows.out.extend_from_slice(&line[blanks..]);
            rows.found.text.to = rows.out.len();
        }
        at = end + 1;
    }
    let text = rows.found.text;
    told.take_facts(entry, &mut rows.found, &mut rows.out);
    rows.found.kind = "journald-export";
    rows.found.stamp = rows.found.stamp.or(Some(stamp));
    rows.found.text = text;
    rows.push(entry);
}
