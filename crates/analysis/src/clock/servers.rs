//! Which roughtime server lied: answers of one round against each other.

use super::{Reply, Server};
use chain::roughtime::agreement;
use model::time::format_utc_short;
use std::collections::{BTreeMap, BTreeSet};

/// Answers of one node within this long are one round (6 servers, 3 attempts of 1 s each).
const ROUND_US: i64 = 30_000_000;
/// The moment of logging is known to the second only.
const STAMP_US: i64 = 1_500_000;
const REFS_MAX: usize = 16;

/// What all rounds say about one server.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    server: String,
    replies: usize,
    /// Of rounds with a majority: when, by how much, whether false, and where.
    judged: Vec<(i64, i64, bool, String)>,
    first_us: Option<i64>,
    last_us: Option<i64>,
}

/// Judges every server by the rounds it answered in.
///
/// In a round of three or more servers, `midpoint - moment of logging` of each, give or take its radius, its delay
/// and the stamp's second, is an interval. Where more than half agree, whoever lies beside that
/// stretch told a false time. The node's own clock and zone drop out.
pub(super) fn judge(replies: &[Reply]) -> Vec<Verdict> {
    let mut sorted: Vec<&Reply> = replies.iter().collect();
    sorted.sort_by(|a, b| (&a.node, a.us, &a.reference).cmp(&(&b.node, b.us, &b.reference)));
    let mut verdicts: BTreeMap<&str, Verdict> = BTreeMap::new();
    let mut start = 0;
    while start < sorted.len() {
        let mut end = start + 1;
        let mut seen = BTreeSet::from([sorted[start].server.as_str()]);
        while end < sorted.len()
            && sorted[end].node == sorted[start].node
            && sorted[end].us - sorted[start].us <= ROUND_US
            && seen.insert(&sorted[end].server)
        {
            end += 1;
        }
        let round = &sorted[start..end];
        let intervals: Vec<(i64, i64)> = round
            .iter()
            .map(|reply| {
                let delta = reply.midpoint_us - reply.us;
                let reach = reply.radius_us.max(0) + reply.delay_us.max(0) + STAMP_US;
                (delta - reach, delta + reach)
            })
            .collect();
        let majority = agreement(&intervals)
            .filter(|agreement| round.len() >= 3 && agreement.agreeing * 2 > round.len());
        for (reply, (low, high)) in round.iter().zip(&intervals) {
            let verdict = verdicts.entry(&reply.server).or_default();
            verdict.server.clone_from(&reply.server);
            verdict.replies += 1;
            verdict.first_us = Some(verdict.first_us.map_or(reply.us, |us| us.min(reply.us)));
            verdict.last_us = Some(verdict.last_us.map_or(reply.us, |us| us.max(reply.us)));
            if let Some(majority) = majority {
                let middle = i64::midpoint(majority.low_us, majority.high_us);
                let deviation = (reply.midpoint_us - reply.us) - middle;
                let beside = *high < majority.low_us || *low > majority.high_us;
                verdict
                    .judged
                    .push((reply.us, deviation, beside, reply.reference.clone()));
            }
        }
        start = end;
    }
    verdicts.into_values().collect()
}

impl Verdict {
    pub(super) fn shown(&self) -> Server {
        let lies: Vec<&(i64, i64, bool, String)> =
            self.judged.iter().filter(|judged| judged.2).collect();
        let (verdict, counted) = match (self.judged.is_empty(), lies.is_empty()) {
            (true, _) => ("undetermined", Vec::new()),
            (false, true) => ("truechimer", self.judged.iter().collect()),
            (false, false) => ("falseticker", lies),
        };
        let mut deviations: Vec<i64> = counted.iter().map(|judged| judged.1).collect();
        deviations.sort_unstable();
        let (from, to) = if verdict == "falseticker" {
            (
                counted.iter().map(|judged| judged.0).min(),
                counted.iter().map(|judged| judged.0).max(),
            )
        } else {
            (self.first_us, self.last_us)
        };
        let mut refs: Vec<String> = counted.iter().map(|judged| judged.3.clone()).collect();
        refs.truncate(REFS_MAX);
        Server {
            server: self.server.clone(),
            replies: self.replies,
            deviation_s: deviations
                .get(deviations.len() / 2)
                .map(|deviation| *deviation as f64 / 1e6),
            from: from.map(format_utc_short),
            to: to.map(format_utc_short),
            verdict: verdict.to_owned(),
            refs,
        }
    }
}
