//! Delimited text: real exports against the dump of the same tables, and what breaks them.

use std::collections::BTreeMap;

use dumps::{DumpKind, DumpSource, DumpStatus, Naming, Trouble};
use model::{Batch, ColumnType, RowFilter, TableSource as _};

use crate::common::{Kept, cell, corpus, naming, read_all};

/// Checks that every row of `batch` is in `source` under the same key, cell by cell; counts cells.
#[track_caller]
pub(crate) fn same_rows(source: &DumpSource, table: &str, key: &[&str], batch: &Batch) -> usize {
    let names: Vec<&str> = batch
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .filter(|name| *name != "#")
        .collect();
    let all = source.read(table, &names, &RowFilter::All).unwrap();
    let key_of = |batch: &Batch, row: usize| -> Vec<String> {
        key.iter()
            .map(|name| cell(batch.column(name).unwrap(), row))
            .collect()
    };
    let rows: BTreeMap<Vec<String>, usize> = (0..all.rows())
        .map(|row| (key_of(&all, row), row))
        .collect();
    for row in 0..batch.rows() {
        let at = rows[&key_of(batch, row)];
        for name in &names {
            assert_eq!(
                cell(batch.column(name).unwrap(), row),
                cell(all.column(name).unwrap(), at),
                "{table}.{name} row {row}"
            );
        }
    }
    batch.rows() * names.len()
}

pub(crate) fn key(table: &str) -> &'static [&'static str] {
    match table {
        "l2_to_l1_logs" => &["miniblock_number", "log_index_in_miniblock"],
        "miniblocks" | "l1_batches" => &["number"],
        _ => &["id"],
    }
}

#[test]
fn exports_hold_what_the_dump_holds() {
    let mut cells = 0;
    for database in ["z2023", "znew"] {
        let Some(full) = corpus(&format!("{database}.full.copy.sql.gz")) else {
            return;
        };
        let full = DumpSource::from_bytes(full, naming()).unwrap();
        for file in [
            "l2_to_l1_logs.csv.gz",
            "miniblocks.csv.gz",
            "l1_batches.csv",
            "eth_txs.csv.gz",
            "eth_txs_history.csv.gz",
        ] {
            let Some(text) = corpus(&format!("{database}.{file}")) else {
                return;
            };
            let table = file.split('.').next().unwrap();
            let (facts, kept) = read_all(&text);
            assert_eq!(facts.kind, DumpKind::Delimited);
            assert_eq!(facts.status, DumpStatus::Complete, "{:?}", facts.rejects);
            assert!(facts.tables[0].info.types_inferred);
            let batch = kept.only(table);
            // \copy wrote one line per row behind the header: no cell holds a line feed.
            assert_eq!(batch.rows() as u64, facts.lines - 1);
            cells += same_rows(&full, table, key(table), batch);
            let source = DumpSource::from_bytes(text, naming()).unwrap();
            assert_eq!(source.facts().tables, facts.tables, "a scan finds the same");
            let names: Vec<&str> = batch.columns.iter().map(|c| c.name.as_str()).collect();
            let again = source.read(table, &names[..2], &RowFilter::All).unwrap();
            assert_eq!(again.rows(), batch.rows());
        }
    }
    assert!(cells > 2000, "{cells}");
}

#[track_caller]
fn check(text: &str, columns: &str, rows: &[&str]) -> (dumps::DumpFacts, Kept) {
    let (facts, kept) = read_all(text.as_bytes());
    let info = &facts.tables[0].info;
    let found: Vec<String> = info
        .columns
        .iter()
        .map(|(name, kind)| format!("{name}:{kind:?}"))
        .collect();
    assert_eq!(found.join(" "), columns);
    let batch = kept.only(&info.name);
    let found: Vec<String> = (0..batch.rows())
        .map(|row| {
            let cells: Vec<String> = batch.columns.iter().map(|c| cell(c, row)).collect();
            cells.join("|")
        })
        .collect();
    assert_eq!(found, rows);
    let scan = DumpSource::from_bytes(text.as_bytes().to_vec(), naming()).unwrap();
    assert_eq!(scan.facts(), &facts, "a scan finds what a reading finds");
    (facts, kept)
}

#[test]
fn quotes_line_feeds_and_separators() {
    let (facts, _) = check(
        "\u{feff}id,\"a b\",c\r\n1,\"x,\"\"y\"\"\nz\",\\x00ff\r\n2,\"\",\r\n3,,\"\\x\"\r\n",
        "id:I64 a b:Text c:Bytes",
        &["1|x,\"y\"\nz|\0\u{fffd}|1", "2||NULL|2", "3|NULL||3"],
    );
    assert_eq!(facts.status, DumpStatus::Complete);
    check(
        "id;b\n1;\"x;y\"\n2;5\" disk\n",
        "id:I64 b:Text",
        &["1|x;y|1", "2|5\" disk|2"],
    );
    check(
        "id\tb\n1\tt\n2\tf",
        "id:I64 b:Bool",
        &["1|true|1", "2|false|2"],
    );
}

#[test]
fn symbols_are_null_where_no_value_can_be_meant() {
    check(
        "id,n,t,at\n1,NULL,NULL,\\N\n2,7,x,2023-09-18 03:50:19\n\"3\",\\N,\\N,(null)\n",
        "id:I64 n:I64 t:Text at:TimestampCivil",
        &[
            "1|NULL|NULL|NULL|1",
            "2|7|x|1695009019000000|2",
            "3|NULL|NULL|NULL|3",
        ],
    );
}

#[test]
fn a_symbol_that_is_not_proven_stays_text() {
    let (facts, _) = check(
        "id,t,u\n1,NULL,\n2,x,NULL\n",
        "id:I64 t:Text u:Text",
        &["1|NULL|NULL|1", "2|x|NULL|2"],
    );
    assert_eq!(facts.null_symbol, None);
    let (_, kept) = read_all(b"id,t,u\n1,NULL,\n2,x,NULL\n");
    let batch = &kept.rows[0].1;
    assert!(!batch.columns[1].is_null(0) && batch.columns[2].is_null(0));
}

#[test]
fn damage_is_located() {
    let (facts, kept) = check(
        "id,a,b\n1,x,y\n2,x\n3,\"x\",y\n6,x,y\n7,x,y\n4,\"x\"z,y\n5,\"open,y\n8,x,y\n10,x",
        "id:I64 a:Text b:Text",
        &["1|x|y|1", "3|x|y|3", "6|x|y|4", "7|x|y|5", "8|x|y|8"],
    );
    let found: Vec<_> = kept
        .rejects
        .iter()
        .map(|reject| (reject.trouble, reject.line, reject.what.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            (
                Trouble::Damaged,
                3,
                "the row has 2 fields, the table 3 columns"
            ),
            (Trouble::Damaged, 7, "text behind a closing quote"),
            (Trouble::Damaged, 8, "a quote without an end"),
            (
                Trouble::Truncated,
                10,
                "the file is cut in the middle of a row"
            ),
        ]
    );
    assert_eq!((facts.tables[0].rows, facts.tables[0].damaged_rows), (9, 4));
    assert_eq!(facts.status, DumpStatus::Truncated);
}

#[test]
fn rows_of_copy_text_take_the_names_of_a_known_table() {
    let row = |id: u32| {
        format!(
            "{id}\t5\t0xab\t2023-09-18 03:50:19\t2023-09-18 03:50:19\t1\t2\t\\N\t\\\\x0f\t\\N\t\\N\n"
        )
    };
    let text = format!("{}{}\\.\n", row(1), row(2));
    let mut kept = Kept::default();
    let named = Naming {
        file: "z2023.eth_txs_history".to_owned(),
        ..naming()
    };
    let facts =
        dumps::read_dump(&mut text.as_bytes(), &dumps::Want::all(named), &mut kept).unwrap();
    assert_eq!(facts.kind, DumpKind::CopyText);
    assert_eq!(facts.status, DumpStatus::Complete, "{:?}", facts.rejects);
    let batch = kept.only("eth_txs_history");
    assert_eq!(cell(batch.column("eth_tx_id").unwrap(), 1), "5");
    assert_eq!(cell(batch.column("signed_raw_tx").unwrap(), 1), "\u{f}");
    let (facts, _) = read_all(text.as_bytes());
    assert_eq!(
        facts.tables[0].info.columns[1],
        ("c2".to_owned(), ColumnType::I64)
    );
}

#[test]
fn a_file_of_many_batches_keeps_the_types_of_all_its_rows() {
    let mut text = "id,v\n".to_owned();
    for id in 0..70_000 {
        text.push_str(&format!("{id},{}\n", id % 7));
    }
    text.push_str("70000,word\n");
    let source = DumpSource::from_bytes(text.into_bytes(), naming()).unwrap();
    let table = &source.facts().tables[0].info;
    assert_eq!(table.columns[1].1, ColumnType::Text);
    let found = source
        .read(
            &table.name,
            &["v", "#line"],
            &RowFilter::I64In("id".into(), vec![3, 70_000]),
        )
        .unwrap();
    assert_eq!(found.rows(), 2);
    assert_eq!(found.column("v").unwrap().text(1), Some("word"));
    assert_eq!(found.column("#line").unwrap().i64(1), Some(70_002));
    assert!(source.damage().is_empty());
}

#[test]
fn a_symbol_that_fills_a_column_is_null_and_said() {
    let (facts, kept) = read_all("id,a,b\n1,(null),x\n2,(null),(null)\n".as_bytes());
    let (_, batch) = &kept.rows[0];
    let column = |name: &str| batch.column(name).unwrap();
    assert!(column("a").is_null(0) && column("a").is_null(1) && column("b").is_null(1));
    assert!(!column("b").is_null(0));
    assert!(
        facts.tables[0]
            .notes
            .iter()
            .any(|note| note == "`(null)` is read as null")
    );
    let paste = " id |  a   | b \n----+------+---\n  1 | ∅    | x\n  2 | ∅    | ∅\n(2 rows)\n";
    let (facts, kept) = read_all(paste.as_bytes());
    let (_, batch) = &kept.rows[0];
    let column = |name: &str| batch.column(name).unwrap();
    assert!(column("a").is_null(0) && column("b").is_null(1) && !column("b").is_null(0));
    let note = "column a holds nothing but `∅`, which is read as null";
    assert!(
        facts.tables[0].notes.iter().any(|found| found == note),
        "{:?}",
        facts.tables[0].notes
    );
}
