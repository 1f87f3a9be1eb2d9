//! `show`: the raw bytes behind a reference.

use crate::info::find_source;
use crate::{Error, Evidence};
use case::{CaseError, Source, TableId};
use model::{Encoding, Reference, RowFilter, SourceId};
use serde::Serialize;

/// Raw evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The permanent form of the reference.
    pub reference: String,
    /// The source's digest.
    pub source: String,
    /// Where the source was found.
    pub path: String,
    /// First byte of `raw`.
    pub byte: u64,
    /// First line of `raw`, where that is known.
    pub line: Option<u64>,
    /// The bytes.
    pub raw: Vec<u8>,
    /// How they write characters.
    pub encoding: Encoding,
    /// Lines before, if context was asked for.
    pub before: Vec<u8>,
    /// Lines after.
    pub after: Vec<u8>,
}

/// The contract's shape.
#[derive(Serialize)]
struct ShownJson<'a> {
    #[serde(rename = "ref")]
    reference: &'a str,
    source: &'a str,
    path: &'a str,
    byte: u64,
    length: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encoding: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<String>,
}

impl Shown {
    /// Returns the contract's object: `raw`, or `raw_base64` where the bytes are not UTF-8, with the
    /// `text` beside it where they are UTF-16.
    pub fn to_json(&self) -> serde_json::Map<String, serde_json::Value> {
        let wide = self.encoding != Encoding::Utf8;
        let decoded =
            |bytes: &[u8]| String::from_utf8_lossy(&self.encoding.to_utf8(bytes)).into_owned();
        let text = std::str::from_utf8(&self.raw).ok().filter(|_| !wide);
        let context = |bytes: &[u8]| (!bytes.is_empty()).then(|| decoded(bytes));
        let shape = ShownJson {
            reference: &self.reference,
            source: &self.source,
            path: &self.path,
            byte: self.byte,
            length: self.raw.len(),
            raw: text,
            raw_base64: text.is_none().then(|| base64(&self.raw)),
            encoding: wide.then(|| self.encoding.as_str()),
            text: wide.then(|| decoded(&self.raw)),
            before: context(&self.before),
            after: context(&self.after),
        };
        match serde_json::to_value(shape) {
            Ok(serde_json::Value::Object(map)) => map,
            _ => unreachable!("a struct of plain values is an object"),
        }
    }
}

/// Bytes that are read at a time.
const CHUNK: u64 = 1 << 20;

impl Evidence {
    /// Returns the raw bytes behind a reference, and `context` lines around them.
    ///
    /// # Errors
    /// If the evidence has no such source, line, byte or row, or the store is damaged.
    pub fn show(&self, reference: &Reference, context: u64) -> Result<Shown, Error> {
        let source_id = match reference {
            Reference::Lines { source, .. }
            | Reference::Bytes { source, .. }
            | Reference::Row { source, .. }
            | Reference::Source(source) => source,
        };
        let source = find_source(self.manifest(), &source_id.to_string())?;
        match reference {
            Reference::Lines { first, last, .. } => self.show_lines(source, *first, *last, context),
            Reference::Bytes { byte, length, .. } => {
                let raw = self.raw(source, *byte, *length)?;
                Ok(shown(source, reference, *byte, None, raw))
            }
            Reference::Row { table, key, .. } => {
                let found = match source.evidence.is_empty() {
                    true => self.originals.dump(source)?.row(table, key)?,
                    false => crate::kept::row(&self.case, source, table, key)?,
                };
                let (place, raw) = found.ok_or_else(|| {
                    Error::request(format!("{} has no row {table}#{key}", source.path))
                })?;
                Ok(shown(source, reference, place.byte, Some(place.line), raw))
            }
            Reference::Source(_) => Err(Error::request(format!(
                "`{reference}` is a whole source of {} lines",
                source.lines
            ))
            .with_hint(format!("name lines: {reference}:1 or {reference}:1-20"))),
        }
    }

    fn show_lines(
        &self,
        source: &Source,
        first: u64,
        last: u64,
        context: u64,
    ) -> Result<Shown, Error> {
        let from = first.saturating_sub(context).max(1);
        let (mut line, mut byte) = self.nearest_line(source, from)?;
        // Lines before `first`, the lines themselves, the lines after `last`.
        let mut parts: [Vec<u8>; 3] = Default::default();
        let mut start = byte;
        let encoding = source.encoding();
        let end = last.saturating_add(context);
        while byte < source.bytes && line <= end {
            let length = CHUNK.min(source.bytes - byte);
            let chunk = self.raw(source, byte, length)?;
            byte += length;
            let mut rest = chunk.as_slice();
            while !rest.is_empty() {
                let ended = encoding.line_length(rest);
                let (piece, after) = rest.split_at(ended.unwrap_or(rest.len()));
                rest = after;
                let part = match line {
                    n if n < from => None,
                    n if n < first => Some(0),
                    n if n <= last => Some(1),
                    n if n <= end => Some(2),
                    _ => break,
                };
                if let Some(part) = part {
                    parts[part].extend_from_slice(piece);
                }
                if line < first {
                    start += piece.len() as u64;
                }
                if ended.is_some() {
                    line += 1;
                }
            }
        }
        let [before, raw, after] = parts;
        if raw.is_empty() {
            return Err(Error::request(format!(
                "{} has no line {first}: it has {}",
                source.path, source.lines
            )));
        }
        let reference = Reference::Lines {
            source: SourceId::Digest(source.digest.clone()),
            first,
            last,
        };
        let mut result = shown(source, &reference, start, Some(first), raw);
        (result.before, result.after) = (before, after);
        Ok(result)
    }

    /// Returns a line at or before `wanted` whose first byte is known.
    fn nearest_line(&self, source: &Source, wanted: u64) -> Result<(u64, u64), Error> {
        let mut best = (1, 0);
        let mut take = |batch: model::Batch| -> Result<(), CaseError> {
            let (Some(from), Some(line), Some(byte)) = (
                batch.column("source"),
                batch.column("line"),
                batch.column("byte"),
            ) else {
                return Ok(());
            };
            for row in 0..batch.rows() {
                let (Some(line), Some(byte)) = (line.i64(row), byte.i64(row)) else {
                    continue;
                };
                let (line, byte) = (line.max(0) as u64, byte.max(0) as u64);
                if line <= wanted && line > best.0 && from.text(row) == Some(&source.digest) {
                    best = (line, byte);
                }
            }
            Ok(())
        };
        if wanted > 1 && source.kind == case::SourceKind::Log {
            let columns = Some(["source", "line", "byte"].as_slice());
            let only =
                RowFilter::BytesIn("source".into(), vec![source.digest.clone().into_bytes()]);
            for table in [TableId::Records, TableId::Rejects] {
                self.case.read(&table, columns, &only, &mut take)?;
            }
        }
        Ok(best)
    }

    /// Reads raw bytes from the case, or from the original file where the case holds only a hash.
    fn raw(&self, source: &Source, byte: u64, length: u64) -> Result<Vec<u8>, Error> {
        match self.case.evidence(&source.digest, byte, length) {
            Err(CaseError::OutOfBounds { held: 0, .. }) => {
                self.originals.bytes(source, byte, length)
            }
            Err(CaseError::OutOfBounds { held, .. }) => Err(Error::request(format!(
                "{} has {held} bytes, not {byte}+{length}",
                source.path
            ))),
            other => Ok(other?),
        }
    }
}

fn shown(
    source: &Source,
    reference: &Reference,
    byte: u64,
    line: Option<u64>,
    raw: Vec<u8>,
) -> Shown {
    let digest = SourceId::Digest(source.digest.clone());
    let permanent = match reference.clone() {
        Reference::Lines { first, last, .. } => Reference::Lines {
            source: digest,
            first,
            last,
        },
        Reference::Bytes { byte, length, .. } => Reference::Bytes {
            source: digest,
            byte,
            length,
        },
        Reference::Row { table, key, .. } => Reference::Row {
            source: digest,
            table,
            key,
        },
        Reference::Source(_) => Reference::Source(digest),
    };
    Shown {
        reference: permanent.to_string(),
        source: source.digest.clone(),
        path: source.path.clone(),
        byte,
        line,
        raw,
        encoding: source.encoding(),
        before: Vec::new(),
        after: Vec::new(),
    }
}

/// Standard base64 with padding (RFC 4648 §4).
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk
            .iter()
            .fold(0u32, |word, byte| word << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for index in 0..4 {
            if index <= chunk.len() {
                out.push(char::from(DIGITS[(word >> (18 - 6 * index) & 63) as usize]));
            } else {
                out.push('=');
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_as_the_rfc_has_it() {
        // RFC 4648 §10.
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }
}
