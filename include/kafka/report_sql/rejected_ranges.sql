-- Each of these ranges has a dead letter, so the newest ones are in them.
SELECT topic, epoch, `partition`, from_offset, to_offset, toUnixTimestamp(published_at) AS at, run_id
FROM kafka_offsets
WHERE dag_id = %(dag_id)s AND rejected > 0
ORDER BY at DESC, from_offset DESC, topic, `partition`
LIMIT %(most)s
