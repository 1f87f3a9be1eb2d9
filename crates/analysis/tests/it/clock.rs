//! `clock` over cases made by hand: what it reads of the manifest and of the observations.

use analysis::clock::{ClockReport, clock};
use case::{Case, CaseWriter, Node, Piece, Process, Source, TableId};
use model::time::parse_utc;
use model::{Batch, Column, ColumnType};
use std::path::Path;

const DIGEST: &str = "0123456789ab";
const SLOT_S: i64 = 12;
const GENESIS_S: i64 = 1_596_546_008;

/// One clock sample as ingest writes it.
#[derive(Clone, Default)]
struct Row {
    at: &'static str,
    basis: &'static str,
    network: &'static str,
    process: i64,
    offset_s: Option<f64>,
    method: &'static str,
    own_slot: Option<i64>,
    object_slot: Option<i64>,
}

fn utc(text: &str) -> i64 {
    parse_utc(text).unwrap()
}

fn slot(text: &str) -> i64 {
    (utc(text) / 1_000_000 - GENESIS_S).div_euclid(SLOT_S)
}

fn batch(rows: &[Row]) -> Batch {
    let mut columns = vec![
        Column::new("ts_us", ColumnType::I64),
        Column::new("ts_order", ColumnType::TimestampUtc),
        Column::new("ts_order_us", ColumnType::I64),
        Column::new("ts_basis", ColumnType::Text),
        Column::new("network", ColumnType::Text),
        Column::new("node", ColumnType::Text),
        Column::new("process", ColumnType::I64),
        Column::new("source", ColumnType::Dict),
        Column::new("line", ColumnType::I64),
        Column::new("offset_s", ColumnType::F64),
        Column::new("method", ColumnType::Text),
        Column::new("clock", ColumnType::Text),
        Column::new("own_slot", ColumnType::I64),
        Column::new("object_slot", ColumnType::I64),
    ];
    for (line, row) in (1..).zip(rows) {
        let us = utc(row.at);
        columns[0].push_i64(us);
        columns[1].push_i64(us);
        columns[2].push_i64(us);
        columns[3].push_text(row.basis.as_bytes());
        if row.network.is_empty() {
            columns[4].push_null();
        } else {
            columns[4].push_text(row.network.as_bytes());
        }
        columns[5].push_text(b"node-1");
        columns[6].push_i64(row.process);
        columns[8].push_i64(line);
        match row.offset_s {
            Some(offset) => columns[9].push_f64(offset),
            None => columns[9].push_null(),
        }
        columns[10].push_text(row.method.as_bytes());
        columns[11].push_text(b"slot");
        columns[12].push_opt_i64(row.own_slot);
        columns[13].push_opt_i64(row.object_slot);
    }
    Batch { columns }
}

/// Makes a case of one node, a beacon node (process 0) and a validator (process 1) in one source.
fn report(folder: &Path, rows: &[Row], window: Option<(i64, i64)>) -> ClockReport {
    let path = folder.join("made.case");
    let mut writer = CaseWriter::open_or_create(&path).unwrap();
    let mut tx = writer.begin();
    let table = TableId::Obs("clock_samples".to_owned());
    let mut samples = tx.rows(&table, "key").unwrap();
    samples.push(batch(rows)).unwrap();
    tx.adopt_rows(samples.finish().unwrap(), DIGEST, 1 << 20)
        .unwrap();
    let manifest = tx.manifest_mut();
    let number = manifest.take_source_number();
    let basis = rows[0].basis.to_owned();
    let piece = |process: u32, lines: u64, zone: i32| Piece {
        index: process,
        process,
        first_line: 1,
        last_line: lines,
        zone_seconds: Some(zone),
        basis: basis.clone(),
        residual_s: Some(0.25),
        ..Piece::default()
    };
    manifest.sources.push(Source {
        number,
        digest: DIGEST.to_owned(),
        bytes: 1 << 20,
        path: "node-1.log".to_owned(),
        parser: DIGEST.to_owned(),
        last_ts_us: Some(utc("2020-08-14T20:00:00Z")),
        pieces: vec![piece(0, 100, -14_400), piece(1, 10, 0)],
        ..Source::default()
    });
    for (number, role) in [(0, "beacon"), (1, "validator")] {
        manifest.processes.push(Process {
            number,
            source: DIGEST.to_owned(),
            node: Some("node-1".to_owned()),
            client: "prysm".to_owned(),
            role: Some(role.to_owned()),
            first_line: 1,
            last_line: 100,
            ..Process::default()
        });
    }
    manifest.nodes.push(Node {
        name: "node-1".to_owned(),
        processes: vec![(DIGEST.to_owned(), 0), (DIGEST.to_owned(), 1)],
        ..Node::default()
    });
    tx.commit().unwrap();
    drop(writer);
    clock(&Case::open(&path).unwrap(), window).unwrap()
}

fn reported(at: &'static str, process: i64) -> Row {
    Row {
        at,
        basis: "slot",
        network: "medalla",
        process,
        offset_s: Some(14_400.03),
        method: "reported",
        ..Row::default()
    }
}

#[test]
fn samples_nodes_and_references_come_from_the_case() {
    let folder = tempfile::tempdir().unwrap();
    let rows = [
        reported("2020-08-14T17:30:02Z", 0),
        reported("2020-08-14T17:31:02Z", 0),
        Row {
            // The validator's own slot is right; the beacon node's is 1200 ahead.
            own_slot: Some(slot("2020-08-14T17:31:16Z")),
            object_slot: Some(slot("2020-08-14T21:31:16Z")),
            offset_s: Some(-14_400.0),
            method: "propagation_range",
            ..reported("2020-08-14T17:31:16Z", 1)
        },
    ];
    let found = report(folder.path(), &rows, None);
    let node = &found.nodes[0];
    assert_eq!(
        (node.node.as_str(), node.client.as_deref()),
        ("node-1", Some("prysm"))
    );
    assert_eq!(node.zone.value.as_deref(), Some("-04:00"));
    assert_eq!(
        (node.zone.basis.as_str(), node.zone.residual_s),
        ("slot", Some(0.25))
    );
    // The zone of fewer lines is an alternative.
    assert_eq!(node.zone.alternatives[0].value.as_deref(), Some("+00:00"));
    let clocks: Vec<(Option<&str>, usize, bool)> = node
        .slot_clock
        .iter()
        .map(|interval| {
            (
                interval.role.as_deref(),
                interval.samples,
                interval.offset_s > 100.0,
            )
        })
        .collect();
    assert_eq!(
        clocks,
        [(Some("beacon"), 2, true), (Some("validator"), 1, false)]
    );
    assert_eq!(found.episodes.len(), 1);
    assert_eq!(found.episodes[0].refs, [format!("{DIGEST}:1")]);
    // Two warnings are no rhythm: that they stop does not show that it ended.
    assert_eq!(found.episodes[0].status, "unknown");

    let folder = tempfile::tempdir().unwrap();
    let late = (utc("2020-08-14T17:31:00Z"), utc("2020-08-14T17:31:10Z"));
    let found = report(folder.path(), &rows, Some(late));
    assert_eq!(found.nodes[0].slot_clock.len(), 1);
    assert_eq!(found.episodes[0].from, "2020-08-14T17:31:02Z");
}

#[test]
fn slots_that_differ_without_a_network_blame_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let rows = [Row {
        network: "",
        own_slot: Some(3558),
        object_slot: Some(2358),
        method: "propagation_range",
        offset_s: Some(14_400.0),
        ..reported("2020-08-04T20:51:47Z", 1)
    }];
    let found = report(folder.path(), &rows, None);
    assert!(found.episodes.is_empty());
    assert!(found.nodes[0].slot_clock.is_empty());
    assert_eq!(found.undetermined.len(), 1);
    assert!(
        found.undetermined[0].why.contains("needs dated lines"),
        "{:?}",
        found.undetermined
    );
}

#[test]
fn an_assumed_zone_and_a_skew_are_both_shown() {
    let folder = tempfile::tempdir().unwrap();
    let row = |at| Row {
        basis: "assumed",
        own_slot: Some(slot(at) + 1200),
        offset_s: None,
        method: "sync_target",
        ..reported(at, 0)
    };
    let rows = [row("2020-08-14T17:40:06Z"), row("2020-08-14T17:41:06Z")];
    let found = report(folder.path(), &rows, None);
    assert!(found.episodes.is_empty());
    assert!(
        found.undetermined[0].why.contains("equally well"),
        "{:?}",
        found.undetermined
    );
}
