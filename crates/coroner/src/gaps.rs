//! `info --gaps`: stretches in which a node said nothing.

use crate::{Error, Evidence, Gap, Window};
use case::TableId;
use model::RowFilter;
use model::time::{MICROS_PER_SECOND, format_utc};
use std::collections::BTreeMap;

/// Shorter silences are never called gaps.
const LEAST_US: i64 = 10 * 60 * MICROS_PER_SECOND;
/// A gap is this many times longer than nine in ten of the node's pauses.
const TIMES: i64 = 20;

impl Evidence {
    /// Returns the stretches without any dated record of a node, by node and time. A silence counts if
    /// it is longer than ten minutes and than twenty times the pause that nine in ten stay below.
    ///
    /// # Errors
    /// If the case cannot be read.
    pub fn gaps(&self, window: &Window) -> Result<Vec<Gap>, Error> {
        let mut times: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        self.case.read(
            &TableId::Records,
            Some(&["ts_us", "node"]),
            &RowFilter::All,
            &mut |batch| {
                let (Some(ts), Some(node)) = (batch.column("ts_us"), batch.column("node")) else {
                    return Ok(());
                };
                for row in 0..batch.rows() {
                    let (Some(us), Some(name)) = (ts.i64(row), node.text(row)) else {
                        continue;
                    };
                    if !window.contains(us) {
                        continue;
                    }
                    match times.get_mut(name) {
                        Some(list) => list.push(us),
                        None => {
                            times.insert(name.to_owned(), vec![us]);
                        }
                    }
                }
                Ok(())
            },
        )?;
        let mut gaps = Vec::new();
        for (node, mut list) in times {
            list.sort_unstable();
            list.dedup();
            let mut pauses: Vec<i64> = list.windows(2).map(|pair| pair[1] - pair[0]).collect();
            pauses.sort_unstable();
            let Some(usual) = pauses.get(pauses.len().saturating_sub(1) * 9 / 10).copied() else {
                continue;
            };
            let limit = LEAST_US.max(usual.saturating_mul(TIMES));
            for pair in list.windows(2).filter(|pair| pair[1] - pair[0] > limit) {
                gaps.push(Gap {
                    node: node.clone(),
                    from: format_utc(pair[0]),
                    to: format_utc(pair[1]),
                    why: format!(
                        "no record for {} s; nine in ten pauses are at most {} s",
                        (pair[1] - pair[0]) / MICROS_PER_SECOND,
                        (usual + MICROS_PER_SECOND - 1) / MICROS_PER_SECOND
                    ),
                });
            }
        }
        Ok(gaps)
    }
}
