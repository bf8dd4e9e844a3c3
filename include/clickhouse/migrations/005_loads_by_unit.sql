-- What is published by other units than days, such as hours or ranges of offsets: one row per table and unit,
-- the newest publication; date is the day that the unit belongs to (UTC). Days are in loads. Read with FINAL.
CREATE TABLE IF NOT EXISTS loads_by_unit (
    `table` String,
    unit String,
    date Date,
    rows UInt64,
    checksum UInt64,
    run_id String,
    published_at DateTime('UTC')
) ENGINE = ReplacingMergeTree(published_at) ORDER BY (`table`, unit);
