//! Slashing protection records of one validator in YAML: Teku writes one `<pubkey>.yml` per key, Prysm's
//! newer store one file per key as well. The validator's key is in the file's name only.
//!
//! These files are flat: one `name: value` per line, comments, a `---`. No more of YAML is read.

use std::borrow::Cow;

use super::cell::{Cell, Hint};
use super::collect::Reading;
use super::shapes::Shape;
use super::stream::located;
use crate::facts::{DumpError, Trouble};
use crate::input::{Input, Line};
use crate::rows::{Place, shown};

const HINTS: [(&str, Hint); 6] = [
    ("pubkey", Hint::Bytes),
    ("genesisValidatorsRoot", Hint::Bytes),
    ("lastSignedBlockSlot", Hint::Quantity),
    ("latestSignedBlockSlot", Hint::Quantity),
    ("lastSignedAttestationSourceEpoch", Hint::Quantity),
    ("lastSignedAttestationTargetEpoch", Hint::Quantity),
];
const TEKU: Shape<'static> = Shape {
    columns: &[
        "pubkey",
        "genesisValidatorsRoot",
        "lastSignedBlockSlot",
        "lastSignedAttestationSourceEpoch",
        "lastSignedAttestationTargetEpoch",
    ],
    hints: &HINTS,
    ..Shape::named("teku_slashing_protection")
};
const PRYSM: Shape<'static> = Shape {
    columns: &[
        "pubkey",
        "latestSignedBlockSlot",
        "lastSignedAttestationSourceEpoch",
        "lastSignedAttestationTargetEpoch",
    ],
    hints: &HINTS,
    ..Shape::named("prysm_slashing_protection")
};

/// Longest line and longest file.
const LIMIT: usize = 64 << 10;

/// Whether a file is such a record: each of its lines is of the form, and its three numbers are there.
pub(crate) fn sniff(head: &[u8]) -> bool {
    let begins = |word: &[u8]| {
        let at = memchr::memmem::find(head, word);
        at.is_some_and(|at| at == 0 || head[at - 1] == b'\n')
    };
    begins(b"lastSignedAttestationSourceEpoch:")
        && begins(b"lastSignedAttestationTargetEpoch:")
        && (begins(b"lastSignedBlockSlot:") || begins(b"latestSignedBlockSlot:"))
}

/// Reads a record.
pub(crate) fn walk(input: &mut Input<'_>, out: &mut Reading<'_>) -> Result<(), DumpError> {
    let mut values: Vec<(String, Vec<u8>)> = Vec::new();
    let mut whole = Place {
        line: input.line_number(),
        byte: input.byte(),
        length: 0,
    };
    loop {
        let length = match input.line(LIMIT)? {
            Line::Full(length) | Line::Cut(length) => length,
            Line::Long => input.window().len().min(LIMIT),
            Line::End => break,
        };
        let place = Place {
            line: input.line_number(),
            byte: input.byte(),
            length: length as u64,
        };
        let read = member(&input.window()[..length]);
        let full = values.len() == 64;
        input.consume(length);
        match read {
            Ok(Some(value)) if !full => {
                if values.is_empty() {
                    whole = place;
                } else {
                    whole.length += place.length;
                }
                values.push(value);
            }
            Ok(None) => {}
            Ok(Some(_)) => {
                let what = "more members than such a record has".to_owned();
                out.reject(located(Trouble::Damaged, place, place.length, 1, what))?;
            }
            Err(what) => out.reject(located(Trouble::Damaged, place, place.length, 1, what))?,
        }
    }
    let shape = match values
        .iter()
        .any(|(name, _)| name == "latestSignedBlockSlot")
    {
        true => PRYSM,
        false => TEKU,
    };
    let key = pubkey(&out.naming().file);
    if key.is_none() {
        let note = "the validator's key is in the file's name, which is none here".to_owned();
        out.note(&shape, note);
    }
    let mut cells = vec![(
        Cow::Borrowed("pubkey"),
        key.map_or(Cell::Null, |key| Cell::Text(Cow::Owned(key.into_bytes()))),
    )];
    for (name, value) in &values {
        let cell = match value.as_slice() {
            b"null" | b"~" | b"" => Cell::Null,
            value => Cell::Text(Cow::Borrowed(value)),
        };
        cells.push((Cow::Borrowed(name.as_str()), cell));
    }
    match values.is_empty() {
        true => Ok(()),
        false => out.row(&shape, &cells, whole),
    }
}

/// Reads `name: value`; `None` for a line that says nothing.
fn member(line: &[u8]) -> Result<Option<(String, Vec<u8>)>, String> {
    let text = line.trim_ascii();
    if text.is_empty() || text.starts_with(b"#") || text == b"---" || text == b"..." {
        return Ok(None);
    }
    let colon = memchr::memchr(b':', text)
        .filter(|&colon| colon > 0 && text[..colon].iter().all(u8::is_ascii_alphanumeric))
        .ok_or_else(|| format!("{} is no `name: value`", shown(text)))?;
    let name = String::from_utf8_lossy(&text[..colon]).into_owned();
    let value = text[colon + 1..].trim_ascii();
    let inner = match value {
        [b'"', inner @ .., b'"'] | [b'\'', inner @ .., b'\''] => inner,
        _ => value,
    };
    Ok(Some((name, inner.to_vec())))
}

/// Returns the key that a file is named after.
fn pubkey(snapshot: &str) -> Option<String> {
    let digits = snapshot.strip_prefix("0x").unwrap_or(snapshot).get(..96)?;
    let hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    hex.then(|| format!("0x{}", digits.to_ascii_lowercase()))
}
