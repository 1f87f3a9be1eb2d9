//! Rows of the hash table brought into its order. A row is three numbers that fit into one of 128 bits, and half
//! a million of those are sorted in half the time that their keys and places would take.

use crate::segment::PAGE_ROWS;
use crate::spool::Keys;
use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::{Int64Type, SchemaRef};
use arrow::error::ArrowError;
use std::sync::Arc;

/// Bits of a row's place; its line has those up to 64.
const PLACE_BITS: u32 = 16;

/// Rows by hash, line and place.
pub(crate) struct SortedHashes {
    rows: Vec<u128>,
    schema: SchemaRef,
}

impl SortedHashes {
    /// Takes the rows of some batches; `None` if they are not of the hash table, or have numbers that no log
    /// and no dump comes to.
    pub(crate) fn of(batches: &[&RecordBatch]) -> Option<SortedHashes> {
        let schema = batches.first()?.schema();
        let names: Vec<&str> = schema
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        if names != ["hash", "line", "place"] {
            return None;
        }
        let mut rows = Vec::with_capacity(batches.iter().map(|batch| batch.num_rows()).sum());
        let mut beyond = 0;
        for batch in batches {
            let numbers = |column: usize| -> Option<&[i64]> {
                let column = batch.column(column).as_primitive_opt::<Int64Type>()?;
                (column.null_count() == 0).then_some(column.values())
            };
            let places = numbers(1)?.iter().zip(numbers(2)?);
            rows.extend(numbers(0)?.iter().zip(places).map(|(hash, (line, place))| {
                beyond |= (*line as u64) >> (64 - PLACE_BITS) | (*place as u64) >> PLACE_BITS;
                let within = (*line as u64) << PLACE_BITS | *place as u64;
                // Without a sign negative numbers would come last.
                u128::from(*hash as u64 ^ SIGN) << 64 | u128::from(within)
            }));
        }
        rows.sort_unstable();
        (beyond == 0).then_some(SortedHashes { rows, schema })
    }

    /// Returns the rows in order, a page at a time, and their keys.
    pub(crate) fn pages(
        &self,
    ) -> impl Iterator<Item = Result<(RecordBatch, Keys), ArrowError>> + '_ {
        self.rows.chunks(PAGE_ROWS).map(|rows| {
            let numbers = |number: fn(&u128) -> i64| rows.iter().map(number).collect::<Vec<i64>>();
            let columns = [
                numbers(|row| ((row >> 64) as u64 ^ SIGN) as i64),
                numbers(|row| (*row as u64 >> PLACE_BITS) as i64),
                numbers(|row| (*row & ((1 << PLACE_BITS) - 1)) as i64),
            ];
            let [hash, line, place] = columns.map(Int64Array::from);
            let keys = Keys {
                times: hash.values().clone(),
                lines: line.values().clone(),
            };
            let columns: [ArrayRef; 3] = [Arc::new(hash), Arc::new(line), Arc::new(place)];
            let batch = RecordBatch::try_new(self.schema.clone(), columns.to_vec())?;
            Ok((batch, keys))
        })
    }
}

/// The bit that makes a number negative.
const SIGN: u64 = 1 << 63;

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(rows: &[(i64, i64, i64)]) -> RecordBatch {
        let column = |number: fn(&(i64, i64, i64)) -> i64| -> ArrayRef {
            Arc::new(rows.iter().map(number).collect::<Int64Array>())
        };
        RecordBatch::try_from_iter([
            ("hash", column(|row| row.0)),
            ("line", column(|row| row.1)),
            ("place", column(|row| row.2)),
        ])
        .unwrap()
    }

    #[test]
    fn rows_come_by_hash_line_and_place() {
        let a = [(7, 1, 0), (-3, 1, 0), (i64::MAX, 2, 65_535), (0, 2, 3)];
        let b = [
            (7, 1 << 40, 1),
            (i64::MIN, 9, 0),
            (7, 0, 2),
            (0, 2, 1),
            (-3, 0, 0),
        ];
        let sorted = SortedHashes::of(&[&batch(&a), &batch(&b)]).unwrap();
        let mut expected = [&a[..], &b[..]].concat();
        expected.sort();
        let pages: Vec<_> = sorted.pages().map(Result::unwrap).collect();
        let [(rows, keys)] = &pages[..] else {
            panic!("one page")
        };
        assert_eq!(*rows, batch(&expected));
        assert!(keys.is_sorted());
        assert_eq!(keys.get(0), (i64::MIN, 9));
    }

    #[test]
    fn numbers_that_do_not_fit_are_left_to_others() {
        for row in [(1, -1, 0), (1, 1 << 48, 0), (1, 1, 65_536), (1, 1, -1)] {
            assert!(SortedHashes::of(&[&batch(&[row])]).is_none(), "{row:?}");
        }
        let other = RecordBatch::try_from_iter([("hash", batch(&[(1, 1, 1)]).column(0).clone())]);
        assert!(SortedHashes::of(&[&other.unwrap()]).is_none());
    }
}
