//! `case.json`: what a case holds.
//!
//! Nothing here has a wall-clock time: two cases of the same evidence have the same manifest up to
//! the numbers of sources and processes, whatever the order of ingest. When and by whom is in
//! `custody.jsonl`.

use crate::{CopyLink, FileMark, Node, NodeLink, NodeRule, TableId};
use model::{ColumnType, Stamp};
use std::collections::BTreeMap;

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

/// What a source is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// Log text.
    #[default]
    Log,
    /// Database tables.
    Dump,
}

/// How much of a source could be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceStatus {
    /// All.
    #[default]
    Complete,
    /// It ends too early.
    Truncated,
    /// Some of it cannot be decoded.
    Damaged,
    /// Nothing was read.
    Skipped,
}

/// One decoded byte stream.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Source {
    /// `S<number>`: given once, never again.
    pub number: u32,
    /// First 12 hex digits of the sha256 at first sight: what references carry.
    pub digest: String,
    /// Decoded length at first sight.
    pub first_bytes: u64,
    /// Sha256 of the decoded bytes now, in hex.
    pub sha256: String,
    /// Decoded length now. Decides the layout: 64 MiB and more have segments of their own.
    pub bytes: u64,
    /// Where it was found, as shown to people.
    pub path: String,
    /// The compressed file or archive around it, the nearest one if there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<Container>,
    /// `utf-16le` or `utf-16be`; `None` for everything that writes ASCII in one byte.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// Log or dump.
    pub kind: SourceKind,
    /// Records by format.
    pub formats: BTreeMap<String, u64>,
    /// The client that wrote most of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The node it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Kinds of wrappers, sorted.
    pub wrappers: Vec<String>,
    /// Lines.
    pub lines: u64,
    /// Records.
    pub records: u64,
    /// Lines that continue a record.
    pub continuation_lines: u64,
    /// Lines that are framing: blank, headers, brackets.
    pub framing_lines: u64,
    /// Rejects by reason.
    pub rejected: BTreeMap<String, u64>,
    /// Records without a stamp.
    pub undated: u64,
    /// Whether some line holds several records (an answer of an API in one line): references are then by byte.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub shares_lines: bool,
    /// Records that another source of the same process has too, and that are shown from there.
    pub duplicates: u64,
    /// Earliest `ts`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_ts_us: Option<i64>,
    /// Latest `ts`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_ts_us: Option<i64>,
    /// Stretches of one year, zone and day count.
    pub pieces: Vec<Piece>,
    /// Version of the parser that read it.
    pub parser: String,
    /// Digest of the user's own definitions that it was read with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub formats_digest: Option<String>,
    /// How much could be read.
    pub status: SourceStatus,
    /// Damage, located.
    pub problems: Vec<Problem>,
    /// Where the raw bytes lie. Kept by the case when evidence is adopted.
    pub evidence: Vec<EvidencePart>,
    /// The rules by which all its hashes were filed in `hashes/` ([`crate::HASH_RULES`]); 0 if they were not.
    #[serde(skip_serializing_if = "is_zero_u32")]
    pub hashes: u32,
    /// Where a grown file is read on: the start of the last record, which was not final.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resume: Option<Resume>,
}

impl Source {
    /// Returns how its characters are written.
    pub fn encoding(&self) -> model::Encoding {
        self.encoding
            .as_deref()
            .and_then(|name| name.parse().ok())
            .unwrap_or_default()
    }

    /// Returns the containers around it, the nearest one first.
    pub fn containers(&self) -> impl Iterator<Item = &Container> {
        std::iter::successors(self.container.as_ref(), |container| {
            container.inside.as_deref()
        })
    }
}

/// The file around a source.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Container {
    /// `gzip`, `zstd`, `zip`, `tar+gzip` …
    pub kind: String,
    /// Its length.
    pub bytes: u64,
    /// Its sha256 in hex.
    pub sha256: String,
    /// How many sources of the case were read from it, if it is an archive.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub members: u64,
    /// The container that this one lies in: a member `beacon.log.gz` of `pods.tar.gz`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inside: Option<Box<Container>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
fn is_zero_u32(number: &u32) -> bool {
    *number == 0
}

/// Something that was named and not read.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Skipped {
    /// Path, and the way into an archive.
    pub path: String,
    /// Why.
    pub what: String,
}

/// A place where a grown source is read on.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Resume {
    /// Decoded byte.
    pub byte: u64,
    /// Line that starts there, counted from 1.
    pub line: u64,
    /// What the source's counts hold of the entry that begins here and what follows it.
    pub continuation_lines: u64,
    /// Framing lines from here on.
    pub framing_lines: u64,
    /// The entry's format, if it is a record.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub format: String,
    /// Its client.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub client: String,
    /// Whether it has no time.
    pub undated: bool,
    /// Reason and lines, if it is a reject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected: Option<(String, u64)>,
}

/// A located problem.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Problem {
    /// Decoded byte.
    pub byte: u64,
    /// What is wrong there.
    pub what: String,
}

/// A file in `evidence/`: zstd frames of 1 MiB and a seek table, readable with `zstd -d`.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct EvidencePart {
    /// Path relative to the case.
    pub file: String,
    /// First decoded byte.
    pub start: u64,
    /// Decoded bytes.
    pub bytes: u64,
    /// Bytes of the file.
    pub stored_bytes: u64,
    /// Frames.
    pub frames: u64,
    /// Sha256 of the file in hex.
    pub sha256: String,
}

/// A stretch of one process with one year, zone and day count.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Piece {
    /// Counted per source from 0.
    pub index: u32,
    /// The process, as counted within its source.
    pub process: u32,
    /// First line.
    pub first_line: u64,
    /// Last line.
    pub last_line: u64,
    /// Which of the source's interleaved streams (a pod, a host); "" if it has one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stream: String,
    /// The client.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub client: String,
    /// Its zone by the named zone that the user gave, in seconds east of UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_zone_seconds: Option<i32>,
    /// The same by year, where neither the lines nor the user say it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub given_zones_by_year: Vec<(i32, i32)>,
    /// Why it is a piece of its own.
    pub begins: String,
    /// First stamp.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<Stamp>,
    /// Last stamp.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Stamp>,
    /// Seconds east of UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone_seconds: Option<i32>,
    /// Year of the first record, where lines write none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub year: Option<i32>,
    /// Days since 1970 of the first record, where lines write no date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day: Option<i32>,
    /// How that became known.
    pub basis: String,
    /// How well it fits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub residual_s: Option<f64>,
    /// What fits as well.
    pub alternatives: Vec<Alternative>,
    /// Zone of the wrapper's stamps, where they write none, in seconds east of UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wrapper_zone_seconds: Option<i32>,
    /// Year of the wrapper's stamps, where they write none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wrapper_year: Option<i32>,
    /// Day of the wrapper's stamps, where they write no date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wrapper_day: Option<i32>,
    /// Whether the program writes no stamps: all of this is about the wrapper's.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub by_wrapper: bool,
    /// Genesis in Unix seconds, seconds per slot and slots per epoch, where stamps stand in slots.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot_clock: Option<[i64; 3]>,
    /// The network whose slots fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// Lines that decided, at most eight.
    pub used: Vec<u64>,
    /// The clues, bounded, enough to solve again.
    pub anchors: Vec<Anchor>,
}

/// Another reading of a piece.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Alternative {
    /// Seconds east of UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone_seconds: Option<i32>,
    /// Year.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub year: Option<i32>,
    /// Days since 1970, where lines write no date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day: Option<i32>,
    /// The network it supposes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// Why it is possible.
    pub why: String,
    /// How well it fits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub residual_s: Option<f64>,
}

/// A clue to a piece's year, zone or day.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Anchor {
    /// The line that holds it.
    pub line: u64,
    /// What the line wrote.
    pub stamp: Stamp,
    /// What it says about time.
    #[serde(flatten)]
    pub kind: AnchorKind,
}

/// What a clue says about time.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum AnchorKind {
    /// The line writes its zone.
    Written {
        /// The instant.
        utc_us: i64,
    },
    /// A wrapper around the line has a stamp.
    Wrapper {
        /// The wrapper's stamp.
        wrapper: Stamp,
    },
    /// An object of a slot was received: not before the slot's start.
    Received {
        /// The slot.
        slot: i64,
    },
    /// The node's own idea of the current slot.
    WallSlot {
        /// The slot.
        slot: i64,
        /// Microseconds into it.
        phase_us: i64,
        /// Whether the client can bend its slot clock.
        bendable: bool,
    },
    /// The node itself says by how much its slot clock is ahead of true time.
    Skew {
        /// The difference in microseconds.
        offset_us: i64,
    },
    /// A field holds an absolute time close to now.
    WrittenElsewhere {
        /// The instant.
        utc_us: i64,
    },
    /// The node says that it is catching up.
    Syncing,
}

/// One run of one program.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Process {
    /// Number within its source, so that it does not depend on the order of ingest.
    pub number: u32,
    /// Digest of the source.
    pub source: String,
    /// The node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The client.
    pub client: String,
    /// Beacon, validator, server, prover …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The client's version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The network it is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// The network that its lines name, and where; "" if it is none that anybody knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub said_network: Option<(String, u64)>,
    /// First line.
    pub first_line: u64,
    /// Last line.
    pub last_line: u64,
    /// What wrappers call it: pod, host, container … each with the names seen.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<String, Vec<String>>,
    /// Machines that its first lines say it is connected to, and the lines; see
    /// [`Process::beacon_endpoints`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<(String, u64)>,
    /// Whether it begins with a line that programs write when they start.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub started: bool,
    /// The process of the file before that goes on here, in a rotated set: digest of the source, number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub continues: Option<(String, u32)>,
}

impl Process {
    /// Returns the beacon nodes that a validator says it is connected to, and the lines. Nothing for other
    /// roles: whom they name is somebody else.
    pub fn beacon_endpoints(&self) -> &[(String, u64)] {
        match self.role.as_deref() {
            Some("validator") => &self.endpoints,
            _ => &[],
        }
    }
}

/// One dump, paste, API answer or live read of a database.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Snapshot {
    /// Name.
    pub name: String,
    /// Digest of the source.
    pub source: String,
    /// Which form of dump.
    pub kind: String,
    /// Database name, if the dump says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// Version of the schema, as far as known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema_version: Option<String>,
    /// The instant it shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of_us: Option<i64>,
    /// How that instant became known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of_basis: Option<String>,
    /// Newest applied migration by schema, where the dump has them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub migrations: BTreeMap<String, String>,
    /// Zone of its naive times, in seconds east of UTC, where solved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone_seconds: Option<i32>,
    /// How that became known, or why not.
    #[serde(skip_serializing_if = "SnapshotZone::is_unknown")]
    pub zone: SnapshotZone,
    /// Tables in dump order.
    pub tables: Vec<SnapshotTable>,
    /// The columns whose hashes are filed in `hashes/`, in the order of its `place`, counted from 1.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hash_columns: Vec<HashColumn>,
}

/// A column whose hashes are filed.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct HashColumn {
    /// Schema.
    pub schema: String,
    /// Table.
    pub table: String,
    /// Column.
    pub column: String,
}

/// How the zone of a snapshot's naive times was looked for.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct SnapshotZone {
    /// `rows` (against a unix time in the same rows) or `given`; "" if nothing tells.
    pub basis: String,
    /// The columns that were compared.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub by: String,
    /// How far the closest row is from it, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub residual_s: Option<f64>,
    /// Rows that show it.
    pub witnesses: u64,
    /// Rows that were looked at.
    pub rows: u64,
    /// Where the clock kept daylight-saving time: first day (since 1970 UTC) and seconds east of UTC.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<(i32, i32)>,
}

impl SnapshotZone {
    /// Whether nothing was looked at.
    pub fn is_unknown(&self) -> bool {
        *self == SnapshotZone::default()
    }
}

/// A database table.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct SnapshotTable {
    /// Schema.
    pub schema: String,
    /// Name.
    pub name: String,
    /// Rows read.
    pub rows: u64,
    /// Rows that could not be read.
    pub damaged_rows: u64,
    /// Columns in file order.
    pub columns: Vec<(String, ColumnType)>,
    /// Primary key; empty if none or unknown.
    pub primary_key: Vec<String>,
    /// Whether types were inferred from values.
    pub types_inferred: bool,
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
