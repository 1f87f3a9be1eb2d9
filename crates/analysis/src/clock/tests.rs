//! Hand-made cases.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use model::time::parse_utc;

fn utc(text: &str) -> i64 {
    parse_utc(text).unwrap()
}

fn node(name: &str, client: &str, last: &str) -> NodeFacts {
    NodeFacts {
        node: name.to_owned(),
        client: Some(client.to_owned()),
        programs: BTreeMap::from([(
            "beacon".to_owned(),
            Program {
                role: Some("beacon".to_owned()),
                last_us: Some(utc(last)),
            },
        )]),
        ..NodeFacts::default()
    }
}

fn reported(name: &str, at: &str, offset_s: f64) -> Sample {
    Sample {
        us: utc(at),
        node: name.to_owned(),
        program: "beacon".to_owned(),
        offset_s,
        uncertainty_s: 0.5,
        method: "reported".to_owned(),
        reference: format!("{name}@{at}"),
        ..Sample::default()
    }
}

fn medalla() -> ClockInput {
    let mut input = ClockInput {
        nodes: vec![
            node("prysm-2", "prysm", "2020-08-14T20:00:00Z"),
            node("prysm-1", "prysm", "2020-08-14T18:45:00Z"),
            node("lighthouse-1", "lighthouse", "2020-08-14T20:00:00Z"),
        ],
        ..ClockInput::default()
    };
    for minute in 30..105 {
        let at = format!("2020-08-14T{}:{:02}:02Z", 17 + minute / 60, minute % 60);
        input.samples.push(reported("prysm-1", &at, 14_400.028_854));
        if minute > 40 {
            input.samples.push(reported("prysm-2", &at, 14_400.346));
        }
    }
    input
}

#[test]
fn medalla_is_one_episode_of_two_nodes() {
    let mut input = medalla();
    let report = estimate(&input);
    assert_eq!(report.episodes.len(), 1);
    let episode = &report.episodes[0];
    assert_eq!(episode.kind, "slot_clock_skew");
    assert_eq!(episode.nodes, ["prysm-1", "prysm-2"]);
    assert_eq!(
        (episode.from.as_str(), episode.to.as_str()),
        ("2020-08-14T17:30:02Z", "2020-08-14T18:44:02Z")
    );
    // prysm-2 went on without warning, prysm-1's log ends inside: it is not known to have ended.
    assert_eq!(episode.status, "ongoing");
    assert!((episode.offset_s - 14_400.187_427).abs() < 1e-6);
    let texts: Vec<&str> = episode
        .causes
        .iter()
        .map(|cause| cause.text.as_str())
        .collect();
    assert_eq!(
        texts,
        [
            "6 roughtime servers answered, one of them +24h wrong; Prysm took their plain mean",
            "5 roughtime servers answered, one of them +20h wrong; Prysm took their plain mean",
            "4 roughtime servers answered, one of them +16h wrong; Prysm took their plain mean",
        ]
    );
    let confidence: Vec<&str> = episode
        .causes
        .iter()
        .map(|cause| cause.confidence.as_str())
        .collect();
    assert_eq!(confidence, ["likely", "possible", "possible"]);
    assert_eq!(report.nodes[1].slot_clock[0].samples, 75);
    assert_eq!(report.nodes[1].slot_clock[0].uncertainty_s, 0.5);
    assert_eq!(report.undetermined.len(), 1);
    assert_eq!(report.undetermined[0].node, "lighthouse-1");
    assert_eq!(
        report.undetermined[0].why,
        "no second clock in the evidence"
    );

    input.nodes[1] = node("prysm-1", "prysm", "2020-08-14T20:00:00Z");
    assert_eq!(estimate(&input).episodes[0].status, "ended");
    // The order of the evidence does not matter.
    input.samples.reverse();
    input.nodes.rotate_left(1);
    let turned = estimate(&input);
    input.samples.rotate_left(17);
    assert_eq!(estimate(&input), turned);
}

#[test]
fn lines_are_no_witnesses() {
    let mut input = medalla();
    // One node says it a thousand times, wrongly by a little: the median is over nodes.
    for second in 0..1000 {
        input.samples.push(Sample {
            us: utc("2020-08-14T17:30:10Z") + second * 1_000_000,
            ..reported("prysm-1", "2020-08-14T17:30:10Z", 14_400.02)
        });
    }
    let report = estimate(&input);
    assert!(
        (report.episodes[0].offset_s - 14_400.183).abs() < 1e-6,
        "{}",
        report.episodes[0].offset_s
    );
    assert_eq!(report.episodes[0].nodes.len(), 2);
}

#[test]
fn a_later_right_sample_ends_and_hourly_warnings_do_not() {
    let input = ClockInput {
        nodes: vec![
            node("a", "prysm", "2020-08-14T22:00:00Z"),
            node("b", "prysm", "2020-08-14T22:00:00Z"),
            node("c", "prysm", "2020-08-14T17:50:00Z"),
        ],
        samples: vec![
            reported("a", "2020-08-14T17:30:00Z", 14_400.0),
            reported("a", "2020-08-14T18:30:00Z", 0.02),
            reported("b", "2020-08-14T17:30:00Z", 7_200.0),
            reported("c", "2020-08-14T17:49:00Z", -9_000.0),
        ],
        ..ClockInput::default()
    };
    let report = estimate(&input);
    let seen: Vec<(&str, f64)> = report
        .episodes
        .iter()
        .map(|episode| (episode.status.as_str(), episode.offset_s))
        .collect();
    assert_eq!(
        seen,
        [
            ("ended", 14_400.0),
            ("unknown", 7_200.0),
            ("ongoing", -9_000.0)
        ]
    );
    assert_eq!(report.nodes[0].slot_clock.len(), 2);
    // A node alone may have had a wrong clock itself.
    assert!(
        report.episodes[0]
            .causes
            .iter()
            .any(|cause| cause.text.contains("machine's own clock"))
    );
}

#[test]
fn a_zone_that_explains_it_as_well_is_no_skew() {
    let mut input = ClockInput {
        nodes: vec![node("a", "prysm", "2020-08-14T22:00:00Z")],
        ..ClockInput::default()
    };
    for minute in 0..20 {
        input.samples.push(Sample {
            us: utc("2020-08-14T17:30:00Z") + minute * 60_000_000,
            node: "a".to_owned(),
            offset_s: 14_397.0,
            uncertainty_s: 7.0,
            method: "wall_slot".to_owned(),
            zone_assumed: true,
            ..Sample::default()
        });
    }
    let report = estimate(&input);
    assert!(report.episodes.is_empty());
    assert_eq!(report.undetermined.len(), 1);
    assert!(
        report.undetermined[0]
            .why
            .contains("a zone that is -04:00 of the assumed one"),
        "{:?}",
        report.undetermined
    );
    // With a solved zone it is a skew; and it is no zone if it is no quarter hour.
    for sample in &mut input.samples {
        sample.zone_assumed = false;
    }
    let report = estimate(&input);
    assert_eq!(report.episodes[0].offset_s, 14_397.0);
    // Nothing was reported: no roughtime to blame.
    assert!(report.episodes[0].causes.is_empty());
}

fn replies(round: &str, deltas_us: &[(&str, i64)]) -> Vec<Reply> {
    deltas_us
        .iter()
        .enumerate()
        .map(|(index, (server, delta))| Reply {
            us: utc(round) + index as i64 * 200_000,
            node: "prysm-1".to_owned(),
            server: (*server).to_owned(),
            // The node's own clock is 40 minutes wrong: that drops out.
            midpoint_us: utc(round) + index as i64 * 200_000 + delta + 2_400_000_000,
            radius_us: 1_000_000,
            delay_us: 180_000,
            reference: format!("{round}/{server}"),
        })
        .collect()
}

#[test]
fn replies_show_who_lied() {
    let day = 86_400_000_000;
    let mut input = medalla();
    input.replies = replies(
        "2020-08-14T17:30:01Z",
        &[
            ("Caesium", 900),
            ("Chainpoint", -40_000),
            ("Cloudflare", 0),
            ("Google", 7),
            ("int08h", 20_000),
            ("ticktock", day),
        ],
    );
    let report = estimate(&input);
    let verdicts: Vec<(&str, &str)> = report
        .servers
        .iter()
        .map(|server| (server.server.as_str(), server.verdict.as_str()))
        .collect();
    assert_eq!(
        verdicts,
        [
            ("Caesium", "truechimer"),
            ("Chainpoint", "truechimer"),
            ("Cloudflare", "truechimer"),
            ("Google", "truechimer"),
            ("int08h", "truechimer"),
            ("ticktock", "falseticker"),
        ]
    );
    let deviation = report.servers[5].deviation_s.unwrap();
    assert!((deviation - 86_400.0).abs() < 1.0, "{deviation}");
    let causes = &report.episodes[0].causes;
    assert_eq!(
        causes.len(),
        1,
        "the replies decide between the readings: {causes:?}"
    );
    assert_eq!(causes[0].confidence, "shown");
    assert!(
        causes[0]
            .text
            .starts_with("roughtime server ticktock answered +24h wrong"),
        "{}",
        causes[0].text
    );
}

#[test]
fn fewer_than_three_servers_or_no_majority_decide_nothing() {
    let day = 86_400_000_000;
    for deltas in [
        &[("a", 0), ("b", day)][..],
        &[("a", 0), ("b", day), ("c", 2 * day)][..],
        &[("a", 0), ("b", 0), ("c", day), ("d", day)][..],
    ] {
        let input = ClockInput {
            replies: replies("2020-08-14T17:30:01Z", deltas),
            ..ClockInput::default()
        };
        let report = estimate(&input);
        assert!(
            report
                .servers
                .iter()
                .all(|server| server.verdict == "undetermined"),
            "{deltas:?}"
        );
        assert!(
            report
                .servers
                .iter()
                .all(|server| server.deviation_s.is_none())
        );
    }
}

#[test]
fn the_report_has_the_contracts_keys() {
    let report = serde_json::to_value(estimate(&medalla())).unwrap();
    let keys = |value: &serde_json::Value| -> Vec<String> {
        value.as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(
        keys(&report),
        ["nodes", "servers", "episodes", "undetermined"]
    );
    assert_eq!(
        keys(&report["nodes"][1]),
        [
            "node",
            "client",
            "zone",
            "stamp_clock",
            "slot_clock",
            "refs"
        ]
    );
    assert_eq!(
        keys(&report["nodes"][1]["zone"]),
        ["value", "basis", "residual_s", "alternatives"]
    );
    assert_eq!(
        keys(&report["nodes"][1]["slot_clock"][0]),
        [
            "role",
            "from",
            "to",
            "offset_s",
            "uncertainty_s",
            "samples",
            "methods"
        ]
    );
    for key in [
        "kind", "from", "to", "status", "offset_s", "nodes", "causes", "refs",
    ] {
        assert!(report["episodes"][0].get(key).is_some(), "{key}");
    }
    assert_eq!(
        keys(&report["episodes"][0]["causes"][0]),
        [
            "text",
            "basis",
            "confidence",
            "explains",
            "does_not_explain",
            "refs"
        ]
    );
}

#[test]
fn beacon_and_validator_keep_their_own_slot_clocks() {
    // prysm-8 of the sample: the beacon node is right, the validator is not.
    let mut input = ClockInput {
        nodes: vec![node("a", "prysm", "2020-08-14T20:00:00Z")],
        ..ClockInput::default()
    };
    let validator = Program {
        role: Some("validator".to_owned()),
        last_us: Some(utc("2020-08-14T20:00:00Z")),
    };
    input.nodes[0]
        .programs
        .insert("validator".to_owned(), validator);
    for minute in 30..59 {
        let at = format!("2020-08-14T17:{minute}:09Z");
        input.samples.push(Sample {
            program: "validator".to_owned(),
            ..reported("a", &at, 14_400.2)
        });
        input.samples.push(Sample {
            method: "future_slot".to_owned(),
            uncertainty_s: 1.0,
            ..reported("a", &at, 0.4)
        });
    }
    let report = estimate(&input);
    let clocks: Vec<(Option<&str>, f64)> = report.nodes[0]
        .slot_clock
        .iter()
        .map(|interval| (interval.role.as_deref(), interval.offset_s))
        .collect();
    assert_eq!(
        clocks,
        [(Some("beacon"), 0.4), (Some("validator"), 14_400.2)]
    );
    assert_eq!(report.episodes.len(), 1);
    assert_eq!(report.episodes[0].nodes, ["a"]);
    // What the beacon node shows says nothing about the validator, but its own silence does.
    assert_eq!(report.episodes[0].status, "ended");
}
