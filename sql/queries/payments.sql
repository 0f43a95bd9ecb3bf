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

-- Hears an event once: no row the second time.
-- name: PAYMENTS_EVENT_ADD
INSERT INTO provider_events (id, provider, event_id, kind, payment_id, outcome, state)
VALUES (gen_random_uuid(), $1, $2, 'verdict', $3, $4, 'applied')
ON CONFLICT DO NOTHING

-- name: PAYMENTS_SET_STATUS
UPDATE payments SET status = $3, receipt = coalesce($4, receipt), received = coalesce($5, received), updated_at = now()
WHERE id = $1 AND status = $2
