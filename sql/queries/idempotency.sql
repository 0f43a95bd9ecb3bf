-- Held until the transaction ends; or, for what calls a provider, until it is given back.
-- name: IDEMPOTENCY_TRY_LOCK
SELECT pg_try_advisory_xact_lock(hashtextextended($1::uuid::text || ' ' || $2, 0)) AS locked

-- name: IDEMPOTENCY_TRY_LOCK_SESSION
SELECT pg_try_advisory_lock(hashtextextended($1::uuid::text || ' ' || $2, 0)) AS locked

-- name: IDEMPOTENCY_UNLOCK_SESSION
SELECT pg_advisory_unlock(hashtextextended($1::uuid::text || ' ' || $2, 0)) AS unlocked

-- A key that is older than its life is as good as unknown.
-- name: IDEMPOTENCY_FIND
SELECT encode(fingerprint, 'hex') AS fingerprint, coalesce(status, 0) AS status, body
FROM idempotency_keys WHERE account_id = $1 AND key = $2 AND created_at > now() - $3::bigint * interval '1 ms'

-- Replaces what was only started, or is older than its life; a finished answer is never overwritten.
-- name: IDEMPOTENCY_ADD
INSERT INTO idempotency_keys AS k (account_id, key, fingerprint, status, body) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (account_id, key) DO UPDATE
SET fingerprint = excluded.fingerprint, status = excluded.status, body = excluded.body, created_at = now()
WHERE k.status IS NULL OR k.created_at <= now() - $6::bigint * interval '1 ms'

-- name: IDEMPOTENCY_SWEEP
DELETE FROM idempotency_keys WHERE (account_id, key) IN
    (SELECT account_id, key FROM idempotency_keys WHERE created_at < now() - $1::bigint * interval '1 ms' LIMIT 1000)
