//! The corpus: the two nodes of September 2023 whose batches never came back, and every schema.

use super::{ask, at};
use crate::trace::corpus::{corpus, dump_source, gunzip};
use crate::trace::memory::Memory;
use analysis::jobs::{GivenLimits, Jobs, JobsOptions, Runs, jobs, what_if};
use model::TableSource;

fn text(file: &str) -> Option<String> {
    let path = corpus(file)?;
    Some(match file.ends_with(".gz") {
        true => gunzip(path),
        false => std::fs::read_to_string(path).unwrap(),
    })
}

fn batches(jobs: &Jobs, verdict: &str) -> Vec<i64> {
    jobs.jobs
        .iter()
        .filter(|job| job.verdict == verdict)
        .filter_map(|job| job.l1_batch_number)
        .collect()
}

/// 8 September 2023, 13:13:17: the house keeper ran and put nothing back.
const HOUSE_KEEPER_US: i64 = 1_694_178_797_000_000;

#[test]
fn why_1139_to_1143_never_came_back() {
    for (file, form) in [
        ("z2023.prover_jobs.main-node.copy.sql.gz", "dump"),
        ("z2023.prover_jobs.main-node.aligned.txt", "paste"),
    ] {
        let Some(text) = text(file) else { return };
        let source = dump_source(text.into_bytes(), "main");
        let answer = jobs(&source, &at(HOUSE_KEEPER_US)).unwrap();
        assert_eq!(
            batches(&answer, "lost"),
            [1139, 1140, 1141, 1142, 1143],
            "{form}"
        );
        assert_eq!(answer.jobs.len(), 5, "{form}");
        for job in &answer.jobs {
            assert!(
                job.why.contains("only while attempts < 1"),
                "{form}: {}",
                job.why
            );
            assert_eq!(
                job.runs_left,
                Runs {
                    least: 0,
                    most: Some(0)
                }
            );
        }
        let blocking = &answer.blocking[0];
        assert_eq!(blocking.l1_batch_number, 1139, "{form}");
        assert_eq!(
            (blocking.proven_behind, blocking.last_proven),
            (4, Some(1147)),
            "{form}"
        );
    }
    let Some(text) = text("z2023.prover_jobs.main-node.copy.sql.gz") else {
        return;
    };
    let source = dump_source(text.into_bytes(), "main");
    let other = GivenLimits {
        max_attempts: Some(5),
        timeout_s: Some(3600),
        queues: Vec::new(),
    };
    let answer = what_if(&source, &at(HOUSE_KEEPER_US), &other).unwrap();
    assert_eq!((answer.would_come_back, answer.unchanged), (5, 0));
    for job in &answer.jobs {
        // Two retries, not the four that five attempts seem to promise.
        assert_eq!(
            job.then.runs_left,
            Runs {
                least: 2,
                most: Some(2)
            }
        );
    }
    assert_eq!(
        answer.jobs[0].then.due_at.as_deref(),
        Some("2023-09-05T12:27:26.971785")
    );
}

#[test]
fn the_extension_node_has_nine() {
    let Some(text) = text("z2023.prover_jobs.extension-node.copy.sql.gz") else {
        return;
    };
    let source = dump_source(text.into_bytes(), "extension");
    let answer = jobs(&source, &at(HOUSE_KEEPER_US)).unwrap();
    assert_eq!(batches(&answer, "lost"), (1139..=1147).collect::<Vec<_>>());
    assert_eq!(answer.blocking[0].proven_behind, 0);
    // As of its own newest row nothing has timed out yet, but nothing would come back either.
    let answer = jobs(&source, &JobsOptions::default()).unwrap();
    assert_eq!(batches(&answer, "running").len(), 9);
    assert!(answer.jobs[0].why.contains("then it is lost"));
}

#[test]
fn both_readers_of_a_whole_database_agree() {
    for file in ["z2023.full.copy.sql.gz", "znew.prover.full.copy.sql.gz"] {
        let Some(text) = text(file) else { return };
        let source = dump_source(text.clone().into_bytes(), "memory");
        let memory = Memory::from_dump(&text);
        let options = JobsOptions::default();
        let ours = jobs(&source, &options).unwrap();
        let theirs = jobs(&memory, &options).unwrap();
        let strip = |jobs: &Jobs| {
            let mut value = serde_json::to_value(jobs).unwrap();
            // The reader of the tests knows neither digests nor keys, and not every type.
            for job in value["jobs"].as_array_mut().unwrap() {
                job["refs"].take();
            }
            for blocking in value["blocking"].as_array_mut().unwrap() {
                blocking["refs"].take();
            }
            value["refs"].take();
            value
        };
        assert_eq!(strip(&ours), strip(&theirs), "{file}");
        let rows: u64 = ours.tables.iter().map(|table| table.rows).sum();
        let done: u64 = ours
            .tables
            .iter()
            .flat_map(|table| &table.by_status)
            .filter(|(status, _)| {
                matches!(
                    status.as_str(),
                    "successful" | "skipped" | "generated" | "ignored" | "sent_to_server"
                )
            })
            .map(|(_, count)| count)
            .sum();
        assert_eq!(ours.jobs.len() as u64, rows - done, "{file}");
    }
}

/// Chain, batch, how many are proven behind it, the last of those: as counted over the dumps' text by a
/// script that shares nothing with us.
fn held_up(jobs: &Jobs) -> Vec<(Option<i64>, i64, u64, Option<i64>)> {
    jobs.blocking
        .iter()
        .map(|b| {
            (
                b.chain_id,
                b.l1_batch_number,
                b.proven_behind,
                b.last_proven,
            )
        })
        .collect()
}

#[test]
fn every_schema_names_its_rule() {
    let Some(old) = text("z2023.full.copy.sql.gz") else {
        return;
    };
    let answer = ask(&Memory::from_dump(&old), &JobsOptions::default());
    let rules: Vec<_> = answer
        .rules
        .iter()
        .map(|rule| {
            (
                rule.queue.as_str(),
                rule.rule.as_deref().unwrap_or("-"),
                rule.basis.as_str(),
            )
        })
        .collect();
    assert_eq!(
        rules,
        [
            ("prover", "old_prover", "table"),
            ("witness", "old_witness", "table"),
            ("fri_prover", "fri_prover_to_2023_10_19", "migrations"),
            ("fri_witness", "fri_witness_to_2023_11_09", "migrations"),
            ("gateway", "gateway", "table"),
        ]
    );
    assert_eq!(
        held_up(&answer),
        [(None, 1139, 6, Some(7750)), (None, 7752, 4, Some(7766))]
    );
    // In September 2023 the FRI prover's in_gpu_proof never came back.
    let lost = answer
        .jobs
        .iter()
        .filter(|job| job.table == "prover_jobs_fri" && job.status == "in_gpu_proof");
    let mut count = 0;
    for job in lost {
        let over = job.age_s.unwrap() >= 600.0;
        assert_eq!(job.verdict, if over { "lost" } else { "running" });
        count += 1;
    }
    assert_eq!(count, 17);
    let new = text("znew.prover.full.copy.sql.gz").unwrap();
    let source = dump_source(new.into_bytes(), "prover");
    assert!(source.tables().iter().any(|t| t.name == "prover_jobs_fri"));
    let answer = jobs(&source, &JobsOptions::default()).unwrap();
    for rule in &answer.rules {
        assert_eq!(
            rule.rule.as_deref(),
            Some("fri_from_2023_11_10"),
            "{}",
            rule.queue
        );
        assert_eq!(rule.basis, "migrations");
    }
    assert_eq!(
        held_up(&answer),
        [
            (Some(270), 7734, 5, Some(7763)),
            (Some(271), 7729, 2, Some(7739))
        ]
    );
}
