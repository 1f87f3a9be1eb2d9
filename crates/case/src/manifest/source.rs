//! Sources: the byte streams of a case, and how much of each could be read.

use super::Piece;
use std::collections::BTreeMap;

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
