//! The answers put together: rules and limits per queue, each job that is not done, what holds up the chain.

use super::blocking::blocking;
use super::events::{LimitLine, Lines};
use super::judge::{Judged, UNKNOWN, judge, print, status_of};
use super::load::{JobRow, Loaded, Table};
use super::shape::{
    HouseKeeper, JobEntry, JobTable, Jobs, LimitValue, LookedAt, RuleEntry, RuleText, WhatIf,
    WhatIfJob, WhatIfLimits, WhatIfRule, WhatIfSide,
};
use super::table::{Part, Round, System};
use super::waiting::{Dependencies, Picks};
use super::{GivenLimits, JobsOptions, queue_name};
use crate::rows::DbTime;
use chain::requeue::{Limits, Queue, Status};
use model::time::MICROS_PER_SECOND;
use std::collections::{BTreeMap, BTreeSet};

/// The limits of a queue and how each is known: given, said by a log line, or assumed.
fn limits(
    queue: Queue,
    options: &JobsOptions,
    lines: &Lines<'_>,
) -> (Limits, LimitValue, LimitValue) {
    let assumed = queue.default_limits();
    let decide = |given: Option<u32>, line: Option<LimitLine>, assumed: u32| {
        let given = given.filter(|_| options.limits.concern(queue));
        match (given, line) {
            (Some(value), _) => LimitValue {
                value: Some(value),
                basis: "given".to_owned(),
                refs: Vec::new(),
            },
            (None, Some(line)) => LimitValue {
                value: Some(line.value),
                basis: "logs".to_owned(),
                refs: line.refs,
            },
            (None, None) => LimitValue {
                value: Some(assumed),
                basis: "assumed".to_owned(),
                refs: Vec::new(),
            },
        }
    };
    let mut attempts = decide(
        options.limits.max_attempts,
        lines.limit(queue, "max_attempts"),
        assumed.max_attempts,
    );
    let timeout = decide(
        options.limits.timeout_s,
        lines.limit(queue, "processing_timeout_s"),
        assumed.timeout_s,
    );
    let limits = Limits {
        max_attempts: attempts.value.unwrap_or(assumed.max_attempts),
        timeout_s: timeout.value.unwrap_or(assumed.timeout_s),
    };
    if queue == Queue::Gateway {
        attempts = LimitValue {
            value: None,
            basis: "none".to_owned(),
            refs: Vec::new(),
        };
    }
    (limits, attempts, timeout)
}

fn rule_entries(
    loaded: &Loaded,
    options: &JobsOptions,
    lines: &Lines<'_>,
) -> BTreeMap<Queue, (RuleEntry, Limits)> {
    let mut entries: BTreeMap<Queue, (RuleEntry, Limits)> = BTreeMap::new();
    for table in &loaded.tables {
        let queue = table.spec.queue;
        let (entry, _) = entries.entry(queue).or_insert_with(|| {
            let (limits, max_attempts, timeout_s) = limits(queue, options, lines);
            let entry = RuleEntry {
                queue: queue_name(queue).to_owned(),
                tables: Vec::new(),
                rule: match table.rules.as_slice() {
                    [only] => Some(only.name().to_owned()),
                    _ => None,
                },
                candidates: table
                    .rules
                    .iter()
                    .map(|rule| RuleText {
                        rule: rule.name().to_owned(),
                        about: rule.about().to_owned(),
                    })
                    .collect(),
                basis: table.rule_basis.to_owned(),
                max_attempts,
                timeout_s,
            };
            (entry, limits)
        });
        entry.tables.push(table.info.name.clone());
    }
    entries
}

fn round_of(loaded: &Loaded, table: &Table, job: &JobRow) -> Option<i64> {
    match table.spec.part {
        Part::Prover => job.round,
        Part::Witness(Round::Basic) => Some(0),
        Part::Witness(Round::Leaf) => Some(1),
        Part::Witness(Round::Node) => Some(2),
        Part::Witness(Round::RecursionTip) => Some(3),
        Part::Witness(Round::Scheduler) => Some(match table.spec.system {
            System::Old => 3,
            System::Fri => loaded.fri_final_round,
        }),
        Part::Compression | Part::Gateway => None,
    }
}

fn entry(
    loaded: &Loaded,
    table: &Table,
    job: &JobRow,
    judged: Judged,
    at: usize,
    lines: &Lines<'_>,
) -> JobEntry {
    let rows = &table.rows;
    let row = job.row;
    let since = match job.status {
        Status::InProgress | Status::InGpuProof => table.start_column(),
        _ => "updated_at",
    };
    let age_of = |since: DbTime| {
        let since = crate::trace::to_utc(since, loaded.zone.as_ref()).unwrap_or(since);
        Some(loaded.now_us? - since.us)
    };
    // A later change does not say since when it stood as it did.
    let since = rows
        .time(row, since)
        .or_else(|| rows.time(row, "created_at"))
        .filter(|since| !loaded.is_past || age_of(*since).is_none_or(|age| age >= 0));
    let age_us = since.and_then(age_of);
    let mut refs = vec![rows.reference(row)];
    refs.extend(lines.of_job(table.spec.queue, job));
    JobEntry {
        snapshot: table.info.snapshot.clone(),
        table: table.info.name.clone(),
        queue: queue_name(table.spec.queue).to_owned(),
        id: job.id,
        chain_id: job.chain,
        l1_batch_number: job.batch,
        aggregation_round: round_of(loaded, table, job),
        circuit: rows
            .text(row, "circuit_type")
            .or_else(|| rows.text(row, "circuit_id")),
        protocol_version: rows.int(row, "protocol_version"),
        status: status_of(table, job),
        attempts: rows.int(row, "attempts"),
        processing_started_at: rows.time(row, table.start_column()).map(DbTime::print),
        since: since.map(DbTime::print),
        age_s: age_us.map(|us| us as f64 / MICROS_PER_SECOND as f64),
        verdict: judged.verdict.to_owned(),
        stuck: judged.is_stuck(),
        why: judged.why,
        due_at: judged.due_us.map(|us| print(loaded, us)),
        runs_left: judged.runs_left,
        error: rows
            .text(row, "error")
            .filter(|error| !error.trim().is_empty()),
        refs,
        order: (
            at as i64,
            job.batch.unwrap_or(i64::MAX),
            job.id.unwrap_or(row as i64),
        ),
    }
}

/// Answers `jobs`.
pub(super) fn answer(loaded: Loaded, options: &JobsOptions) -> Jobs {
    let mut warnings = loaded.warnings.clone();
    let lines = Lines::new(&options.events, loaded.now_us, loaded.is_past);
    let rules = rule_entries(&loaded, options, &lines);
    let dependencies = Dependencies::of(&loaded);
    let mut jobs = Vec::new();
    let mut tables = Vec::new();
    for (at, table) in loaded.tables.iter().enumerate() {
        let Some((_, limits)) = rules.get(&table.spec.queue) else {
            continue;
        };
        let picks = Picks::of(table);
        let mut stuck = 0;
        let mut by_status: BTreeMap<String, u64> = BTreeMap::new();
        for job in &table.jobs {
            count_status(table, job, &mut by_status);
            if job.status == Status::Done {
                continue;
            }
            let mut judged = judge(&loaded, table, job, *limits);
            match job.status {
                Status::Queued => picks.refine(&loaded, table, job, &mut judged),
                Status::Waiting => dependencies.refine(&loaded, table, job, &mut judged),
                _ => {}
            }
            stuck += u64::from(judged.is_stuck());
            if let Some(warning) = lines.disagreement(table, job) {
                warnings.push(warning);
            }
            jobs.push(entry(&loaded, table, job, judged, at, &lines));
        }
        tables.push(JobTable {
            snapshot: table.info.snapshot.clone(),
            table: format!("{}.{}", table.info.schema, table.info.name),
            queue: queue_name(table.spec.queue).to_owned(),
            rows: table.jobs.len() as u64,
            by_status,
            stuck,
            last_picked_at: picks.last_us().map(|us| print(&loaded, us)),
        });
    }
    jobs.sort_by_key(|job| job.order);
    let blocking = blocking(&loaded, &jobs);
    let house_keeper = lines.house_keeper();
    lines.warn(&mut warnings);
    let mut refs: Vec<String> = Vec::new();
    for reference in blocking
        .iter()
        .flat_map(|blocking| &blocking.refs)
        .chain(jobs.iter().filter(|job| job.stuck).flat_map(|j| &j.refs))
        .chain(house_keeper.iter().flat_map(|h: &HouseKeeper| &h.refs))
    {
        refs.push(reference.clone());
    }
    unique(&mut refs);
    let nothing = !blocking.iter().any(|batch| batch.stuck) && !jobs.iter().any(|job| job.stuck);
    Jobs {
        snapshots: snapshots(&loaded),
        looked_at: nothing.then(|| looked_at(&loaded)),
        as_of: loaded.as_of,
        database_zone: loaded.zone,
        rules: rules.into_values().map(|(entry, _)| entry).collect(),
        tables,
        blocking,
        jobs,
        house_keeper,
        warnings,
        refs,
        partial: loaded.partial,
    }
}

/// The first of a batch's jobs that are not done: round by round, witnesses before proofs, the compression of the
/// final proof after all rounds, and at last what the server's own list says.
pub(super) fn first_undone(loaded: &Loaded, options: &JobsOptions, batch: i64) -> Option<JobEntry> {
    let lines = Lines::new(&options.events, loaded.now_us, loaded.is_past);
    let rules = rule_entries(loaded, options, &lines);
    let dependencies = Dependencies::of(loaded);
    let undone = loaded.tables.iter().enumerate().flat_map(|(at, table)| {
        let of_batch = |job: &&JobRow| job.batch == Some(batch) && job.status != Status::Done;
        table.jobs.iter().filter(of_batch).map(move |job| {
            let round = round_of(loaded, table, job).unwrap_or(i64::MAX);
            let is_list = table.spec.part == Part::Gateway;
            let is_proof = table.spec.part == Part::Prover;
            (
                (round, is_list, is_proof, job.id.unwrap_or(batch)),
                at,
                table,
                job,
            )
        })
    });
    let (_, at, table, job) = undone.min_by_key(|(rank, ..)| *rank)?;
    let (_, limits) = rules.get(&table.spec.queue)?;
    let mut judged = judge(loaded, table, job, *limits);
    if job.status == Status::Waiting {
        dependencies.refine(loaded, table, job, &mut judged);
    }
    Some(entry(loaded, table, job, judged, at, &lines))
}

/// Counts without a copy of the status for every row.
fn count_status(table: &Table, job: &JobRow, by_status: &mut BTreeMap<String, u64>) {
    let status = table.rows.str(job.row, "status").unwrap_or(UNKNOWN);
    match by_status.get_mut(status) {
        Some(count) => *count += 1,
        None => {
            by_status.insert(status.to_owned(), 1);
        }
    }
}

/// Takes repeats out, keeping the order.
fn unique(refs: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    refs.retain(|reference| seen.insert(reference.clone()));
}

fn snapshots(loaded: &Loaded) -> Vec<String> {
    let names: BTreeSet<&String> = loaded.tables.iter().map(|t| &t.info.snapshot).collect();
    names.into_iter().cloned().collect()
}

fn looked_at(loaded: &Loaded) -> LookedAt {
    LookedAt {
        sources: loaded.sources,
        tables: loaded
            .tables
            .iter()
            .map(|table| table.info.name.clone())
            .collect(),
        jobs: loaded.tables.iter().map(|t| t.jobs.len() as u64).sum(),
        missing_kinds: loaded.missing.clone(),
    }
}

/// Answers `what-if jobs`.
pub(super) fn compare(loaded: Loaded, options: &JobsOptions, other: &GivenLimits) -> WhatIf {
    let mut warnings = loaded.warnings.clone();
    let lines = Lines::new(&options.events, loaded.now_us, loaded.is_past);
    let rules = rule_entries(&loaded, options, &lines);
    let mut jobs = Vec::new();
    let mut entries = Vec::new();
    let (mut would_come_back, mut would_be_lost, mut unchanged) = (0, 0, 0);
    let (mut other_runs, mut undetermined) = (0, 0);
    let changed_limits = |queue: Queue, now: Limits| Limits {
        max_attempts: other
            .max_attempts
            .filter(|_| other.concern(queue) && queue != Queue::Gateway)
            .unwrap_or(now.max_attempts),
        timeout_s: other
            .timeout_s
            .filter(|_| other.concern(queue))
            .unwrap_or(now.timeout_s),
    };
    for (at, table) in loaded.tables.iter().enumerate() {
        let Some((_, now)) = rules.get(&table.spec.queue) else {
            continue;
        };
        let then = changed_limits(table.spec.queue, *now);
        for job in table.jobs.iter().filter(|job| job.status != Status::Done) {
            let before = judge(&loaded, table, job, *now);
            let after = judge(&loaded, table, job, then);
            let (before_side, after_side) = (side(&loaded, &before), side(&loaded, &after));
            entries.push(entry(&loaded, table, job, before, at, &lines));
            if before_side == after_side {
                unchanged += 1;
                continue;
            }
            *match (before_side.comes_back, after_side.comes_back) {
                (Some(false), Some(true)) => &mut would_come_back,
                (Some(true), Some(false)) => &mut would_be_lost,
                (Some(_), Some(_)) => &mut other_runs,
                _ => &mut undetermined,
            } += 1;
            jobs.push((
                (at, job.batch, job.id),
                WhatIfJob {
                    table: table.info.name.clone(),
                    queue: queue_name(table.spec.queue).to_owned(),
                    id: job.id,
                    chain_id: job.chain,
                    l1_batch_number: job.batch,
                    status: status_of(table, job),
                    attempts: table.rows.int(job.row, "attempts"),
                    now: before_side,
                    then: after_side,
                    refs: vec![table.rows.reference(job.row)],
                },
            ));
        }
    }
    jobs.sort_by_key(|(order, _)| *order);
    let jobs: Vec<WhatIfJob> = jobs.into_iter().map(|(_, job)| job).collect();
    entries.sort_by_key(|entry| entry.order);
    let blocking = blocking(&loaded, &entries);
    warnings.push(
        "whether a further run would have ended well is not in this evidence; the house keeper puts jobs back at its next round, up to 300 s after `due_at`"
            .to_owned(),
    );
    let mut refs: Vec<String> = jobs.iter().flat_map(|job| job.refs.clone()).collect();
    unique(&mut refs);
    WhatIf {
        snapshots: snapshots(&loaded),
        looked_at: jobs.is_empty().then(|| looked_at(&loaded)),
        rules: rules
            .into_iter()
            .map(|(queue, (entry, now))| {
                let then = changed_limits(queue, now);
                WhatIfRule {
                    now: entry,
                    what_if: WhatIfLimits {
                        max_attempts: (queue != Queue::Gateway).then_some(then.max_attempts),
                        timeout_s: then.timeout_s,
                    },
                }
            })
            .collect(),
        as_of: loaded.as_of,
        database_zone: loaded.zone,
        would_come_back,
        would_be_lost,
        other_runs,
        undetermined,
        unchanged,
        jobs,
        blocking,
        warnings,
        refs,
        partial: loaded.partial,
    }
}

fn side(loaded: &Loaded, judged: &Judged) -> WhatIfSide {
    // What is overdue under limits that nobody ran is simply back.
    let verdict = match judged.verdict {
        "overdue" => "comes_back",
        other => other,
    };
    WhatIfSide {
        verdict: verdict.to_owned(),
        comes_back: judged.comes_back,
        due_at: judged.due_us.map(|us| print(loaded, us)),
        runs_left: judged.runs_left,
    }
}
