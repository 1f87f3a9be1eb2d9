//! `ingest_child CASE LOG [THREADS]`: what `coroner ingest` does without its command line, for a child whose
//! memory and time are measured. Prints the stages' seconds as JSON.

use anyhow::{Context, Result};
use ingest::{IngestOptions, Quiet};
use serde_json::json;
use std::{
    io::{Write, stdout},
    path::PathBuf,
};

/// As in `coroner`.
#[path = "../../../cli/src/memory.rs"]
mod memory;

fn main() -> Result<()> {
    memory::keep_freed_pages();
    let mut words = std::env::args_os().skip(1).map(PathBuf::from);
    let case = words
        .next()
        .context("usage: ingest_child CASE LOG [THREADS]")?;
    let log = words
        .next()
        .context("usage: ingest_child CASE LOG [THREADS]")?;
    let threads = words.next().and_then(|word| word.to_str()?.parse().ok());
    let options = IngestOptions {
        threads: threads.unwrap_or(0),
        ..IngestOptions::default()
    };
    let mut writer = case::CaseWriter::open_or_create(&case)?;
    let report = ingest::ingest(&mut writer, &[log], &options, &mut Quiet)?;
    let stages = report.stages;
    let told = json!({
        "bytes": report.bytes,
        "problems": report.problems.len(),
        "stages": {
            "read_hash_ns": stages.read_hash_ns,
            "evidence_ns": stages.evidence_ns,
            "parse_build_ns": stages.parse_build_ns,
            "write_ns": stages.write_ns,
        },
    });
    writeln!(stdout(), "{told}")?;
    Ok(())
}
