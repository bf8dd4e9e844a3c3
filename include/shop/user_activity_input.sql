-- What each day of user_activity_aggregation is made from: as daily_sales_input.sql.
SELECT date, count() AS input_rows, sum(hash) AS input_checksum, sum(reached) AS reach
FROM
(
    SELECT
        toDate(session_start) AS date,
        cityHash64('session', session_id, user_id, toUInt64(click_count)) AS hash,
        toFloat64(0) AS reached
    FROM user_sessions
    UNION ALL
    SELECT
        toDate(assumeNotNull(added_at)) AS date,
        cityHash64('cart', toString(id), toString(assumeNotNull(user_id)), toUInt64(1)) AS hash,
        toFloat64(0) AS reached
    FROM shop_cart_items
    WHERE isNotNull(user_id) AND isNotNull(added_at)
    UNION ALL
    SELECT
        toDate(assumeNotNull(sale_date)) AS date,
        cityHash64(
            'sale', toString(id), toString(assumeNotNull(user_id)), toInt64(ifNull(quantity, 0)), ifNull(price_at_sale, 0)
        ) AS hash,
        abs(toFloat64(ifNull(quantity, 0))) * abs(toFloat64(ifNull(price_at_sale, 0))) AS reached
    FROM shop_sales
    WHERE isNotNull(user_id) AND isNotNull(sale_date)
)
GROUP BY date
