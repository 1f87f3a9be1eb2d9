//! Rotated sets: a process goes on over the cut, each file stays a source of its own.

use case::{Case, CaseWriter, Process, Source};
use ingest::{IngestOptions, Quiet, ingest};
use std::fs;
use std::path::Path;

/// Two slots seen at 10:25 and 10:26 local time: seven hours behind UTC.
const FIRST: &str = "\
[2020-08-14 10:25:02]  INFO blockchain: Synced new block slot=73324
[2020-08-14 10:26:02]  INFO blockchain: Synced new block slot=73329
";

/// Nothing here tells the zone.
const SECOND: &str = "\
[2020-08-14 10:30:40]  INFO p2p: Peer summary activePeers=41
[2020-08-14 10:31:40]  INFO p2p: Peer summary activePeers=43
";

const THIRD: &str = "\
[2020-08-14 10:40:40]  INFO p2p: Peer summary activePeers=44
";

fn case_of(files: &[(&str, &str)]) -> (tempfile::TempDir, Case) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join("in").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let case = folder.path().join("case");
    // One after the other, the newest first: the order must not matter.
    for (name, _) in files {
        let mut writer = CaseWriter::open_or_create(&case).unwrap();
        let path = folder.path().join("in").join(name);
        ingest(&mut writer, &[path], &IngestOptions::default(), &mut Quiet).unwrap();
    }
    let case = Case::open(&case).unwrap();
    (folder, case)
}

fn of<'c>(case: &'c Case, name: &str) -> (&'c Source, &'c Process) {
    let manifest = case.manifest();
    let ends = |source: &&Source| Path::new(&source.path).ends_with(name);
    let source = manifest.sources.iter().find(ends).unwrap();
    let process = manifest
        .processes
        .iter()
        .find(|process| process.source == source.digest);
    (source, process.unwrap())
}

#[test]
fn a_process_goes_on_in_the_next_file() {
    let (_folder, case) = case_of(&[
        ("n1/beacon.log", THIRD),
        ("n1/beacon.log.1", SECOND),
        ("n1/beacon.log.2", FIRST),
    ]);
    let (oldest, first) = of(&case, "n1/beacon.log.2");
    assert_eq!(first.continues, None);
    let (middle, second) = of(&case, "n1/beacon.log.1");
    assert_eq!(second.continues, Some((oldest.digest.clone(), 0)));
    let (newest, third) = of(&case, "n1/beacon.log");
    assert_eq!(third.continues, Some((middle.digest.clone(), 0)));
    for source in [oldest, middle, newest] {
        assert_eq!(
            source.pieces[0].zone_seconds,
            Some(-7 * 3600),
            "{}",
            source.path
        );
        assert_eq!(source.pieces[0].basis, "slot", "{}", source.path);
    }
    assert_eq!(
        model::time::format_utc_short(newest.first_ts_us.unwrap()),
        "2020-08-14T17:40:40Z"
    );
}

#[test]
fn what_does_not_follow_is_not_joined() {
    // A start line, another folder, another name, times that overlap.
    let started =
        format!("[2020-08-14 10:29:00]  INFO node: Starting beacon node version=v1.0.0\n{SECOND}");
    let (_folder, case) = case_of(&[("n1/beacon.log", &started), ("n1/beacon.log.1", FIRST)]);
    assert_eq!(of(&case, "n1/beacon.log").1.continues, None);
    let (_folder, case) = case_of(&[("n2/beacon.log", SECOND), ("n1/beacon.log.1", FIRST)]);
    assert_eq!(of(&case, "n2/beacon.log").1.continues, None);
    let (_folder, case) = case_of(&[("n1/validator.log", SECOND), ("n1/beacon.log.1", FIRST)]);
    assert_eq!(of(&case, "n1/validator.log").1.continues, None);
    let overlapping = FIRST.replace("10:26:02", "11:26:02");
    let (_folder, case) = case_of(&[("n1/beacon.log", SECOND), ("n1/beacon.log.1", &overlapping)]);
    assert_eq!(of(&case, "n1/beacon.log").1.continues, None);
}

#[test]
fn parse_reads_a_set_as_one_stream_the_oldest_first() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("beacon.log", THIRD),
        ("beacon.log.1", SECOND),
        ("beacon.log.2", FIRST),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let mut entries: Vec<serde_json::Value> = Vec::new();
    let paths = [folder.path().to_path_buf()];
    ingest::parse(&paths, &IngestOptions::default(), &mut |entry| {
        entries.push(serde_json::from_slice(entry).unwrap());
        Ok(())
    })
    .unwrap();
    let text =
        |entry: &serde_json::Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    let read: Vec<(String, String, String)> = entries
        .iter()
        .map(|entry| {
            let source = text(entry, "source");
            let name = source.rsplit('/').next().unwrap().to_owned();
            (name, text(entry, "ts"), text(entry, "ts_basis"))
        })
        .collect();
    let expected = [
        ("beacon.log.2", "17:25:02"),
        ("beacon.log.2", "17:26:02"),
        ("beacon.log.1", "17:30:40"),
        ("beacon.log.1", "17:31:40"),
        ("beacon.log", "17:40:40"),
    ]
    .map(|(name, time)| {
        (
            name.to_owned(),
            format!("2020-08-14T{time}.000000Z"),
            "slot".to_owned(),
        )
    });
    assert_eq!(read, expected);
}
