//! What a batch waits for, over a chain of twenty batches that settled in step.

use super::fates::{ask, does_not_warn, warns};
use super::memory::Memory;
use analysis::trace::{TraceOptions, trace};

fn at(time: &str) -> TraceOptions {
    TraceOptions {
        as_of_us: model::time::parse_utc(time),
        ..TraceOptions::default()
    }
}

/// Batches 1 to 20, each a minute after the other, their steps confirmed 120, 240 and 360 seconds after
/// they were sealed; `eth_txs` and its history as the caller says.
pub(crate) struct Chain {
    batches: Vec<String>,
    pub(crate) txs: Vec<String>,
    pub(crate) history: Vec<String>,
}

/// 2023-05-12 12:00:00.
pub(crate) const START_S: i64 = 1_683_892_800;

fn civil(second: i64) -> String {
    model::time::format_civil((START_S + second) * 1_000_000).replace('T', "_")
}

impl Chain {
    pub(crate) fn settled() -> Chain {
        let mut chain = Chain {
            batches: Vec::new(),
            txs: Vec::new(),
            history: Vec::new(),
        };
        for number in 1..=20 {
            let sealed = number * 60;
            chain.batch(
                number,
                sealed,
                [number, 100 + number, 200 + number].map(Some),
            );
            for (stage, id) in [number, 100 + number, 200 + number].into_iter().enumerate() {
                let signed = sealed + 120 * stage as i64;
                chain.tx(id, 3 * number + stage as i64, false, true);
                chain.attempt(id, signed, Some(signed + 120));
            }
        }
        chain
    }

    pub(crate) fn batch(&mut self, number: i64, sealed: i64, links: [Option<i64>; 3]) {
        let link = |id: Option<i64>| id.map_or("-".to_owned(), |id| id.to_string());
        self.batches.push(format!(
            "{number} {} t {} {} {} {}",
            START_S + sealed,
            link(links[0]),
            link(links[1]),
            link(links[2]),
            civil(sealed)
        ));
    }

    pub(crate) fn tx(&mut self, id: i64, nonce: i64, has_failed: bool, linked: bool) {
        let link = if linked {
            id.to_string()
        } else {
            "-".to_owned()
        };
        let failed = if has_failed { "t" } else { "f" };
        self.txs
            .push(format!("{id} {nonce} 0xcc CommitBlocks {failed} {link} -"));
    }

    /// The attempt's id is its transaction's (or above 1000, if there are several).
    pub(crate) fn attempt(&mut self, id: i64, signed: i64, noticed: Option<i64>) {
        let count = self.history.len() as i64;
        let of = id.to_string();
        let again = self
            .history
            .iter()
            .any(|row| row.split(' ').nth(1) == Some(of.as_str()));
        let own = if again { 1000 + count } else { id };
        self.history.push(format!(
            "{own} {id} 0x{own:064x} {} 17 {}",
            civil(signed),
            noticed.map_or("-".to_owned(), civil)
        ));
    }

    pub(crate) fn memory(&self) -> Memory {
        let rows: Vec<&str> = self.txs.iter().map(String::as_str).collect();
        let columns = "id nonce contract_address:text tx_type:text has_failed:bool confirmed_eth_tx_history_id gas_used";
        self.memory_with_txs(columns, &rows)
    }

    /// With other columns of `eth_txs`.
    fn memory_with_txs(&self, columns: &str, txs: &[&str]) -> Memory {
        fn rows(rows: &[String]) -> Vec<&str> {
            rows.iter().map(String::as_str).collect()
        }
        Memory::default()
            .table(
                "l1_batches",
                "number timestamp is_finished:bool eth_commit_tx_id eth_prove_tx_id eth_execute_tx_id created_at:time",
                &rows(&self.batches),
            )
            .table("eth_txs", columns, txs)
            .table(
                "eth_txs_history",
                "id eth_tx_id tx_hash:text created_at:time sent_at_block confirmed_at:time",
                &rows(&self.history),
            )
    }
}

pub(crate) fn second(second: i64) -> String {
    model::time::format_utc((START_S + second) * 1_000_000)
}

#[test]
fn a_step_is_judged_by_the_norm_of_its_database() {
    let mut chain = Chain::settled();
    chain.batch(21, 1300, [Some(21), None, None]);
    chain.tx(21, 100, false, true);
    chain.attempt(21, 1300, Some(1420));
    let memory = chain.memory();
    for (as_of, verdict) in [(1500, "normal"), (1541, "late")] {
        let trace = trace(&memory, "batch:21", &at(&second(as_of))).unwrap();
        let waiting = trace.waiting.unwrap();
        assert_eq!(waiting.stage, "prove");
        assert_eq!(waiting.since.as_deref(), Some(second(1420).as_str()));
        assert_eq!(waiting.age_s, Some((as_of - 1420) as f64));
        assert_eq!(
            (waiting.norm.p50_s, waiting.norm.p99_s, waiting.norm.n),
            (Some(120.0), Some(120.0), 20)
        );
        assert_eq!(waiting.verdict, verdict);
        assert!(waiting.blocked_by.is_none());
    }
}

#[test]
fn the_blocker_is_the_first_undone_job_of_the_lowest_batch() {
    let mut chain = Chain::settled();
    for number in [21, 22] {
        chain.batch(number, 1200 + 10 * number, [Some(number), None, None]);
        chain.tx(number, 100 + number, false, true);
        chain.attempt(number, 1300 + number, Some(1420));
    }
    let jobs = "id l1_batch_number circuit_type:text status:word aggregation_round attempts processing_started_at:time error:text";
    let memory = chain.memory().table(
        "prover_jobs",
        jobs,
        &[
            "11 21 Main_VM successful 0 1 2023-05-12_12:30:00 -",
            "13 21 Scheduler queued 3 0 - -",
            "12 21 Main_VM in_gpu_proof 0 1 2023-05-12_12:31:00 -",
            "14 22 Main_VM failed 0 1 2023-05-12_12:32:00 out_of_memory",
        ],
    );
    let late = at(&second(9000));
    let of_22 = trace(&memory, "batch:22", &late).unwrap().waiting.unwrap();
    assert_eq!(of_22.verdict, "blocked");
    let blocker = of_22.blocked_by.unwrap();
    assert_eq!((blocker.kind.as_str(), blocker.id), ("job", 12));
    assert_eq!(
        blocker.why,
        "prover_jobs 12 of batch 21 (round 0) is in_gpu_proof since 2023-05-12T12:31:00, attempts 1: in_gpu_proof past the timeout of 2700 s; it is put back only while attempts < 1, and attempts is 1: nothing ever does; without it batch 21 has no proof"
    );
    assert_eq!(blocker.refs, ["0123456789ab:public.prover_jobs#12"]);
    // All jobs done: what is in the way is the lower batch itself.
    let done = chain.memory().table(
        "prover_jobs",
        jobs,
        &["11 21 Main_VM successful 0 1 2023-05-12_12:30:00 -"],
    );
    let blocker = trace(&done, "batch:22", &late)
        .unwrap()
        .waiting
        .unwrap()
        .blocked_by
        .unwrap();
    assert_eq!((blocker.kind.as_str(), blocker.id), ("batch", 21));
}

#[test]
fn nonces_that_are_pending_or_in_no_row_block() {
    let mut chain = Chain::settled();
    for number in [21, 22] {
        chain.batch(number, 1200 + 10 * number, [Some(number), None, None]);
        chain.tx(number, 42 + number, false, false);
        chain.attempt(number, 1500, None);
        chain.attempt(number, 2000, None);
    }
    let late = at(&second(9000));
    let blocker = |chain: &Chain| {
        let waiting = trace(&chain.memory(), "batch:22", &late)
            .unwrap()
            .waiting
            .unwrap();
        assert_eq!(
            (waiting.stage.as_str(), waiting.verdict.as_str()),
            ("commit", "blocked")
        );
        let blocker = waiting.blocked_by.unwrap();
        (blocker.kind, blocker.id)
    };
    // The last nonce that is through is 3 * 20 + 2 = 62; 63 and 64 are pending.
    assert_eq!(blocker(&chain), ("nonce".to_owned(), 21));
    chain.txs.pop();
    chain.txs.pop();
    chain.tx(21, 64, false, false);
    chain.tx(22, 65, false, false);
    assert_eq!(blocker(&chain), ("nonce".to_owned(), 63));
}

/// A sender that others send with too leaves nonces out that L1 has seen: the next gap need not block.
#[test]
fn a_gap_of_nonces_blocks_only_where_the_sender_leaves_none_out() {
    let mut chain = Chain::settled();
    let shared = |chain: &mut Chain| {
        for row in &mut chain.txs {
            let mut cells: Vec<String> = row.split(' ').map(str::to_owned).collect();
            // Every third nonce is somebody else's.
            let nonce: i64 = cells[1].parse().unwrap();
            cells[1] = (nonce + nonce / 2).to_string();
            *row = cells.join(" ");
        }
    };
    shared(&mut chain);
    let through = 62 + 31;
    chain.batch(21, 1410, [Some(21), None, None]);
    chain.tx(21, through + 2, false, false);
    chain.attempt(21, 1500, None);
    chain.attempt(21, 2000, None);
    let late = at(&second(9000));
    let waiting = trace(&chain.memory(), "batch:21", &late).unwrap().waiting;
    let waiting = waiting.unwrap();
    assert_eq!(waiting.verdict, "late");
    assert!(waiting.blocked_by.is_none(), "{waiting:?}");
    let [hypothesis] = waiting.hypotheses.as_slice() else {
        panic!("{waiting:?}")
    };
    for words in [
        format!("no row has nonce {}", through + 1),
        "30 such gaps".to_owned(),
        "need not block".to_owned(),
    ] {
        assert!(hypothesis.text.contains(&words), "{}", hypothesis.text);
    }
    // What comes first by nonce and is not through stands in the way all the same.
    chain.batch(22, 1420, [Some(22), None, None]);
    chain.tx(22, through + 4, false, false);
    chain.attempt(22, 1500, None);
    chain.attempt(22, 2000, None);
    let waiting = trace(&chain.memory(), "batch:22", &late).unwrap().waiting;
    let waiting = waiting.unwrap();
    assert_eq!(waiting.verdict, "blocked");
    assert_eq!(waiting.blocked_by.unwrap().id, 21);
    assert_eq!(waiting.hypotheses.len(), 1);
}

/// A sender of whom hardly anything is known, and another sender's gaps.
#[test]
fn gaps_of_nonces_count_per_sender() {
    let late = at(&second(9000));
    let ask = |mined: std::ops::Range<i64>, step: i64| {
        let mut chain = Chain::settled();
        let mut blobs = Vec::new();
        for id in mined.clone() {
            blobs.push(format!(
                "{} {} 0xcc CommitBlocks f {} - 0xb10b",
                500 + id,
                id * step,
                500 + id
            ));
            chain.attempt(500 + id, 1300, Some(1400));
        }
        blobs.push(format!(
            "21 {} 0xcc CommitBlocks f - - 0xb10b",
            (mined.end - 1) * step + 2
        ));
        chain.batch(21, 1410, [Some(21), None, None]);
        chain.attempt(21, 1500, None);
        chain.attempt(21, 2000, None);
        let rows: Vec<String> = chain
            .txs
            .iter()
            .map(|row| format!("{row} -"))
            .chain(blobs)
            .collect();
        let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
        let memory = chain.memory_with_txs(
            "id nonce contract_address:text tx_type:text has_failed:bool confirmed_eth_tx_history_id gas_used from_addr:bytes",
            &rows,
        );
        trace(&memory, "batch:21", &late).unwrap().waiting.unwrap()
    };
    let whole = ask(0..12, 1);
    assert_eq!(whole.blocked_by.unwrap().id, 12);
    assert!(whole.hypotheses.is_empty());
    let few = ask(0..3, 1);
    assert!(few.blocked_by.is_none());
    assert!(few.hypotheses[0].text.contains("only 3"), "{few:?}");
    let shared = ask(0..12, 3);
    assert!(shared.blocked_by.is_none());
    assert!(
        shared.hypotheses[0].text.contains("11 such gaps"),
        "{shared:?}"
    );
}

/// 12 May 2023: Ethereum finalized nothing from 17:20:23 to 18:30:47, and the server of that time took
/// note of receipts only when they were final. Everything was mined in time.
#[test]
fn l1_that_does_not_finalize_is_no_fault_of_the_rollup() {
    let hour = 3600;
    let mut chain = Chain::settled();
    // 17:25: sent once each, nothing of it noticed yet at 18:20.
    for number in 21..=24 {
        chain.batch(number, 5 * hour + 1500 + number, [Some(number), None, None]);
        chain.tx(number, 42 + number, false, false);
        chain.attempt(number, 5 * hour + 1500 + number, None);
    }
    let during = trace(&chain.memory(), "batch:24", &at("2023-05-12T18:20:00Z")).unwrap();
    assert_eq!(during.fate, "commit_sent");
    let waiting = during.waiting.as_ref().unwrap();
    assert_eq!(waiting.verdict, "late");
    assert!(waiting.blocked_by.is_none(), "{waiting:?}");
    warns(
        &during,
        "no confirmation of any L1 transaction was noticed after 2023-05-12T12:26:00Z, though 4 more were signed",
    );
    warns(&during, "no fault of the rollup");
    warns(
        &during,
        "nothing was finalized there from 2023-05-12T17:20:23Z to 2023-05-12T18:30:47Z",
    );
    // One that had to be sent again is stuck for a reason of its own.
    let mut resent = Chain {
        batches: chain.batches.clone(),
        txs: chain.txs.clone(),
        history: chain.history.clone(),
    };
    resent.attempt(21, 5 * hour + 2000, None);
    let stuck = trace(&resent.memory(), "batch:24", &at("2023-05-12T18:20:00Z")).unwrap();
    assert_eq!(stuck.waiting.unwrap().verdict, "blocked");

    // Afterwards: 70 minutes late, all at once.
    chain.txs.truncate(60);
    chain.history.truncate(60);
    for number in 21..=24 {
        chain.tx(number, 42 + number, false, true);
        chain.attempt(number, 5 * hour + 1500 + number, Some(6 * hour + 1900));
    }
    let after = trace(&chain.memory(), "batch:24", &at("2023-05-12T18:40:00Z")).unwrap();
    assert_eq!(after.fate, "commit_confirmed");
    let commit = after.path[0].commit.as_ref().unwrap();
    let bounds = commit.l1_mined.as_ref().unwrap();
    assert_eq!(bounds.at, None);
    assert_eq!(
        bounds.not_before.as_deref(),
        Some("2023-05-12T17:25:24.000000")
    );
    assert_eq!(
        bounds.not_after.as_deref(),
        Some("2023-05-12T18:31:40.000000")
    );
    warns(
        &after,
        "commit: noticed 66m 16s after it was signed, half of all here within 2m 00s",
    );
    warns(&after, "the late notice alone is no fault of the rollup");
    warns(&after, "2023-05-12T17:20:23Z to 2023-05-12T18:30:47Z");
    // Batches of the same database that were noticed in time get no such word.
    does_not_warn(&ask(&chain.memory(), "batch:20"), "noticed");
}

#[test]
fn an_execution_delay_is_given_or_bounded_never_assumed() {
    let mut chain = Chain::settled();
    chain.batch(21, 1300, [Some(21), Some(121), None]);
    for (id, nonce, signed) in [(21, 63, 1300), (121, 64, 1500)] {
        chain.tx(id, nonce, false, true);
        chain.attempt(id, signed, Some(signed + 120));
    }
    let memory = chain.memory();
    let ask = |delay_s: Option<f64>, as_of: i64| {
        let options = TraceOptions {
            execution_delay_s: delay_s,
            ..at(&second(as_of))
        };
        trace(&memory, "batch:21", &options).unwrap()
    };
    let without = ask(None, 9000).waiting.unwrap();
    assert_eq!(
        (without.stage.as_str(), without.verdict.as_str()),
        ("execute", "late")
    );
    let delay = without.execution_delay.unwrap();
    // Every batch was executed 360 seconds after its commit was signed.
    assert_eq!((delay.delay_s, delay.at_most_s), (None, Some(360.0)));
    assert_eq!(delay.basis, "evidence");
    assert!(delay.executable.is_none());

    let given = ask(Some(330.0), 1629);
    let waiting = given.waiting.as_ref().unwrap();
    assert_eq!(waiting.verdict, "normal");
    let executable = waiting
        .execution_delay
        .as_ref()
        .unwrap()
        .executable
        .as_ref()
        .unwrap();
    assert_eq!(
        executable.not_before.as_deref(),
        Some(second(1630).as_str())
    );
    assert_eq!(executable.not_after, second(1750));
    does_not_warn(&given, "cannot be");
    warns(
        &ask(Some(75_600.0), 9000),
        "execute: the given delay of 21h 00m cannot be",
    );
    assert_eq!(ask(Some(330.0), 9000).waiting.unwrap().verdict, "late");
}

#[test]
fn an_external_nodes_times_are_no_norm() {
    let mut chain = Chain::settled();
    chain.batch(21, 1300, [Some(21), None, None]);
    // What insert_bogus_confirmed_eth_tx writes.
    chain.txs.push("21 0  CommitBlocks f 21 -".to_owned());
    chain.attempt(21, 9000, Some(1420));
    let trace = trace(&chain.memory(), "batch:21", &at(&second(20_000))).unwrap();
    assert_eq!(trace.fate, "commit_confirmed");
    warns(&trace, "a copy that an external node made");
    let waiting = trace.waiting.unwrap();
    assert_eq!(
        (waiting.stage.as_str(), waiting.verdict.as_str()),
        ("prove", "unknown")
    );
    assert_eq!(waiting.norm.n, 0);
    let commit = trace.path[0].commit.as_ref().unwrap();
    assert_eq!(commit.l1_mined.as_ref().unwrap().not_before, None);
}

/// A lower batch whose history rows cannot be read is not said to wait.
#[test]
fn what_cannot_be_read_is_not_in_the_way() {
    let mut chain = Chain::settled();
    // Linked, and its attempt is not there: pending in a whole table, perhaps unreadable in a broken one.
    chain.batch(21, 1410, [Some(21), None, None]);
    chain.tx(21, 63, false, false);
    chain.batch(22, 1420, [None, None, None]);
    let late = at(&second(9000));
    let blocker = |memory: &Memory| {
        let waiting = trace(memory, "batch:22", &late).unwrap().waiting.unwrap();
        assert_eq!(waiting.stage, "commit");
        waiting.blocked_by.map(|blocker| (blocker.kind, blocker.id))
    };
    assert_eq!(blocker(&chain.memory()), Some(("batch".to_owned(), 21)));
    assert_eq!(blocker(&chain.memory().damaged("eth_txs_history")), None);
}
