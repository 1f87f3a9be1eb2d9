//! What the verbs answer on small evidence: stdout, stderr and exit code together.

use crate::run::{BEACON, DUMP, Desk, HASH};

#[test]
fn timeline_for_eyes() {
    let desk = Desk::new();
    desk.write("n1/beacon.log", BEACON);
    let said = desk.run(&[
        "timeline",
        "n1",
        "--format",
        "table",
        "--level",
        "warn",
        "--zone-free",
    ]);
    assert_eq!(said.code, 2);
    let said = desk.run(&["timeline", "n1", "--format", "table", "--level", "error"]);
    assert!(
        said.stdout.starts_with(
            "2020-08-14 18:32:00Z ERROR n1 blockchain: Could not process block error=future"
        ),
        "{}",
        said.shown()
    );
    assert!(said.stdout.trim_end().ends_with(":6"), "{}", said.shown());
}

#[test]
fn timeline_merges_sources_in_time_order() {
    let desk = Desk::new();
    desk.write("logs/n1/beacon.log", BEACON).write(
        "logs/n2/beacon.log",
        BEACON.replace(":02]", ":03]").replace(":40]", ":41]"),
    );
    let said = desk.run(&["timeline", "logs", "--network", "medalla"]);
    let times: Vec<String> = said
        .lines()
        .iter()
        .map(|row| row["ts_order"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(times.len(), 14);
    assert!(times.is_sorted(), "{times:?}");
    let one = desk.run(&[
        "timeline",
        "logs",
        "--node",
        "n2",
        "--grep",
        r"offset=4h0m0\.03s",
    ]);
    let rows = one.lines();
    assert_eq!(rows.len(), 1, "{one:?}");
    assert_eq!(rows[0]["node"], "n2");
    assert_eq!(rows[0]["fields"]["offset"], "4h0m0.03s");
}

#[test]
fn show_returns_the_original_bytes_of_any_reference() {
    let desk = Desk::new();
    desk.write("n1/beacon.log", BEACON);
    let rows = desk.run(&["timeline", "n1"]).lines();
    for row in rows {
        let reference = row["ref"].as_str().unwrap();
        let shown = &desk.run(&["show", "n1", reference]).lines()[0];
        let (byte, length) = (
            shown["byte"].as_u64().unwrap() as usize,
            shown["length"].as_u64().unwrap() as usize,
        );
        assert_eq!(shown["raw"].as_str().unwrap(), &BEACON[byte..byte + length]);
        assert!(
            shown["raw"]
                .as_str()
                .unwrap()
                .contains(row["message"].as_str().unwrap())
        );
    }
    let around = desk.run(&["show", "n1", "S1:3", "-C", "1", "--format", "table"]);
    let lines: Vec<&str> = around.stdout.lines().skip(1).collect();
    assert_eq!(lines.len(), 3, "{around:?}");
    assert_eq!(lines[1], "> hello from nowhere");
    let digest = desk.json(&["info", "n1"], 0)["sources"][0]["digest"]
        .as_str()
        .unwrap()
        .to_owned();
    let bytes = &desk.run(&["show", "n1", &format!("{digest}@4+7")]).lines()[0];
    assert_eq!(bytes["raw"].as_str().unwrap(), &BEACON[4..11]);
    desk.fails(&["show", "n1", "S1:99"], 2, "has no line 99");
    desk.fails(&["show", "n1", "S7:1"], 2, "there is no source `S7`");
}

#[test]
fn bytes_that_are_no_text_are_shown_as_base64() {
    let desk = Desk::new();
    let mut log = BEACON.as_bytes().to_vec();
    log.extend(b"[2020-08-14 19:41:00]  INFO p2p: bad \xff\xfe bytes\n");
    desk.write("n1/beacon.log", &log);
    let shown = &desk.run(&["show", "n1", "S1:9"]).lines()[0];
    assert!(
        shown.get("raw").is_none() && shown["raw_base64"].is_string(),
        "{shown}"
    );
}

#[test]
fn a_row_of_a_dump_is_shown_as_it_lies_in_the_file() {
    let desk = Desk::new();
    desk.write("d.sql", DUMP);
    let trace = desk.json(&["trace", "d.sql", HASH], 0);
    let reference = trace["path"][0]["refs"][0].as_str().unwrap();
    let shown = &desk.run(&["show", "d.sql", reference]).lines()[0];
    assert_eq!(shown["raw"], "15841\t7670\t=1+1\n", "{shown}");
}

#[test]
fn a_plain_dump_is_asked_without_a_case() {
    let desk = Desk::new();
    desk.write("d.sql", DUMP);
    desk.check(
        &[
            "sql",
            "d.sql",
            "SELECT number, l1_batch_number, note FROM miniblocks ORDER BY number",
        ],
        "{\"number\":15841,\"l1_batch_number\":7670,\"note\":\"=1+1\"}\n\
         {\"number\":15842,\"l1_batch_number\":null,\"note\":\"two\\nlines\"}\n\
         --- stderr\n--- exit 0\n",
    );
    desk.check(
        &[
            "sql", "d.sql", "SELECT number FROM miniblocks WHERE l1_batch_number = $batch", "--param",
            "batch=7670", "--format", "json",
        ],
        "{\"schema\":\"coroner/sql/1\",\"columns\":[{\"name\":\"number\",\"type\":\"i64\"}],\"rows\":[[15841]]}\n\
         --- stderr\n--- exit 0\n",
    );
    desk.check(
        &["tables", "d.sql", "--format", "table"],
        "snapshot  table          rows  damaged  key                    columns  types\n\
         d         l2_to_l1_logs     1        0  miniblock_number,            3  declared\n\
         \x20                                       log_index_in_minibloc\n\
         \x20                                       k\n\
         d         miniblocks        2        0  number                       3  declared\n\
         --- stderr\n--- exit 0\n",
    );
    assert!(!desk.path("cache").exists(), "no throw-away case is needed");
}

#[test]
fn ingest_again_costs_nothing_and_forget_takes_out() {
    let desk = Desk::new();
    desk.write("n1/beacon.log", BEACON)
        .write("n2/beacon.log", BEACON.replace("41", "40"));
    let first = desk.json(&["ingest", "x.case", "n1", "n2", "--network", "medalla"], 0);
    assert_eq!(first["added"].as_array().unwrap().len(), 2, "{first}");
    assert_eq!(first["totals"]["records"], 14);
    let again = desk.json(&["ingest", "x.case", "n1", "n2", "--network", "medalla"], 0);
    assert_eq!(again["added"].as_array().unwrap().len(), 0);
    assert_eq!(again["unchanged"].as_array().unwrap().len(), 2);
    desk.write(
        "n1/beacon.log",
        format!("{BEACON}[2020-08-14 19:50:00]  INFO p2p: Peer summary activePeers=45\n"),
    );
    let grown = desk.json(&["ingest", "x.case", "n1", "--network", "medalla"], 0);
    assert_eq!(grown["grown"].as_array().unwrap().len(), 1, "{grown}");
    assert_eq!(grown["totals"]["records"], 15);
    let amended = desk.json(&["amend", "x.case", "S2", "--node", "west"], 0);
    assert_eq!(amended["sources"][0]["node"], "west", "{amended}");
    let gone = desk.json(&["forget", "x.case", "S2"], 0);
    assert_eq!(
        (&gone["id"], &gone["sources_left"]),
        (&"S2".into(), &1.into())
    );
    desk.fails(&["amend", "x.case", "S1"], 2, "nothing to correct");
    desk.fails(&["forget", "x.case", "S2"], 2, "there is no source `S2`");
    assert_eq!(desk.run(&["ingest", "y.case", "n1", "--dry-run"]).code, 0);
    assert!(!desk.path("y.case").exists());
    let strict = desk.run(&["ingest", "z.case", "n1", "--strict"]);
    assert_eq!(strict.code, 3, "one line is rejected: {strict:?}");
}

#[test]
fn the_cache_is_private_reused_and_purged() {
    use std::os::unix::fs::PermissionsExt;
    let desk = Desk::new();
    desk.write("n1/beacon.log", BEACON);
    assert_eq!(desk.run(&["info", "n1"]).code, 0);
    let mode = std::fs::metadata(desk.path("cache/coroner/cases"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
    assert_eq!(desk.run(&["timeline", "n1"]).code, 0);
    let list = desk.json(&["cache", "list"], 0);
    assert_eq!(list["cases"].as_array().unwrap().len(), 1, "{list}");
    assert_eq!(list["cases"][0]["evidence"], "n1");
    // Another network changes records: another case.
    assert_eq!(
        desk.run(&["timeline", "n1", "--network", "medalla"]).code,
        0
    );
    assert_eq!(
        desk.json(&["cache", "list"], 0)["cases"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(desk.json(&["cache", "purge"], 0)["removed"], 2);
    assert_eq!(desk.run(&["cache", "list"]).code, 1);
}

#[test]
fn parse_tiles_its_sources() {
    let desk = Desk::new();
    desk.write("n1/beacon.log", BEACON);
    let entries = desk.run(&["parse", "n1/beacon.log"]).lines();
    let mut next = 0;
    for entry in &entries {
        assert_eq!(entry["byte"].as_u64().unwrap(), next, "{entry}");
        next += entry["length"].as_u64().unwrap();
    }
    assert_eq!(next, BEACON.len() as u64);
    assert_eq!(
        entries
            .iter()
            .filter(|entry| entry.get("rejected").is_some())
            .count(),
        1
    );
    let document = desk.json(&["parse", "n1/beacon.log", "--format", "json"], 0);
    assert_eq!(document["entries"].as_array().unwrap().len(), entries.len());
    let piped = desk.run_with_stdin(&["parse", "-"], BEACON.as_bytes());
    assert_eq!(piped.lines().len(), entries.len());
}

#[test]
fn the_answer_does_not_depend_on_threads() {
    let desk = Desk::new();
    for node in 0..6 {
        desk.write(
            &format!("logs/n{node}/beacon.log"),
            BEACON.replace("41", &format!("{node}")).repeat(30),
        );
    }
    let one = desk.run(&["timeline", "logs", "--threads", "1"]);
    desk.run(&["cache", "purge"]);
    let seven = desk.run(&["timeline", "logs", "--threads", "7"]);
    assert_eq!(one.stdout, seven.stdout);
}

#[test]
fn info_and_rows_agree_on_times_after_zones_were_solved_anew() {
    let desk = Desk::new();
    let input = crate::run::repository("samples/medalla-2020/input");
    let input = input.to_str().unwrap();
    let info = desk.json(&["info", input], 0);
    let rows = desk
        .run(&[
            "sql",
            input,
            "SELECT source, MIN(ts) AS first_ts, MAX(ts) AS last_ts FROM records GROUP BY source ORDER BY source",
        ])
        .lines();
    assert_eq!(rows.len(), 17);
    for row in rows {
        let source = info["sources"]
            .as_array()
            .unwrap()
            .iter()
            .find(|source| source["digest"] == row["source"])
            .unwrap();
        assert_eq!(
            (&source["first_ts"], &source["last_ts"]),
            (&row["first_ts"], &row["last_ts"]),
            "{}",
            source["path"]
        );
    }
}

#[test]
fn entries_of_one_line_are_told_apart_by_their_bytes() {
    let desk = Desk::new();
    let line = |second: u32, what: &str| {
        format!(
            r#"["15974023{second:02}000000000","time=\"2020-08-14 10:51:{second:02}\" level=info msg=\"{what}\" prefix=sync"]"#
        )
    };
    let answer = format!(
        r#"{{"status":"success","data":{{"resultType":"streams","result":[{{"stream":{{"pod":"beacon-0"}},"values":[{},{},{}]}}]}}}}"#,
        line(10, "First"),
        line(11, "Second"),
        line(12, "Third")
    );
    desk.write("answer.json", &answer);
    let refs = |args: &[&str]| -> Vec<String> {
        let rows = desk.run(args).lines();
        let of = |row: &serde_json::Value| row["ref"].as_str().unwrap().to_owned();
        rows.iter().map(of).collect()
    };
    let timeline = refs(&["timeline", "answer.json"]);
    assert_eq!(timeline.len(), 3);
    for (reference, what) in timeline.iter().zip(["First", "Second", "Third"]) {
        let shown = desk.run(&["show", "answer.json", reference]).lines();
        let raw = shown[0]["raw"].as_str().unwrap();
        assert!(
            raw.contains(what) && raw.matches("level=info").count() == 1,
            "{raw}"
        );
    }
    assert_eq!(refs(&["search", "answer.json", "Second"]), timeline[1..2]);
}
