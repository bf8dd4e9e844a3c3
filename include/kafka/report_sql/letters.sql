-- Of a range; the values, which may be of any length, are cut here.
SELECT
    `offset`,
    substringUTF8(reason, 1, %(characters)s),
    substringUTF8(key, 1, %(characters)s),
    substringUTF8(value, 1, %(characters)s),
    length(value),
    encoding
FROM kafka_dead_letters
WHERE dag_id = %(dag_id)s AND topic = %(topic)s AND epoch = %(epoch)s AND `partition` = %(partition)s
    AND `offset` >= %(start)s AND `offset` < %(end)s
ORDER BY `offset` DESC
LIMIT %(most)s
