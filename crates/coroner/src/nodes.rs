//! `nodes`: who is who.

use crate::Evidence;
use case::{Manifest, Source};
use model::time::format_utc;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A name of a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct NodeName {
    /// `pod`, `host`, `container` …, `path`.
    pub kind: String,
    /// The name.
    pub name: String,
}

/// A version that ran on a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct NodeVersion {
    /// Since when, as far as known.
    pub from: Option<String>,
    /// The client.
    pub client: String,
    /// The role.
    pub role: Option<String>,
    /// The version as the client prints it.
    pub version: String,
    /// Where its process begins.
    #[serde(rename = "ref")]
    pub reference: String,
}

/// A node that another works with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodeRelation {
    /// The other node.
    pub node: String,
    /// `beacon` or `validator`: what the other is.
    #[serde(rename = "is")]
    pub relation: &'static str,
    /// What shows it.
    pub basis: String,
    /// Where.
    pub refs: Vec<String>,
}

/// A node: a machine or pod set that processes belong to.
#[derive(Clone, Debug, Serialize)]
pub struct NodeInfo {
    /// Its name.
    pub node: String,
    /// What it is called, and by what: pod, host, container …, path.
    pub names: Vec<NodeName>,
    /// How the name became known.
    pub basis: String,
    /// How many machines it may be: pods of one Deployment that spoke at the same time share a name.
    pub at_most: u32,
    /// Nodes that may be the same machine.
    pub maybe: Vec<String>,
    /// Clients that run on it.
    pub clients: Vec<String>,
    /// Roles.
    pub roles: Vec<String>,
    /// Versions, in the order in which they ran.
    pub versions: Vec<NodeVersion>,
    /// Nodes it works with.
    pub links: Vec<NodeRelation>,
    /// Networks.
    pub networks: Vec<String>,
    /// Runs of programs.
    pub processes: usize,
    /// Sources, as `S1`.
    pub sources: Vec<String>,
    /// Records.
    pub records: u64,
    /// Earliest time.
    pub first_ts: Option<String>,
    /// Latest time.
    pub last_ts: Option<String>,
}

impl Evidence {
    /// Says who is who, by name.
    pub fn nodes(&self) -> Vec<NodeInfo> {
        let manifest = self.manifest();
        let mut names: BTreeSet<&str> = manifest.nodes.iter().map(|n| n.name.as_str()).collect();
        names.extend(manifest.sources.iter().filter_map(|s| s.node.as_deref()));
        let starts = starts(manifest);
        names
            .into_iter()
            .map(|name| node_info(manifest, &starts, name))
            .collect()
    }
}

/// The first piece of each process, by source and number.
pub(crate) type Starts<'m> = HashMap<(&'m str, u32), &'m case::Piece>;

pub(crate) fn starts(manifest: &Manifest) -> Starts<'_> {
    let mut starts = Starts::new();
    for source in &manifest.sources {
        for piece in &source.pieces {
            let process = (source.digest.as_str(), piece.process);
            starts.entry(process).or_insert(piece);
        }
    }
    starts
}

fn node_info(manifest: &Manifest, starts: &Starts<'_>, name: &str) -> NodeInfo {
    let known = manifest.nodes.iter().find(|node| node.name == name);
    let sources: Vec<&Source> = manifest
        .sources
        .iter()
        .filter(|source| {
            source.node.as_deref() == Some(name)
                || known.is_some_and(|node| node.processes.iter().any(|(s, _)| *s == source.digest))
        })
        .collect();
    let processes: Vec<&case::Process> = manifest
        .processes
        .iter()
        .filter(|process| match (&process.node, known) {
            (Some(node), _) => node == name,
            (None, Some(node)) => node
                .processes
                .iter()
                .any(|(source, number)| *source == process.source && *number == process.number),
            (None, None) => sources.iter().any(|source| source.digest == process.source),
        })
        .collect();
    let set = |values: &mut dyn Iterator<Item = Option<&str>>| -> Vec<String> {
        let set: BTreeSet<&str> = values.flatten().filter(|value| !value.is_empty()).collect();
        set.into_iter().map(str::to_owned).collect()
    };
    NodeInfo {
        node: name.to_owned(),
        names: known.map_or(Vec::new(), |node| {
            let by_kind = node.known_as.iter();
            by_kind
                .flat_map(|(kind, names)| {
                    names.iter().map(|name| NodeName {
                        kind: kind.clone(),
                        name: name.clone(),
                    })
                })
                .collect()
        }),
        basis: known.map_or(String::new(), |node| node.basis.clone()),
        at_most: known.map_or(1, |node| node.at_most.max(1)),
        maybe: known.map_or(Vec::new(), |node| node.maybe.clone()),
        links: relations(manifest, name),
        clients: clients_of(set(&mut processes.iter().map(|p| Some(p.client.as_str())))),
        roles: set(&mut processes.iter().map(|p| p.role.as_deref())),
        versions: versions(starts, &processes),
        networks: set(&mut processes.iter().map(|p| p.network.as_deref())),
        processes: processes.len(),
        sources: sources.iter().map(|s| format!("S{}", s.number)).collect(),
        records: sources.iter().map(|source| source.records).sum(),
        first_ts: sources
            .iter()
            .filter_map(|s| s.first_ts_us)
            .min()
            .map(format_utc),
        last_ts: sources
            .iter()
            .filter_map(|s| s.last_ts_us)
            .max()
            .map(format_utc),
    }
}

/// The machine's own programs are named only where nothing else is known of a node.
fn clients_of(mut clients: Vec<String>) -> Vec<String> {
    if clients.len() > 1 {
        clients.retain(|client| client != model::SYSTEM_CLIENT);
    }
    clients
}

fn relations(manifest: &Manifest, name: &str) -> Vec<NodeRelation> {
    manifest
        .node_links
        .iter()
        .filter_map(|link| {
            let (node, relation) = match (link.validator == name, link.beacon == name) {
                (true, _) => (&link.beacon, "beacon"),
                (_, true) => (&link.validator, "validator"),
                _ => return None,
            };
            Some(NodeRelation {
                node: node.clone(),
                relation,
                basis: link.basis.clone(),
                refs: link.refs.clone(),
            })
        })
        .collect()
}

/// Versions of processes in time order; one that goes on in the next process is said once.
fn versions(starts: &Starts<'_>, processes: &[&case::Process]) -> Vec<NodeVersion> {
    let mut all: Vec<NodeVersion> = processes
        .iter()
        .filter_map(|process| {
            let start = starts.get(&(process.source.as_str(), process.number));
            let start_us = start.and_then(|piece| ingest::piece_start_us(piece));
            let from = start_us.map(format_utc);
            Some(NodeVersion {
                from,
                client: process.client.clone(),
                role: process.role.clone(),
                version: process.version.clone()?,
                reference: format!("{}:{}", process.source, process.first_line),
            })
        })
        .collect();
    all.sort();
    let mut last: BTreeMap<(String, Option<String>), String> = BTreeMap::new();
    all.retain(|version| {
        let key = (version.client.clone(), version.role.clone());
        last.insert(key, version.version.clone()).as_ref() != Some(&version.version)
    });
    all
}
