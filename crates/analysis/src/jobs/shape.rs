//! The shapes of the answers: the contract's `jobs` and `what-if jobs` objects, without `schema`.

use crate::trace::{AsOf, Zone};
use serde::Serialize;

/// What has become of jobs.
#[derive(Clone, Debug, Serialize)]
pub struct Jobs {
    /// The snapshots whose tables answered.
    pub snapshots: Vec<String>,
    /// The time that is looked at.
    pub as_of: Option<AsOf>,
    /// The zone of the database's times, if it could be solved; they are shown as written.
    pub database_zone: Option<Zone>,
    /// Which rule and which limits hold for which queue.
    pub rules: Vec<RuleEntry>,
    /// What the tables hold.
    pub tables: Vec<JobTable>,
    /// Per proof system and chain, the lowest batch without a final proof.
    pub blocking: Vec<Blocking>,
    /// Every job that is not done, by table, batch and id.
    pub jobs: Vec<JobEntry>,
    /// What log lines say of the house keeper.
    pub house_keeper: Option<HouseKeeper>,
    /// What the evidence lacks, and what must not be read into the answer.
    pub warnings: Vec<String>,
    /// Rows and lines that the answer rests on.
    pub refs: Vec<String>,
    /// How hard it looked, when no job is stuck.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looked_at: Option<LookedAt>,
    /// Parts of the tables that could not be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub partial: Vec<String>,
}

impl Jobs {
    /// Whether a job needs a person: nothing will bring it back or move it on.
    pub fn has_stuck(&self) -> bool {
        self.blocking.iter().any(|batch| batch.stuck) || self.jobs.iter().any(|job| job.stuck)
    }

    /// Whether nothing is known to be stuck, yet some job cannot be judged.
    pub fn is_undetermined(&self) -> bool {
        let open = self.jobs.iter().any(|job| job.verdict == "undetermined");
        !self.has_stuck() && (open || !self.partial.is_empty())
    }
}

/// A queue's rule and limits.
#[derive(Clone, Debug, Serialize)]
pub struct RuleEntry {
    /// `prover`, `witness`, `fri_prover`, `fri_witness`, `compression`, `gateway`.
    pub queue: String,
    /// Its tables in the evidence.
    pub tables: Vec<String>,
    /// The rule; null where the schema cannot tell between several.
    pub rule: Option<String>,
    /// All rules the schema allows, oldest first.
    pub candidates: Vec<RuleText>,
    /// What decided: `table`, `migrations`, `columns`, or `undetermined`.
    pub basis: String,
    /// The configured limit.
    pub max_attempts: LimitValue,
    /// The configured timeout.
    pub timeout_s: LimitValue,
}

/// A rule in words.
#[derive(Clone, Debug, Serialize)]
pub struct RuleText {
    /// Its name.
    pub rule: String,
    /// What it does.
    pub about: String,
}

/// A limit and how it is known.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LimitValue {
    /// Null: there is none.
    pub value: Option<u32>,
    /// `given`, `logs`, `assumed` (the repository's own configuration), or `none`.
    pub basis: String,
    /// Lines that say so.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refs: Vec<String>,
}

/// A table of jobs.
#[derive(Clone, Debug, Serialize)]
pub struct JobTable {
    /// Snapshot.
    pub snapshot: String,
    /// Schema and name.
    pub table: String,
    /// The queue it belongs to.
    pub queue: String,
    /// Rows.
    pub rows: u64,
    /// Rows per status, as written.
    pub by_status: std::collections::BTreeMap<String, u64>,
    /// Jobs that need a person.
    pub stuck: u64,
    /// When a worker last took a job, as written.
    pub last_picked_at: Option<String>,
}

/// The lowest batch without a final proof.
#[derive(Clone, Debug, Serialize)]
pub struct Blocking {
    /// `old` or `fri`.
    pub system: String,
    /// Chain, in prover databases of several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chain_id: Option<i64>,
    /// The batch.
    pub l1_batch_number: i64,
    /// Whether it needs a person: a job of it is stuck, or none is left to run. Else it is only the next.
    pub stuck: bool,
    /// What it lacks.
    pub why: String,
    /// Its jobs that are not done.
    pub jobs: u64,
    /// How many later batches are proven and cannot be used before this one.
    pub proven_behind: u64,
    /// The last of them.
    pub last_proven: Option<i64>,
    /// Rows.
    pub refs: Vec<String>,
}

/// A job that is not done.
#[derive(Clone, Debug, Serialize)]
pub struct JobEntry {
    /// Snapshot.
    pub snapshot: String,
    /// Name of the table.
    pub table: String,
    /// Queue.
    pub queue: String,
    /// Id, where the table has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// Chain, in prover databases of several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chain_id: Option<i64>,
    /// Batch.
    pub l1_batch_number: Option<i64>,
    /// Round, of the column or of the table.
    pub aggregation_round: Option<i64>,
    /// `circuit_type`, or `circuit_id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub circuit: Option<String>,
    /// As written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol_version: Option<i64>,
    /// As written.
    pub status: String,
    /// As written; null where the evidence lacks the column.
    pub attempts: Option<i64>,
    /// When it was last taken, as written.
    pub processing_started_at: Option<String>,
    /// Since when it stands as it does, as written.
    pub since: Option<String>,
    /// How long that is.
    pub age_s: Option<f64>,
    /// `running`, `queued`, `waiting`, `comes_back`, `overdue`, `never_picked`, `not_moved`, `lost` or
    /// `undetermined`.
    pub verdict: String,
    /// Whether a person is needed: `lost`, `never_picked`, `not_moved` and `overdue`.
    pub stuck: bool,
    /// The reason in words.
    pub why: String,
    /// When the rule puts it back (or did, had the house keeper run), as written in the database's clock.
    pub due_at: Option<String>,
    /// How many more runs it can get.
    pub runs_left: Runs,
    /// The last error, as written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The row, then log lines that speak of the job.
    pub refs: Vec<String>,
    /// Effective times for comparisons.
    #[serde(skip)]
    pub(super) order: (i64, i64, i64),
}

/// A number of runs, or its bounds where readings of a row differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Runs {
    /// At least.
    pub least: u64,
    /// At most; null: nothing limits them.
    pub most: Option<u64>,
}

/// What log lines say of the house keeper.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct HouseKeeper {
    /// Runs that printed how many jobs they put back.
    pub runs: u64,
    /// Jobs put back, by the lines that name them.
    pub requeued: u64,
    /// First line, UTC.
    pub first: Option<String>,
    /// Last line, UTC.
    pub last: Option<String>,
    /// Lines, at most ten.
    pub refs: Vec<String>,
}

/// How hard it looked.
#[derive(Clone, Debug, Serialize)]
pub struct LookedAt {
    /// Sources.
    pub sources: usize,
    /// Tables that were read.
    pub tables: Vec<String>,
    /// Jobs in them.
    pub jobs: u64,
    /// Tables of the same proof systems that are not there.
    pub missing_kinds: Vec<String>,
}

/// The same jobs under other limits.
#[derive(Clone, Debug, Serialize)]
pub struct WhatIf {
    /// The snapshots whose tables answered.
    pub snapshots: Vec<String>,
    /// The time that is looked at.
    pub as_of: Option<AsOf>,
    /// See [`Jobs::database_zone`].
    pub database_zone: Option<Zone>,
    /// Per queue, both pairs of limits.
    pub rules: Vec<WhatIfRule>,
    /// Jobs that would have come back and did not.
    pub would_come_back: u64,
    /// Jobs that would not come back any more.
    pub would_be_lost: u64,
    /// Jobs that come back either way, or neither, and for which only runs or times change.
    pub other_runs: u64,
    /// Jobs of which one side or both cannot be told.
    pub undetermined: u64,
    /// Jobs that are not done and for which nothing changes.
    pub unchanged: u64,
    /// The jobs for which something changes, fate or runs left.
    pub jobs: Vec<WhatIfJob>,
    /// The batches that hold up the chain, and whether all their jobs would have come back.
    pub blocking: Vec<Blocking>,
    /// What the answer cannot know.
    pub warnings: Vec<String>,
    /// Rows.
    pub refs: Vec<String>,
    /// How hard it looked, when nothing changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looked_at: Option<LookedAt>,
    /// Parts of the tables that could not be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub partial: Vec<String>,
}

/// A queue under both limits.
#[derive(Clone, Debug, Serialize)]
pub struct WhatIfRule {
    /// As it was.
    #[serde(flatten)]
    pub now: RuleEntry,
    /// As it would be.
    pub what_if: WhatIfLimits,
}

/// The other limits.
#[derive(Clone, Debug, Serialize)]
pub struct WhatIfLimits {
    /// Null: there is none.
    pub max_attempts: Option<u32>,
    /// Seconds.
    pub timeout_s: u32,
}

/// A job for which something changes.
#[derive(Clone, Debug, Serialize)]
pub struct WhatIfJob {
    /// Name of the table.
    pub table: String,
    /// Queue.
    pub queue: String,
    /// Id, where the table has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// Chain, in prover databases of several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chain_id: Option<i64>,
    /// Batch.
    pub l1_batch_number: Option<i64>,
    /// As written.
    pub status: String,
    /// As written.
    pub attempts: Option<i64>,
    /// As it was.
    pub now: WhatIfSide,
    /// As it would have been.
    pub then: WhatIfSide,
    /// The row.
    pub refs: Vec<String>,
}

/// A job under one pair of limits.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WhatIfSide {
    /// See [`JobEntry::verdict`].
    pub verdict: String,
    /// Whether the rule has put it back by then, or will.
    pub comes_back: Option<bool>,
    /// When, in the database's clock.
    pub due_at: Option<String>,
    /// How many more runs it can get.
    pub runs_left: Runs,
}
