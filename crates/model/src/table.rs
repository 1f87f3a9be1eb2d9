//! Database tables as analyses see them, wherever the rows lie: a dump file or a case.

use crate::{Batch, ColumnType, SourceName};
use std::collections::BTreeMap;

/// A table that evidence holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableInfo {
    /// The snapshot's name.
    pub snapshot: String,
    /// Which part of its source the snapshot is, where a source holds several: a database of a cluster's dump,
    /// a take of a paste. Empty for the first.
    pub part: String,
    /// Schema in the database; `public` where the evidence does not say.
    pub schema: String,
    /// Table name.
    pub name: String,
    /// The source, for references.
    pub source: SourceName,
    /// Columns in file order.
    pub columns: Vec<(String, ColumnType)>,
    /// Primary key columns; empty if there is none or the evidence does not say.
    pub primary_key: Vec<String>,
    /// Whether types were inferred from values rather than read from CREATE TABLE.
    pub types_inferred: bool,
}

impl TableInfo {
    /// Returns `snapshot.schema.table`.
    pub fn full_name(&self) -> String {
        format!("{}.{}.{}", self.snapshot, self.schema, self.name)
    }

    /// Whether a name means this table: `table`, `schema.table` or `snapshot.schema.table`.
    pub fn is_named(&self, name: &str) -> bool {
        self.name == name
            || format!("{}.{}", self.schema, self.name) == name
            || self.full_name() == name
    }

    /// Returns what a reference to one of its rows calls the table: `schema.table`, with its part in front where
    /// the source holds several. It does not depend on how snapshots are called.
    pub fn reference_name(&self) -> String {
        let Self {
            part, schema, name, ..
        } = self;
        match part.is_empty() {
            true => format!("{schema}.{name}"),
            false => format!("{part}.{schema}.{name}"),
        }
    }

    /// Returns what references to its rows begin with: `<source>:<schema>.<table>`, with the part in front as in
    /// [`TableInfo::reference_name`]. Waits for the source's name.
    pub fn reference(&self) -> String {
        format!("{}:{}", self.source, self.reference_name())
    }

    /// Whether nobody has named the columns: rows of a dump without CREATE TABLE whose statements list none have
    /// `column_1`, `column_2` and so on. Who looks for a column by its name must not take that for its absence.
    pub fn is_nameless(&self) -> bool {
        let counted = |(at, (name, _)): (usize, &(String, ColumnType))| {
            name.strip_prefix("column_") == Some((at + 1).to_string().as_str())
        };
        self.types_inferred
            && !self.columns.is_empty()
            && self.columns.iter().enumerate().all(counted)
    }

    /// Refuses a table whose columns have no names.
    ///
    /// # Errors
    /// [`TableError::Nameless`] if [`TableInfo::is_nameless`].
    pub fn require_names(&self) -> Result<(), TableError> {
        match self.is_nameless() {
            true => Err(TableError::Nameless {
                table: self.name.clone(),
            }),
            false => Ok(()),
        }
    }

    /// Returns the reference of a row: `<source>:<schema>.<table>#<key>` ([`TableInfo::reference_name`]), or `#@<ordinal>` where the
    /// key is unknown or not among the batch's columns. `ordinal` counts the table's rows from 1.
    pub fn row_reference(&self, batch: &Batch, row: usize, ordinal: Option<i64>) -> String {
        let key = self.row_key(batch, row, ordinal);
        format!("{}#{key}", self.reference())
    }

    /// Returns what stands behind `#` in a row's reference.
    pub fn row_key(&self, batch: &Batch, row: usize, ordinal: Option<i64>) -> String {
        let mut key = String::new();
        for (nth, name) in self.primary_key.iter().enumerate() {
            let value = batch.column(name).and_then(|column| match column.i64(row) {
                Some(number) => Some(number.to_string()),
                // Bytes are rarely text: keys by hash would all look alike.
                None if column.column_type == ColumnType::Bytes => {
                    column.bytes(row).map(crate::answer::hex)
                }
                None => column
                    .bytes(row)
                    .map(|bytes| String::from_utf8_lossy(bytes).into_owned()),
            });
            match value {
                Some(value) => {
                    // An empty text in front is a part, too: ('', 7) is not (7).
                    if nth > 0 {
                        key.push(',');
                    }
                    key.push_str(&value);
                }
                None => {
                    key.clear();
                    break;
                }
            }
        }
        if key.is_empty() {
            key = format!("@{}", ordinal.unwrap_or(row as i64 + 1));
        }
        key
    }
}

/// Which rows of a table are wanted.
#[derive(Clone, Debug, PartialEq)]
pub enum RowFilter {
    /// All.
    All,
    /// Rows whose whole-number column holds one of the values (sorted).
    I64In(String, Vec<i64>),
    /// Rows whose text or bytes column holds one of the values.
    BytesIn(String, Vec<Vec<u8>>),
}

/// A part of a table: these columns of the rows that pass.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// Columns, as in [`TableSource::read`].
    pub columns: &'a [&'a str],
    /// Rows.
    pub filter: &'a RowFilter,
}

/// A table that will be asked soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coming<'a> {
    /// Its name.
    pub table: &'a str,
    /// The column by whose numbers a few rows will be asked; `None` if all may be, or others.
    pub by: Option<&'a str>,
}

impl<'a> Coming<'a> {
    /// A table that will be read as a whole.
    pub const fn whole(table: &'a str) -> Coming<'a> {
        Coming { table, by: None }
    }

    /// A table of which some rows will be read, by numbers that are not known yet.
    pub const fn by(table: &'a str, column: &'a str) -> Coming<'a> {
        Coming {
            table,
            by: Some(column),
        }
    }
}

/// Why rows could not be read.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// No such table; the text lists what there is.
    #[error("no table `{table}` in the evidence (tables: {known})")]
    NoTable {
        /// What was asked for.
        table: String,
        /// What is there.
        known: String,
    },
    /// Several snapshots have the table, or several schemas of one.
    #[error(
        "table `{table}` is in several snapshots or schemas ({candidates}): choose one with --snapshot"
    )]
    Ambiguous {
        /// What was asked for.
        table: String,
        /// What `--snapshot` may choose.
        candidates: String,
    },
    /// Its rows can be read, but not which of their cells is what.
    #[error(
        "the rows of {table} come without names of columns (INSERTs of a data-only dump): dump with --column-inserts, or with the schema"
    )]
    Nameless {
        /// Which table.
        table: String,
    },
    /// Reading failed.
    #[error("cannot read table `{table}`")]
    Read {
        /// Which table.
        table: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Rows of database tables, by key where wanted.
pub trait TableSource {
    /// Returns the tables of the chosen snapshots.
    fn tables(&self) -> Vec<TableInfo>;

    /// Reads the named columns (those that exist; others are left out) of the rows that pass
    /// `filter`. The batch ends with an `i64` column `#` holding each row's ordinal, counted from 1.
    ///
    /// # Errors
    /// [`TableError::NoTable`] if no chosen snapshot has the table.
    fn read(&self, table: &str, columns: &[&str], filter: &RowFilter) -> Result<Batch, TableError>;

    /// Reads several parts of a table, each as [`TableSource::read`] does. A source that has to pass over the whole
    /// table for any part does so once for all.
    ///
    /// # Errors
    /// As [`TableSource::read`].
    fn read_parts(&self, table: &str, parts: &[Part<'_>]) -> Result<Vec<Batch>, TableError> {
        parts
            .iter()
            .map(|part| self.read(table, part.columns, part.filter))
            .collect()
    }

    /// Returns the distinct hashes of a column that begin with some hex digits (lower case, without `0x`), as
    /// `0x…`, sorted, if that is known without reading the whole column; `None` if it is not.
    ///
    /// # Errors
    /// If the table cannot be read.
    fn hashes_beginning(
        &self,
        _table: &str,
        _column: &str,
        _digits: &str,
    ) -> Result<Option<Vec<String>>, TableError> {
        Ok(None)
    }

    /// Hands the named columns of all rows to `take`, batch by batch in the table's order, each batch with its `#`.
    /// Sources that can do so hold one batch at a time.
    ///
    /// # Errors
    /// As [`TableSource::read`], and what `take` returns.
    fn scan(
        &self,
        table: &str,
        columns: &[&str],
        take: &mut dyn FnMut(Batch) -> Result<(), TableError>,
    ) -> Result<(), TableError> {
        take(self.read(table, columns, &RowFilter::All)?)
    }

    /// Says which tables will be read next, in this order: a source to which that is work may begin with those behind
    /// the first. No answer depends on it, and tables that are not here are passed over.
    fn announce(&self, _coming: &[Coming<'_>]) {}

    /// Asks that readings of a table from now on note the newest values of columns, for [`TableSource::newest`] to
    /// tell. `false` if they will not.
    fn watch_newest(&self, _table: &str, _columns: &[&str]) -> bool {
        false
    }

    /// Returns the newest value of each column of times, infinities left out, if that is known without reading them:
    /// microseconds as the rows have them. A column that is not among them has no time, or was not asked for
    /// ([`TableSource::watch_newest`]).
    fn newest(&self, _table: &str) -> Option<BTreeMap<String, i64>> {
        None
    }

    /// Returns how many rows of a table can be read, if that is known without reading them.
    fn row_count(&self, _table: &str) -> Option<u64> {
        None
    }

    /// Returns what could not be read of what may be rows of this table, as far as it is known by now: once the table
    /// has been read, all of it.
    fn damage_of(&self, _table: &str) -> Vec<String> {
        Vec::new()
    }

    /// Returns what could not be read, located, so that answers can say they rest on damaged tables.
    fn damage(&self) -> Vec<String> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Column;

    #[test]
    fn rows_are_referred_to_by_their_key() {
        let mut info = TableInfo {
            snapshot: "z".to_owned(),
            part: String::new(),
            schema: "public".to_owned(),
            name: "t".to_owned(),
            source: "0123456789ab".into(),
            columns: Vec::new(),
            primary_key: vec!["hash".to_owned(), "n".to_owned()],
            types_inferred: false,
        };
        let mut batch = Batch {
            columns: vec![
                Column::new("hash", ColumnType::Bytes),
                Column::new("n", ColumnType::I64),
            ],
        };
        batch.columns[0].push_bytes(&[0xff, 0xfe]);
        batch.columns[1].push_i64(7);
        assert_eq!(
            info.row_reference(&batch, 0, Some(3)),
            "0123456789ab:public.t#0xfffe,7"
        );
        info.primary_key = vec!["empty".to_owned(), "n".to_owned()];
        let mut empty = Column::new("empty", ColumnType::Text);
        empty.push_text(b"");
        batch.columns.push(empty);
        assert_eq!(info.row_key(&batch, 0, Some(3)), ",7");
        info.primary_key.push("gone".to_owned());
        assert_eq!(
            info.row_reference(&batch, 0, Some(3)),
            "0123456789ab:public.t#@3"
        );
    }
}
