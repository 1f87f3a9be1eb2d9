//! What the caller decides about an ingest, and how it hears of progress.

use crate::IngestError;
use dumps::{LiveLogin, LiveOptions};
use formats::Catalogue;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Options of [`crate::ingest`] and [`crate::parse`]. What changes records is part of a throw-away
/// case's key.
#[derive(Clone, Debug, Default)]
pub struct IngestOptions {
    /// Node name for every source of this run (`--node`).
    pub node: Option<String>,
    /// Zone of stamps that write none (`--zone`): an offset such as `+02:00`, or `Europe/Berlin`.
    pub zone: Option<String>,
    /// Year of stamps that write none (`--year`).
    pub year: Option<i32>,
    /// Only this format may claim lines (`--log-format`).
    pub log_format: Option<String>,
    /// Snapshot name for a dump (`--as`).
    pub as_name: Option<String>,
    /// Network name or config file (`--network`).
    pub network: Option<String>,
    /// Look, report, write nothing (`--dry-run`).
    pub dry_run: bool,
    /// Copy dumps into the case (`--keep-dumps`).
    pub keep_dumps: bool,
    /// Parser threads; 0 is one per core.
    pub threads: usize,
    /// Users' own formats, as (stem, text).
    pub formats_overlay: Vec<(String, String)>,
    /// Whether a log on standard input is committed every few seconds while it flows.
    pub live: bool,
    /// Who asks a live database, where its URL does not say it.
    pub login: LiveLogin,
    /// What is read of a live database.
    pub database: LiveOptions,
    /// Set, it ends such a stream: what came is committed.
    pub stop: Option<Arc<AtomicBool>>,
    /// Who runs this and how, for the custody log.
    pub custody: Option<Custody>,
}

impl IngestOptions {
    /// Returns the formats that may claim lines; `None` for all of this program's own.
    pub(crate) fn catalogue(&self) -> Result<Option<Catalogue>, IngestError> {
        let files = &self.formats_overlay;
        let Some(name) = &self.log_format else {
            return Ok(if files.is_empty() {
                None
            } else {
                Some(Catalogue::with_overlay(files)?)
            });
        };
        let only = Catalogue::only(name, files)?;
        if only.formats().is_empty() {
            let all = Catalogue::with_overlay(files)?;
            let known: Vec<&str> = all
                .formats()
                .iter()
                .map(|format| format.name.as_str())
                .collect();
            return Err(IngestError::UnknownFormat {
                name: name.clone(),
                known: known.join(", "),
            });
        }
        Ok(Some(only))
    }
}

/// Facts for the custody log: what the library can't know itself.
#[derive(Clone, Debug)]
pub struct Custody {
    /// When, in microseconds since 1970 UTC.
    pub at_us: i64,
    /// By whom.
    pub by: String,
    /// The command line.
    pub command: String,
}

impl Custody {
    /// Returns the line that says so: `action` is what was done (`ingest`, `amend`, `forget` …).
    pub fn entry(&self, action: &str) -> case::CustodyEntry {
        case::CustodyEntry {
            at: model::time::format_utc(self.at_us),
            by: self.by.clone(),
            command: self.command.clone(),
            action: action.to_owned(),
            ..case::CustodyEntry::default()
        }
    }
}

/// Hears how far a run is. All methods have empty defaults.
pub trait Progress {
    /// A source begins; `bytes` is its size on disk where known.
    fn source(&mut self, path: &str, bytes: Option<u64>) {
        let _ = (path, bytes);
    }

    /// More decoded bytes were read.
    fn read(&mut self, bytes: u64) {
        let _ = bytes;
    }

    /// Whether to stop at the next safe point (Ctrl-C): what was committed stays, the rest is left out.
    fn stop(&self) -> bool {
        false
    }
}

/// Says nothing.
#[derive(Debug, Default)]
pub struct Quiet;

impl Progress for Quiet {}
