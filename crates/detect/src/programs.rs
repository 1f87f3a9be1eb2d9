//! The programs of each node: a beacon node, its validator and its execution client may run on one machine and write
//! into one journal, and one of them may die while the others speak on.
//!
//! Runs of a program are one program, however often it started. What cannot be told apart for sure is taken together:
//! then less is found, and nothing that is not so.

use case::{Manifest, Piece};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// One program of one node, over all its runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) node: String,
    pub(crate) client: String,
    pub(crate) role: Option<String>,
    /// What people call it: `prysm validator`.
    pub(crate) label: String,
    /// Words of what it is called, by itself and by its machine.
    words: BTreeSet<String>,
    /// The sources that have records of it.
    pub(crate) sources: BTreeSet<String>,
}

/// The programs of a case. What machines' own programs wrote is none of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Programs {
    pub(crate) all: Vec<Program>,
    /// By source and number of the process.
    of: HashMap<String, HashMap<i64, usize>>,
    of_node: HashMap<String, Vec<usize>>,
}

impl Programs {
    pub(crate) fn of(manifest: &Manifest) -> Programs {
        let mut own_names: HashMap<(&str, u32), &str> = HashMap::new();
        for source in &manifest.sources {
            let named = |piece: &&Piece| !piece.program.is_empty();
            let pieces = source.pieces.iter().filter(named);
            own_names.extend(
                pieces.map(|piece| ((source.digest.as_str(), piece.process), &*piece.program)),
            );
        }
        let own_name = |process: &case::Process| {
            let key = (process.source.as_str(), process.number);
            own_names.get(&key).copied().unwrap_or_default()
        };
        // A role is worth telling apart by if every run of the client on that node has one.
        let mut roles: BTreeMap<(&str, &str), BTreeSet<Option<&str>>> = BTreeMap::new();
        let of_clients = || {
            let processes = manifest.processes.iter();
            processes.filter(|process| process.client != model::SYSTEM_CLIENT)
        };
        for process in of_clients() {
            let node = process.node.as_deref().unwrap_or_default();
            let roles = roles.entry((node, &process.client)).or_default();
            roles.insert(process.role.as_deref());
        }
        let mut programs = Programs::default();
        let mut known: HashMap<(&str, &str, Option<&str>, &str), usize> = HashMap::new();
        for process in of_clients() {
            let node = process.node.as_deref().unwrap_or_default();
            let client = process.client.as_str();
            let roles = &roles[&(node, client)];
            let mut said = roles.iter().copied().flatten();
            let role = match roles.contains(&None) {
                true if roles.len() > 2 => None,
                true => said.next(),
                false => process.role.as_deref(),
            };
            // A program of no known client has only the name that its wrapper gives it.
            let name = match client {
                "" => own_name(process),
                _ => "",
            };
            let at = *known.entry((node, client, role, name)).or_insert_with(|| {
                let words = [client, role.unwrap_or_default(), name].into_iter();
                let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
                programs.all.push(Program {
                    node: node.to_owned(),
                    client: client.to_owned(),
                    role: role.map(str::to_owned),
                    label: match words.is_empty() {
                        true => "a program without a name".to_owned(),
                        false => words.join(" "),
                    },
                    ..Program::default()
                });
                let at = programs.all.len() - 1;
                let of_node = programs.of_node.entry(node.to_owned()).or_default();
                of_node.push(at);
                at
            });
            let program = &mut programs.all[at];
            program.sources.insert(process.source.clone());
            let called = ["identifier", "unit", "service", "container"];
            let called = called.iter().filter_map(|kind| process.names.get(*kind));
            let called = called.flatten().map(String::as_str);
            for name in called.chain([own_name(process), client, role.unwrap_or_default()]) {
                program.words.extend(words(name));
            }
            let of_source = programs.of.entry(process.source.clone()).or_default();
            of_source.insert(i64::from(process.number), at);
        }
        programs
    }

    /// Returns the program of a process.
    pub(crate) fn at(&self, source: &str, process: i64) -> Option<usize> {
        self.of.get(source)?.get(&process).copied()
    }

    /// Returns the programs of a node.
    pub(crate) fn of_node(&self, node: &str) -> impl Iterator<Item = usize> {
        self.of_node.get(node).into_iter().flatten().copied()
    }

    /// Whether what a machine calls `subject` is this program, as far as names tell: none of its node's is called more
    /// like it.
    pub(crate) fn is_called(&self, at: usize, subject: &str) -> bool {
        let subject: BTreeSet<String> = words(subject).collect();
        let common = |at: usize| self.all[at].words.intersection(&subject).count();
        let most = self.of_node(&self.all[at].node).map(common).max();
        common(at) > 0 && most == Some(common(at))
    }
}

/// The words of a name that say something.
fn words(name: &str) -> impl Iterator<Item = String> {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric());
    words
        .filter(|word| word.len() > 2 && !matches!(*word, "service" | "node" | "chain" | "docker"))
        .map(str::to_ascii_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;
    use case::{Process, Source};

    /// `(client, role, wrapper's name)` of processes of one node in one source.
    fn programs(told: &[(&str, Option<&str>, &str)]) -> Programs {
        let mut manifest = Manifest::default();
        let mut source = Source {
            digest: "0a".to_owned(),
            ..Source::default()
        };
        for (number, (client, role, name)) in (0..).zip(told) {
            source.pieces.push(Piece {
                process: number,
                program: (*name).to_owned(),
                ..Piece::default()
            });
            manifest.processes.push(Process {
                number,
                source: "0a".to_owned(),
                node: Some("n".to_owned()),
                client: (*client).to_owned(),
                role: role.map(str::to_owned),
                ..Process::default()
            });
        }
        manifest.sources.push(source);
        Programs::of(&manifest)
    }

    fn labels(told: &[(&str, Option<&str>, &str)]) -> Vec<String> {
        let programs = programs(told);
        let at = (0..told.len() as i64).map(|number| programs.at("0a", number));
        at.map(|at| at.map_or("-".to_owned(), |at| programs.all[at].label.clone()))
            .collect()
    }

    #[test]
    fn runs_are_of_one_program_and_roles_tell_programs_apart() {
        let (beacon, validator) = (Some("beacon"), Some("validator"));
        assert_eq!(
            labels(&[
                ("prysm", beacon, "a"),
                ("prysm", validator, "b"),
                ("prysm", beacon, "c"),
                ("geth", Some("execution"), ""),
                ("system", None, ""),
                ("", None, "mev-boost"),
            ]),
            [
                "prysm beacon",
                "prysm validator",
                "prysm beacon",
                "geth execution",
                "-",
                "mev-boost"
            ]
        );
        // One role and runs that tell none: one program. Two roles and such runs: nobody knows whose they are.
        let one = [("prysm", beacon, ""), ("prysm", None, "")];
        assert_eq!(labels(&one), ["prysm beacon", "prysm beacon"]);
        let two = [
            ("prysm", beacon, ""),
            ("prysm", validator, ""),
            ("prysm", None, ""),
        ];
        assert_eq!(labels(&two), ["prysm", "prysm", "prysm"]);
    }

    #[test]
    fn a_machine_means_the_program_that_is_called_most_like_what_it_says() {
        let programs = programs(&[
            ("prysm", Some("beacon"), "prysm-beacon.service"),
            ("prysm", Some("validator"), "prysm-validator.service"),
        ]);
        for (subject, called) in [
            ("prysm-validator.service", [false, true]),
            ("beacon-chain", [true, false]),
            ("prysm.sh", [true, true]),
            ("snapd.service", [false, false]),
        ] {
            let is = [0, 1].map(|at| programs.is_called(at, subject));
            assert_eq!(is, called, "{subject}");
        }
    }
}
