//! Evidence into a case: known and grown files, threads and order, later anchors, amend and forget.

use case::{Case, CaseWriter, TableId};
use ingest::{IngestOptions, IngestReport, Quiet, ingest};
use model::{Batch, RowFilter};
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

fn medalla() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/medalla-2020/input")
}

/// The text of a sample log.
fn sample(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut reader = evidence::SourceReader::open(&medalla().join(name)).unwrap();
    reader.read_to_end(&mut bytes).unwrap();
    bytes
}

fn run(case: &Path, paths: &[PathBuf], options: &IngestOptions) -> IngestReport {
    let mut writer = CaseWriter::open_or_create(case).unwrap();
    ingest(&mut writer, paths, options, &mut Quiet).unwrap()
}

fn rows(case: &Path, table: &TableId) -> Vec<Batch> {
    let mut batches = Vec::new();
    Case::open(case)
        .unwrap()
        .read(table, None, &RowFilter::All, &mut |batch| {
            batches.push(batch);
            Ok(())
        })
        .unwrap();
    batches
}

/// Every record as text, without its source, in line order.
fn records(case: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for batch in rows(case, &TableId::Records) {
        for row in 0..batch.rows() {
            let mut text = String::new();
            for column in &batch.columns {
                if column.name == "source" {
                    continue;
                }
                let value = match (column.i64(row), column.bytes(row)) {
                    (Some(number), _) => number.to_string(),
                    (_, Some(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
                    _ => "-".to_owned(),
                };
                text.push_str(&format!("{}={value} ", column.name));
            }
            let line = batch
                .column("line")
                .and_then(|column| column.i64(row))
                .unwrap();
            all.push((line, text));
        }
    }
    all.sort();
    all.into_iter().map(|(_, text)| text).collect()
}

/// Every file that the manifest names, with its bytes, and the manifest without source numbers. (Files that
/// a commit replaced stay until the next write, for readers that are at it.)
fn files(case: &Path) -> BTreeMap<String, Vec<u8>> {
    let manifest = Case::open(case).unwrap().manifest().clone();
    let mut found = BTreeMap::new();
    let parts = manifest
        .sources
        .iter()
        .flat_map(|source| &source.evidence)
        .map(|part| &part.file);
    for file in manifest
        .segments
        .iter()
        .map(|segment| &segment.file)
        .chain(parts)
    {
        found.insert(file.clone(), fs::read(case.join(file)).unwrap());
    }
    let mut sources = manifest.sources;
    sources.sort_by(|a, b| a.digest.cmp(&b.digest));
    for source in &mut sources {
        source.number = 0;
    }
    found.insert("sources".into(), format!("{sources:?}").into_bytes());
    let mut processes = manifest.processes;
    processes.sort_by(|a, b| (&a.source, a.number).cmp(&(&b.source, b.number)));
    found.insert("processes".into(), format!("{processes:?}").into_bytes());
    found.insert("nodes".into(), format!("{:?}", manifest.nodes).into_bytes());
    found
}

#[track_caller]
fn assert_same(a: &Path, b: &Path) {
    let (a, b) = (files(a), files(b));
    assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>());
    for (name, bytes) in &a {
        assert!(bytes == &b[name], "{name} differs");
    }
}

#[test]
fn the_same_file_again_changes_nothing_whatever_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let case = folder.path().join("x.case");
    let log = folder.path().join("beacon.log");
    fs::write(&log, sample("prysm-1/beacon.log")).unwrap();
    let first = run(&case, &[log.clone()], &IngestOptions::default());
    assert_eq!((first.added.len(), first.unchanged.len()), (1, 0));
    let before = fs::read(case.join("case.json")).unwrap();
    let rotated = folder.path().join("beacon.log.1");
    fs::rename(&log, &rotated).unwrap();
    let second = run(&case, &[rotated], &IngestOptions::default());
    assert_eq!((second.added.len(), second.unchanged.len()), (0, 1));
    assert_eq!(second.unchanged[0].1, first.added[0]);
    assert_eq!(fs::read(case.join("case.json")).unwrap(), before);
}

#[test]
fn a_grown_file_costs_only_its_new_part_and_ends_as_if_read_at_once() {
    let text = sample("prysm-1/beacon.log");
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole.case");
    let log = folder.path().join("beacon.log");
    fs::write(&log, &text).unwrap();
    run(&whole, &[log.clone()], &IngestOptions::default());
    let expected = records(&whole);
    let counts = |case: &Path| {
        let source = Case::open(case).unwrap().manifest().sources[0].clone();
        (
            source.lines,
            source.records,
            source.continuation_lines,
            source.framing_lines,
            source.rejected,
            source.undated,
            source.formats,
            source.bytes,
            source.sha256,
        )
    };
    // Cut at line ends, in the middle of a line, and in the middle of the first line.
    let line_end = memchr::memchr_iter(b'\n', &text).nth(400).unwrap() + 1;
    for cut in [line_end, line_end + 30, text.len() - 5, 40] {
        let case = folder.path().join(format!("{cut}.case"));
        fs::write(&log, &text[..cut]).unwrap();
        run(&case, &[log.clone()], &IngestOptions::default());
        fs::write(&log, &text).unwrap();
        let report = run(&case, &[log.clone()], &IngestOptions::default());
        assert_eq!(
            (report.added.len(), report.grown.len()),
            (0, 1),
            "cut at {cut}"
        );
        let got = records(&case);
        assert_eq!(got.len(), expected.len(), "cut at {cut}");
        for (got, expected) in got.iter().zip(&expected) {
            assert_eq!(got, expected, "cut at {cut}");
        }
        assert_eq!(counts(&case), counts(&whole), "cut at {cut}");
        assert_eq!(
            Case::open(&case).unwrap().verify().problems,
            [],
            "cut at {cut}"
        );
        let digest = Case::open(&case).unwrap().manifest().sources[0]
            .digest
            .clone();
        let stored = Case::open(&case)
            .unwrap()
            .evidence(&digest, 0, text.len() as u64)
            .unwrap();
        assert!(stored == text, "raw text, cut at {cut}");
    }
}

#[test]
fn threads_and_order_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let nodes: Vec<PathBuf> = ["prysm-1", "prysm-5", "prysm-6", "prysm-7"]
        .iter()
        .map(|name| medalla().join(name))
        .collect();
    let one = folder.path().join("one.case");
    run(
        &one,
        &nodes,
        &IngestOptions {
            threads: 1,
            ..IngestOptions::default()
        },
    );
    for threads in [2, 7] {
        let many = folder.path().join(format!("{threads}.case"));
        run(
            &many,
            &nodes,
            &IngestOptions {
                threads,
                ..IngestOptions::default()
            },
        );
        assert_same(&one, &many);
    }
    let backwards = folder.path().join("backwards.case");
    for node in nodes.iter().rev() {
        run(
            &backwards,
            std::slice::from_ref(node),
            &IngestOptions::default(),
        );
    }
    assert_same(&one, &backwards);
}

#[test]
fn cuts_of_one_file_change_nothing() {
    // Big enough for several blocks: the sample's own lines, repeated.
    let text = sample("prysm-1/beacon.log").repeat(80);
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("beacon.log");
    fs::write(&log, &text).unwrap();
    let cases: Vec<PathBuf> = [1, 2, 7]
        .into_iter()
        .map(|threads| {
            let case = folder.path().join(format!("{threads}.case"));
            run(
                &case,
                &[log.clone()],
                &IngestOptions {
                    threads,
                    ..IngestOptions::default()
                },
            );
            case
        })
        .collect();
    assert_same(&cases[0], &cases[1]);
    assert_same(&cases[0], &cases[2]);
}

#[test]
fn an_anchor_that_comes_later_corrects_what_came_before() {
    let folder = tempfile::tempdir().unwrap();
    let node = folder.path().join("edt-node");
    fs::create_dir(&node).unwrap();
    // The truth of the sample names its node in US Eastern time.
    let truth: serde_json::Value =
        serde_json::from_slice(&fs::read(medalla().join("../expected/truth.json")).unwrap())
            .unwrap();
    let eastern = truth["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .find(|node| node["zone_seconds"].as_i64() == Some(-14400))
        .and_then(|node| node["node"].as_str())
        .unwrap();
    let read = |name: &str| {
        let plain = medalla().join(eastern).join(name);
        let path = if plain.exists() {
            format!("{eastern}/{name}")
        } else {
            format!("{eastern}/{name}.gz")
        };
        sample(&path)
    };
    fs::write(node.join("validator.log"), read("validator.log")).unwrap();
    let case = folder.path().join("x.case");
    run(&case, &[node.clone()], &IngestOptions::default());
    fs::write(node.join("beacon.log"), read("beacon.log")).unwrap();
    run(&case, &[node], &IngestOptions::default());
    let opened = Case::open(&case).unwrap();
    for source in &opened.manifest().sources {
        assert_eq!(source.undated, 0);
        // The sample's logs end at about 19:20 UTC.
        let last = source
            .last_ts_us
            .map(model::time::format_utc_short)
            .unwrap();
        assert!(
            last.starts_with("2020-08-14T19:"),
            "{}: {last}",
            source.path
        );
        for piece in &source.pieces {
            assert_eq!(
                piece.zone_seconds,
                Some(-4 * 3600),
                "{}: {piece:?}",
                source.path
            );
        }
    }
    for batch in rows(&case, &TableId::Records) {
        let (ts, stamp) = (
            batch.column("ts_us").unwrap(),
            batch.column("stamp_us").unwrap(),
        );
        for row in 0..batch.rows() {
            if let (Some(ts), Some(stamp)) = (ts.i64(row), stamp.i64(row)) {
                assert_eq!(ts - stamp, 4 * 3600 * 1_000_000);
            }
        }
    }
    assert_eq!(opened.verify().problems, []);
}

#[test]
fn amend_gives_a_zone_and_forget_takes_a_source_out() {
    let folder = tempfile::tempdir().unwrap();
    let case = folder.path().join("x.case");
    run(
        &case,
        &[medalla().join("prysm-1"), medalla().join("prysm-2")],
        &IngestOptions::default(),
    );
    let digest = Case::open(&case).unwrap().manifest().sources[0]
        .digest
        .clone();
    let before = Case::open(&case)
        .unwrap()
        .manifest()
        .source(&digest)
        .unwrap()
        .first_ts_us
        .unwrap();
    let said = ingest::Amendment {
        zone: Some("+02:00".to_owned()),
        ..ingest::Amendment::default()
    };
    let mut writer = CaseWriter::open_or_create(&case).unwrap();
    let custody = ingest::Custody {
        at_us: 0,
        by: "ann".to_owned(),
        command: "coroner amend".to_owned(),
    };
    ingest::amend(&mut writer, &digest, &said, Some(&custody)).unwrap();
    let source = writer.case().manifest().source(&digest).unwrap().clone();
    assert_eq!(source.pieces[0].basis, "given");
    let zone_before = 0;
    assert_eq!(
        source.first_ts_us.unwrap() - before,
        (zone_before - 2 * 3600) * 1_000_000
    );
    assert_eq!(source.number, 1);
    let sources = writer.case().manifest().sources.len();
    ingest::forget(&mut writer, "S1", Some(&custody)).unwrap();
    assert_eq!(writer.case().manifest().sources.len(), sources - 1);
    drop(writer);
    let lines = std::fs::read_to_string(case.join("custody.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let [amended, forgotten] = &lines[..] else {
        panic!("{lines:?}");
    };
    assert_eq!(
        (&amended["action"], &amended["detail"], &amended["by"]),
        (&"amend".into(), &"zone = +02:00".into(), &"ann".into())
    );
    assert_eq!(forgotten["action"], "forget");
    assert!(
        [amended, forgotten]
            .iter()
            .all(|line| line["source"] == *digest)
    );
    for batch in rows(&case, &TableId::Records) {
        let source = batch.column("source").unwrap();
        assert!((0..batch.rows()).all(|row| source.text(row) != Some(&digest)));
    }
    assert_eq!(Case::open(&case).unwrap().verify().problems, []);
    // A forgotten number is not given again.
    run(
        &case,
        &[medalla().join("prysm-1")],
        &IngestOptions::default(),
    );
    let manifest = Case::open(&case).unwrap().manifest().clone();
    assert!(manifest.sources.iter().all(|source| source.number != 1));
}

#[test]
fn the_only_slot_in_the_last_line_dates_a_long_file() {
    // Several blocks of lines without any clue, then one received block: the zone they are all in.
    let mut text = String::new();
    for second in 0..150_000i64 {
        let us = model::time::parse_utc("2020-08-16T08:00:00Z").unwrap() + second * 1_000_000;
        let stamp = model::time::format_civil(us).replace('T', " ");
        text.push_str(&format!(
            "[{}]  INFO p2p: Peer connected activePeers={} direction=Inbound multiAddr=/ip4/192.0.2.7/tcp/13000\n",
            &stamp[..19],
            second % 30
        ));
    }
    // Slot 96000 of Medalla begins 96000 * 12 s after 2020-08-04T13:00:08Z, on 2020-08-17T21:00:08Z; the
    // node writes +02:00 and saw the block two seconds later.
    text.push_str(
        "[2020-08-17 23:00:10]  INFO blockchain: Synced new block block=0x0a0b0c0d... epoch=3000 finalizedEpoch=2289 finalizedRoot=0x01020304... slot=96000\n",
    );
    assert!(text.len() > 3 * (4 << 20), "several blocks");
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("beacon.log");
    fs::write(&log, &text).unwrap();
    let case = folder.path().join("x.case");
    let options = IngestOptions {
        network: Some("medalla".to_owned()),
        ..IngestOptions::default()
    };
    run(&case, &[log], &options);
    let manifest = Case::open(&case).unwrap().manifest().clone();
    let piece = &manifest.sources[0].pieces[0];
    assert_eq!(
        (piece.zone_seconds, piece.basis.as_str()),
        (Some(2 * 3600), "slot")
    );
    let mut rows_seen = 0;
    for batch in rows(&case, &TableId::Records) {
        let (ts, stamp) = (
            batch.column("ts_us").unwrap(),
            batch.column("stamp_us").unwrap(),
        );
        for row in 0..batch.rows() {
            assert_eq!(
                stamp.i64(row).unwrap() - ts.i64(row).unwrap(),
                2 * 3600 * 1_000_000
            );
            rows_seen += 1;
        }
    }
    assert_eq!(rows_seen, 150_001);
}

#[test]
fn a_format_named_by_the_user_is_the_only_one_that_claims_lines() {
    let folder = tempfile::tempdir().unwrap();
    let input = medalla().join("prysm-1/beacon.log");
    let named = |name: &str| IngestOptions {
        log_format: Some(name.to_owned()),
        ..IngestOptions::default()
    };
    let records = |name: &str| {
        let case = folder.path().join(format!("{name}.case"));
        run(&case, std::slice::from_ref(&input), &named(name));
        Case::open(&case).unwrap().manifest().sources[0].records
    };
    assert_eq!((records("prysm"), records("zksync")), (1141, 0));
    let mut writer = CaseWriter::open_or_create(folder.path().join("x.case")).unwrap();
    let refused = ingest(&mut writer, &[input], &named("cobol"), &mut Quiet).unwrap_err();
    assert!(refused.to_string().contains(", prysm, "), "{refused}");
}

/// Besu and Teku write one form: a line that shows neither is of the process that speaks around it, before
/// or after; two such programs in one stream of a collector are not mixed up.
#[test]
fn lines_of_no_client_are_of_their_process() {
    let folder = tempfile::tempdir().unwrap();
    let line =
        |second: u32, rest: &str| format!("2023-09-15 15:34:{second:02}.412+00:00 | {rest}\n");
    let besu = [
        line(0, "main | WARN  | SomeLibrary | before anything is known"),
        line(
            1,
            "main | INFO  | Besu | Starting Besu version: besu/v23.7.2/linux-x86_64",
        ),
        line(2, "main | INFO  | SomeLibrary | between"),
    ]
    .concat();
    let teku = [
        line(0, "main | WARN  | SomeLibrary | before anything is known"),
        line(
            1,
            "main | INFO  | teku-status-log | Teku version: teku/v23.9.0/linux-x86_64",
        ),
        line(2, "main | INFO  | SomeLibrary | between"),
    ]
    .concat();
    let pod = |name: &str, text: &str| -> String {
        let lines = text.lines().map(|line| format!("[{name}] {line}\n"));
        lines.collect()
    };
    let both: String = pod("el-1-besu", &besu)
        .lines()
        .zip(pod("cl-1-teku", &teku).lines())
        .map(|(a, b)| format!("{a}\n{b}\n"))
        .collect();
    for (name, text) in [("besu.log", &besu), ("both.log", &both)] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let case = folder.path().join("a.case");
    for (name, expected) in [
        ("besu.log", vec!["besu"; 3]),
        (
            "both.log",
            vec!["besu", "teku", "besu", "teku", "besu", "teku"],
        ),
    ] {
        let case = folder.path().join(format!("{name}.case"));
        run(
            &case,
            &[folder.path().join(name)],
            &IngestOptions::default(),
        );
        let clients: Vec<String> = records(&case)
            .iter()
            .map(|record| {
                let at = record.find(" client=").unwrap() + 8;
                record[at..].split(' ').next().unwrap().to_owned()
            })
            .collect();
        assert_eq!(clients, expected, "{name}");
    }
    run(
        &case,
        &[folder.path().join("besu.log")],
        &IngestOptions::default(),
    );
    let opened = Case::open(&case).unwrap();
    let process = &opened.manifest().processes[0];
    assert_eq!(process.client, "besu");
    assert_eq!(
        process.version.as_deref(),
        Some("besu/v23.7.2/linux-x86_64")
    );
}

/// A program's own log, as a user describes it; `kind` is what the second message means.
fn described(kind: &str) -> Vec<(String, String)> {
    let text = format!(
        r#"
title = "A made up daemon"
source = "made up"
client = "daemon"
engines = ["logrus_text"]

[[message]]
text = "tick"
kind = "{kind}"

[[sample]]
line = '[2020-08-14 17:31:02]  WARN daemon: tick n=1'
record = {{ message = "tick" }}

[[sample]]
line = "words"
reject = true
"#
    );
    vec![("prysm".to_owned(), text)]
}

#[test]
fn what_another_parser_read_is_read_again_from_the_case() {
    let folder = tempfile::tempdir().unwrap();
    let case = folder.path().join("x.case");
    let log = folder.path().join("daemon.log");
    let line =
        |minute: u32| format!("[2020-08-14 17:{minute:02}:02]  WARN daemon: tick n={minute}\n");
    fs::write(&log, line(1) + &line(2)).unwrap();
    let with = |kind: &str| IngestOptions {
        formats_overlay: described(kind),
        ..IngestOptions::default()
    };
    let kinds = |case: &Path| -> Vec<String> {
        let batches = rows(case, &TableId::Records);
        let kind = |batch: &Batch, row| {
            let column = batch.column("kind").unwrap();
            column.text(row).unwrap_or("-").to_owned()
        };
        let all = batches
            .iter()
            .flat_map(|batch| (0..batch.rows()).map(|row| kind(batch, row)));
        all.collect()
    };
    run(&case, &[log.clone()], &with("daemon.one"));
    assert_eq!(kinds(&case), ["daemon.one", "daemon.one"]);
    // The case keeps the definitions: nothing else reads its sources otherwise.
    let again = run(&case, &[log.clone()], &IngestOptions::default());
    assert_eq!((again.reread.len(), again.unchanged.len()), (0, 1));
    let mut writer = CaseWriter::open_or_create(&case).unwrap();
    let said = ingest::Amendment {
        zone: Some("+02:00".to_owned()),
        ..ingest::Amendment::default()
    };
    ingest::amend(&mut writer, "S1", &said, None).unwrap();
    drop(writer);
    assert_eq!(kinds(&case), ["daemon.one", "daemon.one"]);
    // What grows is read on as it was begun.
    fs::write(&log, line(1) + &line(2) + &line(3)).unwrap();
    let grown = run(&case, &[log.clone()], &IngestOptions::default());
    assert_eq!((grown.grown.len(), grown.reread.len()), (1, 0));
    assert_eq!(kinds(&case), ["daemon.one", "daemon.one", "daemon.one"]);
    // A better definition is another parser: the source is read again, from the case.
    let named = run(&case, &[log.clone()], &with("daemon.two"));
    assert_eq!((named.reread.len(), named.unchanged.len()), (1, 1));
    assert_eq!(kinds(&case), ["daemon.two", "daemon.two", "daemon.two"]);
    let manifest = Case::open(&case).unwrap().manifest().clone();
    assert_eq!(manifest.formats.len(), 1);
    assert_eq!(manifest.sources[0].pieces[0].zone_seconds, Some(7200));
    // An older program wrote this case: the original file is not needed.
    fs::remove_file(&log).unwrap();
    let mut writer = CaseWriter::open_or_create(&case).unwrap();
    let mut tx = writer.begin();
    tx.manifest_mut().sources[0].parser = "0123456789ab".to_owned();
    tx.manifest_mut().formats[0].files = described("daemon.three");
    tx.commit().unwrap();
    drop(writer);
    assert_eq!(kinds(&case), ["daemon.two", "daemon.two", "daemon.two"]);
    let other = folder.path().join("other.log");
    fs::write(&other, sample("prysm-1/beacon.log")).unwrap();
    let later = run(&case, &[other], &IngestOptions::default());
    assert_eq!((later.added.len(), later.reread.len()), (1, 1));
    let kinds = kinds(&case);
    assert_eq!(
        kinds.iter().filter(|kind| *kind == "daemon.three").count(),
        3
    );
    assert_eq!(Case::open(&case).unwrap().verify().problems, []);
    let manifest = Case::open(&case).unwrap().manifest().clone();
    assert_eq!(ingest::stale_sources(&manifest), Vec::<String>::new());
}
