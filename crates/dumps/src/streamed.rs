//! One table's rows by reading a whole dump again: for forms in which no reader can start at a row.

use std::io::BufRead;

use model::{Batch, Column, ColumnData, RowFilter, TableInfo};

use crate::block::wanted_columns;
use crate::facts::{
    DumpFacts, Located, Naming, RowSink, SinkError, TableFacts, Trouble, Want, WantTable,
};
use crate::rows::{RowBuilder, concatenate};
use crate::source::ANSWER_BYTES;

/// What a reading of one table gave.
pub(crate) struct Found {
    pub(crate) rows: Batch,
    pub(crate) damage: Vec<Located>,
}

/// Reads the rows of `table` that pass; `facts` is what the scan of the same dump found, under the
/// same naming.
pub(crate) fn read(
    reader: &mut dyn BufRead,
    naming: &Naming,
    facts: &DumpFacts,
    table: &TableFacts,
    columns: Vec<String>,
    filter: &RowFilter,
) -> Result<Found, SinkError> {
    let want = want_of(naming, facts, table, &columns, filter);
    let mut sink = Gather::new(&table.info, &columns);
    crate::read_dump(reader, &want, &mut sink)?;
    Ok(sink.found())
}

/// One table, nothing else.
pub(crate) fn want_of(
    naming: &Naming,
    facts: &DumpFacts,
    table: &TableFacts,
    columns: &[String],
    filter: &RowFilter,
) -> Want {
    Want {
        tables: Some(vec![WantTable {
            schema: Some(table.info.schema.clone()),
            table: table.info.name.clone(),
            columns: Some(columns.to_vec()),
            filter: filter.clone(),
        }]),
        naming: naming.clone(),
        known: Some(facts.clone()),
    }
}

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

/// Keeps one table's rows.
pub(crate) struct Gather<'a> {
    info: &'a TableInfo,
    batches: Vec<Batch>,
    damage: Vec<Located>,
    bytes: usize,
}

impl<'a> Gather<'a> {
    pub(crate) fn new(info: &'a TableInfo, columns: &[String]) -> Gather<'a> {
        let wanted = wanted_columns(&info.columns, Some(columns));
        Gather {
            info,
            batches: vec![RowBuilder::new(&[], &wanted, &RowFilter::All).take()],
            damage: Vec::new(),
            bytes: 0,
        }
    }

    pub(crate) fn found(self) -> Found {
        Found {
            rows: concatenate(self.batches),
            damage: self.damage,
        }
    }
}

impl RowSink for Gather<'_> {
    fn table(&mut self, _: &TableInfo) -> Result<(), SinkError> {
        Ok(())
    }

    fn rows(&mut self, info: &TableInfo, batch: Batch) -> Result<(), SinkError> {
        // A table of this name may be in several databases of one dump.
        if info.snapshot != self.info.snapshot {
            return Ok(());
        }
        self.bytes += batch.columns.iter().map(text_bytes).sum::<usize>();
        if self.bytes > ANSWER_BYTES {
            return Err("more than 1 GiB of rows in one answer: ask for less".into());
        }
        self.batches.push(batch);
        Ok(())
    }

    fn damaged(&mut self, _: &str, _: u64, _: u64, _: &str) -> Result<(), SinkError> {
        Ok(())
    }

    fn rejected(&mut self, located: &Located) -> Result<(), SinkError> {
        let here = located
            .table
            .as_deref()
            .is_some_and(|name| name.rsplit('.').next() == Some(self.info.name.as_str()));
        if here && located.trouble != Trouble::Other {
            self.damage.push(located.clone());
        }
        Ok(())
    }
}
