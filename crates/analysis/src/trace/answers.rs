//! Answers of APIs in the evidence: what zkSync's JSON-RPC and block explorers said of batches, blocks and
//! transactions, and what Etherscan exported of the operator's transactions on L1.
//!
//! An RPC node and an explorer tell what the server's database told them (`committedAt` is its
//! `confirmed_at`): they are no second witness of L1, but of the database. Etherscan is one of L1. No answer
//! says when it was given.

use super::TraceError;
use super::links::STAGES;
use crate::rows::{DbTime, Rows, bytes_in, i64_in};
use model::{RowFilter, TableError, TableInfo, TableSource};
use std::collections::BTreeSet;

/// What an answer says of one step.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Claim {
    /// The L1 transaction. Nodes name it only once it is confirmed.
    pub(super) hash: Option<String>,
    /// When the server noticed the receipt.
    pub(super) at: Option<DbTime>,
    /// The answer would have named it.
    pub(super) is_asked: bool,
    /// The answer would have said when.
    pub(super) is_dated: bool,
}

impl Claim {
    /// Whether the answer says anything of the step.
    pub(super) fn is_made(&self) -> bool {
        self.hash.is_some() || self.at.is_some()
    }
}

/// One answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Answer {
    /// The call or page.
    pub(super) api: String,
    pub(super) snapshot: String,
    pub(super) reference: String,
    pub(super) batch: Option<i64>,
    pub(super) miniblock: Option<i64>,
    /// Unix seconds.
    pub(super) timestamp: Option<i64>,
    /// Hash of the L2 transaction.
    pub(super) tx_hash: Option<String>,
    /// Hash of the block.
    pub(super) block_hash: Option<String>,
    pub(super) status: Option<String>,
    pub(super) is_sealed: Option<bool>,
    /// The answer would have named the block.
    pub(super) knows_block: bool,
    pub(super) error: Option<String>,
    /// Commit, prove, execute.
    pub(super) claims: [Claim; 3],
}

/// A transaction on L1, as Etherscan exports it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mined {
    pub(super) api: String,
    pub(super) reference: String,
    pub(super) hash: String,
    /// Microseconds UTC of its block.
    pub(super) us: i64,
    pub(super) block: Option<i64>,
    pub(super) has_failed: bool,
}

/// A table of answers: of what, and the columns that keys are looked up in.
struct Source {
    table: &'static str,
    batch: Option<&'static str>,
    miniblock: Option<&'static str>,
    tx_hash: Option<&'static str>,
    block_hash: Option<&'static str>,
    /// The columns of the steps' hashes.
    hashes: [&'static str; 3],
}

const DETAILS: [&str; 3] = ["commitTxHash", "proveTxHash", "executeTxHash"];
const TIMES: [&str; 3] = ["committedAt", "provenAt", "executedAt"];

const SOURCES: [Source; 7] = [
    Source {
        table: "zks_getL1BatchDetails",
        batch: Some("number"),
        miniblock: None,
        tx_hash: None,
        block_hash: Some("rootHash"),
        hashes: DETAILS,
    },
    Source {
        table: "explorer_batches",
        batch: Some("number"),
        miniblock: None,
        tx_hash: None,
        block_hash: Some("rootHash"),
        hashes: DETAILS,
    },
    Source {
        table: "zks_getBlockDetails",
        batch: Some("l1BatchNumber"),
        miniblock: Some("number"),
        tx_hash: None,
        block_hash: Some("rootHash"),
        hashes: DETAILS,
    },
    Source {
        table: "explorer_blocks",
        batch: Some("l1BatchNumber"),
        miniblock: Some("number"),
        tx_hash: None,
        block_hash: Some("hash"),
        hashes: DETAILS,
    },
    Source {
        table: "explorer_transactions",
        batch: Some("l1BatchNumber"),
        miniblock: Some("blockNumber"),
        tx_hash: Some("hash"),
        block_hash: None,
        hashes: DETAILS,
    },
    Source {
        table: "zks_getTransactionDetails",
        batch: None,
        miniblock: None,
        // The answer does not repeat the question; some clients number their calls by the hash.
        tx_hash: Some("rpc_id"),
        block_hash: None,
        hashes: ["ethCommitTxHash", "ethProveTxHash", "ethExecuteTxHash"],
    },
    Source {
        table: "eth_getTransactionReceipt",
        batch: Some("l1BatchNumber"),
        miniblock: Some("blockNumber"),
        tx_hash: Some("transactionHash"),
        block_hash: None,
        hashes: DETAILS,
    },
];

const ETHERSCAN: [&str; 2] = ["etherscan_transactions", "etherscan_internal_transactions"];

/// What answers are looked up by; hashes as `0x…`.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    pub(super) batches: BTreeSet<i64>,
    pub(super) miniblocks: BTreeSet<i64>,
    pub(super) tx_hashes: BTreeSet<String>,
    pub(super) block_hashes: BTreeSet<String>,
    pub(super) l1_hashes: BTreeSet<String>,
    /// Transactions of those batches and blocks as well: they tell what their block's answer would.
    pub(super) with_transactions: bool,
}

/// Whether the evidence has any answer that a trace could use.
pub(super) fn any(infos: &[TableInfo]) -> bool {
    let known = |name: &str| SOURCES.iter().any(|source| source.table == name);
    infos
        .iter()
        .any(|info| known(&info.name) || ETHERSCAN.contains(&info.name.as_str()))
}

/// Whether an answer tells of batches, blocks or transactions of L2.
pub(super) fn any_of_l2(infos: &[TableInfo]) -> bool {
    let known = |name: &str| SOURCES.iter().any(|source| source.table == name);
    infos.iter().any(|info| known(&info.name))
}

/// Reads the answers that concern what is wanted, each once, in the order of their references.
pub(super) fn read(source: &dyn TableSource, wanted: &Wanted) -> Result<Vec<Answer>, TraceError> {
    let mut found: Vec<Answer> = Vec::new();
    for info in &source.tables() {
        let Some(of) = SOURCES.iter().find(|of| of.table == info.name) else {
            continue;
        };
        for filter in filters(of, info, wanted) {
            let rows = rows(source, info, &filter)?;
            for row in 0..rows.len() {
                let answer = answer(of, &rows, row);
                if !found
                    .iter()
                    .any(|known| known.reference == answer.reference)
                {
                    found.push(answer);
                }
            }
        }
    }
    found.sort_by(|a, b| (&a.api, &a.reference).cmp(&(&b.api, &b.reference)));
    Ok(found)
}

/// Reads what Etherscan says of L1 transactions.
pub(super) fn mined(
    source: &dyn TableSource,
    hashes: &BTreeSet<String>,
) -> Result<Vec<Mined>, TraceError> {
    let mut found = Vec::new();
    for info in &source.tables() {
        if !ETHERSCAN.contains(&info.name.as_str()) || hashes.is_empty() {
            continue;
        }
        for column in ["Transaction Hash", "Txhash"] {
            if !has(info, column) {
                continue;
            }
            let rows = rows(source, info, &by_hash(column, hashes))?;
            for row in 0..rows.len() {
                let seconds = rows.int(row, "UnixTimestamp");
                let us = seconds.and_then(|s| s.checked_mul(model::time::MICROS_PER_SECOND));
                if let (Some(hash), Some(us)) = (rows.hex(row, column), us) {
                    found.push(Mined {
                        api: info.name.clone(),
                        reference: rows.reference(row),
                        hash,
                        us,
                        block: rows.int(row, "Blockno"),
                        has_failed: has_failed(&rows, row),
                    });
                }
            }
        }
    }
    found.sort_by(|a, b| (&a.api, &a.reference).cmp(&(&b.api, &b.reference)));
    Ok(found)
}

/// Etherscan writes `Success` or nothing for what went well, `Error(0)` and `Fail` for the rest.
fn has_failed(rows: &Rows, row: usize) -> bool {
    let says = |column: &str, good: &[&str]| {
        rows.text(row, column)
            .is_some_and(|text| !text.trim().is_empty() && !good.contains(&text.trim()))
    };
    says("Status", &["Success", "1", "0"]) || says("ErrCode", &[])
}

fn has(info: &TableInfo, column: &str) -> bool {
    info.columns.iter().any(|(name, _)| name == column)
}

fn by_hash(column: &str, hashes: &BTreeSet<String>) -> RowFilter {
    let bytes: Vec<Vec<u8>> = hashes.iter().filter_map(|hash| unhex(hash)).collect();
    let bytes: Vec<&[u8]> = bytes.iter().map(Vec::as_slice).collect();
    bytes_in(column, &bytes)
}

fn unhex(hash: &str) -> Option<Vec<u8>> {
    let digits = hash.strip_prefix("0x")?.as_bytes();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.chunks(2).map(pair).collect()
}

fn filters(of: &Source, info: &TableInfo, wanted: &Wanted) -> Vec<RowFilter> {
    let mut filters = Vec::new();
    let numbers = [
        (of.batch, &wanted.batches),
        (of.miniblock, &wanted.miniblocks),
    ];
    let by_number = of.tx_hash.is_none() || wanted.with_transactions;
    for (column, numbers) in numbers.into_iter().filter(|_| by_number) {
        if let Some(column) = column.filter(|column| !numbers.is_empty() && has(info, column)) {
            filters.push(i64_in(column, numbers.iter().copied()));
        }
    }
    let hashes = [
        (of.tx_hash, &wanted.tx_hashes),
        (of.block_hash, &wanted.block_hashes),
    ];
    let links = of.hashes.map(|column| (Some(column), &wanted.l1_hashes));
    for (column, hashes) in hashes.into_iter().chain(links) {
        if let Some(column) = column.filter(|column| !hashes.is_empty() && has(info, column)) {
            filters.push(by_hash(column, hashes));
        }
    }
    filters
}

fn rows(
    source: &dyn TableSource,
    info: &TableInfo,
    filter: &RowFilter,
) -> Result<Rows, TableError> {
    let name = info.full_name();
    let columns: Vec<&str> = info.columns.iter().map(|(name, _)| name.as_str()).collect();
    let batch = source.read(&name, &columns, filter)?;
    Ok(Rows::new(info.clone(), batch))
}

fn answer(of: &Source, rows: &Rows, row: usize) -> Answer {
    let int = |column: Option<&str>| rows.int(row, column?);
    let hex = |column: Option<&str>| rows.hex(row, column?);
    let time = rows.time(row, "timestamp");
    Answer {
        api: of.table.to_owned(),
        snapshot: rows.snapshot().to_owned(),
        reference: rows.reference(row),
        batch: int(of.batch),
        miniblock: int(of.miniblock),
        timestamp: rows
            .int(row, "timestamp")
            .filter(|_| time.is_none())
            .or_else(|| time.map(|time| time.us.div_euclid(model::time::MICROS_PER_SECOND))),
        tx_hash: hex(of.tx_hash),
        block_hash: hex(of.block_hash),
        status: rows.text(row, "status"),
        is_sealed: rows.bool(row, "isL1BatchSealed"),
        knows_block: of.miniblock.is_some_and(|column| rows.has(column)),
        error: rows.text(row, "error"),
        claims: std::array::from_fn(|stage| Claim {
            hash: hex(Some(of.hashes[stage])),
            at: rows.time(row, TIMES[stage]),
            is_asked: rows.has(of.hashes[stage]),
            is_dated: rows.has(TIMES[stage]),
        }),
    }
}

impl Answer {
    /// The step up to which the status says that L1 has taken the batch. `verified`: executed, and confirmed
    /// as such.
    pub(super) fn taken(&self) -> Option<usize> {
        let step = match self.status.as_deref()? {
            "committed" => "commit",
            "proved" => "prove",
            "verified" | "fastFinalized" | "finalized" => "execute",
            _ => return None,
        };
        STAGES.iter().position(|stage| *stage == step)
    }
}
