//! What dates the cells that bear no date themselves: when L1 transactions, their receipts, batches and
//! miniblocks came to be.

use super::Clock;
use crate::rows::{DbTime, Rows, i64_in};
use model::{RowFilter, TableError, TableInfo, TableSource};
use std::collections::{BTreeMap, BTreeSet};

/// An attempt of an L1 transaction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    pub(super) id: Option<i64>,
    pub(super) created: Option<DbTime>,
    pub(super) confirmed: Option<DbTime>,
}

/// A row of `l1_batches`.
#[derive(Clone, Copy, Debug, Default)]
struct Batch {
    created: Option<DbTime>,
    updated: Option<DbTime>,
    sealed: Option<DbTime>,
    is_sealed: Option<bool>,
    commit: Option<i64>,
}

/// Whether a batch was sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sealing {
    Sealed,
    Open,
    Unknown,
}

/// A row of `miniblocks`.
#[derive(Clone, Copy, Debug)]
struct Miniblock {
    created: Option<DbTime>,
    timestamp: Option<i64>,
}

/// What was looked up for the rows of one read.
#[derive(Default)]
pub(super) struct LookedUp {
    miniblocks: BTreeMap<i64, Miniblock>,
}

impl LookedUp {
    /// When a miniblock was made, if that is after the moment. `None`: not known.
    pub(super) fn is_later(&self, miniblock: i64, clock: Clock) -> Option<bool> {
        let of = self.miniblocks.get(&miniblock)?;
        let by_block = of.timestamp.is_some_and(|s| clock.is_after_unix(s));
        match of.created {
            Some(created) => Some(by_block || clock.is_after(created)),
            None => by_block.then_some(true),
        }
    }

    pub(super) fn made(&self, miniblock: i64) -> Option<DbTime> {
        self.miniblocks.get(&miniblock)?.created
    }
}

/// The rows that date others.
#[derive(Default)]
pub(super) struct Facts {
    /// By id in `eth_txs`.
    txs: BTreeMap<i64, Option<DbTime>>,
    /// By `eth_tx_id`.
    attempts: BTreeMap<i64, Vec<Attempt>>,
    batches: BTreeMap<i64, Batch>,
    /// Rows of batches are made when they open, not when they are sealed.
    has_open_batches: bool,
    has_miniblocks: bool,
    /// The tables that date others bear times.
    /// A time in them is later than the moment: else they stand as they stood then.
    pub(super) has_later: bool,
}

impl Facts {
    pub(super) fn read(
        source: &dyn TableSource,
        infos: &[TableInfo],
        clock: Clock,
    ) -> Result<Facts, TableError> {
        let mut facts = Facts::default();
        let all =
            |table: &str, columns: &[&str]| rows(source, infos, table, columns, &RowFilter::All);
        if let Some(rows) = all("eth_txs", &["id", "created_at"])? {
            for row in 0..rows.len() {
                if let Some(id) = rows.int(row, "id") {
                    facts.txs.insert(id, rows.time(row, "created_at"));
                }
            }
        }
        let columns = ["id", "eth_tx_id", "created_at", "confirmed_at"];
        if let Some(rows) = all("eth_txs_history", &columns)? {
            for row in 0..rows.len() {
                let attempt = Attempt {
                    id: rows.int(row, "id"),
                    created: rows.time(row, "created_at"),
                    confirmed: rows.time(row, "confirmed_at"),
                };
                if let Some(tx) = rows.int(row, "eth_tx_id") {
                    facts.attempts.entry(tx).or_default().push(attempt);
                }
            }
        }
        let columns = [
            "number",
            "created_at",
            "updated_at",
            "sealed_at",
            "is_sealed",
            "is_finished",
            "eth_commit_tx_id",
        ];
        if let Some(rows) = all("l1_batches", &columns)? {
            facts.has_open_batches = rows.has("is_sealed");
            for row in 0..rows.len() {
                let batch = Batch {
                    created: rows.time(row, "created_at"),
                    updated: rows.time(row, "updated_at"),
                    sealed: rows.time(row, "sealed_at"),
                    is_sealed: rows
                        .bool(row, "is_sealed")
                        .or_else(|| rows.bool(row, "is_finished")),
                    commit: rows.int(row, "eth_commit_tx_id"),
                };
                if let Some(number) = rows.int(row, "number") {
                    facts.batches.insert(number, batch);
                }
            }
        }
        facts.has_miniblocks = infos.iter().any(|info| info.name == "miniblocks");
        let attempts = facts.attempts.values().flatten();
        let attempts = attempts.flat_map(|attempt| [attempt.created, attempt.confirmed]);
        let batches = facts.batches.values();
        let batches = batches.flat_map(|batch| [batch.created, batch.updated, batch.sealed]);
        let mut times = facts.txs.values().copied().chain(attempts).chain(batches);
        facts.has_later = times.any(|time| time.is_some_and(|time| clock.is_after(time)));
        Ok(facts)
    }

    /// Looks up the miniblocks that rows point to.
    pub(super) fn for_rows(
        &self,
        source: &dyn TableSource,
        miniblocks: BTreeSet<i64>,
    ) -> Result<LookedUp, TableError> {
        let mut found = LookedUp::default();
        if miniblocks.is_empty() || !self.has_miniblocks {
            return Ok(found);
        }
        let columns = ["number", "created_at", "timestamp"];
        let mut infos = source.tables();
        model::leave_public(&mut infos, |_| false);
        let filter = i64_in("number", miniblocks);
        if let Some(rows) = rows(source, &infos, "miniblocks", &columns, &filter)? {
            for row in 0..rows.len() {
                let miniblock = Miniblock {
                    created: rows.time(row, "created_at"),
                    timestamp: rows.int(row, "timestamp"),
                };
                if let Some(number) = rows.int(row, "number") {
                    found.miniblocks.insert(number, miniblock);
                }
            }
        }
        Ok(found)
    }

    /// When the row of a batch was made.
    pub(super) fn batch_made(&self, number: i64) -> Option<DbTime> {
        self.batches.get(&number)?.created
    }

    /// The attempts of an L1 transaction.
    pub(super) fn attempts(&self, tx: i64) -> &[Attempt] {
        self.attempts.get(&tx).map_or(&[], Vec::as_slice)
    }

    /// Whether an L1 transaction had been saved. Its first attempt comes after that.
    pub(super) fn is_saved(&self, tx: i64, clock: Clock) -> Option<bool> {
        if let Some(created) = self.txs.get(&tx).copied().flatten() {
            return Some(!clock.is_after(created));
        }
        let signed = self
            .attempts(tx)
            .iter()
            .filter_map(|attempt| attempt.created);
        signed
            .min_by_key(|time| time.us)
            .filter(|first| !clock.is_after(*first))
            .map(|_| true)
    }

    /// Whether a batch had been sealed. Before September 2024 its row was made then; since November 2024 a
    /// column says when; between, only the next batch and the commit tell that it was over.
    pub(super) fn sealing(&self, number: i64, clock: Clock) -> Sealing {
        let Some(batch) = self.batches.get(&number) else {
            return Sealing::Unknown;
        };
        if batch.is_sealed == Some(false) || batch.created.is_some_and(|made| clock.is_after(made))
        {
            return Sealing::Open;
        }
        let sealed = match self.has_open_batches {
            true => batch.sealed,
            false => batch.created,
        };
        if let Some(sealed) = sealed {
            return match clock.is_after(sealed) {
                true => Sealing::Open,
                false => Sealing::Sealed,
            };
        }
        let unchanged = batch.updated.is_some_and(|last| !clock.is_after(last));
        let went_on = self
            .batches
            .get(&(number + 1))
            .and_then(|next| next.created)
            .is_some_and(|next| !clock.is_after(next));
        let sent = batch.commit.and_then(|tx| self.is_saved(tx, clock)) == Some(true);
        match unchanged || went_on || sent {
            true => Sealing::Sealed,
            false => Sealing::Unknown,
        }
    }
}

/// Rows of a table that need not be there, or be the only one of its name.
fn rows(
    source: &dyn TableSource,
    infos: &[TableInfo],
    table: &str,
    columns: &[&str],
    filter: &RowFilter,
) -> Result<Option<Rows>, TableError> {
    let Some(info) = infos.iter().find(|info| info.name == table) else {
        return Ok(None);
    };
    if let RowFilter::I64In(column, _) = filter
        && !info.columns.iter().any(|(name, _)| name == column)
    {
        return Ok(None);
    }
    match source.read(table, columns, filter) {
        Ok(batch) => Ok(Some(Rows::new(info.clone(), batch))),
        Err(TableError::NoTable { .. } | TableError::Ambiguous { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
