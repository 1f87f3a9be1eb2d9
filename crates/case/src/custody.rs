//! `custody.jsonl` and `notes.jsonl`: what people did and said.
//!
//! Each line of `custody.jsonl` carries the sha256 of the line before it, so that a line cannot be
//! taken out unnoticed. It lies outside the deterministic part of a case and outside the seal. A line
//! is written just before its commit becomes visible: after a crash it may speak of a commit that did
//! not happen. `notes.jsonl` belongs to the case: the manifest holds its length and digest.

use crate::error::AtPath;
use crate::segment::hex;
use crate::{CaseError, CaseWriter};
use sha2::{Digest, Sha256};
use std::path::Path;

pub(crate) const CUSTODY: &str = "custody.jsonl";
pub(crate) const NOTES: &str = "notes.jsonl";

/// A line of `custody.jsonl`: outside the deterministic part of a case.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct CustodyEntry {
    /// When, as RFC 3339 UTC: the caller says it.
    pub at: String,
    /// By whom.
    pub by: String,
    /// The command line.
    pub command: String,
    /// What was done: `ingest`, `amend`, `forget`, `export` …
    pub action: String,
    /// Digest of the source it concerns, if one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Original path of the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Its modification time, as RFC 3339 UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modified: Option<String>,
    /// Anything else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// How a line of `custody.jsonl` looks.
#[derive(serde::Serialize, serde::Deserialize)]
struct Link {
    /// Sha256 of the line before, without its line end; empty in the first.
    previous: String,
    #[serde(flatten)]
    entry: CustodyEntry,
}

fn read_or_empty(path: &Path) -> Result<Vec<u8>, CaseError> {
    match std::fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        result => result.at("read", path),
    }
}

fn line_hash(line: &[u8]) -> String {
    hex(&Sha256::digest(line))
}

/// Returns the lines that continue a custody file.
pub(crate) fn links(custody: &[u8], entries: &[CustodyEntry]) -> Vec<u8> {
    let mut previous = custody
        .split(|byte| *byte == b'\n')
        .rfind(|line| !line.is_empty())
        .map_or_else(String::new, line_hash);
    let mut lines = Vec::new();
    for entry in entries {
        let link = Link {
            previous: previous.clone(),
            entry: entry.clone(),
        };
        let line = serde_json::to_vec(&link).expect("strings are JSON");
        previous = line_hash(&line);
        lines.extend(line);
        lines.push(b'\n');
    }
    lines
}

/// Checks the chain; returns the number of the first line that does not fit, counted from 1. A last line
/// without line end was cut by a kill: the next writer takes it away.
pub(crate) fn first_broken_link(custody: &[u8]) -> Option<usize> {
    let mut previous = String::new();
    let lines = custody.split_inclusive(|byte| *byte == b'\n');
    for (index, line) in lines.enumerate() {
        let line = line.strip_suffix(b"\n")?;
        match serde_json::from_slice::<Link>(line) {
            Ok(link) if link.previous == previous => previous = line_hash(line),
            _ => return Some(index + 1),
        }
    }
    None
}

/// Length and digest of an appended file.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FileMark {
    /// Bytes.
    pub bytes: u64,
    /// Sha256 in hex.
    pub sha256: String,
}

impl CaseWriter {
    /// Cuts what an interrupted write left at the end of notes and custody.
    pub(crate) fn recover_notes(&self) -> Result<(), CaseError> {
        let path = self.case.path.join(NOTES);
        let committed = self
            .case
            .manifest
            .notes
            .as_ref()
            .map_or(0, |mark| mark.bytes);
        if std::fs::metadata(&path).is_ok_and(|found| found.len() > committed) {
            self.disk.truncate(&path, committed)?;
        }
        let path = self.case.path.join(CUSTODY);
        let custody = read_or_empty(&path)?;
        let whole = custody
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |end| end + 1);
        if whole < custody.len() {
            self.disk.truncate(&path, whole as u64)?;
        }
        Ok(())
    }

    /// Appends to a file, durably; returns its former content.
    pub(crate) fn append(
        &self,
        name: &str,
        lines: impl FnOnce(&[u8]) -> Vec<u8>,
    ) -> Result<(Vec<u8>, Vec<u8>), CaseError> {
        let path = self.case.path.join(name);
        let before = read_or_empty(&path)?;
        let lines = lines(&before);
        let mut file = self.disk.append(&path)?;
        file.put(&lines).and_then(|()| file.sync())?;
        Ok((before, lines))
    }
}
