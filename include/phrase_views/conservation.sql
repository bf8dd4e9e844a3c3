-- Phrases whose hours do not add up: the sum over the hours must be the highest values that the counter reached,
-- one before each reset and the last one, less the one it had reached before the day. Counts the counters anew,
-- without hours, gains and what report.sql packs them into: a second opinion, not the same sum.
SELECT campaign_id, phrase, sum(by_counters) AS counted, sum(by_hours) AS reported
FROM
(
    SELECT
        campaign_id,
        phrase,
        arraySum(
            (this, next) -> if(bitShiftRight(this, 32) != bitShiftRight(next, 32), bitAnd(this, 4294967295), 0),
            reached,
            arrayPushBack(arrayPopFront(reached), toUInt64(0))
        ) - bitAnd(reached_before, 4294967295) AS by_counters,
        toInt64(0) AS by_hours
    FROM
    (
        SELECT
            campaign_id,
            phrase,
            arraySort(
                (count, at) -> at,
                groupArrayIf(toInt64(greatest(views, 0)), recent),
                groupArrayIf(toUInt32(dt), recent)
            ) AS recent_counts,
            countIf(NOT recent) > 0 AS has_baseline,
            argMaxIf(toInt64(greatest(views, 0)), dt, NOT recent) AS baseline,
            arrayPushFront(recent_counts, if(has_baseline, baseline, recent_counts[1])) AS counts,
            1 + countIf(recent AND NOT of_day) AS before_day,

            -- Numbered by the resets before it, in the upper half, a value after a reset is above all before.
            arrayPushFront(
                arrayCumSum(arrayMap(
                    (now, before) -> now * %(reset_below)s < before, arrayPopFront(counts), arrayPopBack(counts)
                )),
                toUInt64(0)
            ) AS resets,
            arrayMap((reset, count) -> bitShiftLeft(toUInt64(reset + 1), 32) + toUInt64(count), resets, counts) AS values,
            arrayReduce('max', arraySlice(values, 1, before_day)) AS reached_before,
            arraySort(arrayFilter(value -> value >= reached_before, values)) AS reached
        FROM
        (
            SELECT
                campaign_id,
                phrase,
                views,
                dt,
                dt >= toDateTime(%(recent_stamp)s) AS recent,
                dt >= toDateTime(%(first_stamp)s) AS of_day
            FROM phrases_views FINAL
            WHERE dt >= toDateTime(%(lookback_stamp)s) AND dt < toDateTime(%(end_stamp)s)
                AND (%(all_campaigns)s OR campaign_id IN %(campaign_ids)s)
        )
        GROUP BY campaign_id, phrase
        HAVING countIf(of_day) > 0
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
