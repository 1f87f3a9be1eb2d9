//! What differences mean in zkSync Era's databases. No row says that a revert or a clearing was run: it is
//! inferred from what is gone.
//!
//! `block_reverter rollback-db` deletes batches and miniblocks from some number on, and their L1 transactions;
//! `clear-failed-transactions` deletes every L1 transaction from the first failed one on, whatever its type,
//! and leaves NULL where batches pointed at them; `unfinalize` (2025) takes confirmations back after an L1 reorg
//! and leaves the attempts.

use super::compare::{Compared, Picked};
use super::tables::Pair;
use super::{DiffError, DiffEvent};
use std::collections::BTreeSet;

/// References that an event carries.
const REFS: usize = 8;
/// Columns that link a batch to its L1 transactions.
const LINKS: [&str; 3] = ["eth_commit_tx_id", "eth_prove_tx_id", "eth_execute_tx_id"];

/// What the comparisons of the tables that matter found.
#[derive(Default)]
pub(super) struct Evidence {
    batches: Batches,
    miniblocks: Blocks,
    txs: Txs,
    attempts: Attempts,
}

#[derive(Default)]
struct Blocks {
    gone: Vec<i64>,
    span_before: Option<(i64, i64)>,
    refs: Vec<(i64, String)>,
}

#[derive(Default)]
struct Batches {
    blocks: Blocks,
    /// Batches of both snapshots whose hash or time differs: sealed anew.
    sealed_anew: Vec<(i64, String)>,
    /// L1 transactions of batches that are gone or sealed anew.
    linked: BTreeSet<i64>,
    /// L1 transactions that batches no longer point at.
    unlinked: Vec<i64>,
}

#[derive(Default)]
struct Txs {
    gone: Vec<i64>,
    refs: Vec<(i64, String)>,
    /// The first failed one of the first snapshot.
    first_failed: Option<i64>,
    /// How many there are from that one on.
    from_failed: u64,
    /// Confirmations that became NULL: id, attempt, reference.
    unconfirmed: Vec<(i64, i64, String)>,
}

#[derive(Default)]
struct Attempts {
    gone: BTreeSet<i64>,
    /// Those that are gone: L1 transaction, whether it was confirmed, reference.
    lost: Vec<(i64, i64, bool, String)>,
    knows_finality: bool,
}

fn rows_of(picked: &[Picked]) -> Vec<(i64, String)> {
    picked
        .iter()
        .filter_map(|row| Some((row.key.first()?.as_i64()?, row.reference.clone())))
        .collect()
}

impl Evidence {
    /// Takes what a comparison found, if the table is one that matters.
    pub(super) fn take(&mut self, pair: &Pair<'_>, found: &Compared) -> Result<(), DiffError> {
        if pair.after.info.types_inferred {
            // A paste may hold some rows only: what it lacks is not gone.
            return Ok(());
        }
        let blocks = || Blocks {
            gone: found.gone.numbers.clone(),
            span_before: found.span_before,
            refs: rows_of(&found.gone.picked),
        };
        match pair.after.info.name.as_str() {
            "miniblocks" => self.miniblocks = blocks(),
            "l1_batches" => self.batches = batches(pair, found, blocks()),
            "eth_txs" => self.txs = txs(pair, found)?,
            "eth_txs_history" => self.attempts = attempts(pair, found),
            _ => {}
        }
        Ok(())
    }

    /// Says what happened.
    pub(super) fn judge(self) -> Vec<DiffEvent> {
        let mut events = Vec::new();
        let mut explained: BTreeSet<i64> = BTreeSet::new();
        self.reverted(&mut events, &mut explained);
        self.pruned(&mut events);
        self.cleared(&mut events, &mut explained);
        self.deleted(&mut events, &explained);
        self.unconfirmed(&mut events);
        self.attempts_lost(&mut events);
        events
    }

    fn reverted(&self, events: &mut Vec<DiffEvent>, explained: &mut BTreeSet<i64>) {
        let anew: Vec<i64> = self
            .batches
            .sealed_anew
            .iter()
            .map(|(number, _)| *number)
            .collect();
        let mut touched: Vec<i64> = self
            .batches
            .blocks
            .gone
            .iter()
            .chain(&anew)
            .copied()
            .collect();
        touched.sort_unstable();
        touched.dedup();
        let batches = top_run(&touched, self.batches.blocks.span_before);
        let miniblocks = top_run(&self.miniblocks.gone, self.miniblocks.span_before);
        let blocks = miniblocks.map_or(String::new(), |(first, last)| match first == last {
            true => format!("miniblock {first} is gone"),
            false => format!("miniblocks {first} to {last} are gone"),
        });
        let Some((first, last)) = batches else {
            if let Some((first, last)) = miniblocks {
                events.push(DiffEvent {
                    kind: "revert",
                    text: format!(
                        "{blocks}, of a batch that was not sealed: the state was rolled back"
                    ),
                    basis: "inferred",
                    first,
                    last,
                    count: (last - first + 1) as u64,
                    refs: refs_in(&self.miniblocks.refs, first, last),
                });
            }
            return;
        };
        let within = |number: &&i64| (first..=last).contains(*number);
        let gone = self.batches.blocks.gone.iter().filter(within).count();
        let anew = anew.iter().filter(within).count();
        let deleted: Vec<i64> = self
            .txs
            .gone
            .iter()
            .copied()
            .filter(|id| self.batches.linked.contains(id))
            .collect();
        explained.extend(&deleted);
        let mut parts = Vec::new();
        if gone > 0 {
            parts.push(match first == last {
                true => "it is gone".to_owned(),
                false => format!("{gone} of them are gone"),
            });
        }
        if anew > 0 {
            parts.push(match first == last {
                true => "it was sealed anew, with another hash or time".to_owned(),
                false => format!("{anew} were sealed anew, with another hash or time"),
            });
        }
        if !blocks.is_empty() {
            parts.push(blocks);
        }
        if !deleted.is_empty() {
            parts.push(format!(
                "{} of their L1 transactions are gone",
                deleted.len()
            ));
        }
        let mut refs = refs_in(&self.batches.blocks.refs, first, last);
        refs.extend(refs_in(&self.batches.sealed_anew, first, last));
        refs.truncate(REFS);
        events.push(DiffEvent {
            kind: "revert",
            text: format!(
                "{}, the newest of the first snapshot, {} reverted: {}",
                match first == last {
                    true => format!("batch {first}"),
                    false => format!("batches {first} to {last}"),
                },
                if first == last { "was" } else { "were" },
                parts.join("; ")
            ),
            basis: "inferred",
            first,
            last,
            count: (gone + anew) as u64,
            refs,
        });
    }

    fn pruned(&self, events: &mut Vec<DiffEvent>) {
        for (name, blocks) in [
            ("batches", &self.batches.blocks),
            ("miniblocks", &self.miniblocks),
        ] {
            let Some((oldest, newest)) = blocks.span_before else {
                continue;
            };
            let run = blocks
                .gone
                .iter()
                .zip(oldest..)
                .take_while(|(number, at)| *number == at)
                .count();
            let last = oldest + run as i64 - 1;
            if run == 0 || last == newest {
                continue;
            }
            events.push(DiffEvent {
                kind: "pruned",
                text: format!("{name} {oldest} to {last}, the oldest of the first snapshot, are gone: this node prunes"),
                basis: "inferred",
                first: oldest,
                last,
                count: run as u64,
                refs: refs_in(&blocks.refs, oldest, last),
            });
        }
    }

    fn cleared(&self, events: &mut Vec<DiffEvent>, explained: &mut BTreeSet<i64>) {
        let Some(first) = self.txs.first_failed else {
            return;
        };
        let cleared: Vec<i64> = self
            .txs
            .gone
            .iter()
            .copied()
            .filter(|id| *id >= first)
            .collect();
        let Some(last) = cleared.last().copied() else {
            return;
        };
        if cleared.len() as u64 != self.txs.from_failed {
            return;
        }
        explained.extend(&cleared);
        let set: BTreeSet<i64> = cleared.iter().copied().collect();
        let unlinked = self
            .batches
            .unlinked
            .iter()
            .filter(|id| set.contains(id))
            .count();
        let lost = self
            .attempts
            .lost
            .iter()
            .filter(|(_, tx, ..)| set.contains(tx))
            .count();
        events.push(DiffEvent {
            kind: "clear_failed_transactions",
            text: format!(
                "eth_txs {first} to {last} are gone ({}): {first} had failed on L1, and clearing failed transactions deletes it \
                 and every later one; {lost} attempts went with them, {unlinked} links of batches to them are NULL",
                cleared.len()
            ),
            basis: "inferred",
            first,
            last,
            count: cleared.len() as u64,
            refs: refs_in(&self.txs.refs, first, last),
        });
    }

    /// L1 transactions that are gone, and nothing says why.
    fn deleted(&self, events: &mut Vec<DiffEvent>, explained: &BTreeSet<i64>) {
        let rest: Vec<i64> = self
            .txs
            .gone
            .iter()
            .copied()
            .filter(|id| !explained.contains(id))
            .collect();
        let (Some(&first), Some(&last)) = (rest.first(), rest.last()) else {
            return;
        };
        let refs = self
            .txs
            .refs
            .iter()
            .filter(|(id, _)| !explained.contains(id));
        events.push(DiffEvent {
            kind: "transactions_deleted",
            text: format!(
                "{} eth_txs between {first} and {last} are gone, and neither a revert nor a failed transaction explains it",
                rest.len()
            ),
            basis: "inferred",
            first,
            last,
            count: rest.len() as u64,
            refs: refs.take(REFS).map(|(_, reference)| reference.clone()).collect(),
        });
    }

    fn unconfirmed(&self, events: &mut Vec<DiffEvent>) {
        let (lost, kept): (Vec<_>, Vec<_>) = self
            .txs
            .unconfirmed
            .iter()
            .partition(|(_, attempt, _)| self.attempts.gone.contains(attempt));
        let mut push = |kind, what: &dyn Fn(usize) -> String, rows: &[&(i64, i64, String)]| {
            if let (Some(first), Some(last)) = (rows.first(), rows.last()) {
                events.push(DiffEvent {
                    kind,
                    text: what(rows.len()),
                    basis: "inferred",
                    first: first.0,
                    last: last.0,
                    count: rows.len() as u64,
                    refs: rows.iter().take(REFS).map(|row| row.2.clone()).collect(),
                });
            }
        };
        push(
            "link_lost",
            &|n| {
                format!(
                    "{n} eth_txs lost the link to the attempt that was mined, as the attempt's row is gone (ON DELETE SET NULL)"
                )
            },
            &lost,
        );
        if self.attempts.knows_finality {
            push(
                "unfinalize",
                &|n| {
                    format!(
                        "the confirmation of {n} eth_txs was taken back, their attempts are still there: an L1 reorg was noticed"
                    )
                },
                &kept,
            );
        } else {
            push(
                "link_lost",
                &|n| {
                    format!(
                        "{n} eth_txs lost the link to the attempt that was mined, and the attempt is still there"
                    )
                },
                &kept,
            );
        }
    }

    fn attempts_lost(&self, events: &mut Vec<DiffEvent>) {
        let gone: BTreeSet<i64> = self.txs.gone.iter().copied().collect();
        let alone: Vec<_> = self
            .attempts
            .lost
            .iter()
            .filter(|(_, tx, ..)| !gone.contains(tx))
            .collect();
        let (Some(first), Some(last)) = (alone.first(), alone.last()) else {
            return;
        };
        let confirmed = alone.iter().filter(|(.., confirmed, _)| *confirmed).count();
        let mut text = format!("{} attempts are gone while their eth_txs stay", alone.len());
        text.push_str(match confirmed {
            0 => ": code before April 2025 deletes an attempt whose sending failed",
            _ => "",
        });
        if confirmed > 0 {
            text.push_str(&format!(
                "; {confirmed} of them had been confirmed: that history is lost"
            ));
        }
        events.push(DiffEvent {
            kind: "attempts_deleted",
            text,
            basis: "inferred",
            first: first.0,
            last: last.0,
            count: alone.len() as u64,
            refs: alone
                .iter()
                .take(REFS)
                .map(|(.., reference)| reference.clone())
                .collect(),
        });
    }
}

/// The unbroken run of numbers that ends with the newest of the first snapshot.
fn top_run(numbers: &[i64], span: Option<(i64, i64)>) -> Option<(i64, i64)> {
    let (oldest, newest) = span?;
    let run = numbers
        .iter()
        .rev()
        .zip((oldest..=newest).rev())
        .take_while(|(number, at)| *number == at)
        .count();
    // All of it gone is another database, or an empty table, and no revert.
    let whole = newest - oldest + 1 == run as i64;
    (run > 0 && !whole).then(|| (newest - run as i64 + 1, newest))
}

fn refs_in(rows: &[(i64, String)], first: i64, last: i64) -> Vec<String> {
    rows.iter()
        .filter(|(number, _)| (first..=last).contains(number))
        .take(REFS)
        .map(|(_, reference)| reference.clone())
        .collect()
}

fn batches(pair: &Pair<'_>, found: &Compared, blocks: Blocks) -> Batches {
    let links = LINKS.map(|name| pair.place(name));
    let marks = [pair.place("hash"), pair.place("timestamp")];
    let mut batches = Batches {
        blocks,
        ..Batches::default()
    };
    for row in &found.gone.picked {
        batches
            .linked
            .extend(links.iter().filter_map(|at| row.int(*at)));
    }
    for (before, after) in &found.changed {
        let Some(number) = after.key.first().and_then(serde_json::Value::as_i64) else {
            continue;
        };
        let anew = marks.iter().any(|at| {
            let differ = at.is_some_and(|at| before.cells[at].0 != after.cells[at].0);
            differ && before.has(*at) && after.has(*at)
        });
        if anew {
            batches.sealed_anew.push((number, after.reference.clone()));
            batches
                .linked
                .extend(links.iter().filter_map(|at| before.int(*at)));
        }
        for at in links {
            if let Some(id) = before.int(at)
                && after.is_null(at)
            {
                batches.unlinked.push(id);
            }
        }
    }
    batches
}

fn txs(pair: &Pair<'_>, found: &Compared) -> Result<Txs, DiffError> {
    let mut txs = Txs {
        gone: found.gone.numbers.clone(),
        refs: rows_of(&found.gone.picked),
        ..Txs::default()
    };
    let link = pair.place("confirmed_eth_tx_history_id");
    for (before, after) in &found.changed {
        let id = after.key.first().and_then(serde_json::Value::as_i64);
        if let (Some(id), Some(attempt)) = (id, before.int(link))
            && after.is_null(link)
        {
            txs.unconfirmed.push((id, attempt, after.reference.clone()));
        }
    }
    if !txs.gone.is_empty() && pair.place("has_failed").is_some() {
        let mut ids = Vec::new();
        let side = &pair.before;
        side.source
            .scan(&side.full_name(), &["id", "has_failed"], &mut |batch| {
                let (Some(id), Some(failed)) = (batch.column("id"), batch.column("has_failed"))
                else {
                    return Ok(());
                };
                for row in 0..batch.rows() {
                    let failed = failed
                        .bool(row)
                        .unwrap_or_else(|| failed.text(row) == Some("t"));
                    if let Some(id) = id.i64(row) {
                        ids.push(id);
                        if failed {
                            txs.first_failed =
                                Some(txs.first_failed.map_or(id, |first| first.min(id)));
                        }
                    }
                }
                Ok(())
            })?;
        let first = txs.first_failed.unwrap_or(i64::MAX);
        txs.from_failed = ids.iter().filter(|id| **id >= first).count() as u64;
    }
    Ok(txs)
}

fn attempts(pair: &Pair<'_>, found: &Compared) -> Attempts {
    let (tx, confirmed) = (pair.place("eth_tx_id"), pair.place("confirmed_at"));
    let lost = found.gone.picked.iter().filter_map(|row| {
        let id = row.key.first()?.as_i64()?;
        Some((id, row.int(tx)?, row.has(confirmed), row.reference.clone()))
    });
    Attempts {
        gone: found.gone.numbers.iter().copied().collect(),
        lost: lost.collect(),
        knows_finality: pair.place("finality_status").is_some(),
    }
}
