//! How one clue, and how many together, fit a zone.

use super::{Anchor, AnchorKind, EARLY_US, FRESH_US, zones};
use chain::Network;
use model::{Stamp, StampDate, time};
use std::collections::{BTreeMap, BTreeSet};

/// What is already known about a stamp.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    pub(super) zone: Option<i32>,
    pub(super) year: Option<i32>,
}

/// A stamp read against an instant that it should lie shortly after.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reading {
    /// It does, in this zone.
    Fresh {
        zone: i32,
        residual_us: i64,
        year: Option<i32>,
        day: Option<i32>,
    },
    /// It lies later in every zone: `delta_us` bounds the zone from above.
    Late { delta_us: i64, year: Option<i32> },
    /// It lies before the instant, whatever the zone.
    Early,
    /// Nothing can be said: a stamp without date that fits no zone, or a date that does not exist.
    Nothing,
}

/// How late, or early, the only object of a log may be and still be believed: gossip brings a block within the first
/// seconds of its slot, and a stale one looks this fresh in some zone once in two hundred times.
const LONE_US: std::ops::RangeInclusive<i64> = -2_000_000..=8_000_000;
const DAY_US: i64 = time::MICROS_PER_DAY;
/// How far beyond [`EARLY_US`] a line may come before the slot it prints: together, more than a slot.
const AHEAD_US: i64 = 5_000_000;
/// The westernmost offset.
const WEST_US: i64 = -12 * 3_600_000_000;

/// Reads a stamp against an instant; `late_us` is how far after it a fresh stamp may lie.
pub(super) fn read(stamp: &Stamp, instant_us: i64, known: &Known, late_us: i64) -> Reading {
    let zone = stamp.zone_seconds().or(known.zone);
    let mut best: Option<(i32, Reading)> = None;
    let mut late: Option<(i64, Option<i32>)> = None;
    let mut any = false;
    for (civil_us, year, day) in civils(stamp, instant_us, known.year) {
        any = true;
        let delta_us = civil_us - instant_us;
        let fits = match zone {
            Some(zone) => {
                let residual = delta_us - i64::from(zone) * 1_000_000;
                (-EARLY_US..=late_us)
                    .contains(&residual)
                    .then_some((zone, residual))
            }
            None => zones::offset_below(delta_us, EARLY_US, late_us),
        };
        if let Some((zone, residual_us)) = fits {
            // Of +13:00 and -11:00 on a stamp without date: the same instant either way.
            let rank = zone.abs() * 2 - i32::from(zone > 0);
            if best.is_none_or(|(other, _)| rank < other) {
                best = Some((
                    rank,
                    Reading::Fresh {
                        zone,
                        residual_us,
                        year,
                        day,
                    },
                ));
            }
        }
        let earliest = zone.map_or(WEST_US, |zone| i64::from(zone) * 1_000_000) - EARLY_US;
        if day.is_none() && delta_us >= earliest && late.is_none_or(|(least, _)| delta_us < least) {
            late = Some((delta_us, year));
        }
    }
    match (best, late) {
        (Some((_, reading)), _) => reading,
        (None, Some((delta_us, year))) => Reading::Late { delta_us, year },
        (None, None) if any && stamp.date != StampDate::None => Reading::Early,
        (None, None) => Reading::Nothing,
    }
}

/// Returns the civil times a stamp can mean around an instant, with the year or day supplied.
pub(super) fn civils(
    stamp: &Stamp,
    around_us: i64,
    known_year: Option<i32>,
) -> Vec<(i64, Option<i32>, Option<i32>)> {
    let day = around_us.div_euclid(DAY_US) as i32;
    match stamp.date {
        StampDate::Full(_) => stamp
            .civil_us()
            .map(|civil| (civil, None, None))
            .into_iter()
            .collect(),
        StampDate::NoYear {
            month,
            day: of_month,
        } => {
            let (year, _, _) = time::civil_from_days(day);
            let reach = if (month, of_month) == (2, 29) { 8 } else { 1 };
            known_year
                .map_or(year - reach..=year + reach, |year| year..=year)
                .filter_map(|year| Some((stamp.civil_us_in_year(year)?, Some(year), None)))
                .collect()
        }
        StampDate::Slot { .. } => Vec::new(),
        StampDate::None => (day - 1..=day + 1)
            .map(|day| {
                (
                    i64::from(day) * DAY_US + stamp.micros_of_day(),
                    None,
                    Some(day),
                )
            })
            .collect(),
    }
}

/// Anchors that agree on a zone.
#[derive(Clone, Debug, Default)]
pub(super) struct Population {
    /// Windows of ten minutes in which one of them stands.
    pub(super) windows: BTreeSet<(usize, i64)>,
    /// The smallest residual.
    pub(super) residual_us: i64,
}

/// Anchors of one kind of a segment, sorted by the zone they fit.
#[derive(Clone, Debug, Default)]
pub(super) struct Populations {
    pub(super) zones: BTreeMap<i32, Population>,
    /// All windows with an anchor, fitting or not.
    pub(super) windows: BTreeSet<(usize, i64)>,
    /// The lowest `stamp - instant`, and the windows it is needed for.
    pub(super) deltas: Vec<((usize, i64), i64)>,
    /// Windows with anchors that precede their instant in every zone.
    pub(super) impossible: BTreeSet<(usize, i64)>,
    /// Whether received objects stand beside stamps without date.
    pub(super) undated: bool,
    /// By how much more than [`EARLY_US`] these may come before their instant.
    pub(super) ahead_us: i64,
}

/// What the populations say together.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    /// One zone.
    Solved(i32),
    /// Several, the likeliest first.
    Several(Vec<i32>),
    /// One object alone says this zone, but it may be an old one.
    Doubtful(i32),
    /// None.
    Nothing,
}

/// An instant to read a stamp against.
#[derive(Clone, Copy, Debug)]
pub(super) struct Instant {
    pub(super) from_us: i64,
    /// How long after it the stamp may lie.
    pub(super) late_us: i64,
    /// What to take off a residual.
    pub(super) shift_us: i64,
}

/// A clue with the piece it belongs to (an index of the solver's input).
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample<'a> {
    pub(super) piece: usize,
    pub(super) anchor: &'a Anchor,
    /// Whether it was written while the node reported a skewed slot clock.
    pub(super) suspect: bool,
}

impl Sample<'_> {
    pub(super) fn window(&self) -> (usize, i64) {
        let scale = super::pieces::scale_us(&self.anchor.stamp);
        (self.piece, scale.div_euclid(600_000_000))
    }

    /// Returns the instant that the stamp should lie shortly after.
    pub(super) fn instant(&self, network: &Network) -> Option<Instant> {
        // Logs print absurd slots; nothing before the networks began or after 2100 is a time.
        let start = |slot: i64| {
            let us = network.slot_start_us(slot);
            (slot >= 0 && us < 4_102_444_800_000_000).then_some(us)
        };
        match self.anchor.kind {
            AnchorKind::Received { slot } => Some(Instant {
                from_us: start(slot)?,
                late_us: FRESH_US,
                shift_us: 0,
            }),
            // A timer is late by moments, not by the way through a network; but a line may print the slot that
            // is about to begin.
            AnchorKind::WallSlot { slot, phase_us, .. } => Some(Instant {
                from_us: start(slot)? + phase_in(network.seconds_per_slot, phase_us) - AHEAD_US,
                late_us: FRESH_US / 4 + AHEAD_US,
                shift_us: AHEAD_US,
            }),
            _ => None,
        }
    }
}

/// How far into a slot of this length a client's timer speaks. Timers run at a third, the half or two
/// thirds of a slot, which formats tell as 4, 6 or 8 of 12 seconds; a phase that a line measured itself
/// is not a whole number of them and stays.
fn phase_in(seconds_per_slot: i64, phase_us: i64) -> i64 {
    if phase_us % 2_000_000 == 0 {
        phase_us * seconds_per_slot / 12
    } else {
        phase_us
    }
}

/// Sorts samples by the zone in which they are fresh.
pub(super) fn populations<'a>(
    samples: impl Iterator<Item = Sample<'a>>,
    network: &Network,
    known: impl Fn(usize) -> Known,
) -> Populations {
    let mut all = Populations::default();
    for sample in samples {
        let Some(instant) = sample.instant(network) else {
            continue;
        };
        let window = sample.window();
        all.ahead_us = all.ahead_us.max(instant.shift_us);
        all.undated |= sample.anchor.stamp.date == StampDate::None
            && matches!(sample.anchor.kind, AnchorKind::Received { .. });
        match read(
            &sample.anchor.stamp,
            instant.from_us,
            &known(sample.piece),
            instant.late_us,
        ) {
            Reading::Fresh {
                zone,
                residual_us,
                day,
                ..
            } => {
                let residual_us = residual_us - instant.shift_us;
                all.windows.insert(window);
                if day.is_none() {
                    all.deltas
                        .push((window, i64::from(zone) * 1_000_000 + residual_us));
                }
                let population = all.zones.entry(zone).or_insert(Population {
                    windows: BTreeSet::new(),
                    residual_us,
                });
                population.windows.insert(window);
                population.residual_us = population.residual_us.min(residual_us);
            }
            Reading::Late { delta_us, .. } => {
                all.windows.insert(window);
                all.deltas.push((window, delta_us - instant.shift_us));
            }
            Reading::Early => {
                all.impossible.insert(window);
            }
            Reading::Nothing => {
                all.windows.insert(window);
            }
        }
    }
    all
}

impl Populations {
    /// Returns the lowest bound on the zone.
    pub(super) fn bound_us(&self) -> Option<i64> {
        self.deltas.iter().map(|(_, delta)| *delta).min()
    }

    /// Weighs the populations.
    ///
    /// The largest wins, of equal ones the lowest (the lower envelope). It does not stand alone when
    /// objects precede their slots in it (more than one window in ten), or when another zone has at
    /// least three windows and a quarter of its support: that is daylight saving, a step, or blocks
    /// made ahead of time. One fresh window among stale ones may be chance; one alone is taken if its
    /// object came within its own slot.
    pub(super) fn weigh(&self) -> Outcome {
        let Some((zone, main)) = self
            .zones
            .iter()
            .max_by_key(|(zone, population)| (population.windows.len(), -**zone))
        else {
            return Outcome::Nothing;
        };
        let (zone, support) = (*zone, main.windows.len());
        if self.impossible.len() > support {
            return Outcome::Nothing;
        }
        let floor = i64::from(zone) * 1_000_000 - EARLY_US - self.ahead_us;
        let early: BTreeSet<(usize, i64)> = self
            .deltas
            .iter()
            .filter(|(_, delta)| *delta < floor)
            .map(|(window, _)| *window)
            .chain(self.impossible.iter().copied())
            .collect();
        let contradicted = early.len() * 10 > support;
        let mut readings = vec![zone];
        for (other, population) in &self.zones {
            let count = population.windows.len();
            let strong = count >= 3 && count * 4 >= support;
            if *other != zone && (strong || (contradicted && *other < zone)) {
                readings.push(*other);
            }
        }
        if readings.len() > 1 || contradicted {
            return Outcome::Several(readings);
        }
        let total = self.windows.len();
        // A stamp without date fits some zone once in forty times, however stale its object.
        let alone = total == 1 && !self.undated && LONE_US.contains(&main.residual_us);
        if alone || support >= 3 || (support == 2 && total <= 6) {
            Outcome::Solved(zone)
        } else if total == 1 && !self.undated {
            Outcome::Doubtful(zone)
        } else {
            Outcome::Nothing
        }
    }
}
