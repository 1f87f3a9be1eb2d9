//! One step on L1: what `eth_txs` and its history say about a commit, a proof or an execution.

use super::TraceError;
use super::history::History;
use super::rows::{Rows, Tables, i64_in};
use super::shape::{Attempt, BatchRange, L1Mined, Step};
use model::Part;
use std::collections::{BTreeMap, BTreeSet};

const TX_COLUMNS: [&str; 13] = [
    "id",
    "nonce",
    "contract_address",
    "tx_type",
    "gas_used",
    "created_at",
    "updated_at",
    "has_failed",
    "sent_at_block",
    "confirmed_eth_tx_history_id",
    "from_addr",
    "is_gateway",
    "chain_id",
];
const HISTORY_COLUMNS: [&str; 12] = [
    "id",
    "eth_tx_id",
    "tx_hash",
    "created_at",
    "sent_at",
    "sent_at_block",
    "sent_successfully",
    "confirmed_at",
    "finality_status",
    "base_fee_per_gas",
    "priority_fee_per_gas",
    "blob_base_fee_per_gas",
];

/// What `confirmed_at` is, said with every step that has one.
const NOTICED: &str = "eth_txs_history.confirmed_at: the server's clock when it noticed the receipt, not the L1 block's time";

/// The rows of the L1 transactions on the way.
pub(super) struct EthTxs {
    txs: Option<Rows>,
    txs_whole: bool,
    attempts: BTreeMap<i64, Vec<Attempt>>,
    history_here: bool,
    history_whole: bool,
    /// The history says whether and when an attempt was confirmed.
    history_confirms: bool,
    /// The history says whether an attempt was sent.
    history_sends: bool,
}

impl EthTxs {
    /// Reads the rows of these ids, and in the same pass what the attempts of all say together.
    pub(super) fn read(
        tables: &mut Tables<'_>,
        ids: &BTreeSet<i64>,
    ) -> Result<(Self, Option<History>), TraceError> {
        if ids.is_empty() {
            let none = EthTxs {
                txs: None,
                txs_whole: false,
                attempts: BTreeMap::new(),
                history_here: false,
                history_whole: false,
                history_confirms: false,
                history_sends: false,
            };
            return Ok((none, None));
        }
        let txs = tables.read("eth_txs", &TX_COLUMNS, &i64_in("id", ids.iter().copied()))?;
        let own = Part {
            columns: &HISTORY_COLUMNS,
            filter: &i64_in("eth_tx_id", ids.iter().copied()),
        };
        let (all, history) = match History::read_with(tables, &[own])? {
            Some((all, mut rows)) => (Some(all), rows.pop()),
            None => (
                None,
                tables.read("eth_txs_history", own.columns, own.filter)?,
            ),
        };
        let mut attempts: BTreeMap<i64, Vec<Attempt>> = BTreeMap::new();
        if let Some(rows) = &history {
            for row in 0..rows.len() {
                if let Some(id) = rows.int(row, "eth_tx_id") {
                    attempts.entry(id).or_default().push(attempt(rows, row));
                }
            }
        }
        for attempts in attempts.values_mut() {
            attempts.sort_by_key(|attempt| (attempt.id, attempt.created.map(|time| time.us)));
        }
        let eth_txs = EthTxs {
            txs,
            txs_whole: tables.is_whole("eth_txs"),
            attempts,
            history_here: history.is_some(),
            history_whole: tables.is_whole("eth_txs_history"),
            history_confirms: history
                .as_ref()
                .is_some_and(|rows| rows.has("confirmed_at")),
            history_sends: history.is_some_and(|rows| says_sent(&rows)),
        };
        Ok((eth_txs, all))
    }

    /// Why it is not known how far a transaction got.
    fn why_unknown(&self, tables: &Tables<'_>, is_here: bool, has_attempts: bool) -> String {
        let lacking = |table: &str, columns: &str| {
            format!(
                "{columns} of {table} is not in the evidence, so how far it got is undetermined"
            )
        };
        let table = if is_here {
            "eth_txs_history"
        } else {
            "eth_txs"
        };
        if let Some(why) = tables.why_not_whole(table) {
            return format!("{why}: how far it got is undetermined");
        }
        // Rows that are here and lack the column: more of them would not say more.
        let is_silent = self.history_here && (self.history_whole || has_attempts);
        if is_here && is_silent && !self.history_confirms {
            return lacking("eth_txs_history", "column confirmed_at");
        }
        if is_here && self.history_here && self.history_whole {
            if !self.txs.as_ref().is_some_and(|txs| txs.has("has_failed")) {
                return lacking("eth_txs", "column has_failed");
            }
            if has_attempts && !self.history_sends {
                return lacking("eth_txs_history", "column sent_at_block or sent_at");
            }
        }
        "the evidence does not hold the rows that would say how far it got".to_owned()
    }

    /// Describes one step. `link` is the batch's link: `None` if its column is not in the evidence.
    pub(super) fn step(
        &self,
        tables: &mut Tables<'_>,
        stage: &str,
        link: Option<Option<i64>>,
        batches: Option<BatchRange>,
    ) -> Step {
        let Some(link) = link else {
            tables.warn(format!(
                "{stage}: l1_batches.eth_{stage}_tx_id is not in the evidence, so nothing is known of this step"
            ));
            return Step::default();
        };
        let Some(id) = link else {
            return Step {
                state: Some("none".to_owned()),
                ..Step::default()
            };
        };
        let mut step = Step {
            eth_tx_id: Some(id),
            batches,
            ..Step::default()
        };
        let row = self
            .txs
            .as_ref()
            .and_then(|txs| Some((txs, txs.find("id", id)?)));
        if let Some((txs, row)) = row {
            step.nonce = txs.int(row, "nonce");
            step.saved = txs.time(row, "created_at");
            step.tx_type = txs.text(row, "tx_type");
            step.contract_address = txs.hex(row, "contract_address");
            step.from_addr = txs.hex(row, "from_addr");
            step.has_failed = txs.bool(row, "has_failed");
            step.is_gateway = txs.bool(row, "is_gateway");
            step.chain_id = txs.int(row, "chain_id");
            step.gas_used = txs.int(row, "gas_used");
            step.confirmed_eth_tx_history_id = txs.int(row, "confirmed_eth_tx_history_id");
            step.refs.push(txs.reference(row));
        }
        let attempts = self.attempts.get(&id).cloned().unwrap_or_default();
        step.refs
            .extend(attempts.iter().map(|attempt| attempt.reference.clone()));
        let confirmed_ids: Vec<i64> = attempts
            .iter()
            .filter(|attempt| attempt.confirmed.is_some())
            .filter_map(|attempt| attempt.id)
            .collect();
        let linked = step
            .confirmed_eth_tx_history_id
            .and_then(|id| attempts.iter().find(|attempt| attempt.id == Some(id)));
        // The server's own join: any attempt that has confirmed_at. The newest, should there be two.
        let noticed = attempts
            .iter()
            .rev()
            .find(|attempt| attempt.confirmed.is_some());
        let has_link_column = self
            .txs
            .as_ref()
            .is_some_and(|txs| txs.has("confirmed_eth_tx_history_id"));
        let state = state(&Facts {
            here: row.is_some(),
            txs_whole: self.txs_whole,
            has_failed: step.has_failed == Some(true),
            has_link: step.confirmed_eth_tx_history_id.is_some(),
            linked_here: linked.is_some(),
            is_noticed: noticed.is_some(),
            noticed_has_id: noticed.is_some_and(|attempt| attempt.id.is_some()),
            has_link_column,
            has_gas_used: step.gas_used.is_some(),
            history_whole: self.history_whole,
            history_confirms: self.history_confirms,
            history_sends: self.history_sends,
            knows_failed: self.txs.as_ref().is_some_and(|txs| txs.has("has_failed")),
            has_attempts: !attempts.is_empty(),
            is_sent: attempts.iter().any(is_sent),
        });
        let undated = ["has_failed", "confirmed_eth_tx_history_id", "gas_used"];
        let undated = undated
            .into_iter()
            .find(|column| tables.is_unknown("eth_txs", id, column));
        let state = state.filter(|_| undated.is_none());
        // The attempt that was mined, unless the link names another whose row is gone.
        let unlinked =
            |attempt: &&Attempt| step.confirmed_eth_tx_history_id.is_none() || attempt.id.is_none();
        let mined = match state {
            Some("confirmed" | "confirmed_unlinked") => linked.or(noticed.filter(unlinked)),
            _ => None,
        };
        match undated {
            Some("has_failed") => tables.warn(format!(
                "{stage}: eth_tx {id} has failed by the time of the dump; whether it had at that time is not in the tables, which do not date a failure"
            )),
            Some(_) => tables.warn(format!(
                "{stage}: eth_tx {id} is confirmed by the time of the dump; whether it was at that time is not in the tables: the row that dates it is gone"
            )),
            None => {}
        }
        if state.is_none() && undated.is_none() {
            let why = self.why_unknown(tables, row.is_some(), !attempts.is_empty());
            tables.warn(format!("{stage}: the batch names eth_tx {id}, but {why}"));
        }
        if state == Some("confirmed") && row.is_some() && linked.or(noticed).is_none() {
            let why = tables.why_not_whole("eth_txs_history").unwrap_or_else(|| {
                "not all rows of eth_txs_history are in the evidence".to_owned()
            });
            tables.warn(format!(
                "{stage}: {why}: eth_tx {id} was confirmed, as its own row says, but the row with its L1 hash and time cannot be read here"
            ));
        }
        if state == Some("confirmed") && row.is_none() {
            tables.warn(format!(
                "{stage}: no row of eth_txs with id {id} is in the evidence; confirmed by its history row alone"
            ));
        }
        if state == Some("confirmed_history_missing") {
            tables.warn(format!(
                "{stage}: eth_tx {id} was confirmed, but the history row with its L1 hash is gone"
            ));
        }
        if state == Some("confirmed_unlinked") {
            // Taking a confirmation back also sets its finality to pending and clears the gas.
            let pending = mined.is_some_and(|attempt| {
                attempt.finality_status.as_deref() == Some("pending") && step.gas_used.is_none()
            });
            step.is_taken_back = pending;
            tables.warn(format!(
                "{stage}: an attempt of eth_tx {id} has confirmed_at, but eth_txs no longer links to it: {}",
                if pending {
                    "its finality is pending again, as after an L1 reorg took the confirmation back (unfinalize)"
                } else if mined.is_some_and(|attempt| attempt.finality_status.is_some()) {
                    "the link was lost"
                } else {
                    "the link was lost, or an L1 reorg took the confirmation back"
                }
            ));
        }
        if confirmed_ids.len() > 1 {
            tables.warn(format!(
                "{stage}: {} attempts of eth_tx {id} have confirmed_at, yet only one can be mined",
                confirmed_ids.len()
            ));
        }
        if step.is_gateway == Some(true) {
            tables.warn(format!(
                "{stage}: the hash is one of a gateway (chain {}), not of Ethereum; what is done there is final on L1 only when the gateway's own batch is",
                step.chain_id
                    .map_or_else(|| "unknown".to_owned(), |chain| chain.to_string())
            ));
        }
        let copied = step.nonce == Some(0) && step.contract_address.as_deref() == Some("");
        step.is_copied = copied;
        if copied {
            tables.warn(format!(
                "{stage}: eth_tx {id} is a copy that an external node made (nonce 0, no contract): fees, nonce and attempts are placeholders"
            ));
        }
        if let Some(attempt) = mined {
            step.l1_tx_hash = attempt.l1_tx_hash.clone();
            step.confirmed_at = attempt.confirmed_at.clone();
            step.finality_status = attempt.finality_status.clone();
            step.confirmed = attempt.confirmed;
            if let Some(noticed) = attempt.confirmed {
                step.noticed_basis = Some(NOTICED.to_owned());
                let signed = attempt
                    .created
                    .filter(|signed| !copied && signed.us <= noticed.us);
                step.l1_mined = Some(L1Mined {
                    at: None,
                    not_before: signed.map(|time| time.print()),
                    not_after: Some(noticed.print()),
                    basis: "bounds".to_owned(),
                });
            }
        }
        // Rows that are not in a part of the table do not say that there are none.
        if self.history_here && (self.history_whole || !attempts.is_empty()) {
            step.history_ids_with_confirmed_at = Some(confirmed_ids);
            step.attempts = Some(attempts);
        }
        step.state = state.map(str::to_owned);
        step
    }
}

/// What the rows say of one L1 transaction, as far as its state goes.
pub(crate) struct Facts {
    /// Its row in `eth_txs` is here.
    pub(crate) here: bool,
    /// `eth_txs` can be expected to be whole.
    pub(crate) txs_whole: bool,
    pub(crate) has_failed: bool,
    /// It links to a history row.
    pub(crate) has_link: bool,
    /// That history row is here.
    pub(crate) linked_here: bool,
    /// An attempt has `confirmed_at`.
    pub(crate) is_noticed: bool,
    /// The attempt that has it bears an id that a link could name.
    pub(crate) noticed_has_id: bool,
    pub(crate) has_link_column: bool,
    pub(crate) has_gas_used: bool,
    /// The history can be expected to be whole.
    pub(crate) history_whole: bool,
    /// The history has the column `confirmed_at`.
    pub(crate) history_confirms: bool,
    /// It has a column that says whether an attempt was sent.
    pub(crate) history_sends: bool,
    /// `eth_txs` has the column `has_failed`.
    pub(crate) knows_failed: bool,
    pub(crate) has_attempts: bool,
    pub(crate) is_sent: bool,
}

/// The state of an L1 transaction, in the contract's words; `None` if the evidence does not say.
pub(crate) fn state(facts: &Facts) -> Option<&'static str> {
    if !facts.here {
        return match facts.is_noticed {
            true => Some("confirmed"),
            false if facts.txs_whole => Some("eth_tx_missing"),
            false => None,
        };
    }
    if facts.has_failed {
        return Some("failed");
    }
    if facts.linked_here {
        return Some("confirmed");
    }
    if facts.has_link {
        // The link is there, its row is not: the database cannot hold that (foreign key), a part of it
        // can.
        let without_id = facts.is_noticed && !facts.noticed_has_id;
        return Some(if facts.history_whole && !without_id {
            "confirmed_history_missing"
        } else {
            "confirmed"
        });
    }
    if facts.is_noticed {
        return Some(if facts.has_link_column {
            "confirmed_unlinked"
        } else {
            "confirmed"
        });
    }
    // gas_used comes from the receipt alone.
    if facts.has_gas_used {
        return Some(match facts.history_whole {
            true => "confirmed_history_missing",
            false => "confirmed",
        });
    }
    if !facts.history_whole || !facts.history_confirms {
        return None;
    }
    match (facts.has_attempts, facts.is_sent) {
        (false, _) => Some("saved"),
        // A receipt may have said that it failed: that stands in a column which is not here.
        _ if !facts.knows_failed => None,
        (true, true) => Some("sent"),
        (true, false) => facts.history_sends.then_some("signed_unsent"),
    }
}

/// Whether rows of `eth_txs_history` say if an attempt was handed to L1.
pub(crate) fn says_sent(rows: &Rows) -> bool {
    rows.has("sent_at_block") || rows.has("sent_at")
}

/// Whether an attempt is known to have been handed to L1.
fn is_sent(attempt: &Attempt) -> bool {
    attempt.sent_successfully != Some(false)
        && (attempt.sent_at_block.is_some() || attempt.sent_at.is_some())
}

fn attempt(rows: &Rows, row: usize) -> Attempt {
    let created = rows.time(row, "created_at");
    let confirmed = rows.time(row, "confirmed_at");
    Attempt {
        id: rows.int(row, "id"),
        l1_tx_hash: rows.hex(row, "tx_hash"),
        created_at: created.map(|time| time.print()),
        sent_at: rows.time(row, "sent_at").map(|time| time.print()),
        sent_at_block: rows.int(row, "sent_at_block"),
        sent_successfully: rows.bool(row, "sent_successfully"),
        confirmed_at: confirmed.map(|time| time.print()),
        finality_status: rows.text(row, "finality_status"),
        base_fee_per_gas: rows.int(row, "base_fee_per_gas"),
        priority_fee_per_gas: rows.int(row, "priority_fee_per_gas"),
        blob_base_fee_per_gas: rows.int(row, "blob_base_fee_per_gas"),
        reference: rows.reference(row),
        created,
        confirmed,
    }
}
