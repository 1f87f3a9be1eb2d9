//! What the engine answers, refuses and says.

use model::{Answer, Batch, Cell, Column, ColumnType, TableInfo};
use query::{Engine, EngineOptions, ParamValue, Params, Queries, QueryError};

pub(crate) fn info(snapshot: &str, name: &str, columns: &[(&str, ColumnType)]) -> TableInfo {
    TableInfo {
        snapshot: snapshot.to_owned(),
        part: String::new(),
        schema: "public".to_owned(),
        name: name.to_owned(),
        source: "0123456789ab".into(),
        columns: columns.iter().map(|(n, t)| ((*n).to_owned(), *t)).collect(),
        primary_key: vec!["id".to_owned()],
        types_inferred: false,
    }
}

fn engine() -> Engine {
    let mut engine = Engine::new(EngineOptions::default()).unwrap();
    let columns = [
        ("id", ColumnType::I64),
        ("name", ColumnType::Text),
        ("hash", ColumnType::Bytes),
        ("at", ColumnType::TimestampCivil),
        ("seen", ColumnType::TimestampUtc),
        ("level", ColumnType::Dict),
        ("data", ColumnType::Json),
        ("fee", ColumnType::Numeric),
        ("ok", ColumnType::Bool),
        ("share", ColumnType::F64),
    ];
    let mut batch = Batch {
        columns: columns.iter().map(|(n, t)| Column::new(*n, *t)).collect(),
    };
    for id in 1..=3 {
        for column in &mut batch.columns {
            if id == 3 && column.name != "id" {
                column.push_null();
                continue;
            }
            match (column.name.as_str(), &mut column.data) {
                ("id", _) => column.push_i64(id),
                ("name", _) => column.push_text(format!("n{id}").as_bytes()),
                ("hash", _) => column.push_bytes(&[0xab, id as u8]),
                ("at" | "seen", _) => column.push_i64(id * 1_000_000),
                ("level", model::ColumnData::Dict { codes, values }) => {
                    codes.push((id - 1) as i32);
                    values.push(format!("l{id}").as_bytes());
                    if let Some(valid) = &mut column.valid {
                        valid.push(true);
                    }
                }
                ("data", _) => column.push_text(b"{\"a\":[1,null]}"),
                ("fee", _) => column.push_text(b"10000000000000000000000"),
                ("ok", _) => column.push_bool(id == 1),
                ("share", _) => column.push_f64(0.5),
                _ => unreachable!(),
            }
        }
    }
    engine
        .register_batches(&info("z", "things", &columns), vec![batch])
        .unwrap();
    engine
}

#[track_caller]
fn one(engine: &Engine, sql: &str) -> Vec<Cell> {
    let answer = engine.sql(sql, &Params::new()).unwrap();
    assert_eq!(answer.rows.len(), 1, "{answer:?}");
    answer.rows[0].clone()
}

#[test]
fn every_type_comes_back_as_it_went_in() {
    let answer = engine()
        .sql("SELECT * FROM things ORDER BY id", &Params::new())
        .unwrap();
    let types: Vec<(&str, &str)> = answer
        .columns
        .iter()
        .map(|column| (column.name.as_str(), column.type_name.as_str()))
        .collect();
    assert_eq!(
        types,
        [
            ("id", "i64"),
            ("name", "text"),
            ("hash", "bytes"),
            ("at", "timestamp_civil"),
            ("seen", "timestamp_utc"),
            ("level", "text"),
            ("data", "json"),
            ("fee", "numeric"),
            ("ok", "bool"),
            ("share", "f64"),
            ("ref", "text"),
        ]
    );
    assert_eq!(
        answer.rows[1],
        [
            Cell::I64(2),
            Cell::Text("n2".into()),
            Cell::Bytes(vec![0xab, 2]),
            Cell::Civil(2_000_000),
            Cell::Utc(2_000_000),
            Cell::Text("l2".into()),
            Cell::Json(serde_json::json!({"a": [1, null]})),
            Cell::Text("10000000000000000000000".into()),
            Cell::Bool(false),
            Cell::F64(0.5),
            Cell::Text("0123456789ab:public.things#2".into()),
        ]
    );
    assert_eq!(answer.rows[2][1..10], vec![Cell::Null; 9]);
}

#[test]
fn names_resolve_by_snapshot() {
    let mut engine = engine();
    for name in [
        "things",
        "public.things",
        "z.things",
        "z.public.things",
        "\"z\".\"public\".things",
    ] {
        assert_eq!(
            one(&engine, &format!("SELECT COUNT(*) FROM {name}")),
            [Cell::I64(3)],
            "{name}"
        );
    }
    let columns = [("id", ColumnType::I64)];
    engine
        .register_batches(&info("y", "things", &columns), vec![])
        .unwrap();
    let error = engine
        .sql("SELECT * FROM things", &Params::new())
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "table `things` is in several snapshots: y.public.things, z.public.things"
    );
    let both = "SELECT (SELECT COUNT(*) FROM y.public.things) AS y, (SELECT COUNT(*) FROM z.public.things) AS z";
    assert_eq!(one(&engine, both), [Cell::I64(0), Cell::I64(3)]);
    let error = engine
        .sql("SELECT * FROM thingz", &Params::new())
        .unwrap_err();
    assert_eq!(
        error.hint().unwrap(),
        "nearest: y.public.things, z.public.things; SHOW TABLES lists all"
    );
    let error = engine
        .sql("SELECT nam FROM z.public.things", &Params::new())
        .unwrap_err();
    assert_eq!(
        error.hint().unwrap(),
        "nearest: name, at; DESCRIBE <table> lists all"
    );
}

#[test]
fn known_kinds_are_empty_not_unknown() {
    let outcome = engine()
        .run(
            "SELECT ts, offset_s, ref FROM obs.clock_samples",
            &Params::new(),
            None,
        )
        .unwrap();
    assert_eq!(outcome.answer.rows.len(), 0);
    assert_eq!(outcome.answer.columns[0].type_name, "timestamp_utc");
    assert_eq!(outcome.missing, ["obs.clock_samples"]);
    assert_eq!(
        one(&engine(), "SELECT COUNT(*) FROM records"),
        [Cell::I64(0)]
    );
    assert!(matches!(
        engine().sql("SELECT * FROM obs.clock_sample", &Params::new()),
        Err(QueryError::NoTable { nearest, .. }) if nearest == ["obs.clock_samples"]
    ));
}

#[test]
fn nothing_but_reading_runs() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out.parquet");
    for sql in [
        "DELETE FROM things",
        "INSERT INTO things (id) VALUES (1)",
        "UPDATE things SET id = 1",
        "DROP TABLE things",
        "CREATE TABLE x AS SELECT 1",
        "CREATE VIEW x AS SELECT 1",
        "CREATE EXTERNAL TABLE x STORED AS PARQUET LOCATION '/tmp'",
        &format!("COPY (SELECT 1) TO '{}'", out.display()),
        &format!("EXPLAIN ANALYZE COPY (SELECT 1) TO '{}'", out.display()),
        "SET datafusion.execution.target_partitions = 8",
        "RESET datafusion.execution.target_partitions",
        "BEGIN",
        "PREPARE p AS SELECT 1",
        "EXECUTE p",
        "EXPLAIN DELETE FROM things",
        "SELECT 1; SELECT 2",
        "",
        "WITH x AS (DELETE FROM things) SELECT 1",
        "SELECT 1 INTO x",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_csv('/etc/passwd')",
    ] {
        let error = engine().sql(sql, &Params::new());
        assert!(error.is_err(), "{sql} ran: {error:?}");
        assert!(!error.unwrap_err().is_our_fault(), "{sql}");
    }
    assert!(!out.exists());
    let refused = engine()
        .sql("DELETE FROM things", &Params::new())
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "DELETE FROM is refused: only SELECT, WITH, VALUES, EXPLAIN, SHOW TABLES and DESCRIBE are run"
    );
    for sql in [
        "VALUES (1)",
        "EXPLAIN SELECT 1",
        "SHOW TABLES",
        "DESCRIBE things",
        "WITH x AS (SELECT 1 AS a) SELECT a FROM x",
        "-- c\nSELECT 1;",
    ] {
        engine().sql(sql, &Params::new()).unwrap();
    }
}

#[test]
fn parameters_are_bound() {
    let params: Params = [
        ("id".to_owned(), ParamValue::Integer(2)),
        (
            "name".to_owned(),
            ParamValue::Text("n2' OR '1'='1".to_owned()),
        ),
        ("at".to_owned(), ParamValue::Timestamp(2_000_000)),
        ("share".to_owned(), ParamValue::Real(0.25)),
        ("ok".to_owned(), ParamValue::Boolean(false)),
        ("n".to_owned(), ParamValue::Integer(1)),
    ]
    .into();
    let sql = "WITH t AS (SELECT * FROM things WHERE id >= $id)
        SELECT id FROM t WHERE seen >= $at AND share > $share AND ok = $ok
          AND NOT EXISTS (SELECT 1 FROM things x WHERE x.name = $name) LIMIT $n";
    assert_eq!(engine().sql(sql, &params).unwrap().rows, [[Cell::I64(2)]]);
    let error = engine().sql("SELECT $a", &Params::new()).unwrap_err();
    assert_eq!(error.to_string(), "parameter `a`: missing");
    let error = engine().sql("SELECT 1", &params).unwrap_err();
    assert_eq!(
        error.to_string(),
        "parameter `at`: not used by the statement"
    );
    assert_eq!(
        engine()
            .sql(
                "SELECT '$a', \"id\" FROM things WHERE id = 1 -- $b",
                &Params::new()
            )
            .unwrap()
            .rows[0][1],
        Cell::I64(1)
    );
}

#[test]
fn a_limit_says_that_there_is_more() {
    let outcome = engine()
        .run("SELECT id FROM things ORDER BY id", &Params::new(), Some(2))
        .unwrap();
    assert_eq!((outcome.answer.rows.len(), outcome.more), (2, true));
    let outcome = engine()
        .run("SELECT id FROM things ORDER BY id", &Params::new(), Some(3))
        .unwrap();
    assert_eq!((outcome.answer.rows.len(), outcome.more), (3, false));
}

#[test]
fn embedded_queries_load() {
    let queries = Queries::builtin().unwrap();
    assert!(queries.iter().count() >= 3);
    assert_eq!(
        queries.get("l2_to_l1_trace").unwrap().name,
        "rollup/l2_to_l1_trace"
    );
    let error = queries.get("l1_to_l2_trace").unwrap_err();
    assert!(error.hint().unwrap().contains("rollup/l2_to_l1_trace"));
    let answer: Answer = Engine::new(EngineOptions::default())
        .unwrap()
        .query(queries.get("offsets_over_2s").unwrap(), &[], None)
        .unwrap()
        .answer;
    assert!(answer.rows.is_empty());
}

/// A table of numbers as a dump has them.
fn numbers(values: &[&str]) -> Engine {
    let columns = [("id", ColumnType::I64), ("wei", ColumnType::Numeric)];
    let mut batch = Batch {
        columns: columns.iter().map(|(n, t)| Column::new(*n, *t)).collect(),
    };
    for (id, value) in values.iter().enumerate() {
        batch.columns[0].push_i64(id as i64);
        batch.columns[1].push_text(value.as_bytes());
    }
    let mut engine = Engine::new(EngineOptions::default()).unwrap();
    engine
        .register_batches(&info("z", "fees", &columns), vec![batch])
        .unwrap();
    engine
}

#[test]
fn numbers_of_a_database_are_numbers() {
    // 2^64 - 1 and 2^64: 64 bits do not tell their sum, text does not order them.
    let engine = numbers(&["9", "100", "18446744073709551615", "18446744073709551616"]);
    let text = |value: &str| Cell::Text(value.to_owned());
    // What Python says of the same numbers.
    for (sql, expected) in [
        ("max(wei)", text("18446744073709551616")),
        ("min(wei)", text("9")),
        ("sum(wei)", text("36893488147419103340")),
        (
            "sum(wei * wei)",
            text("680564733841876926889855726716117329762"),
        ),
        ("count(*) FILTER (WHERE wei > 10)", Cell::I64(3)),
        ("count(*) FILTER (WHERE wei > '10')", Cell::I64(3)),
        (
            "count(*) FILTER (WHERE wei = '18446744073709551616')",
            Cell::I64(1),
        ),
        (
            "count(*) FILTER (WHERE wei = 18446744073709551616)",
            Cell::I64(1),
        ),
        (
            "count(*) FILTER (WHERE wei < 18446744073709551616)",
            Cell::I64(3),
        ),
        (
            "count(*) FILTER (WHERE -wei = -18446744073709551616)",
            Cell::I64(1),
        ),
        (
            "count(*) FILTER (WHERE wei IN (18446744073709551616, 9))",
            Cell::I64(2),
        ),
        (
            "count(*) FILTER (WHERE id < 18446744073709551616)",
            Cell::I64(4),
        ),
        (
            "max(wei) + 100000000000000000000000000000000000000",
            text("100000000000000000018446744073709551616"),
        ),
        (
            "count(*) FILTER (WHERE wei BETWEEN 10 AND 200)",
            Cell::I64(1),
        ),
    ] {
        assert_eq!(
            one(&engine, &format!("SELECT {sql} FROM fees")),
            [expected],
            "{sql}"
        );
    }
    let order = engine
        .sql("SELECT id FROM fees ORDER BY wei DESC", &Params::new())
        .unwrap();
    let ids: Vec<&Cell> = order.rows.iter().map(|row| &row[0]).collect();
    assert_eq!(
        ids,
        [&Cell::I64(3), &Cell::I64(2), &Cell::I64(1), &Cell::I64(0)]
    );
}

#[test]
fn numbers_are_never_rounded_nor_ordered_as_text_in_silence() {
    let nines = |digits| "9".repeat(digits);
    let refused = |engine: &Engine, sql: &str, word: &str| {
        let error = engine.sql(sql, &Params::new()).unwrap_err().to_string();
        assert!(error.contains(word), "{sql}: {error}");
    };
    let engine = numbers(&["18446744073709551616", "18446744073709551617"]);
    let found = engine
        .sql(
            "SELECT id FROM fees WHERE wei = 18446744073709551617",
            &Params::new(),
        )
        .unwrap();
    assert_eq!(found.rows, [[Cell::I64(1)]]);
    // Such a literal is a float: it would be equal to its neighbours.
    for float in ["18446744073709551617.0", "1.8446744073709551617e19"] {
        let sql = format!("SELECT id FROM fees WHERE wei = {float}");
        refused(&engine, &sql, "in quotes");
    }
    // Too long for a decimal, or no number: the digits are shown, and not put in order.
    for long in [nines(67).as_str(), "NaN"] {
        let engine = numbers(&["9", "10", long]);
        let all = engine
            .sql("SELECT wei FROM fees WHERE id = 2", &Params::new())
            .unwrap();
        assert_eq!(all.rows[0][0], Cell::Text(long.to_owned()));
        for sql in [
            "SELECT id FROM fees ORDER BY wei",
            "SELECT max(wei) FROM fees",
            "SELECT id FROM fees WHERE wei > '2'",
            "SELECT id FROM fees WHERE wei BETWEEN '1' AND '2'",
            "SELECT id, row_number() OVER (ORDER BY wei) FROM fees",
            "SELECT id FROM fees WHERE id IN (SELECT id FROM fees WHERE wei < '2')",
        ] {
            refused(&engine, sql, "wrong order");
        }
    }
    // Sums say that they overflow.
    let engine = numbers(&[&nines(66), &nines(66)]);
    let sum = one(&engine, "SELECT sum(wei) FROM fees");
    assert_eq!(sum, [Cell::Text(format!("1{}8", nines(65)))]);
    refused(
        &engine,
        "SELECT sum(wei * 1000000000) FROM fees",
        "may not fit",
    );
    refused(&engine, "SELECT wei * wei FROM fees", "verflow");
}
