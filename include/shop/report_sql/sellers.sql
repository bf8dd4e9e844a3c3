-- Sellers with what they have sold in the days that are shown, and all ratings that they have.
SELECT id, seller, sales, revenue, ratings, stars / greatest(ratings, 1) AS rating
FROM
(
    SELECT id, seller, sales, revenue
    FROM
    (
        SELECT toInt64(id) AS id, ifNull(name, '') AS seller FROM shop_sellers
    ) AS found
    ALL LEFT JOIN
    (
        SELECT id, sum(total_sales) AS sales, sum(total_revenue) AS revenue
        FROM daily_sales_aggregation
        WHERE dimension = 'seller' AND date >= toDate(%(first)s) AND date <= toDate(%(last)s)
        GROUP BY id
    ) AS sold
    USING (id)
) AS found
ALL LEFT JOIN
(
    SELECT toInt64(assumeNotNull(seller_id)) AS id, count() AS ratings, sum(toInt64(assumeNotNull(rating))) AS stars
    FROM shop_seller_ratings
    WHERE isNotNull(seller_id) AND isNotNull(rating)
    GROUP BY id
) AS rated
USING (id)
ORDER BY revenue DESC, id
