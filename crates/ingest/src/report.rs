//! What an ingest did, and what it could not read.

use crate::pipeline::StageTimes;

/// What an ingest did.
#[derive(Clone, Debug, Default)]
pub struct IngestReport {
    /// Digests of sources that are new.
    pub added: Vec<String>,
    /// Digests of sources that grew.
    pub grown: Vec<String>,
    /// Paths whose bytes the case had already, with the digest.
    pub unchanged: Vec<(String, String)>,
    /// What could not be read, or only in part.
    pub problems: Vec<Problem>,
    /// Digests of sources that were read again, since another version of the parser had read them.
    pub reread: Vec<String>,
    /// Sources whose times or names changed because of what was added.
    pub rewritten: usize,
    /// Decoded bytes read.
    pub bytes: u64,
    /// Where the CPU time went.
    pub stages: StageTimes,
}

impl IngestReport {
    /// Adds what another run did.
    pub(crate) fn take(&mut self, other: IngestReport) {
        self.added.extend(other.added);
        self.grown.extend(other.grown);
        self.unchanged.extend(other.unchanged);
        self.problems.extend(other.problems);
        self.reread.extend(other.reread);
        self.rewritten += other.rewritten;
        self.bytes += other.bytes;
        self.stages.add(other.stages);
    }
}

/// Evidence that could not be read, or only in part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Path as shown.
    pub path: String,
    /// What is wrong, with the place and what to do.
    pub what: String,
    /// Whether nothing of it was read.
    pub unread: bool,
}
