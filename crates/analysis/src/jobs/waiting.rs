//! Jobs that nobody has taken: free ones that are passed over, and waiting ones whose proofs are all there.

use super::judge::Judged;
use super::load::{Cell, JobRow, Loaded, Table};
use super::table::{Part, Round, System};
use chain::requeue::Status;
use model::time::MICROS_PER_SECOND;
use std::collections::BTreeMap;

/// The movers of waiting jobs run every 30 or 40 s.
const MOVED_WITHIN_US: i64 = 300 * MICROS_PER_SECOND;

/// What workers choose by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Choice {
    version: Option<i64>,
    circuit: String,
    round: Option<i64>,
}

/// The latest pick of each choice.
pub(super) struct Picks {
    /// With the time and the batch of the latest pick.
    latest: Vec<(Choice, i64, i64)>,
    has_version: bool,
}

impl Picks {
    pub(super) fn of(table: &Table) -> Picks {
        let mut picks = Picks {
            latest: Vec::new(),
            has_version: table.rows.has("protocol_version"),
        };
        for job in &table.jobs {
            // A queued job's time is that of its re-queue, if it has one.
            let (Cell::Known(Some(us)), false) = (
                job.started,
                matches!(job.status, Status::Queued | Status::Waiting),
            ) else {
                continue;
            };
            let batch = job.batch.unwrap_or(i64::MIN);
            let version = table.rows.int(job.row, "protocol_version");
            let circuit = circuit(table, job);
            let known = picks.latest.iter_mut().find(|(choice, ..)| {
                choice.version == version && choice.round == job.round && circuit == choice.circuit
            });
            match known {
                Some((_, latest, of)) if *latest < us => (*latest, *of) = (us, batch),
                Some(_) => {}
                None => picks.latest.push((
                    Choice {
                        version,
                        circuit: circuit.into_owned(),
                        round: job.round,
                    },
                    us,
                    batch,
                )),
            }
        }
        picks.latest.sort();
        picks
    }

    pub(super) fn last_us(&self) -> Option<i64> {
        self.latest.iter().map(|(_, us, _)| *us).max()
    }

    /// Says why a free job is not taken, as far as what was taken instead shows it.
    pub(super) fn refine(&self, loaded: &Loaded, table: &Table, job: &JobRow, judged: &mut Judged) {
        let Some(since) = job.updated.or(job.created) else {
            return;
        };
        let version = table.rows.int(job.row, "protocol_version");
        if self.has_version && version.is_none() {
            judged.verdict = "never_picked";
            judged.why =
                "protocol_version is NULL, and workers take only jobs of versions they support"
                    .to_owned();
            return;
        }
        let later = |(_, us, _): &&(Choice, i64, i64)| *us > since;
        if !self.latest.iter().any(|pick| later(&pick)) {
            let idle = loaded.now_us.map(|now| (now - since) / MICROS_PER_SECOND);
            judged.why = match idle {
                Some(idle) if idle > 600 => format!(
                    "free to be picked for {idle} s, in which no worker took anything from {}",
                    table.info.name
                ),
                _ => "free to be picked; nothing was picked since it was queued".to_owned(),
            };
            return;
        }
        let circuit = circuit(table, job);
        let own = self.latest.iter().filter(later).any(|(choice, ..)| {
            choice.version == version && choice.circuit == circuit && choice.round == job.round
        });
        if own {
            return;
        }
        let of_version = self
            .latest
            .iter()
            .filter(later)
            .any(|(choice, ..)| choice.version == version);
        if !of_version {
            let mut others: Vec<String> = self
                .latest
                .iter()
                .filter(later)
                .filter_map(|(choice, ..)| choice.version)
                .map(|version| version.to_string())
                .collect();
            others.dedup();
            judged.verdict = "never_picked";
            judged.why = format!(
                "since it was queued only jobs of protocol version {} were picked, none of {}: no worker supports it",
                others.join(", "),
                version.map_or("NULL".to_owned(), |version| version.to_string())
            );
            return;
        }
        // Versions differ in whether rounds or batches go first. In all of them a later batch's job of no
        // higher round comes after it.
        let batch = job.batch.unwrap_or(i64::MAX);
        let passed = self.latest.iter().filter(later).find(|(choice, _, of)| {
            choice.version == version && choice.round <= job.round && *of > batch
        });
        if let Some((choice, ..)) = passed {
            judged.verdict = "never_picked";
            judged.why = format!(
                "since it was queued jobs that come after it were picked (circuit {}{}), none of circuit {circuit}{}: no worker takes it",
                choice.circuit,
                round(choice.round),
                round(job.round),
            );
        }
    }
}

fn round(round: Option<i64>) -> String {
    round.map_or_else(String::new, |round| format!(", round {round}"))
}

fn circuit<'a>(table: &'a Table, job: &JobRow) -> std::borrow::Cow<'a, str> {
    match table.rows.str(job.row, "circuit_type") {
        Some(text) => text.into(),
        None => table
            .rows
            .text(job.row, "circuit_id")
            .unwrap_or_default()
            .into(),
    }
}

/// Proofs that a waiting job waits for: system, chain, batch, round, circuit and depth where they matter.
type Need = (System, i64, i64, i64, Option<i64>, Option<i64>);

/// Which proofs are there for jobs that wait.
pub(super) struct Dependencies {
    /// Proofs and the time of the latest.
    have: BTreeMap<Need, (i64, Option<i64>)>,
}

impl Dependencies {
    pub(super) fn of(loaded: &Loaded) -> Dependencies {
        let mut have: BTreeMap<Need, (i64, Option<i64>)> = BTreeMap::new();
        for table in &loaded.tables {
            for job in table.jobs.iter().filter(|j| j.status == Status::Waiting) {
                if let Some((need, _)) = need(loaded, table, job) {
                    have.insert(need, (0, None));
                }
            }
        }
        for table in &loaded.tables {
            if table.spec.part != Part::Prover || have.is_empty() {
                continue;
            }
            for job in &table.jobs {
                let (Some((chain, batch)), Some(round)) = (job.key(), job.round) else {
                    continue;
                };
                if table.rows.str(job.row, "status") != Some("successful") {
                    continue;
                }
                let circuit = table.rows.int(job.row, "circuit_id");
                let depth = table.rows.int(job.row, "depth");
                let last = table.rows.bool(job.row, "is_node_final_proof") == Some(true);
                let system = table.spec.system;
                let keys = [
                    Some((None, None)),
                    circuit.map(|_| (circuit, None)),
                    circuit.and(depth).map(|_| (circuit, depth)),
                ];
                for (circuit, depth) in keys.into_iter().flatten() {
                    // The recursion tip and the scheduler before it need final node proofs only.
                    let counts = circuit.is_some() || round != 2 || system == System::Old || last;
                    let key = (system, chain, batch, round, circuit, depth);
                    if let Some((count, latest)) = have.get_mut(&key).filter(|_| counts) {
                        *count += 1;
                        *latest = (*latest).max(job.updated);
                    }
                }
            }
        }
        Dependencies { have }
    }

    /// Says what a waiting job waits for.
    pub(super) fn refine(&self, loaded: &Loaded, table: &Table, job: &JobRow, judged: &mut Judged) {
        let Some((need, wanted)) = need(loaded, table, job) else {
            return;
        };
        let (have, latest) = self.have.get(&need).copied().unwrap_or_default();
        let round = need.3;
        let provers = loaded
            .tables
            .iter()
            .any(|t| t.spec.part == Part::Prover && t.spec.system == table.spec.system);
        let Some(wanted) = wanted.filter(|_| provers) else {
            judged.why = format!(
                "waits for proofs of round {round}; how many it needs is not in the evidence"
            );
            return;
        };
        judged.why = format!("waits for proofs of round {round}: {have} of {wanted} are there");
        let waited = latest.zip(loaded.now_us).map(|(latest, now)| now - latest);
        if have > wanted {
            judged.verdict = "not_moved";
            judged.why = format!(
                "{have} proofs of round {round} are there, and it waits for exactly {wanted}"
            );
        } else if have == wanted && wanted > 0 && waited.is_some_and(|us| us > MOVED_WITHIN_US) {
            judged.verdict = "not_moved";
            judged.why = format!(
                "all {wanted} proofs of round {round} have been there for {} s: nothing moves it from waiting to queued",
                waited.unwrap_or_default() / MICROS_PER_SECOND
            );
        }
    }
}

/// What a waiting job needs, and how many, where a column says so.
fn need(loaded: &Loaded, table: &Table, job: &JobRow) -> Option<(Need, Option<i64>)> {
    let (chain, batch) = job.key()?;
    let system = table.spec.system;
    let int = |column: &str| table.rows.int(job.row, column);
    // A waiting old job may also wait for artifacts: a witness job, not proofs.
    if table.rows.str(job.row, "status") == Some("waiting_for_artifacts") {
        return None;
    }
    let (round, circuit, depth, wanted) = match (table.spec.part, system) {
        (Part::Witness(Round::Leaf), System::Old) => {
            (0, None, None, int("number_of_basic_circuits"))
        }
        (Part::Witness(Round::Node), System::Old) => {
            (1, None, None, int("number_of_leaf_circuits"))
        }
        (Part::Witness(Round::Scheduler), System::Old) => (2, None, None, Some(1)),
        (Part::Witness(Round::Leaf), System::Fri) => {
            (0, int("circuit_id"), None, int("number_of_basic_circuits"))
        }
        (Part::Witness(Round::Node), System::Fri) => {
            let depth = int("depth").unwrap_or(0);
            let round = if depth == 0 { 1 } else { 2 };
            let wanted = int("number_of_dependent_jobs");
            (round, int("circuit_id"), Some(depth), wanted)
        }
        (Part::Witness(Round::RecursionTip), System::Fri) => {
            (2, None, None, int("number_of_final_node_jobs"))
        }
        (Part::Witness(Round::Scheduler), System::Fri) => match loaded.fri_final_round {
            4 => (3, None, None, Some(1)),
            _ => (2, None, None, None),
        },
        _ => return None,
    };
    Some(((system, chain, batch, round, circuit, depth), wanted))
}
