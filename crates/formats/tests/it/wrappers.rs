//! A wrapped line's record is the bare line's record, but for span and wrapper.

use crate::seen::{Entry, assert_tiles, parse, parse_in_parts, records};
use formats::Catalogue;

fn docker(line: &str) -> String {
    let text = serde_json::to_string(&format!("{line}\n")).unwrap();
    let text = text
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026");
    format!("{{\"log\":{text},\"stream\":\"stdout\",\"time\":\"2020-08-14T10:52:08.123456789Z\"}}")
}

fn journal(line: &str) -> String {
    format!("Aug 14 10:52:08 node-1 prysm.sh[2167]: {line}")
}

fn kurtosis(line: &str) -> String {
    format!("[cl-1-prysm-geth] {line}")
}

fn compose(line: &str) -> String {
    format!("prysm_1  | {line}")
}

fn wrap(text: &str, with: &dyn Fn(&str) -> String) -> String {
    text.lines().map(|line| with(line) + "\n").collect()
}

#[test]
fn every_sample_reads_the_same_in_every_wrapping() {
    let wrappings: [(&str, &dyn Fn(&str) -> String); 6] = [
        ("docker", &docker),
        ("journal", &journal),
        ("kurtosis", &kurtosis),
        ("compose", &compose),
        ("docker in journal", &|line| journal(&docker(line))),
        ("journal in docker", &|line| docker(&journal(line))),
    ];
    for (format, line) in Catalogue::builtin().sample_lines() {
        let bare = records(line.as_bytes());
        for (name, with) in wrappings {
            let wrapped = wrap(line, with);
            let entries = parse(wrapped.as_bytes());
            assert_tiles(wrapped.as_bytes(), &entries);
            assert_eq!(
                records(wrapped.as_bytes()),
                bare,
                "{format} in {name}: {wrapped}"
            );
        }
    }
}

#[test]
fn what_the_wrapper_says_is_kept() {
    let line = "[2020-08-14 10:52:08]  INFO p2p: x";
    let wrapper = |text: String| match &parse(text.as_bytes())[0] {
        Entry::Record { wrapper, .. } => wrapper.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        wrapper(journal(line)),
        "journald-short[--08-14T10:52:08]host=node-1,identifier=prysm.sh,pid=2167"
    );
    assert_eq!(
        wrapper(docker(line)),
        "docker-json-file[2020-08-14T10:52:08.123456789Z]stream=stdout"
    );
    assert_eq!(
        wrapper(journal(&docker(line))),
        "journald-short[--08-14T10:52:08]host=node-1,identifier=prysm.sh,pid=2167 > \
         docker-json-file[2020-08-14T10:52:08.123456789Z]stream=stdout"
    );
    let attrs = docker(line).replace("\"stdout\",", "\"stdout\",\"attrs\":{\"tag\":\"a\\\"b\"},");
    assert_eq!(
        wrapper(attrs),
        "docker-json-file[2020-08-14T10:52:08.123456789Z]stream=stdout,attrs={\"tag\":\"a\\\"b\"}"
    );
    let spanish = format!("ago 14 10:52:08 casa beacon[7]: {line}");
    assert_eq!(
        wrapper(spanish),
        "journald-short[--08-14T10:52:08]host=casa,identifier=beacon,pid=7"
    );
    let unnamed = format!("syys 01 00:00:00 h beacon-chain: {line}");
    assert_eq!(
        wrapper(unnamed),
        "journald-short[--09-01T00:00:00]host=h,identifier=beacon-chain"
    );
}

#[test]
fn docker_chunks_are_joined() {
    let bare = format!(
        "[2020-08-14 10:52:08]  INFO p2p: x error={} peer=abc",
        "é".repeat(16_000)
    );
    let part = |text: &str, end: &str| {
        format!(
            "{{\"log\":\"{text}{end}\",\"stream\":\"stderr\",\"time\":\"2020-08-14T10:52:08Z\"}}\n"
        )
    };
    let (a, rest) = bare.split_at(16_383);
    let (b, c) = rest.split_at(10_000);
    let next = part("[2020-08-14 10:52:09]  INFO p2p: y", "\\n");
    let text = format!("{}{}{}{next}", part(a, ""), part(b, ""), part(c, "\\n"));
    let entries = parse(text.as_bytes());
    assert_tiles(text.as_bytes(), &entries);
    assert_eq!(parse_in_parts(text.as_bytes(), 20_000), entries);
    assert!(matches!(entries[1], Entry::Continued(_, 1)));
    assert!(matches!(entries[2], Entry::Continued(_, 1)));
    assert_eq!(entries.len(), 4);
    assert_eq!(records(text.as_bytes())[0], records(bare.as_bytes())[0]);
    // A chunk of the other stream between them ends the line: what follows stands alone.
    let other = part("[2020-08-14 10:52:09]  INFO p2p: y", "\\n").replace("stderr", "stdout");
    let text = format!("{}{other}{}", part(a, ""), part("words", "\\n"));
    let entries = parse(text.as_bytes());
    assert_tiles(text.as_bytes(), &entries);
    assert_eq!(entries.len(), 3);
    assert!(matches!(entries[2], Entry::Rejected(..)));
}

#[test]
fn other_units_of_a_journal_do_not_mix_in() {
    let text = "Aug 14 10:52:08 h prysm[1]: [2020-08-14 10:52:08] ERROR sync: x error=a\n\
                Aug 14 10:52:08 h sshd[9]:   indented\n\
                Aug 14 10:52:08 h prysm[1]:   indented\n";
    let entries = parse(text.as_bytes());
    assert_tiles(text.as_bytes(), &entries);
    assert_eq!(entries.len(), 3);
    assert_eq!(entries[0].span().lines, 1);
}
