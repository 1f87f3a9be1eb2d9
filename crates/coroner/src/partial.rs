//! What could not be read, and how hard an empty answer looked.

use crate::Window;
use case::{Manifest, SourceStatus};
use serde::Serialize;
use serde_json::Value;
use std::fmt;

/// A part of the evidence that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Partial {
    /// The source's path, or the path that was named.
    pub source: String,
    /// Decoded byte where the damage begins, if it has a place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub byte: Option<u64>,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Partial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.byte {
            Some(byte) => write!(f, "{} at byte {byte}: {}", self.source, self.what),
            None => write!(f, "{}: {}", self.source, self.what),
        }
    }
}

/// How hard an empty answer looked (contract §1).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LookedAt {
    /// Sources that were read.
    pub sources: usize,
    /// Records in them.
    pub records: u64,
    /// The window, or what the evidence spans.
    pub window: Value,
    /// Kinds of evidence that would have helped and are not there.
    pub missing_kinds: Vec<String>,
}

impl fmt::Display for LookedAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = |key: &str| {
            self.window[key]
                .as_str()
                .and_then(model::time::parse_utc)
                .map_or("?".to_owned(), model::time::format_utc_short)
        };
        write!(
            f,
            "looked at {} records of {} sources, {} to {}",
            self.records,
            self.sources,
            end("from"),
            end("to")
        )?;
        if !self.missing_kinds.is_empty() {
            write!(
                f,
                "; not in the evidence: {}",
                self.missing_kinds.join(", ")
            )?;
        }
        Ok(())
    }
}

/// Names the damage that a manifest tells of, in the order of sources.
pub(crate) fn damage(manifest: &Manifest) -> Vec<Partial> {
    let mut parts: Vec<Partial> = manifest
        .skipped
        .iter()
        .map(|skipped| Partial {
            source: skipped.path.clone(),
            byte: None,
            what: skipped.what.clone(),
        })
        .collect();
    for source in &manifest.sources {
        let status = match source.status {
            SourceStatus::Complete => continue,
            SourceStatus::Truncated => "ends too early",
            SourceStatus::Damaged => "cannot be decoded as a whole",
            SourceStatus::Skipped => "was not read",
        };
        if source.problems.is_empty() {
            parts.push(Partial {
                source: source.path.clone(),
                byte: None,
                what: status.to_owned(),
            });
        }
        for problem in &source.problems {
            parts.push(Partial {
                source: source.path.clone(),
                byte: Some(problem.byte),
                what: problem.what.clone(),
            });
        }
    }
    for snapshot in &manifest.snapshots {
        for table in snapshot
            .tables
            .iter()
            .filter(|table| table.damaged_rows > 0)
        {
            parts.push(Partial {
                source: snapshot.name.clone(),
                byte: None,
                what: format!(
                    "{} rows of {}.{} could not be read",
                    table.damaged_rows, table.schema, table.name
                ),
            });
        }
    }
    parts
}

/// Says how hard an answer over a whole case looked.
pub(crate) fn looked_at(manifest: &Manifest, window: &Window, missing: &[String]) -> LookedAt {
    let first = manifest.sources.iter().filter_map(|s| s.first_ts_us).min();
    let last = manifest.sources.iter().filter_map(|s| s.last_ts_us).max();
    let shown = Window {
        from_us: window.from_us.or(first),
        to_us: window.to_us.or(last),
    };
    LookedAt {
        sources: manifest.sources.len(),
        records: manifest.sources.iter().map(|source| source.records).sum(),
        window: shown.to_json(),
        missing_kinds: missing.to_vec(),
    }
}
