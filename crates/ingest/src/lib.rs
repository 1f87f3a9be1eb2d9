//! The pipeline that drives evidence into a case, bounded in memory: reading, parsing on several
//! threads, solving years, zones and nodes, writing rows, committing.
//!
//! Owns the order of things and the solving of time ([`solve`]). It must never know SQL nor how anything
//! is shown: it returns a report and leaves printing to others.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use ingest::{IngestOptions, Quiet};
//! let mut writer = case::CaseWriter::open_or_create(std::path::Path::new("medalla.case"))?;
//! let report = ingest::ingest(&mut writer, &["logs".into()], &IngestOptions::default(), &mut Quiet)?;
//! println!("{} new sources", report.added.len());
//! # Ok(()) }
//! ```

mod amend;
mod archive;
mod assemble;
mod columns;
mod copies;
mod counts;
mod dump_source;
mod entry;
mod error;
mod hashes;
mod identity;
mod live;
mod log_source;
mod networks;
mod nodes;
mod options;
mod parse;
mod pipeline;
mod report;
mod reread;
mod resolve;
mod rotate;
mod rows;
mod run;
mod setting;
mod snapshot;
pub mod solve;
mod text;
mod times;
mod who;

pub use amend::{Amendment, amend, find_source, forget, set_nodes};
pub use error::IngestError;
pub use networks::{NamedNetwork, network_named};
pub use nodes::{NodeHints, node_names, stable_pod_name, stem};
pub use options::{Custody, IngestOptions, Progress, Quiet};
pub use parse::{ParseReport, ParsedSource, parse};
pub use pipeline::StageTimes;
pub use report::{IngestReport, Problem};
pub use reread::stale_sources;
pub use resolve::{needs_resolving, piece_start_us, resolve};
pub use run::ingest;
