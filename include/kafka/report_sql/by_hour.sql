SELECT toUnixTimestamp(toStartOfHour({time})) AS hour, count() AS found, uniqExact(user_id) AS users
FROM {table}
WHERE {time} >= toDateTime(%(first)s, 'UTC') AND {time} < toDateTime(%(end)s, 'UTC')
GROUP BY hour
ORDER BY hour
