//! The delay that L1 puts between commit and execution (the validator timelock): given, or bounded by
//! what the database shows; never assumed.

use super::history::History;
use super::links::Batches;
use super::rows::{DbTime, Tables};
use super::shape::{AsOf, Executable, ExecutionDelay, Path, Zone};
use super::text::duration;
use super::zone::to_utc;
use model::time::MICROS_PER_SECOND;

/// Commit and execution.
const COMMIT: usize = 0;
const EXECUTE: usize = 2;

/// Returns what is known of the delay, and from when the batch of `path` could be executed.
pub(super) fn execution_delay(
    tables: &mut Tables<'_>,
    given_s: Option<f64>,
    path: &Path,
    batches: &Batches,
    history: Option<&History>,
    zone: Option<&Zone>,
) -> Option<ExecutionDelay> {
    // L1 takes an execution only when the delay has passed since the commit's block: an execution
    // noticed so long after its commit was signed bounds the delay from above.
    let least = history.and_then(|history| {
        batches
            .by_number
            .keys()
            .filter_map(|number| {
                let commit = history.tx(batches.link(number, COMMIT)??)?;
                let execute = history.tx(batches.link(number, EXECUTE)??)?;
                commit.noticed?;
                let (from, to) = (commit.first_signed?, execute.noticed?);
                (from.utc == to.utc && to.us > from.us).then_some((to.us - from.us, number))
            })
            .min()
    });
    let at_most_s = least.map(|(us, _)| seconds(us));
    if let (Some(given), Some((us, number))) = (given_s, least)
        && given > seconds(us)
    {
        tables.warn(format!(
            "execute: the given delay of {} cannot be: batch {number} was executed {} after its commit was signed",
            duration(given),
            duration(seconds(us))
        ));
    }
    let executable = given_s.and_then(|delay_s| {
        let bounds = path.commit.as_ref()?;
        let history = history?.tx(bounds.eth_tx_id?)?;
        let noticed = history.noticed?;
        let shift = |time: DbTime| {
            let time = to_utc(time, zone).unwrap_or(time);
            DbTime {
                us: time
                    .us
                    .saturating_add((delay_s * MICROS_PER_SECOND as f64) as i64),
                ..time
            }
        };
        Some(Executable {
            not_before: history.mined_signed.map(|time| shift(time).print()),
            not_after: shift(noticed).print(),
            earliest: history.mined_signed.map(shift),
        })
    });
    if given_s.is_none() && at_most_s.is_none() {
        return None;
    }
    Some(ExecutionDelay {
        delay_s: given_s,
        at_most_s,
        basis: if given_s.is_some() {
            "given"
        } else {
            "evidence"
        }
        .to_owned(),
        executable,
    })
}

/// Whether the delay alone explains that the batch is not executed.
pub(super) fn still_runs(delay: &ExecutionDelay, as_of: Option<&AsOf>) -> bool {
    let earliest = delay
        .executable
        .as_ref()
        .and_then(|executable| executable.earliest);
    match (earliest, as_of) {
        (Some(earliest), Some(as_of)) => earliest.utc == as_of.utc && as_of.us < earliest.us,
        _ => false,
    }
}

fn seconds(us: i64) -> f64 {
    us as f64 / MICROS_PER_SECOND as f64
}
