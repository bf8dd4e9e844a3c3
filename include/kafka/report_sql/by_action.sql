-- The most frequent actions: who writes to the topic may invent any number of them.
SELECT substringUTF8(action, 1, %(characters)s) AS name, count() AS found, uniqExact(user_id) AS users
FROM user_events
WHERE event_time >= toDateTime(%(first)s, 'UTC') AND event_time < toDateTime(%(end)s, 'UTC')
GROUP BY name
ORDER BY found DESC, name
LIMIT %(most)s
