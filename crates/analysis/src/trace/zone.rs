//! The zone of the database's clock.

use super::rows::{DbTime, Rows, Tables};
use super::shape::Zone;
use chain::rollup::ZoneWitnesses;
use model::time::{MICROS_PER_SECOND, format_offset};
use model::{TableError, TableSource};

/// When rows were created, as the database's clock said, and the time of their block, in microseconds.
pub(crate) fn creations(rows: &Rows) -> Vec<(i64, i64)> {
    let (created, timestamp) = (rows.times("created_at"), rows.ints("timestamp"));
    (0..rows.len())
        .filter_map(|row| {
            let created = created(row).filter(|time| !time.utc)?;
            let block_us = timestamp(row)?.checked_mul(MICROS_PER_SECOND)?;
            Some((created.us, block_us))
        })
        .collect()
}

/// The zone of the database's clock, as `chain::rollup` solves it for snapshots, too.
pub(crate) fn solve_zone(creations: &[(i64, i64)]) -> Option<Zone> {
    let mut witnesses = ZoneWitnesses::default();
    for (created_us, block_us) in creations {
        witnesses.row(*created_us, *block_us);
    }
    solved(witnesses)
}

fn solved(witnesses: ZoneWitnesses) -> Option<Zone> {
    let reading = witnesses.solve();
    let seconds = reading.seconds?;
    Some(Zone {
        value: format_offset(seconds),
        basis: format!(
            "created_at against the block's unix time, {} rows",
            reading.witnesses
        ),
        residual_s: reading.residual_s?,
        seconds: i64::from(seconds),
        shown: None,
    })
}

/// The zone by all batches, or by all miniblocks where the batches tell none: a batch's row may be written only when
/// it is full. Every answer from a database solves it so, that all say the same.
pub(crate) fn of_tables(source: &dyn TableSource) -> Result<Option<Zone>, TableError> {
    match of_table(source, "l1_batches")? {
        None => of_table(source, "miniblocks"),
        zone => Ok(zone),
    }
}

/// The same where the batches have been read already (or not at all: nothing was found).
pub(crate) fn of_read(
    tables: &Tables<'_>,
    batches: &[(i64, i64)],
) -> Result<Option<Zone>, TableError> {
    match batches {
        [] => of_tables(tables.source()),
        batches => match solve_zone(batches) {
            None => of_table(tables.source(), "miniblocks"),
            zone => Ok(zone),
        },
    }
}

/// The zone by the rows of one table.
pub(crate) fn of_table(source: &dyn TableSource, table: &str) -> Result<Option<Zone>, TableError> {
    let mut infos = source.tables();
    model::leave_public(&mut infos, |_| false);
    let Some(info) = infos.iter().find(|info| info.name == table) else {
        return Ok(None);
    };
    let mut witnesses = ZoneWitnesses::default();
    let read = source.scan(table, &["timestamp", "created_at"], &mut |batch| {
        for (created_us, block_us) in creations(&Rows::new(info.clone(), batch)) {
            witnesses.row(created_us, block_us);
        }
        Ok(())
    });
    match read {
        Ok(()) => Ok(solved(witnesses)),
        Err(TableError::Ambiguous { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Converts a database time to UTC if its zone is known.
pub(crate) fn to_utc(time: DbTime, zone: Option<&Zone>) -> Option<DbTime> {
    if time.utc {
        return Some(time);
    }
    let zone = zone?;
    let is_shown = zone
        .shown
        .as_ref()
        .is_none_or(|shown| shown.holds_at(time.us));
    is_shown.then(|| DbTime {
        us: time.us - zone.seconds * MICROS_PER_SECOND,
        utc: true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = MICROS_PER_SECOND;

    /// Of rows that were created so long after their block.
    fn solved(lags: Vec<i64>) -> Option<Zone> {
        let block_us = 1_694_167_200 * S;
        let creations: Vec<_> = lags.iter().map(|lag| (block_us + lag, block_us)).collect();
        solve_zone(&creations)
    }

    #[test]
    fn a_zone_needs_a_floor() {
        assert_eq!(solved(vec![]), None);
        assert_eq!(
            solved(vec![S, 40 * S]).map(|z| z.value),
            Some("+00:00".into())
        );
        // A node that caught up three hours later is no witness of a zone.
        assert_eq!(solved(vec![3 * 3600 * S + S]), None);
        let berlin = (0..30).map(|n| 2 * 3600 * S + n * S).collect();
        assert_eq!(solved(berlin).map(|z| z.value), Some("+02:00".into()));
        let catching_up = (0..300).map(|n| 3 * 3600 * S + n * 60 * S).collect();
        assert_eq!(solved(catching_up), None);
    }
}
