//! The shapes of the contract: findings and the first screen.

use serde::Serialize;
use serde_json::{Map, Value};

/// The first screen, without `schema`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Triage {
    /// What was read.
    pub evidence: EvidenceSummary,
    /// What is wrong, worst first.
    pub findings: Vec<Finding>,
    /// What the evidence cannot tell, and what would.
    pub cannot_say: Vec<CannotSay>,
    /// Detectors that lacked their inputs.
    pub not_run: Vec<NotRun>,
    /// Commands to run next.
    pub next: Vec<String>,
}

/// How much evidence there is.
#[derive(Clone, Debug, Default, Serialize)]
pub struct EvidenceSummary {
    /// Sources.
    pub sources: usize,
    /// Nodes by name.
    pub nodes: usize,
    /// Nodes at least and at most, as some may be one machine and others several.
    pub nodes_range: [usize; 2],
    /// Records.
    pub records: u64,
    /// Those among them that are copies of others, in other sources of their process.
    pub duplicates: u64,
    /// Earliest time, RFC 3339.
    pub first_ts: Option<String>,
    /// Latest time.
    pub last_ts: Option<String>,
    /// Database snapshots.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub snapshots: Vec<SnapshotSummary>,
    /// The case as people type it.
    #[serde(skip)]
    pub case: String,
}

/// A database snapshot.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SnapshotSummary {
    /// Name.
    pub name: String,
    /// Tables that have rows.
    pub tables: usize,
    /// Rows.
    pub rows: u64,
    /// Which tables of a rollup's way to L1 are there.
    pub trace_tables: Vec<String>,
}

/// A statement about what went wrong.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Finding {
    /// `f-` and ten hex digits: a digest of kind, nodes and beginning.
    pub id: String,
    /// What was detected.
    pub kind: String,
    /// `critical`, `high`, `medium`, `low`, `notice`.
    pub severity: String,
    /// One sentence.
    pub title: String,
    /// Beginning, RFC 3339.
    pub from: Option<String>,
    /// End.
    pub to: Option<String>,
    /// `ongoing`, `ended`, `unknown`: judged per node against that node's own last record.
    pub status: String,
    /// How many of how many.
    pub affected: Affected,
    /// Numbers with their unit in the key.
    pub magnitude: Map<String, Value>,
    /// `observed`, `inferred`, `assumed`, `model`.
    pub basis: String,
    /// `node`, `evidence`, `operator`, `network`.
    pub scope: String,
    /// Who says so.
    pub witnesses: Witnesses,
    /// Hypotheses.
    pub causes: Vec<Cause>,
    /// What weakens it.
    pub caveats: Vec<String>,
    /// Where to look.
    pub refs: Vec<String>,
    /// The nodes concerned, for people and for filters.
    pub nodes: Vec<String>,
    /// Beginning and end in microseconds, for ordering.
    #[serde(skip)]
    pub(crate) span_us: (i64, i64),
}

/// How many of how many.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Affected {
    /// Affected.
    pub n: usize,
    /// In evidence.
    pub of: usize,
    /// `nodes` or `sources`.
    pub unit: String,
}

/// Who says so. Copies and pods of one node are one witness.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Witnesses {
    /// Sources.
    pub sources: usize,
    /// Nodes.
    pub nodes: usize,
    /// Independent ones.
    pub independent: usize,
}

/// A hypothesis.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Cause {
    /// In words.
    pub text: String,
    /// `observed` or `inferred`.
    pub basis: String,
    /// `shown`, `likely`, `possible`.
    pub confidence: String,
    /// What it explains.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explains: Option<String>,
    /// What it leaves open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub does_not_explain: Option<String>,
    /// Where that is written.
    pub refs: Vec<String>,
}

/// What the evidence cannot tell.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CannotSay {
    /// The question.
    pub what: String,
    /// Why not.
    pub why: String,
    /// What would settle it.
    pub fetch: String,
}

/// A detector without its inputs.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct NotRun {
    /// Which.
    pub detector: String,
    /// What it lacks.
    pub missing: String,
}

/// How bad a severity is; 0 is worst.
pub(crate) fn rank(severity: &str) -> usize {
    ["critical", "high", "medium", "low", "notice"]
        .iter()
        .position(|name| *name == severity)
        .unwrap_or(5)
}

impl Finding {
    /// Sets the id and the times from what the finding says.
    pub(crate) fn identified(mut self, from_us: Option<i64>, to_us: Option<i64>) -> Finding {
        self.from = from_us.map(model::time::format_utc);
        self.to = to_us.map(model::time::format_utc);
        let from = from_us.or(to_us).unwrap_or(i64::MAX);
        self.span_us = (from, to_us.unwrap_or(from));
        // FNV-1a: stable across versions and machines, and no secret depends on it.
        let mut digest: u64 = 0xcbf2_9ce4_8422_2325;
        let mut mix = |text: &str| {
            for byte in text.bytes().chain([0]) {
                digest = (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        };
        mix(&self.kind);
        for node in &self.nodes {
            mix(node);
        }
        mix(self.from.as_deref().unwrap_or(&self.title));
        self.id = format!("f-{:010x}", digest >> 24);
        self
    }
}
