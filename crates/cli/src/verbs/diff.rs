//! `diff`: what happened to a database between two snapshots.

use super::shared;
use crate::error::CliError;
use crate::exit::Exit;
use crate::ui::Ui;
use coroner::{DiffOptions, Diffed, RowDiff, TableDiff, Window};
use model::{Answer, Cell};
use report::{Block, Document};
use serde_json::{Map, Value};

/// Rows of each table that people are shown.
const ROWS_SHOWN: usize = 5;

/// Two dumps of one database: rows new, gone and changed, reverts and clearings named
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    coroner diff rollup.case monday tuesday\n  \
    coroner diff monday.dump tuesday.sql.gz\n  \
    coroner diff dumps/ before after --table 'eth_txs*' --format json | jq '.tables[].rows'\n  \
    coroner diff rollup.case S1 S2 --limit 1000")]
pub(crate) struct Args {
    /// Case folder, or plain evidence that holds both; or the dump before
    case: String,
    /// Snapshot before (`coroner info` lists them), or its source; or the dump after
    #[arg(value_name = "SNAP1")]
    before: String,
    /// Snapshot after; none of two dumps
    #[arg(value_name = "SNAP2")]
    after: Option<String>,
    /// Only tables of this name; * and ? stand for anything [repeatable]
    #[arg(long = "table", value_name = "PATTERN")]
    tables: Vec<String>,
    /// Rows listed per table; all are counted
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, CliError> {
    ui.no_window("diff");
    let evidence = shared::open(ui, &args.case)?;
    let options = DiffOptions {
        tables: args.tables.clone(),
        rows_listed: args.limit,
    };
    let diffed = match &args.after {
        Some(after) => evidence.diff(&args.before, after, &options)?,
        None => evidence.diff_with(&shared::open(ui, &args.before)?, &options)?,
    };
    let differs = diffed.diff.differs();
    let nothing_compared = diffed.diff.tables.is_empty();
    let mut body = shared::object(&diffed);
    if !differs {
        let looked_at = evidence.looked_at(&Window::default(), &[]);
        body.extend(shared::tail(None, Some(&looked_at), &[]));
    }
    ui.document(&Document {
        verb: "diff",
        body,
        view: view(&diffed, ui.settings.verbose > 0),
        rows: None,
    })?;
    // Two snapshots without a table in common say nothing about each other.
    let exit = match nothing_compared {
        true => shared::exit(true, &diffed.partial).merge(Exit::Undetermined),
        false => shared::exit(differs, &diffed.partial),
    };
    Ok(exit)
}

fn view(diffed: &Diffed, all_rows: bool) -> Vec<Block> {
    let diff = &diffed.diff;
    let mut view = vec![Block::Title(format!(
        "{} to {}",
        diffed.from.name, diffed.to.name
    ))];
    for event in &diff.events {
        view.push(Block::Alarm(format!("{}: {}", event.kind, event.text)));
        view.push(Block::Note(format!(
            "{}, {}",
            event.basis,
            event.refs.join(" ")
        )));
    }
    view.extend(diff.notes.iter().map(|note| Block::Note(note.clone())));
    let differing: Vec<&TableDiff> = diff.tables.iter().filter(|table| table.differs()).collect();
    let same = diff.tables.len() - differing.len();
    if !differing.is_empty() {
        view.push(Block::Table(table(&differing)));
    }
    view.push(Block::Text(format!(
        "{} compared, {same} without a difference",
        shared::count(diff.tables.len() as u64, "table")
    )));
    for (which, names) in [
        (&diffed.from.name, &diff.tables_only_before),
        (&diffed.to.name, &diff.tables_only_after),
    ] {
        if !names.is_empty() {
            view.push(Block::Text(format!(
                "only in {which}: {}",
                names.join(", ")
            )));
        }
    }
    for table in differing {
        rows(table, all_rows, &mut view);
    }
    view
}

fn table(differing: &[&TableDiff]) -> Answer {
    let mut answer = Answer::new(&[
        ("table", "text"),
        ("before", "i64"),
        ("after", "i64"),
        ("new", "i64"),
        ("gone", "i64"),
        ("changed", "i64"),
        ("changed columns", "text"),
    ]);
    for table in differing {
        let columns = table.columns_changed.iter();
        let columns: Vec<String> = columns
            .map(|change| format!("{} {}", change.name, change.rows))
            .collect();
        answer.rows.push(vec![
            Cell::Text(table.name.clone()),
            Cell::I64(table.rows_before as i64),
            Cell::I64(table.rows_after as i64),
            Cell::I64(table.new as i64),
            Cell::I64(table.gone as i64),
            Cell::I64(table.changed as i64),
            Cell::Text(columns.join(", ")),
        ]);
    }
    answer
}

fn rows(table: &TableDiff, all: bool, view: &mut Vec<Block>) {
    view.push(Block::Blank);
    let key = match table.key.as_slice() {
        [] => "whole rows".to_owned(),
        key => format!("by {} ({})", key.join(", "), table.key_basis),
    };
    view.push(Block::Title(format!("{}, {key}", table.name)));
    view.extend(table.notes.iter().map(|note| Block::Note(note.clone())));
    for (which, names) in [
        ("first", &table.columns_only_before),
        ("second", &table.columns_only_after),
    ] {
        if !names.is_empty() {
            view.push(Block::Note(format!(
                "columns only in the {which}: {}",
                names.join(", ")
            )));
        }
    }
    let mut hidden = table.rows_left_out;
    for change in ["gone", "changed", "new"] {
        let of_kind: Vec<&RowDiff> = table
            .rows
            .iter()
            .filter(|row| row.change == change)
            .collect();
        let shown = if all {
            of_kind.len()
        } else {
            of_kind.len().min(ROWS_SHOWN)
        };
        view.extend(of_kind[..shown].iter().map(|row| Block::Item(line(row))));
        hidden += (of_kind.len() - shown) as u64;
    }
    if hidden > 0 {
        view.push(Block::Note(format!(
            "and {} (-v, --limit N or --format json list them)",
            shared::count(hidden, "more row")
        )));
    }
}

/// `changed 41266: confirmed_at null -> 2023-09-18T05:40:00`
fn line(row: &RowDiff) -> String {
    let plain = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let key: Vec<String> = row.key.iter().map(plain).collect();
    let columns: Map<String, Value> = shared::object(row)
        .remove("columns")
        .and_then(|columns| columns.as_object().cloned())
        .unwrap_or_default();
    let columns: Vec<String> = columns
        .iter()
        .map(|(name, value)| {
            format!(
                "{name} {} -> {}",
                plain(&value["before"]),
                plain(&value["after"])
            )
        })
        .collect();
    let reference = row.ref_after.as_ref().or(row.ref_before.as_ref());
    format!(
        "{} {}{}{}",
        row.change,
        match key.is_empty() {
            true => reference.map_or("", String::as_str).to_owned(),
            false => key.join(","),
        },
        if columns.is_empty() { "" } else { ": " },
        columns.join(", ")
    )
}
