//! Times of log lines against those of the rows that they speak of: sealed, saved, sent, confirmed. Where the two are
//! further apart than clocks and zones explain, that is reported; neither is corrected by the other.

use super::rows::DbTime;
use super::said::Milestone;
use super::shape::{Path, Step, Zone};
use super::text::duration;
use super::zone::to_utc;
use model::time::MICROS_PER_SECOND;

/// A row and its line are written within one loop of the server.
const SAME_MOMENT_US: i64 = 60 * MICROS_PER_SECOND;
/// Zones are whole quarters of an hour apart.
const QUARTER_US: i64 = 900 * MICROS_PER_SECOND;
/// So many lines that are all as far off have one cause.
const ALIKE: usize = 3;

/// A line that is apart from its row.
pub(super) struct Apart {
    /// `commit: eth_tx 41073 was saved`.
    subject: String,
    reference: String,
    /// The row's column.
    column: &'static str,
    /// Line minus row.
    apart_us: i64,
}

/// How far a line is from the nearest of its rows, if that is further than clocks and zones explain.
fn apart(said: &Milestone, rows: &[Option<DbTime>], zone: Option<&Zone>) -> Option<i64> {
    let line_us = said.us?;
    // Without the database's zone nothing can be compared.
    let known: Option<Vec<i64>> = rows
        .iter()
        .flatten()
        .map(|row| to_utc(*row, zone).map(|row| row.us))
        .collect();
    let nearest = known?
        .into_iter()
        .map(|row_us| line_us.saturating_sub(row_us))
        .min_by_key(|apart| apart.unsigned_abs())?;
    let is_far = nearest.unsigned_abs() > SAME_MOMENT_US.unsigned_abs();
    // What a wrong assumption of the line's zone explains is no disagreement.
    (is_far && !(said.zone_assumed && is_zone(nearest))).then_some(nearest)
}

fn is_zone(apart_us: i64) -> bool {
    let off = apart_us.rem_euclid(QUARTER_US);
    off.min(QUARTER_US - off) <= SAME_MOMENT_US
}

/// Compares the lines that seal a miniblock or its batch with their rows.
pub(super) fn of_path(path: &Path, lines: &[&Milestone], zone: Option<&Zone>) -> Vec<Apart> {
    let compare = |said: &&Milestone| {
        let (subject, row, column) = match said.what.as_str() {
            "miniblock_sealed" => (
                format!("miniblock {}", said.miniblock.unwrap_or_default()),
                path.created,
                "miniblocks.created_at",
            ),
            "batch_sealed" => (
                format!("batch {}", path.l1_batch_number.unwrap_or_default()),
                path.sealed,
                "the time of sealing in l1_batches",
            ),
            _ => return None,
        };
        Some(Apart {
            subject: format!("{subject} was sealed"),
            reference: said.reference.clone(),
            column,
            apart_us: apart(said, &[row], zone)?,
        })
    };
    lines.iter().filter_map(compare).collect()
}

/// Compares the lines of a step's own L1 transaction with its rows.
pub(super) fn of_step(
    name: &str,
    step: &Step,
    lines: &[&Milestone],
    zone: Option<&Zone>,
) -> Vec<Apart> {
    let own = |said: &&&Milestone| {
        let of_tx = said.eth_tx_id.is_some() && said.eth_tx_id == step.eth_tx_id;
        let hash = said.l1_tx_hash.as_ref();
        let of_hash = hash.is_some() && hash == step.l1_tx_hash.as_ref();
        of_tx || (said.eth_tx_id.is_none() && of_hash)
    };
    let signed: Vec<Option<DbTime>> = step
        .attempts
        .iter()
        .flatten()
        .map(|attempt| attempt.created)
        .collect();
    let resent = lines.iter().filter(|said| said.what == "tx_resent").count();
    // Where rows of attempts were deleted, a line's own may be among them; an external node's rows are copies.
    let has_attempts = resent < signed.len() && !step.is_copied;
    let of = |said: &Milestone, what: &str, rows: &[Option<DbTime>], column| {
        Some(Apart {
            subject: format!(
                "{name}: eth_tx {} was {what}",
                step.eth_tx_id.unwrap_or_default()
            ),
            reference: said.reference.clone(),
            column,
            apart_us: apart(said, rows, zone)?,
        })
    };
    let mut found: Vec<Apart> = Vec::new();
    let mut confirmed: Vec<Option<Apart>> = Vec::new();
    for said in lines.iter().filter(own) {
        let is_other = matches!((&said.l1_tx_hash, &step.l1_tx_hash), (Some(a), Some(b)) if a != b);
        match said.what.as_str() {
            "tx_saved" if !step.is_copied => {
                found.extend(of(said, "saved", &[step.saved], "eth_txs.created_at"));
            }
            "tx_sent" | "tx_resent" if has_attempts && said.eth_tx_id.is_some() => {
                let column = "created_at of the nearest attempt";
                found.extend(of(said, "sent", &signed, column));
            }
            "tx_confirmed" if !is_other && step.confirmed.is_some() => {
                confirmed.push(of(said, "confirmed", &[step.confirmed], "confirmed_at"));
            }
            _ => {}
        }
    }
    // Newer code writes a line for each degree of finality: one of them is the row's.
    let is_one_of_many = step.finality_status.is_some();
    if !(is_one_of_many && confirmed.iter().any(Option::is_none)) {
        let apart = confirmed.into_iter().flatten();
        match is_one_of_many {
            true => found.extend(apart.min_by_key(|apart| apart.apart_us.unsigned_abs())),
            false => found.extend(apart),
        }
    }
    found
}

/// Says what is apart, once where all of it is apart by the same time.
pub(super) fn words(apart: &[Apart]) -> Vec<String> {
    let far = |apart_us: i64| {
        let length = duration(apart_us.unsigned_abs() as f64 / MICROS_PER_SECOND as f64);
        let side = if apart_us > 0 { "later" } else { "earlier" };
        format!("{length} {side}")
    };
    const WHY: &str = "a zone or a clock is wrong, or one of the two was written by another node";
    let least = apart.iter().map(|apart| apart.apart_us).min();
    let most = apart.iter().map(|apart| apart.apart_us).max();
    if let (Some(first), Some(least), Some(most)) = (apart.first(), least, most)
        && apart.len() >= ALIKE
        && most - least <= SAME_MOMENT_US
    {
        return vec![format!(
            "log and table disagree: {} lines are all about {} than the rows that they speak of (the first: {} says that {}): {WHY}",
            apart.len(),
            far(first.apart_us),
            first.reference,
            first.subject
        )];
    }
    apart
        .iter()
        .map(|apart| {
            format!(
                "log and table disagree: {} says that {} {} than {}: {WHY}",
                apart.reference,
                apart.subject,
                far(apart.apart_us),
                apart.column
            )
        })
        .collect()
}
