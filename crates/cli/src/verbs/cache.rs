//! `cache`: throw-away cases.

use super::shared;
use crate::error::CliError;
use crate::exit::Exit;
use crate::ui::Ui;
use coroner::Cache;
use model::{Answer, Cell};
use report::{Block, Document};
use serde_json::{Map, Value, json};

/// Throw-away cases: what plain evidence was read into
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  coroner cache list\n  coroner cache purge")]
pub(crate) struct Args {
    /// list or purge
    #[arg(hide_possible_values = true)]
    action: Action,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Action {
    /// What is there
    List,
    /// Remove all of it
    Purge,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, CliError> {
    ui.no_window("cache");
    let cache = Cache::new(ui.settings.cache_dir(), ui.settings.cache_size);
    match args.action {
        Action::List => list(&cache, ui),
        Action::Purge => {
            let removed = cache.purge()?;
            let mut body = Map::new();
            body.insert("cases".into(), json!([]));
            body.insert("removed".into(), json!(removed));
            ui.document(&Document {
                verb: "cache",
                body,
                view: vec![Block::Text(format!(
                    "removed {}",
                    shared::count(removed as u64, "throw-away case")
                ))],
                rows: Some("cases"),
            })?;
            Ok(Exit::Done)
        }
    }
}

fn list(cache: &Cache, ui: &Ui) -> Result<Exit, CliError> {
    let entries = cache.list()?;
    let total: u64 = entries.iter().map(|entry| entry.bytes).sum();
    let mut table = Answer::new(&[
        ("used", "timestamp_utc"),
        ("size", "text"),
        ("evidence", "text"),
        ("key", "text"),
    ]);
    let mut rows = Vec::new();
    for entry in &entries {
        let used_us = entry.used_s.saturating_mul(model::time::MICROS_PER_SECOND);
        table.rows.push(vec![
            Cell::Utc(used_us),
            Cell::Text(shared::bytes(entry.bytes)),
            Cell::Text(entry.evidence.clone()),
            Cell::Text(entry.key.chars().take(12).collect()),
        ]);
        rows.push(json!({
            "key": entry.key,
            "evidence": entry.evidence,
            "bytes": entry.bytes,
            "used": model::time::format_utc(used_us),
        }));
    }
    let mut body = Map::new();
    body.insert("cases".into(), Value::Array(rows));
    let summary = format!(
        "{}, {} of at most {}",
        shared::count(entries.len() as u64, "throw-away case"),
        shared::bytes(total),
        shared::bytes(ui.settings.cache_size)
    );
    ui.document(&Document {
        verb: "cache",
        body,
        view: if entries.is_empty() {
            vec![Block::Text(summary)]
        } else {
            vec![Block::Table(table), Block::Note(summary)]
        },
        rows: Some("cases"),
    })?;
    Ok(shared::exit(!entries.is_empty(), &[]))
}
