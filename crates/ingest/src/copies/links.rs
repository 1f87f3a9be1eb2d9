//! Which sources hold records of one process: found by what their records say, never by paths alone.
//!
//! Samples of records tell which sources can have much in common; where they do, or where there are too
//! few to tell, the records of the time that both cover are compared.

use super::keys::{COLUMNS, Keyed, Keys};
use super::units::{Unit, units};
use case::{CaseError, CopyLink, TableId, Transaction};
use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};

/// With so many samples on both sides nothing in common means nothing in common.
const ENOUGH_SAMPLES: usize = 16;
/// Pairs of sources with too few samples are compared, up to so many.
const MOST_LOOKED_AT: usize = 4096;
/// So many records alike are no accident, if nearly all are.
const LEAST_SHARED: u64 = 8;
/// In so many different instants.
const LEAST_INSTANTS: usize = 4;
/// Units with at most so many samples (some 4,000 records) are held while others are compared with them.
const MOST_SAMPLES_OF_SMALL: usize = 64;
/// Records that are held of any other.
const MOST_HELD: usize = 1 << 20;

/// What [`renew`] found.
pub(super) struct Renewed {
    /// The sources whose links are new or gone.
    pub(super) sources: BTreeSet<String>,
    /// How many pairs of sources were too many, or too large, to be compared.
    pub(super) uncompared_pairs: usize,
}

/// Finds the links of sources that changed, and keeps the others.
pub(super) fn renew(
    tx: &mut Transaction<'_>,
    changed: &BTreeSet<String>,
) -> Result<Renewed, CaseError> {
    let before = tx.manifest().copies.clone();
    let mut units = units(tx.manifest());
    let mut links: Vec<CopyLink> = before
        .iter()
        .filter(|link| {
            let there = |digest: &str| tx.manifest().source(digest).is_some();
            there(&link.a)
                && there(&link.b)
                && !changed.contains(&link.a)
                && !changed.contains(&link.b)
        })
        .cloned()
        .collect();
    let mut uncompared_pairs = 0;
    if units.len() > 1 {
        read_samples(tx, &mut units)?;
        let mut small = Small::default();
        let (candidates, left_out) = candidates(&units, changed);
        uncompared_pairs += left_out;
        for Candidate { a, b, is_clear } in candidates {
            let (one, other) = (&units[a], &units[b]);
            let common = if is_clear {
                Some(by_samples(one, other))
            } else {
                by_records(tx, (one, a), (other, b), &mut small)?
            };
            match common {
                Some(common) => links.extend(judge(one, other, common)),
                None => uncompared_pairs += 1,
            }
        }
    }
    links.sort();
    let old: BTreeSet<&CopyLink> = before.iter().collect();
    let new: BTreeSet<&CopyLink> = links.iter().collect();
    let sources: BTreeSet<String> = old
        .symmetric_difference(&new)
        .flat_map(|link| [link.a.clone(), link.b.clone()])
        .collect();
    tx.manifest_mut().copies = links;
    Ok(Renewed {
        sources,
        uncompared_pairs,
    })
}

/// Reads the sampled records of units.
pub(super) fn read_samples(tx: &Transaction<'_>, units: &mut [Unit]) -> Result<(), CaseError> {
    let mut of: BTreeMap<(&str, u32), usize> = BTreeMap::new();
    let known: Vec<(String, BTreeSet<u32>)> = units
        .iter()
        .map(|unit| (unit.source.clone(), unit.processes.clone()))
        .collect();
    for (at, (source, processes)) in known.iter().enumerate() {
        of.extend(
            processes
                .iter()
                .map(|process| ((source.as_str(), *process), at)),
        );
    }
    let sources: BTreeSet<&str> = known.iter().map(|(source, _)| source.as_str()).collect();
    for source in sources {
        let columns = ["source", "line", "process", "stamp_us", "key"];
        tx.read_rows(
            &TableId::Keys,
            source,
            &columns,
            0..=u64::MAX,
            &mut |batch| {
                let number = |name: &str, row: usize| batch.column(name).and_then(|c| c.i64(row));
                for row in 0..batch.rows() {
                    let process = number("process", row).map_or(0, |process| process.max(0) as u32);
                    if let (Some(at), Some(line), Some(key)) = (
                        of.get(&(source, process)),
                        number("line", row),
                        number("key", row),
                    ) {
                        let sample = (number("stamp_us", row), line.max(0) as u64, key);
                        units[*at].samples.push(sample);
                    }
                }
                Ok(())
            },
        )?;
    }
    Ok(())
}

/// Two units that are worth comparing.
struct Candidate {
    a: usize,
    b: usize,
    /// Whether their samples are enough.
    is_clear: bool,
}

/// Returns the pairs of units that are worth comparing, of which one changed, and how many more there are.
fn candidates(units: &[Unit], changed: &BTreeSet<String>) -> (Vec<Candidate>, usize) {
    let is_new = |at: usize| changed.contains(&units[at].source);
    let mut shared: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    let mut keys: Vec<(i64, usize)> = units
        .iter()
        .enumerate()
        .flat_map(|(at, unit)| unit.samples.iter().map(move |sample| (sample.2, at)))
        .collect();
    keys.sort_unstable();
    keys.dedup();
    for same in keys.chunk_by(|a, b| a.0 == b.0) {
        for (index, (_, a)) in same.iter().enumerate() {
            for (_, b) in &same[index + 1..] {
                if is_new(*a) || is_new(*b) {
                    *shared.entry((*a, *b)).or_default() += 1;
                }
            }
        }
    }
    let mut found = Vec::new();
    let mut unclear = Vec::new();
    for a in 0..units.len() {
        for b in a + 1..units.len() {
            if !(is_new(a) || is_new(b)) || !units[a].may_be(&units[b]) {
                continue;
            }
            let window = units[a].overlap(&units[b]);
            let fewest = units[a].sampled(window).min(units[b].sampled(window));
            let common = shared.get(&(a, b)).copied().unwrap_or(0);
            if fewest < ENOUGH_SAMPLES {
                unclear.push((!units[a].is_alike(&units[b]), a, b));
            } else if window.is_none() && common > 0 || 2 * common >= fewest {
                found.push(Candidate {
                    a,
                    b,
                    is_clear: true,
                });
            }
        }
    }
    // Those that are called alike first.
    unclear.sort_unstable();
    let left_out = unclear.len().saturating_sub(MOST_LOOKED_AT);
    let unclear = unclear.into_iter().take(MOST_LOOKED_AT);
    found.extend(unclear.map(|(_, a, b)| Candidate {
        a,
        b,
        is_clear: false,
    }));
    (found, left_out)
}

/// What two units have in common.
#[derive(Clone, Copy, Debug, Default)]
struct Common {
    shared: u64,
    /// Records (or samples) of the one with fewer, where both have any.
    of: u64,
    instants: usize,
    /// Whether stamps that agree write fractions of a second.
    is_fine: bool,
}

/// Says what it means that two units have so much in common.
fn judge(a: &Unit, b: &Unit, common: Common) -> Option<CopyLink> {
    let Common {
        shared,
        of,
        instants,
        is_fine,
    } = common;
    let alike = a.is_alike(b);
    let nearly = |share: u64| shared > 0 && shared * 100 >= of * share;
    let enough = shared >= LEAST_SHARED && instants >= LEAST_INSTANTS && nearly(90);
    // At whole seconds two lines alike at a seam may be two.
    let named = alike && nearly(80) && (is_fine || instants >= 2);
    let possible = shared >= 3 && nearly(90);
    if !(enough || named || possible) {
        return None;
    }
    let certain = enough || named;
    let mut ends = [(&a.source, &a.stream), (&b.source, &b.stream)];
    ends.sort_unstable();
    let [(a, a_stream), (b, b_stream)] = ends.map(|(a, b)| (a.clone(), b.clone()));
    let basis = match (alike, certain) {
        (true, true) => "same name, same records",
        (false, true) => "same records",
        (_, false) => "few records in common",
    };
    Some(CopyLink {
        a,
        a_stream,
        b,
        b_stream,
        shared,
        of,
        certain,
        basis: basis.to_owned(),
    })
}

/// Compares units with many samples: copies have the same records sampled.
fn by_samples(a: &Unit, b: &Unit) -> Common {
    let window = a.overlap(b);
    let keys: BTreeSet<i64> = a.inside(window).map(|sample| sample.2).collect();
    let mut seen = BTreeSet::new();
    let mut instants = BTreeSet::new();
    for sample in b.inside(window).filter(|sample| keys.contains(&sample.2)) {
        seen.insert(sample.2);
        instants.insert(sample.0);
    }
    // Without comparable stamps: from the first to the last sample that both have.
    let stretch = |unit: &Unit| {
        let at: Vec<usize> = (0..unit.samples.len())
            .filter(|at| seen.contains(&unit.samples[*at].2))
            .collect();
        at.first()
            .zip(at.last())
            .map_or(0, |(first, last)| last - first + 1)
    };
    let of = match window {
        Some(_) => keys.len().min(b.inside(window).count()),
        None => stretch(a).min(stretch(b)),
    };
    Common {
        shared: seen.len() as u64,
        of: (of as u64).max(seen.len() as u64),
        instants: if window.is_some() {
            instants.len()
        } else {
            seen.len()
        },
        is_fine: instants.iter().flatten().any(|us| us % 1_000_000 != 0),
    }
}

/// Records of small units, read once.
#[derive(Default)]
struct Small {
    records: BTreeMap<usize, Vec<Keyed>>,
}

impl Small {
    fn read(&mut self, tx: &Transaction<'_>, unit: &Unit, at: usize) -> Result<bool, CaseError> {
        if unit.samples.len() > MOST_SAMPLES_OF_SMALL {
            return Ok(false);
        }
        if let Entry::Vacant(free) = self.records.entry(at) {
            let mut records = Vec::new();
            scan(tx, unit, (0, u64::MAX), &mut |record| records.push(*record))?;
            free.insert(records);
        }
        Ok(true)
    }
}

/// Passes the records of a unit in some lines to `f`, in line order.
fn scan(
    tx: &Transaction<'_>,
    unit: &Unit,
    lines: (u64, u64),
    f: &mut dyn FnMut(&Keyed),
) -> Result<(), CaseError> {
    let mut keys = Keys::as_written();
    let columns = COLUMNS;
    tx.read_rows(
        &TableId::Records,
        &unit.source,
        columns,
        lines.0..=lines.1,
        &mut |batch| {
            keys.read(batch, &mut |record| -> Result<(), CaseError> {
                if unit.processes.contains(&record.process) {
                    f(&record);
                }
                Ok(())
            })
        },
    )
}

/// Compares the records of the time that two units cover, one by one.
fn by_records(
    tx: &Transaction<'_>,
    (a, at): (&Unit, usize),
    (b, bt): (&Unit, usize),
    small: &mut Small,
) -> Result<Option<Common>, CaseError> {
    let window = a.overlap(b);
    // Of what has no stamp nobody knows whether both cover it: a machine's lines beside its client's.
    let within = |record: &Keyed| match (window, record.stamp_us) {
        (Some((from, to)), Some(us)) => from <= us && us <= to,
        (Some(_), None) => false,
        (None, _) => true,
    };
    let ((few, few_at), (many, many_at)) = if a.sampled(window) <= b.sampled(window) {
        ((a, at), (b, bt))
    } else {
        ((b, bt), (a, at))
    };
    let mut held: Vec<Keyed> = Vec::new();
    if small.read(tx, few, few_at)? {
        held.extend(
            small.records[&few_at]
                .iter()
                .filter(|record| within(record)),
        );
    } else {
        scan(tx, few, few.lines(window), &mut |record| {
            if within(record) && held.len() <= MOST_HELD {
                held.push(*record);
            }
        })?;
    }
    if held.len() > MOST_HELD {
        return Ok(None);
    }
    let mut counts: BTreeMap<u128, (u64, u64)> = BTreeMap::new();
    for key in held.iter().filter_map(|record| record.key) {
        counts.entry(key).or_default().0 += 1;
    }
    let mut seen = Stretch::default();
    let mut instants = BTreeSet::new();
    let mut is_fine = false;
    let mut take = |record: &Keyed| {
        if !within(record) {
            return;
        }
        let count = record.key.and_then(|key| counts.get_mut(&key));
        seen.add(count.is_some());
        if let Some(count) = count {
            count.1 += 1;
            instants.insert(record.instant);
            is_fine |= record.is_fine;
        }
    };
    if small.read(tx, many, many_at)? {
        small.records[&many_at].iter().for_each(&mut take);
    } else {
        scan(tx, many, many.lines(window), &mut take)?;
    }
    let mut own = Stretch::default();
    for record in &held {
        own.add(record.key.is_some_and(|key| counts[&key].1 > 0));
    }
    let shared = counts.values().map(|(a, b)| a.min(b)).sum();
    let of = match window {
        Some(_) => own.all.min(seen.all),
        None => own.length().min(seen.length()),
    };
    Ok(Some(Common {
        shared,
        of: of.max(shared),
        instants: instants.len(),
        is_fine,
    }))
}

/// Counts records, and those from the first to the last that is shared.
#[derive(Default)]
struct Stretch {
    all: u64,
    first: Option<u64>,
    last: u64,
}

impl Stretch {
    fn add(&mut self, is_shared: bool) {
        if is_shared {
            self.first.get_or_insert(self.all);
            self.last = self.all;
        }
        self.all += 1;
    }

    fn length(&self) -> u64 {
        self.first.map_or(0, |first| self.last - first + 1)
    }
}
