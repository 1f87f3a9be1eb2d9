//! From clues to solutions; see the module above for the rules.

use super::collect::Collectors;
use super::dates::{finish, roll, solve_piece};
use super::evidence::{Evidence, in_slots, slots, wrapper};
use super::pieces::{can_change, distance_us, offset_on};
use super::{Basis, Begin, EARLY_US, PieceInput, Solution};
use chain::Network;
use model::{StampDate, time};
use std::collections::{BTreeMap, BTreeSet};

/// A run of pieces of one process that must share a zone.
pub(super) struct Segment<'a> {
    pub(super) process: u32,
    pub(super) host: &'a str,
    /// Indices of the solver's input, in order.
    pub(super) pieces: Vec<usize>,
    pub(super) zone: Option<i32>,
    pub(super) basis: Basis,
    /// Zones that explain the clues equally well, the likeliest first.
    pub(super) readings: Vec<Reason>,
    /// The zone is at most this.
    pub(super) bound_us: Option<i64>,
    pub(super) network: Option<&'a Network>,
    pub(super) neighbour: Option<u32>,
    pub(super) alternatives: Vec<Reason>,
}

#[derive(Clone, Debug)]
pub(super) struct Reason {
    pub(super) zone: i32,
    pub(super) residual_us: Option<i64>,
    pub(super) why: String,
    /// The network it supposes, where that is not certain.
    pub(super) network: Option<String>,
}

impl Reason {
    pub(super) fn new(zone: i32, why: &str) -> Reason {
        Reason {
            zone,
            residual_us: None,
            why: why.to_owned(),
            network: None,
        }
    }
}

/// Solves all pieces of a case together. The result has one solution per piece, in order.
///
/// Pure: the same pieces give the same solutions, whichever file a clue came from.
pub fn solve(pieces: &[PieceInput<'_>]) -> Vec<Solution> {
    let mut solutions = pass(pieces, &Collectors::default());
    // A named zone's offset follows from the date, which has to be solved first.
    let dated: Vec<PieceInput<'_>> = pieces
        .iter()
        .zip(&solutions)
        .map(|(piece, solution)| PieceInput {
            given_zone: piece.given_zone.or_else(|| offset_then(piece, solution)),
            ..*piece
        })
        .collect();
    let differs = |(a, b): (&PieceInput<'_>, &PieceInput<'_>)| a.given_zone != b.given_zone;
    let mut pieces = pieces;
    if pieces.iter().zip(&dated).any(differs) {
        pieces = &dated;
        solutions = pass(pieces, &Collectors::default());
    }
    // What some lines of a collection say about its clock dates others of it.
    let collectors = Collectors::new(pieces, &solutions);
    let helps = |(piece, solution): (&PieceInput<'_>, &Solution)| {
        collectors.help(piece, solution).then_some(piece.process)
    };
    let helped: BTreeSet<u32> = pieces.iter().zip(&solutions).filter_map(helps).collect();
    if helped.is_empty() {
        return solutions;
    }
    // Not those that told it: their own reasons stay theirs.
    let sure = pieces
        .iter()
        .zip(&solutions)
        .filter(|(_, solution)| !matches!(solution.basis, Basis::None | Basis::Assumed));
    let sure: BTreeSet<u32> = sure.map(|(piece, _)| piece.process).collect();
    let asking: Vec<PieceInput<'_>> = pieces
        .iter()
        .map(|piece| PieceInput {
            collector: match helped.contains(&piece.process) && !sure.contains(&piece.process) {
                true => piece.collector,
                false => "",
            },
            ..*piece
        })
        .collect();
    pass(&asking, &collectors)
}

/// Returns the offset of the zone that the user named, in the year or on the day that was solved.
fn offset_then(piece: &PieceInput<'_>, solution: &Solution) -> Option<i32> {
    if let Some(year) = solution.year {
        let mut offsets = piece.zones_by_year.iter();
        return offsets
            .find(|(other, _)| *other == year)
            .map(|(_, offset)| *offset);
    }
    offset_on(piece.named_zone?, &piece.first?, solution.day0?)
}

fn pass(pieces: &[PieceInput<'_>], collectors: &Collectors<'_>) -> Vec<Solution> {
    let mut segments = segments(pieces);
    for segment in &mut segments {
        solve_segment(segment, pieces, collectors, None);
    }
    // Where several networks fit a process, or its stamps are of any day, those that other processes of the case
    // are sure of decide.
    let sure: BTreeSet<&str> = segments
        .iter()
        .filter(|segment| {
            segment.basis == Basis::Slot || pieces[segment.pieces[0]].network.is_some()
        })
        .filter_map(|segment| segment.network.map(|network| network.name.as_str()))
        .collect();
    if let [only] = sure.iter().copied().collect::<Vec<_>>()[..] {
        for segment in &mut segments {
            let open = segment.basis == Basis::None
                && segment.network.is_none()
                && (!segment.readings.is_empty() || stands_in_slots(segment, pieces));
            if open {
                segment.readings.clear();
                segment.alternatives.clear();
                solve_segment(segment, pieces, collectors, Some(only));
            }
        }
    }
    daylight_saving(&mut segments, pieces);
    neighbours(&mut segments, pieces);

    let mut solutions = vec![Solution::default(); pieces.len()];
    for segment in &mut segments {
        settle(segment, pieces);
        for &index in &segment.pieces {
            solutions[index] = solve_piece(segment, index, pieces, collectors);
        }
    }
    roll(&mut solutions, pieces, &segments);
    for (solution, piece) in solutions.iter_mut().zip(pieces) {
        finish(solution, piece);
    }
    solutions
}

/// Whether the stamps of a segment stand in slots instead of days.
pub(super) fn stands_in_slots(segment: &Segment<'_>, pieces: &[PieceInput<'_>]) -> bool {
    let first = segment.pieces.iter().find_map(|&index| pieces[index].first);
    first.is_some_and(|stamp| matches!(stamp.date, StampDate::Slot { .. }))
}

/// Whether the stamps of a segment are of any day.
fn is_undated(segment: &Segment<'_>, pieces: &[PieceInput<'_>]) -> bool {
    let first = segment.pieces.iter().find_map(|&index| pieces[index].first);
    first.is_some_and(|stamp| stamp.date == StampDate::None)
}

fn segments<'a>(pieces: &[PieceInput<'a>]) -> Vec<Segment<'a>> {
    let mut segments: Vec<Segment<'a>> = Vec::new();
    let mut last: BTreeMap<u32, usize> = BTreeMap::new();
    for (index, piece) in pieces.iter().enumerate() {
        let same = last
            .get(&piece.process)
            .copied()
            .filter(|_| !matches!(piece.begins, Begin::DaylightSaving | Begin::Clock));
        match same {
            Some(segment) => segments[segment].pieces.push(index),
            None => {
                last.insert(piece.process, segments.len());
                segments.push(Segment {
                    process: piece.process,
                    host: piece.host,
                    pieces: vec![index],
                    zone: None,
                    basis: Basis::None,
                    readings: Vec::new(),
                    bound_us: None,
                    network: None,
                    neighbour: None,
                    alternatives: Vec::new(),
                });
            }
        }
    }
    segments
}

/// Solves the zone of a segment from its own clues; `only` is the network of the case's other processes.
fn solve_segment<'a>(
    segment: &mut Segment<'a>,
    pieces: &[PieceInput<'a>],
    collectors: &Collectors<'_>,
    only: Option<&str>,
) {
    let first = &pieces[segment.pieces[0]];
    let mut networks: Vec<&'a Network> = match first.network {
        Some(network) => vec![network],
        None => first.candidates.iter().collect(),
    };
    if let Some(only) = only {
        networks.retain(|network| network.name == only);
    }
    if let [single] = networks[..] {
        segment.network = Some(single);
    }
    if stands_in_slots(segment, pieces) {
        // Nothing but the network is missing.
        if segment.network.is_none() {
            segment.network = in_slots(segment, pieces, &networks);
        }
        if segment.network.is_some() {
            segment.basis = match first.network_given {
                true => Basis::Given,
                false => Basis::Slot,
            };
        }
        return;
    }
    let written = segment.pieces.iter().find_map(|&index| {
        let piece = &pieces[index];
        let stamps = piece.anchors.iter().map(|anchor| anchor.stamp);
        stamps
            .chain(piece.first)
            .chain(piece.last)
            .find_map(|stamp| stamp.zone_seconds())
    });
    let given = segment
        .pieces
        .iter()
        .find_map(|&index| pieces[index].given_zone);

    let mut found: Vec<(Basis, Reason)> = Vec::new();
    if let Some(zone) = written {
        found.push(match first.by_wrapper {
            true => (Basis::Wrapper, Reason::new(zone, "written by the wrapper")),
            false => (Basis::Written, Reason::new(zone, "written in the lines")),
        });
    }
    if let Some(zone) = given {
        found.push((Basis::Given, Reason::new(zone, "given")));
    }
    if first.by_wrapper {
        let stamp = segment.pieces.iter().find_map(|&index| pieces[index].first);
        if let Some((zone, basis, _)) =
            stamp.and_then(|stamp| collectors.zone(first.collector, &stamp))
        {
            let why = "the wrapper's zone in other lines of this collection";
            found.push((basis, Reason::new(zone, why)));
        }
    } else {
        match wrapper(segment, pieces, collectors) {
            Evidence::Solved(reason) => found.push((Basis::Wrapper, reason)),
            Evidence::Several(reasons) => segment.readings.extend(reasons),
            Evidence::Nothing => {}
        }
    }

    // Slots, under each network that can be meant.
    let alone = networks.len() == 1;
    let mut solved: Vec<(&Network, Reason)> = Vec::new();
    let mut open: Vec<(&Network, Vec<Reason>)> = Vec::new();
    let mut bounds: Vec<(&Network, i64)> = Vec::new();
    for network in networks {
        let (outcome, bound_us) = slots(segment, pieces, network);
        match outcome {
            Evidence::Solved(reason) => solved.push((network, reason)),
            Evidence::Several(reasons) => open.push((network, reasons)),
            Evidence::Nothing => {}
        }
        bounds.extend(bound_us.map(|bound| (network, bound)));
    }
    // A timer fires on time: of several networks, the one whose slots the lines keep to.
    let prompt = |reason: &Reason| {
        let prompt = -200_000..=1_500_000;
        reason.residual_us.is_some_and(|us| prompt.contains(&us))
    };
    if solved.len() > 1 && solved.iter().any(|(_, reason)| prompt(reason)) {
        solved.retain(|(_, reason)| prompt(reason));
    }
    // A time of day fits some network in one case out of ten: alone it names none.
    let certain = alone || !is_undated(segment, pieces);
    match (solved.len(), open.len()) {
        (1, _) if certain => {
            let (network, reason) = solved.remove(0);
            segment.network = Some(network);
            found.push((Basis::Slot, reason));
        }
        (0, 1) if certain => {
            let (network, reasons) = open.remove(0);
            segment.network = Some(network);
            segment.readings.extend(reasons);
        }
        (0, 0) => {}
        _ => {
            solved.sort_by_key(|(_, reason)| reason.residual_us);
            for (network, mut reason) in solved {
                reason.why = format!("{}, if the network is {}", reason.why, network.name);
                reason.network = Some(network.name.clone());
                segment.readings.push(reason);
            }
        }
    }
    // A bound counts only under a network that is certain.
    segment.bound_us = segment.network.and_then(|network| {
        let bound = bounds.iter().find(|(other, _)| other.name == network.name);
        bound.map(|(_, bound)| *bound)
    });

    let mut found = found.into_iter();
    if let Some((basis, reason)) = found.next() {
        segment.zone = Some(reason.zone);
        segment.basis = basis;
        for (_, other) in found.filter(|(_, other)| other.zone != reason.zone) {
            segment.alternatives.push(other);
        }
        let readings = std::mem::take(&mut segment.readings);
        if !readings.is_empty() && readings.iter().all(|other| other.zone != reason.zone) {
            segment.alternatives.extend(readings);
        }
        if let Some(bound_us) = segment.bound_us
            && bound_us < i64::from(reason.zone) * 1_000_000 - EARLY_US
            && basis != Basis::Slot
        {
            let zone = (bound_us.div_euclid(900_000_000) * 900) as i32;
            let why = "objects were received before their slots began in the zone taken";
            segment.alternatives.push(Reason::new(zone, why));
        }
    }
}

/// Ties the segments of one process over steps that look like daylight saving: such a step changes the
/// zone only if both sides are solved so and some place did change then.
fn daylight_saving(segments: &mut [Segment<'_>], pieces: &[PieceInput<'_>]) {
    for index in 1..segments.len() {
        let (head, tail) = segments.split_at_mut(index);
        let after = &mut tail[0];
        if pieces[after.pieces[0]].begins != Begin::DaylightSaving {
            continue;
        }
        let Some(before) = head
            .iter_mut()
            .rev()
            .find(|other| other.process == after.process)
        else {
            continue;
        };
        let sure = |segment: &Segment<'_>| !matches!(segment.basis, Basis::None | Basis::Assumed);
        let stamp = pieces[after.pieces[0]].first;
        let year = pieces[after.pieces[0]].given_year;
        let years: Vec<Option<i32>> = match year {
            Some(year) => vec![Some(year)],
            // The rules hardly change: any year of the chains may show it.
            None => (2020..=2030).map(Some).collect(),
        };
        match (sure(before), sure(after)) {
            (true, true) => {
                let (Some(a), Some(b)) = (before.zone, after.zone) else {
                    continue;
                };
                let place = stamp
                    .is_some_and(|stamp| years.iter().any(|year| can_change(&stamp, *year, a, b)));
                if a != b && !place && before.basis != Basis::Given && after.basis != Basis::Given {
                    for (segment, other) in [(&mut *before, b), (&mut *after, a)] {
                        segment.basis = Basis::Assumed;
                        let why = "the same process before or after a step of its clock";
                        segment.alternatives.push(Reason::new(other, why));
                    }
                }
            }
            (true, false) => inherit(after, before, &years, stamp),
            (false, true) => inherit(before, after, &years, stamp),
            (false, false) => {}
        }
    }
}

/// A segment without clues of its own takes the zone of the other side of a step.
fn inherit<'a>(
    to: &mut Segment<'a>,
    from: &Segment<'a>,
    years: &[Option<i32>],
    stamp: Option<model::Stamp>,
) {
    let Some(zone) = from.zone else { return };
    if !to.readings.is_empty() && to.readings.iter().all(|reading| reading.zone != zone) {
        return;
    }
    to.alternatives.extend(
        std::mem::take(&mut to.readings)
            .into_iter()
            .filter(|reading| reading.zone != zone),
    );
    to.zone = Some(zone);
    to.network = to.network.or(from.network);
    // A gap of an hour is a gap, unless some place of that zone changed its time just then.
    let may_change = stamp.is_none_or(|stamp| {
        [-3600, -1800, 1800, 3600].into_iter().any(|step| {
            years.iter().any(|year| {
                can_change(&stamp, *year, zone, zone + step)
                    || can_change(&stamp, *year, zone + step, zone)
            })
        })
    });
    to.basis = if may_change {
        Basis::Assumed
    } else {
        from.basis
    };
}

/// A restart keeps the host's zone: what a process cannot say, the next one of the same host may.
fn neighbours(segments: &mut [Segment<'_>], pieces: &[PieceInput<'_>]) {
    let mut solved: BTreeMap<&str, Vec<(usize, i32, Basis)>> = BTreeMap::new();
    for (index, segment) in segments.iter().enumerate() {
        if matches!(segment.basis, Basis::Wrapper | Basis::Slot | Basis::Given)
            && !segment.host.is_empty()
            && let Some(zone) = segment.zone
        {
            let host = solved.entry(segment.host).or_default();
            host.push((index, zone, segment.basis));
        }
    }
    for index in 0..segments.len() {
        if segments[index].basis != Basis::None || segments[index].host.is_empty() {
            continue;
        }
        let Some(host) = solved.get(segments[index].host) else {
            continue;
        };
        let (before, after) = host.split_at(host.partition_point(|other| other.0 < index));
        let (before, after) = (before.last().copied(), after.first().copied());
        let candidates: Vec<(usize, i32, Basis)> = before.into_iter().chain(after).collect();
        let fits = |zone: i32| {
            let segment = &segments[index];
            if segment.readings.is_empty() {
                segment
                    .bound_us
                    .is_none_or(|bound| bound >= i64::from(zone) * 1_000_000 - EARLY_US)
            } else {
                segment.readings.iter().any(|reading| reading.zone == zone)
            }
        };
        let fitting: Vec<_> = candidates
            .into_iter()
            .filter(|other| fits(other.1))
            .collect();
        let Some(&(neighbour, zone, basis)) = fitting.first() else {
            continue;
        };
        let agreed = fitting.iter().all(|other| other.1 == zone);
        let near = fitting
            .iter()
            .any(|other| adjacent(&segments[other.0], &segments[index], pieces));
        let by_reading = !segments[index].readings.is_empty();
        let same_file = |a: &Segment<'_>, b: &Segment<'_>| {
            let collector = |segment: &Segment<'_>| {
                let first = segment.pieces.first()?;
                Some(pieces[*first].collector)
            };
            collector(a) == collector(b)
        };
        // Files of one folder may be of many networks.
        let network = segments[neighbour]
            .network
            .filter(|_| near || same_file(&segments[neighbour], &segments[index]));
        let process = segments[neighbour].process;
        let segment = &mut segments[index];
        segment.zone = Some(zone);
        segment.neighbour = Some(process);
        // Without any clue of its own, a process months away may have another daylight saving.
        segment.basis = if agreed && (by_reading || near) {
            basis
        } else {
            Basis::Assumed
        };
        segment.network = segment.network.or(network);
        let others = std::mem::take(&mut segment.readings);
        segment
            .alternatives
            .extend(others.into_iter().filter(|reading| reading.zone != zone));
        for other in fitting.iter().filter(|other| other.1 != zone) {
            let why = "another process of the same host";
            segment.alternatives.push(Reason::new(other.1, why));
        }
    }
}

/// Whether two processes overlap or lie within two days of each other, as far as their stamps tell.
fn adjacent(a: &Segment<'_>, b: &Segment<'_>, pieces: &[PieceInput<'_>]) -> bool {
    const NEAR_US: i64 = 2 * time::MICROS_PER_DAY;
    let ends = |segment: &Segment<'_>| {
        let first = segment.pieces.iter().find_map(|&index| pieces[index].first);
        let last = segment
            .pieces
            .iter()
            .rev()
            .find_map(|&index| pieces[index].last);
        (first, last)
    };
    let dated = |stamp: Option<model::Stamp>| stamp.filter(|stamp| stamp.date != StampDate::None);
    let ((a_first, a_last), (b_first, b_last)) = (ends(a), ends(b));
    let apart =
        |x: Option<model::Stamp>, y: Option<model::Stamp>| distance_us(&dated(x)?, &dated(y)?);
    match (apart(a_last, b_first), apart(b_last, a_first)) {
        // At most one of the two is positive: the gap between them. Both negative: they overlap.
        (Some(one), Some(other)) => one.max(other) <= NEAR_US,
        _ => false,
    }
}

/// Decides what was left open: the likeliest reading, else UTC, and says that it is assumed.
fn settle<'a>(segment: &mut Segment<'a>, pieces: &[PieceInput<'a>]) {
    if segment.basis != Basis::None {
        return;
    }
    segment.basis = Basis::Assumed;
    if segment.readings.is_empty() {
        let mut zone = 0;
        if let Some(bound_us) = segment.bound_us
            && bound_us < -EARLY_US
        {
            // UTC is impossible: objects would have come before their slots.
            zone = ((bound_us + EARLY_US).div_euclid(1_800_000_000) * 1800) as i32;
        }
        segment.zone = Some(zone);
        return;
    }
    let mut readings = std::mem::take(&mut segment.readings);
    let first = readings.remove(0);
    let another = |reading: &Reason| reading.zone != first.zone || reading.network != first.network;
    segment.zone = Some(first.zone);
    let others: Vec<Reason> = readings.iter().filter(|r| another(r)).cloned().collect();
    let stamp = segment.pieces.iter().find_map(|&index| pieces[index].first);
    let dated = stamp.is_none_or(|stamp| matches!(stamp.date, StampDate::Full(_)));
    if segment.network.is_none() && first.network.is_some() && !dated {
        // Neither year nor day is taken from it: the network is a guess.
        segment.alternatives.push(first);
    }
    segment.alternatives.extend(others);
}
