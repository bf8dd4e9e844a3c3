SELECT
    ifNull(status, '') AS cart_status,
    count() AS items,
    sum(toInt64(ifNull(quantity, 0))) AS pieces,
    uniqExactIf(assumeNotNull(user_id), isNotNull(user_id)) AS users
FROM shop_cart_items
GROUP BY cart_status
ORDER BY items DESC, cart_status
