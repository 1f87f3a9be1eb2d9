//! A live PostgreSQL: one instant, every cell, and what cannot be read is said.

use crate::common::{cell, read_all};
use crate::postgres::{SETUP, compare, start};
use dumps::{
    DumpStatus, LiveError, LiveFacts, LiveLogin, LiveOptions, LiveTarget, Secret, read_live,
};
use std::io::Write;
use std::path::Path;
use testkit::PostgresServer;

fn url(folder: &Path, user: &str) -> String {
    let folder = folder.display().to_string().replace('/', "%2F");
    format!("postgres://{user}@{folder}/postgres")
}

fn target(server: &PostgresServer, login: &LiveLogin) -> LiveTarget {
    LiveTarget::parse(&url(server.socket_folder(), "postgres"), login).unwrap()
}

#[track_caller]
fn read(folder: &Path, options: &LiveOptions) -> (Vec<u8>, LiveFacts) {
    let target = LiveTarget::parse(&url(folder, "postgres"), &LiveLogin::default()).unwrap();
    let mut text = Vec::new();
    let facts = read_live(&target, options, &mut text, &mut |_| true).unwrap();
    (text, facts)
}

#[test]
fn every_cell_is_what_the_server_says() {
    let Some(cluster) = start() else {
        return;
    };
    cluster.sql("postgres", SETUP);
    cluster.sql(
        "postgres",
        "CREATE MATERIALIZED VIEW stored AS SELECT id, t FROM nasty_rows WHERE id < 9; CREATE TEMP TABLE passing (a int)",
    );
    let (text, live) = read(cluster.socket_folder(), &LiveOptions::default());
    assert_eq!(live.problems, []);
    assert_eq!(live.database, "postgres");
    let (facts, kept) = read_all(&text);
    assert_eq!(facts.status, DumpStatus::Complete, "{:?}", facts.rejects);
    assert_eq!(facts.database.as_deref(), Some("postgres"));
    assert_eq!(facts.started_on, Some(live.taken_at_us));
    let mut cells = 0;
    for table in &facts.tables {
        let batches: Vec<_> = kept
            .rows
            .iter()
            .filter(|(info, _)| info.name == table.info.name)
            .collect();
        if let [(_, batch)] = batches.as_slice() {
            cells += compare(&cluster, "hex", table, batch);
        }
    }
    assert!(cells > 20_000, "{cells}");
    let names: Vec<&str> = facts
        .tables
        .iter()
        .map(|table| table.info.name.as_str())
        .collect();
    for name in [
        "empty_table",
        "no_columns",
        "parted_low",
        "stored",
        "ta\"ble; (x",
    ] {
        assert!(names.contains(&name), "{name} of {names:?}");
    }
    assert_eq!(
        facts.table(None, "empty_table").unwrap().info.primary_key,
        ["b", "a"]
    );
    // A generated column comes along, which pg_dump leaves out.
    let odd = facts.table(Some("odd Schema"), "ta\"ble; (x").unwrap();
    assert!(odd.info.columns.iter().any(|(name, _)| name == "g"));
}

/// Runs something when the text has come to a certain word.
struct Trip<'t> {
    text: Vec<u8>,
    word: &'static [u8],
    then: Option<Box<dyn FnOnce() + 't>>,
}

impl Write for Trip<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.text.extend_from_slice(bytes);
        let come = memchr::memmem::find(&self.text, self.word).is_some();
        if let (true, Some(then)) = (come, self.then.take_if(|_| come)) {
            then();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn all_tables_show_one_instant_and_nothing_is_written() {
    let Some(server) = PostgresServer::start() else {
        return;
    };
    server.sql(
        "postgres",
        "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY); INSERT INTO a VALUES (1); INSERT INTO b VALUES (1)",
    );
    let target = target(&server, &LiveLogin::default());
    let mut trip = Trip {
        text: Vec::new(),
        word: b"COPY \"public\".\"a\"",
        then: Some(Box::new(|| {
            server.sql(
                "postgres",
                "INSERT INTO a VALUES (2); INSERT INTO b VALUES (2); DELETE FROM b WHERE id = 1",
            );
        })),
    };
    read_live(&target, &LiveOptions::default(), &mut trip, &mut |_| true).unwrap();
    assert!(trip.then.is_none());
    let (_, kept) = read_all(&trip.text);
    for table in ["a", "b"] {
        let batch = kept.only(table);
        assert_eq!(batch.rows(), 1);
        assert_eq!(cell(&batch.columns[0], 0), "1");
    }
    assert_eq!(server.sql("postgres", "SELECT id FROM b"), "2\n");
}

#[test]
fn tables_are_chosen_by_name() {
    let Some(server) = PostgresServer::start() else {
        return;
    };
    server.sql(
        "postgres",
        "CREATE TABLE eth_txs (id int); CREATE TABLE eth_txs_history (id int); CREATE TABLE other (id int); \
         CREATE SCHEMA prover; CREATE TABLE prover.jobs (id int)",
    );
    let names = |patterns: &[&str]| -> Vec<String> {
        let options = LiveOptions {
            tables: patterns
                .iter()
                .map(|pattern| (*pattern).to_owned())
                .collect(),
            ..LiveOptions::default()
        };
        let (facts, _) = read_all(&read(server.socket_folder(), &options).0);
        facts
            .tables
            .iter()
            .map(|table| table.info.name.clone())
            .collect()
    };
    assert_eq!(names(&["eth_*"]), ["eth_txs", "eth_txs_history"]);
    assert_eq!(names(&["prover.*", "public.other"]), ["jobs", "other"]);
    let options = LiveOptions {
        tables: vec!["eth_tx".to_owned()],
        ..LiveOptions::default()
    };
    let target = target(&server, &LiveLogin::default());
    let error = read_live(&target, &options, &mut Vec::new(), &mut |_| true).unwrap_err();
    assert!(
        matches!(error, LiveError::NoTable { .. }) && error.to_string().contains("eth_txs_history"),
        "{error}"
    );
}

#[test]
fn what_cannot_be_read_is_said_and_the_rest_is_read() {
    let Some(server) = PostgresServer::start() else {
        return;
    };
    server.sql(
        "postgres",
        "CREATE TABLE a_first (id int PRIMARY KEY); INSERT INTO a_first SELECT generate_series(1, 1000); \
         CREATE MATERIALIZED VIEW hidden AS SELECT 1 AS a; \
         CREATE TABLE filtered (id int); INSERT INTO filtered VALUES (1); ALTER TABLE filtered ENABLE ROW LEVEL SECURITY; \
         CREATE TABLE z_last (id int PRIMARY KEY); INSERT INTO z_last VALUES (7); \
         CREATE ROLE reader LOGIN; GRANT SELECT ON a_first, filtered, z_last TO reader; \
         CREATE SCHEMA closed; CREATE TABLE closed.secret (id int)",
    );
    let reader = url(server.socket_folder(), "reader");
    let target = LiveTarget::parse(&reader, &LiveLogin::default()).unwrap();
    let mut text = Vec::new();
    let live = read_live(&target, &LiveOptions::default(), &mut text, &mut |_| true).unwrap();
    let what: Vec<&str> = live
        .problems
        .iter()
        .map(|problem| problem.what.as_str())
        .collect();
    assert_eq!(what.len(), 3, "{what:?}");
    assert_eq!(what[0], "table closed.secret: this role may not read it");
    assert!(what[1].starts_with("table filtered: reading stopped after 0 rows: query would be affected by row-level security"), "{what:?}");
    assert_eq!(what[2], "table hidden: this role may not read it");
    let (facts, kept) = read_all(&text);
    assert_eq!(facts.status, DumpStatus::Complete);
    assert_eq!(kept.count("a_first"), 1000);
    assert_eq!(kept.count("z_last"), 1);
    assert_eq!(kept.count("filtered"), 0);
}

/// Reads a database with a large table while its server is told something in the middle of it.
fn interrupted(order: &str) -> Option<(Vec<u8>, LiveFacts)> {
    let server = PostgresServer::start()?;
    server.sql(
        "postgres",
        "CREATE TABLE big (id int PRIMARY KEY, t text); INSERT INTO big SELECT i, repeat('x', 1000) FROM generate_series(1, 50000) i; \
         CREATE TABLE z_last (id int); INSERT INTO z_last VALUES (7)",
    );
    let target = target(&server, &LiveLogin::default());
    let mut trip = Trip {
        text: Vec::new(),
        word: b"\n100\txxx",
        then: Some(Box::new(|| {
            let of = "FROM pg_stat_activity WHERE application_name = 'coroner'";
            server.sql("postgres", &format!("SELECT {order}(pid) {of}"));
        })),
    };
    let live = read_live(&target, &LiveOptions::default(), &mut trip, &mut |_| true).unwrap();
    let text = std::mem::take(&mut trip.text);
    drop(trip);
    Some((text, live))
}

#[test]
fn a_table_that_is_given_up_keeps_its_rows_and_the_others_are_read() {
    // A statement timeout ends a statement just so.
    let Some((text, live)) = interrupted("pg_cancel_backend") else {
        return;
    };
    let [problem] = live.problems.as_slice() else {
        panic!("{:?}", live.problems)
    };
    assert!(
        problem
            .what
            .starts_with("table big: reading stopped after "),
        "{}",
        problem.what
    );
    assert!(
        problem
            .what
            .ends_with(" rows: canceling statement due to user request"),
        "{}",
        problem.what
    );
    let (facts, kept) = read_all(&text);
    let read = kept.count("big");
    assert!((100..50_000).contains(&read), "{read}");
    assert!(problem.what.contains(&format!("after {read} rows")));
    assert_eq!(facts.tables[0].damaged_rows, 0);
    assert_eq!(kept.count("z_last"), 1);
}

#[test]
fn a_connection_that_breaks_loses_nothing_that_came() {
    let Some((text, live)) = interrupted("pg_terminate_backend") else {
        return;
    };
    assert_eq!(live.problems.len(), 2, "{:?}", live.problems);
    assert!(
        live.problems[1].what.starts_with("table z_last: "),
        "{:?}",
        live.problems
    );
    let (_, kept) = read_all(&text);
    assert!((100..50_000).contains(&kept.count("big")));
    assert_eq!(kept.count("z_last"), 0);
}

#[test]
fn a_password_is_asked_for_and_never_shown() {
    let password = "s3cret: with \\ signs";
    let Some(server) = PostgresServer::start_with_password(password) else {
        return;
    };
    let read = |login: &LiveLogin| {
        let target = target(&server, login);
        let mut text = Vec::new();
        read_live(&target, &LiveOptions::default(), &mut text, &mut |_| true)
            .map(|_| String::from_utf8(text).unwrap())
    };
    let error = read(&LiveLogin::default()).unwrap_err();
    assert!(matches!(error, LiveError::Connect { .. }), "{error:?}");
    let error = read(&LiveLogin {
        password: Some(Secret::new("wrong-one")),
        ..LiveLogin::default()
    });
    let error = error.unwrap_err();
    assert!(
        !format!("{error:?}{error}").contains("wrong-one"),
        "{error:?}"
    );
    let by_environment = LiveLogin {
        password: Some(Secret::new(password)),
        ..LiveLogin::default()
    };
    assert!(!read(&by_environment).unwrap().contains("s3cret"));
    let by_file = LiveLogin {
        password_file: Some(Secret::new(
            "localhost:*:postgres:postgres:s3cret\\: with \\\\ signs\n",
        )),
        ..LiveLogin::default()
    };
    assert!(!read(&by_file).unwrap().contains("s3cret"));
}

#[test]
fn a_server_that_is_not_there_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let target = LiveTarget::parse(&url(folder.path(), "x"), &LiveLogin::default()).unwrap();
    let error = read_live(
        &target,
        &LiveOptions::default(),
        &mut Vec::new(),
        &mut |_| true,
    )
    .unwrap_err();
    assert!(matches!(error, LiveError::Connect { .. }), "{error:?}");
}
