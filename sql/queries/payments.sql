-- An attempt. Nothing happens if one is open already, or has succeeded.
-- name: PAYMENTS_ADD
INSERT INTO payments (id, order_id, provider, status, amount, currency, asked)
SELECT $1, $2, $3, 'initiating', $4, $5, $4
WHERE NOT EXISTS (SELECT FROM payments WHERE order_id = $2
                  AND status NOT IN ('failed', 'cancelled', 'abandoned'))
ON CONFLICT DO NOTHING

-- name: PAYMENTS_FIND
SELECT id, order_id, provider, status, amount, currency FROM payments WHERE id = $1

-- name: PAYMENTS_ORDER_OF
SELECT order_id FROM payments WHERE id = $1

-- Under the order's lock.
-- name: PAYMENTS_LOCK
SELECT id, order_id, provider, status, amount, currency, refunded FROM payments WHERE id = $1 FOR UPDATE

-- Under the order's lock: what was paid, newest first, and what of it is on its way back or there.
-- name: PAYMENTS_LOCK_PAID
SELECT p.id, p.amount, p.currency, p.refunded,
       (SELECT coalesce(sum(r.amount), 0)::bigint FROM refunds r
        WHERE r.payment_id = p.id AND r.status <> 'failed') AS returning
FROM payments p
WHERE p.order_id = $1 AND p.status IN ('succeeded', 'partially_refunded', 'refunded')
ORDER BY p.created_at DESC, p.id FOR UPDATE OF p

-- Hears an event once: no row the second time.
-- name: PAYMENTS_EVENT_ADD
INSERT INTO provider_events (id, provider, event_id, kind, payment_id, outcome, state)
VALUES (gen_random_uuid(), $1, $2, 'verdict', $3, $4, 'applied')
ON CONFLICT DO NOTHING

-- name: PAYMENTS_SET_STATUS
UPDATE payments SET status = $3, receipt = coalesce($4, receipt), received = coalesce($5, received), updated_at = now()
WHERE id = $1 AND status = $2

-- name: PAYMENTS_REFUND_ADD
INSERT INTO refunds (id, payment_id, amount, currency, reason, status, store_id, requested_by, note)
VALUES ($1, $2, $3, $4, $5, 'pending', $6, $7, $8)

-- name: PAYMENTS_REFUND_FIND
SELECT r.id, r.payment_id, r.amount, p.order_id FROM refunds r JOIN payments p ON p.id = r.payment_id WHERE r.id = $1

-- name: PAYMENTS_REFUND_DONE
UPDATE refunds SET status = 'succeeded', updated_at = now() WHERE id = $1 AND status = 'pending'

-- name: PAYMENTS_COUNT_REFUND
UPDATE payments SET refunded = refunded + $2, updated_at = now(),
       status = CASE WHEN refunded + $2 = amount THEN 'refunded' ELSE 'partially_refunded' END
WHERE id = $1

-- What came for an order, and what went back.
-- name: PAYMENTS_SUMS
SELECT coalesce(sum(amount), 0)::bigint AS amount, coalesce(sum(refunded), 0)::bigint AS refunded FROM payments
WHERE order_id = $1 AND status IN ('succeeded', 'partially_refunded', 'refunded')
