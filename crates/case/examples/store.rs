//! Measures the store alone: prepared rows of synthetic Prysm text into Parquet, and the text into the
//! evidence store. `cargo run --release -p case --example store [MiB]`.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement")]

use case::{CaseWriter, Source, TableId};
use model::{Batch, Column, ColumnData, ColumnType};
use std::time::Instant;

const COLUMNS: [(&str, ColumnType); 30] = [
    ("ts", ColumnType::TimestampUtc),
    ("ts_us", ColumnType::I64),
    ("ts_order", ColumnType::TimestampUtc),
    ("ts_order_us", ColumnType::I64),
    ("stamp_us", ColumnType::I64),
    ("wrapper_us", ColumnType::I64),
    ("ts_clock", ColumnType::Dict),
    ("ts_basis", ColumnType::Dict),
    ("level", ColumnType::Dict),
    ("component", ColumnType::Dict),
    ("message", ColumnType::Text),
    ("kind", ColumnType::Dict),
    ("fields", ColumnType::Json),
    ("slot", ColumnType::I64),
    ("epoch", ColumnType::I64),
    ("validator", ColumnType::Text),
    ("root", ColumnType::Text),
    ("network", ColumnType::Dict),
    ("node", ColumnType::Dict),
    ("process", ColumnType::I64),
    ("role", ColumnType::Dict),
    ("client", ColumnType::Dict),
    ("version", ColumnType::Dict),
    ("format", ColumnType::Dict),
    ("wrapper", ColumnType::Json),
    ("line", ColumnType::I64),
    ("lines", ColumnType::I64),
    ("byte", ColumnType::I64),
    ("length", ColumnType::I64),
    ("piece", ColumnType::I64),
];

struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

fn put(column: &mut Column, value: &str) {
    match &mut column.data {
        ColumnData::Dict { codes, values } => {
            let found = (0..values.len()).find(|index| values.get(*index) == value.as_bytes());
            let code = found.unwrap_or_else(|| {
                values.push(value.as_bytes());
                values.len() - 1
            });
            codes.push(code as i32);
        }
        _ => column.push_bytes(value.as_bytes()),
    }
}

/// Makes a block of lines and its rows.
fn block(
    dice: &mut Dice,
    line: &mut i64,
    byte: &mut i64,
    us: &mut i64,
    disorder: i64,
) -> (Vec<u8>, Batch) {
    let mut text = Vec::new();
    let mut columns: Vec<Column> = COLUMNS
        .iter()
        .map(|(name, of)| Column::new(*name, *of))
        .collect();
    while text.len() < 4 << 20 {
        *us += (dice.roll() % 2_000_000) as i64;
        let ts =
            *us / 1_000_000 * 1_000_000 - (dice.roll() % (disorder as u64 + 1)) as i64 * 1_000_000;
        let slot = *us / 12_000_000;
        let root = format!("0x{:08x}...", dice.roll() as u32);
        let validator = format!("0x{:012x}", dice.roll() >> 16);
        let (message, component, fields, extra) = match dice.roll() % 5 {
            0 => (
                "Synced new block",
                "blockchain",
                format!(
                    "{{\"block\":\"{root}\",\"epoch\":\"{}\",\"finalizedEpoch\":\"{}\",\"finalizedRoot\":\"0xe07194ee...\",\"slot\":\"{slot}\",\"slotInEpoch\":\"{}\"}}",
                    slot / 32,
                    slot / 32 - 2,
                    slot % 32
                ),
                format!(
                    "block={root} epoch={} finalizedEpoch={} finalizedRoot=0xe07194ee... prefix=blockchain slot={slot} slotInEpoch={}",
                    slot / 32,
                    slot / 32 - 2,
                    slot % 32
                ),
            ),
            1 => (
                "Finished applying state transition",
                "blockchain",
                format!(
                    "{{\"attestations\":\"{}\",\"slot\":\"{slot}\"}}",
                    dice.roll() % 128
                ),
                format!(
                    "attestations={} prefix=blockchain slot={slot}",
                    dice.roll() % 128
                ),
            ),
            2 => (
                "Peer summary",
                "p2p",
                format!(
                    "{{\"activePeers\":\"{}\",\"inbound\":\"0\",\"outbound\":\"45\"}}",
                    dice.roll() % 50
                ),
                format!(
                    "activePeers={} inbound=0 outbound=45 prefix=p2p",
                    dice.roll() % 50
                ),
            ),
            3 => (
                "Submitted new attestations",
                "validator",
                format!(
                    "{{\"AggregatorIndices\":\"[]\",\"AttesterIndices\":\"[{}]\",\"BeaconBlockRoot\":\"{root}\",\"CommitteeIndex\":\"{}\",\"Slot\":\"{slot}\",\"SourceEpoch\":\"{}\",\"SourceRoot\":\"0x1a2b3c4d5e6f\",\"TargetEpoch\":\"{}\",\"TargetRoot\":\"{root}\"}}",
                    dice.roll() % 100_000,
                    dice.roll() % 20,
                    slot / 32 - 1,
                    slot / 32
                ),
                format!(
                    "AggregatorIndices=[] AttesterIndices=[{}] BeaconBlockRoot={root} CommitteeIndex={} Slot={slot} SourceEpoch={} SourceRoot=0x1a2b3c4d5e6f TargetEpoch={} TargetRoot={root} prefix=validator",
                    dice.roll() % 100_000,
                    dice.roll() % 20,
                    slot / 32 - 1,
                    slot / 32
                ),
            ),
            _ => (
                "Previous epoch voting summary",
                "validator",
                format!(
                    "{{\"correctlyVotedHead\":\"true\",\"epoch\":\"{}\",\"inclusionDistance\":\"{}\",\"pubKey\":\"{validator}\"}}",
                    slot / 32,
                    dice.roll() % 4
                ),
                format!(
                    "correctlyVotedHead=true epoch={} inclusionDistance={} prefix=validator pubKey={validator}",
                    slot / 32,
                    dice.roll() % 4
                ),
            ),
        };
        let stamp = model::time::format_civil(ts);
        let length = text.len();
        text.extend(
            format!(
                "time=\"{}\" level=info msg=\"{message}\" {extra}\n",
                &stamp[..19].replace('T', " ")
            )
            .into_bytes(),
        );
        let length = (text.len() - length) as i64;
        for column in &mut columns {
            let name = column.name.clone();
            match name.as_str() {
                "ts" | "ts_us" | "ts_order" | "ts_order_us" | "stamp_us" => column.push_i64(ts),
                "ts_clock" => put(column, "stamp"),
                "ts_basis" => put(column, "slot"),
                "level" => put(column, "info"),
                "component" => put(column, component),
                "message" => put(column, message),
                "kind" => put(column, message),
                "fields" => put(column, &fields),
                "slot" if message.starts_with("Peer") => column.push_null(),
                "slot" => column.push_i64(slot),
                "epoch" => column.push_i64(slot / 32),
                "validator" if message.starts_with("Prev") => put(column, &validator),
                "root" if fields.contains(&root) => put(column, &root),
                "network" => put(column, "medalla"),
                "node" => put(column, "prysm-3"),
                "role" => put(column, "beacon"),
                "client" | "format" => put(column, "prysm"),
                "version" => put(column, "Prysm/v1.0.0-alpha.22"),
                "line" => column.push_i64(*line),
                "lines" | "process" => column.push_i64(1),
                "byte" => column.push_i64(*byte),
                "length" => column.push_i64(length),
                "piece" => column.push_i64(0),
                _ => column.push_null(),
            }
        }
        *line += 1;
        *byte += length;
    }
    (text, Batch { columns })
}

/// Seconds of processor time so far, of all threads: on a busy machine they tell more than the clock.
fn processor_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks: f64 = text
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|ticks| ticks.parse::<f64>().unwrap_or(0.0))
        .sum();
    ticks / 100.0
}

fn main() {
    let mib: usize = std::env::args()
        .nth(1)
        .map_or(256, |text| text.parse().unwrap());
    let disorder: i64 = std::env::args()
        .nth(2)
        .map_or(0, |text| text.parse().unwrap());
    let mut dice = Dice(42);
    let (mut line, mut byte, mut us) = (1, 0, 1_600_000_000_000_000);
    let blocks: Vec<(Vec<u8>, Batch)> = (0..mib / 4)
        .map(|_| block(&mut dice, &mut line, &mut byte, &mut us, disorder))
        .collect();
    let raw = byte as u64;
    println!(
        "{} MB raw, {} rows, {} bytes a row",
        raw / 1_000_000,
        line - 1,
        raw / (line as u64 - 1)
    );
    let folder = tempfile::tempdir().unwrap();
    let digest = "0123456789ab";
    let now = || (Instant::now(), processor_seconds());
    let speed = |what: &str, at: (Instant, f64)| {
        let megabytes = raw as f64 / 1e6;
        let clock = at.0.elapsed().as_secs_f64();
        let processor = processor_seconds() - at.1;
        println!(
            "{what}: {:.0} MB/s of raw text by the clock, {:.0} MB per processor second",
            megabytes / clock,
            megabytes / processor
        );
    };
    for (name, small) in [("large", false), ("small", true)] {
        let mut writer = CaseWriter::open_or_create(folder.path().join(name)).unwrap();
        let mut tx = writer.begin();
        let batches: Vec<Batch> = blocks.iter().map(|(_, batch)| batch.clone()).collect();
        let at = now();
        if small {
            // One source for every block: all share bins.
            for (index, batch) in batches.into_iter().enumerate() {
                let mut rows = tx.rows(&TableId::Records, "x").unwrap();
                rows.push(batch).unwrap();
                let digest = format!(
                    "{:012x}",
                    (index as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 16
                );
                tx.adopt_rows(rows.finish().unwrap(), &digest, 4 << 20)
                    .unwrap();
                tx.manifest_mut().sources.push(Source {
                    digest,
                    bytes: 4 << 20,
                    ..Source::default()
                });
            }
        } else {
            let mut rows = tx.rows(&TableId::Records, "x").unwrap();
            rows.expect_raw_bytes(raw);
            for batch in batches {
                rows.push(batch).unwrap();
            }
            let run = rows.finish().unwrap();
            speed("large: push", at);
            tx.adopt_rows(run, digest, raw).unwrap();
            tx.manifest_mut().sources.push(Source {
                digest: digest.to_owned(),
                bytes: raw.max(64 << 20),
                ..Source::default()
            });
        }
        speed(&format!("{name}: before commit"), at);
        tx.commit().unwrap();
        speed(&format!("{name}: all"), at);
        let stored: u64 = writer
            .case()
            .manifest()
            .segments
            .iter()
            .map(|segment| segment.bytes)
            .sum();
        println!(
            "{name}: {:.3} of raw, {} segments",
            stored as f64 / raw as f64,
            writer.case().manifest().segments.len()
        );
        if std::env::var_os("COLUMNS_TOO").is_some() && !small {
            std::fs::copy(
                writer.case().files(&TableId::Records)[0].clone(),
                "/tmp/measured.parquet",
            )
            .unwrap();
        }
    }
    let mut writer = CaseWriter::open_or_create(folder.path().join("evidence")).unwrap();
    let mut tx = writer.begin();
    let at = now();
    let mut evidence = tx.evidence("x", 0).unwrap();
    for (text, _) in &blocks {
        evidence.write(text).unwrap();
    }
    let pending = evidence.finish().unwrap();
    speed("evidence", at);
    tx.adopt_evidence(pending, digest).unwrap();
    tx.manifest_mut().sources.push(Source {
        digest: digest.to_owned(),
        bytes: raw,
        ..Source::default()
    });
    tx.commit().unwrap();
    let stored: u64 = writer.case().manifest().sources[0]
        .evidence
        .iter()
        .map(|part| part.stored_bytes)
        .sum();
    println!("evidence: {:.3} of raw", stored as f64 / raw as f64);
}
