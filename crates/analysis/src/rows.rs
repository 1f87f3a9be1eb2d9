//! Rows of database tables, read with patience: types may have been inferred, columns may be missing, and a
//! pasted result is a part of its table.

use model::{Batch, Column, ColumnType, RowFilter, TableInfo};

/// A database time: civil unless its column has a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DbTime {
    pub(crate) us: i64,
    pub(crate) utc: bool,
}

impl DbTime {
    pub(crate) fn print(self) -> String {
        if self.utc {
            model::time::format_utc(self.us)
        } else {
            model::time::format_civil(self.us)
        }
    }
}

/// Rows that were read, with the table they come from.
pub(crate) struct Rows {
    info: TableInfo,
    batch: Batch,
}

impl Rows {
    pub(crate) fn new(info: TableInfo, batch: Batch) -> Rows {
        Rows { info, batch }
    }

    pub(crate) fn into_batch(self) -> Batch {
        self.batch
    }

    pub(crate) fn len(&self) -> usize {
        self.batch.rows()
    }

    pub(crate) fn has(&self, column: &str) -> bool {
        self.batch.column(column).is_some()
    }

    /// Whether a cell is there and not NULL.
    pub(crate) fn is_set(&self, row: usize, column: &str) -> bool {
        let column = self.batch.column(column);
        column.is_some_and(|column| !column.is_null(row))
    }

    pub(crate) fn snapshot(&self) -> &str {
        &self.info.snapshot
    }

    pub(crate) fn reference(&self, row: usize) -> String {
        let ordinal = self.batch.column("#").and_then(|column| column.i64(row));
        self.info.row_reference(&self.batch, row, ordinal)
    }

    pub(crate) fn int(&self, row: usize, column: &str) -> Option<i64> {
        int(self.batch.column(column)?, row)
    }

    pub(crate) fn bool(&self, row: usize, column: &str) -> Option<bool> {
        let column = self.batch.column(column)?;
        column.bool(row).or_else(|| match column.text(row)?.trim() {
            "t" | "true" => Some(true),
            "f" | "false" => Some(false),
            _ => None,
        })
    }

    pub(crate) fn text(&self, row: usize, column: &str) -> Option<String> {
        let column = self.batch.column(column)?;
        match column.bytes(row) {
            Some(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            None => column.i64(row).map(|number| number.to_string()),
        }
    }

    /// The text of a cell where it lies; none if the column holds no text.
    pub(crate) fn str(&self, row: usize, column: &str) -> Option<&str> {
        self.batch.column(column)?.text(row)
    }

    /// A hash or address as `0x…`, whether its column holds bytes or text.
    pub(crate) fn hex(&self, row: usize, column: &str) -> Option<String> {
        let column = self.batch.column(column)?;
        let bytes = column.bytes(row)?;
        if column.column_type == ColumnType::Bytes {
            return Some(hex(bytes));
        }
        let text = std::str::from_utf8(bytes).ok()?.trim();
        let digits = text.strip_prefix("\\x").or_else(|| text.strip_prefix("0x"));
        Some(match digits {
            Some(digits) => format!("0x{}", digits.to_ascii_lowercase()),
            None => text.to_owned(),
        })
    }

    pub(crate) fn time(&self, row: usize, column: &str) -> Option<DbTime> {
        time(self.batch.column(column)?, row)
    }

    /// The times of a column by row: for questions to many rows, the column is looked for once.
    pub(crate) fn times(&self, column: &str) -> impl Fn(usize) -> Option<DbTime> + Copy {
        let column = self.batch.column(column);
        move |row| time(column?, row)
    }

    /// The whole numbers of a column by row, likewise.
    pub(crate) fn ints(&self, column: &str) -> impl Fn(usize) -> Option<i64> + Copy {
        let column = self.batch.column(column);
        move |row| int(column?, row)
    }

    /// Rows whose number in `column` is `value`.
    pub(crate) fn find(&self, column: &str, value: i64) -> Option<usize> {
        let numbers = self.ints(column);
        (0..self.len()).find(|&row| numbers(row) == Some(value))
    }
}

fn int(column: &Column, row: usize) -> Option<i64> {
    column
        .i64(row)
        .or_else(|| column.text(row)?.trim().parse().ok())
}

fn time(column: &Column, row: usize) -> Option<DbTime> {
    let (us, utc) = match column.column_type {
        ColumnType::TimestampUtc => (column.i64(row)?, true),
        ColumnType::TimestampCivil => (column.i64(row)?, false),
        _ => {
            let (us, zone) = model::time::parse_civil(column.text(row)?.trim())?;
            let zone_us = i64::from(zone.unwrap_or(0)) * model::time::MICROS_PER_SECOND;
            (us - zone_us, zone.is_some())
        }
    };
    // ±infinity is no time that anything happened at.
    model::time::is_finite(us).then_some(DbTime { us, utc })
}

/// A filter for bytes that may be stored as bytes, as `\x…` text or as `0x…` text.
pub(crate) fn bytes_in(column: &str, values: &[&[u8]]) -> RowFilter {
    let mut forms = Vec::with_capacity(values.len() * 3);
    for value in values {
        let text = hex(value);
        forms.push(value.to_vec());
        forms.push(format!("\\{}", &text[1..]).into_bytes());
        forms.push(text.into_bytes());
    }
    RowFilter::BytesIn(column.to_owned(), forms)
}

/// A filter for whole numbers.
pub(crate) fn i64_in(column: &str, values: impl IntoIterator<Item = i64>) -> RowFilter {
    let mut values: Vec<i64> = values.into_iter().collect();
    values.sort_unstable();
    values.dedup();
    RowFilter::I64In(column.to_owned(), values)
}

/// Returns `0x…` in lower case.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::from("0x"), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
