//! Rows of whatever tables there are, read with patience: types may have been inferred, columns may be
//! missing, and a pasted result is a part of its table.

use super::TraceError;
use super::key::hex;
use model::{Batch, ColumnType, RowFilter, TableError, TableInfo, TableSource};
use std::collections::BTreeSet;

/// The tables a trace reads.
pub(super) const TABLES: [&str; 6] = [
    "l2_to_l1_logs",
    "transactions",
    "miniblocks",
    "l1_batches",
    "eth_txs",
    "eth_txs_history",
];

/// A database time: civil unless its column has a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DbTime {
    pub(super) us: i64,
    pub(super) utc: bool,
}

impl DbTime {
    pub(super) fn print(self) -> String {
        if self.utc {
            model::time::format_utc(self.us)
        } else {
            model::time::format_civil(self.us)
        }
    }
}

/// The evidence's tables and what was missed in them.
pub(super) struct Tables<'a> {
    source: &'a dyn TableSource,
    infos: Vec<TableInfo>,
    pub(super) warnings: Vec<String>,
    /// Tables that were read, for answers that found nothing.
    pub(super) looked_at: BTreeSet<String>,
    pub(super) missing: BTreeSet<String>,
    /// References in the order of the walk, without repeats.
    pub(super) refs: Vec<String>,
    pub(super) snapshot: Option<String>,
    /// The newest civil (and zoned) time seen in any row that was read.
    pub(super) newest: Option<DbTime>,
}

impl<'a> Tables<'a> {
    pub(super) fn new(source: &'a dyn TableSource) -> Result<Self, TraceError> {
        let infos = source.tables();
        if !infos
            .iter()
            .any(|info| TABLES.contains(&info.name.as_str()))
        {
            let mut known: Vec<_> = infos.iter().map(|info| info.name.as_str()).collect();
            known.sort_unstable();
            known.dedup();
            let known = if known.is_empty() {
                "none".to_owned()
            } else {
                known.join(", ")
            };
            return Err(TraceError::NoTables { known });
        }
        let mut tables = Tables {
            source,
            infos,
            warnings: Vec::new(),
            looked_at: BTreeSet::new(),
            missing: BTreeSet::new(),
            refs: Vec::new(),
            snapshot: None,
            newest: None,
        };
        if tables.info("miniblocks").is_none() && tables.info("blocks").is_some() {
            tables.warn("table blocks without miniblocks: a database from before August 2022, whose layout is not read");
        }
        Ok(tables)
    }

    pub(super) fn info(&self, table: &str) -> Option<&TableInfo> {
        self.infos.iter().find(|info| info.name == table)
    }

    pub(super) fn has_column(&self, table: &str, column: &str) -> bool {
        self.info(table)
            .is_some_and(|info| info.columns.iter().any(|(name, _)| name == column))
    }

    /// Whether all rows of the table can be expected to be here. Without CREATE TABLE it may be a
    /// pasted query result or an export of some rows.
    pub(super) fn is_whole(&self, table: &str) -> bool {
        self.info(table).is_some_and(|info| !info.types_inferred)
    }

    pub(super) fn warn(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !self.warnings.contains(&text) {
            self.warnings.push(text);
        }
    }

    pub(super) fn refer(&mut self, reference: String) {
        if !self.refs.contains(&reference) {
            self.refs.push(reference);
        }
    }

    /// Reads rows; `None` (and a warning) if the table or the column to filter by is not here.
    pub(super) fn read(
        &mut self,
        table: &str,
        columns: &[&str],
        filter: &RowFilter,
    ) -> Result<Option<Rows>, TraceError> {
        let Some(info) = self.info(table).cloned() else {
            self.missing.insert(table.to_owned());
            self.warn(format!("table {table} is not in the evidence"));
            return Ok(None);
        };
        if let RowFilter::I64In(column, _) | RowFilter::BytesIn(column, _) = filter
            && !self.has_column(table, column)
        {
            self.warn(format!(
                "column {column} of table {table} is not in the evidence"
            ));
            return Ok(None);
        }
        let mut wanted: Vec<&str> = columns.to_vec();
        for name in &info.primary_key {
            if !wanted.contains(&name.as_str()) {
                wanted.push(name);
            }
        }
        let batch = match self.source.read(table, &wanted, filter) {
            Ok(batch) => batch,
            Err(TableError::NoTable { .. }) => {
                self.missing.insert(table.to_owned());
                self.warn(format!("table {table} is not in the evidence"));
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        self.looked_at.insert(table.to_owned());
        if self.snapshot.is_none() {
            self.snapshot = Some(info.snapshot.clone());
        }
        let rows = Rows { info, batch };
        for name in ["updated_at", "created_at", "confirmed_at", "sealed_at"] {
            let newest = (0..rows.len())
                .filter_map(|row| rows.time(row, name))
                .max_by_key(|time| time.us);
            if let Some(time) = newest
                && self.newest.is_none_or(|known| known.us < time.us)
            {
                self.newest = Some(time);
            }
        }
        Ok(Some(rows))
    }

    pub(super) fn damage(&self) -> Vec<String> {
        self.source.damage()
    }

    /// How many sources the tables come from.
    pub(super) fn sources(&self) -> usize {
        let sources: BTreeSet<_> = self.infos.iter().map(|info| &info.source).collect();
        sources.len()
    }
}

/// Rows that were read, with the table they come from.
pub(super) struct Rows {
    info: TableInfo,
    batch: Batch,
}

impl Rows {
    pub(super) fn len(&self) -> usize {
        self.batch.rows()
    }

    pub(super) fn has(&self, column: &str) -> bool {
        self.batch.column(column).is_some()
    }

    pub(super) fn reference(&self, row: usize) -> String {
        let ordinal = self.batch.column("#").and_then(|column| column.i64(row));
        self.info.row_reference(&self.batch, row, ordinal)
    }

    pub(super) fn int(&self, row: usize, column: &str) -> Option<i64> {
        let column = self.batch.column(column)?;
        column
            .i64(row)
            .or_else(|| column.text(row)?.trim().parse().ok())
    }

    pub(super) fn bool(&self, row: usize, column: &str) -> Option<bool> {
        let column = self.batch.column(column)?;
        column.bool(row).or_else(|| match column.text(row)?.trim() {
            "t" | "true" => Some(true),
            "f" | "false" => Some(false),
            _ => None,
        })
    }

    pub(super) fn text(&self, row: usize, column: &str) -> Option<String> {
        let column = self.batch.column(column)?;
        match column.bytes(row) {
            Some(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            None => column.i64(row).map(|number| number.to_string()),
        }
    }

    /// A hash or address as `0x…`, whether its column holds bytes or text.
    pub(super) fn hex(&self, row: usize, column: &str) -> Option<String> {
        let column = self.batch.column(column)?;
        let bytes = column.bytes(row)?;
        if column.column_type == ColumnType::Bytes {
            return Some(hex(bytes));
        }
        let text = std::str::from_utf8(bytes).ok()?.trim();
        let digits = text.strip_prefix("\\x").or_else(|| text.strip_prefix("0x"));
        Some(match digits {
            Some(digits) => format!("0x{}", digits.to_ascii_lowercase()),
            None => text.to_owned(),
        })
    }

    pub(super) fn time(&self, row: usize, column: &str) -> Option<DbTime> {
        let column = self.batch.column(column)?;
        let (us, utc) = match column.column_type {
            ColumnType::TimestampUtc => (column.i64(row)?, true),
            ColumnType::TimestampCivil => (column.i64(row)?, false),
            _ => {
                let (us, zone) = model::time::parse_civil(column.text(row)?.trim())?;
                let zone_us = i64::from(zone.unwrap_or(0)) * model::time::MICROS_PER_SECOND;
                (us - zone_us, zone.is_some())
            }
        };
        // ±infinity is no time that anything happened at.
        (us != i64::MAX && us != i64::MIN).then_some(DbTime { us, utc })
    }

    /// Rows whose number in `column` is `value`.
    pub(super) fn find(&self, column: &str, value: i64) -> Option<usize> {
        (0..self.len()).find(|&row| self.int(row, column) == Some(value))
    }
}

/// A filter for bytes that may be stored as bytes, as `\x…` text or as `0x…` text.
pub(super) fn bytes_in(column: &str, values: &[&[u8]]) -> RowFilter {
    let mut forms = Vec::with_capacity(values.len() * 3);
    for value in values {
        let text = hex(value);
        forms.push(value.to_vec());
        forms.push(format!("\\{}", &text[1..]).into_bytes());
        forms.push(text.into_bytes());
    }
    RowFilter::BytesIn(column.to_owned(), forms)
}

/// A filter for whole numbers.
pub(super) fn i64_in(column: &str, values: impl IntoIterator<Item = i64>) -> RowFilter {
    let mut values: Vec<i64> = values.into_iter().collect();
    values.sort_unstable();
    values.dedup();
    RowFilter::I64In(column.to_owned(), values)
}
