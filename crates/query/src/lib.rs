//! Questions in SQL: the named queries under `queries/`, their headers and parameters, and the engine
//! (DataFusion) that runs them over the Parquet files of a case or over the rows of a dump.
//!
//! This crate must never parse evidence, print, or know an analysis: it answers what the SQL says.
//!
//! # Adding a query
//!
//! One file `queries/<area>/<name>.sql`, one question; it is embedded when the crate is built. The header
//! is comment lines `-- key: value`, all of them needed but `param`; three blanks after `--` continue a value:
//!
//! ```sql
//! -- title: one line
//! -- about: what it answers, how to read the columns, what it can't tell
//! -- needs: eth_txs, obs.clock_samples
//! -- param: min_attempts integer = 2
//! -- order: attempts desc, eth_tx_id
//! ```
//!
//! * Types of parameters: integer, real, text, boolean, timestamp. A parameter without a default must be given.
//! * `needs` lists every table that the SQL reads, no other; `order` says what the last ORDER BY says, and
//!   leaves no two rows equal. Loading checks all of this and names file and line.
//! * Rows that are evidence select `ref`: `records`, `rejects`, `obs.<kind>` and database tables have it.
//! * Keep to what PostgreSQL, DuckDB and DataFusion all mean the same by: ON with column equalities only,
//!   explicit ROWS frames with a unique order, NOT EXISTS instead of NOT IN, CAST before `/`, NULLS LAST
//!   written out wherever a NULL can be, no `::`, LATERAL, DISTINCT ON or QUALIFY; integers by `%` and `-`, times by
//!   their `_us` column; `(fields ->> 'name')` in parentheses. `numeric` columns of dumps are decimals of
//!   76 digits here, where their numbers fit. Hashes are bytes: compare with
//!   `decode(digits, 'hex')`, show with `encode(bytes, 'hex')` (DuckDB needs the two macros in `tests/it`).
//! * Add golden rows in `crates/query/tests/it/golden.rs`. The same test runs the file on DuckDB and, where its
//!   tables come from PostgreSQL, on PostgreSQL, and compares all rows.

mod convert;
mod engine;
mod error;
mod exact;
mod header;
mod json;
mod numeric;
mod params;
mod provider;
mod queries;
mod statement;
mod tables;

pub use engine::{Engine, EngineOptions, Outcome};
pub use error::QueryError;
pub use header::Query;
pub use params::{Param, ParamType, ParamValue, Params};
pub use queries::Queries;
pub use tables::{TableFiles, TableName};
