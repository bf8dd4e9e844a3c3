-- The views that each phrase gained in each hour of a day: the rows of phrases_views_by_hour.
-- The same text gives the same rows on ClickHouse 18.16 and 26.9: no CTE, no window function.
SELECT
    toDate(%(day)s) AS date,
    campaign_id,
    phrase,
    toUInt8(arrayElement(%(hours)s, last_step)) AS hour,
    total_gain - total_gain_before AS views,
    transform(
        (bitShiftRight(total_events - total_events_before AS events_of_hour, 42) > 0)
            + 2 * (bitAnd(bitShiftRight(events_of_hour, 21), 2097151) > 0)
            + 4 * (nth_hour = 1 AND baseline = 0)
            + 8 * (bitAnd(events_of_hour, 2097151) > 0),
        %(flag_numbers)s,
        %(flag_sets)s,
        ''
    ) AS flags,
    toDateTime(arrayElement(%(hour_starts)s, last_step), 'UTC') AS hour_start,
    %(time_zone)s AS time_zone,
    %(hour_rule)s AS hour_rule,
    %(falls)s AS falls
FROM
(
    -- Per phrase, sample by sample in order of time; `before` is the neighbour, first of all the baseline.
    SELECT
        campaign_id,
        phrase,
        baseline,
        arraySort(recent) AS samples,
        arrayPushFront(arrayPopBack(samples), if(baseline = 0, samples[1], baseline)) AS samples_before,
        arrayMap(sample -> toUInt32(bitShiftRight(sample, 32)), samples) AS instants,
        arrayMap(sample -> toUInt32(bitShiftRight(sample, 32)), samples_before) AS instants_before,
        arrayMap(sample -> toInt64(bitAnd(sample, 4294967295)), samples) AS counts,
        arrayMap(sample -> toInt64(bitAnd(sample, 4294967295)), samples_before) AS counts_before,
        arrayMap((now, before) -> now * %(reset_below)s < before, counts, counts_before) AS resets,

        -- Counted in 21 bits each: resets, gaps, corrections. Of two rows for one instant with other views only
        -- FINAL knows which one counts.
        arrayMap(
            (at, at_before, now, before, reset) -> reset
                + bitShiftLeft(toUInt64(at - at_before >= %(gap_s)s), 21)
                + bitShiftLeft(toUInt64(now < before AND NOT reset), 42)
                + throwIf(at = at_before AND now != before),
            instants, instants_before, counts, counts_before, resets
        ) AS events,

        -- How far a counter is below its highest value since a reset: it gains where it rises above that value.
        arrayCumSumNonNegative(arrayMap(
            (now, before, reset) -> if(reset, -4294967296, before - now), counts, counts_before, resets
        )) AS shortfalls,
        arrayPushFront(arrayPopBack(shortfalls), toInt64(0)) AS shortfalls_before,
        arrayMap(
            (now, before, reset, shortfall) -> if(reset, now, greatest(now - before - shortfall, toInt64(0))),
            counts, counts_before, resets, shortfalls_before
        ) AS gains,

        -- Step 1 is what is known of the time before the day; it is left out in the end.
        arrayMap(
            at -> toUInt32(if(at < %(first_stamp)s, 1, 2 + intDiv(at - %(first_stamp)s, %(step_s)s))), instants
        ) AS steps,
        arrayMap(step -> arrayElement(%(hour_starts)s, step), steps) AS starts,
        arrayPushBack(arrayPopFront(starts), toUInt32(0)) AS starts_after,
        arrayMap((this, next) -> this != next, starts, starts_after) AS ends_hour,

        -- Running totals at the end of each hour: an hour's own is the difference to the hour before.
        arrayFilter((step, ends) -> ends, steps, ends_hour) AS hour_steps,
        arrayFilter((total, ends) -> ends, arrayCumSum(gains), ends_hour) AS hour_gains,
        arrayFilter((total, ends) -> ends, arrayCumSum(events), ends_hour) AS hour_events
    FROM
    (
        -- A sample is one number, instant * 2^32 + views: they sort fast, and the largest is the latest.
        SELECT
            campaign_id,
            phrase,
            groupArrayIf(sample, sample >= bitShiftLeft(toUInt64(%(recent_stamp)s), 32)) AS recent,
            maxIf(sample, sample < bitShiftLeft(toUInt64(%(recent_stamp)s), 32)) AS baseline,
            -- The last instant before, as in `baseline`, with its fewest views: the more they are, the less it is.
            maxIf(
                bitXor(sample, 4294967295), sample < bitShiftLeft(toUInt64(%(recent_stamp)s), 32)
            ) AS baseline_of_fewest
        FROM
        (
            SELECT
                campaign_id,
                phrase,
                bitShiftLeft(toUInt64(toUInt32(dt)), 32) + toUInt64(greatest(views, 0)) AS sample
            FROM phrases_views
            WHERE dt >= toDateTime(%(lookback_stamp)s) AND dt < toDateTime(%(end_stamp)s)
                AND (%(all_campaigns)s OR campaign_id IN %(campaign_ids)s)
        )
        GROUP BY campaign_id, phrase
        HAVING max(sample) >= bitShiftLeft(toUInt64(%(first_stamp)s), 32)
            AND NOT throwIf(baseline > 0 AND bitXor(baseline, baseline_of_fewest) != 4294967295)
    )
)
ARRAY JOIN
    arrayEnumerate(hour_steps) AS nth_hour,
    hour_steps AS last_step,
    hour_gains AS total_gain,
    arrayPushFront(arrayPopBack(hour_gains), toInt64(0)) AS total_gain_before,
    hour_events AS total_events,
    arrayPushFront(arrayPopBack(hour_events), toUInt64(0)) AS total_events_before
WHERE last_step > 1 AND (views > 0 OR flags != '')
