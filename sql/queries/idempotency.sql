-- Takes the key's lock, held until the transaction ends.
-- name: IDEMPOTENCY_LOCK
SELECT CASE WHEN NOT pg_try_advisory_xact_lock(hashtextextended($1::uuid::text || ' ' || $2, 0)) THEN 'CONFLICT' END AS outcome,
       'Idempotency-Key' AS field, 'a request with this key is being served; ask again in a moment' AS message

-- The same for what calls a provider, across its transactions: held until it is given back.
-- name: IDEMPOTENCY_LOCK_LONG
SELECT CASE WHEN NOT pg_try_advisory_lock(hashtextextended($1::uuid::text || ' ' || $2, 0)) THEN 'CONFLICT' END AS outcome,
       'Idempotency-Key' AS field, 'a request with this key is being served; ask again in a moment' AS message

-- What is known of a key. A statement of its own: one that took the lock as well might have begun
-- to read before a twin ended, and got the lock after. A key that is older than its life is as good
-- as unknown. $3 is that life in ms.
-- name: IDEMPOTENCY_FIND
SELECT encode(k.fingerprint, 'hex') AS fingerprint, coalesce(k.status, 0) AS status, k.body
FROM (VALUES (1)) AS one
LEFT JOIN idempotency_keys k
       ON k.account_id = $1 AND k.key = $2 AND k.created_at > now() - $3::bigint * interval '1 ms'

-- name: IDEMPOTENCY_END_LONG
SELECT pg_advisory_unlock(hashtextextended($1::uuid::text || ' ' || $2, 0)) AS unlocked

-- Replaces what was only started, or is older than its life; a finished answer is never overwritten.
-- A null status says that the work is started.
-- name: IDEMPOTENCY_ADD
INSERT INTO idempotency_keys AS k (account_id, key, fingerprint, status, body) VALUES ($1, $2, decode($3, 'hex'), $4, $5)
ON CONFLICT (account_id, key) DO UPDATE
SET fingerprint = excluded.fingerprint, status = excluded.status, body = excluded.body, created_at = now()
WHERE k.status IS NULL OR k.created_at <= now() - $6::bigint * interval '1 ms'

-- Writes a mark into the log and nothing else, so that COMMIT has something to wait for: with a
-- synchronous standby, until all that was committed before is confirmed too.
-- name: IDEMPOTENCY_CONFIRM
SELECT pg_logical_emit_message(true, 'soko', '')::text AS place

-- name: IDEMPOTENCY_SWEEP
DELETE FROM idempotency_keys WHERE (account_id, key) IN
    (SELECT account_id, key FROM idempotency_keys WHERE created_at < now() - $1::bigint * interval '1 ms' LIMIT 1000)
