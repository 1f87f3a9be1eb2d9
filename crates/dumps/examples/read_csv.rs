//! Measures how fast CSV is read: `cargo run --release -p dumps --example read_csv [MiB]`.
//!
//! Writes a seeded export of `l2_to_l1_logs` to a temporary file, scans it (all values tell the types),
//! looks a hash up, and reads everything once.
#![allow(clippy::print_stdout, reason = "an example")]

use std::io::{BufReader, BufWriter, Write as _};
use std::time::Instant;

use dumps::{DumpSource, Naming, RowSink, SinkError, Want, read_dump};
use model::{Batch, RowFilter, TableInfo, TableSource as _};

/// Counts rows.
struct Count(usize);

impl RowSink for Count {
    fn table(&mut self, _: &TableInfo) -> Result<(), SinkError> {
        Ok(())
    }
    fn rows(&mut self, _: &TableInfo, batch: Batch) -> Result<(), SinkError> {
        self.0 += batch.rows();
        Ok(())
    }
    fn damaged(&mut self, _: &str, _: u64, _: u64, what: &str) -> Result<(), SinkError> {
        Err(what.into())
    }
}

fn hash(n: u64) -> String {
    let mut state = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..4)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            format!("{state:016x}")
        })
        .collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mib: u64 = std::env::args()
        .nth(1)
        .map_or(Ok(256), |text| text.parse())?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("l2_to_l1_logs.csv");
    let mut out = BufWriter::with_capacity(1 << 20, std::fs::File::create(&path)?);
    writeln!(
        out,
        "miniblock_number,log_index_in_miniblock,tx_hash,sender,value,is_service,note,created_at"
    )?;
    let (mut rows, mut written) = (0, 0);
    while written < mib << 20 {
        let line = format!(
            "{rows},{},\\x{},\\x0000000000000000000000000000000000008008,\\x{},t,\"a comma, in quotes\",2023-09-18 03:40:27.{:06}\n",
            rows % 7,
            hash(rows),
            hash(rows + 1),
            rows % 1_000_000,
        );
        out.write_all(line.as_bytes())?;
        written += line.len() as u64;
        rows += 1;
    }
    out.flush()?;
    drop(out);
    println!("{rows} rows, {} MB", written / 1_000_000);
    let report = |what: &str, start: Instant| {
        let seconds = start.elapsed().as_secs_f64();
        println!(
            "{what}: {:.0} MB/s ({seconds:.2} s)",
            written as f64 / 1e6 / seconds
        );
    };

    let start = Instant::now();
    let source = DumpSource::from_plain_file(&path, Naming::default())?;
    report("scan", start);

    let last: Vec<u8> = hash(rows - 1)
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(&String::from_utf8_lossy(pair), 16))
        .collect::<Result<_, _>>()?;
    let start = Instant::now();
    let filter = RowFilter::BytesIn("tx_hash".into(), vec![last]);
    let found = source.read("l2_to_l1_logs", &["miniblock_number", "value"], &filter)?;
    report("look-up", start);
    println!("{} found", found.rows());

    let want = Want {
        known: Some(source.facts().clone()),
        ..Want::default()
    };
    let mut count = Count(0);
    let start = Instant::now();
    read_dump(
        &mut BufReader::new(std::fs::File::open(&path)?),
        &want,
        &mut count,
    )?;
    report("read everything", start);
    println!("{} rows", count.0);
    Ok(())
}
