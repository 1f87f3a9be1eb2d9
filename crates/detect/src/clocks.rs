//! What `analysis::clock` measured, in the words of findings.

use crate::finding::Cause;
use crate::skew::{SkewEpisode, SkewInput};
use analysis::clock::{ClockReport, Episode, clock};
use case::{Case, CaseError, TableId};
use model::time::parse_utc;

pub(crate) fn measure(case: &Case) -> Result<SkewInput, CaseError> {
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
    if input.judged_nodes == 0 && !compared.iter().any(|kind| has(kind)) {
        input.missing = Some("lines that compare a node's clock with another".to_owned());
    }
    Ok(input)
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
