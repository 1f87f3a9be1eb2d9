//! While it happens: a pipe is committed as it flows, readers see it, Ctrl-C loses nothing.

use crate::run::Desk;
use std::io::Write;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

fn line(n: u32) -> String {
    format!(
        "time=\"2020-08-14 17:{:02}:{:02}\" level=info msg=\"Peer summary\" activePeers={n} prefix=p2p\n",
        n / 60 % 60,
        n % 60
    )
}

fn lines(from: u32, to: u32) -> String {
    (from..to).map(line).collect()
}

fn follow(desk: &Desk) -> Child {
    desk.command(&["ingest", "x.case", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Records that a reader sees now.
fn seen(desk: &Desk) -> u64 {
    match case::Case::open(desk.path("x.case")) {
        Ok(case) => case.rows(&case::TableId::Records),
        Err(_) => 0,
    }
}

/// Waits until a reader sees so many records; returns how long that took.
#[track_caller]
fn until(desk: &Desk, records: u64) -> Duration {
    let started = Instant::now();
    while seen(desk) < records {
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "{} of {records} records",
            seen(desk)
        );
        std::thread::yield_now();
    }
    started.elapsed()
}

#[track_caller]
fn sound(desk: &Desk, sources: usize, records: u64) {
    let case = case::Case::open(desk.path("x.case")).unwrap();
    assert_eq!(case.verify().problems, []);
    assert_eq!(case.manifest().sources.len(), sources);
    assert_eq!(seen(desk), records);
}

#[test]
fn readers_see_what_came_and_the_end_is_as_if_read_at_once() {
    let desk = Desk::new();
    let mut child = follow(&desk);
    let mut pipe = child.stdin.take().unwrap();
    pipe.write_all(lines(0, 300).as_bytes()).unwrap();
    until(&desk, 300);
    // Half a line is nobody's yet.
    let half = line(300);
    pipe.write_all(&half.as_bytes()[..40]).unwrap();
    pipe.write_all(&half.as_bytes()[40..]).unwrap();
    pipe.write_all(lines(301, 305).as_bytes()).unwrap();
    until(&desk, 305);
    pipe.write_all(&line(305).as_bytes()[..60]).unwrap();
    drop(pipe);
    let said = child.wait_with_output().unwrap();
    assert!(said.status.success(), "{said:?}");
    sound(&desk, 1, 306);
    let flowed = desk.run(&["timeline", "x.case"]).stdout;
    let whole = lines(0, 305) + &line(305)[..60];
    desk.write("whole.log", &whole);
    let at_once = desk.run(&["timeline", "whole.log"]).stdout;
    // References differ: the source is named by what was there at first sight.
    let without = |text: &str| -> Vec<String> {
        text.lines()
            .map(|line| {
                let mut row: serde_json::Value = serde_json::from_str(line).unwrap();
                row["ref"] = row["ref"]
                    .as_str()
                    .unwrap()
                    .split(':')
                    .nth(1)
                    .unwrap()
                    .into();
                row["node"] = serde_json::Value::Null;
                row.to_string()
            })
            .collect()
    };
    assert_eq!(without(&flowed), without(&at_once));
}

#[test]
fn the_same_pull_again_costs_what_is_new_and_another_since_is_shown_once() {
    let desk = Desk::new();
    let pull = |text: String| {
        let said = desk.run_with_stdin(&["ingest", "x.case", "-"], text.as_bytes());
        assert_eq!(said.code, 0, "{said:?}");
    };
    pull(lines(0, 200));
    pull(lines(0, 260));
    sound(&desk, 1, 260);
    pull(lines(0, 100));
    sound(&desk, 1, 260);
    // Begins alike and goes on otherwise.
    pull(lines(0, 100) + &lines(150, 260).replace("Peer summary", "Peers"));
    sound(&desk, 2, 470);
    pull(lines(200, 400));
    sound(&desk, 3, 670);
    let document = desk.json(&["info", "x.case"], 0);
    assert_eq!(document["totals"]["duplicates"], 60);
}

#[test]
fn a_pull_goes_on_with_the_source_it_is_even_if_a_longer_one_begins_alike() {
    let desk = Desk::new();
    let pull = |text: String| {
        let said = desk.run_with_stdin(&["ingest", "x.case", "-"], text.as_bytes());
        assert_eq!(said.code, 0, "{said:?}");
    };
    let other = lines(2_000, 9_000).replace("Peer summary", "Peers");
    pull(lines(0, 3_000));
    pull(lines(0, 2_000) + &other);
    sound(&desk, 2, 12_000);
    pull(lines(0, 3_500));
    sound(&desk, 2, 12_500);
    // Neither: what both streams had in common is read again.
    pull(lines(0, 2_500) + &other);
    sound(&desk, 3, 22_000);
}

#[cfg(unix)]
#[test]
fn an_interrupt_commits_what_came() {
    let desk = Desk::new();
    let mut child = follow(&desk);
    let mut pipe = child.stdin.take().unwrap();
    pipe.write_all(lines(0, 50).as_bytes()).unwrap();
    // From now on the program listens.
    until(&desk, 50);
    pipe.write_all(lines(50, 70).as_bytes()).unwrap();
    // The interrupt comes after the bytes: the kernel has them before it.
    let killed = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    let ended = child.wait().unwrap();
    assert_eq!(ended.code(), Some(0));
    let there = seen(&desk);
    assert!((50..=70).contains(&there), "{there}");
    assert_eq!(
        case::Case::open(desk.path("x.case"))
            .unwrap()
            .verify()
            .problems,
        []
    );
    drop(pipe);
}

#[test]
fn a_watched_triage_looks_again() {
    use std::io::{BufRead, BufReader};
    let desk = Desk::new();
    desk.write("a.log", lines(0, 20))
        .write("b.log", lines(500, 530));
    desk.json(&["ingest", "x.case", "a.log"], 0);
    let mut child = desk
        .command(&["triage", "x.case", "--watch", "1", "--format", "json"])
        .spawn()
        .unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut records = || {
        let line = answers.next().unwrap().unwrap();
        let document: serde_json::Value = serde_json::from_str(&line).unwrap();
        document["evidence"]["records"].as_u64().unwrap()
    };
    assert_eq!(records(), 20);
    desk.json(&["ingest", "x.case", "b.log"], 0);
    let started = Instant::now();
    while records() != 50 {
        assert!(started.elapsed() < Duration::from_secs(60));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}
