//! The sorted hash table `hashes/`: which log lines and which rows of which tables hold a hash.
//!
//! Its rows are (`hash`, `source`, `line`, `place`), sorted by hash inside a segment: `hash` is the key of
//! [`runs`], the same 64 bits as a signed number; `line` is the first line of a record or rejected line, or the
//! ordinal of a table's row; `place` is 0 in a log, else the column that holds the hash, counted from 1 in its
//! snapshot's `hash_columns`. The rows of one source come and go with the source like those of any other
//! table, so that the table is a function of the set of sources.
//!
//! A key is 64 bits of a hash: what it leads to has to be compared before it is believed.

pub(crate) mod lookup;
pub(crate) mod runs;
mod sort;

pub use lookup::HashPlaces;
pub use runs::{KeyRange, TextKind, key_of_bytes, keys_in_text, placed_keys_in_text};

pub(crate) use sort::SortedHashes;

use model::{Batch, Column, ColumnData, ColumnType};

/// Which rules of `runs` filed a source's hashes: what [`crate::Source::hashes`] says of a whole source.
pub const HASH_RULES: u32 = 1;

/// Rows of the hash table on their way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HashRows {
    /// Line, place, key.
    rows: Vec<(u64, u32, u64)>,
}

impl HashRows {
    /// Appends a hash of a log line or table row.
    #[inline]
    pub fn push(&mut self, key: u64, line: u64, place: u32) {
        self.rows.push((line, place, key));
    }

    /// Returns the number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Brings rows into the order of lines, each once.
    pub fn sort(&mut self) {
        // Rows come in a few stretches that each have their lines in order, which a stable sort only merges.
        self.rows.sort_by_key(|(line, ..)| *line);
        // As they come from a segment: by line, then in the table's own order. A line has few.
        for line in self.rows.chunk_by_mut(|(a, ..), (b, ..)| a == b) {
            line.sort_unstable_by_key(|(_, place, key)| (*key as i64, *place));
        }
        self.rows.dedup();
    }

    /// Returns rows of the table `hashes` and begins anew.
    pub fn take(&mut self) -> Batch {
        let rows = std::mem::take(&mut self.rows);
        let column = |name: &str, value: fn(&(u64, u32, u64)) -> i64| Column {
            name: name.to_owned(),
            column_type: ColumnType::I64,
            data: ColumnData::I64(rows.iter().map(value).collect()),
            valid: None,
        };
        Batch {
            columns: vec![
                column("hash", |row| row.2 as i64),
                Column::new("source", ColumnType::Dict),
                column("line", |row| row.0 as i64),
                column("place", |row| i64::from(row.1)),
            ],
        }
    }
}
