-- The top repositories, who committed to them, and what became of each request. One day = one partition.

-- Repositories as last seen. One row per (owner, name): read with FINAL.
CREATE TABLE IF NOT EXISTS repositories (
    id UInt64,
    owner String,
    name String,
    stars Int32,
    watchers Int32,
    forks Int32,
    language String,
    updated DateTime('UTC'),
    pushed_at DateTime('UTC'),
    fetched_at DateTime('UTC')
) ENGINE = ReplacingMergeTree(fetched_at) ORDER BY (owner, name);

CREATE TABLE IF NOT EXISTS repositories_positions (
    date Date,
    repo String,
    position UInt32,
    id UInt64,
    stars Int32
) ENGINE = MergeTree PARTITION BY date ORDER BY (date, position);

CREATE TABLE IF NOT EXISTS repositories_authors_commits (
    date Date,
    repo String,
    author String,
    commits_num Int32
) ENGINE = MergeTree PARTITION BY date ORDER BY (date, repo, author);

CREATE TABLE IF NOT EXISTS repositories_outcomes (
    date Date,
    repo String,
    outcome String,
    commits UInt32,
    requests UInt32
) ENGINE = MergeTree PARTITION BY date ORDER BY (date, repo);
