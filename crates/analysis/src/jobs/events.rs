//! What log lines say of jobs: the limits that a house keeper printed, the jobs it put back.

use super::load::{JobRow, Table};
use super::queue_name;
use super::shape::HouseKeeper;
use case::{Case, CaseError, TableId};
use chain::requeue::Queue;
use model::RowFilter;
use model::time::format_utc;

/// References of one kind of line, at most.
const REFS: usize = 10;
/// Disagreements that are named, at most.
const NAMED: usize = 5;

/// A line that speaks of jobs (an observation `job_events`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JobEvent {
    /// When, in microseconds UTC on the program's clock; none if the line is undated.
    pub ts_us: Option<i64>,
    /// `requeued`, `picked`, `finished`, `failed`, `stuck` or `config`.
    pub what: String,
    /// `prover`, `witness`, `fri_prover`, `fri_witness`, `compression`, or empty.
    pub queue: String,
    /// Job.
    pub job_id: Option<i64>,
    /// Batch.
    pub batch: Option<i64>,
    /// Attempts, after what happened.
    pub attempts: Option<i64>,
    /// A printed value.
    pub value: Option<f64>,
    /// What the value is.
    pub detail: String,
    /// The line.
    pub reference: String,
}

/// Reads what a case's log lines say of jobs, in time order. What several copies of a log say is said once.
///
/// # Errors
/// If the case cannot be read.
pub fn events(case: &Case) -> Result<Vec<JobEvent>, CaseError> {
    let columns = [
        "ts_us", "what", "queue", "job_id", "batch", "attempts", "value", "detail", "source",
        "line",
    ];
    let table = TableId::Obs("job_events".to_owned());
    let duplicates = case.duplicates()?;
    let mut events = Vec::new();
    case.read(&table, Some(&columns), &RowFilter::All, &mut |batch| {
        let int = |row: usize, name: &str| batch.column(name).and_then(|column| column.i64(row));
        let text = |row: usize, name: &str| {
            batch
                .column(name)
                .and_then(|column| column.text(row))
                .unwrap_or_default()
        };
        for row in 0..batch.rows() {
            let line = int(row, "line").map_or(0, |line| line.max(0).unsigned_abs());
            let source = text(row, "source");
            if duplicates.is_copy(source, line) {
                continue;
            }
            events.push(JobEvent {
                ts_us: int(row, "ts_us"),
                what: text(row, "what").to_owned(),
                queue: text(row, "queue").to_owned(),
                job_id: int(row, "job_id"),
                batch: int(row, "batch"),
                attempts: int(row, "attempts"),
                value: batch.column("value").and_then(|column| column.f64(row)),
                detail: text(row, "detail").to_owned(),
                reference: format!("{source}:{line}"),
            });
        }
        Ok(())
    })?;
    events.sort_by(|a, b| (a.ts_us, &a.reference).cmp(&(b.ts_us, &b.reference)));
    Ok(events)
}

/// A limit that lines print.
pub(super) struct LimitLine {
    pub(super) value: u32,
    pub(super) refs: Vec<String>,
}

/// The events as answers need them.
pub(super) struct Lines<'a> {
    events: &'a [JobEvent],
    now_us: Option<i64>,
    /// Lines after that time are of no account.
    is_past: bool,
    /// Disagreements beyond those named.
    more: std::cell::Cell<usize>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(events: &'a [JobEvent], now_us: Option<i64>, is_past: bool) -> Lines<'a> {
        Lines {
            events,
            now_us,
            is_past,
            more: std::cell::Cell::new(0),
        }
    }

    fn is_later(&self, event: &JobEvent) -> bool {
        match (event.ts_us, self.now_us) {
            (Some(ts), Some(now)) => ts > now,
            _ => false,
        }
    }

    fn of_queue(&self, queue: Queue) -> impl Iterator<Item = &'a JobEvent> {
        self.events
            .iter()
            .filter(move |event| event.queue == queue_name(queue))
    }

    /// The limit that the last line before the time looked at prints; else the first after it.
    pub(super) fn limit(&self, queue: Queue, detail: &str) -> Option<LimitLine> {
        let said = || {
            self.of_queue(queue)
                .filter(move |event| event.what == "config" && event.detail == detail)
        };
        let event = said()
            .filter(|event| !self.is_later(event))
            .last()
            .or_else(|| said().next())?;
        let value = event.value?;
        let fits = value >= 0.0 && value <= f64::from(u32::MAX) && value.fract() == 0.0;
        fits.then(|| LimitLine {
            value: value as u32,
            refs: vec![event.reference.clone()],
        })
    }

    /// Lines that name a job. One text serves the witness jobs of all rounds, so those are not told apart.
    fn naming(&self, queue: Queue, job: &JobRow) -> impl Iterator<Item = &'a JobEvent> + '_ {
        let id = match queue {
            Queue::OldProver | Queue::FriProver => job.id,
            Queue::Compression => job.batch,
            _ => None,
        };
        self.of_queue(queue)
            .filter(move |event| id.is_some() && (event.job_id == id || event.batch == id))
            .filter(move |event| !(self.is_past && self.is_later(event)))
    }

    pub(super) fn of_job(&self, queue: Queue, job: &JobRow) -> Vec<String> {
        self.naming(queue, job)
            .take(REFS)
            .map(|event| event.reference.clone())
            .collect()
    }

    /// A line that the row contradicts.
    pub(super) fn disagreement(&self, table: &Table, job: &JobRow) -> Option<String> {
        let attempts = job.attempts?;
        let event = self
            .naming(table.spec.queue, job)
            .filter(|event| event.what == "requeued" && !self.is_later(event))
            .find(|event| event.attempts.is_some_and(|said| said > attempts))?;
        if self.more.get() >= NAMED {
            self.more.set(self.more.get() + 1);
            return None;
        }
        self.more.set(self.more.get() + 1);
        Some(format!(
            "{} says that {} {} was put back with attempts {}, its row has {attempts}: the rows are older than the line, or of another database",
            event.reference,
            table.info.name,
            event.job_id.or(event.batch).unwrap_or_default(),
            event.attempts.unwrap_or_default(),
        ))
    }

    pub(super) fn house_keeper(&self) -> Option<HouseKeeper> {
        let counts = |event: &&JobEvent| event.what == "config" && event.detail == "requeued_jobs";
        let relevant: Vec<&JobEvent> = self
            .events
            .iter()
            .filter(|event| event.what == "requeued" || counts(event))
            .filter(|event| !(self.is_past && self.is_later(event)))
            .collect();
        if relevant.is_empty() {
            return None;
        }
        let print = |ts: Option<i64>| ts.map(format_utc);
        Some(HouseKeeper {
            runs: relevant.iter().copied().filter(|e| counts(e)).count() as u64,
            requeued: relevant.iter().filter(|e| e.what == "requeued").count() as u64,
            first: print(relevant.iter().filter_map(|event| event.ts_us).min()),
            last: print(relevant.iter().filter_map(|event| event.ts_us).max()),
            refs: relevant
                .iter()
                .take(REFS)
                .map(|event| event.reference.clone())
                .collect(),
        })
    }

    /// What must be said beside the answer.
    pub(super) fn warn(&self, warnings: &mut Vec<String>) {
        let more = self.more.get().saturating_sub(NAMED);
        if more > 0 {
            warnings.push(format!("{more} more log lines and rows disagree"));
        }
        let later = self
            .events
            .iter()
            .filter(|event| event.what == "requeued" && self.is_later(event))
            .count();
        if later > 0 {
            warnings.push(format!(
                "{later} jobs were put back after the time looked at, by log lines: choose a later --as-of, or a newer dump"
            ));
        }
    }
}
