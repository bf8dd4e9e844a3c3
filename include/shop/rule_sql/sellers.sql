-- Days and sellers whose row is not what the seller's sales of the day add up to.
SELECT
    concat(toString(date), ', seller ', toString(seller)) AS unit,
    concat(toString(sum(sales)), ' sales, ', toString(sum(hundredths)), ' hundredths') AS expected,
    concat(toString(sum(sales_there)), ' sales, ', toString(sum(hundredths_there)), ' hundredths') AS found
FROM
(
    SELECT
        toDate(assumeNotNull(sale_date)) AS date,
        toInt64(assumeNotNull(seller_id)) AS seller,
        toUInt64(1) AS sales,
        toInt64(ifNull(quantity, 0)) * ifNull(price_at_sale, 0) AS hundredths,
        toUInt64(0) AS sales_there,
        toInt64(0) AS hundredths_there
    FROM shop_sales
    WHERE isNotNull(sale_date) AND isNotNull(seller_id)
    UNION ALL
    SELECT
        date,
        id AS seller,
        toUInt64(0) AS sales,
        toInt64(0) AS hundredths,
        total_sales AS sales_there,
        toInt64(total_revenue) * 100 + toInt64((total_revenue - toInt64(total_revenue)) * 100) AS hundredths_there
    FROM daily_sales_aggregation
    WHERE dimension = 'seller'
)
GROUP BY date, seller
HAVING sum(sales) != sum(sales_there) OR sum(hundredths) != sum(hundredths_there)
ORDER BY date, seller
