//! Answers of APIs, in every envelope.

use dumps::{DumpKind, DumpStatus, Trouble};
use model::ColumnType;

use super::{read_every_way, rows, types};
use crate::common::read_all;

fn hash(number: u64) -> String {
    format!("0x{number:064x}")
}

/// A batch as `zks_getL1BatchDetails` gives it; executed if its number is even.
fn details(number: u64) -> String {
    let executed = match number % 2 {
        0 => format!(
            r#""executeTxHash":"{}","executedAt":"2023-04-09T18:05:40.548203Z""#,
            hash(number + 3)
        ),
        _ => r#""executeTxHash":null,"executedAt":null"#.to_owned(),
    };
    format!(
        r#"{{"number":{number},"timestamp":1695008467,"l1TxCount":1,"l2TxCount":7,"rootHash":"{}","status":"verified","commitTxHash":"{}","committedAt":"2023-04-09T18:05:40Z","proveTxHash":null,"provenAt":null,{executed},"l1GasPrice":11546000042,"l2FairGasPrice":250000000,"baseSystemContractsHashes":{{"bootloader":"{}","default_aa":"{}"}}}}"#,
        hash(number),
        hash(number + 1),
        hash(100),
        hash(101)
    )
}

const COLUMNS: [&str; 6] = [
    "number",
    "rootHash",
    "commitTxHash",
    "executedAt",
    "l1GasPrice",
    "baseSystemContractsHashes_bootloader",
];

fn expected(number: u64) -> String {
    let executed = match number % 2 {
        0 => "1681063540548203",
        _ => "NULL",
    };
    format!(
        "{number} {} {} {executed} 11546000042 {}",
        hash(number),
        hash(number + 1),
        hash(100)
    )
}

#[test]
fn batch_details_in_every_envelope() {
    let rpc = |number| {
        format!(
            r#"{{"jsonrpc":"2.0","id":{number},"result":{}}}"#,
            details(number)
        )
    };
    let lines = |one: &dyn Fn(u64) -> String, between: &str| {
        (1..4).map(one).collect::<Vec<_>>().join(between)
    };
    for text in [
        lines(&details, "\n"),
        lines(&rpc, "\n"),
        format!("[{}]", lines(&rpc, ",\n")),
        format!("[\n  {}\n]\n", lines(&details, ",\n  ")),
        format!(
            r#"{{"jsonrpc":"2.0","result":[{}],"id":1}}"#,
            lines(&details, ", ")
        ),
        format!("\u{feff}{}", lines(&rpc, " ")),
    ] {
        assert_eq!(
            dumps::sniff(text.as_bytes()),
            Some(DumpKind::ApiAnswers),
            "{text}"
        );
        let (facts, kept) = read_every_way(text.as_bytes());
        assert_eq!(facts.status, DumpStatus::Complete, "{:?}", kept.rejects);
        let wanted: Vec<String> = (1..4).map(expected).collect();
        assert_eq!(rows(&kept, "zks_getL1BatchDetails", &COLUMNS), wanted);
        let table = &facts.table(None, "zks_getL1BatchDetails").unwrap().info;
        assert_eq!(table.primary_key, ["number"]);
        // Never asked about in this file, but what it would be is known.
        let column = |name: &str| table.columns.iter().find(|(n, _)| n == name).unwrap().1;
        assert_eq!(column("provenAt"), ColumnType::TimestampUtc);
        assert_eq!(column("proveTxHash"), ColumnType::Bytes);
    }
}

#[test]
fn the_id_of_a_call_stays_with_its_answer() {
    let answer = r#"{"isL1Originated":false,"status":"included","fee":"0x10f2c9c8e1d800","gasPerPubdata":"0x309","initiatorAddress":"0x36615cf349d7f6344891b1e7ca7c72883f5dc049","receivedAt":"2023-09-18T03:47:02.134Z","ethCommitTxHash":null,"ethProveTxHash":null,"ethExecuteTxHash":null}"#;
    let text = format!(
        "{{\"jsonrpc\":\"2.0\",\"result\":{answer},\"id\":\"0xabc\"}}\n{{\"jsonrpc\":\"2.0\",\"result\":null,\"id\":2}}\n{{\"jsonrpc\":\"2.0\",\"error\":{{\"code\":-32602,\"message\":\"no\"}},\"id\":3}}\n"
    );
    let (facts, kept) = read_every_way(text.as_bytes());
    assert_eq!(facts.status, DumpStatus::Complete);
    let columns = [
        "rpc_id",
        "fee",
        "gasPerPubdata",
        "initiatorAddress",
        "receivedAt",
    ];
    assert_eq!(
        rows(&kept, "zks_getTransactionDetails", &columns),
        ["0xabc 4770548099962880 777 0x36615cf349d7f6344891b1e7ca7c72883f5dc049 1695008822134000"]
    );
    let whats: Vec<_> = kept
        .rejects
        .iter()
        .map(|r| (r.line, r.trouble, &*r.what))
        .collect();
    assert_eq!(
        whats,
        [
            (2, Trouble::Other, "an answer without a result: `null`"),
            (
                3,
                Trouble::Other,
                "the API answered with an error: `{\"code\":-32602,\"message\":\"no\"}`"
            ),
        ]
    );
    // The first calls may all have failed.
    let failed = "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":null}\n".repeat(3);
    assert_eq!(dumps::sniff(failed.as_bytes()), None);
    let text = format!("{failed}{text}");
    assert_eq!(dumps::sniff(text.as_bytes()), Some(DumpKind::ApiAnswers));
}

#[test]
fn pages_of_a_block_explorer() {
    let batch = r#"{"number":12,"timestamp":"2022-11-21T18:16:51.000Z","rootHash":null,"executedAt":null,"l1TxCount":0,"l2TxCount":3,"size":3,"status":"sealed"}"#;
    let block = r#"{"number":"812","hash":"0x51f81bcdfc324a0dff2b5bec9d92e21cbebc4d5e29d3a3d30de3e03fbeab8d7f","timestamp":"2022-11-21T18:16:51.000Z","gasUsed":"7","l1BatchNumber":12,"isL1BatchSealed":true,"l1TxCount":0,"l2TxCount":3,"size":3,"status":"verified"}"#;
    let text = format!(
        "{{\"items\":[\n{batch},\n{}],\"meta\":{{\"totalItems\":2,\"itemCount\":2}},\"links\":{{}}}}",
        batch.replace(":12,", ":13,")
    );
    let (facts, kept) = read_every_way(text.as_bytes());
    assert_eq!(facts.status, DumpStatus::Complete);
    assert_eq!(kept.rejects, []);
    let columns = ["#", "number", "timestamp", "size", "status"];
    assert_eq!(
        rows(&kept, "explorer_batches", &columns),
        [
            "1 12 1669054611000000 3 sealed",
            "2 13 1669054611000000 3 sealed"
        ]
    );
    let of_type = types(text.as_bytes(), "explorer_batches");
    assert!(of_type.contains(&("timestamp".to_owned(), ColumnType::TimestampUtc)));
    assert!(of_type.contains(&("rootHash".to_owned(), ColumnType::Bytes)));
    // The explorer writes numbers of blocks as numbers: digits in quotes are not its blocks.
    assert_eq!(dumps::sniff(block.as_bytes()), None);
    let block = block.replace("\"812\"", "812");
    let (_, kept) = read_every_way(block.as_bytes());
    assert_eq!(
        rows(
            &kept,
            "explorer_blocks",
            &["number", "isL1BatchSealed", "gasUsed"]
        ),
        ["812 true 7"]
    );
    let transaction = r#"{"hash":"0x51f81bcdfc324a0dff2b5bec9d92e21cbebc4d5e29d3a3d30de3e03fbeab8d7f","to":"0x000000000000000000000000000000000000800a","from":"0x36615cf349d7f6344891b1e7ca7c72883f5dc049","data":"0x","isL1Originated":false,"fee":"0x5c0d","value":"0x0de0b6b3a7640000","nonce":42,"gasLimit":"1","gasPrice":"250000000","blockNumber":812,"l1BatchNumber":12,"receivedAt":"2022-11-21T18:16:51.000Z","status":"verified","commitTxHash":null,"proveTxHash":null,"executeTxHash":null}"#;
    let (_, kept) = read_every_way(transaction.as_bytes());
    assert_eq!(
        rows(
            &kept,
            "explorer_transactions",
            &["data", "value", "fee", "commitTxHash"]
        ),
        ["0x 1000000000000000000 23565 NULL"]
    );
}

#[test]
fn checkpoints_and_inclusion() {
    let text = format!(
        "{{\"execution_optimistic\":false,\"finalized\":false,\"data\":{{\"previous_justified\":{{\"epoch\":\"200749\",\"root\":\"{0}\"}},\"current_justified\":{{\"epoch\":\"200749\",\"root\":\"{0}\"}},\"finalized\":{{\"epoch\":\"200748\",\"root\":\"{1}\"}}}}}}\n",
        hash(49),
        hash(48)
    );
    let (_, kept) = read_every_way(text.as_bytes());
    assert_eq!(
        rows(
            &kept,
            "finality_checkpoints",
            &[
                "current_justified_epoch",
                "finalized_epoch",
                "finalized_root",
                "finalized"
            ]
        ),
        [format!("200749 200748 {} false", hash(48))]
    );
    let text = r#"{"data":{"current_epoch_active_gwei":642688000000000,"previous_epoch_active_gwei":642688000000000,"current_epoch_target_attesting_gwei":366208000000000,"previous_epoch_target_attesting_gwei":1000000000,"previous_epoch_head_attesting_gwei":1000000000}}"#;
    let (_, kept) = read_every_way(text.as_bytes());
    assert_eq!(
        rows(
            &kept,
            "validator_inclusion_global",
            &[
                "current_epoch_active_gwei",
                "previous_epoch_target_attesting_gwei"
            ]
        ),
        ["642688000000000 1000000000"]
    );
    let text = r#"{"epoch":"200750","finalized":false,"participation":{"globalParticipationRate":0.663,"votedEther":"12","eligibleEther":"18","currentEpochActiveGwei":"18008000000000000"}}"#;
    let (facts, kept) = read_every_way(text.as_bytes());
    assert_eq!(facts.tables[0].info.primary_key, ["epoch"]);
    assert_eq!(
        rows(
            &kept,
            "prysm_participation",
            &[
                "epoch",
                "participation_globalParticipationRate",
                "participation_currentEpochActiveGwei"
            ]
        ),
        ["200750 0.663 18008000000000000"]
    );
    let text = r#"{"data":{"genesis_time":"1606824023","genesis_validators_root":"0x4b363db94e286120d76eb905340fdd4e54bfe9f06bf33ff6cf5ad27f511bfe95","genesis_fork_version":"0x00000000"}}"#;
    let (_, kept) = read_every_way(text.as_bytes());
    assert_eq!(
        rows(&kept, "genesis", &["genesis_time", "genesis_fork_version"]),
        ["1606824023 0x00000000"]
    );
}

#[test]
fn a_broken_answer_is_located_with_all_its_lines() {
    let text = details(1).replace(
        r#""status":"verified""#,
        "\"status\":\n  verified,\n \"more\":\"x\"",
    );
    let (facts, kept) = read_all(format!("\n{text}\n{}", details(2)).as_bytes());
    let found: Vec<_> = kept
        .rejects
        .iter()
        .map(|r| (r.line, r.lines, r.table.as_deref(), &*r.what))
        .collect();
    let what = "status: `verified` is no JSON value";
    assert_eq!(found, [(2, 3, Some("zks_getL1BatchDetails"), what)]);
    let table = &facts.tables[0];
    assert_eq!((table.rows, table.damaged_rows), (2, 1));
}

#[test]
fn several_answers_mix_in_one_file() {
    let text = format!(
        "{}\n{}\nnot json\n{}\n{{\"number\": 3,\n",
        details(1),
        r#"{"unknown":{"a":[1]}}"#,
        r#"{"proof":["0x00"],"id":3,"root":"0x00"}"#,
    );
    let (facts, kept) = read_all(text.as_bytes());
    assert_eq!(facts.status, DumpStatus::Truncated);
    assert_eq!(kept.count("zks_getL1BatchDetails"), 1);
    assert_eq!(kept.count("zks_getL2ToL1LogProof"), 1);
    let found: Vec<_> = kept
        .rejects
        .iter()
        .map(|r| (r.line, r.lines, r.trouble))
        .collect();
    assert_eq!(
        found,
        [
            (2, 1, Trouble::Other),
            (3, 1, Trouble::Damaged),
            (5, 2, Trouble::Truncated)
        ]
    );
}

#[test]
fn a_number_that_comes_twice_is_no_key() {
    let text = format!("{}\n{}\n", details(1), details(1));
    let (facts, _) = read_every_way(text.as_bytes());
    let table = facts.table(None, "zks_getL1BatchDetails").unwrap();
    assert!(table.info.primary_key.is_empty());
    assert!(table.notes[0].contains("number"), "{:?}", table.notes);
}

#[test]
fn logs_in_json_are_no_answers() {
    for text in [
        r#"{"timestamp":"2024-04-15T17:42:40.913018741Z","level":"INFO","fields":{"message":"x"},"target":"a"}"#,
        r#"{"log":"INFO x\n","stream":"stdout","time":"2020-08-14T17:31:02Z"}"#,
        r#"[{"_source":{"message":"x","@timestamp":"2020-08-14T17:31:02Z"}}]"#,
        r#"{"data":{"result":[{"stream":{},"values":[["1","x"]]}]},"status":"success"}"#,
        r#"{"resourceLogs":[{"scopeLogs":[]}]}"#,
        r#"{"data":{"number":1}}"#,
        r#"{"metadata":{"name":"pod"},"data":{"a":"b"}}"#,
        "[]",
        "{}",
        "{",
        "[[[[",
    ] {
        assert_eq!(dumps::sniff(text.as_bytes()), None, "{text}");
    }
}
