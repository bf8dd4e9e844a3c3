SELECT substringUTF8(reason, 1, %(characters)s) AS why, count() AS found
FROM kafka_dead_letters
WHERE dag_id = %(dag_id)s
GROUP BY why
ORDER BY found DESC, why
LIMIT %(most)s
