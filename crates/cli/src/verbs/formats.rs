//! `formats`: the log formats, and trying them.

use super::{ingest::Reading, shared};
use crate::error::CliError;
use crate::exit::Exit;
use crate::ui::Ui;
use coroner::{Catalogue, Error};
use model::{Answer, Cell};
use report::{Block, Document};
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// The log formats it knows; `formats test FILE…` says which of them read a file, and what they leave
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  \
    coroner formats\n  \
    coroner formats test beacon.log --formats my-formats/"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Try the formats on files
    Test {
        /// Logs, folders of them, or - for standard input
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        #[command(flatten)]
        reading: Reading,
    },
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, CliError> {
    ui.no_window("formats");
    match &args.action {
        Some(Action::Test { files, reading }) => test(files, reading, ui),
        None => list(ui),
    }
}

fn list(ui: &Ui) -> Result<Exit, CliError> {
    let catalogue = Catalogue::builtin();
    let mut table = Answer::new(&[
        ("name", "text"),
        ("client", "text"),
        ("roles", "text"),
        ("messages", "i64"),
        ("samples", "i64"),
        ("title", "text"),
    ]);
    let mut rows = Vec::new();
    for format in catalogue.formats() {
        table.rows.push(vec![
            Cell::Text(format.name.clone()),
            Cell::Text(format.client.clone()),
            Cell::Text(format.roles.join(" ")),
            Cell::I64(format.messages as i64),
            Cell::I64(format.samples as i64),
            Cell::Text(format.title.clone()),
        ]);
        rows.push(json!({
            "name": format.name,
            "title": format.title,
            "source": format.source,
            "client": format.client,
            "engines": format.engines,
            "roles": format.roles,
            "messages": format.messages,
            "samples": format.samples,
        }));
    }
    let mut body = Map::new();
    body.insert("formats".into(), Value::Array(rows));
    body.insert("parser".into(), json!(catalogue.parser_version()));
    ui.document(&Document {
        verb: "formats",
        body,
        view: vec![
            Block::Table(table),
            Block::Note(format!("parser version {}", catalogue.parser_version())),
        ],
        rows: Some("formats"),
    })?;
    Ok(Exit::Done)
}

fn test(files: &[PathBuf], reading: &Reading, ui: &Ui) -> Result<Exit, CliError> {
    let options = reading.options(ui)?;
    if !options.formats_overlay.is_empty() {
        check_samples(&options.formats_overlay)?;
    }
    let mut counts: Map<String, Value> = Map::new();
    let mut claim = |source: &str, format: &str, lines: u64| {
        let entry = counts
            .entry(source.to_owned())
            .or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(formats) = entry {
            let before = formats.get(format).and_then(Value::as_u64).unwrap_or(0);
            formats.insert(format.to_owned(), json!(before + lines));
        }
    };
    let report = coroner::parse(files, &options, &mut |entry| {
        let row: Value = serde_json::from_slice(entry).unwrap_or(Value::Null);
        let source = row["source"].as_str().unwrap_or("");
        if let Some(format) = row["format"].as_str() {
            claim(source, format, row["lines"].as_u64().unwrap_or(1));
        }
        Ok(())
    })?;
    let mut table = Answer::new(&[("file", "text"), ("format", "text"), ("lines", "i64")]);
    let mut tests = Vec::new();
    for source in &report.sources {
        let formats = counts
            .get(&source.path)
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default();
        for (format, lines) in &formats {
            table.rows.push(vec![
                Cell::Text(source.path.clone()),
                Cell::Text(format.clone()),
                Cell::I64(lines.as_i64().unwrap_or(0)),
            ]);
        }
        for (reason, lines) in &source.rejected {
            table.rows.push(vec![
                Cell::Text(source.path.clone()),
                Cell::Text(format!("rejected: {reason}")),
                Cell::I64(*lines as i64),
            ]);
        }
        tests.push(json!({
            "file": source.path,
            "records": source.records,
            "lines_by_format": formats,
            "rejected": source.rejected,
        }));
    }
    for problem in &report.problems {
        ui.tell_partial(&format!("{}: {}", problem.path, problem.what));
    }
    if report.sources.is_empty() {
        return Err(Error::new(coroner::ErrorKind::Unreadable, "nothing could be read").into());
    }
    let found = report.sources.iter().any(|source| source.records > 0);
    let mut body = Map::new();
    body.insert("tests".into(), Value::Array(tests));
    ui.document(&Document {
        verb: "formats",
        body,
        view: vec![Block::Table(table)],
        rows: Some("tests"),
    })?;
    let exit = shared::exit(found, &[]);
    Ok(if report.problems.is_empty() {
        exit
    } else {
        exit.merge(Exit::Partial)
    })
}

/// A user's definitions have to read their own samples before they read evidence.
fn check_samples(overlay: &[(String, String)]) -> Result<(), Error> {
    let failures = coroner::check_definitions(overlay)?;
    match failures.as_slice() {
        [] => Ok(()),
        [first, rest @ ..] => Err(Error::request(format!(
            "{} sample(s) of the definitions fail: {first}",
            rest.len() + 1
        ))),
    }
}
