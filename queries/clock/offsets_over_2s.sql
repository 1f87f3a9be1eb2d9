-- title: Lines that show a node's clock further off than a limit
-- about: Every sample of a node's clock against another clock whose difference is beyond the limit, either way.
--   `offset_s` is the node's clock minus the other, positive = ahead. Prysm warns from 2 s on.
-- needs: obs.clock_samples
-- param: min_offset_s real = 2.0
-- order: ts_order_us nulls last, source, line, method nulls last, offset_s
SELECT ts, node, client, clock, method, offset_s, own_slot, object_slot, ref
FROM obs.clock_samples
WHERE abs(offset_s) > $min_offset_s
ORDER BY ts_order_us NULLS LAST, source, line, method NULLS LAST, offset_s
