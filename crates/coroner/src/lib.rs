//! The façade: open evidence, ask it.
//!
//! [`Evidence::open`] takes a case folder, or plain evidence (a log, a dump, a folder of them), for
//! which it makes a throw-away case in a cache; the same questions work on both. What comes out are
//! plain values that serialise into the shapes of the contract, and windows, references and
//! damage are handled here. This crate must never know clap, print, exit or read the environment:
//! that is `cli`'s.
//!
//! ```no_run
//! use coroner::{Evidence, OpenOptions, TimelineFilter, Window};
//!
//! let evidence = Evidence::open("medalla.case", &OpenOptions::default())?;
//! let mut warnings = 0;
//! let filter = TimelineFilter { min_level: Some(model::Level::Warn), ..TimelineFilter::default() };
//! evidence.timeline(&filter, &Window::default(), &mut |_row| {
//!     warnings += 1;
//!     Ok(())
//! })?;
//! # Ok::<(), coroner::Error>(())
//! ```

mod as_of;
mod ask;
mod batches;
mod cache;
mod collect;
mod diff;
mod draft;
mod dump_file;
mod error;
mod evidence;
mod gaps;
mod grep;
mod info;
mod jobs;
mod kept;
mod mentions;
mod milestones;
mod nodes;
mod originals;
mod partial;
mod plain;
mod show;
mod snapshots;
mod sql;
mod tables;
mod timeline;
mod window;
mod zones;

pub use ::dumps::{LiveLogin, LiveOptions, LiveTarget, Secret, redacted};
pub use ::ingest::{Amendment, Custody, IngestOptions, IngestReport, ParseReport, Progress, Quiet};
pub use analysis::batches::{BatchLine, BatchesReport, StepLine};
pub use analysis::clock::{ClockReport, Interval as ClockInterval};
pub use analysis::diff::{DiffEvent, DiffOptions, RowDiff, TableDiff};
pub use analysis::frames::{FrameError, frame};
pub use analysis::trace::AsOf;
pub use ask::{
    TraceQuestion, Traced, amend, check_definitions, forget, ingest, node_rules, parse,
    read_definitions, set_nodes, trace,
};
pub use batches::{BatchesFound, BatchesQuestion, batches};
pub use cache::{Cache, CacheEntry};
pub use case::{AnswerFile, NodeRule, SourceKind};
pub use collect::{CollectCommand, CollectTargets, Collector, collect_commands, shell_quoted};
pub use diff::{DiffSnapshot, Diffed};
pub use draft::DraftOptions;
pub use error::{Error, ErrorKind};
pub use evidence::{Evidence, OpenOptions, STDIN};
pub use formats::{Catalogue, Format};
pub use grep::Grep;
pub use index::{Found, Hit, Unsearched};
pub use info::{
    Gap, Info, InfoAlternative, InfoContainer, InfoOverride, InfoProcess, InfoSchema, InfoSnapshot,
    InfoSnapshotZone, InfoSource, InfoTable, InfoZone, InfoZoneChange, Totals,
};
pub use jobs::{
    JobLimits, JobsAnswer, JobsQuestion, WhatIfJobsAnswer, job_queues, jobs, what_if_jobs,
};
pub use model::{Level, Reference};
pub use nodes::{NodeInfo, NodeName, NodeRelation, NodeVersion};
pub use originals::{ByHash, Original};
pub use partial::{LookedAt, Partial};
pub use plain::PlainDumps;
pub use report::{Zone, ZoneError};
pub use show::Shown;
pub use sql::{QueryInfo, QueryParam, SqlOptions, SqlOutcome, queries, query, sql};
pub use tables::{TableColumn, TableRow};
pub use timeline::{TimelineFilter, TimelineSummary};
pub use window::{TimeContext, TimeSpec, Window, duration_us};
