//! In which zone a database's clock wrote, where its own rows do not tell: against log lines of the same events.
//!
//! A server logs that an L1 transaction was saved in the moment in which its row in `eth_txs` is written.
//! Other rows are no witnesses: a confirmation may be copied from another node, in UTC whatever the clock;
//! a job's last change may be hours after the line that tells of an earlier one.

use crate::{Error, Evidence};
use analysis::trace::Zone;
use case::{Snapshot, SnapshotTable, SnapshotZone, TableId};
use chain::rollup::ZonePairs;
use model::time::{MICROS_PER_SECOND, format_offset, format_utc};
use model::{Batch, ColumnType, RowFilter, TableSource};
use std::collections::HashMap;
use std::sync::Arc;

/// Log lines, and rows beside them, that are remembered: enough for any zone.
const PAIRS_MOST: usize = 100_000;
/// What lines say of one transaction may come through several collectors.
const ONE_LINE_US: i64 = 2 * MICROS_PER_SECOND;

/// The zone of a snapshot's times without one.
pub(crate) struct DatabaseZone {
    /// What the database's own rows show, or a person said.
    known: (Option<i32>, SnapshotZone),
    /// What log lines show.
    logs: Option<ZonePairs>,
}

impl DatabaseZone {
    /// The zone at a civil time, in seconds east of UTC.
    pub(crate) fn at(&self, civil_us: i64) -> Option<i32> {
        match &self.logs {
            Some(logs) if logs.holds_at(civil_us) => Some(logs.seconds),
            // What a person said stands on other days, unless lines say otherwise.
            Some(logs) => self.known.0.filter(|known| *known == logs.seconds),
            None => self.known.0,
        }
    }

    /// The zone and how it became known.
    pub(crate) fn told(self) -> (Option<i32>, SnapshotZone) {
        let Some(logs) = self.logs else {
            return self.known;
        };
        let shift = i64::from(logs.seconds) * MICROS_PER_SECOND;
        let span = logs.span().map_or_else(String::new, |(first, last)| {
            let (first, last) = (format_utc(first - shift), format_utc(last - shift));
            format!(", rows of {first} to {last}")
        });
        let zone = SnapshotZone {
            basis: "logs".to_owned(),
            by: format!("eth_txs.created_at against log lines (tx_saved){span}"),
            residual_s: Some(logs.residual_s),
            witnesses: logs.witnesses,
            rows: logs.rows,
            changes: Vec::new(),
        };
        (Some(logs.seconds), zone)
    }
}

/// Tables whose rows tell of a rollup's batches; the snapshot that has them is the server's database.
const OF_SERVER: [&str; 4] = ["l1_batches", "eth_txs", "miniblocks", "l2_to_l1_logs"];

impl Evidence {
    /// Returns the snapshot that a question about a rollup is asked of: the one that is named, or whose schema is; else the only
    /// one; else the only one that holds a server's tables, or the only one that holds jobs of provers. `None`
    /// if that does not decide.
    ///
    /// # Errors
    /// If there is no snapshot of that name.
    pub(crate) fn rollup_snapshot(&self, named: Option<&str>) -> Result<Option<&Snapshot>, Error> {
        let manifest = self.manifest();
        if let Some(name) = named {
            let choice = self.case().choice(name);
            let found = choice.and_then(|choice| manifest.snapshot(&choice.snapshot));
            let unknown = || crate::snapshots::unknown(name, &crate::snapshots::names(manifest));
            return found.map(Some).ok_or_else(unknown);
        }
        let only = |holds: &dyn Fn(&SnapshotTable) -> bool| {
            let mut all = manifest.snapshots.iter();
            let found = all.find(|snapshot| snapshot.tables.iter().any(holds))?;
            let another = all.any(|snapshot| snapshot.tables.iter().any(holds));
            (!another).then_some(found)
        };
        if let [one] = manifest.snapshots.as_slice() {
            return Ok(Some(one));
        }
        let server = only(&|table| OF_SERVER.contains(&table.name.as_str()));
        let prover = || only(&|table| table.name.starts_with("prover_jobs"));
        Ok(server.or_else(prover))
    }

    /// Returns the zone of a snapshot's naive times, as traces and their like take it.
    pub(crate) fn clock_zone(&self, snapshot: &Snapshot) -> Option<Zone> {
        let DatabaseZone { known, logs } = self.database_zone(snapshot);
        let given = known.0;
        // What a person said stands on other days, unless lines say otherwise.
        let shown = logs.clone().filter(|logs| given != Some(logs.seconds));
        let (seconds, by) = DatabaseZone { known, logs }.told();
        let seconds = seconds?;
        let basis = match by.basis.as_str() {
            "rows" => format!("{}, {} rows", by.by, by.witnesses),
            "logs" => format!("{}, {} pairs", by.by, by.witnesses),
            basis => basis.to_owned(),
        };
        Some(Zone {
            value: format_offset(seconds),
            basis,
            residual_s: by.residual_s.unwrap_or_default(),
            seconds: i64::from(seconds),
            shown: shown.map(Arc::new),
        })
    }

    /// Returns the zone of a snapshot's naive times.
    pub(crate) fn database_zone(&self, snapshot: &Snapshot) -> DatabaseZone {
        let known = (snapshot.zone_seconds, snapshot.zone.clone());
        // Rows of the database itself tell of all its days. A segment that cannot be read tells
        // nothing here; `verify` says what is wrong with it.
        let logs = match snapshot.zone.basis == "rows" {
            true => None,
            false => self.zone_by_logs(snapshot).unwrap_or_default(),
        };
        DatabaseZone { known, logs }
    }

    fn zone_by_logs(&self, snapshot: &Snapshot) -> Result<Option<ZonePairs>, Error> {
        let naive = |table: &&SnapshotTable| {
            let mut columns = table.columns.iter();
            table.name == "eth_txs"
                && columns
                    .any(|(name, of)| name == "created_at" && *of == ColumnType::TimestampCivil)
        };
        let tables: Vec<&SnapshotTable> = snapshot.tables.iter().filter(naive).collect();
        if tables.is_empty() {
            return Ok(None);
        }
        let lines = self.saved_lines()?;
        if lines.is_empty() {
            return Ok(None);
        }
        let source = self.case().table_source(Some(&snapshot.name));
        let mut pairs = Vec::new();
        for table in tables {
            let name = format!("{}.{}", table.schema, table.name);
            source.scan(&name, &["id", "created_at"], &mut |batch| {
                let columns = batch.column("id").zip(batch.column("created_at"));
                let Some((id, created)) = columns else {
                    return Ok(());
                };
                for row in 0..batch.rows() {
                    let line = id.i64(row).and_then(|id| lines.get(&id).copied().flatten());
                    let pair = created.i64(row).zip(line);
                    pairs.extend(pair.filter(|_| pairs.len() < PAIRS_MOST));
                }
                Ok(())
            })?;
        }
        Ok(ZonePairs::solve(pairs))
    }

    /// When log lines say that an L1 transaction was saved, by its id; `None` for an id of which lines say
    /// several times, as those of two servers do. Only lines that write their zone themselves count.
    fn saved_lines(&self) -> Result<HashMap<i64, Option<i64>>, Error> {
        let table = TableId::Obs("rollup_milestones".to_owned());
        let mut lines: HashMap<i64, Option<i64>> = HashMap::new();
        if self.case().rows(&table) == 0 {
            return Ok(lines);
        }
        let columns = ["ts_us", "ts_basis", "what", "eth_tx_id"];
        let filter = RowFilter::BytesIn("what".to_owned(), vec![b"tx_saved".to_vec()]);
        let mut take = |batch: Batch| {
            for row in 0..batch.rows() {
                let number = |name: &str| batch.column(name)?.i64(row);
                let basis = batch.column("ts_basis").and_then(|column| column.text(row));
                let (Some(id), Some(ts), Some("written")) =
                    (number("eth_tx_id"), number("ts_us"), basis)
                else {
                    continue;
                };
                let full = lines.len() >= PAIRS_MOST;
                match lines.get_mut(&id) {
                    Some(Some(known)) if (*known - ts).abs() <= ONE_LINE_US => {
                        *known = ts.min(*known);
                    }
                    Some(known) => *known = None,
                    None if !full => {
                        lines.insert(id, Some(ts));
                    }
                    None => {}
                }
            }
            Ok(())
        };
        self.case()
            .read(&table, Some(&columns), &filter, &mut take)?;
        Ok(lines)
    }
}
