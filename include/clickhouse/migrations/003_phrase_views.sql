-- Views of search phrases: running counters as other systems sample them, and what the report makes of them.

-- By campaign and time, so that a report reads the days it needs of the campaigns it needs. No version: of
-- two rows for one sample the one inserted last counts. Read with FINAL.
CREATE TABLE IF NOT EXISTS phrases_views (
    campaign_id Int32,
    phrase String,
    views Int32,
    dt DateTime('UTC')
) ENGINE = ReplacingMergeTree PARTITION BY toYYYYMM(dt) ORDER BY (campaign_id, dt, phrase);

-- A row where an hour gained views or has a flag. hour is local in time_zone; hour_start, the instant, tells
-- the two 02:00 of a clock change apart.
CREATE TABLE IF NOT EXISTS phrases_views_by_hour (
    date Date,
    campaign_id Int32,
    phrase String,
    hour UInt8,
    views Int64,
    flags String,
    hour_start DateTime('UTC'),
    time_zone String,
    hour_rule String
) ENGINE = MergeTree PARTITION BY date ORDER BY (date, campaign_id, phrase, hour_start);
