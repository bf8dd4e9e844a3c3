-- What a run was expected to cost, and what it did. One row a run: of two the one inserted last counts. Read
-- with FINAL. Requests and points are of the whole run, as far as its tries have kept what they asked; seconds
-- are those of the commits, from the plan on. quota_left is -1 where the server tells no quota. A run that has published nothing has finished_at 1970-01-01 and zeros after it.
CREATE TABLE IF NOT EXISTS runs (
    dag_id String,
    run_id String,
    date Date,
    top UInt32,
    api String,
    plan_only UInt8,
    planned_at DateTime('UTC'),
    requests_planned UInt32,
    points_planned UInt32,
    seconds_planned UInt32,
    quota_left Int64,
    fits UInt8,
    finished_at DateTime('UTC'),
    requests UInt32,
    points UInt32,
    retries UInt32,
    unchanged UInt32,
    seconds UInt32,
    seconds_waited UInt32
) ENGINE = ReplacingMergeTree ORDER BY (dag_id, run_id);
