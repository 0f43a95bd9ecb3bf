-- name: ORDERS_ADD
INSERT INTO orders (id, order_number, account_id, payment_method, currency, total_amount, shipping_address, notes, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)

-- name: ORDERS_ADD_PARTS
INSERT INTO order_parts (order_id, store_id, amount, commission_bp)
SELECT $1, p.store_id, p.amount, coalesce(s.commission_bp, $4)
FROM unnest($2::uuid[], $3::bigint[]) AS p (store_id, amount) JOIN stores s ON s.id = p.store_id

-- name: ORDERS_ADD_LINES
INSERT INTO order_lines (order_id, line_no, store_id, product_id, name, price, quantity)
SELECT $1, l.line_no, l.store_id, l.product_id, l.name, l.price, l.quantity
FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::bigint[], $6::bigint[])
     WITH ORDINALITY AS l (store_id, product_id, name, price, quantity, line_no)

-- name: ORDERS_ADD_EVENT
INSERT INTO order_events (order_id, store_id, event) VALUES ($1, $2, $3)

-- name: ORDERS_SHOW
SELECT o.id, o.order_number, o.status, o.payment_status, o.payment_method, o.total_amount AS "total_amount:money",
       o.currency, o.shipping_address, o.notes, o.cancel_reason,
       order_lines_json(o.id, NULL, o.currency) AS items, order_parts_json(o.id, o.currency) AS parts,
       order_payment_json(o.id) AS payment, order_events_json(o.id, NULL) AS events,
       o.created_at, o.updated_at, o.expires_at
FROM orders o WHERE o.id = $1 AND o.account_id = $2

-- name: ORDERS_COUNT
SELECT count(*) FROM (SELECT FROM orders WHERE account_id = $1 LIMIT 10001) AS capped

-- name: ORDERS_LIST
SELECT o.id, o.order_number, o.status, o.payment_status, o.payment_method, o.total_amount AS "total_amount:money",
       o.currency, (SELECT coalesce(sum(l.quantity), 0)::bigint FROM order_lines l WHERE l.order_id = o.id) AS item_count,
       o.created_at, o.updated_at
FROM orders o WHERE o.account_id = $1
ORDER BY o.created_at DESC, o.id DESC LIMIT $2 OFFSET $3

-- What a seller sees: his store's part and lines, and where to send them. $1 store $2 status or null.
-- name: ORDERS_SELLER_COUNT custom
SELECT count(*) FROM (SELECT FROM order_parts WHERE store_id = $1 AND ($2::text IS NULL OR status = $2) LIMIT 10001) AS capped

-- name: ORDERS_SELLER_LIST custom
SELECT o.id, o.order_number, p.store_id, p.status, o.payment_status, o.payment_method, p.amount AS "amount:money",
       o.currency, p.tracking_number, o.shipping_address, order_lines_json(o.id, p.store_id, o.currency) AS items,
       order_events_json(o.id, p.store_id) AS events, p.created_at, p.updated_at
FROM order_parts p JOIN orders o ON o.id = p.order_id
WHERE p.store_id = $1 AND ($2::text IS NULL OR p.status = $2)
ORDER BY p.created_at DESC, p.order_id DESC LIMIT $3 OFFSET $4

-- name: ORDERS_SELLER_SHOW
SELECT o.id, o.order_number, p.store_id, p.status, o.payment_status, o.payment_method, p.amount AS "amount:money",
       o.currency, p.tracking_number, o.shipping_address, order_lines_json(o.id, p.store_id, o.currency) AS items,
       order_events_json(o.id, p.store_id) AS events, p.created_at, p.updated_at
FROM order_parts p JOIN orders o ON o.id = p.order_id
WHERE o.id = $1 AND p.store_id = $2

-- Locks an order for a change. $2 the buyer, or null when the machine acts.
-- name: ORDERS_LOCK
SELECT id, account_id, order_number, status, payment_status, payment_method, total_amount, currency, cancel_reason,
       coalesce(expires_at <= now(), false) AS is_due
FROM orders WHERE id = $1 AND ($2::uuid IS NULL OR account_id = $2) FOR UPDATE

-- The same by one of its stores.
-- name: ORDERS_LOCK_FOR_STORE
SELECT o.id, o.account_id, o.order_number, o.status, o.payment_status, o.payment_method, o.total_amount, o.currency,
       o.cancel_reason, false AS is_due
FROM orders o JOIN order_parts p ON p.order_id = o.id
WHERE o.id = $1 AND p.store_id = $2 FOR UPDATE OF o

-- Under the order's lock.
-- name: ORDERS_PARTS
SELECT p.store_id, p.status, p.amount, p.commission_bp,
       p.status = 'cancelled' AND coalesce(p.cancel_reason = 'expired', false) AS expired,
       (SELECT coalesce(sum(l.refunded), 0)::bigint FROM order_lines l
        WHERE l.order_id = p.order_id AND l.store_id = p.store_id) AS refunded
FROM order_parts p WHERE p.order_id = $1 ORDER BY p.store_id

-- name: ORDERS_MOVE_PART
UPDATE order_parts SET status = $4, tracking_number = coalesce($5, tracking_number), cancel_reason = $6, updated_at = now()
WHERE order_id = $1 AND store_id = $2 AND status = $3

-- name: ORDERS_SET_STATUS
UPDATE orders SET status = $2, cancel_reason = $3, updated_at = now() WHERE id = $1

-- name: ORDERS_SET_PAYMENT_STATUS
UPDATE orders SET payment_status = $2, updated_at = now() WHERE id = $1

-- Marks the lines of a part as given back and says what they were; a second call finds nothing. $2
-- null is every part.
-- name: ORDERS_RESTOCK_LINES
WITH back AS (
    UPDATE order_lines l SET restocked = l.quantity
    WHERE l.order_id = $1 AND ($2::uuid IS NULL OR l.store_id = $2) AND l.restocked = 0
    RETURNING l.product_id, l.quantity
)
SELECT product_id, quantity FROM back

-- What expiry gave back of an order's lines, and what of it may be taken again.
-- name: ORDERS_EXPIRED_LINES
SELECT l.product_id, sum(l.restocked)::bigint AS quantity
FROM order_lines l JOIN order_parts p ON p.order_id = l.order_id AND p.store_id = l.store_id
WHERE l.order_id = $1 AND p.status = 'cancelled' AND p.cancel_reason = 'expired' AND l.restocked > 0
GROUP BY l.product_id ORDER BY l.product_id

-- The stock of those lines is taken again; before their parts move.
-- name: ORDERS_RETAKE_LINES
UPDATE order_lines l SET restocked = 0 FROM order_parts p
WHERE l.order_id = $1 AND p.order_id = l.order_id AND p.store_id = l.store_id AND p.status = 'cancelled'
  AND p.cancel_reason = 'expired'

-- name: ORDERS_REVIVE_PARTS
UPDATE order_parts SET status = 'pending', cancel_reason = NULL, updated_at = now()
WHERE order_id = $1 AND status = 'cancelled' AND cancel_reason = 'expired'
RETURNING store_id AS id

-- Under the order's lock: what can still be given back of a part.
-- name: ORDERS_LINES_KEPT
SELECT line_no, price, quantity, refunded, refunded_units FROM order_lines
WHERE order_id = $1 AND store_id = $2 ORDER BY line_no

-- $2 the lines' numbers $3 units and $4 money that go back of each.
-- name: ORDERS_GIVE_BACK
UPDATE order_lines l SET refunded = l.refunded + b.amount, refunded_units = l.refunded_units + b.units
FROM unnest($2::bigint[], $3::bigint[], $4::bigint[]) AS b (line_no, units, amount)
WHERE l.order_id = $1 AND l.line_no = b.line_no

-- Those whose open payment is being closed are asked about already; they come again when it is.
-- name: ORDERS_EXPIRED
SELECT id FROM orders o
WHERE status = 'pending' AND payment_status = 'unpaid' AND expires_at <= now()
  AND NOT EXISTS (SELECT FROM payments p WHERE p.order_id = o.id AND p.closing
                  AND p.status IN ('initiating', 'processing', 'unknown'))
ORDER BY expires_at LIMIT $1

-- What an administrator sees. $1 status $2 payment status $3 the buyer $4 order number $5 from $6 until; null is
-- any.
-- name: ORDERS_ADMIN_COUNT custom
SELECT count(*) FROM (SELECT FROM orders o
    WHERE ($1::text IS NULL OR o.status = $1) AND ($2::text IS NULL OR o.payment_status = $2)
      AND ($3::uuid IS NULL OR o.account_id = $3) AND ($4::text IS NULL OR o.order_number = $4)
      AND ($5::timestamptz IS NULL OR o.created_at >= $5) AND ($6::timestamptz IS NULL OR o.created_at < $6)
    LIMIT 10001) AS capped

-- name: ORDERS_ADMIN_LIST custom
SELECT o.id, o.order_number, o.account_id, a.name AS account_name, o.status, o.payment_status, o.payment_method,
       o.total_amount AS "total_amount:money", o.currency, order_lines_json(o.id, NULL, o.currency) AS items,
       order_parts_json(o.id, o.currency) AS parts, order_payment_json(o.id) AS payment, o.created_at, o.updated_at
FROM orders o JOIN accounts a ON a.id = o.account_id
WHERE ($1::text IS NULL OR o.status = $1) AND ($2::text IS NULL OR o.payment_status = $2)
  AND ($3::uuid IS NULL OR o.account_id = $3) AND ($4::text IS NULL OR o.order_number = $4)
  AND ($5::timestamptz IS NULL OR o.created_at >= $5) AND ($6::timestamptz IS NULL OR o.created_at < $6)
ORDER BY o.created_at DESC, o.id DESC LIMIT $7 OFFSET $8

-- What the sysadmin sees of one.
-- name: ORDERS_SHEET
SELECT o.id, o.order_number, o.account_id, a.name AS account_name, o.status, o.payment_status, o.payment_method,
       o.total_amount AS "total_amount:money", o.currency, o.cancel_reason,
       order_lines_json(o.id, NULL, o.currency) AS items, order_parts_json(o.id, o.currency) AS parts,
       order_payment_json(o.id) AS payment, order_events_json(o.id, NULL) AS events, o.created_at, o.updated_at
FROM orders o JOIN accounts a ON a.id = o.account_id WHERE o.id = $1

-- By number or id.
-- name: ORDERS_FIND
SELECT id FROM orders WHERE order_number = upper($1) OR id = $2
