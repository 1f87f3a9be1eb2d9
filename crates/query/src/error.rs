//! What can go wrong with a question, said so that the asker can mend it.

use datafusion::common::utils::datafusion_strsim::levenshtein;
use datafusion::common::{DataFusionError, SchemaError};
use std::path::PathBuf;

/// Why a query could not be read or answered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The statement would do more than read.
    #[error(
        "{what} is refused: only SELECT, WITH, VALUES, EXPLAIN, SHOW TABLES and DESCRIBE are run"
    )]
    Refused {
        /// The statement's first words.
        what: String,
    },
    /// Not exactly one statement.
    #[error("expected one statement, found {found}")]
    Statements {
        /// How many.
        found: usize,
    },
    /// The text is no SQL.
    #[error("the SQL cannot be read: {message}")]
    Syntax {
        /// What the SQL reader says, with line and column.
        message: String,
    },
    /// No such table.
    #[error("no table `{table}` in the evidence")]
    NoTable {
        /// As asked.
        table: String,
        /// Names that are there, nearest first.
        nearest: Vec<String>,
    },
    /// Several snapshots have the table.
    #[error("table `{table}` is in several snapshots: {}", candidates.join(", "))]
    AmbiguousTable {
        /// As asked.
        table: String,
        /// Full names.
        candidates: Vec<String>,
    },
    /// No such column.
    #[error("no column `{column}` in the tables of this query")]
    NoColumn {
        /// As asked.
        column: String,
        /// Names that are there, nearest first.
        nearest: Vec<String>,
    },
    /// A parameter is missing, unknown or of another type.
    #[error("parameter `{name}`: {what}")]
    Param {
        /// Its name.
        name: String,
        /// What is wrong.
        what: String,
    },
    /// No such named query.
    #[error("no query `{name}`")]
    NoQuery {
        /// As asked.
        name: String,
        /// Names that are there, nearest first.
        nearest: Vec<String>,
    },
    /// Tables that a named query needs are not in the evidence.
    #[error("query `{query}` needs tables that the evidence does not have: {}", missing.join(", "))]
    Needs {
        /// The query.
        query: String,
        /// The tables.
        missing: Vec<String>,
    },
    /// A query file breaks the rules.
    #[error("{file}:{line}: {message}")]
    Header {
        /// File, or `queries/<name>.sql` for an embedded one.
        file: String,
        /// Line, from 1.
        line: u64,
        /// What is wrong.
        message: String,
    },
    /// A folder or file of queries, or of the case, could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A table of a dump could not be read.
    #[error(transparent)]
    Table(#[from] model::TableError),
    /// The memory limit was reached and the work could not be spilled to disk.
    #[error("the query needs more memory than it may use: {message}")]
    Memory {
        /// What asked for how much.
        message: String,
    },
    /// The statement is SQL, but cannot be planned: types, functions, grouping.
    #[error("{message}")]
    Plan {
        /// First line of what the engine says.
        message: String,
    },
    /// Running failed: a value that cannot be cast, a division by zero, a damaged file.
    #[error("{message}")]
    Run {
        /// First line of what the engine says.
        message: String,
    },
    /// The engine broke its own rules: our fault.
    #[error("the query engine failed: {message}")]
    Engine {
        /// What it says.
        message: String,
    },
}

impl QueryError {
    /// Returns what to try next, if something is known.
    pub fn hint(&self) -> Option<String> {
        let nearest = |nearest: &[String]| {
            (!nearest.is_empty()).then(|| format!("nearest: {}", nearest.join(", ")))
        };
        match self {
            QueryError::NoTable { nearest: names, .. } => {
                nearest(names).map(|text| format!("{text}; SHOW TABLES lists all"))
            }
            QueryError::NoColumn { nearest: names, .. } => {
                nearest(names).map(|text| format!("{text}; DESCRIBE <table> lists all"))
            }
            QueryError::NoQuery { nearest: names, .. } => {
                nearest(names).map(|text| format!("{text}; `coroner queries` lists all"))
            }
            QueryError::AmbiguousTable { .. } => {
                Some("write the full name, or choose one with --snapshot".to_owned())
            }
            QueryError::Statements { .. } => Some("ask one question at a time".to_owned()),
            QueryError::Needs { .. } => Some("SHOW TABLES lists what is there".to_owned()),
            QueryError::Memory { .. } => Some("raise --memory, or select less".to_owned()),
            _ => None,
        }
    }

    /// Whether the fault is ours (exit 70) and not the request's (exit 2).
    pub fn is_our_fault(&self) -> bool {
        matches!(self, QueryError::Engine { .. })
    }

    /// Offers columns that are there, though the engine did not see them.
    pub(crate) fn with_columns(self, columns: Vec<String>) -> QueryError {
        match self {
            QueryError::NoColumn {
                column,
                nearest: mut names,
            } => {
                names.extend(columns);
                let wanted = column.rsplit('.').next().unwrap_or(&column);
                QueryError::NoColumn {
                    nearest: nearest(wanted, names.iter().map(String::as_str), 3),
                    column,
                }
            }
            other => other,
        }
    }

    /// Says in our words what DataFusion said in its own.
    pub(crate) fn from_engine(error: DataFusionError) -> QueryError {
        let error = match error {
            DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => {
                return QueryError::from_engine(*inner);
            }
            DataFusionError::Collection(errors) if !errors.is_empty() => {
                let first = errors.into_iter().next().expect("not empty");
                return QueryError::from_engine(first);
            }
            DataFusionError::Shared(inner) => return QueryError::from_shared(&inner),
            DataFusionError::External(inner) => match inner.downcast::<QueryError>() {
                Ok(ours) => return *ours,
                Err(other) => DataFusionError::External(other),
            },
            other => other,
        };
        QueryError::from_shared(&error)
    }

    fn from_shared(error: &DataFusionError) -> QueryError {
        match error.find_root() {
            DataFusionError::SchemaError(schema, _) => match schema.as_ref() {
                SchemaError::FieldNotFound {
                    field,
                    valid_fields,
                } => {
                    let known: Vec<String> = valid_fields
                        .iter()
                        .map(|column| column.name.clone())
                        .collect();
                    QueryError::NoColumn {
                        column: field.quoted_flat_name(),
                        nearest: nearest(&field.name, known.iter().map(String::as_str), 3),
                    }
                }
                other => QueryError::Plan {
                    message: first_line(&other.to_string()),
                },
            },
            DataFusionError::SQL(parser, _) => QueryError::Syntax {
                message: first_line(parser.to_string().trim_start_matches("sql parser error: ")),
            },
            DataFusionError::Plan(message)
            | DataFusionError::NotImplemented(message)
            | DataFusionError::Configuration(message) => QueryError::Plan {
                message: first_line(message),
            },
            DataFusionError::ResourcesExhausted(message) => QueryError::Memory {
                message: first_line(message),
            },
            DataFusionError::Internal(message) => QueryError::Engine {
                message: first_line(message),
            },
            DataFusionError::ArrowError(arrow, _) => QueryError::Run {
                message: first_line(&arrow.to_string()),
            },
            other => QueryError::Run {
                message: first_line(&other.strip_backtrace()),
            },
        }
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim().to_owned()
}

/// Returns up to `count` names, nearest first, leaving out those that are far.
pub(crate) fn nearest<'a>(
    wanted: &str,
    names: impl Iterator<Item = &'a str>,
    count: usize,
) -> Vec<String> {
    let wanted = wanted.to_lowercase();
    let last = |name: &str| name.rsplit(['.', '/']).next().unwrap_or(name).to_owned();
    let wanted_last = last(&wanted);
    let mut ranked: Vec<(usize, &str)> = names
        .map(|name| {
            let lower = name.to_lowercase();
            let mut distance =
                levenshtein(&wanted, &lower).min(levenshtein(&wanted_last, &last(&lower)));
            if lower.contains(&wanted_last) || wanted_last.contains(&last(&lower)) {
                distance = distance.min(2);
            }
            (distance, name)
        })
        .filter(|(distance, _)| *distance <= (wanted_last.len() / 2).max(2))
        .collect();
    ranked.sort();
    ranked.dedup();
    ranked
        .into_iter()
        .take(count)
        .map(|(_, name)| name.to_owned())
        .collect()
}
