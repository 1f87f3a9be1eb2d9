//! `nodes`: who is who.

use super::shared;
use crate::error::CliError;
use crate::exit::Exit;
use crate::ui::Ui;
use model::{Answer, Cell};
use report::{Block, Document};
use serde_json::Value;
use std::path::PathBuf;

/// Who is who: nodes, their clients, roles, versions and sources
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    coroner nodes medalla.case\n  \
    coroner nodes medalla.case --set who.toml\n\n\
    FILE has a line for each node that was not recognised: its name, and what belongs to it (names of\n\
    nodes, pods, hosts; sources as S3, by digest or path). It replaces what was said before:\n  \
    prysm-1 = [\"beacon-0\", \"validator-0\"]\n  \
    prysm-2 = [\"S3\", \"S7\"]")]
pub(crate) struct Args {
    /// Case folder, or plain evidence
    case: String,
    /// Merge or split nodes as FILE says; recorded, and the case is solved anew
    #[arg(long, value_name = "FILE")]
    set: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, ui: &mut Ui) -> Result<Exit, CliError> {
    if let Some(file) = &args.set {
        let text =
            std::fs::read_to_string(file).map_err(|error| CliError::file("read", file, error))?;
        coroner::set_nodes(
            &args.case,
            &coroner::node_rules(&text)?,
            &shared::custody(ui),
        )?;
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
        ("works with", "text"),
        ("may be", "text"),
    ]);
    for node in &nodes {
        // `Prysm/v1.0.0/<commit>. Built at: …`: the rest is in the JSON.
        let versions: Vec<&str> = node
            .versions
            .iter()
            .map(|version| {
                let printed = version.version.as_str();
                printed.split(['/', ' ']).nth(1).unwrap_or(printed)
            })
            .collect();
        let links: Vec<&str> = node.links.iter().map(|link| link.node.as_str()).collect();
        let mut maybe = node.maybe.clone();
        if node.at_most > 1 {
            maybe.push(format!("{} machines", node.at_most));
        }
        table.rows.push(vec![
            Cell::Text(node.node.clone()),
            Cell::Text(node.clients.join(" ")),
            Cell::Text(node.roles.join(" ")),
            Cell::Text(versions.join(" ")),
            Cell::Text(node.networks.join(" ")),
            Cell::Text(node.sources.join(" ")),
            Cell::I64(node.records as i64),
            Cell::Text(links.join(" ")),
            Cell::Text(maybe.join(" or ")),
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
