-- The rows of user_activity_aggregation of some days. A user has a row for a day on which he did anything.
SELECT
    date,
    who AS user_id,
    sum(sessions) AS total_sessions,
    sum(clicks) AS total_clicks,
    if(total_sessions = 0, 0, total_clicks / total_sessions) AS avg_clicks_per_session,
    sum(adds) AS cart_adds,
    sum(sales) AS purchases,
    toDecimal64(intDiv(sum(hundredths), 100), 2)
        + toDecimal64(sum(hundredths) - intDiv(sum(hundredths), 100) * 100, 2) / 100 AS revenue
FROM
(
    SELECT
        toDate(session_start) AS date,
        user_id AS who,
        toUInt64(1) AS sessions,
        toUInt64(click_count) AS clicks,
        toUInt64(0) AS adds,
        toUInt64(0) AS sales,
        toInt64(0) AS hundredths
    FROM user_sessions
    WHERE toDate(session_start) IN %(days)s
    UNION ALL
    SELECT
        toDate(assumeNotNull(added_at)) AS date,
        toString(assumeNotNull(user_id)) AS who,
        toUInt64(0) AS sessions,
        toUInt64(0) AS clicks,
        toUInt64(1) AS adds,
        toUInt64(0) AS sales,
        toInt64(0) AS hundredths
    FROM shop_cart_items
    WHERE isNotNull(user_id) AND isNotNull(added_at) AND toDate(assumeNotNull(added_at)) IN %(days)s
    UNION ALL
    SELECT
        toDate(assumeNotNull(sale_date)) AS date,
        toString(assumeNotNull(user_id)) AS who,
        toUInt64(0) AS sessions,
        toUInt64(0) AS clicks,
        toUInt64(0) AS adds,
        toUInt64(1) AS sales,
        toInt64(ifNull(quantity, 0)) * ifNull(price_at_sale, 0) AS hundredths
    FROM shop_sales
    WHERE isNotNull(user_id) AND isNotNull(sale_date) AND toDate(assumeNotNull(sale_date)) IN %(days)s
)
GROUP BY date, who
