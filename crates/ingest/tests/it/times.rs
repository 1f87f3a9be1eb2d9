//! When real lines were written: per file of the corpus its records, first and last time, and for each piece the zone
//! with its basis and the network, as read by eye against the domain's facts. One case per folder, as a person
//! would ingest it; the rows lie in `times/*.txt` (the text of the corpus stays where it is).

use case::{Case, CaseWriter, Piece, Source};
use ingest::{IngestOptions, Quiet, ingest};
use model::time::{format_offset, format_utc_short, parse_utc};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpus");
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/times");

/// Golden file and folder of the corpus.
const SETS: &[(&str, &str)] = &[
    ("grandine", "grandine"),
    ("lighthouse", "lighthouse"),
    ("lodestar", "lodestar"),
    ("medalla", "incidents/medalla-2020/logs"),
    ("nimbus", "nimbus"),
    ("prysm", "prysm"),
    ("teku", "teku"),
    ("wrappers", "wrappers"),
    ("zksync", "zksync/logs"),
];

fn row(source: &Source) -> String {
    let when = |us: Option<i64>| us.map_or_else(|| "-".to_owned(), format_utc_short);
    let name = source.path.rsplit('/').next().unwrap();
    let mut row = format!(
        "{name}: {} records, {} undated, {} to {}",
        source.records,
        source.undated,
        when(source.first_ts_us),
        when(source.last_ts_us)
    );
    for piece in source.pieces.iter().filter(|piece| piece.first.is_some()) {
        write!(row, "\n  {}", reading(piece)).unwrap();
    }
    row.push('\n');
    row
}

fn reading(piece: &Piece) -> String {
    let zone = piece
        .zone_seconds
        .map_or_else(|| "-".to_owned(), format_offset);
    let mut text = format!(
        "{}-{} {}: {zone} {}",
        piece.first_line, piece.last_line, piece.client, piece.basis
    );
    if let Some(residual_s) = piece.residual_s {
        write!(text, " {residual_s:.3} s").unwrap();
    }
    if let Some(network) = &piece.network {
        write!(text, " {network}").unwrap();
    }
    if !piece.used.is_empty() {
        write!(text, " by {:?}", piece.used).unwrap();
    }
    for other in &piece.alternatives {
        let zone = other
            .zone_seconds
            .map_or_else(|| "-".to_owned(), format_offset);
        write!(text, "; or {zone}: {}", other.why).unwrap();
    }
    text
}

/// When the lines of a folder were posted to a chat, by file: a second opinion that no parser had a part in.
fn posted(folder: &Path) -> BTreeMap<String, i64> {
    let index = std::fs::read_to_string(folder.join("INDEX.md")).unwrap_or_default();
    index
        .lines()
        .filter_map(|line| {
            let name = line.strip_prefix("| ")?.split(' ').next()?;
            let at = line.split_once("posted ")?.1.split(' ').next()?;
            Some((name.to_owned(), parse_utc(&format!("{at}:00Z"))?))
        })
        .collect()
}

/// Nobody posts lines before they were written; and what people post is some days old at most.
fn check_posted(source: &Source, posted_us: i64) -> Result<(), String> {
    const HOUR_US: i64 = 3_600_000_000;
    let solved = |piece: &Piece| matches!(piece.basis.as_str(), "slot" | "wrapper");
    let Some(last_us) = source.last_ts_us else {
        return Ok(());
    };
    let before_us = posted_us + HOUR_US / 60 - last_us;
    if source.pieces.iter().any(solved) && !(0..240 * HOUR_US).contains(&before_us) {
        return Err(format!(
            "{} was not written {}",
            source.path,
            format_utc_short(last_us)
        ));
    }
    Ok(())
}

#[test]
fn the_corpus_is_dated_as_read_by_eye() {
    if !Path::new(CORPUS).exists() {
        eprintln!("SKIPPED: no corpus at {CORPUS}");
        return;
    }
    let update = std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1");
    let mut wrong = Vec::new();
    for (name, folder) in SETS {
        let place = tempfile::tempdir().unwrap();
        let case = place.path().join("x.case");
        let mut files: Vec<_> = std::fs::read_dir(Path::new(CORPUS).join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|ending| ending == "log"))
            .collect();
        files.sort();
        let mut writer = CaseWriter::open_or_create(&case).unwrap();
        ingest(&mut writer, &files, &IngestOptions::default(), &mut Quiet).unwrap();
        drop(writer);
        let case = Case::open(&case).unwrap();
        let posted = posted(&Path::new(CORPUS).join(folder));
        for source in &case.manifest().sources {
            let name = source.path.rsplit('/').next().unwrap();
            if let Some(Err(error)) = posted.get(name).map(|at| check_posted(source, *at)) {
                wrong.push(error);
            }
        }
        let rows: String = case.manifest().sources.iter().map(row).collect();
        let golden = Path::new(GOLDEN).join(format!("{name}.txt"));
        let expected = std::fs::read_to_string(&golden).unwrap_or_default();
        if expected == rows {
            continue;
        }
        if update {
            std::fs::create_dir_all(GOLDEN).unwrap();
            std::fs::write(&golden, rows).unwrap();
        } else {
            let differ = |(old, new): &(&str, &str)| old != new;
            let first = expected.lines().zip(rows.lines()).find(differ);
            wrong.push(format!("{}: {first:?}", golden.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Two programs of one machine in one journal without year or zone: the beacon node's slots date the execution client,
/// by way of the journal's own clock.
#[test]
fn a_journal_in_local_time_is_dated_by_one_of_its_programs() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("journal.log");
    let mut text = String::new();
    // Mainnet slot 6424000 began on 2023-05-12 at 17:20:23 UTC; the journal is in +02:00, geth in -04:00.
    for n in 0..20 {
        let second = |at: u32| (at / 60, at % 60);
        let (minute, half) = second(20 * 60 + 29 + 12 * n);
        writeln!(
            text,
            "May 12 19:{minute:02}:{half:02} node-7 lighthouse[71]: May 12 17:{minute:02}:{half:02}.001 INFO Synced                   \
             \u{20}            slot: {}, block: 0x1234…abcd, epoch: 200750, finalized_epoch: 200748, finalized_root: 0x9876…fedc, \
             exec_hash: 0x1111…2222 (verified), peers: 80, service: slot_notifier",
            6_424_000 + n
        )
        .unwrap();
        writeln!(
            text,
            "May 12 19:{minute:02}:{half:02} node-7 geth[72]: INFO [05-12|13:{minute:02}:{half:02}.003] Imported new \
             potential chain segment number={} hash=a1b2c3..d4e5f6 blocks=1 txs=120 mgas=12.1 elapsed=90.1ms",
            17_244_000 + n
        )
        .unwrap();
    }
    std::fs::write(&log, text).unwrap();
    let case = folder.path().join("x.case");
    let mut writer = CaseWriter::open_or_create(&case).unwrap();
    ingest(&mut writer, &[log], &IngestOptions::default(), &mut Quiet).unwrap();
    let source = writer.case().manifest().sources[0].clone();
    assert_eq!((source.records, source.undated), (40, 0));
    assert_eq!(
        source.first_ts_us.map(format_utc_short).as_deref(),
        Some("2023-05-12T17:20:29.001Z")
    );
    assert_eq!(
        source.last_ts_us.map(format_utc_short).as_deref(),
        Some("2023-05-12T17:24:17.003Z")
    );
    for (client, zone_seconds, basis) in [("lighthouse", 0, "slot"), ("geth", -4 * 3600, "wrapper")]
    {
        let piece = source
            .pieces
            .iter()
            .find(|piece| piece.client == client)
            .unwrap();
        assert_eq!(
            (piece.zone_seconds, piece.year, piece.basis.as_str()),
            (Some(zone_seconds), Some(2023), basis),
            "{client}"
        );
        assert_eq!(piece.wrapper_zone_seconds, Some(2 * 3600), "{client}");
    }
}

/// A devnet's network is in a file that the user has; the case keeps it.
#[test]
fn a_network_of_ones_own_dates_its_logs_without_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.yaml");
    let yaml = "CONFIG_NAME: 'westeros'\nPRESET_BASE: mainnet\nSECONDS_PER_SLOT: 12\n\
                GENESIS_FORK_VERSION: 0x10099999\nGENESIS_TIME: 1700000000\n";
    std::fs::write(&config, yaml).unwrap();
    let log = folder.path().join("beacon.log");
    // Slot 5000 began on 2023-11-15 at 14:53:20 UTC; the machine is in +05:30.
    let line = "Nov 15 20:23:26.002 INFO Synced                                  slot: 5000, block: \
                0x1234…abcd, epoch: 156, finalized_epoch: 154, finalized_root: 0x9876…fedc, peers: 8\n";
    std::fs::write(&log, line).unwrap();
    let case = folder.path().join("x.case");
    let mut writer = CaseWriter::open_or_create(&case).unwrap();
    let options = IngestOptions {
        network: Some(config.display().to_string()),
        ..IngestOptions::default()
    };
    ingest(&mut writer, &[log], &options, &mut Quiet).unwrap();
    std::fs::remove_file(&config).unwrap();
    let check = |writer: &CaseWriter, basis: &str| {
        let manifest = writer.case().manifest();
        let piece = &manifest.sources[0].pieces[0];
        assert_eq!((piece.zone_seconds, piece.year), (Some(19_800), Some(2023)));
        assert_eq!(piece.basis, basis);
        assert_eq!(manifest.processes[0].network.as_deref(), Some("westeros"));
    };
    check(&writer, "slot");
    // Solved anew, without the file.
    let said = ingest::Amendment {
        zone: Some("Asia/Kolkata".to_owned()),
        ..ingest::Amendment::default()
    };
    ingest::amend(&mut writer, "S1", &said, None).unwrap();
    check(&writer, "given");
}
