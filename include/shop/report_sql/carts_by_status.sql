SELECT
    ifNull(status, '') AS cart_status,
    count() AS items,
    sum(toInt64(ifNull(quantity, 0))) AS pieces,
    uniqExact(ifNull(user_id, 0)) AS users
FROM shop_cart_items
GROUP BY cart_status
ORDER BY items DESC, cart_status
