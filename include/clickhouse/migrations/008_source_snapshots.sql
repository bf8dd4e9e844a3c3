-- Which instant of a source is published: one row for each run that read it, written last; the newest version
-- of a source is its state. tables is a JSON object: what each table was made of. Read with FINAL.
CREATE TABLE IF NOT EXISTS source_snapshots (
    source String,
    version UInt64,
    low UInt64,
    high UInt64,
    system_identifier UInt64,
    started_at String,
    tables String,
    full_check UInt8,
    run_id String,
    taken_at DateTime('UTC')
) ENGINE = ReplacingMergeTree ORDER BY (source, version);
