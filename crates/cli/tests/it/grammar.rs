//! One grammar: paths, options, times, exit codes.

use crate::run::{BEACON, DUMP, Desk, HASH};
use std::io::Read;

#[test]
fn a_path_is_a_triage() {
    let desk = Desk::new();
    desk.write("n1/beacon.log", BEACON);
    let short = desk.run(&["n1/beacon.log"]);
    let long = desk.run(&["triage", "n1/beacon.log"]);
    assert_eq!(short.shown(), long.shown());
    assert!(
        short.stdout.starts_with(r#"{"schema":"coroner/triage/1","#),
        "{short:?}"
    );
    let typed = desk.run_with_stdin(&["-"], BEACON.as_bytes());
    assert_eq!(typed.code, short.code, "{typed:?}");
}

#[test]
fn wrong_requests_exit_with_2_and_say_what_to_do() {
    let desk = Desk::new();
    desk.write("n1/beacon.log", BEACON);
    desk.fails(
        &["missing.log"],
        2,
        "there is no file or folder missing.log",
    );
    desk.fails(
        &["finality", "x", "--y"],
        2,
        "`finality` comes with a later version",
    );
    desk.fails(&["what-if", "roughtime"], 2, "comes with a later version");
    desk.fails(
        &["timeline", "n1", "--level", "loud"],
        2,
        "hint: levels are trace debug",
    );
    desk.fails(&["timeline", "n1", "--node", "n9"], 2, "nodes are ");
    desk.fails(
        &["timeline", "n1", "--corrected"],
        2,
        "comes with a later version",
    );
    desk.fails(
        &["timeline", "n1", "--grep", "("],
        2,
        "is not a regular expression",
    );
    desk.fails(&["show", "n1", "nonsense"], 2, "is not a reference");
    desk.fails(&["sql", "n1", "DELETE FROM records"], 2, "error: ");
    desk.fails(&["query", "n1", "no/such"], 2, "error: ");
    desk.fails(&["seal", "n1"], 2, "hint: make one with `coroner ingest");
    desk.fails(&["triage", "n1", "--bogus"], 2, "--bogus");
    desk.fails(
        &["ingest", "x.case", "n1", "--index", "now"],
        2,
        "later version",
    );
    desk.fails(&["verify", "n1", "--root", "zz"], 2, "64 hex digits");
    desk.fails(
        &["triage", "n1", "--tz", "CST"],
        2,
        "abbreviations are not unique",
    );
    desk.fails(
        &["triage", "n1", "-o", "x.html"],
        2,
        "comes with a later version",
    );
    desk.fails(
        &["triage", "n1", "--format", "parquet"],
        2,
        "has no parquet form",
    );
}

#[test]
fn lists_have_a_parquet_form() {
    let desk = Desk::new();
    desk.write("n1/beacon.log", BEACON);
    for (name, verb) in [
        ("timeline", &["timeline", "n1"][..]),
        ("search", &["search", "n1", "roughtime"]),
        ("parse", &["parse", "n1"]),
        ("nodes", &["nodes", "n1"]),
        (
            "sql",
            &["sql", "n1", "SELECT ts, message, line FROM records"],
        ),
    ] {
        let file = format!("{name}.parquet");
        let mut command = verb.to_vec();
        command.extend(["--format", "parquet"]);
        let mut piped = desk.command(&command);
        let piped = piped.output().unwrap();
        command.extend(["-o", &file]);
        let said = desk.run(&command);
        assert_eq!(
            (said.code, said.stdout.as_str()),
            (0, ""),
            "{name}: {said:?}"
        );
        let bytes = std::fs::read(desk.path(&file)).unwrap();
        assert!(
            bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"),
            "{name}"
        );
        assert_eq!(bytes, piped.stdout, "{name}");
    }
}

#[test]
fn windows_are_resolved_and_printed() {
    let desk = Desk::new();
    desk.write("n1/beacon.log", BEACON);
    let window = |from: &str, tz: &str| {
        let said = desk.run(&[
            "timeline",
            "n1",
            "--network",
            "medalla",
            "--from",
            from,
            "--tz",
            tz,
        ]);
        assert_eq!(said.code, 0, "{said:?}");
        let line = said
            .stderr
            .lines()
            .find(|line| line.starts_with("window: "));
        format!("{} {}", line.unwrap_or("none"), said.stdout.lines().count())
    };
    let at = |time: &str, rows: u64| format!("window: {time} to the end (UTC) {rows}");
    assert_eq!(
        window("2020-08-14 19:00", "UTC"),
        at("2020-08-14T19:00:00Z", 2)
    );
    assert_eq!(
        window("2020-08-15 03:00", "Asia/Shanghai"),
        at("2020-08-14T19:00:00Z", 2)
    );
    assert_eq!(
        window("2020-08-14T19:00:00+02:00", "UTC"),
        at("2020-08-14T17:00:00Z", 7)
    );
    assert_eq!(window("slot 73358", "UTC"), at("2020-08-14T17:31:44Z", 4));
    assert_eq!(window("epoch 2293", "UTC"), at("2020-08-14T17:35:20Z", 4));
    let document = desk.json(
        &[
            "timeline",
            "n1",
            "--format",
            "json",
            "--from",
            "2020-08-14 19:00",
            "--to",
            "2020-08-14 19:35",
        ],
        0,
    );
    assert_eq!(document["window"]["from"], "2020-08-14T19:00:00.000000Z");
    assert_eq!(document["window"]["to"], "2020-08-14T19:35:00.000000Z");
    assert_eq!(document["records"].as_array().unwrap().len(), 1);
    desk.fails(
        &["timeline", "n1", "--from", "2020-08-14 19:00 IST"],
        2,
        "`IST` is an abbreviation",
    );
    desk.fails(
        &["timeline", "n1", "--from", "lunch"],
        2,
        "`lunch` is not a time",
    );
    desk.fails(
        &[
            "timeline",
            "n1",
            "--from",
            "2020-08-15",
            "--to",
            "2020-08-14",
        ],
        2,
        "the window is empty",
    );
}

#[test]
fn an_empty_answer_exits_with_1_and_says_how_hard_it_looked() {
    let desk = Desk::new();
    desk.write("n1/beacon.log", BEACON).write("d.sql", DUMP);
    let empty = desk.json(
        &["timeline", "n1", "--level", "fatal", "--format", "json"],
        1,
    );
    assert_eq!(empty["looked_at"]["sources"], 1);
    assert_eq!(empty["looked_at"]["records"], 7);
    assert_eq!(
        empty["looked_at"]["window"]["from"],
        "2020-08-14T17:30:40.000000Z"
    );
    let none = desk.json(&["search", "n1", "unicorn", "--count"], 1);
    assert_eq!(none["count"], 0);
    let unknown = HASH.replace("0bbbcf", "ffffff");
    let lost = desk.json(&["trace", "d.sql", &unknown], 1);
    assert_eq!(lost["fate"], "unknown_hash");
    assert!(lost["looked_at"].is_object());
    assert_eq!(
        desk.run(&[
            "sql",
            "d.sql",
            "SELECT number FROM miniblocks WHERE number = 1"
        ])
        .code,
        1
    );
}

#[test]
fn a_closed_pipe_is_quiet() {
    let desk = Desk::new();
    let mut log = String::new();
    for second in 0..20_000 {
        let (h, m, s) = (second / 3600, second / 60 % 60, second % 60);
        log.push_str(&format!(
            "[2020-08-14 {h:02}:{m:02}:{s:02}]  INFO p2p: Peer summary activePeers={second}\n"
        ));
    }
    desk.write("n1/beacon.log", log);
    for args in [
        &["parse", "n1"][..],
        &["timeline", "n1"],
        &["search", "n1", "peer"],
    ] {
        let mut child = desk.command(args).spawn().unwrap();
        let mut first = [0; 10];
        child.stdout.take().unwrap().read_exact(&mut first).unwrap();
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(
            (output.status.code(), stderr.as_ref()),
            (Some(0), ""),
            "{args:?}"
        );
    }
}

#[test]
fn help_is_short_and_has_an_example() {
    let desk = Desk::new();
    let help = desk.run(&["--help"]);
    assert_eq!(help.code, 0);
    for word in [
        "triage",
        "Exit codes",
        "Later versions",
        "coroner beacon.log",
    ] {
        assert!(help.stdout.contains(word), "{word}: {}", help.stdout);
    }
    assert!(!help.stdout.contains("slashings  "), "{}", help.stdout);
    for verb in [
        "triage",
        "parse",
        "ingest",
        "amend",
        "forget",
        "info",
        "nodes",
        "tables",
        "verify",
        "seal",
        "timeline",
        "show",
        "sql",
        "query",
        "queries",
        "trace",
        "clock",
        "search",
        "report",
        "formats",
        "cache",
        "completions",
        "man",
    ] {
        let said = desk.run(&[verb, "--help"]);
        assert_eq!(said.code, 0, "{verb}");
        assert!(said.stdout.contains("Example"), "{verb}: {}", said.stdout);
    }
    assert_eq!(desk.run(&[]).code, 2);
    let script = desk.run(&["completions", "bash"]);
    assert!(
        script.code == 0 && script.stdout.contains("_coroner()"),
        "{script:?}"
    );
    let page = desk.run(&["man"]);
    assert!(page.code == 0 && page.stdout.contains(".TH"), "{page:?}");
}

#[test]
fn colour_is_for_terminals_or_on_request() {
    let desk = Desk::new();
    desk.write("n1/beacon.log", BEACON);
    let plain = desk.run(&["timeline", "n1", "--format", "table"]);
    assert!(!plain.stdout.contains('\u{1b}'), "{plain:?}");
    let forced = desk.run(&["timeline", "n1", "--format", "table", "--color", "always"]);
    assert!(forced.stdout.contains("\u{1b}[33mWARN"), "{forced:?}");
}

#[test]
fn files_of_others_are_not_overwritten() {
    let desk = Desk::new();
    desk.write("n1/beacon.log", BEACON)
        .write("mine.md", "my own words\n");
    desk.fails(
        &["report", "n1", "-o", "mine.md"],
        2,
        "does not bear coroner's mark",
    );
    let first = desk.run(&["report", "n1", "-o", "draft.md"]);
    assert_eq!((first.code, first.stdout.as_str()), (0, ""), "{first:?}");
    let draft = std::fs::read_to_string(desk.path("draft.md")).unwrap();
    assert!(draft.starts_with("# Postmortem"), "{draft}");
    assert_eq!(desk.run(&["report", "n1", "-o", "draft.md"]).code, 0);
    desk.write(
        "draft.md",
        draft.replace("# Postmortem", "# Our postmortem"),
    );
    desk.fails(&["report", "n1", "-o", "draft.md"], 2, "was edited since");
    assert_eq!(
        desk.run(&["report", "n1", "-o", "draft.md", "--force"])
            .code,
        0
    );
    assert_eq!(desk.run(&["timeline", "n1", "-o", "t.csv"]).code, 0);
    assert!(
        std::fs::read_to_string(desk.path("t.csv"))
            .unwrap()
            .starts_with("ts,ts_basis,")
    );
    desk.fails(
        &["timeline", "n1", "--level", "warn", "-o", "t.csv"],
        2,
        "mark",
    );
}
