//! `parse`: what the parser sees.

use super::ingest::Reading;
use super::shared;
use crate::error::CliError;
use crate::exit::Exit;
use crate::ui::{Answers, Ui};
use coroner::{Error, ErrorKind, ParseReport};
use report::{Format, ListSpec, Style};
use serde_json::{Map, Value};
use std::io::Write;
use std::path::PathBuf;

/// What the parser sees: records, rejects, framing and continuations, which together tile each file
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    coroner parse beacon.log | jq 'select(.rejected)'\n  \
    coroner parse beacon.log --format csv -o records.csv")]
pub(crate) struct Args {
    /// Logs, folders of them, or - for standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    reading: Reading,
    /// Exit with 3 if any line is rejected
    #[arg(long)]
    strict: bool,
    /// Do not hold back lines until their zone is solved (comes with a later version)
    #[arg(long, hide = true)]
    unsolved: bool,
}

const SPEC: ListSpec = ListSpec {
    verb: "parse",
    plural: "entries",
    columns: &[
        ("source", "text"),
        ("line", "i64"),
        ("lines", "i64"),
        ("byte", "i64"),
        ("length", "i64"),
        ("stamp", "text"),
        ("ts", "timestamp_utc"),
        ("ts_clock", "text"),
        ("ts_basis", "text"),
        ("zone", "text"),
        ("format", "text"),
        ("client", "text"),
        ("component", "text"),
        ("level", "text"),
        ("level_raw", "text"),
        ("message", "text"),
        ("fields", "json"),
        ("wrapper", "json"),
        ("kind", "text"),
        ("rejected", "text"),
        ("continues", "i64"),
        ("framing", "text"),
    ],
    line: Some(line),
};

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, CliError> {
    if args.unsolved {
        return Err(Error::new(
            ErrorKind::NotAvailable,
            "`parse --unsolved` comes with a later version",
        )
        .into());
    }
    ui.no_window("parse");
    let options = args.reading.options(ui)?;
    let lines = ui.format(Answers::List) == Format::Jsonl && ui.settings.output.is_none();
    let report = if lines {
        straight(args, &options)?
    } else {
        through_list(args, &options, ui)?
    };
    for problem in &report.problems {
        ui.tell_partial(&format!("{}: {}", problem.path, problem.what));
    }
    let entries: u64 = report.sources.iter().map(|source| source.bytes).sum();
    let rejected: u64 = report
        .sources
        .iter()
        .flat_map(|s| s.rejected.values())
        .sum();
    if report.sources.is_empty() {
        let message = match report.problems.first() {
            Some(first) => format!("nothing could be read: {}: {}", first.path, first.what),
            None => "no log there".to_owned(),
        };
        return Err(Error::new(ErrorKind::Unreadable, message)
            .with_hint("`parse` reads logs; `coroner tables` reads database dumps")
            .into());
    }
    let records: u64 = report.sources.iter().map(|source| source.records).sum();
    ui.detail(&format!(
        "{}, {}",
        shared::count(records, "record"),
        shared::count(rejected, "rejected line")
    ));
    let mut exit = if entries == 0 {
        Exit::Nothing
    } else {
        Exit::Done
    };
    if !report.problems.is_empty() || (args.strict && rejected > 0) {
        exit = exit.merge(Exit::Partial);
    }
    Ok(exit)
}

/// Lines go out as the parser writes them.
fn straight(args: &Args, options: &coroner::IngestOptions) -> Result<ParseReport, CliError> {
    let mut out = std::io::BufWriter::with_capacity(1 << 16, std::io::stdout());
    let mut closed = None;
    let result = coroner::parse(&args.paths, options, &mut |entry| {
        out.write_all(entry)
            .inspect_err(|error| closed = Some(error.kind()))
    });
    let flushed = out.flush();
    if closed == Some(std::io::ErrorKind::BrokenPipe) {
        return Err(CliError::ClosedPipe);
    }
    let report = result?;
    flushed?;
    Ok(report)
}

/// Every other form goes row by row through the list writer.
fn through_list(
    args: &Args,
    options: &coroner::IngestOptions,
    ui: &Ui,
) -> Result<ParseReport, CliError> {
    let mut report = ParseReport::default();
    ui.list(SPEC, |list| {
        let mut failed = None;
        let result = coroner::parse(&args.paths, options, &mut |entry| {
            let row = match serde_json::from_slice(entry) {
                Ok(Value::Object(row)) => row,
                _ => Map::new(),
            };
            list.push(row).map_err(|error| {
                let text = error.to_string();
                failed = Some(error);
                std::io::Error::other(text)
            })
        });
        if let Some(error) = failed {
            return Err(error.into());
        }
        report = result?;
        let problems: Vec<Value> = report
            .problems
            .iter()
            .map(|problem| serde_json::json!({"source": problem.path, "what": problem.what}))
            .collect();
        let mut tail = Map::new();
        if !problems.is_empty() {
            tail.insert("partial".into(), Value::Array(problems));
        }
        Ok(tail)
    })?;
    Ok(report)
}

/// `12  2020-08-14 17:52:08Z INFO validator: Vote summary …`
fn line(row: &Map<String, Value>, style: &Style) -> String {
    let text = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or("");
    let number = row.get("line").and_then(Value::as_u64).unwrap_or(0);
    let place = format!("{}:{number}", text("source"));
    if row.contains_key("rejected") {
        return report::log_line(
            "-",
            "",
            "",
            &format!("rejected: {}", text("rejected")),
            &place,
            style,
        );
    }
    if row.contains_key("framing") {
        return report::dim(&format!("- framing: {}  {place}", text("framing")), style);
    }
    if let Some(of) = row.get("continues").and_then(Value::as_u64) {
        return report::dim(&format!("- continues line {of}  {place}"), style);
    }
    let time = match model::time::parse_utc(text("ts")) {
        Some(us) => style.zone.show(us),
        None if text("stamp").is_empty() => "undated".to_owned(),
        None => text("stamp").to_owned(),
    };
    let mut body = String::new();
    if !text("component").is_empty() {
        body.push_str(text("component"));
        body.push_str(": ");
    }
    body.push_str(text("message"));
    if let Some(Value::Object(fields)) = row.get("fields") {
        for (key, value) in fields {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            body.push_str(&format!(" {key}={value}"));
        }
    }
    report::log_line(
        &time,
        &text("level").to_ascii_uppercase(),
        "",
        &body,
        &place,
        style,
    )
}
