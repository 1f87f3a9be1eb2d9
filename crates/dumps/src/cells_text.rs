//! The text of a row that has no text of its own: what a binary file stores is shown as a JSON object
//! of the row's cells.

use std::io::Write as _;

use model::{Batch, Column, ColumnType, RowFilter, TableError, TableInfo, TableSource as _};

use crate::source::DumpSource;

impl DumpSource {
    /// Returns the row of a reference as a JSON object, bytes as `0x` and hex digits, times as numbers
    /// of microseconds; `key` is what stands behind `#`.
    ///
    /// # Errors
    /// As [`model::TableSource::read`].
    pub fn cells_text(&self, table: &str, key: &str) -> Result<Option<Vec<u8>>, TableError> {
        let info = self.table_of_reference(table)?;
        let columns: Vec<&str> = info.columns.iter().map(|(name, _)| name.as_str()).collect();
        let batch = self.read(&info.full_name(), &columns, &filter_of(info, key))?;
        let ordinals = batch.column("#");
        let found = (0..batch.rows()).find(|&row| {
            let ordinal = ordinals.and_then(|column| column.i64(row));
            info.row_key(&batch, row, ordinal) == key
        });
        Ok(found.map(|row| object(&batch, row)))
    }
}

/// Lets as few rows pass as the key allows.
fn filter_of(info: &TableInfo, key: &str) -> RowFilter {
    let first = info.primary_key.first().and_then(|name| {
        let (_, column_type) = info.columns.iter().find(|(column, _)| column == name)?;
        let value = key.split(',').next()?.parse().ok()?;
        (*column_type == ColumnType::I64).then(|| RowFilter::I64In(name.clone(), vec![value]))
    });
    // A row without its key is referred to by its number.
    first
        .filter(|_| !key.starts_with('@'))
        .unwrap_or(RowFilter::All)
}

fn object(batch: &Batch, row: usize) -> Vec<u8> {
    let mut text = b"{".to_vec();
    for column in batch.columns.iter().filter(|column| column.name != "#") {
        if text.len() > 1 {
            text.extend_from_slice(b", ");
        }
        model::write_json_string(column.name.as_bytes(), &mut text);
        text.extend_from_slice(b": ");
        value(column, row, &mut text);
    }
    text.extend_from_slice(b"}\n");
    text
}

fn value(column: &Column, row: usize, text: &mut Vec<u8>) {
    let bytes = column.bytes(row);
    // Writing to memory does not fail.
    let _ = match (column.column_type, bytes) {
        _ if column.is_null(row) => write!(text, "null"),
        (ColumnType::Bytes, Some(bytes)) => {
            text.extend_from_slice(b"\"0x");
            for byte in bytes {
                let _ = write!(text, "{byte:02x}");
            }
            write!(text, "\"")
        }
        (ColumnType::Json, Some(bytes)) => text.write_all(bytes),
        (_, Some(bytes)) => {
            model::write_json_string(bytes, text);
            Ok(())
        }
        (ColumnType::Bool, None) => write!(text, "{}", column.bool(row).unwrap_or_default()),
        (ColumnType::F64, None) => write!(text, "{:?}", column.f64(row).unwrap_or_default()),
        (_, None) => write!(text, "{}", column.i64(row).unwrap_or_default()),
    };
}
