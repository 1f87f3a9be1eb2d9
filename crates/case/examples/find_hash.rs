//! `find_hash CASE HEX`: where a hash, or one that begins so, stands in a case, and how long it took to say so.

use case::{Case, KeyRange};
use model::{RowFilter, TableSource};
use std::error::Error;
use std::io::{Write, stdout};
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let (Some(case), Some(hex)) = (words.next(), words.next()) else {
        return Err("usage: find_hash CASE HEX".into());
    };
    let digits = hex.trim_start_matches("0x").to_lowercase();
    let mut out = stdout().lock();
    let started = Instant::now();
    let case = Case::open(case)?;
    writeln!(out, "opened in {:.1} ms", ms(started))?;
    let range = KeyRange::of_digits(&digits).ok_or("give at least six digits, not all zero")?;
    let started = Instant::now();
    let places = case.hash_places(range, 1_000_000)?.unwrap_or_default();
    writeln!(out, "{} places in {:.1} ms", places.len(), ms(started))?;
    for ((source, place), lines) in &places.places {
        let first: Vec<String> = lines.iter().take(5).map(u64::to_string).collect();
        writeln!(out, "  {source} place {place}: {}", first.join(", "))?;
    }
    let tables = case.table_source(None);
    for snapshot in &case.manifest().snapshots {
        for column in &snapshot.hash_columns {
            let name = format!("{}.{}.{}", snapshot.name, column.schema, column.table);
            let started = Instant::now();
            let hashes = tables.hashes_beginning(&name, &column.column, &digits)?;
            let Some(hash) = hashes.as_ref().and_then(|hashes| hashes.first()) else {
                continue;
            };
            writeln!(
                out,
                "{name} {}: {} in {:.1} ms",
                column.column,
                hashes.as_ref().map_or(0, Vec::len),
                ms(started)
            )?;
            let bytes: Option<Vec<u8>> = hash.as_bytes()[2..]
                .chunks(2)
                .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
                .collect();
            let started = Instant::now();
            let filter = RowFilter::BytesIn(
                column.column.clone(),
                vec![bytes.unwrap_or_default(), hash.clone().into_bytes()],
            );
            let rows = tables.read(&name, &[&column.column], &filter)?.rows();
            writeln!(out, "  {rows} rows in {:.1} ms", ms(started))?;
        }
    }
    Ok(())
}

fn ms(started: Instant) -> f64 {
    started.elapsed().as_secs_f64() * 1e3
}
