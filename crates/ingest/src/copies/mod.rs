//! Copies: records that several sources of one process have (foundations.md §3).
//!
//! Identical lines inside one source are real. Between sources of one process the k-th occurrence of a
//! stamp and its bytes in one is the k-th in the other. Which sources belong to one process is found by
//! what their records say ([`links`]), for names differ (`kubectl logs` twice, a docker file beside the
//! journal, a file copied before and after its rotation). What is paired ([`pairs`]) lies apart from the
//! records and follows from all sources of the case, whatever came first.

pub(crate) mod keys;
mod links;
mod pairs;
mod sorter;
mod units;

pub(crate) use keys::sample;

use crate::resolve;
use case::{CaseError, CopyRun, Manifest, TableId, Transaction};
use keys::{COLUMNS, Keys};
use pairs::{Entry, Pairing};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use units::{Unit, units};

/// Runs are handed to the case in batches of so many.
const BATCH_RUNS: usize = 8192;

/// What was settled.
pub(crate) struct Settled {
    /// How many sources were rewritten.
    pub(crate) rewritten: usize,
    /// How many pairs of sources were not compared: copies among them are not known.
    pub(crate) uncompared_pairs: usize,
}

/// Brings everything into order that follows from all sources together: which hold one process's records,
/// names, times, copies.
///
/// # Errors
/// If segments cannot be read or written.
pub(crate) fn settle(tx: &mut Transaction<'_>) -> Result<Settled, CaseError> {
    let changed = changed(tx.committed(), tx.manifest());
    let renewed = links::renew(tx, &changed)?;
    let mut touched = renewed.sources;
    let rewritten = resolve::resolve(tx)?;
    touched.extend(changed);
    touched.extend(moved(tx.committed(), tx.manifest()));
    renew(tx, touched)?;
    Ok(Settled {
        rewritten,
        uncompared_pairs: renewed.uncompared_pairs,
    })
}

/// Returns a civil time that can be compared with others of its kind, for samples.
pub(crate) fn comparable(stamp: &model::Stamp) -> Option<i64> {
    units::comparable(stamp)
}

/// Sources that are new, grown, read again or said something of; those that are gone, too.
fn changed(before: &Manifest, now: &Manifest) -> BTreeSet<String> {
    let said = |manifest: &Manifest, digest: &str| -> Vec<case::Override> {
        let of = manifest
            .overrides
            .iter()
            .filter(|said| said.source == digest);
        of.cloned().collect()
    };
    let mut changed = BTreeSet::new();
    for source in &now.sources {
        let same = before.source(&source.digest).is_some_and(|old| {
            old.sha256 == source.sha256
                && old.parser == source.parser
                && old.records == source.records
                && said(before, &source.digest) == said(now, &source.digest)
        });
        if !same {
            changed.insert(source.digest.clone());
        }
    }
    let gone = before
        .sources
        .iter()
        .filter(|old| now.source(&old.digest).is_none());
    changed.extend(gone.map(|source| source.digest.clone()));
    changed
}

/// Sources whose lines write no date and whose days are different now: what they say is, too.
fn moved(before: &Manifest, now: &Manifest) -> BTreeSet<String> {
    let days = |source: &case::Source| -> Vec<Option<i32>> {
        source.pieces.iter().map(|piece| piece.day).collect()
    };
    now.sources
        .iter()
        .filter(|source| {
            before
                .source(&source.digest)
                .is_some_and(|old| days(old) != days(source))
        })
        .map(|source| source.digest.clone())
        .collect()
}

/// Pairs the records of sources that are of one process, as far as anything about them changed.
fn renew(tx: &mut Transaction<'_>, touched: BTreeSet<String>) -> Result<(), CaseError> {
    let mut units = units(tx.manifest());
    let groups = groups(tx.manifest(), &units);
    // A source may be in several groups; its copies are written as a whole.
    let mut stale = touched;
    loop {
        let before = stale.len();
        for group in &groups {
            if group.iter().any(|at| stale.contains(&units[*at].source)) {
                stale.extend(group.iter().map(|at| units[*at].source.clone()));
            }
        }
        if stale.len() == before {
            break;
        }
    }
    stale.retain(|digest| {
        tx.manifest().source(digest).is_some_and(|source| {
            source.kind == case::SourceKind::Log
                && (source.duplicates > 0
                    || groups
                        .iter()
                        .flatten()
                        .any(|at| units[*at].source == *digest))
        })
    });
    if stale.is_empty() {
        return Ok(());
    }
    if !groups.is_empty() {
        links::read_samples(tx, &mut units)?;
    }
    let mut runs: BTreeMap<String, Vec<CopyRun>> = BTreeMap::new();
    for group in &groups {
        if group.iter().any(|at| stale.contains(&units[*at].source)) {
            pair(tx, &units, group, &mut runs)?;
        }
    }
    for digest in &stale {
        let mut runs = runs.remove(digest).unwrap_or_default();
        runs.sort_unstable();
        let records = runs.iter().map(|run| run.records).sum();
        tx.replace_rows(&TableId::Duplicates, digest);
        if !runs.is_empty() {
            let mut rows = tx.rows(&TableId::Duplicates, digest)?;
            for chunk in runs.chunks(BATCH_RUNS) {
                rows.push(CopyRun::to_batch(chunk))?;
            }
            let rows = rows.finish()?;
            tx.adopt_rows(rows, digest, 0)?;
        }
        if let Some(source) = tx.manifest_mut().source_mut(digest) {
            source.duplicates = records;
        }
    }
    Ok(())
}

/// The units that certain links join, two and more.
fn groups(manifest: &Manifest, units: &[Unit]) -> Vec<Vec<usize>> {
    let place: BTreeMap<(&str, &str), usize> = units
        .iter()
        .enumerate()
        .map(|(at, unit)| ((unit.source.as_str(), unit.stream.as_str()), at))
        .collect();
    let mut group: Vec<usize> = (0..units.len()).collect();
    fn root(group: &mut [usize], mut at: usize) -> usize {
        while group[at] != at {
            group[at] = group[group[at]];
            at = group[at];
        }
        at
    }
    for link in manifest.copies.iter().filter(|link| link.certain) {
        let (Some(a), Some(b)) = (
            place.get(&(link.a.as_str(), link.a_stream.as_str())),
            place.get(&(link.b.as_str(), link.b_stream.as_str())),
        ) else {
            continue;
        };
        let (a, b) = (root(&mut group, *a), root(&mut group, *b));
        group[a.max(b)] = a.min(b);
    }
    let mut joined: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for at in 0..units.len() {
        let root = root(&mut group, at);
        joined.entry(root).or_default().push(at);
    }
    joined
        .into_values()
        .filter(|group| group.len() > 1)
        .collect()
}

/// Pairs the records of one process's units.
fn pair(
    tx: &Transaction<'_>,
    units: &[Unit],
    group: &[usize],
    runs: &mut BTreeMap<String, Vec<CopyRun>>,
) -> Result<(), CaseError> {
    let mut digests: Vec<String> = group.iter().map(|at| units[*at].source.clone()).collect();
    digests.sort_unstable();
    digests.dedup();
    let fresh = || -> io::Result<PathBuf> { tx.scratch("copies").map_err(io::Error::other) };
    let mut pairing = Pairing::new(&fresh);
    for (number, digest) in digests.iter().enumerate() {
        let members: Vec<&Unit> = group
            .iter()
            .map(|at| &units[*at])
            .filter(|unit| unit.source == *digest)
            .collect();
        // Only what another unit covers too can have copies.
        let others = || {
            group
                .iter()
                .map(|at| &units[*at])
                .filter(|unit| unit.source != *digest)
        };
        let windows: Vec<Vec<Option<(i64, i64)>>> = members
            .iter()
            .map(|unit| others().map(|other| unit.overlap(other)).collect())
            .collect();
        let lines = members
            .iter()
            .zip(&windows)
            .flat_map(|(unit, windows)| windows.iter().map(|window| unit.lines(*window)))
            .fold((u64::MAX, 0), |a, b| (a.0.min(b.0), a.1.max(b.1)));
        let mut keys = Keys::with_days();
        let mut ordinal = 0;
        tx.read_rows(
            &TableId::Records,
            digest,
            COLUMNS,
            lines.0..=lines.1,
            &mut |batch| {
                keys.read(batch, &mut |record| {
                    ordinal += 1;
                    let Some(key) = record.key else { return Ok(()) };
                    let Some(member) = members
                        .iter()
                        .position(|unit| unit.processes.contains(&record.process))
                    else {
                        return Ok(());
                    };
                    let covered =
                        windows[member]
                            .iter()
                            .any(|window| match (window, record.stamp_us) {
                                (Some((from, to)), Some(us)) => *from <= us && us <= *to,
                                _ => true,
                            });
                    if covered {
                        pairing
                            .push(Entry {
                                key,
                                source: number as u32,
                                line: record.line,
                                ordinal,
                            })
                            .map_err(failed)?;
                    }
                    Ok(())
                })
            },
        )?;
    }
    pairing
        .runs(&digests, &mut |source, run| {
            let digest = &digests[source as usize];
            match runs.get_mut(digest) {
                Some(list) => list.push(run),
                None => {
                    runs.insert(digest.clone(), vec![run]);
                }
            }
            Ok(())
        })
        .map_err(failed)
}

fn failed(error: io::Error) -> CaseError {
    match error.downcast::<CaseError>() {
        Ok(error) => error,
        Err(source) => CaseError::Io {
            action: "write",
            path: PathBuf::from("copies"),
            source,
        },
    }
}
