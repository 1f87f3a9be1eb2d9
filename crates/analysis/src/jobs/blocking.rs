//! The lowest batch that holds up the chain: proofs are made per batch in any order, but L1 takes them in
//! order, so one batch without a final proof stops all that follow.

use super::load::{BatchKey, Loaded, is_proof};
use super::shape::{Blocking, JobEntry};
use super::table::{Part, Round, System};
use std::collections::{BTreeMap, BTreeSet};

/// What the tables say of one batch.
#[derive(Clone, Copy, Debug, Default)]
struct Batch {
    proven: bool,
    skipped: bool,
    /// A row of the final round's prover job.
    has_final: bool,
    /// All its prover jobs are done, for tables that do not say the round.
    unfinished: bool,
    /// Whether its final proof was there is not in the tables.
    unknown: bool,
}

/// Returns, per proof system and chain, the lowest batch that is neither proven nor skipped.
pub(super) fn blocking(loaded: &Loaded, open: &[JobEntry]) -> Vec<Blocking> {
    let mut found = Vec::new();
    for system in [System::Old, System::Fri] {
        let batches = batches(loaded, system);
        let chains: BTreeSet<i64> = batches.keys().map(|(chain, _)| *chain).collect();
        for &chain in &chains {
            // The server's own tables know no chains: they speak of the one there is.
            let of_server = chains.len() == 1;
            let proven = |key: &BatchKey, batch: &Batch| {
                let known = loaded.proven.get(&system);
                batch.proven
                    || known.is_some_and(|known| {
                        known.contains(key) || (of_server && known.contains(&(0, key.1)))
                    })
            };
            let skipped = |key: &BatchKey, batch: &Batch| {
                batch.skipped || (of_server && loaded.skipped.contains(&(system, key.1)))
            };
            let own = || batches.range((chain, i64::MIN)..=(chain, i64::MAX));
            let Some((key, batch)) =
                own().find(|(key, batch)| !proven(key, batch) && !skipped(key, batch))
            else {
                continue;
            };
            let behind: Vec<i64> = own()
                .filter(|(other, batch)| other.1 > key.1 && proven(other, batch))
                .map(|(other, _)| other.1)
                .collect();
            found.push(describe(loaded, system, *key, batch, &behind, open));
        }
    }
    found
}

fn batches(loaded: &Loaded, system: System) -> BTreeMap<BatchKey, Batch> {
    let final_round = match system {
        System::Old => 3,
        System::Fri => loaded.fri_final_round,
    };
    let mut batches: BTreeMap<BatchKey, Batch> = BTreeMap::new();
    for table in loaded.tables.iter().filter(|t| t.spec.system == system) {
        let has_round = table.rows.has("aggregation_round");
        for job in &table.jobs {
            let Some(key) = job.key() else { continue };
            let status = table.rows.str(job.row, "status").unwrap_or_default();
            let is_final = has_round && job.round == Some(final_round);
            let skipped = matches!(status, "skipped" | "skipped_manually" | "ignored");
            match table.spec.part {
                Part::Prover if is_final => {
                    let batch = batches.entry(key).or_default();
                    batch.has_final = true;
                    batch.proven |= is_proof(status);
                    batch.skipped |= skipped;
                    batch.unknown |= job.status_is_unknown;
                }
                Part::Prover if !has_round => {
                    let batch = batches.entry(key).or_default();
                    batch.unfinished |= !is_proof(status);
                }
                Part::Prover => {
                    batches.entry(key).or_default();
                }
                Part::Witness(Round::Basic) => {
                    batches.entry(key).or_default().skipped |= skipped;
                }
                Part::Witness(_) => {
                    batches.entry(key).or_default();
                }
                Part::Compression => {
                    let batch = batches.entry(key).or_default();
                    batch.proven |= is_proof(status);
                    batch.skipped |= skipped;
                }
                // The server's list has batches that no prover has seen; what it knows of the others is
                // in `proven` and `skipped`.
                Part::Gateway => {}
            }
        }
        if table.spec.part == Part::Prover && !has_round {
            for batch in batches.values_mut() {
                batch.proven |= !batch.unfinished;
            }
        }
    }
    batches
}

fn describe(
    loaded: &Loaded,
    system: System,
    (chain, number): BatchKey,
    batch: &Batch,
    behind: &[i64],
    open: &[JobEntry],
) -> Blocking {
    let of_system = |entry: &&JobEntry| {
        loaded
            .tables
            .iter()
            .any(|table| table.spec.system == system && table.info.name == entry.table)
    };
    let jobs: Vec<&JobEntry> = open
        .iter()
        .filter(of_system)
        .filter(|entry| {
            entry.l1_batch_number == Some(number) && entry.chain_id.unwrap_or(0) == chain
        })
        .collect();
    // The first round that is stuck is the cause; what waits for it follows.
    let cause = jobs
        .iter()
        .filter(|job| job.stuck)
        .chain(jobs.iter().filter(|job| job.verdict == "undetermined"))
        .chain(&jobs)
        .next();
    let lacks = match batch.has_final {
        true if batch.unknown => "whether its final proof was there then is not in its row",
        true => "its final proof is not there",
        false => "it has no final proof",
    };
    let why = match cause {
        Some(job) => format!(
            "{lacks}: {} {}: {}",
            job.table,
            job.id
                .map_or_else(|| format!("of batch {number}"), |id| id.to_string()),
            job.why
        ),
        None => format!("{lacks}, and none of its jobs is left to run"),
    };
    Blocking {
        system: system.name().to_owned(),
        chain_id: jobs.iter().find_map(|job| job.chain_id).or_else(|| {
            let known = loaded.tables.iter().any(|t| t.rows.has("chain_id"));
            known.then_some(chain)
        }),
        l1_batch_number: number,
        stuck: cause.is_none_or(|job| job.stuck),
        why,
        jobs: jobs.len() as u64,
        proven_behind: behind.len() as u64,
        last_proven: behind.last().copied(),
        refs: jobs
            .iter()
            .take(10)
            .filter_map(|job| job.refs.first().cloned())
            .collect(),
    }
}
