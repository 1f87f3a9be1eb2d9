//! `timeline`: all records in time order.

use super::shared;
use crate::error::CliError;
use crate::exit::Exit;
use crate::ui::Ui;
use coroner::{Error, ErrorKind, Evidence, Level, TimelineFilter, TimelineSummary, Window};
use report::{ListSpec, Style};
use serde_json::{Map, Value};

/// All records of all sources in time order
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    coroner timeline logs/ --level warn --from '2020-08-14 17:00' --to '2020-08-14 19:00'\n  \
    coroner timeline medalla.case --node prysm-3 --kind clock\n  \
    coroner timeline medalla.case --grep 'offset=4h' --format csv -o offsets.csv")]
pub(crate) struct Args {
    /// Case folder, or plain evidence
    case: String,
    /// Only this node (may be repeated)
    #[arg(long, value_name = "NAME")]
    node: Vec<String>,
    /// Only this client: prysm, lighthouse … (may be repeated)
    #[arg(long, value_name = "NAME")]
    client: Vec<String>,
    /// This level and worse: trace debug info notice warn error crit fatal
    #[arg(long, value_name = "LEVEL")]
    level: Option<String>,
    /// Only this kind of message, e.g. clock.reported_offset, or clock for all of them
    #[arg(long, value_name = "KIND")]
    kind: Vec<String>,
    /// Only records whose raw text matches the regular expression
    #[arg(long, value_name = "PATTERN")]
    grep: Option<String>,
    /// At most N rows
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Show copies of a record in other sources of its process, too
    #[arg(long)]
    no_dedup: bool,
    /// Put records where they belong by true time (comes with a later version)
    #[arg(long)]
    corrected: bool,
}

/// The rows of `timeline` and `search`.
pub(crate) const COLUMNS: &[(&str, &str)] = &[
    ("ts", "timestamp_utc"),
    ("ts_basis", "text"),
    ("node", "text"),
    ("process", "i64"),
    ("client", "text"),
    ("level", "text"),
    ("component", "text"),
    ("kind", "text"),
    ("message", "text"),
    ("fields", "json"),
    ("ref", "text"),
];

const SPEC: ListSpec = ListSpec {
    verb: "timeline",
    plural: "records",
    columns: COLUMNS,
    line: Some(line),
};

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, CliError> {
    if args.corrected {
        return Err(Error::new(
            ErrorKind::NotAvailable,
            "`timeline --corrected` comes with a later version",
        )
        .with_hint("`coroner clock CASE` tells how far each node's clocks were off, and when")
        .into());
    }
    let filter = TimelineFilter {
        nodes: args.node.clone(),
        clients: args.client.clone(),
        min_level: args.level.as_deref().map(level).transpose()?,
        kinds: args.kind.clone(),
        grep: args.grep.as_deref().map(str::parse).transpose()?,
        limit: args.limit,
        with_copies: args.no_dedup,
        memory_bytes: ui.settings.memory.map(|bytes| bytes as usize),
    };
    let evidence = shared::open(ui, &args.case)?;
    let window = ui.window(&evidence)?;
    list(SPEC, &evidence, &filter, &window, ui)
}

/// Writes the wanted records as a list of rows.
pub(crate) fn list(
    spec: ListSpec,
    evidence: &Evidence,
    filter: &TimelineFilter,
    window: &Window,
    ui: &Ui,
) -> Result<Exit, CliError> {
    let partial = evidence.partial();
    let given = window.is_given().then(|| window.to_json());
    let looked_at = evidence.looked_at(window, &[]);
    let mut summary = TimelineSummary::default();
    let rows = ui.list(spec, |list| {
        summary = evidence
            .timeline(filter, window, &mut |row| list.push(row).map_err(stop))
            .map_err(resume)?;
        let empty = summary.rows == 0;
        let mut tail = Map::new();
        tail.insert("count".into(), summary.rows.into());
        tail.insert("copies".into(), summary.copies.into());
        tail.extend(shared::tail(given, empty.then_some(&looked_at), &partial));
        Ok(tail)
    })?;
    for why in &summary.uncertain {
        ui.warn(&format!("order uncertain: {why}"));
    }
    if summary.undated > 0 {
        ui.note(&format!(
            "{} without a time of their own stand where their neighbours stand",
            shared::count(summary.undated, "record")
        ));
    }
    if summary.copies > 0 && !filter.with_copies {
        ui.note(&format!(
            "{} of records in other sources left out: --no-dedup shows them",
            shared::plural(summary.copies, "copy", "copies")
        ));
    }
    if summary.more {
        ui.note("more records follow: --limit cut them off");
    }
    if rows == 0 {
        ui.note(&format!("nothing found; {looked_at}"));
    }
    Ok(shared::exit(rows > 0, &partial))
}

/// A failed write has to pass through the façade, which knows nothing of pipes.
fn stop(error: report::RenderError) -> Error {
    let kind = if error.is_closed_pipe() {
        ErrorKind::Stopped
    } else {
        ErrorKind::Unreadable
    };
    Error::wrap(kind, error)
}

fn resume(error: Error) -> CliError {
    if error.kind() == ErrorKind::Stopped {
        CliError::ClosedPipe
    } else {
        CliError::Failed(error)
    }
}

pub(crate) fn level(name: &str) -> Result<Level, Error> {
    let name = name.to_ascii_lowercase();
    let alias = match name.as_str() {
        "warning" => "warn",
        "err" => "error",
        "critical" => "crit",
        "panic" => "fatal",
        other => other,
    };
    Level::from_name(alias).ok_or_else(|| {
        let names: Vec<&str> = Level::ALL.iter().map(|level| level.name()).collect();
        Error::request(format!("`{name}` is not a level"))
            .with_hint(format!("levels are {}", names.join(" ")))
    })
}

/// `17:31:02 WARN  prysm-3 roughtime: Roughtime reports … offset=4h0m0.1s`, fitted to the terminal:
/// what does not fit goes on below, indented.
pub(crate) fn line(row: &Map<String, Value>, style: &Style) -> String {
    let text = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or("");
    let time = match model::time::parse_utc(text("ts")) {
        Some(us) => style.zone.show(us),
        None => match model::time::parse_utc(text("ts_order")) {
            Some(us) => format!("~{}", style.zone.show(us)),
            None => "undated".to_owned(),
        },
    };
    let level = text("level").to_ascii_uppercase();
    let mut body = String::new();
    if !text("component").is_empty() {
        body.push_str(text("component"));
        body.push_str(": ");
    }
    body.push_str(text("message"));
    if let Some(Value::Object(fields)) = row.get("fields") {
        for (key, value) in fields {
            body.push(' ');
            body.push_str(key);
            body.push('=');
            match value {
                Value::String(text) => body.push_str(text),
                other => body.push_str(&other.to_string()),
            }
        }
    }
    report::log_line(&time, &level, text("node"), &body, text("ref"), style)
}
