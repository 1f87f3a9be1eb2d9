//! The zone of a database's clock, where log lines tell of the moments in which rows were written.
//!
//! A row and the line that tells of its writing lie within seconds, so a handful of pairs is enough; but they
//! speak only of their own days: a zone with daylight-saving time has another one half a year later.

use model::time::{MICROS_PER_DAY, MICROS_PER_SECOND};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

/// Microseconds in a quarter of an hour.
const QUARTER: i64 = 900 * MICROS_PER_SECOND;
/// A row and its line are of one moment up to this distance: two machines' clocks differ.
const APART: i64 = 10 * MICROS_PER_SECOND;
/// Pairs in fewer minutes than this show no zone, not even UTC: a burst is one coincidence.
const MINUTES_LEAST: usize = 5;
/// The zones that the earth has, in quarters of an hour east of UTC.
const ZONES: RangeInclusive<i64> = -48..=56;
/// A clock that changes its zone and changes it back takes longer: Morocco's month of Ramadan is the shortest.
const GAP: i64 = 21 * MICROS_PER_DAY;

/// A zone that pairs of rows and log lines show.
#[derive(Clone, Debug, PartialEq)]
pub struct ZonePairs {
    /// Seconds east of UTC.
    pub seconds: i32,
    /// How far the closest row is from it, in seconds.
    pub residual_s: f64,
    /// Pairs that show it.
    pub witnesses: u64,
    /// Pairs that were looked at.
    pub rows: u64,
    /// Civil times of the rows that show it, never empty.
    shown: BTreeSet<i64>,
}

impl ZonePairs {
    /// Solves pairs of the civil time (microseconds) at which a row was written, and the instant at which
    /// a log line tells of that. `None` if they are few, or do not agree.
    ///
    /// ```
    /// // Five rows, each written by a clock in Shanghai in the second of its log line.
    /// let pairs = (0..5).map(|n| ((n * 600 + 28_800) * 1_000_000, n * 600_000_000));
    /// assert_eq!(chain::rollup::ZonePairs::solve(pairs).map(|zone| zone.seconds), Some(28_800));
    /// ```
    pub fn solve(pairs: impl IntoIterator<Item = (i64, i64)>) -> Option<ZonePairs> {
        let mut rows: u64 = 0;
        // By quarter: the pairs, the smallest distance, the rows' times.
        let mut found: BTreeMap<i64, (u64, i64, BTreeSet<i64>)> = BTreeMap::new();
        for (civil_us, utc_us) in pairs {
            rows += 1;
            let Some(lag) = civil_us.checked_sub(utc_us) else {
                continue;
            };
            let (quarter, above) = (lag.div_euclid(QUARTER), lag.rem_euclid(QUARTER));
            let (quarter, off) = match above <= QUARTER / 2 {
                true => (quarter, above),
                false => (quarter + 1, QUARTER - above),
            };
            if off <= APART {
                let (count, least, shown) =
                    found.entry(quarter).or_insert((0, off, BTreeSet::new()));
                *count += 1;
                *least = off.min(*least);
                shown.insert(civil_us);
            }
        }
        // Pairs at two zones: the clock changed, or rows and lines are not of the same things.
        let only = (found.len() == 1).then(|| found.pop_first()).flatten();
        let (quarter, (witnesses, least, shown)) = only?;
        let minute = |civil_us: &i64| civil_us.div_euclid(60 * MICROS_PER_SECOND);
        let minutes: BTreeSet<i64> = shown.iter().map(minute).collect();
        let agree = witnesses * 10 >= rows * 9;
        (ZONES.contains(&quarter) && minutes.len() >= MINUTES_LEAST && agree).then(|| ZonePairs {
            seconds: (quarter * QUARTER / MICROS_PER_SECOND) as i32,
            residual_s: least as f64 / MICROS_PER_SECOND as f64,
            witnesses,
            rows,
            shown,
        })
    }

    /// The first and the last civil time of a row that shows the zone.
    pub fn span(&self) -> Option<(i64, i64)> {
        self.shown.first().copied().zip(self.shown.last().copied())
    }

    /// Whether the zone is known to hold at a civil time: rows before and after show it, not far apart.
    pub fn holds_at(&self, civil_us: i64) -> bool {
        let before = self.shown.range(..=civil_us).next_back();
        let after = self.shown.range(civil_us..).next();
        before
            .zip(after)
            .is_some_and(|(before, after)| after - before <= GAP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = MICROS_PER_SECOND;
    const HOUR: i64 = 3600 * S;
    /// 8 September 2023, 10:00 UTC.
    const START: i64 = 1_694_167_200 * S;

    /// Pairs of one hour each, with these differences.
    fn solve(lags: &[i64]) -> Option<ZonePairs> {
        let pair = |(n, lag): (usize, &i64)| {
            let at = START + n as i64 * HOUR;
            (at.saturating_add(*lag), at)
        };
        ZonePairs::solve(lags.iter().enumerate().map(pair))
    }

    #[track_caller]
    fn check(lags: &[i64], seconds: Option<i32>) {
        assert_eq!(solve(lags).map(|zone| zone.seconds), seconds, "{lags:?}");
    }

    #[test]
    fn a_handful_of_pairs_that_agree_show_a_zone() {
        let shanghai = 8 * HOUR;
        let five = [
            shanghai,
            shanghai + S,
            shanghai - S,
            shanghai + 2 * S,
            shanghai - 9 * S,
        ];
        check(&five, Some(28_800));
        check(&five[..4], None);
        check(&[], None);
        check(&[S, -S, 0, 0, 3 * S], Some(0));
        check(&[-5 * HOUR - S; 5], Some(-18_000));
        check(&[20_700 * S; 6], Some(20_700));
        let zone = solve(&five).unwrap();
        assert_eq!((zone.residual_s, zone.witnesses, zone.rows), (0.0, 5, 5));
    }

    #[test]
    fn pairs_that_disagree_show_none() {
        let shanghai = 8 * HOUR;
        // Another one at a second zone, even if only one of many.
        let mut many = vec![shanghai; 100];
        check(&many, Some(28_800));
        many.push(9 * HOUR);
        check(&many, None);
        // Too many that are of other moments.
        check(
            &[
                shanghai,
                shanghai,
                shanghai,
                shanghai,
                shanghai,
                shanghai + 60 * S,
            ],
            None,
        );
        // Rows of something else, written at any time; near no quarter of an hour; of no zone on earth.
        check(
            &[HOUR, 77 * S, 3 * HOUR + 300 * S, 400 * S, 500 * S, 123 * S],
            None,
        );
        check(&[shanghai + 30 * S; 9], None);
        check(&[15 * HOUR; 9], None);
        check(&[-13 * HOUR; 9], None);
        check(&[i64::MAX, i64::MIN, i64::MAX, i64::MIN, 0, 0], None);
        // A burst within a minute is one coincidence.
        let burst = (0..9).map(|n| (START + shanghai + n * S, START + n * S));
        assert_eq!(ZonePairs::solve(burst), None);
    }

    #[test]
    fn pairs_speak_of_their_own_days() {
        let at = |day: i64| START + day * MICROS_PER_DAY;
        let days = [0, 1, 2, 3, 4, 200];
        let zone = ZonePairs::solve(days.map(|day| (at(day) + 2 * HOUR, at(day)))).unwrap();
        let holds = [0, 3, 4, 200].map(|day| zone.holds_at(at(day) + 2 * HOUR));
        assert_eq!(holds, [true; 4]);
        assert!(zone.holds_at(at(1) + 9 * HOUR));
        // Before, after, and in half a year of which nothing is known.
        let beyond = [-1, 5, 100, 201].map(|day| zone.holds_at(at(day)));
        assert_eq!(beyond, [false; 4]);
    }
}
