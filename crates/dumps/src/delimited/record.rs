//! Records of delimited text: where one ends, its fields, and the same row as COPY would write it.

use super::dialect::Escapes;
use crate::sniff::COLUMNS;

/// A field, its quotes taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field<'f> {
    /// Nothing between two separators: null, as COPY writes it.
    Empty,
    /// Text without quotes around it.
    Bare(&'f [u8]),
    /// Text with quotes around it: never null.
    Quoted(&'f [u8]),
}

/// Finds the end of the record at the front, line feed included: the first line feed outside of
/// quotes. A quote opens only where a field begins.
pub(crate) fn csv_end(text: &[u8], separator: u8) -> Option<usize> {
    let mut at = 0;
    let mut open = false;
    loop {
        if open {
            at += memchr::memchr(b'"', &text[at..])? + 1;
            open = text.get(at) == Some(&b'"');
            at += usize::from(open);
            continue;
        }
        at += memchr::memchr2(b'"', b'\n', &text[at..])?;
        if text[at] == b'\n' {
            return Some(at + 1);
        }
        open = at == 0 || text[at - 1] == separator;
        at += 1;
    }
}

/// Hands the fields of a record (without its line end) to `take`.
///
/// A quote inside of an unquoted field is text, as spreadsheets have it; text behind a closing quote
/// is damage.
pub(crate) fn split(
    record: &[u8],
    separator: u8,
    escapes: Escapes,
    scratch: &mut Vec<u8>,
    mut take: impl FnMut(Field<'_>),
) -> Result<(), &'static str> {
    let mut bare = |text: &[u8]| match text {
        b"" => take(Field::Empty),
        _ => take(Field::Bare(text)),
    };
    const MANY: &str = "more than 1,664 fields";
    if escapes != Escapes::Quotes || memchr::memchr(b'"', record).is_none() {
        if memchr::memchr_iter(separator, record).count() >= COLUMNS {
            return Err(MANY);
        }
        let mut from = 0;
        for at in memchr::memchr_iter(separator, record) {
            bare(&record[from..at]);
            from = at + 1;
        }
        bare(&record[from..]);
        return Ok(());
    }
    let mut rest = record;
    for _ in 0..COLUMNS {
        let behind = if let Some(quoted) = rest.strip_prefix(b"\"") {
            let end = closing(quoted, scratch).ok_or("a quote without an end")?;
            take(Field::Quoted(scratch));
            &quoted[end..]
        } else {
            let end = memchr::memchr(separator, rest).unwrap_or(rest.len());
            match &rest[..end] {
                b"" => take(Field::Empty),
                text => take(Field::Bare(text)),
            }
            &rest[end..]
        };
        match behind.split_first() {
            None => return Ok(()),
            Some((byte, tail)) if *byte == separator => rest = tail,
            Some(_) => return Err("text behind a closing quote"),
        }
    }
    Err(MANY)
}

/// Takes a quoted field's text; returns where the text behind the closing quote begins.
fn closing(quoted: &[u8], text: &mut Vec<u8>) -> Option<usize> {
    text.clear();
    let mut from = 0;
    loop {
        let at = from + memchr::memchr(b'"', &quoted[from..])?;
        text.extend_from_slice(&quoted[from..at]);
        if quoted.get(at + 1) != Some(&b'"') {
            return Some(at + 1);
        }
        text.push(b'"');
        from = at + 2;
    }
}

/// Writes a field as COPY does.
#[inline]
pub(crate) fn escape(text: &[u8], row: &mut Vec<u8>) {
    let plain = memchr::memchr3(b'\\', b'\t', b'\n', text).is_none();
    if plain && memchr::memchr(b'\r', text).is_none() {
        row.extend_from_slice(text);
        return;
    }
    for &byte in text {
        match byte {
            b'\\' => row.extend_from_slice(b"\\\\"),
            b'\t' => row.extend_from_slice(b"\\t"),
            b'\n' => row.extend_from_slice(b"\\n"),
            b'\r' => row.extend_from_slice(b"\\r"),
            other => row.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(record: &str, expected: &str) {
        let mut shown = Vec::new();
        let mut scratch = Vec::new();
        let done = split(
            record.as_bytes(),
            b',',
            Escapes::Quotes,
            &mut scratch,
            |field| {
                shown.push(match field {
                    Field::Empty => "-".to_owned(),
                    Field::Bare(text) => String::from_utf8_lossy(text).into_owned(),
                    Field::Quoted(text) => format!("<{}>", String::from_utf8_lossy(text)),
                });
            },
        );
        let found = match done {
            Ok(()) => shown.join("|"),
            Err(what) => format!("! {what}"),
        };
        assert_eq!(found, expected, "{}", &record[..record.len().min(40)]);
    }

    #[test]
    fn fields() {
        check("a,b", "a|b");
        check("", "-");
        check("a,,", "a|-|-");
        check("\"a,b\",\"c\"\"d\",\"\"", "<a,b>|<c\"d>|<>");
        check("\"a\nb\",c", "<a\nb>|c");
        check("a\"b,c", "a\"b|c");
        check("\"a\"b,c", "! text behind a closing quote");
        check("\"a,b", "! a quote without an end");
        check(&",".repeat(2000), "! more than 1,664 fields");
        check(&"\"\",".repeat(2000)[..], "! more than 1,664 fields");
    }

    #[test]
    fn ends_of_records() {
        assert_eq!(csv_end(b"a,b\nc", b','), Some(4));
        assert_eq!(csv_end(b"\"a\nb\"\"\n\",c\nd", b','), Some(11));
        assert_eq!(csv_end(b"x,\"\"\n\"", b','), Some(5));
        assert_eq!(csv_end(b"5\" disk,1\n", b','), Some(10));
        assert_eq!(csv_end(b"\"a\n", b','), None);
    }

    #[test]
    fn rows_as_copy_writes_them() {
        let mut row = Vec::new();
        escape(b"a\\\t\n\rb", &mut row);
        assert_eq!(row, b"a\\\\\\t\\n\\rb");
    }
}
