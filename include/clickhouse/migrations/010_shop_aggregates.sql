-- What a shop has sold by day, and by category and seller. id is 0 for the total. Days of UTC by sale_date.
CREATE TABLE IF NOT EXISTS daily_sales_aggregation (
    date Date,
    dimension String,
    id Int64,
    name String,
    total_sales UInt64,
    total_quantity Int64,
    total_revenue Decimal(18,2)
) ENGINE = MergeTree PARTITION BY date ORDER BY (date, dimension, id);

-- What each user of the shop has done on each day on which he did anything.
CREATE TABLE IF NOT EXISTS user_activity_aggregation (
    date Date,
    user_id String,
    total_sessions UInt64,
    total_clicks UInt64,
    avg_clicks_per_session Float64,
    cart_adds UInt64,
    purchases UInt64,
    revenue Decimal(18,2)
) ENGINE = MergeTree PARTITION BY date ORDER BY (date, user_id);

-- From which rows each day of an aggregate was made: how many, and a hash of them. Written last. Read with FINAL.
CREATE TABLE IF NOT EXISTS aggregated_days (
    `table` String,
    date Date,
    input_rows UInt64,
    input_checksum UInt64,
    rows UInt64,
    run_id String,
    aggregated_at DateTime('UTC')
) ENGINE = ReplacingMergeTree(aggregated_at) ORDER BY (`table`, date);

-- How far the tables had come from which an aggregate was last made. Read with FINAL.
CREATE TABLE IF NOT EXISTS aggregated_inputs (
    `table` String,
    inputs String,
    run_id String,
    aggregated_at DateTime('UTC')
) ENGINE = ReplacingMergeTree(aggregated_at) ORDER BY (`table`);
