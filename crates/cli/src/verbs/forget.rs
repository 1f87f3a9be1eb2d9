//! `forget`: takes a source out.

use crate::error::CliError;
use crate::exit::Exit;
use crate::ui::Ui;
use coroner::Evidence;
use report::{Block, Document};
use serde_json::{Map, json};

/// Take a source out of a case; its number is not used again
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  coroner forget medalla.case S3")]
pub(crate) struct Args {
    /// Case folder
    case: String,
    /// S<number>, digest or path, as `coroner info CASE` shows it
    source: String,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, CliError> {
    ui.no_window("forget");
    let before = Evidence::open_case(&args.case)?;
    let gone = before.source(&args.source)?.clone();
    let digest = coroner::forget(&args.case, &args.source, Some(&super::shared::custody(ui)))?;
    let left = Evidence::open_case(&args.case)?.manifest().sources.len();
    let mut body = Map::new();
    body.insert("source".into(), json!(digest));
    body.insert("id".into(), json!(format!("S{}", gone.number)));
    body.insert("path".into(), json!(gone.path));
    body.insert("sources_left".into(), json!(left));
    ui.document(&Document {
        verb: "forget",
        body,
        view: vec![Block::Text(format!(
            "forgot S{} {} ({digest}); {left} left",
            gone.number, gone.path
        ))],
        rows: None,
    })?;
    Ok(Exit::Done)
}
