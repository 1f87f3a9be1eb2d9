//! What a trace reads of a dump, where the program is not built: hashes the file, opens it, follows one
//! hash through the tables to the confirmed transactions.

use anyhow::{Context, Result};
use dumps::{DumpSource, Naming, Opener};
use model::{Batch, Coming, RowFilter, SourceName, TableSource as _};
use std::io::{BufReader, Write as _};
use std::path::PathBuf;

/// As in `coroner`.
#[path = "../../../cli/src/memory.rs"]
mod memory;

fn main() -> Result<()> {
    memory::keep_freed_pages();
    let mut words = std::env::args().skip(1);
    let path = PathBuf::from(words.next().context("usage: trace_child DUMP HASH")?);
    let hash = words.next().context("usage: trace_child DUMP HASH")?;
    // A folder of pg_dump has a digest too: that of its tar.
    let mut reader = evidence::open_source(&path)?;
    let hashing = std::thread::spawn(move || {
        reader.skip(u64::MAX);
        reader.finish().sha256.short()
    });
    let digest = SourceName::asked_later(|| hashing.join().expect("no panic while hashing"));
    let naming = Naming {
        given: Some("dump".to_owned()),
        source: digest.clone(),
        ..Naming::default()
    };
    let open = move |byte| {
        let reader = evidence::open_at(&path, byte).map_err(std::io::Error::other)?;
        Ok(Box::new(BufReader::with_capacity(1 << 18, reader)) as _)
    };
    let source = DumpSource::open(Opener::At(Box::new(open)), naming)?;
    let digits = hash.trim_start_matches("0x");
    let bytes = (0..digits.len() / 2)
        .map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16))
        .collect::<Result<Vec<u8>, _>>()?;
    source.announce(&[
        Coming::whole("l2_to_l1_logs"),
        Coming::by("miniblocks", "number"),
        Coming::by("l1_batches", "number"),
        Coming::by("eth_txs", "id"),
        Coming::by("eth_txs_history", "eth_tx_id"),
    ]);
    let log = source.read(
        "l2_to_l1_logs",
        &["miniblock_number"],
        &RowFilter::BytesIn("tx_hash".to_owned(), vec![bytes]),
    )?;
    let by = |table: &str, column: &str, values: Vec<i64>, wanted: &[&str]| {
        source.read(table, wanted, &RowFilter::I64In(column.to_owned(), values))
    };
    let numbers = |batch: &Batch, column: &str| -> Vec<i64> {
        let column = batch.column(column);
        (0..batch.rows())
            .filter_map(|row| column?.i64(row))
            .collect()
    };
    let blocks = numbers(&log, "miniblock_number");
    let block = by("miniblocks", "number", blocks, &["l1_batch_number"])?;
    let stages = ["eth_commit_tx_id", "eth_prove_tx_id", "eth_execute_tx_id"];
    let batch = by(
        "l1_batches",
        "number",
        numbers(&block, "l1_batch_number"),
        &stages,
    )?;
    let mut ids: Vec<i64> = stages
        .iter()
        .flat_map(|stage| numbers(&batch, stage))
        .collect();
    ids.sort_unstable();
    let sent = by(
        "eth_txs",
        "id",
        ids.clone(),
        &["id", "confirmed_eth_tx_history_id"],
    )?;
    let attempts = by(
        "eth_txs_history",
        "eth_tx_id",
        ids,
        &["tx_hash", "confirmed_at"],
    )?;
    let confirmed = numbers(&attempts, "confirmed_at").len();
    let fate = match (sent.rows(), confirmed) {
        (3, 3) => "execute_confirmed",
        _ => "unknown",
    };
    let answer = serde_json::json!({ "source": digest.as_str(), "fate": fate });
    writeln!(std::io::stdout(), "{answer}")?;
    Ok(())
}
