-- What each check of a run has found: one row for each rule and table of each run. Of two the one inserted last
-- counts. unit, expected and found are of the first offending row. Read with FINAL.
CREATE TABLE IF NOT EXISTS quality_checks (
    date Date,
    run_id String,
    rule String,
    `table` String,
    severity String,
    outcome String,
    offending UInt64,
    unit String,
    expected String,
    found String,
    checked_at DateTime('UTC')
) ENGINE = ReplacingMergeTree PARTITION BY toYYYYMM(date) ORDER BY (run_id, rule, `table`);
