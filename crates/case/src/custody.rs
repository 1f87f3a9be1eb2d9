//! `custody.jsonl` and `notes.jsonl`: what people did and said.
//!
//! Each line of `custody.jsonl` carries the sha256 of the line before it, so that a line cannot be
//! taken out unnoticed. It lies outside the deterministic part of a case and outside the seal. A line
//! is written just before its commit becomes visible, so that none can happen without one, and says by
//! which manifest in place of which: the next writer sees whether a kill came in between, and then says
//! so in a line of its own. `notes.jsonl` belongs to the case: the manifest holds its length and digest.

use crate::error::AtPath;
use crate::read::MANIFEST;
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
    /// The first 12 hex digits of the sha256 of the manifest that the commit makes, and of the one that it
    /// replaces; empty for a case's first, and in lines of older programs.
    #[serde(default)]
    commit: String,
    #[serde(default)]
    replaces: String,
    #[serde(flatten)]
    entry: CustodyEntry,
}

pub(crate) fn read_or_empty(path: &Path) -> Result<Vec<u8>, CaseError> {
    match std::fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        result => result.at("read", path),
    }
}

fn line_hash(line: &[u8]) -> String {
    hex(&Sha256::digest(line))
}

/// Returns how lines of custody name a manifest; nothing for none.
pub(crate) fn commit_name(manifest: &[u8]) -> String {
    let mut name = String::new();
    if !manifest.is_empty() {
        name = line_hash(manifest);
        name.truncate(12);
    }
    name
}

fn last_line(custody: &[u8]) -> Option<&[u8]> {
    custody
        .split(|byte| *byte == b'\n')
        .rfind(|line| !line.is_empty())
}

/// Returns the line that says of the last one that its commit did not happen, if it did not: the manifest is
/// still the one that was to be replaced.
fn interrupted(custody: &[u8], manifest: &[u8]) -> Option<CustodyEntry> {
    let link: Link = serde_json::from_slice(last_line(custody)?).ok()?;
    let now = commit_name(manifest);
    let undone = !link.commit.is_empty() && link.commit != now && link.replaces == now;
    undone.then(|| CustodyEntry {
        at: link.entry.at,
        action: "interrupted".to_owned(),
        detail: Some(format!(
            "commit {} did not happen: the program ended before it; what the lines about it say was not done",
            link.commit
        )),
        ..CustodyEntry::default()
    })
}

/// Returns the lines that continue a custody file, for a commit from one manifest to another.
pub(crate) fn links(
    custody: &[u8],
    entries: &[CustodyEntry],
    replaces: &str,
    commit: &str,
) -> Vec<u8> {
    let mut previous = last_line(custody).map_or_else(String::new, line_hash);
    let mut lines = Vec::new();
    for entry in entries {
        let link = Link {
            previous: previous.clone(),
            commit: commit.to_owned(),
            replaces: replaces.to_owned(),
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
        let manifest = read_or_empty(&self.case.path.join(MANIFEST))?;
        if let Some(entry) = interrupted(&custody[..whole], &manifest) {
            self.append(CUSTODY, |before| links(before, &[entry], "", ""))?;
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
