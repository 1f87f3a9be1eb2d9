//! Rows of whatever tables there are, read with patience: types may have been inferred, columns may be
//! missing, and a pasted result is a part of its table.

use super::shape::AsOf;
use super::{TraceError, TraceOptions, Zone};
use crate::as_of::{self, Known, Told};
use crate::past::Past;
pub(crate) use crate::rows::{DbTime, Rows, bytes_in, i64_in};
use model::{Coming, Part, RowFilter, TableError, TableInfo, TableSource};
use std::collections::BTreeSet;

/// The tables a trace reads.
pub(crate) const TABLES: [&str; 6] = [
    "l2_to_l1_logs",
    "transactions",
    "miniblocks",
    "l1_batches",
    "eth_txs",
    "eth_txs_history",
];

/// Whether a trace reads the table of this name.
pub fn is_trace_table(name: &str) -> bool {
    TABLES.contains(&name)
}

/// Whether a server's database is in the evidence.
pub(super) fn any(infos: &[TableInfo]) -> bool {
    let mut names = infos.iter().map(|info| info.name.as_str());
    names.any(|name| TABLES.contains(&name))
}

/// The evidence's tables and what was missed in them.
pub(crate) struct Tables<'a> {
    source: &'a dyn TableSource,
    /// The moment in the past that the source has been taken back to.
    pub(crate) past: Option<&'a Past<'a>>,
    infos: Vec<TableInfo>,
    pub(crate) warnings: Vec<String>,
    /// Tables that were read, for answers that found nothing.
    pub(crate) looked_at: BTreeSet<String>,
    pub(crate) missing: BTreeSet<String>,
    /// References in the order of the walk, without repeats.
    pub(crate) refs: Vec<String>,
    pub(crate) snapshot: Option<String>,
    /// Whether the rows tell as of when they are, and what the tables read so far say of that.
    pub(crate) dates_itself: bool,
    newest: Known,
}

impl<'a> Tables<'a> {
    pub(crate) fn new(source: &'a dyn TableSource) -> Result<Self, TraceError> {
        let mut infos = source.tables();
        let beside = model::leave_public(&mut infos, |name| TABLES.contains(&name));
        if !any(&infos) {
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
        let read = |info: &&TableInfo| TABLES.contains(&info.name.as_str());
        infos
            .iter()
            .filter(read)
            .try_for_each(TableInfo::require_names)?;
        let mut tables = Tables {
            source,
            past: None,
            infos,
            warnings: beside,
            looked_at: BTreeSet::new(),
            missing: BTreeSet::new(),
            refs: Vec::new(),
            snapshot: None,
            dates_itself: false,
            newest: Known::new(),
        };
        if tables.info("miniblocks").is_none() && tables.info("blocks").is_some() {
            tables.warn("table blocks without miniblocks: a database from before August 2022, whose layout is not read");
        }
        Ok(tables)
    }

    pub(super) fn source(&self) -> &'a dyn TableSource {
        self.source
    }

    pub(crate) fn info(&self, table: &str) -> Option<&TableInfo> {
        self.infos.iter().find(|info| info.name == table)
    }

    pub(crate) fn has_column(&self, table: &str, column: &str) -> bool {
        self.info(table)
            .is_some_and(|info| info.columns.iter().any(|(name, _)| name == column))
    }

    /// Whether all rows of the table can be expected to be here. Without CREATE TABLE it may be a
    /// pasted query result or an export of some rows; some may be damaged, or all left out of the dump.
    /// Asked once the table has been read: damage shows only then.
    pub(crate) fn is_whole(&self, table: &str) -> bool {
        self.is_declared(table) && !self.is_empty(table) && self.damage_of(table).is_empty()
    }

    /// Whether the table comes with its CREATE TABLE.
    pub(crate) fn is_declared(&self, table: &str) -> bool {
        self.info(table).is_some_and(|info| !info.types_inferred)
    }

    /// Whether the table is declared and the evidence holds none of its rows.
    pub(crate) fn is_empty(&self, table: &str) -> bool {
        self.info(table).is_some() && self.source.row_count(table) == Some(0)
    }

    /// What of the table cannot be read.
    pub(crate) fn damage_of(&self, table: &str) -> Vec<String> {
        self.source.damage_of(table)
    }

    /// Why not all rows of a table that is declared are here, in words; `None` if they are, or it is not declared.
    pub(crate) fn why_not_whole(&self, table: &str) -> Option<String> {
        match self.damage_of(table).as_slice() {
            [] => (self.is_declared(table) && self.is_empty(table)).then(|| {
                format!(
                    "{table} is declared and has no rows here: dumped without its data, or empty"
                )
            }),
            [only] => Some(format!("part of {table} cannot be read ({only})")),
            [first, rest @ ..] => Some(format!(
                "parts of {table} cannot be read ({first}, and {} more)",
                rest.len()
            )),
        }
    }

    pub(crate) fn warn(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !self.warnings.contains(&text) {
            self.warnings.push(text);
        }
    }

    /// Whether nobody can say what a cell held at the moment that is looked at.
    pub(crate) fn is_unknown(&self, table: &str, key: i64, column: &str) -> bool {
        self.past
            .is_some_and(|past| past.is_unknown(table, key, column))
    }

    /// Warns that a row was made only after the moment that is looked at; false if none was.
    pub(crate) fn warn_later(&mut self, table: &str, key: Option<i64>, what: &str) -> bool {
        let made = self.past.and_then(|past| past.made_later(table, key));
        if let Some(made) = &made {
            self.warn(format!(
                "{what} was not there yet: its row was made at {made}"
            ));
        }
        made.is_some()
    }

    pub(crate) fn refer(&mut self, reference: String) {
        if !self.refs.contains(&reference) {
            self.refs.push(reference);
        }
    }

    /// Says which tables will be read next, in this order.
    pub(crate) fn announce(&self, coming: &[Coming<'_>]) {
        for coming in coming.iter().filter(|_| self.dates_itself) {
            self.notes_newest(coming.table);
        }
        self.source.announce(coming);
    }

    /// Whether the source knows the newest times of a table, or notes them with the next reading.
    fn notes_newest(&self, table: &str) -> bool {
        let dated = as_of::dated(table);
        dated.is_empty()
            || self.newest.contains_key(table)
            || self.source.newest(table).is_some()
            || self.source.watch_newest(table, dated)
    }

    /// Reads rows; `None` (and a warning) if the table or the column to filter by is not here.
    pub(crate) fn read(
        &mut self,
        table: &str,
        columns: &[&str],
        filter: &RowFilter,
    ) -> Result<Option<Rows>, TraceError> {
        let rows = self.read_parts(table, &[Part { columns, filter }])?;
        Ok(rows.and_then(|rows| rows.into_iter().next()))
    }

    /// Reads several parts of a table, which may be passed over once for all of them; `None` as in
    /// [`Tables::read`].
    pub(crate) fn read_parts(
        &mut self,
        table: &str,
        parts: &[Part<'_>],
    ) -> Result<Option<Vec<Rows>>, TraceError> {
        let Some(info) = self.info(table).cloned() else {
            self.missing.insert(table.to_owned());
            self.warn(format!("table {table} is not in the evidence"));
            return Ok(None);
        };
        for part in parts {
            if let RowFilter::I64In(column, _) | RowFilter::BytesIn(column, _) = part.filter
                && !self.has_column(table, column)
            {
                self.warn(format!(
                    "column {column} of table {table} is not in the evidence"
                ));
                return Ok(None);
            }
        }
        // References need the key.
        let mut names: Vec<Vec<&str>> = parts.iter().map(|part| part.columns.to_vec()).collect();
        for names in &mut names {
            for name in &info.primary_key {
                if !names.contains(&name.as_str()) {
                    names.push(name);
                }
            }
        }
        let mut wanted: Vec<Part<'_>> = parts
            .iter()
            .zip(&names)
            .map(|(part, columns)| Part { columns, ..*part })
            .collect();
        // The times of all rows come with the pass that is made anyway; a source that cannot note the newest gives all.
        let dated = as_of::dated(table);
        let dates = self.dates_itself && !self.notes_newest(table);
        let here = |column: &&str| self.has_column(table, column);
        let has_all = |part: &&Part<'_>| {
            let mut needed = dated.iter().filter(|column| here(column));
            *part.filter == RowFilter::All && needed.all(|column| part.columns.contains(column))
        };
        let known = wanted.iter().position(|part| has_all(&part));
        if dates && known.is_none() {
            wanted.push(Part {
                columns: dated,
                filter: &RowFilter::All,
            });
        }
        let batches = match self.source.read_parts(table, &wanted) {
            Ok(batches) => batches,
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
        let rows = batches
            .into_iter()
            .map(|batch| Rows::new(info.clone(), batch));
        let mut rows: Vec<Rows> = rows.collect();
        if dates && let Some(all) = rows.get(known.unwrap_or(parts.len())) {
            let newest = as_of::newest_of(all, dated);
            self.newest.insert(table.to_owned(), newest);
            rows.truncate(parts.len());
        }
        Ok(Some(rows))
    }

    /// Returns the hashes of a column that begin with some digits, as `0x…`: at once where the evidence has a
    /// table of hashes, else by reading the column.
    pub(super) fn hashes_beginning(
        &mut self,
        table: &str,
        column: &str,
        digits: &str,
    ) -> Result<Vec<String>, TraceError> {
        if self.has_column(table, column)
            && let Some(hashes) = self.source.hashes_beginning(table, column, digits)?
        {
            self.looked_at.insert(table.to_owned());
            return Ok(hashes);
        }
        let rows = self.read(table, &[column], &RowFilter::All)?;
        let hashes = rows
            .iter()
            .flat_map(|rows| (0..rows.len()).filter_map(|row| rows.hex(row, column)));
        Ok(hashes
            .filter(|hash| hash.get(2..).is_some_and(|hex| hex.starts_with(digits)))
            .collect())
    }

    /// As of when the rows are looked at: what has to be said of it becomes a warning.
    pub(crate) fn as_of(
        &mut self,
        zone: Option<&Zone>,
        options: &TraceOptions,
    ) -> Result<Option<AsOf>, TraceError> {
        let told = Told {
            given_us: options.as_of_us,
            dumped_at_us: options.dumped_at_us,
            dumped_local_us: options.dumped_local_us,
            zone,
        };
        let read = |info: &&TableInfo| TABLES.contains(&info.name.as_str());
        let of = self.infos.iter().filter(read);
        let snapshots = of.map(|info| info.snapshot.clone()).collect();
        let found = as_of::as_of(self.source, &self.infos, &snapshots, &self.newest, told)?;
        let (as_of, warning) = found;
        self.warnings.extend(warning);
        Ok(as_of)
    }

    /// Warns, where something was not found, of the searched tables that are not whole.
    pub(crate) fn warn_not_whole(&mut self) {
        let (empty, broken): (Vec<String>, Vec<String>) = self
            .looked_at
            .iter()
            .filter(|table| self.is_declared(table) && !self.is_whole(table))
            .cloned()
            .partition(|table| self.damage_of(table).is_empty());
        let broken = broken.iter().filter_map(|table| self.why_not_whole(table));
        let mut why: Vec<String> = broken.collect();
        if !empty.is_empty() {
            let alone = self.looked_at.len() == empty.len();
            why.push(format!(
                "{} declared and without rows here, {}",
                match empty.as_slice() {
                    [only] => format!("{only} is"),
                    all => format!("{} are", all.join(", ")),
                },
                match alone {
                    true => "as in a dump of the schema alone",
                    false => "dumped without their data, or empty",
                }
            ));
        }
        for why in why {
            self.warn(format!("{why}: what was asked for may be in the database"));
        }
    }

    /// The tables that were searched and have no rows here.
    pub(crate) fn empty(&self) -> Vec<String> {
        let is_empty = |table: &&String| self.is_empty(table);
        self.looked_at.iter().filter(is_empty).cloned().collect()
    }

    pub(crate) fn damage(&self) -> Vec<String> {
        self.source.damage()
    }

    /// How many sources the tables come from.
    pub(crate) fn sources(&self) -> usize {
        let sources: BTreeSet<_> = self.infos.iter().map(|info| info.source.as_str()).collect();
        sources.len()
    }
}
