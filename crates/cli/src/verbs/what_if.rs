//! `what-if`: the same evidence under another rule.

use super::jobs::{Asked, partial};
use super::{later, shared};
use crate::error::CliError;
use crate::exit::Exit;
use crate::ui::Ui;
use coroner::Error;
use report::{Block, Document};

/// The same evidence under another rule or other limits
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

/// What is varied.
#[derive(Debug, clap::Subcommand)]
enum What {
    /// Which jobs would have come back under other limits, and how many runs each could still get
    Jobs(JobsArgs),
    #[command(hide = true)]
    Roughtime(later::Args),
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  \
    coroner what-if jobs zksync_local.sql.gz --max-attempts 5 --timeout 3600 --queue prover --as-of 2023-09-08T14:00:00Z")]
struct JobsArgs {
    /// Case folder, or plain evidence
    case: String,
    #[command(flatten)]
    asked: Asked,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, CliError> {
    match &args.what {
        What::Jobs(args) => jobs(args, ui),
        What::Roughtime(_) => later::run("what-if roughtime"),
    }
}

fn jobs(args: &JobsArgs, ui: &mut Ui) -> Result<Exit, CliError> {
    ui.no_window("what-if jobs");
    let other = args.asked.limits();
    if other.max_attempts.is_none() && other.timeout_s.is_none() {
        return Err(Error::request("what-if jobs needs limits to try")
            .with_hint("give --max-attempts N, --timeout SECONDS, or both")
            .into());
    }
    let question = args.asked.question(ui)?;
    let answer = coroner::what_if_jobs(&args.case, &question, &other, &ui.settings.open_options())?;
    let what_if = &answer.what_if;
    shared::tell_as_of(ui, what_if.as_of.as_ref());
    let mut body = shared::object(what_if);
    let whole = partial(
        ui,
        &mut body,
        &answer.partial,
        &what_if.snapshots,
        &what_if.partial,
    );
    ui.document(&Document {
        verb: "what-if-jobs",
        body,
        view: vec![Block::Lines(what_if.to_text())],
        rows: Some("jobs"),
    })?;
    let exit = match what_if.jobs.is_empty() {
        true => Exit::Nothing,
        false => Exit::Done,
    };
    Ok(if whole {
        exit
    } else {
        exit.merge(Exit::Partial)
    })
}
