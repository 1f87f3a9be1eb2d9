//! From the key to the miniblocks, batches and L1 transactions it speaks of.

use super::TraceError;
use super::key::{Key, hex, unhex};
use super::rows::{Rows, Tables, bytes_in, i64_in};
use super::shape::{LogRow, TransactionRow};
use model::Coming;
use std::collections::BTreeSet;

const LOG_COLUMNS: [&str; 9] = [
    "miniblock_number",
    "log_index_in_miniblock",
    "log_index_in_tx",
    "tx_index_in_miniblock",
    "tx_hash",
    "sender",
    "key",
    "value",
    "is_service",
];
const TRANSACTION_COLUMNS: [&str; 7] = [
    "hash",
    "miniblock_number",
    "l1_batch_number",
    "error",
    "in_mempool",
    "received_at",
    "initiator_address",
];

/// What a trace reads, in its order: an L2 transaction's tables, then those of every way to L1.
const FROM_L2: [Coming<'_>; 6] = [
    Coming::whole("l2_to_l1_logs"),
    Coming::whole("transactions"),
    Coming::whole("l1_batches"),
    Coming::by("miniblocks", "number"),
    Coming::by("eth_txs", "id"),
    Coming::whole("eth_txs_history"),
];
/// Where the hashes stand of which the beginning may be given.
const BY_PREFIX: [(&str, &str); 3] = [
    ("l2_to_l1_logs", "tx_hash"),
    ("transactions", "hash"),
    ("eth_txs_history", "tx_hash"),
];
/// Keys that few ask for: nothing is missed where their columns are not in the evidence.
const MORE_BY_PREFIX: [(&str, &str); 3] = [
    ("miniblocks", "hash"),
    ("l1_batches", "hash"),
    ("transactions", "initiator_address"),
];
/// Where the ways to L1 begin in it.
const FROM_BATCH: usize = 2;

/// What the key turned out to be.
#[derive(Default)]
pub(super) struct Located {
    pub(super) key: String,
    pub(super) kind: &'static str,
    pub(super) logs: Vec<LogRow>,
    pub(super) transaction: Option<TransactionRow>,
    /// Miniblocks to follow.
    pub(super) miniblocks: BTreeSet<i64>,
    /// Batches to follow, where no miniblock leads there.
    pub(super) batches: BTreeSet<i64>,
    /// L1 transaction to follow back to its batches.
    pub(super) eth_tx: Option<i64>,
    /// The L1 hash that was asked for: one attempt of several.
    pub(super) l1_hash: Option<String>,
    /// Whether anything at all was found.
    pub(super) found: bool,
    /// The rows that were found lack the column that names the block.
    pub(super) block_unknown: bool,
}

pub(super) fn locate(tables: &mut Tables<'_>, key: &Key) -> Result<Located, TraceError> {
    match key {
        Key::Hash(hash) => locate_hash(tables, hash),
        Key::Prefix(prefix) => {
            let mut candidates = BTreeSet::new();
            let is_here = |place: &&(&str, &str)| tables.has_column(place.0, place.1);
            let more: Vec<_> = MORE_BY_PREFIX.iter().filter(is_here).collect();
            for &(table, column) in BY_PREFIX.iter().chain(more) {
                candidates.extend(tables.hashes_beginning(table, column, prefix)?);
            }
            let full: Vec<String> = candidates.into_iter().collect();
            match full.as_slice() {
                [] => Ok(Located {
                    key: format!("0x{prefix}"),
                    kind: "unknown",
                    ..Located::default()
                }),
                [one] => match one.parse()? {
                    Key::Hash(hash) => locate_hash(tables, &hash),
                    Key::Address(address) => locate_address(tables, &address),
                    _ => Err(TraceError::Key(one.clone())),
                },
                _ => Err(TraceError::AmbiguousPrefix {
                    prefix: format!("0x{prefix}"),
                    candidates: full,
                }),
            }
        }
        Key::Batch(number) => Ok(Located {
            key: format!("batch:{number}"),
            kind: "batch",
            batches: BTreeSet::from([*number]),
            ..from_batch(tables)
        }),
        Key::Miniblock(number) => Ok(Located {
            key: format!("miniblock:{number}"),
            kind: "miniblock",
            miniblocks: BTreeSet::from([*number]),
            ..from_batch(tables)
        }),
        Key::EthTx(id) => Ok(Located {
            key: format!("eth_tx:{id}"),
            kind: "eth_tx",
            eth_tx: Some(*id),
            ..from_batch(tables)
        }),
        Key::Address(address) => locate_address(tables, address),
    }
}

/// A key whose way is walked from the batches on.
fn from_batch(tables: &Tables<'_>) -> Located {
    tables.announce(&FROM_L2[FROM_BATCH..]);
    Located {
        found: true,
        ..Located::default()
    }
}

fn locate_hash(tables: &mut Tables<'_>, hash: &[u8; 32]) -> Result<Located, TraceError> {
    tables.announce(&FROM_L2);
    let mut located = Located {
        key: hex(hash),
        kind: "l2_tx",
        found: true,
        ..Located::default()
    };
    if let Some(rows) = tables.read("l2_to_l1_logs", &LOG_COLUMNS, &bytes_in("tx_hash", &[hash]))? {
        located.logs = logs(&rows, false);
    }
    if let Some(rows) = tables.read(
        "transactions",
        &TRANSACTION_COLUMNS,
        &bytes_in("hash", &[hash]),
    )? {
        located.transaction = (rows.len() > 0).then(|| transaction(&rows, 0, false));
    }
    if !located.logs.is_empty() || located.transaction.is_some() {
        located
            .miniblocks
            .extend(located.logs.iter().filter_map(|log| log.miniblock_number));
        let transaction = located.transaction.as_ref();
        located
            .miniblocks
            .extend(transaction.and_then(|transaction| transaction.miniblock_number));
        if located.miniblocks.is_empty()
            && let Some(batch) = transaction.and_then(|transaction| transaction.l1_batch_number)
        {
            tables.warn(format!(
                "the transaction's row names batch {batch} but no miniblock: followed by its batch"
            ));
            located.batches.insert(batch);
        }
        let silent = ["transactions", "l2_to_l1_logs"].into_iter().find(|table| {
            tables.info(table).is_some() && !tables.has_column(table, "miniblock_number")
        });
        if let Some(table) =
            silent.filter(|_| located.miniblocks.is_empty() && located.batches.is_empty())
        {
            located.block_unknown = true;
            tables.warn(format!(
                "column miniblock_number of {table} is not in the evidence: whether it is in a block is undetermined"
            ));
        }
        return Ok(located);
    }
    if let Some(rows) = tables.read(
        "eth_txs_history",
        &["id", "eth_tx_id", "tx_hash"],
        &bytes_in("tx_hash", &[hash]),
    )? && let Some(id) = (0..rows.len()).find_map(|row| rows.int(row, "eth_tx_id"))
    {
        located.kind = "l1_tx";
        located.eth_tx = Some(id);
        located.l1_hash = Some(located.key.clone());
        return Ok(located);
    }
    // A block's or a batch's own hash, pasted for want of a better key.
    for (table, kind) in [("miniblocks", "miniblock"), ("l1_batches", "batch")] {
        if !tables.has_column(table, "hash") {
            continue;
        }
        if let Some(rows) = tables.read(table, &["number", "hash"], &bytes_in("hash", &[hash]))?
            && let Some(number) = (0..rows.len()).find_map(|row| rows.int(row, "number"))
        {
            located.kind = kind;
            match kind {
                "miniblock" => located.miniblocks.insert(number),
                _ => located.batches.insert(number),
            };
            return Ok(located);
        }
    }
    located.kind = "unknown";
    located.found = false;
    Ok(located)
}

fn logs(rows: &Rows, with_hash: bool) -> Vec<LogRow> {
    let mut logs: Vec<LogRow> = (0..rows.len())
        .map(|row| LogRow {
            tx_hash: rows.hex(row, "tx_hash").filter(|_| with_hash),
            miniblock_number: rows.int(row, "miniblock_number"),
            log_index_in_miniblock: rows.int(row, "log_index_in_miniblock"),
            log_index_in_tx: rows.int(row, "log_index_in_tx"),
            tx_index_in_miniblock: rows.int(row, "tx_index_in_miniblock"),
            sender: rows.hex(row, "sender"),
            key: rows.hex(row, "key"),
            value: rows.hex(row, "value"),
            is_service: rows.bool(row, "is_service"),
            refs: vec![rows.reference(row)],
        })
        .collect();
    logs.sort_by_key(|log| (log.miniblock_number, log.log_index_in_miniblock));
    logs
}

fn transaction(rows: &Rows, row: usize, with_hash: bool) -> TransactionRow {
    let received = rows.time(row, "received_at");
    TransactionRow {
        hash: rows.hex(row, "hash").filter(|_| with_hash),
        miniblock_number: rows.int(row, "miniblock_number"),
        l1_batch_number: rows.int(row, "l1_batch_number"),
        error: rows.text(row, "error"),
        in_mempool: rows.bool(row, "in_mempool"),
        received_at: received.map(|time| time.print()),
        refs: vec![rows.reference(row)],
        received,
    }
}

/// An address sends transactions, and its padded form is the key of the logs it caused.
fn locate_address(tables: &mut Tables<'_>, address: &[u8; 20]) -> Result<Located, TraceError> {
    /// More would be a list, not a trace.
    const MOST: usize = 20;
    /// The newest transactions whose messages are looked up.
    const MOST_ASKED: usize = 5_000;
    let mut located = Located {
        key: hex(address),
        kind: "address",
        found: true,
        ..Located::default()
    };
    tables.announce(&FROM_L2);
    let mut padded = [0; 32];
    padded[12..].copy_from_slice(address);
    if let Some(rows) = tables.read("l2_to_l1_logs", &LOG_COLUMNS, &bytes_in("key", &[&padded]))? {
        located.logs = logs(&rows, true);
    }
    let sent = sent_by(tables, address)?;
    let pending = sent
        .iter()
        .filter(|row| row.miniblock_number.is_none() && row.error.is_none())
        .count();
    if pending > 0 {
        tables.warn(format!(
            "{pending} transactions of this address are in no block"
        ));
    }
    // A withdrawal of the base token bears the token's address, not the sender's: it is found by the
    // transaction.
    let hashes: Vec<[u8; 32]> = sent
        .iter()
        .rev()
        .filter(|row| row.miniblock_number.is_some())
        .filter_map(|row| unhex(&row.hash.as_deref()?[2..]))
        .take(MOST_ASKED)
        .collect();
    if !hashes.is_empty() {
        let values: Vec<&[u8]> = hashes.iter().map(<[u8; 32]>::as_slice).collect();
        let rows = tables.read("l2_to_l1_logs", &LOG_COLUMNS, &bytes_in("tx_hash", &values))?;
        let known: BTreeSet<String> = located
            .logs
            .iter()
            .flat_map(|log| log.refs.clone())
            .collect();
        let found = rows.map_or_else(Vec::new, |rows| logs(&rows, true));
        located.logs.extend(
            found
                .into_iter()
                .filter(|log| !known.contains(&log.refs[0])),
        );
        located
            .logs
            .sort_by_key(|log| (log.miniblock_number, log.log_index_in_miniblock));
    }
    located
        .miniblocks
        .extend(located.logs.iter().filter_map(|log| log.miniblock_number));
    if located.miniblocks.is_empty() {
        located
            .miniblocks
            .extend(sent.iter().filter_map(|row| row.miniblock_number));
        if !located.miniblocks.is_empty() {
            tables.warn("no transaction of this address sent a message to L1");
        }
    }
    located.transaction = sent.into_iter().next_back();
    let all = located.miniblocks.len();
    while located.miniblocks.len() > MOST {
        located.miniblocks.pop_first();
    }
    if all > MOST {
        let kept = located.miniblocks.clone();
        located
            .logs
            .retain(|log| log.miniblock_number.is_some_and(|n| kept.contains(&n)));
        tables.warn(format!(
            "the address is in {all} miniblocks: the newest {MOST} are told, the {} older ones are left out",
            all - MOST
        ));
    }
    located.found = located.transaction.is_some() || !located.logs.is_empty();
    if !located.found {
        located.kind = "unknown";
    }
    Ok(located)
}

/// The transactions that an address sent, those in no block first, then by block.
fn sent_by(tables: &mut Tables<'_>, address: &[u8; 20]) -> Result<Vec<TransactionRow>, TraceError> {
    let rows = tables.read(
        "transactions",
        &TRANSACTION_COLUMNS,
        &bytes_in("initiator_address", &[address]),
    )?;
    let mut sent: Vec<TransactionRow> = rows.map_or_else(Vec::new, |rows| {
        (0..rows.len())
            .map(|row| transaction(&rows, row, true))
            .collect()
    });
    sent.sort_by_key(|row| row.miniblock_number);
    Ok(sent)
}

/// Finds the miniblocks that an L1 precommit covers.
pub(super) fn precommitted(tables: &mut Tables<'_>, eth_tx: i64) -> Result<Vec<i64>, TraceError> {
    if !tables.has_column("miniblocks", "eth_precommit_tx_id") {
        return Ok(Vec::new());
    }
    let rows = tables.read(
        "miniblocks",
        &["number"],
        &i64_in("eth_precommit_tx_id", [eth_tx]),
    )?;
    Ok(rows.map_or_else(Vec::new, |rows| {
        (0..rows.len())
            .filter_map(|row| rows.int(row, "number"))
            .collect()
    }))
}
