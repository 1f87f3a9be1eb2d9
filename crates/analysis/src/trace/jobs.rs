//! The prover and witness jobs of one batch: which of them stands between the batch and its proof. What becomes
//! of a job is told by [`crate::jobs`], as `jobs` tells it.

use super::rows::{DbTime, Tables};
use super::shape::{AsOf, BlockedBy, Zone};
use super::{TraceError, TraceOptions};
use crate::jobs::{JobEntry, JobsError, JobsOptions, first_undone};
use model::time::parse_civil;
use std::fmt::Write as _;

/// Returns the job of `batch` that has to be done first of those that are not done; `None` if all are
/// done, or if the evidence has no jobs of this batch.
///
/// # Errors
/// If a table of jobs cannot be read, or several snapshots have the same one.
pub(super) fn blocker(
    tables: &Tables<'_>,
    batch: i64,
    as_of: Option<&AsOf>,
    zone: Option<&Zone>,
    options: &TraceOptions,
) -> Result<Option<BlockedBy>, TraceError> {
    let options = JobsOptions {
        zone: zone.cloned(),
        events: options.job_events.clone(),
        ..JobsOptions::default()
    };
    match first_undone(tables.source(), &options, batch, as_of) {
        Ok(job) => Ok(job.map(|job| blocked_by(&job, batch))),
        Err(JobsError::NoTables { .. }) => Ok(None),
        Err(JobsError::Table(error)) => Err(error.into()),
    }
}

fn blocked_by(job: &JobEntry, batch: i64) -> BlockedBy {
    let mut why = job.table.clone();
    if let Some(id) = job.id {
        let _ = write!(why, " {id}");
    }
    let _ = write!(why, " of batch {batch}");
    if let Some(round) = job.aggregation_round {
        let _ = write!(why, " (round {round})");
    }
    let _ = write!(why, " is {}", job.status);
    if let Some(since) = job.since.as_deref().filter(|_| job.status != "failed") {
        let _ = write!(why, " since {}", since_of(since));
    }
    if let Some(attempts) = job.attempts {
        let _ = write!(why, ", attempts {attempts}");
    }
    let _ = write!(why, ": {}", job.why);
    if let Some(error) = &job.error {
        /// An error is a hint here; the whole of it is in the row.
        const SHOWN: usize = 80;
        let cut: String = error.chars().take(SHOWN).collect();
        let _ = write!(why, "; error: {cut}");
    }
    let _ = write!(why, "; without it batch {batch} has no proof");
    BlockedBy {
        kind: "job".to_owned(),
        id: job.id.unwrap_or(batch),
        why,
        refs: job.refs.first().cloned().into_iter().collect(),
    }
}

/// To the second: a fraction says nothing here.
fn since_of(time: &str) -> String {
    match parse_civil(time) {
        Some((us, zone)) => {
            let second = us.div_euclid(1_000_000) * 1_000_000;
            let utc = zone.is_some();
            let text = DbTime { us: second, utc }.print();
            text.replace(".000000", "")
        }
        None => time.to_owned(),
    }
}
