//! Per table: which columns date a row and its cells, and how the row stood then.

use super::facts::{Facts, LookedUp, Sealing};
use super::{Cells, Clock, RowThen, Then, Value};
use crate::rows::{DbTime, Rows};
use model::time::MICROS_PER_SECOND;

/// What becomes of a table's rows.
pub(super) struct Rule {
    tables: &'static [&'static str],
    /// Columns that decide.
    pub(super) reads: &'static [&'static str],
    /// The column by which cells are named.
    pub(super) key: Option<&'static str>,
    /// The column that points to a miniblock whose time decides.
    pub(super) miniblock: Option<&'static str>,
    pub(super) then: fn(&Row<'_>) -> RowThen,
}

/// A row as it is now.
pub(super) struct Row<'a> {
    pub(super) rows: &'a Rows,
    pub(super) row: usize,
    pub(super) clock: Clock,
    pub(super) facts: &'a Facts,
    pub(super) looked_up: &'a LookedUp,
}

const RULES: [Rule; 8] = [
    Rule {
        tables: &["l2_to_l1_logs"],
        reads: &["created_at", "miniblock_number"],
        key: None,
        miniblock: Some("miniblock_number"),
        then: log,
    },
    Rule {
        tables: &["transactions"],
        reads: &[
            "received_at",
            "created_at",
            "updated_at",
            "miniblock_number",
            "l1_batch_number",
            "error",
        ],
        key: None,
        miniblock: Some("miniblock_number"),
        then: transaction,
    },
    Rule {
        tables: &["miniblocks"],
        reads: &[
            "number",
            "created_at",
            "timestamp",
            "l1_batch_number",
            "eth_precommit_tx_id",
        ],
        key: Some("number"),
        miniblock: None,
        then: miniblock,
    },
    Rule {
        tables: &["l1_batches"],
        reads: &[
            "number",
            "created_at",
            "updated_at",
            "sealed_at",
            "timestamp",
            "is_sealed",
            "hash",
            "commitment",
            "eth_commit_tx_id",
            "eth_prove_tx_id",
            "eth_execute_tx_id",
            "final_precommit_eth_tx_id",
        ],
        key: Some("number"),
        miniblock: None,
        then: batch,
    },
    Rule {
        tables: &["eth_txs"],
        reads: &[
            "id",
            "created_at",
            "has_failed",
            "gas_used",
            "confirmed_eth_tx_history_id",
        ],
        key: Some("id"),
        miniblock: None,
        then: eth_tx,
    },
    Rule {
        tables: &["eth_txs_history"],
        reads: &[
            "id",
            "created_at",
            "updated_at",
            "sent_at",
            "confirmed_at",
            "finality_status",
        ],
        key: Some("id"),
        miniblock: None,
        then: attempt,
    },
    Rule {
        tables: &[
            "prover_jobs",
            "prover_jobs_fri",
            "witness_inputs",
            "witness_inputs_fri",
            "proof_compression_jobs_fri",
        ],
        reads: &JOB_READS,
        key: None,
        miniblock: None,
        then: queued_job,
    },
    Rule {
        tables: &[
            "prover_jobs_fri_archive",
            "leaf_aggregation_witness_jobs",
            "node_aggregation_witness_jobs",
            "scheduler_witness_jobs",
            "leaf_aggregation_witness_jobs_fri",
            "node_aggregation_witness_jobs_fri",
            "recursion_tip_witness_jobs_fri",
            "scheduler_witness_jobs_fri",
            "proof_generation_details",
        ],
        reads: &JOB_READS,
        key: None,
        miniblock: None,
        then: job,
    },
];

const JOB_READS: [&str; 6] = [
    "created_at",
    "updated_at",
    "processing_started_at",
    "prover_taken_at",
    "attempts",
    "status",
];

/// The rule of a table, if its rows bear dates.
pub(super) fn of(table: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.tables.contains(&table))
}

impl Row<'_> {
    /// The row, if it was made later by the clock in `column`.
    fn not_yet(&self, column: &str) -> Option<RowThen> {
        let made = self.rows.time(self.row, column)?;
        self.clock.is_after(made).then_some(RowThen::NotYet(made))
    }

    /// Whether the time in a column is later; `None` if it holds none.
    fn is_later(&self, column: &str) -> Option<bool> {
        let time = self.rows.time(self.row, column)?;
        Some(self.clock.is_after(time))
    }

    fn int(&self, column: &str) -> Option<i64> {
        self.rows.int(self.row, column)
    }

    fn is_set(&self, column: &str) -> bool {
        self.rows.is_set(self.row, column)
    }

    /// What a cell held whose last possible change is that of the row.
    fn dated_by_row(&self, column: &'static str, cells: &mut Cells) {
        if self.is_set(column) && self.is_later("updated_at") != Some(false) {
            self.unknown(column, cells);
        }
    }

    /// Nobody can say, unless nothing at all is later than the moment: then it is the dump's own.
    fn unknown(&self, column: &'static str, cells: &mut Cells) {
        if self.facts.has_later {
            cells.push((column, Then::Unknown));
        }
    }

    /// The row, if its block was made later.
    fn not_yet_by_block(&self) -> Option<RowThen> {
        let us = self.int("timestamp")?.checked_mul(MICROS_PER_SECOND)?;
        let made = DbTime { us, utc: true };
        self.clock.is_after(made).then_some(RowThen::NotYet(made))
    }

    /// A link to an L1 transaction was set when that was saved.
    fn link(&self, column: &'static str, cells: &mut Cells) {
        let Some(tx) = self.int(column) else { return };
        match self.facts.is_saved(tx, self.clock) {
            Some(true) => {}
            Some(false) => cells.push((column, Then::Unset)),
            None => self.dated_by_row(column, cells),
        }
    }
}

fn log(row: &Row<'_>) -> RowThen {
    if let Some(gone) = row.not_yet("created_at") {
        return gone;
    }
    // A log is written with its miniblock.
    let miniblock = row.int("miniblock_number");
    let later = |number: i64| {
        (row.looked_up.is_later(number, row.clock) == Some(true))
            .then(|| row.looked_up.made(number))
            .flatten()
    };
    match miniblock.and_then(later) {
        Some(made) => RowThen::NotYet(made),
        None => RowThen::There(Vec::new()),
    }
}

fn transaction(row: &Row<'_>) -> RowThen {
    if let Some(gone) = row
        .not_yet("received_at")
        .or_else(|| row.not_yet("created_at"))
    {
        return gone;
    }
    let mut cells = Vec::new();
    let mut is_included = true;
    if let Some(number) = row.int("miniblock_number") {
        match row.looked_up.is_later(number, row.clock) {
            Some(false) => {}
            Some(true) => {
                is_included = false;
                // Why it failed was written with its block.
                for column in ["miniblock_number", "l1_batch_number", "error"] {
                    cells.push((column, Then::Unset));
                }
            }
            None => row.dated_by_row("miniblock_number", &mut cells),
        }
    } else {
        row.dated_by_row("error", &mut cells);
    }
    if let Some(number) = row.int("l1_batch_number").filter(|_| is_included)
        && row.facts.sealing(number, row.clock) == Sealing::Open
    {
        cells.push(("l1_batch_number", Then::Unset));
    }
    row.dated_by_row("in_mempool", &mut cells);
    RowThen::There(cells)
}

fn miniblock(row: &Row<'_>) -> RowThen {
    let made = row.not_yet("created_at");
    if let Some(gone) = made.or_else(|| row.not_yet_by_block()) {
        return gone;
    }
    let mut cells = Vec::new();
    if let Some(number) = row.int("l1_batch_number")
        && row.facts.sealing(number, row.clock) == Sealing::Open
    {
        cells.push(("l1_batch_number", Then::Unset));
    }
    row.link("eth_precommit_tx_id", &mut cells);
    RowThen::There(cells)
}

fn batch(row: &Row<'_>) -> RowThen {
    let made = row.not_yet("created_at");
    if let Some(gone) = made.or_else(|| row.not_yet_by_block()) {
        return gone;
    }
    let mut cells = Vec::new();
    if row.rows.has("is_sealed")
        && let Some(number) = row.int("number")
    {
        match row.facts.sealing(number, row.clock) {
            Sealing::Sealed => {}
            Sealing::Open => {
                cells.push(("is_sealed", Then::Was(Value::Truth(false))));
                // What was in it was counted when it was sealed.
                for column in ["sealed_at", "l1_tx_count", "l2_tx_count"] {
                    cells.push((column, Then::Unset));
                }
            }
            Sealing::Unknown => row.unknown("is_sealed", &mut cells),
        }
    }
    for column in [
        "eth_commit_tx_id",
        "eth_prove_tx_id",
        "eth_execute_tx_id",
        "final_precommit_eth_tx_id",
    ] {
        row.link(column, &mut cells);
    }
    for column in ["hash", "commitment"] {
        row.dated_by_row(column, &mut cells);
    }
    RowThen::There(cells)
}

fn eth_tx(row: &Row<'_>) -> RowThen {
    if let Some(gone) = row.not_yet("created_at") {
        return gone;
    }
    let mut cells = Vec::new();
    let attempts = row.int("id").map_or(&[][..], |id| row.facts.attempts(id));
    let signed = attempts.iter().filter_map(|attempt| attempt.created);
    let was_signed = signed.map(|time| !row.clock.is_after(time)).max();
    if row.rows.bool(row.row, "has_failed") == Some(true) {
        // No column says when: only that it was not before the first attempt.
        match was_signed {
            Some(false) => cells.push(("has_failed", Then::Was(Value::Truth(false)))),
            _ => row.unknown("has_failed", &mut cells),
        }
    }
    let link = row.int("confirmed_eth_tx_history_id");
    if link.is_none() && !row.is_set("gas_used") {
        return RowThen::There(cells);
    }
    // The receipt was noticed: the link and the gas were written with `confirmed_at`.
    let linked = attempts.iter().find(|a| link.is_some() && a.id == link);
    let noticed = match linked {
        Some(attempt) => attempt.confirmed,
        None => attempts
            .iter()
            .filter_map(|a| a.confirmed)
            .min_by_key(|time| time.us),
    };
    for column in ["confirmed_eth_tx_history_id", "gas_used"] {
        match (noticed, was_signed) {
            (Some(noticed), _) if !row.clock.is_after(noticed) => {}
            (Some(_), _) | (None, Some(false)) => cells.push((column, Then::Unset)),
            (None, _) => row.unknown(column, &mut cells),
        }
    }
    RowThen::There(cells)
}

fn attempt(row: &Row<'_>) -> RowThen {
    if let Some(gone) = row.not_yet("created_at") {
        return gone;
    }
    let mut cells = Vec::new();
    if row.is_later("sent_at") == Some(true) {
        for column in ["sent_at", "sent_at_block", "sent_successfully"] {
            cells.push((column, Then::Unset));
        }
    }
    if row.is_later("confirmed_at") == Some(true) {
        cells.push(("confirmed_at", Then::Unset));
        if row.is_set("finality_status") {
            cells.push(("finality_status", Then::Was(Value::Word("pending"))));
        }
    } else if row.rows.str(row.row, "finality_status") != Some("pending") {
        row.dated_by_row("finality_status", &mut cells);
    }
    RowThen::There(cells)
}

/// A job of a table whose jobs are made ready to be taken.
fn queued_job(row: &Row<'_>) -> RowThen {
    let then = job(row);
    let RowThen::There(cells) = &then else {
        return then;
    };
    // Every pick and every re-queue that counts adds one: a job with one attempt had none before it was taken.
    let was_free = match row.int("attempts") {
        Some(0) => true,
        Some(1) => row.is_later("processing_started_at") == Some(true),
        _ => false,
    };
    if cells.is_empty() || !was_free {
        return then;
    }
    RowThen::There(vec![
        ("status", Then::Was(Value::Word("queued"))),
        ("attempts", Then::Was(Value::Number(0))),
        ("processing_started_at", Then::Unset),
        ("updated_at", Then::Unset),
        ("error", Then::Unset),
    ])
}

/// A row of jobs holds the last change alone: what it was before that is known only in part.
fn job(row: &Row<'_>) -> RowThen {
    if let Some(gone) = row.not_yet("created_at") {
        return gone;
    }
    let changes = ["updated_at", "processing_started_at", "prover_taken_at"];
    if !changes
        .iter()
        .any(|column| row.is_later(column) == Some(true))
    {
        return RowThen::There(Vec::new());
    }
    let mut cells = vec![("status", Then::Unknown), ("error", Then::Unknown)];
    for column in ["processing_started_at", "prover_taken_at"] {
        // A pick and a re-queue both write the time: with it, attempts stand since then.
        if row.is_later(column) == Some(true) {
            cells.push((column, Then::Unknown));
            cells.push(("attempts", Then::Unknown));
        }
    }
    RowThen::There(cells)
}
