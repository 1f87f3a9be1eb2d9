//! Whether a text is one delimited table, and how it is written: by its first bytes alone.
//!
//! A log must never be taken for a table, so a header has to look like column names, the rows behind
//! it must agree with it, and at least one column must hold nothing but values of a type. CSV exports
//! of log collectors (a column with the message, one with its time) are left to the log formats. Rows
//! without a header need values that hardly anything but a database writes: `\N`, bytea, timestamps
//! with a blank in the middle.

use super::record::{Field, csv_end, split};
use crate::infer::Inference;
use crate::psql::known;
use crate::sniff::COLUMNS;
use crate::timestamp;
use crate::value::integer;
use model::ColumnType;

/// How a delimited text is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dialect {
    /// Between two fields.
    pub(crate) separator: u8,
    /// What quotes and backslashes mean.
    pub(crate) escapes: Escapes,
    /// Names in the first record; without them there is no header.
    pub(crate) columns: Option<Vec<String>>,
}

/// What is special inside of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Escapes {
    /// RFC 4180: `"` around fields with separators, quotes and line feeds; `""` for a quote.
    Quotes,
    /// COPY's text format: `\N`, `\t`, `\\`.
    Backslashes,
    /// `psql -A`: nothing, so that a line feed in a cell breaks its row.
    Nothing,
}

/// Rows that are looked at.
const ROWS: usize = 200;
/// Columns that log collectors' exports have: the line, and its time.
const MESSAGES: [&str; 9] = [
    "message",
    "Message",
    "log",
    "Line",
    "line",
    "Content",
    "event.original",
    "MESSAGE",
    "content",
];
const TIMES: [&str; 9] = [
    "@timestamp",
    "Time",
    "Date",
    "timestamp",
    "Timestamp",
    "time",
    "_time",
    "date",
    "tsNs",
];
/// Words that logs have in a field of their own, and tables hardly.
const LEVELS: [&[u8]; 9] = [
    b"INFO", b"WARN", b"WARNING", b"ERROR", b"DEBUG", b"TRACE", b"FATAL", b"NOTICE", b"CRIT",
];

/// Recognises a delimited table.
pub(crate) fn recognise(head: &[u8]) -> Option<Dialect> {
    super::text_format(without_mark(head))
        .or_else(|| csv(head))
        .or_else(|| with_header(without_mark(head), b'|'))
        .or_else(|| copy_text(head))
        .or_else(|| headless(without_mark(head)))
}

/// Recognises CSV without a header: a number or bytes in front, and values in other columns that neither prose nor a
/// log has there.
fn headless(head: &[u8]) -> Option<Dialect> {
    [b',', b';'].into_iter().find_map(|separator| {
        let (kinds, rows) = kinds(head, separator)?;
        let is_time = |kind: &&ColumnType| {
            matches!(kind, ColumnType::TimestampCivil | ColumnType::TimestampUtc)
        };
        let sure = kinds
            .iter()
            .skip(1)
            .any(|kind| matches!(kind, ColumnType::Bool | ColumnType::Bytes))
            || kinds.iter().filter(is_time).count() > 1;
        (rows > 1 && is_keyed(&kinds) && sure).then_some(Dialect {
            separator,
            escapes: Escapes::Quotes,
            columns: None,
        })
    })
}

/// Whether a text looks like rows without a header, and nothing in them shows that they are a database's.
pub(crate) fn is_doubtful(head: &[u8]) -> bool {
    let head = without_mark(head);
    let mut separators = [b',', b';', b'\t'].into_iter();
    separators.any(|separator| {
        kinds(head, separator).is_some_and(|(kinds, rows)| rows > 2 && is_keyed(&kinds))
    })
}

fn is_keyed(kinds: &[ColumnType]) -> bool {
    matches!(kinds.first(), Some(ColumnType::I64 | ColumnType::Bytes))
}

/// Says what types the columns of rows without a header have, and how many rows were looked at; `None` if these are no
/// rows of one table.
fn kinds(head: &[u8], separator: u8) -> Option<(Vec<ColumnType>, usize)> {
    let mut scratch = Vec::new();
    let mut kinds: Vec<Inference> = Vec::new();
    let (mut at, mut rows) = (0, 0);
    while at < head.len() && rows < ROWS {
        let Some(end) = csv_end(&head[at..], separator) else {
            break;
        };
        let row = without_line_end(&head[at..at + end]);
        at += end;
        if crate::psql::footer(row).is_some() {
            return None;
        }
        let (mut found, mut level) = (0, false);
        split(row, separator, Escapes::Quotes, &mut scratch, |field| {
            if rows == 0 {
                kinds.push(Inference::default());
            }
            if let (Some(kind), Field::Bare(text) | Field::Quoted(text)) =
                (kinds.get_mut(found), field)
            {
                level |= is_level(text);
                // Logs have a T between date and time, databases a blank.
                let log = text.get(10) == Some(&b'T');
                if !crate::null::is_symbol(text) {
                    kind.see(if log { b"T" } else { text });
                }
            }
            found += 1;
        })
        .ok()?;
        if found != kinds.len() || level || found < 2 {
            return None;
        }
        rows += 1;
    }
    let kinds = kinds.iter().map(|kind| kind.column_type()).collect();
    Some((kinds, rows))
}

/// Recognises CSV with a header, whatever its cells look like.
pub(crate) fn csv(head: &[u8]) -> Option<Dialect> {
    [b',', b';', b'\t']
        .into_iter()
        .find_map(|separator| with_header(without_mark(head), separator))
}

fn without_mark(head: &[u8]) -> &[u8] {
    head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head)
}

/// Whether a field is nothing but a log's level.
pub(crate) fn is_level(field: &[u8]) -> bool {
    LEVELS.iter().any(|level| field.eq_ignore_ascii_case(level))
}

/// Names as a header may hold them.
pub(crate) fn is_name(name: &[u8]) -> bool {
    let begins = |b: u8| b.is_ascii_alphabetic() || b == b'_' || b >= 0x80;
    let goes_on = |b: u8| begins(b) || b.is_ascii_digit() || b" .-()/#:%$?".contains(&b);
    // PostgreSQL cuts names at 63 bytes.
    (1..=63).contains(&name.len())
        && (begins(name[0]) || name == b"?column?")
        && name.iter().all(|b| goes_on(*b))
        && !name.ends_with(b" ")
}

fn with_header(head: &[u8], separator: u8) -> Option<Dialect> {
    let first = memchr::memchr(b'\n', head).unwrap_or(head.len());
    let line = head[..first].strip_suffix(b"\r").unwrap_or(&head[..first]);
    memchr::memchr(separator, line)?;
    let escapes = match separator {
        b'|' => Escapes::Nothing,
        _ => Escapes::Quotes,
    };
    let mut names = Vec::new();
    let mut scratch = Vec::new();
    split(line, separator, escapes, &mut scratch, |field| {
        names.push(match field {
            Field::Empty => String::new(),
            Field::Bare(text) | Field::Quoted(text) => String::from_utf8_lossy(text).into_owned(),
        });
    })
    .ok()?;
    let mut sorted: Vec<&String> = names.iter().collect();
    sorted.sort_unstable();
    sorted.dedup();
    let good = (2..=COLUMNS).contains(&names.len())
        && sorted.len() == names.len()
        && names.iter().all(|name| is_name(name.as_bytes()));
    if !good {
        return None;
    }
    let known = known::table_of(&names).is_some();
    let has = |signs: &[&str]| names.iter().any(|name| signs.contains(&name.as_str()));
    if !known && has(&MESSAGES) && has(&TIMES) {
        return None;
    }
    let sample = sample(head, first + 1, separator, escapes, names.len());
    if sample.footed {
        return None;
    }
    let fits = match (sample.good, sample.bad) {
        // An empty table: only the names speak.
        (0, 0) => known,
        (good, bad) => sample.first_good && bad * 2 <= good && (known || sample.typed),
    };
    fits.then_some(Dialect {
        separator,
        escapes,
        columns: Some(names),
    })
}

#[derive(Default)]
struct Sample {
    good: usize,
    bad: usize,
    first_good: bool,
    /// `(3 rows)` among the rows: psql's output, perhaps of several queries.
    footed: bool,
    /// Whether some column holds nothing but values of one type.
    typed: bool,
}

fn sample(head: &[u8], mut at: usize, separator: u8, escapes: Escapes, columns: usize) -> Sample {
    let mut sample = Sample::default();
    let mut scratch = Vec::new();
    let mut inferences = vec![Inference::default(); columns];
    while at < head.len() && sample.good + sample.bad < ROWS {
        let end = match escapes {
            Escapes::Quotes => csv_end(&head[at..], separator),
            _ => memchr::memchr(b'\n', &head[at..]).map(|end| end + 1),
        };
        // The last line may be cut by the end of what is looked at: only the first row needs it.
        let row = match end {
            Some(end) => &head[at..at + end],
            None if sample.good + sample.bad == 0 => &head[at..],
            None => break,
        };
        at += row.len();
        let row = without_line_end(row);
        let mut found = 0;
        let mut seen: Vec<Inference> = inferences.clone();
        let whole = split(row, separator, escapes, &mut scratch, |field| {
            if let (Some(inference), Field::Bare(text) | Field::Quoted(text)) =
                (seen.get_mut(found), field)
                && !crate::null::is_symbol(text)
            {
                inference.see(text);
            }
            found += 1;
        });
        if whole.is_ok() && found == columns {
            sample.first_good |= sample.bad == 0;
            sample.good += 1;
            inferences = seen;
        } else if crate::psql::footer(row).is_some() {
            sample.footed = true;
        } else if !row.is_empty() {
            sample.bad += 1;
        }
    }
    sample.typed = inferences
        .iter()
        .any(|inference| inference.column_type() != ColumnType::Text);
    sample
}

pub(crate) fn without_line_end(row: &[u8]) -> &[u8] {
    let row = row.strip_suffix(b"\n").unwrap_or(row);
    row.strip_suffix(b"\r").unwrap_or(row)
}

/// Recognises rows of COPY's text format without a header.
fn copy_text(head: &[u8]) -> Option<Dialect> {
    let mut fields = 0;
    let (mut rows, mut signs) = (0, 0);
    for (nth, line) in head.split_inclusive(|&b| b == b'\n').take(ROWS).enumerate() {
        if nth > 0 && !line.ends_with(b"\n") {
            break;
        }
        let line = without_line_end(line);
        if line == b"\\." && rows > 0 {
            break;
        }
        let parts = line.split(|&b| b == b'\t');
        let mut sign = false;
        let mut found = 0;
        for part in parts {
            if is_level(part) {
                return None;
            }
            // psql without alignment writes bytea with one backslash: that is no COPY text.
            if part.starts_with(b"\\x") {
                return None;
            }
            let hex = part.strip_prefix(b"\\\\x").is_some_and(|digits| {
                digits.len().is_multiple_of(2) && digits.iter().all(u8::is_ascii_hexdigit)
            });
            let time = found > 0 && part.get(10) == Some(&b' ') && timestamp::parse(part).is_some();
            sign |= part == b"\\N" || hex || time;
            found += 1;
        }
        let keyed = line.split(|&b| b == b'\t').next().is_some_and(|key| {
            integer(key).is_some() || key.starts_with(b"\\\\x") || key == b"\\N"
        });
        if !(2..=COLUMNS).contains(&found) || (rows > 0 && found != fields) || !keyed {
            return None;
        }
        fields = found;
        rows += 1;
        signs += usize::from(sign);
    }
    (rows > 0 && signs * 2 >= rows).then_some(Dialect {
        separator: b'\t',
        escapes: Escapes::Backslashes,
        columns: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(head: &str, expected: Option<(u8, Escapes, usize)>) {
        let found = recognise(head.as_bytes()).map(|dialect| {
            let columns = dialect.columns.map_or(0, |columns| columns.len());
            (dialect.separator, dialect.escapes, columns)
        });
        assert_eq!(found, expected, "{head}");
    }

    #[test]
    fn tables_with_a_header() {
        check("a,b\n1,x\n", Some((b',', Escapes::Quotes, 2)));
        check("a;b\r\n1;\"x;\ny\"\r\n", Some((b';', Escapes::Quotes, 2)));
        check("a\tb\n1\tx\n", Some((b'\t', Escapes::Quotes, 2)));
        check("a|b\n1|x\n", Some((b'|', Escapes::Nothing, 2)));
        // Empty, but of names that we know.
        check("id,eth_tx_id,tx_hash\n", Some((b',', Escapes::Quotes, 3)));
        check("a,b\n", None);
        // No column with values of a type.
        check("hello,world\nsome,words\n", None);
        check("Hello, world\n1, 2\n", None);
        check("a,b\n1\n2,x\n", None);
    }

    #[test]
    fn exports_of_logs_are_left_to_the_log_formats() {
        check("@timestamp,message\n2020-08-14 17:31:02,1\n", None);
        check(
            "Date,Host,Service,Message\n2020-08-14 17:31:02,1,b,c\n",
            None,
        );
        check(
            "2020-08-14 17:31:02,INFO,x\n2020-08-14 17:31:03,INFO,y\n",
            None,
        );
    }

    #[test]
    fn rows_of_copy_text() {
        let text = Some((b'\t', Escapes::Backslashes, 0));
        check("1\t\\N\tx\n2\tz\tx\n", text);
        check("7\t\\\\x00ff\n", text);
        check("7\t2023-09-18 03:50:19.1\n\\.\n", text);
        check("7\tx\n8\ty\n", None);
        check("7\t\\xff\n", None);
        check("2020-08-14T17:31:02Z\tINFO\tnode\tstarted\n", None);
        check("1\t\\N\n2\n", None);
    }
}
