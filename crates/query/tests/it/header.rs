//! What loading a query file refuses, and where it points.

use query::{ParamType, ParamValue, Queries, Query};

const GOOD: &str = "\
-- title: A
-- about: B
--   and C.
-- needs: t, obs.heads
-- param: n integer = 2
-- param: name text
-- order: x desc nulls last, y
SELECT a.x, a.y FROM t a JOIN obs.heads h ON h.line = a.x -- $comment
WHERE a.x > $n AND a.name = $name AND a.name <> '$text'
ORDER BY a.x DESC NULLS LAST, a.y
";

/// Checks what a file with one line replaced is told.
#[track_caller]
fn check(from: &str, to: &str, expected: &str) {
    assert!(GOOD.contains(from), "{from}");
    let text = GOOD.replacen(from, to, 1);
    let told = match Query::parse("area/name", "name.sql", &text) {
        Ok(_) => "good".to_owned(),
        Err(error) => error.to_string(),
    };
    assert_eq!(told, expected);
}

#[test]
fn a_good_header_is_read() {
    let query = Query::parse("area/name", "name.sql", GOOD).unwrap();
    assert_eq!(query.title, "A");
    assert_eq!(query.about, "B and C.");
    assert_eq!(query.needs, ["t", "obs.heads"]);
    assert_eq!(query.order, "x desc nulls last, y");
    assert_eq!(query.params[0].default, Some(ParamValue::Integer(2)));
    assert_eq!(query.params[1].param_type, ParamType::Text);
    assert_eq!(query.params[1].default, None);
}

#[test]
fn a_bad_header_is_refused_with_file_and_line() {
    check("-- title: A\n", "", "name.sql:7: the header lacks `title`");
    check(
        "-- about: B\n--   and C.\n",
        "",
        "name.sql:6: the header lacks `about`",
    );
    check("-- title: A", "-- title:", "name.sql:1: `title` is empty");
    check("-- title: A", "--   A", "name.sql:1: continues nothing");
    check(
        "-- title: A",
        "-- title A",
        "name.sql:1: expected `-- key: value`",
    );
    check(
        "-- title: A",
        "-- author: A",
        "name.sql:1: unknown key `author`; keys are title, about, needs, param, order",
    );
    check(
        "-- needs: t",
        "-- title: t",
        "name.sql:4: `title` stands twice",
    );
    check(
        "-- needs: t, obs.heads",
        "-- needs: t",
        "name.sql:4: the SQL reads `obs.heads`, which `needs` does not list",
    );
    check(
        "-- needs: t,",
        "-- needs: t, u,",
        "name.sql:4: `needs` lists `u`, which the SQL does not read",
    );
    check(
        "-- param: n integer",
        "-- param: n int",
        "name.sql:5: unknown type `int`; types are integer, real, text, boolean, timestamp",
    );
    check(
        "-- param: n integer = 2",
        "-- param: n integer = two",
        "name.sql:5: `two` is not of type integer",
    );
    check(
        "-- param: n integer = 2",
        "-- param: n",
        "name.sql:5: expected `param: name type [= default]`",
    );
    check(
        "-- param: name text",
        "-- param: n text",
        "name.sql:6: `n` is declared twice",
    );
    check(
        "-- param: name text",
        "-- param: nam text",
        "name.sql:9: `$name` is not declared as `param`",
    );
    check(
        "a.x > $n ",
        "a.x > 2 ",
        "name.sql:5: `n` is declared but not used",
    );
    check(
        "-- order: x desc nulls last, y",
        "-- order: x desc, y",
        "name.sql:7: `order` says `x desc, y`, the SQL's ORDER BY `x desc nulls last, y`",
    );
    check(
        "-- order: x desc",
        "-- order: x down",
        "name.sql:7: expected `order: column [desc] [nulls first|last], …`",
    );
    check(
        "ORDER BY a.x DESC NULLS LAST, a.y\n",
        "",
        "name.sql:8: the SQL does not end in ORDER BY",
    );
    check(
        "a.x > $n AND",
        "a.x > > $n AND",
        "name.sql:9: Expected: an expression, found: > at Line: 9, Column: 13",
    );
    check(
        "ORDER BY a.x",
        "; SELECT 1 ORDER BY a.x",
        "name.sql:8: expected one statement, found 2",
    );
    check(
        "SELECT a.x, a.y FROM t a JOIN obs.heads h ON h.line = a.x -- $comment\nWHERE",
        "DELETE FROM t WHERE",
        "name.sql:8: DELETE FROM is refused: only SELECT, WITH, VALUES, EXPLAIN, SHOW TABLES and DESCRIBE are run",
    );
    check(
        "'$text'",
        "'$text",
        "name.sql:9: Unterminated string literal",
    );
}

#[test]
fn values_are_bound_by_their_declared_types() {
    let query = Query::parse("area/name", "name.sql", GOOD).unwrap();
    let bind = |given: &[(&str, &str)]| {
        let given: Vec<(String, String)> = given
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        match query.bind(&given) {
            Ok(params) => format!("{params:?}"),
            Err(error) => error.to_string(),
        }
    };
    assert_eq!(
        bind(&[("name", "7")]),
        r#"{"n": Integer(2), "name": Text("7")}"#
    );
    assert_eq!(bind(&[]), "parameter `name`: missing, of type text");
    assert_eq!(
        bind(&[("name", "a"), ("n", "x")]),
        "parameter `n`: `x` is not of type integer"
    );
    assert_eq!(
        bind(&[("name", "a"), ("m", "1")]),
        "parameter `m`: unknown; the query takes n, name"
    );
    assert_eq!(
        bind(&[("name", "a"), ("name", "b")]),
        "parameter `name`: given twice"
    );
    assert_eq!(
        ParamType::Timestamp.parse("2020-08-14T17:31:02Z"),
        Ok(ParamValue::Timestamp(1_597_426_262_000_000))
    );
    // No zone, no instant: nothing is guessed.
    assert!(ParamType::Timestamp.parse("2020-08-14T17:31:02").is_err());
    assert!(ParamType::Real.parse("NaN").is_err());
    assert_eq!(ParamValue::guess("12"), ParamValue::Integer(12));
    assert_eq!(
        ParamValue::guess("0x12"),
        ParamValue::Text("0x12".to_owned())
    );
}

#[test]
fn a_users_folder_lies_over_the_embedded_queries() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("mine")).unwrap();
    std::fs::create_dir_all(folder.path().join("clock")).unwrap();
    std::fs::write(folder.path().join("mine/good.sql"), GOOD).unwrap();
    std::fs::write(folder.path().join("clock/offsets_over_2s.sql"), GOOD).unwrap();
    let mut queries = Queries::builtin().unwrap();
    let before = queries.iter().count();
    queries.overlay(folder.path()).unwrap();
    assert_eq!(queries.iter().count(), before + 1);
    assert_eq!(queries.get("good").unwrap().name, "mine/good");
    assert_eq!(queries.get("clock/offsets_over_2s").unwrap().title, "A");

    std::fs::write(folder.path().join("mine/bad.sql"), "SELECT 1").unwrap();
    let error = queries.overlay(folder.path()).unwrap_err().to_string();
    assert!(
        error.ends_with("bad.sql:1: the header lacks `title`"),
        "{error}"
    );
    let error = queries.overlay(&folder.path().join("gone")).unwrap_err();
    assert!(error.to_string().starts_with("cannot read "), "{error}");
}
