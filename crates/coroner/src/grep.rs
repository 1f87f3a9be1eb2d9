//! `--grep`: a pattern over raw text, found by scanning the evidence store.

use crate::{Error, Evidence};
use case::{CaseError, SourceKind, TableId};
use model::RowFilter;
use std::collections::BTreeMap;

/// A regular expression over a record's raw text.
///
/// ```
/// let grep: coroner::Grep = r"offset=4h\d".parse()?;
/// assert!(grep.matches(b"WARN roughtime: clock is off offset=4h0m0.1s"));
/// # Ok::<(), coroner::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Grep(regex::bytes::Regex);

impl Grep {
    /// Whether the raw text of a record matches.
    pub fn matches(&self, raw: &[u8]) -> bool {
        self.0.is_match(raw)
    }
}

impl std::str::FromStr for Grep {
    type Err = Error;

    fn from_str(pattern: &str) -> Result<Self, Error> {
        regex::bytes::RegexBuilder::new(pattern)
            .multi_line(true)
            .build()
            .map(Grep)
            .map_err(|error| {
                let text = error.to_string();
                let last = text.lines().last().unwrap_or("").trim().to_owned();
                Error::request(format!("`{pattern}` is not a regular expression: {last}"))
                    .with_hint(
                        "put \\ before . * + ? ( ) [ ] { } | ^ $ to mean the character itself",
                    )
            })
    }
}

/// Where the text was found: for each source the first bytes of the records that have it, sorted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hits {
    by_source: BTreeMap<String, Vec<u64>>,
}

impl Hits {
    pub(crate) fn contains(&self, source: &str, byte: Option<i64>) -> bool {
        match (
            self.by_source.get(source),
            byte.and_then(|b| u64::try_from(b).ok()),
        ) {
            (Some(bytes), Some(byte)) => bytes.binary_search(&byte).is_ok(),
            _ => false,
        }
    }
}

/// Bytes that are held at a time.
const CHUNK: u64 = 4 << 20;

impl Evidence {
    /// Reads the raw text of every record once and remembers which records have the text.
    pub(crate) fn scan(&self, grep: &Grep) -> Result<Hits, Error> {
        let mut spans: BTreeMap<String, Vec<(u64, u64)>> = BTreeMap::new();
        self.case.read(
            &TableId::Records,
            Some(&["source", "byte", "length"]),
            &RowFilter::All,
            &mut |batch| collect_spans(&batch, &mut spans),
        )?;
        let mut hits = Hits::default();
        for (digest, mut list) in spans {
            let is_log = self
                .manifest()
                .source(&digest)
                .is_some_and(|source| source.kind == SourceKind::Log);
            if !is_log {
                continue;
            }
            list.sort_unstable();
            let found = self.scan_source(&digest, &list, grep)?;
            hits.by_source.insert(digest, found);
        }
        Ok(hits)
    }

    fn scan_source(
        &self,
        digest: &str,
        spans: &[(u64, u64)],
        grep: &Grep,
    ) -> Result<Vec<u64>, Error> {
        let mut found = Vec::new();
        let source = self.manifest().source(digest);
        let encoding = source.map(case::Source::encoding).unwrap_or_default();
        let mut at = 0;
        while let Some(&(start, first_length)) = spans.get(at) {
            // Records whose bytes lie within one chunk are read together.
            let mut end = start + first_length;
            let mut next = at + 1;
            while let Some(&(byte, length)) = spans.get(next) {
                if byte + length - start > CHUNK {
                    break;
                }
                end = end.max(byte + length);
                next += 1;
            }
            let raw = self.case.evidence(digest, start, end - start)?;
            for &(byte, length) in &spans[at..next] {
                let from = (byte - start) as usize;
                if grep.matches(&encoding.to_utf8(&raw[from..from + length as usize])) {
                    found.push(byte);
                }
            }
            at = next;
        }
        Ok(found)
    }
}

fn collect_spans(
    batch: &model::Batch,
    spans: &mut BTreeMap<String, Vec<(u64, u64)>>,
) -> Result<(), CaseError> {
    let (Some(source), Some(byte), Some(length)) = (
        batch.column("source"),
        batch.column("byte"),
        batch.column("length"),
    ) else {
        return Ok(());
    };
    for row in 0..batch.rows() {
        let (Some(source), Some(byte), Some(length)) =
            (source.text(row), byte.i64(row), length.i64(row))
        else {
            continue;
        };
        let span = (byte.max(0) as u64, length.max(0) as u64);
        match spans.get_mut(source) {
            Some(list) => list.push(span),
            None => {
                spans.insert(source.to_owned(), vec![span]);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_record_are_matched_one_by_one() {
        let grep: Grep = "^off".parse().expect("a pattern");
        assert!(grep.matches(b"a\noff"));
        assert!(!grep.matches(b"a off"));
        assert!("(".parse::<Grep>().is_err());
    }
}
