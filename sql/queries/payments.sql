-- An attempt. Nothing happens if one is open already, or has succeeded.
-- name: PAYMENTS_ADD
INSERT INTO payments (id, order_id, provider, status, amount, currency)
SELECT $1, $2, $3, 'initiating', $4, $5
WHERE NOT EXISTS (SELECT FROM payments WHERE order_id = $2
                  AND status NOT IN ('failed', 'cancelled', 'abandoned'))
ON CONFLICT DO NOTHING

-- name: PAYMENTS_FIND_OPEN
SELECT id, order_id, provider, status, amount, currency, refunded FROM payments
WHERE order_id = $1 AND status IN ('initiating', 'processing', 'unknown')

-- name: PAYMENTS_ORDER_OF
SELECT order_id FROM payments WHERE id = $1

-- Under the order's lock.
-- name: PAYMENTS_LOCK
SELECT id, order_id, provider, status, amount, currency, refunded FROM payments WHERE id = $1 FOR UPDATE

-- name: PAYMENTS_LOCK_PAID
SELECT id, order_id, provider, status, amount, currency, refunded FROM payments
WHERE order_id = $1 AND status IN ('succeeded', 'partially_refunded') FOR UPDATE

-- Hears an event once: no row the second time.
-- name: PAYMENTS_EVENT_ADD
INSERT INTO provider_events (provider, event_id, payment_id, outcome) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING

-- name: PAYMENTS_SET_STATUS
UPDATE payments SET status = $3, receipt = coalesce($4, receipt), updated_at = now() WHERE id = $1 AND status = $2

-- Asked once for each cause: no row the second time.
-- name: PAYMENTS_REFUND_ADD
INSERT INTO refunds (id, payment_id, cause, amount, currency, status)
SELECT $1, p.id, $3, $4::bigint, p.currency, 'pending' FROM payments p
WHERE p.id = $2 AND p.amount - (SELECT coalesce(sum(r.amount), 0) FROM refunds r
                                WHERE r.payment_id = p.id AND r.status <> 'failed') >= $4::bigint
ON CONFLICT ON CONSTRAINT refunds_once DO NOTHING

-- What may still be given back.
-- name: PAYMENTS_REFUNDABLE
SELECT p.amount - coalesce((SELECT sum(r.amount) FROM refunds r
                            WHERE r.payment_id = p.id AND r.status <> 'failed'), 0)::bigint AS amount
FROM payments p WHERE p.id = $1

-- name: PAYMENTS_REFUND_FIND
SELECT r.id, r.payment_id, r.amount, p.order_id, p.provider FROM refunds r
JOIN payments p ON p.id = r.payment_id WHERE r.id = $1

-- name: PAYMENTS_REFUND_DONE
UPDATE refunds SET status = 'succeeded', updated_at = now() WHERE id = $1 AND status = 'pending'

-- name: PAYMENTS_COUNT_REFUND
UPDATE payments SET refunded = refunded + $2, status = $3, updated_at = now() WHERE id = $1
