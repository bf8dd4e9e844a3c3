-- Days whose row `total` is not what the day's sales add up to.
SELECT
    date AS unit,
    concat(toString(sum(sales)), ' sales, ', toString(sum(pieces)), ' pieces, ', toString(sum(hundredths)), ' hundredths')
        AS expected,
    concat(
        toString(sum(sales_there)), ' sales, ', toString(sum(pieces_there)), ' pieces, ',
        toString(sum(hundredths_there)), ' hundredths'
    ) AS found
FROM
(
    SELECT
        toDate(assumeNotNull(sale_date)) AS date,
        toUInt64(1) AS sales,
        toInt64(ifNull(quantity, 0)) AS pieces,
        toInt64(ifNull(quantity, 0)) * ifNull(price_at_sale, 0) AS hundredths,
        toUInt64(0) AS sales_there,
        toInt64(0) AS pieces_there,
        toInt64(0) AS hundredths_there
    FROM shop_sales
    WHERE isNotNull(sale_date)
    UNION ALL
    SELECT
        date,
        toUInt64(0) AS sales,
        toInt64(0) AS pieces,
        toInt64(0) AS hundredths,
        total_sales AS sales_there,
        total_quantity AS pieces_there,
        toInt64(total_revenue) * 100 + toInt64((total_revenue - toInt64(total_revenue)) * 100) AS hundredths_there
    FROM daily_sales_aggregation
    WHERE dimension = 'total'
)
GROUP BY date
HAVING sum(sales) != sum(sales_there) OR sum(pieces) != sum(pieces_there) OR sum(hundredths) != sum(hundredths_there)
ORDER BY date
