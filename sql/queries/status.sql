-- name: STATUS_PING
SELECT 1 AS one

-- name: STATUS_MIGRATION
SELECT coalesce(max(version), 0) AS version FROM schema_migrations
