//! CSV as Etherscan and its sister sites export it: an address's transactions, internal transactions or
//! token transfers. Columns keep the header's names; `DateTime (UTC)` is read as the time it is, in
//! both spellings the site has had.

use std::borrow::Cow;

use super::cell::{Cell, Hint};
use super::collect::{Named, Reading};
use super::shapes::Shape;
use super::stream::located;
use crate::facts::{DumpError, Trouble};
use crate::input::Input;
use crate::rows::Place;

/// Longest record.
const RECORD: usize = 1 << 20;
/// Most columns.
const FIELDS: usize = 64;
const TIME: &str = "DateTime (UTC)";

const HINTS: [(&str, Hint); 12] = [
    ("Txhash", Hint::Bytes),
    ("Transaction Hash", Hint::Bytes),
    ("Blockno", Hint::Quantity),
    ("UnixTimestamp", Hint::Quantity),
    (TIME, Hint::Time),
    ("From", Hint::Bytes),
    ("To", Hint::Bytes),
    ("TxTo", Hint::Bytes),
    ("ParentTxFrom", Hint::Bytes),
    ("ParentTxTo", Hint::Bytes),
    ("ContractAddress", Hint::Bytes),
    ("Method", Hint::Text),
];

/// Whether a file begins with the header of such an export.
pub(crate) fn sniff(head: &[u8]) -> bool {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let end = memchr::memchr(b'\n', head).unwrap_or(head.len());
    let mut fields = Vec::new();
    split(&head[..end], &mut fields).is_ok() && table_of(&fields).is_some()
}

/// Names the table by its header.
fn table_of(fields: &[Cow<'_, [u8]>]) -> Option<&'static str> {
    let has = |name: &str| fields.iter().any(|field| field.as_ref() == name.as_bytes());
    if !has("UnixTimestamp") || !has("Blockno") || !(has("Txhash") || has("Transaction Hash")) {
        return None;
    }
    Some(if has("ParentTxFrom") || has("ParentTxTo") {
        "etherscan_internal_transactions"
    } else if has("TokenSymbol") || has("TokenName") || has("TokenValue") {
        "etherscan_token_transfers"
    } else {
        "etherscan_transactions"
    })
}

/// Reads an export.
pub(crate) fn walk(input: &mut Input<'_>, out: &mut Reading<'_>) -> Result<(), DumpError> {
    let mut header: Option<(Vec<String>, &'static str)> = None;
    while let Some((length, whole)) = record(input)? {
        let place = Place {
            line: input.line_number(),
            byte: input.byte(),
            length: length as u64,
        };
        let text = &input.window()[..length];
        let lines = (memchr::memchr_iter(b'\n', text).count() as u64).max(1);
        let mut fields = Vec::new();
        let parts = split(text, &mut fields);
        match &header {
            _ if !whole => {
                let what =
                    "the file ends inside of a quoted cell, or the cell is longer than 1 MiB";
                out.reject(located(
                    Trouble::Truncated,
                    place,
                    place.length,
                    lines,
                    what.into(),
                ))?;
            }
            _ if text.trim_ascii().is_empty() => {}
            None => {
                let names = names(&fields);
                match table_of(&fields).filter(|_| parts.is_ok()) {
                    Some(table) => header = Some((names, table)),
                    None => {
                        let what = "no header of an export of Etherscan".to_owned();
                        out.reject(located(Trouble::Damaged, place, place.length, lines, what))?;
                    }
                }
            }
            Some((names, table)) => {
                let shape = Shape {
                    hints: &HINTS,
                    ..Shape::named(table)
                };
                match parts.and_then(|()| cells(names, fields)) {
                    Ok(cells) => out.row(&shape, &cells, place)?,
                    Err(what) => out.broken(&shape, place, lines, what)?,
                }
            }
        }
        input.consume(length);
    }
    Ok(())
}

/// Finds the end of the record at the front, line end included, and whether it is whole.
fn record(input: &mut Input<'_>) -> Result<Option<(usize, bool)>, DumpError> {
    let (mut at, mut quoted) = (0, false);
    loop {
        let window = input.window();
        while let Some(found) = memchr::memchr2(b'"', b'\n', &window[at..]) {
            at += found + 1;
            if window[at - 1] == b'"' {
                quoted = !quoted;
            } else if !quoted {
                return Ok(Some((at, true)));
            }
        }
        at = window.len();
        if at > RECORD {
            // The next record is looked for behind this line.
            let end = memchr::memchr(b'\n', window).map_or(at, |feed| feed + 1);
            return Ok(Some((end, false)));
        }
        if !input.more()? {
            return Ok((at > 0).then_some((at, !quoted)));
        }
    }
}

/// Splits a record into its fields, quotes removed.
fn split<'t>(record: &'t [u8], fields: &mut Vec<Cow<'t, [u8]>>) -> Result<(), String> {
    let record = record.strip_suffix(b"\n").unwrap_or(record);
    let mut rest = record.strip_suffix(b"\r").unwrap_or(record);
    rest = rest.strip_prefix(b"\xef\xbb\xbf").unwrap_or(rest);
    loop {
        if fields.len() == FIELDS {
            return Err("the record has more fields than such an export".to_owned());
        }
        let end;
        if let Some(inner) = rest.strip_prefix(b"\"") {
            let (mut at, mut doubled) = (0, false);
            loop {
                let quote = memchr::memchr(b'"', &inner[at..]).ok_or("a quoted cell has no end")?;
                at += quote;
                if inner.get(at + 1) != Some(&b'"') {
                    break;
                }
                doubled = true;
                at += 2;
            }
            fields.push(match doubled {
                false => Cow::Borrowed(&inner[..at]),
                true => {
                    let text = String::from_utf8_lossy(&inner[..at]).replace("\"\"", "\"");
                    Cow::Owned(text.into_bytes())
                }
            });
            end = at + 2;
        } else {
            end = memchr::memchr(b',', rest).unwrap_or(rest.len());
            fields.push(Cow::Borrowed(&rest[..end]));
        }
        match rest.get(end) {
            None => return Ok(()),
            Some(b',') => rest = &rest[end + 1..],
            Some(_) => return Err("something stands behind a quoted cell".to_owned()),
        }
    }
}

fn names(fields: &[Cow<'_, [u8]>]) -> Vec<String> {
    fields
        .iter()
        .map(|field| String::from_utf8_lossy(field).into_owned())
        .collect()
}

fn cells<'a>(names: &'a [String], fields: Vec<Cow<'a, [u8]>>) -> Result<Vec<Named<'a>>, String> {
    if fields.len() != names.len() {
        return Err(format!(
            "the record has {} fields, the header {}",
            fields.len(),
            names.len()
        ));
    }
    Ok(names
        .iter()
        .zip(fields)
        .map(|(name, field)| {
            let field = match (name.as_str(), utc(&field)) {
                (TIME, Some(time)) => Cow::Owned(time.into_bytes()),
                _ => field,
            };
            (Cow::Borrowed(name.as_str()), Cell::of_csv(field))
        })
        .collect())
}

/// Writes a time of the export (`2023-08-21 10:11:12` or `8/21/2023 10:11:12 AM`, both UTC) in one way.
fn utc(field: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(field).ok()?;
    let mut words = text.split(' ');
    let (date, clock, half) = (words.next()?, words.next()?, words.next());
    if words.next().is_some() {
        return None;
    }
    let number = |part: &str| part.parse::<u32>().ok();
    if date.contains('-') {
        return half.is_none().then(|| format!("{date} {clock}Z"));
    }
    let date: Vec<u32> = date.split('/').map(number).collect::<Option<_>>()?;
    let clock: Vec<u32> = clock.split(':').map(number).collect::<Option<_>>()?;
    let ([month, day, year], [hour, minute, second]) = (date.as_slice(), clock.as_slice()) else {
        return None;
    };
    let hour = match half? {
        "AM" => hour % 12,
        "PM" => hour % 12 + 12,
        _ => return None,
    };
    Some(format!(
        "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}Z"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_time() {
        for (text, expected) in [
            ("2023-08-21 10:11:12", Some("2023-08-21 10:11:12Z")),
            ("8/21/2023 12:11:12 AM", Some("2023-08-21 00:11:12Z")),
            ("8/2/2023 1:11:12 PM", Some("2023-08-02 13:11:12Z")),
            ("12:00", None),
            ("8/2/2023 1:11:12", None),
        ] {
            assert_eq!(utc(text.as_bytes()).as_deref(), expected, "{text}");
        }
    }
}
