-- title: The way of an L2 transaction's messages to L1
-- about: From the hash to its L2-to-L1 logs, their miniblock and batch, and for each of commit, prove and
--   execute every attempt on L1; `is_confirming` marks the attempt that the server took as confirmed.
--   `confirmed_at` is when the server noticed the receipt, not the time of the L1 block.
-- needs: l2_to_l1_logs, miniblocks, l1_batches, eth_txs, eth_txs_history
-- param: hash text
-- order: miniblock_number, stage_number, attempt_id nulls last
WITH found AS (
    -- One transaction may have many logs. bytea has no portable literal; decode() takes the digits.
    SELECT l.miniblock_number, COUNT(*) AS logs
    FROM l2_to_l1_logs l
    WHERE l.tx_hash = decode(replace(lower($hash), '0x', ''), 'hex')
    GROUP BY l.miniblock_number
),
way AS (
    SELECT f.miniblock_number, f.logs, m.l1_batch_number,
           b.eth_commit_tx_id, b.eth_prove_tx_id, b.eth_execute_tx_id
    FROM found f
    LEFT JOIN miniblocks m ON m.number = f.miniblock_number
    LEFT JOIN l1_batches b ON b.number = m.l1_batch_number
),
stages AS (
    SELECT miniblock_number, logs, l1_batch_number, 1 AS stage_number, 'commit' AS stage, eth_commit_tx_id AS eth_tx_id
    FROM way
    UNION ALL
    SELECT miniblock_number, logs, l1_batch_number, 2 AS stage_number, 'prove' AS stage, eth_prove_tx_id AS eth_tx_id
    FROM way
    UNION ALL
    SELECT miniblock_number, logs, l1_batch_number, 3 AS stage_number, 'execute' AS stage, eth_execute_tx_id AS eth_tx_id
    FROM way
)
SELECT s.miniblock_number, s.logs, s.l1_batch_number, s.stage_number, s.stage, s.eth_tx_id,
       t.nonce, t.tx_type, t.contract_address, t.has_failed,
       h.id AS attempt_id, h.tx_hash AS l1_tx_hash, h.created_at, h.sent_at_block, h.confirmed_at,
       h.id = t.confirmed_eth_tx_history_id AS is_confirming
FROM stages s
LEFT JOIN eth_txs t ON t.id = s.eth_tx_id
LEFT JOIN eth_txs_history h ON h.eth_tx_id = t.id
ORDER BY s.miniblock_number, s.stage_number, attempt_id NULLS LAST
