SELECT
    countIf(viewed) AS viewers,
    countIf(viewed AND added) AS viewers_with_cart,
    countIf(viewed AND added AND bought) AS viewers_with_cart_who_bought,
    countIf(viewed AND bought) AS viewers_who_bought,
    countIf(added) AS with_cart,
    countIf(added AND bought) AS with_cart_who_bought,
    countIf(bought) AS buyers
FROM
(
    SELECT sum(total_sessions) > 0 AS viewed, sum(cart_adds) > 0 AS added, sum(purchases) > 0 AS bought
    FROM user_activity_aggregation
    GROUP BY user_id
)
