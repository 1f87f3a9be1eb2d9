//! Questions about a moment before the dump was made: worked cases on a handful of rows.

use crate::trace::memory::Memory;
use analysis::batches::{BatchesOptions, batches};
use analysis::jobs::{JobsOptions, jobs};
use analysis::trace::{Trace, TraceOptions, trace};
use chain::rollup::ZonePairs;

/// The L2 transaction of batch 7, and the L1 hashes of its commit's two attempts.
const L2: &str = "0x00000000000000000000000000000000000000000000000000000000000000aa";
const FIRST: &str = "0x00000000000000000000000000000000000000000000000000000000000000c1";
const SECOND: &str = "0x00000000000000000000000000000000000000000000000000000000000000c2";

/// The day on which everything happens; its midnight is 1693958400.
fn day(time: &str) -> String {
    format!("2023-09-06_{time}")
}

fn at(time: &str) -> TraceOptions {
    TraceOptions {
        as_of_us: Some(us(time)),
        ..TraceOptions::default()
    }
}

fn us(time: &str) -> i64 {
    model::time::parse_utc(&format!("2023-09-06T{time}Z")).unwrap()
}

/// A transaction of 10:00:00 in miniblock 5, whose batch is sealed at 10:10; committed by a transaction saved
/// at 10:20, signed at 10:21 and, at a higher price, at 10:31, noticed at 10:40; the proof was saved at 11:00,
/// signed and sent at 11:01, noticed at 11:30; the execution was saved at 12:00, signed at 12:01 and failed.
fn life() -> Memory {
    with_later_tx("")
}

/// The same, with another L1 transaction that was saved later.
fn with_later_tx(later: &str) -> Memory {
    let txs = [
        format!("41 1 0xcc CommitBlocks f 92 900 {}", day("10:20:00")),
        format!(
            "42 2 0xcc PublishProofBlocksOnchain f 93 800 {}",
            day("11:00:00")
        ),
        format!("43 3 0xcc ExecuteBlocks t - - {}", day("12:00:00")),
        later.to_owned(),
    ];
    let txs: Vec<&str> = txs
        .iter()
        .map(String::as_str)
        .filter(|tx| !tx.is_empty())
        .collect();
    Memory::default()
        .table(
            "l2_to_l1_logs",
            "miniblock_number log_index_in_miniblock tx_hash:bytes created_at:time",
            &[&format!("5 0 {L2} {}", day("10:00:01"))],
        )
        .table(
            "transactions",
            "hash:bytes miniblock_number l1_batch_number error:text received_at:time created_at:time updated_at:time",
            &[&format!("{L2} 5 7 - {0} {0} {1}", day("09:59:58"), day("10:10:00"))],
        )
        .table(
            "miniblocks",
            "number l1_batch_number timestamp created_at:time",
            &[&format!("5 7 1693994400 {}", day("10:00:01"))],
        )
        .table(
            "l1_batches",
            "number is_finished:bool timestamp eth_commit_tx_id eth_prove_tx_id eth_execute_tx_id created_at:time updated_at:time",
            &[&format!("7 t 1693994400 41 42 43 {} {}", day("10:10:00"), day("12:00:00"))],
        )
        .table(
            "eth_txs",
            "id nonce contract_address:text tx_type:word has_failed:bool confirmed_eth_tx_history_id gas_used created_at:time",
            &txs,
        )
        .table(
            "eth_txs_history",
            "id eth_tx_id tx_hash:text created_at:time sent_at:time sent_at_block confirmed_at:time",
            &[
                &format!("91 41 {FIRST} {0} {0} 100 -", day("10:21:00")),
                &format!("92 41 {SECOND} {0} {0} 140 {1}", day("10:31:00"), day("10:40:00")),
                &format!("93 42 0xc3 {0} {0} 160 {1}", day("11:01:00"), day("11:30:00")),
                &format!("94 43 0xc4 {0} {0} 180 -", day("12:01:00")),
            ],
        )
}

#[track_caller]
fn check(time: &str, fate: &str) -> Trace {
    let trace = trace(&life(), L2, &at(time)).unwrap();
    assert_eq!(trace.fate, fate, "at {time}: {:?}", trace.warnings);
    trace
}

#[test]
fn a_transaction_is_followed_to_where_it_was() {
    let unknown = check("09:00:00", "unknown_hash");
    assert!(
        unknown
            .warnings
            .iter()
            .any(|w| w.contains("its row was made at 2023-09-06T09:59:58"))
    );
    check("09:59:59", "not_in_a_block");
    check("10:05:00", "no_batch_yet");
    check("10:15:00", "sealed_not_committed");
    check("10:20:30", "commit_saved");
    let sent = check("10:25:00", "commit_sent");
    let commit = sent.path[0].commit.as_ref().unwrap();
    // The second attempt, its receipt and its gas are of later.
    assert_eq!(commit.attempts.as_ref().unwrap().len(), 1);
    assert_eq!(
        (commit.gas_used, commit.l1_tx_hash.as_deref()),
        (None, None)
    );
    assert_eq!(sent.waiting.as_ref().unwrap().stage, "commit");
    assert_eq!(sent.waiting.as_ref().unwrap().age_s, Some(900.0));
    let mined = check("10:50:00", "commit_confirmed");
    let commit = mined.path[0].commit.as_ref().unwrap();
    assert_eq!(commit.l1_tx_hash.as_deref(), Some(SECOND));
    assert_eq!(commit.gas_used, Some(900));
    check("11:00:30", "prove_saved");
    check("11:10:00", "prove_sent");
    check("11:45:00", "prove_confirmed");
    // Nothing was signed yet: it had not failed.
    check("12:00:30", "execute_saved");
}

#[test]
fn what_no_column_dates_is_not_known() {
    // The failure lies somewhere after the signing, and the last thing that is dated is the signing itself:
    // a moment after that is the dump's own.
    let last = check("12:30:00", "execute_failed");
    assert!(!last.warnings.iter().any(|w| w.starts_with("as of ")));
    // A later row shows that the dump is of later: when it failed is then unknown.
    let later = life_with_later_row();
    let trace = trace(&later, L2, &at("12:30:00")).unwrap();
    // The last step of which anything is known.
    assert_eq!(trace.fate, "prove_confirmed");
    assert_eq!(trace.path[0].execute.as_ref().unwrap().state, None);
    assert!(
        trace
            .warnings
            .iter()
            .any(|w| w.contains("do not date a failure")),
        "{:?}",
        trace.warnings
    );
}

fn life_with_later_row() -> Memory {
    with_later_tx(&format!("44 4 0xcc CommitBlocks f - - {}", day("13:00:00")))
}

#[test]
fn answers_say_that_they_look_back() {
    let trace = check("10:25:00", "commit_sent");
    let caveat = "as of 2023-09-06T10:25:00Z: rows made later are left out";
    assert!(trace.warnings.iter().any(|w| w.starts_with(caveat)));
    // A dump that was made before that time is taken as it is.
    let options = TraceOptions {
        dumped_at_us: Some(us("10:24:00")),
        ..at("10:25:00")
    };
    let trace = analysis::trace::trace(&life(), L2, &options).unwrap();
    assert_eq!(trace.fate, "execute_failed");
}

#[test]
fn rows_of_a_block_or_batch_that_was_not_there_are_not_found() {
    for (key, time) in [("batch:7", "10:10:00"), ("miniblock:5", "10:00:01")] {
        let trace = analysis::trace::trace(&life(), key, &at("09:30:00")).unwrap();
        assert_eq!(trace.fate, "unknown_hash", "{key}");
        let made = format!("was not there yet: its row was made at 2023-09-06T{time}");
        assert!(
            trace.warnings.iter().any(|w| w.contains(&made)),
            "{key}: {:?}",
            trace.warnings
        );
        assert!(!trace.warnings.iter().any(|w| w.contains("pruned")));
    }
}

#[test]
fn without_a_zone_nothing_is_taken_back() {
    // Rows that were copied hours later tell no zone.
    let memory = Memory::default()
        .table(
            "l1_batches",
            "number is_finished:bool timestamp eth_commit_tx_id eth_prove_tx_id eth_execute_tx_id created_at:time",
            &[&format!("7 t 1693994400 41 - - {}", day("15:17:00"))],
        )
        .table(
            "eth_txs",
            "id created_at:time",
            &[&format!("41 {}", day("15:20:00"))],
        );
    let asked = trace(&memory, "batch:7", &at("12:00:00")).unwrap();
    assert!(asked.path[0].batch.is_some());
    assert!(
        asked
            .warnings
            .iter()
            .any(|w| w.contains("nothing can be taken back"))
    );
    // Two days later nothing is of later, in whatever zone.
    let options = TraceOptions {
        as_of_us: Some(us("12:00:00") + 2 * 86_400_000_000),
        ..TraceOptions::default()
    };
    let asked = trace(&memory, "batch:7", &options).unwrap();
    assert!(!asked.warnings.iter().any(|w| w.contains("taken back")));
    // A zone that log lines show: 15:17 in Dubai is 11:17 UTC, 15:20 is 11:20.
    let pairs = (0..9).map(|n| {
        let at = us("10:00:00") + n * 1_200_000_000;
        (at + 4 * 3_600_000_000, at)
    });
    let shown = ZonePairs::solve(pairs).unwrap();
    let zone = analysis::trace::Zone {
        value: "+04:00".to_owned(),
        basis: "logs".to_owned(),
        residual_s: 0.0,
        seconds: i64::from(shown.seconds),
        shown: Some(std::sync::Arc::new(shown)),
    };
    let ask = |time: &str| {
        let options = TraceOptions {
            zone: Some(zone.clone()),
            ..at(time)
        };
        trace(&memory, "batch:7", &options).unwrap()
    };
    assert_eq!(ask("11:00:00").fate, "unknown_hash");
    assert_eq!(ask("11:18:00").fate, "sealed_not_committed");
    assert!(
        ask("11:18:00").path[0]
            .batch
            .as_ref()
            .unwrap()
            .eth_commit_tx_id
            .is_none()
    );
    assert_eq!(
        ask("11:21:00").path[0]
            .batch
            .as_ref()
            .unwrap()
            .eth_commit_tx_id,
        Some(41)
    );
}

#[test]
fn batches_stand_where_they_stood() {
    let ask = |time: &str| {
        let options = BatchesOptions {
            trace: at(time),
            ..BatchesOptions::default()
        };
        batches(&life_with_later_row(), &options).unwrap()
    };
    let states = |time: &str| ask(time).batches[0].steps.clone().map(|step| step.state);
    assert!(ask("10:05:00").batches.is_empty());
    assert_eq!(states("10:15:00"), [Some("none"); 3]);
    assert_eq!(
        states("10:25:00"),
        [Some("sent"), Some("none"), Some("none")]
    );
    assert_eq!(
        states("11:10:00"),
        [Some("confirmed"), Some("sent"), Some("none")]
    );
    let unknown = ask("12:30:00");
    assert_eq!(unknown.batches[0].steps[2].state, None);
    assert!(unknown.warnings.iter().any(|w| w.contains("eth_tx 43")));
}

/// An open batch has a row since September 2024, and since November 2024 a column says when it was sealed.
#[test]
fn open_batches_are_told_from_sealed_ones() {
    let ask = |columns: &str, rows: &[&str], time: &str| {
        let memory = Memory::default().table("l1_batches", columns, rows);
        trace(&memory, "batch:7", &at(time)).unwrap()
    };
    let dated = "number timestamp created_at:time sealed_at:time is_sealed:bool eth_commit_tx_id eth_prove_tx_id eth_execute_tx_id updated_at:time";
    let row = format!(
        "7 1693994400 {} {} t - - - {}",
        day("10:00:01"),
        day("10:10:00"),
        day("10:12:00")
    );
    assert_eq!(ask(dated, &[&row], "10:05:00").fate, "no_batch_yet");
    assert_eq!(ask(dated, &[&row], "10:11:00").fate, "sealed_not_committed");
    // Without the column: the batch that follows shows that it was over.
    let columns = "number timestamp created_at:time is_sealed:bool eth_commit_tx_id eth_prove_tx_id eth_execute_tx_id updated_at:time";
    let rows = [
        format!(
            "7 1693994400 {} t - - - {}",
            day("10:00:01"),
            day("10:12:00")
        ),
        format!(
            "8 1693995060 {} f - - - {}",
            day("10:11:01"),
            day("10:11:01")
        ),
    ];
    let rows = rows.each_ref().map(String::as_str);
    assert_eq!(ask(columns, &rows, "10:05:00").fate, "seal_unknown");
    assert_eq!(ask(columns, &rows, "10:11:30").fate, "sealed_not_committed");
}

const JOBS: &str = "id l1_batch_number circuit_type:text status:word processing_started_at:time created_at:time updated_at:time aggregation_round attempts protocol_version";

#[test]
fn jobs_are_what_their_last_change_leaves_known() {
    let row = |id, round, status, started: &str, updated: &str, attempts| {
        format!(
            "{id} 7 x {status} {started} {} {updated} {round} {attempts} 1",
            day("10:00:00")
        )
    };
    let rows = [
        // Done at 10:30: at 11:00 it was done as well.
        row(1, 0, "successful", &day("10:05:00"), &day("10:30:00"), 1),
        // Taken for the first time at 11:30: at 11:00 it was free.
        row(2, 0, "successful", &day("11:30:00"), &day("11:50:00"), 1),
        // Taken at 10:40, done at 11:20: between, nobody knows.
        row(3, 0, "successful", &day("10:40:00"), &day("11:20:00"), 1),
        // Taken for the third time at 11:10: what it was before is unknown.
        row(4, 0, "in_progress", &day("11:10:00"), &day("11:10:00"), 3),
        // The final proof came at 12:00.
        row(5, 3, "successful", &day("11:40:00"), &day("12:00:00"), 1),
        // Made only then.
        format!("6 7 x queued - {0} {0} 0 0 1", day("11:55:00")),
    ];
    let rows = rows.each_ref().map(String::as_str);
    let memory = Memory::default().table("prover_jobs", JOBS, &rows).table(
        "l1_batches",
        "number timestamp created_at:time updated_at:time eth_prove_tx_id",
        &[&format!(
            "7 1693994400 {} {} -",
            day("10:00:01"),
            day("10:00:01")
        )],
    );
    let ask = |time: &str| {
        let options = JobsOptions {
            as_of_us: Some(us(time)),
            ..JobsOptions::default()
        };
        jobs(&memory, &options).unwrap()
    };
    let then = ask("11:00:00");
    let seen: Vec<_> = then
        .jobs
        .iter()
        .map(|job| {
            (
                job.id.unwrap(),
                job.status.as_str(),
                job.verdict.as_str(),
                job.attempts,
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            (2, "queued", "queued", Some(0)),
            (3, "unknown", "undetermined", Some(1)),
            (4, "unknown", "undetermined", None),
            (5, "queued", "queued", Some(0)),
        ]
    );
    assert_eq!(then.tables[0].rows, 5);
    assert_eq!(then.tables[0].by_status["successful"], 1);
    assert_eq!(then.blocking[0].l1_batch_number, 7);
    assert!(then.warnings.iter().any(|w| w.starts_with("as of ")));
    // At 11:50 the final job is being made: its row only knows the end.
    let nearly = ask("11:50:30");
    assert!(
        nearly.blocking[0]
            .why
            .starts_with("whether its final proof was there"),
        "{}",
        nearly.blocking[0].why
    );
    assert!(ask("12:10:00").blocking.is_empty());
}
