//! Rows that other tables show as well: a partitioned table has none of its own, and one that others inherit from
//! shows theirs. PostgreSQL reads them all where the upper table is asked, so they are read for it here, too, out of
//! the bytes of the table that holds them.

use std::collections::BTreeMap;

use crate::block::Open;
use crate::encoding::Misread;
use crate::facts::{Block, DumpError, TableFacts};
use crate::plain::Reader;
use crate::rows::{Place, RowBuilder};
use crate::schema::FullName;

/// A table above the one whose rows are being read.
pub(crate) struct Above {
    index: usize,
    table: FullName,
    /// Rows of the table before this block.
    before: u64,
    /// Where its rows are wanted.
    builder: Option<Box<RowBuilder>>,
}

impl Above {
    pub(crate) fn is_wanted(&self) -> bool {
        self.builder.is_some()
    }

    /// The table's place in the facts, and what builds its rows where they are wanted.
    pub(crate) fn reads(&self) -> Option<(usize, &RowBuilder)> {
        Some((self.index, self.builder.as_deref()?))
    }

    /// Which cells were not of the encoding.
    pub(crate) fn misread(&mut self) -> Option<Misread> {
        let misread = self.builder.as_mut()?.take_misread();
        misread.first.is_some().then_some(misread)
    }

    /// Takes the `nth` row of the block below, counted from 1.
    pub(crate) fn push(&mut self, row: &[u8], nth: u64, place: Place) -> Result<(), String> {
        match &mut self.builder {
            Some(builder) => builder.push(row, (self.before + nth) as i64, place),
            None => Ok(()),
        }
    }
}

impl Reader<'_, '_> {
    /// The tables above one, made known in the facts.
    pub(crate) fn tables_above(&mut self, table: &FullName) -> Vec<Above> {
        let names: Vec<FullName> = self.schema.above(table).into_iter().cloned().collect();
        let above = |table: FullName| {
            let columns = self.schema.stored_columns(&table).unwrap_or_default();
            let index = self.table_index(&table, &columns);
            Above {
                index,
                before: self.facts.tables[index].rows,
                builder: None,
                table,
            }
        };
        names.into_iter().map(above).collect()
    }

    /// Makes ready for the rows that tables above show.
    pub(crate) fn begin_above(&mut self, open: &mut Open) -> Result<(), DumpError> {
        for nth in 0..open.above.len() {
            let Above { index, table, .. } = &open.above[nth];
            let (index, table) = (*index, table.clone());
            if let Some(want) = self.wanted(&table) {
                self.adopt_known(index);
                let builder = self.builder(index, &table, &open.columns, &want)?;
                open.above[nth].builder = Some(Box::new(builder));
            }
        }
        Ok(())
    }

    /// Hands on what has come together for tables above; all of it, or where it is enough.
    pub(crate) fn hand_over_above(&mut self, open: &mut Open, all: bool) -> Result<(), DumpError> {
        for above in &mut open.above {
            let Some(builder) = &mut above.builder else {
                continue;
            };
            if builder.rows() == 0 || !(all || builder.is_full()) {
                continue;
            }
            let batch = builder.take();
            self.flush()?;
            let info = &self.facts.tables[above.index].info;
            self.sink
                .inherited_rows(info, batch)
                .map_err(DumpError::Sink)?;
        }
        Ok(())
    }

    /// Counts a block for the tables above.
    pub(crate) fn count_above(&mut self, open: &Open, damaged: u64, block: &Block) {
        for above in &open.above {
            inherit(
                &mut self.facts.tables[above.index],
                open.rows,
                damaged,
                std::slice::from_ref(block),
            );
        }
    }

    /// Counts rows that are in no block for the tables above.
    pub(crate) fn count_lost_above(&mut self, open: &Open, rows: u64) {
        for above in &open.above {
            inherit(&mut self.facts.tables[above.index], rows, rows, &[]);
        }
    }

    /// Counts for the tables above what an earlier reading found in a table.
    pub(crate) fn adopt_above(&mut self, table: &FullName, own: &TableFacts) {
        for above in self.tables_above(table) {
            let to = &mut self.facts.tables[above.index];
            inherit(to, own.rows, own.damaged_rows, &own.blocks);
        }
    }

    /// Says of tables whose rows lie elsewhere where those are.
    pub(crate) fn note_above(&mut self) {
        let mut below: BTreeMap<usize, Vec<FullName>> = BTreeMap::new();
        for table in &self.schema.order {
            for above in self.schema.above(table) {
                if let Some(index) = self.index.get(above) {
                    below.entry(*index).or_default().push(table.clone());
                }
            }
        }
        for (index, mut tables) in below {
            tables.sort();
            let partitioned = {
                let info = &self.facts.tables[index].info;
                let name = (info.schema.clone(), info.name.clone());
                self.schema
                    .declared(&name)
                    .is_some_and(|table| table.partitioned)
            };
            let facts = &mut self.facts.tables[index];
            let own = facts.rows - facts.inherited.rows;
            facts.inherited.tables = tables
                .iter()
                .map(|(schema, name)| format!("{schema}.{name}"))
                .collect();
            let shown = listed(&facts.info.schema, &tables);
            let rows = facts.inherited.rows;
            // Of an archive's table of contents alone they are not counted.
            let shown = match rows {
                0 => shown,
                1 => format!("{shown} (1 row)"),
                rows => format!("{shown} ({rows} rows)"),
            };
            let note = match partitioned {
                true if own > 0 => {
                    let (name, count) = (facts.info.name.clone(), tables.len());
                    let note = format!(
                        "{own} rows were dumped through the partitioned table (pg_dump --load-via-partition-root): in which of its {count} partitions each lies is not said ({shown})"
                    );
                    for table in &tables {
                        let Some(&part) = self.index.get(table) else {
                            continue;
                        };
                        let note = format!(
                            "a partition of {name}, whose rows were dumped through {name}: those that lie here can't be told from the others"
                        );
                        let notes = &mut self.facts.tables[part].notes;
                        if !notes.contains(&note) {
                            notes.push(note);
                        }
                    }
                    note
                }
                true => format!("rows are in its {} partitions: {shown}", tables.len()),
                false => format!(
                    "shows the rows of the {} tables that inherit from it as well: {shown}",
                    tables.len()
                ),
            };
            self.facts.tables[index].notes.push(note);
        }
    }
}

/// Names of tables for a note.
fn listed(schema: &str, tables: &[FullName]) -> String {
    const SHOWN: usize = 12;
    let name = |table: &FullName| match table.0 == schema {
        true => table.1.clone(),
        false => format!("{}.{}", table.0, table.1),
    };
    let mut text = tables
        .iter()
        .take(SHOWN)
        .map(name)
        .collect::<Vec<_>>()
        .join(", ");
    if let Some(more) = tables.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

fn inherit(to: &mut TableFacts, rows: u64, damaged: u64, blocks: &[Block]) {
    to.rows += rows;
    to.damaged_rows += damaged;
    to.blocks.extend_from_slice(blocks);
    to.inherited.rows += rows;
    to.inherited.damaged_rows += damaged;
}
