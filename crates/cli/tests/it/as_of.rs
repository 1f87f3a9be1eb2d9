//! One dump is asked as of one time, whichever verb asks and whatever the form of the dump.

use crate::run::{Desk, corpus_dump};
use serde_json::Value;

/// What the verbs say of the same evidence: `as_of` of each.
fn all_verbs(desk: &Desk, path: &str, keys: &[&str], has_jobs: bool) -> Vec<(String, Value)> {
    let mut asked: Vec<Vec<&str>> = keys.iter().map(|key| vec!["trace", path, key]).collect();
    asked.push(vec!["batches", path]);
    if has_jobs {
        asked.push(vec!["jobs", path]);
        asked.push(vec!["what-if", "jobs", path, "--max-attempts", "3"]);
    }
    let answers = asked.into_iter().map(|mut args| {
        let name = args.join(" ");
        args.extend(["--format", "json"]);
        let said = desk.run(&args);
        let answer: Value = serde_json::from_str(&said.stdout).expect(&said.stderr);
        (name, answer["as_of"].clone())
    });
    answers.collect()
}

/// In the corpus: executed, in the open batch, and a hash that is nowhere.
const EXECUTED: &str = "batch:7670";
const OPEN: &str = "0x1856e3230be7caf289ee028cab05a37f6ef9c054523840942980df915b8aaa35";
const NOWHERE: &str = "0x00000000000000000000000000000000000000000000000000000000deadbeef";

#[test]
fn every_verb_and_form_answers_as_of_one_time() {
    let keys = [EXECUTED, OPEN, NOWHERE, "eth_tx:41073"];
    let desk = Desk::new();
    // The newest time of the whole dump of 2023 is that of a prover job, which the five tables lack.
    for (forms, has_jobs, value) in [
        (
            vec!["z2023.full.copy.sql.gz"],
            true,
            "2023-09-18T06:27:07.536085Z",
        ),
        (
            vec!["znew.full.copy.sql.gz"],
            true,
            "2023-09-18T05:48:13.120268Z",
        ),
        (
            vec!["z2023.trace.inserts.sql.gz", "z2023.trace.fc.dump"],
            false,
            "2023-09-18T05:48:13.120177Z",
        ),
        (
            vec!["znew.trace.inserts.sql.gz", "znew.trace.fc.dump"],
            false,
            "2023-09-18T05:48:13.120268Z",
        ),
    ] {
        for form in forms {
            let Some(path) = corpus_dump(form) else {
                return;
            };
            let case = format!("{form}.case");
            assert_eq!(desk.run(&["ingest", &case, &path]).code, 0);
            for evidence in [&path, &case] {
                for (verb, as_of) in all_verbs(&desk, evidence, &keys, has_jobs) {
                    assert_eq!(as_of["value"], value, "{verb}");
                    assert_eq!(as_of["basis"], "newest row", "{verb}");
                    let rests_on = as_of["rests_on"].as_str().unwrap();
                    for table in ["l1_batches", "miniblocks", "eth_txs", "eth_txs_history"] {
                        assert!(rests_on.contains(table), "{verb}: {rests_on}");
                    }
                    assert!(rests_on.contains("then or later"), "{verb}: {rests_on}");
                    // Only an archive has a date in its head, and why it is not used is said.
                    let is_archive = form.ends_with(".dump");
                    assert_eq!(as_of["made"].is_object(), is_archive, "{verb}: {as_of}");
                    assert_eq!(
                        rests_on.contains("which it does not name"),
                        is_archive,
                        "{verb}: {rests_on}"
                    );
                }
            }
        }
    }
}

#[test]
fn the_date_of_an_archive_is_bounds() {
    let Some(path) = corpus_dump("znew.trace.fc.dump") else {
        return;
    };
    let desk = Desk::new();
    let trace = desk.json(&["trace", &path, EXECUTED, "--format", "json"], 0);
    // As its first bytes have it: second 8, minute 17, hour 5, day 21, month 10 from 0, year 126 from 1900.
    assert_eq!(
        trace["as_of"]["made"],
        serde_json::json!({
            "local": "2026-11-21T05:17:08.000000",
            "not_before": "2026-11-20T15:17:08.000000Z",
            "not_after": "2026-11-21T17:17:08.000000Z"
        })
    );
    // The same archive, dated before its rows: no zone explains that.
    let mut bytes = std::fs::read(&path).unwrap();
    assert_eq!(&bytes[..7], b"PGDMP\x01\x0e");
    let (month, year) = (16 + 4 * 5, 16 + 5 * 5);
    assert_eq!((bytes[month + 1], bytes[year + 1]), (10, 126));
    (bytes[month + 1], bytes[year + 1]) = (7, 123);
    desk.write("early.dump", bytes);
    let trace = desk.json(&["trace", "early.dump", EXECUTED, "--format", "json"], 0);
    assert_eq!(trace["as_of"]["value"], "2023-09-18T05:48:13.120268Z");
    let warnings = trace["warnings"].to_string();
    assert!(
        warnings.contains("after the dump was made as its header says (2023-08-21 05:17:08)"),
        "{warnings}"
    );
}

/// A dump of one batch and one job, begun at `started`; the job is the newest row.
fn small(started: &str) -> String {
    let header = match started {
        "" => String::new(),
        time => format!("-- Started on {time}\n"),
    };
    format!(
        "--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 15.18\n-- Dumped by pg_dump version 15.18\n\n{header}\
         CREATE TABLE public.l1_batches (\n    number bigint NOT NULL,\n    \"timestamp\" bigint NOT NULL,\n    created_at timestamp without time zone NOT NULL\n);\n\
         CREATE TABLE public.prover_jobs (\n    id bigint NOT NULL,\n    l1_batch_number bigint NOT NULL,\n    status text NOT NULL,\n    attempts smallint NOT NULL,\n    created_at timestamp without time zone NOT NULL,\n    updated_at timestamp without time zone NOT NULL,\n    processing_started_at timestamp without time zone\n);\n\
         COPY public.l1_batches (number, \"timestamp\", created_at) FROM stdin;\n7\t1694952000\t2023-09-17 12:00:01\n\\.\n\
         COPY public.prover_jobs (id, l1_batch_number, status, attempts, created_at, updated_at, processing_started_at) FROM stdin;\n\
         1\t7\tin_progress\t1\t2023-09-17 12:05:00\t2023-09-17 14:00:00\t2023-09-17 14:00:00\n\\.\n\n--\n-- PostgreSQL database dump complete\n--\n"
    )
}

#[track_caller]
fn check_small(started: &str, value: &str, basis: &str, warning: Option<&str>) {
    let desk = Desk::new();
    desk.write("small.sql", small(started));
    assert_eq!(desk.run(&["ingest", "small.case", "small.sql"]).code, 0);
    for evidence in ["small.sql", "small.case"] {
        for args in [
            vec!["trace", evidence, "batch:7"],
            vec!["batches", evidence],
            vec!["jobs", evidence],
        ] {
            let args = [&args[..], &["--format", "json"]].concat();
            let said = desk.run(&args);
            let answer: Value = serde_json::from_str(&said.stdout).expect(&said.stderr);
            assert_eq!(answer["as_of"]["value"], value, "{args:?} {started}");
            assert_eq!(answer["as_of"]["basis"], basis, "{args:?} {started}");
            let warnings = answer["warnings"].to_string();
            let is_said = warnings.contains("rows were written until 2023-09-17 14:00:00Z");
            assert_eq!(is_said, warning.is_some(), "{args:?} {warnings}");
            assert!(warnings.contains(warning.unwrap_or("")), "{warnings}");
        }
    }
}

#[test]
fn what_a_dump_says_of_its_making_goes_before_its_rows() {
    let newest = "2023-09-17T14:00:00.000000Z";
    check_small("", newest, "newest row", None);
    check_small(
        "2023-09-17 16:30:00 UTC",
        "2023-09-17T16:30:00.000000Z",
        "dump header",
        None,
    );
    // Begun a moment before its rows were frozen, by another machine's clock.
    check_small(
        "2023-09-17 13:58:00 UTC",
        "2023-09-17T13:58:00.000000Z",
        "dump header",
        None,
    );
    check_small(
        "2023-09-17 11:00:00 UTC",
        "2023-09-17T11:00:00.000000Z",
        "dump header",
        Some("at which the dump was begun as its header says"),
    );
    // CST is several zones: bounds, of which 15 hours before the newest row are outside.
    check_small("2023-09-17 08:30:00 CST", newest, "newest row", None);
    check_small(
        "2023-09-16 23:00:00 CST",
        newest,
        "newest row",
        Some("whatever the zone of the machine that dumped"),
    );
}

#[test]
fn times_that_count_back_do_so_from_the_snapshot() {
    let desk = Desk::new();
    desk.write("small.sql", small(""));
    desk.write("dated.sql", small("2023-09-17 16:30:00 UTC"));
    for (dump, asked, value) in [
        ("small.sql", "-3h", "2023-09-17T11:00:00.000000Z"),
        ("small.sql", "-90m", "2023-09-17T12:30:00.000000Z"),
        ("dated.sql", "-3h", "2023-09-17T13:30:00.000000Z"),
    ] {
        for args in [
            vec!["trace", dump, "batch:7"],
            vec!["batches", dump],
            vec!["jobs", dump],
            vec!["what-if", "jobs", dump, "--max-attempts", "3"],
        ] {
            let args = [&args[..], &["--as-of", asked, "--format", "json"]].concat();
            let said = desk.run(&args);
            let answer: Value = serde_json::from_str(&said.stdout).expect(&said.stderr);
            assert_eq!(answer["as_of"]["value"], value, "{args:?}");
            assert_eq!(answer["as_of"]["basis"], "given", "{args:?}");
            let shown = value.replace(".000000", "");
            assert!(said.stderr.contains(&format!("as of: {shown}")), "{said:?}");
        }
    }
    // What is no time at all names the forms that are.
    let said = desk.run(&["trace", "small.sql", "batch:7", "--as-of", "yesterday"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.stderr.contains("-3h"), "{said:?}");
    // Nobody knows the zone of a prover's database: nothing to count from.
    let bare = small("").replace("\"timestamp\" bigint NOT NULL", "other bigint NOT NULL");
    desk.write("bare.sql", bare.replace("\"timestamp\"", "other"));
    for args in [
        vec!["trace", "bare.sql", "batch:7"],
        vec!["jobs", "bare.sql"],
    ] {
        let args = [&args[..], &["--as-of", "-3h"]].concat();
        desk.fails(&args, 2, "of which nobody knows the zone");
        let said = desk.run(&args);
        assert!(said.stderr.contains("2023-09-18T05:00:00Z"), "{said:?}");
    }
}
