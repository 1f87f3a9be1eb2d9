//! Where did this hash go: a rollup transaction's way from L2 to L1, read from the server's own
//! database by keyed look-ups.
//!
//! The way is `l2_to_l1_logs | transactions → miniblocks → l1_batches → eth_txs → eth_txs_history`.
//! It answers from what the rows say and no further: what is not in the evidence becomes a warning
//! and a null, never a guess. `confirmed_at` is when the server noticed a receipt, never L1 time.

mod address;
mod alone;
mod answers;
mod blocker;
mod delay;
mod doubt;
pub(crate) mod history;
mod jobs;
mod key;
pub(crate) mod links;
mod locate;
mod notable;
pub(crate) mod notice;
mod pruned;
pub(crate) mod rows;
mod said;
pub(crate) mod shape;
pub(crate) mod step;
mod text;
mod times;
pub(crate) mod waiting;
mod walk;
mod witness;
pub(crate) mod zone;

pub use key::Key;
pub use notable::{Notable, notable};
pub use rows::is_trace_table;
pub use said::cite;
pub use shape::{
    AsOf, Attempt, BatchRange, BatchRow, BlockedBy, Executable, ExecutionDelay, Hypothesis,
    L1Mined, Line, LogRow, LookedAt, Made, Norm, Path, Said, Step, Trace, TransactionRow, Waiting,
    Zone,
};
pub use witness::corroborate;

pub(crate) use zone::{creations, to_utc};

use crate::jobs::JobEvent;
use crate::past::Moment;
use model::{TableError, TableSource};

/// What the caller knows beside the tables.
#[derive(Clone, Debug, Default)]
pub struct TraceOptions {
    /// The time to look at, in microseconds UTC, if the user gave one: rows made later are left out, waiting
    /// is judged by it.
    pub as_of_us: Option<i64>,
    /// When the dump was taken, in microseconds UTC, if its header says so.
    pub dumped_at_us: Option<i64>,
    /// The same where its header does not tell the zone: civil microseconds of the machine that dumped.
    pub dumped_local_us: Option<i64>,
    /// The zone of the database's clock, if the case has solved it from all that is known; else it is solved
    /// from the rows that are read.
    pub zone: Option<Zone>,
    /// What log lines say of prover and witness jobs, their limits among it.
    pub job_events: Vec<JobEvent>,
    /// The delay that L1 demands between commit and execution, in seconds, if the user gave one.
    pub execution_delay_s: Option<f64>,
}

/// Why there is no trace at all. An unknown hash is an answer, not an error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// The key has none of the known forms.
    #[error(
        "`{0}` is not a key: expected 0x and 64 hex digits (an L2 or L1 hash), at least 6 leading hex digits of one, 0x and 40 hex digits (an address), batch:N, miniblock:N or eth_tx:N"
    )]
    Key(String),
    /// A bare number says nothing.
    #[error(
        "`{0}` alone could be several things: write batch:{0}, miniblock:{0}, eth_tx:{0}, or 0x{0} for the start of a hash"
    )]
    BareNumber(String),
    /// Several hashes begin with the digits.
    #[error("`{prefix}` begins {} hashes: {}{}", .candidates.len(), .candidates.iter().take(5).cloned().collect::<Vec<_>>().join(", "), if .candidates.len() > 5 { ", …" } else { "" })]
    AmbiguousPrefix {
        /// What was asked for.
        prefix: String,
        /// All hashes that begin so.
        candidates: Vec<String>,
    },
    /// No table that a trace reads.
    #[error(
        "no table a trace reads is in the evidence (it reads l2_to_l1_logs, transactions, miniblocks, l1_batches, eth_txs, eth_txs_history; tables here: {known})"
    )]
    NoTables {
        /// What is there.
        known: String,
    },
    /// A table could not be read.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// As of when [`trace`] and [`crate::batches::batches`] answer; `None` if no row bears a time.
///
/// # Errors
/// As [`trace`].
pub fn as_of(tables: &dyn TableSource, options: &TraceOptions) -> Result<Option<AsOf>, TraceError> {
    // Answers of APIs do not say when they were given.
    if !rows::any(&tables.tables()) {
        return Ok(None);
    }
    let mut read = rows::Tables::new(tables)?;
    let zone = match options.zone.clone() {
        None => zone::of_tables(tables)?,
        zone => zone,
    };
    read.as_of(zone.as_ref(), options)
}

/// Follows `key` through the tables; where there is no table of a server's database, through answers of APIs.
///
/// # Errors
/// [`TraceError`] if the key is malformed or ambiguous, if none of the tables is in the evidence, or
/// if one could not be read. A key that the tables do not know gives the fate `unknown_hash`.
pub fn trace(
    tables: &dyn TableSource,
    key: &str,
    options: &TraceOptions,
) -> Result<Trace, TraceError> {
    let parsed: Key = key.parse()?;
    if !rows::any(&tables.tables())
        && let Some(answer) = alone::trace(tables, &parsed, options)?
    {
        return Ok(answer);
    }
    let moment = Moment::of(tables, options)?;
    let options = moment.options(options);
    let mut tables = moment.tables()?;
    let located = locate::locate(&mut tables, &parsed)?;
    walk::walk(&mut tables, located, &options)
}
