//! Is this stream known? Two streams are one source if the recorded prefix of the one is a prefix of the
//! other, whatever their paths (foundations.md §1).

use case::{Case, Source, SourceKind};
use evidence::{EvidenceError, SourceReader};
use sha2::{Digest, Sha256};
use std::path::Path;

/// What a stream turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    /// Not seen before.
    New,
    /// All of it is in the case, as this source.
    Known(String),
    /// This source, and more.
    Grown(String),
}

/// Bytes compared before anything is hashed.
const HEAD_BYTES: u64 = 4096;
/// Bytes hashed at a time when the case holds more than the file.
const STEP_BYTES: u64 = 4 << 20;

/// Finds out whether the case knows a file, whatever its name. Hashes it only if its first bytes are
/// those of a known source.
pub(crate) fn identify(
    case: &Case,
    sources: &[Source],
    path: &Path,
) -> Result<Identity, EvidenceError> {
    let mut reader = SourceReader::open(path)?;
    let head = reader.peek(HEAD_BYTES as usize).to_vec();
    let candidates: Vec<&Source> = sources
        .iter()
        .filter(|source| same_head(case, source, &head))
        .collect();
    if candidates.is_empty() {
        return Ok(Identity::New);
    }
    let lengths: Vec<u64> = candidates.iter().map(|source| source.bytes).collect();
    reader.check_prefixes(&lengths);
    reader.skip(u64::MAX);
    let facts = reader.finish();
    let found = candidates
        .iter()
        .filter(|source| {
            facts.prefixes.iter().any(|(bytes, digest)| {
                *bytes == source.bytes && digest.to_string() == source.sha256
            })
        })
        .max_by_key(|source| source.bytes);
    if let Some(source) = found {
        return Ok(if facts.bytes == source.bytes {
            Identity::Known(source.digest.clone())
        } else {
            Identity::Grown(source.digest.clone())
        });
    }
    // The file may be an older copy: then the case holds more than it does.
    for source in candidates
        .iter()
        .filter(|source| source.bytes > facts.bytes)
    {
        if stored_prefix(case, source, facts.bytes)
            .is_some_and(|digest| digest == facts.sha256.to_string())
        {
            return Ok(Identity::Known(source.digest.clone()));
        }
    }
    Ok(Identity::New)
}

fn same_head(case: &Case, source: &Source, head: &[u8]) -> bool {
    if source.kind == SourceKind::Dump && source.evidence.is_empty() {
        return true; // Its bytes are not kept: only hashing can tell.
    }
    let length = HEAD_BYTES.min(source.bytes).min(head.len() as u64);
    match case.evidence(&source.digest, 0, length) {
        Ok(stored) => stored == head[..length as usize],
        Err(_) => true,
    }
}

fn stored_prefix(case: &Case, source: &Source, bytes: u64) -> Option<String> {
    let mut hash = Sha256::new();
    let mut at = 0;
    while at < bytes {
        let stored = case
            .evidence(&source.digest, at, STEP_BYTES.min(bytes - at))
            .ok()?;
        if stored.is_empty() {
            return None;
        }
        hash.update(&stored);
        at += stored.len() as u64;
    }
    Some(
        hash.finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
    )
}
