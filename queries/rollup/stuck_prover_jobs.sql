-- title: Prover jobs that nothing will ever put back
-- about: The house keeper of 2023 puts a job of `prover_jobs` back while `attempts` is below its limit: one that
--   runs once its timeout has passed, a failed one at once. These are past that: taken before `started_before`
--   (the time looked at less the timeout, in the database's clock), or failed, with their attempts used up, or
--   running with no start at all, which is never older than a timeout. `proven_behind` counts the later batches
--   whose final proof is there and has to wait, since L1 takes batches in order.
-- needs: prover_jobs
-- param: started_before text
-- param: max_attempts integer = 1
-- order: l1_batch_number, aggregation_round, id
WITH batches AS (
    SELECT l1_batch_number,
           MAX(CASE WHEN aggregation_round = 3 AND status = 'successful' THEN 1 ELSE 0 END) AS proven
    FROM prover_jobs
    GROUP BY l1_batch_number
),
behind AS (
    SELECT l1_batch_number,
           COALESCE(SUM(proven) OVER (ORDER BY l1_batch_number DESC
                                      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS proven_behind
    FROM batches
)
SELECT j.l1_batch_number, j.aggregation_round, j.id, j.circuit_type, j.status, j.attempts, j.processing_started_at,
       CASE WHEN j.status <> 'failed' AND j.processing_started_at IS NULL THEN 'no start'
            ELSE 'attempts used up' END AS why,
       b.proven_behind
FROM prover_jobs j
JOIN behind b ON b.l1_batch_number = j.l1_batch_number
WHERE (j.status = 'failed' AND j.attempts >= $max_attempts)
   OR (j.status IN ('in_progress', 'in_gpu_proof')
       AND (j.processing_started_at IS NULL
            OR (j.attempts >= $max_attempts
                AND j.processing_started_at <= CAST($started_before AS TIMESTAMP))))
ORDER BY j.l1_batch_number, j.aggregation_round, j.id
