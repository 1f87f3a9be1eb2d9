//! Evidence as people mail it: archives, rotated and packed, UTF-16, and what must not be followed.

use crate::run::{BEACON, DUMP, Desk, HASH, gzip};
use serde_json::Value;

pub(crate) fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

/// The log of another node: other peers, other seconds.
fn other() -> String {
    BEACON.replace(":40]", ":43]").replace("41", "39")
}

fn later() -> String {
    BEACON
        .replace("2020-08-14", "2020-08-15")
        .replace("slot=73352", "slot=76352")
}

fn pods(more: &str) -> Vec<u8> {
    let grown = format!("{BEACON}{more}");
    let inner = gzip(other().as_bytes());
    gzip(&tar(&[
        ("pods/prysm-1/beacon.log", grown.as_bytes()),
        ("pods/prysm-2/beacon.log.gz", &inner),
    ]))
}

fn paths(document: &Value) -> Vec<&str> {
    let sources = document["sources"].as_array().unwrap();
    sources
        .iter()
        .map(|source| source["path"].as_str().unwrap())
        .collect()
}

#[test]
fn a_tar_of_pods_is_one_command() {
    let desk = Desk::new();
    desk.write("pods.tar.gz", pods(""));
    let said = desk.json(&["ingest", "x.case", "pods.tar.gz"], 0);
    assert_eq!(
        paths(&said),
        [
            "pods.tar.gz!pods/prysm-1/beacon.log",
            "pods.tar.gz!pods/prysm-2/beacon.log.gz"
        ]
    );
    let [first, second] = [&said["sources"][0], &said["sources"][1]];
    assert_eq!(
        (&first["node"], &second["node"]),
        (&"prysm-1".into(), &"prysm-2".into())
    );
    assert_eq!(first["bytes"], BEACON.len());
    assert_eq!(first["container"]["kind"], "tar+gzip");
    assert_eq!(first["container"]["members"], 2);
    assert_eq!(second["container"]["kind"], "gzip");
    assert_eq!(second["container"]["inside"], first["container"]);
    let file = desk.run(&["show", "x.case", "S2:2"]);
    assert!(file.stdout.contains("roughtime"), "{file:?}");
    assert_eq!(desk.json(&["verify", "x.case"], 0)["sound"], true);

    // The same again costs a hash; a grown member only its new lines.
    let again = desk.json(&["ingest", "x.case", "pods.tar.gz"], 0);
    assert_eq!(again["unchanged"].as_array().unwrap().len(), 2, "{again}");
    desk.write(
        "pods.tar.gz",
        pods("[2020-08-14 19:50:00]  INFO p2p: Peer summary activePeers=45\n"),
    );
    let grown = desk.json(&["ingest", "x.case", "pods.tar.gz"], 0);
    assert_eq!(
        (&grown["added"], &grown["grown"], &grown["unchanged"]),
        (
            &Value::Array(vec![]),
            &Value::from(vec![first["digest"].clone()]),
            &Value::from(vec![second["digest"].clone()])
        ),
        "{grown}"
    );
    // Forgotten, it comes back.
    desk.run(&["forget", "x.case", "S2"]);
    let back = desk.json(&["ingest", "x.case", "pods.tar.gz"], 0);
    assert_eq!(back["added"][0], second["digest"], "{back}");
}

#[test]
fn an_archive_answers_as_the_folder_does() {
    let desk = Desk::new();
    desk.write("pods/prysm-1/beacon.log", BEACON)
        .write("pods/prysm-2/beacon.log.gz", gzip(other().as_bytes()))
        .write("pods.tar.gz", pods(""));
    let rows = |path: &str| {
        let rows = desk.run(&["timeline", path]).lines();
        assert_eq!(rows.len(), 14);
        rows
    };
    assert_eq!(rows("pods"), rows("pods.tar.gz"));
    let triage = desk.json(&["triage", "pods.tar.gz"], 0);
    assert_eq!(triage["evidence"]["nodes"], 2, "{triage}");

    // parse: entries of every member, by file and by pipe.
    let by_file = desk.run(&["parse", "pods.tar.gz"]);
    assert_eq!(
        (by_file.code, by_file.stdout.lines().count()),
        (0, 16),
        "{by_file:?}"
    );
    let by_pipe = desk.run_with_stdin(&["parse", "-"], &pods(""));
    assert_eq!(
        by_file.stdout.replace("pods.tar.gz!", "-!"),
        by_pipe.stdout,
        "{}",
        by_pipe.stderr
    );
    let said = desk.run_with_stdin(&["ingest", "piped.case", "-"], &pods(""));
    assert_eq!(said.code, 0, "{said:?}");
    let info = desk.json(&["info", "piped.case"], 0);
    assert_eq!(
        paths(&info),
        ["-!pods/prysm-1/beacon.log", "-!pods/prysm-2/beacon.log.gz"]
    );
}

#[test]
fn a_dump_inside_an_archive_is_a_dump() {
    let desk = Desk::new();
    desk.write(
        "mail.tgz",
        gzip(&tar(&[
            ("logs/beacon.log", BEACON.as_bytes()),
            ("db/core.sql.gz", &gzip(DUMP.as_bytes())),
        ])),
    );
    let trace = desk.json(&["trace", "mail.tgz", HASH], 0);
    assert_eq!(trace["path"][0]["l1_batch_number"], 7670, "{trace}");
    let said = desk.json(&["ingest", "x.case", "mail.tgz"], 0);
    assert_eq!(said["snapshots"][0]["name"], "core", "{said}");
    let digest = said["snapshots"][0]["source"].as_str().unwrap();
    let row = format!("{digest}:public.miniblocks#15842");
    let shown = desk.run(&["show", "x.case", &row]).lines();
    assert!(
        shown[0]["raw"].as_str().unwrap().starts_with("15842\t"),
        "{shown:?}"
    );
}

#[test]
fn hostile_members_are_named_and_the_rest_is_read() {
    let desk = Desk::new();
    let long = BEACON.repeat(400);
    let cut = gzip(long.as_bytes());
    let mut bytes = Vec::new();
    for (name, kind, link) in [("n0/link.log", b'2', "/etc/passwd"), ("n0/tty", b'3', "")] {
        let mut header = tar::Header::new_gnu();
        header.set_path(name).unwrap();
        header.set_link_name_literal(link).unwrap();
        header.set_entry_type(tar::EntryType::new(kind));
        header.set_size(0);
        header.set_cksum();
        bytes.extend_from_slice(header.as_bytes());
    }
    let mut outside = tar::Header::new_gnu();
    outside.as_old_mut().name[..17].copy_from_slice(b"../../outside.log");
    outside.set_size(other().len() as u64);
    outside.set_cksum();
    bytes.extend_from_slice(outside.as_bytes());
    let mut text = other().into_bytes();
    text.resize(text.len().next_multiple_of(512), 0);
    bytes.extend_from_slice(&text);
    bytes.extend(tar(&[
        ("n1/beacon.log.gz", &cut[..cut.len() - 200]),
        ("n2/beacon.log", BEACON.as_bytes()),
        ("n2/picture.png", b"\x89PNG\r\n\x1a\n"),
    ]));
    desk.write("in/pods.tar", bytes);
    let said = desk.json(&["ingest", "x.case", "in/pods.tar"], 3);
    assert_eq!(
        paths(&said),
        [
            "in/pods.tar!../../outside.log",
            "in/pods.tar!n1/beacon.log.gz",
            "in/pods.tar!n2/beacon.log"
        ]
    );
    assert_eq!(said["sources"][1]["status"], "truncated");
    let problems = said["partial"].to_string();
    for told in [
        "symbolic link to /etc/passwd",
        "character device",
        "gzip data ends early",
        "a PNG image",
    ] {
        assert!(problems.contains(told), "{told}: {problems}");
    }
    // Nothing was written by a member's name, and the case remembers what it lacks.
    assert!(!desk.path("outside.log").exists() && !desk.path("../outside.log").exists());
    let info = desk.json(&["info", "x.case"], 3);
    assert_eq!(info["skipped"].as_array().unwrap().len(), 3, "{info}");
    assert_eq!(info["skipped"][0]["path"], "in/pods.tar!n0/link.log");
    assert_eq!(desk.json(&["verify", "x.case"], 0)["sound"], true);
    let again = desk.json(&["ingest", "x.case", "in/pods.tar"], 3);
    assert_eq!(again["unchanged"].as_array().unwrap().len(), 3, "{again}");
}

#[test]
fn a_fifo_is_refused_before_it_is_opened() {
    let desk = Desk::new();
    desk.write("logs/n1/beacon.log", BEACON);
    let fifo = desk.path("logs/pipe");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    desk.fails(
        &["ingest", "x.case", "logs"],
        3,
        "logs/pipe is a FIFO, not a file",
    );
    desk.fails(&["triage", "logs/pipe"], 2, "is a FIFO, not a file");
    desk.fails(&["parse", "logs/pipe"], 2, "is a FIFO, not a file");
}

#[test]
fn utf16_is_read_and_references_count_its_bytes() {
    let desk = Desk::new();
    let text = BEACON
        .replace("hello from nowhere", "gr\u{fc}\u{df}e \u{1f680} nowhere")
        .replace('\n', "\r\n");
    let raw: Vec<u8> = "\u{feff}"
        .encode_utf16()
        .chain(text.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    desk.write("n1/beacon.log", &raw)
        .write("plain/n1/beacon.log", &text);
    let said = desk.json(&["ingest", "x.case", "n1"], 0);
    let source = &said["sources"][0];
    assert_eq!(
        (&source["encoding"], &source["bytes"]),
        (&"utf-16le".into(), &raw.len().into())
    );
    assert_eq!(
        (&source["records"], &source["lines"]),
        (&7.into(), &8.into())
    );
    assert_eq!(desk.json(&["verify", "x.case"], 0)["sound"], true);

    let shown = &desk.run(&["show", "x.case", "S1:3", "-C1"]).lines()[0];
    assert_eq!(
        shown["text"], "gr\u{fc}\u{df}e \u{1f680} nowhere\r\n",
        "{shown}"
    );
    assert!(shown["before"].as_str().unwrap().contains("roughtime"));
    let byte = shown["byte"].as_u64().unwrap() as usize;
    let length = shown["length"].as_u64().unwrap() as usize;
    let expected: Vec<u8> = "gr\u{fc}\u{df}e \u{1f680} nowhere\r\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_eq!(&raw[byte..byte + length], expected);
    let by_byte = format!("S1@{byte}+{length}");
    assert_eq!(
        desk.run(&["show", "x.case", &by_byte]).lines()[0]["text"],
        shown["text"]
    );

    // The same records as of the plain text, and found by their text.
    let times = |path: &str| -> Vec<Value> {
        let lines = desk.run(&["timeline", path]).lines();
        lines.iter().map(|row| row["ts"].clone()).collect()
    };
    assert_eq!(times("x.case"), times("plain"));
    assert_eq!(
        desk.run(&["timeline", "x.case", "--grep", "activePeers=12"])
            .lines()
            .len(),
        1
    );
    let entries = desk.run(&["parse", "n1"]).lines();
    let end = entries.last().unwrap();
    assert_eq!(
        end["byte"].as_u64().unwrap() + end["length"].as_u64().unwrap(),
        raw.len() as u64
    );

    // It grows.
    let more: Vec<u8> = later().encode_utf16().flat_map(u16::to_le_bytes).collect();
    desk.write("n1/beacon.log", [raw, more].concat());
    let grown = desk.json(&["ingest", "x.case", "n1"], 0);
    assert_eq!(grown["grown"].as_array().unwrap().len(), 1, "{grown}");
    assert_eq!(grown["sources"][0]["records"], 14);
    assert_eq!(desk.json(&["verify", "x.case"], 0)["sound"], true);
}
