//! Who is who: names for the machines that sources come from (foundations.md §1).
//!
//! A node's name is, in this order: `--node`; a stable wrapper name (host, StatefulSet pod, service,
//! container); the shortest path part that distinguishes, never a bare file stem that two share.

/// File stems that name a role or nothing, not a machine.
const ROLE_WORDS: &[&str] = &[
    "beacon",
    "beacon-chain",
    "beacon_node",
    "beacon-node",
    "bn",
    "client",
    "debug",
    "error",
    "latest",
    "log",
    "logs",
    "main",
    "node",
    "output",
    "prover",
    "prysm",
    "server",
    "slasher",
    "stderr",
    "stdout",
    "validator",
    "vc",
    "zksync",
];

/// What is known of a source when it is named.
#[derive(Clone, Debug, Default)]
pub struct NodeHints {
    /// Path as shown.
    pub path: String,
    /// Name given by the user.
    pub given: Option<String>,
    /// Stable name from a wrapper.
    pub wrapper: Option<String>,
}

/// Returns one node name per source, in the order given: a pure function of all sources of a case.
pub fn node_names(sources: &[NodeHints]) -> Vec<String> {
    let split: Vec<Vec<&str>> = sources
        .iter()
        .map(|source| {
            source
                .path
                .split(['/', '!'])
                .filter(|part| !part.is_empty() && *part != ".")
                .collect()
        })
        .collect();
    let by_path: Vec<usize> = (0..sources.len())
        .filter(|&index| sources[index].given.is_none() && sources[index].wrapper.is_none())
        .collect();
    let common = common_folders(by_path.iter().map(|&index| split[index].as_slice()));
    let mut names: Vec<String> = Vec::with_capacity(sources.len());
    for (index, source) in sources.iter().enumerate() {
        if let Some(name) = source.given.as_ref().or(source.wrapper.as_ref()) {
            names.push(name.clone());
            continue;
        }
        let parts = &split[index];
        let rest = &parts[common.min(parts.len().saturating_sub(1))..];
        let name = match rest {
            [] => "node".to_owned(),
            // The first folder below what all share tells them apart.
            [folder, _, ..] => (*folder).to_owned(),
            [file] => {
                let stem = stem(file);
                if ROLE_WORDS.contains(&stem.to_ascii_lowercase().as_str()) {
                    // One machine's folder: beacon.log beside validator.log.
                    parts
                        .len()
                        .checked_sub(2)
                        .map_or(stem, |at| parts[at])
                        .to_owned()
                } else {
                    stem.to_owned()
                }
            }
        };
        names.push(name);
    }
    names
}

/// Cuts the hash that a Deployment puts behind a pod's name: `beacon-7d9f6c5b8d-x2x9z` is `beacon`;
/// a StatefulSet's `beacon-0` stays.
pub fn stable_pod_name(name: &str) -> &str {
    let mut parts = name.rsplitn(3, '-');
    let (last, middle, first) = (parts.next(), parts.next(), parts.next());
    let hash = |text: &str, lengths: std::ops::RangeInclusive<usize>| {
        lengths.contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
            && text.bytes().any(|b| b.is_ascii_digit())
    };
    match (first, middle, last) {
        (Some(first), Some(middle), Some(last)) if hash(middle, 8..=10) && last.len() == 5 => first,
        _ => name,
    }
}

/// Returns how many leading folders all paths share (the file name never counts).
fn common_folders<'a>(mut paths: impl Iterator<Item = &'a [&'a str]>) -> usize {
    let Some(first) = paths.next() else { return 0 };
    let mut common = first.len().saturating_sub(1);
    for path in paths {
        let same = first.iter().zip(path).take_while(|(a, b)| a == b).count();
        common = common.min(same).min(path.len().saturating_sub(1));
    }
    common
}

/// Returns the file name without rotation numbers and endings: `beacon.log.2.gz` is `beacon`.
pub fn stem(file: &str) -> &str {
    let mut stem = file;
    while let Some((front, ending)) = stem.rsplit_once('.') {
        let known = matches!(
            ending,
            "log"
                | "txt"
                | "gz"
                | "zst"
                | "json"
                | "jsonl"
                | "out"
                | "err"
                | "sql"
                | "csv"
                | "yml"
                | "yaml"
                | "sqlite"
                | "db"
                | "dump"
                | "backup"
                | "tar"
        );
        if front.is_empty() || !(known || ending.bytes().all(|b| b.is_ascii_digit())) {
            break;
        }
        stem = front;
    }
    stem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(paths: &[&str], expected: &[&str]) {
        let hints: Vec<NodeHints> = paths
            .iter()
            .map(|path| NodeHints {
                path: (*path).to_owned(),
                ..NodeHints::default()
            })
            .collect();
        assert_eq!(node_names(&hints), expected);
    }

    #[test]
    fn the_shortest_part_that_distinguishes() {
        check(&["/tmp/x/beacon.log"], &["x"]);
        check(&["/tmp/x/geth-3.log"], &["geth-3"]);
        check(
            &["in/prysm-1/beacon.log", "in/prysm-2/beacon.log"],
            &["prysm-1", "prysm-2"],
        );
        check(
            &["in/prysm-1/beacon.log", "in/prysm-1/validator.log"],
            &["prysm-1", "prysm-1"],
        );
        check(
            &[
                "in/prysm-1/logs/beacon.log",
                "in/prysm-2/logs/beacon.log.1.gz",
                "in/prysm-1/validator.log",
            ],
            &["prysm-1", "prysm-2", "prysm-1"],
        );
        check(&["a.log", "b.log.1"], &["a", "b"]);
        check(&["beacon.log"], &["beacon"]);
    }

    #[test]
    fn deployments_lose_their_hash_and_stateful_sets_keep_their_number() {
        assert_eq!(stable_pod_name("beacon-0"), "beacon-0");
        assert_eq!(stable_pod_name("beacon-7d9f6c5b8d-x2x9z"), "beacon");
        assert_eq!(stable_pod_name("my-validator-node"), "my-validator-node");
    }
}
