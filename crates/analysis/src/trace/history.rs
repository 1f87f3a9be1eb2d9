//! When each L1 transaction was signed, sent and noticed as confirmed.

use super::TraceError;
use super::links::Batches;
use super::rows::{DbTime, Rows, Tables};
use crate::sorted::SortedMap;
use model::{Part, RowFilter};

/// What the attempts of one L1 transaction say together.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tx {
    /// Rows that are left.
    pub(crate) attempts: usize,
    /// When the first attempt was signed.
    pub(crate) first_signed: Option<DbTime>,
    /// When the last attempt was signed.
    pub(crate) last_signed: Option<DbTime>,
    /// When the server noticed a receipt.
    pub(crate) noticed: Option<DbTime>,
    /// When the attempt with that receipt was signed.
    pub(crate) mined_signed: Option<DbTime>,
}

/// The attempts of all L1 transactions.
pub(crate) struct History {
    by_tx: SortedMap<Tx>,
    /// Whether the rows say how final a receipt is (May 2025 on). Code before that noted receipts only
    /// once their block was final.
    pub(crate) has_finality: bool,
}

/// What it is made of.
const COLUMNS: [&str; 4] = ["eth_tx_id", "created_at", "updated_at", "confirmed_at"];

impl History {
    pub(crate) fn read(tables: &mut Tables<'_>) -> Result<Option<History>, TraceError> {
        let rows = History::read_with(tables, &[])?;
        Ok(rows.map(|(history, _)| history))
    }

    /// Reads other parts of the table with it; `None` if the table does not say what a history needs.
    pub(super) fn read_with(
        tables: &mut Tables<'_>,
        others: &[Part<'_>],
    ) -> Result<Option<(History, Vec<Rows>)>, TraceError> {
        if !tables.has_column("eth_txs_history", "confirmed_at")
            || !tables.has_column("eth_txs_history", "eth_tx_id")
        {
            return Ok(None);
        }
        let has_finality = tables.has_column("eth_txs_history", "finality_status");
        let all = Part {
            columns: &COLUMNS,
            filter: &RowFilter::All,
        };
        let parts: Vec<Part<'_>> = others.iter().copied().chain([all]).collect();
        let Some(mut rows) = tables.read_parts("eth_txs_history", &parts)? else {
            return Ok(None);
        };
        let all = rows.pop();
        Ok(all.map(|all| (History::of_rows(&all, has_finality), rows)))
    }

    /// Sums up rows of `eth_txs_history`.
    pub(crate) fn of_rows(rows: &Rows, has_finality: bool) -> History {
        let id = rows.ints("eth_tx_id");
        let (created, confirmed) = (rows.times("created_at"), rows.times("confirmed_at"));
        let attempts = (0..rows.len()).filter_map(|row| Some((id(row)?, row)));
        let by_tx = SortedMap::of(
            attempts,
            |_| Tx::default(),
            |tx, row| {
                tx.attempts += 1;
                let signed = created(row);
                tx.first_signed = earliest(tx.first_signed, signed);
                tx.last_signed = latest(tx.last_signed, signed);
                if let Some(noticed) = confirmed(row) {
                    tx.noticed = Some(noticed);
                    tx.mined_signed = signed;
                }
            },
        );
        History {
            by_tx,
            has_finality,
        }
    }

    pub(crate) fn tx(&self, id: i64) -> Option<&Tx> {
        self.by_tx.get(id)
    }

    pub(super) fn is_noticed(&self, id: i64) -> bool {
        self.tx(id).is_some_and(|tx| tx.noticed.is_some())
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Tx> {
        self.by_tx.pairs().iter().map(|(_, tx)| tx)
    }

    /// When the step of a batch was noticed as confirmed.
    pub(crate) fn of(&self, batches: &Batches, batch: i64, stage: usize) -> Option<DbTime> {
        self.tx(batches.link(batch, stage)??)?.noticed
    }

    /// When the stage before was done.
    pub(crate) fn since(&self, batches: &Batches, batch: i64, stage: usize) -> Option<DbTime> {
        match stage {
            0 => batches.sealed_at(batch),
            _ => self.of(batches, batch, stage - 1),
        }
    }
}

fn earliest(known: Option<DbTime>, new: Option<DbTime>) -> Option<DbTime> {
    [known, new]
        .into_iter()
        .flatten()
        .min_by_key(|time| time.us)
}

fn latest(known: Option<DbTime>, new: Option<DbTime>) -> Option<DbTime> {
    [known, new]
        .into_iter()
        .flatten()
        .max_by_key(|time| time.us)
}
