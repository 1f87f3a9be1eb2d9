//! `parse`: entries tile their sources, and carry solved times.

use ingest::{IngestOptions, parse};
use serde_json::Value;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn entries(paths: &[PathBuf]) -> Vec<Value> {
    let mut entries = Vec::new();
    let report = parse(paths, &IngestOptions::default(), &mut |line| {
        entries.push(serde_json::from_slice(line).map_err(std::io::Error::other)?);
        Ok(())
    })
    .unwrap();
    assert_eq!(report.problems, []);
    entries
}

#[track_caller]
fn check_tiles(path: &Path) {
    let mut at = 0;
    let mut line = 1;
    for entry in entries(&[path.to_path_buf()]) {
        assert_eq!(
            entry["byte"].as_u64(),
            Some(at),
            "{}: {entry}",
            path.display()
        );
        assert_eq!(
            entry["line"].as_u64(),
            Some(line),
            "{}: {entry}",
            path.display()
        );
        at += entry["length"].as_u64().unwrap();
        line += entry["lines"].as_u64().unwrap_or(1);
    }
    assert_eq!(at, path.metadata().unwrap().len(), "{}", path.display());
}

#[test]
fn entries_tile_every_corpus_file() {
    let corpus = root().join("../shared/corpus");
    if !corpus.exists() {
        eprintln!("SKIPPED: no corpus at {}", corpus.display());
        return;
    }
    for folder in [
        "prysm",
        "zksync/logs",
        "incidents/medalla-2020/logs",
        "wrappers",
    ] {
        for entry in std::fs::read_dir(corpus.join(folder)).unwrap() {
            check_tiles(&entry.unwrap().path());
        }
    }
}
