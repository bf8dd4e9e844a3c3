-- Facts about the server and the current database, in one row.
-- Reads:   pg_stat_activity, pg_prepared_xacts, pg_stat_replication, pg_stat_wal_receiver; PostgreSQL 10 or newer
-- Rights:  any role; a role without pg_read_all_stats sees the age of its own transactions only and no
--          replication lag: sees_all says which
-- Cost:    a few ms; pg_database_size reads the sizes of the database's files
WITH me AS (
    SELECT pg_has_role('pg_read_all_stats', 'USAGE') AS sees_all, pg_is_in_recovery() AS in_recovery
),
clients AS (  -- no autovacuum, no walsender; backend_type is hidden from a role without rights
    SELECT pid, xact_start
    FROM pg_stat_activity
    WHERE datid IS NOT NULL AND coalesce(backend_type, 'client backend') = 'client backend'
),
leases AS (  -- ours: their transactions stay open on purpose, and hold nothing back between two statements
    SELECT pid
    FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND application_name LIKE 'lease %' AND backend_xid IS NULL
),
transactions AS (  -- a forgotten prepared transaction holds vacuum back as much as an open one
    SELECT xact_start FROM clients WHERE pid <> pg_backend_pid() AND pid NOT IN (SELECT pid FROM leases)
    UNION ALL
    SELECT prepared FROM pg_prepared_xacts
),
replicas AS (  -- a running base backup is listed too
    SELECT replay_lag, replay_lsn FROM pg_stat_replication WHERE state IN ('streaming', 'catchup')
)
SELECT
    current_setting('server_version') AS version,
    me.in_recovery,
    me.sees_all,
    (SELECT count(*) FROM clients) AS connections_used,
    current_setting('max_connections')::int AS connections_max,
    (SELECT extract(epoch FROM clock_timestamp() - min(xact_start)) FROM transactions)::float AS oldest_transaction_s,
    CASE
        WHEN NOT me.sees_all THEN NULL
        WHEN NOT me.in_recovery THEN (  -- null once a replica has caught up, and frozen while it replays nothing
            SELECT extract(epoch FROM max(coalesce(replay_lag, '0'))) FROM replicas
        )
        WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn()
            AND EXISTS (SELECT FROM pg_stat_wal_receiver) THEN 0  -- an idle primary is no lag
        ELSE extract(epoch FROM clock_timestamp() - coalesce(pg_last_xact_replay_timestamp(), pg_postmaster_start_time()))
    END::float AS replication_lag_s,
    CASE
        WHEN NOT me.sees_all THEN NULL
        WHEN NOT me.in_recovery THEN (
            SELECT max(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)) FROM replicas
        )
        ELSE pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
    END::bigint AS replication_lag_bytes,
    pg_database_size(current_database()) AS database_bytes
FROM me
