//! Is this stream known? Two streams are one source if the recorded prefix of the one is a prefix of the
//! other, whatever their paths (foundations.md §1).

use case::{Case, Source, SourceKind};
use evidence::{EvidenceError, SourceReader};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
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
pub(crate) const HEAD_BYTES: u64 = 4096;
/// Bytes hashed at a time when the case holds more than the file.
const STEP_BYTES: u64 = 4 << 20;

/// First bytes of sources that this run added: the case has not got them yet.
pub(crate) type Heads = BTreeMap<String, Vec<u8>>;

/// What a stream is compared with.
pub(crate) struct Known<'a> {
    pub(crate) case: &'a Case,
    pub(crate) sources: &'a [Source],
    pub(crate) heads: &'a Heads,
}

/// Returns the first bytes by which a stream is compared.
pub(crate) fn head_of(reader: &mut SourceReader) -> Vec<u8> {
    reader.peek(HEAD_BYTES as usize).to_vec()
}

/// Whether a source whose text the case keeps begins like a stream does.
pub(crate) fn begins_alike(case: &Case, source: &Source, head: &[u8]) -> bool {
    let length = HEAD_BYTES.min(source.bytes).min(head.len() as u64);
    case.evidence(&source.digest, 0, length)
        .is_ok_and(|stored| stored == head[..length as usize])
}

/// Finds out whether the case knows a file, whatever its name. Hashes it only if its first bytes are
/// those of a known source.
pub(crate) fn identify(known: &Known<'_>, path: &Path) -> Result<Identity, EvidenceError> {
    Ok(known.identify(SourceReader::open(path)?))
}

impl<'a> Known<'a> {
    /// Whether some source begins like this stream: only then it has to be hashed.
    pub(crate) fn may_have(&self, reader: &mut SourceReader) -> bool {
        let head = head_of(reader);
        self.sources
            .iter()
            .any(|source| self.same_head(source, &head))
    }

    /// Finds out whether the case knows a stream.
    pub(crate) fn identify(&self, mut reader: SourceReader) -> Identity {
        let head = head_of(&mut reader);
        let candidates: Vec<&'a Source> = self
            .sources
            .iter()
            .filter(|source| self.same_head(source, &head))
            .collect();
        if candidates.is_empty() {
            return Identity::New;
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
            return if facts.bytes == source.bytes {
                Identity::Known(source.digest.clone())
            } else {
                Identity::Grown(source.digest.clone())
            };
        }
        // The file may be an older copy: then the case holds more than it does.
        for source in candidates
            .iter()
            .filter(|source| source.bytes > facts.bytes)
        {
            if stored_prefix(self.case, source, facts.bytes)
                .is_some_and(|digest| digest == facts.sha256.to_string())
            {
                return Identity::Known(source.digest.clone());
            }
        }
        Identity::New
    }

    fn same_head(&self, source: &Source, head: &[u8]) -> bool {
        let length = HEAD_BYTES.min(source.bytes).min(head.len() as u64);
        if let Some(read_now) = self.heads.get(&source.digest) {
            return read_now.get(..length as usize) == Some(&head[..length as usize]);
        }
        if source.kind == SourceKind::Dump && source.evidence.is_empty() {
            // Its bytes are not kept: only hashing can tell one dump from another.
            return dumps::sniff(head).is_some();
        }
        match self.case.evidence(&source.digest, 0, length) {
            Ok(stored) => stored == head[..length as usize],
            Err(_) => true,
        }
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
