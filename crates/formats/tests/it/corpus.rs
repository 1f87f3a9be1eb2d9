//! The corpus: real lines. Every file tiles, in one piece and in parts; what it gives is kept as
//! counts and digests in `corpus.txt` (the text stays where it is).

use crate::seen::{Entry, assert_tiles, parse, parse_in_parts};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpus");
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/corpus.txt");

fn files() -> Option<Vec<PathBuf>> {
    if !Path::new(CORPUS).exists() {
        eprintln!("SKIPPED: no corpus at {CORPUS}");
        return None;
    }
    let mut files = Vec::new();
    for (folder, start) in [
        ("prysm", ""),
        ("zksync/logs", ""),
        ("incidents/medalla-2020/logs", "prysm-"),
    ] {
        for entry in std::fs::read_dir(Path::new(CORPUS).join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if name.ends_with(".log") && name.starts_with(start) {
                files.push(path);
            }
        }
    }
    files.sort();
    Some(files)
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
    let Some(files) = files() else { return };
    let mut rows = Vec::new();
    let (mut records, mut rejects) = (0, 0);
    for path in &files {
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
        records += entries
            .iter()
            .filter(|e| matches!(e, Entry::Record { .. }))
            .count();
        rejects += entries
            .iter()
            .filter(|e| matches!(e, Entry::Rejected(..)))
            .count();
        let name = path.strip_prefix(CORPUS).unwrap().display().to_string();
        rows.push(row(&name, &entries));
    }
    rows.push(format!("all: {records} records, {rejects} rejects"));
    let golden = std::fs::read_to_string(GOLDEN).unwrap_or_default();
    let kept: Vec<&str> = golden
        .lines()
        .filter(|line| line.starts_with('#'))
        .collect();
    let seen = rows.join("\n");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(GOLDEN, format!("{}\n{seen}\n", kept.join("\n"))).unwrap();
        return;
    }
    let expected: Vec<&str> = golden
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    for (seen, expected) in rows.iter().zip(&expected) {
        assert_eq!(
            seen, expected,
            "UPDATE_GOLDEN=1 rewrites; read the difference first"
        );
    }
    assert_eq!(rows.len(), expected.len());
}

/// One byte changed, or the end cut off, anywhere in real lines: everything still tiles.
#[test]
fn damaged_corpus_still_tiles() {
    let Some(files) = files() else { return };
    for path in &files {
        let mut bytes = std::fs::read(path).unwrap();
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
