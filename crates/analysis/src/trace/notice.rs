//! `confirmed_at` is when the server noticed: what a late notice does and does not say.
//!
//! The server of 2023 took note of a receipt only once its L1 block was final. When L1 stops finalizing,
//! every confirmation is late in the database although each transaction was mined in time, and no rollup
//! part is at fault.

use super::history::History;
use super::rows::{DbTime, Tables};
use super::shape::{Path, Step, Zone};
use super::text::duration;
use super::zone::to_utc;
use model::time::{MICROS_PER_SECOND, format_utc_short};

/// Notices later than this are worth a word, however late is usual in the database: two epochs until
/// finality are 13 to 19 minutes.
const REMARKABLE_S: i64 = 25 * 60;
/// Fewer notices are no norm.
const LEAST: usize = 10;

/// What is known of mainnet's finality between two times.
pub(crate) fn standstill(from: DbTime, to: DbTime) -> String {
    if !from.utc || !to.utc {
        return String::new();
    }
    chain::mainnet_standstill(from.us, to.us).map_or_else(String::new, |(start, end)| {
        format!(
            "; if its L1 is Ethereum mainnet: nothing was finalized there from {} to {}",
            format_utc_short(start),
            format_utc_short(end)
        )
    })
}

const RULE: &str =
    "this server takes note of a receipt only once its L1 block is final (code before May 2025)";

/// Warns of steps that were noticed long after they were signed.
pub(super) fn warn_late(
    tables: &mut Tables<'_>,
    path: &[Path],
    history: &History,
    zone: Option<&Zone>,
) {
    if history.has_finality {
        return;
    }
    let mut usual: Vec<i64> = history
        .all()
        .filter_map(|tx| {
            let (signed, noticed) = (tx.mined_signed?, tx.noticed?);
            (signed.utc == noticed.utc && noticed.us >= signed.us).then(|| noticed.us - signed.us)
        })
        .collect();
    usual.sort_unstable();
    let middle = usual.get(usual.len() / 2).copied().unwrap_or(0);
    let here = if usual.len() >= LEAST {
        format!(", half of all here within {}", duration(seconds(middle)))
    } else {
        String::new()
    };
    for path in path {
        let steps: [(&str, &Option<Step>); 3] = [
            ("commit", &path.commit),
            ("prove", &path.prove),
            ("execute", &path.execute),
        ];
        for (name, step) in steps {
            let tx = step
                .as_ref()
                .and_then(|step| history.tx(step.eth_tx_id?))
                .and_then(|tx| Some((tx.mined_signed?, tx.noticed?)));
            let Some((signed, noticed)) = tx else {
                continue;
            };
            let late = noticed.us - signed.us;
            if signed.utc != noticed.utc || late <= (REMARKABLE_S * MICROS_PER_SECOND).max(middle) {
                continue;
            }
            let (from, to) = (
                to_utc(signed, zone).unwrap_or(signed),
                to_utc(noticed, zone).unwrap_or(noticed),
            );
            tables.warn(format!(
                "{name}: noticed {} after it was signed{here}; {RULE}, so it can have been mined soon after {}, and the late notice alone is no fault of the rollup{}",
                duration(seconds(late)),
                brief(from),
                standstill(from, to)
            ));
        }
    }
}

/// To the second.
fn brief(time: DbTime) -> String {
    match time.utc {
        true => format_utc_short(time.us),
        false => time.print(),
    }
}

/// Says that nothing at all has been noticed since a time although transactions were sent, if so.
pub(super) fn silence(history: &History, zone: Option<&Zone>) -> Option<String> {
    if history.has_finality {
        return None;
    }
    let last = history
        .all()
        .filter_map(|tx| tx.noticed)
        .max_by_key(|time| time.us)?;
    let mut sent: Vec<DbTime> = history
        .all()
        .filter(|tx| tx.noticed.is_none())
        .filter_map(|tx| tx.last_signed)
        .filter(|signed| signed.us > last.us)
        .collect();
    sent.sort_by_key(|time| time.us);
    let newest = *sent.last()?;
    let (from, to) = (
        to_utc(last, zone).unwrap_or(last),
        to_utc(newest, zone).unwrap_or(newest),
    );
    Some(format!(
        "no confirmation of any L1 transaction was noticed after {}, though {} more were signed: {RULE}, so an L1 that does not finalize looks like this, with no fault of the rollup{}",
        brief(from),
        sent.len(),
        standstill(from, to)
    ))
}

fn seconds(us: i64) -> f64 {
    us as f64 / MICROS_PER_SECOND as f64
}
