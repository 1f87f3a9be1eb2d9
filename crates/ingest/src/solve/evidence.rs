//! The zone of a segment, as its wrappers and its slots tell it.

use super::collect::Collectors;
use super::fit::{Known, Outcome, Populations, Reading, Sample, populations, read};
use super::pieces::scale_us;
use super::solver::{Reason, Segment};
use super::{Anchor, AnchorKind, EARLY_US, FRESH_US, PieceInput, SlotClock, zones};
use chain::Network;
use std::collections::{BTreeMap, BTreeSet};

/// What one kind of evidence says about the zone of a segment.
pub(super) enum Evidence {
    Solved(Reason),
    Several(Vec<Reason>),
    Nothing,
}

/// Zones from wrappers' stamps that know their zone, or whose collector's zone other lines of the case tell, and from
/// fields that hold the present instant.
pub(super) fn wrapper(
    segment: &Segment<'_>,
    pieces: &[PieceInput<'_>],
    collectors: &Collectors<'_>,
) -> Evidence {
    let mut zones: BTreeMap<i32, (usize, i64, &str)> = BTreeMap::new();
    for (index, anchor) in anchors(segment, pieces) {
        let (instant_us, why) = match anchor.kind {
            AnchorKind::Wrapper { stamp } => match stamp.utc_us() {
                Some(utc_us) => (utc_us, "stamps of the wrapper"),
                None => match collectors.utc_us(pieces[index].collector, &stamp) {
                    Some(utc_us) => (utc_us, "stamps of the wrapper, by its zone in other lines"),
                    None => continue,
                },
            },
            AnchorKind::WrittenElsewhere { utc_us } => {
                (utc_us, "times written in the lines' fields")
            }
            _ => continue,
        };
        // The wrapper comes after the line: look from the instant a minute before it.
        let known = Known {
            zone: None,
            year: pieces[index].given_year,
        };
        let from_us = instant_us - FRESH_US + EARLY_US;
        if let Reading::Fresh {
            zone, residual_us, ..
        } = read(&anchor.stamp, from_us, &known, FRESH_US)
        {
            let late_us = FRESH_US - EARLY_US - residual_us;
            let entry = zones.entry(zone).or_insert((0, late_us, why));
            entry.0 += 1;
            entry.1 = entry.1.min(late_us);
        }
    }
    let total: usize = zones.values().map(|(count, ..)| count).sum();
    let mut ranked: Vec<(i32, (usize, i64, &str))> = zones.into_iter().collect();
    ranked.sort_by_key(|(zone, (count, ..))| (std::cmp::Reverse(*count), zone.abs(), *zone));
    let reasons: Vec<Reason> = ranked
        .iter()
        .map(|(zone, (_, late_us, why))| Reason {
            residual_us: Some(*late_us),
            ..Reason::new(*zone, why)
        })
        .collect();
    match ranked.first() {
        None => Evidence::Nothing,
        Some((_, (count, ..))) if count * 10 >= total * 9 => {
            Evidence::Solved(reasons.into_iter().next().expect("one per zone"))
        }
        Some(_) => Evidence::Several(reasons),
    }
}

fn anchors<'a, 's>(
    segment: &'s Segment<'_>,
    pieces: &'s [PieceInput<'a>],
) -> impl Iterator<Item = (usize, &'a Anchor)> + 's {
    segment.pieces.iter().flat_map(move |&index| {
        let anchors: &'a [Anchor] = pieces[index].anchors;
        anchors.iter().map(move |anchor| (index, anchor))
    })
}

/// Returns the network in which stamps that stand in slots agree with their wrappers' instants; `None` unless it is
/// exactly one.
pub(super) fn in_slots<'n>(
    segment: &Segment<'_>,
    pieces: &[PieceInput<'_>],
    networks: &[&'n Network],
) -> Option<&'n Network> {
    let fits = |network: &Network| {
        let clock = SlotClock::of(network);
        let mut lateness = anchors(segment, pieces).filter_map(|(_, anchor)| match anchor.kind {
            AnchorKind::Wrapper { stamp } => Some(stamp.utc_us()? - clock.instant(&anchor.stamp)?),
            _ => None,
        });
        lateness.any(|late_us| (-EARLY_US..=FRESH_US).contains(&late_us))
    };
    let mut fitting = networks.iter().filter(|network| fits(network));
    fitting.next().filter(|_| fitting.next().is_none()).copied()
}

/// When, and by how much, a segment's node says its slot clock is skewed.
struct Skews {
    /// From, to on the stamps' own scale.
    spans: Vec<(i64, i64)>,
    /// In seconds, whole quarter hours and no less (only those can pass for a zone), the most reported first;
    /// those reported less than a third as often are left out.
    offsets: Vec<i32>,
}

/// A roughtime offset is measured hourly; while it is above 2 s, every minute (Prysm from alpha.19). So a warning
/// speaks for what follows until the next can be expected.
fn skews(segment: &Segment<'_>, pieces: &[PieceInput<'_>]) -> Skews {
    const MINUTE_US: i64 = 60_000_000;
    let mut times: Vec<i64> = Vec::new();
    let mut counts: BTreeMap<i32, usize> = BTreeMap::new();
    for (_, anchor) in anchors(segment, pieces) {
        if let AnchorKind::Skew { offset_us } = anchor.kind {
            let rounded = (offset_us + 450_000_000).div_euclid(900_000_000) * 900;
            if rounded != 0 && (offset_us - rounded * 1_000_000).abs() <= 2 * MINUTE_US {
                times.push(scale_us(&anchor.stamp));
                *counts.entry(rounded as i32).or_default() += 1;
            }
        }
    }
    times.sort_unstable();
    let most = counts.values().copied().max().unwrap_or(0);
    let mut offsets: Vec<(i32, usize)> = counts
        .into_iter()
        .filter(|(_, count)| count * 3 >= most)
        .collect();
    offsets.sort_by_key(|(offset, count)| (std::cmp::Reverse(*count), *offset));
    let offsets = offsets.into_iter().map(|(offset, _)| offset).collect();
    // Of a client that measures every minute while it is off, some reports lie close together; any other is
    // heard of again within the hour, or is right by then.
    let pauses = || times.windows(2).map(|pair| pair[1] - pair[0]);
    let often = times.len() >= 4 && pauses().all(|pause| pause <= 15 * MINUTE_US);
    let tail = if often {
        (2 * pauses().max().unwrap_or(0)).max(15 * MINUTE_US)
    } else {
        70 * MINUTE_US
    };
    let spans = times
        .iter()
        .map(|at| (at - 2 * MINUTE_US, at + tail))
        .collect();
    Skews { spans, offsets }
}

/// The zone by slots, under one network, and the bound that received objects set to it.
pub(super) fn slots(
    segment: &Segment<'_>,
    pieces: &[PieceInput<'_>],
    network: &Network,
) -> (Evidence, Option<i64>) {
    let skews = skews(segment, pieces);
    let samples: Vec<Sample<'_>> = anchors(segment, pieces)
        .map(|(piece, anchor)| {
            let at = scale_us(&anchor.stamp);
            let suspect = skews
                .spans
                .iter()
                .any(|(from, to)| (*from..=*to).contains(&at));
            Sample {
                piece,
                anchor,
                suspect,
            }
        })
        .collect();
    // Written zones bind; a given zone does not: it is compared.
    let known = |index: usize| Known {
        zone: None,
        year: pieces[index].given_year,
    };
    let received = |sample: &Sample<'_>| matches!(sample.anchor.kind, AnchorKind::Received { .. });
    let wall = |bent: bool| move |sample: &Sample<'_>| matches!(sample.anchor.kind, AnchorKind::WallSlot { bendable, .. } if bendable == bent);
    let reason = |populations: &Populations, zone: i32, why: &str| Reason {
        residual_us: populations
            .zones
            .get(&zone)
            .map(|population| population.residual_us),
        ..Reason::new(zone, why)
    };

    // 1. What was received while nothing was said to be wrong.
    let clean = populations(
        samples
            .iter()
            .copied()
            .filter(|sample| received(sample) && !sample.suspect),
        network,
        known,
    );
    let all = populations(samples.iter().copied().filter(received), network, known);
    let bound_us = if skews.offsets.is_empty() {
        all.bound_us()
    } else {
        clean.bound_us()
    };
    let mut clean_outcome = clean.weigh();
    let syncing = anchors(segment, pieces).any(|(_, anchor)| anchor.kind == AnchorKind::Syncing);
    if let Outcome::Solved(zone) = clean_outcome
        && clean.windows.len() == 1
        && syncing
    {
        clean_outcome = Outcome::Doubtful(zone);
    }
    // Beside a skew, one moment taken for clean may be its ragged edge.
    let enough = skews.offsets.is_empty() || clean.windows.len() >= 2;
    if let Outcome::Solved(zone) = clean_outcome
        && enough
    {
        return (
            Evidence::Solved(reason(&clean, zone, "received objects")),
            bound_us,
        );
    }
    // 2. All that was received, knowing that some of it may have been made hours ahead of time.
    if !skews.offsets.is_empty() {
        let mut readings: Vec<Reason> = Vec::new();
        let mut both: Vec<i32> = Vec::new();
        for skew in &skews.offsets {
            for (zone, population) in &all.zones {
                let lower = all.zones.get(&(zone - skew));
                if population.windows.len() >= 2
                    && lower.is_some_and(|lower| lower.windows.len() >= 2)
                {
                    both.push(*zone);
                }
            }
        }
        if let [zone] = both[..] {
            // Honest objects and those made by peers with the same skew, side by side.
            return (
                Evidence::Solved(reason(
                    &all,
                    zone,
                    "received objects, beside others made with the node's own skew",
                )),
                bound_us,
            );
        }
        let zones = match all.weigh() {
            Outcome::Solved(zone) | Outcome::Doubtful(zone) => vec![zone],
            Outcome::Several(zones) => zones,
            Outcome::Nothing => Vec::new(),
        };
        for zone in zones {
            readings.push(reason(
                &all,
                zone,
                "received objects, if their makers' clocks were right",
            ));
            for skew in &skews.offsets {
                let other = zone + skew;
                if zones::is_used_offset(other) {
                    let why = "received objects, if their makers had the skew this node reports";
                    readings.push(Reason {
                        zone: other,
                        ..reason(&all, zone, why)
                    });
                }
            }
        }
        dedup(&mut readings);
        match readings.len() {
            0 => {}
            1 => return (Evidence::Solved(readings.remove(0)), bound_us),
            _ => return (Evidence::Several(readings), bound_us),
        }
    } else if let Outcome::Several(zones) = clean_outcome {
        let readings = zones
            .iter()
            .map(|zone| reason(&clean, *zone, "received objects of several times"))
            .collect();
        return (Evidence::Several(readings), bound_us);
    }
    // 3. Wall slots of clients that cannot bend them.
    let straight = populations(samples.iter().copied().filter(wall(false)), network, known);
    let straight_zones = match straight.weigh() {
        Outcome::Solved(zone) | Outcome::Doubtful(zone) => {
            return (
                Evidence::Solved(reason(&straight, zone, "wall slots")),
                bound_us,
            );
        }
        Outcome::Several(zones) => zones,
        Outcome::Nothing => Vec::new(),
    };
    if !straight_zones.is_empty() {
        let readings = straight_zones
            .iter()
            .map(|zone| reason(&straight, *zone, "wall slots"))
            .collect();
        return (Evidence::Several(readings), bound_us);
    }
    if let Outcome::Doubtful(zone) = clean_outcome {
        // An object alone, which may be hours old: then the stamps are of any zone west of this.
        let mut readings = vec![reason(
            &clean,
            zone,
            "one received object, if it was a fresh one",
        )];
        if zone > 0 {
            let stale = "UTC, if the one object that was received was an old one";
            readings.insert(0, Reason::new(0, stale));
        }
        return (Evidence::Several(readings), bound_us);
    }
    // 4. Wall slots that may be bent give readings, never a solution.
    let bent = populations(samples.iter().copied().filter(wall(true)), network, known);
    let zones = match bent.weigh() {
        Outcome::Solved(zone) | Outcome::Doubtful(zone) => vec![zone],
        Outcome::Several(zones) => zones,
        Outcome::Nothing => Vec::new(),
    };
    let mut readings = Vec::new();
    for skew in &skews.offsets {
        for zone in bent.zones.keys() {
            if bent.zones.contains_key(&(zone - skew)) {
                let why = "wall slots, before or after and during the skew the node reports";
                readings.push(reason(&bent, *zone, why));
            }
        }
    }
    for zone in zones {
        for skew in &skews.offsets {
            if zones::is_used_offset(zone + skew) {
                let mut ahead = reason(
                    &bent,
                    zone,
                    "wall slots, ahead by the skew the node reports",
                );
                ahead.zone = zone + skew;
                readings.push(ahead);
            }
        }
        readings.push(reason(
            &bent,
            zone,
            "wall slots, if the slot clock was right",
        ));
        if zone != 0 {
            let mut skewed = reason(
                &bent,
                zone,
                "wall slots, if the stamps are UTC and the slot clock was off",
            );
            skewed.zone = 0;
            readings.push(skewed);
        }
    }
    dedup(&mut readings);
    if readings.is_empty() {
        (Evidence::Nothing, bound_us)
    } else {
        (Evidence::Several(readings), bound_us)
    }
}

/// Keeps the first reading of each zone.
fn dedup(readings: &mut Vec<Reason>) {
    let mut seen = BTreeSet::new();
    readings.retain(|reading| seen.insert(reading.zone));
}
