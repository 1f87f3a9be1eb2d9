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
    let bytes = std::fs::read(path).unwrap();
    let (mut at, mut line) = (0, 1);
    for entry in entries(&[path.to_path_buf()]) {
        let shown = (entry["byte"].as_u64(), entry["line"].as_u64());
        let expected = (Some(at as u64), Some(line as u64));
        assert_eq!(shown, expected, "{}: {entry}", path.display());
        let end = at + entry["length"].as_u64().unwrap() as usize;
        // Entries may share a line: the line feeds before one say which it is on.
        line += bytes[at..end].iter().filter(|c| **c == b'\n').count();
        at = end;
    }
    assert_eq!(at, bytes.len(), "{}", path.display());
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

/// An answer of Loki: one line of 4 MiB, cut between entries.
#[test]
fn a_document_of_one_line_is_read_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("loki.json");
    let mut text = String::from(
        "{\"status\":\"success\",\"data\":{\"resultType\":\"streams\",\"result\":[{\"stream\":{\"pod\":\"beacon-0\"},\"values\":[",
    );
    let mut count = 0;
    while text.len() < 4 << 20 {
        if count > 0 {
            text.push(',');
        }
        text += &format!(
            "[\"159740232812345{:04}\",\"[2020-08-14 10:52:08]  INFO p2p: Peer summary activePeers={count}\"]",
            count % 10_000
        );
        count += 1;
    }
    text += "]}]}}";
    std::fs::write(&path, text).unwrap();
    let entries = entries(std::slice::from_ref(&path));
    let records: Vec<&Value> = entries
        .iter()
        .filter(|entry| entry["message"].is_string())
        .collect();
    assert_eq!(records.len(), count);
    assert!(entries.iter().all(|entry| entry["rejected"].is_null()));
    for record in [records[0], records[count - 1]] {
        assert_eq!(record["wrapper"][0]["kind"], "loki");
        assert_eq!(record["wrapper"][0]["pod"], "beacon-0");
        assert_eq!(
            (record["line"].as_u64(), record["lines"].as_u64()),
            (Some(1), Some(1))
        );
    }
    check_tiles(&path);
}
