//! Collectors' zones: stamps that a browser, a terminal or a shipper wrote in a zone of its own.
//!
//! A Kibana export is in the browser's zone, `stern` and `logcli` print the local one, journald's short form the
//! host's. One collector wrote all of it: where some lines of a collection are solved by themselves (a
//! beacon node that prints slots), the difference of the two stamps is the collector's zone, and that
//! dates the lines of the others (an execution client that prints none, the kernel).
//!
//! What is only assumed of a program's own stamps (UTC, most often) holds for the stamps around them as well: lines
//! that have no others are dated so, with the same basis. Lines with stamps of their own learn nothing from it.

use super::{AnchorKind, Basis, PieceInput, Solution};
use model::{Stamp, StampDate};
use std::collections::BTreeMap;

/// What is known of collectors' clocks.
#[derive(Default)]
pub(super) struct Collectors<'a> {
    /// One clock per day and zone is enough.
    clocks: BTreeMap<&'a str, BTreeMap<(i64, i32), Clock>>,
}

/// A collector's zone, as one piece told it.
#[derive(Clone, Copy)]
struct Clock {
    zone: i32,
    basis: Basis,
    /// When, on the collector's clock.
    civil_us: i64,
}

impl Clock {
    fn is_sure(&self) -> bool {
        self.basis != Basis::Assumed
    }
}

impl<'a> Collectors<'a> {
    /// Gathers what the solved pieces of a case tell.
    pub(super) fn new(pieces: &[PieceInput<'a>], solutions: &[Solution]) -> Collectors<'a> {
        let mut clocks: BTreeMap<&str, BTreeMap<(i64, i32), Clock>> = BTreeMap::new();
        for (piece, solution) in pieces.iter().zip(solutions) {
            let known = solution.basis != Basis::None;
            let Some(zone) = solution.wrapper_zone_seconds.filter(|_| known) else {
                continue;
            };
            if piece.collector.is_empty() {
                continue;
            }
            let year = solution.wrapper_year.or(solution.year);
            let own = piece.first.filter(|_| piece.by_wrapper);
            let seen = piece.anchors.iter().filter_map(|anchor| match anchor.kind {
                AnchorKind::Wrapper { stamp } => Some(stamp),
                _ => None,
            });
            let civil_us = own
                .into_iter()
                .chain(seen)
                .filter(|stamp| stamp.zone_seconds().is_none())
                .find_map(|stamp| stamp.civil_us().or_else(|| stamp.civil_us_in_year(year?)));
            if let Some(civil_us) = civil_us {
                let clock = Clock {
                    zone,
                    basis: solution.basis.max(Basis::Wrapper),
                    civil_us,
                };
                let day = civil_us.div_euclid(model::time::MICROS_PER_DAY);
                let known = clocks
                    .entry(piece.collector)
                    .or_default()
                    .entry((day, zone))
                    .or_insert(clock);
                known.basis = known.basis.min(clock.basis);
                known.civil_us = known.civil_us.min(clock.civil_us);
            }
        }
        Collectors { clocks }
    }

    /// Whether a piece that says nothing itself may learn from others.
    pub(super) fn help(&self, piece: &PieceInput<'_>, solution: &Solution) -> bool {
        let mut clocks = self.clocks.get(piece.collector).into_iter().flatten();
        matches!(solution.basis, Basis::None | Basis::Assumed)
            && clocks.any(|(_, clock)| clock.is_sure() || piece.by_wrapper)
    }

    /// Returns the collector's zone about the time of a stamp, how it became known, and the stamp's civil time.
    pub(super) fn zone(&self, collector: &str, stamp: &Stamp) -> Option<(i32, Basis, i64)> {
        let clocks = self.clocks.get(collector)?;
        clocks
            .values()
            .filter_map(|clock| Some((clock, near_civil_us(stamp, clock.civil_us)?)))
            .min_by_key(|(clock, civil_us)| {
                let apart = (clock.civil_us - civil_us).abs();
                (!clock.is_sure(), apart, clock.zone)
            })
            .map(|(clock, civil_us)| (clock.zone, clock.basis, civil_us))
    }

    /// Returns the instant of a collector's stamp, if its zone is certain.
    pub(super) fn utc_us(&self, collector: &str, stamp: &Stamp) -> Option<i64> {
        let (zone, basis, civil_us) = self.zone(collector, stamp)?;
        (basis != Basis::Assumed).then(|| civil_us - i64::from(zone) * 1_000_000)
    }
}

/// A stamp's civil time, in the year nearest to another where it writes none.
fn near_civil_us(stamp: &Stamp, near_us: i64) -> Option<i64> {
    match stamp.date {
        StampDate::Full(_) => stamp.civil_us(),
        StampDate::NoYear { .. } => super::fit::civils(stamp, near_us, None)
            .into_iter()
            .map(|(civil_us, ..)| civil_us)
            .min_by_key(|civil_us| (civil_us - near_us).abs()),
        StampDate::Slot { .. } | StampDate::None => None,
    }
}
