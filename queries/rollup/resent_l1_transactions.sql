-- title: L1 transactions that were sent more than once
-- about: Resends cost gas and delay the batch. Shows how many attempts are left in the history, what the
--   first and the last bid, and which attempt was confirmed: `mined_attempt` counts from 1 in order of id.
-- needs: eth_txs, eth_txs_history
-- param: min_attempts integer = 2
-- order: attempts desc, eth_tx_id
WITH numbered AS (
    SELECT eth_tx_id, id, created_at, confirmed_at, base_fee_per_gas,
           ROW_NUMBER() OVER (PARTITION BY eth_tx_id ORDER BY id) AS attempt
    FROM eth_txs_history
),
resent AS (
    SELECT eth_tx_id,
           COUNT(*)              AS attempts,
           MIN(created_at)       AS first_signed_at,
           MAX(created_at)       AS last_signed_at,
           MAX(confirmed_at)     AS noticed_at,
           MAX(CASE WHEN confirmed_at IS NULL THEN NULL ELSE attempt END) AS mined_attempt,
           MAX(CASE WHEN attempt = 1 THEN base_fee_per_gas ELSE NULL END) AS first_base_fee_per_gas_wei
    FROM numbered
    GROUP BY eth_tx_id
)
SELECT r.eth_tx_id, t.tx_type, r.attempts, r.mined_attempt, r.first_signed_at, r.last_signed_at, r.noticed_at,
       r.first_base_fee_per_gas_wei, n.base_fee_per_gas AS last_base_fee_per_gas_wei
FROM resent r
LEFT JOIN eth_txs t ON t.id = r.eth_tx_id
LEFT JOIN numbered n ON n.eth_tx_id = r.eth_tx_id AND n.attempt = r.attempts
WHERE r.attempts >= $min_attempts
ORDER BY r.attempts DESC, r.eth_tx_id
