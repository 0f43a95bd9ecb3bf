-- What `sokoctl doctor` asks of PostgreSQL itself: catalogues alone, so that it can be asked of any database.
-- name: DOCTOR_FACTS
SELECT current_database()::text AS database, current_user::text AS role, current_setting('server_version') AS version,
       pg_is_in_recovery() AS is_standby,
       (SELECT pg_get_userbyid(d.datdba)::text FROM pg_database d WHERE d.datname = current_database()) AS owner,
       (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms

-- What the role $1 may that a shop's workers must not. Nothing is null: a role that is not there has no row.
-- name: DOCTOR_RIGHTS
SELECT r.rolname::text AS role, r.rolsuper AS is_superuser, r.rolcreatedb AS may_create_databases,
       r.rolcreaterole AS may_create_roles, r.rolbypassrls OR r.rolreplication AS is_mighty,
       has_schema_privilege(r.oid, 'public', 'CREATE') AS may_create,
       has_database_privilege(r.oid, current_database(), 'CREATE') AS may_create_schemas,
       pg_has_role(r.oid, d.datdba, 'MEMBER') AS is_owner,
       (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relowner = r.oid AND n.nspname = 'public') AS owns,
       (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'public' AND c.relkind = 'r'
          AND c.relname IN ('ledger_transactions', 'ledger_entries', 'audit_log', 'audit_chain', 'order_events')
          AND (has_table_privilege(r.oid, c.oid, 'UPDATE') OR has_table_privilege(r.oid, c.oid, 'DELETE')
               OR has_table_privilege(r.oid, c.oid, 'TRUNCATE'))) AS may_rewrite,
       (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'public' AND c.relkind = 'r' AND NOT has_table_privilege(r.oid, c.oid, 'SELECT')) AS may_not_read
FROM pg_roles r CROSS JOIN pg_database d
WHERE r.rolname = $1 AND d.datname = current_database()

-- name: DOCTOR_SETTINGS
SELECT name, setting, coalesce(unit, '') AS unit FROM pg_settings
WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit', 'log_error_verbosity', 'log_min_error_statement',
               'log_statement', 'log_min_duration_statement', 'log_parameter_max_length', 'log_timezone',
               'autovacuum', 'max_connections', 'superuser_reserved_connections', 'data_checksums', 'archive_mode',
               'password_encryption', 'synchronous_standby_names', 'data_directory')
ORDER BY name

-- Connections to the server, and those of soko-jobs' lanes. Of sessions that are not shown to our role all but whose
-- they are is null.
-- name: DOCTOR_SESSIONS
SELECT count(*) AS connections,
       count(*) FILTER (WHERE application_name LIKE 'soko-api%' AND datname = current_database()) AS api,
       count(DISTINCT application_name) FILTER (WHERE application_name IN
           ('soko-jobs payments', 'soko-jobs clock', 'soko-jobs messages', 'soko-jobs tokens') AND datname = current_database()) AS lanes,
       count(*) FILTER (WHERE backend_type IS NULL AND datname = current_database()) AS unseen,
       coalesce(extract(epoch FROM max(now() - xact_start) FILTER (WHERE datname = current_database()
                AND application_name NOT LIKE 'pg_dump%' AND application_name NOT LIKE 'sokoctl%'))::bigint * 1000, 0) AS oldest_ms
FROM pg_stat_activity WHERE backend_type = 'client backend' OR (backend_type IS NULL AND usesysid IS NOT NULL)

-- Standbys that a commit waits for, or not: whoever is connected. Null where we may not look.
-- name: DOCTOR_STANDBYS
SELECT count(*) AS standbys, count(*) FILTER (WHERE sync_state IN ('sync', 'quorum')) AS synchronous
FROM pg_stat_replication

-- Databases that a rehearsal left when it was killed.
-- name: DOCTOR_LEFTOVERS
SELECT datname::text AS name FROM pg_database WHERE datname LIKE 'soko\_check\_%' ORDER BY datname
