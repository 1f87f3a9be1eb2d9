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

/// The times of [`Tx`], by their places in [`Kept`].
const FIRST_SIGNED: usize = 0;
const LAST_SIGNED: usize = 1;
const NOTICED: usize = 2;
const MINED_SIGNED: usize = 3;

/// The same, packed: a database has as many as it has sent.
struct Kept {
    /// `i64::MIN` where there is none: no row has such a time ([`model::time::is_finite`]).
    us: [i64; 4],
    attempts: u32,
    /// A bit for each time: whether it is UTC.
    utc: u8,
}

impl Kept {
    const NONE: Kept = Kept {
        us: [i64::MIN; 4],
        attempts: 0,
        utc: 0,
    };

    fn time(&self, which: usize) -> Option<DbTime> {
        let us = self.us[which];
        let utc = self.utc & 1 << which != 0;
        (us != i64::MIN).then_some(DbTime { us, utc })
    }

    fn set(&mut self, which: usize, time: Option<DbTime>) {
        let bit = 1 << which;
        self.us[which] = time.map_or(i64::MIN, |time| time.us);
        self.utc &= !bit;
        if time.is_some_and(|time| time.utc) {
            self.utc |= bit;
        }
    }

    fn tx(&self) -> Tx {
        Tx {
            attempts: self.attempts as usize,
            first_signed: self.time(FIRST_SIGNED),
            last_signed: self.time(LAST_SIGNED),
            noticed: self.time(NOTICED),
            mined_signed: self.time(MINED_SIGNED),
        }
    }
}

/// The attempts of all L1 transactions.
pub(crate) struct History {
    by_tx: SortedMap<Kept>,
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
            |_| Kept::NONE,
            |tx, row| {
                tx.attempts += 1;
                let signed = created(row);
                tx.set(FIRST_SIGNED, earliest(tx.time(FIRST_SIGNED), signed));
                tx.set(LAST_SIGNED, latest(tx.time(LAST_SIGNED), signed));
                if let Some(noticed) = confirmed(row) {
                    tx.set(NOTICED, Some(noticed));
                    tx.set(MINED_SIGNED, signed);
                }
            },
        );
        History {
            by_tx,
            has_finality,
        }
    }

    pub(crate) fn tx(&self, id: i64) -> Option<Tx> {
        self.by_tx.get(id).map(Kept::tx)
    }

    pub(super) fn is_noticed(&self, id: i64) -> bool {
        self.tx(id).is_some_and(|tx| tx.noticed.is_some())
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = Tx> {
        self.by_tx.pairs().iter().map(|(_, tx)| tx.tx())
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
