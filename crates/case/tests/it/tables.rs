//! Database tables.

use case::{CaseWriter, Snapshot, SnapshotTable, Source, SourceKind, TableId};
use model::{Batch, Column, ColumnType, RowFilter, TableError, TableSource};

const ROWS: i64 = 150_000;

fn rows(from: i64, to: i64) -> Batch {
    let mut columns = vec![
        Column::new("id", ColumnType::I64),
        Column::new("hash", ColumnType::Bytes),
        Column::new("source", ColumnType::Text),
        Column::new("value", ColumnType::Numeric),
        Column::new("created_at", ColumnType::TimestampCivil),
    ];
    for id in from..to {
        columns[0].push_i64(id * 10);
        columns[1].push_bytes(
            &(id as u64)
                .wrapping_mul(0x9E37_79B9_7F4A_7C15)
                .to_be_bytes(),
        );
        columns[2].push_text(b"a column of the database");
        columns[3].push_text(b"340282366920938463463374607431768211455");
        if id % 2 == 0 {
            columns[4].push_i64(id)
        } else {
            columns[4].push_null()
        }
    }
    Batch { columns }
}

fn add(writer: &mut CaseWriter, name: &str, digest: &str) {
    let mut tx = writer.begin();
    let id = TableId::Table {
        snapshot: name.to_owned(),
        schema: "public".to_owned(),
        table: "eth_txs".to_owned(),
    };
    tx.drop_table(name);
    let mut table = tx.rows(&id, name).unwrap();
    for from in (0..ROWS).step_by(40_000) {
        table.push(rows(from, (from + 40_000).min(ROWS))).unwrap();
    }
    tx.adopt_rows(table.finish().unwrap(), digest, 1 << 20)
        .unwrap();
    let manifest = tx.manifest_mut();
    manifest.sources.retain(|source| source.digest != digest);
    manifest.snapshots.retain(|snapshot| snapshot.name != name);
    let number = manifest.take_source_number();
    manifest.sources.push(Source {
        number,
        digest: digest.to_owned(),
        kind: SourceKind::Dump,
        ..Source::default()
    });
    let columns = rows(0, 0).columns;
    let table = |name: &str| SnapshotTable {
        numerics: std::collections::BTreeMap::new(),
        inherited_rows: 0,
        newest: None,
        schema: "public".to_owned(),
        name: name.to_owned(),
        columns: columns
            .iter()
            .map(|column| (column.name.clone(), column.column_type))
            .collect(),
        primary_key: vec!["id".to_owned()],
        ..SnapshotTable::default()
    };
    manifest.snapshots.push(Snapshot {
        name: name.to_owned(),
        source: digest.to_owned(),
        tables: vec![table("eth_txs"), table("empty")],
        ..Snapshot::default()
    });
    tx.commit().unwrap();
}

#[test]
fn rows_are_found_by_key_with_their_ordinals() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = CaseWriter::open_or_create(folder.path().join("a.case")).unwrap();
    add(&mut writer, "monday", "aaaaaaaaaaaa");
    let tables = writer.case().table_source(None);
    let all = tables
        .read(
            "eth_txs",
            &["id", "hash", "value", "created_at", "missing", "source"],
            &RowFilter::All,
        )
        .unwrap();
    assert_eq!(all.rows(), ROWS as usize);
    let names: Vec<&str> = all
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    assert_eq!(names, ["id", "hash", "source", "value", "created_at", "#"]);
    let expected = rows(0, ROWS);
    for column in &expected.columns {
        let found = all.column(&column.name).unwrap();
        assert_eq!(found.column_type, column.column_type, "{}", column.name);
        for row in (0..ROWS as usize).step_by(997) {
            assert_eq!(found.is_null(row), column.is_null(row));
            assert_eq!(found.i64(row), column.i64(row));
            assert_eq!(found.bytes(row), column.bytes(row));
        }
    }
    assert_eq!(all.column("#").unwrap().i64(ROWS as usize - 1), Some(ROWS));

    let filter = RowFilter::I64In("id".to_owned(), vec![-5, 70, 71, 1_499_990, 9_000_000]);
    let some = tables.read("public.eth_txs", &["hash"], &filter).unwrap();
    assert_eq!(some.columns.len(), 2);
    assert_eq!(some.rows(), 2);
    assert_eq!(
        (
            some.column("#").unwrap().i64(0),
            some.column("#").unwrap().i64(1)
        ),
        (Some(8), Some(150_000))
    );

    // On every page, at their borders, and where no row is.
    for step in [1, 7, 4_096, 8_191, 50_021] {
        let wanted: Vec<i64> = (0..ROWS * 10).step_by(10 * step).take(9).collect();
        let filter = RowFilter::I64In("id".to_owned(), wanted.clone());
        let some = tables.read("eth_txs", &["id"], &filter).unwrap();
        let id = expected.column("id").unwrap();
        let found: Vec<_> = (0..some.rows())
            .map(|row| some.columns[0].i64(row).unwrap())
            .collect();
        let there: Vec<_> = (0..ROWS as usize)
            .filter_map(|row| id.i64(row))
            .filter(|id| wanted.contains(id))
            .collect();
        assert_eq!(found, there, "{step}");
    }

    let hash = expected.columns[1].bytes(99_999).unwrap().to_vec();
    let filter = RowFilter::BytesIn("hash".to_owned(), vec![hash.clone(), b"none".to_vec()]);
    let one = tables
        .read("monday.public.eth_txs", &["id", "hash"], &filter)
        .unwrap();
    assert_eq!(
        (one.rows(), one.column("id").unwrap().i64(0)),
        (1, Some(999_990))
    );
    assert_eq!(one.column("hash").unwrap().bytes(0), Some(hash.as_slice()));
    assert_eq!(one.column("#").unwrap().i64(0), Some(100_000));
    let none = tables
        .read(
            "eth_txs",
            &["id"],
            &RowFilter::I64In("nothing".to_owned(), vec![1]),
        )
        .unwrap();
    assert_eq!((none.rows(), none.columns.len()), (0, 2));
    let empty = tables.read("empty", &["id"], &RowFilter::All).unwrap();
    assert_eq!((empty.rows(), empty.columns.len()), (0, 2));
    assert!(matches!(
        tables.read("nosuch", &[], &RowFilter::All),
        Err(TableError::NoTable { .. })
    ));
}

#[test]
fn snapshots_are_never_mixed() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = CaseWriter::open_or_create(folder.path().join("a.case")).unwrap();
    add(&mut writer, "monday", "aaaaaaaaaaaa");
    add(&mut writer, "tuesday", "bbbbbbbbbbbb");
    let filter = RowFilter::I64In("id".to_owned(), vec![10]);
    let error = writer
        .case()
        .table_source(None)
        .read("eth_txs", &["id"], &filter)
        .unwrap_err();
    assert!(error.to_string().contains("monday, tuesday"), "{error}");
    let tuesday = writer.case().table_source(Some("tuesday"));
    assert_eq!(tuesday.read("eth_txs", &["id"], &filter).unwrap().rows(), 1);
    assert_eq!(tuesday.tables()[0].source.as_str(), "bbbbbbbbbbbb");

    let before = crate::support::files(writer.case());
    add(&mut writer, "monday", "aaaaaaaaaaaa");
    assert!(
        crate::support::files(writer.case()) == before,
        "read again, the same"
    );
    let mut tx = writer.begin();
    tx.drop_table("monday");
    tx.manifest_mut()
        .snapshots
        .retain(|snapshot| snapshot.name != "monday");
    tx.commit().unwrap();
    assert_eq!(writer.case().tables().len(), 1);
    assert_eq!(
        writer
            .case()
            .table_source(None)
            .read("eth_txs", &["id"], &RowFilter::All)
            .unwrap()
            .rows(),
        ROWS as usize
    );
}
