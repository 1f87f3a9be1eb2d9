//! Our speed beside our peers'.
//!
//! Makes large, realistic Prysm logs from a seed, and runs `coroner ingest` and the peers (DuckDB,
//! polars) over them as child processes in one run, so that ratios mean something on any machine.
//!
//! Nothing here is a timed test: `cargo run --release -p bench` prints, people judge. It must not link
//! the rooms it measures, except for the parse-only figure: a child's memory is its own.

mod generate;
mod measure;
mod parse;

pub use generate::{KINDS, LogWriter};
pub use measure::{Measured, Python, folder_bytes};
pub use parse::{ParseFigures, parse_only};
