//! The corpus: real lines. Every file tiles, in one piece and in parts; what it gives is kept as
//! counts and digests in `corpus/*.txt` (the text stays where it is).

use crate::documents;
use crate::seen::{self, Entry, assert_tiles};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpus");
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/corpus");

/// Golden file, folder of the corpus, and how the names of its files begin.
const SETS: &[(&str, &str, &str)] = &[
    ("grandine", "grandine", ""),
    ("lighthouse", "lighthouse", ""),
    ("lodestar", "lodestar", ""),
    (
        "medalla-lighthouse",
        "incidents/medalla-2020/logs",
        "lighthouse-",
    ),
    ("medalla-prysm", "incidents/medalla-2020/logs", "prysm-"),
    ("medalla-teku", "incidents/medalla-2020/logs", "teku-"),
    ("nimbus", "nimbus", ""),
    ("prysm", "prysm", ""),
    ("teku", "teku", ""),
    ("wrappers", "wrappers", ""),
    ("zksync", "zksync/logs", ""),
];

fn files(folder: &str, start: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(Path::new(CORPUS).join(folder)).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if name.ends_with(".log") && name.starts_with(start) {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn parse(bytes: &[u8]) -> Vec<Entry> {
    match formats::Catalogue::builtin().document(bytes) {
        Some(_) => documents::parse(bytes),
        None => seen::parse(bytes),
    }
}

fn parse_in_parts(bytes: &[u8], largest: usize) -> Vec<Entry> {
    match formats::Catalogue::builtin().document(bytes) {
        Some(_) => documents::parse_in_parts(bytes, largest),
        None => seen::parse_in_parts(bytes, largest),
    }
}

fn corpus_is_here() -> bool {
    let here = Path::new(CORPUS).exists();
    if !here {
        eprintln!("SKIPPED: no corpus at {CORPUS}");
    }
    here
}

fn digest(entries: &[Entry]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for entry in entries {
        for byte in format!("{entry:?}").bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    hash
}

fn row(name: &str, entries: &[Entry]) -> String {
    let mut records = 0;
    let mut lines = 0;
    let mut rejects: BTreeMap<&str, u64> = BTreeMap::new();
    for entry in entries {
        match entry {
            Entry::Record { span, .. } => {
                records += 1;
                lines += span.lines;
            }
            Entry::Rejected(_, why) => *rejects.entry(why.reason()).or_default() += 1,
            _ => {}
        }
    }
    let rejects: Vec<String> = rejects
        .iter()
        .map(|(why, n)| format!("{n} {why}"))
        .collect();
    let mut row = format!(
        "{name}: {records} records, {lines} lines, {:016x}",
        digest(entries)
    );
    if !rejects.is_empty() {
        let _ = write!(row, "; rejected: {}", rejects.join(", "));
    }
    row
}

#[test]
fn the_corpus_reads_as_it_did() {
    if !corpus_is_here() {
        return;
    }
    for (golden, folder, start) in SETS {
        compare_with_golden(golden, &read_set(&files(folder, start)));
    }
}

/// One row for each file, then the sums.
fn read_set(files: &[PathBuf]) -> Vec<String> {
    let mut rows = Vec::new();
    let (mut records, mut rejects) = (0, 0);
    for path in files {
        let bytes = std::fs::read(path).unwrap();
        let entries = parse(&bytes);
        assert_tiles(&bytes, &entries);
        for largest in [200, 5_000, 100_000] {
            assert_eq!(
                parse_in_parts(&bytes, largest),
                entries,
                "{}",
                path.display()
            );
        }
        for entry in &entries {
            records += u32::from(matches!(entry, Entry::Record { .. }));
            rejects += u32::from(matches!(entry, Entry::Rejected(..)));
        }
        let name = path.strip_prefix(CORPUS).unwrap().display().to_string();
        rows.push(row(&name, &entries));
    }
    rows.push(format!("all: {records} records, {rejects} rejects"));
    rows
}

fn compare_with_golden(name: &str, rows: &[String]) {
    let path = Path::new(GOLDEN).join(format!("{name}.txt"));
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    let (kept, expected): (Vec<&str>, Vec<&str>) =
        golden.lines().partition(|line| line.starts_with('#'));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let text = [kept.join("\n"), rows.join("\n")].join("\n");
        std::fs::write(&path, text.trim_start().to_owned() + "\n").unwrap();
        return;
    }
    for (seen, expected) in rows.iter().zip(&expected) {
        assert_eq!(
            seen, expected,
            "{name}: UPDATE_GOLDEN=1 rewrites; read the difference first"
        );
    }
    assert_eq!(rows.len(), expected.len(), "{name}");
}

/// One byte changed, or the end cut off, anywhere in real lines: everything still tiles.
#[test]
fn damaged_corpus_still_tiles() {
    if !corpus_is_here() {
        return;
    }
    let sets = SETS.iter().map(|(_, folder, start)| files(folder, start));
    for path in sets.flatten() {
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.truncate(4_000);
        for at in (0..bytes.len()).step_by(101) {
            let cut = &bytes[..at];
            assert_tiles(cut, &parse(cut));
            for replacement in [b'"', b'\n', b'=', 0, b'{'] {
                let kept = std::mem::replace(&mut bytes[at], replacement);
                assert_tiles(&bytes, &parse(&bytes));
                bytes[at] = kept;
            }
        }
    }
}
