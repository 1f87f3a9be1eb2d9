//! Against PostgreSQL itself: a private cluster writes nasty content, dumps it, and says cell by
//! cell what it was.

use std::collections::BTreeMap;

use dumps::{DumpSource, DumpStatus, TableFacts};
use model::{Batch, ColumnType, RowFilter, TableSource as _};
use testkit::{PostgresServer, output_of};

use crate::common::{naming, read_all, read_want};

/// A server whose sessions are in a zone with summer time.
pub(crate) fn start() -> Option<PostgresServer> {
    Some(PostgresServer::start()?.in_zone("America/New_York"))
}

pub(crate) const SETUP: &str = r#"
SELECT setseed(0.42);
CREATE FUNCTION nasty(n int) RETURNS text LANGUAGE sql VOLATILE AS $f$
  SELECT CASE WHEN n % 17 = 0 THEN NULL WHEN n % 23 = 0 THEN '' WHEN n % 29 = 0 THEN '\N' WHEN n % 31 = 0 THEN '\.'
    WHEN n % 37 = 0 THEN 'COPY public.x (a) FROM stdin;' WHEN n % 41 = 0 THEN 'NULL'
    ELSE (SELECT string_agg(substr(a, 1 + floor(random() * length(a))::int, 1), '')
      FROM (SELECT E'ab\\\\\t\n\r|''"+-. N(3 rows)é中😀\x01\b\f\x0b,{};$0x7' AS a) x, generate_series(1, 1 + n % 40)) END
$f$;
CREATE TYPE kind AS ENUM ('plain', 'with blank', 'quo''ted');
CREATE DOMAIN positive AS bigint CHECK (VALUE > 0);
CREATE DOMAIN more_positive AS positive;
CREATE TABLE nasty_rows (id bigserial PRIMARY KEY, t text, v varchar(200), b bytea, arr text[], barr bytea[], j json, jb jsonb,
  n numeric(80), n2 numeric, f8 double precision, f4 real, bo boolean, i2 smallint, i4 integer, o oid,
  ts timestamp, ts3 timestamp(3) without time zone, tz timestamptz, d date, ti time, iv interval, u uuid, c char(5), k kind, dm more_positive);
INSERT INTO nasty_rows (t, v, b, arr, barr, j, jb, n, n2, f8, f4, bo, i2, i4, o, ts, ts3, tz, d, ti, iv, u, c, k, dm)
SELECT nasty(i), nasty(i + 1), CASE WHEN i % 7 = 0 THEN NULL ELSE decode(md5(i::text) || '5c00270a09', 'hex') END,
  ARRAY[nasty(i + 2), NULL, 'a,b'], ARRAY[decode('00ff5c', 'hex')], to_json(nasty(i + 3)), jsonb_build_object('k', nasty(i + 4), 'n', i),
  CASE i % 3 WHEN 0 THEN -1 ELSE 1 END * (random()::numeric * 10::numeric ^ (i % 79))::numeric(80), CASE i % 11 WHEN 0 THEN 'NaN' WHEN 1 THEN 'Infinity' ELSE random()::numeric / (i + 1) END,
  CASE i % 13 WHEN 0 THEN 'NaN' WHEN 1 THEN '-Infinity' ELSE (random() - 0.5) * 10 ^ (i % 300) END, random() * i, i % 2 = 0,
  (i * 7919 % 65536 - 32768), (i::bigint * 2654435761 % 4294967296 - 2147483648), i * 1000003 % 4294967295,
  CASE i % 19 WHEN 0 THEN 'infinity'::timestamp WHEN 1 THEN '-infinity' WHEN 2 THEN '0044-03-15 12:00:00 BC' WHEN 3 THEN '12023-01-01 00:00:00.5' ELSE timestamp '1970-01-01' + (random() * 3e9) * interval '1 second' END,
  timestamp '1969-12-31 23:59:59' + i * interval '1.001 second',
  CASE i % 19 WHEN 0 THEN 'infinity'::timestamptz WHEN 2 THEN '0044-03-15 12:00:00+00 BC' WHEN 4 THEN '1850-01-01 00:00:00+00' ELSE timestamptz '1970-01-01' + (random() * 3e9) * interval '1 second' END,
  date '2023-01-01' + i, time '00:00:01' + i * interval '1 second', i * interval '1 day 1.5 second', md5(i::text)::uuid, 'ab', 'quo''ted', i + 1
FROM generate_series(1, 900) i;
INSERT INTO nasty_rows DEFAULT VALUES;
CREATE TABLE one_column (t text);
INSERT INTO one_column SELECT nasty(i) FROM generate_series(1, 500) i;
INSERT INTO one_column VALUES ('\.'), ('\N'), (NULL), (''), (E'\n\\.\n'), (repeat('long ', 300000));
CREATE TABLE empty_table (a bigint, b text, PRIMARY KEY (b, a));
CREATE TABLE no_columns ();
INSERT INTO no_columns DEFAULT VALUES; INSERT INTO no_columns DEFAULT VALUES;
CREATE SCHEMA "odd Schema";
CREATE TABLE "odd Schema"."ta""ble; (x" ("sel""ect" bigint PRIMARY KEY, "two words" text DEFAULT 'a;b, (', "select" boolean, g bigint GENERATED ALWAYS AS (1 + 1) STORED);
INSERT INTO "odd Schema"."ta""ble; (x" VALUES (1, 'x', true), (2, E'\t', NULL);
COMMENT ON TABLE one_column IS E'a comment; with ''quotes'' and\n-- dashes\nCOPY public.one_column (t) FROM stdin;\n';
CREATE TABLE parent (a bigint, ts timestamp);
CREATE TABLE child (extra text) INHERITS (parent);
INSERT INTO child VALUES (7, '2023-09-18 03:50:19.059576', 'x');
CREATE TABLE parted (a bigint, b bytea) PARTITION BY RANGE (a);
CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (0) TO (10);
INSERT INTO parted VALUES (3, '\x0102');
INSERT INTO parent VALUES (1, NULL);
CREATE TABLE grandchild (more text, PRIMARY KEY (a)) INHERITS (child);
INSERT INTO grandchild VALUES (8, '2023-09-18 03:50:20', 'y', 'z'), (9, NULL, NULL, NULL);
CREATE TABLE mother (m text);
CREATE TABLE both_sides (own text) INHERITS (child, mother);
INSERT INTO both_sides VALUES (10, '2023-09-18 03:50:21', 'b', 'm', 'o');
CREATE TABLE parted_high (b bytea, a bigint);
ALTER TABLE parted ATTACH PARTITION parted_high FOR VALUES FROM (10) TO (20);
CREATE TABLE parted_rest PARTITION OF parted DEFAULT PARTITION BY LIST (a);
CREATE TABLE parted_rest_all PARTITION OF parted_rest DEFAULT;
INSERT INTO parted SELECT i, decode(md5(i::text), 'hex') FROM generate_series(0, 90) i WHERE i <> 3;
CREATE TABLE keyed (k bigint, part int, t text, PRIMARY KEY (k, part)) PARTITION BY HASH (part);
CREATE TABLE keyed_0 PARTITION OF keyed FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE keyed_1 PARTITION OF keyed FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO keyed SELECT i, i % 5, 'row ' || i FROM generate_series(1, 40) i;
CREATE FUNCTION atomic() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT a FROM parent; SELECT 2::bigint; END;
CREATE VIEW seen AS SELECT ';' AS semicolon, a FROM parent;
"#;

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The SQL that says a column's value in a form without any trap.
fn truth(column: &str, column_type: ColumnType) -> String {
    match column_type {
        ColumnType::Bytes => format!("encode({column}, 'hex')"),
        ColumnType::TimestampUtc | ColumnType::TimestampCivil => format!(
            "CASE WHEN {column} = 'infinity' THEN '{}' WHEN {column} = '-infinity' THEN '{}' ELSE trunc(extract(epoch FROM {column}) * 1000000)::text END",
            i64::MAX,
            i64::MIN
        ),
        ColumnType::I64 | ColumnType::Bool | ColumnType::F64 => format!("{column}::text"),
        // A cast to text would trim char(5): concat says what the type's output says.
        _ => format!(
            "CASE WHEN {column} IS NOT NULL THEN encode(convert_to(concat({column}), 'UTF8'), 'hex') END"
        ),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Compares every cell; counts them.
#[track_caller]
pub(crate) fn compare(
    cluster: &PostgresServer,
    output: &str,
    table: &TableFacts,
    batch: &Batch,
) -> usize {
    let name = format!(
        "{}.{}",
        quoted(&table.info.schema),
        quoted(&table.info.name)
    );
    let columns: Vec<String> = table
        .info
        .columns
        .iter()
        .map(|(column, column_type)| truth(&quoted(column), *column_type))
        .collect();
    if columns.is_empty() {
        return 0;
    }
    let sql = format!(
        // As anybody asks: with the rows of partitions and of tables that inherit, as a dump sorts them.
        "SET bytea_output = {output}; SELECT {} FROM {name} ORDER BY tableoid::regclass::text COLLATE \"C\", ctid",
        columns.join(", ")
    );
    let text = cluster.sql("postgres", &sql);
    let rows: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    assert_eq!(batch.rows(), rows.len(), "{name}");
    let order = order_of(table, batch, &rows);
    for (row, expected) in order.into_iter().zip(&rows) {
        for (column, expected) in batch.columns.iter().zip(expected) {
            let at = format!("{name}.{} row {row}", column.name);
            if *expected == "NULL" {
                assert!(column.is_null(row), "{at}");
                continue;
            }
            assert!(!column.is_null(row), "{at} should be {expected}");
            match column.column_type {
                ColumnType::F64 => {
                    let wanted: f64 = expected.parse().unwrap();
                    let found = column.f64(row).unwrap();
                    assert!(
                        found == wanted || (found.is_nan() && wanted.is_nan()),
                        "{at}"
                    );
                }
                ColumnType::Bool => {
                    assert_eq!(column.bool(row).unwrap().to_string(), *expected, "{at}")
                }
                ColumnType::I64 | ColumnType::TimestampUtc | ColumnType::TimestampCivil => {
                    assert_eq!(column.i64(row).unwrap().to_string(), *expected, "{at}");
                }
                _ => assert_eq!(hex(column.bytes(row).unwrap()), *expected, "{at}"),
            }
        }
    }
    rows.len() * columns.len()
}

/// The rows in PostgreSQL's order. They come in the order of the file, which is the same but for a folder's parts.
fn order_of(table: &TableFacts, batch: &Batch, rows: &[Vec<&str>]) -> Vec<usize> {
    let numbered =
        (0..rows.len()).all(|row| batch.column("#").unwrap().i64(row) == Some(row as i64 + 1));
    assert!(numbered, "{:?}", table.info);
    let mut order: Vec<usize> = (0..rows.len()).collect();
    let first = |row: usize| crate::common::cell(&batch.columns[0], row);
    if !table.inherited.tables.is_empty() {
        let place = |row: &usize| {
            let wanted = first(*row);
            rows.iter().position(|cells| cells[0] == wanted)
        };
        order.sort_by_key(place);
    }
    order
}

#[test]
fn every_cell_is_what_postgres_says() {
    let Some(cluster) = start() else {
        eprintln!(
            "SKIPPED: no PostgreSQL under /usr/lib/postgresql: dumps are not compared with it"
        );
        return;
    };
    cluster.sql("postgres", SETUP);
    for arguments in [
        &["postgres"][..],
        &["--create", "postgres"],
        &["--clean", "--if-exists", "postgres"],
    ] {
        check_dump(&cluster, "hex", &cluster.dump(arguments));
    }
    let mut escaped = cluster.command("pg_dump");
    escaped
        .env("PGOPTIONS", "-c bytea_output=escape")
        .arg("postgres");
    check_dump(&cluster, "escape", &output_of(&mut escaped));
    check_without_types(&cluster.dump(&["--data-only", "postgres"]));
    check_schema_only(&cluster.dump(&["--schema-only", "postgres"]));
    check_inserts(&cluster);
    check_archives(&cluster);
    check_all_databases(&cluster);
    crate::psql::check_against(
        |sql| cluster.psql(&[], sql),
        |sql| cluster.sql("postgres", sql),
    );
}

#[test]
fn large_objects_are_counted_and_measured() {
    let Some(cluster) = start() else {
        eprintln!("SKIPPED: no PostgreSQL under /usr/lib/postgresql: large objects are not tried");
        return;
    };
    cluster.sql(
        "postgres",
        "CREATE TABLE t (a bigint); INSERT INTO t VALUES (7);
         SELECT lo_from_bytea(70001, decode(repeat('ab', 5000), 'hex'));
         SELECT lo_from_bytea(70002, decode(repeat('00ff', 100000), 'hex'));
         SELECT lo_from_bytea(70003, '');",
    );
    let folder = cluster.socket_folder().join("objects");
    cluster.dump(&["-Fd", "-f", folder.to_str().unwrap(), "postgres"]);
    let all = "3 large objects of 205000 bytes in all, the largest 70002 with 200000";
    for (dump, expected) in [
        (cluster.dump(&["-Fc", "postgres"]), vec![all]),
        (cluster.dump(&["-Fc", "-Z0", "postgres"]), vec![all]),
        (
            crate::archives::tar_of(&folder),
            vec![
                "large object 70001 of 5000 bytes",
                "large object 70002 of 200000 bytes",
                "large object 70003 of 0 bytes",
            ],
        ),
    ] {
        let (facts, kept) = read_all(&dump);
        assert_eq!(facts.status, DumpStatus::Complete, "{:?}", facts.rejects);
        assert_eq!(kept.count("t"), 1);
        for text in expected {
            let found = kept
                .rejects
                .iter()
                .find(|reject| reject.what.starts_with(text));
            let found = found.unwrap_or_else(|| panic!("{text}: {:?}", kept.rejects));
            assert!(found.length > 0 && found.byte + found.length <= dump.len() as u64);
        }
    }
}

#[track_caller]
fn check_dump(cluster: &PostgresServer, output: &str, dump: &[u8]) {
    let source = DumpSource::from_bytes(dump.to_vec(), naming()).unwrap();
    let (facts, kept) = read_all(dump);
    assert_eq!(facts.status, DumpStatus::Complete, "{:?}", facts.rejects);
    assert!(kept.rejects.is_empty(), "{:?}", kept.rejects);
    let mut cells = 0;
    for table in &source.facts().tables {
        let name = format!("{}.{}", table.info.schema, table.info.name);
        let columns: Vec<&str> = table
            .info
            .columns
            .iter()
            .map(|(column, _)| column.as_str())
            .collect();
        let batch = source.read(&name, &columns, &RowFilter::All).unwrap();
        assert!(!table.info.types_inferred, "{name}");
        assert_eq!(table.rows, batch.rows() as u64, "{name}");
        cells += compare(cluster, output, table, &batch);
        let streamed: usize = kept
            .rows
            .iter()
            .filter(|(info, _)| info.name == table.info.name)
            .map(|(_, batch)| batch.column("#").unwrap().len())
            .sum();
        assert_eq!(streamed as u64, table.rows, "{name}");
    }
    assert!(source.damage().is_empty(), "{:?}", source.damage());
    assert!(cells > 901 * 26, "{cells}");
    let names: Vec<&str> = source
        .facts()
        .tables
        .iter()
        .map(|t| t.info.name.as_str())
        .collect();
    for name in [
        "empty_table",
        "no_columns",
        "ta\"ble; (x",
        "child",
        "parted_low",
    ] {
        assert!(names.contains(&name), "{names:?}");
    }
    let key = |name: &str| {
        source
            .facts()
            .table(None, name)
            .unwrap()
            .info
            .primary_key
            .clone()
    };
    assert_eq!(key("nasty_rows"), ["id"]);
    assert_eq!(key("empty_table"), ["b", "a"]);
    assert_eq!(key("ta\"ble; (x"), ["sel\"ect"]);
    let note = |name: &str| source.facts().table(None, name).unwrap().notes.join("; ");
    assert_eq!(
        note("parted"),
        "rows are in its 4 partitions: parted_high, parted_low, parted_rest, parted_rest_all (91 rows)"
    );
    assert_eq!(
        note("parent"),
        "shows the rows of the 3 tables that inherit from it as well: both_sides, child, grandchild (4 rows)"
    );
    assert_eq!(note("keyed_0"), "");
    check_references_of_parents(&source, dump);
    check_filters(&source);
    check_parts(&source);
    check_newest(&source);
}

/// A row that is read through a table above is referred to by that table's key or number, and lies where it lies.
#[track_caller]
fn check_references_of_parents(source: &DumpSource, dump: &[u8]) {
    let columns = ["k", "part", "t", "#byte", "#length"];
    let one = RowFilter::BytesIn("t".into(), vec![b"row 17".to_vec()]);
    let found = source.read("keyed", &columns, &one).unwrap();
    assert_eq!(found.rows(), 1);
    let info = &source.facts().table(None, "keyed").unwrap().info;
    let key = info.row_key(&found, 0, None);
    assert_eq!(key, "17,2");
    let place = source.locate("keyed", &key).unwrap().unwrap();
    assert!(
        [&"keyed_0", &"keyed_1"]
            .into_iter()
            .any(|child| { source.locate(child, &key).unwrap() == Some(place) })
    );
    if !source.facts().kind.is_archive() {
        let row = &dump[place.byte as usize..][..place.length as usize];
        let row = String::from_utf8_lossy(row).into_owned();
        assert!(row.contains("row 17"), "{row}");
    }
    // Without a key by its number.
    let all = source
        .read("parted", &["a", "#byte"], &RowFilter::All)
        .unwrap();
    for row in [0, 50, 90] {
        let place = source
            .locate("parted", &format!("@{}", row + 1))
            .unwrap()
            .unwrap();
        assert_eq!(
            all.column("#byte").unwrap().i64(row),
            Some(place.byte as i64)
        );
    }
    let parts = [
        model::Part {
            columns: &["a"],
            filter: &RowFilter::All,
        },
        model::Part {
            columns: &["b"],
            filter: &RowFilter::I64In("a".into(), vec![3, 15, 80]),
        },
    ];
    let parts = source.read_parts("parted", &parts).unwrap();
    assert_eq!((parts[0].rows(), parts[1].rows()), (91, 3));
}

/// A filter gives what reading all and looking gives.
fn check_filters(source: &DumpSource) {
    let all = source
        .read("nasty_rows", &["id", "t", "b"], &RowFilter::All)
        .unwrap();
    for column in ["t", "b"] {
        for row in (0..all.rows()).step_by(13) {
            let Some(wanted) = all.column(column).unwrap().bytes(row) else {
                continue;
            };
            let filter = RowFilter::BytesIn(column.into(), vec![wanted.to_vec()]);
            let found = source.read("nasty_rows", &["id"], &filter).unwrap();
            let expected: Vec<i64> = (0..all.rows())
                .filter(|&r| all.column(column).unwrap().bytes(r) == Some(wanted))
                .map(|r| all.column("id").unwrap().i64(r).unwrap())
                .collect();
            let found: Vec<i64> = (0..found.rows())
                .map(|r| found.column("id").unwrap().i64(r).unwrap())
                .collect();
            assert_eq!(found, expected);
        }
    }
    let some = source
        .read(
            "nasty_rows",
            &["t"],
            &RowFilter::I64In("id".into(), vec![5, 900, 10_000]),
        )
        .unwrap();
    assert_eq!(some.rows(), 2);
    let place = source.locate("nasty_rows", "900").unwrap().unwrap();
    assert!(place.length > 100);
}

/// Parts that are read together are what each is alone.
fn check_parts(source: &DumpSource) {
    let keys = RowFilter::I64In("id".into(), vec![7, 44, 900]);
    let (texts, nothing) = (
        RowFilter::BytesIn("t".into(), vec![b"".to_vec()]),
        RowFilter::I64In("none".into(), vec![1]),
    );
    let parts = [
        (&["t", "b", "tz"][..], &keys),
        (&["id", "#line"], &texts),
        (&["ts", "n"], &RowFilter::All),
        (&["id"], &nothing),
    ]
    .map(|(columns, filter)| model::Part { columns, filter });
    for parts in [&parts[..], &parts[..2], &parts[2..]] {
        let together = source.read_parts("nasty_rows", parts).unwrap();
        for (part, rows) in parts.iter().zip(together) {
            let alone = source.read("nasty_rows", part.columns, part.filter);
            assert_eq!(rows, alone.unwrap(), "{part:?}");
        }
    }
}

/// A reading notes the newest finite times of columns that are watched, in all rows whichever are wanted.
fn check_newest(source: &DumpSource) {
    for (table, key, columns) in [
        ("nasty_rows", "id", &["ts", "ts3", "tz"][..]),
        ("parent", "a", &["ts"]),
        ("parted", "a", &["b"]),
    ] {
        let one = RowFilter::I64In(key.into(), vec![5]);
        source.read(table, &[key], &one).unwrap();
        assert_eq!(source.newest(table), None, "nobody asked");
        assert!(source.watch_newest(table, columns));
        assert_eq!(source.newest(table), None, "not read since");
        source.read(table, &[key], &one).unwrap();
        let all = source.read(table, columns, &RowFilter::All).unwrap();
        let newest = |column: &str| {
            let cells = all.column(column)?;
            (cells.column_type != ColumnType::Bytes).then_some(())?;
            let times = (0..all.rows()).filter_map(|row| cells.i64(row));
            let finite = times.filter(|us| ![i64::MIN, i64::MAX].contains(us));
            Some((column.to_owned(), finite.max()?))
        };
        let expected: BTreeMap<_, _> = columns.iter().filter_map(|column| newest(column)).collect();
        // Of columns that hold no times nothing is told.
        let expected = (!expected.is_empty()).then_some(expected);
        assert_eq!(source.newest(table), expected, "{table}");
    }
}

#[track_caller]
fn check_without_types(dump: &[u8]) {
    let (facts, kept) = read_all(dump);
    assert_eq!(facts.status, DumpStatus::Complete, "{:?}", facts.rejects);
    assert_eq!(kept.count("nasty_rows"), 901);
    let info = &facts.table(None, "nasty_rows").unwrap().info;
    assert!(info.types_inferred);
    let column_type = |name: &str| info.columns.iter().find(|(n, _)| n == name).unwrap().1;
    for (name, expected) in [
        ("id", ColumnType::I64),
        ("t", ColumnType::Text),
        ("b", ColumnType::Bytes),
        ("bo", ColumnType::Bool),
        ("n", ColumnType::Numeric),
        ("ts", ColumnType::TimestampCivil),
        ("tz", ColumnType::TimestampUtc),
    ] {
        assert_eq!(column_type(name), expected, "{name}");
    }
}

#[track_caller]
fn check_schema_only(dump: &[u8]) {
    let (facts, kept) = read_all(dump);
    assert!(kept.rows.is_empty());
    assert_eq!(facts.status, DumpStatus::Complete);
    assert_eq!(
        facts.table(None, "nasty_rows").unwrap().info.primary_key,
        ["id"]
    );
}

/// Rows as INSERT statements in all their forms hold what the rows of COPY hold.
fn check_inserts(cluster: &PostgresServer) {
    for arguments in [
        &["--inserts", "postgres"][..],
        &["--column-inserts", "postgres"],
        &[
            "--rows-per-insert=7",
            "--on-conflict-do-nothing",
            "postgres",
        ],
    ] {
        check_dump(cluster, "hex", &cluster.dump(arguments));
    }
    let mut escaped = cluster.command("pg_dump");
    escaped
        .env(
            "PGOPTIONS",
            "-c bytea_output=escape -c standard_conforming_strings=off",
        )
        .args(["--inserts", "postgres"]);
    check_dump(cluster, "escape", &output_of(&mut escaped));
    check_without_types(&cluster.dump(&["--data-only", "--column-inserts", "postgres"]));
    // Nothing says how the columns are called: who asks for one by its name must learn that.
    let dump = cluster.dump(&["--data-only", "--inserts", "postgres"]);
    let source = DumpSource::from_bytes(dump, naming()).unwrap();
    let tables = source.tables();
    let nasty = tables
        .iter()
        .find(|info| info.name == "nasty_rows")
        .unwrap();
    assert!(nasty.is_nameless(), "{nasty:?}");
    assert!(nasty.require_names().is_err());
}

/// Archives in all their forms hold what a plain dump holds.
fn check_archives(cluster: &PostgresServer) {
    for arguments in [
        &["-Fc", "postgres"][..],
        &["-Fc", "-Z0", "postgres"],
        &["-Fc", "-Z9", "--create", "postgres"],
        &["-Fc", "--inserts", "postgres"],
        &["-Ft", "postgres"],
        &[
            "-Ft",
            "--column-inserts",
            "--rows-per-insert=50",
            "postgres",
        ],
    ] {
        check_dump(cluster, "hex", &cluster.dump(arguments));
    }
    // Written to a file, an archive knows where each table's data are.
    let file = cluster.socket_folder().join("archive");
    let file = file.to_str().unwrap();
    cluster.dump(&["-Fc", "-f", file, "postgres"]);
    check_dump(cluster, "hex", &std::fs::read(file).unwrap());
    for (name, arguments) in [("packed", &["-Fd"][..]), ("plain", &["-Fd", "-Z0", "-j2"])] {
        let folder = cluster.socket_folder().join(name);
        let mut all = arguments.to_vec();
        all.extend(["-f", folder.to_str().unwrap(), "postgres"]);
        cluster.dump(&all);
        check_dump(cluster, "hex", &crate::archives::tar_of(&folder));
    }
    check_without_types(&cluster.dump(&["-Fc", "--data-only", "postgres"]));
    check_schema_only(&cluster.dump(&["-Fc", "--schema-only", "postgres"]));
}

fn check_all_databases(cluster: &PostgresServer) {
    cluster.sql("postgres", "CREATE DATABASE second");
    cluster.sql(
        "second",
        "CREATE TABLE child (a text PRIMARY KEY); INSERT INTO child VALUES ('other')",
    );
    let dump = output_of(&mut cluster.command("pg_dumpall"));
    let (facts, _) = read_want(&dump, &dumps::Want::nothing(naming()));
    assert_eq!(facts.status, DumpStatus::Complete, "{:?}", facts.rejects);
    let source = DumpSource::from_bytes(dump, naming()).unwrap();
    let snapshots: Vec<String> = source
        .tables()
        .into_iter()
        .filter(|table| table.name == "child")
        .map(|table| table.snapshot)
        .collect();
    assert_eq!(snapshots, ["snap", "snap_second"]);
    assert!(source.read("child", &["a"], &RowFilter::All).is_err());
    let batch = source
        .read("snap_second.public.child", &["a"], &RowFilter::All)
        .unwrap();
    assert_eq!(batch.columns[0].text(0), Some("other"));
}
