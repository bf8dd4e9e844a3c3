-- Messages of Kafka topics, what could not be read of them, and up to which offsets they were taken.

-- Actions of users. One row a message, also without FINAL: rows are added where their key is not there. A topic
-- that was made anew under its old name has its offsets anew too: the next epoch.
CREATE TABLE IF NOT EXISTS user_events (
    user_id String,
    action String,
    description String,
    event_time DateTime('UTC'),
    start_time String,
    end_time String,
    seconds Int32,
    topic String,
    epoch UInt32,
    `partition` UInt32,
    `offset` UInt64,
    key String,
    kafka_timestamp_ms Int64,
    kafka_timestamp_type String,
    published_at DateTime('UTC')
) ENGINE = ReplacingMergeTree PARTITION BY toYYYYMM(event_time) ORDER BY (topic, epoch, `partition`, `offset`);

-- Visits of users, likewise.
CREATE TABLE IF NOT EXISTS user_sessions (
    session_id String,
    user_id String,
    session_start DateTime('UTC'),
    session_end DateTime('UTC'),
    path String,
    click_count UInt32,
    topic String,
    epoch UInt32,
    `partition` UInt32,
    `offset` UInt64,
    key String,
    kafka_timestamp_ms Int64,
    kafka_timestamp_type String,
    published_at DateTime('UTC')
) ENGINE = ReplacingMergeTree PARTITION BY toYYYYMM(session_start) ORDER BY (topic, epoch, `partition`, `offset`);

-- Messages that are no rows, with the reason; key and value as they were, in base64 where one is no UTF-8.
CREATE TABLE IF NOT EXISTS kafka_dead_letters (
    topic String,
    epoch UInt32,
    `partition` UInt32,
    `offset` UInt64,
    reason String,
    key String,
    value String,
    encoding String,
    run_id String,
    dag_id String
) ENGINE = ReplacingMergeTree ORDER BY (dag_id, topic, epoch, `partition`, `offset`);

-- The ledger: which offsets of a partition are done, from_offset up to but without to_offset, and what they were:
-- rows + rejected + tombstones + hidden + lost = to_offset - from_offset. Written last. Where the next run goes on.
CREATE TABLE IF NOT EXISTS kafka_offsets (
    dag_id String,
    topic String,
    epoch UInt32,
    `partition` UInt32,
    from_offset UInt64,
    to_offset UInt64,
    rows UInt64,
    rejected UInt64,
    tombstones UInt64,
    hidden UInt64,
    lost UInt64,
    cluster_id String,
    topic_id String,
    fingerprint String,
    run_id String,
    published_at DateTime('UTC')
) ENGINE = ReplacingMergeTree ORDER BY (dag_id, topic, epoch, `partition`, from_offset);
