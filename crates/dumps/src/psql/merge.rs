//! From pastes to tables: names, takes, the union of columns, types.
//!
//! A table pasted twice with other columns is one table; rows with the same key become one row. The
//! same question asked twice with different answers is two *takes* (another time or another node):
//! the second and what follows it is a snapshot of its own, never mixed into the first.

use std::collections::HashMap;
use std::hash::{Hash as _, Hasher as _};

use model::{Batch, Column, ColumnType, RowFilter, TableInfo};

use super::{Paste, PastedRow, known};
use crate::block::wanted_columns;
use crate::encoding::Misread;
use crate::facts::{Block, BlockForm, DumpError, Naming, RowSink, TableFacts, Want};
use crate::infer::Inference;
use crate::rows::{BATCH_ROWS, select};
use crate::value::{Decoder, Value, decode};

/// A cell of a merged table: unknown if the row's paste did not show the column.
type Cell = Option<Option<Vec<u8>>>;

/// A table of one take.
struct Group {
    take: usize,
    schema: String,
    name: String,
    columns: Vec<String>,
    rows: Vec<(Vec<Cell>, PastedRow)>,
    /// Queries and a digest of what they gave.
    queries: HashMap<String, u64>,
    notes: Vec<String>,
    blocks: Vec<Block>,
    damaged: u64,
    pastes: usize,
    /// Rows by their key, where it is known and shown.
    by_key: HashMap<Vec<Option<Vec<u8>>>, usize>,
}

/// A finished table.
pub(crate) struct Table {
    pub(crate) facts: TableFacts,
    /// All columns, then `#line`, `#byte`, `#length`, `#`.
    batch: Batch,
    /// Cells that are no UTF-8.
    pub(crate) misread: Misread,
}

/// A paste with its name and with what its query adds.
struct Named {
    schema: String,
    name: String,
    columns: Vec<String>,
    rows: Vec<PastedRow>,
    query: Option<String>,
    notes: Vec<String>,
    damaged: u64,
    line: u64,
}

impl Named {
    fn answer(&self) -> u64 {
        let mut hasher = std::hash::DefaultHasher::new();
        self.columns.hash(&mut hasher);
        for row in &self.rows {
            row.cells.hash(&mut hasher);
        }
        hasher.finish()
    }
}

/// Names the table of a paste and takes over what its query says.
fn name(paste: Paste, unnamed: &mut usize) -> Named {
    let Paste {
        mut columns,
        mut rows,
        damaged,
        query,
        line,
        null: _,
        mut notes,
    } = paste;
    let by_columns = known::table_of(&columns);
    let query = query.filter(|query| match (&query.items, &query.table) {
        (Some(items), _) => {
            items.len() == columns.len()
                && items.iter().zip(&columns).all(|(item, column)| {
                    item.output == *column || column.starts_with(&format!("{}#", item.output))
                })
        }
        // `*` says nothing: the columns must not belong to another table that we know.
        (None, Some(asked)) => match by_columns {
            Some(found) => found == asked.name || known::key_of(&asked.name).is_none(),
            None => true,
        },
        (None, None) => true,
    });
    let mut schema = "public".to_owned();
    let table = match &query {
        Some(query) => query.table.as_ref().map(|table| {
            if let Some(named) = &table.schema {
                schema.clone_from(named);
            }
            table.name.clone()
        }),
        None => by_columns.map(|found| {
            notes.push(format!(
                "line {line}: no query names the table; it was recognised by its columns"
            ));
            found.to_owned()
        }),
    };
    let table = table.unwrap_or_else(|| {
        *unnamed += 1;
        format!("pasted_{unnamed}")
    });
    if let Some(query) = &query {
        for (item, column) in query.items.iter().flatten().zip(&mut columns) {
            if let Some(real) = &item.column
                && query.table.is_some()
                && !column.contains('#')
                && real != column
            {
                notes.push(format!(
                    "line {line}: column {column} is {real} in the query"
                ));
                column.clone_from(real);
            }
        }
        for (column, value) in &query.constants {
            if columns.contains(column) {
                continue;
            }
            notes.push(format!(
                "line {line}: column {column} is not shown; it is {value} by the query's WHERE"
            ));
            columns.push(column.clone());
            for row in &mut rows {
                row.cells.push(Some(value.clone().into_bytes()));
            }
        }
    }
    Named {
        schema,
        name: table,
        columns: super::aligned::unique(columns),
        rows,
        query: query.map(|query| query.normal),
        notes,
        damaged,
        line,
    }
}

impl Group {
    fn new(take: usize, named: &Named) -> Group {
        Group {
            take,
            schema: named.schema.clone(),
            name: named.name.clone(),
            columns: Vec::new(),
            rows: Vec::new(),
            queries: HashMap::new(),
            notes: Vec::new(),
            blocks: Vec::new(),
            damaged: 0,
            pastes: 0,
            by_key: HashMap::new(),
        }
    }

    /// Where a paste has the group's columns.
    fn mapping(&self, named: &Named) -> Vec<Option<usize>> {
        self.columns
            .iter()
            .map(|column| named.columns.iter().position(|name| name == column))
            .collect()
    }

    /// A row's cells under the group's columns.
    fn spread(mapping: &[Option<usize>], row: &PastedRow) -> Vec<Cell> {
        mapping
            .iter()
            .map(|at| row.cells.get((*at)?).cloned())
            .collect()
    }

    fn key(columns: &[String], name: &str, cells: &[Cell]) -> Option<Vec<Option<Vec<u8>>>> {
        known::key_of(name)?
            .iter()
            .map(|part| {
                let at = columns.iter().position(|column| column == part)?;
                cells.get(at).cloned().flatten()
            })
            .collect()
    }

    /// Whether the paste contradicts what is here already.
    fn contradicts(&self, named: &Named) -> bool {
        if let Some(query) = &named.query
            && known::key_of(&named.name).is_none_or(|key| {
                !key.iter()
                    .all(|part| named.columns.iter().any(|column| column == part))
            })
            && self
                .queries
                .get(query)
                .is_some_and(|held| *held != named.answer())
        {
            return true;
        }
        let mapping = self.mapping(named);
        named.rows.iter().any(|row| {
            let cells = Group::spread(&mapping, row);
            let Some(key) = Group::key(&self.columns, &self.name, &cells) else {
                return false;
            };
            self.by_key.get(&key).is_some_and(|&at| {
                let (held, _) = &self.rows[at];
                held.iter().zip(&cells).any(|pair| match pair {
                    (Some(held), Some(new)) => held != new,
                    _ => false,
                })
            })
        })
    }

    fn add(&mut self, named: Named) {
        self.pastes += 1;
        let answer = named.answer();
        let repeated = named
            .query
            .as_ref()
            .is_some_and(|query| self.queries.get(query) == Some(&answer));
        if let Some(query) = &named.query
            && !repeated
        {
            self.queries.insert(query.clone(), answer);
        }
        for column in &named.columns {
            if !self.columns.contains(column) {
                self.columns.push(column.clone());
                for (cells, _) in &mut self.rows {
                    cells.push(None);
                }
            }
        }
        self.notes.extend(named.notes.iter().cloned());
        self.damaged += named.damaged;
        if let (Some(first), Some(last)) = (named.rows.first(), named.rows.last()) {
            self.blocks.push(Block {
                byte: first.byte,
                length: last.byte + last.length - first.byte,
                line: first.line,
                rows: named.rows.len() as u64,
                columns: named.columns.clone(),
                form: BlockForm::Streamed,
            });
        }
        if repeated {
            self.notes
                .push(format!("line {}: the same paste again", named.line));
            return;
        }
        let mapping = self.mapping(&named);
        for row in &named.rows {
            let cells = Group::spread(&mapping, row);
            let key = Group::key(&self.columns, &self.name, &cells);
            if let Some(key) = key {
                if let Some(&at) = self.by_key.get(&key) {
                    for (held, new) in self.rows[at].0.iter_mut().zip(cells) {
                        if held.is_none() {
                            *held = new;
                        }
                    }
                    continue;
                }
                self.by_key.insert(key, self.rows.len());
            }
            self.rows.push((cells, row.clone()));
        }
    }

    fn finish(mut self, naming: &Naming, first: &str) -> Table {
        let mut columns = Vec::new();
        let mut batch = Batch::default();
        let mut scratch = Vec::new();
        let mut misread = Misread::default();
        for (at, name) in self.columns.iter().enumerate() {
            let mut inference = Inference::default();
            for (cells, _) in &self.rows {
                if let Some(Some(text)) = &cells[at] {
                    inference.see(text);
                }
            }
            let column_type = inference.column_type();
            let decoder = Decoder::of_column_type(column_type);
            let mut column = Column::new(name.clone(), column_type);
            for (cells, row) in &self.rows {
                push(&mut column, decoder, cells[at].as_ref(), &mut scratch);
                if let Some(Some(text)) = &cells[at]
                    && std::str::from_utf8(text).is_err()
                {
                    misread.see(name, (row.byte, row.line));
                }
            }
            columns.push((name.clone(), column_type));
            batch.columns.push(column);
            if self.rows.iter().any(|(cells, _)| cells[at].is_none()) {
                self.notes.push(format!(
                    "column {name} is not shown for every row: null there means unknown"
                ));
            }
        }
        let mut places =
            ["#line", "#byte", "#length", "#"].map(|name| Column::new(name, ColumnType::I64));
        for (nth, (_, row)) in self.rows.iter().enumerate() {
            let values = [row.line, row.byte, row.length, nth as u64 + 1];
            for (column, value) in places.iter_mut().zip(values) {
                column.push_i64(value as i64);
            }
        }
        batch.columns.extend(places);
        let snapshot = match self.take {
            0 => first.to_owned(),
            take => format!("{first}_{}", take + 1),
        };
        let part = match self.take {
            0 => String::new(),
            take => format!("take_{}", take + 1),
        };
        Table {
            facts: TableFacts {
                sql_types: vec![String::new(); columns.len()],
                info: TableInfo {
                    snapshot,
                    part,
                    schema: self.schema,
                    name: self.name,
                    source: naming.source.clone(),
                    columns,
                    primary_key: Vec::new(),
                    types_inferred: true,
                },
                rows: self.rows.len() as u64 + self.damaged,
                damaged_rows: self.damaged,
                encoding: crate::TextEncoding::default(),
                inherited: crate::facts::Inherited::default(),
                blocks: self.blocks,
                notes: self.notes,
            },
            batch,
            misread,
        }
    }
}

fn push(
    column: &mut Column,
    decoder: Decoder,
    cell: Option<&Option<Vec<u8>>>,
    scratch: &mut Vec<u8>,
) {
    scratch.clear();
    let value = match cell {
        Some(Some(text)) => decode(decoder, text, scratch).map(|value| (value, text)),
        _ => None,
    };
    match value {
        None => column.push_null(),
        Some((Value::Bool(value), _)) => column.push_bool(value),
        Some((Value::I64(value), _)) => column.push_i64(value),
        Some((Value::F64(value), _)) => column.push_f64(value),
        Some((Value::Same, text)) => column.push_text(text),
        Some((Value::Scratch(from), _)) => column.push_bytes(&scratch[from..]),
    }
}

/// Puts pastes together.
pub(crate) fn merge(pastes: Vec<Paste>, naming: &Naming) -> Vec<Table> {
    // Not after the database of a prompt: several pastes of one are the rule, and all would be called alike.
    let first = naming.snapshot(None);
    let mut groups: Vec<Group> = Vec::new();
    // Groups of the current take.
    let mut index: HashMap<(String, String), usize> = HashMap::new();
    let mut take = 0;
    let mut unnamed = 0;
    for paste in pastes {
        let named = name(paste, &mut unnamed);
        let key = (named.schema.clone(), named.name.clone());
        if index
            .get(&key)
            .is_some_and(|&at| groups[at].contradicts(&named))
        {
            take += 1;
            index.clear();
        }
        let at = *index.entry(key).or_insert_with(|| {
            groups.push(Group::new(take, &named));
            groups.len() - 1
        });
        groups[at].add(named);
    }
    groups
        .into_iter()
        .map(|group| group.finish(naming, &first))
        .collect()
}

/// Hands the wanted tables to the sink.
pub(crate) fn emit(
    tables: &[Table],
    want: &Want,
    places: bool,
    sink: &mut dyn RowSink,
) -> Result<(), DumpError> {
    for table in tables {
        let info = &table.facts.info;
        let wanted = match &want.tables {
            None => None,
            Some(tables) => match tables.iter().find(|want| {
                want.table == info.name
                    && want
                        .schema
                        .as_ref()
                        .is_none_or(|schema| *schema == info.schema)
            }) {
                Some(want) => Some(want),
                None => continue,
            },
        };
        let mut names: Vec<String> = wanted_columns(
            &info.columns,
            wanted.and_then(|want| want.columns.as_deref()),
        )
        .into_iter()
        .map(|(name, _)| name)
        .collect();
        if places {
            names.extend(["#line", "#byte", "#length"].map(str::to_owned));
        }
        let filter = wanted.map_or(&RowFilter::All, |want| &want.filter);
        sink.table(info).map_err(DumpError::Sink)?;
        let rows = table.batch.rows();
        for from in (0..rows.max(1)).step_by(BATCH_ROWS) {
            let range = from..rows.min(from + BATCH_ROWS);
            let batch = select(&table.batch, &names, filter, range);
            if batch.rows() > 0 || places {
                sink.rows(info, batch).map_err(DumpError::Sink)?;
            }
        }
    }
    Ok(())
}
