//! What an answer of an API says that cannot all be so: its status against the transactions that it names, one step
//! against the next, a transaction against its time. Of such a step nothing is known by that answer.

use super::answers::Answer;
use super::links::STAGES;

/// The step on L1 that ends the way.
const EXECUTE: usize = 2;

/// Returns the steps of which `answer` contradicts itself, and how.
pub(super) fn doubts(answer: &Answer) -> Vec<(usize, String)> {
    // The genesis batch counts as verified and is never sent.
    if answer.batch == Some(0) {
        return Vec::new();
    }
    let status = answer.status.as_deref().unwrap_or_default();
    let named: [bool; 3] = std::array::from_fn(|stage| answer.claims[stage].is_made());
    let mut doubts: Vec<(usize, String)> = Vec::new();
    for (stage, name) in STAGES.iter().enumerate() {
        let claim = &answer.claims[stage];
        let later = (stage + 1..=EXECUTE).find(|&later| named[later]);
        let means = || match answer.taken() {
            Some(EXECUTE) => "executed",
            Some(1) => "proven",
            _ => "committed",
        };
        let silent = claim.is_asked && !named[stage];
        let words = if silent && answer.taken().is_some_and(|taken| taken >= stage) {
            format!(
                "its status is {status} ({}), yet it names no {name} transaction",
                means()
            )
        } else if silent && let Some(later) = later {
            format!(
                "it names a transaction for {}, and none for {name}, which L1 demands before",
                STAGES[later]
            )
        } else if named[stage] && stage >= most(answer) {
            format!("its status is {status}, yet it names a {name} transaction")
        } else if claim.is_asked && claim.hash.is_none() && claim.at.is_some() {
            format!("it has a time for {name}, and no transaction")
        } else if claim.is_dated && claim.hash.is_some() && claim.at.is_none() {
            format!(
                "it names a {name} transaction without a time: newer servers name those that are not confirmed yet"
            )
        } else {
            continue;
        };
        doubts.push((stage, words));
    }
    doubts
}

/// How many steps an answer of this status can name.
fn most(answer: &Answer) -> usize {
    let is_page = answer.api == "explorer_transactions";
    match answer.status.as_deref() {
        Some("pending") => 0,
        Some("included") if is_page => 0,
        Some("committed") => 1,
        // A server tells of commit and proof by their hashes alone.
        Some("included" | "precommitted" | "sealed" | "proved") => 2,
        _ => 3,
    }
}
