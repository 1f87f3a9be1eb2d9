//! `trace` with answers of APIs and an export of Etherscan: beside a dump, plainly and in a case, and alone.

use crate::run::{Desk, HASH, repository};
use crate::schemas::valid;
use serde_json::Value;

const COMMIT: &str = "0x0b01e199877faef52b95477119f53bf546a2915bc903132331f41542e58da53d";
const PROVE: &str = "0x6762eed0d2b7540d5eaf7b3fc0087381ae4d3e8a4810492eb1fc4bd8fc9c1ab0";

/// What a node says of batch 7670: its commit as the database has it, its proof otherwise, its execution not yet.
fn details() -> String {
    let wrong = format!("0x{}", "ab".repeat(32));
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"result":{{"number":7670,"timestamp":1695007543,"l1TxCount":0,"l2TxCount":1,"rootHash":null,"status":"sealed","commitTxHash":"{COMMIT}","committedAt":"2023-09-18T03:50:19.059576Z","proveTxHash":"{wrong}","provenAt":"2023-09-18T07:04:43.042615Z","executeTxHash":null,"executedAt":null}}}}
"#
    )
}

/// L1 mined the commit 20 seconds before the server noticed it.
fn export() -> String {
    format!(
        "\"Transaction Hash\",\"Blockno\",\"UnixTimestamp\",\"DateTime (UTC)\",\"Status\",\"Method\"\n\
         \"{COMMIT}\",\"18160016\",\"1695008999\",\"2023-09-18 03:49:59\",\"Success\",\"Commit\"\n"
    )
}

#[track_caller]
fn check(trace: &Value) {
    valid("trace", trace);
    assert_eq!(trace["fate"], "execute_confirmed");
    let path = &trace["path"][0];
    let commit = path["commit"]["answers"].as_array().unwrap();
    assert_eq!(commit.len(), 2, "{commit:?}");
    assert!(
        commit.iter().all(|said| said["agrees"] == true),
        "{commit:?}"
    );
    assert_eq!(
        path["commit"]["l1_mined"]["at"],
        "2023-09-18T03:49:59.000000Z"
    );
    assert_eq!(path["prove"]["answers"][0]["agrees"], false);
    assert_eq!(path["execute"]["answers"][0]["agrees"], false);
    let warnings: Vec<&str> = trace["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .filter(|warning| warning.starts_with("API and table disagree"))
        .collect();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains(PROVE), "{warnings:?}");
    assert!(warnings[1].contains("names no transaction"), "{warnings:?}");
}

#[test]
fn answers_stand_beside_the_tables() {
    let desk = Desk::new();
    let dump = repository("samples/zksync-2023/input/zksync_local.sql.gz");
    desk.write("e/zksync_local.sql.gz", std::fs::read(dump).unwrap());
    desk.write("e/details.json", details());
    desk.write("e/etherscan.csv", export());
    check(&desk.json(&["trace", "e", HASH, "--format", "json"], 0));
    // The snapshot chosen is whose rows are followed; what others say of them is heard all the same.
    let chosen = [
        "trace",
        "e",
        HASH,
        "--snapshot",
        "zksync_local",
        "--format",
        "json",
    ];
    check(&desk.json(&chosen, 0));
    assert_eq!(desk.run(&["ingest", "c.case", "e"]).code, 0);
    let trace = desk.json(&["trace", "c.case", HASH, "--format", "json"], 0);
    check(&trace);
    let chosen = [
        "trace",
        "c.case",
        HASH,
        "--snapshot",
        "zksync_local",
        "--format",
        "json",
    ];
    check(&desk.json(&chosen, 0));
    // A cited answer is the answer.
    let reference = trace["path"][0]["commit"]["answers"][1]["ref"]
        .as_str()
        .unwrap();
    let shown = desk.json(&["show", "c.case", reference, "--format", "jsonl"], 0);
    assert!(shown["raw"].as_str().unwrap().contains(COMMIT));
    let text = desk.run(&["trace", "c.case", HASH, "--format", "table"]);
    assert!(
        text.stdout.contains("mined on L1 2023-09-18 03:49:59Z"),
        "{}",
        text.shown()
    );
}

#[test]
fn answers_alone_are_followed_as_far_as_they_go() {
    let desk = Desk::new();
    desk.write("details.json", details());
    assert_eq!(desk.run(&["ingest", "c.case", "details.json"]).code, 0);
    for evidence in ["details.json", "c.case"] {
        let trace = desk.json(&["trace", evidence, "batch:7670", "--format", "json"], 0);
        valid("trace", &trace);
        assert_eq!(trace["fate"], "prove_confirmed");
        assert_eq!(trace["path"][0]["execute"]["state"], Value::Null);
        assert_eq!(trace["waiting"]["stage"], "execute");
        let by_hash = desk.json(&["trace", evidence, COMMIT, "--format", "json"], 0);
        assert_eq!(
            (&by_hash["kind"], &by_hash["path"]),
            (&"l1_tx".into(), &trace["path"])
        );
        let unknown = desk.run(&["trace", evidence, HASH, "--format", "json"]);
        assert_eq!(unknown.code, 1, "{}", unknown.shown());
    }
}
