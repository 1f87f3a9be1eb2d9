//! Prover and witness jobs of a zkSync Era server: which are stuck, why nothing brings them back, and which
//! batch holds up the chain; and the same under other limits.
//!
//! What a job's row means depends on the version of the server that wrote it; the rules are in
//! [`chain::requeue`], here they are applied to whatever tables there are. Where columns are missing, all
//! readings of the row are tried: what they agree on is certain, the rest is undetermined.

mod answer;
mod blocking;
mod events;
mod judge;
mod load;
mod shape;
mod table;
mod text;
mod waiting;

pub use events::{JobEvent, events};
pub use shape::{
    Blocking, HouseKeeper, JobEntry, JobTable, Jobs, LimitValue, LookedAt, RuleEntry, Runs, WhatIf,
    WhatIfJob, WhatIfRule, WhatIfSide,
};
pub use table::is_job_table;

use crate::trace::{AsOf, Zone};
use chain::requeue::Queue;
use load::{Loaded, Only};
use model::{TableError, TableSource};
pub(crate) use table::job_tables;

/// What the caller knows beside the tables.
#[derive(Clone, Debug, Default)]
pub struct JobsOptions {
    /// The time to look at, in microseconds UTC, if the user gave one: rows made later are left out.
    pub as_of_us: Option<i64>,
    /// When the dump was taken, in microseconds UTC, if its header says so.
    pub dumped_at_us: Option<i64>,
    /// The same where its header does not tell the zone: civil microseconds of the machine that dumped.
    pub dumped_local_us: Option<i64>,
    /// The zone of the database's clock, if the case has solved it; else it is solved from the tables of
    /// batches.
    pub zone: Option<Zone>,
    /// Limits that the user knows; what is not given is taken from log lines or assumed.
    pub limits: GivenLimits,
    /// What log lines say of jobs.
    pub events: Vec<JobEvent>,
}

/// Limits of tries as somebody gives them.
#[derive(Clone, Debug, Default)]
pub struct GivenLimits {
    /// `max_attempts`.
    pub max_attempts: Option<u32>,
    /// Generation timeout in seconds.
    pub timeout_s: Option<u32>,
    /// The queues they are meant for; empty: all.
    pub queues: Vec<Queue>,
}

impl GivenLimits {
    fn concern(&self, queue: Queue) -> bool {
        self.queues.is_empty() || self.queues.contains(&queue)
    }
}

/// Why there is no answer at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobsError {
    /// No table of jobs.
    #[error(
        "no table of jobs is in the evidence (looked for prover_jobs, prover_jobs_fri, witness_inputs and their kin; tables here: {known})"
    )]
    NoTables {
        /// What is there.
        known: String,
    },
    /// A table could not be read.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// Returns the name by which people choose a queue.
pub fn queue_name(queue: Queue) -> &'static str {
    match queue {
        Queue::OldProver => "prover",
        Queue::OldWitness => "witness",
        Queue::FriProver => "fri_prover",
        Queue::FriWitness => "fri_witness",
        Queue::Compression => "compression",
        Queue::Gateway => "gateway",
    }
}

/// Returns the queue of a name.
pub fn queue_of(name: &str) -> Option<Queue> {
    [
        Queue::OldProver,
        Queue::OldWitness,
        Queue::FriProver,
        Queue::FriWitness,
        Queue::Compression,
        Queue::Gateway,
    ]
    .into_iter()
    .find(|queue| queue_name(*queue) == name)
}

/// As of when [`jobs`] answers; `None` if no row bears a time.
///
/// # Errors
/// As [`jobs`].
pub fn as_of(tables: &dyn TableSource, options: &JobsOptions) -> Result<Option<AsOf>, JobsError> {
    Ok(Loaded::read(tables, options, None)?.as_of)
}

/// Says what has become of all jobs that are not done.
///
/// # Errors
/// [`JobsError`] if there is no table of jobs, several snapshots have the same one, or one cannot be read.
pub fn jobs(tables: &dyn TableSource, options: &JobsOptions) -> Result<Jobs, JobsError> {
    let loaded = Loaded::read(tables, options, None)?;
    Ok(answer::answer(loaded, options))
}

/// Returns the job of a batch that has to be done first of those that are not done, with what becomes of it.
/// `as_of`: the moment that `tables` are those of already. Rows of other batches are not read: why a free job is passed
/// over is not told.
///
/// # Errors
/// As [`jobs`].
pub(crate) fn first_undone(
    tables: &dyn TableSource,
    options: &JobsOptions,
    batch: i64,
    as_of: Option<&AsOf>,
) -> Result<Option<JobEntry>, JobsError> {
    let only = Only { batch, as_of };
    let loaded = Loaded::read(tables, options, Some(only))?;
    Ok(answer::first_undone(&loaded, options, batch))
}

/// Says which jobs would have come back under other limits, and how many runs each could still get.
///
/// # Errors
/// As [`jobs`].
pub fn what_if(
    tables: &dyn TableSource,
    options: &JobsOptions,
    other: &GivenLimits,
) -> Result<WhatIf, JobsError> {
    let loaded = Loaded::read(tables, options, None)?;
    Ok(answer::compare(loaded, options, other))
}
