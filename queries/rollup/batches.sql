-- title: The life of every batch
-- about: When each batch was saved for L1, sent and noticed as confirmed, for commit, prove and execute.
--   The server's own join is used: any attempt that has `confirmed_at`, the newest should there be several.
--   `noticed_at` is when the server noticed the receipt, not the time of the L1 block; `begun_s` is unix time.
-- needs: l1_batches, eth_txs, eth_txs_history
-- param: first integer = 0
-- param: last integer = 1000000000
-- order: l1_batch_number, stage_number
WITH steps AS (
    SELECT 1 AS stage_number, 'commit' AS stage
    UNION ALL SELECT 2 AS stage_number, 'prove' AS stage
    UNION ALL SELECT 3 AS stage_number, 'execute' AS stage
),
stages AS (
    SELECT b.number AS l1_batch_number, b.timestamp AS begun_s, n.stage_number, n.stage,
           CASE n.stage_number
               WHEN 1 THEN b.eth_commit_tx_id
               WHEN 2 THEN b.eth_prove_tx_id
               ELSE b.eth_execute_tx_id
           END AS eth_tx_id
    FROM l1_batches b
    CROSS JOIN steps n
),
attempts AS (
    SELECT eth_tx_id,
           COUNT(*)        AS attempts,
           MIN(created_at) AS first_signed_at,
           MIN(sent_at)    AS first_sent_at,
           MAX(CASE WHEN confirmed_at IS NULL THEN NULL ELSE id END) AS confirmed_id
    FROM eth_txs_history
    GROUP BY eth_tx_id
)
SELECT s.l1_batch_number, s.begun_s, s.stage_number, s.stage, s.eth_tx_id,
       t.has_failed, t.created_at AS saved_at, a.attempts, a.first_signed_at, a.first_sent_at,
       h.tx_hash AS l1_tx_hash, h.confirmed_at AS noticed_at
FROM stages s
LEFT JOIN eth_txs t ON t.id = s.eth_tx_id
LEFT JOIN attempts a ON a.eth_tx_id = s.eth_tx_id
LEFT JOIN eth_txs_history h ON h.id = a.confirmed_id
WHERE s.l1_batch_number >= $first AND s.l1_batch_number <= $last
ORDER BY s.l1_batch_number, s.stage_number
