//! The answer's shape: the contract's `trace` object, without `schema`.

use serde::Serialize;

/// Where a key went.
#[derive(Clone, Debug, Serialize)]
pub struct Trace {
    /// The key in full: a hash as `0x…`, or as it was asked for.
    pub key: String,
    /// `l2_tx`, `l1_tx`, `batch`, `miniblock`, `eth_tx`, `address`, or `unknown`.
    pub kind: String,
    /// The snapshot whose rows answered.
    pub snapshot: Option<String>,
    /// The time that waiting is judged by.
    pub as_of: Option<AsOf>,
    /// The zone of the database's times, if it could be solved; all times of the database are shown
    /// as written.
    pub database_zone: Option<Zone>,
    /// How far it got.
    pub fate: String,
    /// Messages from L2 to L1.
    pub logs: Vec<LogRow>,
    /// The row in `transactions`.
    pub transaction: Option<TransactionRow>,
    /// The L1 transaction that was asked for by hash or id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub l1_tx: Option<Step>,
    /// One entry per miniblock (or batch) on the way, in order.
    pub path: Vec<Path>,
    /// What it waits for; null when nothing is outstanding or nothing can be said.
    pub waiting: Option<Waiting>,
    /// What the evidence lacks, and what must not be read into the answer.
    pub warnings: Vec<String>,
    /// Rows that the answer rests on.
    pub refs: Vec<String>,
    /// How hard it looked, when nothing was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looked_at: Option<LookedAt>,
    /// Parts of the tables that could not be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub partial: Vec<String>,
}

impl Trace {
    /// Whether the key is unknown, yet could be in what the evidence lacks: a table is missing or without rows, or
    /// part of one could not be read.
    pub fn is_undetermined(&self) -> bool {
        let lacks = |table: &String| self.searched().contains(&table.as_str());
        self.looked_at.as_ref().is_some_and(|looked_at| {
            !self.partial.is_empty() || looked_at.missing_kinds.iter().any(lacks)
        }) || self.lacks_rows()
    }

    /// Whether the key is unknown, and a table that would have it is declared and has no rows here.
    pub fn lacks_rows(&self) -> bool {
        let lacks = |table: &String| self.searched().contains(&table.as_str());
        let looked_at = self.looked_at.as_ref();
        looked_at.is_some_and(|looked_at| looked_at.empty.iter().any(lacks))
    }

    /// The tables that would have the key.
    fn searched(&self) -> &'static [&'static str] {
        match self.key.split_once(':') {
            Some(("batch", _)) => &["l1_batches"],
            Some(("miniblock", _)) => &["miniblocks"],
            Some(("eth_tx", _)) => &["eth_txs"],
            _ => &["l2_to_l1_logs", "transactions"],
        }
    }
}

/// A time and how it is known.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AsOf {
    /// RFC 3339; without `Z` if the database's zone is not known.
    pub value: String,
    /// `given`, `dump header` or `newest row`.
    pub basis: String,
    /// The same in words: which rows, and what that does not tell.
    pub rests_on: String,
    /// When the dump's header says it was made, if it does not tell in which zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub made: Option<Made>,
    /// Microseconds, of the same clock as `value`.
    #[serde(skip)]
    pub us: i64,
    /// Whether `us` is UTC.
    #[serde(skip)]
    pub utc: bool,
}

/// A time in a zone that nobody tells, and between which instants it is, whatever the zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Made {
    /// As the clock of the machine that dumped showed it.
    pub local: String,
    /// RFC 3339.
    pub not_before: String,
    /// RFC 3339.
    pub not_after: String,
}

/// A zone and how it was solved.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Zone {
    /// `+00:00`.
    pub value: String,
    /// What was compared.
    pub basis: String,
    /// Least distance of a row's creation after its block's time, in seconds.
    pub residual_s: f64,
    /// Seconds east of UTC.
    #[serde(skip)]
    pub seconds: i64,
    /// The days it is known for, where only log lines show it; `None`: for all.
    #[serde(skip)]
    pub shown: Option<std::sync::Arc<chain::rollup::ZonePairs>>,
}

/// A row of `l2_to_l1_logs`.
#[derive(Clone, Debug, Serialize)]
pub struct LogRow {
    /// The transaction, where the key was not its hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tx_hash: Option<String>,
    /// Miniblock.
    pub miniblock_number: Option<i64>,
    /// Position in the miniblock.
    pub log_index_in_miniblock: Option<i64>,
    /// Position in the transaction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_index_in_tx: Option<i64>,
    /// The transaction's position in the miniblock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tx_index_in_miniblock: Option<i64>,
    /// Who wrote the log, usually the messenger contract.
    pub sender: Option<String>,
    /// The padded caller.
    pub key: Option<String>,
    /// Hash of the message.
    pub value: Option<String>,
    /// Whether it is a service log.
    pub is_service: Option<bool>,
    /// The row.
    pub refs: Vec<String>,
}

/// A row of `transactions`.
#[derive(Clone, Debug, Serialize)]
pub struct TransactionRow {
    /// The hash, where the key was not one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// Null while it waits in the mempool.
    pub miniblock_number: Option<i64>,
    /// Null until its batch is sealed.
    pub l1_batch_number: Option<i64>,
    /// Why it failed on L2.
    pub error: Option<String>,
    /// Whether the server's mempool held it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_mempool: Option<bool>,
    /// When the server took it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received_at: Option<String>,
    /// The row.
    pub refs: Vec<String>,
    #[serde(skip)]
    pub(super) received: Option<super::rows::DbTime>,
}

/// A miniblock's (or batch's) way to L1.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Path {
    /// Miniblock; left out where a batch was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub miniblock_number: Option<i64>,
    /// Its hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub miniblock_hash: Option<String>,
    /// Block time, unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub miniblock_timestamp: Option<i64>,
    /// Miniblocks of the batch, where a batch was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub miniblocks: Option<BatchRange>,
    /// Batch; null while it is open.
    pub l1_batch_number: Option<i64>,
    /// How far it got.
    pub fate: String,
    /// The batch's row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchRow>,
    /// The precommit, where the chain has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precommit: Option<Step>,
    /// Commit on L1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<Step>,
    /// Proof on L1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prove: Option<Step>,
    /// Execution on L1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execute: Option<Step>,
    /// Log lines that speak of the miniblock or the batch, where logs are in the case too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<Line>,
    /// Answers of APIs that speak of the block, the batch or the transaction.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Said>,
    /// Rows.
    pub refs: Vec<String>,
    /// When the miniblock's row was made.
    #[serde(skip)]
    pub(crate) created: Option<super::rows::DbTime>,
    /// When the batch was sealed.
    #[serde(skip)]
    pub(crate) sealed: Option<super::rows::DbTime>,
}

/// What an answer of an API, or an export of a block explorer, says of a batch or a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Said {
    /// The call or page: `zks_getL1BatchDetails`, `explorer_batches`, `etherscan_transactions` …
    pub api: String,
    /// The batch that it puts a block or transaction in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub l1_batch_number: Option<i64>,
    /// Its own word for how far it got; of a transaction on L1 `mined` or `failed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The L1 transaction that it names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub l1_tx_hash: Option<String>,
    /// When: of a node or an explorer, when the server noticed the receipt; of Etherscan, L1's own time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Whether the tables say the same; null if they do not say, or what it says is later than the time looked
    /// at.
    pub agrees: Option<bool>,
    /// The row.
    #[serde(rename = "ref")]
    pub reference: String,
}

/// A row of `l1_batches`.
#[derive(Clone, Debug, Serialize)]
pub struct BatchRow {
    /// Number.
    pub number: i64,
    /// `is_sealed`, or `is_finished` as it was called before September 2024.
    pub is_sealed: Option<bool>,
    /// Block time, unix seconds.
    pub timestamp: Option<i64>,
    /// Link.
    pub eth_commit_tx_id: Option<i64>,
    /// Link.
    pub eth_prove_tx_id: Option<i64>,
    /// Link.
    pub eth_execute_tx_id: Option<i64>,
}

/// One step on L1.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Step {
    /// See the contract; null where the evidence does not say.
    pub state: Option<String>,
    /// Id in `eth_txs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eth_tx_id: Option<i64>,
    /// Nonce of the sender.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<i64>,
    /// As written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tx_type: Option<String>,
    /// As written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contract_address: Option<String>,
    /// Custom sender, for example of blobs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_addr: Option<String>,
    /// The receipt said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_failed: Option<bool>,
    /// Whether it went to a gateway rather than to Ethereum.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_gateway: Option<bool>,
    /// Chain it was sent to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chain_id: Option<i64>,
    /// From the receipt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gas_used: Option<i64>,
    /// Hash of the attempt that was confirmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub l1_tx_hash: Option<String>,
    /// When the server noticed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmed_at: Option<String>,
    /// What `confirmed_at` is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noticed_basis: Option<String>,
    /// `pending`, `fast_finalized`, `finalized`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finality_status: Option<String>,
    /// When it can have been mined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub l1_mined: Option<L1Mined>,
    /// Batches that share the transaction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batches: Option<BatchRange>,
    /// Link from `eth_txs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmed_eth_tx_history_id: Option<i64>,
    /// What the server's own join would find.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history_ids_with_confirmed_at: Option<Vec<i64>>,
    /// All attempts that are left, in order of id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempts: Option<Vec<Attempt>>,
    /// Rows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refs: Vec<String>,
    /// Log lines that speak of it, where logs are in the case too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<Line>,
    /// Answers of APIs that speak of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Said>,
    #[serde(skip)]
    pub(crate) confirmed: Option<super::rows::DbTime>,
    /// When its row in `eth_txs` was made.
    #[serde(skip)]
    pub(crate) saved: Option<super::rows::DbTime>,
    /// An L1 reorg took the confirmation back: the attempt waits again.
    #[serde(skip)]
    pub(crate) is_taken_back: bool,
    /// An external node's copy.
    #[serde(skip)]
    pub(crate) is_copied: bool,
}

/// A log line that speaks of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// When it was written; null if that is not known.
    pub ts: Option<String>,
    /// `batch_sealed`, `tx_saved`, `tx_sent`, `tx_resent`, `tx_confirmed`, `tx_failed` …
    pub what: String,
    /// Who wrote it.
    pub node: Option<String>,
    /// The line.
    #[serde(rename = "ref")]
    pub reference: String,
}

/// When L1 can have mined it.
#[derive(Clone, Debug, Serialize)]
pub struct L1Mined {
    /// The L1 block's time: never in this database, only in an export of Etherscan.
    pub at: Option<String>,
    /// The attempt was signed.
    pub not_before: Option<String>,
    /// The server noticed.
    pub not_after: Option<String>,
    /// `bounds`, or the export and the row that hold L1's own time.
    pub basis: String,
}

impl BatchRange {
    /// An empty range at `number`.
    pub(super) fn of(number: i64) -> BatchRange {
        BatchRange {
            first: number,
            last: number,
            count: 0,
        }
    }

    pub(super) fn add(&mut self, number: i64) {
        self.first = self.first.min(number);
        self.last = self.last.max(number);
        self.count += 1;
    }
}

/// Batches of one L1 transaction, or miniblocks of one batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BatchRange {
    /// Lowest.
    pub first: i64,
    /// Highest.
    pub last: i64,
    /// How many.
    pub count: i64,
}

/// A row of `eth_txs_history`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Attempt {
    /// Id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// Hash on L1.
    pub l1_tx_hash: Option<String>,
    /// Signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// Sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<String>,
    /// L1 block when sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_at_block: Option<i64>,
    /// False if the node refused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_successfully: Option<bool>,
    /// When the server noticed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmed_at: Option<String>,
    /// `pending`, `fast_finalized`, `finalized`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finality_status: Option<String>,
    /// Wei.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_fee_per_gas: Option<i64>,
    /// Wei.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority_fee_per_gas: Option<i64>,
    /// Wei.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blob_base_fee_per_gas: Option<i64>,
    /// The row.
    #[serde(skip)]
    pub(super) reference: String,
    #[serde(skip)]
    pub(crate) created: Option<super::rows::DbTime>,
    #[serde(skip)]
    pub(super) confirmed: Option<super::rows::DbTime>,
}

/// What is outstanding.
#[derive(Clone, Debug, Serialize)]
pub struct Waiting {
    /// `inclusion`, `seal`, `commit`, `prove`, `execute`.
    pub stage: String,
    /// The stage before was done.
    pub since: Option<String>,
    /// Seconds up to `as_of`.
    pub age_s: Option<f64>,
    /// What this very database usually needs.
    pub norm: Norm,
    /// `normal`, `late`, `blocked`, `unknown`.
    pub verdict: String,
    /// What is in the way.
    pub blocked_by: Option<BlockedBy>,
    /// What may be in the way, and why it need not be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hypotheses: Vec<Hypothesis>,
    /// What L1's timelock between commit and execution may explain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_delay: Option<ExecutionDelay>,
}

/// The delay that L1 demands between commit and execution.
#[derive(Clone, Debug, Serialize)]
pub struct ExecutionDelay {
    /// As given by the user; never assumed.
    pub delay_s: Option<f64>,
    /// It cannot be longer: so soon after its commit was signed a batch of this database was executed.
    pub at_most_s: Option<f64>,
    /// `given` or `evidence`.
    pub basis: String,
    /// From when L1 takes the execution, where a delay is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executable: Option<Executable>,
}

/// From when L1 takes an execution: the delay after bounds of the commit's L1 time.
#[derive(Clone, Debug, Serialize)]
pub struct Executable {
    /// The delay after the commit was signed.
    pub not_before: Option<String>,
    /// The delay after the commit was noticed.
    pub not_after: String,
    #[serde(skip)]
    pub(super) earliest: Option<super::rows::DbTime>,
}

/// Waiting times of the completed batches of the same database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Norm {
    /// Median, seconds.
    pub p50_s: Option<f64>,
    /// 99th percentile, seconds.
    pub p99_s: Option<f64>,
    /// How many.
    pub n: usize,
}

/// What is in the way.
#[derive(Clone, Debug, Serialize)]
pub struct BlockedBy {
    /// `batch`, `job`, `eth_tx`, `nonce`; a nonce's id is that of the transaction that has it, or the
    /// nonce itself where no row has it.
    pub kind: String,
    /// Its id.
    pub id: i64,
    /// In words.
    pub why: String,
    /// Rows.
    pub refs: Vec<String>,
}

/// What may be so, and what speaks for and against it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hypothesis {
    /// In words.
    pub text: String,
    /// `inferred`.
    pub basis: String,
    /// Rows.
    pub refs: Vec<String>,
}

/// How hard it looked.
#[derive(Clone, Debug, Serialize)]
pub struct LookedAt {
    /// Sources behind the tables.
    pub sources: usize,
    /// Tables that were searched.
    pub tables: Vec<String>,
    /// Tables that were not there.
    pub missing_kinds: Vec<String>,
    /// Tables that are declared and have no rows here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub empty: Vec<String>,
}
