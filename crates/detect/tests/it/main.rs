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

/// Five hours of one machine's journal from 10:00 UTC, second by second: `says` gives the lines of a second, as
/// `(who, text)`.
fn journal(says: impl Fn(u32, &str) -> Vec<(&'static str, String)>) -> Triage {
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::new();
    for second in (0..5 * 3600).step_by(2) {
        let time = format!(
            "{:02}:{:02}:{:02}",
            10 + second / 3600,
            second / 60 % 60,
            second % 60
        );
        for (who, said) in says(second, &time) {
            text += &format!("2020-08-14T{time}+00:00 node-1 {who}: {said}\n");
        }
    }
    std::fs::write(folder.path().join("journal.log"), text).unwrap();
    read(&[folder.path().to_owned()]).1
}

/// What Prysm's beacon node and validator write, each every so often.
fn prysm(second: u32, time: &str) -> Vec<(&'static str, String)> {
    let line = |said: &str| format!("time=\"2020-08-14 {time}\" level=info {said}");
    let mut lines = Vec::new();
    if second.is_multiple_of(12) {
        lines.push((
            "prysm-beacon[7]",
            line("msg=\"Peer summary\" activePeers=45 prefix=p2p"),
        ));
    }
    if second.is_multiple_of(384) {
        lines.push((
            "prysm-validator[8]",
            line("msg=\"Submitted new attestations\" prefix=validator"),
        ));
    }
    lines
}

fn told(findings: &[&Finding]) -> Vec<String> {
    let said = |finding: &&Finding| {
        let (from, to) = (finding.from.as_deref(), finding.to.as_deref());
        let time = |time: Option<&str>| time.map_or("-", |time| &time[11..19]).to_owned();
        format!(
            "{} {} {}-{}: {}",
            finding.severity,
            finding.status,
            time(from),
            time(to),
            finding.title
        )
    };
    findings.iter().map(said).collect()
}

#[test]
fn a_beacon_node_that_dies_beside_its_validator_is_silent_though_its_machine_speaks() {
    let dies = 2 * 3600;
    let answer = journal(|second, time| {
        let mut lines = prysm(second, time);
        if second >= dies {
            lines.retain(|(who, _)| *who != "prysm-beacon[7]");
        }
        if second == dies {
            let killed = "Out of memory: Killed process 7 (beacon-chain) total-vm:1kB";
            lines.push(("kernel", killed.to_owned()));
        }
        lines
    });
    let silent = of_kind(&answer, "silent_program");
    assert_eq!(
        told(&silent),
        [
            "high unknown 11:59:48--: prysm beacon of node-1 wrote nothing more for 2h 54m while prysm validator went on"
        ]
    );
    assert_eq!(silent[0].nodes, ["node-1"]);
    assert_eq!(
        (silent[0].witnesses.sources, silent[0].witnesses.independent),
        (1, 1)
    );
    let causes: Vec<&str> = silent[0].causes.iter().map(|c| c.text.as_str()).collect();
    assert_eq!(
        causes,
        ["its machine reports: Out of memory: Killed process 7 (beacon-chain) total-vm:1kB"]
    );
    // It is told once.
    assert_eq!(of_kind(&answer, "crash"), Vec::<&Finding>::new());
    assert!(
        answer
            .not_run
            .iter()
            .all(|lacks| lacks.detector != "silent_node")
    );
    // The other way round: a validator speaks every epoch, and is missed after some of them.
    let answer = journal(|second, time| {
        let mut lines = prysm(second, time);
        lines.retain(|(who, _)| {
            *who != "prysm-validator[8]" || !(dies..dies + 6000).contains(&second)
        });
        lines
    });
    assert_eq!(
        told(&of_kind(&answer, "silent_program")),
        [
            "medium ended 11:55:12-13:44:00: prysm validator of node-1 wrote nothing for 108m 48s while prysm beacon did"
        ]
    );
}

#[test]
fn nobody_is_silent_who_is_replaced_or_speaks_as_usual() {
    // The unit is renamed, the client is changed.
    let answer = journal(|second, time| {
        let mut lines = prysm(second, time);
        if second > 9000 {
            for (who, said) in &mut lines {
                if *who == "prysm-beacon[7]" {
                    *who = "lighthouse[9]";
                    *said = format!(
                        "Aug 14 {time}.000 INFO Synced                                  slot: {}, epoch: 7, peers: 50, service: slot_notifier",
                        73_000 + second / 12
                    );
                } else {
                    *who = "validator[11]";
                }
            }
        }
        lines
    });
    assert_eq!(
        told(&of_kind(&answer, "silent_program")),
        Vec::<String>::new()
    );
    assert_eq!(told(&of_kind(&answer, "crash")), Vec::<String>::new());
}

#[test]
fn a_node_that_is_started_again_each_time_has_crashed_all_the_same() {
    let answer = journal(|second, time| {
        let mut lines = prysm(second, time);
        let exited = |how: &str| format!("prysm-beacon.service: Main process exited, code={how}");
        match second {
            // One crash: the kernel, then systemd twice.
            3600 | 9000 => lines.push((
                "kernel",
                "Out of memory: Killed process 7 (beacon-chain) total-vm:1kB".to_owned(),
            )),
            3602 | 9002 => {
                let oom = "prysm-beacon.service: A process of this unit has been killed by the OOM killer.";
                lines.push(("systemd[1]", oom.to_owned()));
                lines.push(("systemd[1]", exited("killed, status=9/KILL")));
            }
            // A stop is none, and another program's crash is not this one's.
            5000 => lines.push(("systemd[1]", exited("killed, status=15/TERM"))),
            5010 => lines.push((
                "systemd[1]",
                "snapd.service: Main process exited, code=exited, status=1/FAILURE".to_owned(),
            )),
            9300 | 9310 => lines.push(("systemd[1]", exited("exited, status=2/INVALIDARGUMENT"))),
            _ => {}
        }
        lines
    });
    let crashes = of_kind(&answer, "crash");
    assert_eq!(
        told(&crashes),
        [
            "high ended 11:00:00-12:35:10: prysm beacon of node-1 crashed 4 times: 2 out of memory, 2 failures"
        ]
    );
    assert_eq!(crashes[0].refs.len(), 4);
    assert_eq!(crashes[0].magnitude["crashes"], 4);
    assert!(
        answer
            .findings
            .iter()
            .all(|found| !found.kind.starts_with("silent"))
    );
    let text = answer.to_text();
    assert!(text.contains("crashed 4 times"), "{text}");
}

#[test]
fn a_panic_is_told_with_its_words() {
    let answer = journal(|second, time| {
        let mut lines = prysm(second, time);
        if second == 3600 {
            let stack = [
                "panic: runtime error: index out of range [3] with length 3",
                "",
                "goroutine 1 [running]:",
                "main.main()",
                "\t/go/src/github.com/prysmaticlabs/prysm/beacon-chain/main.go:77 +0x1",
            ];
            lines.extend(stack.map(|line| ("prysm-beacon[7]", line.to_owned())));
        }
        lines
    });
    assert_eq!(
        told(&of_kind(&answer, "crash")),
        [
            "medium ended 11:00:00-11:00:00: prysm beacon of node-1 panicked: runtime error: index out of range [3] with length 3"
        ]
    );
}

/// systemd's unit is called like both programs, the kernel's process like one: that is one crash.
#[test]
fn words_that_fit_several_programs_mean_the_one_that_crashed_then() {
    let answer = journal(|second, time| {
        let mut lines = prysm(second, time);
        if second == 3600 {
            let killed = "Out of memory: Killed process 7 (beacon-chain) total-vm:1kB";
            lines.push(("kernel", killed.to_owned()));
        }
        if matches!(second, 3602 | 9000) {
            let exited = "prysm.service: Main process exited, code=exited, status=1/FAILURE";
            lines.push(("systemd[1]", exited.to_owned()));
        }
        lines
    });
    assert_eq!(
        told(&of_kind(&answer, "crash")),
        [
            "medium ended 11:00:00-11:00:00: prysm beacon of node-1 was killed for lack of memory",
            "medium ended 12:30:00-12:30:00: prysm beacon or prysm validator of node-1 ended with status 1/FAILURE",
        ]
    );
}

#[test]
fn a_panic_in_a_log_without_any_date_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let text = "panic: runtime error: index out of range [3] with length 3\n\ngoroutine 1 [running]:\nmain.main()\n\t/go/src/github.com/prysmaticlabs/prysm/beacon-chain/main.go:77 +0x1\n";
    std::fs::write(folder.path().join("stderr.log"), text).unwrap();
    let (_case, answer) = read(&[folder.path().to_owned()]);
    let crashes = of_kind(&answer, "crash");
    assert_eq!(crashes.len(), 1, "{answer:#?}");
    assert!(
        crashes[0].title.contains("panicked: runtime error"),
        "{:?}",
        crashes[0].title
    );
    assert_eq!(
        (crashes[0].from.as_deref(), crashes[0].status.as_str()),
        (None, "unknown")
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
