//! Expanded CSV (`psql -x --csv`): a record `name,value` for each cell, the names over and over again.

use super::bare::{Asked, Bare, Look, name};
use super::known;
use crate::delimited::record::{Field, csv_end, split};
use crate::delimited::{Escapes, is_level, is_name};
use crate::sniff::COLUMNS;

/// Separators that psql's `csv_fieldsep` is set to.
const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// How far the first row is looked at for its names.
const BLOCK: usize = 256 << 10;

/// A record at the front: its name, its value, and where it ends.
fn pair(
    text: &[u8],
    separator: u8,
    scratch: &mut Vec<u8>,
) -> Option<(Vec<u8>, Option<Vec<u8>>, usize)> {
    let end = csv_end(text, separator)?;
    let record = text[..end - 1]
        .strip_suffix(b"\r")
        .unwrap_or(&text[..end - 1]);
    let mut fields: [Option<Vec<u8>>; 2] = [None, None];
    let mut count = 0;
    split(record, separator, Escapes::Quotes, scratch, |field| {
        if let Some(slot) = fields.get_mut(count) {
            *slot = match field {
                Field::Empty => None,
                Field::Bare(text) | Field::Quoted(text) => Some(text.to_vec()),
            };
        }
        count += 1;
    })
    .ok()?;
    let [name, value] = fields;
    let name = name.filter(|name| count == 2 && is_name(name) && !is_level(name))?;
    Some((name, value, end))
}

/// Names of the first row: those in front of the first one that comes again.
fn names(
    text: &[u8],
    separator: u8,
    asked: Option<&Asked>,
    look: &mut Look,
) -> Option<Vec<String>> {
    // A quote without an end must not be looked for in the whole text.
    let text = &text[..text.len().min(BLOCK)];
    let said = asked.and_then(|asked| asked.columns.as_ref());
    let mut scratch = Vec::new();
    let mut names: Vec<Vec<u8>> = Vec::new();
    let (mut at, mut again) = (0, 0);
    loop {
        let found = pair(&text[at..], separator, &mut scratch);
        look.at(found.as_ref().map_or(text.len() - at, |(_, _, end)| *end))?;
        let Some((name, _, end)) = found else { break };
        at += end;
        if said.is_some_and(|said| names.len() == said.len()) {
            break;
        }
        if again > 0 || (said.is_none() && names.first() == Some(&name)) {
            if names.get(again) != Some(&name) {
                return None;
            }
            again += 1;
            if again == names.len() {
                break;
            }
        } else {
            if names.len() >= COLUMNS || (said.is_none() && names.contains(&name)) {
                return None;
            }
            names.push(name);
        }
    }
    // An empty line between rows: `-A` with this separator, whose quotes are text.
    let rest = text[at..].trim_ascii_start();
    let parted = rest.len() < text.len() - at && names.first().is_some_and(|n| rest.starts_with(n));
    if parted && again == 0 {
        return None;
    }
    let names: Vec<String> = names
        .into_iter()
        .map(|name| String::from_utf8_lossy(&name).into_owned())
        .collect();
    let sure = match said {
        Some(said) => *said == names,
        None => (names.len() > 1 && again == names.len()) || known::table_of(&names).is_some(),
    };
    sure.then_some(names)
}

/// Whether a text begins as expanded CSV.
pub(crate) fn begins(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut look = Look {
        room: 0,
        effort: 4 << 20,
        zeros: false,
    };
    SEPARATORS
        .iter()
        .any(|separator| names(text, *separator, None, &mut look).is_some())
}

/// Reads the table that begins at `start`, if one does.
pub(crate) fn read(
    text: &[u8],
    start: usize,
    asked: Option<&Asked>,
    look: &mut Look,
) -> Option<Bare> {
    let quoted = text[start..].starts_with(b"\"");
    if !quoted {
        let name = name(&text[start..])?;
        if !SEPARATORS.contains(text.get(start + name.len())?) && asked.is_none() {
            return None;
        }
    }
    let (separator, names) = SEPARATORS.iter().find_map(|separator| {
        Some((*separator, names(&text[start..], *separator, asked, look)?))
    })?;
    let mut scratch = Vec::new();
    let mut bare = Bare {
        end: start,
        ..Bare::default()
    };
    let (mut row, mut cells) = (start, Vec::new());
    let mut at = start;
    let mut held = 0;
    while held < look.room {
        let next = pair(&text[at..], separator, &mut scratch)
            .filter(|(name, _, _)| names[cells.len()].as_bytes() == name);
        let Some((_, value, end)) = next else {
            // A quote without an end costs the rest of the text.
            look.at(csv_end(&text[at..], separator).unwrap_or(text.len() - at));
            if !cells.is_empty() {
                // The text is cut, or a line is lost.
                let end = match csv_end(&text[at..], separator) {
                    Some(_) => at,
                    None => text.len(),
                };
                bare.rows.push((row, end, None));
                bare.end = end;
            }
            break;
        };
        at += end;
        cells.push(value);
        if cells.len() == names.len() {
            held += cells.len();
            bare.rows.push((row, at, Some(std::mem::take(&mut cells))));
            bare.end = at;
            row = at;
        }
    }
    bare.columns = names;
    Some(bare)
}
