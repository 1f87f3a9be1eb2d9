//! The answer table: what every verb hands to `report` for eyes and machines.

use serde_json::Value;
use std::io;

/// One cell of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Nothing known.
    Null,
    /// Truth.
    Bool(bool),
    /// Whole number.
    I64(i64),
    /// Number.
    F64(f64),
    /// Text; may come from evidence and is escaped where it is shown.
    Text(String),
    /// Microseconds since 1970 UTC.
    Utc(i64),
    /// Civil microseconds of unknown zone: shown without `Z`.
    Civil(i64),
    /// Bytes, shown as `0x…`.
    Bytes(Vec<u8>),
    /// A nested value; shown as compact JSON in tables.
    Json(Value),
}

/// A column of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerColumn {
    /// Snake case, unit last.
    pub name: String,
    /// The type as machines are told it, for example `i64`, `text`, `timestamp_utc`.
    pub type_name: String,
}

/// A table of answers in a stated order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// Columns.
    pub columns: Vec<AnswerColumn>,
    /// Rows; each has one cell per column.
    pub rows: Vec<Vec<Cell>>,
}

impl Answer {
    /// Returns an empty answer with these columns, given as `(name, type)`.
    pub fn new(columns: &[(&str, &str)]) -> Answer {
        Answer {
            columns: columns
                .iter()
                .map(|(name, type_name)| AnswerColumn {
                    name: (*name).to_owned(),
                    type_name: (*type_name).to_owned(),
                })
                .collect(),
            rows: Vec::new(),
        }
    }
}

impl Answer {
    /// Returns the names of the columns, each once: JSON objects and Parquet files need distinct ones.
    /// A repeated column is `name#2`, as repeated fields are.
    pub fn distinct_names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for column in &self.columns {
            let mut name = column.name.clone();
            let mut number = 1;
            while names.contains(&name) {
                number += 1;
                name = format!("{}#{number}", column.name);
            }
            names.push(name);
        }
        names
    }
}

/// Takes the rows of an answer in stretches, each with the same columns.
pub trait AnswerSink: Send {
    /// Takes rows.
    ///
    /// # Errors
    /// If they cannot be written.
    fn put(&mut self, rows: &Answer) -> io::Result<()>;

    /// Ends the answer.
    ///
    /// # Errors
    /// If the rest cannot be written.
    fn end(&mut self) -> io::Result<()>;
}

impl Cell {
    /// Returns the cell as JSON: instants as RFC 3339 text, bytes as `0x…` text.
    pub fn to_json(&self) -> Value {
        match self {
            Cell::Null => Value::Null,
            Cell::Bool(value) => Value::from(*value),
            Cell::I64(value) => Value::from(*value),
            Cell::F64(value) => f64_json(*value),
            Cell::Text(text) => Value::from(text.as_str()),
            Cell::Utc(us) => Value::from(crate::time::format_utc(*us)),
            Cell::Civil(us) => Value::from(crate::time::format_civil(*us)),
            Cell::Bytes(bytes) => Value::from(hex(bytes)),
            Cell::Json(value) => value.clone(),
        }
    }
}

/// Returns a number as JSON. What JSON has no number for is text, as PostgreSQL writes it: `NaN`, `Infinity`,
/// `-Infinity`. It is a value, and null would say that there is none.
pub fn f64_json(value: f64) -> Value {
    match serde_json::Number::from_f64(value) {
        Some(number) => Value::Number(number),
        None if value.is_nan() => "NaN".into(),
        None if value > 0.0 => "Infinity".into(),
        None => "-Infinity".into(),
    }
}

/// Returns bytes as `0x…`.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::from("0x"), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_without_a_number_in_json_are_no_nulls() {
        for (cell, json) in [
            (Cell::F64(0.5), Value::from(0.5)),
            (Cell::F64(f64::NAN), "NaN".into()),
            (Cell::F64(f64::INFINITY), "Infinity".into()),
            (Cell::F64(f64::NEG_INFINITY), "-Infinity".into()),
            (Cell::Utc(i64::MAX), "infinity".into()),
            (Cell::Civil(i64::MIN), "-infinity".into()),
        ] {
            assert_eq!(cell.to_json(), json);
        }
    }
}
