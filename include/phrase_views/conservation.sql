-- Phrases whose hours do not add up: the sum over the hours must be the last value less the baseline, plus
-- what was lost in resets. Counts the counters anew and without hours: a second opinion, not the same sum.
SELECT campaign_id, phrase, sum(by_counters) AS counted, sum(by_hours) AS reported
FROM
(
    SELECT
        campaign_id,
        phrase,
        toInt64(counts[length(counts)] - counts[1] + lost_in_resets) AS by_counters,
        toInt64(0) AS by_hours
    FROM
    (
        SELECT
            campaign_id,
            phrase,
            arraySort(groupArrayIf(sample, sample >= bitShiftLeft(toUInt64(%(first_stamp)s), 32))) AS samples,
            maxIf(sample, sample < bitShiftLeft(toUInt64(%(first_stamp)s), 32)) AS baseline,
            arrayMap(
                sample -> toInt64(bitAnd(sample, 4294967295)),
                arrayPushFront(samples, if(baseline = 0, samples[1], baseline))
            ) AS counts,
            arraySum(
                (now, before) -> if(now < before, before, 0), arrayPopFront(counts), arrayPopBack(counts)
            ) AS lost_in_resets
        FROM
        (
            SELECT
                campaign_id,
                phrase,
                bitShiftLeft(toUInt64(toUInt32(dt)), 32) + greatest(views, 0) AS sample
            FROM phrases_views FINAL
            WHERE dt >= toDateTime(%(lookback_stamp)s) AND dt < toDateTime(%(end_stamp)s)
                AND (%(all_campaigns)s OR campaign_id IN %(campaign_ids)s)
        )
        GROUP BY campaign_id, phrase
        HAVING notEmpty(samples)
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
