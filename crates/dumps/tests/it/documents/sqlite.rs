//! SQLite files made by the test, as Lighthouse and Nimbus make theirs, and hostile ones.

use std::io::Cursor;
use std::path::Path;

use dumps::{DumpFacts, DumpKind, DumpSource, DumpStatus, Want, WantTable, read_dump};
use model::{ColumnType, RowFilter, TableSource as _};
use rusqlite::Connection;

use super::{lines, read_every_way, rows};
use crate::common::{Kept, naming, read_want};

const KEY: &str = "0xa03cbcdd4fc531f41aa3fb35d8b1323ae54a08028a792d16f4437545bcfc79580e54e2372458f6ecbe0e3f3480be2d56";

/// Makes a database by SQL and returns its bytes.
fn database(sql: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made.sqlite");
    let connection = Connection::open(&path).unwrap();
    let quick = "PRAGMA synchronous=OFF; PRAGMA journal_mode=MEMORY;";
    connection.execute_batch(&format!("{quick}{sql}")).unwrap();
    drop(connection);
    std::fs::read(path).unwrap()
}

/// Reads without the check of lines, which a binary file does not have.
fn read(bytes: &[u8]) -> (DumpFacts, Kept) {
    let mut kept = Kept::default();
    let facts = read_dump(&mut Cursor::new(bytes), &Want::all(naming()), &mut kept).unwrap();
    assert_eq!(facts.bytes, bytes.len() as u64);
    (facts, kept)
}

fn lighthouse() -> String {
    let mut sql = format!(
        "CREATE TABLE validators (id INTEGER PRIMARY KEY, public_key BLOB NOT NULL UNIQUE, enabled BOOLEAN NOT NULL DEFAULT TRUE);
         CREATE TABLE signed_blocks (validator_id INTEGER NOT NULL, slot INTEGER NOT NULL, signing_root BLOB NOT NULL,
           FOREIGN KEY(validator_id) REFERENCES validators(id), UNIQUE (validator_id, slot));
         CREATE TABLE signed_attestations (validator_id INTEGER, source_epoch INTEGER NOT NULL, target_epoch INTEGER NOT NULL,
           signing_root BLOB NOT NULL, FOREIGN KEY(validator_id) REFERENCES validators(id), UNIQUE (validator_id, target_epoch));
         INSERT INTO validators (public_key, enabled) VALUES ('{KEY}', 1), ('{}', 0);",
        KEY.replace("a0", "b1")
    );
    for slot in 0..40 {
        sql.push_str(&format!(
            "INSERT INTO signed_blocks VALUES (1, {}, X'{:064x}');",
            81952 + slot,
            slot
        ));
    }
    sql.push_str("INSERT INTO signed_attestations VALUES (2, 2290, 3007, X'00'), (2, 2290, 3008, X'01'), (NULL, 0, 0, X'');");
    sql
}

#[test]
fn lighthouses_slashing_protection() {
    let bytes = database(&lighthouse());
    assert_eq!(dumps::sniff(&bytes), Some(DumpKind::Sqlite));
    let (facts, kept) = read_every_way(&bytes);
    assert_eq!(facts.status, DumpStatus::Complete, "{:?}", facts.rejects);
    assert_eq!(
        rows(&kept, "validators", &["id", "public_key", "enabled"]),
        [
            format!("1 {KEY} true"),
            format!("2 {} false", KEY.replace("a0", "b1"))
        ]
    );
    let blocks = rows(
        &kept,
        "signed_blocks",
        &["validator_id", "slot", "signing_root"],
    );
    let expected: Vec<String> = (0..40)
        .map(|slot| format!("1 {} 0x{slot:064x}", 81952 + slot))
        .collect();
    assert_eq!(blocks, expected);
    let columns = [
        "validator_id",
        "source_epoch",
        "target_epoch",
        "signing_root",
    ];
    assert_eq!(
        rows(&kept, "signed_attestations", &columns),
        ["2 2290 3007 0x00", "2 2290 3008 0x01", "NULL 0 0 0x"]
    );
    let info = &facts.table(Some("main"), "signed_blocks").unwrap();
    assert_eq!(info.info.primary_key, ["validator_id", "slot"]);
    assert_eq!(info.sql_types, ["INTEGER", "INTEGER", "BLOB"]);
    assert_eq!(
        facts.table(None, "validators").unwrap().info.primary_key,
        ["id"]
    );

    let want = Want {
        tables: Some(vec![WantTable {
            columns: Some(vec!["id".to_owned()]),
            filter: RowFilter::I64In("id".into(), vec![2]),
            ..WantTable::all(None, "validators")
        }]),
        ..Want::all(naming())
    };
    let (one, kept) = read_want(&bytes, &want);
    assert_eq!(one.tables, facts.tables, "counts are of the whole file");
    assert_eq!(kept.rows.len(), 1);
    assert_eq!(lines(kept.only("validators"), &["id", "#"]), ["2 2"]);

    let source = DumpSource::from_bytes(bytes, naming()).unwrap();
    let filter = RowFilter::I64In("slot".into(), vec![81955, 81990]);
    let found = source.read("signed_blocks", &["slot"], &filter).unwrap();
    assert_eq!(lines(&found, &["slot", "#"]), ["81955 4", "81990 39"]);
    // A row has no text in a binary file: its cells are shown.
    for (table, key, expected) in [
        (
            "main.signed_attestations",
            "2,3008",
            r#"{"validator_id": 2, "source_epoch": 2290, "target_epoch": 3008, "signing_root": "0x01"}"#,
        ),
        (
            "signed_attestations",
            "@3",
            r#"{"validator_id": null, "source_epoch": 0, "target_epoch": 0, "signing_root": "0x"}"#,
        ),
    ] {
        assert_eq!(source.locate(table, key).unwrap().unwrap().length, 0);
        let text = source.cells_text(table, key).unwrap().unwrap();
        assert_eq!(String::from_utf8(text).unwrap().trim_end(), expected);
    }
    assert_eq!(source.cells_text("signed_blocks", "1,5").unwrap(), None);
}

#[test]
fn nimbus_stores_raw_keys() {
    let bytes = database(&format!(
        "CREATE TABLE metadata (slashing_db_version INTEGER, genesis_validators_root BLOB NOT NULL);
         CREATE TABLE validators (id INTEGER PRIMARY KEY, public_key BLOB NOT NULL UNIQUE);
         CREATE TABLE signed_blocks (validator_id INTEGER NOT NULL, slot INTEGER NOT NULL, signing_root BLOB NOT NULL,
           FOREIGN KEY (validator_id) REFERENCES validators (id) UNIQUE (validator_id, slot));
         INSERT INTO metadata VALUES (2, X'{}');
         INSERT INTO validators VALUES (1, X'{}');
         INSERT INTO signed_blocks VALUES (1, 7, X'00ff');",
        "04".repeat(32),
        &KEY[2..]
    ));
    let (facts, kept) = read_every_way(&bytes);
    assert_eq!(facts.status, DumpStatus::Complete);
    assert_eq!(
        rows(&kept, "validators", &["id", "public_key"]),
        [format!("1 {KEY}")]
    );
    let metadata = ["slashing_db_version", "genesis_validators_root"];
    assert_eq!(
        rows(&kept, "metadata", &metadata),
        [format!("2 0x{}", "04".repeat(32))]
    );
}

#[test]
fn the_lighthouse_file_of_the_corpus() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(
        "../../../shared/corpus/incidents/slashing-protection/lighthouse_v0_no_enabled_column.sqlite",
    );
    let Ok(bytes) = std::fs::read(&path) else {
        eprintln!("SKIPPED: no corpus at {}", path.display());
        return;
    };
    let (facts, kept) = read_every_way(&bytes);
    assert_eq!(facts.status, DumpStatus::Complete);
    for table in ["validators", "signed_blocks", "signed_attestations"] {
        assert_eq!(kept.count(table), 5, "{table}");
    }
    let key = kept.only("validators").column("public_key").unwrap();
    assert_eq!(key.column_type, ColumnType::Bytes);
    assert!((0..5).all(|row| key.bytes(row).unwrap().len() == 48));
}

#[test]
fn values_have_types_not_columns() {
    let bytes = database(
        "CREATE TABLE \"odd \"\"table\" (\"select\" TEXT, n NUMERIC, mixed, at TEXT, real REAL, none, \"a;b\" TEXT);
         INSERT INTO \"odd \"\"table\" VALUES ('007', 1, 1, '2023-09-18 03:50:19', 1.5, NULL, x'00'),
           ('12', 9223372036854775807, 'x', '2023-09-18 03:50:20', 2, NULL, 'y');
         CREATE TABLE empty (a INTEGER PRIMARY KEY, b BLOB);
         CREATE TABLE keyed (a TEXT, b TEXT, c INT, PRIMARY KEY (b, a)) WITHOUT ROWID;
         INSERT INTO keyed VALUES ('x', 'y', 1);",
    );
    let (facts, kept) = read_every_way(&bytes);
    let columns = ["select", "n", "mixed", "at", "real", "none", "a;b"];
    assert_eq!(
        rows(&kept, "odd \"table", &columns),
        [
            "007 1 1 1695009019000000 1.5 NULL 0x00",
            "12 9223372036854775807 x 1695009020000000 2 NULL 0x79"
        ]
    );
    assert_eq!(rows(&kept, "keyed", &["c"]), ["1"]);
    assert_eq!(
        facts.table(None, "keyed").unwrap().info.primary_key,
        ["b", "a"]
    );
    let empty = facts.table(None, "empty").unwrap();
    assert_eq!((empty.rows, empty.info.columns.len()), (0, 2));
    assert_eq!(empty.info.columns[1].1, ColumnType::Bytes);
}

#[test]
fn nothing_of_the_schema_is_evaluated() {
    let bytes = database(
        "CREATE TABLE t (a INTEGER, big AS (zeroblob(900000000)), kept AS (a + 1) STORED);
         INSERT INTO t (a) VALUES (1), (2);
         CREATE VIEW bomb AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT * FROM n;
         CREATE TRIGGER shot AFTER INSERT ON t BEGIN DELETE FROM t; END;",
    );
    let (facts, kept) = read_every_way(&bytes);
    assert_eq!(facts.status, DumpStatus::Complete, "{:?}", facts.rejects);
    assert_eq!(rows(&kept, "t", &["a", "kept"]), ["1 2", "2 3"]);
    let table = facts.table(None, "t").unwrap();
    assert_eq!(table.info.columns.len(), 2);
    assert!(table.notes[0].contains("big"), "{:?}", table.notes);
    assert!(facts.table(None, "bomb").is_none());
}

#[test]
fn a_table_whose_pages_are_their_own_children_ends() {
    let mut sql = "CREATE TABLE t (a TEXT);".to_owned();
    for n in 0..2000 {
        sql.push_str(&format!("INSERT INTO t VALUES ('{n:0100}');"));
    }
    let mut bytes = database(&format!("PRAGMA page_size=1024;{sql}"));
    // Each interior page's cells are made to lead to one child, so that its rows come again and again.
    let page = 1024;
    let mut changed = 0;
    for start in (page..bytes.len()).step_by(page) {
        if bytes[start] != 5 {
            continue;
        }
        let cells = usize::from(u16::from_be_bytes([bytes[start + 3], bytes[start + 4]]));
        let at = |nth: usize, bytes: &[u8]| {
            let pointer = start + 12 + 2 * nth;
            start + usize::from(u16::from_be_bytes([bytes[pointer], bytes[pointer + 1]]))
        };
        let first: [u8; 4] = bytes[at(0, &bytes)..][..4].try_into().unwrap();
        for nth in 1..cells {
            let cell = at(nth, &bytes);
            bytes[cell..cell + 4].copy_from_slice(&first);
            changed += 1;
        }
    }
    assert!(changed > 10);
    let (facts, kept) = read(&bytes);
    let count = kept.count("t") as u64;
    assert!(count * 2 <= bytes.len() as u64 + 2, "{count}");
    if facts.status == DumpStatus::Complete {
        assert!(count <= 4000);
    }
}

#[test]
fn a_cut_file_is_truncated_and_gives_what_its_pages_hold() {
    let mut sql = lighthouse();
    for slot in 0..3000 {
        sql.push_str(&format!(
            "INSERT INTO signed_blocks VALUES (2, {slot}, X'{slot:064x}');"
        ));
    }
    let bytes = database(&sql);
    let whole = bytes.len();
    let (facts, kept) = read(&bytes);
    assert_eq!(
        (facts.status, kept.count("signed_blocks")),
        (DumpStatus::Complete, 3040)
    );
    let (facts, kept) = read(&bytes[..whole / 2]);
    assert_eq!(facts.status, DumpStatus::Truncated);
    assert!(
        facts.rejects[0].what.contains("by its header"),
        "{:?}",
        facts.rejects
    );
    assert_eq!(kept.count("validators"), 2);
    assert!(kept.count("signed_blocks") < 3040);
    for cut in [16, 50, 99, 100, 512, 4095, 4096, 5000] {
        let (facts, _) = read(&bytes[..cut]);
        assert_eq!(facts.status, DumpStatus::Truncated, "{cut}");
    }
}

#[test]
fn tables_before_a_cut_are_read_if_others_begin_behind_it() {
    let mut sql = lighthouse();
    for slot in 0..3000 {
        sql.push_str(&format!(
            "INSERT INTO signed_blocks VALUES (2, {slot}, X'{slot:064x}');"
        ));
    }
    sql.push_str("CREATE TABLE last (a INTEGER); INSERT INTO last VALUES (1);");
    let bytes = database(&sql);
    let (facts, kept) = read(&bytes[..bytes.len() / 2]);
    assert_eq!(facts.status, DumpStatus::Truncated);
    assert_eq!(kept.count("validators"), 2, "{:?}", facts.rejects);
    assert_eq!(kept.count("last"), 0);
    let lost = |table: &str| {
        facts
            .rejects
            .iter()
            .any(|reject| reject.table.as_deref() == Some(table))
    };
    assert!(lost("last"), "{:?}", facts.rejects);
}

#[test]
fn flipped_bytes_never_panic_and_what_is_lost_is_said() {
    let bytes = database(&lighthouse());
    let mut located = 0;
    for at in (16..bytes.len()).step_by(61) {
        let mut broken = bytes.clone();
        broken[at] ^= 0x55;
        let (facts, kept) = read(&broken);
        if facts.status != DumpStatus::Complete {
            located += 1;
            assert!(!kept.rejects.is_empty());
        }
    }
    assert!(located > 0);
}

/// A damaged page of a table takes its own rows with it, and no others: those behind it are found by their numbers.
#[test]
fn rows_behind_a_damaged_page_are_read() {
    let mut sql = "PRAGMA page_size=1024; CREATE TABLE t (a INTEGER, b TEXT); CREATE TABLE u (a INTEGER PRIMARY KEY, b BLOB); CREATE TABLE w (a TEXT PRIMARY KEY, b TEXT) WITHOUT ROWID;".to_owned();
    for row in 1..=2000 {
        let text = format!("row {row} {}", "x".repeat(40));
        sql.push_str(&format!(
            "INSERT INTO t VALUES ({row}, '{text}'); INSERT INTO u VALUES ({}, X'{row:040x}'); INSERT INTO w VALUES ('{row:05}', '{text}');",
            row * 7
        ));
    }
    let bytes = database(&sql);
    let (_, whole) = read(&bytes);
    assert_eq!(
        (whole.count("t"), whole.count("u"), whole.count("w")),
        (2000, 2000, 2000)
    );
    let numbers = |kept: &Kept, table: &str| -> Vec<i64> {
        let mut numbers = Vec::new();
        for (_, batch) in kept.rows.iter().filter(|(info, _)| info.name == table) {
            let column = batch.column("a").unwrap();
            numbers.extend((0..column.len()).map(|row| column.i64(row).unwrap()));
        }
        numbers
    };
    let (mut damaged, mut behind) = (0, 0);
    // Every fifth page, if it holds rows, each broken alone and each beside the second next.
    for page in (1024..bytes.len())
        .step_by(1024)
        .filter(|page| page / 1024 % 5 == 0)
    {
        if bytes[page] != 13 {
            continue;
        }
        for others in [&[][..], &[2048]] {
            let mut broken = bytes.clone();
            for page in std::iter::once(page).chain(others.iter().map(|other| page + other)) {
                if broken.get(page) == Some(&13) {
                    broken[page..page + 8].fill(0xee);
                }
            }
            let (facts, kept) = read(&broken);
            assert_eq!(facts.status, DumpStatus::Damaged, "{page}");
            for (table, step) in [("t", 1), ("u", 7)] {
                let found = numbers(&kept, table);
                assert!(found.is_sorted(), "{page}: {table}");
                // Each row is there, or in a gap that is told; never both, and nothing else is.
                let told: Vec<(i64, i64)> = facts
                    .rejects
                    .iter()
                    .filter(|reject| reject.table.as_deref() == Some(table))
                    .map(|reject| gap(&reject.what, found.last().copied().unwrap_or(0)))
                    .collect();
                damaged += told.len();
                let there: std::collections::BTreeSet<i64> = found.iter().copied().collect();
                let missing: Vec<i64> = (1..=2000)
                    .map(|row| row * step)
                    .filter(|number| !there.contains(number))
                    .collect();
                behind += usize::from(!missing.is_empty() && found.last() == Some(&(2000 * step)));
                let in_gap = |number: i64| {
                    told.iter()
                        .any(|(from, to)| (*from..=*to).contains(&number))
                };
                assert!(
                    missing.iter().all(|number| in_gap(*number)),
                    "{page}: {:?}",
                    facts.rejects
                );
                assert!(
                    !found.iter().any(|number| in_gap(*number)),
                    "{page}: {:?}",
                    facts.rejects
                );
                // A page holds some twenty of them; two that are broken take along what lies between.
                assert!(missing.len() <= 150, "{page}: {} of {table}", missing.len());
                assert_eq!(found.len() + missing.len(), 2000, "{page}: {table}");
            }
        }
    }
    assert!(damaged > 20 && behind > 20, "{damaged} {behind}");
}

/// Which numbers a reject says are missing.
fn gap(what: &str, last: i64) -> (i64, i64) {
    if what.starts_with("what follows row ") {
        return (last + 1, i64::MAX);
    }
    let words: Vec<&str> = what.split(' ').collect();
    let number = |word: &str| word.parse().ok();
    let from = number(words[3]).unwrap_or(i64::MIN);
    let to = words.iter().skip(4).find_map(|word| number(word)).unwrap();
    (from, to)
}
