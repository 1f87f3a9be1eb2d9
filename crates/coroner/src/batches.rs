//! `batches`: the life of every batch of a rollup.

use crate::as_of::{Dumped, resolve_as_of};
use crate::ask::trace_error;
use crate::{
    Error, Evidence, OpenOptions, Partial, PlainDumps, TimeContext, TimeSpec, Window, Zone,
};
use analysis::batches::{BatchesOptions, BatchesReport};
use analysis::trace::TraceOptions;
use model::TableSource;
use std::path::Path;

/// What is asked of the batches.
#[derive(Clone, Copy, Debug, Default)]
pub struct BatchesQuestion<'a> {
    /// Which snapshot of a database.
    pub snapshot: Option<&'a str>,
    /// The time to look at: rows made later are left out, waiting is judged by it. One that counts back does so from
    /// the snapshot's own.
    pub as_of: Option<TimeSpec>,
    /// The delay that L1 demands between commit and execution, in seconds.
    pub execution_delay_s: Option<f64>,
    /// Only batches that began from then on.
    pub from: Option<TimeSpec>,
    /// Only batches that began before.
    pub to: Option<TimeSpec>,
    /// The zone of times typed without one.
    pub zone: Option<Zone>,
    /// List at most so many batches, the newest.
    pub limit: Option<usize>,
}

/// The batches, and what could not be read.
#[derive(Clone, Debug)]
pub struct BatchesFound {
    /// The answer in the contract's shape.
    pub report: BatchesReport,
    /// The window as resolved.
    pub window: Window,
    /// What could not be read.
    pub partial: Vec<Partial>,
}

/// Tells the life of every batch: sealed, committed, proven, executed, with its waits. Plain dumps are
/// asked as they lie; anything else goes through a case.
///
/// ```no_run
/// let question = coroner::BatchesQuestion::default();
/// let found = coroner::batches("dump.sql.gz", &question, &coroner::OpenOptions::default())?;
/// for stand in &found.report.stands {
///     println!("{}: {:?}, next {:?}", stand.step, stand.highest, stand.next);
/// }
/// # Ok::<(), coroner::Error>(())
/// ```
///
/// # Errors
/// If the evidence cannot be opened, or has none of the tables.
pub fn batches(
    path: impl AsRef<Path>,
    question: &BatchesQuestion<'_>,
    options: &OpenOptions,
) -> Result<BatchesFound, Error> {
    let path = path.as_ref();
    let answer = |tables: &dyn TableSource, dumped: Dumped, zone, job_events| {
        let mut trace = TraceOptions {
            as_of_us: None,
            dumped_at_us: dumped.at_us,
            dumped_local_us: dumped.local_us,
            zone,
            job_events,
            execution_delay_s: question.execution_delay_s,
        };
        let own = || analysis::trace::as_of(tables, &trace).map_err(trace_error);
        trace.as_of_us = resolve_as_of(question.as_of, question.zone, own)?;
        let mut context = TimeContext {
            zone: question.zone.unwrap_or(Zone::UTC),
            newest_us: trace.as_of_us,
            ..TimeContext::default()
        };
        let counts = |spec| matches!(spec, Some(TimeSpec::Before(_)));
        if context.newest_us.is_none() && (counts(question.from) || counts(question.to)) {
            let own = analysis::trace::as_of(tables, &trace).map_err(trace_error)?;
            context.newest_us = own.filter(|own| own.utc).map(|own| own.us);
        }
        let window = Window::resolve(question.from, question.to, &context)?;
        let options = BatchesOptions {
            trace,
            window: window.is_given().then(|| window.bounds()),
            limit: question.limit,
        };
        let report = analysis::batches::batches(tables, &options).map_err(trace_error)?;
        Ok::<_, Error>((report, window))
    };
    // Logs beside the dumps tell the zone of a database's clock: they are read into a case.
    let dumps = PlainDumps::to_ask(path, options, question.snapshot)?;
    if let Some(dumps) = dumps.filter(|dumps| !dumps.has_others()) {
        let (report, window) = answer(
            &dumps,
            dumps.dumped(analysis::trace::is_trace_table),
            None,
            Vec::new(),
        )?;
        return Ok(BatchesFound {
            report,
            window,
            partial: dumps.partial(),
        });
    }
    let evidence = Evidence::open(path, options)?;
    let asked = evidence.rollup_snapshot(question.snapshot)?;
    let dumped = asked.map(Dumped::of).unwrap_or_default();
    let zone = asked.and_then(|asked| evidence.clock_zone(asked));
    let events = analysis::jobs::events(evidence.case())?;
    let tables = evidence.case().table_source(question.snapshot);
    let (report, window) = answer(&tables, dumped, zone, events)?;
    Ok(BatchesFound {
        report,
        window,
        partial: evidence.partial(),
    })
}
