//! What is said about the end of a program: by itself in its last lines, or by its machine, which sees what a program
//! that is killed cannot say any more.

use crate::activity::Place;
use crate::finding::Cause;
use case::{Case, CaseError, TableId};
use model::RowFilter;
use std::collections::{BTreeMap, BTreeSet};

/// A program's own last words stand so few lines before its end.
const LAST_LINES: i64 = 200;
/// The kernel and systemd speak at once. A client may log a little less often than they do.
const BEFORE_US: i64 = 60_000_000;
const AFTER_US: i64 = 120_000_000;

/// Stops and panics.
#[derive(Default)]
pub(crate) struct Endings {
    /// What programs said of themselves, and its detail, by source and line.
    own: BTreeMap<(String, i64), (String, String)>,
    /// What machines said of their programs, by node and time: the detail, source and line.
    by_machine: BTreeMap<String, BTreeMap<(i64, String, i64), String>>,
    /// What the clients of nodes are called: client, role, and words of units and identifiers.
    names: BTreeMap<String, BTreeSet<String>>,
}

impl Endings {
    pub(crate) fn read(case: &Case) -> Result<Endings, CaseError> {
        let mut endings = Endings::default();
        for process in &case.manifest().processes {
            if process.client == model::SYSTEM_CLIENT {
                continue;
            }
            let node = process.node.clone().unwrap_or_default();
            let names = endings.names.entry(node).or_default();
            let called = ["identifier", "unit", "service", "container"];
            let called = called.iter().filter_map(|kind| process.names.get(*kind));
            let called = called.flatten().map(String::as_str);
            let own = process.role.iter().map(String::as_str);
            for name in called.chain(own).chain([process.client.as_str()]) {
                names.extend(words(name));
            }
        }
        let columns = [
            "what", "detail", "source", "line", "client", "node", "ts_us",
        ];
        let table = TableId::Obs("lifecycle".to_owned());
        case.read(&table, Some(&columns), &RowFilter::All, &mut |batch| {
            let text = |name: &str, row: usize| {
                let column = batch.column(name);
                let text = column.and_then(|column| column.text(row));
                text.unwrap_or_default().to_owned()
            };
            let number = |name: &str, row: usize| batch.column(name).and_then(|c| c.i64(row));
            for row in 0..batch.rows() {
                let what = text("what", row);
                if what != "stop" && what != "panic" {
                    continue;
                }
                let place = (text("source", row), number("line", row).unwrap_or(0));
                if text("client", row) != model::SYSTEM_CLIENT {
                    endings.own.insert(place, (what, text("detail", row)));
                } else if let Some(us) = number("ts_us", row) {
                    let said = endings.by_machine.entry(text("node", row)).or_default();
                    said.insert((us, place.0, place.1), text("detail", row));
                }
            }
            Ok(())
        })?;
        Ok(endings)
    }

    /// What explains that nothing follows a node's record at `place`.
    pub(crate) fn causes(&self, node: &str, place: &Place) -> Vec<Cause> {
        let lines =
            (place.source.clone(), place.line - LAST_LINES)..=(place.source.clone(), place.line);
        let mut causes = Vec::new();
        if let Some(((source, line), (what, detail))) = self.own.range(lines).next_back() {
            let detail = match detail.as_str() {
                "" => String::new(),
                detail => format!(": {detail}"),
            };
            causes.push(Cause {
                text: format!("its last lines report a {what}{detail}"),
                basis: "observed".to_owned(),
                confidence: if what == "panic" {
                    "likely"
                } else {
                    "possible"
                }
                .to_owned(),
                explains: Some("the silence".to_owned()),
                does_not_explain: (what == "stop").then(|| "why it was stopped".to_owned()),
                refs: vec![format!("{source}:{line}")],
            });
        }
        let window =
            (place.us - BEFORE_US, String::new(), 0)..(place.us + AFTER_US, String::new(), 0);
        let said = self.by_machine.get(node).into_iter();
        let mut told: BTreeSet<&str> = BTreeSet::new();
        for ((_, source, line), detail) in said.flat_map(|said| said.range(window.clone())) {
            if self.concerns(node, detail) && told.len() < 3 && told.insert(detail) {
                causes.push(Cause {
                    text: format!("its machine reports: {detail}"),
                    basis: "observed".to_owned(),
                    confidence: "likely".to_owned(),
                    explains: Some("the silence".to_owned()),
                    does_not_explain: None,
                    refs: vec![format!("{source}:{line}")],
                });
            }
        }
        causes
    }

    /// Whether what a machine reports is of a program that is called like a client of the node.
    fn concerns(&self, node: &str, detail: &str) -> bool {
        // `… Killed process 4711 (beacon-chain) …`, `prysm.service: Main process exited …`
        let subject = match detail.split_once("illed process ") {
            Some((_, rest)) => rest
                .split_once('(')
                .and_then(|(_, rest)| rest.split_once(')')),
            None => detail.split_once(": "),
        };
        let Some((subject, _)) = subject else {
            return false;
        };
        let names = self.names.get(node);
        names.is_some_and(|names| words(subject).any(|word| names.contains(&word)))
    }
}

/// The words of a name that say something.
fn words(name: &str) -> impl Iterator<Item = String> {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric());
    words
        .filter(|word| word.len() > 2 && !matches!(*word, "service" | "node" | "chain" | "docker"))
        .map(str::to_ascii_lowercase)
}
