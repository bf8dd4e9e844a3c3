SELECT date, total_sales, total_quantity, total_revenue
FROM daily_sales_aggregation
WHERE dimension = 'total' AND date >= toDate(%(first)s) AND date <= toDate(%(last)s)
ORDER BY date
