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

/// All columns in the order of the migrations, blanks between them, for rows that no header names:
/// zkSync Era of September 2023 (migration 20230817101508) and of July 2026 (20260612000000).
const COLUMNS: [(&str, &str); 9] = [
    (
        "l2_to_l1_logs",
        "miniblock_number log_index_in_miniblock log_index_in_tx tx_hash shard_id is_service \
         tx_index_in_miniblock tx_index_in_l1_batch sender key value created_at updated_at",
    ),
    (
        "miniblocks",
        "number l1_batch_number timestamp hash l1_tx_count l2_tx_count base_fee_per_gas \
         gas_per_pubdata_limit created_at updated_at l1_gas_price l2_fair_gas_price \
         bootloader_code_hash default_aa_code_hash protocol_version",
    ),
    (
        "l1_batches",
        "number timestamp is_finished l1_tx_count l2_tx_count fee_account_address bloom \
         priority_ops_onchain_data hash parent_hash commitment compressed_write_logs \
         compressed_contracts eth_prove_tx_id eth_commit_tx_id eth_execute_tx_id created_at \
         updated_at merkle_root_hash l2_to_l1_logs l2_to_l1_messages \
         predicted_commit_gas_cost predicted_prove_gas_cost predicted_execute_gas_cost \
         initial_bootloader_heap_content used_contract_hashes compressed_initial_writes \
         compressed_repeated_writes l2_l1_compressed_messages l2_l1_merkle_root \
         gas_per_pubdata_byte_in_block rollup_last_leaf_index zkporter_is_available \
         bootloader_code_hash default_aa_code_hash base_fee_per_gas gas_per_pubdata_limit \
         aux_data_hash pass_through_data_hash meta_parameters_hash skip_proof l1_gas_price \
         l2_fair_gas_price protocol_version",
    ),
    (
        "eth_txs",
        "id nonce raw_tx contract_address tx_type gas_used created_at updated_at has_failed \
         sent_at_block confirmed_eth_tx_history_id predicted_gas_cost",
    ),
    (
        "eth_txs_history",
        "id eth_tx_id tx_hash created_at updated_at base_fee_per_gas priority_fee_per_gas \
         confirmed_at signed_raw_tx sent_at_block sent_at",
    ),
    (
        "miniblocks",
        "number l1_batch_number timestamp hash l1_tx_count l2_tx_count base_fee_per_gas \
         gas_per_pubdata_limit created_at updated_at l1_gas_price l2_fair_gas_price \
         bootloader_code_hash default_aa_code_hash protocol_version virtual_blocks \
         fee_account_address fair_pubdata_price gas_limit logs_bloom evm_emulator_code_hash \
         l2_da_validator_address pubdata_type rolling_txs_hash eth_precommit_tx_id \
         l2_da_commitment_scheme",
    ),
    (
        "l1_batches",
        "number timestamp is_sealed l1_tx_count l2_tx_count bloom priority_ops_onchain_data \
         hash commitment eth_prove_tx_id eth_commit_tx_id eth_execute_tx_id created_at \
         updated_at merkle_root_hash l2_to_l1_logs l2_to_l1_messages \
         predicted_commit_gas_cost predicted_prove_gas_cost predicted_execute_gas_cost \
         initial_bootloader_heap_content used_contract_hashes compressed_initial_writes \
         compressed_repeated_writes l2_l1_compressed_messages l2_l1_merkle_root \
         rollup_last_leaf_index zkporter_is_available bootloader_code_hash \
         default_aa_code_hash base_fee_per_gas aux_data_hash pass_through_data_hash \
         meta_parameters_hash skip_proof l1_gas_price l2_fair_gas_price protocol_version \
         system_logs compressed_state_diffs storage_refunds pubdata_input predicted_circuits \
         predicted_circuits_by_type pubdata_costs tree_writes fair_pubdata_price fee_address \
         evm_emulator_code_hash state_diff_hash aggregation_root local_root \
         batch_chain_merkle_path sealed_at final_precommit_eth_tx_id pubdata_limit \
         blobs_amount settlement_layer_type settlement_layer_chain_id interop_fee \
         batch_chain_merkle_path_until_msg_root",
    ),
    (
        "eth_txs",
        "id nonce raw_tx contract_address tx_type gas_used created_at updated_at has_failed \
         sent_at_block confirmed_eth_tx_history_id predicted_gas_cost from_addr blob_sidecar \
         is_gateway chain_id status",
    ),
    (
        "eth_txs_history",
        "id eth_tx_id tx_hash created_at updated_at base_fee_per_gas priority_fee_per_gas \
         confirmed_at signed_raw_tx sent_at_block sent_at blob_base_fee_per_gas \
         max_gas_per_pubdata predicted_gas_limit sent_successfully finality_status",
    ),
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

/// Names the table by the name of a file: `z2023.l1_batches.csv`.
pub(crate) fn table_in(file: &str) -> Option<&'static str> {
    const ENDINGS: [&str; 7] = ["csv", "tsv", "tab", "txt", "copy", "dat", "data"];
    let mut stem = file;
    while let Some(front) = ENDINGS
        .iter()
        .find_map(|ending| stem.strip_suffix(ending)?.strip_suffix(['.', '_']))
    {
        stem = front;
    }
    KEYS.iter()
        .map(|(table, _)| *table)
        .filter(|table| {
            stem.strip_suffix(table)
                .is_some_and(|front| front.is_empty() || front.ends_with(['.', '_', '-', ' ', '/']))
        })
        .max_by_key(|table| table.len())
}

/// Returns the columns of a known table, if a version of it has so many.
pub(crate) fn columns_of(table: &str, count: usize) -> Option<Vec<String>> {
    COLUMNS
        .iter()
        .filter(|(name, _)| *name == table)
        .map(|(_, columns)| columns.split(' ').map(str::to_owned).collect::<Vec<_>>())
        .find(|columns| columns.len() == count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_named_by_files() {
        for (file, table) in [
            ("z2023.l1_batches.csv", Some("l1_batches")),
            ("z2023_eth_txs_history_csv", Some("eth_txs_history")),
            ("eth_txs", Some("eth_txs")),
            ("eth_txs_2", None),
            ("myeth_txs", None),
            ("", None),
        ] {
            assert_eq!(table_in(file), table, "{file}");
        }
    }

    #[test]
    fn versions_of_a_table_differ_in_how_many_columns_they_have() {
        let count = |table, count| columns_of(table, count).map(|columns| columns[1].clone());
        assert_eq!(count("eth_txs", 12).as_deref(), Some("nonce"));
        assert_eq!(count("eth_txs", 17).as_deref(), Some("nonce"));
        assert_eq!(count("eth_txs", 13), None);
    }
}
