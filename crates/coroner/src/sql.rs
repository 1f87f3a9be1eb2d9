//! `sql`, `query` and `queries`: questions in SQL over a case, or over plain dumps without one.

use crate::{Error, ErrorKind, Evidence, LookedAt, OpenOptions, Partial, PlainDumps, Window};
use model::{Answer, TableSource};
use query::{Engine, EngineOptions, ParamValue, Params, Queries, Query};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// How SQL is run.
#[derive(Clone, Debug, Default)]
pub struct SqlOptions {
    /// How evidence is opened.
    pub open: OpenOptions,
    /// The snapshot that bare table names mean.
    pub snapshot: Option<String>,
    /// Memory that sorts and joins may hold before they spill.
    pub memory_bytes: Option<usize>,
    /// At most this many rows.
    pub limit: Option<usize>,
    /// A folder with queries of the user's own.
    pub queries: Option<PathBuf>,
}

/// Rows, and what they rest on.
#[derive(Clone, Debug)]
pub struct SqlOutcome {
    /// The rows.
    pub answer: Answer,
    /// Whether the limit cut rows off.
    pub more: bool,
    /// Full names of the tables that were read.
    pub tables: Vec<String>,
    /// How hard it looked.
    pub looked_at: Option<LookedAt>,
    /// What could not be read.
    pub partial: Vec<Partial>,
}

/// A named query, as `queries` shows it.
#[derive(Clone, Debug, Serialize)]
pub struct QueryInfo {
    /// `<area>/<name>`.
    pub name: String,
    /// One line.
    pub title: String,
    /// What it answers and how to read it.
    pub about: String,
    /// Tables it reads.
    pub needs: Vec<String>,
    /// Its parameters.
    pub params: Vec<QueryParam>,
    /// The order of its rows.
    pub order: String,
    /// The whole file.
    pub sql: String,
}

/// A parameter of a named query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct QueryParam {
    /// Name without `$`.
    pub name: String,
    /// `integer`, `real`, `text`, `boolean`, `timestamp`.
    #[serde(rename = "type")]
    pub param_type: String,
    /// Value where none is given; without one it must be given.
    pub default: Option<String>,
}

/// Runs a statement that reads. Values of parameters are typed by how they look.
///
/// # Errors
/// If the evidence cannot be opened or the statement is wrong.
pub fn sql(
    path: impl AsRef<Path>,
    statement: &str,
    params: &[(String, String)],
    options: &SqlOptions,
) -> Result<SqlOutcome, Error> {
    let params: Params = params
        .iter()
        .map(|(name, value)| (name.clone(), ParamValue::guess(value)))
        .collect();
    with_engine(path.as_ref(), statement, options, |engine| {
        Ok(engine.run(statement, &params, options.limit)?)
    })
}

/// Runs a named query.
///
/// # Errors
/// If there is none of that name, parameters are wrong, or the evidence lacks its tables.
pub fn query(
    path: impl AsRef<Path>,
    name: &str,
    params: &[(String, String)],
    options: &SqlOptions,
) -> Result<SqlOutcome, Error> {
    let all = load(options.queries.as_deref())?;
    let query = find(&all, name)?;
    with_engine(path.as_ref(), &query.sql, options, |engine| {
        Ok(engine.query(query, params, options.limit)?)
    })
}

/// Lists the named queries, or the one that is named.
///
/// # Errors
/// If a query of the user's own is broken, or there is none of that name.
pub fn queries(folder: Option<&Path>, name: Option<&str>) -> Result<Vec<QueryInfo>, Error> {
    let all = load(folder)?;
    Ok(match name {
        Some(name) => vec![query_info(find(&all, name)?)],
        None => all.iter().map(query_info).collect(),
    })
}

fn load(folder: Option<&Path>) -> Result<Queries, Error> {
    let mut queries = Queries::builtin()?;
    if let Some(folder) = folder {
        crate::evidence::exists(folder)?;
        queries.overlay(folder)?;
    }
    Ok(queries)
}

/// The area may be left out where the name alone is unique.
fn find<'a>(all: &'a Queries, name: &str) -> Result<&'a Query, Error> {
    let short: Vec<&Query> = all
        .iter()
        .filter(|query| query.name.rsplit('/').next() == Some(name))
        .collect();
    match short.as_slice() {
        [only] => Ok(only),
        _ => Ok(all.get(name)?),
    }
}

fn query_info(query: &Query) -> QueryInfo {
    QueryInfo {
        name: query.name.clone(),
        title: query.title.clone(),
        about: query.about.clone(),
        needs: query.needs.clone(),
        params: query
            .params
            .iter()
            .map(|param| QueryParam {
                name: param.name.clone(),
                param_type: param.param_type.word().to_owned(),
                default: param.default.as_ref().map(ToString::to_string),
            })
            .collect(),
        order: query.order.clone(),
        sql: query.sql.clone(),
    }
}

fn with_engine(
    path: &Path,
    statement: &str,
    options: &SqlOptions,
    run: impl FnOnce(&Engine) -> Result<query::Outcome, Error>,
) -> Result<SqlOutcome, Error> {
    let engine_options = EngineOptions {
        memory_bytes: options
            .memory_bytes
            .unwrap_or_else(|| EngineOptions::default().memory_bytes),
    };
    let snapshot = options.snapshot.as_deref();
    if only_dumps(path)
        && let Some(dumps) = PlainDumps::open(path, &options.open, None)?
    {
        let mut engine = Engine::new(engine_options)?;
        if let Some(named) = snapshot {
            engine.choose(dumps.find(named)?);
        }
        engine.register_source(&dumps, statement)?;
        let outcome = run(&engine)?;
        let mut partial = dumps.partial();
        partial.extend(dumps.damage().into_iter().map(|what| Partial {
            source: crate::evidence::shown(path),
            byte: None,
            what,
        }));
        partial.dedup();
        let looked_at = LookedAt {
            sources: dumps.len(),
            records: 0,
            window: Window::default().to_json(),
            missing_kinds: outcome.missing.clone(),
        };
        return Ok(finish(outcome, Some(looked_at), partial));
    }
    let evidence = Evidence::open(path, &options.open)?;
    let mut engine = Engine::open(evidence.case(), engine_options)?;
    if let Some(named) = snapshot {
        let choice = evidence.case().choice(named);
        let known = || crate::snapshots::names(evidence.manifest());
        engine.choose(choice.ok_or_else(|| crate::snapshots::unknown(named, &known()))?);
    }
    let outcome = run(&engine)?;
    let looked_at = evidence.looked_at(&Window::default(), &outcome.missing);
    Ok(finish(outcome, Some(looked_at), evidence.partial()))
}

/// Whether a path is a file: a folder may hold logs beside dumps, and SQL is over everything.
fn only_dumps(path: &Path) -> bool {
    path.is_file()
}

fn finish(
    outcome: query::Outcome,
    looked_at: Option<LookedAt>,
    partial: Vec<Partial>,
) -> SqlOutcome {
    SqlOutcome {
        answer: outcome.answer,
        more: outcome.more,
        tables: outcome.tables,
        looked_at,
        partial,
    }
}

impl From<ingest::IngestError> for Error {
    fn from(error: ingest::IngestError) -> Error {
        use ingest::IngestError as E;
        match error {
            E::Case(error) => error.into(),
            E::Stopped => Error::wrap(ErrorKind::Unreadable, E::Stopped),
            E::Live(dumps::LiveError::Write(_)) => Error::wrap(ErrorKind::Unreadable, error),
            E::Read { .. } | E::Spool(_) | E::Dump { .. } | E::Emit(_) => {
                Error::wrap(ErrorKind::Unreadable, error)
            }
            other => Error::wrap(ErrorKind::Request, other),
        }
    }
}
