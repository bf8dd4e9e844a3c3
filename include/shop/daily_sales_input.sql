-- What each day of daily_sales_aggregation is made from: how many rows, a hash of all that counts of them, and how
-- far from zero their revenue could be, in hundredths.
SELECT
    date,
    count() AS input_rows,
    sum(cityHash64(
        sale, quantity, price, has_seller, seller, seller_name, has_category, category, category_name
    )) AS input_checksum,
    sum(abs(toFloat64(quantity)) * abs(toFloat64(price))) AS reach
FROM
(
    SELECT
        date, sale, quantity, price, has_seller, seller, seller_name,
        isNotNull(category_id) AS has_category,
        toInt64(ifNull(category_id, 0)) AS category,
        category_name
    FROM
    (
        SELECT date, sale, quantity, price, has_seller, seller, seller_name, product, has_product
        FROM
        (
            SELECT
                toDate(assumeNotNull(sale_date)) AS date,
                id AS sale,
                toInt64(ifNull(quantity, 0)) AS quantity,
                ifNull(price_at_sale, 0) AS price,
                isNotNull(seller_id) AS has_seller,
                toInt64(ifNull(seller_id, 0)) AS seller,
                ifNull(product_id, 0) AS product,
                isNotNull(product_id) AS has_product
            FROM shop_sales
            WHERE isNotNull(sale_date)
        ) AS found
        ALL LEFT JOIN
        (
            SELECT toInt64(id) AS seller, ifNull(name, '') AS seller_name FROM shop_sellers
        ) AS sellers
        USING (seller)
    ) AS found
    ALL LEFT JOIN
    (
        SELECT product, has_product, category_id, category_name
        FROM
        (
            SELECT
                id AS product,
                toUInt8(1) AS has_product,
                category_id,
                toInt64(ifNull(category_id, 0)) AS category
            FROM shop_products
        ) AS found
        ALL LEFT JOIN
        (
            SELECT toInt64(id) AS category, ifNull(name, '') AS category_name FROM shop_categories
        ) AS categories
        USING (category)
    ) AS products
    USING (product, has_product)
)
GROUP BY date
