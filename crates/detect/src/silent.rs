//! A node that fell silent while others spoke, or one program of a node while another spoke on: judged against its
//! own habit.

use crate::activity::{Activities, Activity, MINUTE, Place, Spoken, Who, edges};
use crate::endings::Endings;
use crate::finding::{Affected, Finding, NotRun, Witnesses};
use crate::overview::Overview;
use crate::programs::Programs;
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

/// A silence that somebody else's records show.
struct Silence {
    who: Who,
    node: String,
    /// The last minute before it and the first one after it.
    before: i64,
    after: i64,
    /// Nodes, or programs of the same node, that spoke meanwhile.
    speakers: Vec<String>,
    /// The usual pause in minutes.
    habit: i64,
    /// Whether it lasts to the end of the evidence.
    at_end: bool,
}

pub(crate) fn detect(
    case: &Case,
    overview: &Overview,
    activities: &Activities,
    programs: &Programs,
    endings: &Endings,
) -> Result<(Vec<Finding>, Option<NotRun>), CaseError> {
    let nodes = &activities.nodes;
    let with_clients = nodes.values().filter(|node| node.clients.records > 0);
    let with_clients = with_clients.count();
    let companions = companions(programs, activities);
    if with_clients < 2 && companions.iter().all(Vec::is_empty) {
        return Ok((
            Vec::new(),
            Some(NotRun {
                detector: "silent_node".to_owned(),
                missing: format!("dated records of at least two nodes (here: {with_clients})"),
            }),
        ));
    }
    let lasts = nodes.values().filter_map(|node| node.clients.last.as_ref());
    let end = lasts.map(|last| last.us.div_euclid(MINUTE)).max();
    let end = end.unwrap_or(0);
    let (mut silences, ends_early) = of_nodes(nodes, with_clients, end);
    silences.extend(of_programs(programs, &activities.programs, &companions));
    let places: Vec<_> = silences
        .iter()
        .map(|silence| (silence.who.clone(), silence.before, silence.after))
        .collect();
    let edges = edges(case, programs, &places)?;
    let findings = silences
        .into_iter()
        .zip(edges)
        .map(|(silence, (before, after))| {
            let after = after.filter(|_| !silence.at_end);
            finding(overview, programs, endings, &silence, before, after)
        })
        .chain(uneven_end(overview, nodes, ends_early))
        .collect();
    Ok((findings, None))
}

/// Silences of whole nodes, and the nodes whose logs end before the last one does.
fn of_nodes(
    nodes: &BTreeMap<String, Activity>,
    with_clients: usize,
    end: i64,
) -> (Vec<Silence>, Vec<String>) {
    let mut silences = Vec::new();
    let mut ends_early: Vec<String> = Vec::new();
    for (name, node) in nodes {
        for (before, after, habit) in pauses(&node.clients, end) {
            let length = after - before - 1;
            let others = |f: &dyn Fn(&Spoken) -> bool| -> Vec<String> {
                nodes
                    .iter()
                    .filter(|(other, activity)| *other != name && f(&activity.clients))
                    .map(|(other, _)| other.clone())
                    .collect()
            };
            let speakers = others(&|other| speaks_through(other, before, after));
            // In the middle of its log, half of those who were there must have spoken; a log that
            // just ends earlier than some is no silence unless most went on.
            let at_end = after == end + 1;
            let speaking = speakers.len();
            let enough = if at_end {
                length >= LEAST_MINUTES_AT_END && speaking * 5 >= (with_clients - 1) * 3
            } else {
                let there = others(&|other| covers(other, before, after)).len();
                speaking > 0 && speaking * 2 >= there
            };
            if enough {
                silences.push(Silence {
                    who: Who::Node(name.clone()),
                    node: name.clone(),
                    before,
                    after,
                    speakers,
                    habit,
                    at_end,
                });
            } else if at_end && speaking > 0 {
                ends_early.push(name.clone());
            }
        }
    }
    (silences, ends_early)
}

/// Silences of one program of a node of which another goes on: the node as a whole is not silent.
fn of_programs(programs: &Programs, spoken: &[Spoken], companions: &[Vec<usize>]) -> Vec<Silence> {
    let mut silences = Vec::new();
    for (at, companions) in companions.iter().enumerate() {
        let lasts = companions
            .iter()
            .filter_map(|other| spoken[*other].last.as_ref());
        let Some(end) = lasts.map(|last| last.us.div_euclid(MINUTE)).max() else {
            continue;
        };
        for (before, after, habit) in pauses(&spoken[at], end) {
            let at_end = after == end + 1;
            let speakers: Vec<String> = companions
                .iter()
                .filter(|other| speaks_through(&spoken[**other], before, after))
                .map(|other| programs.all[*other].label.clone())
                .collect();
            let is_over = at_end
                && (after - before - 1 < LEAST_MINUTES_AT_END
                    || companions
                        .iter()
                        .any(|other| replaces(programs, spoken, *other, at)));
            if !speakers.is_empty() && !is_over {
                silences.push(Silence {
                    who: Who::Program(at),
                    node: programs.all[at].node.clone(),
                    before,
                    after,
                    speakers,
                    habit,
                    at_end,
                });
            }
        }
    }
    silences
}

/// The programs by which one would be seen to be silent: of the same node, in the same evidence.
fn companions(programs: &Programs, activities: &Activities) -> Vec<Vec<usize>> {
    let spoke = |at: &usize| activities.programs[*at].records > 0;
    let all = programs.all.iter().enumerate();
    all.map(|(at, program)| {
        let others = programs.of_node(&program.node);
        others
            .filter(|other| {
                *other != at && !programs.all[*other].sources.is_disjoint(&program.sources)
            })
            .filter(spoke)
            .collect()
    })
    .collect()
}

/// Whether a program began when another had ended, and does what that one did: another client, or another name for it.
fn replaces(programs: &Programs, spoken: &[Spoken], new: usize, old: usize) -> bool {
    let (a, b) = (&programs.all[new], &programs.all[old]);
    let later = match (&spoken[new].first, &spoken[old].last) {
        (Some(first), Some(last)) => first.us >= last.us,
        _ => false,
    };
    later && (a.client == b.client || a.role == b.role)
}

/// Pauses of somebody that are long beside the usual ones, with that: `(last minute, next minute, habit)`, up to the
/// minute in which the evidence ends.
fn pauses(spoken: &Spoken, end: i64) -> Vec<(i64, i64, i64)> {
    let mut pauses = spoken.minutes.gaps();
    if pauses.len() + 1 < LEAST_SPOKEN {
        return Vec::new();
    }
    let habit = habit(&pauses);
    let last = spoken.last.as_ref();
    let own_end = last.map_or(end, |last| last.us.div_euclid(MINUTE));
    if own_end < end {
        pauses.push((own_end, end + 1));
    }
    let long = pauses.into_iter().filter(|(before, after)| {
        let length = after - before - 1;
        length >= LEAST_MINUTES && length >= TIMES_HABIT * habit
    });
    long.map(|(before, after)| (before, after, habit)).collect()
}

/// Logs that end before the last one does: nothing happened, but nothing is known of them later.
fn uneven_end(
    overview: &Overview,
    nodes: &BTreeMap<String, Activity>,
    early: Vec<String>,
) -> Option<Finding> {
    let ends: Vec<&Place> = early
        .iter()
        .filter_map(|name| nodes[name].clients.last.as_ref())
        .collect();
    let first = ends.iter().map(|place| place.us).min()?;
    let last = nodes
        .values()
        .filter_map(|node| node.clients.last.as_ref())
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
fn covers(activity: &Spoken, before: i64, after: i64) -> bool {
    let minute = |place: &Option<Place>| place.as_ref().map(|place| place.us.div_euclid(MINUTE));
    minute(&activity.first).is_some_and(|first| first <= before)
        && minute(&activity.last).is_some_and(|last| last >= after)
}

/// Whether a node speaks in the first, the second and the last third of a silence.
fn speaks_through(activity: &Spoken, before: i64, after: i64) -> bool {
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
    programs: &Programs,
    endings: &Endings,
    silence: &Silence,
    before: Option<Place>,
    after: Option<Place>,
) -> Finding {
    let speakers = &silence.speakers;
    let end_us = (silence.after - 1) * MINUTE;
    let from = before.as_ref().map(|place| place.us);
    let to = after.as_ref().map(|place| place.us);
    let silence_s = (to.unwrap_or(end_us) - from.unwrap_or(end_us)) / 1_000_000;
    let mut magnitude = Map::new();
    magnitude.insert("silence_s".to_owned(), silence_s.into());
    magnitude.insert("usual_pause_s".to_owned(), (silence.habit * 60).into());
    let program = match silence.who {
        Who::Program(at) => Some(at),
        _ => None,
    };
    let node = &silence.node;
    let mut who = overview.shown(node);
    let others = match (program, speakers.as_slice()) {
        (None, [_]) => "another".to_owned(),
        (Some(_), [one]) => one.clone(),
        (_, more) => format!("{} others", more.len()),
    };
    if let Some(at) = program {
        who = format!("{} of {who}", programs.all[at].label);
    }
    let length = crate::text::duration(silence_s as f64);
    let title = if to.is_some() {
        format!("{who} wrote nothing for {length} while {others} did")
    } else {
        format!("{who} wrote nothing more for {length} while {others} went on")
    };
    let mut caveats = overview.time_caveats(std::slice::from_ref(node));
    let causes = before
        .as_ref()
        .map_or_else(Vec::new, |place| endings.causes(node, program, place));
    if causes.is_empty() && to.is_none() {
        caveats.push(match program {
            None => {
                "no stop or panic was logged: the node may have stopped, or its evidence ends there"
                    .to_owned()
            }
            Some(_) => {
                "no stop or panic was logged: it may have stopped, or what it wrote went elsewhere"
                    .to_owned()
            }
        });
    }
    let severity = match (to.is_some(), silence_s) {
        (true, ..1800) => "low",
        (true, _) => "medium",
        (false, ..3600) => "low",
        (false, _) if !causes.is_empty() => "high",
        (false, _) => "medium",
    };
    let witnesses = match program {
        None => Witnesses {
            sources: speakers.len() + 1,
            nodes: speakers.len() + 1,
            independent: overview.independent(speakers.iter().chain([node])),
        },
        Some(at) => Witnesses {
            sources: programs.all[at].sources.len(),
            nodes: 1,
            independent: 1,
        },
    };
    Finding {
        kind: if program.is_some() {
            "silent_program"
        } else {
            "silent_node"
        }
        .to_owned(),
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
        witnesses,
        causes,
        caveats,
        refs: before.iter().chain(&after).map(Place::reference).collect(),
        nodes: vec![node.clone()],
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
