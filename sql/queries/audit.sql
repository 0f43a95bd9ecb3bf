-- $1 event $2 actor $3 its role $4 API key $5 system user $6 subject $7 address $8 detail $9 trace id.
-- name: AUDIT_ADD
INSERT INTO audit_log (event, actor, actor_role, api_key, operator, subject, address, detail, trace_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)

-- Sealing (shop/audit_seal.c). Whoever has the lock seals; it goes with the transaction. What rests on it is
-- read by later statements, which see what the one before has committed.
-- name: AUDIT_TRY_LOCK
SELECT pg_try_advisory_xact_lock(hashtextextended('soko audit chain', 0)) AS taken

-- name: AUDIT_LOCK
SELECT pg_advisory_xact_lock(hashtextextended('soko audit chain', 0)) IS NULL AS taken

-- The last link with its entry, and the MAC of the one before. Times are microseconds since 1970.
-- name: AUDIT_HEAD
SELECT c.number, c.settled, c.entry, (extract(epoch FROM c.sealed_at) * 1000000)::bigint AS sealed_us,
       encode(c.mac, 'hex') AS mac,
       coalesce((SELECT encode(b.mac, 'hex') FROM audit_chain b WHERE b.number = c.number - 1), '') AS before,
       l.id IS NULL AS is_bare, (extract(epoch FROM l.at) * 1000000)::bigint AS at_us, l.event, l.actor::text AS actor,
       l.actor_role, l.api_key::text AS api_key, l.operator, l.subject::text AS subject, l.address, l.detail, l.trace_id
FROM audit_chain c LEFT JOIN audit_log l ON l.id = c.entry
ORDER BY c.number DESC LIMIT 1

-- Entries behind $1 that have no link, $2 at most. The chain is bounded too, so that no plan reads all of it.
-- name: AUDIT_UNSEALED
SELECT l.id AS entry, (extract(epoch FROM now()) * 1000000)::bigint AS sealed_us,
       (extract(epoch FROM l.at) * 1000000)::bigint AS at_us, l.event, l.actor::text AS actor,
       l.actor_role, l.api_key::text AS api_key, l.operator, l.subject::text AS subject, l.address, l.detail, l.trace_id
FROM audit_log l
WHERE l.id > $1 AND NOT EXISTS (SELECT FROM audit_chain c WHERE c.entry = l.id AND c.entry > $1)
ORDER BY l.id LIMIT $2

-- $1 the first number $2 entries $3 their MACs $4 settled. sealed_at is this transaction's now().
-- name: AUDIT_SEAL
INSERT INTO audit_chain (number, entry, mac, settled)
SELECT $1 + n - 1, e, decode(m, 'hex'), $4
FROM unnest($2::bigint[], $3::text[]) WITH ORDINALITY AS t (e, m, n)

-- The newest entry that can be seen; then, in a statement behind it, who is writing: each transaction that has
-- taken a number of audit_log holds this lock until it is over.
-- name: AUDIT_NEWEST
SELECT coalesce(max(id), 0) AS n FROM audit_log

-- name: AUDIT_WRITERS
SELECT coalesce(string_agg(virtualtransaction, ','), '') AS writers
FROM pg_locks
WHERE locktype = 'relation' AND relation = 'audit_log'::regclass AND mode = 'RowExclusiveLock' AND granted
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())

-- How many of these are at it still.
-- name: AUDIT_WRITERS_LEFT
SELECT count(*) AS n
FROM pg_locks
WHERE locktype = 'relation' AND relation = 'audit_log'::regclass AND mode = 'RowExclusiveLock'
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND virtualtransaction = ANY (string_to_array($1::text, ','))

-- Verification (shop/audit_verify.c), in one snapshot, for as long as it takes.
-- name: AUDIT_SNAPSHOT
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY

-- name: AUDIT_PATIENCE
SET LOCAL statement_timeout = '30min'

-- Links behind number $1, $2 at most. Each entry by its key, whatever the planner knows of the tables.
-- name: AUDIT_LINKS
SELECT c.number, c.settled, c.entry, (extract(epoch FROM c.sealed_at) * 1000000)::bigint AS sealed_us,
       encode(c.mac, 'hex') AS mac, '' AS before,
       l.id IS NULL AS is_bare, (extract(epoch FROM l.at) * 1000000)::bigint AS at_us, l.event, l.actor::text AS actor,
       l.actor_role, l.api_key::text AS api_key, l.operator, l.subject::text AS subject, l.address, l.detail, l.trace_id
FROM (SELECT * FROM audit_chain WHERE number > $1 ORDER BY number LIMIT $2) AS c
LEFT JOIN LATERAL (SELECT * FROM audit_log WHERE id = c.entry LIMIT 1) AS l ON true
ORDER BY c.number

-- Of the $2 entries behind $1: the last, and each that has no link; one row at least. $3 by when it should
-- have one, in milliseconds: it is late if it is older, or of a time to come.
-- name: AUDIT_LOOSE
WITH page AS MATERIALIZED (SELECT id, at FROM audit_log WHERE id > $1 ORDER BY id LIMIT $2),
last AS MATERIALIZED (SELECT max(id) AS id FROM page),
linked AS MATERIALIZED (SELECT c.entry FROM audit_chain c WHERE c.entry > $1 AND c.entry <= (SELECT id FROM last)),
loose AS (SELECT id, at FROM page s WHERE NOT EXISTS (SELECT FROM linked c WHERE c.entry = s.id))
SELECT coalesce(last.id, 0) AS last, last.id IS NOT NULL AS is_there, coalesce(l.id, 0) AS entry, l.id IS NOT NULL AS is_loose,
       coalesce(l.at < now() - $3 * interval '1 ms' OR l.at > now(), false) AS is_late
FROM last LEFT JOIN loose l ON true
ORDER BY l.id

-- Entries behind time $1 and id $2 (null: all), oldest first. $3 of an actor $4 on a subject $5 event $6 from $7 until
-- $8 how many; null is any.
-- name: AUDIT_READ custom
SELECT id, at::text AS key, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at, event,
       actor::text AS actor, actor_role, api_key::text AS api_key, operator, subject::text AS subject, address, detail, trace_id
FROM audit_log
WHERE ($1::text IS NULL OR (at, id) > ($1::text::timestamptz, $2::bigint))
  AND ($3::uuid IS NULL OR actor = $3) AND ($4::uuid IS NULL OR subject = $4) AND ($5::text IS NULL OR event = $5)
  AND ($6::timestamptz IS NULL OR at >= $6) AND ($7::timestamptz IS NULL OR at < $7)
ORDER BY at, id LIMIT $8

-- For the administrator, newest first. $1 actor $2 subject $3 event $4 from $5 until; null is any.
-- name: AUDIT_COUNT custom
SELECT count(*) FROM (SELECT FROM audit_log
    WHERE ($1::uuid IS NULL OR actor = $1) AND ($2::uuid IS NULL OR subject = $2) AND ($3::text IS NULL OR event = $3)
      AND ($4::timestamptz IS NULL OR at >= $4) AND ($5::timestamptz IS NULL OR at < $5) LIMIT 10001) AS capped

-- name: AUDIT_LIST custom
SELECT id AS entry, at, event, actor, actor_role, api_key, operator, subject, address, detail::json AS detail, trace_id,
       EXISTS (SELECT FROM audit_chain c WHERE c.entry = l.id) AS is_sealed
FROM audit_log l
WHERE ($1::uuid IS NULL OR actor = $1) AND ($2::uuid IS NULL OR subject = $2) AND ($3::text IS NULL OR event = $3)
  AND ($4::timestamptz IS NULL OR at >= $4) AND ($5::timestamptz IS NULL OR at < $5)
ORDER BY at DESC, l.id DESC LIMIT $6 OFFSET $7
