//! Measures what a trace costs on a plain dump: `cargo run --release -p dumps --example look_up [MiB]`.
//!
//! Writes a seeded dump to a temporary file, scans it, looks a hash up in its largest table, and
//! reads everything once.
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

fn write(path: &std::path::Path, bytes: u64) -> std::io::Result<u64> {
    let mut out = BufWriter::with_capacity(1 << 20, std::fs::File::create(path)?);
    writeln!(out, "--\n-- PostgreSQL database dump\n--\n")?;
    let mut written = 0;
    let mut rows = 0;
    for (table, share) in [("events", 60), ("l2_to_l1_logs", 40)] {
        writeln!(
            out,
            "CREATE TABLE public.{table} (\n    miniblock_number bigint NOT NULL,\n    log_index integer,\n    tx_hash bytea NOT NULL,\n    sender bytea,\n    value bytea,\n    is_service boolean,\n    note text,\n    created_at timestamp without time zone\n);\nCOPY public.{table} (miniblock_number, log_index, tx_hash, sender, value, is_service, note, created_at) FROM stdin;"
        )?;
        let mut own = 0;
        while own < bytes * share / 100 {
            let line = format!(
                "{rows}\t{}\t\\\\x{}\t\\\\x0000000000000000000000000000000000008008\t\\\\x{}\tt\tplain words\\tand a tab\t2023-09-18 03:40:27.{:06}\n",
                rows % 7,
                hash(rows),
                hash(rows + 1),
                rows % 1_000_000,
            );
            out.write_all(line.as_bytes())?;
            own += line.len() as u64;
            rows += 1;
        }
        written += own;
        writeln!(
            out,
            "\\.\n\nALTER TABLE ONLY public.{table}\n    ADD CONSTRAINT {table}_pkey PRIMARY KEY (miniblock_number, log_index);\n"
        )?;
    }
    writeln!(out, "--\n-- PostgreSQL database dump complete\n--")?;
    out.flush()?;
    println!("{rows} rows, {} MB", written / 1_000_000);
    Ok(rows)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mib: u64 = std::env::args()
        .nth(1)
        .map_or(Ok(512), |text| text.parse())?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("dump.sql");
    let rows = write(&path, mib << 20)?;
    let megabytes = std::fs::metadata(&path)?.len() as f64 / 1e6;
    let report = |what: &str, start: Instant| {
        let seconds = start.elapsed().as_secs_f64();
        println!("{what}: {:.0} MB/s ({seconds:.2} s)", megabytes / seconds);
    };

    let start = Instant::now();
    let source = DumpSource::from_plain_file(&path, Naming::default())?;
    report("scan", start);

    let last: Vec<u8> = hash(rows - 1)
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(&String::from_utf8_lossy(pair), 16))
        .collect::<Result<_, _>>()?;
    let filter = RowFilter::BytesIn("tx_hash".into(), vec![last]);
    let start = Instant::now();
    let found = source.read("l2_to_l1_logs", &["miniblock_number", "value"], &filter)?;
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "look-up in 40 %: {:.0} MB/s, {} found",
        megabytes * 0.4 / seconds,
        found.rows()
    );

    let start = Instant::now();
    let source = DumpSource::from_plain_file(&path, Naming::default())?;
    for _ in 0..2 {
        source.read("l2_to_l1_logs", &["miniblock_number"], &filter)?;
    }
    report("scan and two look-ups, of the whole dump", start);

    let mut count = Count(0);
    let start = Instant::now();
    read_dump(
        &mut BufReader::new(std::fs::File::open(&path)?),
        &Want::all(Naming::default()),
        &mut count,
    )?;
    report("read everything", start);
    println!("{} rows", count.0);
    Ok(())
}
