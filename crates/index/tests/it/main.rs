//! Searching cases that ingest made from the samples.
#![allow(clippy::unwrap_used, reason = "tests")]

mod hashes;

use case::{Case, CaseWriter, TableId};
use index::{Filter, Found, search};
use ingest::{IngestOptions, Quiet, ingest};
use std::path::Path;

fn sample(folder: &Path) -> Case {
    let input = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/medalla-2020/input");
    let path = folder.join("medalla.case");
    let mut writer = CaseWriter::open_or_create(&path).unwrap();
    ingest(&mut writer, &[input], &IngestOptions::default(), &mut Quiet).unwrap();
    drop(writer);
    Case::open(&path).unwrap()
}

/// Counts lines of the raw evidence that hold all texts, whatever their case.
fn grep(case: &Case, texts: &[&str]) -> u64 {
    let mut count = 0;
    for source in &case.manifest().sources {
        let raw = case.evidence(&source.digest, 0, source.bytes).unwrap();
        for line in String::from_utf8_lossy(&raw).to_lowercase().lines() {
            count += u64::from(texts.iter().all(|text| line.contains(text)));
        }
    }
    count
}

#[test]
fn a_case_is_searched() {
    let folder = tempfile::tempdir().unwrap();
    let case = sample(folder.path());
    let all = |text: &str| -> Found { search(&case, text, Filter::default()).unwrap() };

    let found = all("roughtime \"your clock is off\"");
    assert!(found.count > 10);
    assert_eq!(
        found.count,
        grep(&case, &["roughtime", "your clock is off"])
    );
    assert_eq!(found.hits.len() as u64, found.count);
    assert_eq!(found.records, case.rows(&TableId::Records));
    assert_eq!(found.rejects, case.rows(&TableId::Rejects));
    let order: Vec<_> = found
        .hits
        .iter()
        .map(|hit| (hit.ts_order_us, &hit.source, hit.line))
        .collect();
    assert!(order.is_sorted());

    // Each reference leads back to bytes that say it.
    for hit in &found.hits {
        let (source, lines) = hit
            .reference()
            .split_once(':')
            .map(|(s, l)| (s.to_owned(), l.to_owned()))
            .unwrap();
        let facts = case
            .manifest()
            .sources
            .iter()
            .find(|s| s.digest == source)
            .unwrap();
        let raw = case.evidence(&source, 0, facts.bytes).unwrap();
        let line: usize = lines.split('-').next().unwrap().parse().unwrap();
        let raw = String::from_utf8_lossy(&raw).into_owned();
        assert!(
            raw.lines()
                .nth(line - 1)
                .unwrap()
                .to_lowercase()
                .contains("your clock is off")
        );
    }

    // Terms divide the records: with and without are all.
    let with = all("level:warn").count;
    let without = all("-level:warn").count;
    assert_eq!(with + without, found.records + found.rejects);
    assert!(with > 0 && without > 0);
    let node = found.hits[0].node.clone().unwrap();
    let of_node = all(&format!("\"your clock is off\" node:{node}")).count;
    let of_others = all(&format!("\"your clock is off\" -node:{node}")).count;
    assert!(of_node > 0);
    assert_eq!(of_node + of_others, found.count);
    assert_eq!(all("offset:4h*").count, grep(&case, &["offset=4h"]));

    let first = search(
        &case,
        "roughtime",
        Filter {
            limit: Some(3),
            ..Filter::default()
        },
    )
    .unwrap();
    assert_eq!(first.hits, all("roughtime").hits[..3]);
    assert_eq!(all("nobodywrotethis").count, 0);
    assert!(search(&case, "level:loud", Filter::default()).is_err());
}
