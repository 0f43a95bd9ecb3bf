-- name: MIGRATE_LIST
SELECT version, name, checksum, applied_at FROM schema_migrations WHERE version > 0 ORDER BY version

-- name: MIGRATE_DONE
INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)

-- name: MIGRATE_UNDONE
DELETE FROM schema_migrations WHERE version = $1

-- One migration at a time, whoever runs it.
-- name: MIGRATE_LOCK
SELECT pg_advisory_xact_lock(7265736) IS NULL AS locked
