//! The answer's shape: the contract's `batches` object, without `schema`.

use crate::trace::rows::DbTime;
use crate::trace::zone::to_utc;
use crate::trace::{AsOf, LookedAt, Waiting, Zone};
use model::time::MICROS_PER_SECOND;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// The batches of a rollup and what they have in common.
#[derive(Clone, Debug, Serialize)]
pub struct BatchesReport {
    /// The snapshot whose rows answered.
    pub snapshot: Option<String>,
    /// The time that waiting is judged by.
    pub as_of: Option<AsOf>,
    /// The zone of the database's times, if it could be solved: then times bear a `Z`.
    pub database_zone: Option<Zone>,
    /// How many batches are in the window.
    pub count: usize,
    /// How many of them are not listed.
    pub left_out: usize,
    /// One entry per batch, in order of number.
    pub batches: Vec<BatchLine>,
    /// How long each step waited.
    pub waits: Vec<StepWaits>,
    /// Where each step has come to stand.
    pub stands: Vec<Stand>,
    /// Pauses.
    pub gaps: Vec<Gap>,
    /// What counts as a pause here.
    pub pause_rules: Vec<PauseRule>,
    /// Numbers that no row has.
    pub missing: Vec<Missing>,
    /// L1 transactions that were sent more than once, those with most attempts first.
    pub resends: Vec<Resend>,
    /// What L1 cost.
    pub fees: Vec<Fees>,
    /// What must not be read into the answer.
    pub warnings: Vec<String>,
    /// How hard it looked, when no batch was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looked_at: Option<LookedAt>,
    /// Parts of the tables that could not be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub partial: Vec<String>,
}

/// One step of one batch on L1.
#[derive(Clone, Debug, Default)]
pub struct StepLine {
    /// As in a trace; `None` where the evidence does not say.
    pub state: Option<&'static str>,
    /// Id in `eth_txs`.
    pub eth_tx_id: Option<i64>,
    /// Attempts that are left in the history.
    pub attempts: Option<i64>,
    /// Gas that the receipt says.
    pub gas_used: Option<i64>,
    /// Gas used times the fee that was bid, in gwei: what it cost at most, blobs not counted.
    pub fee_at_most_gwei: Option<i64>,
    /// Hash of the attempt that was confirmed.
    pub l1_tx_hash: Option<String>,
    pub(super) saved_at: Option<DbTime>,
    pub(super) sent_at: Option<DbTime>,
    pub(super) mined_not_before: Option<DbTime>,
    pub(super) noticed_at: Option<DbTime>,
    pub(super) reference: Option<String>,
}

/// One batch: its milestones and what it waits for.
#[derive(Clone, Debug, Default)]
pub struct BatchLine {
    /// Number.
    pub number: i64,
    /// Sealed, or still open.
    pub is_sealed: Option<bool>,
    /// Priority operations in it.
    pub l1_tx_count: Option<i64>,
    /// Transactions in it.
    pub l2_tx_count: Option<i64>,
    /// Commit, prove, execute.
    pub steps: [StepLine; 3],
    /// `seal`, `commit`, `prove` or `execute`.
    pub waits_for: Option<&'static str>,
    /// Seconds up to `as_of`.
    pub waits_s: Option<f64>,
    /// `normal`, `late`, `unknown`, against the waits of the same database.
    pub verdict: Option<&'static str>,
    /// Rows.
    pub refs: Vec<String>,
    /// Block time, unix seconds.
    pub(super) begun_s: Option<i64>,
    pub(super) sealed_at: Option<DbTime>,
    pub(super) waits_since: Option<DbTime>,
    pub(super) zone: Option<Zone>,
}

impl BatchLine {
    /// When it began: block time, which needs no zone.
    pub(super) fn begun_at(&self) -> Option<DbTime> {
        self.begun_s.map(|s| DbTime {
            us: s.saturating_mul(MICROS_PER_SECOND),
            utc: true,
        })
    }

    /// The step that is outstanding; `None` if nothing is, or if the rows do not say.
    pub(super) fn outstanding(&self) -> Option<usize> {
        // The genesis batch is never sent; an open one has no steps yet.
        if self.number == 0 || self.is_sealed == Some(false) {
            return None;
        }
        for (stage, step) in self.steps.iter().enumerate() {
            if !step.state?.starts_with("confirmed") {
                return Some(stage);
            }
        }
        None
    }

    /// Seconds that the batch waited for `wait` (see [`super::WAITS`]).
    pub(super) fn wait_s(&self, wait: usize) -> Option<f64> {
        let noticed = |stage: usize| self.steps[stage].noticed_at;
        let (from, to) = match wait {
            0 => (self.begun_at()?, self.sealed_at?),
            1 => (self.sealed_at?, noticed(0)?),
            4 => (self.begun_at()?, noticed(2)?),
            stage => (noticed(stage - 2)?, noticed(stage - 1)?),
        };
        let (from, to) = (self.in_utc(from), self.in_utc(to));
        (from.utc == to.utc).then(|| (to.us - from.us) as f64 / MICROS_PER_SECOND as f64)
    }

    pub(super) fn in_utc(&self, time: DbTime) -> DbTime {
        to_utc(time, self.zone.as_ref()).unwrap_or(time)
    }

    fn print(&self, time: Option<DbTime>) -> Option<String> {
        time.map(|time| self.in_utc(time).print())
    }
}

impl Serialize for BatchLine {
    /// One flat object, so that the same row is a line of CSV.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("number", &self.number)?;
        map.serialize_entry("is_sealed", &self.is_sealed)?;
        map.serialize_entry("l1_tx_count", &self.l1_tx_count)?;
        map.serialize_entry("l2_tx_count", &self.l2_tx_count)?;
        map.serialize_entry("begun_at", &self.print(self.begun_at()))?;
        map.serialize_entry("sealed_at", &self.print(self.sealed_at))?;
        for (name, step) in crate::trace::links::STAGES.iter().zip(&self.steps) {
            let map = &mut map;
            put(map, name, "state", &step.state)?;
            put(map, name, "eth_tx_id", &step.eth_tx_id)?;
            put(map, name, "saved_at", &self.print(step.saved_at))?;
            put(map, name, "sent_at", &self.print(step.sent_at))?;
            put(
                map,
                name,
                "mined_not_before",
                &self.print(step.mined_not_before),
            )?;
            put(map, name, "noticed_at", &self.print(step.noticed_at))?;
            put(map, name, "attempts", &step.attempts)?;
            put(map, name, "gas_used", &step.gas_used)?;
            put(map, name, "fee_at_most_gwei", &step.fee_at_most_gwei)?;
            put(map, name, "l1_tx_hash", &step.l1_tx_hash)?;
        }
        for (wait, name) in super::WAITS.iter().enumerate() {
            map.serialize_entry(&format!("{name}_wait_s"), &self.wait_s(wait))?;
        }
        map.serialize_entry("waits_for", &self.waits_for)?;
        map.serialize_entry("waits_since", &self.print(self.waits_since))?;
        map.serialize_entry("waits_s", &self.waits_s)?;
        map.serialize_entry("verdict", &self.verdict)?;
        map.serialize_entry("refs", &self.refs)?;
        map.end()
    }
}

fn put<M: SerializeMap>(
    map: &mut M,
    stage: &str,
    key: &str,
    value: &impl Serialize,
) -> Result<(), M::Error> {
    map.serialize_entry(&format!("{stage}_{key}"), value)
}

/// How long one step waited, over all batches that are through it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepWaits {
    /// `seal` (begun to sealed), `commit` (sealed to noticed), `prove`, `execute` (noticed to noticed),
    /// `whole` (begun to executed).
    pub step: String,
    /// How many.
    pub n: usize,
    /// Median, seconds.
    pub p50_s: Option<f64>,
    /// 90th percentile, seconds.
    pub p90_s: Option<f64>,
    /// 99th percentile, seconds.
    pub p99_s: Option<f64>,
    /// The longest, seconds.
    pub max_s: Option<f64>,
    /// The batch that waited longest.
    pub max_batch: Option<i64>,
}

/// Where one step has come to stand.
#[derive(Clone, Debug, Serialize)]
pub struct Stand {
    /// `commit`, `prove`, `execute`.
    pub step: String,
    /// The highest batch that is through.
    pub highest: Option<i64>,
    /// When that was noticed.
    pub noticed_at: Option<String>,
    /// The lowest sealed batch above that.
    pub next: Option<i64>,
    /// Sealed batches above the highest.
    pub behind: usize,
    /// What the next one waits for, if it waits for this step and not for an earlier one.
    pub waiting: Option<Waiting>,
}

/// From which length on a distance between two batches, or two notices, is a pause: by the habit of this very
/// database.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PauseRule {
    /// As in [`Gap::kind`].
    pub kind: String,
    /// Distances that were measured.
    pub n: usize,
    /// Their median, seconds.
    pub p50_s: Option<f64>,
    /// What one in ten exceeds, seconds.
    pub p90_s: Option<f64>,
    /// A longer distance is a pause, seconds, unless it is less than three times [`Gap::around_s`]: ten times the
    /// median, three times `p90_s`, or 300 s, whichever is the longest; null where fewer than ten distances show no habit.
    pub pause_s: Option<f64>,
}

/// A pause beyond what is usual here (see [`PauseRule`]).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Gap {
    /// `begun`: no batch began; `commit`, `prove`, `execute`: no receipt was noticed.
    pub kind: String,
    /// The last before.
    pub from: String,
    /// The first after, or `as_of`.
    pub to: String,
    /// `ended` or `ongoing`.
    pub status: String,
    /// Its length, seconds.
    pub gap_s: f64,
    /// The median distance, seconds.
    pub usual_s: f64,
    /// The median of the ten distances around it, seconds; null where there are fewer than four.
    pub around_s: Option<f64>,
    /// The batch before.
    pub after_batch: i64,
    /// The batch that ended it.
    pub before_batch: Option<i64>,
    /// What must not be read into it.
    pub remark: Option<String>,
}

/// Numbers that no row has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// Lowest.
    pub first: i64,
    /// Highest.
    pub last: i64,
}

/// An L1 transaction that was sent more than once.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Resend {
    /// Id in `eth_txs`.
    pub eth_tx_id: i64,
    /// `commit`, `prove`, `execute`.
    pub step: String,
    /// Its lowest batch.
    pub first_batch: i64,
    /// Its highest batch.
    pub last_batch: i64,
    /// Attempts that are left in the history.
    pub attempts: i64,
    /// Which of them was confirmed, counted from 1.
    pub mined_attempt: Option<i64>,
    /// The first was signed.
    pub first_signed_at: Option<String>,
    /// The last was signed.
    pub last_signed_at: Option<String>,
    /// The server noticed a receipt.
    pub noticed_at: Option<String>,
    /// What the first bid, wei.
    pub first_base_fee_per_gas_wei: Option<i64>,
    /// What the last bid, wei.
    pub last_base_fee_per_gas_wei: Option<i64>,
    /// Rows.
    pub refs: Vec<String>,
}

/// What one kind of L1 transaction cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fees {
    /// `commit`, `prove`, `execute`.
    pub step: String,
    /// L1 transactions with a receipt.
    pub transactions: usize,
    /// Gas they used.
    pub gas_used: i64,
    /// Gas times bid, in gwei: what they cost at most, blobs not counted.
    pub fee_at_most_gwei: i64,
}
