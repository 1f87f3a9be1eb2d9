//! The sample `zksync-2023`: its expected answer was written by PostgreSQL.

use super::corpus::{dump_source, gunzip};
use analysis::trace::{TraceOptions, notable, trace};
use serde_json::Value;
use std::path::PathBuf;

fn sample(file: &str) -> PathBuf {
    PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../samples/zksync-2023"
    ))
    .join(file)
}

#[test]
fn the_withdrawal_of_the_sample() {
    let expected: Value =
        serde_json::from_slice(&std::fs::read(sample("expected/trace.json")).unwrap()).unwrap();
    let dump = gunzip(sample("input/zksync_local.sql.gz"));
    let source = dump_source(dump.into_bytes(), "zksync_local");
    let answer = trace(
        &source,
        expected["key"].as_str().unwrap(),
        &TraceOptions::default(),
    )
    .unwrap();
    assert_eq!(answer.fate, "execute_confirmed");
    assert_eq!(answer.logs.len() as u64, expected["logs"].as_u64().unwrap());
    let path = serde_json::to_value(&answer.path[0]).unwrap();
    assert_eq!(path["miniblock_number"], expected["miniblock"]);
    assert_eq!(path["l1_batch_number"], expected["l1_batch"]);
    assert_eq!(path["batch"]["is_sealed"], expected["is_finished"]);
    for stage in ["commit", "prove", "execute"] {
        let (step, expected) = (&path[stage], &expected["l1"][stage]);
        for key in [
            "nonce",
            "tx_type",
            "eth_tx_id",
            "has_failed",
            "l1_tx_hash",
            "contract_address",
        ] {
            assert_eq!(step[key], expected[key], "{stage}.{key}");
        }
        assert_eq!(step["confirmed_eth_tx_history_id"], expected["history_id"]);
        assert_eq!(
            step["attempts"].as_array().unwrap().len() as u64,
            expected["attempts"].as_u64().unwrap()
        );
        let noticed = expected["confirmed_at"].as_str().unwrap().replace(' ', "T");
        assert_eq!(step["confirmed_at"], noticed.as_str());
    }
}

#[test]
fn the_ticket_as_pasted_and_as_a_web_page_glued_it() {
    for file in ["input/ticket-1204.txt", "input/ticket-1204-web.txt"] {
        let source = dump_source(std::fs::read(sample(file)).unwrap(), "ticket");
        let answer = trace(&source, "batch:7670", &TraceOptions::default()).unwrap();
        let commit = answer.path[0].commit.as_ref().unwrap();
        assert_eq!(
            commit.l1_tx_hash.as_deref(),
            Some("0x0b01e199877faef52b95477119f53bf546a2915bc903132331f41542e58da53d"),
            "{file}"
        );
        assert_eq!(notable(&source).unwrap(), [], "{file}");
    }
}

#[test]
fn where_settlement_stands() {
    let dump = gunzip(sample("input/zksync_local.sql.gz"));
    let source = dump_source(dump.into_bytes(), "zksync_local");
    let keys: Vec<String> = notable(&source)
        .unwrap()
        .into_iter()
        .map(|n| n.key)
        .collect();
    for key in &keys {
        let answer = trace(&source, key, &TraceOptions::default()).unwrap();
        assert!(answer.waiting.is_some(), "{key}: {}", answer.to_text());
        if std::env::var_os("CORONER_SHOW").is_some() {
            eprintln!("{}", answer.to_text());
        }
    }
    assert!(!keys.is_empty());
}
