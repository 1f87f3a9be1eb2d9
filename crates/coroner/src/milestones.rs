//! Milestones: rows of database tables that say when something happened, as rows of a timeline.

use crate::zones::DatabaseZone;
use crate::{Error, Evidence, Window};
use model::time::{MICROS_PER_SECOND, format_civil, format_utc};
use model::{Batch, ColumnType, RowFilter, TableInfo, TableSource};
use serde_json::{Map, Value, json};

/// A column that tells when, and what it tells.
struct Mark {
    table: &'static str,
    time: &'static str,
    kind: &'static str,
    /// `{column}` stands for the column's value.
    text: &'static str,
}

/// What the tables of a rollup's server say. `confirmed_at` is when the server noticed, never L1 time.
const MARKS: &[Mark] = &[
    Mark {
        table: "l1_batches",
        time: "timestamp",
        kind: "rollup.batch_begun",
        text: "batch {number} begun",
    },
    Mark {
        table: "eth_txs",
        time: "created_at",
        kind: "rollup.tx_saved",
        text: "eth_tx {id} saved: {tx_type}, nonce {nonce}",
    },
    Mark {
        table: "eth_txs_history",
        time: "created_at",
        kind: "rollup.tx_signed",
        text: "eth_tx {eth_tx_id} signed as {tx_hash}",
    },
    Mark {
        table: "eth_txs_history",
        time: "confirmed_at",
        kind: "rollup.tx_confirmed",
        text: "eth_tx {eth_tx_id} noticed as confirmed: {tx_hash}",
    },
    Mark {
        table: "prover_jobs",
        time: "created_at",
        kind: "job.created",
        text: "prover job {id} of batch {l1_batch_number} created",
    },
    Mark {
        table: "prover_jobs",
        time: "processing_started_at",
        kind: "job.picked",
        text: "prover job {id} of batch {l1_batch_number} picked",
    },
    Mark {
        table: "prover_jobs",
        time: "updated_at",
        kind: "job.updated",
        text: "prover job {id} of batch {l1_batch_number} is {status}, attempts {attempts}",
    },
];

/// A row of a timeline with its place in it.
pub(crate) struct Milestone {
    pub(crate) order_us: i64,
    pub(crate) source: String,
    pub(crate) kind: &'static str,
    pub(crate) row: Map<String, Value>,
}

impl Evidence {
    /// Returns the milestones inside a window, in time order.
    pub(crate) fn milestones(&self, window: &Window) -> Result<Vec<Milestone>, Error> {
        let mut found = Vec::new();
        for snapshot in &self.manifest().snapshots {
            let tables = self.case().table_source(Some(&snapshot.name));
            let from = (snapshot.name.as_str(), &self.database_zone(snapshot));
            for info in tables.tables() {
                for mark in MARKS.iter().filter(|mark| mark.table == info.name) {
                    take(&tables, &info, from, mark, window, &mut found)?;
                }
            }
        }
        found.sort_by(|a, b| {
            (a.order_us, &a.source, reference(&a.row)).cmp(&(
                b.order_us,
                &b.source,
                reference(&b.row),
            ))
        });
        Ok(found)
    }
}

fn reference(row: &Map<String, Value>) -> &str {
    row.get("ref").and_then(Value::as_str).unwrap_or("")
}

fn take(
    tables: &dyn TableSource,
    info: &TableInfo,
    (snapshot, zone): (&str, &DatabaseZone),
    mark: &Mark,
    window: &Window,
    found: &mut Vec<Milestone>,
) -> Result<(), Error> {
    let Some((_, time_type)) = info.columns.iter().find(|(name, _)| name == mark.time) else {
        return Ok(());
    };
    let mut columns: Vec<&str> = vec![mark.time];
    // Pushed one by one: `extend` would want every name to be static.
    for name in names(mark.text) {
        columns.push(name);
    }
    columns.extend(info.primary_key.iter().map(String::as_str));
    columns.sort_unstable();
    columns.dedup();
    let batch = tables.read(
        &format!("{}.{}", info.schema, info.name),
        &columns,
        &RowFilter::All,
    )?;
    let ordinals = batch.column("#");
    let Some(times) = batch.column(mark.time) else {
        return Ok(());
    };
    for row in 0..batch.rows() {
        let Some(value) = times.i64(row) else {
            continue;
        };
        let (ts, order_us, basis) = match time_type {
            ColumnType::TimestampUtc => (Some(value), value, "written"),
            ColumnType::TimestampCivil => match zone.at(value) {
                Some(zone) => {
                    let us = value.saturating_sub(i64::from(zone) * MICROS_PER_SECOND);
                    (Some(us), us, "written")
                }
                None => (None, value, "assumed"),
            },
            // Unix seconds.
            _ => {
                let us = value.saturating_mul(MICROS_PER_SECOND);
                (Some(us), us, "written")
            }
        };
        if value == i64::MAX || value == i64::MIN || !window.contains(order_us) {
            continue;
        }
        let ordinal = ordinals.and_then(|column| column.i64(row));
        let mut fields = Map::new();
        if ts.is_none() {
            fields.insert("database_time".into(), format_civil(value).into());
        }
        let shape = json!({
            "ts": ts.map(format_utc),
            "ts_basis": basis,
            "ts_order": format_utc(order_us),
            "corrected_ts": null,
            "node": null,
            "process": null,
            "client": null,
            "level": null,
            "component": snapshot,
            "kind": mark.kind,
            "message": text(mark.text, &batch, row),
            "fields": fields,
            "ref": info.row_reference(&batch, row, ordinal),
            "duplicates": [],
        });
        if let Value::Object(shape) = shape {
            found.push(Milestone {
                order_us,
                source: info.source.to_string(),
                kind: mark.kind,
                row: shape,
            });
        }
    }
    Ok(())
}

/// The columns that a text names.
fn names(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.split('{')
        .skip(1)
        .filter_map(|part| part.split('}').next())
}

fn text(template: &'static str, batch: &Batch, row: usize) -> String {
    let mut out = String::new();
    for (index, part) in template.split('{').enumerate() {
        if index == 0 {
            out.push_str(part);
            continue;
        }
        let (name, rest) = part.split_once('}').unwrap_or((part, ""));
        out.push_str(&value(batch, name, row));
        out.push_str(rest);
    }
    out
}

fn value(batch: &Batch, name: &str, row: usize) -> String {
    let Some(column) = batch.column(name) else {
        return "?".to_owned();
    };
    if let Some(number) = column.i64(row) {
        return number.to_string();
    }
    match (column.column_type, column.bytes(row)) {
        (ColumnType::Bytes, Some(bytes)) => bytes
            .iter()
            .fold("0x".to_owned(), |hex, byte| format!("{hex}{byte:02x}")),
        (_, Some(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        (_, None) => "?".to_owned(),
    }
}
