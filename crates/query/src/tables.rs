//! The tables a question may name, and which one a written name means.

use crate::convert;
use crate::error::{QueryError, nearest};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::TableReference;
use model::{Choice, ColumnType, NumericExtent};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// The name of a table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TableName {
    /// What programs said: `records`.
    Records,
    /// Lines that no format claimed: `rejects`.
    Rejects,
    /// Records that another source of their process has too: `duplicates`.
    Duplicates,
    /// What records mean: `obs.<kind>`.
    Obs(String),
    /// A table of a database: `<snapshot>.<schema>.<table>`.
    Dump {
        /// The snapshot's name.
        snapshot: String,
        /// Schema in the database.
        schema: String,
        /// Table in the database.
        table: String,
    },
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TableName::Records => f.write_str("records"),
            TableName::Rejects => f.write_str("rejects"),
            TableName::Duplicates => f.write_str("duplicates"),
            TableName::Obs(kind) => write!(f, "obs.{kind}"),
            TableName::Dump {
                snapshot,
                schema,
                table,
            } => write!(f, "{snapshot}.{schema}.{table}"),
        }
    }
}

/// A table that lies in Parquet files.
#[derive(Clone, Debug)]
pub struct TableFiles {
    /// Its name.
    pub name: TableName,
    /// Its files, in row order.
    pub files: Vec<PathBuf>,
    /// For a database's table: what references to its rows begin with, up to `#`.
    pub reference: Option<String>,
    /// For a database's table: the columns of its primary key.
    pub primary_key: Vec<String>,
    /// Columns of JSON and of decimal numbers, which the files tell as text.
    pub marks: BTreeMap<String, ColumnType>,
    /// How long the decimal numbers are.
    pub numerics: BTreeMap<String, NumericExtent>,
}

/// Where a table's rows lie.
#[derive(Clone, Debug)]
pub(crate) enum Rows {
    /// Nowhere: the kind is known, the evidence has none.
    None(SchemaRef),
    /// In Parquet files; some of their text columns are JSON or numbers.
    Files(Vec<PathBuf>, BTreeMap<String, ColumnType>),
    /// In memory; the schema has all columns, the batches perhaps only those that are asked for.
    Batches(SchemaRef, Vec<RecordBatch>),
    /// In a dump, not read: the table can be described, not asked.
    Unread(SchemaRef),
}

/// A table and how its rows are referred to.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) rows: Rows,
    pub(crate) reference: Option<String>,
    pub(crate) primary_key: Vec<String>,
    pub(crate) numerics: BTreeMap<String, NumericExtent>,
}

/// All tables by name.
#[derive(Clone, Debug)]
pub(crate) struct Tables {
    by_name: BTreeMap<TableName, Entry>,
    /// What names without a snapshot mean.
    pub(crate) choice: Option<Choice>,
}

/// Columns of `records` as ingest writes them; used where a case has no record.
pub(crate) const RECORDS: &[(&str, ColumnType)] = &[
    ("ts", ColumnType::TimestampUtc),
    ("ts_us", ColumnType::I64),
    ("ts_order", ColumnType::TimestampUtc),
    ("ts_order_us", ColumnType::I64),
    ("stamp_us", ColumnType::I64),
    ("wrapper_us", ColumnType::I64),
    ("ts_clock", ColumnType::Dict),
    ("ts_basis", ColumnType::Dict),
    ("stamp", ColumnType::Text),
    ("level", ColumnType::Dict),
    ("component", ColumnType::Dict),
    ("message", ColumnType::Text),
    ("kind", ColumnType::Dict),
    ("fields", ColumnType::Json),
    ("slot", ColumnType::I64),
    ("epoch", ColumnType::I64),
    ("validator", ColumnType::Text),
    ("root", ColumnType::Text),
    ("network", ColumnType::Dict),
    ("node", ColumnType::Dict),
    ("process", ColumnType::I64),
    ("role", ColumnType::Dict),
    ("client", ColumnType::Dict),
    ("version", ColumnType::Dict),
    ("format", ColumnType::Dict),
    ("wrapper", ColumnType::Json),
    ("source", ColumnType::Dict),
    ("line", ColumnType::I64),
    ("lines", ColumnType::I64),
    ("byte", ColumnType::I64),
    ("length", ColumnType::I64),
    ("piece", ColumnType::I64),
];

const REJECTS: &[(&str, ColumnType)] = &[
    ("source", ColumnType::Dict),
    ("line", ColumnType::I64),
    ("lines", ColumnType::I64),
    ("byte", ColumnType::I64),
    ("length", ColumnType::I64),
    ("reason", ColumnType::Dict),
];

/// A run of records from `line` to `last_line` stands for one of `of_source` from `of_line` on.
const DUPLICATES: &[(&str, ColumnType)] = &[
    ("source", ColumnType::Dict),
    ("line", ColumnType::I64),
    ("last_line", ColumnType::I64),
    ("of_source", ColumnType::Text),
    ("of_line", ColumnType::I64),
    ("records", ColumnType::I64),
];

/// Columns that every kind of observation has, before its own.
const OBS_COMMON: &[&str] = &[
    "ts",
    "ts_us",
    "ts_order",
    "ts_order_us",
    "stamp_us",
    "wrapper_us",
    "ts_clock",
    "ts_basis",
    "stamp",
    "slot",
    "network",
    "node",
    "process",
    "role",
    "client",
    "version",
    "source",
    "line",
    "piece",
];

impl Tables {
    /// Returns what every case has, empty: records, rejects and each kind of observation.
    pub(crate) fn new() -> Tables {
        let empty = |columns: &mut dyn Iterator<Item = (&str, ColumnType)>| Entry {
            rows: Rows::None(convert::schema(columns)),
            reference: None,
            primary_key: Vec::new(),
            numerics: BTreeMap::new(),
        };
        let mut by_name = BTreeMap::from([
            (TableName::Records, empty(&mut RECORDS.iter().copied())),
            (TableName::Rejects, empty(&mut REJECTS.iter().copied())),
            (
                TableName::Duplicates,
                empty(&mut DUPLICATES.iter().copied()),
            ),
        ]);
        for kind in model::observation_kinds() {
            let common = RECORDS
                .iter()
                .copied()
                .filter(|(name, _)| OBS_COMMON.contains(name));
            let own = kind
                .columns
                .iter()
                .map(|column| (column.name.as_str(), column.column_type));
            by_name.insert(
                TableName::Obs(kind.name.clone()),
                empty(&mut common.chain(own)),
            );
        }
        Tables {
            by_name,
            choice: None,
        }
    }

    pub(crate) fn insert(&mut self, name: TableName, entry: Entry) {
        self.by_name.insert(name, entry);
    }

    /// Returns the names of all columns of a table, as far as they are known without reading it.
    pub(crate) fn columns(&self, written: &TableReference) -> Vec<String> {
        let Ok((_, entry)) = self.resolve(written) else {
            return Vec::new();
        };
        match &entry.rows {
            Rows::None(schema) | Rows::Batches(schema, _) | Rows::Unread(schema) => schema
                .fields()
                .iter()
                .map(|field| field.name().clone())
                .collect(),
            Rows::Files(..) => Vec::new(),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&TableName, &Entry)> {
        self.by_name.iter()
    }

    /// Returns the table that a written name means.
    ///
    /// # Errors
    /// [`QueryError::NoTable`] or [`QueryError::AmbiguousTable`].
    pub(crate) fn resolve(
        &self,
        written: &TableReference,
    ) -> Result<(&TableName, &Entry), QueryError> {
        let same = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
        let own = self.by_name.iter().find(|(name, _)| match (name, written) {
            (TableName::Records, TableReference::Bare { table }) => &**table == "records",
            (TableName::Rejects, TableReference::Bare { table }) => &**table == "rejects",
            (TableName::Duplicates, TableReference::Bare { table }) => &**table == "duplicates",
            (TableName::Obs(kind), TableReference::Partial { schema, table }) => {
                &**schema == "obs" && **table == **kind
            }
            _ => false,
        });
        if let Some(found) = own {
            return Ok(found);
        }
        let mut candidates: Vec<(&TableName, &Entry)> = self
            .by_name
            .iter()
            .filter(|(name, _)| {
                let TableName::Dump {
                    snapshot,
                    schema,
                    table,
                } = name
                else {
                    return false;
                };
                let choice = self.choice.as_ref();
                let chosen = choice.is_none_or(|choice| choice.holds(snapshot, schema));
                match written {
                    TableReference::Bare { table: asked } => chosen && same(asked, table),
                    TableReference::Partial {
                        schema: first,
                        table: asked,
                    } => {
                        same(asked, table)
                            && ((chosen && same(first, schema)) || same(first, snapshot))
                    }
                    TableReference::Full {
                        catalog,
                        schema: asked_schema,
                        table: asked,
                    } => {
                        same(catalog, snapshot) && same(asked_schema, schema) && same(asked, table)
                    }
                }
            })
            .collect();
        // Within one snapshot `public` goes first, as in PostgreSQL's search path.
        if candidates.len() > 1 {
            let mut snapshots: Vec<&str> = candidates.iter().map(|c| snapshot(c.0)).collect();
            snapshots.dedup();
            if snapshots.len() == 1 {
                let public = candidates.iter().position(
                    |(name, _)| matches!(name, TableName::Dump { schema, .. } if schema == "public"),
                );
                if let Some(at) = public {
                    candidates = vec![candidates[at]];
                }
            }
        }
        match candidates.as_slice() {
            [found] => Ok(*found),
            [] => Err(QueryError::NoTable {
                table: written.to_string(),
                nearest: self.nearest(&written.to_string()),
            }),
            several => Err(QueryError::AmbiguousTable {
                table: written.to_string(),
                candidates: several.iter().map(|(name, _)| name.to_string()).collect(),
            }),
        }
    }

    fn nearest(&self, wanted: &str) -> Vec<String> {
        let names: Vec<String> = self.by_name.keys().map(ToString::to_string).collect();
        nearest(wanted, names.iter().map(String::as_str), 5)
    }
}

fn snapshot(name: &TableName) -> &str {
    match name {
        TableName::Dump { snapshot, .. } => snapshot,
        _ => "",
    }
}
