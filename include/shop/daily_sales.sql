-- The rows of daily_sales_aggregation of some days. The same text gives the same rows on ClickHouse 18.16 and 26.9:
-- one JOIN for each SELECT, no CTE. Prices are kept as whole numbers of hundredths, so sums are exact.
SELECT
    date,
    dimension,
    id,
    name,
    total_sales,
    total_quantity,
    toDecimal64(intDiv(hundredths, 100), 2) + toDecimal64(hundredths - intDiv(hundredths, 100) * 100, 2) / 100
        AS total_revenue
FROM
(
    SELECT
        date,
        dimension,
        id,
        count() AS total_sales,
        sum(quantity) AS total_quantity,
        sum(quantity * price) AS hundredths
    FROM
    (
        SELECT
            date,
            quantity,
            price,
            ['total', 'seller', 'category'] AS dimensions,
            [toInt64(0), toInt64(ifNull(seller_id, 0)), toInt64(ifNull(category_id, 0))] AS ids,
            [1, isNotNull(seller_id), isNotNull(category_id)] AS known
        FROM
        (
            SELECT
                toDate(assumeNotNull(sale_date)) AS date,
                toInt64(ifNull(quantity, 0)) AS quantity,
                ifNull(price_at_sale, 0) AS price,
                seller_id,
                ifNull(product_id, 0) AS product,
                isNotNull(product_id) AS has_product
            FROM shop_sales
            WHERE isNotNull(sale_date) AND toDate(assumeNotNull(sale_date)) IN %(days)s
        ) AS found
        ALL LEFT JOIN
        (
            SELECT id AS product, toUInt8(1) AS has_product, category_id FROM shop_products
        ) AS products
        USING (product, has_product)
    )
    ARRAY JOIN dimensions AS dimension, ids AS id, known AS is_known
    WHERE is_known
    GROUP BY date, dimension, id
) AS found
ALL LEFT JOIN
(
    SELECT 'seller' AS dimension, toInt64(id) AS id, ifNull(name, '') AS name FROM shop_sellers
    UNION ALL
    SELECT 'category' AS dimension, toInt64(id) AS id, ifNull(name, '') AS name FROM shop_categories
) AS names
USING (dimension, id)
