//! What the manifest says about nodes, sources and how well their times are known.

use case::{Case, Manifest, SourceKind};
use std::collections::{BTreeMap, BTreeSet};

/// Nodes, and what is known about their clocks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overview {
    /// Names of nodes with log sources, those of whose machines alone something is known left out.
    pub(crate) nodes: BTreeSet<String>,
    /// Nodes with a piece whose zone or year was assumed, and in which sources.
    pub(crate) assumed: BTreeMap<String, BTreeSet<String>>,
    /// Clients and their versions, by node.
    pub(crate) clients: BTreeMap<String, BTreeSet<String>>,
    /// Nodes at least and at most.
    pub(crate) range: (usize, usize),
    /// What is known of the nodes, for counting witnesses.
    manifest: Manifest,
    /// Networks that processes are on.
    pub(crate) networks: BTreeSet<String>,
}

impl Overview {
    pub(crate) fn of(case: &Case) -> Overview {
        let manifest = case.manifest();
        let mut overview = Overview {
            manifest: Manifest {
                nodes: manifest.nodes.clone(),
                node_links: manifest.node_links.clone(),
                ..Manifest::default()
            },
            ..Overview::default()
        };
        let mut node_of: BTreeMap<(&str, u32), &str> = BTreeMap::new();
        // What the machine's own programs wrote: a journal without a client is no node of the network.
        let mut machines: BTreeSet<(&str, u32)> = BTreeSet::new();
        for node in &manifest.nodes {
            for (source, number) in &node.processes {
                node_of.insert((source, *number), &node.name);
            }
        }
        for process in &manifest.processes {
            let key = (process.source.as_str(), process.number);
            let node = process
                .node
                .as_deref()
                .or_else(|| node_of.get(&key).copied());
            let Some(node) = node else { continue };
            node_of.insert(key, node);
            if process.client == model::SYSTEM_CLIENT {
                machines.insert(key);
                continue;
            }
            overview.nodes.insert(node.to_owned());
            let mut client = process.client.clone();
            if let Some(version) = &process.version {
                client.push(' ');
                client.push_str(version);
            }
            if !client.is_empty() {
                let clients = overview.clients.entry(node.to_owned()).or_default();
                clients.insert(client);
            }
            overview.networks.extend(process.network.clone());
        }
        for source in manifest
            .sources
            .iter()
            .filter(|source| source.kind == SourceKind::Log)
        {
            let is_machines =
                |piece: &&case::Piece| machines.contains(&(source.digest.as_str(), piece.process));
            let of_clients: Vec<_> = source.pieces.iter().filter(|p| !is_machines(p)).collect();
            if of_clients.is_empty() && !source.pieces.is_empty() {
                continue;
            }
            if let Some(node) = &source.node {
                overview.nodes.insert(node.clone());
            }
            for piece in of_clients {
                let node = node_of
                    .get(&(source.digest.as_str(), piece.process))
                    .copied()
                    .or(source.node.as_deref());
                overview.networks.extend(piece.network.clone());
                if piece.basis == "assumed" {
                    let node = node.unwrap_or_default().to_owned();
                    let sources = overview.assumed.entry(node).or_default();
                    sources.insert(source.digest.clone());
                }
            }
        }
        if overview.nodes.is_empty() {
            overview
                .nodes
                .extend(manifest.nodes.iter().map(|node| node.name.clone()));
        }
        let nodes = &mut overview.manifest.nodes;
        nodes.retain(|node| overview.nodes.contains(&node.name));
        overview.range = overview.manifest.node_range();
        overview
    }

    /// How many of some nodes are independent witnesses.
    pub(crate) fn independent<'n>(&'n self, nodes: impl IntoIterator<Item = &'n String>) -> usize {
        self.manifest
            .independent(nodes.into_iter().map(String::as_str))
    }

    /// A node's name as it is shown: one without a name has to be called something.
    pub(crate) fn shown(&self, name: &str) -> String {
        if name.is_empty() {
            "a node without a name".to_owned()
        } else {
            name.to_owned()
        }
    }

    /// What must be said when the times of these nodes matter.
    pub(crate) fn time_caveats(&self, nodes: &[String]) -> Vec<String> {
        let assumed: Vec<&str> = nodes
            .iter()
            .filter(|node| self.assumed.contains_key(*node))
            .map(String::as_str)
            .collect();
        if assumed.is_empty() {
            return Vec::new();
        }
        vec![format!(
            "the zone or year of {} is assumed",
            assumed.join(", ")
        )]
    }
}
