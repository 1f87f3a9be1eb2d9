//! Who is who, as the manifest keeps it, and counting nodes: how many there are at least and at most, and
//! how many of some are independent.

use crate::Manifest;
use std::collections::BTreeMap;

/// Two sources that hold records of one process: the same stamps and bytes where both have records.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(default)]
pub struct CopyLink {
    /// Digest of the one, the smaller.
    pub a: String,
    /// Which of its streams.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub a_stream: String,
    /// Digest of the other.
    pub b: String,
    /// Which of its streams.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub b_stream: String,
    /// Records that both have.
    pub shared: u64,
    /// Records that the one with fewer has where both have any.
    pub of: u64,
    /// Whether that is enough to be sure; if not, nothing is taken for a copy.
    pub certain: bool,
    /// How it was recognised.
    pub basis: String,
}

/// What a person said about who is who.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct NodeRule {
    /// The node's name from now on.
    pub node: String,
    /// What belongs to it: names of nodes or of pods, hosts …, paths, digests of sources.
    pub is: Vec<String>,
}

/// The machine or pod set that processes belong to.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Node {
    /// Name.
    pub name: String,
    /// Other names seen for it.
    pub names: Vec<String>,
    /// What it is called, by kind: pod, host, container …, path.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub known_as: BTreeMap<String, Vec<String>>,
    /// How many machines it may be: pods of one Deployment that spoke at the same time share a name.
    pub at_most: u32,
    /// Nodes that may be the same machine.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub maybe: Vec<String>,
    /// Its processes, as (digest of the source, number).
    pub processes: Vec<(String, u32)>,
    /// How the name became known.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub basis: String,
}

/// A validator and the beacon node it works with, as far as something shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct NodeLink {
    /// The validator's node.
    pub validator: String,
    /// The beacon node's.
    pub beacon: String,
    /// What shows it.
    pub basis: String,
    /// Where.
    pub refs: Vec<String>,
}

impl Manifest {
    /// Returns how many nodes there are at least (those that may be one counted once) and at most (pods that
    /// share a Deployment's name counted apart).
    pub fn node_range(&self) -> (usize, usize) {
        let names: Vec<&str> = self.nodes.iter().map(|node| node.name.as_str()).collect();
        let maybe = self.nodes.iter().flat_map(|node| {
            let others = node.maybe.iter();
            others.map(|other| (node.name.as_str(), other.as_str()))
        });
        let most = self.nodes.iter().map(|node| node.at_most.max(1) as usize);
        (groups(&names, maybe), most.sum())
    }

    /// Returns how many of some nodes are independent witnesses: a beacon node and the validators behind it
    /// are one, and so are nodes that may be the same.
    pub fn independent<'n>(&'n self, nodes: impl IntoIterator<Item = &'n str>) -> usize {
        let names: Vec<&str> = nodes.into_iter().collect();
        let maybe = self.nodes.iter().flat_map(|node| {
            let others = node.maybe.iter();
            others.map(|other| (node.name.as_str(), other.as_str()))
        });
        let links = self.node_links.iter();
        let links = links.map(|link| (link.validator.as_str(), link.beacon.as_str()));
        groups(&names, maybe.chain(links))
    }
}

/// Counts the groups of `names` that edges join, directly or over others.
fn groups<'n>(names: &[&'n str], edges: impl Iterator<Item = (&'n str, &'n str)>) -> usize {
    fn root(of: &mut [usize], mut at: usize) -> usize {
        while of[at] != at {
            of[at] = of[of[at]];
            at = of[at];
        }
        at
    }
    fn place<'n>(
        places: &mut BTreeMap<&'n str, usize>,
        of: &mut Vec<usize>,
        name: &'n str,
    ) -> usize {
        *places.entry(name).or_insert_with(|| {
            of.push(of.len());
            of.len() - 1
        })
    }
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    let mut of: Vec<usize> = Vec::new();
    for (a, b) in edges {
        let (a, b) = (
            place(&mut places, &mut of, a),
            place(&mut places, &mut of, b),
        );
        let (a, b) = (root(&mut of, a), root(&mut of, b));
        of[a] = b;
    }
    let mut roots: Vec<usize> = names
        .iter()
        .map(|name| {
            let at = place(&mut places, &mut of, name);
            root(&mut of, at)
        })
        .collect();
    roots.sort_unstable();
    roots.dedup();
    roots.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_witnesses() {
        let node = |name: &str, at_most: u32, maybe: &[&str]| Node {
            name: name.to_owned(),
            at_most,
            maybe: maybe.iter().map(|name| (*name).to_owned()).collect(),
            ..Node::default()
        };
        let manifest = Manifest {
            nodes: vec![
                node("a", 1, &["b"]),
                node("b", 1, &["a"]),
                node("c", 3, &[]),
                node("v", 1, &[]),
            ],
            node_links: vec![NodeLink {
                validator: "v".to_owned(),
                beacon: "c".to_owned(),
                ..NodeLink::default()
            }],
            ..Manifest::default()
        };
        assert_eq!(manifest.node_range(), (3, 6));
        assert_eq!(manifest.independent(["a", "b"]), 1);
        assert_eq!(manifest.independent(["a", "c", "v"]), 2);
        assert_eq!(manifest.independent(["v"]), 1);
        assert_eq!(manifest.independent([]), 0);
    }
}
