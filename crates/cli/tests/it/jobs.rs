//! `jobs` and `what-if jobs` on the sample of September 2023: what they print, their shape, how they exit.

use crate::run::{BEACON, Desk, repository};
use crate::schemas::valid;
use serde_json::Value;

fn sample(file: &str) -> String {
    repository(&format!("samples/zksync-2023/input/{file}"))
        .to_str()
        .unwrap()
        .to_owned()
}

/// A dump of jobs alone: one batch's scheduler job hangs.
const JOBS: &str = "\
--
-- PostgreSQL database dump
--

CREATE TABLE public.prover_jobs (
    id bigint NOT NULL,
    l1_batch_number bigint NOT NULL,
    circuit_type text NOT NULL,
    status text NOT NULL,
    processing_started_at timestamp without time zone,
    created_at timestamp without time zone NOT NULL,
    updated_at timestamp without time zone NOT NULL,
    aggregation_round integer DEFAULT 0 NOT NULL,
    attempts integer DEFAULT 0 NOT NULL
);

COPY public.prover_jobs (id, l1_batch_number, circuit_type, status, processing_started_at, created_at, updated_at, aggregation_round, attempts) FROM stdin;
11\t7\tScheduler\tin_gpu_proof\t2023-09-05 11:00:00\t2023-09-05 11:00:00\t2023-09-05 11:00:00\t3\t1
12\t8\tScheduler\tsuccessful\t2023-09-05 12:00:00\t2023-09-05 12:00:00\t2023-09-05 12:30:00\t3\t1
\\.

ALTER TABLE ONLY public.prover_jobs
    ADD CONSTRAINT prover_jobs_pkey PRIMARY KEY (id);

--
-- PostgreSQL database dump complete
--
";

#[test]
fn the_first_screen() {
    let desk = Desk::new();
    desk.write("jobs.sql", JOBS);
    desk.check(
        &["jobs", "jobs.sql", "--format", "table"],
        "\
1 job is stuck, 1 not done, 2 in all
snapshot jobs, as of 2023-09-05 12:30:00 (newest row); the zone of the
  database's times is unknown
  the newest time in prover_jobs: dumped then or later, the rows do not tell how
    much

  batch 7 holds up the chain (old prover): its final proof is not there:
    prover_jobs 11: in_gpu_proof past the timeout of 2700 s; it is put back only
    while attempts < 1, and attempts is 1: nothing ever does
    already proven behind it: 1 batch, the last 8
  prover_jobs: 1 lost: in_gpu_proof past the timeout of 2700 s; it is put back
    only while attempts < 1, and attempts is 1: nothing ever does
    11 (batch 7)

  prover       max attempts 1 (assumed), timeout 2700 s (assumed)
               old_prover: in_progress and in_gpu_proof come back after the
               timeout, failed at once, all only while attempts < max; a pick
               and a re-queue each add 1 to attempts
  rows         2b0b5dd3f675:public.prover_jobs#11
--- stderr
--- exit 0
",
    );
    desk.check(
        &[
            "what-if",
            "jobs",
            "jobs.sql",
            "--max-attempts",
            "5",
            "--format",
            "table",
        ],
        "\
1 job would have come back, 0 would be lost, 0 unchanged
snapshot jobs, as of 2023-09-05 12:30:00 (newest row); the zone of the
  database's times is unknown
  the newest time in prover_jobs: dumped then or later, the rows do not tell how
    much

  prover       max attempts 1 (assumed), timeout 2700 s (assumed)
               old_prover: in_progress and in_gpu_proof come back after the
               timeout, failed at once, all only while attempts < max; a pick
               and a re-queue each add 1 to attempts
               what if: max attempts 5, timeout 2700 s

  prover_jobs 11 (batch 7): lost with 0 runs left, then comes back at 2023-09-05
    11:45:00 with 2 runs left
  ! whether a further run would have ended well is not in this evidence; the
    house keeper puts jobs back at its next round, up to 300 s after `due_at`
  rows         2b0b5dd3f675:public.prover_jobs#11
--- stderr
--- exit 0
",
    );
}

#[test]
fn answers_have_their_shape() {
    let desk = Desk::new();
    desk.write("jobs.sql", JOBS);
    let main = sample("prover_jobs.main-node.txt");
    for evidence in ["jobs.sql", &main] {
        let jobs = desk.json(&["jobs", evidence], 0);
        assert_eq!(jobs["schema"], "coroner/jobs/1");
        valid("jobs", &jobs);
        let lines = desk.run(&["jobs", evidence, "--format", "jsonl"]).lines();
        assert_eq!(lines.len(), jobs["jobs"].as_array().unwrap().len());
        for line in lines {
            valid("jobs", &line);
        }
        let other = [
            "--max-attempts",
            "5",
            "--timeout",
            "3600",
            "--queue",
            "prover",
        ];
        let what_if = desk.json(&[&["what-if", "jobs", evidence][..], &other].concat(), 0);
        assert_eq!(what_if["schema"], "coroner/what-if-jobs/1");
        valid("what-if-jobs", &what_if);
    }
    let nothing = desk.json(&["what-if", "jobs", "jobs.sql", "--max-attempts", "1"], 1);
    valid("what-if-jobs", &nothing);
    assert_eq!(nothing["looked_at"]["jobs"], 2);
    // The reference leads to the row.
    let jobs = desk.json(&["jobs", "jobs.sql"], 0);
    let reference = jobs["jobs"][0]["refs"][0].as_str().unwrap();
    let shown = desk.run(&["show", "jobs.sql", reference]);
    assert!(
        shown.stdout.contains("11\\t7\\tScheduler\\tin_gpu_proof"),
        "{shown:?}"
    );
}

#[test]
fn house_keeper_lines_beside_the_tables_say_the_limits() {
    let desk = Desk::new();
    let input = repository("samples/zksync-2023/input");
    let input = input.to_str().unwrap();
    desk.fails(&["jobs", input], 2, "is in several snapshots");
    let jobs = desk.json(&["jobs", input, "--snapshot", "prover_jobs_main-node"], 0);
    valid("jobs", &jobs);
    let rule = &jobs["rules"][0];
    assert_eq!(
        (
            &rule["max_attempts"]["value"],
            &rule["max_attempts"]["basis"]
        ),
        (&Value::from(1), &Value::from("logs"))
    );
    assert_eq!(rule["timeout_s"]["value"], 2700);
    assert_eq!(jobs["house_keeper"]["requeued"], 1);
    let batches: Vec<_> = jobs["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|job| job["verdict"] == "lost")
        .map(|job| job["l1_batch_number"].as_i64().unwrap())
        .collect();
    assert_eq!(batches, [1139, 1140, 1141, 1142, 1143]);
    let reference = rule["max_attempts"]["refs"][0].as_str().unwrap();
    let shown = desk.run(&["show", input, reference]);
    assert!(shown.stdout.contains("max_attempts1"), "{shown:?}");
}

#[test]
fn requests_and_ends() {
    let desk = Desk::new();
    desk.write("jobs.sql", JOBS).write("beacon.log", BEACON);
    desk.fails(&["jobs", "beacon.log"], 2, "no table of jobs");
    desk.fails(&["what-if", "jobs", "jobs.sql"], 2, "give --max-attempts N");
    desk.fails(
        &["jobs", "jobs.sql", "--queue", "gpu"],
        2,
        "queues are prover, witness",
    );
    desk.fails(
        &["jobs", "jobs.sql", "--snapshot", "x"],
        2,
        "there is no snapshot `x`",
    );
    // With all proofs there, nothing is stuck, and it says how hard it looked.
    desk.write("done.sql", JOBS.replace("in_gpu_proof", "successful"));
    let done = desk.json(&["jobs", "done.sql"], 1);
    valid("jobs", &done);
    assert_eq!(done["looked_at"]["jobs"], 2);
    // A dump that ends inside the table: what is there is judged, the rest is named.
    let cut = JOBS.find("12\t8").unwrap();
    desk.write("cut.sql", &JOBS[..cut + 10]);
    let partial = desk.json(&["jobs", "cut.sql"], 3);
    valid("jobs", &partial);
    assert_eq!(partial["jobs"][0]["id"], 11);
    assert!(!partial["partial"].as_array().unwrap().is_empty());
}
