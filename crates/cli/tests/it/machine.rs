//! Journals in which machines speak beside their nodes, and speak on when those are dead.

use crate::run::Desk;
use serde_json::Value;
use std::fmt::Write as _;

/// Two hours of a machine's journal; its beacon node speaks every 12 s, up to `dies` if it does.
fn journal(host: &str, dies: Option<u32>) -> String {
    let mut text = String::new();
    let mut say = |second: u32, who: &str, said: &str| {
        let (hour, minute) = (10 + second / 3600, second / 60 % 60);
        let stamp = format!("2020-08-14T{hour:02}:{minute:02}:{:02}+00:00", second % 60);
        writeln!(text, "{stamp} {host} {who}: {said}").unwrap();
    };
    for second in (0..7200).step_by(12) {
        if dies.is_none_or(|dies| second < dies) {
            let (hour, minute) = (10 + second / 3600, second / 60 % 60);
            let said = format!(
                "time=\"2020-08-14 {hour:02}:{minute:02}:{:02}\" level=info msg=\"Peer summary\" activePeers={second} prefix=p2p",
                second % 60
            );
            say(second, "prysm.sh[7]", &said);
        }
        if second % 60 == 0 {
            say(second + 1, "CRON[9]", "(root) CMD (run-parts)");
            say(
                second + 2,
                "sshd[8]",
                "Connection closed by 192.0.2.7 port 22",
            );
            let said = "time=\"2020-08-14T10:00:00.1Z\" level=info msg=\"still here\"";
            say(second + 2, "dockerd[6]", said);
        }
        if dies == Some(second) {
            let killed = "Out of memory: Killed process 7 (beacon-chain) total-vm:1kB";
            say(second, "kernel", killed);
            say(
                second + 3,
                "systemd[1]",
                "prysm.service: Main process exited, code=killed, status=9/KILL",
            );
            say(
                second + 4,
                "systemd[1]",
                "snapd.service: Main process exited, code=exited, status=1/FAILURE",
            );
        }
        if second == 600 {
            say(
                second,
                "chronyd[5]",
                "System clock wrong by -14400.100000 seconds",
            );
        }
    }
    text
}

fn desk() -> Desk {
    let desk = Desk::new();
    for (name, dies) in [("node-1", Some(2400)), ("node-2", None), ("node-3", None)] {
        desk.write(&format!("e/{name}.log"), journal(name, dies));
    }
    // A machine of which nothing but its own programs is known.
    let warned: String = (0..60)
        .map(|n| {
            let us = 1_597_399_200_000_000u64 + n * 60_000_000;
            format!("{{\"__REALTIME_TIMESTAMP\":\"{us}\",\"_HOSTNAME\":\"gate\",\"SYSLOG_IDENTIFIER\":\"sshd\",\"PRIORITY\":\"4\",\"MESSAGE\":\"try {n}\"}}\n")
        })
        .collect();
    desk.write("e/gate.json", warned);
    desk
}

#[test]
fn a_dead_node_is_silent_however_much_its_machine_says() {
    let desk = desk();
    let triage = desk.json(&["triage", "e"], 0);
    assert_eq!(triage["evidence"]["nodes"], 3);
    assert_eq!(triage["evidence"]["last_ts"], "2020-08-14T11:59:48.000000Z");
    let findings = triage["findings"].as_array().unwrap();
    let silent: Vec<&Value> = findings
        .iter()
        .filter(|f| f["kind"] == "silent_node")
        .collect();
    let [silent] = silent[..] else {
        panic!("{findings:#?}");
    };
    assert_eq!(silent["nodes"], serde_json::json!(["node-1"]));
    assert_eq!(silent["from"], "2020-08-14T10:39:48.000000Z");
    assert_eq!(silent["affected"]["of"], 3);
    // What killed it is said by its machine; what else stopped there then is not blamed.
    let causes: Vec<&str> = silent["causes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|cause| cause["text"].as_str().unwrap())
        .collect();
    assert_eq!(
        causes,
        [
            "its machine reports: Out of memory: Killed process 7 (beacon-chain) total-vm:1kB",
            "its machine reports: prysm.service: Main process exited, code=killed, status=9/KILL",
        ]
    );
    let shown = desk.run(&[
        "show",
        "e",
        silent["causes"][0]["refs"][0].as_str().unwrap(),
    ]);
    assert!(shown.stdout.contains("Out of memory"), "{shown:?}");
    let draft = desk.run(&["report", "e"]).stdout;
    for said in [
        "Killed process 7",
        "prysm.service: Main process exited",
        "System clock wrong by",
    ] {
        let told = draft
            .lines()
            .any(|line| line.starts_with('|') && line.contains(said));
        assert!(told, "{said}: {draft}");
    }
    assert!(!draft.contains("Connection closed by"), "{draft}");
    // chrony said that the clock was ahead. It sets it right then: nobody knows that it is still wrong.
    let clock = desk.json(&["clock", "e"], 0);
    let episodes = clock["episodes"].as_array().unwrap();
    assert_eq!(episodes.len(), 1, "{episodes:#?}");
    assert_eq!(episodes[0]["kind"], "stamp_clock_skew");
    assert_eq!(episodes[0]["offset_s"], 14400.1);
    assert_eq!(episodes[0]["status"], "unknown");
    assert_eq!(clock["nodes"][1]["client"], "prysm");
}

#[test]
fn a_machine_is_no_second_node_and_has_no_gaps_of_a_client() {
    let desk = desk();
    let nodes = desk.json(&["nodes", "e"], 0);
    let rows: Vec<String> = nodes["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| format!("{} {} {}", node["node"], node["clients"], node["roles"]))
        .collect();
    assert_eq!(
        rows,
        [
            "\"gate\" [\"system\"] []",
            "\"node-1\" [\"prysm\"] [\"beacon\"]",
            "\"node-2\" [\"prysm\"] [\"beacon\"]",
            "\"node-3\" [\"prysm\"] [\"beacon\"]",
        ]
    );
    let info = desk.json(&["info", "e", "--gaps"], 0);
    let gaps: Vec<String> = info["gaps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|gap| format!("{} {}", gap["kind"], gap["node"]))
        .collect();
    assert_eq!(
        gaps,
        [
            "\"no_start\" \"node-1\"",
            "\"no_start\" \"node-2\"",
            "\"no_start\" \"node-3\"",
        ]
    );
    for source in info["sources"].as_array().unwrap() {
        assert_eq!(source["rejected"], serde_json::json!({}), "{source}");
        assert_eq!(source["undated"], 0, "{source}");
    }
}
