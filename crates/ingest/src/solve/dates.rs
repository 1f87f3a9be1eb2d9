//! Years and days, once the zone of a segment is settled; and the wrapper's own clock.

use super::collect::Collectors;
use super::fit::{Instant, Known, Reading, Sample, read};
use super::pieces::{distance_us, next_year};
use super::solver::{Reason, Segment};
use super::{
    Alternative, AnchorKind, Basis, Begin, EARLY_US, FRESH_US, PieceInput, SlotClock, Solution,
    utc_us,
};
use model::{Stamp, StampDate, time};
use std::collections::BTreeMap;

/// Solves year and day of a piece in the zone of its segment.
pub(super) fn solve_piece(
    segment: &Segment<'_>,
    index: usize,
    pieces: &[PieceInput<'_>],
    collectors: &Collectors<'_>,
) -> Solution {
    let piece = &pieces[index];
    let known = Known {
        zone: segment.zone,
        year: piece.given_year,
    };
    let mut year = piece.given_year;
    let mut day0 = None;
    let mut date_basis = if year.is_some() {
        Basis::Given
    } else {
        Basis::None
    };
    // By how much a clue tells: received objects before wall slots, straight ones before bent.
    let mut best: Option<(u8, i64)> = None;
    let mut used: Vec<(u8, i64, u64)> = Vec::new();
    let mut fits: BTreeMap<(Option<i32>, Option<i32>), (usize, Basis)> = BTreeMap::new();

    for anchor in piece.anchors {
        let sample = Sample {
            piece: index,
            anchor,
            suspect: false,
        };
        let about = |utc_us: i64| Instant {
            from_us: utc_us - FRESH_US + EARLY_US,
            late_us: FRESH_US,
            shift_us: 0,
        };
        let (instant, basis) = match anchor.kind {
            AnchorKind::Wrapper { stamp } => {
                let told = || collectors.utc_us(piece.collector, &stamp);
                match stamp.utc_us().or_else(told) {
                    Some(utc_us) => (about(utc_us), Basis::Wrapper),
                    None => continue,
                }
            }
            AnchorKind::WrittenElsewhere { utc_us } => (about(utc_us), Basis::Wrapper),
            _ => match segment.network.and_then(|network| sample.instant(network)) {
                Some(instant) => (instant, Basis::Slot),
                None => continue,
            },
        };
        match read(&anchor.stamp, instant.from_us, &known, instant.late_us) {
            Reading::Fresh {
                residual_us,
                year,
                day,
                ..
            } => {
                let count = fits.entry((year, day)).or_insert((0, basis));
                count.0 += 1;
                count.1 = count.1.min(basis);
                let residual_us = if basis == Basis::Wrapper {
                    FRESH_US - EARLY_US - residual_us
                } else {
                    residual_us - instant.shift_us
                };
                // The residual shown is that of the clue the zone rests on.
                if basis == segment.basis || !matches!(segment.basis, Basis::Wrapper | Basis::Slot)
                {
                    let worth = match anchor.kind {
                        AnchorKind::Received { .. } => 1,
                        AnchorKind::WallSlot {
                            bendable: false, ..
                        } => 2,
                        AnchorKind::WallSlot { .. } => 3,
                        _ => 0,
                    };
                    best = Some(
                        best.map_or((worth, residual_us), |best| best.min((worth, residual_us))),
                    );
                    used.push((worth, residual_us, anchor.line));
                }
            }
            // A stale object of a year-less log still fixes its year, unless something fresh does.
            Reading::Late {
                year: Some(year), ..
            } if basis == Basis::Slot => {
                fits.entry((Some(year), None)).or_insert((0, basis));
            }
            _ => {}
        }
    }
    if date_basis == Basis::None
        && let Some(((fit_year, fit_day), (_, basis))) = fits
            .iter()
            .max_by_key(|((year, day), (count, _))| (*count, std::cmp::Reverse((*year, *day))))
    {
        year = *fit_year;
        day0 = *fit_day;
        if year.is_some() || day0.is_some() {
            date_basis = *basis;
        }
    } else if let Some(((_, day), _)) = fits.iter().max_by_key(|(_, (count, _))| *count) {
        day0 = *day;
    }
    if date_basis == Basis::None
        && let Some((wrapper_year, wrapper_day)) = wrapper_date(piece)
    {
        (year, day0) = (wrapper_year, wrapper_day);
        date_basis = Basis::Wrapper;
    }
    // Of a program without stamps all is the collector's, its year too.
    if date_basis == Basis::None
        && piece.by_wrapper
        && let Some(stamp) = piece.first
        && matches!(stamp.date, StampDate::NoYear { .. })
        && let Some((_, basis, civil_us)) = collectors.zone(piece.collector, &stamp)
    {
        let day = civil_us.div_euclid(time::MICROS_PER_DAY) as i32;
        year = Some(time::civil_from_days(day).0);
        date_basis = basis;
    }
    used.sort_unstable();
    if let Some((worth, _)) = best {
        used.retain(|clue| clue.0 == worth);
    }
    used.truncate(8);
    let mut used: Vec<u64> = used.into_iter().map(|(.., line)| line).collect();
    used.sort_unstable();
    used.dedup();
    Solution {
        zone_seconds: segment.zone,
        year,
        day0,
        // Completed by `roll` and `finish`; until then the two halves are kept apart.
        basis: if needs_date(piece) {
            segment.basis.max(date_basis)
        } else {
            segment.basis
        },
        residual_s: best.map(|(_, us)| us as f64 / 1e6),
        network: segment.network.map(|network| network.name.clone()),
        neighbour: segment.neighbour,
        by_wrapper: piece.by_wrapper,
        slot_clock: segment
            .network
            .filter(|_| stamp_of(piece).is_some_and(|s| matches!(s.date, StampDate::Slot { .. })))
            .map(SlotClock::of),
        alternatives: segment
            .alternatives
            .iter()
            .map(|reason| alternative(reason, piece))
            .collect(),
        used,
        ..Solution::default()
    }
}

/// Another reading, with the year or day that it means.
fn alternative(reason: &Reason, piece: &PieceInput<'_>) -> Alternative {
    let network = reason.network.as_deref().and_then(|name| {
        let mut candidates = piece.candidates.iter();
        candidates.find(|network| network.name == name)
    });
    let known = Known {
        zone: Some(reason.zone),
        year: piece.given_year,
    };
    let date = network.and_then(|network| {
        piece.anchors.iter().find_map(|anchor| {
            let sample = Sample {
                piece: 0,
                anchor,
                suspect: false,
            };
            let instant = sample.instant(network)?;
            match read(&anchor.stamp, instant.from_us, &known, instant.late_us) {
                Reading::Fresh { year, day, .. } => Some((year, day)),
                _ => None,
            }
        })
    });
    let (year, day) = date.unwrap_or_default();
    Alternative {
        zone_seconds: Some(reason.zone),
        year,
        day,
        network: reason.network.clone(),
        why: reason.why.clone(),
        residual_s: reason.residual_us.map(|us| us as f64 / 1e6),
    }
}

fn stamp_of(piece: &PieceInput<'_>) -> Option<Stamp> {
    piece
        .first
        .or(piece.anchors.first().map(|anchor| anchor.stamp))
}

fn needs_date(piece: &PieceInput<'_>) -> bool {
    stamp_of(piece)
        .is_some_and(|stamp| matches!(stamp.date, StampDate::NoYear { .. } | StampDate::None))
}

/// Year, or day, from a wrapper that writes a full date without a zone: the nearest.
fn wrapper_date(piece: &PieceInput<'_>) -> Option<(Option<i32>, Option<i32>)> {
    piece.anchors.iter().find_map(|anchor| {
        let AnchorKind::Wrapper { stamp: wrapper } = anchor.kind else {
            return None;
        };
        let StampDate::Full(day) = wrapper.date else {
            return None;
        };
        let civil = wrapper.civil_us()?;
        match anchor.stamp.date {
            StampDate::NoYear { .. } => {
                let (year, _, _) = time::civil_from_days(day);
                (year - 1..=year + 1)
                    .filter_map(|year| Some((anchor.stamp.civil_us_in_year(year)?, year)))
                    .min_by_key(|(us, _)| (us - civil).abs())
                    .map(|(_, year)| (Some(year), None))
            }
            StampDate::None => (day - 1..=day + 1)
                .min_by_key(|day| {
                    (i64::from(*day) * time::MICROS_PER_DAY + anchor.stamp.micros_of_day() - civil)
                        .abs()
                })
                .map(|day| (None, Some(day))),
            StampDate::Full(_) | StampDate::Slot { .. } => None,
        }
    })
}

/// Processes this close are taken to follow each other.
const NEAR_US: i64 = 2 * time::MICROS_PER_DAY;

/// Carries year and day over to pieces that have none: along a process by its roll-overs, then, for years
/// only and as an assumption, to the next process of the host.
pub(super) fn roll(
    solutions: &mut [Solution],
    pieces: &[PieceInput<'_>],
    segments: &[Segment<'_>],
) {
    let mut processes: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    let mut hosts: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut zone_basis = vec![Basis::None; pieces.len()];
    for segment in segments {
        for &index in &segment.pieces {
            zone_basis[index] = segment.basis;
        }
    }
    for (index, piece) in pieces.iter().enumerate() {
        processes.entry(piece.process).or_default().push(index);
        if !piece.host.is_empty() {
            hosts.entry(piece.host).or_default().push(index);
        }
    }
    let step = |solution: &Solution, begins: Begin, direction: i32| {
        let years = i32::from(begins == Begin::Year) * direction;
        let days = i32::from(begins == Begin::Day) * direction;
        (
            solution.year.map(|year| year + years),
            solution.day0.map(|day| day + days),
        )
    };
    let carry = |solutions: &mut [Solution],
                 from: usize,
                 to: usize,
                 begins: Begin,
                 direction: i32,
                 weakest: Basis| {
        let (year, day) = step(&solutions[from], begins, direction);
        let known = |solution: &Solution| solution.year.is_some() || solution.day0.is_some();
        if known(&solutions[to]) || !known(&solutions[from]) || !needs_date(&pieces[to]) {
            return;
        }
        let basis = solutions[from].basis.max(weakest).max(zone_basis[to]);
        let day = day.filter(|_| pieces[from].by_wrapper == pieces[to].by_wrapper);
        if year.is_none() && day.is_none() {
            return;
        }
        let target = &mut solutions[to];
        target.year = year.map(|year| next_year(year, pieces[to].first.as_ref()));
        target.day0 = day;
        target.basis = basis;
    };
    let jump = |begins: Begin| {
        if begins == Begin::Jump {
            Basis::Assumed
        } else {
            Basis::Written
        }
    };
    for indices in processes.values() {
        for pair in indices.windows(2) {
            let begins = pieces[pair[1]].begins;
            carry(solutions, pair[0], pair[1], begins, 1, jump(begins));
        }
        for pair in indices.windows(2).rev() {
            let begins = pieces[pair[1]].begins;
            carry(solutions, pair[1], pair[0], begins, -1, jump(begins));
        }
    }
    // Over restarts: the year goes on, or up by one where the stamps went back. Only the lines of one
    // file are known to follow each other; another file's year is taken where their days meet.
    for indices in hosts.values() {
        let order = |a: usize, b: usize| {
            let (Some(last), Some(first)) = (pieces[a].last, pieces[b].first) else {
                return None;
            };
            if !matches!(first.date, StampDate::NoYear { .. }) {
                return None;
            }
            if pieces[a].collector != pieces[b].collector {
                let gap = distance_us(&last, &first)?;
                let other_gap = distance_us(&pieces[b].last?, &pieces[a].first?)?;
                // Both negative: they overlap.
                return (gap.max(other_gap) <= NEAR_US).then_some(Begin::Process);
            }
            let forward = distance_us(&last, &first)?;
            Some(if forward < -NEAR_US {
                Begin::Year
            } else {
                Begin::Process
            })
        };
        for pair in indices.windows(2) {
            if let Some(begins) = order(pair[0], pair[1]) {
                carry(solutions, pair[0], pair[1], begins, 1, Basis::Assumed);
            }
        }
        for pair in indices.windows(2).rev() {
            if let Some(begins) = order(pair[0], pair[1]) {
                carry(solutions, pair[1], pair[0], begins, -1, Basis::Assumed);
            }
        }
    }
}

/// Says `none` where no instant follows, and solves the wrapper's own clock.
pub(super) fn finish(solution: &mut Solution, piece: &PieceInput<'_>) {
    let complete = match stamp_of(piece).map(|stamp| stamp.date) {
        Some(StampDate::NoYear { .. }) => solution.year.is_some(),
        Some(StampDate::None) => solution.day0.is_some(),
        Some(StampDate::Slot { .. }) => solution.slot_clock.is_some(),
        _ => true,
    };
    if !complete {
        solution.basis = Basis::None;
    }
    if piece.by_wrapper {
        solution.wrapper_zone_seconds = solution.zone_seconds;
        solution.wrapper_year = solution.year;
        solution.wrapper_day = solution.day0;
        return;
    }
    // The wrapper's own clock: the zone that most of its stamps have against the lines'.
    let mut zones: BTreeMap<i32, (usize, Option<i32>)> = BTreeMap::new();
    for anchor in piece.anchors {
        let AnchorKind::Wrapper { stamp } = anchor.kind else {
            continue;
        };
        let Some(utc) = utc_us(solution, &anchor.stamp) else {
            continue;
        };
        if let Reading::Fresh { zone, year, .. } = read(&stamp, utc, &Known::default(), FRESH_US) {
            zones.entry(zone).or_insert((0, year)).0 += 1;
        }
    }
    let most = zones
        .into_iter()
        .max_by_key(|(zone, (count, _))| (*count, -zone.abs(), *zone));
    if let Some((zone, (_, year))) = most {
        solution.wrapper_zone_seconds = Some(zone);
        solution.wrapper_year = year;
    }
}
