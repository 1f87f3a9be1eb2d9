//! One rule of the answer each, on a handful of rows.

use super::{FRI, NOON, OLD, ask, at, job, limited, verdicts};
use crate::trace::memory::Memory;
use analysis::jobs::{GivenLimits, JobEvent, JobsError, JobsOptions, Runs, jobs, what_if};
use chain::requeue::Queue;

fn old(rows: &[&str]) -> Memory {
    Memory::default().table("prover_jobs", OLD, rows)
}

fn fri(rows: &[&str]) -> Memory {
    Memory::default().table("prover_jobs_fri", FRI, rows)
}

fn migrated(memory: Memory, version: &str) -> Memory {
    memory.table(
        "_sqlx_migrations",
        "version success:bool",
        &[
            "20211026134308 t",
            &format!("{version} t"),
            "20991231000000 f",
        ],
    )
}

const T0: &str = "2023-09-06_10:00:00";
const T1: &str = "2023-09-06_10:05:00";
const T2: &str = "2023-09-06_11:50:00";

#[test]
fn states_of_old_jobs() {
    let memory = old(&[
        &format!("1 7 Scheduler in_gpu_proof {T0} {T0} {T0} 3 1 15"),
        &format!("2 8 Scheduler in_progress {T2} {T0} {T2} 3 1 15"),
        &format!("3 9 Scheduler failed {T0} {T0} {T1} 3 1 15"),
        &format!("4 10 Scheduler in_gpu_proof - {T0} {T0} 3 0 15"),
        &format!("5 11 Scheduler frozen {T0} {T0} {T0} 3 1 15"),
        &format!("6 12 Scheduler successful {T0} {T0} {T1} 3 1 15"),
    ]);
    let one = ask(&memory, &limited(1, 2700));
    assert_eq!(
        verdicts(&one),
        [
            (1, "lost"),
            (2, "running"),
            (3, "lost"),
            (4, "lost"),
            (5, "undetermined")
        ]
    );
    assert!(job(&one, 1).why.contains("attempts < 1, and attempts is 1"));
    assert!(job(&one, 2).why.contains("then it is lost"));
    assert!(job(&one, 4).why.contains("NULL"));
    assert_eq!(
        job(&one, 2).due_at.as_deref(),
        Some("2023-09-06T12:35:00.000000")
    );
    assert_eq!(job(&one, 1).age_s, Some(7200.0));
    assert_eq!(job(&one, 1).refs, ["0123456789ab:public.prover_jobs#1"]);
    let five = ask(&memory, &limited(5, 2700));
    assert_eq!(
        verdicts(&five),
        [
            (1, "overdue"),
            (2, "running"),
            (3, "overdue"),
            (4, "lost"),
            (5, "undetermined")
        ]
    );
    assert_eq!(
        job(&five, 1).runs_left,
        Runs {
            least: 2,
            most: Some(2)
        }
    );
    assert!(
        job(&five, 1).why.contains("4500 s late"),
        "{}",
        job(&five, 1).why
    );
    let patient = ask(&memory, &limited(5, 7000));
    assert_eq!(job(&patient, 1).verdict, "comes_back");
}

#[test]
fn assumed_limits_are_said_and_the_zone_is_not_guessed() {
    let memory = old(&[&format!("1 7 Scheduler in_gpu_proof {T0} {T0} {T0} 3 1 15")]);
    let answer = ask(&memory, &at(NOON));
    let rule = &answer.rules[0];
    assert_eq!(
        (rule.queue.as_str(), rule.basis.as_str()),
        ("prover", "table")
    );
    assert_eq!(
        (rule.max_attempts.value, rule.max_attempts.basis.as_str()),
        (Some(1), "assumed")
    );
    assert_eq!(
        (rule.timeout_s.value, rule.timeout_s.basis.as_str()),
        (Some(2700), "assumed")
    );
    assert!(
        answer.warnings.iter().any(|w| w.contains("zone")),
        "{:?}",
        answer.warnings
    );
    // Without a time, the newest row is the time; nothing is over its timeout then.
    let answer = ask(&memory, &JobsOptions::default());
    assert_eq!(answer.as_of.unwrap().basis, "newest row");
    assert_eq!(answer.jobs[0].verdict, "running");
    // Limits for another queue do not concern this one.
    let mut options = limited(9, 9);
    options.limits.queues = vec![Queue::FriProver];
    assert_eq!(
        ask(&memory, &options).rules[0].max_attempts.basis,
        "assumed"
    );
}

#[test]
fn the_lowest_batch_without_a_final_proof() {
    let memory = old(&[
        &format!("1 5 Scheduler successful {T0} {T0} {T1} 3 1 15"),
        &format!("2 6 Scheduler skipped - {T0} {T0} 3 0 15"),
        &format!("3 7 Leaf successful {T0} {T0} {T1} 1 1 15"),
        &format!("4 8 Scheduler successful {T0} {T0} {T1} 3 1 15"),
        &format!("5 9 Scheduler in_gpu_proof {T0} {T0} {T0} 3 1 15"),
        &format!("6 10 Scheduler successful {T0} {T0} {T1} 3 1 15"),
    ]);
    let answer = ask(&memory, &at(NOON));
    let blocking = &answer.blocking[0];
    assert_eq!(
        (blocking.system.as_str(), blocking.l1_batch_number),
        ("old", 7)
    );
    assert_eq!(
        (blocking.proven_behind, blocking.last_proven),
        (2, Some(10))
    );
    assert!(
        blocking.why.contains("none of its jobs is left"),
        "{}",
        blocking.why
    );
    // The server has linked a prove transaction to 7: the next one is it.
    let memory = memory.table(
        "l1_batches",
        "number timestamp eth_prove_tx_id skip_proof:bool",
        &["7 1 41 f", "8 1 - f"],
    );
    let answer = ask(&memory, &at(NOON));
    assert_eq!(answer.blocking[0].l1_batch_number, 9);
    assert!(
        answer.blocking[0]
            .why
            .contains("prover_jobs 5: in_gpu_proof past")
    );
    let memory = memory.table(
        "witness_inputs",
        "l1_batch_number status:word",
        &["9 skipped"],
    );
    assert!(ask(&memory, &at(NOON)).blocking.is_empty());
}

#[test]
fn a_pasted_list_is_judged_by_what_it_shows() {
    let list = |status: &str| {
        Memory::default()
            .table(
                "prover_jobs",
                "l1_batch_number status:word created_at:time",
                &[&format!("7 {status} {T0}"), &format!("8 successful {T0}")],
            )
            .pasted()
    };
    // Whatever was taken has one attempt, and one is all there is.
    let answer = ask(&list("in_gpu_proof"), &limited(1, 60));
    assert_eq!(answer.jobs[0].verdict, "lost");
    assert!(answer.jobs[0].why.contains("at least 1"));
    assert_eq!(answer.blocking[0].l1_batch_number, 7);
    assert_eq!(answer.blocking[0].last_proven, Some(8));
    assert!(answer.warnings.iter().any(|w| w.contains("pasted")));
    // With five, the missing columns decide.
    let answer = ask(&list("in_gpu_proof"), &limited(5, 60));
    assert_eq!(answer.jobs[0].verdict, "undetermined");
    assert!(
        answer.jobs[0].why.contains("attempts"),
        "{}",
        answer.jobs[0].why
    );
    assert_eq!(
        answer.jobs[0].runs_left,
        Runs {
            least: 0,
            most: Some(2)
        }
    );
    let answer = ask(&list("queued"), &limited(5, 60));
    assert_eq!(answer.jobs[0].verdict, "queued");
}

#[test]
fn the_version_decides_what_becomes_of_in_gpu_proof() {
    let rows = [
        format!("1 7 1 in_gpu_proof {T0} {T0} {T0} 3 1 0 f"),
        format!("2 8 1 in_progress {T0} {T0} {T0} 3 1 0 f"),
    ];
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let unknown = ask(&fri(&rows), &at(NOON));
    assert_eq!(verdicts(&unknown), [(1, "undetermined"), (2, "overdue")]);
    assert_eq!(unknown.rules[0].rule, None);
    assert_eq!(unknown.rules[0].basis, "undetermined");
    assert_eq!(unknown.rules[0].candidates.len(), 3);
    assert!(
        job(&unknown, 1)
            .why
            .contains("lost under fri_prover_to_2023_10_19")
    );
    assert_eq!(
        job(&unknown, 2).runs_left,
        Runs {
            least: 5,
            most: Some(9)
        }
    );
    let september = ask(&migrated(fri(&rows), "20230817101508"), &at(NOON));
    assert_eq!(verdicts(&september), [(1, "lost"), (2, "overdue")]);
    assert_eq!(september.rules[0].basis, "migrations");
    assert_eq!(
        job(&september, 2).runs_left,
        Runs {
            least: 5,
            most: Some(5)
        }
    );
    let today = ask(&migrated(fri(&rows), "20240315083954"), &at(NOON));
    assert_eq!(verdicts(&today), [(1, "overdue"), (2, "overdue")]);
    assert_eq!(
        job(&today, 1).runs_left,
        Runs {
            least: 9,
            most: Some(9)
        }
    );
    let tip = fri(&rows).table(
        "recursion_tip_witness_jobs_fri",
        "l1_batch_number status:word",
        &[],
    );
    let by_table = ask(&tip, &at(NOON));
    assert_eq!(by_table.rules[1].basis, "columns");
    assert_eq!(
        by_table.rules[1].rule.as_deref(),
        Some("fri_from_2023_11_10")
    );
}

#[test]
fn jobs_that_are_passed_over() {
    // Round 3 goes before round 0; batch 7 before batch 8.
    let memory = old(&[
        &format!("1 7 Scheduler queued - {T0} {T0} 3 0 15"),
        &format!("2 8 Basic successful {T1} {T0} {T1} 0 1 15"),
        &format!("3 7 Basic queued - {T0} {T0} 0 0 16"),
        &format!("4 9 Basic queued - {T0} {T0} 0 0 15"),
        &format!("5 9 Other queued - {T0} {T0} 0 0 15"),
        &format!("6 9 Other queued - {T0} {T0} 0 0 -"),
        &format!("7 9 Other queued - {T2} {T2} 0 0 15"),
    ]);
    let answer = ask(&memory, &at(NOON));
    assert_eq!(
        verdicts(&answer),
        [
            (1, "never_picked"),
            (3, "never_picked"),
            (4, "queued"),
            (5, "queued"),
            (6, "never_picked"),
            (7, "queued")
        ]
    );
    assert!(
        job(&answer, 1).why.contains("none of circuit Scheduler"),
        "{}",
        job(&answer, 1).why
    );
    assert!(
        job(&answer, 3)
            .why
            .contains("protocol version 15 were picked, none of 16")
    );
    assert!(job(&answer, 6).why.contains("NULL"));
    assert!(
        job(&answer, 7).why.contains("nothing was picked since")
            || job(&answer, 7).why.contains("no worker took anything")
    );
}

#[test]
fn what_waiting_jobs_wait_for() {
    let proofs = |done: &str| {
        old(&[
            &format!("1 7 Basic successful {T0} {T0} {T1} 0 1 15"),
            &format!("2 7 Basic {done} {T0} {T0} {T1} 0 1 15"),
        ])
        .table(
            "leaf_aggregation_witness_jobs",
            "l1_batch_number status:word created_at:time updated_at:time attempts number_of_basic_circuits",
            &[&format!("7 waiting_for_proofs {T0} {T0} 0 2")],
        )
    };
    let leaf = |memory: &Memory| {
        let answer = ask(memory, &at(NOON));
        let job = answer
            .jobs
            .iter()
            .find(|job| job.table.starts_with("leaf"))
            .unwrap();
        (job.verdict.clone(), job.why.clone())
    };
    let (verdict, why) = leaf(&proofs("queued"));
    assert_eq!(verdict, "waiting");
    assert!(why.contains("1 of 2"), "{why}");
    let (verdict, why) = leaf(&proofs("successful"));
    assert_eq!(verdict, "not_moved");
    assert!(why.contains("all 2 proofs of round 0"), "{why}");
    // FRI: per circuit; one proof too many is as bad as one too few.
    let memory = fri(&[
        &format!("1 7 4 successful {T0} {T0} {T1} 0 1 0 f"),
        &format!("2 7 4 successful {T0} {T0} {T1} 0 1 0 f"),
        &format!("3 7 5 successful {T0} {T0} {T1} 0 1 0 f"),
    ])
    .table(
        "leaf_aggregation_witness_jobs_fri",
        "id l1_batch_number circuit_id status:word created_at:time updated_at:time attempts number_of_basic_circuits",
        &[
            &format!("91 7 4 waiting_for_proofs {T0} {T0} 0 1"),
            &format!("92 7 5 waiting_for_proofs {T0} {T0} 0 1"),
            &format!("93 7 6 waiting_for_proofs {T0} {T0} 0 1"),
        ],
    );
    let answer = ask(&memory, &at(NOON));
    assert_eq!(
        verdicts(&answer),
        [(91, "not_moved"), (92, "not_moved"), (93, "waiting")]
    );
    assert!(job(&answer, 91).why.contains("exactly 1"));
}

#[test]
fn chains_of_one_prover_database_do_not_mix() {
    let columns = format!("{FRI} chain_id");
    let row = |id: u32, batch: u32, status: &str, chain: u32| {
        format!("{id} {batch} 1 {status} {T0} {T0} {T0} 4 1 0 f {chain}")
    };
    let rows = [
        row(1, 7, "successful", 270),
        row(2, 8, "failed", 270),
        row(3, 7, "in_gpu_proof", 271),
        row(4, 8, "successful", 271),
    ];
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let memory = Memory::default().table("prover_jobs_fri", &columns, &rows);
    let answer = ask(&memory, &at(NOON));
    let of: Vec<_> = answer
        .blocking
        .iter()
        .map(|b| (b.chain_id, b.l1_batch_number, b.proven_behind))
        .collect();
    assert_eq!(of, [(Some(270), 8, 0), (Some(271), 7, 1)]);
    // A finished final job may lie in the archive.
    let memory = memory.table(
        "prover_jobs_fri_archive",
        "l1_batch_number chain_id status:word aggregation_round",
        &["7 271 successful 4", "8 270 successful 3"],
    );
    let answer = ask(&memory, &at(NOON));
    assert_eq!(answer.blocking.len(), 1);
    assert_eq!(answer.blocking[0].chain_id, Some(270));
}

#[test]
fn the_gateway_and_the_compressor() {
    let memory = Memory::default()
        .table(
            "proof_generation_details",
            "l1_batch_number status:word created_at:time updated_at:time prover_taken_at:time",
            &[
                &format!("7 generated {T0} {T1} {T0}"),
                &format!("8 picked_by_prover {T0} {T0} {T0}"),
                &format!("9 ready_to_be_proven {T0} {T0} -"),
                &format!("10 skipped {T0} {T0} -"),
            ],
        )
        .table(
            "proof_compression_jobs_fri",
            "l1_batch_number attempts status:word processing_started_at:time created_at:time updated_at:time",
            &[
                &format!("7 1 sent_to_server {T0} {T0} {T1}"),
                &format!("8 5 failed {T0} {T0} {T1}"),
                &format!("9 1 in_progress {T2} {T0} {T2}"),
            ],
        );
    let answer = ask(&memory, &at(NOON));
    let said: Vec<_> = answer
        .jobs
        .iter()
        .map(|job| {
            (
                job.table.as_str(),
                job.l1_batch_number.unwrap(),
                job.verdict.as_str(),
            )
        })
        .collect();
    assert_eq!(
        said,
        [
            ("proof_generation_details", 8, "running"),
            ("proof_generation_details", 9, "queued"),
            ("proof_compression_jobs_fri", 8, "lost"),
            ("proof_compression_jobs_fri", 9, "running"),
        ]
    );
    assert_eq!(answer.blocking[0].l1_batch_number, 8);
    let gateway = answer
        .rules
        .iter()
        .find(|rule| rule.queue == "gateway")
        .unwrap();
    assert_eq!(gateway.max_attempts.value, None);
    assert_eq!(answer.jobs[0].runs_left.most, None);
}

fn config(ts_us: i64, detail: &str, value: f64, line: u32) -> JobEvent {
    JobEvent {
        ts_us: Some(ts_us),
        what: "config".into(),
        queue: "prover".into(),
        value: Some(value),
        detail: detail.into(),
        reference: format!("aaaaaaaaaaaa:{line}"),
        ..JobEvent::default()
    }
}

#[test]
fn log_lines_say_which_limits_held_and_what_came_back() {
    let memory = old(&[&format!("1 7 Scheduler in_gpu_proof {T0} {T0} {T0} 3 1 15")]);
    let requeued = JobEvent {
        ts_us: Some(NOON - 60),
        what: "requeued".into(),
        queue: "prover".into(),
        job_id: Some(1),
        attempts: Some(2),
        reference: "aaaaaaaaaaaa:9".into(),
        ..JobEvent::default()
    };
    let mut options = at(NOON);
    options.events = vec![
        config(NOON - 500, "max_attempts", 3.0, 1),
        config(NOON - 400, "max_attempts", 1.0, 2),
        config(NOON - 400, "processing_timeout_s", 2700.0, 3),
        config(NOON - 400, "requeued_jobs", 0.0, 4),
        requeued.clone(),
        config(NOON + 400, "max_attempts", 5.0, 5),
    ];
    let answer = ask(&memory, &options);
    let rule = &answer.rules[0];
    assert_eq!(
        (rule.max_attempts.value, rule.max_attempts.basis.as_str()),
        (Some(1), "logs")
    );
    assert_eq!(rule.max_attempts.refs, ["aaaaaaaaaaaa:2"]);
    assert_eq!(answer.jobs[0].refs[1], "aaaaaaaaaaaa:9");
    assert!(
        answer
            .warnings
            .iter()
            .any(|w| w.contains("put back with attempts 2, its row has 1"))
    );
    let keeper = answer.house_keeper.unwrap();
    assert_eq!((keeper.runs, keeper.requeued), (1, 1));
    // What is given goes before what is logged.
    options.limits.max_attempts = Some(4);
    assert_eq!(ask(&memory, &options).rules[0].max_attempts.basis, "given");
    // A line after the time looked at contradicts nothing.
    options.events = vec![JobEvent {
        ts_us: Some(NOON + 60),
        ..requeued
    }];
    let answer = ask(&memory, &options);
    assert!(
        answer
            .warnings
            .iter()
            .any(|w| w.contains("after the time looked at"))
    );
    assert!(!answer.warnings.iter().any(|w| w.contains("its row has")));
}

#[test]
fn other_limits() {
    let memory = old(&[
        &format!("1 7 Scheduler in_gpu_proof {T0} {T0} {T0} 3 1 15"),
        &format!("2 8 Scheduler in_progress {T2} {T0} {T2} 3 1 15"),
        &format!("3 9 Scheduler failed {T0} {T0} {T1} 3 5 15"),
        &format!("4 10 Scheduler queued - {T0} {T0} 3 0 15"),
        &format!("5 11 Scheduler successful {T0} {T0} {T1} 3 1 15"),
    ]);
    let other = GivenLimits {
        max_attempts: Some(5),
        timeout_s: Some(3600),
        queues: Vec::new(),
    };
    let answer = what_if(&memory, &at(NOON), &other).unwrap();
    let said: Vec<_> = answer
        .jobs
        .iter()
        .map(|job| {
            let runs = |runs: Runs| runs.most.unwrap();
            (
                job.id.unwrap(),
                job.now.verdict.as_str(),
                runs(job.now.runs_left),
                job.then.verdict.as_str(),
                runs(job.then.runs_left),
            )
        })
        .collect();
    assert_eq!(
        said,
        [
            (1, "lost", 0, "comes_back", 2),
            (2, "running", 0, "running", 2),
            (4, "queued", 1, "queued", 3),
        ]
    );
    // Every job that is listed is counted once.
    let counted =
        answer.would_come_back + answer.would_be_lost + answer.other_runs + answer.undetermined;
    assert_eq!(counted, answer.jobs.len() as u64);
    assert_eq!(
        (
            answer.would_come_back,
            answer.would_be_lost,
            answer.unchanged
        ),
        (2, 0, 1)
    );
    assert_eq!(
        answer.jobs[0].then.due_at.as_deref(),
        Some("2023-09-06T11:00:00.000000")
    );
    assert_eq!(answer.rules[0].what_if.max_attempts, Some(5));
    let none = GivenLimits {
        queues: vec![Queue::FriProver],
        ..other
    };
    let answer = what_if(&memory, &at(NOON), &none).unwrap();
    assert!(answer.jobs.is_empty());
    assert_eq!(answer.looked_at.unwrap().jobs, 5);
}

#[test]
fn rows_without_names_of_columns_are_refused() {
    let nameless = old(&[]).nameless();
    let said = jobs(&nameless, &at(NOON)).unwrap_err().to_string();
    assert!(
        said.starts_with("the rows of prover_jobs come without names of columns"),
        "{said}"
    );
}

#[test]
fn no_tables_and_too_many() {
    let none = Memory::default().table("l1_batches", "number", &[]);
    let error = jobs(&none, &at(NOON)).unwrap_err();
    assert!(matches!(error, JobsError::NoTables { .. }));
    let twice = old(&[])
        .table("prover_jobs", OLD, &[])
        .in_snapshot("extension");
    let error = jobs(&twice, &at(NOON)).unwrap_err();
    assert!(error.to_string().contains("memory, extension"), "{error}");
    // No job at all is an answer, which says how hard it looked.
    let answer = ask(&old(&[]), &at(NOON));
    assert!(!answer.has_stuck());
    let looked_at = answer.looked_at.unwrap();
    assert_eq!(looked_at.jobs, 0);
    assert!(
        looked_at
            .missing_kinds
            .contains(&"witness_inputs".to_owned())
    );
    assert!(
        !looked_at
            .missing_kinds
            .contains(&"prover_jobs_fri".to_owned())
    );
}
