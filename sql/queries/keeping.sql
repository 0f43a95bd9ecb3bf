-- What `sokoctl backup` and `restore` read. All of it can be prepared on any schema, older or newer than this
-- program's, but what says that it is of tables.
-- name: KEEPING_SNAPSHOT
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY

-- A dump may take its time, and the transaction that gave it its snapshot idles meanwhile.
-- name: KEEPING_NO_LIMIT
SET LOCAL statement_timeout = 0

-- name: KEEPING_NO_IDLE_LIMIT
SET LOCAL idle_in_transaction_session_timeout = 0

-- name: KEEPING_EXPORT
SELECT pg_export_snapshot() AS id

-- name: KEEPING_FACTS
SELECT current_database()::text AS database, current_user::text AS role,
       current_setting('server_version_num')::integer AS server, pg_is_in_recovery() AS is_standby,
       (SELECT pg_get_userbyid(d.datdba)::text FROM pg_database d WHERE d.datname = current_database()) AS owner

-- Tables of ours in this database, whoever made them; an empty one has none.
-- name: KEEPING_TABLES
SELECT count(*) AS tables
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
  AND n.nspname NOT LIKE 'pg\_temp\_%' AND n.nspname NOT LIKE 'pg\_toast\_temp\_%'

-- The rows of each table, counted one by one: what the catalogue says is a guess.
-- name: KEEPING_COUNTS
SELECT c.relname::text AS name,
       (xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM %I.%I', s.nspname, c.relname),
                                            false, true, '')))[1]::text::bigint AS rows
FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
WHERE c.relkind = 'r' AND s.nspname = 'public' ORDER BY c.relname COLLATE "C"

-- name: KEEPING_DATABASES
SELECT count(*) AS n FROM pg_database WHERE datname = $1

-- name: KEEPING_ROLES
SELECT count(*) AS n FROM pg_roles WHERE rolname = $1

-- Of tables: the newest migration.
-- name: KEEPING_SCHEMA
SELECT coalesce(max(version), 0) AS schema FROM schema_migrations

-- Of tables: the pictures that rows name. Whatever learns to show one must be asked here too, as in media.sql.
-- name: KEEPING_MEDIA
SELECT url FROM product_images WHERE url LIKE '/media/%'
UNION SELECT logo_url FROM stores WHERE logo_url LIKE '/media/%'
ORDER BY 1
