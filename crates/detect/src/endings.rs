//! What is said about the end of a program: by itself in its last lines, or by its machine, which sees what a program
//! that is killed cannot say any more.

use crate::activity::Place;
use crate::finding::Cause;
use crate::programs::Programs;
use case::{Case, CaseError, TableId};
use model::RowFilter;
use std::collections::{BTreeMap, BTreeSet};

/// A program's own last words stand so few lines before its end.
const LAST_LINES: i64 = 200;
/// The kernel and systemd speak at once. A client may log a little less often than they do.
const BEFORE_US: i64 = 60_000_000;
const AFTER_US: i64 = 120_000_000;

/// The time of a line in a process without any.
pub(crate) const UNDATED: i64 = i64::MIN;

/// How a program ended, or said that it would.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum How {
    /// The kernel killed it because memory ran out.
    OutOfMemory,
    /// It panicked.
    Panic,
    /// Its machine saw it end by a failure or a signal that nobody sends to stop a program.
    Failure,
    /// It was stopped, or ended as it should.
    Stop,
}

/// Who tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Teller {
    Itself,
    Kernel,
    Systemd,
}

/// One line about the end of a program.
#[derive(Clone, Debug)]
pub(crate) struct Ending {
    pub(crate) how: How,
    /// What it says; "" if it says no more than that.
    pub(crate) detail: String,
    pub(crate) place: Place,
    pub(crate) teller: Teller,
    /// Whose end, as numbers of programs: several if the machine's words fit several.
    pub(crate) programs: Vec<usize>,
}

/// Stops and panics, by the time they were told.
pub(crate) struct Endings {
    /// What programs said of themselves, by source and line.
    own: BTreeMap<(String, i64), Ending>,
    /// What machines said of the programs of their nodes.
    by_machine: BTreeMap<String, Vec<Ending>>,
}

impl Endings {
    pub(crate) fn read(case: &Case, programs: &Programs) -> Result<Endings, CaseError> {
        let mut own = BTreeMap::new();
        let mut by_machine: BTreeMap<String, Vec<Ending>> = BTreeMap::new();
        let columns = [
            "what",
            "detail",
            "source",
            "line",
            "client",
            "node",
            "process",
            "ts_order_us",
        ];
        let table = TableId::Obs("lifecycle".to_owned());
        case.read(&table, Some(&columns), &RowFilter::All, &mut |batch| {
            let text = |name: &str, row: usize| {
                let column = batch.column(name);
                column
                    .and_then(|column| column.text(row))
                    .unwrap_or_default()
            };
            let number = |name: &str, row: usize| batch.column(name).and_then(|c| c.i64(row));
            for row in 0..batch.rows() {
                let what = text("what", row);
                if what != "stop" && what != "panic" {
                    continue;
                }
                let detail = text("detail", row);
                let source = text("source", row);
                let line = number("line", row).unwrap_or(0);
                let us = number("ts_order_us", row);
                let ending = |how, teller, programs| Ending {
                    how,
                    detail: detail.to_owned(),
                    place: Place {
                        us: us.unwrap_or(UNDATED),
                        source: source.to_owned(),
                        line,
                    },
                    teller,
                    programs,
                };
                if text("client", row) != model::SYSTEM_CLIENT {
                    let process = number("process", row).unwrap_or(-1);
                    let program = programs.at(source, process).into_iter().collect();
                    let how = match what {
                        "panic" => How::Panic,
                        _ => How::Stop,
                    };
                    own.insert(
                        (source.to_owned(), line),
                        ending(how, Teller::Itself, program),
                    );
                } else if us.is_some() {
                    let node = text("node", row);
                    let concerned = concerned(programs, node, detail);
                    if !concerned.is_empty() {
                        let said = by_machine.entry(node.to_owned()).or_default();
                        let (teller, how) = told_by_machine(detail);
                        said.push(ending(how, teller, concerned));
                    }
                }
            }
            Ok(())
        })?;
        for said in by_machine.values_mut() {
            said.sort_by(|a, b| a.place.cmp(&b.place));
        }
        Ok(Endings { own, by_machine })
    }

    /// Returns all endings.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Ending> {
        let by_machine = self.by_machine.values().flatten();
        self.own.values().chain(by_machine)
    }

    /// What explains that nothing follows a record of a node, or of one of its programs, at `place`.
    pub(crate) fn causes(&self, node: &str, program: Option<usize>, place: &Place) -> Vec<Cause> {
        let is_meant = |ending: &Ending| program.is_none_or(|at| ending.programs.contains(&at));
        let lines =
            (place.source.clone(), place.line - LAST_LINES)..=(place.source.clone(), place.line);
        let mut causes = Vec::new();
        let mut own = self.own.range(lines).map(|(_, ending)| ending);
        if let Some(ending) = own.rfind(|ending| is_meant(ending)) {
            let what = match ending.how {
                How::Panic => "panic",
                _ => "stop",
            };
            let detail = match ending.detail.as_str() {
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
                refs: vec![ending.place.reference()],
            });
        }
        let window = place.us - BEFORE_US..place.us + AFTER_US;
        let said = self.by_machine.get(node).into_iter().flatten();
        let mut told: BTreeSet<&str> = BTreeSet::new();
        for ending in said.filter(|ending| window.contains(&ending.place.us)) {
            if is_meant(ending) && told.len() < 3 && told.insert(&ending.detail) {
                causes.push(Cause {
                    text: format!("its machine reports: {}", ending.detail),
                    basis: "observed".to_owned(),
                    confidence: "likely".to_owned(),
                    explains: Some("the silence".to_owned()),
                    does_not_explain: None,
                    refs: vec![ending.place.reference()],
                });
            }
        }
        causes
    }
}

/// Returns the programs of a node that a machine's words are about.
fn concerned(programs: &Programs, node: &str, detail: &str) -> Vec<usize> {
    // `… Killed process 4711 (beacon-chain) …`, `prysm.service: Main process exited …`
    let subject = match detail.split_once("illed process ") {
        Some((_, rest)) => rest
            .split_once('(')
            .and_then(|(_, rest)| rest.split_once(')')),
        None => detail.split_once(": "),
    };
    let Some((subject, _)) = subject else {
        return Vec::new();
    };
    let of_node = programs.of_node(node);
    of_node
        .filter(|at| programs.is_called(*at, subject))
        .collect()
}

/// Reads what the kernel and systemd say; see `journal.toml` for their words.
fn told_by_machine(detail: &str) -> (Teller, How) {
    if detail.contains("illed process ") {
        return (Teller::Kernel, How::OutOfMemory);
    }
    if detail.contains("OOM killer") {
        return (Teller::Systemd, How::OutOfMemory);
    }
    // systemd.exec(5): how a unit ends that is asked to, and a Java program, which ends itself by 128 + SIGTERM.
    let asked = ["0/SUCCESS", "15/TERM", "2/INT", "1/HUP", "143/n/a", "143"];
    let how = match detail.rsplit_once("status=") {
        Some((_, status)) if !asked.contains(&status.trim()) => How::Failure,
        _ => How::Stop,
    };
    (Teller::Systemd, how)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_machine_says_is_a_failure_or_none() {
        let exited = "prysm.service: Main process exited, code=";
        for (said, how) in [
            (
                "Out of memory: Killed process 7 (beacon-chain) total-vm:1kB",
                How::OutOfMemory,
            ),
            (
                "a.service: A process of this unit has been killed by the OOM killer.",
                How::OutOfMemory,
            ),
            (&format!("{exited}exited, status=1/FAILURE"), How::Failure),
            (&format!("{exited}dumped, status=11/SEGV"), How::Failure),
            (&format!("{exited}killed, status=9/KILL"), How::Failure),
            (&format!("{exited}killed, status=15/TERM"), How::Stop),
            (&format!("{exited}exited, status=143/n/a"), How::Stop),
        ] {
            assert_eq!(told_by_machine(said).1, how, "{said}");
        }
    }
}
