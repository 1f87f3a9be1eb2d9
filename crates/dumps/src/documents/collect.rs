//! Rows of documents, gathered twice: the first reading learns which tables and columns there are and
//! what types their values have, the second builds typed batches of what is wanted.

use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use model::{Batch, Column, ColumnType, RowFilter, TableInfo};

use super::cell::{Cell, Hint, Seen, push};
use super::layout::Layout;
use super::shapes::Shape;
use crate::block::wanted_columns;
use crate::facts::{
    Block, BlockForm, DumpError, DumpFacts, DumpKind, Located, Naming, RowSink, TableFacts,
    Trouble, Want, WantTable,
};
use crate::rows::{BATCH_ROWS, Place, select};
use crate::sniff::COLUMNS;

/// Most bytes of row text behind a batch.
const BATCH_BYTES: u64 = 8 << 20;
/// Rows up to which a key is watched for doubles.
const KEYS_WATCHED: usize = 1 << 20;
/// Most tables of one document.
pub(crate) const TABLES: usize = 1000;

/// A value under its name.
pub(crate) type Named<'a> = (Cow<'a, str>, Cell<'a>);

/// Whether the values of a key are all different.
#[derive(Debug, Default)]
struct Keys {
    columns: Vec<usize>,
    seen: HashSet<u64>,
}

/// A batch while it grows.
struct Output {
    batch: Batch,
    bytes: u64,
    names: Vec<String>,
    filter: RowFilter,
}

impl Output {
    fn fresh(columns: &[(String, ColumnType)]) -> Batch {
        let mut batch = Batch {
            columns: columns
                .iter()
                .map(|(name, column_type)| Column::new(name.clone(), *column_type))
                .collect(),
        };
        batch.columns.extend(
            ["#line", "#byte", "#length", "#"].map(|name| Column::new(name, ColumnType::I64)),
        );
        batch
    }
}

struct Table {
    info: TableInfo,
    sql_types: Vec<String>,
    notes: Vec<String>,
    layout: Layout,
    rows: u64,
    damaged: u64,
    block: Option<Block>,
    hints: Vec<Hint>,
    seen: Vec<Seen>,
    keys: Option<Keys>,
    output: Option<Output>,
}

impl Table {
    fn new(shape: &Shape<'_>, naming: &Naming) -> Table {
        let mut table = Table::of(TableInfo {
            snapshot: naming.snapshot(None),
            part: String::new(),
            schema: shape.schema.to_owned(),
            name: shape.table.to_owned(),
            source: naming.source.clone(),
            columns: Vec::new(),
            primary_key: Vec::new(),
            types_inferred: true,
        });
        for name in shape.columns {
            table.add(shape, name);
        }
        table.keys = (!shape.key.is_empty()).then(Keys::default);
        table
    }

    fn of(info: TableInfo) -> Table {
        Table {
            layout: Layout::of(info.columns.iter().map(|(name, _)| name.clone())),
            info,
            sql_types: Vec::new(),
            notes: Vec::new(),
            rows: 0,
            damaged: 0,
            block: None,
            hints: Vec::new(),
            seen: Vec::new(),
            keys: None,
            output: None,
        }
    }

    fn add(&mut self, shape: &Shape<'_>, name: &str) {
        self.layout.add(name);
        self.learn(shape, name);
    }

    fn learn(&mut self, shape: &Shape<'_>, name: &str) {
        self.hints.push(shape.hint(name));
        self.seen.push(Seen::default());
    }

    /// Learns from a row; says in words why it cannot.
    fn see(&mut self, shape: &Shape<'_>, cells: &[Named<'_>]) -> Result<(), String> {
        self.layout.begin();
        for (name, cell) in cells {
            let at = self
                .layout
                .column(name, COLUMNS)
                .ok_or("the table has more columns than are read")?;
            while self.seen.len() <= at {
                let name = self.layout.names[self.seen.len()].clone();
                self.learn(shape, &name);
            }
            self.seen[at].see(cell);
        }
        self.watch_key(shape, cells);
        Ok(())
    }

    fn watch_key(&mut self, shape: &Shape<'_>, cells: &[Named<'_>]) {
        let Some(keys) = &mut self.keys else {
            return;
        };
        if keys.columns.is_empty() {
            for part in shape.key {
                match self.layout.index.get(*part) {
                    Some(&at) => keys.columns.push(at),
                    None => {
                        self.keys = None;
                        return;
                    }
                }
            }
        }
        let mut hasher = DefaultHasher::new();
        for part in shape.key {
            match cells.iter().find(|(name, _)| name == part) {
                Some((_, Cell::Number(text))) => text.hash(&mut hasher),
                Some((_, Cell::Text(text))) => text.hash(&mut hasher),
                _ => {
                    self.keys = None;
                    return;
                }
            }
        }
        if keys.seen.len() >= KEYS_WATCHED || !keys.seen.insert(hasher.finish()) {
            let note = format!(
                "{} is the key of what was asked for, but some come more than once: rows are counted",
                shape.key.join(", ")
            );
            self.notes.push(note);
            self.keys = None;
        }
    }

    /// Appends a row to the batch; says in words why it cannot.
    fn push(&mut self, cells: &[Named<'_>], place: Place) -> Result<(), String> {
        let Some(output) = &mut self.output else {
            return Ok(());
        };
        self.layout.begin();
        let most = self.layout.names.len();
        let rows = output.batch.rows();
        for (name, cell) in cells {
            let column = self.layout.column(name, most);
            let column = column.and_then(|at| output.batch.columns.get_mut(at));
            if !column.is_some_and(|column| push(column, cell)) {
                // What the broken row has pushed already is taken back.
                let names: Vec<String> = output.batch.columns[..most + 3]
                    .iter()
                    .map(|column| column.name.clone())
                    .collect();
                output.batch = select(&output.batch, &names, &RowFilter::All, 0..rows);
                return Err(format!("column {name} is not what it was at first reading"));
            }
        }
        let places = [place.line, place.byte, place.length, self.rows];
        let (values, ends) = output.batch.columns.split_at_mut(most);
        for column in values {
            column.fill_nulls(rows + 1);
        }
        for (column, value) in ends.iter_mut().zip(places) {
            column.push_i64(value as i64);
        }
        output.bytes += cells.iter().map(|(_, cell)| cell.size()).sum::<u64>();
        Ok(())
    }

    fn flush(&mut self, least: usize, sink: &mut dyn RowSink) -> Result<(), DumpError> {
        let Some(output) = &mut self.output else {
            return Ok(());
        };
        let rows = output.batch.rows();
        if rows == 0 || (output.bytes < BATCH_BYTES && rows < least) {
            return Ok(());
        }
        output.bytes = 0;
        let fresh = Output::fresh(&self.info.columns);
        let full = std::mem::replace(&mut output.batch, fresh);
        let batch = select(&full, &output.names, &output.filter, 0..rows);
        if batch.rows() > 0 {
            sink.rows(&self.info, batch).map_err(DumpError::Sink)?;
        }
        Ok(())
    }

    fn facts(mut self, shape_key: &[String]) -> TableFacts {
        if !self.seen.is_empty() {
            let mut known = true;
            self.info.columns.clear();
            for ((name, seen), hint) in self.layout.names.iter().zip(&self.seen).zip(&self.hints) {
                let (column_type, by_hint) = seen.column_type(*hint);
                known &= by_hint;
                self.info.columns.push((name.clone(), column_type));
            }
            self.info.types_inferred = !known;
            if self.keys.is_some() {
                self.info.primary_key = shape_key.to_vec();
            }
        }
        self.sql_types
            .resize(self.info.columns.len(), String::new());
        TableFacts {
            info: self.info,
            sql_types: self.sql_types,
            rows: self.rows,
            damaged_rows: self.damaged,
            encoding: crate::TextEncoding::default(),
            inherited: crate::facts::Inherited::default(),
            blocks: self.block.into_iter().collect(),
            notes: self.notes,
        }
    }
}

/// One reading of a document.
pub(crate) struct Reading<'s> {
    pub(crate) facts: DumpFacts,
    tables: Vec<Table>,
    /// The keys of the tables, where they turn out to be keys.
    keys: Vec<Vec<String>>,
    naming: Naming,
    /// Where rows and rejects go, if this reading emits them.
    sink: Option<&'s mut dyn RowSink>,
    learns: bool,
    last: usize,
}

impl<'s> Reading<'s> {
    /// A first reading. With a sink it hands on what is no row.
    pub(crate) fn first(
        kind: DumpKind,
        naming: &Naming,
        sink: Option<&'s mut dyn RowSink>,
    ) -> Reading<'s> {
        Reading {
            facts: DumpFacts::new(kind),
            tables: Vec::new(),
            keys: Vec::new(),
            naming: naming.clone(),
            sink,
            learns: true,
            last: 0,
        }
    }

    /// A second reading, of what `known` found.
    pub(crate) fn second(
        known: &DumpFacts,
        want: &Want,
        sink: &'s mut dyn RowSink,
    ) -> Result<Reading<'s>, DumpError> {
        let mut facts = DumpFacts::new(known.kind);
        facts.database.clone_from(&known.database);
        let mut tables = Vec::new();
        for table in &known.tables {
            let mut info = table.info.clone();
            info.snapshot = want.naming.snapshot(known.database.as_deref());
            info.source.clone_from(&want.naming.source);
            let wanted = wanted(want, &info);
            let mut table_now = Table::of(info);
            table_now.sql_types.clone_from(&table.sql_types);
            table_now.notes.clone_from(&table.notes);
            if let Some(wanted) = wanted {
                let info = &table_now.info;
                sink.table(info).map_err(DumpError::Sink)?;
                let columns = wanted.and_then(|want| want.columns.as_deref());
                table_now.output = Some(Output {
                    batch: Output::fresh(&info.columns),
                    bytes: 0,
                    names: wanted_columns(&info.columns, columns)
                        .into_iter()
                        .map(|(name, _)| name)
                        .collect(),
                    filter: wanted.map_or(RowFilter::All, |want| want.filter.clone()),
                });
            }
            tables.push(table_now);
        }
        Ok(Reading {
            facts,
            keys: vec![Vec::new(); tables.len()],
            tables,
            naming: want.naming.clone(),
            sink: Some(sink),
            learns: false,
            last: 0,
        })
    }

    pub(crate) fn naming(&self) -> &Naming {
        &self.naming
    }

    /// Returns the table of a shape; `None` if a second reading meets one that the first did not.
    fn table(&mut self, shape: &Shape<'_>) -> Option<usize> {
        let is =
            |table: &Table| table.info.name == shape.table && table.info.schema == shape.schema;
        if !self.tables.get(self.last).is_some_and(is) {
            self.last = match self.tables.iter().position(is) {
                Some(at) => at,
                None if !self.learns || self.tables.len() >= TABLES => return None,
                None => {
                    self.tables.push(Table::new(shape, &self.naming));
                    self.keys
                        .push(shape.key.iter().map(|&part| part.to_owned()).collect());
                    self.tables.len() - 1
                }
            };
        }
        Some(self.last)
    }

    /// Announces a table that may stay empty.
    pub(crate) fn expect(&mut self, shape: &Shape<'_>) {
        self.table(shape);
    }

    /// Announces a table that may stay empty, with the types its database declares.
    pub(crate) fn declare(&mut self, shape: &Shape<'_>, sql_types: &[String]) {
        if let Some(at) = self.table(shape) {
            let table = &mut self.tables[at];
            if self.learns {
                // A database vouches for its own keys.
                table.keys = None;
                table.info.primary_key = self.keys[at].clone();
                table.sql_types = sql_types.to_vec();
            }
        }
    }

    /// Says something about a table that its reader should know.
    pub(crate) fn note(&mut self, shape: &Shape<'_>, note: String) {
        if let Some(at) = self.table(shape).filter(|_| self.learns) {
            self.tables[at].notes.push(note);
        }
    }

    /// Whether the rows of a table are wanted, or its types not known yet.
    pub(crate) fn needs(&mut self, shape: &Shape<'_>) -> bool {
        let learns = self.learns;
        self.table(shape)
            .is_some_and(|at| learns || self.tables[at].output.is_some())
    }

    /// Takes a row.
    pub(crate) fn row(
        &mut self,
        shape: &Shape<'_>,
        cells: &[Named<'_>],
        place: Place,
    ) -> Result<(), DumpError> {
        let Some(at) = self.table(shape) else {
            let what = "a table more than are read".to_owned();
            return self.broken(shape, place, 1, what);
        };
        let table = &mut self.tables[at];
        table.rows += 1;
        let taken = match self.learns {
            true => table.see(shape, cells),
            false => table.push(cells, place),
        };
        if let Err(what) = taken {
            table.rows -= 1;
            return self.broken(shape, place, 1, what);
        }
        match &mut table.block {
            Some(block) => {
                block.rows += 1;
                block.length = place.byte + place.length - block.byte;
            }
            block => {
                *block = Some(Block {
                    byte: place.byte,
                    length: place.length,
                    line: place.line,
                    rows: 1,
                    columns: Vec::new(),
                    form: BlockForm::Streamed,
                });
            }
        }
        self.facts.row_bytes += place.length;
        if let Some(sink) = &mut self.sink {
            table.flush(BATCH_ROWS, &mut **sink)?;
        }
        Ok(())
    }

    /// Takes a row that is broken, over so many lines.
    pub(crate) fn broken(
        &mut self,
        shape: &Shape<'_>,
        place: Place,
        lines: u64,
        what: String,
    ) -> Result<(), DumpError> {
        if let Some(at) = self.table(shape) {
            self.tables[at].rows += 1;
            self.tables[at].damaged += 1;
        }
        self.reject(Located {
            trouble: Trouble::Damaged,
            table: Some(shape.table.to_owned()),
            byte: place.byte,
            length: place.length,
            line: place.line,
            lines,
            what,
        })
    }

    /// Takes what is neither row nor framing.
    pub(crate) fn reject(&mut self, located: Located) -> Result<(), DumpError> {
        match &mut self.sink {
            Some(sink) => self.facts.reject(located, &mut **sink),
            // A second reading will hand it on.
            None => Ok(()),
        }
    }

    /// Ends the reading of so many bytes and lines; what was neither row nor reject is framing.
    pub(crate) fn finish(mut self, bytes: u64, lines: u64) -> Result<DumpFacts, DumpError> {
        if let Some(sink) = &mut self.sink {
            for table in &mut self.tables {
                table.flush(1, &mut **sink)?;
            }
        }
        let mut facts = self.facts;
        facts.bytes = bytes;
        facts.lines = lines;
        facts.framing_bytes = bytes.saturating_sub(facts.row_bytes + facts.rejected_bytes);
        facts.tables = self
            .tables
            .into_iter()
            .zip(&self.keys)
            .map(|(table, key)| table.facts(key))
            .collect();
        Ok(facts)
    }
}

/// Whether a table is wanted, and what of it.
fn wanted<'w>(want: &'w Want, info: &TableInfo) -> Option<Option<&'w WantTable>> {
    match &want.tables {
        None => Some(None),
        Some(tables) => tables
            .iter()
            .find(|want| {
                want.table == info.name
                    && want
                        .schema
                        .as_ref()
                        .is_none_or(|schema| *schema == info.schema)
            })
            .map(Some),
    }
}
