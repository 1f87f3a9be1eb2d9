//! When a zkSync Era server tries a prover or witness job again, and how often, per version of its code.
//!
//! A job's row has a status, a count of attempts and the time it was taken. Something periodic (the house
//! keeper, since August 2024 the prover job monitor) puts jobs back that took too long or failed. The rule
//! has changed several times, and each change decides whether a job comes back or is lost:
//!
//! | what | until | then |
//! |---|---|---|
//! | `prover_jobs` (Plonk) | January 2024, when it went | a pick and a re-queue both add 1 to `attempts` |
//! | `witness_inputs`, … (Plonk) | December 2023, when they went | no re-queue: the pick itself takes timed-out jobs, without limit, and failed ones below the limit |
//! | `prover_jobs_fri` | 2023-10-19 | as Plonk, but `in_gpu_proof` never comes back |
//! | | 2023-11-09 (#240 of 2023-10-20) | `in_gpu_proof` comes back as well |
//! | | today (#448 of 2023-11-10) | a re-queue adds nothing: attempts are runs |
//! | `witness_inputs_fri`, … | 2023-11-09 | a pick and a re-queue both add 1 |
//! | | today | attempts are runs |
//! | `proof_generation_details` | today | handed out again after its timeout, without limit |
//!
//! Sources: zksync-era `prover_dal.rs`, `witness_generator_dal.rs`, `fri_prover_dal.rs`,
//! `fri_witness_generator_dal.rs`, `fri_proof_compressor_dal.rs` and their successors in `prover_dal`.

/// Microseconds in a second.
const SECOND_US: i64 = 1_000_000;

/// A kind of job, as far as rules and limits differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Queue {
    /// `prover_jobs`.
    OldProver,
    /// `witness_inputs`, `leaf_aggregation_witness_jobs`, `node_…`, `scheduler_…`.
    OldWitness,
    /// `prover_jobs_fri`.
    FriProver,
    /// `witness_inputs_fri` and the tables of later rounds.
    FriWitness,
    /// `proof_compression_jobs_fri`.
    Compression,
    /// `proof_generation_details`, the server's own list of batches to prove.
    Gateway,
}

/// What limits tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Configured `max_attempts`.
    pub max_attempts: u32,
    /// Configured generation timeout, in seconds.
    pub timeout_s: u32,
}

impl Queue {
    /// Returns the limits that the repository's own configuration sets (`etc/env/base`, 2023; the
    /// gateway's timeout from the tests of its configuration). An operator may have set others.
    ///
    /// ```
    /// use chain::requeue::Queue;
    /// assert_eq!(Queue::OldProver.default_limits().max_attempts, 1);
    /// ```
    pub fn default_limits(self) -> Limits {
        let (max_attempts, timeout_s) = match self {
            Queue::OldProver => (1, 2700),
            Queue::OldWitness => (1, 900),
            Queue::FriProver => (10, 600),
            Queue::FriWitness => (10, 900),
            Queue::Compression => (5, 3600),
            Queue::Gateway => (u32::MAX, 18_000),
        };
        Limits {
            max_attempts,
            timeout_s,
        }
    }

    /// Returns the rules that code with such a schema can have, oldest first; more than one where the
    /// schema cannot tell.
    ///
    /// Code is not older than the newest migration it applied. It is not newer than the first migration
    /// it lacks, but few dates of publication are certain: the migrations of 20230822133227 to
    /// 20230918134637 all came to the public code on 2023-09-21.
    ///
    /// ```
    /// use chain::requeue::{Queue, Rule, SchemaAge};
    /// let september = SchemaAge { at_least: Some(20230817101508), newest: Some(20230817101508) };
    /// assert_eq!(Queue::FriProver.rules(september), [Rule::FriProver202309]);
    /// ```
    pub fn rules(self, age: SchemaAge) -> Vec<Rule> {
        let eras: &[(Rule, Option<u64>)] = match self {
            Queue::OldProver => &[(Rule::OldProver, None)],
            Queue::OldWitness => &[(Rule::OldWitness, None)],
            Queue::FriProver => &[
                (Rule::FriProver202309, Some(20_231_020)),
                (Rule::FriProver202310, Some(20_231_110)),
                (Rule::FriRunsCount, None),
            ],
            Queue::FriWitness | Queue::Compression => &[
                (Rule::FriWitness2023, Some(20_231_110)),
                (Rule::FriRunsCount, None),
            ],
            Queue::Gateway => &[(Rule::Gateway, None)],
        };
        /// Whoever has code of 2023-09-21 or later has this migration.
        const PUBLISHED_2023_09_21: u64 = 20230918134637;
        let at_least = age.at_least.max(age.newest);
        let before_september_21 = age.newest.is_some_and(|n| n < PUBLISHED_2023_09_21);
        let of_day = |migration: u64| migration / 1_000_000;
        let ended = |until: Option<u64>| {
            until.is_some_and(|until| at_least.is_some_and(|n| of_day(n) >= until))
        };
        let mut rules: Vec<Rule> = eras
            .iter()
            .filter(|(_, until)| !ended(*until))
            .map(|(rule, _)| *rule)
            .collect();
        if before_september_21 {
            rules.truncate(1);
        }
        rules
    }
}

/// What a database's schema says about the age of the code that uses it. Migrations are numbered
/// `YYYYMMDDhhmmss`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SchemaAge {
    /// A migration that must have been applied, by columns and tables that are there.
    pub at_least: Option<u64>,
    /// The newest applied migration, where the list of them is in the evidence.
    pub newest: Option<u64>,
}

/// One version of the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// `prover_jobs`.
    OldProver,
    /// The Plonk witness tables.
    OldWitness,
    /// `prover_jobs_fri` to 2023-10-19.
    FriProver202309,
    /// `prover_jobs_fri` from 2023-10-20 to 2023-11-09.
    FriProver202310,
    /// FRI witness and compression jobs to 2023-11-09.
    FriWitness2023,
    /// All FRI jobs from 2023-11-10 on.
    FriRunsCount,
    /// `proof_generation_details`.
    Gateway,
}

/// Whether a status comes back after the timeout.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Comes {
    Never,
    BelowLimit,
    Always,
}

impl Rule {
    /// Returns a short stable name.
    pub fn name(self) -> &'static str {
        match self {
            Rule::OldProver => "old_prover",
            Rule::OldWitness => "old_witness",
            Rule::FriProver202309 => "fri_prover_to_2023_10_19",
            Rule::FriProver202310 => "fri_prover_to_2023_11_09",
            Rule::FriWitness2023 => "fri_witness_to_2023_11_09",
            Rule::FriRunsCount => "fri_from_2023_11_10",
            Rule::Gateway => "gateway",
        }
    }

    /// Returns the rule in words.
    pub fn about(self) -> &'static str {
        match self {
            Rule::OldProver => {
                "in_progress and in_gpu_proof come back after the timeout, failed at once, all only while attempts < max; a pick and a re-queue each add 1 to attempts"
            }
            Rule::OldWitness => {
                "nothing re-queues: a worker that looks for work takes queued jobs, timed-out in_progress ones without limit, and failed ones while attempts < max; only a pick adds 1 to attempts"
            }
            Rule::FriProver202309 => {
                "in_progress comes back after the timeout, failed at once, both only while attempts < max; in_gpu_proof never; a pick and a re-queue each add 1 to attempts"
            }
            Rule::FriProver202310 => {
                "in_progress and in_gpu_proof come back after the timeout, failed at once, all only while attempts < max; a pick and a re-queue each add 1 to attempts"
            }
            Rule::FriWitness2023 => {
                "in_progress comes back after the timeout, failed at once, both only while attempts < max; a pick and a re-queue each add 1 to attempts"
            }
            Rule::FriRunsCount => {
                "what runs comes back after the timeout, failed at once, both only while attempts < max; only a pick adds 1 to attempts, so attempts are runs"
            }
            Rule::Gateway => {
                "picked_by_prover is handed out again after the timeout, without limit"
            }
        }
    }

    /// Whether putting a job back adds to its attempts, so that half of them are no runs.
    pub fn requeue_counts(self) -> bool {
        matches!(
            self,
            Rule::OldProver | Rule::FriProver202309 | Rule::FriProver202310 | Rule::FriWitness2023
        )
    }

    fn after_timeout(self, status: Status) -> Comes {
        match (self, status) {
            (Rule::OldWitness | Rule::Gateway, Status::InProgress) => Comes::Always,
            (Rule::OldWitness | Rule::Gateway | Rule::FriProver202309, Status::InGpuProof) => {
                Comes::Never
            }
            _ => Comes::BelowLimit,
        }
    }

    /// The old witness pick and the gateway compare with `<`, everything else with `<=`.
    fn is_strict(self) -> bool {
        matches!(self, Rule::OldWitness | Rule::Gateway)
    }

    /// Decides what becomes of a job, looked at at `as_of_us`.
    ///
    /// ```
    /// use chain::requeue::{Fate, Job, Limits, Lost, Rule, Status};
    /// // September 2023: taken once, lost by the prover, and one attempt is all there is.
    /// let job = Job { status: Status::InGpuProof, attempts: 1, started_us: Some(0) };
    /// let limits = Limits { max_attempts: 1, timeout_s: 2700 };
    /// let day = 86_400_000_000;
    /// assert_eq!(Rule::OldProver.fate(job, limits, day), Fate::Lost(Lost::AttemptsUsedUp));
    /// let limits = Limits { max_attempts: 5, timeout_s: 3600 };
    /// assert_eq!(Rule::OldProver.fate(job, limits, day), Fate::ComesBack { since_us: Some(3_600_000_000) });
    /// assert_eq!(Rule::OldProver.runs_left(job, limits, day), Some(2));
    /// ```
    pub fn fate(self, job: Job, limits: Limits, as_of_us: i64) -> Fate {
        let below = job.attempts < i64::from(limits.max_attempts);
        match job.status {
            Status::Done => Fate::Done,
            Status::Queued => Fate::Queued,
            Status::Waiting => Fate::Waiting,
            Status::Unknown => Fate::Unknown,
            Status::Failed => {
                if below {
                    Fate::ComesBack { since_us: None }
                } else {
                    Fate::Lost(Lost::AttemptsUsedUp)
                }
            }
            Status::InProgress | Status::InGpuProof => {
                let comes = self.after_timeout(job.status);
                // NULL is never older than anything.
                let Some(started_us) = job.started_us else {
                    return Fate::Lost(Lost::NoStart);
                };
                let due_us = started_us
                    .saturating_add(i64::from(limits.timeout_s).saturating_mul(SECOND_US));
                let timed_out = as_of_us > due_us || (as_of_us == due_us && !self.is_strict());
                let comes_back = match comes {
                    Comes::Never => Err(Lost::StatusNotCovered),
                    Comes::BelowLimit if !below => Err(Lost::AttemptsUsedUp),
                    Comes::BelowLimit | Comes::Always => Ok(()),
                };
                match (timed_out, comes_back) {
                    (false, comes_back) => Fate::Runs {
                        until_us: due_us,
                        comes_back: comes_back.is_ok(),
                    },
                    (true, Ok(())) => Fate::ComesBack {
                        since_us: Some(due_us),
                    },
                    (true, Err(lost)) => Fate::Lost(lost),
                }
            }
        }
    }

    /// Returns how many more runs a job can get at most, beside one that may be going on; `None` where
    /// nothing limits them.
    pub fn runs_left(self, job: Job, limits: Limits, as_of_us: i64) -> Option<u64> {
        let again = |attempts: i64| {
            let left = i64::from(limits.max_attempts)
                .saturating_sub(attempts)
                .max(0);
            let left = left.unsigned_abs();
            if self.requeue_counts() {
                left.div_ceil(2)
            } else {
                left
            }
        };
        match self.fate(job, limits, as_of_us) {
            Fate::Done | Fate::Unknown | Fate::Lost(_) => Some(0),
            // Whatever is queued is picked once more without a look at its attempts.
            Fate::Queued | Fate::Waiting => {
                let unlimited = self.after_timeout(Status::InProgress) == Comes::Always;
                (!unlimited).then(|| 1 + again(job.attempts.saturating_add(1)))
            }
            Fate::Runs { .. } | Fate::ComesBack { .. } => {
                let endless =
                    job.status != Status::Failed && self.after_timeout(job.status) == Comes::Always;
                let covered = self.after_timeout(job.status) != Comes::Never;
                (!endless).then(|| if covered { again(job.attempts) } else { 0 })
            }
        }
    }
}

/// What a status means for the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Free to be picked.
    Queued,
    /// Waits for proofs or artifacts of an earlier round.
    Waiting,
    /// Picked.
    InProgress,
    /// Handed over to a GPU prover.
    InGpuProof,
    /// Ended with an error.
    Failed,
    /// Nothing more is to be done: successful, sent, skipped, ignored.
    Done,
    /// A word the rules do not have.
    Unknown,
}

impl Status {
    /// Reads a status as tables write it (the columns are text without constraint).
    pub fn of(text: &str) -> Status {
        match text {
            "queued" | "ready_to_be_proven" | "unpicked" => Status::Queued,
            "waiting_for_proofs" | "waiting_for_artifacts" => Status::Waiting,
            "in_progress" | "picked_by_prover" => Status::InProgress,
            "in_gpu_proof" => Status::InGpuProof,
            "failed" => Status::Failed,
            "successful" | "sent_to_server" | "generated" | "skipped" | "skipped_manually"
            | "ignored" => Status::Done,
            _ => Status::Unknown,
        }
    }
}

/// What a job's row says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
    /// Where it stands.
    pub status: Status,
    /// `attempts`.
    pub attempts: i64,
    /// `processing_started_at` in microseconds; `None` is NULL.
    pub started_us: Option<i64>,
}

/// What becomes of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// Nothing is to be done.
    Done,
    /// A worker may pick it.
    Queued,
    /// It waits for an earlier round.
    Waiting,
    /// It has time left.
    Runs {
        /// When the timeout ends.
        until_us: i64,
        /// Whether it would come back then.
        comes_back: bool,
    },
    /// The next run of the house keeper puts it back.
    ComesBack {
        /// When that became so; `None` for a failed job, whose failing no column dates.
        since_us: Option<i64>,
    },
    /// Nothing will ever put it back.
    Lost(Lost),
    /// A status the rule does not know.
    Unknown,
}

/// Why a job never comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lost {
    /// `attempts` has reached the limit.
    AttemptsUsedUp,
    /// The rule of this version leaves the status out.
    StatusNotCovered,
    /// `processing_started_at` is NULL, which is never older than a timeout.
    NoStart,
}

#[cfg(test)]
mod tests;
