//! Hypotheses on why clocks were wrong: each says what it explains and what it leaves open.

use super::{Cause, Clock, Server};
use chain::roughtime::one_wrong_server;
use model::time::parse_utc;
use std::collections::BTreeSet;

/// How many roughtime servers Prysm asked until 22 September 2020 (shared/roughtime).
const PRYSM_SERVERS: u32 = 6;
/// A server that is wrong by a whole day or hour is wrong by this much more or less.
const ROUND_S: f64 = 30.0;

#[expect(
    clippy::too_many_arguments,
    reason = "everything an episode knows; one caller"
)]
pub(super) fn causes(
    clock: Clock,
    offset_s: f64,
    clients: &BTreeSet<&str>,
    methods: &BTreeSet<String>,
    nodes: usize,
    servers: &[Server],
    (from_us, to_us): (i64, i64),
    refs: &[String],
) -> Vec<Cause> {
    let mut causes = Vec::new();
    let follows_roughtime =
        clock == Clock::Slot && clients.contains("prysm") && methods.contains("reported");
    if !follows_roughtime {
        return causes;
    }
    let offset = duration(offset_s);
    let on_nodes = match nodes {
        1 => "on one node".to_owned(),
        n => format!("on {n} nodes at once"),
    };
    let offset_us = (offset_s * 1e6).round() as i64;
    let ways = one_wrong_server(offset_us, PRYSM_SERVERS);
    // Replies in the evidence show which way it was.
    let overlaps = |server: &&Server| {
        let time = |text: &Option<String>| text.as_deref().and_then(parse_utc);
        match (time(&server.from), time(&server.to)) {
            (Some(from), Some(to)) => {
                let hour = 3_600_000_000;
                from <= to_us + hour && to >= from_us - hour
            }
            _ => false,
        }
    };
    for server in servers
        .iter()
        .filter(|server| server.verdict == "falseticker")
        .filter(overlaps)
    {
        let Some(deviation_s) = server.deviation_s else {
            continue;
        };
        let way = ways.iter().find(|way| {
            let predicted = deviation_s / f64::from(way.answering);
            (predicted - offset_s).abs() <= 0.001 * offset_s.abs() + 2.0
        });
        if let Some(way) = way {
            causes.push(Cause {
                text: format!(
                    "roughtime server {} answered {} wrong, and the client took the plain mean of {} servers",
                    server.server,
                    duration(deviation_s),
                    way.answering
                ),
                basis: "observed".to_owned(),
                confidence: "shown".to_owned(),
                explains: format!("{offset} {on_nodes}"),
                does_not_explain: "why that server was wrong".to_owned(),
                refs: server.refs.clone(),
            });
        }
    }
    if causes.is_empty() {
        for way in &ways {
            let deviation_s = way.deviation_us as f64 / 1e6;
            let day = (deviation_s.abs() - 86_400.0).abs() <= ROUND_S;
            let hour = (deviation_s / 3600.0).round() * 3600.0;
            if (deviation_s - hour).abs() > ROUND_S {
                continue;
            }
            causes.push(Cause {
                text: format!(
                    "{} roughtime servers answered, one of them {} wrong; Prysm took their plain mean",
                    way.answering,
                    duration(hour)
                ),
                basis: "inferred".to_owned(),
                confidence: if day { "likely" } else { "possible" }.to_owned(),
                explains: format!("{offset} {on_nodes}, and that it is a round fraction of a day"),
                does_not_explain: "which server, and why its time was wrong: no reply is in the evidence"
                    .to_owned(),
                refs: refs.to_vec(),
            });
        }
    }
    if causes.is_empty() {
        causes.push(Cause {
            text: "the mean of the roughtime servers was wrong".to_owned(),
            basis: "inferred".to_owned(),
            confidence: "possible".to_owned(),
            explains: format!("{offset} {on_nodes}"),
            does_not_explain: "which servers answered, and how wrong they were".to_owned(),
            refs: refs.to_vec(),
        });
    }
    if nodes == 1 && causes.iter().all(|cause| cause.confidence != "shown") {
        causes.push(Cause {
            text: format!(
                "roughtime was right and the machine's own clock was {} off",
                duration(-offset_s)
            ),
            basis: "inferred".to_owned(),
            confidence: "possible".to_owned(),
            explains: format!("{offset} on one node"),
            does_not_explain: "blocks that arrive on time by the node's stamps, if it logs any"
                .to_owned(),
            refs: refs.to_vec(),
        });
    }
    causes
}

/// `+4h`, `-1h30m`, `+24h`, `+12.5s`.
pub(super) fn duration(seconds: f64) -> String {
    let sign = if seconds < 0.0 { '-' } else { '+' };
    let rest = seconds.abs();
    if rest < 60.0 {
        return format!("{sign}{}s", (rest * 1000.0).round() / 1000.0);
    }
    let whole = rest.round() as i64;
    let mut text = sign.to_string();
    for (unit, length) in [('h', 3600), ('m', 60), ('s', 1)] {
        let count = match unit {
            'h' => whole / length,
            _ => whole / length % 60,
        };
        if count > 0 {
            text.push_str(&format!("{count}{unit}"));
        }
    }
    text
}
