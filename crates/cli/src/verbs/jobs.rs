//! `jobs`: prover and witness jobs, stuck and why.

use super::shared;
use crate::error::CliError;
use crate::exit::Exit;
use crate::ui::Ui;
use coroner::{JobLimits, JobsQuestion, Partial};
use report::{Block, Document};
use serde_json::{Map, Value, json};

/// Which prover and witness jobs are stuck, why nothing brings them back, which batch holds up the chain
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    coroner jobs zksync_local.sql.gz\n  \
    coroner jobs rollup.case --as-of 2023-09-08T13:13:17Z --max-attempts 1 --timeout 2700 --queue prover\n\n\
    Limits that nobody gives are taken from house keeper lines in the evidence, else assumed as the\n\
    repository's own configuration had them; the answer says which.")]
pub(crate) struct Args {
    /// Case folder, or plain evidence
    case: String,
    #[command(flatten)]
    asked: Asked,
}

/// What `jobs` and `what-if jobs` take alike.
#[derive(Debug, clap::Args)]
pub(crate) struct Asked {
    /// Answer as of T: rows made later are left out; -3h counts back from the default [default: when the dump was
    /// taken, else its newest row]
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    as_of: Option<String>,
    /// How often a job may be tried
    #[arg(long, value_name = "N")]
    max_attempts: Option<u32>,
    /// After how many seconds a job that runs counts as stuck
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u32>,
    /// The queues that the limits are for: prover, witness, fri_prover, fri_witness, compression, gateway
    /// [default: all]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    queue: Vec<String>,
}

impl Asked {
    /// The limits that were typed.
    pub(crate) fn limits(&self) -> JobLimits {
        JobLimits {
            max_attempts: self.max_attempts,
            timeout_s: self.timeout,
            queues: self.queue.clone(),
        }
    }

    /// The question without limits.
    pub(crate) fn question(&self, ui: &Ui) -> Result<JobsQuestion, CliError> {
        Ok(JobsQuestion {
            snapshot: ui.settings.snapshot.clone(),
            as_of: shared::as_of(self.as_of.as_deref())?,
            zone: Some(ui.settings.zone),
            limits: JobLimits::default(),
        })
    }
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, CliError> {
    ui.no_window("jobs");
    let question = JobsQuestion {
        limits: args.asked.limits(),
        ..args.asked.question(ui)?
    };
    let answer = coroner::jobs(&args.case, &question, &ui.settings.open_options())?;
    let jobs = &answer.jobs;
    shared::tell_as_of(ui, jobs.as_of.as_ref());
    let mut body = shared::object(jobs);
    let whole = partial(
        ui,
        &mut body,
        &answer.partial,
        &jobs.snapshots,
        &jobs.partial,
    );
    ui.document(&Document {
        verb: "jobs",
        body,
        view: vec![Block::Lines(jobs.to_text())],
        rows: Some("jobs"),
    })?;
    let mut exit = if jobs.has_stuck() {
        Exit::Done
    } else {
        Exit::Nothing
    };
    if jobs.is_undetermined() {
        exit = exit.merge(Exit::Undetermined);
    }
    Ok(if whole {
        exit
    } else {
        exit.merge(Exit::Partial)
    })
}

/// Names what could not be read, in the answer and beside it; returns whether nothing was missed.
pub(crate) fn partial(
    ui: &Ui,
    body: &mut Map<String, Value>,
    parts: &[Partial],
    snapshots: &[String],
    damage: &[String],
) -> bool {
    ui.partial(parts);
    for what in damage {
        ui.note(&format!("partial: {what}"));
    }
    body.remove("partial");
    let all: Vec<Value> = parts
        .iter()
        .map(|part| Value::Object(shared::object(part)))
        .chain(
            damage
                .iter()
                .map(|what| json!({"source": snapshots.join(", "), "what": what})),
        )
        .collect();
    let whole = all.is_empty();
    if !whole {
        body.insert("partial".into(), Value::Array(all));
    }
    whole
}
