//! `queries`: what named queries there are.

use super::shared;
use crate::error::CliError;
use crate::exit::Exit;
use crate::ui::Ui;
use model::{Answer, Cell};
use report::{Block, Document};
use serde_json::{Map, Value};
use std::path::PathBuf;

/// List the named queries, or show one with its SQL
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  coroner queries\n  coroner queries clock/offsets_over_2s")]
pub(crate) struct Args {
    /// Show this one
    name: Option<String>,
    /// A folder with queries of your own
    #[arg(long, value_name = "DIR")]
    queries: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, CliError> {
    ui.no_window("queries");
    let all = coroner::queries(args.queries.as_deref(), args.name.as_deref())?;
    let mut body = Map::new();
    let rows = all.iter().map(|query| Value::Object(shared::object(query)));
    body.insert("queries".into(), rows.collect());
    let view = match (&args.name, all.as_slice()) {
        (Some(_), [query]) => vec![
            Block::Title(format!("{}: {}", query.name, query.title)),
            Block::Text(query.about.clone()),
            Block::Blank,
            Block::Verbatim(query.sql.clone()),
        ],
        _ => {
            let mut table = Answer::new(&[("name", "text"), ("title", "text"), ("params", "text")]);
            for query in &all {
                let params: Vec<String> = query
                    .params
                    .iter()
                    .map(|param| match &param.default {
                        Some(default) => format!("{}={default}", param.name),
                        None => format!("{} ({})", param.name, param.param_type),
                    })
                    .collect();
                table.rows.push(vec![
                    Cell::Text(query.name.clone()),
                    Cell::Text(query.title.clone()),
                    Cell::Text(params.join(" ")),
                ]);
            }
            vec![Block::Table(table)]
        }
    };
    ui.document(&Document {
        verb: "queries",
        body,
        view,
        rows: Some("queries"),
    })?;
    Ok(shared::exit(!all.is_empty(), &[]))
}
