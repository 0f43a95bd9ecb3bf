-- domain: payments
-- Money that goes back. A refund is one obligation; whoever adds or moves one holds the locks of its order, its
-- payment, and itself, in this sequence.

-- Under the order's lock: what was paid, newest first, and what of it is on its way back or there. Money that was
-- given back while it was in review has paid nothing. A refund that failed is sent again, unless it was reversed:
-- then another took its place.
-- name: REFUNDS_LOCK_PAID
SELECT p.id, p.amount, p.currency,
       (SELECT coalesce(sum(r.amount), 0)::bigint FROM refunds r WHERE r.payment_id = p.id AND NOT r.reversed) AS returning
FROM payments p
WHERE p.order_id = $1 AND p.status IN ('succeeded', 'partially_refunded', 'refunded')
  AND NOT EXISTS (SELECT FROM refunds r WHERE r.payment_id = p.id AND r.reason = 'review')
ORDER BY p.created_at DESC, p.id FOR UPDATE OF p

-- name: REFUNDS_ADD
INSERT INTO refunds (id, payment_id, amount, currency, reason, store_id, requested_by, note, status, attempt, failure, ask_at,
                     request_id, trace_id, sampled)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)

-- name: REFUNDS_ORDER_OF
SELECT p.order_id FROM refunds r JOIN payments p ON p.id = r.payment_id WHERE r.id = $1

-- name: REFUNDS_LOCK_PAYMENT
SELECT p.id, p.provider, p.status, p.amount, coalesce(p.received, 0) AS received, p.provider_ref, p.receipt, p.phone
FROM payments p WHERE p.id = (SELECT r.payment_id FROM refunds r WHERE r.id = $1) FOR UPDATE

-- name: REFUNDS_LOCK
SELECT id, payment_id, store_id, requested_by, amount, sent_amount, attempt, times_asked, currency, reason, note,
       provider_ref, conversation, status, channel, coalesce(ask_at <= now(), false) AS is_due, reversed
FROM refunds WHERE id = $1 FOR UPDATE

-- Under its locks: what the payment's other refunds come to that have gone or may be on their way.
-- name: REFUNDS_OTHERS
SELECT coalesce(sum(o.amount), 0)::bigint AS amount, coalesce(sum(o.sent_amount), 0)::bigint AS sent
FROM refunds r JOIN refunds o ON o.payment_id = r.payment_id AND o.id <> r.id AND o.status IN ('sending', 'sent', 'succeeded')
WHERE r.id = $1

-- An attempt begins: what was known of the one before is of no use.
-- name: REFUNDS_BEGIN
UPDATE refunds SET status = 'sending', attempt = $3, channel = $4, sent_amount = $5, token_hash = $6, ask_at = $7,
       times_asked = 0, provider_ref = NULL, conversation = NULL, failure = NULL, updated_at = now()
WHERE id = $1 AND status = $2

-- name: REFUNDS_SET_STATUS
UPDATE refunds SET status = $3, provider_ref = coalesce($4, provider_ref), conversation = coalesce($5, conversation),
       failure = $6, ask_at = $7, reversed = $8, updated_at = now()
WHERE id = $1 AND status = $2

-- Names that a word has told, and nothing else.
-- name: REFUNDS_NOTE
UPDATE refunds SET provider_ref = coalesce(provider_ref, $2), conversation = coalesce(conversation, $3), updated_at = now()
WHERE id = $1 AND (provider_ref IS NULL AND $2::text IS NOT NULL OR conversation IS NULL AND $3::text IS NOT NULL)

-- name: REFUNDS_LEASE
UPDATE refunds SET ask_at = $2 WHERE id = $1

-- name: REFUNDS_LATER
UPDATE refunds SET ask_at = $2, times_asked = times_asked + 1 WHERE id = $1 AND status IN ('sending', 'sent')

-- name: REFUNDS_ASK_NOW
UPDATE refunds SET ask_at = now() WHERE id = $1 AND status IN ('sending', 'sent')

-- Takes what is due, so that no other process takes it too, until $2.
-- name: REFUNDS_CLAIM_DUE
UPDATE refunds SET ask_at = $2
WHERE id IN (SELECT id FROM refunds WHERE status IN ('sending', 'sent', 'failed') AND ask_at <= now()
             ORDER BY ask_at LIMIT $1 FOR UPDATE SKIP LOCKED)
RETURNING id, request_id, trace_id, sampled

-- Money has gone back. Of a payment that was in review all goes back that has come.
-- name: REFUNDS_COUNT
UPDATE payments SET refunded = refunded + $2, updated_at = now(),
       status = CASE WHEN refunded + $2 >= least(amount, received) THEN 'refunded' ELSE 'partially_refunded' END
WHERE id = $1

-- And has come again. $3: the payment was, and is again, in review.
-- name: REFUNDS_UNCOUNT
UPDATE payments SET refunded = refunded - $2, updated_at = now(),
       status = CASE WHEN $3::boolean THEN 'needs_review' WHEN refunded = $2 THEN 'succeeded' ELSE 'partially_refunded' END
WHERE id = $1

-- What came for an order, and what went back. Money that was given back while it was in review is neither.
-- name: REFUNDS_SUMS
SELECT coalesce(sum(p.amount), 0)::bigint AS amount, coalesce(sum(p.refunded), 0)::bigint AS refunded FROM payments p
WHERE p.order_id = $1 AND p.status IN ('succeeded', 'partially_refunded', 'refunded')
  AND NOT EXISTS (SELECT FROM refunds r WHERE r.payment_id = p.id AND r.reason = 'review')

-- name: REFUNDS_BY_REF
SELECT id FROM refunds WHERE channel = 'stripe' AND provider_ref = $1

-- name: REFUNDS_BY_TOKEN
SELECT id, attempt FROM refunds WHERE token_hash = $1

-- Hears a word once: no row the second time.
-- name: REFUNDS_EVENT_ADD
INSERT INTO provider_events (id, provider, event_id, payment_id, kind, body, subject, state)
VALUES ($1, 'mpesa', $2, $3, $4, $5, $6, $7)
ON CONFLICT DO NOTHING

-- Some refunds, as their shop sees them.
-- name: REFUNDS_MADE
SELECT r.id, r.store_id, r.amount AS "amount:money", r.currency, r.status, r.reason, r.note, r.failure, r.created_at, r.updated_at
FROM refunds r WHERE r.id = ANY ($1::uuid[]) ORDER BY r.created_at, r.id

-- name: REFUNDS_SHOW
SELECT r.id, r.store_id, r.amount AS "amount:money", r.currency, r.status, r.reason, r.note, r.failure, r.created_at, r.updated_at
FROM refunds r WHERE r.id = $1

-- An order's refunds, for a store: those of its own part, or all if there is no other part. $2 null is the
-- administrator, who sees all.
-- name: REFUNDS_LIST
SELECT r.id, r.store_id, r.amount AS "amount:money", r.currency, r.status, r.reason, r.note, r.failure, r.created_at, r.updated_at
FROM refunds r JOIN payments p ON p.id = r.payment_id
WHERE p.order_id = $1
  AND ($2::uuid IS NULL OR r.store_id = $2
       OR (SELECT count(*) = 1 AND min(q.store_id::text) = $2::text FROM order_parts q WHERE q.order_id = $1))
ORDER BY r.created_at, r.id

-- Whether there is such an order, with a part of the store's if one is named.
-- name: REFUNDS_ORDER_SEEN
SELECT o.id FROM orders o
WHERE o.id = $1 AND ($2::uuid IS NULL OR EXISTS (SELECT FROM order_parts q WHERE q.order_id = o.id AND q.store_id = $2))

-- name: REFUNDS_LINES
SELECT l.line_no, l.product_id FROM order_lines l WHERE l.order_id = $1 AND l.store_id = $2

-- A failed one again, because a person says so.
-- name: REFUNDS_RETRY
UPDATE refunds SET status = 'pending', attempt = attempt + 1, ask_at = NULL, failure = NULL, updated_at = now()
WHERE id = $1 AND status = 'failed' AND NOT reversed

-- $1 status $2 order number $3 from $4 until; null is any.
-- name: REFUNDS_ADMIN_LIST custom
SELECT r.id, r.payment_id, o.order_number, r.amount AS "amount:money", r.currency, r.status, r.reason, r.channel, r.attempt,
       r.failure, r.reversed, r.created_at, r.updated_at
FROM refunds r JOIN payments p ON p.id = r.payment_id LEFT JOIN orders o ON o.id = p.order_id
WHERE ($1::text IS NULL OR r.status = $1) AND ($2::text IS NULL OR o.order_number = upper($2))
  AND ($3::timestamptz IS NULL OR r.created_at >= $3) AND ($4::timestamptz IS NULL OR r.created_at < $4)
ORDER BY r.created_at DESC, r.id DESC LIMIT $5 OFFSET $6
