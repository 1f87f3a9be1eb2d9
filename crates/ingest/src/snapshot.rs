//! What a snapshot's rows say about the database itself: which migrations it has, and in which zone its
//! clock wrote. Looks at batches as they pass; the form of the dump does not matter.

use case::{Snapshot, SnapshotZone};
use chain::rollup::{ZoneReading, ZoneWitnesses};
use model::time::MICROS_PER_SECOND;
use model::{Batch, Column, ColumnType, TableInfo};
use std::collections::BTreeMap;

/// Tables whose rows hold both a naive `created_at` and the unix `timestamp` of what they tell of, the best
/// witness first: a batch's row was written when the batch ended, long after its time.
const TIMED: [&str; 2] = ["miniblocks", "l1_batches"];

/// Watches rows on their way into the case.
#[derive(Debug, Default)]
pub(crate) struct SnapshotWatch {
    /// Newest version by schema: what it is ordered by, and the version itself.
    migrations: BTreeMap<String, (u64, String)>,
    witnesses: [ZoneWitnesses; TIMED.len()],
}

impl SnapshotWatch {
    /// Looks at rows.
    pub(crate) fn see(&mut self, info: &TableInfo, batch: &Batch) {
        if info.name == "_sqlx_migrations" {
            self.migrations(info, batch);
        } else if let Some(index) = TIMED.iter().position(|name| *name == info.name) {
            let columns = (batch.column("created_at"), batch.column("timestamp"));
            if let (Some(created), Some(block)) = columns
                && created.column_type == ColumnType::TimestampCivil
            {
                for row in 0..batch.rows() {
                    let times = (created.i64(row), integer(block, row));
                    if let (Some(civil_us), Some(seconds)) = times
                        && let Some(utc_us) = seconds.checked_mul(MICROS_PER_SECOND)
                    {
                        self.witnesses[index].row(civil_us, utc_us);
                    }
                }
            }
        }
    }

    /// Versions are `YYYYMMDDhhmmss`; one of zkSync Era's has a digit too many (202601016134308), so they are
    /// ordered by their first 14 digits.
    fn migrations(&mut self, info: &TableInfo, batch: &Batch) {
        let Some(versions) = batch.column("version") else {
            return;
        };
        let success = batch.column("success");
        for row in 0..batch.rows() {
            let failed = success.is_some_and(|column| {
                column.bool(row) == Some(false) || matches!(column.text(row), Some("f" | "false"))
            });
            let Some(version) = integer(versions, row).filter(|_| !failed) else {
                continue;
            };
            let text = version.to_string();
            let Ok(key) = format!("{text:0<14.14}").parse::<u64>() else {
                continue;
            };
            let newest = self.migrations.entry(info.schema.clone()).or_default();
            if key > newest.0 {
                *newest = (key, text);
            }
        }
    }

    /// Writes into the manifest what was seen; `given` is the zone that the user named.
    pub(crate) fn tell(self, snapshot: &mut Snapshot, given: Option<i32>) {
        snapshot.migrations = self
            .migrations
            .into_iter()
            .map(|(schema, (_, version))| (schema, version))
            .collect();
        let newest = snapshot.migrations.get("public");
        if let Some(version) = newest.or_else(|| snapshot.migrations.values().next()) {
            snapshot.schema_version = Some(version.clone());
        }
        let naive = |table: &case::SnapshotTable| {
            let mut columns = table.columns.iter();
            columns.any(|(_, of)| *of == ColumnType::TimestampCivil)
        };
        if !snapshot.tables.iter().any(naive) {
            return;
        }
        let readings = self.witnesses.iter().map(ZoneWitnesses::solve);
        let solved = TIMED
            .iter()
            .zip(readings)
            .find(|(_, reading)| reading.seconds.is_some() || !reading.changes.is_empty());
        if let Some((table, reading)) = solved {
            let ZoneReading {
                seconds,
                residual_s,
                witnesses,
                rows,
                changes,
            } = reading;
            snapshot.zone_seconds = seconds;
            snapshot.zone = SnapshotZone {
                basis: "rows".to_owned(),
                by: format!("{table}.created_at against {table}.timestamp"),
                residual_s,
                witnesses,
                rows,
                changes,
            };
        } else if let Some(seconds) = given {
            snapshot.zone_seconds = Some(seconds);
            snapshot.zone.basis = "given".to_owned();
        }
    }
}

/// A whole number, whether its column was declared or inferred as text.
fn integer(column: &Column, row: usize) -> Option<i64> {
    column
        .i64(row)
        .or_else(|| column.text(row)?.trim().parse().ok())
}
