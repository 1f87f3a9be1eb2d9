//! Cells copied from column to column, or written anew.

use super::Value;
use model::{Column, ColumnData};

/// Appends a cell of `from` to `into`, which holds the same type (text, where `from` holds codes).
pub(super) fn copy(into: &mut Column, from: &Column, row: usize) {
    if from.is_null(row) {
        into.push_null();
        return;
    }
    match &from.data {
        ColumnData::Bool(values) => into.push_bool(values[row]),
        ColumnData::I64(values) => into.push_i64(values[row]),
        ColumnData::F64(values) => into.push_f64(values[row]),
        ColumnData::Str(values) => into.push_bytes(values.get(row)),
        ColumnData::Dict { codes, values } => into.push_bytes(values.get(codes[row] as usize)),
    }
}

/// Appends a value, as text where the column's type was inferred to be text.
pub(super) fn put(into: &mut Column, value: Value) {
    match (&into.data, value) {
        (ColumnData::Bool(_), Value::Truth(truth)) => into.push_bool(truth),
        (ColumnData::I64(_), Value::Number(number)) => into.push_i64(number),
        (ColumnData::Str(_), Value::Word(word)) => into.push_bytes(word.as_bytes()),
        (ColumnData::Str(_), Value::Truth(truth)) => {
            into.push_bytes(if truth { b"t" } else { b"f" });
        }
        (ColumnData::Str(_), Value::Number(number)) => {
            into.push_text(number.to_string().as_bytes())
        }
        _ => into.push_null(),
    }
}
