//! What is missing, and the commands that would have fetched it.

use crate::run::Desk;
use serde_json::Value;

fn line(second: u32, rest: &str) -> String {
    format!(
        "time=\"2020-08-14 {:02}:{:02}:{:02}\" {rest}\n",
        10 + second / 3600,
        second / 60 % 60,
        second % 60
    )
}

fn peers(from: u32, to: u32, level: &str) -> String {
    (from..to)
        .map(|at| {
            line(
                at * 5,
                &format!("level={level} msg=\"Peer summary\" activePeers={at} prefix=p2p"),
            )
        })
        .collect()
}

fn gaps(desk: &Desk, path: &str) -> Vec<(String, Value)> {
    let document = desk.json(&["info", path, "--gaps"], 0);
    document["gaps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|gap| (gap["kind"].as_str().unwrap().to_owned(), gap.clone()))
        .collect()
}

fn of<'a>(gaps: &'a [(String, Value)], kind: &str) -> Vec<&'a Value> {
    gaps.iter()
        .filter(|(found, _)| found == kind)
        .map(|(_, gap)| gap)
        .collect()
}

#[test]
fn what_is_missing_is_named_with_its_reference() {
    let desk = Desk::new();
    let start = line(
        0,
        "level=info msg=\"Starting beacon node\" version=\"Prysm/v1.0.0\" prefix=node",
    );
    // n1: a start, a silence; n2: no start, 500 lines, warnings only; v1: names a node that nobody has.
    desk.write(
        "e/n1/beacon.log",
        start.clone() + &peers(1, 100, "info") + &peers(700, 803, "info"),
    )
    .write("e/n2/beacon.log", peers(0, 500, "warning"))
    .write(
        "e/v1/validator.log",
        line(1, "level=info msg=\"Starting validator node\" prefix=node")
            + &line(
                2,
                "level=info msg=\"Dialing beacon node\" endpoint=\"n9:4000\" prefix=validator",
            ),
    );
    let gaps = gaps(&desk, "e");
    let silence = of(&gaps, "silence");
    assert_eq!((silence.len(), &silence[0]["node"]), (1, &"n1".into()));
    let shown = desk
        .run(&["show", "e", silence[0]["refs"][0].as_str().unwrap()])
        .stdout;
    assert!(shown.contains("activePeers=99"), "{shown}");
    let no_start: Vec<&Value> = of(&gaps, "no_start")
        .iter()
        .map(|gap| &gap["node"])
        .collect();
    assert_eq!(no_start, ["n2"]);
    let cut = of(&gaps, "cut_export");
    assert_eq!(cut.len(), 1, "{cut:?}");
    assert!(
        cut[0]["why"]
            .as_str()
            .unwrap()
            .starts_with("exactly 500 lines")
    );
    let floors: Vec<&Value> = of(&gaps, "level_floor")
        .iter()
        .map(|gap| &gap["node"])
        .collect();
    assert_eq!(floors, ["n2"]);
    assert_eq!(of(&gaps, "absent_node")[0]["node"], "n9");
    let said = desk
        .run(&["info", "e", "--gaps", "--format", "table"])
        .stdout;
    assert!(
        said.contains("n9: others say they are connected to it"),
        "{said}"
    );
}

#[test]
fn ten_lines_of_every_pod_are_a_tail() {
    let desk = Desk::new();
    let mut log = String::new();
    for at in 0..10 {
        for pod in ["beacon-0", "beacon-1", "beacon-2"] {
            log.push_str(&format!(
                "{pod}  | {}",
                line(
                    at,
                    &format!("level=info msg=\"Peer summary\" activePeers={at} prefix=p2p")
                )
            ));
        }
    }
    desk.write("all.log", log);
    let gaps = gaps(&desk, "all.log");
    let cut = of(&gaps, "cut_export");
    assert!(
        cut.len() == 1
            && cut[0]["why"]
                .as_str()
                .unwrap()
                .starts_with("3 of 3 pods have exactly 10 lines"),
        "{gaps:?}"
    );
}

#[test]
fn commands_to_collect_are_printed_for_a_case_and_without_one() {
    let desk = Desk::new();
    desk.write("e/beacon.log", peers(0, 20, "info"));
    for tool in ["kubectl", "docker", "journald", "kibana", "pg"] {
        for case in [&["e"][..], &[]] {
            let mut args = vec!["collect"];
            args.extend(case);
            args.extend([
                "--print",
                tool,
                "--from",
                "2020-08-14T16:00:00Z",
                "--format",
                "json",
            ]);
            let document = desk.json(&args, 0);
            crate::schemas::valid("collect", &document);
            assert!(!document["commands"].as_array().unwrap().is_empty());
        }
    }
    let text = desk
        .run(&["collect", "--print", "kubectl", "--format", "table"])
        .stdout;
    assert!(
        text.contains("--tail=-1") && text.contains("--previous=true"),
        "{text}"
    );
}
