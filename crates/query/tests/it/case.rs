//! The queries over cases that ingest made from the samples.

use crate::oracle::{self, Ask};
use case::{Case, CaseWriter, TableId};
use ingest::{IngestOptions, Quiet, ingest};
use query::{Engine, EngineOptions, Params, Queries};
use std::path::{Path, PathBuf};

fn sample(name: &str, folder: &Path) -> Case {
    let input = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../samples")
        .join(name)
        .join("input");
    let path: PathBuf = folder.join(name);
    let mut writer = CaseWriter::open_or_create(&path).unwrap();
    ingest(&mut writer, &[input], &IngestOptions::default(), &mut Quiet).unwrap();
    drop(writer);
    Case::open(&path).unwrap()
}

fn rows(engine: &Engine, sql: &str) -> Vec<String> {
    oracle::rows_of(&engine.sql(sql, &Params::new()).unwrap())
}

/// An empty kind must look as it would with rows.
fn tables_are_as_we_think(engine: &Engine) {
    let empty = Engine::new(EngineOptions::default()).unwrap();
    let described = |engine: &Engine, table: &str| rows(engine, &format!("DESCRIBE {table}"));
    let names: Vec<String> = empty.tables().map(|(name, _)| name.to_string()).collect();
    for name in names {
        assert_eq!(described(engine, &name), described(&empty, &name), "{name}");
    }
}

/// Gives DuckDB the Parquet files as they lie there, under our names.
fn duckdb_views(case: &Case) -> Vec<String> {
    let mut setup = vec!["CREATE SCHEMA obs".to_owned()];
    for id in case.tables() {
        let (name, reference) = match &id {
            TableId::Records => (
                "records".to_owned(),
                ", source || ':' || line || CASE WHEN lines > 1 THEN '-' || (line + lines - 1) ELSE '' END AS ref",
            ),
            TableId::Obs(kind) => (format!("obs.{kind}"), ", source || ':' || line AS ref"),
            TableId::Rejects | TableId::Duplicates | TableId::Keys | TableId::Hashes => continue,
            TableId::Table { schema, table, .. } if schema == "public" => (table.clone(), ""),
            TableId::Table { .. } => continue,
        };
        let files: Vec<String> = case
            .files(&id)
            .iter()
            .map(|file| format!("'{}'", file.display()))
            .collect();
        setup.push(format!(
            "CREATE OR REPLACE VIEW {name} AS SELECT *{reference} FROM read_parquet([{}])",
            files.join(", ")
        ));
    }
    setup
}

#[test]
fn queries_answer_over_the_medalla_sample() {
    let folder = tempfile::tempdir().unwrap();
    let case = sample("medalla-2020", folder.path());
    let engine = Engine::open(&case, EngineOptions::default()).unwrap();
    tables_are_as_we_think(&engine);
    let total = rows(&engine, "SELECT COUNT(*) AS n FROM records");
    assert_eq!(
        total,
        [case.rows(&TableId::Records).to_string()],
        "all records"
    );
    let queries = Queries::builtin().unwrap();
    let mut asks = Vec::new();
    let mut ours = Vec::new();
    for name in ["clock/offsets_over_2s", "logs/records_per_level_and_minute"] {
        let query = queries.get(name).unwrap();
        let outcome = engine.query(query, &[], None).unwrap();
        assert!(
            outcome.answer.rows.len() > 20 && outcome.missing.is_empty(),
            "{name}"
        );
        ours.push(oracle::rows_of(&outcome.answer));
        asks.push(Ask {
            sql: query.sql.clone(),
            params: query.bind(&[]).unwrap(),
        });
    }
    // The incident: clocks four hours ahead.
    assert!(
        ours[0]
            .iter()
            .any(|row| row.contains(" | reported | 14400.")),
        "{:?}",
        ours[0].first()
    );
    let summed = rows(
        &engine,
        "SELECT COUNT(*) AS n FROM (SELECT ref FROM records GROUP BY ref) r",
    );
    assert_eq!(summed, total, "references are unique");
    if let Some(theirs) = oracle::duckdb(&duckdb_views(&case), &asks) {
        assert_eq!(ours, theirs);
    }
}

#[test]
fn queries_answer_over_the_rollup_sample() {
    let folder = tempfile::tempdir().unwrap();
    let case = sample("zksync-2023", folder.path());
    let mut snapshots: Vec<&str> = case
        .manifest()
        .snapshots
        .iter()
        .filter(|snapshot| {
            snapshot
                .tables
                .iter()
                .any(|table| table.name == "l2_to_l1_logs")
        })
        .map(|snapshot| snapshot.name.as_str())
        .collect();
    snapshots.sort_unstable();
    let queries = Queries::builtin().unwrap();
    let query = queries.get("rollup/l2_to_l1_trace").unwrap();
    let given = [(
        "hash".to_owned(),
        "0x0bbbcf153f17ec0e1f12d698bbc64f9d242bc1cd1312dd5f34febf0e6cb6601a".to_owned(),
    )];
    let mut answered = 0;
    for snapshot in snapshots {
        let mut engine = Engine::open(&case, EngineOptions::default()).unwrap();
        engine.choose(model::Choice::of_snapshot(snapshot));
        tables_are_as_we_think(&engine);
        // A ticket holds some of the tables, and says which are missing.
        match engine.query(query, &given, None) {
            Ok(outcome) => {
                let rows = oracle::rows_of(&outcome.answer);
                assert_eq!(rows.len(), 3, "{snapshot}: {rows:?}");
                assert!(rows[0].contains(
                    "0x0b01e199877faef52b95477119f53bf546a2915bc903132331f41542e58da53d"
                ));
                assert!(rows[0].contains(" | 2023-09-18T03:50:19.059576 | true"));
                answered += 1;
            }
            Err(error) => assert!(
                matches!(
                    error,
                    query::QueryError::Needs { .. } | query::QueryError::NoColumn { .. }
                ),
                "{snapshot}: {error}"
            ),
        }
    }
    assert!(answered > 0);
}
