//! Solving years, dates and zones of stamps: a pure function of the clues in a case.
//!
//! A log line writes a civil time, often without zone, sometimes without year or date. What is
//! missing is *solved* from clues ([`Anchor`]), never taken from today's date or this machine. The rules
//! are `foundations.md` §2:
//!
//! 1. what the line writes itself;
//! 2. stamps of a wrapper that knows its zone;
//! 3. received objects: a block of slot `s` is not seen before `s` starts, and gossip brings it within
//!    seconds, so the lower envelope of `stamp - slot start` is the zone plus a small residual;
//! 4. wall-slot lines, only of clients that cannot bend their slot clock ([`can_bend`]): Prysm before 22
//!    September 2020 followed roughtime, and its +4 h is a whole number of quarter hours, so that a
//!    naive rule would "solve" the Medalla incident away as a zone of -04:00;
//! 5. the other processes of the same host: a restart keeps the host's zone;
//! 6. assumption (UTC), and it says so.
//!
//! What a user gives wins over 2 to 6; what then contradicts it stands in the alternatives. If two
//! readings explain the lines equally well, both are kept and the basis is [`Basis::Assumed`].
//!
//! **Being right beats being complete.** A zone is accepted only when objects arrived within
//! [`FRESH_US`] of their slot's start in that zone, which must be an offset that some place on earth uses;
//! blocks of an initial sync are days old and only bound the zone. A node that itself reports a skewed
//! slot clock ([`AnchorKind::Skew`]) may have heard blocks of equally skewed peers, made for slots
//! hours ahead: what it received while skewed counts only where nothing else speaks.
//!
//! # How a pipeline calls this
//!
//! ```
//! use ingest::solve::{Anchor, AnchorKind, AnchorSet, Clue, PieceInput, Pieces, solve, utc_us};
//! use model::{Stamp, StampDate, StampZone, time};
//!
//! let stamp = |text: &str| {
//!     let (us, _) = time::parse_civil(text).unwrap();
//!     Stamp {
//!         date: StampDate::Full(us.div_euclid(time::MICROS_PER_DAY) as i32),
//!         nanos_of_day: us.rem_euclid(time::MICROS_PER_DAY) as u64 * 1000,
//!         fraction_digits: 0,
//!         zone: StampZone::None,
//!     }
//! };
//! // One `Pieces` and one `AnchorSet` per source, fed in line order.
//! let mut pieces = Pieces::new();
//! let mut anchors = AnchorSet::new();
//! for (line, text, slot) in [(1, "2020-08-14 10:00:00", None), (2, "2020-08-14 10:25:02", Some(73_324))] {
//!     let stamp = stamp(text);
//!     let start = (line == 1).then_some("node.start");
//!     let clue = Clue { client: "prysm", start, ..Clue::default() };
//!     let piece = pieces.observe(line, Some(&stamp), &clue);
//!     if let Some(slot) = slot {
//!         anchors.push(piece, &Anchor { line, stamp, kind: AnchorKind::Received { slot } });
//!     }
//! }
//! // Then the facts of all sources of the case together, whenever any of them changed.
//! let anchors = anchors.into_anchors();
//! let inputs: Vec<PieceInput<'_>> = pieces
//!     .facts()
//!     .iter()
//!     .map(|facts| PieceInput {
//!         process: facts.process,
//!         host: "node-1",
//!         begins: facts.begins,
//!         anchors: anchors.get(&facts.index).map_or(&[], Vec::as_slice),
//!         first: facts.first,
//!         last: facts.last,
//!         given_zone: facts.zone_seconds,
//!         candidates: chain::networks(),
//!         ..PieceInput::default()
//!     })
//!     .collect();
//! let solutions = solve(&inputs);
//! assert_eq!(solutions[0].zone_seconds, Some(-7 * 3600));
//! let ts = utc_us(&solutions[0], &stamp("2020-08-14 10:25:02")).unwrap();
//! assert_eq!(time::format_utc_short(ts), "2020-08-14T17:25:02Z");
//! ```

mod anchors;
mod collect;
mod dates;
mod evidence;
mod fit;
mod pieces;
mod solver;
#[cfg(test)]
mod tests;
mod zones;

pub use anchors::AnchorSet;
pub use pieces::{Begin, Clue, PieceFacts, Pieces};
pub(crate) use pieces::{MOST_LANES, OTHERS, goes_on};
pub use solver::solve;
pub use zones::is_used_offset;

use chain::Network;
use model::{Stamp, StampDate};

/// How long after its slot's start an object may arrive and still fix a zone. Gossip takes seconds; a
/// block that was processed late still lies well inside a minute.
pub const FRESH_US: i64 = 60_000_000;

/// How long before its slot's start an object may seem to arrive: whole-second stamps and a stamp clock
/// that runs a few seconds behind.
pub const EARLY_US: i64 = 10_000_000;

/// One clue to a piece's year, day or zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// The line it stands on.
    pub line: u64,
    /// The time that line writes.
    pub stamp: Stamp,
    /// What the line tells.
    pub kind: AnchorKind,
}

/// What a line tells about the time it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnchorKind {
    /// The line writes date and zone itself.
    Written {
        /// The instant.
        utc_us: i64,
    },
    /// A field of the line holds the present instant, from a clock that does not bend (Prysm's "current
    /// time" of a refused block contains its roughtime offset and is none).
    WrittenElsewhere {
        /// The instant.
        utc_us: i64,
    },
    /// A layer of wrapping stamped the line.
    Wrapper {
        /// The wrapper's stamp.
        stamp: Stamp,
    },
    /// An object of this slot was received and taken: it was not seen before the slot began. Objects
    /// that the node refused as coming from the future are no such clue, nor are its own duties.
    Received {
        /// The object's slot.
        slot: i64,
    },
    /// The node's own idea of the current slot.
    WallSlot {
        /// The slot.
        slot: i64,
        /// When in the slot the client prints this line (Lighthouse 6 s, Teku 4 s, Nimbus 0 s + delay).
        phase_us: i64,
        /// Whether the client could bend its slot clock ([`can_bend`]).
        bendable: bool,
    },
    /// The node itself reports by how much its slot clock differs from true time (a roughtime warning);
    /// positive = ahead. A line that only compares its slot with another program's (propagation range,
    /// blocks from the future) does not say whose clock is off and is no such clue.
    Skew {
        /// The difference.
        offset_us: i64,
    },
    /// The node says that it is catching up: what it receives then is old, and a lone object tells nothing.
    Syncing,
}

/// What is known of one piece.
#[derive(Clone, Copy, Debug, Default)]
pub struct PieceInput<'a> {
    /// The process it belongs to, unique in the case. Pieces of one process must follow each other in
    /// time order, processes of one host too.
    pub process: u32,
    /// The machine or stream whose processes share a zone (node name, else source); "" if unknown.
    pub host: &'a str,
    /// Why it is a piece of its own.
    pub begins: Begin,
    /// Its clues, from whichever source they came.
    pub anchors: &'a [Anchor],
    /// Its first stamp.
    pub first: Option<Stamp>,
    /// Its last stamp.
    pub last: Option<Stamp>,
    /// Zone given by the user, in seconds east of UTC.
    pub given_zone: Option<i32>,
    /// The zone that the user named, and its offset in each year that may be meant: for stamps whose year or day has to be
    /// solved before the zone is known.
    pub named_zone: Option<chrono_tz::Tz>,
    /// See [`PieceFacts::zones_by_year`].
    pub zones_by_year: &'a [(i32, i32)],
    /// Year given by the user.
    pub given_year: Option<i32>,
    /// The network, if given or read from the log.
    pub network: Option<&'a Network>,
    /// Whether it was given by the user.
    pub network_given: bool,
    /// Whether its first, last and anchors are the wrapper's, since the program writes no stamps.
    pub by_wrapper: bool,
    /// What its wrappers' stamps have in common: one collector wrote them, in one zone; "" if unknown.
    pub collector: &'a str,
    /// The networks to try if it is not known.
    pub candidates: &'a [Network],
}

/// How year, date and zone of a stamp became known: the weakest of the three (contract, `ts_basis`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Basis {
    /// The line writes all of it.
    Written,
    /// A wrapper's stamp.
    Wrapper,
    /// Slot numbers or received objects.
    Slot,
    /// The user.
    Given,
    /// Assumed: UTC, or one of several readings.
    Assumed,
    /// Not known: the stamps of this piece are no instants.
    #[default]
    None,
}

impl Basis {
    /// Returns the word of the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Basis::Written => "written",
            Basis::Wrapper => "wrapper",
            Basis::Slot => "slot",
            Basis::Given => "given",
            Basis::Assumed => "assumed",
            Basis::None => "none",
        }
    }
}

/// How a network counts time: what stamps that stand in a slot need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotClock {
    /// Unix time of slot 0.
    pub genesis_time_s: i64,
    /// Length of a slot.
    pub seconds_per_slot: i64,
    /// Slots in an epoch.
    pub slots_per_epoch: i64,
}

impl SlotClock {
    pub(super) fn of(network: &Network) -> SlotClock {
        SlotClock {
            genesis_time_s: network.genesis_time_s,
            seconds_per_slot: network.seconds_per_slot,
            slots_per_epoch: network.slots_per_epoch,
        }
    }

    /// Returns the instant of a stamp that stands in a slot; `None` for any other.
    pub(super) fn instant(self, stamp: &Stamp) -> Option<i64> {
        let StampDate::Slot { epoch, slot } = stamp.date else {
            return None;
        };
        let slot = i64::from(epoch) * self.slots_per_epoch + i64::from(slot);
        let start_s = self
            .genesis_time_s
            .checked_add(slot * self.seconds_per_slot)?;
        start_s
            .checked_mul(1_000_000)?
            .checked_add(stamp.micros_of_day())
    }
}

/// Another reading of a piece.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Alternative {
    /// Its zone in seconds east of UTC.
    pub zone_seconds: Option<i32>,
    /// Its year, where the stamps lack one.
    pub year: Option<i32>,
    /// Its day (days since 1970), where the stamps lack a date.
    pub day: Option<i32>,
    /// The network it supposes, where several fit.
    pub network: Option<String>,
    /// What speaks for it.
    pub why: String,
    /// How well it fits.
    pub residual_s: Option<f64>,
}

/// What is known about the stamps of a piece.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Solution {
    /// Seconds east of UTC of stamps that write no zone.
    pub zone_seconds: Option<i32>,
    /// Year of stamps that write none.
    pub year: Option<i32>,
    /// Day (since 1970) of stamps that write no date.
    pub day0: Option<i32>,
    /// How all of this became known: the weakest part.
    pub basis: Basis,
    /// The lower envelope: how long after its slot's start the freshest object came, or how far the
    /// wall slot or wrapper was off.
    pub residual_s: Option<f64>,
    /// The network whose slots fit.
    pub network: Option<String>,
    /// The process of the same host from which the zone was taken: a restart keeps the zone.
    pub neighbour: Option<u32>,
    /// Zone of the wrapper's stamps, where they write none and both clocks can be compared.
    pub wrapper_zone_seconds: Option<i32>,
    /// Year of the wrapper's stamps, where they write none.
    pub wrapper_year: Option<i32>,
    /// Day of the wrapper's stamps, where they write no date.
    pub wrapper_day: Option<i32>,
    /// Whether the program writes no stamps, so that all of this is about the wrapper's.
    pub by_wrapper: bool,
    /// How the network counts time, where stamps stand in a slot.
    pub slot_clock: Option<SlotClock>,
    /// Other readings and contradictions.
    pub alternatives: Vec<Alternative>,
    /// The lines that decided, at most eight.
    pub used: Vec<u64>,
}

/// Returns the UTC microseconds of a stamp of the piece; `None` if year, date or zone are unknown, or
/// the date does not exist in the solved year.
///
/// ```
/// use ingest::solve::{Basis, Solution, utc_us};
/// use model::{Stamp, StampDate, StampZone};
/// let solution = Solution { zone_seconds: Some(3600), year: Some(2024), basis: Basis::Given, ..Solution::default() };
/// let stamp = Stamp { date: StampDate::NoYear { month: 2, day: 29 }, nanos_of_day: 0, fraction_digits: 0, zone: StampZone::None };
/// let utc = utc_us(&solution, &stamp).unwrap();
/// assert_eq!(model::time::format_utc_short(utc), "2024-02-28T23:00:00Z");
/// assert_eq!(utc_us(&Solution { year: Some(2023), ..solution }, &stamp), None);
/// ```
pub fn utc_us(solution: &Solution, stamp: &Stamp) -> Option<i64> {
    if let Some(clock) = solution.slot_clock
        && let Some(instant) = clock.instant(stamp)
    {
        return Some(instant);
    }
    instant(stamp, solution.year, solution.day0, solution.zone_seconds)
}

/// Returns the UTC microseconds of a wrapper's stamp in the piece, by what was solved about the wrapper's
/// clock where its stamps do not say everything themselves. `near_us` is an instant that it lies near: that of
/// the line itself, or of the line before; a year or a day that the wrapper leaves out is the nearest.
pub fn wrapper_utc_us(solution: &Solution, stamp: &Stamp, near_us: Option<i64>) -> Option<i64> {
    let year = solution.wrapper_year.or(solution.year);
    let (day, zone) = (solution.wrapper_day, solution.wrapper_zone_seconds);
    let near_us = near_us.filter(|_| !solution.by_wrapper);
    if let (Some(near_us), StampDate::NoYear { .. } | StampDate::None) = (near_us, stamp.date) {
        let zone = stamp.zone_seconds().or(zone)?;
        return fit::civils(stamp, near_us, None)
            .into_iter()
            .map(|(civil_us, ..)| civil_us - i64::from(zone) * 1_000_000)
            .min_by_key(|us| (us - near_us).abs());
    }
    instant(stamp, year, day, zone)
}

/// Returns a stamp's instant where year, day and zone are known or written.
fn instant(stamp: &Stamp, year: Option<i32>, day: Option<i32>, zone: Option<i32>) -> Option<i64> {
    let civil = match stamp.date {
        StampDate::Full(_) => stamp.civil_us()?,
        StampDate::NoYear { .. } => stamp.civil_us_in_year(year?)?,
        StampDate::Slot { .. } => return None,
        StampDate::None => i64::from(day?) * model::time::MICROS_PER_DAY + stamp.micros_of_day(),
    };
    let zone = stamp.zone_seconds().or(zone)?;
    Some(civil - i64::from(zone) * 1_000_000)
}

/// Whether this client could bend its slot clock by an offset from outside, so that its idea of the
/// current slot says nothing certain about its stamps.
///
/// Prysm followed roughtime until PRs 7299 and 7301 of 22 September 2020; v1.0.0-alpha.27 (30 September) is the
/// first release seen without it. `civil_us` is the line's time in any zone, if it is known; where
/// neither it nor the version tells, Prysm is taken to bend.
///
/// ```
/// use ingest::solve::can_bend;
/// assert!(can_bend("prysm", Some("Prysm/v1.0.0-alpha.20/4d2ab6dd. Built at: 2020-08-10"), None));
/// assert!(!can_bend("prysm", Some("Prysm/v4.0.3/…"), None));
/// assert!(!can_bend("lighthouse", None, None));
/// ```
pub fn can_bend(client: &str, version: Option<&str>, civil_us: Option<i64>) -> bool {
    if client != "prysm" {
        return false;
    }
    // 2020-09-22, and two days for zones and for those who build from the main branch.
    const REMOVED_US: i64 = (18_527 + 2) * model::time::MICROS_PER_DAY;
    if let Some(alpha) = version.and_then(prysm_alpha) {
        return alpha < 27;
    }
    if version.is_some_and(|text| text.contains("/v") || text.starts_with('v')) {
        return false;
    }
    civil_us.is_none_or(|us| us < REMOVED_US)
}

/// Returns N of `v1.0.0-alpha.N`.
fn prysm_alpha(version: &str) -> Option<u32> {
    let (_, rest) = version.split_once("v1.0.0-alpha.")?;
    let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    rest[..digits].parse().ok()
}
