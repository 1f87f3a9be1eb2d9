//! What a transaction waits for, and whether that long is usual in this very database.

use super::TraceError;
use super::rows::{DbTime, Tables};
use super::shape::{AsOf, BlockedBy, Norm, Path, TransactionRow, Waiting, Zone};
use super::walk::{Batches, STAGES, to_utc};
use model::RowFilter;
use model::time::MICROS_PER_SECOND;
use std::collections::BTreeMap;

/// Fewer completed batches are no norm.
const LEAST: usize = 10;

/// The first thing that is outstanding on the last path.
pub(super) enum Subject {
    /// The transaction is in no block.
    Inclusion,
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
    pub(super) fn of(
        path: &[Path],
        transaction: Option<&TransactionRow>,
        found: bool,
    ) -> Option<Subject> {
        let Some(last) = path.last() else {
            let pending = transaction.is_some_and(|row| row.miniblock_number.is_none());
            return (found && pending).then_some(Subject::Inclusion);
        };
        if last.fate == "no_batch_yet" {
            return Some(Subject::Seal {
                miniblock_timestamp: last.miniblock_timestamp,
            });
        }
        let batch = last.batch.as_ref()?;
        for (stage, step) in [&last.commit, &last.prove, &last.execute]
            .into_iter()
            .enumerate()
        {
            let step = step.as_ref()?;
            // Unknown is no waiting: nothing can be said.
            let state = step.state.as_deref()?;
            if !state.starts_with("confirmed") {
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

/// When each L1 transaction was confirmed.
pub(super) struct History {
    confirmed: BTreeMap<i64, DbTime>,
}

impl History {
    pub(super) fn read(tables: &mut Tables<'_>) -> Result<Option<History>, TraceError> {
        if !tables.has_column("eth_txs_history", "confirmed_at")
            || !tables.has_column("eth_txs_history", "eth_tx_id")
        {
            return Ok(None);
        }
        let rows = tables.read(
            "eth_txs_history",
            &["eth_tx_id", "created_at", "updated_at", "confirmed_at"],
            &RowFilter::All,
        )?;
        Ok(rows.map(|rows| {
            let mut confirmed = BTreeMap::new();
            for row in 0..rows.len() {
                let id = rows.int(row, "eth_tx_id");
                let time = rows.time(row, "confirmed_at");
                if let (Some(id), Some(time)) = (id, time) {
                    confirmed.insert(id, time);
                }
            }
            History { confirmed }
        }))
    }

    pub(super) fn of(&self, batches: &Batches, batch: i64, stage: usize) -> Option<DbTime> {
        let id = batches.link(batch, stage)??;
        self.confirmed.get(&id).copied()
    }

    /// When the stage before was done.
    fn since(&self, batches: &Batches, batch: i64, stage: usize) -> Option<DbTime> {
        match stage {
            0 => batches.sealed_at(batch),
            _ => self.of(batches, batch, stage - 1),
        }
    }
}

pub(super) fn judge(
    tables: &mut Tables<'_>,
    subject: &Subject,
    batches: &Batches,
    history: Option<&History>,
    zone: Option<&Zone>,
    as_of: Option<&AsOf>,
) -> Result<Waiting, TraceError> {
    let empty = |stage: &str| Waiting {
        stage: stage.to_owned(),
        since: None,
        age_s: None,
        norm: Norm::default(),
        verdict: "unknown".to_owned(),
        blocked_by: None,
    };
    let age = |since: Option<DbTime>| {
        let (since, as_of) = (since?, as_of?);
        let since = to_utc(since, zone).unwrap_or(since);
        (since.utc == as_of.utc).then(|| seconds(as_of.us - since.us))
    };
    match subject {
        Subject::Inclusion => Ok(empty("inclusion")),
        Subject::Seal {
            miniblock_timestamp,
        } => {
            let since = miniblock_timestamp.map(|s| DbTime {
                us: s * MICROS_PER_SECOND,
                utc: true,
            });
            let mut waiting = empty("seal");
            waiting.since = since.map(|time| time.print());
            waiting.age_s = age(since);
            // A batch lasts until the next one begins: block times, so no zone is needed.
            let times: Vec<i64> = batches
                .by_number
                .keys()
                .filter_map(|&number| batches.timestamp(number))
                .collect();
            waiting.norm = norm(
                times
                    .windows(2)
                    .map(|pair| (pair[1] - pair[0]) as f64)
                    .collect(),
            );
            waiting.verdict = verdict(waiting.age_s, &waiting.norm).to_owned();
            Ok(waiting)
        }
        Subject::Step {
            stage,
            batch,
            eth_tx,
            state,
        } => {
            let (stage, batch) = (*stage, *batch);
            let mut waiting = empty(STAGES[stage]);
            if let Some(history) = history {
                let since = history.since(batches, batch, stage);
                waiting.since = since
                    .map(|time| to_utc(time, zone).unwrap_or(time))
                    .map(|time| time.print());
                waiting.age_s = age(since);
                waiting.norm = norm(
                    batches
                        .by_number
                        .keys()
                        .filter_map(|&number| {
                            let since = history.since(batches, number, stage)?;
                            let done = history.of(batches, number, stage)?;
                            (done.utc == since.utc && done.us >= since.us)
                                .then(|| seconds(done.us - since.us))
                        })
                        .collect(),
                );
            }
            waiting.verdict = verdict(waiting.age_s, &waiting.norm).to_owned();
            let late = waiting.verdict == "late";
            waiting.blocked_by =
                blocker(tables, stage, batch, *eth_tx, state, late, batches, history)?;
            if waiting.blocked_by.is_some() {
                waiting.verdict = "blocked".to_owned();
            }
            Ok(waiting)
        }
    }
}

fn seconds(us: i64) -> f64 {
    us as f64 / MICROS_PER_SECOND as f64
}

/// Nearest-rank percentiles.
fn norm(mut seconds: Vec<f64>) -> Norm {
    seconds.sort_by(f64::total_cmp);
    let rank = |percent: usize| {
        let at = (seconds.len() * percent).div_ceil(100).max(1) - 1;
        seconds.get(at).copied()
    };
    Norm {
        p50_s: rank(50),
        p99_s: rank(99),
        n: seconds.len(),
    }
}

fn verdict(age_s: Option<f64>, norm: &Norm) -> &'static str {
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

/// What is in the way: a failed L1 transaction of this or an earlier batch, or one that stopped the
/// server; when it is late, the lowest nonce that is not through, or the lowest batch that waits for
/// the same step.
#[expect(clippy::too_many_arguments, reason = "one question, asked once")]
fn blocker(
    tables: &mut Tables<'_>,
    stage: usize,
    batch: i64,
    eth_tx: Option<i64>,
    state: &str,
    late: bool,
    batches: &Batches,
    history: Option<&History>,
) -> Result<Option<BlockedBy>, TraceError> {
    if !tables.has_column("eth_txs", "id") || !tables.has_column("eth_txs", "nonce") {
        return Ok(None);
    }
    let rows = tables.read(
        "eth_txs",
        &[
            "id",
            "nonce",
            "tx_type",
            "has_failed",
            "confirmed_eth_tx_history_id",
            "from_addr",
            "is_gateway",
        ],
        &RowFilter::All,
    )?;
    let Some(rows) = rows else { return Ok(None) };
    let own = eth_tx.and_then(|id| rows.find("id", id));
    let describe = |row: usize| {
        format!(
            "eth_tx {} ({}, nonce {})",
            rows.int(row, "id").unwrap_or_default(),
            rows.text(row, "tx_type").unwrap_or_default(),
            rows.int(row, "nonce").unwrap_or_default()
        )
    };
    let blocked = |kind: &str, id: i64, why: String, reference: Option<String>| BlockedBy {
        kind: kind.to_owned(),
        id,
        why,
        refs: reference.into_iter().collect(),
    };
    let failed = (0..rows.len())
        .filter(|&row| rows.bool(row, "has_failed") == Some(true))
        .min_by_key(|&row| rows.int(row, "id"));
    if let Some(row) = failed {
        let id = rows.int(row, "id").unwrap_or_default();
        let own_failed = state == "failed" && eth_tx == Some(id);
        // Its batches cannot pass this step, nor can any later batch pass it or a later step.
        let in_order = (0..=stage)
            .find_map(|stage| batches.range(stage, id))
            .filter(|range| range.first <= batch);
        let went_on = (0..rows.len()).any(|row| {
            rows.int(row, "id").is_some_and(|later| {
                later > id && history.is_some_and(|history| history.confirmed.contains_key(&later))
            })
        });
        let why = if own_failed {
            Some(format!("{} has failed on L1", describe(row)))
        } else if let Some(range) = in_order {
            Some(format!(
                "{} has failed on L1 for batch {}, and batches settle in order",
                describe(row),
                range.first
            ))
        } else if !went_on && state != "sent" {
            Some(format!(
                "{} has failed on L1, and the server sends nothing more after a failed transaction",
                describe(row)
            ))
        } else {
            None
        };
        if let Some(why) = why {
            return Ok(Some(blocked("eth_tx", id, why, Some(rows.reference(row)))));
        }
    }
    if !late {
        return Ok(None);
    }
    if let Some(own) = own {
        let sender = |row: usize| (rows.hex(row, "from_addr"), rows.bool(row, "is_gateway"));
        let through = |row: usize| {
            rows.int(row, "confirmed_eth_tx_history_id").is_some()
                || rows.int(row, "id").is_some_and(|id| {
                    history.is_some_and(|history| history.confirmed.contains_key(&id))
                })
        };
        let nonce = rows.int(own, "nonce");
        // A lower nonce of another operation whose rows were lost long ago is no obstacle: a higher
        // one of the same sender is already through.
        let highest_through = (0..rows.len())
            .filter(|&row| sender(row) == sender(own) && through(row))
            .filter_map(|row| rows.int(row, "nonce"))
            .max();
        let lower = (0..rows.len())
            .filter(|&row| row != own && sender(row) == sender(own) && !through(row))
            .filter(|&row| {
                let n = rows.int(row, "nonce");
                n < nonce && n > highest_through
            })
            .min_by_key(|&row| rows.int(row, "nonce"));
        if let Some(row) = lower {
            let why = format!(
                "{} comes first by nonce and is not confirmed",
                describe(row)
            );
            let id = rows.int(row, "id").unwrap_or_default();
            return Ok(Some(blocked("nonce", id, why, Some(rows.reference(row)))));
        }
    }
    let Some(history) = history else {
        return Ok(None);
    };
    let own_link = batches.link(batch, stage).flatten();
    // Batches settle in order; below the highest one that is through, nothing waits.
    let highest_done = batches
        .by_number
        .keys()
        .copied()
        .filter(|&number| history.of(batches, number, stage).is_some())
        .max()
        .unwrap_or(i64::MIN);
    let lower = batches
        .by_number
        .keys()
        .copied()
        .filter(|&number| number > highest_done && number < batch)
        .find(|&number| {
            let link = batches.link(number, stage).flatten();
            link.is_none() || link != own_link
        });
    Ok(lower.map(|number| {
        blocked(
            "batch",
            number,
            format!(
                "batch {number} waits for the same step ({}), and batches settle in order",
                STAGES[stage]
            ),
            batches.reference(number),
        )
    }))
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
