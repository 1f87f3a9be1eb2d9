-- title: Records per level and minute
-- about: How loud the evidence is over time; a jump in errors or a minute without a record is where to look.
--   `minute_us` is NULL for records before which no dated one is known; `undated` counts records placed by
--   their neighbours because their own line bears no time.
-- needs: records
-- order: minute_us nulls last, level nulls last
WITH placed AS (
    SELECT ts_order_us - ts_order_us % 60000000 AS minute_us,
           date_trunc('minute', ts_order)       AS minute,
           level,
           node,
           CASE WHEN ts_us IS NULL THEN 1 ELSE 0 END AS undated
    FROM records
)
SELECT minute, minute_us, level,
       COUNT(*)             AS records,
       COUNT(DISTINCT node) AS nodes,
       SUM(undated)         AS undated
FROM placed
GROUP BY minute, minute_us, level
ORDER BY minute_us NULLS LAST, level NULLS LAST
