//! Documents that are no dump of PostgreSQL: what their tables hold, what is rejected and where.

mod api;
mod chaind;
mod etherscan;
mod hostile;
mod interchange;
mod sqlite;
mod yaml;

use dumps::{DumpSource, Want};
use model::{Batch, ColumnType, RowFilter, TableSource as _};

use crate::common::{Kept, cell, naming, read_all, read_want};

/// A table's rows, one line each: the cells of the named columns.
#[track_caller]
pub(crate) fn rows(kept: &Kept, table: &str, columns: &[&str]) -> Vec<String> {
    lines(kept.only(table), columns)
}

#[track_caller]
pub(crate) fn lines(batch: &Batch, columns: &[&str]) -> Vec<String> {
    let columns: Vec<_> = columns
        .iter()
        .map(|name| {
            let column = batch.column(name);
            column.unwrap_or_else(|| panic!("no column {name}"))
        })
        .collect();
    (0..batch.rows())
        .map(|row| {
            let cells: Vec<String> = columns
                .iter()
                .map(|column| match column.column_type {
                    ColumnType::Bytes if !column.is_null(row) => hex(column.bytes(row).unwrap()),
                    _ => cell(column, row),
                })
                .collect();
            cells.join(" ")
        })
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("0x{digits}")
}

/// The types of a table's columns.
#[track_caller]
pub(crate) fn types(bytes: &[u8], table: &str) -> Vec<(String, ColumnType)> {
    let (facts, _) = read_want(bytes, &Want::nothing(naming()));
    facts.table(None, table).unwrap().info.columns.clone()
}

/// A first reading, a second that knows of it, one that does not, and a source all tell the same.
#[track_caller]
pub(crate) fn read_every_way(bytes: &[u8]) -> (dumps::DumpFacts, Kept) {
    let (scanned, kept) = read_want(bytes, &Want::nothing(naming()));
    assert!(kept.rows.is_empty());
    let known = Want {
        known: Some(scanned.clone()),
        ..Want::all(naming())
    };
    let (facts, kept) = read_all(bytes);
    assert_eq!(facts, scanned);
    let (again, kept_again) = read_want(bytes, &known);
    assert_eq!(facts, again);
    assert_eq!(kept.rows, kept_again.rows);
    assert_eq!(kept.rejects, kept_again.rejects);
    let source = DumpSource::from_bytes(bytes.to_vec(), naming()).unwrap();
    for table in source.tables() {
        let names: Vec<&str> = table
            .columns
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        let asked = source.read(&table.name, &names, &RowFilter::All).unwrap();
        let handed: usize = kept.count(&table.name);
        assert_eq!(asked.rows(), handed, "{}", table.name);
        if handed > 0 {
            assert_eq!(&asked, kept.only(&table.name));
        }
    }
    (facts, kept)
}
