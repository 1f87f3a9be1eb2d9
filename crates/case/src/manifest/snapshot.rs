//! Snapshots of databases: their tables, schemas, and the zone of their clocks.

use model::{ColumnType, NumericExtent};
use std::collections::BTreeMap;

/// One dump, paste, API answer or live read of a database.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Snapshot {
    /// Name.
    pub name: String,
    /// Digest of the source.
    pub source: String,
    /// Which part of the source it is, where the source holds several: a database, a take of a paste. Empty for
    /// the first. References to rows carry it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub part: String,
    /// Which form of dump.
    pub kind: String,
    /// Database name, if the dump says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// Version of the schema, as far as known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema_version: Option<String>,
    /// The instant it shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of_us: Option<i64>,
    /// The same where the dump does not tell its zone: civil microseconds of the machine that dumped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of_local_us: Option<i64>,
    /// How that instant became known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of_basis: Option<String>,
    /// Newest applied migration by schema, where the dump has them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub migrations: BTreeMap<String, String>,
    /// Zone of its naive times, in seconds east of UTC, where solved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone_seconds: Option<i32>,
    /// How that became known, or why not.
    #[serde(skip_serializing_if = "SnapshotZone::is_unknown")]
    pub zone: SnapshotZone,
    /// Tables in dump order.
    pub tables: Vec<SnapshotTable>,
    /// The columns whose hashes are filed in `hashes/`, in the order of its `place`, counted from 1: those of the
    /// whole source, the same for all its snapshots.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hash_columns: Vec<HashColumn>,
}

/// A column whose hashes are filed.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct HashColumn {
    /// Which part of the source; see [`Snapshot::part`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub part: String,
    /// Schema.
    pub schema: String,
    /// Table.
    pub table: String,
    /// Column.
    pub column: String,
}

/// How the zone of a snapshot's naive times was looked for.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct SnapshotZone {
    /// `rows` (against a unix time in the same rows) or `given`; "" if nothing tells.
    pub basis: String,
    /// The columns that were compared.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub by: String,
    /// How far the closest row is from it, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub residual_s: Option<f64>,
    /// Rows that show it.
    pub witnesses: u64,
    /// Rows that were looked at.
    pub rows: u64,
    /// Where the clock kept daylight-saving time: first day (since 1970 UTC) and seconds east of UTC.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<(i32, i32)>,
}

impl SnapshotZone {
    /// Whether nothing was looked at.
    pub fn is_unknown(&self) -> bool {
        *self == SnapshotZone::default()
    }
}

/// A database table.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct SnapshotTable {
    /// Schema.
    pub schema: String,
    /// Name.
    pub name: String,
    /// Rows read.
    pub rows: u64,
    /// How many of `rows` lie in other tables of the dump, its partitions and heirs: the case has them here as well.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub inherited_rows: u64,
    /// Rows that could not be read.
    pub damaged_rows: u64,
    /// Columns in file order.
    pub columns: Vec<(String, ColumnType)>,
    /// Primary key; empty if none or unknown.
    pub primary_key: Vec<String>,
    /// Whether types were inferred from values.
    pub types_inferred: bool,
    /// How long the numbers of its `numeric` columns are; they lie in the case as text.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub numerics: BTreeMap<String, NumericExtent>,
    /// The newest value of each column of times, infinities left out, as the rows have it: microseconds. Nothing in a
    /// case of an older version of this program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<BTreeMap<String, i64>>,
    /// What a reader should know of its rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl SnapshotTable {
    /// Returns the rows that lie in the table itself: those of its partitions and heirs are counted with these.
    pub fn own_rows(&self) -> u64 {
        self.rows.saturating_sub(self.inherited_rows)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(rows: &u64) -> bool {
    *rows == 0
}
