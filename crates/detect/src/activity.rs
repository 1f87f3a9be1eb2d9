//! Who spoke when: one pass over the records, one bit per node (and program of it) and minute.

use crate::programs::Programs;
use case::{Case, CaseError, TableId};
use model::{Batch, RowFilter};
use std::collections::BTreeMap;

pub(crate) const MINUTE: i64 = 60_000_000;

/// The minutes in which somebody spoke.
#[derive(Clone, Debug, Default)]
pub(crate) struct Minutes {
    /// Minute of the first bit.
    base: i64,
    words: Vec<u64>,
}

/// Logs that span more are broken stamps, not silence: 40 years.
const MOST_MINUTES: i64 = 40 * 366 * 1440;

impl Minutes {
    pub(crate) fn insert(&mut self, us: i64) {
        let minute = us.div_euclid(MINUTE);
        if self.words.is_empty() {
            self.base = minute - minute.rem_euclid(64);
        }
        if (minute - self.base).abs() > MOST_MINUTES {
            return;
        }
        if minute < self.base {
            let more = (self.base - minute + 63) / 64;
            self.words
                .splice(0..0, std::iter::repeat_n(0, more as usize));
            self.base -= more * 64;
        }
        let at = (minute - self.base) as usize;
        if at / 64 >= self.words.len() {
            self.words.resize(at / 64 + 1, 0);
        }
        self.words[at / 64] |= 1 << (at % 64);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = i64> + '_ {
        self.words
            .iter()
            .enumerate()
            .flat_map(move |(index, &word)| {
                (0..64)
                    .filter(move |bit| word & (1 << bit) != 0)
                    .map(move |bit| self.base + index as i64 * 64 + bit)
            })
    }

    /// Minutes spoken in `from..to` (both exclusive).
    pub(crate) fn between(&self, from: i64, to: i64) -> usize {
        self.iter()
            .filter(|minute| (from + 1..to).contains(minute))
            .count()
    }

    pub(crate) fn union(&mut self, other: &Minutes) {
        for minute in other.iter() {
            self.insert(minute * MINUTE);
        }
    }

    /// Pairs of neighbouring minutes with silence between them.
    pub(crate) fn gaps(&self) -> Vec<(i64, i64)> {
        let minutes: Vec<i64> = self.iter().collect();
        minutes.windows(2).map(|pair| (pair[0], pair[1])).collect()
    }
}

/// A record, as far as a finding needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) us: i64,
    pub(crate) source: String,
    pub(crate) line: i64,
}

impl Place {
    pub(crate) fn reference(&self) -> String {
        format!("{}:{}", self.source, self.line)
    }
}

/// What clients of a node, or one of them, wrote.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spoken {
    pub(crate) minutes: Minutes,
    pub(crate) records: u64,
    pub(crate) first: Option<Place>,
    pub(crate) last: Option<Place>,
}

impl Spoken {
    fn add(&mut self, said: &Said<'_>) {
        self.records += 1;
        self.minutes.insert(said.us);
        if self.first.as_ref().is_none_or(|first| said.us < first.us) {
            self.first = Some(said.place());
        }
        if self.last.as_ref().is_none_or(|last| said.us >= last.us) {
            self.last = Some(said.place());
        }
    }
}

/// What one node did. A machine speaks on (cron, sshd) when its beacon node is dead: what its own programs wrote is
/// evidence that somebody wrote, and none that the node lives.
#[derive(Clone, Debug, Default)]
pub(crate) struct Activity {
    /// All its clients.
    pub(crate) clients: Spoken,
    /// When anybody spoke on it, and from when to when.
    pub(crate) any: Minutes,
    pub(crate) span_us: Option<(i64, i64)>,
}

/// Who spoke when, by node, and by the number of the program.
#[derive(Clone, Debug, Default)]
pub(crate) struct Activities {
    pub(crate) nodes: BTreeMap<String, Activity>,
    pub(crate) programs: Vec<Spoken>,
}

/// Reads who spoke when.
pub(crate) fn read(case: &Case, programs: &Programs) -> Result<Activities, CaseError> {
    let mut nodes: BTreeMap<String, Activity> = BTreeMap::new();
    let mut spoken = vec![Spoken::default(); programs.all.len()];
    each(case, programs, &mut |said| {
        let activity = match nodes.get_mut(said.node) {
            Some(activity) => activity,
            None => nodes.entry(said.node.to_owned()).or_default(),
        };
        activity.any.insert(said.us);
        let span = activity.span_us.get_or_insert((said.us, said.us));
        *span = (span.0.min(said.us), span.1.max(said.us));
        if said.by_client {
            activity.clients.add(said);
        }
        if let Some(program) = said.program {
            spoken[program].add(said);
        }
    })?;
    Ok(Activities {
        nodes,
        programs: spoken,
    })
}

/// A record, as far as it tells who spoke.
struct Said<'r> {
    node: &'r str,
    by_client: bool,
    program: Option<usize>,
    us: i64,
    source: &'r str,
    line: i64,
}

impl Said<'_> {
    fn place(&self) -> Place {
        Place {
            us: self.us,
            source: self.source.to_owned(),
            line: self.line,
        }
    }
}

/// Whose silence is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// Everybody's.
    All,
    /// That of a node's clients.
    Node(String),
    /// That of one program.
    Program(usize),
}

impl Who {
    fn said(&self, said: &Said<'_>) -> bool {
        match self {
            Who::All => true,
            Who::Node(node) => said.by_client && said.node == node,
            Who::Program(program) => said.program == Some(*program),
        }
    }
}

/// The last record before a silence and the first after it.
pub(crate) type Edge = (Option<Place>, Option<Place>);

/// Finds the last record before and the first after each silence `(whose, last minute, next minute)`.
pub(crate) fn edges(
    case: &Case,
    programs: &Programs,
    silences: &[(Who, i64, i64)],
) -> Result<Vec<Edge>, CaseError> {
    let mut edges: Vec<Edge> = vec![(None, None); silences.len()];
    if silences.is_empty() {
        return Ok(edges);
    }
    each(case, programs, &mut |said| {
        let minute = said.us.div_euclid(MINUTE);
        for ((who, before, after), edge) in silences.iter().zip(&mut edges) {
            if (minute != *before && minute != *after) || !who.said(said) {
                continue;
            }
            let here = said.place();
            if minute == *after && edge.1.as_ref().is_none_or(|first| here < *first) {
                edge.1 = Some(here.clone());
            }
            if minute == *before && edge.0.as_ref().is_none_or(|last| *last < here) {
                edge.0 = Some(here);
            }
        }
    })?;
    Ok(edges)
}

/// Calls `f` with every dated record.
fn each(case: &Case, programs: &Programs, f: &mut dyn FnMut(&Said<'_>)) -> Result<(), CaseError> {
    let columns = ["ts_order_us", "node", "source", "line", "client", "process"];
    // Neighbours are mostly of one process.
    let (mut of, mut program) = ((String::new(), -1), None);
    case.read(
        &TableId::Records,
        Some(&columns),
        &RowFilter::All,
        &mut |batch: Batch| {
            let (Some(times), Some(nodes), Some(sources), Some(lines)) = (
                batch.column(columns[0]),
                batch.column(columns[1]),
                batch.column(columns[2]),
                batch.column(columns[3]),
            ) else {
                return Ok(());
            };
            let (clients, processes) = (batch.column(columns[4]), batch.column(columns[5]));
            for row in 0..batch.rows() {
                // Records of a process without any date say nothing about when.
                let Some(us) = times.i64(row) else { continue };
                let source = sources.text(row).unwrap_or("");
                let number = processes.and_then(|process| process.i64(row)).unwrap_or(-1);
                if of.1 != number || of.0 != source {
                    of = (source.to_owned(), number);
                    program = programs.at(source, number);
                }
                f(&Said {
                    node: nodes.text(row).unwrap_or(""),
                    by_client: clients.and_then(|client| client.text(row))
                        != Some(model::SYSTEM_CLIENT),
                    program,
                    us,
                    source,
                    line: lines.i64(row).unwrap_or(0),
                });
            }
            Ok(())
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_grow_both_ways() {
        let mut minutes = Minutes::default();
        for minute in [1000, 1001, 1100, 3, -70] {
            minutes.insert(minute * MINUTE + 17);
        }
        assert_eq!(
            minutes.iter().collect::<Vec<_>>(),
            [-70, 3, 1000, 1001, 1100]
        );
        assert_eq!(minutes.gaps()[3], (1001, 1100));
        assert_eq!(minutes.between(3, 1100), 2);
        // A broken stamp must not cost memory.
        minutes.insert(i64::MAX / 2);
        assert_eq!(minutes.iter().count(), 5);
    }
}
