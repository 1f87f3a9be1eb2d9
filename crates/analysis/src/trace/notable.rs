//! Keys worth tracing when nobody has given one: where a rollup's settlement stands, and what failed.

use super::history::History;
use super::links::{Batches, STAGES};
use super::rows::Tables;
use super::{TraceError, rows};
use model::{RowFilter, TableSource};

/// A key that says something about the state of the whole rollup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notable {
    /// As [`super::trace`] takes it.
    pub key: String,
    /// Why it is worth a look.
    pub why: String,
}

/// More failures than this are a list, not an example.
const MOST_FAILED: usize = 3;

/// Returns keys worth tracing, the most telling first: failed L1 transactions, then the batch at which
/// each step on L1 has come to stand. Empty if the tables do not say.
///
/// # Errors
/// If a table cannot be read.
pub fn notable(source: &dyn TableSource) -> Result<Vec<Notable>, TraceError> {
    let mut tables = match Tables::new(source) {
        Ok(tables) => tables,
        Err(TraceError::NoTables { .. }) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = failed(&mut tables)?;
    // Of a pasted table the lowest row is no first in line.
    if !tables.is_whole("l1_batches") || !tables.is_whole("eth_txs_history") {
        return Ok(found);
    }
    let batches = Batches::read(&mut tables)?;
    let Some(history) = History::read(&mut tables)? else {
        return Ok(found);
    };
    let words = ["committed", "proven", "executed"];
    for (stage, word) in words.iter().enumerate().rev() {
        let done = |number: i64| history.of(&batches, number, stage).is_some();
        let numbers = || batches.by_number.keys();
        let Some(highest) = numbers().filter(|&number| done(number)).max() else {
            continue;
        };
        let next =
            numbers().find(|&number| number > highest && batches.is_sealed(number) != Some(false));
        if let Some(next) = next {
            let key = format!("batch:{next}");
            let why =
                format!("the first batch that is not {word} (the last one that is: {highest})");
            match found.iter_mut().find(|notable| notable.key == key) {
                Some(known) => known.why = format!("{}; {why}", known.why),
                None => found.push(Notable { key, why }),
            }
        }
    }
    debug_assert_eq!(words.len(), STAGES.len());
    Ok(found)
}

fn failed(tables: &mut Tables<'_>) -> Result<Vec<Notable>, TraceError> {
    if !tables.has_column("eth_txs", "has_failed") || !tables.has_column("eth_txs", "id") {
        return Ok(Vec::new());
    }
    let rows: Option<rows::Rows> = tables.read(
        "eth_txs",
        &["id", "nonce", "tx_type", "has_failed"],
        &RowFilter::All,
    )?;
    let Some(rows) = rows else {
        return Ok(Vec::new());
    };
    let mut failed: Vec<(i64, String)> = (0..rows.len())
        .filter(|&row| rows.bool(row, "has_failed") == Some(true))
        .filter_map(|row| {
            let id = rows.int(row, "id")?;
            let what = rows.text(row, "tx_type").unwrap_or_default();
            Some((id, what))
        })
        .collect();
    failed.sort();
    let all = failed.len();
    Ok(failed
        .into_iter()
        .take(MOST_FAILED)
        .map(|(id, what)| Notable {
            key: format!("eth_tx:{id}"),
            why: if all > 1 {
                format!("a {what} transaction that failed on L1, one of {all}")
            } else {
                format!("a {what} transaction that failed on L1")
            },
        })
        .collect())
}
