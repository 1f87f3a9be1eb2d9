//! Each job under its rule: what becomes of it, why, and how many runs it has left.

use super::load::{Cell, JobRow, Loaded, Table};
use super::shape::Runs;
use crate::rows::DbTime;
use chain::requeue::{Fate, Job, Limits, Lost, Queue, Rule, Status};
use model::time::MICROS_PER_SECOND;
use std::collections::{BTreeMap, BTreeSet};

/// The house keeper of 2023 runs every 300 s, its successors more often: two of its rounds are enough to
/// say that something is wrong.
const GRACE_US: i64 = 600 * MICROS_PER_SECOND;

/// The status of a job whose row does not tell it.
pub(super) const UNKNOWN: &str = "unknown";

/// What was found about one job.
pub(super) struct Judged {
    pub(super) verdict: &'static str,
    pub(super) why: String,
    pub(super) due_us: Option<i64>,
    pub(super) runs_left: Runs,
    pub(super) comes_back: Option<bool>,
}

impl Judged {
    pub(super) fn is_stuck(&self) -> bool {
        matches!(
            self.verdict,
            "lost" | "never_picked" | "not_moved" | "overdue"
        )
    }
}

/// A job's possible readings: what the evidence lacks can be anything that the code could have written.
fn readings(job: &JobRow, now_us: Option<i64>) -> Vec<(Job, i64)> {
    // Without any time in the tables, the job may have begun just now or long ago.
    let now = now_us.unwrap_or(0);
    let attempts = match (job.attempts, job.status) {
        (Some(attempts), _) => vec![attempts],
        (None, Status::Queued | Status::Waiting) => vec![0, i64::MAX],
        // Whatever was picked has been counted once.
        (None, _) => vec![1, i64::MAX],
    };
    let started = match job.started {
        Cell::Known(started) => vec![started],
        // A pick always writes the time, and follows the job's creation.
        Cell::Absent => vec![Some(job.created.unwrap_or(i64::MIN / 2)), Some(now)],
    };
    attempts
        .iter()
        .flat_map(|attempts| {
            started.iter().map(move |started| {
                let job = Job {
                    status: job.status,
                    attempts: *attempts,
                    started_us: *started,
                };
                (job, now)
            })
        })
        .collect()
}

fn kind(fate: Fate) -> &'static str {
    match fate {
        Fate::Done => "done",
        Fate::Queued => "queued",
        Fate::Waiting => "waiting",
        Fate::Runs { .. } => "running",
        Fate::ComesBack { .. } => "comes_back",
        Fate::Lost(_) => "lost",
        Fate::Unknown => "undetermined",
    }
}

/// Judges a job by its row alone.
pub(super) fn judge(loaded: &Loaded, table: &Table, job: &JobRow, limits: Limits) -> Judged {
    let readings = readings(job, loaded.now_us);
    let mut fates: Vec<(Rule, Fate)> = Vec::new();
    let (mut least, mut most) = (u64::MAX, Some(0));
    for rule in &table.rules {
        for (job, now) in &readings {
            fates.push((*rule, rule.fate(*job, limits, *now)));
            let left = rule.runs_left(*job, limits, *now);
            least = least.min(left.unwrap_or(1));
            most = most.zip(left).map(|(a, b): (u64, u64)| a.max(b));
        }
    }
    let runs_left = Runs { least, most };
    let kinds: BTreeSet<&str> = fates.iter().map(|(_, fate)| kind(*fate)).collect();
    let comes_back: BTreeSet<Option<bool>> = fates
        .iter()
        .map(|(_, fate)| match fate {
            Fate::ComesBack { .. } => Some(true),
            Fate::Runs { comes_back, .. } => Some(*comes_back),
            Fate::Lost(_) => Some(false),
            _ => None,
        })
        .collect();
    let comes_back = match comes_back.len() {
        1 => comes_back.into_iter().next().flatten(),
        _ => None,
    };
    let due_us = fates.iter().find_map(|(_, fate)| match fate {
        Fate::ComesBack { since_us } => since_us.or(job.updated),
        Fate::Runs { until_us, .. } => Some(*until_us),
        _ => None,
    });
    // A start that was only guessed dates nothing.
    let due_us = due_us.filter(|_| job.started != Cell::Absent);
    // Whenever it began: if it does not run any more it is lost, and nothing brings it back.
    let lost_or_runs = kinds.iter().all(|kind| matches!(*kind, "lost" | "running"));
    if kinds.len() > 1
        && lost_or_runs
        && comes_back == Some(false)
        && let Some((_, fate)) = fates.iter().find(|(_, fate)| kind(*fate) == "lost")
    {
        let why = words(loaded, table, job, *fate, limits, None);
        return Judged {
            verdict: "lost",
            why: format!(
                "{why} (unless it was taken in the last {} s: its start is not in the evidence)",
                limits.timeout_s
            ),
            due_us: None,
            runs_left,
            comes_back,
        };
    }
    if kinds.len() > 1 {
        return Judged {
            verdict: "undetermined",
            why: undetermined(table, job, &fates),
            due_us: None,
            runs_left,
            comes_back,
        };
    }
    let fate = fates.first().map_or(Fate::Unknown, |(_, fate)| *fate);
    let mut verdict = kind(fate);
    let overdue = fate_is_back(fate)
        .then(|| Some(loaded.now_us? - due_us?))
        .flatten()
        .filter(|late| *late > GRACE_US);
    if overdue.is_some() && table.rules.first() != Some(&Rule::OldWitness) {
        verdict = "overdue";
    }
    Judged {
        verdict,
        why: words(loaded, table, job, fate, limits, overdue),
        due_us,
        runs_left,
        comes_back,
    }
}

fn fate_is_back(fate: Fate) -> bool {
    matches!(fate, Fate::ComesBack { .. })
}

fn undetermined(table: &Table, job: &JobRow, fates: &[(Rule, Fate)]) -> String {
    let mut by_rule: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (rule, fate) in fates {
        by_rule.entry(rule.name()).or_default().insert(kind(*fate));
    }
    let mut lacks = Vec::new();
    if job.attempts.is_none() {
        lacks.push("attempts");
    }
    if job.started == Cell::Absent {
        lacks.push(table.start_column());
    }
    let by_row = by_rule.values().any(|kinds| kinds.len() > 1);
    if by_row && !lacks.is_empty() {
        return format!("{} is not in the evidence, and decides", lacks.join(" or "));
    }
    let readings: Vec<String> = by_rule
        .iter()
        .map(|(rule, kinds)| {
            let kinds: Vec<&str> = kinds.iter().copied().collect();
            format!("{} under {rule}", kinds.join(" or ").replace('_', " "))
        })
        .collect();
    format!(
        "the schema does not tell which version ran: {}",
        readings.join(", ")
    )
}

fn words(
    loaded: &Loaded,
    table: &Table,
    job: &JobRow,
    fate: Fate,
    limits: Limits,
    overdue: Option<i64>,
) -> String {
    let status = status_of(table, job);
    let attempts = job
        .attempts
        .map_or("at least 1".to_owned(), |attempts| attempts.to_string());
    let timeout = limits.timeout_s;
    match fate {
        Fate::Done => "done".to_owned(),
        Fate::Unknown if job.status_is_unknown => format!(
            "what it was then is not in its row{}",
            job.updated.map_or_else(String::new, |us| {
                format!(
                    ", which holds its last change alone ({})",
                    print(loaded, us)
                )
            })
        ),
        Fate::Unknown => format!("`{status}` is no status that the server's code has"),
        Fate::Queued => "free to be picked".to_owned(),
        Fate::Waiting => "waits for an earlier round".to_owned(),
        Fate::Runs {
            until_us,
            comes_back,
        } => {
            let after = if comes_back {
                "then it is put back"
            } else if table.rules.contains(&Rule::FriProver202309)
                && job.status == Status::InGpuProof
            {
                "then it is lost: this version never puts in_gpu_proof back"
            } else {
                "then it is lost: its attempts are used up"
            };
            let until = match job.started {
                Cell::Absent => "its timeout has not ended".to_owned(),
                Cell::Known(_) => format!("has time to {}", print(loaded, until_us)),
            };
            format!("{until} ({timeout} s), {after}")
        }
        Fate::ComesBack { .. } => {
            let what = match (job.status, table.spec.queue) {
                (_, Queue::OldWitness) => {
                    "taken again by the next worker that looks for work".to_owned()
                }
                (_, Queue::Gateway) => "handed out again at the next request".to_owned(),
                (Status::Failed, _) => format!(
                    "failed with attempts {attempts} of {}: put back at once",
                    limits.max_attempts
                ),
                _ => format!(
                    "over the timeout of {timeout} s with attempts {attempts} of {}: put back by the next round of the house keeper",
                    limits.max_attempts
                ),
            };
            match overdue {
                Some(late) if !matches!(table.spec.queue, Queue::OldWitness | Queue::Gateway) => {
                    format!(
                        "{what}, and that is {} s late: the house keeper does not run, or its limits are others",
                        late / MICROS_PER_SECOND
                    )
                }
                Some(late) => format!(
                    "{what}, and that is {} s late: nobody asks",
                    late / MICROS_PER_SECOND
                ),
                None => what,
            }
        }
        Fate::Lost(Lost::AttemptsUsedUp) => {
            let needs = format!(
                "only while attempts < {}, and attempts is {attempts}",
                limits.max_attempts
            );
            match job.status {
                Status::Failed => format!("failed; it is put back {needs}: nothing ever does"),
                _ => format!(
                    "{status} past the timeout of {timeout} s; it is put back {needs}: nothing ever does"
                ),
            }
        }
        Fate::Lost(Lost::StatusNotCovered) => format!(
            "{status} past the timeout of {timeout} s; this version puts back in_progress and failed jobs, never {status} (that came on 2023-10-20)"
        ),
        Fate::Lost(Lost::NoStart) => format!(
            "{status} with {} NULL, which is never older than the timeout: nothing ever puts it back",
            table.start_column()
        ),
    }
}

pub(super) fn status_of(table: &Table, job: &JobRow) -> String {
    let status = table.rows.text(job.row, "status");
    status.unwrap_or_else(|| UNKNOWN.to_owned())
}

/// A comparable time in the database's clock, with `Z` if its zone is known.
pub(super) fn print(loaded: &Loaded, us: i64) -> String {
    DbTime {
        us,
        utc: loaded.zone.is_some(),
    }
    .print()
}
