//! What is in the way of a batch: a failed L1 transaction, a nonce that is not through, a lower batch, a
//! job of the prover. What only may be in the way is a hypothesis beside it, never a blocker.

use super::history::History;
use super::jobs;
use super::links::{Batches, STAGES};
use super::rows::{Rows, Tables};
use super::shape::{AsOf, BlockedBy, Hypothesis, Zone};
use super::{TraceError, TraceOptions, notice};
use model::RowFilter;
use std::collections::BTreeSet;

/// The step on L1 where proofs are needed.
const PROVE: usize = 1;

/// The step that is outstanding.
pub(super) struct Outstanding<'a> {
    pub(super) stage: usize,
    pub(super) batch: i64,
    pub(super) eth_tx: Option<i64>,
    pub(super) state: &'a str,
    /// Whether it waits longer than is usual here.
    pub(super) is_late: bool,
    pub(super) zone: Option<&'a Zone>,
    pub(super) as_of: Option<&'a AsOf>,
}

/// Fewer nonces that are through show no habit of their sender.
const LEAST: usize = 10;

/// What is in the way, and what may be.
#[derive(Default)]
pub(super) struct Found {
    pub(super) blocker: Option<BlockedBy>,
    pub(super) hypotheses: Vec<Hypothesis>,
}

impl From<Option<BlockedBy>> for Found {
    fn from(blocker: Option<BlockedBy>) -> Found {
        Found {
            blocker,
            hypotheses: Vec::new(),
        }
    }
}

const COLUMNS: [&str; 8] = [
    "id",
    "nonce",
    "tx_type",
    "has_failed",
    "confirmed_eth_tx_history_id",
    "from_addr",
    "is_gateway",
    "contract_address",
];

/// Looks for it in this order: a failed L1 transaction of this or an earlier batch, or one that stopped
/// the server; when it is late, the lowest nonce that is not through, the jobs of the lowest batch without
/// a proof, the lowest batch that waits for the same step.
pub(super) fn blocker(
    tables: &mut Tables<'_>,
    at: &Outstanding<'_>,
    batches: &Batches,
    history: Option<&History>,
    options: &TraceOptions,
) -> Result<Found, TraceError> {
    let mut hypotheses = Vec::new();
    let rows = if tables.has_column("eth_txs", "id") && tables.has_column("eth_txs", "nonce") {
        tables.read("eth_txs", &COLUMNS, &RowFilter::All)?
    } else {
        None
    };
    if let Some(rows) = &rows {
        if let Some(blocker) = failed(rows, at, batches, history) {
            return Ok(Some(blocker).into());
        }
        if at.is_late
            && let Some(own) = at.eth_tx.and_then(|id| rows.find("id", id))
        {
            // Attempts that nobody had to send again, and not one receipt noted since: L1 may have taken
            // them all.
            if at.state == "sent"
                && let Some(history) = history
                && sent_once(rows, own, history)
                && let Some(words) = notice::silence(history, at.zone)
            {
                tables.warn(words);
                return Ok(Found::default());
            }
            let found = nonce(rows, own, history, tables.is_whole("eth_txs"));
            if found.blocker.is_some() {
                return Ok(found);
            }
            hypotheses = found.hypotheses;
        }
    }
    if !at.is_late {
        return Ok(Found::default());
    }
    let found = |blocker| Found {
        blocker,
        hypotheses,
    };
    let Some(history) = history else {
        return Ok(found(None));
    };
    let lower = lower_batch(at, batches, history, tables.is_whole("eth_txs_history"));
    if at.stage == PROVE && at.eth_tx.is_none() {
        let first = lower.unwrap_or(at.batch);
        if let Some(job) = jobs::blocker(tables, first, at.as_of, at.zone, options)? {
            return Ok(found(Some(job)));
        }
    }
    Ok(found(lower.map(|number| BlockedBy {
        kind: "batch".to_owned(),
        id: number,
        why: format!(
            "batch {number} waits for the same step ({}), and batches settle in order",
            STAGES[at.stage]
        ),
        refs: batches.reference(number).into_iter().collect(),
    })))
}

fn describe(rows: &Rows, row: usize) -> String {
    format!(
        "eth_tx {} ({}, nonce {})",
        rows.int(row, "id").unwrap_or_default(),
        rows.text(row, "tx_type").unwrap_or_default(),
        rows.int(row, "nonce").unwrap_or_default()
    )
}

fn failed(
    rows: &Rows,
    at: &Outstanding<'_>,
    batches: &Batches,
    history: Option<&History>,
) -> Option<BlockedBy> {
    let row = (0..rows.len())
        .filter(|&row| rows.bool(row, "has_failed") == Some(true))
        .min_by_key(|&row| rows.int(row, "id"))?;
    let id = rows.int(row, "id").unwrap_or_default();
    // Its batches cannot pass this step, nor can any later batch pass it or a later step.
    let in_order = (0..=at.stage)
        .find_map(|stage| batches.range(stage, id))
        .filter(|range| range.first <= at.batch);
    let went_on = || {
        (0..rows.len()).any(|row| {
            rows.int(row, "id").is_some_and(|later| {
                later > id && history.is_some_and(|history| history.is_noticed(later))
            })
        })
    };
    let why = if at.state == "failed" && at.eth_tx == Some(id) {
        format!("{} has failed on L1", describe(rows, row))
    } else if let Some(range) = in_order {
        format!(
            "{} has failed on L1 for batch {}, and batches settle in order",
            describe(rows, row),
            range.first
        )
    } else if at.state != "sent" && !went_on() {
        format!(
            "{} has failed on L1, and the server sends nothing more after a failed transaction",
            describe(rows, row)
        )
    } else {
        return None;
    };
    Some(BlockedBy {
        kind: "eth_tx".to_owned(),
        id,
        why,
        refs: vec![rows.reference(row)],
    })
}

/// Who sends: nonces count per sender and chain.
fn sender(rows: &Rows, row: usize) -> (Option<String>, Option<bool>) {
    (rows.hex(row, "from_addr"), rows.bool(row, "is_gateway"))
}

fn is_through(rows: &Rows, row: usize, history: Option<&History>) -> bool {
    rows.int(row, "confirmed_eth_tx_history_id").is_some()
        || rows
            .int(row, "id")
            .is_some_and(|id| history.is_some_and(|history| history.is_noticed(id)))
}

/// The pending rows of the same sender up to `own`, above the highest nonce that is through. A lower
/// nonce whose rows were lost long ago is no obstacle: a higher one of the same sender is through.
fn pending(rows: &Rows, own: usize, history: Option<&History>) -> (Option<i64>, Vec<(i64, usize)>) {
    let same = |row: &usize| sender(rows, *row) == sender(rows, own);
    let highest_through = (0..rows.len())
        .filter(same)
        .filter(|&row| is_through(rows, row, history))
        .filter_map(|row| rows.int(row, "nonce"))
        .max();
    let nonce = rows.int(own, "nonce");
    let mut pending: Vec<(i64, usize)> = (0..rows.len())
        .filter(same)
        .filter(|&row| !is_through(rows, row, history))
        .filter_map(|row| Some((rows.int(row, "nonce")?, row)))
        .filter(|(n, _)| Some(*n) <= nonce && Some(*n) > highest_through)
        .collect();
    pending.sort_unstable();
    (highest_through, pending)
}

fn sent_once(rows: &Rows, own: usize, history: &History) -> bool {
    let (_, pending) = pending(rows, own, Some(history));
    pending.iter().all(|(_, row)| {
        rows.int(*row, "id")
            .and_then(|id| history.tx(id))
            .is_some_and(|tx| tx.attempts == 1)
    })
}

/// How many nonces of the sender are through, and in how many places nonces below the highest of them are in no row.
/// L1 takes nonces in order: those were mined all the same, sent by somebody else or in a row that is gone.
fn gaps_that_did_not_block(rows: &Rows, own: usize, history: Option<&History>) -> (usize, usize) {
    let same = |row: &usize| sender(rows, *row) == sender(rows, own);
    let through: BTreeSet<i64> = (0..rows.len())
        .filter(same)
        .filter(|&row| is_through(rows, row, history))
        .filter_map(|row| rows.int(row, "nonce"))
        .collect();
    let all: BTreeSet<i64> = (0..rows.len())
        .filter(same)
        .filter_map(|row| rows.int(row, "nonce"))
        .filter(|nonce| through.last().is_some_and(|last| nonce <= last))
        .collect();
    let pairs = all.iter().zip(all.iter().skip(1));
    let gaps = pairs.filter(|(one, next)| **next > **one + 1).count();
    (through.len(), gaps)
}

fn nonce(rows: &Rows, own: usize, history: Option<&History>, is_whole: bool) -> Found {
    // An external node's copies all have nonce 0.
    if rows.text(own, "contract_address").as_deref() == Some("") {
        return Found::default();
    }
    let Some(own_nonce) = rows.int(own, "nonce") else {
        return Found::default();
    };
    let (highest_through, pending) = pending(rows, own, history);
    let Some(&(lowest, row)) = pending.first() else {
        return Found::default();
    };
    let mut hypotheses = Vec::new();
    if let Some(through) = highest_through
        && lowest > through + 1
    {
        let (mined, gaps) = gaps_that_did_not_block(rows, own, history);
        let what = format!(
            "no row has nonce {} (the last one that is through: {through}; the next row: {}): deleted, or used by somebody else",
            through + 1,
            describe(rows, row)
        );
        let refs = vec![rows.reference(row)];
        if gaps == 0 && mined >= LEAST && is_whole {
            return Some(BlockedBy {
                kind: "nonce".to_owned(),
                id: through + 1,
                why: format!(
                    "{what}; if L1 has not seen it either, nothing after it can be mined. None of the {mined} of this sender that are through lacks the one before it"
                ),
                refs,
            })
            .into();
        }
        let habit = match gaps {
            _ if !is_whole => {
                "not all rows of eth_txs are here and can be read: its row may be among them"
                    .to_owned()
            }
            0 => format!(
                "only {mined} of this sender are through, too few to tell whether it leaves nonces out"
            ),
            gaps => format!(
                "{gaps} such gaps lie below nonces of this sender that are through, and blocked nothing: somebody else sends with this key, so this one need not block either"
            ),
        };
        hypotheses.push(Hypothesis {
            text: format!("{what}; {habit}"),
            basis: "inferred".to_owned(),
            refs,
        });
    }
    let blocker = (lowest < own_nonce).then(|| BlockedBy {
        kind: "nonce".to_owned(),
        id: rows.int(row, "id").unwrap_or_default(),
        why: format!(
            "{} comes first by nonce and is not confirmed",
            describe(rows, row)
        ),
        refs: vec![rows.reference(row)],
    });
    Found {
        blocker,
        hypotheses,
    }
}

/// The lowest batch below that waits for the same step. Batches settle in order; below the highest one
/// that is through, nothing waits.
fn lower_batch(
    at: &Outstanding<'_>,
    batches: &Batches,
    history: &History,
    history_is_whole: bool,
) -> Option<i64> {
    let own_link = batches.link(at.batch, at.stage).flatten();
    let highest_done = batches
        .by_number
        .keys()
        .rev()
        .find(|&number| history.of(batches, number, at.stage).is_some())
        .unwrap_or(i64::MIN);
    let from = highest_done.saturating_add(1);
    if from >= at.batch {
        return None;
    }
    batches
        .by_number
        .range(from, at.batch)
        .iter()
        .map(|(number, _)| *number)
        // The genesis batch is never sent.
        .filter(|&number| number != 0)
        .find(|&number| {
            let link = batches.link(number, at.stage).flatten();
            // The row that confirms a linked transaction may be one that cannot be read.
            link.is_none() || (link != own_link && history_is_whole)
        })
}
