//! What `analysis::clock` measured, in the words of findings.

use crate::activity::{Activity, MINUTE};
use crate::finding::Cause;
use crate::skew::{SkewEpisode, SkewInput};
use analysis::clock::{ClockReport, Episode, clock};
use case::{Case, CaseError, TableId};
use model::time::parse_utc;
use std::collections::BTreeMap;

pub(crate) fn measure(
    case: &Case,
    nodes: &BTreeMap<String, Activity>,
) -> Result<SkewInput, CaseError> {
    let tables = case.tables();
    let has = |kind: &str| tables.contains(&TableId::Obs(kind.to_owned()));
    let report = clock(case, None)?;
    // Silence of the clocks is only worth something if some line could have broken it.
    let compared = [
        "clock_samples",
        "roughtime_replies",
        "rejections",
        "sync",
        "duties",
    ];
    let mut input = convert(&report);
    for episode in &mut input.episodes {
        if episode.status == "unknown" && fell_quiet(&report, episode, nodes) {
            episode.status = "ended".to_owned();
        }
    }
    if input.judged_nodes == 0 && !compared.iter().any(|kind| has(kind)) {
        input.missing = Some("lines that compare a node's clock with another".to_owned());
    }
    Ok(input)
}

/// Whether every node of an episode complained of its clock again and again, and then spoke on for at
/// least five times as long as between two complaints (and five minutes) without another.
fn fell_quiet(
    report: &ClockReport,
    episode: &SkewEpisode,
    nodes: &BTreeMap<String, Activity>,
) -> bool {
    let complains = episode.methods.iter().any(|method| method == "reported");
    complains
        && episode.nodes.iter().all(|name| {
            let clock = report.nodes.iter().find(|node| node.node == *name);
            let last = clock
                .iter()
                .flat_map(|clock| &clock.slot_clock)
                .filter(|interval| (interval.offset_s - episode.offset_s).abs() < 120.0)
                .filter_map(|interval| {
                    let (from, to) = (parse_utc(&interval.from)?, parse_utc(&interval.to)?);
                    Some((to, (to - from) / interval.samples.max(1) as i64))
                })
                .max();
            let (Some((to, between)), Some(node)) = (last, nodes.get(name)) else {
                return false;
            };
            let quiet = (5 * between / MINUTE).max(5) as usize;
            node.clients
                .minutes
                .between(to.div_euclid(MINUTE), i64::MAX)
                >= quiet
        })
}

impl From<&ClockReport> for SkewInput {
    fn from(report: &ClockReport) -> SkewInput {
        convert(report)
    }
}

fn convert(report: &ClockReport) -> SkewInput {
    SkewInput {
        episodes: report.episodes.iter().filter_map(episode).collect(),
        judged_nodes: report
            .nodes
            .iter()
            .filter(|node| !node.slot_clock.is_empty() || !node.stamp_clock.is_empty())
            .count(),
        missing: None,
    }
}

fn episode(episode: &Episode) -> Option<SkewEpisode> {
    Some(SkewEpisode {
        kind: episode.kind.clone(),
        from_us: parse_utc(&episode.from)?,
        to_us: parse_utc(&episode.to)?,
        status: episode.status.clone(),
        offset_s: episode.offset_s,
        nodes: episode.nodes.clone(),
        basis: episode.basis.clone(),
        methods: episode.methods.clone(),
        causes: episode
            .causes
            .iter()
            .map(|cause| Cause {
                text: cause.text.clone(),
                basis: cause.basis.clone(),
                confidence: cause.confidence.clone(),
                explains: Some(cause.explains.clone()).filter(|text| !text.is_empty()),
                does_not_explain: Some(cause.does_not_explain.clone())
                    .filter(|text| !text.is_empty()),
                refs: cause.refs.clone(),
            })
            .collect(),
        refs: episode.refs.clone(),
    })
}
