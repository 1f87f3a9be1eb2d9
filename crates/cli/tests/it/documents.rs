//! Documents that are no dump of PostgreSQL, from the file to the answer: asked plainly, and in a case.

use crate::run::{Desk, gzip};
use std::path::Path;

const ROOT: &str = "0x04700007fabc8282644aed6d1c7c9e21d38a03a0c4ba193f3afe428824b3a673";
const KEY: &str = "0xa03cbcdd4fc531f41aa3fb35d8b1323ae54a08028a792d16f4437545bcfc79580e54e2372458f6ecbe0e3f3480be2d56";

/// An interchange file with one validator.
fn interchange() -> String {
    format!(
        r#"{{"metadata":{{"interchange_format_version":"5","genesis_validators_root":"{ROOT}"}},"data":[{{"pubkey":"{KEY}","signed_blocks":[{{"slot":"81952"}}],"signed_attestations":[{{"source_epoch":"2290","target_epoch":"3007"}},{{"source_epoch":"2290","target_epoch":"3008"}}]}}]}}"#
    )
}

fn batches() -> String {
    (7670..7673)
        .map(|number| {
            format!(
                "{{\"jsonrpc\":\"2.0\",\"id\":{number},\"result\":{{\"number\":{number},\"timestamp\":1695008467,\"l1TxCount\":1,\"l2TxCount\":7,\"rootHash\":\"{ROOT}\",\"status\":\"verified\",\"commitTxHash\":\"{ROOT}\",\"committedAt\":\"2023-09-18T03:50:19.059576Z\",\"proveTxHash\":null,\"provenAt\":null}}}}\n"
            )
        })
        .collect()
}

/// File, kind, question, and the rows it must give.
fn cases() -> Vec<(
    &'static str,
    String,
    &'static str,
    &'static str,
    Vec<&'static str>,
)> {
    vec![
        (
            "protection.json",
            interchange(),
            "eip-3076",
            "SELECT b.slot, COUNT(*) AS votes, MAX(a.target_epoch) AS newest FROM signed_blocks b \
             JOIN signed_attestations a ON a.pubkey = b.pubkey GROUP BY b.slot",
            vec![r#"{"slot":81952,"votes":2,"newest":3008}"#],
        ),
        (
            "details.jsonl",
            batches(),
            "api-answers",
            "SELECT number, \"committedAt\" FROM \"zks_getL1BatchDetails\" WHERE number > 7670 ORDER BY number",
            vec![
                r#"{"number":7671,"committedAt":"2023-09-18T03:50:19.059576Z"}"#,
                r#"{"number":7672,"committedAt":"2023-09-18T03:50:19.059576Z"}"#,
            ],
        ),
        (
            "a03cbcdd4fc531f41aa3fb35d8b1323ae54a08028a792d16f4437545bcfc79580e54e2372458f6ecbe0e3f3480be2d56.yml",
            "lastSignedBlockSlot: 7\nlastSignedAttestationSourceEpoch: 1\nlastSignedAttestationTargetEpoch: 2\n".to_owned(),
            "slashing-protection-yaml",
            "SELECT \"lastSignedBlockSlot\", pubkey IS NOT NULL AS has_key FROM teku_slashing_protection",
            vec![r#"{"lastSignedBlockSlot":7,"has_key":true}"#],
        ),
        (
            "export.csv",
            format!("\"Transaction Hash\",\"Blockno\",\"UnixTimestamp\",\"DateTime (UTC)\",\"Method\"\n\"{ROOT}\",\"18160015\",\"1695008999\",\"2023-09-18 03:49:59\",\"Commit\"\n"),
            "etherscan-csv",
            "SELECT \"Blockno\", \"DateTime (UTC)\" FROM etherscan_transactions",
            vec![r#"{"Blockno":18160015,"DateTime (UTC)":"2023-09-18T03:49:59.000000Z"}"#],
        ),
    ]
}

#[test]
fn documents_are_asked_plainly_and_in_a_case() {
    for (file, content, kind, question, expected) in cases() {
        let desk = Desk::new();
        desk.write(file, &content);
        let plain = desk.run(&["sql", file, question]);
        assert_eq!(plain.code, 0, "{file}: {}", plain.shown());
        assert_eq!(plain.stdout.lines().collect::<Vec<_>>(), expected, "{file}");
        let ingested = desk.run(&["ingest", "c.case", file]);
        assert_eq!(ingested.code, 0, "{file}: {}", ingested.shown());
        let asked = desk.run(&["sql", "c.case", question]);
        assert_eq!(asked.stdout.lines().collect::<Vec<_>>(), expected, "{file}");
        let info = desk.json(&["info", "c.case", "--format", "json"], 0);
        assert_eq!(info["snapshots"][0]["kind"], kind);
        let again = desk.run(&["ingest", "c.case", file]);
        assert_eq!(again.code, 0, "{}", again.shown());
        let info = desk.json(&["info", "c.case", "--format", "json"], 0);
        assert_eq!(info["snapshots"].as_array().unwrap().len(), 1, "{file}");
        let stem = file.split('.').next().unwrap();
        assert_eq!(info["snapshots"][0]["name"], stem);
        let plain_info = desk.run(&["info", file, "--format", "json"]);
        assert_eq!(plain_info.code, 0, "{}", plain_info.shown());
    }
}

#[test]
fn documents_on_standard_input_and_packed() {
    let (_, content, _, question, expected) = cases().swap_remove(0);
    let desk = Desk::new();
    let said = desk.run_with_stdin(
        &["ingest", "c.case", "-", "--as", "mailed"],
        content.as_bytes(),
    );
    assert_eq!(said.code, 0, "{}", said.shown());
    let asked = desk.run(&["sql", "c.case", question]);
    assert_eq!(asked.stdout.lines().collect::<Vec<_>>(), expected);
    desk.write("protection.json.gz", gzip(content.as_bytes()));
    let asked = desk.run(&["sql", "protection.json.gz", question]);
    assert_eq!(
        asked.stdout.lines().collect::<Vec<_>>(),
        expected,
        "{}",
        asked.shown()
    );
}

#[test]
fn a_row_of_a_document_is_shown_as_it_stands_in_the_file() {
    let desk = Desk::new();
    desk.write("details.jsonl", batches());
    let said = desk.run(&["tables", "details.jsonl", "--format", "jsonl"]);
    let digest = said.lines()[0]["source"].as_str().unwrap().to_owned();
    let reference = format!("{digest}:public.zks_getL1BatchDetails#7671");
    let shown = &desk.run(&["show", "details.jsonl", &reference]).lines()[0];
    let raw = shown["raw"].as_str().unwrap();
    assert!(
        raw.starts_with("{\"number\":7671,") && raw.ends_with('}'),
        "{raw}"
    );
    let byte = shown["byte"].as_u64().unwrap() as usize;
    assert_eq!(&batches()[byte..byte + raw.len()], raw);
}

#[test]
fn a_cut_document_is_read_as_far_as_it_goes() {
    let desk = Desk::new();
    let whole = interchange();
    desk.write("cut.json", &whole[..whole.len() - 30]);
    let said = desk.run(&[
        "sql",
        "cut.json",
        "SELECT COUNT(*) AS n FROM signed_attestations",
    ]);
    assert_eq!(
        (said.code, said.stdout.trim()),
        (3, "{\"n\":1}"),
        "{}",
        said.shown()
    );
    let said = desk.run(&["ingest", "c.case", "cut.json"]);
    assert_eq!(said.code, 3, "{}", said.shown());
}

#[test]
fn prysms_database_is_answered_with_its_export() {
    let desk = Desk::new();
    let mut page = vec![0; 16];
    page[8] = 4;
    page.extend_from_slice(b"\xed\xda\x0c\xed\x02\0\0\0\0\x10\0\0");
    page.resize(32768, 0);
    desk.write("validator.db", &page);
    let said = desk.run(&["ingest", "c.case", "validator.db"]);
    assert_eq!(said.code, 2, "{}", said.shown());
    assert!(
        said.stderr
            .contains("prysm validator slashing-protection-history export"),
        "{}",
        said.shown()
    );
}

#[test]
fn a_file_of_sqlite() {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../shared/corpus/incidents/slashing-protection/lighthouse_v0_no_enabled_column.sqlite"
    );
    if !Path::new(file).exists() {
        eprintln!("SKIPPED: no corpus at {file}");
        return;
    }
    let desk = Desk::new();
    desk.write("slashing_protection.sqlite", std::fs::read(file).unwrap());
    let question = "SELECT COUNT(*) AS n, MAX(b.slot) AS newest FROM validators v JOIN signed_blocks b ON b.validator_id = v.id";
    let rows = "{\"n\":5,\"newest\":5}\n";
    for evidence in ["slashing_protection.sqlite", "c.case"] {
        if evidence == "c.case" {
            let said = desk.run(&["ingest", "c.case", "slashing_protection.sqlite"]);
            assert_eq!(said.code, 0, "{}", said.shown());
        }
        let said = desk.run(&["sql", evidence, question]);
        assert_eq!(
            (said.code, said.stdout.as_str()),
            (0, rows),
            "{}",
            said.shown()
        );
        let tables = desk.run(&["tables", evidence, "--format", "jsonl"]);
        let digest = tables.lines()[0]["source"].as_str().unwrap().to_owned();
        let reference = format!("{digest}:main.signed_blocks#1,1");
        let shown = &desk.run(&["show", evidence, &reference]).lines()[0];
        let raw = shown["raw"].as_str().unwrap();
        assert!(
            raw.starts_with(r#"{"validator_id": 1, "slot": 1, "signing_root": "0x41"#),
            "{raw}"
        );
    }
}

#[test]
fn json_that_is_no_document_stays_a_log() {
    let desk = Desk::new();
    desk.write(
        "server.log",
        "{\"timestamp\":\"2024-04-15T17:42:40.913018741Z\",\"level\":\"INFO\",\"fields\":{\"message\":\"hello\",\"number\":1},\"target\":\"a\"}\n",
    );
    let said = desk.run(&["timeline", "server.log"]);
    assert_eq!(said.lines().len(), 1, "{}", said.shown());
    assert_eq!(said.lines()[0]["message"], "hello");
}
