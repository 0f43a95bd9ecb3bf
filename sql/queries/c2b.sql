-- domain: payments
-- Money sent by hand to the paybill.

-- Hears of it once: no row the second time. A word that waits becomes one that counts.
-- name: C2B_HEAR
INSERT INTO provider_events (id, provider, event_id, kind, body, state) VALUES ($1, 'mpesa', $2, 'c2b', $3, 'applied')
ON CONFLICT (provider, event_id) DO UPDATE SET state = 'applied' WHERE provider_events.state = 'waiting'

-- A word that must be confirmed first: no row if it was heard before, in whatever way.
-- name: C2B_WAIT
INSERT INTO provider_events (id, provider, event_id, kind, body, state) VALUES ($1, 'mpesa', $2, 'c2b', $3, 'waiting')
ON CONFLICT (provider, event_id) DO NOTHING

-- name: C2B_WAITING
SELECT body FROM provider_events WHERE id = $1 AND state = 'waiting'

-- name: C2B_NOTE_PAYMENT
UPDATE provider_events SET payment_id = $2, outcome = 'paid' WHERE provider = 'mpesa' AND event_id = $1

-- name: C2B_ORDER
SELECT id FROM orders WHERE order_number = $1

-- Whether this money is known by another way: an STK payment may be told of twice.
-- name: C2B_KNOWN
SELECT id FROM payments WHERE provider = 'mpesa' AND receipt = $1

-- Under the order's lock: the M-Pesa attempt that this money may be of, the likeliest first: one that is open; one
-- that has paid, and whose receipt nobody told; one that is over, of which this is the late success.
-- name: C2B_ATTEMPT
SELECT p.id, p.status IN ('succeeded', 'partially_refunded', 'refunded') AS has_paid FROM payments p
WHERE p.order_id = $1 AND p.provider = 'mpesa' AND p.receipt IS NULL
  AND (p.status <> 'needs_review' OR p.received IS NULL)
  AND coalesce(p.received, p.asked) = $2
ORDER BY p.status IN ('initiating', 'processing', 'unknown') DESC,
         p.status IN ('succeeded', 'partially_refunded', 'refunded') DESC, p.created_at DESC
LIMIT 1 FOR UPDATE

-- name: C2B_ADD_RECEIPT
UPDATE payments SET receipt = $2, updated_at = now() WHERE id = $1 AND receipt IS NULL

-- Looks again in $2 ms.
-- name: C2B_DOUBT
UPDATE payments SET recheck_at = now() + $2::bigint * interval '1 ms' WHERE id = $1

-- name: C2B_SURE
UPDATE payments SET recheck_at = NULL WHERE id = $1

-- Takes what is to be looked at again, for $2 ms.
-- name: C2B_DOUBTS
WITH due AS (
    SELECT id FROM payments WHERE recheck_at <= now() ORDER BY recheck_at LIMIT $1 FOR UPDATE SKIP LOCKED
)
UPDATE payments p SET recheck_at = now() + $2::bigint * interval '1 ms' FROM due WHERE p.id = due.id
RETURNING p.id, p.request_id, p.trace_id, p.sampled

-- A payment that nobody began here. It is settled at once, so it must not stand in the way of an attempt that is open.
-- name: C2B_ADD
INSERT INTO payments (id, order_id, provider, status, amount, asked, currency) VALUES ($1, $2, 'mpesa', 'abandoned', $3, $4, 'KES')

-- Money that came without an order that we know.
-- name: C2B_PARK
INSERT INTO payments (id, provider, status, amount, asked, received, currency, receipt, failure)
VALUES ($1, 'mpesa', 'needs_review', $2, $2, $2, 'KES', $3, $4)
