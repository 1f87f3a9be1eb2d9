//! `trace`, `triage` and the changes to a case.

use crate::as_of::{Dumped, resolve_as_of};
use crate::{Error, ErrorKind, Evidence, OpenOptions, Partial, PlainDumps, TimeSpec};
use analysis::trace::{TraceError, TraceOptions, Zone};
use case::{CaseWriter, NodeRule};
use ingest::{Amendment, Custody, IngestOptions, IngestReport, ParseReport, Progress};
use model::TableSource;
use std::io;
use std::path::{Path, PathBuf};

/// A trace, and what it could not read.
#[derive(Clone, Debug)]
pub struct Traced {
    /// The answer in the contract's shape.
    pub trace: analysis::trace::Trace,
    /// What could not be read.
    pub partial: Vec<Partial>,
}

/// What a trace is asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct TraceQuestion<'a> {
    /// Hash, prefix of one, address, `batch:N`, `miniblock:N` or `eth_tx:N`.
    pub key: &'a str,
    /// Which snapshot of a database.
    pub snapshot: Option<&'a str>,
    /// The time to look at: rows made later are left out, waiting is judged by it. One that counts back does so from
    /// the snapshot's own.
    pub as_of: Option<TimeSpec>,
    /// The zone of times typed without one.
    pub zone: Option<crate::Zone>,
    /// The delay that L1 demands between commit and execution, in seconds.
    pub execution_delay_s: Option<f64>,
}

impl TraceQuestion<'_> {
    fn options(
        &self,
        tables: &dyn TableSource,
        dumped: Dumped,
        zone: Option<Zone>,
    ) -> Result<TraceOptions, Error> {
        let mut options = TraceOptions {
            as_of_us: None,
            dumped_at_us: dumped.at_us,
            dumped_local_us: dumped.local_us,
            zone,
            execution_delay_s: self.execution_delay_s,
            ..TraceOptions::default()
        };
        let own = || analysis::trace::as_of(tables, &options).map_err(trace_error);
        options.as_of_us = resolve_as_of(self.as_of, self.zone, own)?;
        Ok(options)
    }
}

/// Follows a hash, batch, block or transaction from L2 to L1. Plain dumps are asked as they lie, only
/// the tables that a trace needs are read; anything else goes through a case. Answers of APIs beside them are
/// cited where they speak of a step, and followed alone where there is no database.
///
/// ```no_run
/// let options = coroner::OpenOptions::default();
/// let key = "0x0bbbcf153f17ec0e1f12d698bbc64f9d242bc1cd1312dd5f34febf0e6cb6601a";
/// let question = coroner::TraceQuestion { key, ..coroner::TraceQuestion::default() };
/// let traced = coroner::trace("dump.sql.gz", &question, &options)?;
/// println!("{}", traced.trace.fate);
/// # Ok::<(), coroner::Error>(())
/// ```
///
/// # Errors
/// If the evidence cannot be opened, has none of the tables, or the key is malformed.
pub fn trace(
    path: impl AsRef<Path>,
    question: &TraceQuestion<'_>,
    options: &OpenOptions,
) -> Result<Traced, Error> {
    let path = path.as_ref();
    let (key, snapshot) = (question.key, question.snapshot);
    // A wrong key is said before anything is read.
    key.parse::<analysis::trace::Key>().map_err(trace_error)?;
    // Logs beside the dumps also speak of the steps: they are read into a case.
    let dumps = PlainDumps::to_ask(path, options, snapshot)?.filter(|dumps| !dumps.has_others());
    let (answer, partial) = match dumps {
        Some(dumps) => {
            let dumped = dumps.dumped(analysis::trace::is_trace_table);
            let options = question.options(&dumps, dumped, None)?;
            let mut answer = analysis::trace::trace(&dumps, key, &options).map_err(trace_error)?;
            let all = dumps.of_all_snapshots();
            analysis::trace::corroborate(&mut answer, &all).map_err(trace_error)?;
            if answer.fate == "unknown_hash" && answer.key.starts_with("0x") {
                answer.warnings.push(format!(
                    "{} is no hash of a transaction, block or batch and no sender in these tables; their other columns \
                     were not searched: `coroner search {} {}` does that",
                    answer.key,
                    crate::shell_quoted(&crate::evidence::shown(path)),
                    answer.key
                ));
            }
            (answer, dumps.partial())
        }
        None => {
            let evidence = Evidence::open(path, options)?;
            let asked = evidence.rollup_snapshot(snapshot)?;
            let dumped = asked.map(Dumped::of).unwrap_or_default();
            let zone = asked.and_then(|asked| evidence.clock_zone(asked));
            let tables = evidence.case().table_source(snapshot);
            let mut options = question.options(&tables, dumped, zone)?;
            options.job_events = analysis::jobs::events(evidence.case())?;
            let mut answer = analysis::trace::trace(&tables, key, &options).map_err(trace_error)?;
            // Answers of APIs are snapshots of their own.
            let all = evidence.case().table_source(None);
            analysis::trace::corroborate(&mut answer, &all).map_err(trace_error)?;
            analysis::trace::cite(&mut answer, evidence.case())?;
            evidence.mention(&mut answer)?;
            (answer, evidence.partial())
        }
    };
    Ok(Traced {
        trace: answer,
        partial,
    })
}

pub(crate) fn trace_error(error: TraceError) -> Error {
    match error {
        TraceError::Table(error) => error.into(),
        TraceError::AmbiguousPrefix { .. } => {
            Error::wrap(ErrorKind::Request, error).with_hint("give more digits")
        }
        TraceError::NoTables { .. } => Error::wrap(ErrorKind::Request, error)
            .with_hint("`coroner tables CASE` lists the database tables in the evidence"),
        other => Error::wrap(ErrorKind::Request, other),
    }
}

impl Evidence {
    /// Judges the clocks of all nodes inside a window.
    ///
    /// # Errors
    /// If the case cannot be read.
    pub fn clock(&self, window: &crate::Window) -> Result<analysis::clock::ClockReport, Error> {
        let bounds = window.is_given().then(|| window.bounds());
        Ok(analysis::clock::clock(&self.case, bounds)?)
    }

    /// Searches records and rejected lines (see [`index::Search`] for the language).
    ///
    /// # Errors
    /// If the search cannot be understood, or the case cannot be read.
    pub fn search(
        &self,
        text: &str,
        window: &crate::Window,
        limit: Option<usize>,
        with_copies: bool,
    ) -> Result<index::Found, Error> {
        let filter = index::Filter {
            with_copies,
            window: window.is_given().then(|| window.bounds()),
            limit,
        };
        index::search(&self.case, text, filter).map_err(crate::mentions::search_error)
    }

    /// Runs the detectors: what is wrong, worst first, and what cannot be said.
    ///
    /// # Errors
    /// If the case cannot be read.
    pub fn triage(&self) -> Result<detect::Triage, Error> {
        let options = detect::TriageOptions {
            case_name: crate::evidence::shown(self.named()),
            clocks: None,
        };
        detect::triage(&self.case, &options)
            .map_err(|error| Error::wrap(ErrorKind::Unreadable, error))
    }
}

/// Reads evidence into a case, which is made if it is not there.
///
/// # Errors
/// What stops the run; damage to parts of the evidence is in the report.
pub fn ingest(
    case: impl AsRef<Path>,
    paths: &[PathBuf],
    options: &IngestOptions,
    progress: &mut dyn Progress,
) -> Result<IngestReport, Error> {
    if options.dry_run {
        // The same reading into a case that nobody keeps.
        let folder = tempfile::tempdir().map_err(|error| {
            crate::evidence::unreadable("write into", Path::new("the temporary folder"), error)
        })?;
        let mut writer = CaseWriter::open_or_create(folder.path().join("case").as_path())?;
        return Ok(ingest::ingest(&mut writer, paths, options, progress)?);
    }
    let mut writer = CaseWriter::open_or_create(case.as_ref())?;
    Ok(ingest::ingest(&mut writer, paths, options, progress)?)
}

/// Corrects what is known of a source, records that, and solves its times anew. Returns its digest.
///
/// # Errors
/// If there is no such source, or the case cannot be written.
pub fn amend(
    case: impl AsRef<Path>,
    source: &str,
    said: &Amendment,
    custody: Option<&Custody>,
) -> Result<String, Error> {
    let evidence = Evidence::open_case(case.as_ref())?;
    let digest = evidence.source(source)?.digest.clone();
    let mut writer = CaseWriter::open_or_create(case.as_ref())?;
    Ok(ingest::amend(&mut writer, &digest, said, custody)?)
}

/// Records what people say about who is who, and solves the case anew. `text` is TOML: each key is the name
/// of a node, its value the list of what belongs to it (names of nodes, pods or hosts, sources).
///
/// ```
/// let said = coroner::node_rules("prysm-1 = [\"beacon-0\", \"S3\"]")?;
/// assert_eq!(said[0].node, "prysm-1");
/// # Ok::<(), coroner::Error>(())
/// ```
///
/// # Errors
/// If a word names nothing in the case, or the case cannot be written.
pub fn set_nodes(
    case: impl AsRef<Path>,
    rules: &[NodeRule],
    custody: &Custody,
) -> Result<(), Error> {
    Evidence::open_case(case.as_ref())?;
    let mut writer = CaseWriter::open_or_create(case.as_ref())?;
    let detail: Vec<String> = rules
        .iter()
        .map(|rule| format!("{} = {}", rule.node, rule.is.join(", ")))
        .collect();
    let entry = case::CustodyEntry {
        detail: Some(detail.join("; ")),
        ..custody.entry("nodes")
    };
    Ok(ingest::set_nodes(&mut writer, rules, Some(entry))?)
}

/// Reads who is who as people write it: see [`set_nodes`].
///
/// # Errors
/// If it is no TOML of that shape.
pub fn node_rules(text: &str) -> Result<Vec<NodeRule>, Error> {
    let said: std::collections::BTreeMap<String, Vec<String>> =
        toml::from_str(text).map_err(|error| {
            Error::request(format!("this is not who is who: {}", error.message()))
                .with_hint("write a line for each node: prysm-1 = [\"beacon-0\", \"S3\"]")
        })?;
    Ok(said
        .into_iter()
        .map(|(node, is)| NodeRule { node, is })
        .collect())
}

/// Takes a source out of a case. Returns its digest.
///
/// # Errors
/// If there is no such source, or the case cannot be written.
pub fn forget(
    case: impl AsRef<Path>,
    source: &str,
    custody: Option<&Custody>,
) -> Result<String, Error> {
    let evidence = Evidence::open_case(case.as_ref())?;
    let digest = evidence.source(source)?.digest.clone();
    let mut writer = CaseWriter::open_or_create(case.as_ref())?;
    Ok(ingest::forget(&mut writer, &digest, custody)?)
}

/// Hands what the parser sees to `emit`, one JSON object and a line feed per entry.
///
/// # Errors
/// If options name what is not there, or `emit` fails.
pub fn parse(
    paths: &[PathBuf],
    options: &IngestOptions,
    emit: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> Result<ParseReport, Error> {
    for path in paths {
        crate::evidence::exists(path)?;
    }
    Ok(ingest::parse(paths, options, emit)?)
}

/// Reads a folder of format definitions, as (stem, text).
///
/// # Errors
/// If the folder or a file cannot be read.
pub fn read_definitions(folder: &Path) -> Result<Vec<(String, String)>, Error> {
    let listing = std::fs::read_dir(folder)
        .map_err(|error| crate::evidence::unreadable("list", folder, error))?;
    let mut files: Vec<PathBuf> = listing
        .flatten()
        .map(|item| item.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
        .collect();
    files.sort();
    if files.is_empty() {
        return Err(Error::request(format!(
            "no format definition (*.toml) in {}",
            crate::evidence::shown(folder)
        )));
    }
    files
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path)
                .map_err(|error| crate::evidence::unreadable("read", &path, error))?;
            let stem = path.file_stem().map(|s| s.to_string_lossy().into_owned());
            Ok((stem.unwrap_or_default(), text))
        })
        .collect()
}

/// Runs the samples of a user's format definitions; returns what fails, in words.
///
/// # Errors
/// If a definition is broken.
pub fn check_definitions(overlay: &[(String, String)]) -> Result<Vec<String>, Error> {
    let catalogue = formats::Catalogue::with_overlay(overlay)
        .map_err(|error| Error::wrap(ErrorKind::Request, error))?;
    Ok(formats::check_samples(&catalogue)
        .iter()
        .map(ToString::to_string)
        .collect())
}
