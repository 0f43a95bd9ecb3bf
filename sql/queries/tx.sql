-- The transaction itself, and how a statement is planned. io/pg looks these up by name.

-- name: TX_BEGIN
BEGIN

-- name: TX_COMMIT
COMMIT

-- name: TX_ROLLBACK
ROLLBACK

-- How far the write-ahead log is written, or, on a standby, replayed (io/replica).
-- name: TX_POSITION
SELECT (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END
        - '0/0'::pg_lsn)::bigint AS position

-- name: TX_PLAN_CUSTOM
SET plan_cache_mode = force_custom_plan

-- name: TX_PLAN_AUTO
SET plan_cache_mode = auto
