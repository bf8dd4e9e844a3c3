-- How many users have bought how often; never: those whom the table of users has.
SELECT purchases, count() AS users
FROM
(
    SELECT user, sum(sales) AS purchases
    FROM
    (
        SELECT toInt64(id) AS user, toUInt64(0) AS sales FROM shop_users
        UNION ALL
        SELECT toInt64(assumeNotNull(user_id)) AS user, toUInt64(1) AS sales
        FROM shop_sales
        WHERE isNotNull(user_id)
    )
    GROUP BY user
)
GROUP BY purchases
ORDER BY purchases
