SELECT toDate({time}) AS day, count() AS found, uniqExact(user_id) AS users
FROM {table}
WHERE {time} >= toDateTime(%(first)s, 'UTC') AND {time} < toDateTime(%(end)s, 'UTC')
GROUP BY day
ORDER BY day
