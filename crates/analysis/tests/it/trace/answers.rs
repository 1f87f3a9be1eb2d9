//! Answers of APIs beside the tables, and alone.

use super::memory::Memory;
use analysis::trace::{Trace, TraceOptions, corroborate, trace};

const L2: &str = "0x00000000000000000000000000000000000000000000000000000000000000aa";
const FIRST: &str = "0x00000000000000000000000000000000000000000000000000000000000000c1";
const SECOND: &str = "0x00000000000000000000000000000000000000000000000000000000000000c2";
const OTHER: &str = "0x00000000000000000000000000000000000000000000000000000000000000ee";

const DETAILS: &str = "number timestamp status:word commitTxHash:bytes committedAt:utc proveTxHash:bytes provenAt:utc executeTxHash:bytes executedAt:utc";

/// Batch 7 began at 2023-09-06 10:00:00 UTC; its commit was signed at 10:21 and 10:31 and noticed at 10:40.
fn database() -> Memory {
    Memory::default()
        .table(
            "l2_to_l1_logs",
            "miniblock_number log_index_in_miniblock tx_hash:bytes",
            &[&format!("5 0 {L2}")],
        )
        .table(
            "miniblocks",
            "number l1_batch_number timestamp hash:bytes created_at:time",
            &["5 7 1693994400 0xb5 2023-09-06_10:00:01"],
        )
        .table(
            "l1_batches",
            "number is_finished:bool timestamp eth_commit_tx_id eth_prove_tx_id eth_execute_tx_id created_at:time",
            &["7 t 1693994400 41 - - 2023-09-06_10:00:03"],
        )
        .table(
            "eth_txs",
            "id nonce contract_address:text has_failed:bool confirmed_eth_tx_history_id gas_used created_at:time",
            &["41 1 0xcc f 92 900 2023-09-06_10:20:00"],
        )
        .table(
            "eth_txs_history",
            "id eth_tx_id tx_hash:text created_at:time sent_at_block confirmed_at:time",
            &[
                &format!("91 41 {FIRST} 2023-09-06_10:21:00 100 -"),
                &format!("92 41 {SECOND} 2023-09-06_10:31:00 140 2023-09-06_10:40:00.25"),
            ],
        )
}

fn with(memory: Memory, table: &str, columns: &str, row: &str) -> Trace {
    let memory = memory.table(table, columns, &[row]).in_snapshot("api");
    let mut answer = trace(&memory, L2, &TraceOptions::default()).unwrap();
    corroborate(&mut answer, &memory).unwrap();
    answer
}

fn details(commit: &str, at: &str) -> Trace {
    let row = format!("7 1693994400 verified {commit} {at} - - - -");
    with(database(), "zks_getL1BatchDetails", DETAILS, &row)
}

/// What the answers say of the commit: whether they agree, and what is warned of.
#[track_caller]
fn check(trace: &Trace, agrees: Option<bool>, warning: &str) {
    let commit = trace.path[0].commit.as_ref().unwrap();
    assert_eq!(commit.answers.len(), 1, "{:?}", trace.warnings);
    assert_eq!(commit.answers[0].agrees, agrees, "{:?}", trace.warnings);
    let about: Vec<&String> = trace
        .warnings
        .iter()
        .filter(|w| w.contains("disagree") || w.contains("do not say"))
        .collect();
    match warning {
        "" => assert_eq!(about, Vec::<&String>::new()),
        _ => {
            assert_eq!(about.len(), 1, "{about:?}");
            assert!(about[0].contains(warning), "{about:?}");
        }
    }
    assert!(trace.refs.contains(&commit.answers[0].reference));
}

#[test]
fn a_node_says_what_its_database_says() {
    // Explorers cut times to milliseconds.
    check(&details(SECOND, "2023-09-06_10:40:00"), Some(true), "");
    let proof = &details(SECOND, "2023-09-06_10:40:00").path[0].prove;
    assert_eq!(proof.as_ref().unwrap().answers[0].agrees, Some(true));
    check(
        &details(OTHER, "2023-09-06_10:40:00"),
        Some(false),
        "was confirmed at 2023-09-06T10:40:00.000000Z, the table says 0x",
    );
    check(
        &details(SECOND, "2023-09-06_18:40:00"),
        Some(false),
        "noticed 8h 00m later than confirmed_at: a zone was taken wrong",
    );
    check(
        &details(SECOND, "2023-09-06_10:47:00"),
        Some(false),
        "confirmed again after a reorg",
    );
    check(
        &details("-", "-"),
        Some(false),
        "the answer is older than that",
    );
}

#[test]
fn an_answer_may_be_newer_than_the_dump() {
    let row = format!(
        "7 1693994400 verified {SECOND} 2023-09-06_10:40:00 {OTHER} 2023-09-06_11:00:00 - -"
    );
    let memory = database()
        .table("zks_getL1BatchDetails", DETAILS, &[&row])
        .in_snapshot("api");
    let ask = |dumped_at_us: Option<i64>| {
        let options = TraceOptions {
            dumped_at_us,
            ..TraceOptions::default()
        };
        let mut answer = trace(&memory, L2, &options).unwrap();
        corroborate(&mut answer, &memory).unwrap();
        answer
    };
    // As of the newest row, 10:40, the proof is of later: no disagreement.
    let answer = ask(None);
    let proof = answer.path[0].prove.as_ref().unwrap();
    assert_eq!(proof.answers[0].agrees, None);
    assert!(!answer.warnings.iter().any(|w| w.contains("disagree")));
    // Of a dump of noon it is one.
    let answer = ask(model::time::parse_utc("2023-09-06T12:00:00Z"));
    let proof = answer.path[0].prove.as_ref().unwrap();
    assert_eq!(proof.answers[0].agrees, Some(false));
    assert!(
        answer
            .warnings
            .iter()
            .any(|w| w.contains("the table says none"))
    );
}

#[test]
fn a_block_in_another_batch_is_a_disagreement() {
    let columns = "number hash:bytes l1BatchNumber isL1BatchSealed:bool status:word";
    let of = |row: &str| with(database(), "explorer_blocks", columns, row);
    let same = of("5 0xb5 7 t verified");
    assert_eq!(same.path[0].answers[0].agrees, Some(true));
    assert_eq!(same.path[0].answers[0].l1_batch_number, Some(7));
    let other = of("5 0xb5 8 t verified");
    assert_eq!(other.path[0].answers[0].agrees, Some(false));
    assert!(
        other
            .warnings
            .iter()
            .any(|w| w.contains("in batch 8, the table in batch 7"))
    );
    let reverted = of("5 0xb6 7 t verified");
    assert!(
        reverted
            .warnings
            .iter()
            .any(|w| w.contains("has the hash 0xb6, the table has 0xb5"))
    );
}

/// Header and row of an export of Etherscan.
fn export(hash: &str, seconds: i64, status: &str) -> Trace {
    let memory = database()
        .table(
            "etherscan_transactions",
            "Txhash:bytes Blockno UnixTimestamp Status:word",
            &[&format!("{hash} 150 {seconds} {status}")],
        )
        .in_snapshot("etherscan");
    let mut answer = trace(&memory, L2, &TraceOptions::default()).unwrap();
    corroborate(&mut answer, &memory).unwrap();
    answer
}

#[test]
fn etherscan_knows_when_l1_mined() {
    // 10:32:36.
    let answer = export(SECOND, 1_693_996_356, "-");
    check(&answer, Some(true), "");
    let mined = answer.path[0]
        .commit
        .as_ref()
        .unwrap()
        .l1_mined
        .as_ref()
        .unwrap();
    assert_eq!(mined.at.as_deref(), Some("2023-09-06T10:32:36.000000Z"));
    assert!(mined.basis.starts_with("etherscan_transactions"));
    check(
        &export(SECOND, 1_693_996_356, "Fail"),
        Some(false),
        "as failed",
    );
    check(
        &export(FIRST, 1_693_996_356, "-"),
        Some(false),
        "only one of them can have been",
    );
    // Four hours before it was signed.
    check(
        &export(SECOND, 1_693_981_956, "-"),
        Some(false),
        "before it was signed",
    );
}

#[test]
fn answers_alone_lead_as_far_as_they_go() {
    let row = format!(
        "7 1693994400 verified {SECOND} 2023-09-06_10:40:00 {OTHER} 2023-09-06_11:00:00 - -"
    );
    let memory = Memory::default()
        .table("zks_getL1BatchDetails", DETAILS, &[&row])
        .in_snapshot("details")
        .table(
            "explorer_transactions",
            "hash:bytes blockNumber l1BatchNumber status:word commitTxHash:bytes proveTxHash:bytes executeTxHash:bytes error:text",
            &[&format!("{L2} 5 7 included {SECOND} - - -")],
        )
        .in_snapshot("transactions");
    let ask = |key: &str| trace(&memory, key, &TraceOptions::default()).unwrap();
    // `verified` of the details says that it was executed; its hash is not there.
    for key in [L2, "batch:7", SECOND, "miniblock:5"] {
        let answer = ask(key);
        assert_eq!(answer.fate, "execute_confirmed", "{key}");
        let path = &answer.path[0];
        assert_eq!(path.l1_batch_number, Some(7), "{key}");
        let step = path.commit.as_ref().unwrap();
        assert_eq!(step.l1_tx_hash.as_deref(), Some(SECOND));
        assert_eq!(
            step.confirmed_at.as_deref(),
            Some("2023-09-06T10:40:00.000000Z")
        );
        assert!(answer.warnings[0].starts_with("no table of the server's database"));
        assert!(!answer.refs.is_empty());
    }
    let options = TraceOptions {
        as_of_us: model::time::parse_utc("2023-09-06T10:50:00Z"),
        ..TraceOptions::default()
    };
    let then = trace(&memory, "batch:7", &options).unwrap();
    assert_eq!(then.fate, "commit_confirmed");
    assert_eq!(
        then.waiting.unwrap().since.as_deref(),
        Some("2023-09-06T10:40:00.000000Z")
    );
    assert_eq!(ask(OTHER).kind, "l1_tx");
    let unknown = ask("batch:8");
    assert_eq!(
        (unknown.fate.as_str(), unknown.kind.as_str()),
        ("unknown_hash", "unknown")
    );
    assert!(unknown.is_undetermined());
}

#[test]
fn a_node_guesses_the_batch_of_an_open_block() {
    let ask = |table: &str, columns: &str, row: &str| {
        let memory = Memory::default().table(table, columns, &[row]);
        trace(&memory, "miniblock:9", &TraceOptions::default()).unwrap()
    };
    let details = "number l1BatchNumber timestamp status:word commitTxHash:bytes committedAt:utc";
    let open = ask("zks_getBlockDetails", details, "9 8 1693994400 sealed - -");
    assert_eq!(open.fate, "seal_unknown");
    let page = "number l1BatchNumber isL1BatchSealed:bool status:word";
    let open = ask("explorer_blocks", page, "9 8 f sealed");
    assert_eq!(
        (open.fate.as_str(), open.path[0].l1_batch_number),
        ("no_batch_yet", None)
    );
    let sealed = ask("explorer_blocks", page, "9 8 t sealed");
    assert_eq!(sealed.fate, "commit_unknown");
}
