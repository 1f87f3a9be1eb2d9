//! The programs of each node: a beacon node, its validator and its execution client may run on one machine and write
//! into one journal, and one of them may die while the others speak on.
//!
//! Runs of a program are one program, however often it started. What cannot be told apart for sure is taken together:
//! then less is found, and nothing that is not so.

use case::{Manifest, Process};
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
        let naming = Naming::of(manifest);
        let mut roles: BTreeMap<(&str, &str), BTreeSet<Option<&str>>> = BTreeMap::new();
        for process in of_clients(manifest) {
            let roles = roles.entry(client_of(process)).or_default();
            match naming.whose(process) {
                Whose::Role(role) => roles.insert(Some(role)),
                Whose::Unknown => roles.insert(None),
                Whose::Another(_) => false,
            };
        }
        let mut programs = Programs::default();
        let mut known: HashMap<(&str, &str, Option<&str>, &str), usize> = HashMap::new();
        for process in of_clients(manifest) {
            let (node, client) = client_of(process);
            let roles = &roles[&(node, client)];
            // A role is worth telling apart by if every run has one; with one role, runs that show none have it.
            let whole = !roles.contains(&None);
            let (role, name) = match naming.whose(process) {
                Whose::Another(name) => (None, name),
                Whose::Role(role) if whole => (Some(role), ""),
                _ if roles.len() <= 2 => (roles.iter().copied().flatten().next(), ""),
                _ => (None, ""),
            };
            // A program of no known client has only the name that its wrapper gives it.
            let name = match client {
                "" => naming.own(process),
                _ => name,
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
            for name in called.chain([naming.own(process), client, role.unwrap_or_default()]) {
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

/// What tells the runs of one client on one node apart.
enum Whose<'m> {
    /// It shows its role, or is called as one that does.
    Role(&'m str),
    /// It shows none, and is called otherwise than those that do: mev-boost writes as Prysm does.
    Another(&'m str),
    Unknown,
}

/// What machines call their programs.
struct Naming<'m> {
    own: HashMap<(&'m str, u32), &'m str>,
    /// The roles that runs of a client show on a node, by what they are called; "" where nobody calls them anything.
    roles: BTreeMap<(&'m str, &'m str), BTreeMap<&'m str, BTreeSet<&'m str>>>,
}

impl<'m> Naming<'m> {
    fn of(manifest: &'m Manifest) -> Naming<'m> {
        let mut naming = Naming {
            own: HashMap::new(),
            roles: BTreeMap::new(),
        };
        for source in &manifest.sources {
            let named = source
                .pieces
                .iter()
                .filter(|piece| !piece.program.is_empty());
            let named = named.map(|piece| ((&*source.digest, piece.process), &*piece.program));
            naming.own.extend(named);
        }
        for process in of_clients(manifest) {
            if let Some(role) = process.role.as_deref() {
                let own = naming.own(process);
                let called = naming.roles.entry(client_of(process)).or_default();
                called.entry(own).or_default().insert(role);
            }
        }
        naming
    }

    fn own(&self, process: &'m Process) -> &'m str {
        let key = (process.source.as_str(), process.number);
        self.own.get(&key).copied().unwrap_or_default()
    }

    fn whose(&self, process: &'m Process) -> Whose<'m> {
        if let Some(role) = &process.role {
            return Whose::Role(role);
        }
        let own = self.own(process);
        let Some(called) = self.roles.get(&client_of(process)) else {
            return Whose::Unknown;
        };
        match called.get(own) {
            Some(roles) if roles.len() == 1 && !own.is_empty() => roles
                .first()
                .map_or(Whose::Unknown, |role| Whose::Role(role)),
            None if !own.is_empty() && !called.contains_key("") => Whose::Another(own),
            _ => Whose::Unknown,
        }
    }
}

fn of_clients(manifest: &Manifest) -> impl Iterator<Item = &Process> {
    let processes = manifest.processes.iter();
    processes.filter(|process| process.client != model::SYSTEM_CLIENT)
}

/// The node and the client of a process.
fn client_of(process: &Process) -> (&str, &str) {
    (process.node.as_deref().unwrap_or_default(), &process.client)
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
    use case::{Piece, Source};

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
        // Unless their machine calls them otherwise.
        let other = [
            ("prysm", beacon, "a"),
            ("prysm", validator, "b"),
            ("prysm", None, "mev-boost"),
            ("prysm", None, "a"),
        ];
        let told = ["prysm beacon", "prysm validator", "prysm mev-boost"];
        assert_eq!(labels(&other[..3]), told);
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
