//! Answers as Parquet files: what `--format parquet` writes, for the next tool.

use crate::columns::{columns_of, memory_schema, to_arrow};
use arrow::error::ArrowError;
use model::{Answer, AnswerSink, Batch, Cell, Column, ColumnType};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use serde_json::Value;
use std::io::{self, Write};

/// Rows of a row group.
const GROUP_ROWS: usize = 128 * 1024;
/// Rows that become columns together: text of many more would be too long for Arrow's offsets.
const BATCH_ROWS: usize = 8 * 1024;

/// Writes an answer as one Parquet file. Numbers, truths, bytes and instants (microseconds; those of
/// unknown zone without one) keep their types, nested values are JSON text, everything else is text.
pub struct AnswerFile<W: Write + Send> {
    types: Vec<ColumnType>,
    names: Vec<String>,
    /// `None` behind the end.
    writer: Option<ArrowWriter<W>>,
}

impl<W: Write + Send> std::fmt::Debug for AnswerFile<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AnswerFile")
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

impl<W: Write + Send> AnswerFile<W> {
    /// Begins a file with the columns of an answer.
    ///
    /// # Errors
    /// If the beginning cannot be written.
    pub fn new(answer: &Answer, out: W) -> io::Result<AnswerFile<W>> {
        let types = answer
            .columns
            .iter()
            .map(|column| match column.type_name.as_str() {
                "bool" => ColumnType::Bool,
                "i64" => ColumnType::I64,
                "f64" => ColumnType::F64,
                "bytes" => ColumnType::Bytes,
                "timestamp_utc" => ColumnType::TimestampUtc,
                "timestamp_civil" => ColumnType::TimestampCivil,
                _ => ColumnType::Text,
            });
        let types: Vec<ColumnType> = types.collect();
        let names = answer.distinct_names();
        let empty = Batch {
            columns: columns(&names, &types),
        };
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .build();
        let schema = memory_schema(&columns_of(&empty));
        let writer = ArrowWriter::try_new(out, schema, Some(properties)).map_err(parquet)?;
        Ok(AnswerFile {
            types,
            names,
            writer: Some(writer),
        })
    }
}

impl<W: Write + Send> AnswerSink for AnswerFile<W> {
    fn put(&mut self, rows: &Answer) -> io::Result<()> {
        let writer = self.writer.as_mut().ok_or_else(ended)?;
        for rows in rows.rows.chunks(BATCH_ROWS) {
            let mut columns = columns(&self.names, &self.types);
            for row in rows {
                for (column, cell) in columns.iter_mut().zip(row) {
                    push(column, cell)?;
                }
            }
            let batch = to_arrow(Batch { columns }, None).map_err(arrow)?;
            writer.write(&batch).map_err(parquet)?;
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        let writer = self.writer.take().ok_or_else(ended)?;
        writer.close().map(|_| ()).map_err(parquet)
    }
}

fn columns(names: &[String], types: &[ColumnType]) -> Vec<Column> {
    let pairs = names.iter().zip(types);
    pairs
        .map(|(name, kind)| Column::new(name.as_str(), *kind))
        .collect()
}

/// Appends a cell. Lists carry numbers and truths as JSON values.
fn push(column: &mut Column, cell: &Cell) -> io::Result<()> {
    use ColumnType::{Bool, Bytes, F64, I64, Text, TimestampCivil, TimestampUtc};
    match (column.column_type, cell) {
        (_, Cell::Null | Cell::Json(Value::Null)) => column.push_null(),
        (I64, Cell::I64(value))
        | (TimestampUtc, Cell::Utc(value))
        | (TimestampCivil, Cell::Civil(value)) => column.push_i64(*value),
        (I64, Cell::Json(Value::Number(value))) if value.is_i64() => {
            column.push_opt_i64(value.as_i64());
        }
        (F64, Cell::F64(value)) => column.push_f64(*value),
        (F64, Cell::I64(value)) => column.push_f64(*value as f64),
        (F64, Cell::Json(Value::Number(value))) => {
            column.push_f64(value.as_f64().unwrap_or(f64::NAN));
        }
        (Bool, Cell::Bool(value)) | (Bool, Cell::Json(Value::Bool(value))) => {
            column.push_bool(*value);
        }
        (Bytes, Cell::Bytes(value)) => column.push_bytes(value),
        (Text, Cell::Text(value)) => column.push_text(value.as_bytes()),
        (Text, value) => match value.to_json() {
            Value::String(text) => column.push_text(text.as_bytes()),
            other => column.push_text(other.to_string().as_bytes()),
        },
        // Nothing is left out silently.
        (_, other) => {
            let (name, value) = (&column.name, other.to_json());
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("column {name} has no room for {value} in Parquet: ask for jsonl or csv"),
            ));
        }
    }
    Ok(())
}

fn ended() -> io::Error {
    io::Error::other("the answer has ended")
}

fn arrow(error: ArrowError) -> io::Error {
    io::Error::other(error)
}

fn parquet(error: ParquetError) -> io::Error {
    match error {
        // A closed pipe and a full disk keep their kind.
        ParquetError::External(inner) => match inner.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(other) => io::Error::other(other),
        },
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::arrow::util::pretty::pretty_format_batches;
    use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    #[test]
    fn cells_come_back_as_they_were() {
        let mut answer = Answer::new(&[
            ("n", "i64"),
            ("n", "text"),
            ("at", "timestamp_utc"),
            ("civil", "timestamp_civil"),
            ("hash", "bytes"),
            ("share", "f64"),
            ("is_sealed", "bool"),
            ("fields", "json"),
        ]);
        answer.rows.push(vec![
            Cell::I64(7),
            Cell::Text("=a|b".into()),
            Cell::Utc(1_695_008_467_000_000),
            Cell::Civil(0),
            Cell::Bytes(vec![0x0b, 0xbb]),
            Cell::F64(0.5),
            Cell::Bool(true),
            Cell::Json(serde_json::json!({"a": [1]})),
        ]);
        answer.rows.push(vec![Cell::Null; 8]);
        let mut bytes = Vec::new();
        let mut file = AnswerFile::new(&answer, &mut bytes).expect("memory");
        file.put(&answer).expect("memory");
        file.end().expect("memory");
        drop(file);
        let read = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes))
            .and_then(ParquetRecordBatchReaderBuilder::build)
            .expect("a Parquet file")
            .collect::<Result<Vec<_>, _>>()
            .expect("rows");
        let shown = pretty_format_batches(&read).expect("text").to_string();
        let rows: Vec<&str> = shown.lines().filter(|line| line.starts_with('|')).collect();
        let cells: Vec<&str> = rows[1]
            .split_whitespace()
            .filter(|word| *word != "|")
            .collect();
        assert_eq!(
            cells,
            [
                "7",
                "=a|b",
                "2023-09-18T03:41:07Z",
                "1970-01-01T00:00:00",
                "0bbb",
                "0.5",
                "true",
                "{\"a\":[1]}"
            ],
            "{shown}"
        );
        assert!(rows[0].contains("n#2"), "{shown}");
        let nulls = read[0].columns().iter().map(|column| column.null_count());
        assert!(nulls.eq([1; 8]), "{shown}");
    }

    #[test]
    fn what_has_no_room_is_an_error_and_not_a_null() {
        for (type_name, cell) in [
            ("timestamp_utc", Cell::Text("2023-09-18T03:41:07".into())),
            ("i64", Cell::Json(serde_json::json!(u64::MAX))),
            ("bool", Cell::Text("maybe".into())),
        ] {
            let mut answer = Answer::new(&[("a", type_name)]);
            answer.rows.push(vec![cell]);
            let mut file = AnswerFile::new(&answer, Vec::new()).expect("memory");
            let error = file.put(&answer).expect_err("no room");
            assert!(
                error.to_string().contains("column a has no room for"),
                "{error}"
            );
        }
    }
}
