//! What tables of zkSync Era look like, for pastes that do not name theirs.

/// Columns that only this table has together: the first table whose columns are all there is it.
const SIGNS: [(&str, &[&str]); 18] = [
    (
        "l2_to_l1_logs",
        &["miniblock_number", "log_index_in_miniblock"],
    ),
    ("eth_txs_history", &["eth_tx_id", "tx_hash"]),
    ("eth_txs_history", &["eth_tx_id", "priority_fee_per_gas"]),
    ("eth_txs", &["confirmed_eth_tx_history_id"]),
    ("eth_txs", &["nonce", "contract_address", "tx_type"]),
    ("l1_batches", &["number", "eth_commit_tx_id"]),
    ("l1_batches", &["number", "eth_prove_tx_id"]),
    ("l1_batches", &["number", "eth_execute_tx_id"]),
    ("l1_batches", &["number", "is_finished"]),
    ("l1_batches", &["number", "is_sealed"]),
    ("miniblocks", &["number", "l1_batch_number"]),
    (
        "miniblocks",
        &["number", "gas_per_pubdata_limit", "l2_tx_count"],
    ),
    ("transactions", &["hash", "initiator_address"]),
    (
        "transactions",
        &["hash", "miniblock_number", "index_in_block"],
    ),
    (
        "prover_jobs_fri",
        &["circuit_blob_url", "aggregation_round"],
    ),
    ("prover_jobs", &["circuit_type", "aggregation_round"]),
    ("prover_jobs", &["l1_batch_number", "proccesed_by"]),
    ("_sqlx_migrations", &["version", "installed_on"]),
];

/// Primary keys, to see whether two pasted rows are one row.
const KEYS: [(&str, &[&str]); 9] = [
    (
        "l2_to_l1_logs",
        &["miniblock_number", "log_index_in_miniblock"],
    ),
    ("miniblocks", &["number"]),
    ("l1_batches", &["number"]),
    ("eth_txs", &["id"]),
    ("eth_txs_history", &["id"]),
    ("transactions", &["hash"]),
    ("prover_jobs", &["id"]),
    ("prover_jobs_fri", &["id"]),
    ("_sqlx_migrations", &["version"]),
];

/// Names the table by its columns.
pub(crate) fn table_of(columns: &[String]) -> Option<&'static str> {
    SIGNS
        .iter()
        .find(|(_, signs)| {
            signs
                .iter()
                .all(|sign| columns.iter().any(|column| column == sign))
        })
        .map(|(table, _)| *table)
}

/// Returns the key of a known table.
pub(crate) fn key_of(table: &str) -> Option<&'static [&'static str]> {
    KEYS.iter()
        .find(|(name, _)| *name == table)
        .map(|(_, key)| *key)
}
