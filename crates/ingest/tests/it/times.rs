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
