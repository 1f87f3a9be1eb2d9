//! Where the evidence itself has holes: time that no source covers, sources that are cut or damaged,
//! lines that could not be read, dated or placed.

use crate::activity::{Activity, MINUTE, Minutes, Place, Who, edges};
use crate::finding::{Affected, Finding, NotRun, Witnesses};
use crate::overview::Overview;
use crate::programs::Programs;
use crate::text::duration;
use case::{Case, CaseError, Source, SourceKind, SourceStatus};
use serde_json::Map;
use std::collections::BTreeMap;

/// Shorter holes in everybody's evidence are a quiet night.
const LEAST_MINUTES: i64 = 10;
const TIMES_HABIT: i64 = 12;
/// A source that could not be read to this share says less than it seems to.
const REJECTED_SHARE: f64 = 0.05;

pub(crate) fn detect(
    case: &Case,
    overview: &Overview,
    nodes: &BTreeMap<String, Activity>,
) -> Result<(Vec<Finding>, Option<NotRun>), CaseError> {
    let mut findings = Vec::new();
    let sources = &case.manifest().sources;
    for source in sources {
        findings.extend(damaged(sources.len(), source));
    }
    findings.extend(shares(sources));
    findings.extend(assumed(overview, sources));
    if nodes.values().all(|node| node.span_us.is_none()) {
        let not_run = (!sources.is_empty()).then(|| NotRun {
            detector: "evidence_gap".to_owned(),
            missing: "dated records (damage of sources was looked at)".to_owned(),
        });
        return Ok((findings, not_run));
    }
    findings.extend(uncovered(case, overview, nodes)?);
    Ok((findings, None))
}

/// Time inside the case's span in which nobody wrote anything.
fn uncovered(
    case: &Case,
    overview: &Overview,
    nodes: &BTreeMap<String, Activity>,
) -> Result<Vec<Finding>, CaseError> {
    let mut all = Minutes::default();
    for node in nodes.values() {
        all.union(&node.any);
    }
    let gaps = all.gaps();
    let mut lengths: Vec<i64> = gaps.iter().map(|(before, after)| after - before).collect();
    lengths.sort_unstable();
    let at = (lengths.len() * 95 / 100).min(lengths.len().saturating_sub(2));
    let habit = lengths.get(at).copied().unwrap_or(1);
    let holes: Vec<(Who, i64, i64)> = gaps
        .into_iter()
        .filter(|(before, after)| {
            let length = after - before - 1;
            // A hole needs two sides: of two minutes in all, none is the rule and none the exception.
            lengths.len() >= 2 && length >= LEAST_MINUTES && length >= TIMES_HABIT * habit
        })
        .map(|(before, after)| (Who::All, before, after))
        .collect();
    // Nobody's silence asks whose it is.
    let mut places = edges(case, &Programs::default(), &holes)?;
    let sources = &case.manifest().sources;
    let mut findings: Vec<Finding> = holes
        .iter()
        .zip(places.drain(..))
        .map(|((_, before, after), (last, first))| {
            let from = last.as_ref().map_or(before * MINUTE, |place| place.us);
            let to = first.as_ref().map_or(after * MINUTE, |place| place.us);
            let spanning = sources
                .iter()
                .filter(|source| {
                    source.first_ts_us.is_some_and(|first| first <= from)
                        && source.last_ts_us.is_some_and(|last| last >= to)
                })
                .count();
            let length_s = (to - from) / 1_000_000;
            let mut magnitude = Map::new();
            magnitude.insert("gap_s".to_owned(), length_s.into());
            let logs = sources
                .iter()
                .filter(|source| source.kind == SourceKind::Log)
                .count();
            let title = if spanning == 0 {
                format!("no source covers {}", duration(length_s as f64))
            } else {
                format!("no line from any node for {}", duration(length_s as f64))
            };
            Finding {
                kind: "evidence_gap".to_owned(),
                severity: if spanning == 0 { "medium" } else { "low" }.to_owned(),
                title,
                status: "ended".to_owned(),
                affected: Affected {
                    n: overview.nodes.len(),
                    of: overview.nodes.len(),
                    unit: "nodes".to_owned(),
                },
                magnitude,
                basis: "observed".to_owned(),
                scope: "evidence".to_owned(),
                witnesses: Witnesses {
                    sources: logs,
                    nodes: overview.nodes.len(),
                    independent: overview.independent(&overview.nodes),
                },
                caveats: vec![if spanning == 0 {
                    "what happened in between is not in this evidence".to_owned()
                } else {
                    format!("{spanning} sources begin before it and end after it, so nobody logged, or lines were lost")
                }],
                refs: last.iter().chain(&first).map(Place::reference).collect(),
                ..Finding::default()
            }
            .identified(Some(from), Some(to))
        })
        .collect();
    findings.sort_by_key(|finding| -(finding.span_us.1 - finding.span_us.0));
    Ok(findings)
}

fn damaged(all: usize, source: &Source) -> Option<Finding> {
    let (severity, what) = match source.status {
        SourceStatus::Complete => return None,
        SourceStatus::Truncated => ("medium", "ends too early"),
        SourceStatus::Damaged if source.kind == SourceKind::Dump => {
            ("medium", "could not be read as a whole")
        }
        SourceStatus::Damaged => ("medium", "is damaged"),
        SourceStatus::Skipped => ("medium", "was not read"),
    };
    let problem = source.problems.first();
    let mut magnitude = Map::new();
    magnitude.insert("problems".to_owned(), source.problems.len().into());
    let detail = problem.map_or_else(String::new, |problem| {
        format!(": {} at byte {}", problem.what, problem.byte)
    });
    Some(
        Finding {
            kind: "damaged_source".to_owned(),
            severity: severity.to_owned(),
            title: format!("{} {what}{detail}", source.path),
            status: "unknown".to_owned(),
            affected: Affected {
                n: 1,
                of: all,
                unit: "sources".to_owned(),
            },
            magnitude,
            basis: "observed".to_owned(),
            scope: "evidence".to_owned(),
            witnesses: Witnesses {
                sources: 1,
                nodes: usize::from(source.node.is_some()),
                independent: 1,
            },
            caveats: vec!["what it held beyond that point is not in this evidence".to_owned()],
            refs: vec![match problem {
                Some(problem) => format!("{}@{}+0", source.digest, problem.byte),
                None => source.digest.clone(),
            }],
            nodes: source.node.iter().cloned().collect(),
            ..Finding::default()
        }
        .identified(source.last_ts_us, None),
    )
}

/// Sources with many rejected or undated lines, in one finding each.
fn shares(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let notice = |kind: &str, title: String, hit: &[&Source], count: u64, key: &str| {
        let mut magnitude = Map::new();
        magnitude.insert(key.to_owned(), count.into());
        Finding {
            kind: kind.to_owned(),
            severity: "notice".to_owned(),
            title,
            status: "unknown".to_owned(),
            affected: Affected {
                n: hit.len(),
                of: sources.len(),
                unit: "sources".to_owned(),
            },
            magnitude,
            basis: "observed".to_owned(),
            scope: "evidence".to_owned(),
            witnesses: Witnesses {
                sources: hit.len(),
                nodes: 0,
                independent: hit.len(),
            },
            refs: hit
                .iter()
                .take(8)
                .map(|source| source.digest.clone())
                .collect(),
            ..Finding::default()
        }
        .identified(None, None)
    };
    let rejected = |source: &Source| source.rejected.values().sum::<u64>();
    // The prose around pasted tables is no line that a log parser failed at.
    let unread: Vec<&Source> = sources
        .iter()
        .filter(|source| source.kind == SourceKind::Log)
        .filter(|source| rejected(source) as f64 > source.lines as f64 * REJECTED_SHARE)
        .collect();
    if !unread.is_empty() {
        let count = unread.iter().map(|source| rejected(source)).sum();
        let title = format!(
            "more than {:.0} % of the lines of {} could not be read ({count} lines)",
            REJECTED_SHARE * 100.0,
            named(&unread)
        );
        findings.push(notice("unread_lines", title, &unread, count, "lines"));
    }
    let undated: Vec<&Source> = sources.iter().filter(|source| source.undated > 0).collect();
    if !undated.is_empty() {
        let count = undated.iter().map(|source| source.undated).sum();
        let title = format!(
            "{count} records have no time of their own ({})",
            named(&undated)
        );
        findings.push(notice("undated_records", title, &undated, count, "records"));
    }
    findings
}

fn named(sources: &[&Source]) -> String {
    match sources {
        [one] => one.path.clone(),
        [first, rest @ ..] => format!("{} and {} more", first.path, rest.len()),
        [] => String::new(),
    }
}

/// Times that rest on an assumption, because nothing in the evidence settles year or zone.
fn assumed(overview: &Overview, sources: &[Source]) -> Option<Finding> {
    if overview.assumed.is_empty() {
        return None;
    }
    let nodes: Vec<String> = overview.assumed.keys().cloned().collect();
    let digests: Vec<String> = overview.assumed.values().flatten().cloned().collect();
    let hit: Vec<&Source> = sources
        .iter()
        .filter(|source| digests.contains(&source.digest))
        .collect();
    let from = hit.iter().filter_map(|source| source.first_ts_us).min();
    let to = hit.iter().filter_map(|source| source.last_ts_us).max();
    Some(
        Finding {
            kind: "assumed_time".to_owned(),
            severity: "low".to_owned(),
            title: format!("zone or year is assumed in {}", named(&hit)),
            status: "unknown".to_owned(),
            affected: Affected {
                n: nodes.len(),
                of: overview.nodes.len().max(nodes.len()),
                unit: "nodes".to_owned(),
            },
            basis: "assumed".to_owned(),
            scope: "evidence".to_owned(),
            witnesses: Witnesses {
                sources: hit.len(),
                nodes: nodes.len(),
                independent: overview.independent(&nodes),
            },
            caveats: vec!["their lines may stand whole hours away from the others".to_owned()],
            refs: digests.into_iter().take(8).collect(),
            nodes,
            ..Finding::default()
        }
        .identified(from, to),
    )
}
