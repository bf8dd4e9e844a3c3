SELECT
    category_id,
    category,
    ratings,
    total_stars / ratings AS rating,
    ones, twos, threes, fours, fives
FROM
(
    SELECT
        category_number AS category_id,
        count() AS ratings,
        sum(toInt64(stars)) AS total_stars,
        countIf(stars = 1) AS ones,
        countIf(stars = 2) AS twos,
        countIf(stars = 3) AS threes,
        countIf(stars = 4) AS fours,
        countIf(stars = 5) AS fives
    FROM
    (
        SELECT toInt64(assumeNotNull(product_id)) AS product, assumeNotNull(rating) AS stars
        FROM shop_product_ratings
        WHERE isNotNull(product_id) AND isNotNull(rating)
    ) AS found
    ALL INNER JOIN
    (
        SELECT toInt64(id) AS product, toInt64(assumeNotNull(category_id)) AS category_number
        FROM shop_products
        WHERE isNotNull(category_id)
    ) AS products
    USING (product)
    GROUP BY category_number
) AS found
ALL LEFT JOIN
(
    SELECT toInt64(id) AS category_id, ifNull(name, '') AS category FROM shop_categories
) AS categories
USING (category_id)
ORDER BY rating DESC, category_id
