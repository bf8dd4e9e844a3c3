SELECT toDayOfWeek(session_start) AS weekday, count() AS sessions, sum(toUInt64(click_count)) AS clicks, uniqExact(user_id) AS users
FROM user_sessions
GROUP BY weekday
ORDER BY weekday
