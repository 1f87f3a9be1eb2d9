//! What a machine's own programs wrote into its journal, beside a client and alone: its times, its node, its copies.

use case::{Case, CaseWriter, TableId};
use ingest::{IngestOptions, Quiet, ingest};
use model::RowFilter;
use std::fs;
use std::path::PathBuf;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    /// Ingests files, given as name and text.
    fn ingest(&self, files: &[(&str, &str)]) -> Case {
        let paths: Vec<PathBuf> = files
            .iter()
            .map(|(name, text)| {
                let path = self.0.path().join(name);
                fs::write(&path, text).unwrap();
                path
            })
            .collect();
        let case = self.0.path().join("x.case");
        let options = IngestOptions {
            network: Some("medalla".to_owned()),
            ..IngestOptions::default()
        };
        let mut writer = CaseWriter::open_or_create(&case).unwrap();
        ingest(&mut writer, &paths, &options, &mut Quiet).unwrap();
        drop(writer);
        Case::open(&case).unwrap()
    }
}

/// `client component time clock basis node` of every record, in the order of lines.
fn told(case: &Case) -> Vec<String> {
    let mut rows: Vec<(String, i64, String)> = Vec::new();
    case.read(&TableId::Records, None, &RowFilter::All, &mut |batch| {
        for row in 0..batch.rows() {
            let text = |name: &str| batch.column(name).and_then(|c| c.text(row)).unwrap_or("-");
            let number = |name: &str| batch.column(name).and_then(|c| c.i64(row));
            let time = number("ts_us").map_or("-".to_owned(), model::time::format_utc_short);
            let said = ["client", "component"].map(text).join(" ");
            let dated = ["ts_clock", "ts_basis", "node"].map(text).join(" ");
            let line = number("line").unwrap();
            rows.push((
                text("source").to_owned(),
                line,
                format!("{said} {time} {dated}"),
            ));
        }
        Ok(())
    })
    .unwrap();
    rows.sort();
    rows.into_iter().map(|(.., told)| told).collect()
}

fn nodes(case: &Case) -> Vec<&str> {
    let nodes = case.manifest().nodes.iter();
    nodes.map(|node| node.name.as_str()).collect()
}

/// 14 August 2020, so many seconds after 17:00:00 UTC, on a machine four hours behind.
fn journal(second: u32, host: &str, who: &str, said: &str) -> String {
    let (hour, minute) = (13 + second / 3600, second / 60 % 60);
    format!(
        "Aug 14 {hour:02}:{minute:02}:{:02} {host} {who}: {said}\n",
        second % 60
    )
}

/// A heartbeat in the middle of its slot, which tells year and zone.
fn synced(slot: u32) -> String {
    let second = 1_596_546_008 + 12 * slot + 6 - 1_597_424_400;
    let stamp = &journal(second, "", "", "")[..15];
    let said = format!(
        "{stamp}.001 INFO Synced                                  slot: {slot}, block: 0x12ab…cd34, epoch: {}, peers: 50, service: slot_notifier",
        slot / 32
    );
    journal(second, "node-1", "lighthouse[7]", &said)
}

#[test]
fn a_machine_is_dated_by_its_client_and_is_the_same_node() {
    let mut text = journal(0, "node-1", "chronyd[9]", "Selected source 192.0.2.1");
    for slot in 73_205..73_230 {
        text += &synced(slot);
    }
    let said = "ts=2020-08-14T19:10:00.123Z level=info msg=\"own stamp, other zone\"";
    text += &journal(600, "node-1", "prometheus[4]", said);
    text += &journal(
        601,
        "node-1",
        "kernel",
        "Out of memory: Killed process 7 (lighthouse)",
    );
    let folder = Folder::new();
    let case = folder.ingest(&[("journal.txt", &text)]);
    let told = told(&case);
    assert_eq!(
        told[0],
        "system chronyd 2020-08-14T17:00:00Z wrapper slot node-1"
    );
    assert_eq!(
        told[1],
        "lighthouse slot_notifier 2020-08-14T17:01:14.001Z stamp slot node-1"
    );
    // Its own stamp is another program's, and no clock of the machine's journal.
    assert_eq!(
        told[26],
        "system prometheus 2020-08-14T17:10:00Z wrapper slot node-1"
    );
    assert_eq!(
        told[27],
        "system kernel 2020-08-14T17:10:01Z wrapper slot node-1"
    );
    let manifest = case.manifest();
    assert_eq!(nodes(&case), ["node-1"]);
    assert_eq!(manifest.sources[0].client.as_deref(), Some("lighthouse"));
    assert_eq!(manifest.sources[0].undated, 0);
    let clients: Vec<&str> = manifest
        .processes
        .iter()
        .map(|p| p.client.as_str())
        .collect();
    assert_eq!(clients, ["system", "lighthouse"]);
    // The machine's programs are no names of the node.
    let names = &manifest.nodes[0].names;
    assert!(names.iter().any(|name| name == "lighthouse"), "{names:?}");
    assert!(!names.iter().any(|name| name == "chronyd"), "{names:?}");
}

#[test]
fn lines_of_no_client_go_with_the_client_not_with_the_machine() {
    let line = |who: &str, said: &str| journal(0, "node-1", who, said);
    let teku =
        "2020-08-14 13:00:00.123+00:00 | main | INFO  | teku-event-log | Slot Event  *** Slot: 1";
    let bare = "2020-08-14 13:00:00.123+00:00 | main | INFO  | SomeClass | words that nobody knows";
    let text = [
        line("sshd[3]", "words"),
        line("java[7]", teku),
        line("sshd[3]", "words"),
        line("java[7]", bare),
    ]
    .concat();
    let folder = Folder::new();
    let case = folder.ingest(&[("journal.txt", &text)]);
    let told = told(&case);
    let clients: Vec<&str> = told
        .iter()
        .map(|told| told.split(' ').next().unwrap())
        .collect();
    assert_eq!(clients, ["system", "teku", "system", "teku"]);
}

/// What a beacon node and its validator, both Prysm's, write into one journal. The validator starts again.
#[test]
fn programs_of_one_client_in_one_journal_are_processes_of_their_own() {
    let start = "time=\"2020-08-14 17:00:00\" level=info msg=\"Starting beacon node\" prefix=node version=\"Prysm/v1.0.0-alpha.22\"";
    let peers =
        "time=\"2020-08-14 17:00:07\" level=info msg=\"Peer summary\" activePeers=45 prefix=p2p";
    let validator = "time=\"2020-08-14 17:00:05\" level=info msg=\"Starting validator node\" prefix=node version=\"Prysm/v1.0.0-alpha.23\"";
    let attested = "time=\"2020-08-14 17:00:08\" level=info msg=\"Submitted new attestations\" prefix=validator";
    let lines = |beacon: &str, runs: &str| {
        let line = |second, who: &str, said| journal(second, "node-1", who, said);
        [
            line(0, beacon, start),
            line(5, runs, validator),
            line(7, beacon, peers),
            line(8, runs, attested),
            line(900, runs, validator),
            line(901, beacon, peers),
        ]
        .concat()
    };
    let processes = |text: &str| -> Vec<String> {
        let folder = Folder::new();
        let case = folder.ingest(&[("journal.txt", text)]);
        assert_eq!(nodes(&case), ["node-1"]);
        let processes = case.manifest().processes.iter();
        processes
            .map(|process| {
                let role = process.role.as_deref().unwrap_or("-");
                let version = process.version.as_deref().unwrap_or("-");
                format!(
                    "{role} {version} {}-{}",
                    process.first_line, process.last_line
                )
            })
            .collect()
    };
    let apart = [
        "beacon Prysm/v1.0.0-alpha.22 1-6",
        "validator Prysm/v1.0.0-alpha.23 2-4",
        "validator Prysm/v1.0.0-alpha.23 5-5",
    ];
    assert_eq!(processes(&lines("beacon-chain[7]", "validator[8]")), apart);
    // The unit says it where one script runs both; in a session the unit is everybody's.
    let by_unit = |ident: [&str; 2], unit: [&str; 2]| -> String {
        let entry = |line: &str| {
            let (stamp, said) = (&line[..15], line.split_once(": ").unwrap().1.trim_end());
            let at = usize::from(line.contains("validator[8]"));
            let second: i64 =
                stamp[13..].parse::<i64>().unwrap() + 60 * stamp[10..12].parse::<i64>().unwrap();
            let said = said.replace('"', "\\\"");
            format!(
                "{{\"__REALTIME_TIMESTAMP\":\"{}000000\",\"_HOSTNAME\":\"node-1\",\"SYSLOG_IDENTIFIER\":\"{}\",\"_SYSTEMD_UNIT\":\"{}\",\"MESSAGE\":\"{said}\"}}\n",
                1_597_424_400 + second,
                ident[at],
                unit[at]
            )
        };
        lines("beacon-chain[7]", "validator[8]")
            .lines()
            .map(entry)
            .collect()
    };
    let units = ["beacon.service", "validator.service"];
    assert_eq!(processes(&by_unit(["prysm.sh", "prysm.sh"], units)), apart);
    let session = ["user@1000.service", "user@1000.service"];
    assert_eq!(
        processes(&by_unit(["beacon-chain", "validator"], session)),
        apart
    );
}

/// A file in which every line names another machine costs no more than any other, and what is not told apart is said.
#[test]
fn more_machines_than_can_be_are_said() {
    let peers =
        "time=\"2020-08-14 17:00:07\" level=info msg=\"Peer summary\" activePeers=45 prefix=p2p";
    let text: String = (0..4200)
        .map(|n| journal(n, &format!("node-{n}"), "beacon-chain[7]", peers))
        .collect();
    let folder = Folder::new();
    let case = folder.ingest(&[("journal.txt", &text)]);
    let source = &case.manifest().sources[0];
    assert_eq!(source.records, 4200);
    assert_eq!(case.manifest().processes.len(), 4097);
    let nodes = nodes(&case);
    assert!(nodes.contains(&"node-4095") && !nodes.contains(&"node-4096"));
    assert!(nodes.contains(&"(others)"));
    let told: Vec<&str> = source.problems.iter().map(|p| p.what.as_str()).collect();
    assert_eq!(
        told,
        [
            "more than 4096 machines or programs are named: from line 4097 on, records of further ones are given to node (others); ingest such a file in parts, one for each machine"
        ]
    );
}

#[test]
fn a_journal_belongs_to_the_node_that_is_named_on_its_machine() {
    let shipped = |pod: &str, second: u32| {
        format!(
            "{{\"time\":\"2020-08-14T17:00:{second:02}.5Z\",\"stream\":\"stdout\",\"log\":\"[2020-08-14 17:00:{second:02}]  INFO p2p: Peer summary activePeers=45\\n\",\"kubernetes\":{{\"pod_name\":\"{pod}\",\"host\":\"k-1\"}}}}\n"
        )
    };
    let machine = journal(0, "k-1", "sshd[9]", "words");
    let one: String = (0..9).map(|second| shipped("beacon-0", second)).collect();
    let folder = Folder::new();
    let case = folder.ingest(&[("pod.log", &one), ("syslog", &machine)]);
    assert_eq!(nodes(&case), ["beacon-0"]);
    // Of two nodes on the machine it is neither.
    let two: String = (0..9).map(|second| shipped("beacon-1", second)).collect();
    let folder = Folder::new();
    let case = folder.ingest(&[("pod.log", &one), ("other.log", &two), ("syslog", &machine)]);
    assert_eq!(nodes(&case), ["beacon-0", "beacon-1", "k-1"]);
}

/// Two pulls that overlap by a third: what the client says decides, and the machine's lines are copies as well.
#[test]
fn copies_of_a_journal_with_a_client_are_found() {
    let lines = |from: u32, to: u32| -> String {
        let line = |n: u32| {
            let said = format!(
                "time=\"2020-08-14 17:{:02}:{:02}\" level=info msg=\"Peer summary\" activePeers={n} prefix=p2p",
                n / 60,
                n % 60
            );
            journal(n, "node-1", "prysm.sh[7]", &said)
                + &journal(n, "node-1", "sshd[8]", "the same again")
        };
        (from..to).map(line).collect()
    };
    let folder = Folder::new();
    let case = folder.ingest(&[("a.log", &lines(0, 150)), ("b.log", &lines(100, 400))]);
    let copies: u64 = case
        .manifest()
        .sources
        .iter()
        .map(|source| source.duplicates)
        .sum();
    assert_eq!(copies, 100, "{:?}", case.manifest().copies);
}

#[test]
fn copies_of_a_journal_are_found_and_other_machines_are_no_copies() {
    let lines = |host: &str, from: u32, to: u32| -> String {
        let line = |n: u32| {
            let second = 17 * (n / 2);
            let said = format!("job {} done", n % 5);
            let both = journal(second, host, "cron[9]", &said)
                + &journal(second, host, "sshd[8]", "the same again");
            both.replace("Aug 14 ", "2020-08-14T")
                .replace(&format!(" {host}"), &format!("-04:00 {host}"))
        };
        (from..to).map(line).collect()
    };
    let folder = Folder::new();
    let (early, late) = (lines("node-1", 0, 60), lines("node-1", 40, 100));
    let case = folder.ingest(&[
        ("a.log", &early),
        ("b.log", &late),
        ("c.log", &lines("node-2", 0, 100)),
    ]);
    let manifest = case.manifest();
    let copies: u64 = manifest
        .sources
        .iter()
        .map(|source| source.duplicates)
        .sum();
    assert_eq!(copies, 40, "{:?}", manifest.copies);
    assert_eq!(manifest.copies.len(), 1);
    assert_eq!(nodes(&case), ["node-1", "node-2"]);
}
