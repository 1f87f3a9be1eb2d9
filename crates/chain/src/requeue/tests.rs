//! Worked tables of the rules, and a simulation that knows only the SQL of each version.

use super::*;

const S: i64 = SECOND_US;

fn job(status: &str, attempts: i64, started_s: Option<i64>) -> Job {
    Job {
        status: Status::of(status),
        attempts,
        started_us: started_s.map(|s| s * S),
    }
}

fn said(fate: Fate) -> String {
    match fate {
        Fate::Done => "done".into(),
        Fate::Queued => "queued".into(),
        Fate::Waiting => "waiting".into(),
        Fate::Runs {
            until_us,
            comes_back,
        } => format!(
            "runs to {}{}",
            until_us / S,
            if comes_back { ", comes back" } else { "" }
        ),
        Fate::ComesBack { since_us: Some(us) } => format!("back since {}", us / S),
        Fate::ComesBack { since_us: None } => "back at once".into(),
        Fate::Lost(lost) => format!("{lost:?}"),
        Fate::Unknown => "unknown".into(),
    }
}

/// Rows are `status attempts started | max timeout as_of | fate | runs left`.
#[track_caller]
fn table(rule: Rule, rows: &str) {
    for row in rows.lines().map(str::trim).filter(|row| !row.is_empty()) {
        let parts: Vec<&str> = row.split('|').map(str::trim).collect();
        let words: Vec<&str> = parts[0].split_whitespace().collect();
        let numbers: Vec<i64> = parts[1]
            .split_whitespace()
            .map(|n| n.parse().unwrap())
            .collect();
        let job = job(words[0], words[1].parse().unwrap(), words[2].parse().ok());
        let limits = Limits {
            max_attempts: numbers[0] as u32,
            timeout_s: numbers[1] as u32,
        };
        let fate = rule.fate(job, limits, numbers[2] * S);
        assert_eq!(said(fate), parts[2], "{row}");
        let left = rule.runs_left(job, limits, numbers[2] * S);
        let left = left.map_or("no limit".to_owned(), |n| n.to_string());
        assert_eq!(left, parts[3], "{row}");
    }
}

#[test]
fn the_old_prover() {
    table(
        Rule::OldProver,
        "
        in_gpu_proof 1 0    | 1 2700 2699  | runs to 2700             | 0
        in_gpu_proof 1 0    | 1 2700 2700  | AttemptsUsedUp           | 0
        in_progress  1 0    | 1 2700 99999 | AttemptsUsedUp           | 0
        failed       1 0    | 1 2700 1     | AttemptsUsedUp           | 0
        queued       0 null | 1 2700 99999 | queued                   | 1
        in_gpu_proof 1 0    | 5 3600 3599  | runs to 3600, comes back | 2
        in_gpu_proof 1 0    | 5 3600 3600  | back since 3600          | 2
        in_progress  1 0    | 5 3600 99999 | back since 3600          | 2
        in_progress  3 0    | 5 3600 99999 | back since 3600          | 1
        in_progress  4 0    | 5 3600 99999 | back since 3600          | 1
        in_progress  5 0    | 5 3600 99999 | AttemptsUsedUp           | 0
        failed       1 0    | 5 3600 1     | back at once             | 2
        failed       1 null | 5 3600 1     | back at once             | 2
        failed       5 0    | 5 3600 99999 | AttemptsUsedUp           | 0
        in_gpu_proof 1 null | 5 3600 99999 | NoStart                  | 0
        queued       2 0    | 5 3600 99999 | queued                   | 2
        queued       9 0    | 5 3600 99999 | queued                   | 1
        successful   1 0    | 5 3600 99999 | done                     | 0
        skipped      0 null | 5 3600 99999 | done                     | 0
        ignored      0 null | 5 3600 99999 | done                     | 0
        frozen       0 null | 5 3600 99999 | unknown                  | 0
        ",
    );
}

#[test]
fn the_old_witness_generator() {
    // The pick compares with `<`, and does not look at the attempts of what timed out.
    table(
        Rule::OldWitness,
        "
        in_progress           1 0    | 1 900 900   | runs to 900, comes back | no limit
        in_progress           1 0    | 1 900 901   | back since 900          | no limit
        in_progress           7 0    | 1 900 901   | back since 900          | no limit
        in_progress           1 null | 1 900 99999 | NoStart                 | 0
        failed                1 0    | 1 900 99999 | AttemptsUsedUp          | 0
        failed                0 0    | 1 900 0     | back at once            | 1
        failed                1 0    | 4 900 0     | back at once            | 3
        waiting_for_proofs    0 null | 1 900 99999 | waiting                 | no limit
        waiting_for_artifacts 0 null | 1 900 99999 | waiting                 | no limit
        ",
    );
}

#[test]
fn fri_before_20_october_2023_never_looks_at_in_gpu_proof() {
    table(
        Rule::FriProver202309,
        "
        in_gpu_proof 1 0 | 10 600 599   | runs to 600             | 0
        in_gpu_proof 1 0 | 10 600 600   | StatusNotCovered        | 0
        in_progress  1 0 | 10 600 599   | runs to 600, comes back | 5
        in_progress  1 0 | 10 600 600   | back since 600          | 5
        in_progress  9 0 | 10 600 99999 | back since 600          | 1
        in_progress 10 0 | 10 600 99999 | AttemptsUsedUp          | 0
        failed       9 0 | 10 600 0     | back at once            | 1
        queued       0 0 | 10 600 0     | queued                  | 6
        ",
    );
    table(
        Rule::FriProver202310,
        "
        in_gpu_proof 1 0 | 10 600 600   | back since 600          | 5
        in_gpu_proof 9 0 | 10 600 600   | back since 600          | 1
        ",
    );
}

#[test]
fn fri_since_10_november_2023_counts_runs() {
    table(
        Rule::FriRunsCount,
        "
        in_gpu_proof 1 0 | 10 600 600   | back since 600          | 9
        in_progress  9 0 | 10 600 99999 | back since 600          | 1
        in_progress 10 0 | 10 600 99999 | AttemptsUsedUp          | 0
        failed       9 0 | 10 600 0     | back at once            | 1
        queued       0 0 | 10 600 0     | queued                  | 10
        queued      10 0 | 10 600 0     | queued                  | 1
        sent_to_server 1 0 | 10 600 0   | done                    | 0
        ",
    );
    table(
        Rule::FriWitness2023,
        "
        in_progress  1 0 | 10 900 900   | back since 900          | 5
        queued       0 0 | 10 900 0     | queued                  | 6
        ",
    );
}

#[test]
fn the_gateway_hands_out_again() {
    table(
        Rule::Gateway,
        "
        picked_by_prover   0 0    | 1 18000 18000 | runs to 18000, comes back | no limit
        picked_by_prover   0 0    | 1 18000 18001 | back since 18000          | no limit
        picked_by_prover   0 null | 1 18000 18001 | NoStart                   | 0
        ready_to_be_proven 0 null | 1 18000 18001 | queued                    | no limit
        unpicked           0 null | 1 18000 18001 | queued                    | no limit
        generated          0 0    | 1 18000 18001 | done                      | 0
        ",
    );
}

/// Plays the SQL of a version: pick, run, time out or fail, house keeper; counts the runs.
fn play(max: i64, requeue_adds: i64, start: i64) -> u64 {
    let mut attempts = start;
    let mut runs = 0;
    loop {
        attempts += 1; // UPDATE … SET status = 'in_progress', attempts = attempts + 1
        runs += 1;
        if attempts >= max {
            return runs;
        }
        attempts += requeue_adds; // UPDATE … SET status = 'queued' … WHERE attempts < max
    }
}

#[test]
fn runs_of_a_new_job_as_played() {
    for max in 1..=20_u32 {
        let limits = Limits {
            max_attempts: max,
            timeout_s: 60,
        };
        for attempts in 0..=i64::from(max) {
            let queued = job("queued", attempts, None);
            for (rule, adds) in [
                (Rule::OldProver, 1),
                (Rule::FriProver202310, 1),
                (Rule::FriWitness2023, 1),
                (Rule::FriRunsCount, 0),
            ] {
                assert_eq!(
                    rule.runs_left(queued, limits, 0),
                    Some(play(i64::from(max), adds, attempts)),
                    "{rule:?} {max} {attempts}"
                );
            }
        }
    }
    // The figures people are told: 1 gives one run, 5 gives three, 10 gives six.
    let fresh = job("queued", 0, None);
    let runs = |max_attempts| {
        let limits = Limits {
            max_attempts,
            timeout_s: 60,
        };
        Rule::OldProver.runs_left(fresh, limits, 0)
    };
    assert_eq!((runs(1), runs(5), runs(10)), (Some(1), Some(3), Some(6)));
}

#[test]
fn rules_by_schema() {
    let rules = |at_least: Option<u64>, newest: Option<u64>| {
        Queue::FriProver
            .rules(SchemaAge { at_least, newest })
            .into_iter()
            .map(Rule::name)
            .collect::<Vec<_>>()
    };
    let (first, second, third) = (
        "fri_prover_to_2023_10_19",
        "fri_prover_to_2023_11_09",
        "fri_from_2023_11_10",
    );
    assert_eq!(rules(None, None), [first, second, third]);
    assert_eq!(rules(None, Some(20230817101508)), [first]);
    assert_eq!(rules(None, Some(20230918134637)), [first, second, third]);
    assert_eq!(rules(Some(20230918134637), None), [first, second, third]);
    assert_eq!(rules(None, Some(20231024052911)), [second, third]);
    assert_eq!(rules(None, Some(20231102144901)), [second, third]);
    assert_eq!(rules(None, Some(20231117091340)), [third]);
    assert_eq!(rules(Some(20240419102606), None), [third]);
    assert_eq!(rules(None, Some(202601016134308)), [third]);
    let witness = Queue::FriWitness.rules(SchemaAge::default());
    assert_eq!(witness, [Rule::FriWitness2023, Rule::FriRunsCount]);
    assert_eq!(
        Queue::OldProver.rules(SchemaAge::default()),
        [Rule::OldProver]
    );
}

#[test]
fn absurd_numbers_do_not_panic() {
    for rule in [Rule::OldProver, Rule::OldWitness, Rule::FriRunsCount] {
        for attempts in [i64::MIN, -1, 0, i64::MAX] {
            for started in [None, Some(i64::MIN), Some(i64::MAX)] {
                for status in ["queued", "in_progress", "failed"] {
                    let job = Job {
                        status: Status::of(status),
                        attempts,
                        started_us: started,
                    };
                    let limits = Limits {
                        max_attempts: u32::MAX,
                        timeout_s: u32::MAX,
                    };
                    rule.fate(job, limits, i64::MAX);
                    rule.runs_left(job, limits, i64::MIN);
                }
            }
        }
    }
}
