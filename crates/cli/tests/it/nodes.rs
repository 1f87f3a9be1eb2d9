//! Who is who: names, links, what people say of it, and what stays uncertain.

use crate::run::Desk;
use serde_json::{Value, json};

fn line(second: u32, rest: &str) -> String {
    format!(
        "time=\"2020-08-14 17:{:02}:{:02}\" level=info {rest}\n",
        second / 60,
        second % 60
    )
}

fn beacon(n: u32) -> String {
    (0..200)
        .map(|at| {
            line(
                at,
                &format!("msg=\"Peer summary\" activePeers={at} prefix=p2p of={n}"),
            )
        })
        .collect()
}

fn nodes(desk: &Desk) -> Vec<Value> {
    let document = desk.json(&["nodes", "x.case", "--format", "json"], 0);
    document["nodes"].as_array().unwrap().clone()
}

fn names(desk: &Desk) -> Vec<String> {
    nodes(desk)
        .iter()
        .map(|node| node["node"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_validator_is_linked_to_the_node_its_log_names_and_both_are_one_witness() {
    let desk = Desk::new();
    let validator = line(1, "msg=\"Starting validator node\" prefix=node")
        + &line(
            2,
            "msg=\"Dialing beacon node\" endpoint=\"n1:4000\" prefix=validator",
        )
        + &line(
            9,
            "msg=\"Submitted new attestations\" Slot=1 prefix=validator",
        );
    desk.write("e/n1/beacon.log", beacon(1))
        .write("e/n2/beacon.log", beacon(2))
        .write("e/v1/validator.log", validator);
    desk.json(&["ingest", "x.case", "e"], 0);
    let nodes = nodes(&desk);
    assert_eq!(names(&desk), ["n1", "n2", "v1"]);
    let link = &nodes[2]["links"][0];
    assert_eq!(
        (&link["node"], &link["is"]),
        (&json!("n1"), &json!("beacon"))
    );
    assert_eq!(link["basis"], "its log names the endpoint n1");
    let reference = link["refs"][0].as_str().unwrap();
    let shown = desk.run(&["show", "x.case", reference]).stdout;
    assert!(shown.contains("Dialing beacon node"), "{shown}");
    assert_eq!(nodes[0]["links"][0]["is"], "validator");
}

#[test]
fn people_merge_and_split_nodes_and_take_it_back() {
    let desk = Desk::new();
    desk.write("e/n1/beacon.log", beacon(1))
        .write("e/n2/beacon.log", beacon(2))
        .write("e/n2/other.log", beacon(3));
    desk.json(&["ingest", "x.case", "e"], 0);
    assert_eq!(names(&desk), ["n1", "n2"]);
    let source = nodes(&desk)[1]["sources"][1].as_str().unwrap().to_owned();
    desk.write(
        "who.toml",
        format!("east = [\"n1\", \"n2\"]\nwest = [\"{source}\"]\n"),
    );
    desk.json(
        &["nodes", "x.case", "--set", "who.toml", "--format", "json"],
        0,
    );
    assert_eq!(names(&desk), ["east", "west"]);
    // The records say so too, and so does the custody log.
    let sql = "SELECT node, COUNT(*) AS n FROM records GROUP BY node ORDER BY node";
    let rows = desk.run(&["sql", "x.case", sql]).lines();
    assert_eq!((&rows[0]["n"], &rows[1]["n"]), (&json!(400), &json!(200)));
    let custody = std::fs::read_to_string(desk.path("x.case/custody.jsonl")).unwrap();
    assert!(custody.contains("east = n1, n2; west = "), "{custody}");
    assert_eq!(desk.run(&["verify", "x.case"]).code, 0);
    desk.write("none.toml", "");
    desk.json(
        &["nodes", "x.case", "--set", "none.toml", "--format", "json"],
        0,
    );
    assert_eq!(names(&desk), ["n1", "n2"]);
    desk.write("wrong.toml", "a = [\"n9\"]");
    desk.fails(
        &["nodes", "x.case", "--set", "wrong.toml"],
        2,
        "nothing in the case is called `n9`",
    );
    desk.write("broken.toml", "a = n9");
    desk.fails(
        &["nodes", "x.case", "--set", "broken.toml"],
        2,
        "this is not who is who",
    );
}

#[test]
fn few_records_in_common_leave_a_range() {
    let desk = Desk::new();
    let common: String = (0..4)
        .map(|at| {
            line(
                198,
                &format!("msg=\"Could not dial\" prefix=p2p attempt={at}"),
            )
        })
        .collect();
    desk.write(
        "a.log",
        beacon(1)[..]
            .lines()
            .take(100)
            .map(|l| format!("{l}\n"))
            .collect::<String>()
            + &common,
    )
    .write(
        "b.log",
        common.clone() + &line(300, "msg=\"Peer summary\" prefix=p2p of=9"),
    );
    let info = desk.json(&["ingest", "x.case", "a.log", "b.log"], 0);
    assert_eq!(info["totals"]["nodes_range"], json!([1, 2]));
    assert_eq!(info["totals"]["duplicates"], 0);
    let nodes = nodes(&desk);
    assert_eq!(nodes[0]["maybe"], json!(["b"]));
    let said = desk.run(&["x.case", "--format", "table"]).stdout;
    assert!(said.contains("1-2 nodes"), "{said}");
}
