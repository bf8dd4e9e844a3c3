-- Days and categories whose row is not what the sales of its products add up to.
SELECT
    concat(toString(date), ', category ', toString(category)) AS unit,
    concat(toString(sum(sales)), ' sales, ', toString(sum(hundredths)), ' hundredths') AS expected,
    concat(toString(sum(sales_there)), ' sales, ', toString(sum(hundredths_there)), ' hundredths') AS found
FROM
(
    SELECT date, category, sales, hundredths, toUInt64(0) AS sales_there, toInt64(0) AS hundredths_there
    FROM
    (
        SELECT
            toDate(assumeNotNull(sale_date)) AS date,
            toInt64(assumeNotNull(product_id)) AS product,
            toUInt64(1) AS sales,
            toInt64(ifNull(quantity, 0)) * ifNull(price_at_sale, 0) AS hundredths
        FROM shop_sales
        WHERE isNotNull(sale_date) AND isNotNull(product_id)
    ) AS found
    ALL INNER JOIN
    (
        SELECT toInt64(id) AS product, toInt64(assumeNotNull(category_id)) AS category
        FROM shop_products
        WHERE isNotNull(category_id)
    ) AS products
    USING (product)
    UNION ALL
    SELECT
        date,
        id AS category,
        toUInt64(0) AS sales,
        toInt64(0) AS hundredths,
        total_sales AS sales_there,
        toInt64(total_revenue) * 100 + toInt64((total_revenue - toInt64(total_revenue)) * 100) AS hundredths_there
    FROM daily_sales_aggregation
    WHERE dimension = 'category'
)
GROUP BY date, category
HAVING sum(sales) != sum(sales_there) OR sum(hundredths) != sum(hundredths_there)
ORDER BY date, category
