//! Clock skew: episodes that `analysis::clock` measured, said as findings.

use crate::finding::{Affected, Cause, Finding, NotRun, Witnesses};
use crate::overview::Overview;
use crate::text::{duration, signed};
use serde_json::Map;
use std::collections::BTreeSet;

/// What was measured of the clocks.
#[derive(Clone, Debug, Default)]
pub struct SkewInput {
    /// Episodes of all nodes.
    pub episodes: Vec<SkewEpisode>,
    /// Nodes whose clocks could be judged at all.
    pub judged_nodes: usize,
    /// What is missing, if nothing could be judged.
    pub missing: Option<String>,
}

/// A stretch in which clocks were wrong by about the same.
#[derive(Clone, Debug, Default)]
pub struct SkewEpisode {
    /// `slot_clock_skew`, `stamp_clock_skew`, `drift`, `step`.
    pub kind: String,
    /// Beginning, microseconds UTC.
    pub from_us: i64,
    /// End.
    pub to_us: i64,
    /// `ended`, `ongoing`, `unknown`.
    pub status: String,
    /// Node's clock minus true time, seconds.
    pub offset_s: f64,
    /// Nodes.
    pub nodes: Vec<String>,
    /// `observed` or `inferred`.
    pub basis: String,
    /// How it was measured.
    pub methods: Vec<String>,
    /// Hypotheses.
    pub causes: Vec<Cause>,
    /// Where to look.
    pub refs: Vec<String>,
}

/// A slot of the beacon chain: from here on a node's votes and blocks are wrong.
const SLOT_S: f64 = 12.0;

pub(crate) fn detect(overview: &Overview, input: &SkewInput) -> (Vec<Finding>, Option<NotRun>) {
    let not_run = input.missing.as_ref().map(|missing| NotRun {
        detector: "slot_clock_skew".to_owned(),
        missing: missing.clone(),
    });
    let findings = input
        .episodes
        .iter()
        .map(|episode| finding(overview, episode))
        .collect();
    (findings, not_run)
}

fn finding(overview: &Overview, episode: &SkewEpisode) -> Finding {
    let n = episode.nodes.len();
    let of = overview.nodes.len().max(n);
    let offset = episode.offset_s.abs();
    let third = 3 * n >= of;
    let severity = match episode.kind.as_str() {
        "slot_clock_skew" if offset >= SLOT_S && third => "critical",
        "slot_clock_skew" if offset >= SLOT_S => "high",
        "slot_clock_skew" => "medium",
        _ if offset >= SLOT_S => "medium",
        _ => "low",
    };
    let clock = if episode.kind == "slot_clock_skew" {
        "slot clock"
    } else {
        "system clock"
    };
    let direction = if episode.offset_s >= 0.0 {
        "ahead of"
    } else {
        "behind"
    };
    let title = match episode.kind.as_str() {
        "drift" => format!("{clock} drifts, up to {}", signed(episode.offset_s)),
        "step" => format!("{clock} steps by {}", signed(episode.offset_s)),
        _ => format!("{clock} {} {direction} true time", duration(offset)),
    };
    let sources: BTreeSet<&str> = episode
        .refs
        .iter()
        .filter_map(|reference| reference.split([':', '@']).next())
        .collect();
    let mut magnitude = Map::new();
    magnitude.insert("offset_s".to_owned(), episode.offset_s.into());
    magnitude.insert(
        "duration_s".to_owned(),
        ((episode.to_us - episode.from_us) / 1_000_000).into(),
    );
    let mut caveats = overview.time_caveats(&episode.nodes);
    if episode.methods == ["reported"] {
        caveats.push("the offset is what the nodes themselves reported".to_owned());
    }
    Finding {
        kind: episode.kind.clone(),
        severity: severity.to_owned(),
        title,
        status: episode.status.clone(),
        affected: Affected {
            n,
            of,
            unit: "nodes".to_owned(),
        },
        magnitude,
        basis: if episode.basis.is_empty() {
            "inferred".to_owned()
        } else {
            episode.basis.clone()
        },
        scope: "evidence".to_owned(),
        witnesses: Witnesses {
            sources: sources.len(),
            nodes: n,
            independent: overview.independent(&episode.nodes),
        },
        causes: episode.causes.clone(),
        caveats,
        refs: episode.refs.clone(),
        nodes: episode.nodes.clone(),
        ..Finding::default()
    }
    .identified(Some(episode.from_us), Some(episode.to_us))
}
