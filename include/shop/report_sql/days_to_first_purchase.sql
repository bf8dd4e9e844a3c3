-- Days from the first that is known of a user (a session, a cart, a purchase) to the first purchase.
SELECT toInt64(toUInt16(bought)) - toInt64(toUInt16(seen)) AS days, count() AS users
FROM
(
    SELECT user_id, min(date) AS seen, minIf(date, purchases > 0) AS bought
    FROM user_activity_aggregation
    GROUP BY user_id
    HAVING sum(purchases) > 0
)
GROUP BY days
ORDER BY days
