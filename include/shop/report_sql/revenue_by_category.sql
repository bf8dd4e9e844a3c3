SELECT id, any(name) AS category, sum(total_sales) AS sales, sum(total_quantity) AS quantity, sum(total_revenue) AS revenue
FROM daily_sales_aggregation
WHERE dimension = 'category' AND date >= toDate(%(first)s) AND date <= toDate(%(last)s)
GROUP BY id
ORDER BY revenue DESC, id
