//! One table's rows by reading a whole dump again: for forms in which no reader can start at a row.

use std::collections::BTreeMap;

use model::{Batch, Column, ColumnData, Part, RowFilter, TableInfo};

use crate::block::wanted_columns;
use crate::facts::{Located, RowSink, SinkError, TableFacts, Trouble};
use crate::rows::{RowBuilder, concatenate, select};
use crate::source::ANSWER_BYTES;

fn text_bytes(column: &Column) -> usize {
    match &column.data {
        ColumnData::Str(values) => values.data.len(),
        _ => 8 * column.len(),
    }
}

/// Takes no rows.
pub(crate) struct Nothing;

impl RowSink for Nothing {
    fn table(&mut self, _: &TableInfo) -> Result<(), SinkError> {
        Ok(())
    }

    fn rows(&mut self, _: &TableInfo, _: Batch) -> Result<(), SinkError> {
        Ok(())
    }

    fn damaged(&mut self, _: &str, _: u64, _: u64, _: &str) -> Result<(), SinkError> {
        Ok(())
    }
}

/// The newest times of columns that are watched, as far as a reader told them.
pub(crate) type Newest = BTreeMap<String, Option<i64>>;

/// What came of a table.
pub(crate) struct Found {
    /// The rows, part by part.
    pub(crate) rows: Vec<Batch>,
    pub(crate) damage: Vec<Located>,
    pub(crate) newest: Newest,
}

/// Keeps one table's rows, or parts of them.
pub(crate) struct Gather<'a> {
    facts: &'a TableFacts,
    /// The parts to be cut out of the rows that come, beside `batches`; if there are none, the rows are kept.
    parts: Vec<(Vec<String>, &'a RowFilter)>,
    batches: Vec<Vec<Batch>>,
    damage: Vec<Located>,
    newest: Newest,
    bytes: usize,
}

impl<'a> Gather<'a> {
    /// Keeps all rows that come.
    pub(crate) fn new(facts: &'a TableFacts, columns: &[String]) -> Gather<'a> {
        Gather {
            facts,
            parts: Vec::new(),
            batches: vec![vec![empty(&facts.info, columns)]],
            damage: Vec::new(),
            newest: Newest::new(),
            bytes: 0,
        }
    }

    /// Keeps parts of the rows that come.
    pub(crate) fn of_parts(facts: &'a TableFacts, parts: &'a [Part<'a>]) -> Gather<'a> {
        let owned = |part: &Part<'a>| {
            let names = part.columns.iter().map(|&name| name.to_owned());
            (names.collect(), part.filter)
        };
        let parts: Vec<(Vec<String>, _)> = parts.iter().map(owned).collect();
        let batches = parts
            .iter()
            .map(|(names, _)| vec![empty(&facts.info, names)]);
        Gather {
            batches: batches.collect(),
            parts,
            ..Gather::new(facts, &[])
        }
    }

    /// Returns what came.
    pub(crate) fn found(self) -> Found {
        Found {
            rows: self.batches.into_iter().map(concatenate).collect(),
            damage: self.damage,
            newest: self.newest,
        }
    }
}

fn empty(info: &TableInfo, columns: &[String]) -> Batch {
    let wanted = wanted_columns(&info.columns, Some(columns));
    RowBuilder::new(&[], &wanted, &RowFilter::All).take()
}

impl Gather<'_> {
    fn keep(&mut self, part: usize, batch: Batch) -> Result<(), SinkError> {
        self.bytes += batch.columns.iter().map(text_bytes).sum::<usize>();
        if self.bytes > ANSWER_BYTES {
            return Err("more than 1 GiB of rows in one answer: ask for less".into());
        }
        self.batches[part].push(batch);
        Ok(())
    }
}

impl RowSink for Gather<'_> {
    fn table(&mut self, _: &TableInfo) -> Result<(), SinkError> {
        Ok(())
    }

    fn rows(&mut self, info: &TableInfo, batch: Batch) -> Result<(), SinkError> {
        // A table of this name may be in several databases of one dump.
        if info.part != self.facts.info.part {
            return Ok(());
        }
        if self.parts.is_empty() {
            return self.keep(0, batch);
        }
        for index in 0..self.parts.len() {
            let (names, filter) = &self.parts[index];
            let rows = select(&batch, names, filter, 0..batch.rows());
            self.keep(index, rows)?;
        }
        Ok(())
    }

    fn newest(&mut self, info: &TableInfo, column: &str, us: Option<i64>) {
        let is_here = info.schema == self.facts.info.schema && info.name == self.facts.info.name;
        if info.part == self.facts.info.part && is_here {
            let newest = self.newest.entry(column.to_owned()).or_insert(us);
            *newest = us.max(*newest);
        }
    }

    fn damaged(&mut self, _: &str, _: u64, _: u64, _: &str) -> Result<(), SinkError> {
        Ok(())
    }

    fn rejected(&mut self, located: &Located) -> Result<(), SinkError> {
        let last = |name: &str| name.rsplit('.').next().map(str::to_owned);
        let here = located.table.as_deref().and_then(last).is_some_and(|name| {
            let below = &self.facts.inherited.tables;
            name == self.facts.info.name
                || below.iter().any(|full| last(full).as_ref() == Some(&name))
        });
        if here && located.trouble != Trouble::Other {
            self.damage.push(located.clone());
        }
        Ok(())
    }
}
