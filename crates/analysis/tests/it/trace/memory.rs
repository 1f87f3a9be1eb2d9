//! Tables in memory, filled by hand or by a small reader of COPY blocks that shares no code with
//! `dumps`.

use model::{Batch, Column, ColumnType, Part, RowFilter, TableError, TableInfo, TableSource};
use std::cell::RefCell;
use std::collections::BTreeMap;

#[derive(Default)]
pub(crate) struct Memory {
    tables: Vec<(TableInfo, Vec<Vec<Option<String>>>)>,
    /// What of which table cannot be read.
    damaged: Vec<(String, String)>,
    /// How often each table was read.
    pub(crate) reads: RefCell<BTreeMap<String, usize>>,
}

impl Memory {
    /// Adds a table; columns as `name:type`, rows blank separated, `-` for null, `_` for a blank
    /// (but in a `name:word`).
    pub(crate) fn table(mut self, name: &str, columns: &str, rows: &[&str]) -> Memory {
        let words: Vec<bool> = columns.split(' ').map(|c| c.ends_with(":word")).collect();
        let columns: Vec<(String, ColumnType)> = columns
            .split(' ')
            .map(|column| {
                let (name, kind) = column.split_once(':').unwrap_or((column, "int"));
                (name.to_owned(), column_type(kind))
            })
            .collect();
        let primary_key = match name {
            "l2_to_l1_logs" => vec!["miniblock_number", "log_index_in_miniblock"],
            "transactions" => vec!["hash"],
            "miniblocks" | "l1_batches" => vec!["number"],
            _ => vec!["id"],
        };
        let rows = rows.iter().map(|row| cells(row, &words)).collect();
        self.tables.push((
            TableInfo {
                snapshot: "memory".into(),
                part: String::new(),
                schema: "public".into(),
                name: name.into(),
                source: "0123456789ab".into(),
                columns,
                primary_key: primary_key.into_iter().map(str::to_owned).collect(),
                types_inferred: false,
            },
            rows,
        ));
        self
    }

    /// Says that rows of a table cannot be read.
    pub(crate) fn damaged(mut self, table: &str) -> Memory {
        let what = format!("table public.{table}, line 7, byte 90: 3 cells of 6");
        self.damaged.push((table.to_owned(), what));
        self
    }

    /// Says that no CREATE TABLE was seen: the rows are a part of their tables.
    pub(crate) fn pasted(mut self) -> Memory {
        for (info, _) in &mut self.tables {
            info.types_inferred = true;
            info.primary_key.clear();
        }
        self
    }

    /// Takes the names of the columns away, as a data-only dump of INSERTs does.
    pub(crate) fn nameless(mut self) -> Memory {
        for (info, _) in &mut self.tables {
            for (at, (name, _)) in info.columns.iter_mut().enumerate() {
                *name = format!("column_{}", at + 1);
            }
        }
        self.pasted()
    }

    /// Puts the last table into another snapshot.
    pub(crate) fn in_snapshot(mut self, snapshot: &str) -> Memory {
        self.tables.last_mut().unwrap().0.snapshot = snapshot.into();
        self
    }

    /// Reads the COPY blocks of a plain dump.
    pub(crate) fn from_dump(text: &str) -> Memory {
        let mut memory = Memory::default();
        let mut types: BTreeMap<(String, String), ColumnType> = BTreeMap::new();
        let mut creating = None;
        let mut copying = false;
        for line in text.lines() {
            if copying {
                if line == "\\." {
                    copying = false;
                    continue;
                }
                let cells = line
                    .split('\t')
                    .map(|cell| (cell != "\\N").then(|| cell.replace("\\\\", "\\")))
                    .collect();
                memory.tables.last_mut().unwrap().1.push(cells);
            } else if let Some(rest) = line.strip_prefix("CREATE TABLE public.") {
                creating = rest.split_whitespace().next().map(str::to_owned);
            } else if let Some(rest) = line.strip_prefix("COPY public.") {
                let (name, rest) = rest.split_once(" (").unwrap();
                let columns = rest.split_once(')').unwrap().0;
                memory = memory.table(name, "x", &[]);
                let (info, _) = memory.tables.last_mut().unwrap();
                info.columns = columns
                    .split(", ")
                    .map(|column| {
                        let column = column.trim_matches('"').to_owned();
                        let kind = types
                            .get(&(name.to_owned(), column.clone()))
                            .copied()
                            .unwrap_or(ColumnType::Text);
                        (column, kind)
                    })
                    .collect();
                copying = true;
            } else if let Some(table) = &creating {
                if line.starts_with(')') {
                    creating = None;
                } else if let Some((name, kind)) = line.trim().split_once(' ') {
                    types.insert(
                        (table.clone(), name.trim_matches('"').to_owned()),
                        column_type(kind.trim_end_matches(',')),
                    );
                }
            }
        }
        memory
    }
}

/// The cells of a row written as for [`Memory::table`].
fn cells(row: &str, words: &[bool]) -> Vec<Option<String>> {
    let cells: Vec<_> = row
        .split(' ')
        .zip(words)
        .map(|(cell, word)| match word {
            _ if cell == "-" => None,
            true => Some(cell.to_owned()),
            false => Some(cell.replace('_', " ")),
        })
        .collect();
    assert_eq!(cells.len(), words.len(), "{row}");
    cells
}

fn column_type(kind: &str) -> ColumnType {
    let first = kind.split([' ', '(']).next().unwrap();
    match first {
        "int" | "bigint" | "integer" | "smallint" if !kind.contains('[') => ColumnType::I64,
        "bool" | "boolean" => ColumnType::Bool,
        "bytes" | "bytea" if !kind.contains('[') => ColumnType::Bytes,
        "utc" => ColumnType::TimestampUtc,
        "time" | "timestamp" => ColumnType::TimestampCivil,
        _ => ColumnType::Text,
    }
}

fn raw(kind: ColumnType, cell: &str) -> Vec<u8> {
    if kind != ColumnType::Bytes {
        return cell.as_bytes().to_vec();
    }
    let digits = cell.trim_start_matches("\\x").trim_start_matches("0x");
    (0..digits.len() / 2)
        .map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap())
        .collect()
}

impl TableSource for Memory {
    fn tables(&self) -> Vec<TableInfo> {
        self.tables.iter().map(|(info, _)| info.clone()).collect()
    }

    fn row_count(&self, table: &str) -> Option<u64> {
        let found = self.tables.iter().find(|(info, _)| info.is_named(table));
        found.map(|(_, rows)| rows.len() as u64)
    }

    fn damage_of(&self, table: &str) -> Vec<String> {
        let damaged = self.damaged.iter().filter(|(of, _)| of == table);
        damaged.map(|(_, what)| what.clone()).collect()
    }

    fn damage(&self) -> Vec<String> {
        self.damaged.iter().map(|(_, what)| what.clone()).collect()
    }

    fn read_parts(&self, table: &str, parts: &[Part<'_>]) -> Result<Vec<Batch>, TableError> {
        let before = self.reads.borrow().get(table).copied().unwrap_or(0);
        let read = |part: &Part<'_>| self.read(table, part.columns, part.filter);
        let batches = parts.iter().map(read).collect();
        // However many parts: one pass.
        self.reads.borrow_mut().insert(table.into(), before + 1);
        batches
    }

    fn read(&self, table: &str, columns: &[&str], filter: &RowFilter) -> Result<Batch, TableError> {
        *self.reads.borrow_mut().entry(table.into()).or_default() += 1;
        let full = |info: &TableInfo| format!("{}.{}.{}", info.snapshot, info.schema, info.name);
        let (info, rows) = self
            .tables
            .iter()
            .find(|(info, _)| info.name == table || full(info) == table)
            .ok_or_else(|| TableError::NoTable {
                table: table.into(),
                known: String::new(),
            })?;
        let at = |name: &str| info.columns.iter().position(|(column, _)| column == name);
        let mut batch = Batch::default();
        for name in columns {
            if let Some(at) = at(name) {
                batch.columns.push(Column::new(*name, info.columns[at].1));
            }
        }
        batch.columns.push(Column::new("#", ColumnType::I64));
        for (ordinal, row) in rows.iter().enumerate() {
            let passes = match filter {
                RowFilter::All => true,
                RowFilter::I64In(name, values) => row[at(name).unwrap()]
                    .as_ref()
                    .is_some_and(|cell| values.binary_search(&cell.parse().unwrap()).is_ok()),
                RowFilter::BytesIn(name, values) => {
                    let at = at(name).unwrap();
                    row[at]
                        .as_ref()
                        .is_some_and(|cell| values.contains(&raw(info.columns[at].1, cell)))
                }
            };
            if !passes {
                continue;
            }
            for column in &mut batch.columns {
                if column.name == "#" {
                    column.push_i64(ordinal as i64 + 1);
                    continue;
                }
                let Some(cell) = &row[at(&column.name).unwrap()] else {
                    column.push_null();
                    continue;
                };
                match column.column_type {
                    ColumnType::I64 => column.push_i64(cell.parse().unwrap()),
                    ColumnType::Bool => column.push_bool(cell == "t"),
                    ColumnType::TimestampCivil | ColumnType::TimestampUtc => {
                        column.push_i64(model::time::parse_civil(cell).unwrap().0);
                    }
                    kind => column.push_bytes(&raw(kind, cell)),
                }
            }
        }
        Ok(batch)
    }
}
