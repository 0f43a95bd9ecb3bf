-- domain: payments
-- What an administrator sees and decides of payments. $1 status $2 provider $3 receipt $4 order number $5 the buyer
-- $6 from $7 until; null is any.
-- name: PAYMENTS_ADMIN_COUNT custom
SELECT count(*) FROM (SELECT FROM payments p LEFT JOIN orders o ON o.id = p.order_id
    WHERE ($1::text IS NULL OR p.status = $1) AND ($2::text IS NULL OR p.provider = $2)
      AND ($3::text IS NULL OR p.receipt = $3) AND ($4::text IS NULL OR o.order_number = $4)
      AND ($5::uuid IS NULL OR o.account_id = $5)
      AND ($6::timestamptz IS NULL OR p.created_at >= $6) AND ($7::timestamptz IS NULL OR p.created_at < $7)
    LIMIT 10001) AS capped

-- name: PAYMENTS_ADMIN_LIST custom
SELECT p.id, p.order_id, o.order_number, o.account_id, a.name AS account_name, p.provider, p.status,
       p.amount AS "amount:money", p.received AS "received:money", p.refunded AS "refunded:money", p.currency, p.receipt,
       left(p.phone, 7) || '***' || right(p.phone, 3) AS phone, p.failure, p.created_at, p.updated_at
FROM payments p LEFT JOIN orders o ON o.id = p.order_id LEFT JOIN accounts a ON a.id = o.account_id
WHERE ($1::text IS NULL OR p.status = $1) AND ($2::text IS NULL OR p.provider = $2)
  AND ($3::text IS NULL OR p.receipt = $3) AND ($4::text IS NULL OR o.order_number = $4)
  AND ($5::uuid IS NULL OR o.account_id = $5)
  AND ($6::timestamptz IS NULL OR p.created_at >= $6) AND ($7::timestamptz IS NULL OR p.created_at < $7)
ORDER BY p.created_at DESC, p.id DESC LIMIT $8 OFFSET $9

-- name: PAYMENTS_ADMIN_SHOW
SELECT p.id, p.order_id, o.order_number, o.account_id, a.name AS account_name, p.provider, p.status,
       p.amount AS "amount:money", p.received AS "received:money", p.refunded AS "refunded:money", p.currency, p.receipt,
       left(p.phone, 7) || '***' || right(p.phone, 3) AS phone, p.failure, p.created_at, p.updated_at
FROM payments p LEFT JOIN orders o ON o.id = p.order_id LEFT JOIN accounts a ON a.id = o.account_id
WHERE p.id = $1

-- name: PAYMENTS_ADMIN_ORDER_OF
SELECT order_id FROM payments WHERE id = $1

-- Under the order's lock, if there is one.
-- name: PAYMENTS_ADMIN_LOCK
SELECT p.id, p.order_id, p.provider, p.status, p.currency, p.amount, p.asked, coalesce(p.received, 0) AS received
FROM payments p WHERE p.id = $1 FOR UPDATE

-- A statement of its own, after the lock: one that waits for a row sees of other tables what was before it waited.
-- name: PAYMENTS_ADMIN_RETURNING
SELECT count(*) AS n FROM refunds WHERE payment_id = $1 AND NOT reversed

-- name: PAYMENTS_ADMIN_ACCEPT
UPDATE payments SET status = 'succeeded', order_id = $2, amount = $3, received = $4, failure = NULL, updated_at = now()
WHERE id = $1 AND status = 'needs_review'

-- By id, or by the provider's receipt.
-- name: PAYMENTS_ADMIN_FIND
SELECT id FROM payments WHERE receipt = $1 OR id = $2

-- Whoever comes next is to ask about it: what is open, at a provider who can be asked.
-- name: PAYMENTS_ADMIN_ASK
UPDATE payments SET ask_at = now()
WHERE id = $1 AND status IN ('initiating', 'processing', 'unknown') AND provider <> 'simulated'

-- What its provider has said, as it came, oldest first.
-- name: PAYMENTS_ADMIN_HEARD
SELECT received_at, kind, state, outcome, body FROM provider_events WHERE payment_id = $1 OR subject = $1
ORDER BY received_at, id LIMIT $2 OFFSET $3
