//! References: names of evidence that stay true whatever the case numbers, down to the bytes
//! (foundations.md §1).

use std::fmt;
use std::str::FromStr;

/// A source in a reference: the permanent digest, or the case's local alias.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SourceId {
    /// The first 12 hex digits of the source's sha256 at first sight.
    Digest(String),
    /// `S3`: the third source of this case.
    Alias(u32),
}

/// A place in evidence: lines, bytes, or a database row.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reference {
    /// `<source>:<first>` or `<source>:<first>-<last>`, lines counted from 1.
    Lines {
        /// Where.
        source: SourceId,
        /// First line.
        first: u64,
        /// Last line, inclusive.
        last: u64,
    },
    /// `<source>@<byte>+<length>`, in decoded bytes.
    Bytes {
        /// Where.
        source: SourceId,
        /// Offset of the first byte.
        byte: u64,
        /// How many.
        length: u64,
    },
    /// `<source>:<schema>.<table>#<key>`; a table without key has `#@<n>`, the n-th row from 1.
    Row {
        /// Where.
        source: SourceId,
        /// `schema.table`.
        table: String,
        /// Primary key values joined by commas, or `@n`.
        key: String,
    },
    /// A whole source.
    Source(SourceId),
}

/// Why a text is not a reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a reference: expected SOURCE:LINE, SOURCE:FIRST-LAST, SOURCE@BYTE+LENGTH or SOURCE:SCHEMA.TABLE#KEY, with SOURCE as 12 hex digits or S<number>"
)]
pub struct RefError(pub String);

impl fmt::Display for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SourceId::Digest(digest) => f.write_str(digest),
            SourceId::Alias(number) => write!(f, "S{number}"),
        }
    }
}

impl FromStr for SourceId {
    type Err = RefError;

    fn from_str(text: &str) -> Result<Self, RefError> {
        let number = text.strip_prefix('S').or_else(|| text.strip_prefix('s'));
        if let Some(Ok(number)) = number.map(str::parse) {
            return Ok(SourceId::Alias(number));
        }
        let hex = text.bytes().all(|b| b.is_ascii_hexdigit());
        if hex && (6..=64).contains(&text.len()) {
            return Ok(SourceId::Digest(text.to_ascii_lowercase()));
        }
        Err(RefError(text.to_owned()))
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reference::Lines {
                source,
                first,
                last,
            } if first == last => write!(f, "{source}:{first}"),
            Reference::Lines {
                source,
                first,
                last,
            } => write!(f, "{source}:{first}-{last}"),
            Reference::Bytes {
                source,
                byte,
                length,
            } => write!(f, "{source}@{byte}+{length}"),
            Reference::Row { source, table, key } => write!(f, "{source}:{table}#{key}"),
            Reference::Source(source) => write!(f, "{source}"),
        }
    }
}

impl FromStr for Reference {
    type Err = RefError;

    fn from_str(text: &str) -> Result<Self, RefError> {
        let wrong = || RefError(text.to_owned());
        if let Some((source, rest)) = text.split_once(':') {
            let source = source.parse().map_err(|_| wrong())?;
            if let Some((table, key)) = rest.split_once('#') {
                if table.is_empty() || key.is_empty() {
                    return Err(wrong());
                }
                return Ok(Reference::Row {
                    source,
                    table: table.to_owned(),
                    key: key.to_owned(),
                });
            }
            let (first, last) = rest.split_once('-').unwrap_or((rest, rest));
            let first: u64 = first.parse().map_err(|_| wrong())?;
            let last: u64 = last.parse().map_err(|_| wrong())?;
            if first == 0 || last < first {
                return Err(wrong());
            }
            return Ok(Reference::Lines {
                source,
                first,
                last,
            });
        }
        if let Some((source, rest)) = text.split_once('@') {
            let (byte, length) = rest.split_once('+').ok_or_else(wrong)?;
            return Ok(Reference::Bytes {
                source: source.parse().map_err(|_| wrong())?,
                byte: byte.parse().map_err(|_| wrong())?,
                length: length.parse().map_err(|_| wrong())?,
            });
        }
        Ok(Reference::Source(text.parse().map_err(|_| wrong())?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_read_back_as_printed() {
        for text in [
            "0bbbcf153f17:12",
            "0bbbcf153f17:12-14",
            "0bbbcf153f17@1034+187",
            "S3:1402",
            "S3:public.l2_to_l1_logs#15841,0",
            "0bbbcf153f17:public.t#@12",
            "S1",
        ] {
            assert_eq!(
                text.parse::<Reference>().map(|r| r.to_string()).as_deref(),
                Ok(text)
            );
        }
        for text in [
            "",
            "x:1",
            "S3:0",
            "S3:5-4",
            "S3@1",
            "0bbbcf153f17:public.t#",
        ] {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
    }
}
