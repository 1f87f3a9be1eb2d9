//! Reading rows of a dump again: from their place where a reader can start there, else from the begin.

use std::io::{self, BufRead};
use std::sync::Arc;

use model::{Batch, RowFilter};

use super::{DumpSource, Fresh, Opener, lock};
use crate::block::wanted_columns;
use crate::copy::{Front, front};
use crate::facts::{
    Block, BlockForm, Located, RowSink, SinkError, TableFacts, Trouble, Want, WantTable,
};
use crate::input::Input;
use crate::rows::{Place, RowBuilder, fields};
use crate::streamed::{Gather, Newest};

/// Largest block of rows that is remembered, where the dump can't be opened in its middle.
const REMEMBERED_BLOCK: u64 = 16 << 20;
/// Most bytes remembered.
const REMEMBERED: u64 = 96 << 20;
/// Most rows that are read before they are put behind those before them.
const BATCH_ROWS: usize = 4096;

impl DumpSource {
    /// Opens the dump at a block.
    fn open_block(&self, block: &Block) -> Fresh {
        let open = match &*self.opener {
            Opener::At(open) => return open(block.byte),
            Opener::FromStart(open) => open,
        };
        if let Some(bytes) = lock(&self.remembered).get(&block.byte) {
            return Ok(Box::new(io::Cursor::new(Arc::clone(bytes))));
        }
        // One pass serves all small blocks that lie on the way.
        let mut on_the_way: Vec<&Block> = self
            .outline()
            .tables
            .iter()
            .flat_map(|table| &table.blocks)
            .filter(|other| other.byte <= block.byte && other.length <= REMEMBERED_BLOCK)
            .collect();
        on_the_way.sort_by_key(|block| block.byte);
        let mut reader = open()?;
        let mut at = 0;
        let mut remembered = lock(&self.remembered);
        let mut held: u64 = remembered.values().map(|bytes| bytes.len() as u64).sum();
        for other in on_the_way {
            if remembered.contains_key(&other.byte) || held + other.length > REMEMBERED {
                continue;
            }
            skip(&mut *reader, other.byte - at)?;
            let mut bytes = vec![0; other.length as usize];
            io::Read::read_exact(&mut reader, &mut bytes)?;
            at = other.byte + other.length;
            held += other.length;
            remembered.insert(other.byte, bytes.into());
        }
        if let Some(bytes) = remembered.get(&block.byte) {
            return Ok(Box::new(io::Cursor::new(Arc::clone(bytes))));
        }
        skip(&mut *reader, block.byte - at)?;
        Ok(reader)
    }

    /// Reads the dump again from its begin, or the table's part of an archive, for rows that no reader can start at.
    /// What passes is handed to `sink`.
    pub(super) fn read_again(
        &self,
        index: usize,
        want: WantTable,
        mut sink: Gather<'_>,
    ) -> Result<Vec<Batch>, SinkError> {
        let want = Want {
            tables: Some(vec![want]),
            naming: self.naming.clone(),
            known: Some(self.outline().clone()),
        };
        let mut reader = match (&*self.opener, &self.catalog) {
            (Opener::At(open), Some(catalog)) => {
                let table = &self.outline().tables[index];
                catalog.read(&**open, table, &want, &mut sink)?;
                return Ok(self.noted(index, sink));
            }
            (Opener::FromStart(open), _) => open()?,
            (Opener::At(open), None) => open(0)?,
        };
        self.read_whole(&mut *reader, &want, &mut sink)?;
        Ok(self.noted(index, sink))
    }

    /// What is wanted of a table, the columns whose newest time is to be noted among it.
    pub(super) fn want_of(
        &self,
        index: usize,
        columns: Vec<String>,
        filter: &RowFilter,
    ) -> WantTable {
        let info = &self.outline().tables[index].info;
        let watched = lock(&self.watched).get(&index).cloned();
        WantTable {
            columns: Some(columns),
            filter: filter.clone(),
            newest: watched.unwrap_or_default(),
            batch_rows: BATCH_ROWS,
            ..WantTable::all(Some(&info.schema), &info.name)
        }
    }

    /// Takes note of a table that is asked, and of those whose rows it shows.
    pub(super) fn touch(&self, table: &TableFacts) {
        let mut touched = lock(&self.touched);
        touched.insert(table.info.name.clone());
        touched.extend(table.inherited.tables.iter().cloned());
    }

    /// Takes note of damage and newest times; returns the rows.
    fn noted(&self, index: usize, sink: Gather<'_>) -> Vec<Batch> {
        let found = sink.found();
        for located in found.damage {
            self.note(located);
        }
        self.note_newest(index, found.newest);
        found.rows
    }

    /// These are the newest of all rows of the table: each reading passes over them all. Where nothing was told, nothing
    /// is known.
    fn note_newest(&self, index: usize, newest: Newest) {
        if !newest.is_empty() {
            let times = newest.into_iter();
            let known = times.filter_map(|(column, us)| Some((column, us?)));
            lock(&self.newest).insert(index, known.collect());
        }
    }

    /// Takes note of damage at a place in what is read.
    fn note(&self, mut located: Located) {
        if let Some((_, map)) = &self.wide {
            located = crate::wide::in_original(&located, map);
        }
        lock(&self.damage).insert((located.byte, located.line), located);
    }

    /// Whether a reader can start at the table's rows.
    pub(super) fn is_read_in_place(&self, table: &TableFacts) -> bool {
        let in_place = |block: &Block| block.form == BlockForm::CopyText;
        self.catalog.is_none() && table.blocks.iter().all(in_place)
    }

    /// Reads the blocks of a table, each from its place; what is wanted is handed to `gather`.
    pub(super) fn read_blocks(
        &self,
        index: usize,
        want: &WantTable,
        mut gather: Gather<'_>,
    ) -> Result<Vec<Batch>, SinkError> {
        let table = &self.outline().tables[index];
        let columns = wanted_columns(&table.info.columns, want.columns.as_deref());
        let mut ordinal = 0;
        for block in &table.blocks {
            let fields = fields(&table.info, &block.columns);
            let builder = RowBuilder::of_want(&fields, &columns, want);
            let mut builder = builder.encoded(table.encoding);
            self.read_block(table, block, &mut builder, &mut ordinal, &mut gather)?;
            for (column, us) in builder.newest() {
                gather.newest(&table.info, column, us);
            }
        }
        Ok(self.noted(index, gather))
    }

    fn read_block(
        &self,
        table: &TableFacts,
        block: &Block,
        builder: &mut RowBuilder,
        ordinal: &mut i64,
        gather: &mut Gather<'_>,
    ) -> Result<(), SinkError> {
        let mut reader = self.open_block(block)?;
        let mut input = Input::starting_at(&mut *reader, block.byte, block.line);
        let end = block.byte + block.length;
        while input.byte() < end {
            *ordinal += 1;
            let place = Place {
                line: input.line_number(),
                byte: input.byte(),
                length: 0,
            };
            let (length, good) = match front(&mut input)? {
                Front::Row(text, length) => {
                    let place = Place {
                        length: length as u64,
                        ..place
                    };
                    let good = builder.push(&input.window()[..text], *ordinal, place);
                    input.consume_lines(length, 1);
                    (length as u64, good)
                }
                Front::Long => (
                    input.skip_line()?.0,
                    Err("a row of more than 64 MiB".to_owned()),
                ),
                Front::Cut(_) | Front::Mark(_) | Front::End => {
                    return Err("the dump has changed since it was scanned".into());
                }
            };
            if let Err(what) = good {
                let name = &table.info.name;
                self.note(Located {
                    trouble: Trouble::Damaged,
                    table: Some(name.clone()),
                    byte: place.byte,
                    length,
                    line: place.line,
                    lines: 1,
                    what,
                });
            }
            if builder.is_full() {
                gather.keep(&builder.take())?;
            }
        }
        gather.keep(&builder.take())?;
        let misread = builder.take_misread();
        if let Some((byte, line)) = misread.first {
            let located = Located {
                trouble: Trouble::Damaged,
                table: Some(table.info.name.clone()),
                byte,
                length: 0,
                line,
                lines: 0,
                what: misread.told(table.encoding),
            };
            self.note(located);
        }
        Ok(())
    }
}

fn skip(reader: &mut (dyn BufRead + Send), mut count: u64) -> io::Result<()> {
    while count > 0 {
        let held = reader.fill_buf()?.len() as u64;
        if held == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let used = held.min(count);
        reader.consume(used as usize);
        count -= used;
    }
    Ok(())
}
