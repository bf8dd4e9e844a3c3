-- What is published: one row per table and day, the newest publication. Read with FINAL.
CREATE TABLE IF NOT EXISTS loads (
    `table` String,
    date Date,
    rows UInt64,
    checksum UInt64,
    run_id String,
    published_at DateTime('UTC')
) ENGINE = ReplacingMergeTree(published_at) ORDER BY (`table`, date);
