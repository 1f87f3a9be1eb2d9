//! `trace`: a hash's way from L2 to L1.

use super::shared;
use crate::error::CliError;
use crate::exit::Exit;
use crate::ui::Ui;
use coroner::TraceQuestion;
use report::{Block, Document};
use serde_json::Value;

/// Where did this hash go: from L2 through miniblock and batch to L1
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    coroner trace dump.sql.gz 0x0bbbcf153f17ec0e1f12d698bbc64f9d242bc1cd1312dd5f34febf0e6cb6601a\n  \
    coroner trace rollup.case batch:7670 --as-of 2023-09-18T06:00:00Z --execution-delay 21h\n\n\
    KEY is an L2 or L1 hash (6 leading digits are enough), an address, batch:N, miniblock:N or eth_tx:N.")]
pub(crate) struct Args {
    /// Case folder, or plain evidence: of a dump only the tables a trace needs are read
    case: String,
    /// What to follow
    key: String,
    /// Answer as of T: rows made later are left out; -3h counts back from the default [default: when the dump was
    /// taken, else its newest row]
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    as_of: Option<String>,
    /// The delay that L1 demands between commit and execution, e.g. 21h (never assumed)
    #[arg(long, value_name = "TIME")]
    execution_delay: Option<String>,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, CliError> {
    ui.no_window("trace");
    let execution_delay_s = shared::delay_s(args.execution_delay.as_deref())?;
    let question = TraceQuestion {
        key: &args.key,
        snapshot: ui.settings.snapshot.as_deref(),
        as_of: shared::as_of(args.as_of.as_deref())?,
        zone: Some(ui.settings.zone),
        execution_delay_s,
    };
    let traced = coroner::trace(&args.case, &question, &ui.settings.open_options())?;
    shared::tell_as_of(ui, traced.trace.as_of.as_ref());
    ui.partial(&traced.partial);
    for what in &traced.trace.partial {
        ui.note(&format!("partial: {what}"));
    }
    let mut body = shared::object(&traced.trace);
    if !traced.partial.is_empty() {
        let mut parts: Vec<Value> = traced
            .partial
            .iter()
            .map(|part| Value::Object(shared::object(part)))
            .collect();
        parts.extend(
            traced
                .trace
                .partial
                .iter()
                .map(|what| serde_json::json!({"source": traced.trace.snapshot, "what": what})),
        );
        body.insert("partial".into(), Value::Array(parts));
    } else if !traced.trace.partial.is_empty() {
        let parts = traced
            .trace
            .partial
            .iter()
            .map(|what| serde_json::json!({"source": traced.trace.snapshot, "what": what}));
        body.insert("partial".into(), parts.collect());
    }
    ui.document(&Document {
        verb: "trace",
        body,
        view: vec![Block::Lines(traced.trace.to_text())],
        rows: None,
    })?;
    let whole = traced.partial.is_empty() && traced.trace.partial.is_empty();
    let found = traced.trace.fate != "unknown_hash";
    let exit = match found {
        true => Exit::Done,
        false if traced.trace.lacks_rows() => Exit::Undetermined,
        false => Exit::Nothing,
    };
    Ok(if whole {
        exit
    } else {
        exit.merge(Exit::Partial)
    })
}
