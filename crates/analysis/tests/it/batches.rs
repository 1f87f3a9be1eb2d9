//! `batches` over the corpus, against `trace` batch by batch, and over chains made by hand.

use crate::trace::corpus::{corpus, gunzip};
use crate::trace::memory::Memory;
use crate::trace::waits::{Chain, START_S, second};
use analysis::batches::{BatchesOptions, batches};
use analysis::trace::{TraceOptions, trace};
use serde_json::Value;

fn ask(memory: &Memory, options: &BatchesOptions) -> Value {
    serde_json::to_value(batches(memory, options).unwrap()).unwrap()
}

fn at(as_of: i64) -> BatchesOptions {
    BatchesOptions {
        trace: TraceOptions {
            as_of_us: Some((START_S + as_of) * 1_000_000),
            ..TraceOptions::default()
        },
        ..BatchesOptions::default()
    }
}

/// Every step of every batch is in the state that its trace says, with the same hash and times.
#[test]
fn each_batch_is_as_its_trace_says() {
    for database in ["z2023", "znew"] {
        let Some(dump) = corpus(&format!("{database}.full.copy.sql.gz")) else {
            return;
        };
        let memory = Memory::from_dump(&gunzip(dump));
        let answer = ask(&memory, &BatchesOptions::default());
        let lines = answer["batches"].as_array().unwrap();
        assert!(lines.len() > 300, "{}", lines.len());
        let mut states = std::collections::BTreeSet::new();
        let is_odd = |line: &Value| {
            ["commit_state", "prove_state", "execute_state"]
                .iter()
                .any(|key| !matches!(line[*key].as_str(), Some("confirmed" | "none")))
        };
        // Every fifth of the settled ones, all of the odd and the last ones.
        for line in lines
            .iter()
            .enumerate()
            .filter(|(at, line)| at % 5 == 0 || at + 70 > lines.len() || is_odd(line))
            .map(|(_, line)| line)
        {
            let key = format!("batch:{}", line["number"]);
            let trace = trace(&memory, &key, &TraceOptions::default()).unwrap();
            let path = serde_json::to_value(&trace.path[0]).unwrap();
            for stage in ["commit", "prove", "execute"] {
                let step = &path[stage];
                let ours = |key: &str| &line[format!("{stage}_{key}")];
                assert_eq!(*ours("state"), step["state"], "{database} {key} {stage}");
                assert_eq!(*ours("eth_tx_id"), step["eth_tx_id"], "{key} {stage}");
                assert_eq!(*ours("l1_tx_hash"), step["l1_tx_hash"], "{key} {stage}");
                let noticed = step["confirmed_at"].as_str().map(|time| format!("{time}Z"));
                assert_eq!(
                    ours("noticed_at").as_str(),
                    noticed.as_deref(),
                    "{key} {stage}"
                );
                states.insert(step["state"].to_string());
            }
            let waiting = serde_json::to_value(&trace.waiting).unwrap();
            if line["waits_for"] != "seal" && waiting["stage"] != "seal" {
                assert_eq!(line["waits_for"], waiting["stage"], "{key}");
                assert_eq!(line["waits_since"], waiting["since"], "{key}");
            }
        }
        assert!(states.len() >= 6, "{database}: {states:?}");
        let through: Vec<_> = answer["stands"]
            .as_array()
            .unwrap()
            .iter()
            .map(|stand| stand["highest"].as_i64().unwrap())
            .collect();
        assert!(through.is_sorted_by(|a, b| a >= b), "{through:?}");
    }
}

#[test]
fn milestones_waits_and_where_it_stands() {
    let mut chain = Chain::settled();
    chain.batch(21, 1300, [Some(21), None, None]);
    chain.tx(21, 63, false, true);
    chain.attempt(21, 1310, Some(1420));
    chain.batch(22, 1360, [None, None, None]);
    let memory = chain.memory();
    let answer = ask(&memory, &at(1500));
    let batch = &answer["batches"][0];
    assert_eq!(batch["number"], 1);
    assert_eq!(batch["begun_at"], second(60));
    assert_eq!(batch["sealed_at"], second(60));
    assert_eq!(batch["commit_mined_not_before"], second(60));
    assert_eq!(batch["commit_noticed_at"], second(180));
    assert_eq!(batch["execute_noticed_at"], second(420));
    assert_eq!(batch["execute_wait_s"], 120.0);
    assert_eq!(batch["whole_wait_s"], 360.0);
    assert_eq!(batch["waits_for"], Value::Null);
    assert_eq!(
        batch["refs"],
        serde_json::json!([
            "0123456789ab:public.l1_batches#1",
            "0123456789ab:public.eth_txs#1",
            "0123456789ab:public.eth_txs#101",
            "0123456789ab:public.eth_txs#201"
        ])
    );
    let waits = |step: &str| {
        let all = answer["waits"].as_array().unwrap();
        let found = all.iter().find(|wait| wait["step"] == step).unwrap();
        (
            found["n"].as_i64().unwrap(),
            found["p50_s"].as_f64().unwrap(),
            found["max_s"].as_f64().unwrap(),
        )
    };
    assert_eq!(waits("commit"), (21, 120.0, 120.0));
    assert_eq!(waits("prove"), (20, 120.0, 120.0));
    // The execution of batch 20 was noticed only later, at 1560.
    assert_eq!(waits("whole"), (19, 360.0, 360.0));
    let stands = &answer["stands"];
    assert_eq!(
        (&stands[0]["highest"], &stands[0]["next"]),
        (&21.into(), &22.into())
    );
    assert_eq!(stands[0]["waiting"]["age_s"], 140.0);
    assert_eq!(stands[0]["waiting"]["verdict"], "late");
    assert_eq!(
        (&stands[1]["highest"], &stands[1]["next"]),
        (&20.into(), &21.into())
    );
    assert_eq!(stands[1]["waiting"]["verdict"], "normal");
    assert_eq!(
        (&stands[2]["highest"], &stands[2]["next"]),
        (&19.into(), &20.into())
    );
    assert_eq!(stands[2]["waiting"]["age_s"], 60.0);
    assert_eq!(stands[2]["behind"], 3);
    // Once it is executed, batch 21 waits for its proof: nothing can be said of its execution.
    let later = ask(&memory, &at(1570));
    assert_eq!(later["stands"][2]["highest"], 20);
    assert_eq!(later["stands"][2]["waiting"], Value::Null);
    let last = &answer["batches"][21];
    assert_eq!(
        (&last["waits_for"], &last["verdict"]),
        (&"commit".into(), &"late".into())
    );
}

#[test]
fn windows_limits_and_numbers_without_a_row() {
    let mut chain = Chain::settled();
    chain.batch(25, 1500, [None, None, None]);
    let memory = chain.memory();
    let all = ask(&memory, &at(1600));
    assert_eq!(
        all["missing"],
        serde_json::json!([{"first": 21, "last": 24}])
    );
    let from = START_S * 1_000_000 + 300_000_000;
    let windowed = BatchesOptions {
        window: Some((from, from + 600_000_000)),
        ..at(1600)
    };
    let inside = ask(&memory, &windowed);
    let numbers = |answer: &Value| -> Vec<i64> {
        let all = answer["batches"].as_array().unwrap().iter();
        all.map(|batch| batch["number"].as_i64().unwrap()).collect()
    };
    assert_eq!(numbers(&inside), (5..15).collect::<Vec<_>>());
    // Where the chain stands is a matter of the whole database.
    assert_eq!(inside["stands"], all["stands"]);
    let limited = BatchesOptions {
        limit: Some(3),
        ..windowed
    };
    let limited = ask(&memory, &limited);
    assert_eq!(numbers(&limited), [12, 13, 14]);
    assert_eq!(
        (&limited["count"], &limited["left_out"]),
        (&10.into(), &7.into())
    );
    assert_eq!(limited["waits"], inside["waits"]);
    let nothing = BatchesOptions {
        window: Some((0, 1)),
        ..at(1600)
    };
    let nothing = ask(&memory, &nothing);
    assert_eq!(nothing["count"], 0);
    assert!(nothing["looked_at"]["tables"].is_array());
}

/// 12 May 2023 once more: nothing was noticed for more than an hour, then all at once.
#[test]
fn pauses_resends_and_fees() {
    let mut chain = Chain::settled();
    let evening = 5 * 3600 + 1500;
    for number in 21..=30 {
        chain.batch(number, evening + 60 * number, [Some(number), None, None]);
        chain.tx(number, 42 + number, false, true);
        chain.attempt(
            number,
            evening + 60 * number,
            Some(6 * 3600 + 1900 + 10 * number),
        );
    }
    // Batch 30 was sent three times, the second was mined.
    chain.history.pop();
    for (signed, noticed) in [(0, None), (400, Some(6 * 3600 + 2500)), (800, None)] {
        chain.attempt(30, evening + 1800 + signed, noticed);
    }
    let answer = ask(&chain.memory(), &at(6 * 3600 + 3000));
    let gaps = answer["gaps"].as_array().unwrap();
    let of = |kind: &str| {
        gaps.iter()
            .filter(|gap| gap["kind"] == kind)
            .collect::<Vec<_>>()
    };
    let begun: Vec<_> = of("begun")
        .iter()
        .map(|gap| gap["status"].clone())
        .collect();
    assert_eq!(begun, ["ended", "ongoing"]);
    let commit = &of("commit")[0];
    assert_eq!(commit["from"], second(1320));
    assert_eq!(
        (&commit["after_batch"], &commit["before_batch"]),
        (&20.into(), &21.into())
    );
    assert_eq!(commit["status"], "ended");
    let remark = commit["remark"].as_str().unwrap();
    assert!(
        remark.contains("2023-05-12T17:20:23Z to 2023-05-12T18:30:47Z"),
        "{remark}"
    );
    // No proof since noon, and batches wait for one.
    let prove = &of("prove")[0];
    assert_eq!(
        (&prove["status"], &prove["before_batch"]),
        (&"ongoing".into(), &Value::Null)
    );
    assert_eq!(prove["to"], second(6 * 3600 + 3000));

    let resends = answer["resends"].as_array().unwrap();
    assert_eq!(resends.len(), 1);
    let resend = &resends[0];
    assert_eq!(
        (
            &resend["eth_tx_id"],
            &resend["attempts"],
            &resend["mined_attempt"]
        ),
        (&30.into(), &3.into(), &2.into())
    );
    assert_eq!(resend["first_signed_at"], second(evening + 1800));
    assert_eq!(resend["last_signed_at"], second(evening + 2600));
    assert_eq!(resend["refs"].as_array().unwrap().len(), 3);
}

/// A chain that was slow when it was young: one batch in half an hour, later one a minute.
#[test]
fn another_pace_is_no_row_of_pauses() {
    let mut chain = Chain::settled();
    let mut at_s = 0;
    for number in 21..=120 {
        at_s += match number {
            ..=40 => 1800,
            80 => 7200,
            _ => 60,
        };
        chain.batch(number, 1200 + at_s, [None, None, None]);
    }
    let answer = ask(&chain.memory(), &at(1200 + at_s + 60));
    let gaps = answer["gaps"].as_array().unwrap().iter();
    let begun = gaps.filter(|gap| gap["kind"] == "begun");
    let found: Vec<_> = begun
        .map(|gap| (gap["after_batch"].as_i64(), gap["around_s"].as_f64()))
        .collect();
    assert_eq!(found, [(Some(79), Some(60.0))]);
}

/// A chain with few users: five batches a minute apart, then nothing for two hours, and so on.
#[test]
fn a_pause_is_one_beyond_the_habit_of_the_database() {
    let mut chain = Chain::settled();
    let mut at_s = 0;
    for number in 21..=60 {
        // Once it is a whole day.
        at_s += match number {
            41 => 86_400,
            _ if number % 5 == 1 => 7200,
            _ => 60,
        };
        chain.batch(number, 1200 + at_s, [None, None, None]);
    }
    let answer = ask(&chain.memory(), &at(1200 + at_s + 3600));
    let begun: Vec<_> = answer["gaps"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|gap| gap["kind"] == "begun")
        .map(|gap| (gap["after_batch"].as_i64(), gap["gap_s"].as_f64()))
        .collect();
    assert_eq!(begun, [(Some(40), Some(86_400.0))]);
    // Of 59 distances 8 are long: what one in ten exceeds is two hours.
    let rule = &answer["pause_rules"][0];
    assert_eq!(
        *rule,
        serde_json::json!({"kind": "begun", "n": 59, "p50_s": 60.0, "p90_s": 7200.0, "pause_s": 21_600.0})
    );
}

#[test]
fn an_external_nodes_own_times_are_not_taken_for_the_servers() {
    let mut chain = Chain::settled();
    chain.batch(21, 1300, [Some(21), None, None]);
    chain.txs.push("21 0  CommitBlocks f 21 -".to_owned());
    chain.attempt(21, 9000, Some(1420));
    let answer = ask(&chain.memory(), &at(20_000));
    let batch = &answer["batches"][20];
    assert_eq!(batch["commit_noticed_at"], second(1420));
    for key in [
        "sealed_at",
        "commit_saved_at",
        "commit_mined_not_before",
        "commit_wait_s",
    ] {
        assert_eq!(batch[key], Value::Null, "{key}");
    }
    assert_eq!(batch["verdict"], "unknown");
    let warnings = answer["warnings"].to_string();
    assert!(warnings.contains("external node"), "{warnings}");
}
