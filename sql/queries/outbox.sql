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
