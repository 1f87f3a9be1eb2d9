//! Sources that grow, are solved anew, or change their size class.

use crate::support::{Row, add_rows, check, files, ingest, list, source};
use case::{CaseWriter, TableId};
use model::ColumnData;

#[test]
fn a_grown_source_has_the_files_of_one_read_at_once() {
    let folder = tempfile::tempdir().unwrap();
    for mib in [10, 100] {
        let made = source(mib, 2_000, mib, 30);
        let other = source(999, 700, 20, 2);
        let mut at_once =
            CaseWriter::open_or_create(folder.path().join(format!("{mib}.case"))).unwrap();
        ingest(&mut at_once, &made);
        ingest(&mut at_once, &other);

        let mut grown =
            CaseWriter::open_or_create(folder.path().join(format!("{mib}-grown.case"))).unwrap();
        let mut tx = grown.begin();
        // The last record was cut when it was first read.
        let mut first = made.clone();
        first.rows.truncate(1_200);
        first.rows[1_199].message = "cut of".to_owned();
        add_rows(&mut tx, &first, 0, 1_200, 100);
        list(&mut tx, &first);
        tx.commit().unwrap();
        ingest(&mut grown, &other);
        let mut tx = grown.begin();
        tx.drop_rows(&made.digest, Some(1_200)).unwrap();
        add_rows(&mut tx, &made, 1_199, 2_000, 100);
        tx.commit().unwrap();
        check(grown.case(), &[&made, &other]);
        assert!(files(grown.case()) == files(at_once.case()), "{mib} MiB");
    }
}

#[test]
fn a_small_source_that_becomes_large_moves_out() {
    let folder = tempfile::tempdir().unwrap();
    let mut made = source(4, 900, 100, 8);
    let other = source(5, 100, 3, 8);
    let mut at_once = CaseWriter::open_or_create(folder.path().join("a.case")).unwrap();
    ingest(&mut at_once, &made);
    ingest(&mut at_once, &other);

    let mut grown = CaseWriter::open_or_create(folder.path().join("b.case")).unwrap();
    made.bytes = 5 << 20;
    let mut tx = grown.begin();
    add_rows(&mut tx, &made, 0, 300, 100);
    add_rows(&mut tx, &other, 0, 100, 100);
    list(&mut tx, &made);
    list(&mut tx, &other);
    tx.commit().unwrap();
    assert_eq!(grown.case().manifest().segments.len(), 2);
    let mut tx = grown.begin();
    add_rows(&mut tx, &made, 300, 900, 100);
    tx.manifest_mut().source_mut(&made.digest).unwrap().bytes = 100 << 20;
    tx.commit().unwrap();
    check(grown.case(), &[&made, &other]);
    assert!(files(grown.case()) == files(at_once.case()));
}

#[test]
fn a_rewritten_source_is_sorted_anew() {
    let folder = tempfile::tempdir().unwrap();
    for mib in [10, 100] {
        let made = source(mib + 1, 1_500, mib, 20);
        let other = source(77, 300, 9, 1);
        let mut writer =
            CaseWriter::open_or_create(folder.path().join(format!("{mib}.case"))).unwrap();
        ingest(&mut writer, &made);
        ingest(&mut writer, &other);
        // Another zone from line 700 on; and back into the middle of the other source.
        let shift = |line: i64, ts: i64| if line >= 700 { ts - 690_000_000 } else { ts };
        let mut moved = made.clone();
        for row in &mut moved.rows {
            row.ts = row.ts.map(|ts| shift(row.line, ts));
        }
        let mut lines = Vec::new();
        let mut tx = writer.begin();
        tx.rewrite(&made.digest, &mut |table, batch| {
            let found: Vec<i64> = (0..batch.rows())
                .map(|row| batch.column("line").unwrap().i64(row).unwrap())
                .collect();
            if *table == TableId::Records {
                lines.extend(found.iter().copied());
            }
            for column in &mut batch.columns {
                if let (true, ColumnData::I64(values)) =
                    (column.name.starts_with("ts_order"), &mut column.data)
                {
                    for (value, line) in values.iter_mut().zip(&found) {
                        *value = shift(*line, *value);
                    }
                }
            }
        })
        .unwrap();
        tx.commit().unwrap();
        assert!(lines.is_sorted());
        check(writer.case(), &[&moved, &other]);
        let mut fresh =
            CaseWriter::open_or_create(folder.path().join(format!("{mib}-fresh.case"))).unwrap();
        ingest(&mut fresh, &moved);
        ingest(&mut fresh, &other);
        assert!(files(fresh.case()) == files(writer.case()));
    }
}

#[test]
fn rows_are_rewritten_before_they_are_committed_too() {
    let folder = tempfile::tempdir().unwrap();
    for mib in [10, 100] {
        let made = source(mib + 3, 900, mib, 20);
        let mut moved = made.clone();
        for row in &mut moved.rows {
            row.ts = row.ts.map(|ts| ts - row.line * 3_000_000);
        }
        let path = folder.path().join(format!("{mib}.case"));
        let mut writer = CaseWriter::open_or_create(path).unwrap();
        let mut tx = writer.begin();
        add_rows(&mut tx, &made, 0, 400, 100);
        list(&mut tx, &made);
        tx.commit().unwrap();
        let mut tx = writer.begin();
        add_rows(&mut tx, &made, 400, 900, 100);
        tx.rewrite(&made.digest, &mut |_, batch| {
            let lines: Vec<i64> = (0..batch.rows())
                .map(|row| batch.column("line").unwrap().i64(row).unwrap())
                .collect();
            for column in &mut batch.columns {
                if let (true, ColumnData::I64(values)) =
                    (column.name.starts_with("ts_order"), &mut column.data)
                {
                    for (value, line) in values.iter_mut().zip(&lines) {
                        *value -= line * 3_000_000;
                    }
                }
            }
        })
        .unwrap();
        tx.commit().unwrap();
        check(writer.case(), &[&moved]);
    }
}

#[test]
fn rows_of_a_forgotten_tail_go_in_every_table() {
    let folder = tempfile::tempdir().unwrap();
    let mut made = source(8, 1_000, 10, 5);
    let mut writer = CaseWriter::open_or_create(folder.path().join("a.case")).unwrap();
    ingest(&mut writer, &made);
    let mut tx = writer.begin();
    tx.drop_rows(&made.digest, Some(501)).unwrap();
    tx.commit().unwrap();
    made.rows.truncate(500);
    check(writer.case(), &[&made]);
    let heads: Vec<Row> = crate::support::read(writer.case(), &TableId::Obs("heads".to_owned()))
        .into_iter()
        .map(|(_, row)| row)
        .collect();
    assert_eq!(heads.len(), 71);
    assert!(heads.iter().all(|row| row.line <= 500));
}
