SELECT
    topic, epoch, `partition`, max(to_offset), sum(rows), sum(rejected), sum(tombstones), sum(hidden), sum(lost),
    toUnixTimestamp(max(published_at))
FROM kafka_offsets
WHERE dag_id = %(dag_id)s
GROUP BY topic, epoch, `partition`
ORDER BY topic, epoch, `partition`
