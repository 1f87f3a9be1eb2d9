//! The detectors over the samples, whose truth the simulator knows.
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(clippy::print_stderr, reason = "shown for reading on request")]

use case::{Case, CaseWriter};
use detect::{Finding, Triage, TriageOptions, triage};
use ingest::{IngestOptions, Quiet};
use std::path::{Path, PathBuf};

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../samples")
        .join(name)
}

/// Reads evidence into a case that lives as long as the folder.
fn read(paths: &[PathBuf]) -> (tempfile::TempDir, Triage) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("some.case");
    let mut writer = CaseWriter::open_or_create(&path).unwrap();
    ingest::ingest(&mut writer, paths, &IngestOptions::default(), &mut Quiet).unwrap();
    drop(writer);
    let options = TriageOptions {
        case_name: "some.case".to_owned(),
        ..TriageOptions::default()
    };
    let answer = triage(&Case::open(&path).unwrap(), &options).unwrap();
    if std::env::var_os("CORONER_SHOW").is_some() {
        eprintln!("{}", answer.to_text());
        eprintln!("{}", serde_json::to_string_pretty(&answer).unwrap());
    }
    (folder, answer)
}

fn of_kind<'a>(answer: &'a Triage, kind: &str) -> Vec<&'a Finding> {
    answer
        .findings
        .iter()
        .filter(|finding| finding.kind == kind)
        .collect()
}

#[test]
fn medalla_clocks_four_hours_ahead_and_one_node_silent() {
    let (_folder, answer) = read(&[sample("medalla-2020/input")]);
    assert_eq!(answer.evidence.nodes, 10);
    let worst = &answer.findings[0];
    assert_eq!(
        (worst.kind.as_str(), worst.severity.as_str()),
        ("slot_clock_skew", "critical")
    );
    let offset = worst.magnitude["offset_s"].as_f64().unwrap();
    assert!((offset - 14_400.0).abs() < 1.0, "{offset}");
    assert_eq!((worst.affected.n, worst.affected.of), (10, 10));
    assert_eq!(worst.status, "ended");
    assert!(worst.from.as_deref().unwrap().starts_with("2020-08-14T17:"));
    assert!(worst.to.as_deref().unwrap().starts_with("2020-08-14T18:4"));
    assert!(!worst.causes.is_empty() && !worst.refs.is_empty());
    let silent = of_kind(&answer, "silent_node");
    assert_eq!(silent.len(), 1, "{silent:#?}");
    assert_eq!(silent[0].nodes, ["prysm-9"]);
    assert_eq!(silent[0].status, "ended");
    assert!(
        silent[0]
            .from
            .as_deref()
            .unwrap()
            .starts_with("2020-08-14T18:01:58")
    );
    assert!(
        silent[0]
            .to
            .as_deref()
            .unwrap()
            .starts_with("2020-08-14T18:51")
    );
    assert!(
        answer
            .cannot_say
            .iter()
            .any(|unknown| unknown.what.contains("finalized"))
    );
    assert!(
        answer
            .cannot_say
            .iter()
            .any(|unknown| unknown.what.contains("time server"))
    );
    let text = answer.to_text();
    assert!(text.lines().count() <= 24, "{text}");
    assert!(text.contains("coroner clock some.case"), "{text}");
    // Same evidence, same words.
    let (_folder, again) = read(&[sample("medalla-2020/input")]);
    assert_eq!(text, again.to_text());
}

#[test]
fn tables_alone_lead_to_a_trace() {
    let (_folder, answer) = read(&[sample("zksync-2023/input/zksync_local.sql.gz")]);
    assert_eq!(answer.evidence.snapshots.len(), 1);
    assert_eq!(answer.evidence.snapshots[0].trace_tables.len(), 6);
    assert!(
        answer.next[0].starts_with("coroner trace some.case 0x"),
        "{:?}",
        answer.next
    );
    let not_run: Vec<&str> = answer.not_run.iter().map(|n| n.detector.as_str()).collect();
    assert_eq!(not_run, ["slot_clock_skew", "silent_node"]);
    assert!(
        answer
            .cannot_say
            .iter()
            .any(|unknown| unknown.what.contains("L1 mined"))
    );
}

#[test]
fn a_cut_source_and_an_hour_without_lines() {
    let folder = tempfile::tempdir().unwrap();
    let line = |hour: u32, minute: u32| {
        format!("time=\"2020-08-14T{hour:02}:{minute:02}:00Z\" level=info msg=\"Peer connected\" prefix=p2p\n")
            .replace('T', " ")
            .replace("Z\"", "\"")
    };
    let mut text: String = (0..40).map(|minute| line(10, minute)).collect();
    text.extend((0..40).map(|minute| line(13, minute)));
    std::fs::write(folder.path().join("beacon.log"), text).unwrap();
    let (_case, answer) = read(&[folder.path().to_owned()]);
    let gaps = of_kind(&answer, "evidence_gap");
    assert_eq!(gaps.len(), 1, "{:#?}", answer.findings);
    assert_eq!(gaps[0].magnitude["gap_s"], 141 * 60);
    assert_eq!(gaps[0].refs.len(), 2);
    // Nothing in these lines says a zone.
    assert_eq!(of_kind(&answer, "assumed_time").len(), 1);
    assert!(answer.not_run.iter().any(|n| n.detector == "silent_node"));
}
