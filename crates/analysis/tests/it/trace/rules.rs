//! One rule of the trace each, on a handful of rows.

use super::memory::Memory;
use analysis::batches::{BatchesOptions, batches};
use analysis::trace::{Trace, TraceError, TraceOptions, trace};

const H: &str = "0x00000000000000000000000000000000000000000000000000000000000000aa";
const L1: &str = "0x00000000000000000000000000000000000000000000000000000000000000c1";

fn ask(memory: &Memory, key: &str) -> Trace {
    trace(memory, key, &TraceOptions::default()).unwrap()
}

fn logs(memory: Memory) -> Memory {
    memory.table(
        "l2_to_l1_logs",
        "miniblock_number log_index_in_miniblock tx_hash:bytes",
        &[&format!("5 0 {H}")],
    )
}

fn chain(eth_txs: &[&str], history: &[&str]) -> Memory {
    logs(Memory::default())
        .table("miniblocks", "number l1_batch_number", &["5 7"])
        .table(
            "l1_batches",
            "number is_sealed:bool eth_commit_tx_id eth_prove_tx_id eth_execute_tx_id",
            &["6 t 41 - -", "7 t 41 - -", "8 t - - -"],
        )
        .table(
            "eth_txs",
            "id nonce contract_address:text has_failed:bool confirmed_eth_tx_history_id gas_used",
            eth_txs,
        )
        .table(
            "eth_txs_history",
            "id eth_tx_id tx_hash:text created_at:time sent_at_block confirmed_at:time",
            history,
        )
}

#[track_caller]
fn check_commit(eth_txs: &[&str], history: &[&str], state: &str) {
    // Another one: a table without any row would be no evidence of what is not in it.
    let (tx, attempt) = (
        "40 0 0xcc f 80 9",
        "80 40 0xc0 2023-01-01_00:00:00 16 2023-01-01_00:01:00",
    );
    let eth_txs = [&[tx], eth_txs].concat();
    let history = [&[attempt], history].concat();
    let trace = ask(&chain(&eth_txs, &history), H);
    let commit = trace.path[0].commit.as_ref().unwrap();
    assert_eq!(commit.state.as_deref(), Some(state));
    assert_eq!(trace.fate, format!("commit_{state}"));
    let range = commit.batches.as_ref().unwrap();
    assert_eq!((range.first, range.last, range.count), (6, 7, 2));
}

#[test]
fn states_of_a_step() {
    let mined = format!("91 41 {L1} 2023-01-01_00:00:00 17 2023-01-01_00:02:00");
    let pending = format!("91 41 {L1} 2023-01-01_00:00:00 17 -");
    let signed = format!("91 41 {L1} 2023-01-01_00:00:00 - -");
    check_commit(&["41 1 0xcc f 91 9"], &[&mined], "confirmed");
    check_commit(&["41 1 0xcc f - -"], &[&mined], "confirmed_unlinked");
    check_commit(
        &["41 1 0xcc f 92 -"],
        &[&pending],
        "confirmed_history_missing",
    );
    check_commit(&["41 1 0xcc f - 9"], &[], "confirmed_history_missing");
    check_commit(&["41 1 0xcc f - -"], &[&pending], "sent");
    check_commit(&["41 1 0xcc f - -"], &[&signed], "signed_unsent");
    check_commit(&["41 1 0xcc f - -"], &[], "saved");
    check_commit(&["41 1 0xcc t - -"], &[&pending], "failed");
    check_commit(&[], &[], "eth_tx_missing");
}

#[test]
fn mined_lies_between_signing_and_noticing() {
    let mined = format!("91 41 {L1} 2023-01-01_00:00:00 17 2023-01-01_00:02:00");
    let trace = ask(&chain(&["41 1 0xcc f 91 9"], &[&mined]), H);
    let commit = trace.path[0].commit.as_ref().unwrap();
    let bounds = commit.l1_mined.as_ref().unwrap();
    assert_eq!(bounds.at, None);
    assert_eq!(
        bounds.not_before.as_deref(),
        Some("2023-01-01T00:00:00.000000")
    );
    assert_eq!(
        bounds.not_after.as_deref(),
        Some("2023-01-01T00:02:00.000000")
    );
    assert_eq!(commit.l1_tx_hash.as_deref(), Some(L1));
    assert!(
        trace
            .refs
            .contains(&"0123456789ab:public.eth_txs_history#91".to_owned())
    );
    assert!(
        trace
            .refs
            .contains(&"0123456789ab:public.l2_to_l1_logs#5,0".to_owned())
    );
}

#[test]
fn an_external_nodes_copy_has_no_lower_bound() {
    let copied = format!("91 41 {L1} 2023-01-09_00:00:00 - 2023-01-01_00:02:00");
    let memory = chain(&["41 0  f 91 9"], &[&copied]);
    let trace = ask(&memory, H);
    let bounds = trace.path[0]
        .commit
        .as_ref()
        .unwrap()
        .l1_mined
        .clone()
        .unwrap();
    assert_eq!(bounds.not_before, None);
    assert!(
        trace
            .warnings
            .iter()
            .any(|text| text.contains("external node"))
    );
}

#[test]
fn every_kind_of_key_leads_there() {
    let mined = format!("91 41 {L1} 2023-01-01_00:00:00 17 2023-01-01_00:02:00");
    let memory = chain(&["41 1 0xcc f 91 9"], &[&mined]);
    for (key, kind, paths) in [
        (H, "l2_tx", 1),
        (L1, "l1_tx", 2),
        ("eth_tx:41", "eth_tx", 2),
        ("batch:7", "batch", 1),
        ("miniblock:5", "miniblock", 1),
    ] {
        let trace = ask(&memory, key);
        assert_eq!(
            (trace.kind.as_str(), trace.path.len()),
            (kind, paths),
            "{key}"
        );
        assert_eq!(trace.fate, "commit_confirmed", "{key}");
    }
    assert_eq!(ask(&memory, "batch:8").fate, "sealed_not_committed");
    for key in ["batch:9", "miniblock:6", "eth_tx:42", &H.replace('a', "b")] {
        let trace = ask(&memory, key);
        assert_eq!(trace.fate, "unknown_hash", "{key}");
        assert!(trace.looked_at.is_some());
    }
    let block = format!("0x61{:062x}", 5);
    let batch = format!("0x62{:062x}", 7);
    let hashes = logs(Memory::default())
        .table(
            "miniblocks",
            "number l1_batch_number hash:bytes",
            &[&format!("5 7 {block}")],
        )
        .table(
            "l1_batches",
            "number is_sealed:bool hash:bytes",
            &[&format!("7 t {batch}")],
        );
    for (hash, kind) in [(&block, "miniblock"), (&batch, "batch")] {
        for key in [&hash[..], &hash[..8]] {
            let trace = ask(&hashes, key);
            assert_eq!((trace.kind.as_str(), &trace.key), (kind, hash), "{key}");
        }
    }
    // Both hashes begin with the same digits.
    let error = trace(&memory, "0x000000", &TraceOptions::default()).unwrap_err();
    assert!(
        matches!(error, TraceError::AmbiguousPrefix { .. }),
        "{error}"
    );
}

#[test]
fn what_is_not_in_the_evidence_is_not_answered() {
    // The seed's paste: selected rows and columns, no CREATE TABLE.
    let memory = logs(Memory::default())
        .table("miniblocks", "number l1_batch_number", &["5 7"])
        .table(
            "l1_batches",
            "number is_finished:bool eth_commit_tx_id eth_prove_tx_id eth_execute_tx_id",
            &["7 t 41 42 43"],
        )
        .table("eth_txs", "nonce has_failed:bool", &["1 f"])
        .table(
            "eth_txs_history",
            "eth_tx_id tx_hash:text confirmed_at:time",
            &[&format!("41 {L1} 2023-01-01_00:02:00")],
        )
        .pasted();
    let trace = ask(&memory, H);
    assert_eq!(trace.fate, "commit_confirmed");
    let path = &trace.path[0];
    assert_eq!(
        path.commit.as_ref().unwrap().l1_tx_hash.as_deref(),
        Some(L1)
    );
    assert_eq!(path.commit.as_ref().unwrap().nonce, None);
    assert_eq!(path.prove.as_ref().unwrap().state, None);
    assert_eq!(path.execute.as_ref().unwrap().state, None);
    assert!(trace.waiting.is_none());
    assert!(
        trace
            .warnings
            .iter()
            .any(|text| text == "table transactions is not in the evidence")
    );
    assert!(trace.warnings.iter().any(|text| text.contains("eth_tx 43")));
}

#[test]
fn no_rollup_table_is_a_wrong_request() {
    let memory = Memory::default().table("users", "id", &["1"]);
    let error = trace(&memory, H, &TraceOptions::default()).unwrap_err();
    assert!(matches!(error, TraceError::NoTables { .. }), "{error}");
}

#[test]
fn rows_without_names_of_columns_are_refused() {
    let memory = Memory::default()
        .table("users", "id", &["1"])
        .table(
            "transactions",
            "hash:bytes miniblock_number",
            &[&format!("{H} 7")],
        )
        .nameless();
    let said = trace(&memory, H, &TraceOptions::default())
        .unwrap_err()
        .to_string();
    assert!(
        said.starts_with("the rows of transactions come without names of columns"),
        "{said}"
    );
    let memory = Memory::default()
        .table("l1_batches", "number timestamp", &["1 1694000000"])
        .nameless();
    let said = batches(&memory, &BatchesOptions::default())
        .unwrap_err()
        .to_string();
    assert!(said.contains("l1_batches"), "{said}");
}

#[test]
fn a_hash_that_may_be_in_a_missing_table_is_not_denied() {
    let unknown = H.replace('a', "b");
    let whole = Memory::default()
        .table(
            "l2_to_l1_logs",
            "miniblock_number tx_hash:bytes",
            &[&format!("7 {H}")],
        )
        .table(
            "transactions",
            "hash:bytes miniblock_number",
            &[&format!("{H} 7")],
        );
    assert!(!ask(&whole, &unknown).is_undetermined());
    assert!(ask(&logs(Memory::default()), &unknown).is_undetermined());
    // What waits in the mempool is known, though in no block.
    let mempool = Memory::default().table(
        "transactions",
        "hash:bytes miniblock_number",
        &[&format!("{H} -")],
    );
    let trace = ask(&mempool, H);
    assert_eq!(trace.fate, "not_in_a_block");
    assert_eq!(trace.waiting.unwrap().stage, "inclusion");
}
