//! Tiny tables written as text, and the golden rows of a query over them.
//!
//! A golden file: `table NAME`, a line of `column type`, rows; then `ask k=v …`, and the rows expected.
//! Cells are separated by `|`, NULL is `\N`, bytes are hex digits.

use arrow::array::{ArrayRef, BinaryArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use arrow::record_batch::RecordBatch;
use model::{Batch, Column, ColumnType, TableInfo};
use parquet::arrow::ArrowWriter;
use query::{Engine, TableFiles, TableName};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) columns: Vec<(String, String)>,
    pub(crate) rows: Vec<Vec<Option<String>>>,
}

pub(crate) struct Ask {
    pub(crate) params: Vec<(String, String)>,
    pub(crate) expected: Vec<String>,
}

pub(crate) struct Golden {
    pub(crate) path: PathBuf,
    pub(crate) tables: Vec<Table>,
    pub(crate) asks: Vec<Ask>,
}

fn cells(line: &str) -> Vec<Option<String>> {
    line.split('|')
        .map(str::trim)
        .map(|cell| (cell != "\\N").then(|| cell.to_owned()))
        .collect()
}

impl Golden {
    pub(crate) fn read(path: &Path) -> Golden {
        let text = std::fs::read_to_string(path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut golden = Golden {
            path: path.to_owned(),
            tables: Vec::new(),
            asks: Vec::new(),
        };
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(name) = line.strip_prefix("table ") {
                golden.tables.push(Table {
                    name: name.to_owned(),
                    columns: Vec::new(),
                    rows: Vec::new(),
                });
            } else if line == "ask" || line.starts_with("ask ") {
                let params = line[3..].split_whitespace().map(|pair| {
                    let (name, value) = pair.split_once('=').unwrap();
                    (name.to_owned(), value.to_owned())
                });
                golden.asks.push(Ask {
                    params: params.collect(),
                    expected: Vec::new(),
                });
            } else if let Some(ask) = golden.asks.last_mut() {
                ask.expected.push(line.to_owned());
            } else {
                let table = golden.tables.last_mut().unwrap();
                if table.columns.is_empty() {
                    let columns = line.split('|').map(|column| {
                        let (name, column_type) = column.trim().split_once(' ').unwrap();
                        (name.to_owned(), column_type.to_owned())
                    });
                    table.columns = columns.collect();
                } else {
                    let row = cells(line);
                    assert_eq!(row.len(), table.columns.len(), "{}: {line}", path.display());
                    table.rows.push(row);
                }
            }
        }
        golden
    }

    /// Writes the file anew with other expected rows; the diff is for a person to read.
    pub(crate) fn update(&self, expected: &[Vec<String>]) {
        let text = std::fs::read_to_string(&self.path).unwrap();
        let tables = text.find("ask").map_or(text.as_str(), |at| &text[..at]);
        let mut out = tables.to_owned();
        for (ask, rows) in self.asks.iter().zip(expected) {
            out.push_str("ask");
            for (name, value) in &ask.params {
                out.push_str(&format!(" {name}={value}"));
            }
            out.push('\n');
            for row in rows {
                out.push_str(row);
                out.push('\n');
            }
            out.push('\n');
        }
        std::fs::write(&self.path, format!("{}\n", out.trim_end())).unwrap();
    }
}

fn column_type(word: &str) -> ColumnType {
    match word {
        "bool" => ColumnType::Bool,
        "i64" => ColumnType::I64,
        "f64" => ColumnType::F64,
        "text" => ColumnType::Text,
        "bytes" => ColumnType::Bytes,
        "utc" => ColumnType::TimestampUtc,
        "civil" => ColumnType::TimestampCivil,
        other => panic!("unknown type {other}"),
    }
}

fn unhex(digits: &str) -> Vec<u8> {
    (0..digits.len() / 2)
        .map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap())
        .collect()
}

impl Table {
    fn is_database(&self) -> bool {
        !(self.name == "records" || self.name == "rejects" || self.name.starts_with("obs."))
    }

    fn batch(&self) -> Batch {
        let mut columns: Vec<Column> = self
            .columns
            .iter()
            .map(|(name, word)| Column::new(name.as_str(), column_type(word)))
            .collect();
        for row in &self.rows {
            for (column, cell) in columns.iter_mut().zip(row) {
                let Some(text) = cell else {
                    column.push_null();
                    continue;
                };
                match column.column_type {
                    ColumnType::Bool => column.push_bool(text == "true"),
                    ColumnType::I64 => column.push_i64(text.parse().unwrap()),
                    ColumnType::F64 => column.push_f64(text.parse().unwrap()),
                    ColumnType::Bytes => column.push_bytes(&unhex(text)),
                    ColumnType::TimestampUtc | ColumnType::TimestampCivil => {
                        column.push_i64(model::time::parse_civil(text).unwrap().0);
                    }
                    _ => column.push_text(text.as_bytes()),
                }
            }
        }
        Batch { columns }
    }

    /// Writes the table as the case does: bare Arrow types, times in microseconds.
    fn write_parquet(&self, path: &Path) {
        let mut fields = Vec::new();
        let mut arrays: Vec<ArrayRef> = Vec::new();
        for (index, (name, word)) in self.columns.iter().enumerate() {
            let texts: Vec<Option<&str>> =
                self.rows.iter().map(|row| row[index].as_deref()).collect();
            let data_type = match column_type(word) {
                ColumnType::Bool => DataType::Boolean,
                ColumnType::I64 => DataType::Int64,
                ColumnType::F64 => DataType::Float64,
                ColumnType::Bytes => DataType::Binary,
                ColumnType::TimestampUtc => {
                    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
                }
                ColumnType::TimestampCivil => DataType::Timestamp(TimeUnit::Microsecond, None),
                _ => DataType::Utf8,
            };
            let array: ArrayRef = if data_type == DataType::Binary {
                let bytes: Vec<Option<Vec<u8>>> =
                    texts.iter().map(|text| text.map(unhex)).collect();
                Arc::new(BinaryArray::from_iter(bytes))
            } else {
                cast(&StringArray::from(texts), &data_type).unwrap()
            };
            assert_eq!(
                array.null_count(),
                self.rows.iter().filter(|row| row[index].is_none()).count(),
                "{}.{name}",
                self.name
            );
            fields.push(Field::new(name.as_str(), data_type, true));
            arrays.push(array);
        }
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap();
        let file = std::fs::File::create(path).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
    }

    fn parquet(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.parquet", self.name))
    }
}

/// Gives the tables to the engine: those of databases from memory, the others as Parquet files. All
/// are written as Parquet into `folder` for DuckDB.
pub(crate) fn engine(tables: &[Table], folder: &Path) -> Engine {
    let mut engine = Engine::new(query::EngineOptions::default()).unwrap();
    for table in tables {
        let file = table.parquet(folder);
        table.write_parquet(&file);
        let name = match table.name.split_once('.') {
            Some(("obs", kind)) => TableName::Obs(kind.to_owned()),
            _ if table.name == "records" => TableName::Records,
            _ if table.name == "rejects" => TableName::Rejects,
            _ => {
                let columns = table.columns.iter();
                let info = TableInfo {
                    snapshot: "golden".to_owned(),
                    part: String::new(),
                    schema: "public".to_owned(),
                    name: table.name.clone(),
                    source: "0123456789ab".into(),
                    columns: columns
                        .map(|(name, word)| (name.clone(), column_type(word)))
                        .collect(),
                    primary_key: Vec::new(),
                    types_inferred: false,
                };
                engine.register_batches(&info, vec![table.batch()]).unwrap();
                continue;
            }
        };
        engine.add_table(TableFiles {
            name,
            files: vec![file],
            reference: None,
            primary_key: Vec::new(),
            marks: std::collections::BTreeMap::new(),
            numerics: std::collections::BTreeMap::new(),
        });
    }
    engine
}

/// Returns the statements that give DuckDB the same tables.
pub(crate) fn duckdb_setup(tables: &[Table], folder: &Path) -> Vec<String> {
    let mut setup = vec!["CREATE SCHEMA IF NOT EXISTS obs".to_owned()];
    for table in tables {
        let file = table.parquet(folder).display().to_string();
        let has = |name: &str| table.columns.iter().any(|(column, _)| column == name);
        let reference = match (table.is_database(), has("lines")) {
            (true, _) => "",
            (false, true) => {
                ", source || ':' || line || CASE WHEN lines > 1 THEN '-' || (line + lines - 1) ELSE '' END AS ref"
            }
            (false, false) => ", source || ':' || line AS ref",
        };
        setup.push(format!(
            "CREATE OR REPLACE VIEW {} AS SELECT *{reference} FROM read_parquet('{file}')",
            table.name
        ));
    }
    setup
}

/// Returns the script that gives PostgreSQL the same tables; `None` if they are not a database's.
pub(crate) fn postgres_setup(tables: &[Table]) -> Option<String> {
    let mut script = String::new();
    for table in tables {
        if !table.is_database() {
            return None;
        }
        let columns: Vec<String> = table
            .columns
            .iter()
            .map(|(name, word)| {
                let pg = match word.as_str() {
                    "bool" => "boolean",
                    "i64" => "bigint",
                    "f64" => "double precision",
                    "bytes" => "bytea",
                    "utc" => "timestamptz",
                    "civil" => "timestamp",
                    other => other,
                };
                format!("\"{name}\" {pg}")
            })
            .collect();
        script.push_str(&format!(
            "CREATE TABLE {} ({});\nCOPY {} FROM STDIN;\n",
            table.name,
            columns.join(", "),
            table.name
        ));
        for row in &table.rows {
            let cells: Vec<String> = row
                .iter()
                .zip(&table.columns)
                .map(|(cell, (_, word))| match (cell, word.as_str()) {
                    (None, _) => "\\N".to_owned(),
                    (Some(digits), "bytes") => format!("\\\\x{digits}"),
                    (Some(text), _) => text.clone(),
                })
                .collect();
            script.push_str(&cells.join("\t"));
            script.push('\n');
        }
        script.push_str("\\.\n");
    }
    Some(script)
}
