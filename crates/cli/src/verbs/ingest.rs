//! `ingest`: reads evidence into a case.

use super::{info, shared};
use crate::error::CliError;
use crate::exit::Exit;
use crate::ui::Ui;
use coroner::{
    Error, ErrorKind, Evidence, IngestOptions, IngestReport, LiveLogin, LiveOptions, LiveTarget,
    Progress,
};
use indicatif::{ProgressBar, ProgressStyle};
use report::{Block, Document};
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Read evidence into a case; what it has already costs only a hash
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    coroner ingest medalla.case logs/ dump.sql.gz\n  \
    coroner ingest medalla.case old/beacon.log --node prysm-3 --zone America/New_York --year 2020\n  \
    PGPASSWORD=… coroner ingest rollup.case \"postgres://reader@db/zksync?sslmode=require\" --table 'eth_txs*' --table '*batches'\n  \
    journalctl -u beacon | coroner ingest medalla.case -")]
pub(crate) struct Args {
    /// Case folder; made if it is not there
    case: String,
    /// Logs, dumps, folders of them, a live database (postgres://user@host/db), or - for standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    reading: Reading,
    /// Name of the snapshot that a dump becomes [default: its database, else the file]
    #[arg(long = "as", value_name = "NAME")]
    as_name: Option<String>,
    /// Full-text index: now, later or never (`search` scans in this version: never)
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "never",
        hide_default_value = true,
        hide_possible_values = true
    )]
    index: Index,
    /// Look and report, write nothing
    #[arg(long)]
    dry_run: bool,
    /// Exit with 3 if any line is rejected
    #[arg(long)]
    strict: bool,
    /// Copy dumps into the case, instead of a reference and a hash
    #[arg(long)]
    keep_dumps: bool,
    /// Of a live database only tables of this name; * and ? stand for anything [repeatable]
    #[arg(long = "table", value_name = "PATTERN")]
    tables: Vec<String>,
    /// Seconds that a live database may take for one table; 0 for any time [default: 600]
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 600,
        hide_default_value = true
    )]
    statement_timeout: u64,
}

/// How logs are read: for `ingest` and `parse`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Reading {
    /// The node that the sources belong to
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
    /// Zone of stamps that write none: -04:00 or America/New_York
    #[arg(long, value_name = "ZONE", allow_hyphen_values = true)]
    zone: Option<String>,
    /// Year of stamps that write none
    #[arg(long, value_name = "YEAR")]
    year: Option<i32>,
    /// Only this format may claim lines (`coroner formats`)
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// A folder with format definitions of your own
    #[arg(long, value_name = "DIR")]
    formats: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Index {
    Now,
    Later,
    Never,
}

impl Reading {
    /// Converts to the library's options.
    pub(crate) fn options(&self, ui: &Ui) -> Result<IngestOptions, Error> {
        if let Some(zone) = &self.zone {
            zone.parse::<coroner::Zone>()?;
        }
        Ok(IngestOptions {
            node: self.node.clone(),
            zone: self.zone.clone(),
            year: self.year,
            log_format: self.log_format.clone(),
            network: ui.settings.network.clone(),
            threads: ui.settings.threads,
            formats_overlay: match &self.formats {
                Some(folder) => coroner::read_definitions(folder)?,
                None => Vec::new(),
            },
            ..IngestOptions::default()
        })
    }
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, CliError> {
    ui.no_window("ingest");
    if args.index != Index::Never {
        return Err(Error::new(
            ErrorKind::NotAvailable,
            "the full-text index comes with a later version",
        )
        .with_hint("leave --index out: `coroner search` scans the evidence")
        .into());
    }
    let stop = stop_at_interrupt(&args.paths);
    let options = IngestOptions {
        as_name: args.as_name.clone(),
        dry_run: args.dry_run,
        keep_dumps: args.keep_dumps,
        login: login(args, ui),
        database: LiveOptions {
            tables: args.tables.clone(),
            statement_timeout_s: args.statement_timeout,
        },
        custody: Some(shared::custody(ui)),
        live: true,
        stop: stop.clone(),
        ..args.reading.options(ui)?
    };
    let mut bar = Bar::new(ui.settings.progress, stop);
    let report = coroner::ingest(&args.case, &args.paths, &options, &mut bar);
    bar.finish();
    let report = report?;
    tell(&report, args, ui)
}

/// Who asks a database: nothing is looked up where none is named.
fn login(args: &Args, ui: &Ui) -> LiveLogin {
    let mut paths = args.paths.iter().filter_map(|path| path.to_str());
    match paths.any(LiveTarget::is_url) {
        true => ui.settings.environment.login(),
        false => LiveLogin::default(),
    }
}

fn tell(report: &IngestReport, args: &Args, ui: &Ui) -> Result<Exit, CliError> {
    for problem in &report.problems {
        ui.tell_partial(&format!("{}: {}", problem.path, problem.what));
    }
    let read = report.added.len() + report.grown.len() + report.unchanged.len();
    let damaged = !report.problems.is_empty();
    if read == 0 {
        let message = match report.problems.first() {
            Some(first) => format!("nothing could be read: {}: {}", first.path, first.what),
            None => "no evidence there".to_owned(),
        };
        return Err(Error::new(ErrorKind::Unreadable, message)
            .with_hint("name a log, a database dump, or a folder that holds some")
            .into());
    }
    let unchanged: Vec<&String> = report.unchanged.iter().map(|(_, digest)| digest).collect();
    let problems: Vec<_> = report
        .problems
        .iter()
        .map(|problem| json!({"source": problem.path, "what": problem.what}))
        .collect();
    let summary = format!(
        "{}{}, {} grown, {} known already, {}{} read",
        if args.dry_run { "dry run: " } else { "" },
        shared::count(report.added.len() as u64, "new source"),
        report.grown.len(),
        report.unchanged.len(),
        match report.reread.len() {
            0 => String::new(),
            n => format!("{n} read again by this version of the parser, "),
        },
        shared::bytes(report.bytes),
    );
    let (mut body, mut view, rejected) = if args.dry_run {
        (serde_json::Map::new(), Vec::new(), false)
    } else {
        let evidence = Evidence::open_case(&args.case)?;
        let info = evidence.info();
        let touched =
            |digest: &String| report.added.contains(digest) || report.grown.contains(digest);
        let rejected = info
            .sources
            .iter()
            .any(|source| touched(&source.digest) && !source.rejected.is_empty());
        (
            shared::object(&info),
            info::view(&info, false, ui),
            rejected,
        )
    };
    body.insert("added".into(), json!(report.added));
    body.insert("grown".into(), json!(report.grown));
    body.insert("unchanged".into(), json!(unchanged));
    body.insert("reread".into(), json!(report.reread));
    body.insert("rewritten".into(), json!(report.rewritten));
    body.insert("dry_run".into(), json!(args.dry_run));
    body.shift_remove("partial");
    if damaged {
        body.insert("partial".into(), json!(problems));
    }
    view.insert(0, Block::Text(summary));
    ui.document(&Document {
        verb: "ingest",
        body,
        view,
        rows: None,
    })?;
    let mut exit = Exit::Done;
    if damaged || (args.strict && rejected) {
        exit = exit.merge(Exit::Partial);
    }
    Ok(exit)
}

/// Lets Ctrl-C end a stream in good order: what came is committed. A second one ends the program.
fn stop_at_interrupt(paths: &[PathBuf]) -> Option<Arc<AtomicBool>> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    if !paths.iter().any(|path| path.as_os_str() == coroner::STDIN) {
        return None;
    }
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first sets the flag, the second finds it set.
        let hooked = signal_hook::flag::register_conditional_shutdown(signal, 130, stop.clone())
            .and_then(|_| signal_hook::flag::register(signal, stop.clone()));
        if hooked.is_err() {
            return None;
        }
    }
    Some(stop)
}

/// A progress bar, or silence; and whether the user wants an end.
struct Bar {
    bar: Option<ProgressBar>,
    stop: Option<Arc<AtomicBool>>,
}

impl Bar {
    fn new(visible: bool, stop: Option<Arc<AtomicBool>>) -> Bar {
        Bar {
            stop,
            bar: visible.then(|| {
                let bar = ProgressBar::new_spinner();
                if let Ok(style) =
                    ProgressStyle::with_template("{spinner} {bytes} {bytes_per_sec}  {wide_msg}")
                {
                    bar.set_style(style);
                }
                bar
            }),
        }
    }

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Progress for Bar {
    fn source(&mut self, path: &str, _bytes: Option<u64>) {
        if let Some(bar) = &self.bar {
            bar.set_message(report::terminal(path));
        }
    }

    fn read(&mut self, bytes: u64) {
        if let Some(bar) = &self.bar {
            bar.inc(bytes);
        }
    }

    fn stop(&self) -> bool {
        let stop = self.stop.as_ref();
        stop.is_some_and(|stop| stop.load(Ordering::Relaxed))
    }
}
