//! `nodes`: who is who.

use super::shared;
use crate::error::CliError;
use crate::exit::Exit;
use crate::ui::Ui;
use coroner::{Error, ErrorKind};
use model::{Answer, Cell};
use report::{Block, Document};
use serde_json::Value;
use std::path::PathBuf;

/// Who is who: nodes, their clients, roles, versions and sources
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  coroner nodes medalla.case")]
pub(crate) struct Args {
    /// Case folder, or plain evidence
    case: String,
    /// Merge or split nodes as FILE says (comes with a later version)
    #[arg(long, value_name = "FILE", hide = true)]
    set: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, CliError> {
    if args.set.is_some() {
        return Err(Error::new(
            ErrorKind::NotAvailable,
            "`nodes --set` comes with a later version",
        )
        .with_hint("`coroner amend CASE SOURCE --node NAME` moves one source to a node")
        .into());
    }
    ui.no_window("nodes");
    let evidence = shared::open(ui, &args.case)?;
    let nodes = evidence.nodes();
    let partial = evidence.partial();
    let mut table = Answer::new(&[
        ("node", "text"),
        ("client", "text"),
        ("roles", "text"),
        ("version", "text"),
        ("network", "text"),
        ("sources", "text"),
        ("records", "i64"),
    ]);
    for node in &nodes {
        // `Prysm/v1.0.0/<commit>. Built at: …`: the rest is in the JSON.
        let versions: Vec<&str> = node
            .versions
            .iter()
            .map(|version| version.split(['/', ' ']).nth(1).unwrap_or(version))
            .collect();
        table.rows.push(vec![
            Cell::Text(node.node.clone()),
            Cell::Text(node.clients.join(" ")),
            Cell::Text(node.roles.join(" ")),
            Cell::Text(versions.join(" ")),
            Cell::Text(node.networks.join(" ")),
            Cell::Text(node.sources.join(" ")),
            Cell::I64(node.records as i64),
        ]);
    }
    let rows: Vec<Value> = nodes
        .iter()
        .map(|node| Value::Object(shared::object(node)))
        .collect();
    let mut body = serde_json::Map::new();
    body.insert("nodes".into(), Value::Array(rows));
    let looked_at = nodes
        .is_empty()
        .then(|| evidence.looked_at(&coroner::Window::default(), &["logs".into()]));
    body.extend(shared::tail(None, looked_at.as_ref(), &partial));
    let view = match &looked_at {
        Some(looked_at) => vec![Block::Text(format!("no node; {looked_at}"))],
        None => vec![Block::Table(table)],
    };
    ui.document(&Document {
        verb: "nodes",
        body,
        view,
        rows: Some("nodes"),
    })?;
    Ok(shared::exit(!nodes.is_empty(), &partial))
}
