-- The tables that a trace asks, with the keys and indexes of zkSync Era's core database of 2023, and
-- seeded rows: as many logs as the variable `logs` says, two per miniblock, ten miniblocks per batch,
-- three L1 transactions per batch.
CREATE TABLE eth_txs (
    id integer PRIMARY KEY, nonce bigint NOT NULL, raw_tx bytea NOT NULL, contract_address text NOT NULL,
    tx_type text NOT NULL, gas_used bigint, created_at timestamp NOT NULL, updated_at timestamp NOT NULL,
    has_failed boolean NOT NULL DEFAULT false, sent_at_block integer, confirmed_eth_tx_history_id integer,
    predicted_gas_cost bigint NOT NULL
);
CREATE TABLE eth_txs_history (
    id integer PRIMARY KEY, eth_tx_id integer NOT NULL, base_fee_per_gas bigint NOT NULL,
    priority_fee_per_gas bigint NOT NULL, tx_hash text NOT NULL, created_at timestamp NOT NULL,
    updated_at timestamp NOT NULL, confirmed_at timestamp, signed_raw_tx bytea, sent_at_block integer,
    sent_at timestamp
);
CREATE TABLE l1_batches (
    number bigint PRIMARY KEY, l1_tx_count integer NOT NULL, l2_tx_count integer NOT NULL,
    "timestamp" bigint NOT NULL, is_finished boolean NOT NULL, fee_account_address bytea NOT NULL,
    hash bytea, commitment bytea, eth_prove_tx_id integer, eth_commit_tx_id integer,
    eth_execute_tx_id integer, created_at timestamp NOT NULL, updated_at timestamp NOT NULL
);
CREATE TABLE miniblocks (
    number bigint PRIMARY KEY, "timestamp" bigint NOT NULL, hash bytea NOT NULL,
    l1_tx_count integer NOT NULL, l2_tx_count integer NOT NULL, base_fee_per_gas numeric(80,0) NOT NULL,
    l1_gas_price bigint NOT NULL, l2_fair_gas_price bigint NOT NULL, created_at timestamp NOT NULL,
    updated_at timestamp NOT NULL, l1_batch_number bigint
);
CREATE TABLE l2_to_l1_logs (
    miniblock_number bigint NOT NULL, log_index_in_miniblock integer NOT NULL,
    log_index_in_tx integer NOT NULL, tx_hash bytea NOT NULL, shard_id integer NOT NULL,
    is_service boolean NOT NULL, tx_index_in_miniblock integer NOT NULL,
    tx_index_in_l1_batch integer NOT NULL, sender bytea NOT NULL, key bytea NOT NULL,
    value bytea NOT NULL, created_at timestamp NOT NULL, updated_at timestamp NOT NULL,
    PRIMARY KEY (miniblock_number, log_index_in_miniblock)
);
INSERT INTO l2_to_l1_logs
SELECT n / 2, n % 2, 0, sha256(int8send(n)), 0, true, n % 2, n % 20,
    '\x0000000000000000000000000000000000008008', sha256(int8send(n + 1000000000)),
    sha256(int8send(n + 2000000000)),
    timestamp '2023-09-01' + n * interval '1 second', timestamp '2023-09-01' + n * interval '1 second'
FROM generate_series(0, :logs - 1) n;
INSERT INTO miniblocks
SELECT n, 1693526400 + 2 * n, sha256(int8send(n + 3000000000)), 0, 2, 250000000, 20000000000, 250000000,
    timestamp '2023-09-01' + 2 * n * interval '1 second', timestamp '2023-09-01' + 2 * n * interval '1 second',
    n / 10
FROM generate_series(0, :logs / 2 - 1) n;
INSERT INTO l1_batches
SELECT n, 0, 20, 1693526400 + 20 * n, true, '\x0000000000000000000000000000000000008001',
    sha256(int8send(n + 4000000000)), sha256(int8send(n + 5000000000)), 3 * n + 1, 3 * n, 3 * n + 2,
    timestamp '2023-09-01' + 20 * n * interval '1 second', timestamp '2023-09-01' + 20 * n * interval '1 second'
FROM generate_series(0, :logs / 20 - 1) n;
INSERT INTO eth_txs
SELECT n, n, sha256(int8send(n + 6000000000)), '0x5e3e5f6ef0e21f0cf5b4c3acd3cf29740b1cbbd8',
    (ARRAY['CommitBlocks', 'PublishProofBlocksOnchain', 'ExecuteBlocks'])[1 + n % 3], 200000,
    timestamp '2023-09-01' + 7 * n * interval '1 second', timestamp '2023-09-01' + 7 * n * interval '1 second',
    false, 18000000 + n / 2, n, 350000
FROM generate_series(0, 3 * (:logs / 20) - 1) n;
INSERT INTO eth_txs_history
SELECT n, n, 11000000000, 1000000000, '0x' || encode(sha256(int8send(n + 7000000000)), 'hex'),
    timestamp '2023-09-01' + (7 * n + 10) * interval '1 second',
    timestamp '2023-09-01' + (7 * n + 10) * interval '1 second',
    timestamp '2023-09-01' + (7 * n + 130) * interval '1 second', sha256(int8send(n + 8000000000)),
    18000000 + n / 2, timestamp '2023-09-01' + (7 * n + 11) * interval '1 second'
FROM generate_series(0, 3 * (:logs / 20) - 1) n;
CREATE INDEX l2_to_l1_logs_tx_hash_index ON l2_to_l1_logs USING hash (tx_hash);
CREATE INDEX miniblocks_l1_batch_number_idx ON miniblocks (l1_batch_number);
CREATE INDEX miniblocks_hash ON miniblocks USING hash (hash);
CREATE INDEX blocks_hash ON l1_batches USING hash (hash);
CREATE INDEX eth_txs_history_eth_tx_id_idx ON eth_txs_history (eth_tx_id);
CREATE UNIQUE INDEX eth_txs_history_tx_hash_index ON eth_txs_history (tx_hash);
