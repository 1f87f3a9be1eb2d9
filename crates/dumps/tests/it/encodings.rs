//! Encodings: every cell is what PostgreSQL says, and what it can't say either is counted and named.

use dumps::{DumpSource, DumpStatus};
use model::{RowFilter, TableSource as _};
use testkit::{PostgresServer, output_of};

use crate::common::{cell, naming, read_all};

const ENCODINGS: [&str; 30] = [
    "LATIN1",
    "LATIN2",
    "LATIN3",
    "LATIN4",
    "LATIN5",
    "LATIN6",
    "LATIN7",
    "LATIN8",
    "LATIN9",
    "LATIN10",
    "ISO_8859_5",
    "ISO_8859_6",
    "ISO_8859_7",
    "ISO_8859_8",
    "KOI8R",
    "KOI8U",
    "WIN866",
    "WIN874",
    "WIN1250",
    "WIN1251",
    "WIN1252",
    "WIN1253",
    "WIN1254",
    "WIN1255",
    "WIN1256",
    "WIN1257",
    "WIN1258",
    "EUC_JP",
    "EUC_KR",
    "EUC_CN",
];

/// All characters of every encoding, by the bytes they have there.
const CHARACTERS: &str = r"
CREATE FUNCTION said(b bytea, encoding text) RETURNS text LANGUAGE plpgsql AS $f$
BEGIN RETURN convert_from(b, encoding); EXCEPTION WHEN OTHERS THEN RETURN NULL; END $f$;
CREATE FUNCTION make(encoding text) RETURNS void LANGUAGE plpgsql AS $f$
BEGIN
  EXECUTE format('CREATE TABLE %I (n int PRIMARY KEY, t text)', lower(encoding));
  EXECUTE format('INSERT INTO %I SELECT n, ''a '' || said(b, %L) || '' z'' FROM (
    SELECT n, CASE WHEN n < 256 THEN set_byte(''\x00'', 0, n) ELSE set_byte(set_byte(''\x0000'', 0, n / 256), 1, mod(n, 256)) END AS b
    FROM generate_series(128, CASE WHEN %L LIKE ''EUC%%'' THEN 65535 ELSE 255 END) n) x WHERE said(b, %L) IS NOT NULL',
    lower(encoding), encoding, encoding, encoding);
END $f$;";

fn start() -> Option<PostgresServer> {
    let server = PostgresServer::start();
    if server.is_none() {
        eprintln!("SKIPPED: no PostgreSQL: encodings are not compared with it");
    }
    server
}

/// Rows of a table as the dump has them: number and text, in hex.
fn rows(source: &DumpSource, table: &str) -> Vec<String> {
    let batch = source.read(table, &["n", "t"], &RowFilter::All).unwrap();
    let hex = |row: usize| -> String {
        let bytes = batch.column("t").unwrap().bytes(row).unwrap();
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    };
    (0..batch.rows())
        .map(|row| {
            format!(
                "{}\t{}",
                batch.column("n").unwrap().i64(row).unwrap(),
                hex(row)
            )
        })
        .collect()
}

#[test]
fn every_character_of_every_encoding_is_what_postgres_says() {
    let Some(server) = start() else { return };
    server.sql("postgres", CHARACTERS);
    for encoding in ENCODINGS {
        let table = encoding.to_lowercase();
        server.sql("postgres", &format!("SELECT make('{encoding}')"));
        let truth =
            format!("SELECT n, encode(convert_to(t, 'UTF8'), 'hex') FROM {table} ORDER BY n");
        let truth = server.sql("postgres", &truth);
        let truth: Vec<&str> = truth.lines().collect();
        assert!(truth.len() > 80, "{encoding}: {}", truth.len());
        for form in ["-Fp", "-Fc", "--inserts"] {
            let dump = server.dump(&["-E", encoding, form, "-t", &table, "postgres"]);
            let (facts, kept) = read_all(&dump);
            let source = DumpSource::from_bytes(dump, naming()).unwrap();
            let found = rows(&source, &table);
            let pairs = found.iter().zip(&truth);
            let differ: Vec<_> = pairs.filter(|(found, truth)| found != *truth).collect();
            assert_eq!(found.len(), truth.len());
            if encoding.starts_with("EUC") && !differ.is_empty() {
                // What PostgreSQL has beyond the standard is not guessed, but named.
                let named = |found: &String| found.ends_with("6120efbfbd207a");
                assert!(
                    differ.len() < 4 && differ.iter().all(|(found, _)| named(found)),
                    "{differ:?}"
                );
                assert_eq!(facts.status, DumpStatus::Damaged);
                let what = format!("{} cell", differ.len());
                assert!(
                    kept.rejects[0].what.starts_with(&what),
                    "{:?}",
                    kept.rejects
                );
            } else {
                assert!(differ.is_empty(), "{encoding} {form}: {differ:?}");
                assert_eq!(
                    facts.status,
                    DumpStatus::Complete,
                    "{encoding}: {:?}",
                    kept.rejects
                );
                assert!(source.damage().is_empty(), "{:?}", source.damage());
            }
        }
    }
}

#[test]
fn a_latin1_database_is_read_with_its_names() {
    let Some(server) = start() else { return };
    server.sql(
        "postgres",
        "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'",
    );
    server.sql(
        "latin",
        "CREATE TABLE \"größe\" (id int PRIMARY KEY, \"höhe\" text, b bytea, j json, a text[]);
         INSERT INTO \"größe\" VALUES (1, E'caf\u{e9}\\t\\\\ \\n\u{fc}', '\\xe9ff', '{\"ä\": \"é\"}', ARRAY['ü', NULL, 'x'])",
    );
    for arguments in [
        &["-Fp"][..],
        &["-Fc"],
        &["--column-inserts"],
        &["--inserts"],
        &["-Ft"],
    ] {
        let mut command = server.command("pg_dump");
        let dump = output_of(command.args(["-E", "LATIN1"]).args(arguments).arg("latin"));
        assert!(
            dump.windows(5).any(|bytes| bytes == b"gr\xf6\xdfe"),
            "{arguments:?} {}",
            String::from_utf8_lossy(&dump)
        );
        let (facts, kept) = read_all(&dump);
        assert_eq!(facts.status, DumpStatus::Complete, "{:?}", kept.rejects);
        let source = DumpSource::from_bytes(dump, naming()).unwrap();
        let all = source
            .read("größe", &["höhe", "b", "j", "a"], &RowFilter::All)
            .unwrap();
        let cells: Vec<String> = all.columns[..4]
            .iter()
            .map(|column| cell(column, 0))
            .collect();
        assert_eq!(cells[0], "café\t\\ \nü");
        assert_eq!(all.column("b").unwrap().bytes(0), Some(&[0xe9, 0xff][..]));
        assert_eq!(cells[2..], ["{\"ä\": \"é\"}", "{ü,NULL,x}"]);
        let wanted = RowFilter::BytesIn("höhe".into(), vec!["café\t\\ \nü".into()]);
        assert_eq!(source.read("größe", &["id"], &wanted).unwrap().rows(), 1);
    }
}

#[test]
fn cells_of_a_database_without_encoding_are_counted_and_named() {
    let Some(server) = start() else { return };
    server.sql(
        "postgres",
        "CREATE DATABASE bytes ENCODING 'SQL_ASCII' TEMPLATE template0 LOCALE 'C'",
    );
    let mut psql = server.command("psql");
    psql.env("PGCLIENTENCODING", "SQL_ASCII")
        .args(["-X", "-q", "-d", "bytes", "-c"]);
    output_of(psql.arg(
        "CREATE TABLE t (id int PRIMARY KEY, a text, b text);
         INSERT INTO t VALUES (1, 'plain', 'grün'), (2, E'caf\\xe9', 'ok'), (3, E'\\xff', E'\\xfe'), (4, NULL, 'ü')",
    ));
    for form in ["-Fp", "-Fc", "--inserts"] {
        let dump = server.dump(&["-E", "SQL_ASCII", form, "bytes"]);
        let (facts, kept) = read_all(&dump);
        assert_eq!(facts.status, DumpStatus::Damaged);
        let batch = kept.only("t");
        let column = |name: &str| -> Vec<String> {
            (0..4)
                .map(|row| cell(batch.column(name).unwrap(), row))
                .collect()
        };
        assert_eq!(column("a"), ["plain", "caf\u{fffd}", "\u{fffd}", "NULL"]);
        assert_eq!(column("b"), ["grün", "ok", "\u{fffd}", "ü"]);
        let [reject] = &kept.rejects[..] else {
            panic!("{:?}", kept.rejects);
        };
        assert_eq!(reject.table.as_deref(), Some("t"));
        let what = "3 cells are not UTF-8 (the database is SQL_ASCII, which says nothing of its texts) (a: 2, b: 1; the first in line";
        assert!(reject.what.starts_with(what), "{}", reject.what);
        assert!(facts.table(None, "t").unwrap().notes[0].starts_with(what));
        if form == "-Fp" {
            let row = &dump[reject.byte as usize..];
            assert!(row.starts_with(b"2\tcaf\xe9\tok\n"));
        }
        let source = DumpSource::from_bytes(dump, naming()).unwrap();
        let ids = source.read("t", &["id"], &RowFilter::All).unwrap();
        assert_eq!((ids.rows(), source.damage()), (4, Vec::new()));
        source.read("t", &["b"], &RowFilter::All).unwrap();
        assert!(
            source.damage()[0].contains("1 cell is not UTF-8"),
            "{:?}",
            source.damage()
        );
    }
}

#[test]
fn an_encoding_that_is_not_read_is_said() {
    let dump = b"SET client_encoding = 'SJIS';\nCREATE TABLE t (a text);\nCOPY t (a) FROM stdin;\nx\n\\.\n";
    let (facts, kept) = read_all(dump);
    assert_eq!(facts.status, DumpStatus::Damaged);
    assert!(kept.rejects[0].what.contains("SJIS"), "{:?}", kept.rejects);
}

#[test]
fn csv_and_pastes_that_are_no_utf8_say_so() {
    for text in [
        &b"id,name,note\n1,caf\xe9,x\n2,b,y\n"[..],
        b" id | name  \n----+-------\n  1 | caf\xe9\n  2 | b\n(2 rows)\n",
    ] {
        let (facts, kept) = read_all(text);
        assert_eq!(facts.status, DumpStatus::Damaged, "{:?}", kept.rejects);
        let told = kept.rejects.iter().any(|reject| {
            reject
                .what
                .starts_with("1 cell is not UTF-8 (name: 1; the first in line")
        });
        assert!(told, "{:?}", kept.rejects);
    }
}
