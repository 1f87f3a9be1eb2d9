//! Other engines that answer the same SQL: DuckDB through Python, PostgreSQL through a private cluster.
//!
//! `.ci/test` installs DuckDB into `~/.cache/coroner-test/py`; `CORONER_TEST_PYTHON` names another Python.

use serde_json::{Value, json};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use testkit::PostgresServer;

/// Rows of one answer, each cell in the canonical text of [`canonical`], joined by ` | `.
pub(crate) type Rows = Vec<String>;

/// Returns a cell's text, the same for the same value whichever engine gave it.
fn canonical(value: &Value) -> String {
    match value {
        Value::Null => "\\N".to_owned(),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => whole.to_string(),
            (None, Some(real)) if real == real.trunc() && real.abs() < 1e15 => {
                (real as i64).to_string()
            }
            _ => number.to_string(),
        },
        Value::String(text) => {
            if let Some(digits) = text.strip_prefix("\\x") {
                return format!("0x{digits}");
            }
            match model::time::parse_civil(text) {
                Some((us, None)) if text.len() > 10 => model::time::format_civil(us),
                Some((us, Some(zone))) => model::time::format_utc(us - i64::from(zone) * 1_000_000),
                _ => text.clone(),
            }
        }
        other => other.to_string(),
    }
}

pub(crate) fn row(cells: &[Value]) -> String {
    let cells: Vec<String> = cells.iter().map(canonical).collect();
    cells.join(" | ")
}

pub(crate) fn rows_of(answer: &model::Answer) -> Rows {
    answer
        .rows
        .iter()
        .map(|cells| row(&cells.iter().map(model::Cell::to_json).collect::<Vec<_>>()))
        .collect()
}

fn python() -> Option<PathBuf> {
    let python = match std::env::var_os("CORONER_TEST_PYTHON") {
        Some(python) => PathBuf::from(python),
        None => PathBuf::from(std::env::var_os("HOME")?).join(".cache/coroner-test/py/bin/python"),
    };
    let found = Command::new(&python)
        .args(["-c", "import duckdb"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !found {
        eprintln!(
            "SKIPPED: no DuckDB at {}; `.ci/test` installs it, or set CORONER_TEST_PYTHON",
            python.display()
        );
    }
    found.then_some(python)
}

/// A statement and its parameters.
pub(crate) struct Ask {
    pub(crate) sql: String,
    pub(crate) params: query::Params,
}

/// Answers with DuckDB; an error is the one row `error: …`. `None` if there is no DuckDB.
pub(crate) fn duckdb(setup: &[String], asks: &[Ask]) -> Option<Vec<Rows>> {
    let python = python()?;
    let asks: Vec<Value> = asks
        .iter()
        .map(|ask| {
            let params = ask.params.iter().map(|(name, value)| {
                let value = match value {
                    query::ParamValue::Integer(value) => json!(value),
                    query::ParamValue::Real(value) => json!(value),
                    query::ParamValue::Boolean(value) => json!(value),
                    other => json!(other.to_string()),
                };
                (name.clone(), value)
            });
            json!({"sql": ask.sql, "params": Value::Object(params.collect())})
        })
        .collect();
    let request = json!({"setup": setup, "asks": asks}).to_string();
    let mut child = Command::new(python)
        .arg("-c")
        .arg(include_str!("oracle.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(request.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the DuckDB oracle failed");
    let answers: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    Some(
        answers
            .iter()
            .map(|answer| match answer {
                Value::Array(rows) => rows
                    .iter()
                    .map(|cells| row(cells.as_array().unwrap()))
                    .collect(),
                error => vec![error.as_str().unwrap().to_owned()],
            })
            .collect(),
    )
}

/// PostgreSQL, in a private server.
pub(crate) struct Postgres(PostgresServer);

impl Postgres {
    /// Starts a server; `None`, said loudly, where PostgreSQL is not installed.
    pub(crate) fn start() -> Option<Postgres> {
        PostgresServer::start().map(Postgres)
    }

    fn psql(&self, database: &str) -> Command {
        let mut command = self.0.command("psql");
        command
            .args(["-X", "-q", "-At", "-v", "ON_ERROR_STOP=1"])
            .args(["-d", database]);
        command
    }

    /// Makes a database by a script.
    pub(crate) fn database(&self, name: &str, script: &[u8]) {
        let created = self
            .psql("postgres")
            .args(["-c", &format!("CREATE DATABASE {name}")])
            .status();
        assert!(created.unwrap().success());
        self.script(name, script);
    }

    /// Runs a script and returns what it prints.
    pub(crate) fn script(&self, database: &str, script: &[u8]) -> String {
        let mut child = self
            .psql(database)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        let output = std::thread::scope(|scope| {
            scope.spawn(move || input.write_all(script));
            child.wait_with_output().unwrap()
        });
        assert!(output.status.success(), "psql failed");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Answers a query with its parameters bound by PREPARE.
    pub(crate) fn ask(&self, database: &str, query: &query::Query, params: &query::Params) -> Rows {
        let mut sql = query.sql.clone();
        let mut types = Vec::new();
        let mut values = Vec::new();
        // Longer names first: `$n` must not eat the start of `$name`.
        let mut declared: Vec<_> = query.params.iter().collect();
        declared.sort_by_key(|param| std::cmp::Reverse(param.name.len()));
        for (at, param) in declared.into_iter().enumerate() {
            sql = sql.replace(&format!("${}", param.name), &format!("${}", at + 1));
            types.push(match param.param_type {
                query::ParamType::Integer => "bigint",
                query::ParamType::Real => "double precision",
                query::ParamType::Text => "text",
                query::ParamType::Boolean => "boolean",
                query::ParamType::Timestamp => "timestamptz",
            });
            values.push(format!(
                "'{}'",
                params[&param.name].to_string().replace('\'', "''")
            ));
        }
        let list = |open: &str, items: &[String]| match items {
            [] => String::new(),
            items => format!("{open}{})", items.join(", ")),
        };
        let types: Vec<String> = types.into_iter().map(str::to_owned).collect();
        let script = format!(
            "PREPARE q{} AS SELECT row_to_json(answer) FROM (\n{sql}\n) answer;\nEXECUTE q{};\n",
            list("(", &types),
            list("(", &values)
        );
        json_rows(&self.script(database, script.as_bytes()))
    }

    /// Answers a statement without parameters.
    pub(crate) fn rows(&self, database: &str, sql: &str) -> Rows {
        let script = format!("SELECT row_to_json(answer) FROM (\n{sql}\n) answer;");
        json_rows(&self.script(database, script.as_bytes()))
    }
}

/// Reads one JSON object per line as rows.
fn json_rows(lines: &str) -> Rows {
    lines
        .lines()
        .map(|line| {
            let object: serde_json::Map<String, Value> = serde_json::from_str(line).unwrap();
            row(&object.values().cloned().collect::<Vec<_>>())
        })
        .collect()
}
