//! Were the clocks right? Offsets of stamp clocks and slot clocks, episodes of skew, and which
//! roughtime server was wrong.
//!
//! Three clocks speak in a log (design §4); this module judges two of them per **node**: the *stamp
//! clock* (the process's system clock) and the *slot clock*, which a client may bend. An offset is the node's
//! clock minus true time, in seconds, positive = ahead.
//!
//! * A **reported** offset (Prysm's roughtime warning) is slot clock minus system clock, by the client's own
//!   arithmetic. It needs no zone.
//! * A line in which the node says which slot, or which time, it believes to be now is compared with
//!   the line's own stamp: slot clock minus stamp clock, once the zone is *solved*. Where the zone is
//!   assumed and the difference is a whole quarter hour, a zone explains it as well as a skew: both
//!   are shown and nothing is claimed.
//! * A line that only says that two slots differ (own slot against a peer's) does not tell whose clock is
//!   wrong; without the network's genesis it is no offset.
//!
//! Beacon node and validator of one node are programs of their own, each with its slot clock: samples are
//! compared within a program, over its restarts. Samples of one clock whose offsets agree within 2 s and their own uncertainty form an interval; a
//! larger step, or a pause of 75 minutes (roughtime is asked hourly), ends it. Intervals off by more
//! than 2 s are episodes, joined over nodes that were wrong by the same at the same time. An episode has *ended*
//! on a node only if a later sample shows its clock right, or if a client that warned every few minutes goes on
//! logging without warning; otherwise its last record decides between `ongoing` and `unknown`.
//!
//! Rows are read as batches and not as frames: what follows is a state machine over a few thousand
//! samples, not a set question.

mod causes;
mod estimate;
mod load;
mod servers;
#[cfg(test)]
mod tests;

pub use estimate::estimate;
pub use load::clock;

use serde::Serialize;
use std::collections::BTreeMap;

/// The answer of `coroner clock` (contract §4), without its `schema`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ClockReport {
    /// One entry per node with records.
    pub nodes: Vec<NodeClock>,
    /// Roughtime servers whose answers are in the evidence.
    pub servers: Vec<Server>,
    /// Stretches in which clocks were wrong.
    pub episodes: Vec<Episode>,
    /// What cannot be told, and why.
    pub undetermined: Vec<Undetermined>,
}

/// What is known of a node's clocks.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct NodeClock {
    /// Its name.
    pub node: String,
    /// Its client.
    pub client: Option<String>,
    /// The zone of its stamps.
    pub zone: Zone,
    /// Its system clock against true time.
    pub stamp_clock: Vec<Interval>,
    /// Its idea of the current slot against true time (or its stamp clock, where nothing else is known).
    pub slot_clock: Vec<Interval>,
    /// Where to look.
    pub refs: Vec<String>,
}

/// A zone and how it was found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Zone {
    /// As `-04:00`; null if unknown.
    pub value: Option<String>,
    /// `written`, `wrapper`, `slot`, `given`, `assumed` or `none`.
    pub basis: String,
    /// How well it fits.
    pub residual_s: Option<f64>,
    /// Other readings.
    pub alternatives: Vec<ZoneAlternative>,
}

/// Another reading of a zone.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ZoneAlternative {
    /// As `-04:00`.
    pub value: Option<String>,
    /// What speaks for it.
    pub why: String,
    /// How well it fits.
    pub residual_s: Option<f64>,
}

/// A stretch of constant offset.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Interval {
    /// Whose clock, where a node runs several programs: beacon node and validator each keep their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// First sample, RFC 3339.
    pub from: String,
    /// Last sample.
    pub to: String,
    /// Node's clock minus true time.
    pub offset_s: f64,
    /// Half the width of what the samples allow.
    pub uncertainty_s: f64,
    /// How many samples.
    pub samples: usize,
    /// How they were made.
    pub methods: Vec<String>,
}

/// What a roughtime server told.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Server {
    /// Its name.
    pub server: String,
    /// How many of its replies are in the evidence.
    pub replies: usize,
    /// Its time minus the time on which the majority agrees: the median; null if there is no majority.
    pub deviation_s: Option<f64>,
    /// First reply; of a falseticker, the first false one.
    pub from: Option<String>,
    /// Last reply; of a falseticker, the last false one.
    pub to: Option<String>,
    /// `falseticker`, `truechimer` or `undetermined`.
    pub verdict: String,
    /// Where to look.
    pub refs: Vec<String>,
}

/// A stretch in which the clocks of one or more nodes were wrong by the same.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Episode {
    /// `slot_clock_skew`, `stamp_clock_skew`, `drift` or `step`.
    pub kind: String,
    /// First sample of any node.
    pub from: String,
    /// Last sample of any node.
    pub to: String,
    /// `ended`, `ongoing` or `unknown`.
    pub status: String,
    /// Median over nodes.
    pub offset_s: f64,
    /// The nodes, each counted once whatever the number of lines.
    pub nodes: Vec<String>,
    /// Hypotheses.
    pub causes: Vec<Cause>,
    /// Where to look: the first sample of each node.
    pub refs: Vec<String>,
    /// What the statement rests on: `observed` or `inferred` (contract §3).
    pub basis: String,
    /// How it was measured.
    pub methods: Vec<String>,
}

/// A hypothesis on why.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Cause {
    /// The hypothesis.
    pub text: String,
    /// Always `inferred`, except what replies show: `observed`.
    pub basis: String,
    /// `shown`, `likely` or `possible`.
    pub confidence: String,
    /// What it explains.
    pub explains: String,
    /// What it leaves open.
    pub does_not_explain: String,
    /// Where to look.
    pub refs: Vec<String>,
}

/// A node whose clock cannot be judged.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Undetermined {
    /// The node.
    pub node: String,
    /// Why.
    pub why: String,
}

/// Which clock of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Clock {
    /// The system clock, which stamps the lines.
    Stamp,
    /// The node's idea of the current slot.
    #[default]
    Slot,
}

/// One comparison of a node's clock with another.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// When, microseconds UTC.
    pub us: i64,
    /// The node.
    pub node: String,
    /// Which of its programs: its role, or whatever tells it from the others of the node.
    pub program: String,
    /// Which of its clocks.
    pub clock: Clock,
    /// Clock minus true time.
    pub offset_s: f64,
    /// Half the width of what the line allows.
    pub uncertainty_s: f64,
    /// `reported`, `propagation_range`, `future_slot`, `wall_slot`, `sync_target`, `duty` …
    pub method: String,
    /// Whether the offset hangs on a zone that is only assumed.
    pub zone_assumed: bool,
    /// The line.
    pub reference: String,
}

/// One answer of a roughtime server, as a node logged it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reply {
    /// When it was logged, microseconds UTC.
    pub us: i64,
    /// The node that asked.
    pub node: String,
    /// The server.
    pub server: String,
    /// The server's time.
    pub midpoint_us: i64,
    /// The server's own bound.
    pub radius_us: i64,
    /// Round trip.
    pub delay_us: i64,
    /// The line.
    pub reference: String,
}

/// A node as the case knows it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NodeFacts {
    /// Its name.
    pub node: String,
    /// Its client.
    pub client: Option<String>,
    /// The zone of its stamps.
    pub zone: Zone,
    /// Its programs and the last record of each: by it is judged whether an episode still went on.
    pub programs: BTreeMap<String, Program>,
    /// What cannot be said of its samples.
    pub problems: Vec<String>,
}

/// One of the programs of a node, over all its restarts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Program {
    /// `beacon`, `validator` …, if it is known.
    pub role: Option<String>,
    /// Its last record.
    pub last_us: Option<i64>,
}

/// Everything [`estimate`] needs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClockInput {
    /// The nodes, each once.
    pub nodes: Vec<NodeFacts>,
    /// Comparisons, in any order.
    pub samples: Vec<Sample>,
    /// Servers' answers, in any order.
    pub replies: Vec<Reply>,
}
