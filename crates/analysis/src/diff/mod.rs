//! Two snapshots of one database: which rows are new, gone or changed, and what happened between them.
//!
//! Rows are matched by primary key and compared by digests, so that memory holds some fifty bytes per row of the
//! first snapshot and nothing of the second; only rows that differ are read again. What a set of differences
//! means in zkSync Era's databases (a revert, failed transactions cleared, confirmations taken back)
//! is named in `events`.

mod cells;
mod columns;
mod compare;
mod events;
mod tables;

use model::{TableError, TableInfo, TableSource};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// What is wanted of a comparison.
#[derive(Clone, Debug)]
pub struct DiffOptions {
    /// Only tables of which one of these says the name: `eth_txs*`, `prover.*`; all if there is none.
    pub tables: Vec<String>,
    /// Rows that are listed per table; all are counted.
    pub rows_listed: usize,
}

impl Default for DiffOptions {
    fn default() -> Self {
        DiffOptions {
            tables: Vec::new(),
            rows_listed: 100,
        }
    }
}

/// What differs between two snapshots.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Diff {
    /// What happened, as far as the differences show it.
    pub events: Vec<DiffEvent>,
    /// Tables that both have, by name.
    pub tables: Vec<TableDiff>,
    /// Tables that only the first has.
    pub tables_only_before: Vec<String>,
    /// Tables that only the second has.
    pub tables_only_after: Vec<String>,
    /// What a reader should know.
    pub notes: Vec<String>,
}

impl Diff {
    /// Whether anything differs.
    pub fn differs(&self) -> bool {
        !self.tables_only_before.is_empty()
            || !self.tables_only_after.is_empty()
            || self.tables.iter().any(TableDiff::differs)
    }
}

/// Something that happened to the database between two snapshots.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DiffEvent {
    /// `revert`, `pruned`, `clear_failed_transactions`, `transactions_deleted`, `unfinalize`, `link_lost`,
    /// `attempts_deleted`.
    pub kind: &'static str,
    /// What, in a sentence.
    pub text: String,
    /// `inferred`: no row says that it happened.
    pub basis: &'static str,
    /// The first and last number or id it is about.
    pub first: i64,
    /// See `first`.
    pub last: i64,
    /// How many rows of the table it is about.
    pub count: u64,
    /// Rows that show it, at most eight.
    pub refs: Vec<String>,
}

/// A table in two snapshots.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TableDiff {
    /// `schema.name`, `public.` left out.
    pub name: String,
    /// Columns that rows were matched by; empty where whole rows were.
    pub key: Vec<String>,
    /// `declared`, `declared in the other snapshot`, `known`, `whole rows`.
    pub key_basis: &'static str,
    /// Rows of the first.
    pub rows_before: u64,
    /// Rows of the second.
    pub rows_after: u64,
    /// Rows that only the second has.
    pub new: u64,
    /// Rows that only the first has.
    pub gone: u64,
    /// Rows whose key both have, and that differ.
    pub changed: u64,
    /// Columns that differ, and in how many of the changed rows.
    pub columns_changed: Vec<ColumnChange>,
    /// Columns that only the first has: not compared.
    pub columns_only_before: Vec<String>,
    /// Columns that only the second has: not compared.
    pub columns_only_after: Vec<String>,
    /// Differing rows, by kind and key.
    pub rows: Vec<RowDiff>,
    /// Differing rows that are not listed.
    pub rows_left_out: u64,
    /// What a reader should know.
    pub notes: Vec<String>,
}

impl TableDiff {
    /// Whether rows or columns differ.
    pub fn differs(&self) -> bool {
        self.new + self.gone + self.changed > 0
            || !self.columns_only_before.is_empty()
            || !self.columns_only_after.is_empty()
    }
}

/// A column that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ColumnChange {
    /// Name.
    pub name: String,
    /// Changed rows in which it differs.
    pub rows: u64,
}

/// A row that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RowDiff {
    /// `gone`, `changed`, `new`.
    pub change: &'static str,
    /// Values of the key.
    pub key: Vec<Value>,
    /// The row in the first snapshot.
    pub ref_before: Option<String>,
    /// The row in the second.
    pub ref_after: Option<String>,
    /// What differs, where both have the row.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, ValueDiff>,
}

/// A value that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ValueDiff {
    /// In the first snapshot.
    pub before: Value,
    /// In the second.
    pub after: Value,
}

/// Why snapshots cannot be compared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiffError {
    /// A table cannot be read.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// Compares two snapshots of one database: `before` and `after` each hold one.
///
/// # Errors
/// If a table cannot be read.
pub fn diff(
    before: &dyn TableSource,
    after: &dyn TableSource,
    options: &DiffOptions,
) -> Result<Diff, DiffError> {
    let wanted = |info: &TableInfo| {
        let full = format!("{}.{}", info.schema, info.name);
        options.tables.is_empty()
            || options
                .tables
                .iter()
                .any(|pattern| model::glob(pattern, &info.name) || model::glob(pattern, &full))
    };
    let by_name = |source: &dyn TableSource| -> BTreeMap<(String, String), TableInfo> {
        let tables = source.tables().into_iter().filter(wanted);
        tables
            .map(|info| ((info.schema.clone(), info.name.clone()), info))
            .collect()
    };
    let (first, mut second) = (by_name(before), by_name(after));
    let mut answer = Diff::default();
    let mut events = events::Evidence::default();
    for (name, info) in first {
        let Some(other) = second.remove(&name) else {
            answer.tables_only_before.push(shown(&info));
            continue;
        };
        let pair = tables::Pair::of(before, after, info, other);
        let compared = compare::compare(&pair, options.rows_listed)?;
        events.take(&pair, &compared)?;
        answer.tables.push(compared.table);
    }
    answer.tables_only_after = second.values().map(shown).collect();
    answer.events = events.judge();
    Ok(answer)
}

/// A table's name as people write it.
fn shown(info: &TableInfo) -> String {
    match info.schema.as_str() {
        "public" | "" => info.name.clone(),
        schema => format!("{schema}.{}", info.name),
    }
}
