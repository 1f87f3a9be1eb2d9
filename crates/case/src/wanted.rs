//! The values that a question asks for: what bounds say of them, and which rows of a column hold one.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use model::RowFilter;
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::statistics::Statistics;
use std::collections::HashSet;

/// The values of a filter.
pub(crate) enum Wanted<'a> {
    I64(&'a [i64]),
    Ranges(&'a [(i64, i64)]),
    Bytes(HashSet<&'a [u8]>),
}

impl<'a> Wanted<'a> {
    pub(crate) fn of(filter: &'a RowFilter) -> Wanted<'a> {
        match filter {
            RowFilter::All => Wanted::I64(&[]),
            RowFilter::I64In(_, values) => Wanted::I64(values),
            RowFilter::BytesIn(_, values) => {
                Wanted::Bytes(values.iter().map(Vec::as_slice).collect())
            }
        }
    }

    /// Whether a value may lie between smallest and largest (which may be cut short, but stay bounds).
    pub(crate) fn may_be_in(&self, statistics: &Statistics) -> bool {
        match (self, statistics) {
            (Wanted::I64(values), Statistics::Int64(bounds)) => {
                match (bounds.min_opt(), bounds.max_opt()) {
                    (Some(min), Some(max)) => {
                        values.iter().any(|value| min <= value && value <= max)
                    }
                    _ => true,
                }
            }
            (Wanted::Ranges(ranges), Statistics::Int64(bounds)) => {
                match (bounds.min_opt(), bounds.max_opt()) {
                    (Some(min), Some(max)) => {
                        ranges.iter().any(|(from, to)| min <= to && from <= max)
                    }
                    _ => true,
                }
            }
            (Wanted::Bytes(values), Statistics::ByteArray(_)) => {
                match (statistics.min_bytes_opt(), statistics.max_bytes_opt()) {
                    (Some(min), Some(max)) => {
                        values.iter().any(|value| min <= *value && *value <= max)
                    }
                    _ => true,
                }
            }
            _ => true,
        }
    }

    /// Says of each page of a column whether it may hold a wanted value; `None` if its bounds do not tell. Hashes are
    /// on every page.
    pub(crate) fn pages_of(&self, index: &ColumnIndexMetaData) -> Option<Vec<bool>> {
        let ColumnIndexMetaData::INT64(bounds) = index else {
            return None;
        };
        let may_be_in = |min: i64, max: i64| match self {
            Wanted::I64(values) => values.iter().any(|value| min <= *value && *value <= max),
            Wanted::Ranges(ranges) => ranges.iter().any(|(from, to)| min <= *to && *from <= max),
            // Nothing passes.
            Wanted::Bytes(_) => false,
        };
        let bounds = bounds.min_values_iter().zip(bounds.max_values_iter());
        Some(
            bounds
                .map(|bounds| match bounds {
                    (Some(min), Some(max)) => may_be_in(*min, *max),
                    // Nulls alone.
                    _ => false,
                })
                .collect(),
        )
    }

    /// Appends the positions of rows that hold a wanted value.
    pub(crate) fn rows_in(&self, column: &ArrayRef, start: u64, rows: &mut Vec<u64>) {
        let mut add = |row: usize| rows.push(start + row as u64);
        match (self, column.data_type()) {
            (Wanted::I64(values), DataType::Int64) => {
                let column = column.as_primitive::<Int64Type>();
                matching(
                    column.len(),
                    |row| column.is_valid(row) && has(values, column.value(row)),
                    &mut add,
                );
            }
            (Wanted::Ranges(ranges), DataType::Int64) => {
                let column = column.as_primitive::<Int64Type>();
                let within = |value: i64| {
                    ranges
                        .iter()
                        .any(|(from, to)| *from <= value && value <= *to)
                };
                matching(
                    column.len(),
                    |row| column.is_valid(row) && within(column.value(row)),
                    &mut add,
                );
            }
            (Wanted::I64(values), DataType::Timestamp(TimeUnit::Microsecond, _)) => {
                let column = column.as_primitive::<TimestampMicrosecondType>();
                matching(
                    column.len(),
                    |row| column.is_valid(row) && has(values, column.value(row)),
                    &mut add,
                );
            }
            (Wanted::Bytes(values), DataType::Utf8) => {
                let column = column.as_string::<i32>();
                matching(
                    column.len(),
                    |row| column.is_valid(row) && values.contains(column.value(row).as_bytes()),
                    &mut add,
                );
            }
            (Wanted::Bytes(values), DataType::Binary) => {
                let column = column.as_binary::<i32>();
                matching(
                    column.len(),
                    |row| column.is_valid(row) && values.contains(column.value(row)),
                    &mut add,
                );
            }
            (Wanted::Bytes(values), DataType::Dictionary(_, _)) => {
                let column = column.as_dictionary::<Int32Type>();
                let names = column.values().as_string::<i32>();
                let wanted: Vec<bool> = (0..names.len())
                    .map(|index| values.contains(names.value(index).as_bytes()))
                    .collect();
                let keys = column.keys();
                matching(
                    keys.len(),
                    |row| keys.is_valid(row) && wanted[keys.value(row) as usize],
                    &mut add,
                );
            }
            // Numbers asked of text, or the like: nothing passes.
            _ => {}
        }
    }
}

fn matching(rows: usize, test: impl Fn(usize) -> bool, add: &mut dyn FnMut(usize)) {
    (0..rows).filter(|row| test(*row)).for_each(add);
}

/// Whether one of the values is `value`; few values are compared, many are sorted.
fn has(values: &[i64], value: i64) -> bool {
    if values.len() <= 8 {
        values.contains(&value)
    } else {
        values.binary_search(&value).is_ok()
    }
}
