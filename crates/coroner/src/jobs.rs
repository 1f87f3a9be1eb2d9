//! `jobs` and `what-if jobs`: prover and witness jobs of a rollup's server.

use crate::as_of::{Dumped, resolve_as_of};
use crate::{Error, ErrorKind, Evidence, OpenOptions, Partial, PlainDumps, TimeSpec, Zone};
use analysis::jobs::{GivenLimits, JobsError, JobsOptions};
use std::path::Path;

/// Jobs, and what could not be read.
#[derive(Clone, Debug)]
pub struct JobsAnswer {
    /// The answer in the contract's shape.
    pub jobs: analysis::jobs::Jobs,
    /// What could not be read.
    pub partial: Vec<Partial>,
}

/// Jobs under other limits, and what could not be read.
#[derive(Clone, Debug)]
pub struct WhatIfJobsAnswer {
    /// The answer in the contract's shape.
    pub what_if: analysis::jobs::WhatIf,
    /// What could not be read.
    pub partial: Vec<Partial>,
}

/// What is asked about jobs.
#[derive(Clone, Debug, Default)]
pub struct JobsQuestion {
    /// The snapshot to ask, where there are several.
    pub snapshot: Option<String>,
    /// The time to look at: rows made later are left out. One that counts back does so from the snapshot's own.
    pub as_of: Option<TimeSpec>,
    /// The zone of times typed without one.
    pub zone: Option<Zone>,
    /// Limits that are known to have held.
    pub limits: JobLimits,
}

/// Limits of tries: `max_attempts` and the timeout in seconds, for all queues or for some.
#[derive(Clone, Debug, Default)]
pub struct JobLimits {
    /// `max_attempts`.
    pub max_attempts: Option<u32>,
    /// Generation timeout in seconds.
    pub timeout_s: Option<u32>,
    /// Names of queues; empty: all. See [`job_queues`].
    pub queues: Vec<String>,
}

impl JobLimits {
    fn resolve(&self) -> Result<GivenLimits, Error> {
        let queues = self
            .queues
            .iter()
            .map(|name| {
                analysis::jobs::queue_of(name).ok_or_else(|| {
                    Error::request(format!("there is no queue `{name}`"))
                        .with_hint(format!("queues are {}", job_queues().join(", ")))
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(GivenLimits {
            max_attempts: self.max_attempts,
            timeout_s: self.timeout_s,
            queues,
        })
    }
}

/// Returns the names of the queues that limits can be given for.
pub fn job_queues() -> Vec<&'static str> {
    use chain::requeue::Queue;
    [
        Queue::OldProver,
        Queue::OldWitness,
        Queue::FriProver,
        Queue::FriWitness,
        Queue::Compression,
        Queue::Gateway,
    ]
    .map(analysis::jobs::queue_name)
    .to_vec()
}

/// Says which prover and witness jobs are stuck, why nothing brings them back, and which batch holds up the
/// chain. One plain dump is asked as it lies; anything else goes through a case, so that log lines count too.
///
/// ```no_run
/// let options = coroner::OpenOptions::default();
/// let answer = coroner::jobs("prover_jobs.sql", &coroner::JobsQuestion::default(), &options)?;
/// for job in answer.jobs.jobs.iter().filter(|job| job.stuck) {
///     println!("batch {:?}: {}", job.l1_batch_number, job.why);
/// }
/// # Ok::<(), coroner::Error>(())
/// ```
///
/// # Errors
/// If the evidence cannot be opened, has no table of jobs, or several snapshots have the same one.
pub fn jobs(
    path: impl AsRef<Path>,
    question: &JobsQuestion,
    options: &OpenOptions,
) -> Result<JobsAnswer, Error> {
    ask(path.as_ref(), question, options, analysis::jobs::jobs)
        .map(|(jobs, partial)| JobsAnswer { jobs, partial })
}

/// Says which jobs would have come back under other limits, and how many runs each could still get.
///
/// # Errors
/// As [`jobs()`].
pub fn what_if_jobs(
    path: impl AsRef<Path>,
    question: &JobsQuestion,
    other: &JobLimits,
    options: &OpenOptions,
) -> Result<WhatIfJobsAnswer, Error> {
    let other = other.resolve()?;
    ask(path.as_ref(), question, options, |tables, options| {
        analysis::jobs::what_if(tables, options, &other)
    })
    .map(|(what_if, partial)| WhatIfJobsAnswer { what_if, partial })
}

fn ask<T>(
    path: &Path,
    question: &JobsQuestion,
    options: &OpenOptions,
    answer: impl Fn(&dyn model::TableSource, &JobsOptions) -> Result<T, JobsError>,
) -> Result<(T, Vec<Partial>), Error> {
    let snapshot = question.snapshot.as_deref();
    let limits = question.limits.resolve()?;
    let plain = match path.is_dir() {
        // Logs beside a dump say which limits held.
        true => None,
        false => PlainDumps::to_ask(path, options, snapshot)?,
    };
    if let Some(dumps) = plain {
        let dumped = dumps.dumped(analysis::jobs::is_job_table);
        let mut options = JobsOptions {
            as_of_us: None,
            dumped_at_us: dumped.at_us,
            dumped_local_us: dumped.local_us,
            zone: None,
            limits,
            events: Vec::new(),
        };
        options.as_of_us = as_of_us(&dumps, question, &options)?;
        let answer = answer(&dumps, &options).map_err(jobs_error)?;
        return Ok((answer, dumps.partial()));
    }
    let evidence = Evidence::open(path, options)?;
    let chosen = evidence.rollup_snapshot(snapshot)?;
    // A prover's database may be a snapshot beside the server's.
    let holds_jobs = |snapshot: &&case::Snapshot| {
        let mut tables = snapshot.tables.iter();
        tables.any(|table| analysis::jobs::is_job_table(&table.name))
    };
    let mut of_jobs = evidence.manifest().snapshots.iter().filter(holds_jobs);
    let only = of_jobs.next().filter(|_| of_jobs.next().is_none());
    let dumped = chosen.filter(holds_jobs).or(only);
    let dumped = dumped.map(Dumped::of).unwrap_or_default();
    let mut options = JobsOptions {
        as_of_us: None,
        dumped_at_us: dumped.at_us,
        dumped_local_us: dumped.local_us,
        zone: chosen.and_then(|chosen| evidence.clock_zone(chosen)),
        limits,
        events: analysis::jobs::events(evidence.case())?,
    };
    let tables = evidence.case().table_source(snapshot);
    options.as_of_us = as_of_us(&tables, question, &options)?;
    let answer = answer(&tables, &options).map_err(jobs_error)?;
    Ok((answer, evidence.partial()))
}

fn as_of_us(
    tables: &dyn model::TableSource,
    question: &JobsQuestion,
    options: &JobsOptions,
) -> Result<Option<i64>, Error> {
    let own = || analysis::jobs::as_of(tables, options).map_err(jobs_error);
    resolve_as_of(question.as_of, question.zone, own)
}

fn jobs_error(error: JobsError) -> Error {
    match error {
        JobsError::Table(error) => error.into(),
        JobsError::NoTables { .. } => Error::wrap(ErrorKind::Request, error)
            .with_hint("`coroner tables CASE` lists the database tables in the evidence"),
        other => Error::wrap(ErrorKind::Request, other),
    }
}
