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
    // `verified` of the details says that it was executed, and they name no transaction that did it.
    for key in [L2, "batch:7", SECOND, "miniblock:5"] {
        let answer = ask(key);
        assert_eq!(answer.fate, "execute_unknown", "{key}");
        assert!(answer.waiting.is_none(), "{key}");
        let said = answer.warnings.join("; ");
        assert!(
            said.contains("its status is verified (executed), yet it names no execute transaction"),
            "{key}: {said}"
        );
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

const TX_DETAILS: &str =
    "rpc_id:bytes status:word ethCommitTxHash:bytes ethProveTxHash:bytes ethExecuteTxHash:bytes";

/// Of `zks_getTransactionDetails` alone: it names neither block nor batch, and its status is `verified` once the execution
/// is confirmed, whatever it names before.
#[test]
fn details_of_a_transaction_alone_in_every_combination() {
    let statuses = [
        "pending",
        "included",
        "precommitted",
        "verified",
        "fastFinalized",
        "failed",
        "-",
    ];
    for status in statuses {
        for named in 0..8u8 {
            let has = |stage: u8| named & (1 << stage) != 0;
            let cell = |stage: u8, hash: &'static str| if has(stage) { hash } else { "-" };
            let row = format!(
                "{L2} {status} {} {} {}",
                cell(0, FIRST),
                cell(1, SECOND),
                cell(2, OTHER)
            );
            let memory = Memory::default().table("zks_getTransactionDetails", TX_DETAILS, &[&row]);
            let ask = |key: &str| trace(&memory, key, &TraceOptions::default()).unwrap();
            let answer = ask(L2);
            let is_final = matches!(status, "verified" | "fastFinalized");
            // What the row says of each step: confirmed, nothing, or what cannot be.
            let doubted = |stage: u8| {
                let later = (stage + 1..3).any(has);
                match has(stage) {
                    true => {
                        status == "pending"
                            || (stage == 2 && !is_final && status != "failed" && status != "-")
                    }
                    false => is_final || later,
                }
            };
            let stages = ["commit", "prove", "execute"];
            let last = (0..3u8).rev().find(|&stage| has(stage) || doubted(stage));
            let fate = match last {
                Some(stage) if doubted(stage) => format!("{}_unknown", stages[stage as usize]),
                Some(stage) => format!("{}_confirmed", stages[stage as usize]),
                None if status == "pending" => "not_in_a_block".to_owned(),
                None => "commit_unknown".to_owned(),
            };
            assert_eq!(answer.fate, fate, "{row}");
            let doubts = (0..3).filter(|&stage| doubted(stage)).count();
            let said = answer
                .warnings
                .iter()
                .filter(|w| w.contains("contradicts itself"));
            assert_eq!(said.count(), doubts, "{row}: {:?}", answer.warnings);
            for (stage, hash) in [FIRST, SECOND, OTHER].into_iter().enumerate() {
                if !has(stage as u8) {
                    continue;
                }
                // Asked by the transaction on L1, the same row answers.
                let by_hash = ask(hash);
                assert_eq!(by_hash.kind, "l1_tx", "{row} {hash}");
                assert_eq!(by_hash.fate, fate, "{row} {hash}");
                let path = &by_hash.path[0];
                let step = [&path.commit, &path.prove, &path.execute][stage];
                let known = step.as_ref().unwrap().l1_tx_hash.as_deref();
                assert_eq!(known, (!doubted(stage as u8)).then_some(hash), "{row}");
            }
        }
    }
}

/// Of a batch's details: hash and time of a step come together.
#[test]
fn details_of_a_batch_in_every_combination() {
    for (status, commit, at, fate, doubt) in [
        ("sealed", "-", "-", "commit_unknown", ""),
        (
            "sealed",
            FIRST,
            "2023-09-06_10:40:00",
            "commit_confirmed",
            "",
        ),
        (
            "sealed",
            FIRST,
            "-",
            "commit_unknown",
            "names a commit transaction without a time",
        ),
        (
            "sealed",
            "-",
            "2023-09-06_10:40:00",
            "commit_unknown",
            "a time for commit, and no transaction",
        ),
        (
            "verified",
            "-",
            "-",
            "execute_unknown",
            "its status is verified (executed), yet it names no commit transaction",
        ),
        (
            "verified",
            FIRST,
            "2023-09-06_10:40:00",
            "execute_unknown",
            "yet it names no prove transaction",
        ),
    ] {
        let row = format!("7 1693994400 {status} {commit} {at} - - - -");
        let memory = Memory::default().table("zks_getL1BatchDetails", DETAILS, &[&row]);
        let answer = trace(&memory, "batch:7", &TraceOptions::default()).unwrap();
        assert_eq!(answer.fate, fate, "{row}");
        let said = answer.warnings.join("; ");
        assert_eq!(
            said.contains("contradicts itself"),
            !doubt.is_empty(),
            "{row}: {said}"
        );
        assert!(said.contains(doubt), "{row}: {said}");
    }
    // The genesis batch counts as verified and was never sent.
    let memory = Memory::default().table(
        "zks_getL1BatchDetails",
        DETAILS,
        &["0 0 verified - - - - - -"],
    );
    let answer = trace(&memory, "batch:0", &TraceOptions::default()).unwrap();
    assert!(!answer.warnings.join("; ").contains("contradicts"));
}
