//! In how many of the changed rows each column differs, however many there are: in bounded memory.

use super::cells::RowDigester;
use super::tables::{Pair, Side};
use model::TableError;

/// Digests of cells that are held at once; each time they are full, both tables are read once more.
const CELLS_MOST: usize = 8 << 20;

/// Adds, per compared column, in how many of the changed rows it differs. `changed` holds the ordinals of each row
/// in both snapshots, sorted.
///
/// # Errors
/// If a table cannot be read.
pub(super) fn count_columns(
    pair: &Pair<'_>,
    changed: &[(i64, i64)],
    counts: &mut [u64],
) -> Result<(), TableError> {
    count_by(pair, changed, counts, CELLS_MOST)
}

/// As [`count_columns`], with so many cells at once.
fn count_by(
    pair: &Pair<'_>,
    changed: &[(i64, i64)],
    counts: &mut [u64],
    cells_most: usize,
) -> Result<(), TableError> {
    let width = pair.columns.len();
    for part in changed.chunks((cells_most / width.max(1)).max(1)) {
        let mut was = vec![0u64; part.len() * width];
        let places: Vec<(i64, usize)> = ranked(part.iter().map(|(before, _)| *before));
        cells(
            pair,
            &pair.before,
            &pair.names_before(),
            &places,
            &mut |at, column, digest| {
                was[at * width + column] = digest;
            },
        )?;
        let places: Vec<(i64, usize)> = ranked(part.iter().map(|(_, after)| *after));
        cells(
            pair,
            &pair.after,
            &pair.names_after(),
            &places,
            &mut |at, column, digest| {
                counts[column] += u64::from(was[at * width + column] != digest);
            },
        )?;
    }
    Ok(())
}

/// Ordinals with their places, sorted by ordinal.
fn ranked(ordinals: impl Iterator<Item = i64>) -> Vec<(i64, usize)> {
    let mut places: Vec<(i64, usize)> = ordinals.zip(0..).collect();
    places.sort_unstable();
    places
}

/// Hands the digest of each cell of some rows to `take`, with the row's place and the column.
fn cells(
    pair: &Pair<'_>,
    side: &Side<'_>,
    names: &[&str],
    wanted: &[(i64, usize)],
    take: &mut dyn FnMut(usize, usize, u64),
) -> Result<(), TableError> {
    let mut of_cell: Vec<RowDigester> = pair
        .columns
        .iter()
        .map(|both| RowDigester::new(vec![both.as_text]))
        .collect();
    side.each_row(names, &mut |at| {
        let Ok(found) = wanted.binary_search_by_key(&at.ordinal, |(ordinal, _)| *ordinal) else {
            return;
        };
        for (column, (place, digester)) in at.places.iter().zip(&mut of_cell).enumerate() {
            let digest = digester.digest(at.batch, &[*place], at.row);
            // Half of the digest: two cells that differ share it once in 2^64.
            let mut half = [0; 8];
            half.copy_from_slice(&digest[..8]);
            take(wanted[found].1, column, u64::from_le_bytes(half));
        }
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Batch, Column, ColumnType, RowFilter, TableInfo, TableSource};

    /// A table `t` of an id and two numbers.
    struct Rows(Vec<[i64; 3]>);

    const NAMES: [&str; 3] = ["id", "a", "b"];

    impl TableSource for Rows {
        fn tables(&self) -> Vec<TableInfo> {
            let columns = NAMES.map(|name| (name.to_owned(), ColumnType::I64));
            vec![TableInfo {
                snapshot: "s".to_owned(),
                part: String::new(),
                schema: "public".to_owned(),
                name: "t".to_owned(),
                source: "0123456789ab".into(),
                columns: columns.to_vec(),
                primary_key: vec!["id".to_owned()],
                types_inferred: false,
            }]
        }

        fn read(
            &self,
            _table: &str,
            columns: &[&str],
            _filter: &RowFilter,
        ) -> Result<Batch, TableError> {
            let mut batch = Batch::default();
            for name in columns.iter().chain(&["#"]) {
                let mut column = Column::new(*name, ColumnType::I64);
                let at = NAMES.iter().position(|known| known == name);
                for (row, ordinal) in self.0.iter().zip(1..) {
                    column.push_i64(at.map_or(ordinal, |at| row[at]));
                }
                batch.columns.push(column);
            }
            Ok(batch)
        }
    }

    #[test]
    fn columns_are_counted_whatever_fits_at_once() {
        // The second snapshot has the rows in the other order; `a` differs in all, `b` in every third.
        let before = Rows((0..100).map(|id| [id, id, id]).collect());
        let after = Rows((0..100).rev().map(|id| [id, id + 1, id / 3 * 3]).collect());
        let info = |rows: &Rows| rows.tables().remove(0);
        let pair = Pair::of(&before, &after, info(&before), info(&after));
        let changed: Vec<(i64, i64)> = (0..100).map(|id| (id + 1, 100 - id)).collect();
        let places: Vec<usize> = NAMES.iter().map(|name| pair.place(name).unwrap()).collect();
        for cells_most in [1, 7, 30, 299, 300, 10_000] {
            let mut counts = vec![0; 3];
            count_by(&pair, &changed, &mut counts, cells_most).unwrap();
            let found: Vec<u64> = places.iter().map(|at| counts[*at]).collect();
            assert_eq!(found, [0, 100, 66], "{cells_most}");
        }
    }
}
