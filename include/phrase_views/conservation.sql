-- Phrases whose hours do not add up: the sum over the hours must be the last value less the baseline, plus
-- what was lost in resets. Counts the counters anew, without hours and without what report.sql packs them
-- into: a second opinion, not the same sum.
SELECT campaign_id, phrase, sum(by_counters) AS counted, sum(by_hours) AS reported
FROM
(
    SELECT
        campaign_id,
        phrase,
        counts[length(counts)] - counts[1] + lost_in_resets AS by_counters,
        toInt64(0) AS by_hours
    FROM
    (
        SELECT
            campaign_id,
            phrase,
            arraySort(
                (count, at) -> at,
                groupArrayIf(toInt64(greatest(views, 0)), of_day),
                groupArrayIf(toUInt32(dt), of_day)
            ) AS counts_of_day,
            countIf(NOT of_day) > 0 AS has_baseline,
            argMaxIf(toInt64(greatest(views, 0)), dt, NOT of_day) AS baseline,
            arrayPushFront(counts_of_day, if(has_baseline, baseline, counts_of_day[1])) AS counts,
            arraySum(
                (now, before) -> if(now < before, before, 0), arrayPopFront(counts), arrayPopBack(counts)
            ) AS lost_in_resets
        FROM
        (
            SELECT campaign_id, phrase, views, dt, dt >= toDateTime(%(first_stamp)s) AS of_day
            FROM phrases_views FINAL
            WHERE dt >= toDateTime(%(lookback_stamp)s) AND dt < toDateTime(%(end_stamp)s)
                AND (%(all_campaigns)s OR campaign_id IN %(campaign_ids)s)
        )
        GROUP BY campaign_id, phrase
        HAVING notEmpty(counts_of_day)
    )
    UNION ALL
    SELECT campaign_id, phrase, toInt64(0) AS by_counters, views AS by_hours
    FROM phrases_views_by_hour
    WHERE date = toDate(%(day)s) AND (%(all_campaigns)s OR campaign_id IN %(campaign_ids)s)
)
GROUP BY campaign_id, phrase
HAVING counted != reported
ORDER BY campaign_id, phrase
LIMIT 10
