//! `analysis::jobs` over tables in memory and over the corpus.

mod corpus;
mod rules;

use crate::trace::memory::Memory;
use analysis::jobs::{GivenLimits, JobEntry, Jobs, JobsOptions, jobs};

/// Columns of `prover_jobs` that decide.
const OLD: &str = "id l1_batch_number circuit_type:text status:word processing_started_at:time created_at:time updated_at:time aggregation_round attempts protocol_version";

/// Columns of `prover_jobs_fri` that decide.
const FRI: &str = "id l1_batch_number circuit_id status:word processing_started_at:time created_at:time updated_at:time aggregation_round attempts depth is_node_final_proof:bool";

/// The sixth of September 2023, noon.
const NOON: i64 = 1_694_001_600_000_000;

fn at(as_of_us: i64) -> JobsOptions {
    JobsOptions {
        as_of_us: Some(as_of_us),
        ..JobsOptions::default()
    }
}

fn limited(max_attempts: u32, timeout_s: u32) -> JobsOptions {
    JobsOptions {
        limits: GivenLimits {
            max_attempts: Some(max_attempts),
            timeout_s: Some(timeout_s),
            queues: Vec::new(),
        },
        ..at(NOON)
    }
}

fn ask(memory: &Memory, options: &JobsOptions) -> Jobs {
    jobs(memory, options).unwrap()
}

#[track_caller]
fn job(jobs: &Jobs, id: i64) -> &JobEntry {
    jobs.jobs.iter().find(|job| job.id == Some(id)).unwrap()
}

fn verdicts(jobs: &Jobs) -> Vec<(i64, &str)> {
    jobs.jobs
        .iter()
        .map(|job| {
            (
                job.id.or(job.l1_batch_number).unwrap(),
                job.verdict.as_str(),
            )
        })
        .collect()
}
