-- What soko-jobs reads for /metrics (shop/gauges.h). The first four every METRICS_EVERY: each is an index's few
-- rows, whatever the shop has sold. Kinds of which there is none have a row too, so that a number goes back to 0.

-- $1 the lanes.
-- name: GAUGES_OUTBOX
SELECT l.lane,
       (SELECT count(*) FROM (SELECT FROM outbox o WHERE o.lane = l.lane AND o.parked_at IS NULL AND o.available_at <= now()
                              LIMIT 10000) AS capped) AS due,
       (SELECT count(*) FROM (SELECT FROM outbox o WHERE o.lane = l.lane AND o.parked_at IS NULL AND o.available_at > now()
                              LIMIT 10000) AS capped) AS later,
       coalesce((SELECT (extract(epoch FROM now() - min(o.available_at)) * 1000000000)::bigint FROM outbox o
                 WHERE o.lane = l.lane AND o.parked_at IS NULL AND o.available_at <= now()), 0) AS oldest_ns,
       (SELECT count(*) FROM (SELECT FROM outbox o WHERE o.lane = l.lane AND o.parked_at IS NOT NULL LIMIT 10000) AS capped)
           AS parked
FROM unnest($1::text[]) AS l (lane)

-- name: GAUGES_PAYMENTS_OPEN
WITH open AS (
    SELECT provider, status, count(*) AS n, min(created_at) AS oldest FROM payments
    WHERE status IN ('initiating', 'processing', 'unknown') GROUP BY provider, status
)
SELECT p.provider, s.status, coalesce(o.n, 0) AS n,
       coalesce((extract(epoch FROM now() - o.oldest) * 1000000000)::bigint, 0) AS oldest_ns
FROM unnest(ARRAY['simulated', 'stripe', 'mpesa']) AS p (provider)
     CROSS JOIN unnest(ARRAY['initiating', 'processing', 'unknown']) AS s (status)
     LEFT JOIN open o ON o.provider = p.provider AND o.status = s.status

-- name: GAUGES_PAYMENTS_RECENT
WITH recent AS (
    SELECT provider, status, count(*) AS n FROM payments WHERE created_at > now() - interval '1 hour' GROUP BY provider, status
)
SELECT p.provider, s.status, coalesce(r.n, 0) AS n
FROM unnest(ARRAY['simulated', 'stripe', 'mpesa']) AS p (provider)
     CROSS JOIN unnest(ARRAY['initiating', 'processing', 'unknown', 'succeeded', 'failed', 'cancelled', 'abandoned',
                             'partially_refunded', 'refunded', 'needs_review']) AS s (status)
     LEFT JOIN recent r ON r.provider = p.provider AND r.status = s.status

-- An order that should have expired waits rightly while a provider is asked about its payment. The ids of ledger
-- transactions begin with their time (UUIDv7). Entries of the audit log are linked in the sequence of their
-- numbers, but for late ones behind `settled`.
-- name: GAUGES_ATTENTION
SELECT (SELECT count(*) FROM payments WHERE status = 'needs_review') AS review,
       (SELECT count(*) FROM refunds WHERE status = 'failed' AND ask_at IS NULL AND NOT reversed) AS refunds,
       coalesce((SELECT (extract(epoch FROM now() - min(o.expires_at)) * 1000000000)::bigint FROM orders o
                 WHERE o.status = 'pending' AND o.payment_status = 'unpaid' AND o.expires_at <= now()
                   AND NOT EXISTS (SELECT FROM payments p WHERE p.order_id = o.id
                                   AND p.status IN ('initiating', 'processing', 'unknown'))), 0) AS overdue_ns,
       coalesce((SELECT (extract(epoch FROM now() - l.at) * 1000000000)::bigint FROM audit_log l
                 WHERE l.id > coalesce((SELECT c.settled FROM audit_chain c ORDER BY c.number DESC LIMIT 1), 0)
                   AND NOT EXISTS (SELECT FROM audit_chain c WHERE c.entry = l.id)
                 ORDER BY l.id LIMIT 1), 0) AS unsealed_ns,
       (SELECT count(*) FROM (
            SELECT t.id FROM ledger_transactions t LEFT JOIN ledger_entries e ON e.transaction_id = t.id
            WHERE t.id >= (lpad(to_hex((extract(epoch FROM now() - interval '1 hour') * 1000)::bigint), 12, '0')
                           || repeat('0', 20))::uuid
            GROUP BY t.id HAVING sum(e.amount) IS DISTINCT FROM 0) AS wrong) AS unbalanced

-- These read whole tables, every METRICS_FULL_EVERY.
-- name: GAUGES_PAYMENTS
SELECT p.provider, s.status, coalesce(a.n, 0) AS n
FROM unnest(ARRAY['simulated', 'stripe', 'mpesa']) AS p (provider)
     CROSS JOIN unnest(ARRAY['initiating', 'processing', 'unknown', 'succeeded', 'failed', 'cancelled', 'abandoned',
                             'partially_refunded', 'refunded', 'needs_review']) AS s (status)
     LEFT JOIN (SELECT provider, status, count(*) AS n FROM payments GROUP BY provider, status) AS a
         ON a.provider = p.provider AND a.status = s.status

-- name: GAUGES_REFUNDS
SELECT s.status, coalesce(a.n, 0) AS n
FROM unnest(ARRAY['pending', 'sending', 'sent', 'succeeded', 'failed']) AS s (status)
     LEFT JOIN (SELECT status, count(*) AS n FROM refunds GROUP BY status) AS a ON a.status = s.status

-- name: GAUGES_ORDERS
SELECT s.status, coalesce(a.n, 0) AS n
FROM unnest(ARRAY['pending', 'paid', 'processing', 'shipping', 'shipped', 'completed', 'cancelled']) AS s (status)
     LEFT JOIN (SELECT status, count(*) AS n FROM orders GROUP BY status) AS a ON a.status = s.status

-- In one snapshot: the sum of all entries, and what the ledger says that providers hold of our money, less what
-- payments brought and refunds took. Both are 0. `sokoctl ledger check` names the row of each fault.
-- name: GAUGES_LEDGER
WITH booked AS (
    SELECT t.currency, sum(e.amount) AS entries, sum(e.amount) FILTER (WHERE e.account = 'provider_cash') AS cash
    FROM ledger_entries e JOIN ledger_transactions t ON t.id = e.transaction_id GROUP BY t.currency
), moved AS (
    SELECT currency, sum(amount) AS amount
    FROM (SELECT currency, received AS amount FROM payments
          WHERE status IN ('succeeded', 'partially_refunded', 'refunded') OR (status = 'needs_review' AND received IS NOT NULL)
          UNION ALL
          SELECT currency, -coalesce(sent_amount, amount) FROM refunds WHERE status = 'succeeded') AS m
    GROUP BY currency
)
SELECT currency, coalesce(b.entries, 0)::bigint AS entries, (coalesce(b.cash, 0) - coalesce(m.amount, 0))::bigint AS cash
FROM booked b FULL JOIN moved m USING (currency)
