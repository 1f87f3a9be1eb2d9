//! COPY's text format in a file of its own, and CSV without a header: every cell is what PostgreSQL says.

use dumps::{DumpKind, DumpStatus};
use testkit::PostgresServer;

use crate::common::{cell, read_all};

const SETUP: &str = r#"
CREATE TABLE t (id bigint PRIMARY KEY, a text, b bytea, ok boolean, at timestamp);
INSERT INTO t SELECT i, CASE i % 7 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN E'tab\there' WHEN 3 THEN E'two\nlines'
  WHEN 4 THEN 'back\slash' WHEN 5 THEN 'bar|comma,semi;' ELSE E'quo"te \\N' END,
  decode(md5(i::text), 'hex'), CASE WHEN i % 3 = 0 THEN NULL ELSE i % 2 = 0 END, timestamp '2023-09-18' + i * interval '1 s'
FROM generate_series(1, 60) i;"#;

#[test]
fn every_cell_is_what_postgres_says() {
    let Some(server) = PostgresServer::start() else {
        eprintln!("SKIPPED: no PostgreSQL: COPY's text is not compared with it");
        return;
    };
    server.sql("postgres", SETUP);
    let truth = server.sql(
        "postgres",
        "SELECT id, coalesce(encode(convert_to(a, 'UTF8'), 'hex'), 'NULL'), encode(b, 'hex'), coalesce(ok::text, 'NULL'), \
         trunc(extract(epoch FROM at) * 1000000) FROM t ORDER BY id",
    );
    let truth: Vec<&str> = truth.lines().collect();
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
    for (options, kind, named) in [
        ("FORMAT text, HEADER", DumpKind::CopyText, true),
        (
            "FORMAT text, HEADER, DELIMITER '|'",
            DumpKind::CopyText,
            true,
        ),
        (
            "FORMAT text, HEADER, DELIMITER ','",
            DumpKind::CopyText,
            true,
        ),
        ("FORMAT text, DELIMITER '|'", DumpKind::CopyText, false),
        ("FORMAT text, DELIMITER ';'", DumpKind::CopyText, false),
        ("FORMAT text", DumpKind::CopyText, false),
        ("FORMAT csv", DumpKind::Delimited, false),
        ("FORMAT csv, DELIMITER ';'", DumpKind::Delimited, false),
        ("FORMAT csv, HEADER", DumpKind::Delimited, true),
        (
            "FORMAT csv, HEADER, DELIMITER E'\\t'",
            DumpKind::Delimited,
            true,
        ),
    ] {
        let copied = server.psql(
            &[],
            &format!("COPY (SELECT * FROM t ORDER BY id) TO STDOUT ({options})"),
        );
        assert_eq!(dumps::sniff(&copied), Some(kind), "{options}");
        let (facts, kept) = read_all(&copied);
        assert_eq!(
            facts.status,
            DumpStatus::Complete,
            "{options}: {:?}",
            kept.rejects
        );
        let names: Vec<&str> = facts.tables[0]
            .info
            .columns
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        match named {
            true => assert_eq!(names, ["id", "a", "b", "ok", "at"], "{options}"),
            false => assert_eq!(names, ["c1", "c2", "c3", "c4", "c5"], "{options}"),
        }
        let (_, batch) = &kept.rows[0];
        assert_eq!(batch.rows(), truth.len(), "{options}");
        for (row, expected) in truth.iter().enumerate() {
            let text = |column: usize| {
                batch.columns[column]
                    .bytes(row)
                    .map_or("NULL".to_owned(), hex)
            };
            let plain = |column: usize| cell(&batch.columns[column], row);
            let found = [plain(0), text(1), text(2), plain(3), plain(4)].join("\t");
            assert_eq!(found, *expected, "{options}");
        }
    }
}

#[test]
fn what_is_not_read_is_named_with_what_to_do() {
    for (text, what) in [
        (
            "-- MySQL dump 10.13  Distrib 8.0.34\n--\nINSERT INTO `t` VALUES (1,'x');\n",
            "MySQL or MariaDB",
        ),
        (
            "Hi,\n>  a | b \n> ---+---\n>  1 | 2\n> (1 row)\n",
            "take the marks off",
        ),
    ] {
        let (facts, kept) = read_all(text.as_bytes());
        assert!(dumps::sniff(text.as_bytes()).is_some(), "{text}");
        assert_eq!(facts.status, DumpStatus::Damaged);
        assert!(facts.tables.is_empty() && kept.rows.is_empty());
        assert!(kept.rejects[0].what.contains(what), "{:?}", kept.rejects);
        assert_eq!(facts.rejected_bytes, text.len() as u64);
    }
}

#[test]
fn logs_as_csv_without_a_header_are_no_table() {
    for log in [
        "1694000000,2023-09-06 12:00:00,node-1,started\n1694000001,2023-09-06 12:00:01,node-1,stopped\n",
        "1,INFO,t,x\n2,WARN,f,y\n",
        "1,2023-09-06T12:00:00Z,a\n2,2023-09-06T12:00:01Z,b\n",
    ] {
        assert_eq!(dumps::sniff(log.as_bytes()), None, "{log}");
    }
}
