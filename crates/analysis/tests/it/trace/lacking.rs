//! What the evidence lacks is undetermined, never denied: rows that cannot be read, tables without rows, columns that
//! nobody selected.

use super::fates::{ask, does_not_warn, warns};
use super::memory::Memory;
use analysis::batches::{BatchesOptions, batches};

const H: &str = "0x00000000000000000000000000000000000000000000000000000000000000aa";
const BATCH: &str =
    "number is_finished:bool eth_commit_tx_id eth_prove_tx_id eth_execute_tx_id created_at:time";
const TXS: &str =
    "id nonce contract_address:text has_failed:bool confirmed_eth_tx_history_id gas_used";
const HISTORY: &str = "id eth_tx_id tx_hash:text created_at:time sent_at_block confirmed_at:time";
const ATTEMPT: &str = "91 41 0xc1 2023-09-01_00:00:00 17 -";

fn database(txs: (&str, &str), history: (&str, &[&str])) -> Memory {
    Memory::default()
        .table(
            "l2_to_l1_logs",
            "miniblock_number log_index_in_miniblock tx_hash:bytes",
            &[&format!("5 0 {H}")],
        )
        .table(
            "transactions",
            "hash:bytes miniblock_number l1_batch_number",
            &[&format!("{H} 5 7")],
        )
        .table("miniblocks", "number l1_batch_number", &["5 7"])
        .table("l1_batches", BATCH, &["7 t 41 - - 2023-09-01_00:00:00"])
        .table("eth_txs", txs.0, &[txs.1])
        .table("eth_txs_history", history.0, history.1)
}

/// The same commit, with rows of a table unreadable.
#[track_caller]
fn check_damaged(table: &str, tx: &str, history: &[&str], fate: &str, words: &str) {
    let whole = database((TXS, tx), (HISTORY, history));
    let damaged = database((TXS, tx), (HISTORY, history)).damaged(table);
    assert_ne!(ask(&whole, H).fate, "commit_unknown");
    let trace = ask(&damaged, H);
    assert_eq!(trace.fate, fate);
    warns(
        &trace,
        &format!("part of {table} cannot be read (table public.{table}, line 7"),
    );
    warns(&trace, words);
    does_not_warn(&trace, "is gone");
    assert!(!trace.to_text().contains("is gone"), "{}", trace.to_text());
    // The same rows, asked for all batches.
    let report = batches(&damaged, &BatchesOptions::default()).unwrap();
    let said = serde_json::to_value(&report).unwrap().to_string();
    assert!(said.contains("cannot be read"), "{said}");
    assert!(!said.contains("history_missing"), "{said}");
}

#[test]
fn rows_that_cannot_be_read_are_not_gone() {
    let linked = "41 1 0xcc f 92 21000";
    let open = "41 1 0xcc f - -";
    let how_far = "how far it got is undetermined";
    // The link says that it was confirmed; the row that it leads to is among the damaged ones.
    check_damaged(
        "eth_txs_history",
        linked,
        &[ATTEMPT],
        "commit_confirmed",
        "cannot be read here",
    );
    // No link, and an attempt that would be the whole story.
    check_damaged(
        "eth_txs_history",
        open,
        &[ATTEMPT],
        "commit_unknown",
        how_far,
    );
    check_damaged(
        "eth_txs_history",
        open,
        &["92 40 0xc2 2023-09-01_00:00:00 17 -"],
        "commit_unknown",
        how_far,
    );
    // The transaction's own row.
    check_damaged(
        "eth_txs",
        "40 1 0xcc f - -",
        &[ATTEMPT],
        "commit_unknown",
        how_far,
    );
}

#[test]
fn tables_without_rows_deny_nothing() {
    let other = H.replace('a', "b");
    let tables = [
        (
            "l2_to_l1_logs",
            "miniblock_number log_index_in_miniblock tx_hash:bytes",
        ),
        (
            "transactions",
            "hash:bytes miniblock_number l1_batch_number",
        ),
        ("miniblocks", "number l1_batch_number"),
        ("l1_batches", BATCH),
        ("eth_txs", TXS),
        ("eth_txs_history", HISTORY),
    ];
    let schema = tables
        .into_iter()
        .fold(Memory::default(), |memory, (name, columns)| {
            memory.table(name, columns, &[])
        });
    for key in [H, "batch:7", "miniblock:5", "eth_tx:41", "0x00000000"] {
        let trace = ask(&schema, key);
        assert_eq!(trace.fate, "unknown_hash", "{key}");
        assert!(trace.is_undetermined(), "{key}");
        warns(
            &trace,
            "declared and without rows here, as in a dump of the schema alone",
        );
    }
    // A database with rows knows what it does not have.
    let whole = database((TXS, "41 1 0xcc f - -"), (HISTORY, &[ATTEMPT]));
    for key in [other.as_str(), "batch:8", "miniblock:6", "eth_tx:42"] {
        let trace = ask(&whole, key);
        assert_eq!(trace.fate, "unknown_hash", "{key}");
        assert!(!trace.is_undetermined(), "{key}");
        does_not_warn(&trace, "without rows here");
    }
    // The history alone was left out: nobody knows whether anything was signed.
    let trace = ask(&database((TXS, "41 1 0xcc f - -"), (HISTORY, &[])), H);
    assert_eq!(trace.fate, "commit_unknown");
    warns(&trace, "eth_txs_history is declared and has no rows here");
}

#[test]
fn what_rests_on_a_missing_column_is_undetermined() {
    let open = "41 1 0xcc f - -";
    let without = |columns: &str, row: &str, gone: &str| {
        let at = columns
            .split(' ')
            .position(|column| column.split(':').next() == Some(gone));
        let at = at.unwrap();
        let keep = |text: &str| {
            let cells = text.split(' ').enumerate().filter(|(n, _)| *n != at);
            cells
                .map(|(_, cell)| cell.to_owned())
                .collect::<Vec<_>>()
                .join(" ")
        };
        (keep(columns), keep(row))
    };
    for (attempt, gone, fate, words) in [
        (
            ATTEMPT,
            "sent_at_block",
            "commit_unknown",
            "column sent_at_block or sent_at of eth_txs_history",
        ),
        (
            ATTEMPT,
            "confirmed_at",
            "commit_unknown",
            "column confirmed_at of eth_txs_history",
        ),
        (ATTEMPT, "tx_hash", "commit_sent", ""),
        (ATTEMPT, "created_at", "commit_sent", ""),
        // What was confirmed was sent.
        (
            "91 41 0xc1 2023-09-01_00:00:00 17 2023-09-01_00:05:00",
            "sent_at_block",
            "commit_confirmed_unlinked",
            "",
        ),
    ] {
        let (columns, row) = without(HISTORY, attempt, gone);
        let memory = database((TXS, open), (&columns, &[&row]));
        let trace = ask(&memory, H);
        assert_eq!(trace.fate, fate, "without {gone}");
        if words.is_empty() {
            does_not_warn(&trace, "undetermined");
        } else {
            warns(&trace, words);
        }
        let report = batches(&memory, &BatchesOptions::default()).unwrap();
        let state = report.batches[0].steps[0].state;
        assert_eq!(
            state
                .map(|state| format!("commit_{state}"))
                .unwrap_or("commit_unknown".into()),
            fate,
            "without {gone}"
        );
    }
    for (gone, fate, words) in [
        (
            "has_failed",
            "commit_unknown",
            "column has_failed of eth_txs",
        ),
        ("nonce", "commit_sent", ""),
        ("gas_used", "commit_sent", ""),
        ("confirmed_eth_tx_history_id", "commit_sent", ""),
    ] {
        let (columns, row) = without(TXS, open, gone);
        let trace = ask(&database((&columns, &row), (HISTORY, &[ATTEMPT])), H);
        assert_eq!(trace.fate, fate, "without {gone}");
        if !words.is_empty() {
            warns(&trace, words);
        }
    }
    // Pasted rows, without the columns that name the block or say whether a batch is sealed.
    let paste = |transactions: (&str, String), batches: (&str, &str)| {
        Memory::default()
            .table("transactions", transactions.0, &[&transactions.1])
            .table("miniblocks", "number l1_batch_number", &["5 7"])
            .table("l1_batches", batches.0, &[batches.1])
            .pasted()
    };
    let links = "number eth_commit_tx_id eth_prove_tx_id eth_execute_tx_id";
    let trace = ask(
        &paste(
            ("hash:bytes error:text", format!("{H} -")),
            (links, "7 - - -"),
        ),
        H,
    );
    assert_eq!(trace.fate, "block_unknown");
    assert!(trace.waiting.is_none());
    warns(
        &trace,
        "column miniblock_number of transactions is not in the evidence",
    );
    let trace = ask(
        &paste(
            ("hash:bytes miniblock_number", format!("{H} 5")),
            (links, "7 - - -"),
        ),
        H,
    );
    assert_eq!(trace.fate, "seal_unknown");
    warns(&trace, "whether batch 7 is sealed is undetermined");
    let sealed = "number is_sealed:bool eth_commit_tx_id eth_prove_tx_id eth_execute_tx_id";
    let trace = ask(
        &paste(
            ("hash:bytes miniblock_number", format!("{H} 5")),
            (sealed, "7 t - - -"),
        ),
        H,
    );
    assert_eq!(trace.fate, "sealed_not_committed");
}
