//! `batches` against the named queries; `trace` with logs beside the dump: each step cites the lines that speak of it, and what line and table
//! say differently is reported.

use crate::run::{Desk, HASH, repository};
use crate::schemas::valid;
use serde_json::Value;

const COMMIT: &str = "0x0b01e199877faef52b95477119f53bf546a2915bc903132331f41542e58da53d";
const PROVE: &str = "0x6762eed0d2b7540d5eaf7b3fc0087381ae4d3e8a4810492eb1fc4bd8fc9c1ab0";

fn server_log() -> String {
    let wrong = format!("0x{}", "ab".repeat(32));
    format!(
        "2023-09-18T03:31:02.500000Z  INFO zksync_core::state_keeper::io::seal_logic: Sealing miniblock 15841 (L1 batch 7670) with 1 (1 L2 + 0 L1) txs, 2 events, 3 reads, 4 writes
2023-09-18T03:33:42.000000Z  INFO zksync_core::state_keeper::io::seal_logic: Sealing miniblock 15842 (L1 batch 7670) with 0 (0 L2 + 0 L1) txs, 0 events, 0 reads, 0 writes
2023-09-18T03:36:21.600000Z  INFO zksync_core::state_keeper::io::seal_logic: Sealing L1 batch 7670 with 2 (2 L2 + 0 L1) txs, 1 l2_l1_logs, 2 events, 3 reads (2 deduped), 4 writes (3 deduped)
2023-09-18T03:37:16.410000Z  INFO zksync_core::eth_sender::eth_tx_aggregator: eth_tx with ID 41073 for op commit was saved for L1 batches L1BatchNumber(7670)..=L1BatchNumber(7670)
2023-09-18T03:50:19.060000Z  INFO zksync_core::eth_sender::eth_tx_manager: eth_tx 41073 with hash {COMMIT} for CommitBlocks is confirmed. Gas spent: 211073
2023-09-18T06:50:00.000000Z  INFO zksync_core::eth_sender::eth_tx_manager: Resending operation 41148 with base fee 12 and priority fee 1
2023-09-18T07:04:43.100000Z  INFO zksync_core::eth_sender::eth_tx_manager: eth_tx 41148 with hash {wrong} for PublishProofBlocksOnchain is confirmed. Gas spent: 211148
2023-09-18T07:05:00.000000Z  INFO zksync_core::eth_sender::eth_tx_aggregator: eth_tx with ID 41999 for op execute was saved for L1 batches L1BatchNumber(7661)..=L1BatchNumber(7670)
2023-09-18T07:06:00.000000Z  INFO zksync_core::eth_sender::eth_tx_aggregator: eth_tx with ID 42001 for op commit was saved for L1 batches L1BatchNumber(7999)..=L1BatchNumber(7999)
"
    )
}

fn desk() -> Desk {
    let desk = Desk::new();
    let dump = repository("samples/zksync-2023/input/zksync_local.sql.gz");
    desk.write("e/zksync_local.sql.gz", std::fs::read(dump).unwrap());
    desk.write("e/server.log", server_log());
    desk
}

fn whats(step: &Value) -> Vec<&str> {
    let lines = step["lines"].as_array().map_or(&[][..], Vec::as_slice);
    lines
        .iter()
        .map(|line| line["what"].as_str().unwrap())
        .collect()
}

#[test]
fn steps_cite_log_lines_and_disagreements_are_said() {
    let desk = desk();
    let trace = desk.json(&["trace", "e", HASH, "--format", "json"], 0);
    valid("trace", &trace);
    assert_eq!(trace["fate"], "execute_confirmed");
    let path = &trace["path"][0];
    assert_eq!(whats(path), ["miniblock_sealed", "batch_sealed"]);
    assert_eq!(whats(&path["commit"]), ["tx_saved", "tx_confirmed"]);
    assert_eq!(whats(&path["prove"]), ["tx_resent", "tx_confirmed"]);
    assert_eq!(whats(&path["execute"]), ["tx_saved"]);
    // A cited line is the line.
    let confirmed = &path["commit"]["lines"][1];
    assert_eq!(confirmed["ts"], "2023-09-18T03:50:19.060000Z");
    let reference = confirmed["ref"].as_str().unwrap();
    let shown = desk.json(&["show", "e", reference, "--format", "jsonl"], 0);
    assert!(shown["raw"].as_str().unwrap().contains(COMMIT));
    let refs = trace["refs"].as_array().unwrap();
    assert!(refs.contains(&confirmed["ref"]));

    let disagreements: Vec<&str> = trace["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .filter(|text| text.starts_with("log and table disagree"))
        .collect();
    assert_eq!(disagreements.len(), 3, "{disagreements:#?}");
    let says = |parts: &[&str]| {
        assert!(
            disagreements
                .iter()
                .any(|text| parts.iter().all(|part| text.contains(part))),
            "{parts:?} in {disagreements:#?}"
        );
    };
    says(&[
        "prove:",
        "says that 0xabab",
        &format!("the table says {PROVE}"),
    ]);
    says(&[
        "prove:",
        "1 resends of eth_tx 41148, the table keeps 1 attempts",
    ]);
    says(&[
        "execute:",
        "saved eth_tx 41999 for it, the table links eth_tx 41151",
    ]);
    let text = desk.run(&["trace", "e", HASH, "--format", "table"]).stdout;
    assert!(
        text.contains("log lines   7, the last: 2023-09-18 07:05:00Z tx_saved"),
        "{text}"
    );

    // The dump alone is asked as it lies, and says nothing of lines.
    let alone = desk.json(
        &["trace", "e/zksync_local.sql.gz", HASH, "--format", "json"],
        0,
    );
    assert_eq!(alone["path"][0].get("lines"), None);
    assert_eq!(alone["path"][0]["commit"]["l1_tx_hash"], COMMIT);
}

/// Lines of the commit of batch 7670, as the sample's rows have it, each so many seconds off.
fn commit_log(offsets: [i64; 5]) -> String {
    let line = |time: &str, offset: i64, text: String| {
        let us = model::time::parse_utc(time).unwrap() + offset * 1_000_000;
        format!(
            "{}  INFO zksync_core::{text}\n",
            model::time::format_utc(us)
        )
    };
    let [miniblock, batch, saved, resent, confirmed] = offsets;
    [
        line("2023-09-18T03:31:02.500000Z", miniblock, "state_keeper::io::seal_logic: Sealing miniblock 15841 (L1 batch 7670) with 1 (1 L2 + 0 L1) txs, 2 events, 3 reads, 4 writes".into()),
        line("2023-09-18T03:36:21.600000Z", batch, "state_keeper::io::seal_logic: Sealing L1 batch 7670 with 2 (2 L2 + 0 L1) txs, 1 l2_l1_logs, 2 events, 3 reads (2 deduped), 4 writes (3 deduped)".into()),
        line("2023-09-18T03:37:16.410000Z", saved, "eth_sender::eth_tx_aggregator: eth_tx with ID 41073 for op commit was saved for L1 batches L1BatchNumber(7670)..=L1BatchNumber(7670)".into()),
        line("2023-09-18T03:37:19.850000Z", resent, "eth_sender::eth_tx_manager: Resending operation 41073 with base fee 12 and priority fee 1".into()),
        line("2023-09-18T03:50:19.060000Z", confirmed, format!("eth_sender::eth_tx_manager: eth_tx 41073 with hash {COMMIT} for CommitBlocks is confirmed. Gas spent: 211073")),
    ]
    .concat()
}

/// Times of lines and rows: within a minute they agree, further apart they are reported, and nothing is corrected.
#[test]
fn times_of_lines_and_rows_that_disagree_are_said() {
    let hour = 3600;
    for (offsets, expected) in [
        ([0, 0, 0, 0, 0], vec![]),
        ([30, -50, 20, 0, -40], vec![]),
        (
            [0, 0, 7200, 0, 0],
            vec!["commit: eth_tx 41073 was saved 2h 00m later than eth_txs.created_at"],
        ),
        (
            [600, 0, 0, 0, 0],
            vec!["miniblock 15841 was sealed 10m 00s later than miniblocks.created_at"],
        ),
        (
            [0, -300, 0, 0, 240],
            vec![
                "batch 7670 was sealed 5m 00s earlier than the time of sealing in l1_batches",
                "commit: eth_tx 41073 was confirmed 4m 00s later than confirmed_at",
            ],
        ),
        // All of it by the same: one cause, said once.
        (
            [hour, hour, hour, hour, hour],
            vec!["4 lines are all about 60m 00s later than the rows that they speak of"],
        ),
    ] {
        let desk = desk();
        desk.write("e/server.log", commit_log(offsets));
        let trace = desk.json(&["trace", "e", HASH, "--format", "json"], 0);
        let said: Vec<&str> = trace["warnings"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_str)
            // One resend and one attempt: a row is gone, and is said elsewhere.
            .filter(|text| text.starts_with("log and table disagree") && !text.contains("resends"))
            .collect();
        assert_eq!(said.len(), expected.len(), "{offsets:?}: {said:#?}");
        for (said, expected) in said.iter().zip(&expected) {
            assert!(said.contains(expected), "{offsets:?}: {said}");
        }
        let commit = &trace["path"][0]["commit"];
        assert_eq!(
            commit["confirmed_at"], "2023-09-18T03:50:19.059576",
            "{offsets:?}"
        );
    }
}

#[test]
fn an_execution_delay_is_typed_as_a_length_of_time() {
    let desk = desk();
    let waits = |args: &[&str]| {
        let mut all = vec![
            "trace",
            "e/zksync_local.sql.gz",
            "batch:7690",
            "--format",
            "json",
        ];
        all.extend(args);
        let trace = desk.json(&all, 0);
        valid("trace", &trace);
        trace
    };
    assert_eq!(waits(&[])["key"], "batch:7690");
    waits(&["--execution-delay", "21h"]);
    desk.fails(
        &[
            "trace",
            "e/zksync_local.sql.gz",
            HASH,
            "--execution-delay",
            "soon",
        ],
        2,
        "`soon` is not a length of time",
    );
}

/// The verb and the portable SQL, which PostgreSQL and DuckDB also answer alike, say the same.
#[test]
fn batches_say_what_the_named_queries_say() {
    let desk = desk();
    let dump = "e/zksync_local.sql.gz";
    let batches = desk.json(&["batches", dump, "--format", "json"], 0);
    let rows = |name: &str| {
        let args = ["query", dump, name, "--format", "jsonl"];
        desk.run(&args).lines()
    };
    let list = batches["batches"].as_array().unwrap();
    let steps = rows("rollup/batches");
    assert!(list.len() > 150, "{}", list.len());
    assert_eq!(steps.len(), 3 * list.len());
    let utc = |time: &Value| {
        time.as_str()
            .map(|time| time.trim_end_matches('Z').to_owned())
    };
    for (step, batch) in steps.iter().zip(list.iter().flat_map(|batch| [batch; 3])) {
        let ours = |key: &str| &batch[format!("{}_{key}", step["stage"].as_str().unwrap())];
        assert_eq!(step["l1_batch_number"], batch["number"]);
        for key in ["eth_tx_id", "l1_tx_hash"] {
            assert_eq!(step[key], *ours(key), "{step}");
        }
        for (sql, verb) in [
            ("saved_at", "saved_at"),
            ("noticed_at", "noticed_at"),
            ("first_sent_at", "sent_at"),
        ] {
            assert_eq!(utc(&step[sql]), utc(ours(verb)), "{step}");
        }
    }
    let resends = batches["resends"].as_array().unwrap();
    // The verb tells of those that a batch links to.
    let linked = |row: &Value| {
        steps
            .iter()
            .any(|step| step["eth_tx_id"] == row["eth_tx_id"])
    };
    let mut expected = rows("rollup/resent_l1_transactions");
    expected.retain(linked);
    assert!(!resends.is_empty());
    assert_eq!(resends.len(), expected.len());
    for (ours, theirs) in resends.iter().zip(&expected) {
        for key in [
            "eth_tx_id",
            "attempts",
            "mined_attempt",
            "first_base_fee_per_gas_wei",
            "last_base_fee_per_gas_wei",
        ] {
            assert_eq!(ours[key], theirs[key], "{theirs}");
        }
        for key in ["first_signed_at", "last_signed_at", "noticed_at"] {
            assert_eq!(utc(&ours[key]), utc(&theirs[key]), "{theirs}");
        }
    }
    // The first screen says where each step stands.
    let text = desk.run(&["batches", dump, "--format", "table"]).stdout;
    for stand in batches["stands"].as_array().unwrap() {
        let line = format!(
            "{:<8}  up to {}, noticed",
            stand["step"].as_str().unwrap(),
            stand["highest"]
        );
        assert!(text.contains(&line), "{line} in {text}");
    }
    let csv = desk.run(&["batches", dump, "--format", "csv"]).stdout;
    assert!(csv.starts_with("number,is_sealed,"), "{csv}");
    assert_eq!(csv.lines().count(), list.len() + 1);
    // The same from a case.
    desk.json(&["ingest", "x.case", dump, "--format", "json"], 0);
    let from_case = desk.json(&["batches", "x.case", "--format", "json"], 0);
    assert_eq!(from_case["batches"], batches["batches"]);
    assert_eq!(from_case["stands"], batches["stands"]);
}
