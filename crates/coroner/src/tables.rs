//! `tables`: which database tables the evidence holds.

use crate::Evidence;
use model::ColumnType;
use serde::Serialize;

/// A database table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TableRow {
    /// The snapshot's name.
    pub snapshot: String,
    /// Schema in the database (`schema` alone names the shape of a JSON document).
    #[serde(rename = "schema_name")]
    pub schema: String,
    /// Table.
    pub name: String,
    /// Rows that were read.
    pub rows: u64,
    /// Rows that could not be read.
    pub damaged_rows: u64,
    /// Primary key; empty if there is none or the evidence does not say.
    pub primary_key: Vec<String>,
    /// Whether types were inferred from values rather than read from CREATE TABLE.
    pub types_inferred: bool,
    /// Columns as (name, type).
    pub columns: Vec<TableColumn>,
    /// What a reader should know of its rows: whose they are, what of them is not as it was.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The source that holds it.
    pub source: String,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TableColumn {
    /// Name.
    pub name: String,
    /// Type.
    #[serde(rename = "type")]
    pub column_type: ColumnType,
}

impl TableColumn {
    pub(crate) fn list(columns: &[(String, ColumnType)]) -> Vec<TableColumn> {
        let columns = columns.iter().cloned();
        columns
            .map(|(name, column_type)| TableColumn { name, column_type })
            .collect()
    }
}

impl Evidence {
    /// Returns the database tables of one snapshot or schema, or of all, in the order of snapshots.
    pub fn tables(&self, snapshot: Option<&str>) -> Vec<TableRow> {
        let mut rows = Vec::new();
        let choice = snapshot.map(|name| self.case().choice(name));
        let is_chosen = |snapshot: &str, schema: &str| match &choice {
            None => true,
            Some(choice) => choice
                .as_ref()
                .is_some_and(|choice| choice.holds(snapshot, schema)),
        };
        for found in &self.manifest().snapshots {
            for table in &found.tables {
                if !is_chosen(&found.name, &table.schema) {
                    continue;
                }
                rows.push(TableRow {
                    snapshot: found.name.clone(),
                    schema: table.schema.clone(),
                    name: table.name.clone(),
                    rows: table.rows,
                    damaged_rows: table.damaged_rows,
                    primary_key: table.primary_key.clone(),
                    types_inferred: table.types_inferred,
                    columns: TableColumn::list(&table.columns),
                    notes: table.notes.clone(),
                    source: found.source.clone(),
                });
            }
        }
        rows
    }
}
