//! COPY's text format in a file of its own: with a header (`\copy … (header)`, PostgreSQL 15 and later), or with another
//! delimiter than a tab.
//!
//! It looks like CSV, but for its backslashes: `\N` is null, `\t`, `\n` and `\\` are characters. A text is taken for it
//! if it has backslashes and none that COPY would not write: a lone one, as paths and psql's bytea have it, is CSV's.

use super::dialect::{Dialect, Escapes, is_level, is_name, without_line_end};
use crate::infer::Inference;
use crate::sniff::COLUMNS;
use model::ColumnType;

/// Rows that are looked at.
const ROWS: usize = 200;

/// What backslashes of a row say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Signs {
    /// `\N`, or a backslash or delimiter behind one.
    sure: bool,
    /// A character behind one.
    any: bool,
}

/// Recognises such a text.
pub(crate) fn recognise(head: &[u8]) -> Option<Dialect> {
    [b'\t', b'|', b',', b';'].into_iter().find_map(|separator| {
        let first = head.split(|&b| b == b'\n').next()?;
        let names = names(without_line_end(first), separator);
        match names {
            Some(names) => {
                let behind = (first.len() + 1).min(head.len());
                let signs = rows(&head[behind..], separator, names.len(), false)?;
                (signs.sure || signs.any).then(|| dialect(separator, Some(names)))
            }
            // Rows with tabs alone are known by more than their backslashes.
            None if separator != b'\t' => {
                let count = fields(without_line_end(first), separator)?.0;
                let signs = rows(head, separator, count, true)?;
                signs.sure.then(|| dialect(separator, None))
            }
            None => None,
        }
    })
}

fn dialect(separator: u8, columns: Option<Vec<String>>) -> Dialect {
    Dialect {
        separator,
        escapes: Escapes::Backslashes,
        columns,
    }
}

fn names(line: &[u8], separator: u8) -> Option<Vec<String>> {
    let names: Vec<&[u8]> = line.split(|&b| b == separator).collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    sorted.dedup();
    let good = (2..=COLUMNS).contains(&names.len())
        && sorted.len() == names.len()
        && names.iter().all(|name| is_name(name));
    good.then(|| {
        names
            .iter()
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect()
    })
}

/// Looks at rows; `None` if they are not all of so many fields in this format. Without a header they must have a key.
fn rows(text: &[u8], separator: u8, count: usize, keyed: bool) -> Option<Signs> {
    let mut all = Signs::default();
    let mut key = Inference::default();
    let mut seen = 0;
    for line in text.split_inclusive(|&b| b == b'\n').take(ROWS) {
        if seen > 0 && !line.ends_with(b"\n") {
            break;
        }
        let line = without_line_end(line);
        if line == b"\\." {
            break;
        }
        let (found, signs) = fields(line, separator)?;
        if found != count || count < 2 {
            return None;
        }
        let mut level = false;
        for (nth, field) in line.split(|&b| b == separator).enumerate() {
            level |= is_level(field);
            if nth == 0 {
                key.see(field);
            }
            // A quoted field is CSV's.
            if field.starts_with(b"\"") {
                return None;
            }
        }
        if keyed && level {
            return None;
        }
        all.sure |= signs.sure;
        all.any |= signs.any;
        seen += 1;
    }
    let known = !keyed || key.column_type() == ColumnType::I64;
    (seen > 0 && known).then_some(all)
}

/// Counts a row's fields; `None` if a backslash stands there that COPY would not write.
fn fields(line: &[u8], separator: u8) -> Option<(usize, Signs)> {
    let mut signs = Signs::default();
    let (mut count, mut at, mut start) = (1, 0, 0);
    while let Some(found) = memchr::memchr2(b'\\', separator, &line[at..]) {
        at += found;
        if line[at] == separator {
            (count, start, at) = (count + 1, at + 1, at + 1);
            continue;
        }
        match line.get(at + 1)? {
            b'N' => {
                let alone = start == at && line.get(at + 2).is_none_or(|b| *b == separator);
                signs.sure = alone.then_some(true)?;
            }
            b'\\' => signs.sure = true,
            b'b' | b'f' | b'n' | b'r' | b't' | b'v' => signs.any = true,
            other if *other == separator => signs.sure = true,
            _ => return None,
        }
        at += 2;
    }
    Some((count, signs))
}

/// How many fields a row has.
pub(super) fn count(line: &[u8], separator: u8) -> usize {
    fields(line, separator).map_or(1, |(count, _)| count)
}

/// Writes a row as COPY would with tabs.
pub(super) fn with_tabs(record: &[u8], separator: u8, row: &mut Vec<u8>) {
    let mut at = 0;
    while let Some(&byte) = record.get(at) {
        match (byte, record.get(at + 1)) {
            (b'\\', Some(next)) if *next == separator => {
                row.push(separator);
                at += 1;
            }
            (b'\\', Some(next)) => {
                row.extend_from_slice(&[b'\\', *next]);
                at += 1;
            }
            (b'\t', _) => row.extend_from_slice(b"\\t"),
            (byte, _) if byte == separator => row.push(b'\t'),
            (byte, _) => row.push(byte),
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(head: &str, expected: Option<(u8, usize)>) {
        let found = recognise(head.as_bytes());
        let found = found.map(|dialect| {
            (
                dialect.separator,
                dialect.columns.map_or(0, |names| names.len()),
            )
        });
        assert_eq!(found, expected, "{head}");
    }

    #[test]
    fn backslashes_tell_the_format() {
        check("id\tt\n1\t\\N\n2\tx\n", Some((b'\t', 2)));
        check("id\tt\n1\ta\\nb\n", Some((b'\t', 2)));
        check("id|t\n1|a\\|b\n", Some((b'|', 2)));
        check("1|\\N\n2|x\n", Some((b'|', 0)));
        check("1,\\N,x\n2,y,\\\\x00\n", Some((b',', 0)));
        // No backslash at all, one of psql's bytea, one of a path, quotes.
        check("id\tt\n1\tx\n", None);
        check("id\tt\n1\t\\x00\n", None);
        check("id|t\n1|C:\\data\n", None);
        check("id,t\n1,\"a\\nb\"\n", None);
        check("id\tt\n1\t\\N\n2\n", None);
        check("a|\\N\nb|x\n", None);
    }

    #[test]
    fn other_delimiters_become_tabs() {
        let mut row = Vec::new();
        with_tabs(b"1|a\\|b\\\\|c\td|\\N", b'|', &mut row);
        assert_eq!(row, b"1\ta|b\\\\\tc\\td\t\\N");
    }
}
