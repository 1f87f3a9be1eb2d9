//! The zone of the database's clock, and the time that waiting is judged by.

use super::TraceOptions;
use super::rows::{DbTime, Rows, Tables};
use super::shape::{AsOf, Zone};
use model::time::{MICROS_PER_SECOND, format_offset, format_utc};

pub(crate) fn creation_lags(rows: &Rows) -> Vec<i64> {
    (0..rows.len())
        .filter_map(|row| {
            let created = rows.time(row, "created_at").filter(|time| !time.utc)?;
            Some(created.us - rows.int(row, "timestamp")? * MICROS_PER_SECOND)
        })
        .collect()
}

/// A row is created seconds after the time of its block; the least such difference, rounded to a
/// quarter of an hour, is the zone of the database's clock. A node that copied its rows later has no
/// such floor, so a zone other than UTC needs many witnesses.
pub(crate) fn solve_zone(mut lags: Vec<i64>) -> Option<Zone> {
    const QUARTER: i64 = 900 * MICROS_PER_SECOND;
    const EARLY: i64 = -30 * MICROS_PER_SECOND;
    const LATE: i64 = 120 * MICROS_PER_SECOND;
    lags.sort_unstable();
    let least = *lags.first()?;
    let zone = (least as f64 / QUARTER as f64).round() as i64 * QUARTER;
    let close = lags
        .iter()
        .filter(|lag| (EARLY..=LATE).contains(&(**lag - zone)))
        .count();
    let enough = if zone == 0 {
        close >= 1
    } else {
        close >= 20 && close * 2 > lags.len()
    };
    let hours_18 = 18 * 3600 * MICROS_PER_SECOND;
    (enough && zone.abs() <= hours_18).then(|| Zone {
        value: format_offset((zone / MICROS_PER_SECOND) as i32),
        basis: format!("created_at against the block's unix time, {close} rows"),
        residual_s: (least - zone) as f64 / MICROS_PER_SECOND as f64,
        seconds: zone / MICROS_PER_SECOND,
    })
}

pub(crate) fn as_of(
    tables: &Tables<'_>,
    zone: Option<&Zone>,
    options: &TraceOptions,
) -> Option<AsOf> {
    let given = options
        .as_of_us
        .map(|us| (us, "given"))
        .or_else(|| options.dumped_at_us.map(|us| (us, "dump header")));
    if let Some((us, basis)) = given {
        return Some(AsOf {
            value: format_utc(us),
            basis: basis.to_owned(),
            us,
            utc: true,
        });
    }
    let newest = tables.newest?;
    let time = to_utc(newest, zone).unwrap_or(newest);
    Some(AsOf {
        value: time.print(),
        basis: "newest row".to_owned(),
        us: time.us,
        utc: time.utc,
    })
}

/// Converts a database time to UTC if its zone is known.
pub(crate) fn to_utc(time: DbTime, zone: Option<&Zone>) -> Option<DbTime> {
    if time.utc {
        return Some(time);
    }
    Some(DbTime {
        us: time.us - zone?.seconds * MICROS_PER_SECOND,
        utc: true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = MICROS_PER_SECOND;

    #[test]
    fn a_zone_needs_a_floor() {
        assert_eq!(solve_zone(vec![]), None);
        assert_eq!(
            solve_zone(vec![S, 40 * S]).map(|z| z.value),
            Some("+00:00".into())
        );
        // A node that caught up three hours later is no witness of a zone.
        assert_eq!(solve_zone(vec![3 * 3600 * S + S]), None);
        let berlin = (0..30).map(|n| 2 * 3600 * S + n * S).collect();
        assert_eq!(solve_zone(berlin).map(|z| z.value), Some("+02:00".into()));
        let catching_up = (0..300).map(|n| 3 * 3600 * S + n * 60 * S).collect();
        assert_eq!(solve_zone(catching_up), None);
    }
}
