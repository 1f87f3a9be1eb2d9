//! `case.json`: what a case holds.
//!
//! Nothing here has a wall-clock time: two cases of the same evidence have the same manifest up to
//! the numbers of sources and processes, whatever the order of ingest. When and by whom is in
//! `custody.jsonl`.

mod process;
mod snapshot;
mod source;

pub use process::{Alternative, Anchor, AnchorKind, Piece, Process};
pub use snapshot::{HashColumn, Snapshot, SnapshotTable, SnapshotZone};
pub use source::{Container, EvidencePart, Problem, Resume, Source, SourceKind, SourceStatus};

use crate::{CopyLink, FileMark, Node, NodeLink, NodeRule, TableId};

/// The version of the case format that this program writes. Older ones are read, newer ones refused.
///
/// 2: the hash table, `hashes/`.
pub const FORMAT_VERSION: u32 = 2;

/// What a case holds.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Manifest {
    /// Version of the case format.
    pub format_version: u32,
    /// Name and version of the program that wrote last.
    #[serde(default)]
    pub tool: String,
    /// Sources by number.
    #[serde(default)]
    pub sources: Vec<Source>,
    /// What was named or found and not read, by path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<Skipped>,
    /// Processes by number.
    #[serde(default)]
    pub processes: Vec<Process>,
    /// Nodes by name.
    #[serde(default)]
    pub nodes: Vec<Node>,
    /// Snapshots of databases by name.
    #[serde(default)]
    pub snapshots: Vec<Snapshot>,
    /// Parquet files, in reading order. Kept by the case: what a caller changes here is ignored.
    #[serde(default)]
    pub segments: Vec<Segment>,
    /// What people said against what was found.
    #[serde(default)]
    pub overrides: Vec<Override>,
    /// Users' own format definitions that sources were read with, by digest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub formats: Vec<FormatFiles>,
    /// Networks that people told the case about, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<Network>,
    /// Which sources hold records of one process.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<CopyLink>,
    /// What people said about who is who, in the order said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub node_rules: Vec<NodeRule>,
    /// Which validators work with which beacon nodes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub node_links: Vec<NodeLink>,
    /// Length and digest of `notes.jsonl`. Kept by the case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<FileMark>,
    /// The number that the next new source gets; numbers of forgotten sources are not used again.
    #[serde(default = "one")]
    pub next_source_number: u32,
}

fn one() -> u32 {
    1
}

impl Default for Manifest {
    fn default() -> Self {
        Manifest {
            format_version: FORMAT_VERSION,
            tool: String::new(),
            sources: Vec::new(),
            skipped: Vec::new(),
            processes: Vec::new(),
            nodes: Vec::new(),
            snapshots: Vec::new(),
            segments: Vec::new(),
            overrides: Vec::new(),
            formats: Vec::new(),
            networks: Vec::new(),
            copies: Vec::new(),
            node_rules: Vec::new(),
            node_links: Vec::new(),
            notes: None,
            next_source_number: 1,
        }
    }
}

impl Manifest {
    /// Digests of the sources in which a line holds several records: only bytes tell those apart.
    pub fn sources_sharing_lines(&self) -> std::collections::BTreeSet<String> {
        let sources = self.sources.iter().filter(|source| source.shares_lines);
        sources.map(|source| source.digest.clone()).collect()
    }

    /// Returns the source with a digest.
    pub fn source(&self, digest: &str) -> Option<&Source> {
        self.sources.iter().find(|source| source.digest == digest)
    }

    /// Returns the source with a digest, to change it.
    pub fn source_mut(&mut self, digest: &str) -> Option<&mut Source> {
        self.sources
            .iter_mut()
            .find(|source| source.digest == digest)
    }

    /// Returns the source with a number.
    pub fn source_by_number(&self, number: u32) -> Option<&Source> {
        self.sources.iter().find(|source| source.number == number)
    }

    /// Returns the snapshot with a name.
    pub fn snapshot(&self, name: &str) -> Option<&Snapshot> {
        self.snapshots.iter().find(|snapshot| snapshot.name == name)
    }

    /// Hands out the next source number.
    pub fn take_source_number(&mut self) -> u32 {
        let number = self.next_source_number;
        self.next_source_number += 1;
        number
    }
}

/// A user's own format definitions, kept so that a source can be read again as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct FormatFiles {
    /// First 12 hex digits of the sha256 over names and texts.
    pub digest: String,
    /// Names and texts, in order.
    pub files: Vec<(String, String)>,
}

/// A network that is none of the known ones, as its `config.yaml` describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Network {
    /// What the case calls it.
    pub name: String,
    /// Unix time of slot 0.
    pub genesis_time_s: i64,
    /// The text of the file.
    pub config: String,
}

/// Something that was named and not read.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Skipped {
    /// Path, and the way into an archive.
    pub path: String,
    /// Why.
    pub what: String,
}

/// A Parquet file.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Segment {
    /// Path relative to the case; the name holds the content's digest.
    pub file: String,
    /// The table.
    pub table: TableId,
    /// Whose rows: `~` and the digest bits that small sources share (`~`, `~0`, `~01` …), or the
    /// digest of one large source, or `#` for a database table.
    pub bin: String,
    /// Position among the segments of the same table and bin.
    pub part: u32,
    /// Digests of the sources in it, sorted, and their rows.
    pub sources: Vec<(String, u64)>,
    /// Rows.
    pub rows: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Sha256 of the file in hex.
    pub sha256: String,
    /// Smallest `line` in it, where the table has lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_line: Option<u64>,
    /// Largest `line` in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_line: Option<u64>,
    /// Earliest `ts_order_us`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_ts_us: Option<i64>,
    /// Latest `ts_order_us`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_ts_us: Option<i64>,
    /// Versions of the parsers that wrote its rows, sorted, joined by `,`.
    pub parser: String,
}

/// What a person said against what was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Override {
    /// Digest of the source.
    pub source: String,
    /// Node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Zone as given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Year.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub year: Option<i32>,
    /// Log format.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_format: Option<String>,
    /// Network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
}
