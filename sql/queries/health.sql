-- What `sokoctl doctor` asks of the shop's own tables. Ages are milliseconds.
-- $1 the lane. Due: what a worker should have taken by now.
-- name: HEALTH_OUTBOX
SELECT count(*) FILTER (WHERE parked_at IS NULL) AS waiting,
       count(*) FILTER (WHERE parked_at IS NULL AND available_at <= now()) AS due,
       coalesce((extract(epoch FROM now() - min(available_at) FILTER (WHERE parked_at IS NULL AND available_at <= now()))
                 * 1000)::bigint, 0) AS oldest_ms,
       count(*) FILTER (WHERE parked_at IS NOT NULL) AS parked
FROM outbox WHERE lane = $1

-- name: HEALTH_PAYMENTS
SELECT count(*) FILTER (WHERE status IN ('initiating', 'processing', 'unknown')) AS open,
       count(*) FILTER (WHERE status = 'unknown') AS unknown,
       coalesce((extract(epoch FROM now() - min(created_at) FILTER (WHERE status IN ('initiating', 'processing', 'unknown')))
                 * 1000)::bigint, 0) AS oldest_ms,
       coalesce((extract(epoch FROM now() - min(ask_at) FILTER (WHERE status IN ('initiating', 'processing', 'unknown')
                                                                 AND ask_at <= now())) * 1000)::bigint, 0) AS unasked_ms,
       count(*) FILTER (WHERE status = 'needs_review') AS review
FROM payments WHERE status IN ('initiating', 'processing', 'unknown', 'needs_review')

-- name: HEALTH_REFUNDS
SELECT count(*) FILTER (WHERE status = 'failed' AND NOT reversed AND ask_at IS NULL) AS given_up,
       count(*) FILTER (WHERE status IN ('pending', 'sending', 'sent')) AS under_way,
       coalesce((extract(epoch FROM now() - min(created_at) FILTER (WHERE status IN ('pending', 'sending', 'sent')))
                 * 1000)::bigint, 0) AS oldest_ms
FROM refunds WHERE status IN ('pending', 'sending', 'sent', 'failed')

-- Orders that should have expired: the clock's work.
-- name: HEALTH_ORDERS
SELECT count(*) AS overdue,
       coalesce((extract(epoch FROM now() - min(expires_at)) * 1000)::bigint, 0) AS oldest_ms
FROM orders WHERE status = 'pending' AND payment_status = 'unpaid' AND expires_at <= now()

-- The cheap form: each currency sums to zero, and what providers hold is what came less what went.
-- name: HEALTH_LEDGER
WITH booked AS (
    SELECT t.currency, sum(e.amount)::bigint AS rest,
           coalesce(sum(e.amount) FILTER (WHERE e.account = 'provider_cash'), 0)::bigint AS cash
    FROM ledger_entries e JOIN ledger_transactions t ON t.id = e.transaction_id GROUP BY t.currency
), moved AS (
    SELECT m.currency, sum(m.amount)::bigint AS cash
    FROM (SELECT currency, received AS amount FROM ledger_payments
          UNION ALL
          SELECT currency, -sent FROM ledger_refunds WHERE was_paid AND NOT was_reversed) AS m
    GROUP BY m.currency
)
SELECT currency, coalesce(b.rest, 0) AS rest, coalesce(b.cash, 0) - coalesce(m.cash, 0) AS difference
FROM booked b FULL JOIN moved m USING (currency) ORDER BY currency

-- Entries that no link seals, of the last that there are: a chain that stands still shows here at once.
-- name: HEALTH_AUDIT
SELECT (SELECT count(*) FROM audit_chain) AS links, count(*) AS loose,
       coalesce((extract(epoch FROM now() - min(l.at)) * 1000)::bigint, 0) AS oldest_ms
FROM (SELECT id, at FROM audit_log ORDER BY id DESC LIMIT 10000) AS l
WHERE NOT EXISTS (SELECT FROM audit_chain c WHERE c.entry = l.id)
