//! `seal`: one root digest.

use crate::error::CliError;
use crate::exit::Exit;
use crate::ui::Ui;
use coroner::Evidence;
use report::{Block, Document};
use serde_json::{Map, json};

/// One root digest over sources, segments, notes and versions
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  coroner seal medalla.case\n  coroner verify medalla.case --root HEX"
)]
pub(crate) struct Args {
    /// Case folder
    case: String,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, CliError> {
    ui.no_window("seal");
    let evidence = Evidence::open_case(&args.case)?;
    let root = evidence.seal()?;
    let mut body = Map::new();
    body.insert("root".into(), json!(root));
    body.insert("sources".into(), json!(evidence.manifest().sources.len()));
    ui.document(&Document {
        verb: "seal",
        body,
        view: vec![Block::Verbatim(root)],
        rows: None,
    })?;
    Ok(Exit::Done)
}
