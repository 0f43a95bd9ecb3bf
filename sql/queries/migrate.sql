-- name: MIGRATE_LIST
SELECT version, name, checksum, applied_at FROM schema_migrations WHERE version > 0 ORDER BY version

-- name: MIGRATE_DONE
INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)

-- name: MIGRATE_UNDONE
DELETE FROM schema_migrations WHERE version = $1

-- One migration at a time, whoever runs it. Nobody waits here: who waits has a snapshot, and CREATE INDEX CONCURRENTLY
-- waits for all that have one. In a transaction; then for as long as the session lasts.
-- name: MIGRATE_LOCK
SELECT pg_try_advisory_xact_lock(7265736) AS taken

-- name: MIGRATE_HOLD
SELECT pg_try_advisory_lock(7265736) AS taken

-- How long a statement of this transaction waits for a lock, and everybody else behind it. $1 in ms.
-- name: MIGRATE_IMPATIENT
SELECT set_config('lock_timeout', $1::bigint::text, true) AS lock_timeout

-- What the shop's role is or may, and must not; and what it must, and may not.
-- name: MIGRATE_ROLE_FAULTS
SELECT format('soko_app %s', f.fault) AS fault
FROM pg_roles r
CROSS JOIN LATERAL (VALUES
    (r.rolsuper, 'is a superuser'), (r.rolcreaterole, 'may make roles'), (r.rolcreatedb, 'may make databases'),
    (r.rolreplication, 'may replicate'), (r.rolbypassrls, 'passes by row security'),
    (has_schema_privilege(r.oid, 'public', 'CREATE'), 'may make tables in the schema public'),
    (has_database_privilege(r.oid, current_database(), 'CREATE'), 'may make schemas'),
    (EXISTS (SELECT FROM pg_class c WHERE c.relowner = r.oid), 'owns tables'),
    (EXISTS (SELECT FROM pg_proc p WHERE p.proowner = r.oid), 'owns functions')) AS f (is_so, fault)
WHERE r.rolname = 'soko_app' AND f.is_so
UNION ALL
SELECT 'there is no role soko_app' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'soko_app')
UNION ALL
SELECT format('soko_app may not read %I', c.relname)
FROM pg_class c JOIN pg_roles r ON r.rolname = 'soko_app'
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm') AND NOT has_any_column_privilege(r.oid, c.oid, 'SELECT')
UNION ALL
SELECT format('soko_app may not write %I', w.name)
FROM (VALUES ('orders'), ('payments'), ('outbox'), ('sessions')) AS w (name) JOIN pg_roles r ON r.rolname = 'soko_app'
WHERE to_regclass(w.name) IS NOT NULL AND NOT has_table_privilege(r.oid, to_regclass(w.name), 'INSERT')
UNION ALL
SELECT format('the index %s is invalid: it was not built to its end', i.indexrelid::regclass) FROM pg_index i WHERE NOT i.indisvalid
UNION ALL
SELECT format('the constraint %s of %s is not validated', k.conname, k.conrelid::regclass)
FROM pg_constraint k WHERE NOT k.convalidated AND k.connamespace = 'public'::regnamespace

-- Of these functions and views, those that there are not.
-- name: MIGRATE_MISSING
SELECT n AS name FROM unnest($1::text[]) AS n
WHERE to_regclass(quote_ident(n)) IS NULL AND NOT EXISTS (SELECT FROM pg_proc p WHERE p.proname = n AND p.pronamespace = 'public'::regnamespace)
