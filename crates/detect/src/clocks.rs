//! Clock episodes from the samples that logs hold: neighbouring samples of one node with about the
//! same offset, joined across nodes that were wrong by the same at the same time.

use crate::activity::Activity;
use crate::skew::{SkewEpisode, SkewInput};
use case::{Case, CaseError, TableId};
use model::RowFilter;
use std::collections::{BTreeMap, BTreeSet};

/// Prysm warns beyond this; less is an ordinary clock.
const LEAST_OFFSET_S: f64 = 2.0;
/// Samples further apart belong to two episodes.
const PAUSE_US: i64 = 30 * 60_000_000;
/// A node that complains of its clock no more for this long is right again.
const QUIET_US: i64 = 10 * 60_000_000;
/// Offsets that differ by more are two episodes.
const SAME_OFFSET_S: f64 = 90.0;

#[derive(Clone, Debug)]
struct Sample {
    us: i64,
    offset_s: f64,
    method: String,
    source: String,
    line: i64,
}

/// Per (node, clock): its samples.
type Samples = BTreeMap<(String, String), Vec<Sample>>;

pub(crate) fn measure(
    case: &Case,
    nodes: &BTreeMap<String, Activity>,
) -> Result<SkewInput, CaseError> {
    let mut samples: Samples = BTreeMap::new();
    let columns = [
        "ts_order_us",
        "offset_s",
        "clock",
        "method",
        "node",
        "source",
        "line",
    ];
    case.read(
        &TableId::Obs("clock_samples".to_owned()),
        Some(&columns),
        &RowFilter::All,
        &mut |batch| {
            for row in 0..batch.rows() {
                let text = |name: &str| {
                    let column = batch.column(name);
                    column
                        .and_then(|column| column.text(row))
                        .unwrap_or_default()
                        .to_owned()
                };
                let us = batch.column(columns[0]).and_then(|column| column.i64(row));
                let offset = batch.column(columns[1]).and_then(|column| column.f64(row));
                if let (Some(us), Some(offset_s)) = (us, offset) {
                    let sample = Sample {
                        us,
                        offset_s,
                        method: text("method"),
                        source: text("source"),
                        line: batch
                            .column("line")
                            .and_then(|column| column.i64(row))
                            .unwrap_or(0),
                    };
                    let key = (text("node"), text("clock"));
                    samples.entry(key).or_default().push(sample);
                }
            }
            Ok(())
        },
    )?;
    let last_words = nodes
        .iter()
        .filter_map(|(name, node)| Some((name.clone(), node.last.as_ref()?.us)))
        .collect();
    Ok(episodes(samples, &last_words))
}

/// `last_words`: each node's own last record, by which it is judged whether an episode ended.
fn episodes(samples: Samples, last_words: &BTreeMap<String, i64>) -> SkewInput {
    let judged: BTreeSet<&String> = samples.keys().map(|(node, _)| node).collect();
    let judged_nodes = judged.len();
    if judged_nodes == 0 {
        return SkewInput {
            missing: Some("a line that compares a node's clock with another".to_owned()),
            ..SkewInput::default()
        };
    }
    let mut single: Vec<SkewEpisode> = Vec::new();
    for ((node, clock), mut samples) in samples {
        samples.sort_by(|a, b| (a.us, &a.source, a.line).cmp(&(b.us, &b.source, b.line)));
        let last_sample = samples.last().map_or(0, |sample| sample.us);
        let last_word = last_words.get(&node).copied().unwrap_or(last_sample);
        let mut open: Vec<&Sample> = Vec::new();
        let mut close = |open: &mut Vec<&Sample>| {
            single.extend(episode(&node, &clock, open, last_sample, last_word));
            open.clear();
        };
        for sample in &samples {
            if sample.offset_s.abs() < LEAST_OFFSET_S {
                continue;
            }
            let belongs = open.last().is_none_or(|last| {
                sample.us - last.us <= PAUSE_US
                    && (sample.offset_s - last.offset_s).abs() <= SAME_OFFSET_S
            });
            if !belongs {
                close(&mut open);
            }
            open.push(sample);
        }
        close(&mut open);
    }
    single.sort_by_key(|episode| (episode.from_us, episode.nodes.clone()));
    let mut joined: Vec<SkewEpisode> = Vec::new();
    for episode in single {
        let same = joined.iter_mut().find(|known| {
            known.kind == episode.kind
                && (known.offset_s - episode.offset_s).abs() <= SAME_OFFSET_S
                && episode.from_us <= known.to_us + PAUSE_US
        });
        match same {
            Some(known) => join(known, episode),
            None => joined.push(episode),
        }
    }
    SkewInput {
        episodes: joined,
        judged_nodes,
        missing: None,
    }
}

fn episode(
    node: &str,
    clock: &str,
    samples: &[&Sample],
    last_sample: i64,
    last_word: i64,
) -> Option<SkewEpisode> {
    let (first, last) = (samples.first()?, samples.last()?);
    let mut offsets: Vec<f64> = samples.iter().map(|sample| sample.offset_s).collect();
    offsets.sort_by(f64::total_cmp);
    let sources: BTreeSet<&str> = samples
        .iter()
        .map(|sample| sample.source.as_str())
        .collect();
    let methods: BTreeSet<&str> = samples
        .iter()
        .map(|sample| sample.method.as_str())
        .collect();
    let kind = if clock == "stamp" {
        "stamp_clock_skew"
    } else {
        "slot_clock_skew"
    };
    // Ended: a later sample is right, or the node spoke on for long without complaining again.
    let usual_us = samples
        .windows(2)
        .map(|pair| pair[1].us - pair[0].us)
        .max()
        .unwrap_or(0);
    let status = if last_sample > last.us || last_word - last.us > (3 * usual_us).max(QUIET_US) {
        "ended"
    } else {
        "ongoing"
    };
    let mut refs = vec![format!("{}:{}", first.source, first.line)];
    if samples.len() > 1 {
        refs.push(format!("{}:{}", last.source, last.line));
    }
    Some(SkewEpisode {
        kind: kind.to_owned(),
        from_us: first.us,
        to_us: last.us,
        status: status.to_owned(),
        offset_s: offsets[offsets.len() / 2],
        nodes: vec![node.to_owned()],
        sources: sources.len(),
        methods: methods.into_iter().map(str::to_owned).collect(),
        causes: Vec::new(),
        refs,
    })
}

fn join(known: &mut SkewEpisode, other: SkewEpisode) {
    known.to_us = known.to_us.max(other.to_us);
    known.sources += other.sources;
    for node in other.nodes {
        if !known.nodes.contains(&node) {
            known.nodes.push(node);
        }
    }
    known.nodes.sort();
    known.refs.extend(other.refs);
    known.methods.extend(other.methods);
    known.methods.sort();
    known.methods.dedup();
    // It has ended when it has for everybody.
    if known.status != other.status {
        known.status = "ongoing".to_owned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(minute: i64, offset_s: f64) -> Sample {
        Sample {
            us: minute * 60_000_000,
            offset_s,
            method: "reported".into(),
            source: "0123456789ab".into(),
            line: minute,
        }
    }

    #[test]
    fn nodes_wrong_by_the_same_at_the_same_time_are_one_episode() {
        let key = |node: &str| (node.to_owned(), "slot".to_owned());
        let samples = BTreeMap::from([
            (
                key("a"),
                vec![sample(0, 14_400.0), sample(20, 14_400.1), sample(60, 0.1)],
            ),
            (key("b"), vec![sample(5, 14_399.0), sample(25, 14_402.0)]),
            (key("c"), vec![sample(5, 0.3)]),
            (key("d"), vec![sample(5, -7_200.0)]),
        ]);
        let last_words = BTreeMap::from([("b".to_owned(), 120 * 60_000_000)]);
        let input = episodes(samples, &last_words);
        assert_eq!(input.judged_nodes, 4);
        let seen: Vec<_> = input
            .episodes
            .iter()
            .map(|e| (e.nodes.join(","), e.status.as_str(), e.from_us / 60_000_000))
            .collect();
        assert_eq!(
            seen,
            [
                ("a,b".to_owned(), "ended", 0),
                ("d".to_owned(), "ongoing", 5)
            ]
        );
        assert!(
            episodes(BTreeMap::new(), &BTreeMap::new())
                .missing
                .is_some()
        );
    }
}
