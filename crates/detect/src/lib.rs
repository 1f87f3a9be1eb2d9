//! Detectors and findings: what a case shows to be wrong, said with a basis, with witnesses, and with
//! what cannot be said.
//!
//! This crate must never parse evidence nor print: it reads observations, records and the manifest of
//! a case, and hands statements on. A detector without its inputs is `not_run`, never silent.

mod activity;
mod clocks;
mod crashes;
mod endings;
mod finding;
mod gaps;
mod overview;
mod programs;
mod silent;
mod skew;
mod text;
mod triage;

pub use finding::{
    Affected, CannotSay, Cause, EvidenceSummary, Finding, NotRun, SnapshotSummary, Triage,
    Witnesses,
};
pub use skew::{SkewEpisode, SkewInput};
pub use triage::{TriageError, TriageOptions, triage};
