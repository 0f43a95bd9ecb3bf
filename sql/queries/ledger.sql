-- Books a fact once: the unique key decides, also between two who book it at once, of whom the second waits for
-- the first. The entries follow only if the transaction is new. $6 the provider of provider_cash; the store is the
-- transaction's.
-- name: LEDGER_BOOK
WITH booked AS (
    INSERT INTO ledger_transactions (id, kind, subject, store_id, order_id, currency)
    VALUES ($1, $2, $3, $4, $5, $7)
    ON CONFLICT ON CONSTRAINT ledger_transactions_once DO NOTHING
    RETURNING id, store_id
)
INSERT INTO ledger_entries (transaction_id, entry_no, account, provider, store_id, amount)
SELECT b.id, e.entry_no, e.account, CASE WHEN e.account = 'provider_cash' THEN $6::text END,
       CASE WHEN e.account = 'store_payable' THEN b.store_id END, e.amount
FROM booked b CROSS JOIN unnest($8::text[], $9::bigint[]) WITH ORDINALITY AS e (account, amount, entry_no)

-- All that follows is read by `sokoctl ledger check`, in one snapshot, for as long as it takes.
-- name: LEDGER_SNAPSHOT
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY

-- name: LEDGER_PATIENCE
SET LOCAL statement_timeout = '30min'

-- name: LEDGER_SUMS
SELECT t.currency, e.account, coalesce(e.provider, '') AS provider, sum(e.amount)::bigint AS amount
FROM ledger_entries e JOIN ledger_transactions t ON t.id = e.transaction_id
GROUP BY t.currency, e.account, e.provider ORDER BY t.currency, e.account, e.provider

-- Each fault is a line that names its row.
-- name: LEDGER_CHECK_ZERO
SELECT format('transaction %s (%s, %s) sums to %s', t.id, t.kind, t.currency, coalesce(sum(e.amount)::text, 'nothing')) AS fault
FROM ledger_transactions t LEFT JOIN ledger_entries e ON e.transaction_id = t.id
GROUP BY t.id HAVING sum(e.amount) IS DISTINCT FROM 0 ORDER BY t.id

-- Payments and refunds against what is booked for them, both ways: what is missing, what has no cause, what differs.
-- name: LEDGER_CHECK_MONEY
WITH booked AS (
    SELECT t.subject, t.kind, t.currency, e.account, coalesce(e.provider, '') AS provider, sum(e.amount)::bigint AS amount
    FROM ledger_transactions t JOIN ledger_entries e ON e.transaction_id = t.id
    WHERE t.kind IN ('payment_settled', 'payment_parked', 'review_accepted', 'refund_requested', 'refund_reversed', 'refund_paid')
    GROUP BY t.subject, t.kind, t.currency, e.account, e.provider
)
SELECT format('%s %s: %s books %s %s to %s, and should book %s',
              CASE WHEN kind LIKE 'refund%' THEN 'refund' ELSE 'payment' END, subject, kind,
              money_text(coalesce(b.amount, 0), currency), currency, concat_ws(' ', account, nullif(provider, '')),
              money_text(coalesce(d.amount, 0), currency)) AS fault
FROM ledger_due d FULL JOIN booked b USING (subject, kind, currency, account, provider)
WHERE coalesce(b.amount, 0) <> coalesce(d.amount, 0) ORDER BY subject, kind, account

-- The sums of a payment and of its refunds agree with each other.
-- name: LEDGER_CHECK_REFUNDED
SELECT format('payment %s (%s) says %s %s went back, and its refunds say %s of %s', p.id, p.status,
              money_text(p.refunded, p.currency), p.currency, money_text(r.paid, p.currency),
              money_text(r.all_of_them, p.currency)) AS fault
FROM payments p CROSS JOIN LATERAL (
    SELECT coalesce(sum(amount) FILTER (WHERE status = 'succeeded'), 0)::bigint AS paid,
           coalesce(sum(amount) FILTER (WHERE NOT reversed), 0)::bigint AS all_of_them
    FROM refunds WHERE payment_id = p.id) AS r
WHERE p.refunded <> r.paid OR r.all_of_them > greatest(p.amount, coalesce(p.received, 0))
   OR ((p.refunded > 0) <> (p.status IN ('refunded', 'partially_refunded')) AND p.status <> 'needs_review')
ORDER BY p.id

-- What stores earned, and we by them: of a completed part, all that is kept, less the fee of it.
-- name: LEDGER_CHECK_PARTS
WITH completed AS (
    SELECT q.order_id, q.store_id, o.currency, o.payment_method = 'cash_on_delivery' AS cash, k.kept,
           commission_of(k.kept, q.commission_bp) AS fee
    FROM order_parts q JOIN orders o ON o.id = q.order_id
         CROSS JOIN LATERAL (SELECT part_kept(q.order_id, q.store_id, q.amount) AS kept) AS k
    WHERE q.status = 'completed'
), due AS (
    SELECT c.order_id, c.store_id, c.currency, d.account, d.amount
    FROM completed c CROSS JOIN LATERAL (VALUES
        ('buyer_funds', CASE WHEN c.cash THEN 0 ELSE c.kept END),
        ('store_payable', CASE WHEN c.cash THEN c.fee ELSE c.fee - c.kept END),
        ('commission', -c.fee)) AS d (account, amount)
    WHERE d.amount <> 0
), booked AS (
    SELECT t.order_id, t.store_id, t.currency, e.account, sum(e.amount)::bigint AS amount
    FROM ledger_transactions t JOIN ledger_entries e ON e.transaction_id = t.id
    WHERE t.kind IN ('part_completed', 'cash_part_completed', 'part_refunded')
    GROUP BY t.order_id, t.store_id, t.currency, e.account
)
SELECT format('order %s, the part of store %s: %s %s is booked to %s, and should be %s', order_id, store_id,
              money_text(coalesce(b.amount, 0), currency), currency, account, money_text(coalesce(d.amount, 0), currency)) AS fault
FROM due d FULL JOIN booked b USING (order_id, store_id, currency, account)
WHERE coalesce(b.amount, 0) <> coalesce(d.amount, 0) ORDER BY order_id, store_id, account

-- What buyers paid for an order and nobody has earned or got back yet.
-- name: LEDGER_CHECK_FUNDS
WITH moved AS (
    SELECT p.order_id, p.currency, p.amount FROM ledger_payments p WHERE NOT p.was_parked OR p.was_accepted
    UNION ALL
    SELECT r.order_id, r.currency, -r.amount FROM ledger_refunds r
    WHERE r.source = 'buyer_funds' AND NOT r.was_reversed
    UNION ALL
    SELECT q.order_id, o.currency, -part_kept(q.order_id, q.store_id, q.amount)
    FROM order_parts q JOIN orders o ON o.id = q.order_id
    WHERE q.status = 'completed' AND o.payment_method <> 'cash_on_delivery'
), due AS (
    SELECT order_id, currency, sum(amount)::bigint AS amount FROM moved GROUP BY order_id, currency
), booked AS (
    SELECT t.order_id, t.currency, -sum(e.amount)::bigint AS amount
    FROM ledger_entries e JOIN ledger_transactions t ON t.id = e.transaction_id
    WHERE e.account = 'buyer_funds' GROUP BY t.order_id, t.currency
)
SELECT format('order %s: buyer_funds hold %s %s, and should hold %s%s', coalesce(order_id::text, '(none)'),
              money_text(coalesce(b.amount, 0), currency), currency, money_text(coalesce(d.amount, 0), currency),
              CASE WHEN d.amount < 0 THEN ': more was earned or returned than was paid' END) AS fault
FROM due d FULL JOIN booked b USING (order_id, currency)
WHERE coalesce(b.amount, 0) <> coalesce(d.amount, 0) OR d.amount < 0 ORDER BY order_id

-- Money that waits for a person, and money that is on its way back.
-- name: LEDGER_CHECK_WAITING
WITH moved AS (
    SELECT 'suspense' AS account, p.currency, p.received AS amount FROM ledger_payments p
    WHERE p.was_parked AND NOT p.was_accepted
    UNION ALL
    SELECT 'suspense', r.currency, -r.amount FROM ledger_refunds r JOIN ledger_payments p ON p.id = r.payment_id
    WHERE r.source = 'suspense' AND NOT r.was_reversed AND NOT p.was_accepted
    UNION ALL
    SELECT 'refunds_payable', r.currency, r.amount FROM ledger_refunds r
    WHERE NOT r.was_paid
), due AS (
    SELECT account, currency, sum(amount)::bigint AS amount FROM moved GROUP BY account, currency
), booked AS (
    SELECT e.account, t.currency, -sum(e.amount)::bigint AS amount
    FROM ledger_entries e JOIN ledger_transactions t ON t.id = e.transaction_id
    WHERE e.account IN ('suspense', 'refunds_payable') GROUP BY e.account, t.currency
)
SELECT format('%s holds %s %s, and should hold %s, what %s', account, money_text(coalesce(b.amount, 0), currency), currency,
              money_text(coalesce(d.amount, 0), currency),
              CASE account WHEN 'suspense' THEN 'is under review' ELSE 'refunds are under way' END) AS fault
FROM due d FULL JOIN booked b USING (account, currency)
WHERE coalesce(b.amount, 0) <> coalesce(d.amount, 0) ORDER BY account, currency

-- A transaction names the order and the currency of its cause. Money that came without an order may be given one later.
-- name: LEDGER_CHECK_LINKS
WITH cause AS (
    SELECT t.id, t.kind, t.order_id, p.order_id AS of_cause FROM ledger_transactions t JOIN ledger_payments p ON p.id = t.subject
    WHERE t.kind IN ('payment_settled', 'review_accepted')
    UNION ALL
    SELECT t.id, t.kind, t.order_id, r.order_id FROM ledger_transactions t JOIN ledger_refunds r ON r.id = t.subject
    WHERE r.source = 'buyer_funds' AND t.kind LIKE 'refund%'
    UNION ALL
    SELECT t.id, t.kind, t.order_id, t.subject FROM ledger_transactions t WHERE t.kind IN ('part_completed', 'cash_part_completed')
)
SELECT format('transaction %s (%s) names the order %s, and its cause %s', id, kind, coalesce(order_id::text, '(none)'),
              coalesce(of_cause::text, '(none)')) AS fault
FROM cause WHERE order_id IS DISTINCT FROM of_cause ORDER BY id
