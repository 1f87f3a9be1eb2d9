//! The units that may be copies of each other: one stream (a pod, a host, all there is) of one source.

use case::{Manifest, SourceKind};
use model::{Stamp, StampDate};
use std::collections::{BTreeMap, BTreeSet};

/// What a program's stamps leave out: copies leave out the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scale {
    Full,
    NoYear,
    Slot,
    NoDate,
    None,
}

/// One stream of one source.
#[derive(Clone, Debug)]
pub(crate) struct Unit {
    pub(crate) source: String,
    pub(crate) stream: String,
    pub(crate) processes: BTreeSet<u32>,
    clients: BTreeSet<String>,
    scales: BTreeSet<Scale>,
    /// Whether its programs write stamps of their own.
    has_stamps: bool,
    /// First and last civil time as written, where that can be compared.
    pub(crate) range: Option<(i64, i64)>,
    /// What wrappers call it.
    names: BTreeMap<String, BTreeSet<String>>,
    /// Its folder and file, without the numbers of rotations.
    path: (String, String),
    given: Option<String>,
    /// Sampled records in line order: civil time if it is comparable, line, key.
    pub(crate) samples: Vec<(Option<i64>, u64, i64)>,
}

/// Facts of wrappers that two different processes do not share.
const TELLING: [&str; 5] = ["pod", "host", "container", "container_id", "service"];

/// Returns the units of a case, without samples, by source and stream.
pub(crate) fn units(manifest: &Manifest) -> Vec<Unit> {
    let mut units: BTreeMap<(String, String), Unit> = BTreeMap::new();
    let spoken: BTreeSet<(&str, &str)> = manifest
        .sources
        .iter()
        .flat_map(|source| {
            let pieces = source.pieces.iter();
            let of_clients = pieces.filter(|piece| piece.client != model::SYSTEM_CLIENT);
            of_clients.map(|piece| (source.digest.as_str(), piece.stream.as_str()))
        })
        .collect();
    for source in manifest
        .sources
        .iter()
        .filter(|s| s.kind == SourceKind::Log)
    {
        let given = manifest
            .overrides
            .iter()
            .filter(|said| said.source == source.digest)
            .filter_map(|said| said.node.clone())
            .next_back();
        let (folder, file) = source.path.rsplit_once('/').unwrap_or(("", &source.path));
        let path = (folder.to_owned(), crate::nodes::stem(file).to_owned());
        for piece in &source.pieces {
            let key = (source.digest.clone(), piece.stream.clone());
            let unit = units.entry(key).or_insert_with(|| Unit {
                source: source.digest.clone(),
                stream: piece.stream.clone(),
                processes: BTreeSet::new(),
                clients: BTreeSet::new(),
                scales: BTreeSet::new(),
                has_stamps: false,
                range: None,
                names: BTreeMap::new(),
                path: path.clone(),
                given: given.clone(),
                samples: Vec::new(),
            });
            unit.processes.insert(piece.process);
            unit.has_stamps |= !piece.by_wrapper;
            unit.clients.insert(piece.client.clone());
            // What the machine says has its journal's stamps, of another kind than the client's beside it.
            let key = (source.digest.as_str(), piece.stream.as_str());
            if piece.client == model::SYSTEM_CLIENT && spoken.contains(&key) {
                continue;
            }
            unit.scales
                .insert(piece.first.as_ref().map_or(Scale::None, scale));
            for stamp in [piece.first, piece.last].iter().flatten() {
                if let Some(us) = comparable(stamp) {
                    let range = unit.range.get_or_insert((us, us));
                    *range = (range.0.min(us), range.1.max(us));
                }
            }
        }
    }
    let streams = crate::who::streams(manifest);
    for process in &manifest.processes {
        let stream = streams.get(&(process.source.as_str(), process.number));
        let key = stream.map(|stream| (process.source.clone(), (*stream).to_owned()));
        if let Some(unit) = key.and_then(|key| units.get_mut(&key)) {
            for (fact, names) in &process.names {
                unit.names
                    .entry(fact.clone())
                    .or_default()
                    .extend(names.iter().cloned());
            }
        }
    }
    let mut units: Vec<Unit> = units.into_values().collect();
    for unit in &mut units {
        // Stamps of several kinds, or over a new year, have no order.
        let scale = unit.scales.iter().next_back().copied();
        // Times of records without stamps are not as their wrapper writes them.
        if unit.scales.len() > 1
            || !unit.has_stamps
            || !matches!(scale, Some(Scale::Full | Scale::NoYear | Scale::Slot))
        {
            unit.range = None;
        }
    }
    units
}

fn scale(stamp: &Stamp) -> Scale {
    match stamp.date {
        StampDate::Full(_) => Scale::Full,
        StampDate::NoYear { .. } => Scale::NoYear,
        StampDate::Slot { .. } => Scale::Slot,
        StampDate::None => Scale::NoDate,
    }
}

/// Returns a stamp's civil time as far as it can be compared with another's of its kind.
pub(crate) fn comparable(stamp: &Stamp) -> Option<i64> {
    const LEAP_YEAR: i32 = 2000;
    match stamp.date {
        // Microseconds since the slot began come after the slot, of which an epoch has fewer than 4,096.
        StampDate::Slot { epoch, slot } => {
            let slot = i64::from(epoch) << 12 | i64::from(slot & 0xfff);
            slot.checked_mul(model::time::MICROS_PER_DAY)?
                .checked_add(stamp.micros_of_day())
        }
        _ => stamp.civil_us_in_year(LEAP_YEAR),
    }
}

impl Unit {
    /// Whether two units may hold records of one process, by what is known without looking at records.
    pub(crate) fn may_be(&self, other: &Unit) -> bool {
        self.source != other.source
            && self.scales.intersection(&other.scales).next().is_some()
            && self.clients.intersection(&other.clients).next().is_some()
            && !self.contradicts(other)
            && !matches!(self.overlap(other), Some((from, to)) if from > to)
    }

    /// Whether names say that they are different processes.
    fn contradicts(&self, other: &Unit) -> bool {
        if let (Some(a), Some(b)) = (&self.given, &other.given)
            && a != b
        {
            return true;
        }
        TELLING.iter().any(
            |fact| match (self.names.get(*fact), other.names.get(*fact)) {
                (Some(a), Some(b)) => a.is_disjoint(b),
                _ => false,
            },
        )
    }

    /// Whether names say that they are one process.
    pub(crate) fn is_alike(&self, other: &Unit) -> bool {
        match (self.stream.as_str(), other.stream.as_str()) {
            ("", "") => self.path == other.path,
            (one, other) => one == other,
        }
    }

    /// The civil time in which both have records; `None` if their stamps cannot be compared.
    pub(crate) fn overlap(&self, other: &Unit) -> Option<(i64, i64)> {
        let (a, b) = (self.range?, other.range?);
        Some((a.0.max(b.0), a.1.min(b.1)))
    }

    /// The lines that hold all records of a civil time, by its samples; all if there are none.
    pub(crate) fn lines(&self, window: Option<(i64, i64)>) -> (u64, u64) {
        let Some((from, to)) = window else {
            return (0, u64::MAX);
        };
        let at = |sample: &(Option<i64>, u64, i64)| sample.0;
        let first = self
            .samples
            .iter()
            .position(|s| at(s).is_none_or(|us| us >= from));
        let last = self
            .samples
            .iter()
            .rposition(|s| at(s).is_none_or(|us| us <= to));
        // The samples next to the window still belong to it: what lies between may.
        let lo = match first {
            Some(first) => first
                .checked_sub(1)
                .map_or(0, |before| self.samples[before].1),
            None => self.samples.last().map_or(0, |sample| sample.1),
        };
        let hi = match last {
            Some(last) => self.samples.get(last + 1).map_or(u64::MAX, |after| after.1),
            None => self.samples.first().map_or(u64::MAX, |sample| sample.1),
        };
        (lo, hi)
    }

    /// Its samples in a window.
    pub(crate) fn inside(
        &self,
        window: Option<(i64, i64)>,
    ) -> impl Iterator<Item = &(Option<i64>, u64, i64)> {
        self.samples
            .iter()
            .filter(move |sample| match (window, sample.0) {
                (Some((from, to)), Some(us)) => from <= us && us <= to,
                _ => true,
            })
    }

    /// How many of its samples lie in a window.
    pub(crate) fn sampled(&self, window: Option<(i64, i64)>) -> usize {
        self.inside(window).count()
    }
}
