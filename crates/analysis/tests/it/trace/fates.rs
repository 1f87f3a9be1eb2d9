//! The fates that are rare in the corpus, each on a handful of rows.

use super::memory::Memory;
use analysis::trace::{Trace, TraceOptions, trace};

const H: &str = "0x00000000000000000000000000000000000000000000000000000000000000aa";
const L1: &str = "0x00000000000000000000000000000000000000000000000000000000000000c1";
const ADDRESS: &str = "0x5fd1e6d3554f1b578b925210147cfbf4654da753";

pub(crate) fn ask(memory: &Memory, key: &str) -> Trace {
    trace(memory, key, &TraceOptions::default()).unwrap()
}

#[track_caller]
pub(crate) fn warns(trace: &Trace, text: &str) {
    assert!(
        trace.warnings.iter().any(|warning| warning.contains(text)),
        "{text} is not in {:#?}",
        trace.warnings
    );
}

#[track_caller]
pub(crate) fn does_not_warn(trace: &Trace, text: &str) {
    assert!(
        !trace.warnings.iter().any(|warning| warning.contains(text)),
        "{text} is in {:#?}",
        trace.warnings
    );
}

fn log(memory: Memory) -> Memory {
    memory.table(
        "l2_to_l1_logs",
        "miniblock_number log_index_in_miniblock tx_hash:bytes key:bytes",
        &[&format!("5 0 {H} 0x800a")],
    )
}

const TRANSACTIONS: &str = "hash:bytes miniblock_number l1_batch_number error:text received_at:time initiator_address:bytes";

#[test]
fn in_the_mempool_and_refused() {
    let memory = log(Memory::default()).table(
        "transactions",
        TRANSACTIONS,
        &[
            &format!(
                "{} - - - 2023-01-01_00:00:00 {ADDRESS}",
                H.replace('a', "b")
            ),
            &format!(
                "{} - - nonce_too_low 2023-01-01_00:00:00 {ADDRESS}",
                H.replace('a', "c")
            ),
        ],
    );
    let waits = ask(&memory, &H.replace('a', "b"));
    assert_eq!(waits.fate, "not_in_a_block");
    let waiting = waits.waiting.unwrap();
    assert_eq!(waiting.stage, "inclusion");
    assert_eq!(waiting.since.as_deref(), Some("2023-01-01T00:00:00.000000"));
    assert_eq!(waiting.verdict, "unknown");
    let refused = ask(&memory, &H.replace('a', "c"));
    assert_eq!(refused.fate, "not_in_a_block");
    assert!(refused.waiting.is_none());
    warns(
        &refused,
        "refused the transaction, it will be in no block: nonce too low",
    );
}

fn one_batch(batches: (&str, &str), txs: (&str, &[&str]), history: (&str, &[&str])) -> Memory {
    log(Memory::default())
        .table("miniblocks", "number l1_batch_number", &["5 7"])
        .table("l1_batches", batches.0, &[batches.1])
        .table("eth_txs", txs.0, txs.1)
        .table("eth_txs_history", history.0, history.1)
}

const BATCH: &str = "number is_sealed:bool eth_commit_tx_id eth_prove_tx_id eth_execute_tx_id";
const HISTORY: &str = "id eth_tx_id tx_hash:text created_at:time sent_at_block confirmed_at:time finality_status:text";

#[test]
fn a_confirmation_that_a_reorg_took_back_waits_again() {
    let txs = "id nonce contract_address:text has_failed:bool confirmed_eth_tx_history_id gas_used";
    let row = |finality: &str| {
        format!("91 41 {L1} 2025-06-01_00:00:00 17 2025-06-01_00:02:00 {finality}")
    };
    let back = row("pending");
    let all = |finality: &str, gas: &str, link: &str| {
        let history: Vec<String> = (41..=43)
            .map(|id| {
                format!(
                    "{} {id} 0x{id:064x} 2025-06-01_00:00:00 17 2025-06-01_00:02:00 {finality}",
                    id + 50
                )
            })
            .collect();
        let txs_rows: Vec<String> = (41..=43)
            .map(|id| format!("{id} {id} 0xcc f {link} {gas}"))
            .collect();
        fn view(rows: &[String]) -> Vec<&str> {
            rows.iter().map(String::as_str).collect()
        }
        one_batch(
            (BATCH, "7 t 41 42 43"),
            (txs, &view(&txs_rows)),
            (HISTORY, &view(&history)),
        )
    };
    let taken_back = one_batch(
        (BATCH, "7 t 41 - -"),
        (txs, &["41 1 0xcc f - -"]),
        (HISTORY, &[&back]),
    );
    let trace = ask(&taken_back, H);
    assert_eq!(trace.fate, "commit_confirmed_unlinked");
    assert_eq!(trace.waiting.as_ref().unwrap().stage, "commit");
    warns(&trace, "took the confirmation back");
    // All three taken back: nothing is claimable.
    let trace = ask(&all("pending", "-", "-"), H);
    assert_eq!(trace.fate, "execute_confirmed_unlinked");
    assert_eq!(trace.waiting.as_ref().unwrap().stage, "commit");
    does_not_warn(&trace, "claimable");
    warns(&trace, "not to be relied on");
    // It failed on L2: whatever its batch, there is nothing to claim.
    let reverted = all("finalized", "9", "-").table(
        "transactions",
        TRANSACTIONS,
        &[&format!("{H} 5 7 reverted 2023-01-01_00:00:00 {ADDRESS}")],
    );
    let trace = ask(&reverted, H);
    warns(&trace, "failed on L2 (reverted)");
    does_not_warn(&trace, "claimable on L1");
    // Only links lost: settled.
    let trace = ask(&all("finalized", "9", "-"), H);
    assert_eq!(trace.fate, "execute_confirmed_unlinked");
    assert!(trace.waiting.is_none());
    warns(&trace, "the link was lost");
    warns(
        &trace,
        "claimable on L1; whether it was claimed is not in this evidence",
    );
}

#[test]
fn on_a_gateway_nothing_is_claimable_on_l1_yet() {
    let txs = "id nonce contract_address:text has_failed:bool confirmed_eth_tx_history_id is_gateway:bool chain_id";
    let history: Vec<String> = (41..=43)
        .map(|id| {
            format!(
                "{} {id} 0x{id:064x} 2025-06-01_00:00:00 17 2025-06-01_00:02:00 finalized",
                id + 50
            )
        })
        .collect();
    let history: Vec<&str> = history.iter().map(String::as_str).collect();
    let memory = one_batch(
        (BATCH, "7 t 41 42 43"),
        (
            txs,
            &[
                "41 1 0xcc f 91 t 9075",
                "42 2 0xcc f 92 t 9075",
                "43 3 0xcc f 93 t 9075",
            ],
        ),
        (HISTORY, &history),
    );
    let trace = ask(&memory, H);
    assert_eq!(trace.fate, "execute_confirmed");
    assert_eq!(trace.path[0].commit.as_ref().unwrap().chain_id, Some(9075));
    warns(
        &trace,
        "the hash is one of a gateway (chain 9075), not of Ethereum",
    );
    warns(
        &trace,
        "claimable on L1 when the gateway's batch that holds it is executed",
    );
    does_not_warn(&trace, "claimable on L1; whether");
}

#[test]
fn a_precommit_comes_before_the_batch() {
    let mined = format!("91 41 {L1} 2025-06-01_00:00:00 17 2025-06-01_00:02:00 finalized");
    let base = |batch: &str, row: &str| {
        log(Memory::default())
            .table("miniblocks", "number l1_batch_number eth_precommit_tx_id", &[row])
            .table(
                "l1_batches",
                "number is_sealed:bool eth_commit_tx_id eth_prove_tx_id eth_execute_tx_id final_precommit_eth_tx_id",
                &[batch],
            )
            .table(
                "eth_txs",
                "id nonce contract_address:text tx_type:text has_failed:bool confirmed_eth_tx_history_id",
                &["41 1 0xcc Precommit f 91"],
            )
            .table("eth_txs_history", HISTORY, &[&mined])
    };
    let open = base("6 t - - - -", "5 - 41");
    for key in [H, "eth_tx:41", L1] {
        let trace = ask(&open, key);
        assert_eq!(trace.fate, "no_batch_yet", "{key}");
        let precommit = trace.path[0].precommit.as_ref().unwrap();
        assert_eq!(precommit.state.as_deref(), Some("confirmed"), "{key}");
        assert_eq!(precommit.l1_tx_hash.as_deref(), Some(L1), "{key}");
        assert_eq!(trace.waiting.as_ref().unwrap().stage, "seal", "{key}");
    }
    warns(
        &ask(&open, H),
        "an API answer that names batch 7 for it is a guess",
    );
    let sealed = base("7 t - - - 41", "5 7 -");
    let trace = ask(&sealed, "batch:7");
    assert_eq!(trace.fate, "sealed_not_committed");
    assert_eq!(
        trace.path[0].precommit.as_ref().unwrap().eth_tx_id,
        Some(41)
    );
}

#[test]
fn what_was_pruned_or_never_recovered_is_named() {
    let base = || log(Memory::default()).table("miniblocks", "number l1_batch_number", &["90 9"]);
    let pruned = base().table(
        "pruning_log",
        "pruned_l1_batch pruned_miniblock type:text",
        &["3 4 Hard", "4 9 Soft", "4 6 Hard"],
    );
    let trace = ask(&pruned, H);
    assert_eq!(trace.fate, "miniblock_missing");
    warns(
        &trace,
        "pruned (pruning_log: all miniblocks up to 6 were deleted)",
    );
    let only_soft = base().table(
        "pruning_log",
        "pruned_l1_batch pruned_miniblock type:text",
        &["3 4 Hard", "4 9 Soft"],
    );
    warns(
        &ask(&only_soft, H),
        "pruned, or not yet recovered from a snapshot",
    );
    let recovered = base().table(
        "snapshot_recovery",
        "l1_batch_number miniblock_number",
        &["4 8"],
    );
    warns(
        &ask(&recovered, H),
        "this node was recovered at miniblock 8",
    );
}

#[test]
fn transactions_without_messages_or_without_a_miniblock() {
    let other = H.replace('a', "b");
    let failed = H.replace('a', "c");
    let lost = H.replace('a', "d");
    let mined = format!("91 41 {L1} 2025-06-01_00:00:00 17 2025-06-01_00:02:00 finalized");
    let memory = one_batch(
        ("number is_sealed:bool eth_commit_tx_id eth_prove_tx_id eth_execute_tx_id hash:bytes commitment:bytes", "7 t - - - 0xff -"),
        ("id nonce contract_address:text has_failed:bool confirmed_eth_tx_history_id", &[]),
        (HISTORY, &[&mined]),
    )
    .table(
        "transactions",
        TRANSACTIONS,
        &[
            &format!("{other} 5 7 - 2023-01-01_00:00:00 {ADDRESS}"),
            &format!("{failed} 5 7 execution_reverted 2023-01-01_00:00:00 {ADDRESS}"),
            &format!("{lost} - 7 - 2023-01-01_00:00:00 {ADDRESS}"),
            &format!("{H} 5 7 - 2023-01-01_00:00:00 {ADDRESS}"),
        ],
    );
    let trace = ask(&memory, &other);
    assert_eq!(trace.fate, "sealed_not_committed");
    warns(&trace, "sent no message to L1: there is nothing to claim");
    warns(&trace, "batch 7 cannot be committed without its commitment");
    does_not_warn(&trace, "its root hash");
    warns(&ask(&memory, &failed), "failed on L2 (execution reverted)");
    let pending = format!("0x{:064x}", 77);
    let mempool = log(Memory::default()).table(
        "transactions",
        TRANSACTIONS,
        &[&format!("{pending} - - - 2023-01-01_00:00:00 {ADDRESS}")],
    );
    // What has not run yet may still send one.
    let trace = ask(&mempool, &pending);
    assert_eq!(trace.fate, "not_in_a_block");
    does_not_warn(&trace, "nothing to claim");
    let trace = ask(&memory, &lost);
    assert_eq!(trace.path[0].l1_batch_number, Some(7));
    warns(&trace, "names batch 7 but no miniblock");
    // An address lists its withdrawals: those of its transactions that sent a message. Its beginning is enough.
    assert_eq!(ask(&memory, &ADDRESS[..12]).key, ADDRESS);
    let trace = ask(&memory, ADDRESS);
    assert_eq!(trace.kind, "address");
    assert_eq!(trace.logs.len(), 1);
    assert_eq!(trace.logs[0].tx_hash.as_deref(), Some(H));
    assert_eq!(trace.path.len(), 1);
    // A unique start of the hash is enough.
    let start = "0x00000000000000000000000000000000000000000000000000000000000000b";
    assert_eq!(ask(&memory, start).key, other);
}

#[test]
fn the_genesis_batch_waits_for_nothing() {
    let memory = Memory::default().table("l1_batches", BATCH, &["0 t - - -", "1 t - - -"]);
    let trace = ask(&memory, "batch:0");
    assert!(trace.waiting.is_none());
    warns(&trace, "genesis");
    assert_eq!(ask(&memory, "batch:1").waiting.unwrap().stage, "commit");
}
