//! The form people read at three in the morning.

use super::shape::{Blocking, JobEntry, Jobs, LimitValue, RuleEntry, Runs, WhatIf};
use crate::trace::{AsOf, Zone};
use model::escape_control;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Jobs that are named one by one, per table and verdict.
const NAMED: usize = 10;

fn safe(text: &str) -> String {
    escape_control(text.as_bytes())
}

fn short(time: &str) -> String {
    let (body, zone) = match time.strip_suffix('Z') {
        Some(body) => (body, "Z"),
        None => (time, ""),
    };
    let body = body.split('.').next().unwrap_or(body).replace('T', " ");
    format!("{body}{zone}")
}

fn head(out: &mut String, snapshots: &[String], as_of: Option<&AsOf>, zone: Option<&Zone>) {
    let snapshots: Vec<String> = snapshots.iter().map(|name| safe(name)).collect();
    let _ = write!(out, "snapshot {}", snapshots.join(", "));
    if let Some(as_of) = as_of {
        let zone = match zone {
            Some(zone) => format!("database times are {}", zone.value),
            None => "the zone of the database's times is unknown".to_owned(),
        };
        let _ = write!(
            out,
            ", as of {} ({}); {zone}",
            short(&as_of.value),
            as_of.basis
        );
        if as_of.basis != "given" {
            let _ = write!(out, "\n  {}", safe(&as_of.rests_on));
        }
    }
    out.push('\n');
}

fn limit(value: &LimitValue, unit: &str) -> String {
    match value.value {
        Some(number) => format!("{number}{unit} ({})", value.basis),
        None => "none".to_owned(),
    }
}

fn rule(out: &mut String, entry: &RuleEntry) {
    let _ = writeln!(
        out,
        "  {:<12} max attempts {}, timeout {}",
        entry.queue,
        limit(&entry.max_attempts, ""),
        limit(&entry.timeout_s, " s")
    );
    for candidate in &entry.candidates {
        let doubt = if entry.candidates.len() > 1 {
            " (or)"
        } else {
            ""
        };
        let _ = writeln!(
            out,
            "  {:<12} {}{doubt}: {}",
            "", candidate.rule, candidate.about
        );
    }
}

fn blocked(out: &mut String, blocking: &Blocking) {
    let chain = blocking
        .chain_id
        .filter(|chain| *chain != 0)
        .map_or_else(String::new, |chain| format!(" of chain {chain}"));
    let _ = writeln!(
        out,
        "  batch {}{chain} {} ({} prover): {}",
        blocking.l1_batch_number,
        if blocking.stuck {
            "holds up the chain"
        } else {
            "is the next to be proven"
        },
        blocking.system,
        safe(&blocking.why)
    );
    if let Some(last) = blocking.last_proven {
        let _ = writeln!(
            out,
            "    already proven behind it: {} {}, the last {last}",
            blocking.proven_behind,
            if blocking.proven_behind == 1 {
                "batch"
            } else {
                "batches"
            },
        );
    }
}

fn runs(runs: Runs) -> String {
    match runs.most {
        Some(most) if most == runs.least => format!("{most}"),
        Some(most) => format!("{}-{most}", runs.least),
        None => "no limit".to_owned(),
    }
}

fn job_name(id: Option<i64>, batch: Option<i64>) -> String {
    match (id, batch) {
        (Some(id), Some(batch)) => format!("{id} (batch {batch})"),
        (Some(id), None) => id.to_string(),
        (None, Some(batch)) => format!("batch {batch}"),
        (None, None) => "?".to_owned(),
    }
}

fn warnings(out: &mut String, warnings: &[String], partial: &[String], refs: &[String]) {
    for warning in warnings {
        let _ = writeln!(out, "  ! {}", safe(warning));
    }
    for part in partial {
        let _ = writeln!(out, "  ! unreadable: {}", safe(part));
    }
    if let Some(first) = refs.first() {
        let more = match refs.len() - 1 {
            0 => String::new(),
            more => format!(" and {more} more (--format json)"),
        };
        let _ = writeln!(out, "  rows         {}{more}", safe(first));
    }
}

impl Jobs {
    /// Returns the short form: what holds up the chain, which jobs are stuck and why, under which rule.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        let stuck = self.jobs.iter().filter(|job| job.stuck).count();
        let _ = writeln!(
            out,
            "{stuck} {} stuck, {} not done, {} in all",
            if stuck == 1 { "job is" } else { "jobs are" },
            self.jobs.len(),
            self.tables.iter().map(|table| table.rows).sum::<u64>()
        );
        head(
            &mut out,
            &self.snapshots,
            self.as_of.as_ref(),
            self.database_zone.as_ref(),
        );
        out.push('\n');
        for blocking in &self.blocking {
            blocked(&mut out, blocking);
        }
        self.write_jobs(&mut out);
        out.push('\n');
        for entry in &self.rules {
            rule(&mut out, entry);
        }
        if let Some(keeper) = &self.house_keeper {
            let span = match (&keeper.first, &keeper.last) {
                (Some(first), Some(last)) => format!(" from {} to {}", short(first), short(last)),
                _ => String::new(),
            };
            let _ = writeln!(
                out,
                "  house keeper {} rounds and {} jobs put back by its lines{span}",
                keeper.runs, keeper.requeued
            );
        }
        warnings(&mut out, &self.warnings, &self.partial, &self.refs);
        if let Some(looked_at) = &self.looked_at {
            let _ = writeln!(
                out,
                "  looked at    {} jobs in {} of {} source(s){}",
                looked_at.jobs,
                looked_at.tables.join(", "),
                looked_at.sources,
                match looked_at.missing_kinds.len() {
                    0 => String::new(),
                    _ => format!("; not there: {}", looked_at.missing_kinds.join(", ")),
                }
            );
        }
        out
    }

    /// Jobs of one table that share a verdict stand together, the stuck ones first; those of one reason
    /// in one line.
    fn write_jobs(&self, out: &mut String) {
        for stuck in [true, false] {
            for table in &self.tables {
                let name = table.table.rsplit('.').next().unwrap_or(&table.table);
                let mut by_why: BTreeMap<(&str, String), Vec<&JobEntry>> = BTreeMap::new();
                for job in &self.jobs {
                    if job.stuck == stuck && job.table == name && job.snapshot == table.snapshot {
                        by_why
                            .entry((job.verdict.as_str(), reason(&job.why)))
                            .or_default()
                            .push(job);
                    }
                }
                for ((verdict, _), jobs) in by_why {
                    let verdict = match (verdict, jobs.len()) {
                        ("comes_back", 2..) => "come back".to_owned(),
                        _ => verdict.replace('_', " "),
                    };
                    let same = jobs.iter().all(|job| job.why == jobs[0].why);
                    let _ = writeln!(
                        out,
                        "  {name}: {} {verdict}{}: {}",
                        jobs.len(),
                        if same { "" } else { ", the first" },
                        safe(&jobs[0].why)
                    );
                    let mut named: Vec<String> = jobs
                        .iter()
                        .take(NAMED)
                        .map(|job| job_name(job.id, job.l1_batch_number))
                        .collect();
                    if jobs.len() > NAMED {
                        named.push(format!("and {} more", jobs.len() - NAMED));
                    }
                    let _ = writeln!(out, "    {}", named.join(", "));
                }
            }
        }
    }
}

/// What reasons have in common whatever their numbers and times.
fn reason(why: &str) -> String {
    let mut out = String::with_capacity(why.len());
    for c in why.chars() {
        match c {
            '0'..='9' if out.ends_with('#') => {}
            '0'..='9' => out.push('#'),
            other => out.push(other),
        }
    }
    out
}

impl WhatIf {
    /// Returns the short form: what the other limits change.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        let _ = write!(
            out,
            "{} {} would have come back, {} would be lost",
            self.would_come_back,
            if self.would_come_back == 1 {
                "job"
            } else {
                "jobs"
            },
            self.would_be_lost,
        );
        for (count, what) in [
            (self.other_runs, "with other runs or times"),
            (self.undetermined, "undetermined"),
        ] {
            if count > 0 {
                let _ = write!(out, ", {count} {what}");
            }
        }
        let _ = writeln!(out, ", {} unchanged", self.unchanged);
        head(
            &mut out,
            &self.snapshots,
            self.as_of.as_ref(),
            self.database_zone.as_ref(),
        );
        out.push('\n');
        for entry in &self.rules {
            rule(&mut out, &entry.now);
            let attempts = entry
                .what_if
                .max_attempts
                .map_or("none".to_owned(), |n| n.to_string());
            let _ = writeln!(
                out,
                "  {:<12} what if: max attempts {attempts}, timeout {} s",
                "", entry.what_if.timeout_s
            );
        }
        out.push('\n');
        for job in self.jobs.iter().take(4 * NAMED) {
            let due = job
                .then
                .due_at
                .as_ref()
                .filter(|_| job.then.comes_back == Some(true))
                .map_or_else(String::new, |due| format!(" at {}", short(due)));
            let _ = writeln!(
                out,
                "  {} {}: {} with {} runs left, then {}{due} with {} runs left",
                job.table,
                job_name(job.id, job.l1_batch_number),
                job.now.verdict.replace('_', " "),
                runs(job.now.runs_left),
                job.then.verdict.replace('_', " "),
                runs(job.then.runs_left),
            );
        }
        if self.jobs.len() > 4 * NAMED {
            let _ = writeln!(
                out,
                "  and {} more (--format json)",
                self.jobs.len() - 4 * NAMED
            );
        }
        warnings(&mut out, &self.warnings, &self.partial, &self.refs);
        out
    }
}
