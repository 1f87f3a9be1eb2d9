//! One table's rows by reading a whole dump again: for forms in which no reader can start at a row.

use std::collections::BTreeMap;

use model::{Batch, Column, ColumnData, Part, RowFilter, TableInfo};

use crate::block::wanted_columns;
use crate::facts::{Located, RowSink, SinkError, TableFacts, Trouble};
use crate::rows::{RowBuilder, append};
use crate::source::ANSWER_BYTES;

fn bytes_of(batch: &Batch) -> usize {
    let of_column = |column: &Column| match &column.data {
        ColumnData::Str(values) => values.data.len(),
        _ => 8 * column.len(),
    };
    batch.columns.iter().map(of_column).sum()
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
    /// Which of the rows that come each part takes.
    filters: Vec<&'a RowFilter>,
    /// Beside the filters: batches are put behind each other as they come, and their memory serves the next ones.
    parts: Vec<Batch>,
    damage: Vec<Located>,
    newest: Newest,
}

impl<'a> Gather<'a> {
    /// Keeps all rows that come.
    pub(crate) fn new(facts: &'a TableFacts, columns: &[String]) -> Gather<'a> {
        Gather {
            facts,
            filters: vec![&RowFilter::All],
            parts: vec![empty(&facts.info, columns)],
            damage: Vec::new(),
            newest: Newest::new(),
        }
    }

    /// Keeps parts of the rows that come.
    pub(crate) fn of_parts(facts: &'a TableFacts, parts: &[Part<'a>]) -> Gather<'a> {
        let empty = |part: &Part<'a>| {
            let names: Vec<String> = part.columns.iter().map(|&name| name.to_owned()).collect();
            empty(&facts.info, &names)
        };
        Gather {
            filters: parts.iter().map(|part| part.filter).collect(),
            parts: parts.iter().map(empty).collect(),
            ..Gather::new(facts, &[])
        }
    }

    /// Keeps rows.
    pub(crate) fn keep(&mut self, batch: &Batch) -> Result<(), SinkError> {
        for (part, filter) in self.parts.iter_mut().zip(&self.filters) {
            append(part, batch, filter);
        }
        if self.parts.iter().map(bytes_of).sum::<usize>() > ANSWER_BYTES {
            return Err("more than 1 GiB of rows in one answer: ask for less".into());
        }
        Ok(())
    }

    /// Returns what came.
    pub(crate) fn found(self) -> Found {
        Found {
            rows: self.parts,
            damage: self.damage,
            newest: self.newest,
        }
    }
}

fn empty(info: &TableInfo, columns: &[String]) -> Batch {
    let wanted = wanted_columns(&info.columns, Some(columns));
    RowBuilder::new(&[], &wanted, &RowFilter::All).take()
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
        self.keep(&batch)
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
