//! Who is who: which node every stream of every source belongs to, and which nodes belong together.
//!
//! Pure functions of the manifest: names by paths and wrappers ([`crate::nodes`]), what people said, and
//! which sources hold records of one process.

use crate::nodes::{NodeHints, node_names, stable_pod_name};
use case::{Manifest, Node, NodeLink, Source, SourceKind};
use std::collections::{BTreeMap, BTreeSet};

/// A stream of a source: its digest and the stream's name.
type Unit<'m> = (&'m str, &'m str);

/// A node's name and how it became known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Named {
    /// 0: said by people; 1: a pod; 2: another wrapper's word; 3: a path.
    rank: u8,
    pub(crate) name: String,
}

impl Named {
    fn basis(&self) -> &'static str {
        ["given", "pod", "wrapper", "path"][usize::from(self.rank)]
    }
}

/// Returns the node of every stream of every log.
pub(crate) fn names(manifest: &Manifest) -> BTreeMap<Unit<'_>, Named> {
    let facts = facts(manifest);
    let mut units = base_names(manifest, &facts);
    join_machines(manifest, &facts, &mut units);
    let fixed: BTreeSet<Unit<'_>> = units
        .iter()
        .filter(|(_, named)| named.rank == 0)
        .map(|(unit, _)| *unit)
        .collect();
    // Sources that hold records of one process are of one node, unless that would make one of two pods.
    let mut joined: BTreeMap<String, BTreeSet<Named>> = BTreeMap::new();
    let mut into: BTreeMap<String, String> = BTreeMap::new();
    for named in units.values() {
        joined
            .entry(named.name.clone())
            .or_default()
            .insert(named.clone());
        into.insert(named.name.clone(), named.name.clone());
    }
    for link in manifest.copies.iter().filter(|link| link.certain) {
        let a = (link.a.as_str(), link.a_stream.as_str());
        let b = (link.b.as_str(), link.b_stream.as_str());
        let (Some(name_a), Some(name_b)) = (units.get(&a), units.get(&b)) else {
            continue;
        };
        let (into_a, into_b) = (into[&name_a.name].clone(), into[&name_b.name].clone());
        if into_a == into_b {
            continue;
        }
        let both: BTreeSet<&Named> = joined[&into_a].iter().chain(&joined[&into_b]).collect();
        let firm = both.iter().filter(|named| named.rank <= 1).count();
        if firm > 1 {
            continue;
        }
        let moved = joined.remove(&into_b).unwrap_or_default();
        for named in &moved {
            into.insert(named.name.clone(), into_a.clone());
        }
        joined.entry(into_a).or_default().extend(moved);
    }
    for (unit, named) in &mut units {
        if fixed.contains(unit) {
            continue;
        }
        if let Some(best) = joined[&into[&named.name]].first() {
            *named = best.clone();
        }
    }
    units
}

/// Gives journals in which only the machine speaks to the node that is named on that machine, if it is the only one
/// there: a beacon node's service and its machine are one node.
fn join_machines<'m>(
    manifest: &'m Manifest,
    facts: &BTreeMap<Unit<'m>, BTreeMap<&str, BTreeSet<&str>>>,
    units: &mut BTreeMap<Unit<'m>, Named>,
) {
    let mut spoken: BTreeSet<Unit<'_>> = BTreeSet::new();
    for source in &manifest.sources {
        let pieces = source.pieces.iter();
        let of_clients = pieces.filter(|piece| piece.client != model::SYSTEM_CLIENT);
        spoken.extend(of_clients.map(|piece| (source.digest.as_str(), piece.stream.as_str())));
    }
    let hosts = |unit: &Unit<'m>| facts.get(unit).and_then(|facts| facts.get("host"));
    let mut on: BTreeMap<&str, BTreeSet<Named>> = BTreeMap::new();
    for (unit, named) in units.iter().filter(|(unit, _)| spoken.contains(*unit)) {
        for host in hosts(unit).into_iter().flatten() {
            on.entry(host).or_default().insert(named.clone());
        }
    }
    for (unit, named) in units.iter_mut() {
        if spoken.contains(unit) || named.rank == 0 {
            continue;
        }
        let nodes = hosts(unit).into_iter().flatten();
        let nodes: BTreeSet<&Named> = nodes.filter_map(|host| on.get(host)).flatten().collect();
        let names: BTreeSet<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
        if let (1, Some(node)) = (names.len(), nodes.first()) {
            *named = (*node).clone();
        }
    }
}

/// What wrappers say of every stream.
fn facts(manifest: &Manifest) -> BTreeMap<Unit<'_>, BTreeMap<&str, BTreeSet<&str>>> {
    let mut facts: BTreeMap<Unit<'_>, BTreeMap<&str, BTreeSet<&str>>> = BTreeMap::new();
    let streams = streams(manifest);
    for process in &manifest.processes {
        let Some(stream) = streams.get(&(process.source.as_str(), process.number)) else {
            continue;
        };
        let of = facts.entry((process.source.as_str(), stream)).or_default();
        for (fact, names) in &process.names {
            let known = of.entry(fact.as_str()).or_default();
            known.extend(names.iter().map(String::as_str));
        }
    }
    facts
}

/// The stream of every process.
pub(crate) fn streams(manifest: &Manifest) -> BTreeMap<(&str, u32), &str> {
    manifest
        .sources
        .iter()
        .flat_map(|source| {
            let pieces = source.pieces.iter();
            pieces.map(|piece| {
                let key = (source.digest.as_str(), piece.process);
                (key, piece.stream.as_str())
            })
        })
        .collect()
}

/// Names without regard to copies.
fn base_names<'m>(
    manifest: &'m Manifest,
    facts: &BTreeMap<Unit<'m>, BTreeMap<&str, BTreeSet<&str>>>,
) -> BTreeMap<Unit<'m>, Named> {
    let logs: Vec<&Source> = manifest
        .sources
        .iter()
        .filter(|source| source.kind == SourceKind::Log)
        .collect();
    let given: Vec<Option<&str>> = logs
        .iter()
        .map(|source| {
            let said = manifest.overrides.iter();
            said.filter(|said| said.source == source.digest)
                .filter_map(|said| said.node.as_deref())
                .next_back()
        })
        .collect();
    let hints: Vec<NodeHints> = logs
        .iter()
        .zip(&given)
        .map(|(source, given)| NodeHints {
            path: source.path.clone(),
            given: given.map(str::to_owned),
            wrapper: None,
        })
        .collect();
    let mut units = BTreeMap::new();
    for ((source, by_path), given) in logs.iter().zip(node_names(&hints)).zip(given) {
        let mut streams: BTreeSet<&str> = source.pieces.iter().map(|p| p.stream.as_str()).collect();
        if streams.is_empty() {
            streams.insert("");
        }
        for stream in streams {
            let unit = (source.digest.as_str(), stream);
            let own = facts.get(&unit);
            let is_pod = own
                .and_then(|own| own.get("pod"))
                .is_some_and(|pods| pods.contains(stream));
            let base = match given {
                Some(name) => Named {
                    rank: 0,
                    name: name.to_owned(),
                },
                None if stream.is_empty() => Named {
                    rank: 3,
                    name: by_path.clone(),
                },
                None => Named {
                    rank: if is_pod { 1 } else { 2 },
                    name: stable_pod_name(stream).to_owned(),
                },
            };
            let said = said(manifest, source, stream, own, &base.name);
            let named = said.map_or(base, |name| Named {
                rank: 0,
                name: name.to_owned(),
            });
            units.insert(unit, named);
        }
    }
    units
}

/// Returns what a person said a stream belongs to: what is said of its source goes before what is said of
/// its pod or host, and that before what is said of the node.
fn said<'m>(
    manifest: &'m Manifest,
    source: &Source,
    stream: &str,
    facts: Option<&BTreeMap<&str, BTreeSet<&str>>>,
    base: &str,
) -> Option<&'m str> {
    let by_source = |word: &str| word == source.digest || word == source.path;
    let by_wrapper = |word: &str| {
        (!stream.is_empty() && word == stream)
            || facts.is_some_and(|facts| facts.values().any(|names| names.contains(word)))
    };
    let tests: [&dyn Fn(&str) -> bool; 3] = [&by_source, &by_wrapper, &|word| word == base];
    tests.iter().find_map(|test| {
        let mut rules = manifest.node_rules.iter().rev();
        let rule = rules.find(|rule| rule.is.iter().any(|word| test(word)))?;
        Some(rule.node.as_str())
    })
}

/// Makes the tables of nodes and links, and the names of sources, anew from the processes' nodes.
pub(crate) fn describe(manifest: &mut Manifest) {
    let names = names(manifest);
    let streams = streams(manifest);
    let extents = extents(manifest);
    let mut nodes: BTreeMap<String, Node> = BTreeMap::new();
    let mut pods: BTreeMap<String, BTreeMap<String, (i64, i64)>> = BTreeMap::new();
    for process in &manifest.processes {
        let Some(name) = &process.node else { continue };
        let stream = streams
            .get(&(process.source.as_str(), process.number))
            .copied();
        let node = nodes.entry(name.clone()).or_insert_with(|| Node {
            name: name.clone(),
            at_most: 1,
            ..Node::default()
        });
        node.processes
            .push((process.source.clone(), process.number));
        let mut know = |kind: &str, value: &str| {
            let known = node.known_as.entry(kind.to_owned()).or_default();
            if let Err(at) = known.binary_search_by(|other| other.as_str().cmp(value)) {
                known.insert(at, value.to_owned());
            }
        };
        if let Some(source) = manifest.source(&process.source) {
            know("path", &source.path);
        }
        for (fact, values) in &process.names {
            for value in values {
                know(fact, value);
            }
        }
        let unit = (process.source.as_str(), stream.unwrap_or_default());
        if let Some(named) = names.get(&unit) {
            node.basis = named.basis().to_owned();
        }
        // A Deployment's pods share a name without being one machine.
        if let Some(stream) = stream.filter(|stream| stable_pod_name(stream) != *stream)
            && let Some(&(from, to)) = extents.get(&(process.source.as_str(), process.number))
        {
            let seen = pods.entry(name.clone()).or_default();
            let range = seen.entry(stream.to_owned()).or_insert((from, to));
            *range = (range.0.min(from), range.1.max(to));
        }
    }
    for (name, pods) in &pods {
        if let Some(node) = nodes.get_mut(name) {
            node.at_most = at_once(pods.values()).max(1);
        }
    }
    for link in manifest.copies.iter().filter(|link| !link.certain) {
        let named = |digest: &str, stream: &str| Some(names.get(&(digest, stream))?.name.clone());
        let (Some(a), Some(b)) = (
            named(&link.a, &link.a_stream),
            named(&link.b, &link.b_stream),
        ) else {
            continue;
        };
        for (one, other) in [(&a, &b), (&b, &a)] {
            if let Some(node) = nodes.get_mut(one).filter(|_| one != other)
                && !node.maybe.contains(other)
            {
                node.maybe.push(other.clone());
                node.maybe.sort();
            }
        }
    }
    for node in nodes.values_mut() {
        node.processes.sort();
        node.names = node.known_as.values().flatten().cloned().collect();
        node.names.sort();
        node.names.dedup();
    }
    let links = links(manifest, &nodes);
    manifest.nodes = nodes.into_values().collect();
    manifest.node_links = links;
    for source in &mut manifest.sources {
        let names: BTreeSet<&str> = manifest
            .processes
            .iter()
            .filter(|process| process.source == source.digest)
            .filter_map(|process| process.node.as_deref())
            .collect();
        source.node = (names.len() == 1)
            .then(|| names.first().map(|name| (*name).to_owned()))
            .flatten();
    }
}

/// From when to when each process spoke, as far as its stamps can be compared.
fn extents(manifest: &Manifest) -> BTreeMap<(&str, u32), (i64, i64)> {
    let mut extents: BTreeMap<(&str, u32), (i64, i64)> = BTreeMap::new();
    for source in &manifest.sources {
        for piece in &source.pieces {
            let stamps = [piece.first, piece.last].into_iter().flatten();
            for us in stamps.filter_map(|stamp| crate::copies::comparable(&stamp)) {
                let extent = extents.entry((&source.digest, piece.process));
                let extent = extent.or_insert((us, us));
                *extent = (extent.0.min(us), extent.1.max(us));
            }
        }
    }
    extents
}

/// How many of the stretches overlap at the same moment, at most.
fn at_once<'a>(stretches: impl Iterator<Item = &'a (i64, i64)>) -> u32 {
    // At one moment ends come before beginnings: a pod that follows another is not beside it.
    let mut edges: Vec<(i64, i8)> = stretches
        .flat_map(|(from, to)| [(*from, 1), (*to, -1)])
        .collect();
    edges.sort_unstable();
    let mut now = 0i64;
    let mut most = 0;
    for (_, step) in edges {
        now += i64::from(step);
        most = most.max(now);
    }
    most.max(0) as u32
}

/// Words in pods' names that say what a pod does.
const BEACON_WORDS: &[&str] = &["beacon", "bn", "cl", "consensus", "beaconchain"];
const VALIDATOR_WORDS: &[&str] = &["validator", "vc", "validators", "val"];

/// Which validators are behind which beacon nodes, as far as something shows it.
fn links(manifest: &Manifest, nodes: &BTreeMap<String, Node>) -> Vec<NodeLink> {
    let mut links: BTreeMap<(String, String), NodeLink> = BTreeMap::new();
    let mut add = |validator: &str, beacon: &str, basis: String, reference: Option<String>| {
        if validator == beacon {
            return;
        }
        let link = links
            .entry((validator.to_owned(), beacon.to_owned()))
            .or_insert_with(|| NodeLink {
                validator: validator.to_owned(),
                beacon: beacon.to_owned(),
                basis,
                refs: Vec::new(),
            });
        link.refs.extend(reference);
        link.refs.sort();
        link.refs.dedup();
        link.refs.truncate(8);
    };
    // Where validators say they are connected to.
    for process in &manifest.processes {
        let Some(validator) = &process.node else {
            continue;
        };
        for (host, line) in process.beacon_endpoints() {
            let label = host.split('.').next().unwrap_or(host);
            let beacon = nodes.values().find(|node| {
                [host.as_str(), label].contains(&node.name.as_str())
                    || node.known_as.iter().any(|(kind, names)| {
                        kind != "path" && names.iter().any(|name| name == host || name == label)
                    })
            });
            if let Some(beacon) = beacon {
                let basis = format!("its log names the endpoint {host}");
                add(
                    validator,
                    &beacon.name,
                    basis,
                    Some(format!("{}:{line}", process.source)),
                );
            }
        }
    }
    // Pods of one release: alike but for the word that says what they do.
    // By namespace and the words left: beacon nodes, validators.
    type Release<'n> = (Vec<&'n str>, Vec<&'n str>);
    let mut releases: BTreeMap<(String, Vec<String>), Release<'_>> = BTreeMap::new();
    for node in nodes.values() {
        let Some(pods) = node.known_as.get("pod") else {
            continue;
        };
        let space = node
            .known_as
            .get("namespace")
            .and_then(|names| names.first());
        for pod in pods {
            let words: Vec<&str> = stable_pod_name(pod).split('-').collect();
            let rest = |of: &[&str]| -> Option<Vec<String>> {
                let at = words.iter().position(|word| of.contains(word))?;
                let mut rest: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
                rest.remove(at);
                Some(rest)
            };
            let space = space.cloned().unwrap_or_default();
            if let Some(rest) = rest(BEACON_WORDS) {
                releases
                    .entry((space, rest))
                    .or_default()
                    .0
                    .push(&node.name);
            } else if let Some(rest) = rest(VALIDATOR_WORDS) {
                releases
                    .entry((space, rest))
                    .or_default()
                    .1
                    .push(&node.name);
            }
        }
    }
    for ((_, rest), (beacons, validators)) in &releases {
        for (beacon, validator) in beacons
            .iter()
            .flat_map(|beacon| validators.iter().map(move |validator| (beacon, validator)))
        {
            let basis = format!(
                "pods of one release, alike but for their role ({})",
                rest.join("-")
            );
            add(validator, beacon, basis, None);
        }
    }
    links.into_values().collect()
}

/// Facts of wrappers that are names.
const NAMING: &[&str] = &[
    "pod",
    "namespace",
    "container",
    "container_id",
    "host",
    "node",
    "unit",
    "identifier",
    "service",
    "app",
];
/// Names of one kind that are kept of a process, and how long they may be.
const MOST_NAMES: usize = 8;
const LONGEST_NAME: usize = 128;

/// Those that are names of the machine, not of what runs on it.
const OF_MACHINES: &[&str] = &["pod", "namespace", "host", "node"];

/// Takes the names out of a record's wrappers, given as JSON; `client` wrote it.
pub(crate) fn note_names(wrapper: &str, client: &str, names: &mut BTreeMap<String, Vec<String>>) {
    let naming = match client {
        model::SYSTEM_CLIENT => OF_MACHINES,
        _ => NAMING,
    };
    let Ok(layers) =
        serde_json::from_str::<Vec<serde_json::Map<String, serde_json::Value>>>(wrapper)
    else {
        return;
    };
    for (key, value) in layers.iter().flatten() {
        let Some(value) = value.as_str().filter(|value| !value.is_empty()) else {
            continue;
        };
        if !naming.contains(&key.as_str()) || value.len() > LONGEST_NAME {
            continue;
        }
        let known = names.entry(key.clone()).or_default();
        if let Err(at) = known.binary_search_by(|other| other.as_str().cmp(value))
            && known.len() < MOST_NAMES
        {
            known.insert(at, value.to_owned());
        }
    }
}

/// Lines after its start in which a process says whom it is connected to.
pub(crate) const ENDPOINT_LINES: u64 = 400;

/// Takes the machines that a record's fields name, given as JSON; `line` is the record's.
pub(crate) fn note_endpoints(fields: &str, line: u64, endpoints: &mut Vec<(String, u64)>) {
    let fields: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(fields).unwrap_or_default();
    for (key, value) in &fields {
        let host = value.as_str().and_then(|value| endpoint(key, value));
        if let Some(host) = host
            && endpoints.len() < MOST_NAMES
            && !endpoints.iter().any(|(known, _)| *known == host)
        {
            endpoints.push((host, line));
        }
    }
}

/// Returns the machine that a field of a validator's line names as its beacon node.
fn endpoint(key: &str, value: &str) -> Option<String> {
    let key = key.to_ascii_lowercase();
    let telling = ["endpoint", "url", "beacon", "grpc", "node"];
    if !telling.iter().any(|word| key.contains(word)) {
        return None;
    }
    let rest = value.split_once("://").map_or(value, |(_, rest)| rest);
    let rest = rest.split(['/', '?', '#', ',', ' ']).next()?;
    let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let (host, port) = rest.rsplit_once(':')?;
    let is_port = !port.is_empty() && port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit());
    let is_name = !host.is_empty()
        && host.len() <= 253
        && host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
    let is_here = matches!(host, "localhost" | "127.0.0.1" | "0.0.0.0");
    (is_port && is_name && !is_here).then(|| host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_name_machines() {
        let check = |key: &str, value: &str, expected: Option<&str>| {
            assert_eq!(endpoint(key, value).as_deref(), expected, "{key}={value}");
        };
        check(
            "endpoint",
            "http://beacon-0.beacon.eth:5052/",
            Some("beacon-0.beacon.eth"),
        );
        check("endpoint", "beacon-0:4000", Some("beacon-0"));
        check("beaconNode", "https://user:pw@lh-1:5052", Some("lh-1"));
        check("endpoint", "http://localhost:5052", None);
        check("endpoint", "http://beacon-0", None);
        check("peer", "10.0.0.1:9000", None);
        check("url", "[::1]:80", None);
    }

    #[test]
    fn pods_beside_each_other_are_counted_and_those_after_each_other_are_not() {
        assert_eq!(at_once([(0, 10), (10, 20), (21, 30)].iter()), 1);
        assert_eq!(at_once([(0, 10), (5, 20), (6, 7)].iter()), 3);
        assert_eq!(at_once([].iter()), 0);
    }
}
