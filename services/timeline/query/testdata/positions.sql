SELECT log_partition, max(log_offset), max(recorded_at)
FROM events
WHERE log_generation = {generation:UInt32}
GROUP BY log_partition
ORDER BY log_partition
-- generation = 3
