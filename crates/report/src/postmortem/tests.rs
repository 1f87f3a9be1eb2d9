//! A draft made of hand-made facts, as it was read and found good.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

fn at(time: &str) -> i64 {
    model::time::parse_utc(time).unwrap()
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn example() -> PostmortemInput {
    PostmortemInput {
        title: "Medalla: clocks four hours ahead".into(),
        tool: "coroner 0.1.0".into(),
        case: "medalla.case".into(),
        seal: Some("7f".repeat(32)),
        window: Some((at("2020-08-14T16:00:00Z"), at("2020-08-14T20:00:00Z"))),
        local_zone: Some("Asia/Shanghai".parse().unwrap()),
        networks: texts(&["medalla"]),
        nodes: vec![
            PostmortemNode {
                name: "prysm-1".into(),
                clients: texts(&["prysm v1.0.0-alpha.20"]),
            },
            PostmortemNode {
                name: "prysm-2".into(),
                clients: vec![],
            },
        ],
        sources: vec![
            PostmortemSource {
                id: "S1".into(),
                digest: "0a1b2c3d4e5f".into(),
                path: "logs/prysm-1.log".into(),
                sha256: "0a1b2c3d4e5f".repeat(5) + "0a1b",
                bytes: 1_234_567,
                format: "prysm".into(),
                node: Some("prysm-1".into()),
                records: 8_001,
                rejected: vec![("no format recognises this line".into(), 3)],
                undated: 1,
                span: Some((at("2020-08-14T16:00:03Z"), at("2020-08-14T19:59:58Z"))),
                zone: Some("+00:00".into()),
                zone_basis: Some("slot".into()),
                zone_alternatives: vec![],
                status: "complete".into(),
                problems: vec![],
            },
            PostmortemSource {
                id: "S2".into(),
                digest: "112233445566".into(),
                path: "logs/a|b`<script>.log".into(),
                sha256: "112233445566".repeat(5) + "1122",
                bytes: 99,
                format: "prysm".into(),
                node: Some("prysm-2".into()),
                records: 2,
                rejected: vec![],
                undated: 0,
                span: None,
                zone: Some("-04:00".into()),
                zone_basis: Some("assumed".into()),
                zone_alternatives: texts(&["+00:00"]),
                status: "truncated".into(),
                problems: texts(&["unexpected end of the gzip stream at byte 99"]),
            },
        ],
        timeline: vec![
            PostmortemEvent {
                us: Some(at("2020-08-14T17:31:02Z")),
                ts_basis: "slot".into(),
                node: "prysm-1".into(),
                level: Some("warn".into()),
                text: "Roughtime reports your clock is off by more than 2 seconds offset=4h0m0.028854657s"
                    .into(),
                times: 12,
                refs: texts(&["0a1b2c3d4e5f:4402", "0a1b2c3d4e5f:4510"]),
            },
            PostmortemEvent {
                us: Some(at("2020-08-14T18:44:10Z")),
                ts_basis: "assumed".into(),
                node: "prysm-2".into(),
                level: Some("info".into()),
                text: "a | b <img src=x onerror=alert(1)> `code` \u{1b}[31m\nnext".into(),
                times: 1,
                refs: texts(&["112233445566:2"]),
            },
        ],
        timeline_left_out: 7_990,
        timeline_rule: "chosen are warnings and worse, starts and stops".into(),
        findings: vec![
            PostmortemFinding {
                id: "f-0123456789".into(),
                severity: "critical".into(),
                title: "slot clock 4h 00m ahead of true time".into(),
                from_us: Some(at("2020-08-14T17:31:02Z")),
                to_us: Some(at("2020-08-14T18:44:10Z")),
                status: "ended".into(),
                affected: (2, 2, "nodes".into()),
                nodes: texts(&["prysm-1", "prysm-2"]),
                magnitude: vec![("offset_s".into(), "14400.03".into())],
                basis: "observed".into(),
                scope: "evidence".into(),
                witnesses: (2, 2, 2),
                causes: vec![PostmortemCause {
                    text: "one of six roughtime servers answered 24 h ahead, and the mean was taken".into(),
                    basis: "inferred".into(),
                    confidence: "likely".into(),
                    explains: Some("+4 h on every node at once".into()),
                    does_not_explain: Some("which server it was".into()),
                    refs: vec![],
                }],
                caveats: texts(&["the zone or year of prysm-2 is assumed"]),
                refs: texts(&["0a1b2c3d4e5f:4402", "0a1b2c3d4e5f:7801", "112233445566:2"]),
            },
            PostmortemFinding {
                id: "f-aaaaaaaaaa".into(),
                severity: "low".into(),
                title: "logs/a|b`<script>.log ends too early".into(),
                status: "unknown".into(),
                affected: (1, 2, "sources".into()),
                basis: "observed".into(),
                scope: "evidence".into(),
                witnesses: (1, 1, 1),
                refs: texts(&["112233445566@99+0"]),
                ..PostmortemFinding::default()
            },
        ],
        clocks: vec![PostmortemClock {
            node: "prysm-1".into(),
            clock: "slot clock".into(),
            from_us: at("2020-08-14T17:31:02Z"),
            to_us: at("2020-08-14T18:44:10Z"),
            offset_s: 14_400.03,
            uncertainty_s: Some(0.5),
            samples: 12,
            methods: texts(&["reported"]),
            refs: texts(&["0a1b2c3d4e5f:4402", "0a1b2c3d4e5f:7801"]),
        }],
        traces: vec![PostmortemTrace {
            key: "0x0bbbcf153f17ec0e1f12d698bbc64f9d242bc1cd1312dd5f34febf0e6cb6601a".into(),
            why: None,
            fate: "execute_confirmed".into(),
            snapshot: Some("z2023".into()),
            as_of: Some("2023-09-18T06:00:00Z (newest row)".into()),
            places: texts(&["miniblock 15841, batch 7670"]),
            steps: vec![PostmortemStep {
                name: "commit".into(),
                state: "confirmed".into(),
                l1_tx_hash: Some("0x0b01e199877faef52b95477119f53bf546a2915bc903132331f41542e58da53d".into()),
                noticed: Some("2023-09-18T03:50:19.059576".into()),
                mined: Some("not before 03:44:23, not after 03:50:19".into()),
                attempts: 1,
                refs: texts(&["abcdefabcdef:public.eth_txs#41073"]),
            }],
            waiting: None,
            warnings: texts(&["claimable on L1; whether it was claimed is not in this evidence"]),
            refs: texts(&["abcdefabcdef:public.l2_to_l1_logs#15841,0"]),
        }],
        cannot_say: vec![PostmortemUnknown {
            what: "whether the network finalized".into(),
            why: "the evidence is logs of 2 nodes, and no chain data".into(),
            fetch: "an epoch table of the window".into(),
        }],
        not_run: vec![("silent_node".into(), "Dated records of at least two nodes".into())],
    }
}

#[track_caller]
fn golden(name: &str, actual: &str) {
    let path = format!("{}/testdata/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(actual, expected, "UPDATE_GOLDEN=1 rewrites {path}");
}

#[test]
fn the_draft_reads_as_it_was_read() {
    golden("postmortem.md", &postmortem(&example()));
}

#[test]
fn an_empty_case_gives_an_honest_draft() {
    let draft = postmortem(&PostmortemInput::default());
    assert!(draft.contains("That is no proof that"));
    assert!(draft.contains("The evidence suggests no cause"));
}

#[test]
fn evidence_cannot_write_the_draft() {
    let draft = postmortem(&example());
    assert!(!draft.contains("<script>") && !draft.contains("<img"));
    assert!(!draft.contains('\u{1b}'));
    // No row of a table is torn open: all rows of a table have as many bars as its head.
    let mut bars = 0;
    for line in draft.lines() {
        let count = line.replace("\\|", "").matches('|').count();
        if line.starts_with('|') {
            assert!(bars == 0 || bars == count, "{line}");
            bars = count;
        } else {
            bars = 0;
        }
    }
}

#[test]
fn every_statement_names_its_evidence() {
    // Lists of statements: everything under a heading but the heads' own words.
    let draft = postmortem(&example());
    let mut section = "";
    for line in draft.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            section = title;
        }
        let statement = line.starts_with("* ")
            && !matches!(section, "" | "For the authors" | "What was found")
            && !line.contains("](#");
        if statement {
            assert!(
                line.contains("[`") || line.contains("[looked at"),
                "{section}: {line}"
            );
        }
    }
}
