//! A node that fell silent while others spoke, judged against its own habit.

use crate::activity::{Activity, Edge, MINUTE, Place, edges};
use crate::endings::Endings;
use crate::finding::{Affected, Finding, NotRun, Witnesses};
use crate::overview::Overview;
use case::{Case, CaseError};
use serde_json::Map;
use std::collections::BTreeMap;

/// Shorter silences are nobody's business.
const LEAST_MINUTES: i64 = 10;
/// A log that ends is no silence for this long.
const LEAST_MINUTES_AT_END: i64 = 30;
/// Fewer spoken minutes make no habit.
const LEAST_SPOKEN: usize = 8;
/// How many times longer than usual.
const TIMES_HABIT: i64 = 6;

pub(crate) fn detect(
    case: &Case,
    overview: &Overview,
    nodes: &BTreeMap<String, Activity>,
) -> Result<(Vec<Finding>, Option<NotRun>), CaseError> {
    let with_clients = nodes.values().filter(|node| node.records > 0).count();
    if with_clients < 2 {
        return Ok((
            Vec::new(),
            Some(NotRun {
                detector: "silent_node".to_owned(),
                missing: format!("dated records of at least two nodes (here: {with_clients})"),
            }),
        ));
    }
    let end = nodes
        .values()
        .filter_map(|node| node.last.as_ref())
        .map(|last| last.us.div_euclid(MINUTE))
        .max()
        .unwrap_or(0);
    let mut silences = Vec::new();
    let mut ends_early: Vec<String> = Vec::new();
    for (name, node) in nodes {
        let gaps = node.minutes.gaps();
        if gaps.len() + 1 < LEAST_SPOKEN {
            continue;
        }
        let habit = habit(&gaps);
        let mut candidates = gaps;
        let own_end = node
            .last
            .as_ref()
            .map_or(end, |last| last.us.div_euclid(MINUTE));
        if own_end < end {
            candidates.push((own_end, end + 1));
        }
        for (before, after) in candidates {
            let length = after - before - 1;
            if length < LEAST_MINUTES || length < TIMES_HABIT * habit {
                continue;
            }
            let others = |f: &dyn Fn(&Activity) -> bool| -> Vec<String> {
                nodes
                    .iter()
                    .filter(|(other, activity)| *other != name && f(activity))
                    .map(|(other, _)| other.clone())
                    .collect()
            };
            let speakers = others(&|activity| speaks_through(activity, before, after));
            // In the middle of its log, half of those who were there must have spoken; a log that
            // just ends earlier than some is no silence unless most went on.
            let at_end = after == end + 1;
            let speaking = speakers.len();
            let enough = if at_end {
                length >= LEAST_MINUTES_AT_END && speaking * 5 >= (with_clients - 1) * 3
            } else {
                let there = others(&|activity| covers(activity, before, after)).len();
                speaking > 0 && speaking * 2 >= there
            };
            if enough {
                silences.push((name.clone(), before, after, speakers, habit));
            } else if at_end && speaking > 0 {
                ends_early.push(name.clone());
            }
        }
    }
    let places: Vec<_> = silences
        .iter()
        .map(|(name, before, after, ..)| (name.clone(), *before, *after))
        .collect();
    let edges = edges(case, &places)?;
    let ends = Endings::read(case)?;
    let findings = silences
        .into_iter()
        .zip(edges)
        .map(|((name, _, after, others, habit), edge)| {
            let at_end = after == end + 1;
            let edge = (edge.0, edge.1.filter(|_| !at_end));
            finding(overview, &name, &others, habit, edge, end * MINUTE, &ends)
        })
        .chain(uneven_end(overview, nodes, ends_early))
        .collect();
    Ok((findings, None))
}

/// Logs that end before the last one does: nothing happened, but nothing is known of them later.
fn uneven_end(
    overview: &Overview,
    nodes: &BTreeMap<String, Activity>,
    early: Vec<String>,
) -> Option<Finding> {
    let ends: Vec<&Place> = early
        .iter()
        .filter_map(|name| nodes[name].last.as_ref())
        .collect();
    let first = ends.iter().map(|place| place.us).min()?;
    let last = nodes
        .values()
        .filter_map(|node| node.last.as_ref())
        .map(|place| place.us)
        .max();
    let of = overview.nodes.len().max(early.len());
    Some(
        Finding {
            kind: "uneven_end".to_owned(),
            severity: "notice".to_owned(),
            title: "logs end before the last one does".to_owned(),
            status: "unknown".to_owned(),
            affected: Affected {
                n: early.len(),
                of,
                unit: "nodes".to_owned(),
            },
            basis: "observed".to_owned(),
            scope: "evidence".to_owned(),
            witnesses: Witnesses {
                sources: early.len(),
                nodes: early.len(),
                independent: overview.independent(&early),
            },
            caveats: vec!["nothing is known of these nodes after their last line".to_owned()],
            refs: ends.iter().map(|place| place.reference()).collect(),
            nodes: early,
            ..Finding::default()
        }
        .identified(Some(first), last),
    )
}

/// The 95th percentile of a node's own pauses, in minutes.
fn habit(gaps: &[(i64, i64)]) -> i64 {
    let mut lengths: Vec<i64> = gaps.iter().map(|(before, after)| after - before).collect();
    lengths.sort_unstable();
    // The pause in question must not set the habit it is judged by.
    let at = (lengths.len() * 95 / 100).min(lengths.len().saturating_sub(2));
    lengths.get(at).copied().unwrap_or(1)
}

/// Whether a node's log begins before a silence and ends after it.
fn covers(activity: &Activity, before: i64, after: i64) -> bool {
    let minute = |place: &Option<Place>| place.as_ref().map(|place| place.us.div_euclid(MINUTE));
    minute(&activity.first).is_some_and(|first| first <= before)
        && minute(&activity.last).is_some_and(|last| last >= after)
}

/// Whether a node speaks in the first, the second and the last third of a silence.
fn speaks_through(activity: &Activity, before: i64, after: i64) -> bool {
    let third = (after - before) / 3;
    [
        (before, before + third),
        (before + third, after - third),
        (after - third, after),
    ]
    .iter()
    .all(|(from, to)| activity.minutes.between(*from, *to) > 0)
}

fn finding(
    overview: &Overview,
    name: &str,
    speakers: &[String],
    habit: i64,
    (before, after): Edge,
    end_us: i64,
    endings: &Endings,
) -> Finding {
    let others = speakers.len();
    let from = before.as_ref().map(|place| place.us);
    let to = after.as_ref().map(|place| place.us);
    let silence_s = (to.unwrap_or(end_us) - from.unwrap_or(end_us)) / 1_000_000;
    let mut magnitude = Map::new();
    magnitude.insert("silence_s".to_owned(), silence_s.into());
    magnitude.insert("usual_pause_s".to_owned(), (habit * 60).into());
    let shown = overview.shown(name);
    let length = crate::text::duration(silence_s as f64);
    let others_were = if others == 1 {
        "another".to_owned()
    } else {
        format!("{others} others")
    };
    let title = if to.is_some() {
        format!("{shown} wrote nothing for {length} while {others_were} did")
    } else {
        format!("{shown} wrote nothing more for {length} while {others_were} went on")
    };
    let mut caveats = overview.time_caveats(&[name.to_owned()]);
    let causes = before
        .as_ref()
        .map_or_else(Vec::new, |place| endings.causes(name, place));
    if causes.is_empty() && to.is_none() {
        caveats.push(
            "no stop or panic was logged: the node may have stopped, or its evidence ends there"
                .to_owned(),
        );
    }
    let severity = match (to.is_some(), silence_s) {
        (true, ..1800) => "low",
        (true, _) => "medium",
        (false, ..3600) => "low",
        (false, _) if !causes.is_empty() => "high",
        (false, _) => "medium",
    };
    Finding {
        kind: "silent_node".to_owned(),
        severity: severity.to_owned(),
        title,
        status: if to.is_some() { "ended" } else { "unknown" }.to_owned(),
        affected: Affected {
            n: 1,
            of: overview.nodes.len(),
            unit: "nodes".to_owned(),
        },
        magnitude,
        basis: "inferred".to_owned(),
        scope: "node".to_owned(),
        witnesses: Witnesses {
            sources: others + 1,
            nodes: others + 1,
            independent: overview.independent(speakers.iter().chain([&name.to_owned()])),
        },
        causes,
        caveats,
        refs: before.iter().chain(&after).map(Place::reference).collect(),
        nodes: vec![name.to_owned()],
        ..Finding::default()
    }
    .identified(from, to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_does_not_set_its_own_habit() {
        let mut gaps: Vec<(i64, i64)> = (0..10).map(|n| (n, n + 1)).collect();
        gaps.push((10, 100));
        assert_eq!(habit(&gaps), 1);
        // Who pauses often is not silent.
        let slow: Vec<(i64, i64)> = (0..10).map(|n| (n * 30, n * 30 + 30)).collect();
        assert_eq!(habit(&slow), 30);
        assert_eq!(habit(&[]), 1);
    }
}
