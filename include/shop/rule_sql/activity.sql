-- Days on which users did more or less than the rows of sales, carts and sessions say.
SELECT
    date AS unit,
    concat(
        toString(sum(sales)), ' sales, ', toString(sum(hundredths)), ' hundredths, ', toString(sum(adds)), ' adds, ',
        toString(sum(sessions)), ' sessions, ', toString(sum(clicks)), ' clicks'
    ) AS expected,
    concat(
        toString(sum(sales_there)), ' sales, ', toString(sum(hundredths_there)), ' hundredths, ',
        toString(sum(adds_there)), ' adds, ', toString(sum(sessions_there)), ' sessions, ',
        toString(sum(clicks_there)), ' clicks'
    ) AS found
FROM
(
    SELECT
        date, sales, hundredths, adds, sessions, clicks,
        toUInt64(0) AS sales_there, toInt64(0) AS hundredths_there, toUInt64(0) AS adds_there,
        toUInt64(0) AS sessions_there, toUInt64(0) AS clicks_there
    FROM
    (
        SELECT
            toDate(assumeNotNull(sale_date)) AS date,
            toUInt64(1) AS sales,
            toInt64(ifNull(quantity, 0)) * ifNull(price_at_sale, 0) AS hundredths,
            toUInt64(0) AS adds, toUInt64(0) AS sessions, toUInt64(0) AS clicks
        FROM shop_sales
        WHERE isNotNull(sale_date) AND isNotNull(user_id)
        UNION ALL
        SELECT
            toDate(assumeNotNull(added_at)) AS date,
            toUInt64(0) AS sales, toInt64(0) AS hundredths, toUInt64(1) AS adds,
            toUInt64(0) AS sessions, toUInt64(0) AS clicks
        FROM shop_cart_items
        WHERE isNotNull(added_at) AND isNotNull(user_id)
        UNION ALL
        SELECT
            toDate(session_start) AS date,
            toUInt64(0) AS sales, toInt64(0) AS hundredths, toUInt64(0) AS adds,
            toUInt64(1) AS sessions, toUInt64(click_count) AS clicks
        FROM user_sessions
    )
    UNION ALL
    SELECT
        date,
        toUInt64(0) AS sales, toInt64(0) AS hundredths, toUInt64(0) AS adds,
        toUInt64(0) AS sessions, toUInt64(0) AS clicks,
        purchases AS sales_there,
        toInt64(revenue) * 100 + toInt64((revenue - toInt64(revenue)) * 100) AS hundredths_there,
        cart_adds AS adds_there, total_sessions AS sessions_there, total_clicks AS clicks_there
    FROM user_activity_aggregation
)
GROUP BY date
HAVING sum(sales) != sum(sales_there) OR sum(hundredths) != sum(hundredths_there) OR sum(adds) != sum(adds_there)
    OR sum(sessions) != sum(sessions_there) OR sum(clicks) != sum(clicks_there)
ORDER BY date
