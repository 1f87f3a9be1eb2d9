//! All L1 transactions and their attempts, for looking up a batch's steps.

use super::shape::StepLine;
use crate::trace::TraceError;
use crate::trace::history::History;
use crate::trace::rows::{DbTime, Rows, Tables};
use crate::trace::step::{Facts, says_sent, state};
use model::RowFilter;
use std::collections::{BTreeMap, BTreeSet};

const TX_COLUMNS: [&str; 7] = [
    "id",
    "nonce",
    "contract_address",
    "created_at",
    "has_failed",
    "gas_used",
    "confirmed_eth_tx_history_id",
];
const HISTORY_COLUMNS: [&str; 11] = [
    "id",
    "eth_tx_id",
    "tx_hash",
    "created_at",
    "updated_at",
    "sent_at",
    "sent_at_block",
    "sent_successfully",
    "confirmed_at",
    "base_fee_per_gas",
    "priority_fee_per_gas",
];

/// Wei in a gwei.
const GWEI: i64 = 1_000_000_000;

/// The rows, indexed.
pub(super) struct Sends {
    txs: Option<Rows>,
    by_id: BTreeMap<i64, usize>,
    txs_whole: bool,
    attempts: Option<Rows>,
    /// L1 transaction to its attempts, in order of id.
    by_tx: BTreeMap<i64, Vec<usize>>,
    history_whole: bool,
    history: Option<History>,
    is_copied: bool,
    /// Whether they had failed or were confirmed at the moment looked at is in no row.
    undated: BTreeSet<i64>,
}

impl Sends {
    pub(super) fn read(tables: &mut Tables<'_>) -> Result<Sends, TraceError> {
        let txs = tables.read("eth_txs", &TX_COLUMNS, &RowFilter::All)?;
        let attempts = tables.read("eth_txs_history", &HISTORY_COLUMNS, &RowFilter::All)?;
        let mut by_id = BTreeMap::new();
        let mut is_copied = false;
        if let Some(rows) = &txs {
            for row in 0..rows.len() {
                if let Some(id) = rows.int(row, "id") {
                    by_id.insert(id, row);
                    is_copied |= is_copy(rows, row);
                }
            }
        }
        let mut by_tx: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
        if let Some(rows) = &attempts {
            for row in 0..rows.len() {
                if let Some(id) = rows.int(row, "eth_tx_id") {
                    by_tx.entry(id).or_default().push(row);
                }
            }
            for list in by_tx.values_mut() {
                list.sort_by_key(|&row| (rows.int(row, "id"), rows.time(row, "created_at")));
            }
        }
        let columns = ["has_failed", "confirmed_eth_tx_history_id", "gas_used"];
        let is_undated = |id: &i64| {
            columns
                .iter()
                .any(|column| tables.is_unknown("eth_txs", *id, column))
        };
        let undated = by_id.keys().copied().filter(is_undated).collect();
        let confirms = tables.has_column("eth_txs_history", "confirmed_at");
        let has_finality = tables.has_column("eth_txs_history", "finality_status");
        let history = attempts
            .as_ref()
            .filter(|_| confirms)
            .map(|rows| History::of_rows(rows, has_finality));
        Ok(Sends {
            txs,
            by_id,
            txs_whole: tables.is_whole("eth_txs"),
            attempts,
            by_tx,
            history_whole: tables.is_whole("eth_txs_history"),
            history,
            is_copied,
            undated,
        })
    }

    pub(super) fn history(&self) -> Option<&History> {
        self.history.as_ref()
    }

    /// Whether rows are an external node's copies.
    pub(super) fn is_copied(&self) -> bool {
        self.is_copied
    }

    /// Whether the server noticed receipts only once their L1 block was final.
    pub(super) fn notes_final_receipts(&self) -> bool {
        self.history
            .as_ref()
            .is_some_and(|history| !history.has_finality)
    }

    /// Says of which transactions the state then cannot be known.
    pub(super) fn warn_undated(&self, tables: &mut Tables<'_>) {
        if let Some(first) = self.undated.first() {
            tables.warn(format!(
                "of {} L1 transactions (the first: eth_tx {first}) no row dates the failure or the confirmation that the dump has: whether they had failed or were confirmed at that time is unknown",
                self.undated.len()
            ));
        }
    }

    /// What a batch's link leads to. `link` is `None` where the evidence has no such column.
    pub(super) fn step(&self, link: Option<Option<i64>>) -> StepLine {
        let Some(link) = link else {
            return StepLine::default();
        };
        let Some(id) = link else {
            return StepLine {
                state: Some("none"),
                ..StepLine::default()
            };
        };
        let tx = self
            .txs
            .as_ref()
            .and_then(|rows| Some((rows, *self.by_id.get(&id)?)));
        let list: &[usize] = self.by_tx.get(&id).map_or(&[], Vec::as_slice);
        let attempts = self.attempts.as_ref().map(|rows| (rows, list));
        let link = tx.and_then(|(rows, row)| rows.int(row, "confirmed_eth_tx_history_id"));
        let linked = attempts.and_then(|(rows, list)| {
            list.iter()
                .copied()
                .find(|&row| link.is_some() && rows.int(row, "id") == link)
        });
        let noticed = attempts.and_then(|(rows, list)| {
            list.iter()
                .copied()
                .rev()
                .find(|&row| rows.time(row, "confirmed_at").is_some())
        });
        let has_id = |row: usize| self.attempt_int(row, "id").is_some();
        let gas_used = tx.and_then(|(rows, row)| rows.int(row, "gas_used"));
        let state = state(&Facts {
            here: tx.is_some(),
            txs_whole: self.txs_whole,
            has_failed: tx.is_some_and(|(rows, row)| rows.bool(row, "has_failed") == Some(true)),
            has_link: link.is_some(),
            linked_here: linked.is_some(),
            is_noticed: noticed.is_some(),
            noticed_has_id: noticed.is_some_and(has_id),
            has_link_column: self
                .txs
                .as_ref()
                .is_some_and(|rows| rows.has("confirmed_eth_tx_history_id")),
            has_gas_used: gas_used.is_some(),
            history_whole: self.history_whole,
            history_confirms: self.history.is_some(),
            history_sends: self.attempts.as_ref().is_some_and(says_sent),
            knows_failed: self.txs.as_ref().is_some_and(|rows| rows.has("has_failed")),
            has_attempts: !list.is_empty(),
            is_sent: attempts
                .is_some_and(|(rows, list)| list.iter().any(|&row| sent_at(rows, row).1)),
        });
        let state = state.filter(|_| !self.undated.contains(&id));
        let mined = match state {
            Some("confirmed" | "confirmed_unlinked") => {
                linked.or(noticed.filter(|&row| link.is_none() || !has_id(row)))
            }
            _ => None,
        };
        let copied = tx.is_some_and(|(rows, row)| is_copy(rows, row));
        let time = |row: usize, column: &str| self.attempts.as_ref()?.time(row, column);
        StepLine {
            state,
            eth_tx_id: Some(id),
            attempts: (self.history_whole || !list.is_empty()).then_some(list.len() as i64),
            gas_used,
            fee_at_most_gwei: mined.and_then(|row| {
                let price = i128::from(self.attempt_int(row, "base_fee_per_gas")?)
                    + i128::from(self.attempt_int(row, "priority_fee_per_gas").unwrap_or(0));
                let wei = i128::from(gas_used?) * price;
                i64::try_from(wei / i128::from(GWEI)).ok()
            }),
            l1_tx_hash: mined.and_then(|row| self.attempts.as_ref()?.hex(row, "tx_hash")),
            saved_at: tx
                .filter(|_| !copied)
                .and_then(|(rows, row)| rows.time(row, "created_at")),
            sent_at: attempts
                .filter(|_| !copied)
                .and_then(|(rows, list)| list.iter().find_map(|&row| sent_at(rows, row).0)),
            mined_not_before: mined
                .filter(|_| !copied)
                .and_then(|row| time(row, "created_at")),
            noticed_at: mined.and_then(|row| time(row, "confirmed_at")),
            reference: tx.map(|(rows, row)| rows.reference(row)),
        }
    }

    fn attempt_int(&self, row: usize, column: &str) -> Option<i64> {
        self.attempts.as_ref()?.int(row, column)
    }

    /// Bids of the first and the last attempt, which attempt was confirmed (from 1), and their rows.
    pub(super) fn bids(&self, id: i64) -> (Option<i64>, Option<i64>, Option<i64>, Vec<String>) {
        let (Some(rows), Some(list)) = (&self.attempts, self.by_tx.get(&id)) else {
            return (None, None, None, Vec::new());
        };
        let bid = |row: Option<&usize>| rows.int(*row?, "base_fee_per_gas");
        let mined = list
            .iter()
            .rposition(|&row| rows.time(row, "confirmed_at").is_some())
            .map(|at| at as i64 + 1);
        let refs = list.iter().map(|&row| rows.reference(row)).collect();
        (bid(list.first()), bid(list.last()), mined, refs)
    }
}

/// `insert_bogus_confirmed_eth_tx` of an external node writes nonce 0 and no contract.
fn is_copy(rows: &Rows, row: usize) -> bool {
    rows.int(row, "nonce") == Some(0) && rows.text(row, "contract_address").as_deref() == Some("")
}

/// When an attempt was handed to L1, and whether it is known to have been.
fn sent_at(rows: &Rows, row: usize) -> (Option<DbTime>, bool) {
    if rows.bool(row, "sent_successfully") == Some(false) {
        return (None, false);
    }
    let time = rows.time(row, "sent_at");
    let is_sent = time.is_some() || rows.int(row, "sent_at_block").is_some();
    (time, is_sent)
}
