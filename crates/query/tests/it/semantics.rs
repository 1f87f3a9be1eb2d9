//! What SQL means, where engines have been caught answering something else in silence: our engine,
//! PostgreSQL and DuckDB must all give the rows that the standard (or PostgreSQL's manual) asks for.

use crate::oracle::{self, Postgres};
use query::{Engine, EngineOptions, Params};

struct Case {
    sql: &'static str,
    rows: &'static [&'static str],
    /// DuckDB is known to mean something else here; such SQL stays out of `queries/`.
    duckdb_differs: bool,
}

const fn same(sql: &'static str, rows: &'static [&'static str]) -> Case {
    Case {
        sql,
        rows,
        duckdb_differs: false,
    }
}

const fn not_duckdb(sql: &'static str, rows: &'static [&'static str]) -> Case {
    Case {
        sql,
        rows,
        duckdb_differs: true,
    }
}

const CASES: &[Case] = &[
    // A predicate in ON limits the matches, never the left rows.
    same(
        "WITH a(id) AS (VALUES (1), (2), (3)), b(id, v) AS (VALUES (1, 10), (2, 5))
         SELECT a.id, b.v FROM a LEFT JOIN b ON a.id = b.id AND b.v > 7 ORDER BY a.id",
        &["1 | 10", "2 | \\N", "3 | \\N"],
    ),
    same(
        "WITH a(id, k) AS (VALUES (1, 1), (2, 0)), b(id) AS (VALUES (1), (2))
         SELECT a.id, b.id AS b FROM a LEFT JOIN b ON a.id = b.id AND a.k = 1 ORDER BY a.id",
        &["1 | 1", "2 | \\N"],
    ),
    same(
        "WITH a(id) AS (VALUES (1), (2)), b(id) AS (VALUES (2), (3))
         SELECT a.id AS a, b.id AS b FROM a FULL JOIN b ON a.id = b.id ORDER BY COALESCE(a.id, b.id)",
        &["1 | \\N", "2 | 2", "\\N | 3"],
    ),
    // NULL keys never join.
    same(
        "WITH a(id) AS (VALUES (1), (NULL)), b(id) AS (VALUES (1), (NULL))
         SELECT COUNT(*) AS n FROM a JOIN b ON a.id = b.id",
        &["1"],
    ),
    // Windows.
    same(
        "WITH t(g, v) AS (VALUES (1, 10.0), (2, 20.0), (3, 60.0))
         SELECT g, AVG(CAST(v AS DOUBLE PRECISION)) OVER (ORDER BY g) AS m FROM t ORDER BY g",
        &["1 | 10", "2 | 15", "3 | 30"],
    ),
    same(
        "WITH t(k, v) AS (VALUES (1, 1), (1, 2), (2, 4))
         SELECT k, v, SUM(v) OVER (ORDER BY k) AS s FROM t ORDER BY k, v",
        &["1 | 1 | 3", "1 | 2 | 3", "2 | 4 | 7"],
    ),
    same(
        "WITH t(k, v) AS (VALUES (1, 1), (1, 2), (2, 4))
         SELECT k, v, SUM(v) OVER (ORDER BY k, v ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS s
         FROM t ORDER BY k, v",
        &["1 | 1 | 1", "1 | 2 | 3", "2 | 4 | 7"],
    ),
    same(
        "WITH t(k) AS (VALUES (1), (1), (2))
         SELECT k, RANK() OVER (ORDER BY k) AS r, DENSE_RANK() OVER (ORDER BY k) AS d FROM t ORDER BY k",
        &["1 | 1 | 1", "1 | 1 | 1", "2 | 3 | 2"],
    ),
    same(
        "WITH t(k, v) AS (VALUES (1, 5), (2, 7), (3, NULL))
         SELECT k, LAG(v) OVER (ORDER BY k) AS p, LEAD(v, 1, 0) OVER (ORDER BY k) AS n FROM t ORDER BY k",
        &["1 | \\N | 7", "2 | 5 | \\N", "3 | 7 | 0"],
    ),
    same(
        "WITH t(k, v) AS (VALUES (1, 5), (2, 7), (3, 9))
         SELECT k, LAST_VALUE(v) OVER (ORDER BY k) AS l FROM t ORDER BY k",
        &["1 | 5", "2 | 7", "3 | 9"],
    ),
    // Aggregates.
    same(
        "WITH t(g) AS (VALUES (1), (1), (2)) SELECT g, SUM(1) AS n, SUM(2) AS m FROM t GROUP BY g ORDER BY g",
        &["1 | 2 | 4", "2 | 1 | 2"],
    ),
    same(
        "WITH t(v) AS (VALUES (1), (NULL), (1))
         SELECT COUNT(*) AS a, COUNT(v) AS b, COUNT(DISTINCT v) AS c, SUM(v) AS d FROM t",
        &["3 | 2 | 1 | 2"],
    ),
    same(
        "WITH t(v) AS (VALUES (1)) SELECT COUNT(*) AS n, SUM(v) AS s, MIN(v) AS m FROM t WHERE v > 1",
        &["0 | \\N | \\N"],
    ),
    same(
        "WITH t(g, v) AS (VALUES (NULL, 1), (NULL, 2), (1, 3)) SELECT g, SUM(v) AS s FROM t GROUP BY g ORDER BY g NULLS LAST",
        &["1 | 3", "\\N | 3"],
    ),
    same(
        "WITH t(g, v) AS (VALUES (1, 1), (2, 5)) SELECT g FROM t GROUP BY g HAVING SUM(v) > 2 ORDER BY g",
        &["2"],
    ),
    // Wei fill a BIGINT quickly: a sum that wrapped round would be a wrong answer in silence.
    same(
        "WITH t(v) AS (VALUES (CAST(9223372036854775807 AS BIGINT)), (CAST(1 AS BIGINT)))
         SELECT CAST(SUM(v) AS VARCHAR) AS s FROM t",
        &["9223372036854775808"],
    ),
    same(
        "WITH t(k, v) AS (VALUES (1, CAST(9223372036854775807 AS BIGINT)), (2, CAST(1 AS BIGINT)))
         SELECT k, CAST(SUM(v) OVER (ORDER BY k) AS VARCHAR) AS s FROM t ORDER BY k",
        &["1 | 9223372036854775807", "2 | 9223372036854775808"],
    ),
    same(
        "WITH t(g, v) AS (VALUES (1, CAST(2 AS BIGINT)), (1, CAST(3 AS BIGINT)), (2, CAST(1 AS BIGINT)))
         SELECT g, SUM(v) + 1 AS s, SUM(v) * 1.5 AS w FROM t GROUP BY g HAVING SUM(v) > 0 ORDER BY SUM(v), g",
        &["2 | 2 | 1.5", "1 | 6 | 7.5"],
    ),
    same(
        "WITH t(v) AS (VALUES (CAST(2 AS BIGINT)), (CAST(2 AS BIGINT)), (NULL))
         SELECT SUM(DISTINCT v) AS d, SUM(v) AS s, (SELECT SUM(v) FROM t WHERE v > 5) AS e FROM t",
        &["2 | 4 | \\N"],
    ),
    // NULL and three-valued logic.
    same(
        "WITH a(v) AS (VALUES (1), (2)), b(v) AS (VALUES (1), (NULL))
         SELECT COUNT(*) AS n FROM a WHERE v NOT IN (SELECT v FROM b)",
        &["0"],
    ),
    same(
        "WITH a(v) AS (VALUES (1), (2)), b(v) AS (VALUES (1), (NULL))
         SELECT v FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.v = a.v) ORDER BY v",
        &["2"],
    ),
    same("SELECT 'a' || CAST(NULL AS VARCHAR) AS x", &["\\N"]),
    same(
        "WITH t(v) AS (VALUES (1), (NULL), (2)) SELECT v FROM t ORDER BY v DESC NULLS LAST",
        &["2", "1", "\\N"],
    ),
    same(
        "WITH t(v) AS (VALUES (1), (NULL), (2)) SELECT v FROM t ORDER BY v",
        &["1", "2", "\\N"],
    ),
    not_duckdb(
        "WITH t(v) AS (VALUES (1), (NULL), (2)) SELECT v FROM t ORDER BY v DESC",
        &["\\N", "2", "1"],
    ),
    same(
        "WITH t(v) AS (VALUES (1), (NULL), (NULL)) SELECT DISTINCT v FROM t ORDER BY v NULLS LAST",
        &["1", "\\N"],
    ),
    // Arithmetic.
    not_duckdb("SELECT 7 / 2 AS a, -7 / 2 AS b", &["3 | -3"]),
    same("SELECT 7 % 3 AS a, -7 % 3 AS b", &["1 | -1"]),
    same("SELECT CAST(7 AS DOUBLE PRECISION) / 2 AS a", &["3.5"]),
    same("SELECT abs(CAST(-2.5 AS DOUBLE PRECISION)) AS a", &["2.5"]),
    // Text.
    same("SELECT 'Abc' LIKE 'a%' AS a, 'a_c' LIKE 'abc' AS b", &["false | false"]),
    same("SELECT lower('ÄB') AS a, substr('hello', 2, 3) AS b", &["äb | ell"]),
    // Sets.
    same(
        "SELECT 1 AS a UNION SELECT 1 UNION SELECT 2 ORDER BY a",
        &["1", "2"],
    ),
    same(
        "WITH a(v) AS (VALUES (1), (1), (2)), b(v) AS (VALUES (2))
         SELECT v FROM a EXCEPT SELECT v FROM b ORDER BY v",
        &["1"],
    ),
    // Instants.
    same(
        "SELECT CAST('2020-08-14 17:31:02+02:00' AS TIMESTAMP WITH TIME ZONE)
              = CAST('2020-08-14 15:31:02+00:00' AS TIMESTAMP WITH TIME ZONE) AS a",
        &["true"],
    ),
    same(
        "SELECT date_trunc('hour', CAST('2020-08-14 17:31:02.5' AS TIMESTAMP)) AS a",
        &["2020-08-14T17:00:00.000000"],
    ),
    // Correlated and scalar subqueries.
    same(
        "WITH a(id) AS (VALUES (1), (2)), b(id, v) AS (VALUES (1, 3), (1, 4))
         SELECT id, (SELECT MAX(v) FROM b WHERE b.id = a.id) AS m,
                (SELECT COUNT(*) FROM b WHERE b.id = a.id) AS n FROM a ORDER BY id",
        &["1 | 4 | 2", "2 | \\N | 0"],
    ),
    // Members of JSON, as of the fields of a record.
    same(
        "WITH t(f) AS (VALUES (CAST('{\"a\":\"x y\",\"n\":12,\"o\":{\"b\":[1,null,\"z\"]},\"e\":null}' AS JSON)))
         SELECT f ->> 'a' AS a, f ->> 'n' AS n, f ->> 'missing' AS m, f ->> 'e' AS e,
                f -> 'o' -> 'b' ->> 2 AS z FROM t WHERE (f ->> 'a') = 'x y'",
        &["x y | 12 | \\N | \\N | z"],
    ),
    // Hex, as hashes are compared.
    same(
        "SELECT encode(decode(replace(lower('0xAB12'), '0x', ''), 'hex'), 'hex') AS a",
        &["ab12"],
    ),
];

#[test]
fn our_engine_means_what_sql_means() {
    let engine = Engine::new(EngineOptions::default()).unwrap();
    let mut wrong = Vec::new();
    for case in CASES {
        // JSON is text here: dumps and records hold it so.
        let sql = case.sql.replace(" AS JSON)", " AS VARCHAR)");
        match engine.sql(&sql, &Params::new()) {
            Ok(answer) if oracle::rows_of(&answer) == case.rows => {}
            Ok(answer) => wrong.push(format!("{}\n{:?}", case.sql, oracle::rows_of(&answer))),
            Err(error) => wrong.push(format!("{}\n{error}", case.sql)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn overflow_is_an_error_and_not_a_number() {
    let engine = Engine::new(EngineOptions::default()).unwrap();
    for sql in [
        "SELECT CAST(9223372036854775807 AS BIGINT) + 1",
        "WITH t(v) AS (VALUES (CAST(9223372036854775807 AS BIGINT))) SELECT v * 2 FROM t",
        "WITH t(v) AS (VALUES (CAST(-9223372036854775807 AS BIGINT))) SELECT 1 FROM t WHERE v - 2 > 0",
        "SELECT x FROM (SELECT ts_us + 9223372036854775807 AS x FROM (VALUES (1)) t(ts_us))",
        "SELECT 1 WHERE EXISTS (SELECT 1 FROM (VALUES (9223372036854775807)) t(v) WHERE v + 1 > 0)",
    ] {
        let error = engine.sql(sql, &Params::new()).expect_err(sql);
        assert!(error.to_string().contains("verflow"), "{sql}: {error}");
    }
}

#[test]
fn duckdb_means_it_too() {
    let asks: Vec<oracle::Ask> = CASES
        .iter()
        .map(|case| oracle::Ask {
            sql: case.sql.to_owned(),
            params: Params::new(),
        })
        .collect();
    let Some(answers) = oracle::duckdb(&[], &asks) else {
        return;
    };
    for (case, rows) in CASES.iter().zip(answers) {
        assert_eq!(
            rows == case.rows,
            !case.duckdb_differs,
            "{}\n{rows:?}",
            case.sql
        );
    }
}

/// Called by the one test that has a PostgreSQL.
pub(crate) fn agree_with(postgres: &Postgres) {
    for case in CASES {
        assert_eq!(
            postgres.rows("postgres", case.sql),
            case.rows,
            "{}",
            case.sql
        );
    }
}
