//! CSV exports: Kibana, Datadog, Grafana. The header names the columns; cells may hold line feeds inside
//! quotes, `""` for a quote; the separator is a setting.

use super::Step;
use super::rows::Rows;
use crate::wrapper::Range;
use crate::wrapper::object::{Kind, Value};
use crate::wrapper::shipper::{Told, keep_fact, time_of};
use memchr::{memchr, memchr2};

/// What a header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Csv {
    separator: u8,
    kind: &'static str,
    columns: Vec<Vec<u8>>,
    message: usize,
    time: Option<usize>,
}

/// Names of the column that holds the line, the best first.
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
/// Names of the column that holds the time.
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

impl Csv {
    pub(super) fn recognise(start: &[u8]) -> Option<Csv> {
        let end = memchr(b'\n', &start[..start.len().min(8192)])?;
        let header = start[..end].strip_suffix(b"\r").unwrap_or(&start[..end]);
        for separator in [b',', b';', b'\t'] {
            let columns: Vec<Vec<u8>> = cells(header, separator)
                .map(|(from, to, quoted)| unquote(&header[from..to], quoted))
                .collect();
            if columns.len() < 2 {
                continue;
            }
            let place = |names: &[&str]| {
                names.iter().find_map(|name| {
                    columns
                        .iter()
                        .position(|column| column.as_slice() == name.as_bytes())
                })
            };
            let (Some(message), Some(time)) = (place(&MESSAGES), place(&TIMES)) else {
                continue;
            };
            let kind = match columns[time].as_slice() {
                b"Date" if columns.iter().any(|column| column == b"Service") => "datadog-csv",
                b"Date" | b"Time" | b"tsNs" => "loki",
                _ => "kibana-csv",
            };
            return Some(Csv {
                separator,
                kind,
                columns,
                message,
                time: Some(time),
            });
        }
        None
    }

    pub(super) fn step(&self, block: &[u8], at: usize, last: bool) -> Step {
        let mut quoted = false;
        let mut from = at;
        loop {
            let Some(next) = memchr2(b'"', b'\n', &block[from..]) else {
                return if last && !quoted && at < block.len() {
                    Step::Entry(block.len())
                } else {
                    Step::More
                };
            };
            let here = from + next;
            from = here + 1;
            if block[here] == b'"' {
                quoted = !quoted;
            } else if !quoted {
                let blank = block[at..here].trim_ascii().is_empty();
                return if blank {
                    Step::Frame(from, "blank line")
                } else {
                    Step::Entry(from)
                };
            }
        }
    }

    pub(super) fn open(&self, entry: &[u8], rows: &mut Rows) {
        let row = entry.strip_suffix(b"\n").unwrap_or(entry);
        let row = row.strip_suffix(b"\r").unwrap_or(row);
        rows.found.clear();
        rows.out.clear();
        rows.found.kind = self.kind;
        let mut told = Told::default();
        let mut message = None;
        let mut count = 0;
        for (index, (from, to, quoted)) in cells(row, self.separator).enumerate() {
            count += 1;
            let Some(column) = self.columns.get(index) else {
                return;
            };
            // Cells without `""` stay where they are.
            let value = if quoted && memchr(b'"', &row[from..to]).is_some() {
                None
            } else {
                Some(Value {
                    kind: Kind::Plain,
                    from,
                    to,
                })
            };
            if index == self.message {
                message = Some((from, to, quoted));
            } else if Some(index) == self.time {
                rows.found.stamp = time_of(&row[from..to]);
            } else if let Some(value) = value
                && value.of(row) != b"-"
            {
                told.fact(column, value);
            }
        }
        let Some((from, to, quoted)) = message else {
            return;
        };
        if count < self.columns.len().min(2) {
            return;
        }
        told.facts(&mut |name, value| keep_fact(name, value, row, &mut rows.found, &mut rows.out));
        let start = rows.out.len();
        let mut text = unquote(&row[from..to], quoted);
        // A guard against spreadsheets that would run the cell.
        if matches!(text.get(..2), Some(b"'=" | b"'+" | b"'-" | b"'@")) {
            text.remove(0);
        }
        rows.out.extend_from_slice(&text);
        rows.found.text = Range {
            from: start,
            to: rows.out.len(),
            out: true,
        };
        rows.push(row);
    }
}

fn unquote(cell: &[u8], quoted: bool) -> Vec<u8> {
    if !quoted || memchr(b'"', cell).is_none() {
        return cell.to_vec();
    }
    let mut text = Vec::with_capacity(cell.len());
    let mut from = 0;
    while let Some(at) = memchr(b'"', &cell[from..]) {
        text.extend_from_slice(&cell[from..from + at + 1]);
        from = (from + at + 2).min(cell.len());
    }
    text.extend_from_slice(&cell[from..]);
    text
}

/// The cells of a row: where the content lies, and whether it is quoted.
fn cells(row: &[u8], separator: u8) -> impl Iterator<Item = (usize, usize, bool)> + '_ {
    let mut at = Some(0);
    std::iter::from_fn(move || {
        let start = at?;
        if row.get(start) == Some(&b'"') {
            let mut end = start + 1;
            loop {
                end = match memchr(b'"', &row[end.min(row.len())..]) {
                    Some(quote) => end + quote,
                    None => row.len(),
                };
                if row.get(end + 1) == Some(&b'"') && end < row.len() {
                    end += 2;
                    continue;
                }
                break;
            }
            let next = (end + 1).min(row.len());
            at = (row.get(next) == Some(&separator)).then_some(next + 1);
            Some((start + 1, end.max(start + 1), true))
        } else {
            let end = memchr(separator, &row[start..]).map_or(row.len(), |length| start + length);
            at = (end < row.len()).then_some(end + 1);
            Some((start, end, false))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_tried_with_every_separator() {
        let separator = |header: &[u8]| Csv::recognise(header).map(|csv| csv.separator);
        assert_eq!(separator(b"@timestamp,message\n"), Some(b','));
        // The comma makes columns as well, only not the ones that are needed.
        assert_eq!(separator(b"a,b;@timestamp;message\n"), Some(b';'));
        assert_eq!(separator(b"a,b;c\t@timestamp\tmessage\n"), Some(b'\t'));
        assert_eq!(separator(b"a,b;c\td\n"), None);
    }

    #[test]
    fn cells_are_told_apart() {
        let row = br#"a,"b ""c""","",d,"#;
        let found: Vec<String> = cells(row, b',')
            .map(|(from, to, quoted)| String::from_utf8(unquote(&row[from..to], quoted)).unwrap())
            .collect();
        assert_eq!(found, ["a", "b \"c\"", "", "d", ""]);
        for hostile in [&b"\""[..], b"\"\"", b"\"\"\"", b"a\"b,\"", b",", b""] {
            assert!(cells(hostile, b',').count() < 5);
        }
    }
}
