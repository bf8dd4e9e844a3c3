-- By hour, of the most frequent actions (by_action.sql).
SELECT
    toUnixTimestamp(toStartOfHour(event_time)) AS hour,
    substringUTF8(action, 1, %(characters)s) AS name,
    count() AS found,
    uniqExact(user_id) AS users
FROM user_events
WHERE event_time >= toDateTime(%(first)s, 'UTC') AND event_time < toDateTime(%(end)s, 'UTC')
    AND substringUTF8(action, 1, %(characters)s) GLOBAL IN
    (
        SELECT substringUTF8(action, 1, %(characters)s) AS frequent
        FROM user_events
        WHERE event_time >= toDateTime(%(first)s, 'UTC') AND event_time < toDateTime(%(end)s, 'UTC')
        GROUP BY frequent
        ORDER BY count() DESC, frequent
        LIMIT %(most)s
    )
GROUP BY hour, name
ORDER BY hour DESC, found DESC, name
