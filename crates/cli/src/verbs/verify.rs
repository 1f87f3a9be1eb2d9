//! `verify`: is everything as it was written.

use super::shared;
use crate::error::CliError;
use crate::exit::Exit;
use crate::ui::Ui;
use coroner::{ByHash, Error, Evidence, Original};
use report::{Block, Document};
use serde_json::{Value, json};

/// Re-hash evidence and store, and compare with the manifest (exit 5 if anything differs)
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  coroner verify medalla.case --root 3f5a…   (64 hex digits from `coroner seal`)"
)]
pub(crate) struct Args {
    /// Case folder
    case: String,
    /// The root digest that the case must still have
    #[arg(long, value_name = "HEX")]
    root: Option<String>,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, CliError> {
    ui.no_window("verify");
    let wanted = args.root.as_deref().map(root).transpose()?;
    let evidence = Evidence::open_case(&args.case)?;
    let report = evidence.case().verify();
    let root = evidence.seal()?;
    let root_matches = wanted.as_ref().map(|wanted| *wanted == root);
    let sound = report.is_sound() && root_matches != Some(false);
    let mut body = shared::object(&report);
    let problems = body.shift_remove("problems").unwrap_or(Value::Null);
    let by_hash = evidence.kept_by_hash();
    body.insert("root".into(), json!(root));
    body.insert("root_matches".into(), json!(root_matches));
    body.insert("sound".into(), json!(sound));
    body.insert("problems".into(), problems);
    body.insert("kept_by_hash".into(), json!(by_hash));
    let mut view = Vec::new();
    for problem in &report.problems {
        view.push(Block::Alarm(format!("{}: {}", problem.file, problem.what)));
    }
    if root_matches == Some(false) {
        view.push(Block::Alarm(format!(
            "the root is {root}, not the one given"
        )));
    }
    view.push(Block::Text(format!(
        "{}: {}, {}, {}, {} hashed",
        if sound { "sound" } else { "NOT SOUND" },
        shared::count(report.sources, "source"),
        shared::count(report.segments, "segment"),
        shared::count(report.evidence_parts, "evidence part"),
        shared::bytes(report.bytes)
    )));
    for ByHash { path, original, .. } in &by_hash {
        view.push(Block::Text(format!(
            "{path} is kept by its hash alone: {}",
            match original {
                Original::Same => "the file is the one that was read",
                Original::Changed =>
                    "THE FILE HAS CHANGED since it was read, none of its rows can be shown",
                Original::Gone =>
                    "the file is not where it was read, none of its rows can be shown",
            }
        )));
    }
    view.push(Block::Fields(vec![("root".into(), root)]));
    ui.document(&Document {
        verb: "verify",
        body,
        view,
        rows: None,
    })?;
    Ok(if sound {
        Exit::Done
    } else {
        Exit::VerifyFailed
    })
}

fn root(text: &str) -> Result<String, Error> {
    let hex = text.strip_prefix("0x").unwrap_or(text).to_ascii_lowercase();
    if hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        Ok(hex)
    } else {
        Err(Error::request(format!("`{text}` is not a root digest"))
            .with_hint("a root is the 64 hex digits that `coroner seal CASE` prints"))
    }
}
