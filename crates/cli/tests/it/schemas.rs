//! Every JSON answer is what `docs/schemas` says.

use crate::run::{BEACON, DUMP, Desk, HASH, repository};
use serde_json::Value;

#[track_caller]
pub(crate) fn valid(verb: &str, value: &Value) {
    let path = repository(&format!("docs/schemas/{verb}.json"));
    let schema: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(value)
        .map(|error| format!("{} at {}", error, error.instance_path()))
        .collect();
    assert!(
        errors.is_empty(),
        "{verb}: {}\n{value:#}",
        errors.join("\n")
    );
}

/// Runs a verb as a document and as lines, and checks both.
#[track_caller]
fn check(desk: &Desk, args: &[&str], codes: &[i32]) {
    let verb = args[0];
    let with = |format: &'static str| {
        let mut args = args.to_vec();
        args.extend(["--format", format]);
        let said = desk.run(&args);
        assert!(codes.contains(&said.code), "{args:?}: {said:?}");
        said
    };
    let text = with("json").stdout;
    assert!(
        text.starts_with(&format!("{{\"schema\":\"coroner/{verb}/1\"")),
        "{text}"
    );
    valid(verb, &serde_json::from_str(&text).unwrap());
    if list(verb) {
        for line in with("jsonl").lines() {
            assert!(line.get("schema").is_none());
            valid(verb, &line);
        }
    }
}

fn list(verb: &str) -> bool {
    matches!(
        verb,
        "parse"
            | "nodes"
            | "tables"
            | "timeline"
            | "search"
            | "show"
            | "sql"
            | "query"
            | "batches"
            | "queries"
            | "formats"
            | "cache"
    )
}

#[test]
fn schemas_are_schemas() {
    let folder = repository("docs/schemas");
    let mut count = 0;
    for item in std::fs::read_dir(folder).unwrap().flatten() {
        let schema: Value = serde_json::from_slice(&std::fs::read(item.path()).unwrap()).unwrap();
        assert!(jsonschema::meta::is_valid(&schema), "{:?}", item.path());
        count += 1;
    }
    assert_eq!(count, 26);
}

#[test]
fn answers_on_small_evidence() {
    let desk = Desk::new();
    desk.write("e/n1/beacon.log", BEACON)
        .write("e/n2/beacon.log", BEACON.replace("41", "40"))
        .write("e/d.sql", DUMP);
    check(
        &desk,
        &["ingest", "x.case", "e", "--network", "medalla"],
        &[0],
    );
    check(&desk, &["ingest", "y.case", "e", "--dry-run"], &[0]);
    check(&desk, &["amend", "x.case", "S1", "--node", "west"], &[0]);
    for evidence in ["x.case", "e"] {
        check(&desk, &["triage", evidence], &[0, 1]);
        check(&desk, &["info", evidence, "--gaps"], &[0]);
        check(&desk, &["nodes", evidence], &[0]);
        check(&desk, &["tables", evidence], &[0]);
        check(&desk, &["timeline", evidence], &[0]);
        check(&desk, &["timeline", evidence, "--from", "2030-01-01"], &[1]);
        check(&desk, &["search", evidence, "roughtime"], &[0]);
        check(&desk, &["search", evidence, "hello"], &[0]);
        check(
            &desk,
            &[
                "sql",
                evidence,
                "SELECT level, COUNT(*) AS n FROM records GROUP BY level ORDER BY level",
            ],
            &[0],
        );
        check(
            &desk,
            &["query", evidence, "logs/records_per_level_and_minute"],
            &[0, 1],
        );
        check(&desk, &["clock", evidence], &[0, 1, 4]);
        check(&desk, &["trace", evidence, HASH], &[0]);
        check(&desk, &["trace", evidence, "batch:7670"], &[0, 1]);
        check(&desk, &["show", evidence, "S1:2"], &[0]);
        check(&desk, &["report", evidence], &[0]);
    }
    let count = desk.json(&["search", "e", "roughtime", "--count"], 0);
    valid("search", &count);
    check(&desk, &["verify", "x.case"], &[0]);
    check(&desk, &["seal", "x.case"], &[0]);
    check(&desk, &["queries"], &[0]);
    check(&desk, &["formats"], &[0]);
    check(&desk, &["formats", "test", "e/n1/beacon.log"], &[0]);
    check(&desk, &["parse", "e/n1"], &[0]);
    check(&desk, &["cache", "list"], &[0]);
    check(&desk, &["cache", "purge"], &[0]);
    check(&desk, &["forget", "x.case", "S1"], &[0]);
    valid("tables", &desk.json(&["tables", "e/d.sql"], 0));
}

#[test]
fn answers_on_the_samples() {
    let desk = Desk::new();
    for sample in ["medalla-2020", "zksync-2023"] {
        let input = repository(&format!("samples/{sample}/input"));
        let input = input.to_str().unwrap();
        check(&desk, &["triage", input], &[0, 1]);
        check(&desk, &["info", input], &[0, 3]);
        check(&desk, &["nodes", input], &[0]);
        check(&desk, &["clock", input], &[0, 1, 4]);
        check(&desk, &["timeline", input, "--level", "warn"], &[0, 1]);
    }
    let dump = repository("samples/zksync-2023/input/zksync_local.sql.gz");
    let dump = dump.to_str().unwrap();
    check(&desk, &["trace", dump, HASH], &[0]);
    check(&desk, &["trace", dump, "batch:7716"], &[0, 1]);
    check(&desk, &["batches", dump], &[0]);
    check(&desk, &["batches", dump, "--from", "2023-09-18"], &[0]);
    check(&desk, &["batches", dump, "--to", "2020-01-01"], &[1]);
    check(&desk, &["tables", dump], &[0]);
}

#[test]
fn the_schemas_catch_errors() {
    let desk = Desk::new();
    desk.write("n1/beacon.log", BEACON);
    let mut info = desk.json(&["info", "n1"], 0);
    valid("info", &info);
    info["sources"][0]["first_ts"] = "2020-08-14 17:30".into();
    let path = repository("docs/schemas/info.json");
    let schema: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    assert!(!validator.is_valid(&info));
}
