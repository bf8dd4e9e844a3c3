-- What became of each row of a file whose rows are calls to an API: one row for each row of each run. Of two the
-- one inserted last counts. Read with FINAL. sent_at is 1970-01-01 where nothing was sent.
CREATE TABLE IF NOT EXISTS api_calls (
    date Date,
    run_id String,
    recipe String,
    row UInt32,
    line UInt32,
    key String,
    outcome String,
    status UInt16,
    reason String,
    requests UInt32,
    answer String,
    sent_at DateTime('UTC')
) ENGINE = ReplacingMergeTree PARTITION BY toYYYYMM(date) ORDER BY (recipe, run_id, row);
