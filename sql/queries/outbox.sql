-- name: OUTBOX_ADD
INSERT INTO outbox (event, consumer, lane, subject, detail, request_id, trace_id, sampled)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)

-- Leases what is due: it is not due again before the lease has run out. $1 lane $2 lease in ms $3 how
-- many.
-- name: OUTBOX_CLAIM
UPDATE outbox SET available_at = now() + $2::bigint * interval '1 ms', attempts = attempts + 1
WHERE id IN (SELECT id FROM outbox WHERE lane = $1 AND parked_at IS NULL AND available_at <= now()
             ORDER BY available_at LIMIT $3 FOR UPDATE SKIP LOCKED)
RETURNING id, event, consumer, subject, detail, request_id, trace_id, sampled, attempts

-- In the transaction of the effect. The attempt's number is the fence: whoever outlived his lease
-- deletes nothing, and his effect is rolled back.
-- name: OUTBOX_DONE
DELETE FROM outbox WHERE id = $1 AND attempts = $2

-- Who stops gives back what he has not begun; it was no attempt. He acts on it no more, so that the
-- number may be somebody else's fence next.
-- name: OUTBOX_RELEASE
UPDATE outbox SET available_at = now(), attempts = attempts - 1 WHERE id = $1 AND attempts = $2

-- name: OUTBOX_RETRY
UPDATE outbox SET available_at = now() + $3::bigint * interval '1 ms', last_error = $4 WHERE id = $1 AND attempts = $2

-- name: OUTBOX_PARK
UPDATE outbox SET parked_at = now(), last_error = $3 WHERE id = $1 AND attempts = $2

-- For the sysadmin. $1 only what is parked $2 lane, or null.
-- name: OUTBOX_LIST custom
SELECT id, lane, event, consumer, subject, attempts, last_error, created_at, available_at AS due_at, parked_at
FROM outbox WHERE (NOT $1::boolean OR parked_at IS NOT NULL) AND ($2::text IS NULL OR lane = $2)
ORDER BY id LIMIT $3 OFFSET $4

-- name: OUTBOX_LOOK
SELECT id, event, consumer, subject, detail, trace_id, attempts, parked_at IS NOT NULL AS is_parked
FROM outbox WHERE id = $1 FOR UPDATE

-- Once more, at once. The number of attempts stays: it is the fence against one who outlived his lease, so the next
-- failure parks it again. $1 null: all.
-- name: OUTBOX_FREE
UPDATE outbox SET parked_at = NULL, available_at = now() WHERE parked_at IS NOT NULL AND ($1::bigint IS NULL OR id = $1)

-- name: OUTBOX_DROP
DELETE FROM outbox WHERE id = $1 AND parked_at IS NOT NULL
