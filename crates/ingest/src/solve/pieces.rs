//! Cutting the records of a source into processes and pieces.

use super::zones;
use chrono::{DateTime, LocalResult, Offset as _, TimeZone as _};
use model::time::{MICROS_PER_DAY, MICROS_PER_SECOND};
use model::{Stamp, StampDate, StampZone, time};
use std::collections::HashMap;

/// Why a piece begins where it does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Begin {
    /// A program started, or another client's lines begin.
    #[default]
    Process,
    /// Year-less stamps went from December to January: one year later than the piece before.
    Year,
    /// Date-less stamps passed midnight: one day later than the piece before.
    Day,
    /// A daylight-saving date of the zone the user named, or a step of one hour that may be one.
    DaylightSaving,
    /// The stamps went back in a way that a running clock does not: year or day may differ.
    Jump,
    /// The program began to write stamps of its own; until then the wrapper's had to do.
    Clock,
}

impl Begin {
    const NAMES: [(Begin, &'static str); 6] = [
        (Begin::Process, "process"),
        (Begin::Year, "year"),
        (Begin::Day, "day"),
        (Begin::DaylightSaving, "daylight_saving"),
        (Begin::Jump, "jump"),
        (Begin::Clock, "clock"),
    ];

    /// Returns the word that manifests keep.
    pub fn as_str(self) -> &'static str {
        Begin::NAMES
            .iter()
            .find(|(begin, _)| *begin == self)
            .map_or("process", |(_, name)| name)
    }

    /// Returns what [`Begin::as_str`] named; an unknown word is a process of its own.
    pub fn from_name(name: &str) -> Begin {
        Begin::NAMES
            .iter()
            .find(|(_, known)| *known == name)
            .map_or(Begin::Process, |(begin, _)| *begin)
    }
}

/// What a record says about which process it belongs to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clue<'a> {
    /// Who wrote it, where one source holds several programs: the wrapper's pod, container or unit name; "".
    pub stream: &'a str,
    /// Which program of the machine wrote it: the wrapper's container, unit or identifier; "".
    pub program: &'a str,
    /// The client; """" for lines of no format's client, which belong to the process that spoke last.
    pub client: &'a str,
    /// The kind of a line that programs write only when they start.
    pub start: Option<&'a str>,
    /// What the innermost wrapper wrote: the time of a process that writes none itself.
    pub wrapper: Option<&'a Stamp>,
}

/// A piece as it was cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PieceFacts {
    /// Its index in the source.
    pub index: u32,
    /// Its process, counted from 0 in the source.
    pub process: u32,
    /// The stream of its process.
    pub stream: String,
    /// The program of its process, where a wrapper names it.
    pub program: String,
    /// The client of its process.
    pub client: String,
    /// Why it begins.
    pub begins: Begin,
    /// First line.
    pub first_line: u64,
    /// Last line (other processes' lines may lie between).
    pub last_line: u64,
    /// First stamp.
    pub first: Option<Stamp>,
    /// Last stamp.
    pub last: Option<Stamp>,
    /// The offset of the zone the user named, where its stamps lie.
    pub zone_seconds: Option<i32>,
    /// The same for each year that may be meant, where stamps write none and nobody gave it.
    pub zones_by_year: Vec<(i32, i32)>,
    /// Whether the program writes no stamps, so that first, last and anchors are the wrapper's.
    pub by_wrapper: bool,
}

/// Cuts the record stream of one source into processes and pieces; see [`Pieces::observe`].
///
/// Deterministic in the sequence of calls, and bounded: one small entry per piece.
#[derive(Clone, Debug, Default)]
pub struct Pieces {
    facts: Vec<PieceFacts>,
    lanes: Vec<Lane>,
    /// The lanes by stream and program.
    named: HashMap<Box<str>, HashMap<Box<str>, Vec<usize>>>,
    current: usize,
    processes: u32,
    zone: Option<chrono_tz::Tz>,
    year: Option<i32>,
}

/// The running process of one client and program of one stream.
#[derive(Clone, Debug)]
struct Lane {
    stream: String,
    program: String,
    client: String,
    piece: usize,
    /// Start kinds seen in this process: the lines one start writes are of different kinds.
    starts: Vec<String>,
    started: Option<Stamp>,
    /// The piece before the last roll-over, for lines that lag behind it by moments.
    before: Option<usize>,
    /// The year of year-less stamps, if the user named a zone and the year is known.
    year: Option<i32>,
}

/// So many programs of machines are told apart in one source: a process and a piece of the manifest each. No
/// collector's export has nearly as many; what names another machine in every line is no log.
pub(crate) const MOST_LANES: usize = 4096;
/// The stream of those beyond.
pub(crate) const OTHERS: &str = "(others)";

/// Lines of one start lie this close together.
const START_US: i64 = 120 * MICROS_PER_SECOND;
/// Lines of several threads are out of order by less than this.
const LAG_US: i64 = 600 * MICROS_PER_SECOND;
const HOUR_US: i64 = 3600 * MICROS_PER_SECOND;

impl Pieces {
    /// Returns a cutter for one source.
    pub fn new() -> Pieces {
        Pieces::default()
    }

    /// Returns a cutter for a source whose zone the user named (`America/New_York`): a piece then also
    /// ends at its daylight-saving dates; where stamps write no year and it is not given, at those of every
    /// year that may be meant.
    pub fn with_zone(zone: chrono_tz::Tz, year: Option<i32>) -> Pieces {
        Pieces {
            zone: Some(zone),
            year,
            ..Pieces::default()
        }
    }

    /// Goes on where pieces cut earlier end: what follows is cut as if it had come in one go. `facts` are
    /// those pieces by index.
    #[must_use]
    pub fn resume(mut self, facts: Vec<PieceFacts>) -> Pieces {
        for (index, piece) in facts.iter().enumerate() {
            let rolled = !matches!(piece.begins, Begin::Process | Begin::Clock);
            let before = rolled.then(|| {
                facts[..index]
                    .iter()
                    .rposition(|earlier| earlier.process == piece.process)
            });
            let lane = Lane {
                stream: piece.stream.clone(),
                program: piece.program.clone(),
                client: piece.client.clone(),
                piece: index,
                starts: Vec::new(),
                started: facts
                    .iter()
                    .find(|first| first.process == piece.process)
                    .and_then(|first| first.first),
                before: before.flatten(),
                year: self.year.map(|year| {
                    let earlier = facts[..=index].iter().filter(|earlier| {
                        earlier.begins == Begin::Year
                            && earlier.stream == piece.stream
                            && earlier.program == piece.program
                    });
                    year + earlier.count() as i32
                }),
            };
            match self.lane_of(&piece.stream, &piece.program, &piece.client) {
                Some(known) => self.lanes[known] = lane,
                None => {
                    self.push_lane(lane);
                }
            }
            self.processes = self.processes.max(piece.process + 1);
        }
        let spoke = facts
            .iter()
            .filter(|piece| piece.client != model::SYSTEM_CLIENT);
        let last = spoke.max_by_key(|piece| piece.last_line);
        self.current = last
            .and_then(|last| self.lane_of(&last.stream, &last.program, &last.client))
            .unwrap_or(0);
        self.facts = facts;
        self
    }

    /// Takes a record in line order and returns the index of its piece.
    ///
    /// A new *process* begins at a start line, unless the running one began less than two minutes ago and has
    /// not yet written this kind of start line (one start writes several), and where a client
    /// speaks for the first time in its stream. A new *piece* begins with each process, and inside one where
    /// year-less stamps pass New Year, date-less ones pass midnight, or the clock steps by an hour as
    /// at daylight saving. Any other step is no zone and cuts nothing.
    pub fn observe(&mut self, line: u64, stamp: Option<&Stamp>, clue: &Clue<'_>) -> u32 {
        let mut clue = *clue;
        let mut lane = self.lane(&clue).or_else(|| self.adopt(&clue));
        if lane.is_none() && self.lanes.len() >= MOST_LANES {
            (clue.stream, clue.program) = (OTHERS, "");
            lane = self.lane(&clue);
        }
        let restart = match (lane, clue.start) {
            (None, _) => true,
            (Some(lane), Some(kind)) => self.restarts(lane, kind, stamp),
            (Some(_), None) => false,
        };
        let lane = lane.unwrap_or_else(|| {
            self.push_lane(Lane {
                stream: clue.stream.to_owned(),
                program: clue.program.to_owned(),
                client: clue.client.to_owned(),
                piece: 0,
                starts: Vec::new(),
                started: None,
                before: None,
                year: self.year,
            })
        });
        // Lines of no client go on with the client that spoke last, not with the machine.
        if clue.client != model::SYSTEM_CLIENT {
            self.current = lane;
        }
        let own = stamp.is_some();
        // A program without stamps has its wrapper's; one that has some has only those.
        let by_wrapper = restart || self.facts[self.lanes[lane].piece].by_wrapper;
        let stamp = stamp.or(clue.wrapper.filter(|_| by_wrapper));
        if restart {
            let process = self.processes;
            self.processes += 1;
            self.open(lane, process, Begin::Process, line, stamp);
            self.lanes[lane].starts.clear();
            self.lanes[lane].started = stamp.copied();
            self.lanes[lane].before = None;
        }
        if let Some(kind) = clue.start
            && !self.lanes[lane].starts.iter().any(|seen| seen == kind)
        {
            self.lanes[lane].starts.push(kind.to_owned());
        }
        let mut piece = self.lanes[lane].piece;
        if let Some(stamp) = stamp
            && !restart
        {
            let facts = &self.facts[piece];
            let begun = facts.by_wrapper && own && facts.first.is_some();
            match if begun {
                Step::Cut(Begin::Clock)
            } else {
                self.step(lane, stamp)
            } {
                Step::None => {}
                Step::Lags => piece = self.lanes[lane].before.unwrap_or(piece),
                Step::Cut(begins) => {
                    let process = self.facts[piece].process;
                    if begins == Begin::Year {
                        self.lanes[lane].year = self.lanes[lane].year.map(|year| year + 1);
                    }
                    self.open(lane, process, begins, line, Some(stamp));
                    self.lanes[lane].before = (begins != Begin::Clock).then_some(piece);
                    piece = self.lanes[lane].piece;
                }
            }
        }
        let facts = &mut self.facts[piece];
        facts.last_line = line;
        if let Some(stamp) = stamp {
            facts.first.get_or_insert(*stamp);
            facts.last = Some(*stamp);
            facts.by_wrapper &= !own;
            if facts.zone_seconds.is_none()
                && let Some(zone) = self.zone
            {
                facts.zone_seconds = offset_at(zone, stamp, self.lanes[lane].year, None);
                if facts.zone_seconds.is_none() && facts.zones_by_year.is_empty() {
                    facts.zones_by_year = offsets_at(zone, stamp, &[], false);
                }
            }
        }
        piece as u32
    }

    /// Returns the pieces so far; the index of a piece is its position.
    pub fn facts(&self) -> &[PieceFacts] {
        &self.facts
    }

    fn lane(&self, clue: &Clue<'_>) -> Option<usize> {
        // Most streams have no name; comparing two empty texts still calls `memcmp`, which is slow for
        // addresses that hold nothing.
        let same_stream = |lane: &Lane| match clue.stream {
            "" => lane.stream.is_empty(),
            stream => lane.stream == stream,
        };
        let fits = |lane: &Lane| match clue.client {
            "" => lane.client != model::SYSTEM_CLIENT,
            client => lane.client == client,
        };
        let is_current =
            |lane: &Lane| same_stream(lane) && lane.program == clue.program && fits(lane);
        if self.lanes.get(self.current).is_some_and(is_current) {
            return Some(self.current);
        }
        self.lanes_of(clue.stream, clue.program)
            .find(|at| fits(&self.lanes[*at]))
    }

    fn lane_of(&self, stream: &str, program: &str, client: &str) -> Option<usize> {
        self.lanes_of(stream, program)
            .find(|at| self.lanes[*at].client == client)
    }

    fn lanes_of(&self, stream: &str, program: &str) -> impl Iterator<Item = usize> {
        let lanes = self.named.get(stream).and_then(|named| named.get(program));
        lanes.into_iter().flatten().copied()
    }

    fn push_lane(&mut self, lane: Lane) -> usize {
        let at = self.lanes.len();
        let of_stream = self.named.entry(lane.stream.as_str().into()).or_default();
        let of_program = of_stream.entry(lane.program.as_str().into());
        of_program.or_default().push(at);
        self.lanes.push(lane);
        at
    }

    /// Lines of no client that came before the first of a client are of its process.
    fn adopt(&mut self, clue: &Clue<'_>) -> Option<usize> {
        if clue.client == model::SYSTEM_CLIENT {
            return None;
        }
        let index = self.lane_of(clue.stream, clue.program, "")?;
        let lane = &mut self.lanes[index];
        lane.client = clue.client.to_owned();
        self.facts[lane.piece].client = clue.client.to_owned();
        Some(index)
    }

    fn restarts(&self, lane: usize, kind: &str, stamp: Option<&Stamp>) -> bool {
        let lane = &self.lanes[lane];
        if lane.starts.iter().any(|seen| seen == kind) {
            return true;
        }
        let since = match (lane.started, stamp) {
            (Some(started), Some(now)) => distance_us(&started, now),
            _ => None,
        };
        // Without stamps: the first start line of a process that has written none yet is its own only
        // if the process has just begun.
        match since {
            Some(since) => !(0..=START_US).contains(&since),
            None => self.facts[lane.piece].first_line + 100 < self.facts[lane.piece].last_line,
        }
    }

    fn open(&mut self, lane: usize, process: u32, begins: Begin, line: u64, stamp: Option<&Stamp>) {
        let previous = (begins != Begin::Process)
            .then(|| self.facts[self.lanes[lane].piece].zone_seconds)
            .flatten();
        let zone_seconds = match (self.zone, stamp) {
            (Some(zone), Some(stamp)) => offset_at(
                zone,
                stamp,
                self.lanes[lane].year,
                // In the hour that comes twice, a cut means its second pass.
                previous.map(|offset| Pass::After(offset, begins == Begin::DaylightSaving)),
            ),
            _ => None,
        };
        let zones_by_year = match (self.zone, stamp) {
            (Some(zone), Some(stamp)) if zone_seconds.is_none() => {
                let before = match begins {
                    Begin::Process => &[][..],
                    _ => &self.facts[self.lanes[lane].piece].zones_by_year,
                };
                offsets_at(zone, stamp, before, begins == Begin::DaylightSaving)
            }
            _ => Vec::new(),
        };
        let index = self.facts.len() as u32;
        self.facts.push(PieceFacts {
            index,
            process,
            stream: self.lanes[lane].stream.clone(),
            program: self.lanes[lane].program.clone(),
            client: self.lanes[lane].client.clone(),
            begins,
            first_line: line,
            last_line: line,
            first: None,
            last: None,
            zone_seconds,
            zones_by_year,
            by_wrapper: begins != Begin::Clock && self.wrapped(lane, begins),
        });
        self.lanes[lane].piece = index as usize;
    }

    /// Whether a new piece starts out on the wrapper's clock: until a process has written a stamp.
    fn wrapped(&self, lane: usize, begins: Begin) -> bool {
        begins == Begin::Process || self.facts[self.lanes[lane].piece].by_wrapper
    }

    fn step(&self, lane: usize, stamp: &Stamp) -> Step {
        let lane = &self.lanes[lane];
        let facts = &self.facts[lane.piece];
        let (Some(last), Some(first)) = (facts.last, facts.first) else {
            return Step::None;
        };
        if stamp.zone != StampZone::None
            && !matches!(stamp.date, StampDate::None | StampDate::NoYear { .. })
        {
            return Step::None;
        }
        let Some(forward) = distance_us(&last, stamp) else {
            return Step::None;
        };
        if matches!(stamp.date, StampDate::Slot { .. }) {
            return Step::None;
        }
        let young = |us: i64| distance_us(&first, &last).is_some_and(|age| age.abs() <= us);
        match stamp.date {
            StampDate::None if forward < -LAG_US => {
                if hour_step(forward, &last, stamp) {
                    return Step::Cut(Begin::DaylightSaving);
                }
                return Step::Cut(if forward < -2 * HOUR_US {
                    Begin::Day
                } else {
                    Begin::Jump
                });
            }
            StampDate::None
                if forward > MICROS_PER_DAY - LAG_US && young(LAG_US) && lane.before.is_some() =>
            {
                return Step::Lags;
            }
            StampDate::NoYear { .. } if forward < -180 * MICROS_PER_DAY => {
                return Step::Cut(Begin::Year);
            }
            StampDate::NoYear { .. } if forward > 364 * MICROS_PER_DAY => {
                // 31 December after 1 January: a line that lags behind the roll-over.
                return if lane.before.is_some() {
                    Step::Lags
                } else {
                    Step::None
                };
            }
            StampDate::NoYear { .. } if forward < -2 * MICROS_PER_DAY => {
                return Step::Cut(Begin::Jump);
            }
            _ => {}
        }
        if let Some(zone) = self.zone
            && stamp.date != StampDate::None
        {
            // A quarter hour: Lord Howe goes back by half an hour only.
            let stepped_back = forward <= -HOUR_US / 4;
            let Some(current) = facts.zone_seconds else {
                // Zones change at full quarters: within one, nothing has to be looked up.
                let quarter = |stamp: &Stamp| (stamp.date, stamp.micros_of_day() / (HOUR_US / 4));
                if !stepped_back && quarter(&last) == quarter(stamp) {
                    return Step::None;
                }
                let offsets = offsets_at(zone, stamp, &facts.zones_by_year, stepped_back);
                return match offsets == facts.zones_by_year {
                    true => Step::None,
                    false => Step::Cut(Begin::DaylightSaving),
                };
            };
            let offset = offset_at(
                zone,
                stamp,
                lane.year,
                Some(Pass::After(current, stepped_back)),
            );
            return match offset {
                Some(offset) if offset != current => Step::Cut(Begin::DaylightSaving),
                _ => Step::None,
            };
        }
        if hour_step(forward, &last, stamp) {
            return Step::Cut(Begin::DaylightSaving);
        }
        Step::None
    }
}

/// Returns what a stretch of stamps is to the one before it, if a running program can have written both,
/// one behind the other; `None` if the second does not follow.
pub(crate) fn goes_on(last: &Stamp, first: &Stamp) -> Option<Begin> {
    let Some(forward) = distance_us(last, first) else {
        return Some(Begin::Process);
    };
    let written = first.zone != StampZone::None && last.zone != StampZone::None;
    if !written && hour_step(forward, last, first) {
        return Some(Begin::DaylightSaving);
    }
    match first.date {
        StampDate::None if forward < -LAG_US => Some(Begin::Day),
        StampDate::NoYear { .. } if forward < -364 * MICROS_PER_DAY => Some(Begin::Year),
        // A running node is not silent for a day: a file is missing, and who knows what was in it.
        _ if !(-LAG_US..MICROS_PER_DAY).contains(&forward) => None,
        _ => Some(Begin::Process),
    }
}

enum Step {
    None,
    Lags,
    Cut(Begin),
}

/// Whether a step between two lines looks like a change of daylight saving: an hour back within five
/// minutes, or an hour forward from the end of an hour to the start of the next but one.
fn hour_step(forward_us: i64, last: &Stamp, stamp: &Stamp) -> bool {
    let minutes = 300 * MICROS_PER_SECOND;
    let after = stamp.micros_of_day().rem_euclid(HOUR_US);
    let before = HOUR_US - last.micros_of_day().rem_euclid(HOUR_US);
    if before > minutes || after > minutes {
        return false;
    }
    if forward_us < 0 {
        (HOUR_US - 2 * minutes..=HOUR_US).contains(&-forward_us)
    } else {
        (HOUR_US..=HOUR_US + 2 * minutes).contains(&forward_us)
    }
}

/// What came before a stamp in a named zone.
#[derive(Clone, Copy)]
enum Pass {
    /// This offset, and whether the clock has just stepped back.
    After(i32, bool),
}

/// The years in which year-less logs of these chains can have been written.
const YEARS: std::ops::RangeInclusive<i32> = 2018..=2035;

/// Returns the offsets of a named zone at a year-less time in every year that may be meant; `before` are those of the
/// stamp before it. Empty for other stamps.
fn offsets_at(
    zone: chrono_tz::Tz,
    stamp: &Stamp,
    before: &[(i32, i32)],
    stepped_back: bool,
) -> Vec<(i32, i32)> {
    if !matches!(stamp.date, StampDate::NoYear { .. }) {
        return Vec::new();
    }
    YEARS
        .filter_map(|year| {
            let current = before.iter().find(|(other, _)| *other == year);
            let current = current.map(|(_, offset)| *offset);
            let pass = current.map(|offset| Pass::After(offset, stepped_back));
            // 29 February is in leap years only: the others keep what they had.
            let offset = offset_at(zone, stamp, Some(year), pass).or(current)?;
            Some((year, offset))
        })
        .collect()
}

/// Returns the offset of a named zone at the time of a stamp on a day, given since 1970.
pub(super) fn offset_on(zone: chrono_tz::Tz, stamp: &Stamp, day: i32) -> Option<i32> {
    let dated = Stamp {
        date: StampDate::Full(day),
        ..*stamp
    };
    offset_at(zone, &dated, None, None)
}

/// Returns the offset of a named zone at a civil time.
fn offset_at(
    zone: chrono_tz::Tz,
    stamp: &Stamp,
    year: Option<i32>,
    pass: Option<Pass>,
) -> Option<i32> {
    let civil = stamp.civil_us().or_else(|| stamp.civil_us_in_year(year?))?;
    let naive = DateTime::from_timestamp_micros(civil)?.naive_utc();
    let seconds =
        |offset: &<chrono_tz::Tz as chrono::TimeZone>::Offset| offset.fix().local_minus_utc();
    match zone.offset_from_local_datetime(&naive) {
        LocalResult::Single(offset) => Some(seconds(&offset)),
        LocalResult::Ambiguous(first, second) => Some(match pass {
            Some(Pass::After(_, true)) => seconds(&second),
            Some(Pass::After(current, false)) if current == seconds(&second) => current,
            _ => seconds(&first),
        }),
        // A time that the zone leaves out: the offset before it.
        LocalResult::None => {
            let before = DateTime::from_timestamp_micros(civil - HOUR_US)?.naive_utc();
            zone.offset_from_local_datetime(&before)
                .earliest()
                .map(|offset| seconds(&offset))
        }
    }
}

/// A stamp on a scale of its own kind: year-less ones in the year 2000, which has a 29 February,
/// date-less ones in one day.
pub(super) fn scale_us(stamp: &Stamp) -> i64 {
    stamp
        .civil_us()
        .or_else(|| stamp.civil_us_in_year(2000))
        .unwrap_or_else(|| match stamp.date {
            StampDate::Slot { epoch, slot } => {
                let slot = i64::from(epoch) * 32 + i64::from(slot);
                slot * 12 * MICROS_PER_SECOND + stamp.micros_of_day()
            }
            _ => stamp.micros_of_day(),
        })
}

/// Returns how far `b` is after `a` as they are written; `None` if they do not write the same parts.
pub(super) fn distance_us(a: &Stamp, b: &Stamp) -> Option<i64> {
    let same = matches!(
        (a.date, b.date),
        (StampDate::Full(_), StampDate::Full(_))
            | (StampDate::NoYear { .. }, StampDate::NoYear { .. })
            | (StampDate::None, StampDate::None)
            | (StampDate::Slot { .. }, StampDate::Slot { .. })
    );
    same.then(|| scale_us(b) - scale_us(a))
}

/// Whether a process whose stamps run from `before` to `after` over a cut of [`Begin::DaylightSaving`] can
/// have changed from one offset to the other there.
pub(super) fn can_change(stamp: &Stamp, year: Option<i32>, before: i32, after: i32) -> bool {
    (before - after).abs() <= 2 * 3600
        && stamp
            .civil_us()
            .or_else(|| stamp.civil_us_in_year(year?))
            .is_some_and(|civil| zones::is_daylight_saving(civil, before, after))
}

/// Returns the year, or day, that follows a roll-over.
pub(super) fn next_year(year: i32, stamp: Option<&Stamp>) -> i32 {
    // 29 February exists in leap years only; nothing else can be said.
    match stamp.map(|stamp| stamp.date) {
        Some(StampDate::NoYear { month: 2, day: 29 }) => (year..year + 8)
            .find(|year| time::days_in_month(*year, 2) == 29)
            .unwrap_or(year),
        _ => year,
    }
}
