//! Real dumps, where they are at hand: the trace of every hash that the corpus index names.

use crate::fixture::{self, Golden, Table};
use crate::oracle::{self, Postgres};
use model::TableSource;
use query::{Engine, EngineOptions, Params, Queries};
use std::path::Path;
use std::process::Command;

const DUMPS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../../shared/corpus/zksync/dumps"
);
const SEED: &str = "0x0bbbcf153f17ec0e1f12d698bbc64f9d242bc1cd1312dd5f34febf0e6cb6601a";

/// Loads the corpus dumps into PostgreSQL and compares the trace of each hash with ours and DuckDB's
/// over the same tables.
pub(crate) fn trace_agrees(postgres: &Postgres, golden: &Golden) {
    let dumps = Path::new(DUMPS);
    let Ok(index) = std::fs::read_to_string(dumps.join("INDEX.md")) else {
        eprintln!("SKIPPED: no corpus at {DUMPS}");
        return;
    };
    let queries = Queries::builtin().unwrap();
    let query = queries.get("rollup/l2_to_l1_trace").unwrap();
    let mut hashes = vec![SEED.to_owned()];
    for line in index.lines().filter(|line| line.starts_with("* ")) {
        if let Some((_, hash)) = line.split_once(": 0x") {
            hashes.push(format!("0x{hash}"));
        }
    }
    assert!(hashes.len() > 30, "the index names a hash for each fate");
    for dump in ["z2023", "znew"] {
        let script = Command::new("gzip")
            .arg("-dc")
            .arg(dumps.join(format!("{dump}.full.copy.sql.gz")))
            .output()
            .unwrap();
        postgres.database(dump, &script.stdout);

        let tables: Vec<Table> = golden
            .tables
            .iter()
            .map(|t| copied(postgres, dump, t))
            .collect();
        let folder = tempfile::tempdir().unwrap();
        let engine = fixture::engine(&tables, folder.path());
        let asks: Vec<oracle::Ask> = hashes
            .iter()
            .map(|hash| oracle::Ask {
                sql: query.sql.clone(),
                params: query.bind(&[("hash".to_owned(), hash.clone())]).unwrap(),
            })
            .collect();
        let duckdb = oracle::duckdb(&fixture::duckdb_setup(&tables, folder.path()), &asks);
        // The same once more from the dump itself, as `sql` asks a plain dump.
        let naming = dumps::Naming {
            given: Some(dump.to_owned()),
            source: "0123456789ab".into(),
            ..dumps::Naming::default()
        };
        let source = dumps::DumpSource::from_bytes(script.stdout, naming).unwrap();
        let mut plain = Engine::new(EngineOptions::default()).unwrap();
        plain.register_source(&source, &query.sql).unwrap();
        every_row_can_be_shown(&source, postgres, dump);
        let mut rows = 0;
        for (at, ask) in asks.iter().enumerate() {
            let ours = oracle::rows_of(&engine.sql(&query.sql, &ask.params).unwrap());
            let theirs = postgres.ask(dump, query, &ask.params);
            assert_eq!(ours, theirs, "{dump} {}", hashes[at]);
            let from_dump = plain.sql(&query.sql, &ask.params).unwrap();
            assert_eq!(oracle::rows_of(&from_dump), theirs, "{dump} {}", hashes[at]);
            if let Some(duckdb) = &duckdb {
                assert_eq!(ours, duckdb[at], "{dump} {}", hashes[at]);
            }
            rows += ours.len();
        }
        assert!(rows > 3 * 15, "{dump}: {rows} rows over all fates");
        if dump == "z2023" {
            let seed = oracle::rows_of(&engine.sql(&query.sql, &asks[0].params).unwrap());
            seed_is_answered(&seed);
        }
    }
}

/// The jobs of September 2023 that never came back, as PostgreSQL finds them in the whole database.
pub(crate) fn stuck_jobs_agree(postgres: &Postgres, golden: &Golden) {
    if !Path::new(DUMPS).exists() {
        return;
    }
    let queries = Queries::builtin().unwrap();
    let query = queries.get("rollup/stuck_prover_jobs").unwrap();
    let table = copied(postgres, "z2023", &golden.tables[0]);
    let folder = tempfile::tempdir().unwrap();
    let engine = fixture::engine(&[table], folder.path());
    let before = (
        "started_before".to_owned(),
        "2023-09-08T12:28:17".to_owned(),
    );
    let params = query.bind(&[before]).unwrap();
    let ours = oracle::rows_of(&engine.sql(&query.sql, &params).unwrap());
    assert_eq!(ours, postgres.ask("z2023", query, &params));
    let batches: Vec<&str> = ours
        .iter()
        .map(|row| row.split(" | ").next().unwrap())
        .collect();
    assert_eq!(batches, ["1139", "1140", "1141", "1142", "1143"]);
    assert!(
        ours.iter()
            .all(|row| row.ends_with(" | attempts used up | 4")),
        "{ours:?}"
    );
}

/// The same for a query over all of a rollup's batches; the databases are those that [`trace_agrees`] made.
pub(crate) fn batches_agree(postgres: &Postgres, name: &str, golden: &Golden, least_rows: usize) {
    let dumps = Path::new(DUMPS);
    if !dumps.exists() {
        eprintln!("SKIPPED: no corpus at {DUMPS}");
        return;
    }
    let queries = Queries::builtin().unwrap();
    let query = queries.get(name).unwrap();
    let params = query.bind(&[]).unwrap();
    for dump in ["z2023", "znew"] {
        let theirs = postgres.ask(dump, query, &params);
        assert!(theirs.len() > least_rows, "{dump} {name}: {}", theirs.len());
        let tables: Vec<Table> = golden
            .tables
            .iter()
            .map(|table| copied(postgres, dump, table))
            .collect();
        let folder = tempfile::tempdir().unwrap();
        let engine = fixture::engine(&tables, folder.path());
        let ours = oracle::rows_of(&engine.sql(&query.sql, &params).unwrap());
        assert_eq!(ours, theirs, "{dump} {name}");
        let ask = oracle::Ask {
            sql: query.sql.clone(),
            params: params.clone(),
        };
        if let Some(duckdb) = oracle::duckdb(&fixture::duckdb_setup(&tables, folder.path()), &[ask])
        {
            assert_eq!(duckdb[0], theirs, "{dump} {name}");
        }
    }
}

/// Each table has as many rows as PostgreSQL counts, and each row a reference of its own.
fn every_row_can_be_shown(source: &dumps::DumpSource, postgres: &Postgres, dump: &str) {
    let tables = source.tables();
    assert!(tables.len() > 20);
    for info in tables {
        let sql = format!(
            "SELECT COUNT(*) AS n, COUNT(DISTINCT ref) AS refs FROM {}.{}.{}",
            info.snapshot, info.schema, info.name
        );
        let mut engine = Engine::new(EngineOptions::default()).unwrap();
        engine.register_source(source, &sql).unwrap();
        let ours = engine.sql(&sql, &Params::new()).unwrap();
        let count = format!(
            "SELECT COUNT(*) AS n, COUNT(*) AS refs FROM {}.{}",
            info.schema, info.name
        );
        assert_eq!(
            oracle::rows_of(&ours),
            postgres.rows(dump, &count),
            "{}",
            info.name
        );
    }
    let mut engine = Engine::new(EngineOptions::default()).unwrap();
    let sql = "SELECT ref FROM eth_txs WHERE id = 41073";
    engine.register_source(source, sql).unwrap();
    let rows = oracle::rows_of(&engine.sql(sql, &Params::new()).unwrap());
    assert_eq!(rows, ["0123456789ab:public.eth_txs#41073"]);
    // Only named columns were read; a wrong name still finds its neighbour, an unread table is no empty one.
    let error = engine
        .sql("SELECT noncee FROM eth_txs", &Params::new())
        .unwrap_err();
    assert_eq!(
        error.hint().unwrap(),
        "nearest: nonce; DESCRIBE <table> lists all"
    );
    assert!(
        engine
            .sql("SELECT 1 FROM miniblocks", &Params::new())
            .is_err()
    );
    let described = engine.sql("DESCRIBE miniblocks", &Params::new()).unwrap();
    assert!(described.rows.len() > 10);
}

/// What the seed's author found by hand.
fn seed_is_answered(rows: &[String]) {
    let expected = [
        "15841 | 1 | 7670 | 1 | commit | 41073 | 41091 | CommitBlocks | 0x5e3e5f6ef0e21f0cf5b4c3acd3cf29740b1cbbd8 | \
         false | 43194 | 0x0b01e199877faef52b95477119f53bf546a2915bc903132331f41542e58da53d | ",
        "15841 | 1 | 7670 | 2 | prove | 41148 | ",
        "15841 | 1 | 7670 | 3 | execute | 41151 | ",
    ];
    assert_eq!(rows.len(), expected.len(), "{rows:#?}");
    for (row, start) in rows.iter().zip(expected) {
        assert!(row.starts_with(start), "{row}");
        assert!(row.ends_with(" | true"), "{row}");
    }
    assert!(
        rows[0].contains(" | 2023-09-18T03:50:19.059576 | "),
        "{}",
        rows[0]
    );
}

/// Returns the columns that the golden table names, with the rows of the database.
fn copied(postgres: &Postgres, database: &str, like: &Table) -> Table {
    let columns: Vec<&str> = like.columns.iter().map(|(name, _)| name.as_str()).collect();
    let script = format!(
        "COPY (SELECT {} FROM {}) TO STDOUT",
        columns.join(", "),
        like.name
    );
    let rows = postgres.script(database, script.as_bytes());
    let cell = |text: &str| match text {
        "\\N" => None,
        "t" => Some("true".to_owned()),
        "f" => Some("false".to_owned()),
        text => Some(text.strip_prefix("\\\\x").unwrap_or(text).to_owned()),
    };
    Table {
        name: like.name.clone(),
        columns: like.columns.clone(),
        rows: rows
            .lines()
            .map(|line| line.split('\t').map(cell).collect())
            .collect(),
    }
}
