//! The zone in which a database's clock wrote its times without a zone.
//!
//! A server writes a row seconds after the thing that the row tells of: a miniblock's `created_at` after
//! its unix `timestamp`, a confirmation after the line in its log. The differences stand at the zone, a whole
//! number of quarter hours, and seconds above. A node that copies rows from elsewhere, hours later, has
//! no such floor, so a zone other than UTC needs many witnesses; and a clock that keeps daylight-saving time
//! has two zones, each on its own days.

use model::time::{MICROS_PER_DAY, MICROS_PER_SECOND};
use std::collections::BTreeMap;

/// Microseconds in a quarter of an hour.
const QUARTER: i64 = 900 * MICROS_PER_SECOND;
/// A row may be this much older than what it tells of: two machines' clocks differ.
const EARLY: i64 = -30 * MICROS_PER_SECOND;
/// A row written later than this is no witness.
const LATE: i64 = 120 * MICROS_PER_SECOND;
/// Quarters in the 18 hours that a zone may be off.
const QUARTERS_MOST: i64 = 72;
/// Fewer rows show no zone other than UTC.
const ROWS_LEAST: u64 = 20;
/// Days and quarters that are counted: more come only from a hostile table.
const BUCKETS_MOST: usize = 1 << 16;

/// Rows of one day that stand just above one quarter of an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bucket {
    rows: u64,
    /// The smallest distance from the quarter.
    least_us: i64,
}

/// What rows say about the zone of their database, in bounded memory and whatever their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ZoneWitnesses {
    /// By day since 1970 UTC, and quarter of an hour east of UTC.
    buckets: BTreeMap<(i32, i64), Bucket>,
    rows: u64,
    /// Rows that stand before each quarter cannot be counted for all: the smallest difference tells.
    least_us: Option<i64>,
}

/// The zone, as far as it can be known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ZoneReading {
    /// Seconds east of UTC; `None` if the rows do not tell, or tell of several.
    pub seconds: Option<i32>,
    /// How far the closest row is from it, in seconds.
    pub residual_s: Option<f64>,
    /// Rows that show it.
    pub witnesses: u64,
    /// Rows that were looked at.
    pub rows: u64,
    /// Where the clock kept daylight-saving time: the first day (since 1970 UTC) of each zone, and its
    /// seconds east of UTC.
    pub changes: Vec<(i32, i32)>,
}

impl ZoneWitnesses {
    /// Takes a row: the civil time it was written at, and the instant that it tells of.
    pub fn row(&mut self, civil_us: i64, utc_us: i64) {
        // Infinities and nonsense are no witnesses.
        let Some(lag) = civil_us.checked_sub(utc_us) else {
            return;
        };
        self.rows += 1;
        self.least_us = Some(self.least_us.map_or(lag, |least| least.min(lag)));
        let quarter = (lag - EARLY).div_euclid(QUARTER);
        let off = lag - quarter * QUARTER;
        if quarter.abs() > QUARTERS_MOST || off > LATE {
            return;
        }
        let day = utc_us.div_euclid(MICROS_PER_DAY) as i32;
        let full = self.buckets.len() >= BUCKETS_MOST;
        match self.buckets.get_mut(&(day, quarter)) {
            Some(bucket) => {
                bucket.rows += 1;
                bucket.least_us = bucket.least_us.min(off);
            }
            None if full => {}
            None => {
                let bucket = Bucket {
                    rows: 1,
                    least_us: off,
                };
                self.buckets.insert((day, quarter), bucket);
            }
        }
    }

    /// Says what the rows show.
    ///
    /// ```
    /// let mut witnesses = chain::rollup::ZoneWitnesses::default();
    /// // Miniblocks of one second each, written two seconds later by a clock in Berlin in summer.
    /// for n in 0..30 {
    ///     let block_us = (1_694_167_200 + n) * 1_000_000;
    ///     witnesses.row(block_us + 7_202_000_000, block_us);
    /// }
    /// assert_eq!(witnesses.solve().seconds, Some(7200));
    /// ```
    pub fn solve(&self) -> ZoneReading {
        let mut totals: BTreeMap<i64, (u64, i64)> = BTreeMap::new();
        for ((_, quarter), bucket) in &self.buckets {
            let total = totals.entry(*quarter).or_insert((0, bucket.least_us));
            total.0 += bucket.rows;
            total.1 = total.1.min(bucket.least_us);
        }
        let unsolved = ZoneReading {
            rows: self.rows,
            ..ZoneReading::default()
        };
        let mut ranked: Vec<(u64, i64)> = totals.iter().map(|(q, (rows, _))| (*rows, *q)).collect();
        ranked.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.abs().cmp(&b.1.abs())));
        if let [(first, a), (second, b), ..] = ranked[..]
            && (a - b).abs() == 4
            && second >= ROWS_LEAST
            && (first + second) * 2 > self.rows
        {
            let changes = self.changes(a, b);
            return ZoneReading {
                witnesses: if changes.is_empty() {
                    0
                } else {
                    first + second
                },
                changes,
                ..unsolved
            };
        }
        // Rows cannot be older than what they tell of: nothing may stand below the zone.
        let floor = self.least_us.unwrap_or(0);
        let solved = ranked.iter().copied().find(|(rows, quarter)| {
            let above = floor - quarter * QUARTER >= EARLY;
            let enough = match quarter {
                0 => *rows >= 1,
                _ => *rows >= ROWS_LEAST && rows * 2 > self.rows,
            };
            above && enough
        });
        match solved {
            Some((rows, quarter)) => ZoneReading {
                seconds: Some((quarter * QUARTER / MICROS_PER_SECOND) as i32),
                residual_s: Some(totals[&quarter].1 as f64 / MICROS_PER_SECOND as f64),
                witnesses: rows,
                ..unsolved
            },
            None => unsolved,
        }
    }

    /// When the clock went from one zone to the other; empty if the two lie mixed.
    fn changes(&self, a: i64, b: i64) -> Vec<(i32, i32)> {
        let mut by_day: BTreeMap<i32, (u64, u64)> = BTreeMap::new();
        for ((day, quarter), bucket) in &self.buckets {
            let both = by_day.entry(*day).or_default();
            if *quarter == a {
                both.0 += bucket.rows;
            } else if *quarter == b {
                both.1 += bucket.rows;
            }
        }
        let mut changes: Vec<(i32, i32)> = Vec::new();
        let mut mixed = 0;
        for (day, (rows_a, rows_b)) in by_day {
            let quarter = match (rows_a, rows_b) {
                (0, 0) => continue,
                (_, 0) => a,
                (0, _) => b,
                // The day of the change itself has both.
                _ => {
                    mixed += 1;
                    continue;
                }
            };
            let seconds = (quarter * QUARTER / MICROS_PER_SECOND) as i32;
            if changes.last().is_none_or(|(_, last)| *last != seconds) {
                changes.push((day, seconds));
            }
        }
        // Two changes a year, each with one mixed day.
        let years = self.buckets.keys().next_back().map_or(0, |last| last.0)
            - self.buckets.keys().next().map_or(0, |first| first.0);
        let most = 2 * (years as usize / 365 + 1);
        if changes.len() < 2 || changes.len() > most + 1 || mixed > most {
            changes.clear();
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = MICROS_PER_SECOND;
    /// 8 September 2023, 10:00 UTC.
    const START: i64 = 1_694_167_200 * S;

    #[track_caller]
    fn check(lags: impl IntoIterator<Item = i64>, seconds: Option<i32>) -> ZoneReading {
        let mut witnesses = ZoneWitnesses::default();
        for (n, lag) in lags.into_iter().enumerate() {
            let at = START + n as i64 * 10 * S;
            witnesses.row(at + lag, at);
        }
        let reading = witnesses.solve();
        assert_eq!(reading.seconds, seconds, "{reading:?}");
        reading
    }

    #[test]
    fn a_zone_needs_a_floor() {
        check([], None);
        let utc = check([S, 40 * S], Some(0));
        assert_eq!((utc.residual_s, utc.witnesses), (Some(1.0), 2));
        // A node that caught up three hours later is no witness of a zone.
        check([3 * 3600 * S + S], None);
        check((0..30).map(|n| 2 * 3600 * S + n * S), Some(7200));
        check((0..300).map(|n| 3 * 3600 * S + n * 60 * S), None);
        // West of UTC, and a zone of three quarters.
        check((0..30).map(|n| -5 * 3600 * S + n * S), Some(-18_000));
        check((0..30).map(|n| 20_700 * S + n * S), Some(20_700));
    }

    #[test]
    fn nothing_is_written_before_it_happened() {
        // Most rows look like UTC, but some were written four hours before their blocks: then the clock is
        // not in UTC, and nobody knows where.
        let lags = (0..30).map(|n| if n < 3 { -4 * 3600 * S } else { S });
        check(lags, None);
    }

    #[test]
    fn infinity_is_no_witness() {
        let mut witnesses = ZoneWitnesses::default();
        witnesses.row(i64::MIN, START);
        witnesses.row(i64::MAX, -START);
        assert_eq!(witnesses.solve(), ZoneReading::default());
        witnesses.row(i64::MAX, START);
        assert_eq!(witnesses.solve().seconds, None);
    }

    #[test]
    fn daylight_saving_time_is_seen() {
        // Berlin goes back to winter time on 29 October 2023 at 01:00 UTC.
        let change = 1_698_541_200 * S;
        let mut witnesses = ZoneWitnesses::default();
        for hour in -200..200 {
            let at = change + hour * 3600 * S;
            let zone = if hour < 0 { 7200 } else { 3600 };
            witnesses.row(at + zone * S + 2 * S, at);
        }
        let reading = witnesses.solve();
        assert_eq!(reading.seconds, None);
        let first = START / MICROS_PER_DAY;
        assert!(reading.changes[0].0 as i64 > first);
        assert_eq!(
            reading.changes.iter().map(|c| c.1).collect::<Vec<_>>(),
            [7200, 3600]
        );
        // The day after the change is the first that has only the new zone.
        assert_eq!(reading.changes[1].0, (change / MICROS_PER_DAY) as i32 + 1);
    }

    #[test]
    fn the_order_of_rows_does_not_matter() {
        let rows: Vec<(i64, i64)> = (0..500)
            .map(|n| {
                (
                    START + n * 7919 % 86_400 * S + n % 40 * S,
                    START + n * 7919 % 86_400 * S,
                )
            })
            .collect();
        let mut one = ZoneWitnesses::default();
        let mut other = ZoneWitnesses::default();
        rows.iter().for_each(|(civil, utc)| one.row(*civil, *utc));
        rows.iter()
            .rev()
            .for_each(|(civil, utc)| other.row(*civil, *utc));
        assert_eq!(one, other);
    }
}
