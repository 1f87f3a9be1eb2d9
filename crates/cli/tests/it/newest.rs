//! The newest time of a database, where some of its times are infinite: no answer is as of then, whoever knows the newest
//! time from where.

use crate::run::{Desk, corpus_dump};
use std::path::Path;
use testkit::PostgresServer;

/// The newest time that is one, in a table between others.
const NEWEST: &str = "2023-09-18T05:48:13.120177";

/// A rollup whose times lie between two infinities.
fn rollup() -> Option<PostgresServer> {
    let server = PostgresServer::start()?;
    server.sql(
        "postgres",
        "CREATE TABLE l1_batches (number bigint PRIMARY KEY, \"timestamp\" bigint NOT NULL, eth_commit_tx_id int, created_at timestamp NOT NULL, updated_at timestamp NOT NULL); \
         INSERT INTO l1_batches VALUES (7, 1694952000, 1, '-infinity', '2023-09-18 03:00:00'), (8, 1694952060, NULL, '2023-09-18 03:01:00', 'infinity'); \
         CREATE TABLE miniblocks (number bigint PRIMARY KEY, l1_batch_number bigint, \"timestamp\" bigint NOT NULL, created_at timestamp NOT NULL, updated_at timestamp NOT NULL); \
         INSERT INTO miniblocks VALUES (1, 7, 1694952000, '2023-09-18 04:00:00', 'infinity'), (2, 7, 1694952001, 'infinity', '2023-09-18 04:00:01'), (3, 8, 1694952002, '-infinity', '-infinity'); \
         CREATE TABLE eth_txs (id int PRIMARY KEY, nonce bigint NOT NULL, tx_type text NOT NULL, confirmed_eth_tx_history_id int, created_at timestamp NOT NULL, updated_at timestamp NOT NULL); \
         INSERT INTO eth_txs VALUES (1, 5, 'CommitBlocks', 2, 'infinity', 'infinity'); \
         CREATE TABLE eth_txs_history (id int PRIMARY KEY, eth_tx_id int NOT NULL, tx_hash text NOT NULL, created_at timestamp NOT NULL, updated_at timestamp NOT NULL, confirmed_at timestamp); \
         INSERT INTO eth_txs_history VALUES (1, 1, '0xaa01', '2023-09-18 05:48:13.120177', 'infinity', NULL), (2, 1, '0xaa02', '2023-09-18 05:40:00', '-infinity', 'infinity')",
    );
    Some(server)
}

const TABLES: [&str; 4] = ["l1_batches", "miniblocks", "eth_txs", "eth_txs_history"];

/// Asks a dump directly and from a case: both answer as of the newest time that is one.
#[track_caller]
fn check(desk: &Desk, evidence: &str) {
    let case = format!("{evidence}.case");
    let said = desk.run(&["ingest", &case, evidence]);
    assert_eq!(said.code, 0, "{evidence}: {said:?}");
    for asked in [evidence, &case, &case] {
        for verb in [&["batches", asked][..], &["trace", asked, "batch:7"]] {
            let mut arguments = verb.to_vec();
            arguments.extend(["--format", "json"]);
            let said = desk.run(&arguments);
            let answer: serde_json::Value = serde_json::from_str(&said.stdout).expect(&said.stderr);
            assert_eq!(
                answer["as_of"]["value"], NEWEST,
                "{verb:?}: {}",
                answer["as_of"]
            );
        }
    }
}

#[test]
fn infinity_is_no_time_to_answer_as_of() {
    let Some(server) = rollup() else {
        eprintln!("SKIPPED: no PostgreSQL: no database with infinite times");
        return;
    };
    let desk = Desk::new();
    for (name, arguments) in [
        ("copy.sql", &[][..]),
        ("inserts.sql", &["--inserts"]),
        ("custom.dump", &["-Fc"]),
        ("tar.dump", &["-Ft"]),
    ] {
        desk.write(name, server.dump(arguments));
        check(&desk, name);
    }
    for (name, options) in [
        ("aligned.txt", &[][..]),
        ("expanded.txt", &["-x"]),
        ("unaligned.txt", &["-A"]),
    ] {
        let mut text = Vec::new();
        for table in TABLES {
            let query = format!("SELECT * FROM {table}");
            text.extend_from_slice(format!("postgres=# {query};\n").as_bytes());
            text.extend(server.psql(options, &query));
            text.push(b'\n');
        }
        desk.write(name, text);
        check(&desk, name);
    }
}

/// What a case keeps of a table's newest times is what its rows give.
#[track_caller]
fn kept_is_read(case: &Path) {
    let opened = case::Case::open(case).unwrap();
    let tables = opened.table_source(None);
    let mut seen = 0;
    for info in model::TableSource::tables(&tables) {
        let name = info.full_name();
        let columns: Vec<&str> = info.columns.iter().map(|(name, _)| name.as_str()).collect();
        let rows = model::TableSource::read(&tables, &name, &columns, &model::RowFilter::All);
        let rows = rows.unwrap();
        let mut expected = std::collections::BTreeMap::new();
        for column in &rows.columns {
            use model::ColumnType::{TimestampCivil, TimestampUtc};
            if !matches!(column.column_type, TimestampCivil | TimestampUtc) {
                continue;
            }
            let times = (0..column.len()).filter_map(|row| column.i64(row));
            if let Some(newest) = times.filter(|us| ![i64::MIN, i64::MAX].contains(us)).max() {
                expected.insert(column.name.clone(), newest);
                seen += 1;
            }
        }
        assert_eq!(
            model::TableSource::newest(&tables, &name),
            Some(expected),
            "{name}"
        );
    }
    assert!(seen > 0);
}

#[test]
fn newest_times_are_those_of_the_rows() {
    let desk = Desk::new();
    for name in [
        "z2023.full.copy.sql.gz",
        "znew.trace.fc.dump",
        "z2023.psql.aligned.txt",
    ] {
        let Some(path) = corpus_dump(name) else {
            return;
        };
        let case = format!("{name}.case");
        desk.run(&["ingest", &case, &path]);
        kept_is_read(&desk.path(&case));
    }
    // Times in no order, in many batches, with infinities and nulls, by a generator that always says the same.
    let mut state = 7_u64;
    let mut text = String::from(
        "--\n-- PostgreSQL database dump\n--\nCREATE TABLE public.miniblocks (\n    number bigint NOT NULL,\n    created_at timestamp without time zone,\n    updated_at timestamp with time zone,\n    never timestamp without time zone\n);\nCOPY public.miniblocks (number, created_at, updated_at, never) FROM stdin;\n",
    );
    for number in 0..200_000 {
        let mut draw = |most: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) % most
        };
        let mut time = |zone: &str| match draw(50) {
            0 => "infinity".to_owned(),
            1 => "-infinity".to_owned(),
            2 => "\\N".to_owned(),
            _ => format!(
                "20{:02}-{:02}-{:02} {:02}:{:02}:{:02}.{:06}{zone}",
                draw(30),
                1 + draw(12),
                1 + draw(28),
                draw(24),
                draw(60),
                draw(60),
                draw(1_000_000)
            ),
        };
        let row = format!(
            "{number}\t{}\t{}\t{}\n",
            time(""),
            time("+00"),
            ["infinity", "\\N"][number % 2]
        );
        text.push_str(&row);
    }
    text.push_str("\\.\n--\n-- PostgreSQL database dump complete\n--\n");
    desk.write("many.sql", text);
    assert_eq!(desk.run(&["ingest", "many.case", "many.sql"]).code, 0);
    kept_is_read(&desk.path("many.case"));
}
