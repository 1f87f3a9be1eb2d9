//! Each query under `queries/` has golden rows on tiny tables (`tests/golden/<name>.txt`), and DuckDB
//! and PostgreSQL give the same ones. `UPDATE_GOLDEN=1` rewrites them; read the diff.

use crate::fixture::{self, Golden};
use crate::oracle::{self, Postgres, Rows};
use query::{Queries, Query};
use std::path::Path;

fn golden(query: &Query) -> Golden {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    Golden::read(&folder.join(format!("{}.txt", query.name)))
}

#[test]
fn every_query_gives_its_golden_rows() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    for query in Queries::builtin().unwrap().iter() {
        let golden = golden(query);
        let folder = tempfile::tempdir().unwrap();
        let engine = fixture::engine(&golden.tables, folder.path());
        let answers: Vec<Rows> = golden
            .asks
            .iter()
            .map(|ask| {
                let outcome = engine.query(query, &ask.params, None).unwrap();
                oracle::rows_of(&outcome.answer)
            })
            .collect();
        assert!(
            answers.iter().any(|rows| rows.len() > 1),
            "{}: too few rows",
            query.name
        );
        if update {
            golden.update(&answers);
            continue;
        }
        for (ask, rows) in golden.asks.iter().zip(&answers) {
            assert_eq!(*rows, ask.expected, "{} {:?}", query.name, ask.params);
        }
    }
}

#[test]
fn every_query_means_the_same_to_duckdb() {
    for query in Queries::builtin().unwrap().iter() {
        let golden = golden(query);
        let folder = tempfile::tempdir().unwrap();
        let _ = fixture::engine(&golden.tables, folder.path());
        let asks: Vec<oracle::Ask> = golden
            .asks
            .iter()
            .map(|ask| oracle::Ask {
                sql: query.sql.clone(),
                params: query.bind(&ask.params).unwrap(),
            })
            .collect();
        let Some(answers) =
            oracle::duckdb(&fixture::duckdb_setup(&golden.tables, folder.path()), &asks)
        else {
            return;
        };
        for (ask, rows) in golden.asks.iter().zip(answers) {
            assert_eq!(rows, ask.expected, "{} {:?}", query.name, ask.params);
        }
    }
}

#[test]
fn database_queries_mean_the_same_to_postgres() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let mut compared = 0;
    for (number, query) in Queries::builtin().unwrap().iter().enumerate() {
        let golden = golden(query);
        let Some(script) = fixture::postgres_setup(&golden.tables) else {
            continue;
        };
        let database = format!("golden{number}");
        postgres.database(&database, script.as_bytes());
        for ask in &golden.asks {
            let rows = postgres.ask(&database, query, &query.bind(&ask.params).unwrap());
            assert_eq!(rows, ask.expected, "{} {:?}", query.name, ask.params);
            compared += 1;
        }
    }
    assert!(compared > 0);
    crate::semantics::agree_with(&postgres);
    let queries = Queries::builtin().unwrap();
    let trace = golden(queries.get("rollup/l2_to_l1_trace").unwrap());
    crate::corpus::trace_agrees(&postgres, &trace);
    let jobs = golden(queries.get("rollup/stuck_prover_jobs").unwrap());
    crate::corpus::stuck_jobs_agree(&postgres, &jobs);
    for (name, least_rows) in [
        ("rollup/batches", 900),
        ("rollup/resent_l1_transactions", 10),
    ] {
        let golden = golden(queries.get(name).unwrap());
        crate::corpus::batches_agree(&postgres, name, &golden, least_rows);
    }
}

/// Design §6: what the engines do not all understand alike has no place under `queries/`.
#[test]
fn queries_keep_to_the_portable_subset() {
    for query in Queries::builtin().unwrap().iter() {
        let body: String = query
            .sql
            .lines()
            .map(|line| line.split("--").next().unwrap())
            .collect::<Vec<_>>()
            .join(" ");
        let words = format!(
            " {} ",
            body.to_lowercase()
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
        );
        for banned in [
            "::",
            " lateral ",
            "distinct on",
            " qualify ",
            " not in ",
            " / ",
            " ilike ",
            " range between ",
            " using (",
        ] {
            assert!(
                !words.contains(banned) || (banned == " / " && words.contains("cast(")),
                "{}: {banned}",
                query.name
            );
        }
    }
}
