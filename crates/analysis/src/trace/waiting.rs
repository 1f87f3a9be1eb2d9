//! What a transaction waits for, and whether that long is usual in this very database.

use super::blocker::{Outstanding, blocker};
use super::history::History;
use super::links::{Batches, STAGES};
use super::rows::{DbTime, Tables};
use super::shape::{AsOf, Norm, Path, TransactionRow, Waiting, Zone};
use super::zone::to_utc;
use super::{TraceError, TraceOptions, delay};
use model::time::MICROS_PER_SECOND;

/// Fewer completed batches are no norm.
const LEAST: usize = 10;
/// The step that a timelock on L1 may hold back.
const EXECUTE: usize = 2;

/// The first thing that is outstanding on the last path.
pub(crate) enum Subject {
    /// The transaction is in no block.
    Inclusion { received: Option<DbTime> },
    /// Its miniblock is in no sealed batch.
    Seal { miniblock_timestamp: Option<i64> },
    /// A step on L1.
    Step {
        stage: usize,
        batch: i64,
        eth_tx: Option<i64>,
        state: String,
    },
}

impl Subject {
    pub(crate) fn of(
        path: &[Path],
        transaction: Option<&TransactionRow>,
        found: bool,
    ) -> Option<Subject> {
        let Some(last) = path.last() else {
            // What the server refused waits for nothing.
            return transaction
                .filter(|row| found && row.miniblock_number.is_none() && row.error.is_none())
                .map(|row| Subject::Inclusion {
                    received: row.received,
                });
        };
        if last.fate == "no_batch_yet" {
            return Some(Subject::Seal {
                miniblock_timestamp: last.miniblock_timestamp,
            });
        }
        // The genesis batch is never sent.
        let batch = last.batch.as_ref().filter(|batch| batch.number != 0)?;
        for (stage, step) in [&last.commit, &last.prove, &last.execute]
            .into_iter()
            .enumerate()
        {
            let step = step.as_ref()?;
            // Unknown is no waiting: nothing can be said.
            let state = step.state.as_deref()?;
            if !state.starts_with("confirmed") || step.is_taken_back {
                return Some(Subject::Step {
                    stage,
                    batch: batch.number,
                    eth_tx: step.eth_tx_id,
                    state: state.to_owned(),
                });
            }
        }
        None
    }
}

/// What waiting is judged by.
pub(crate) struct Judge<'a> {
    pub(crate) batches: &'a Batches,
    pub(crate) history: Option<&'a History>,
    pub(crate) zone: Option<&'a Zone>,
    pub(crate) as_of: Option<&'a AsOf>,
    /// The path whose step is outstanding.
    pub(crate) path: Option<&'a Path>,
    pub(crate) options: &'a TraceOptions,
    /// The rows are an external node's copies: their times of creation say when it caught up.
    pub(crate) is_copied: bool,
}

impl Judge<'_> {
    fn age_s(&self, since: Option<DbTime>) -> Option<f64> {
        let (since, as_of) = (since?, self.as_of?);
        let since = to_utc(since, self.zone).unwrap_or(since);
        (since.utc == as_of.utc).then(|| seconds(as_of.us - since.us))
    }

    fn print(&self, since: Option<DbTime>) -> Option<String> {
        since.map(|time| to_utc(time, self.zone).unwrap_or(time).print())
    }

    fn waiting(&self, stage: &str, since: Option<DbTime>, norm: Norm) -> Waiting {
        let age_s = self.age_s(since);
        Waiting {
            stage: stage.to_owned(),
            since: self.print(since),
            age_s,
            verdict: verdict(age_s, &norm).to_owned(),
            norm,
            blocked_by: None,
            hypotheses: Vec::new(),
            execution_delay: None,
        }
    }

    /// How long the batches that are through needed for a step.
    pub(crate) fn norm(&self, stage: usize) -> Norm {
        let Some(history) = self.history else {
            return Norm::default();
        };
        if self.is_copied {
            return Norm::default();
        }
        norm(
            self.batches
                .by_number
                .keys()
                .filter_map(|number| {
                    let since = history.since(self.batches, number, stage)?;
                    let done = history.of(self.batches, number, stage)?;
                    (done.utc == since.utc && done.us >= since.us)
                        .then(|| seconds(done.us - since.us))
                })
                .collect(),
        )
    }

    pub(crate) fn judge(
        &self,
        tables: &mut Tables<'_>,
        subject: &Subject,
    ) -> Result<Waiting, TraceError> {
        match subject {
            Subject::Inclusion { received } => {
                Ok(self.waiting("inclusion", *received, Norm::default()))
            }
            Subject::Seal {
                miniblock_timestamp,
            } => {
                let since = miniblock_timestamp.map(|s| DbTime {
                    us: s.saturating_mul(MICROS_PER_SECOND),
                    utc: true,
                });
                // A batch lasts until the next one begins: block times, so no zone is needed.
                let times: Vec<i64> = self
                    .batches
                    .by_number
                    .keys()
                    .filter_map(|number| self.batches.timestamp(number))
                    .collect();
                let lasted = times
                    .windows(2)
                    .map(|pair| pair[1].saturating_sub(pair[0]) as f64);
                Ok(self.waiting("seal", since, norm(lasted.collect())))
            }
            Subject::Step {
                stage,
                batch,
                eth_tx,
                state,
            } => {
                let since = self
                    .history
                    .and_then(|history| history.since(self.batches, *batch, *stage));
                let mut waiting = self.waiting(STAGES[*stage], since, self.norm(*stage));
                if *stage == EXECUTE
                    && let Some(path) = self.path
                {
                    waiting.execution_delay = delay::execution_delay(
                        tables,
                        self.options.execution_delay_s,
                        path,
                        self.batches,
                        self.history,
                        self.zone,
                    );
                    if let Some(delay) = &waiting.execution_delay
                        && delay::still_runs(delay, self.as_of)
                    {
                        waiting.verdict = "normal".to_owned();
                    }
                }
                let outstanding = Outstanding {
                    stage: *stage,
                    batch: *batch,
                    eth_tx: *eth_tx,
                    state,
                    is_late: waiting.verdict == "late",
                    zone: self.zone,
                    as_of: self.as_of,
                };
                let found = blocker(
                    tables,
                    &outstanding,
                    self.batches,
                    self.history,
                    self.options,
                )?;
                (waiting.blocked_by, waiting.hypotheses) = (found.blocker, found.hypotheses);
                if waiting.blocked_by.is_some() {
                    waiting.verdict = "blocked".to_owned();
                }
                Ok(waiting)
            }
        }
    }
}

pub(crate) fn seconds(us: i64) -> f64 {
    us as f64 / MICROS_PER_SECOND as f64
}

/// Nearest-rank percentile of sorted values.
pub(crate) fn percentile(sorted: &[f64], percent: usize) -> Option<f64> {
    let at = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    sorted.get(at).copied()
}

pub(crate) fn norm(mut seconds: Vec<f64>) -> Norm {
    seconds.sort_by(f64::total_cmp);
    Norm {
        p50_s: percentile(&seconds, 50),
        p99_s: percentile(&seconds, 99),
        n: seconds.len(),
    }
}

pub(crate) fn verdict(age_s: Option<f64>, norm: &Norm) -> &'static str {
    match (age_s, norm.p99_s) {
        (Some(age), Some(p99)) if norm.n >= LEAST => {
            if age > p99 {
                "late"
            } else {
                "normal"
            }
        }
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_rank() {
        let hundred = norm((1..=100).map(f64::from).collect());
        assert_eq!(
            (hundred.p50_s, hundred.p99_s, hundred.n),
            (Some(50.0), Some(99.0), 100)
        );
        let one = norm(vec![7.0]);
        assert_eq!((one.p50_s, one.p99_s), (Some(7.0), Some(7.0)));
        assert_eq!(norm(vec![]), Norm::default());
        assert_eq!(verdict(Some(100.0), &hundred), "late");
        assert_eq!(verdict(Some(99.0), &hundred), "normal");
        assert_eq!(verdict(Some(99.0), &one), "unknown");
        assert_eq!(verdict(None, &hundred), "unknown");
    }
}
