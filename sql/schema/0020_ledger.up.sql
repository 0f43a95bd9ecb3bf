-- Books what was sold before there was a ledger (DESIGN, section 4): money that came, went back, is on its way back,
-- and is owed to stores. One transaction a fact, as the program would have booked it. Cash that stores took was theirs,
-- without commission: nothing is booked. A fact that is booked already, because the schema went a step down and up
-- again, stays as it is.
CREATE TEMPORARY TABLE opening ON COMMIT DROP AS
    SELECT f.kind, f.subject, f.store_id, f.order_id, f.currency, f.provider, f.at, f.amount, f.moved,
           -- In the order of time, as the program's are (UUIDv7): a store's statement is read along them.
           (lpad(to_hex((extract(epoch FROM f.at) * 1000)::bigint), 12, '0') || '7'
            || substr(replace(gen_random_uuid()::text, '-', ''), 14))::uuid AS id
    FROM (
        SELECT 'payment_settled' AS kind, p.id AS subject, NULL::uuid AS store_id, p.order_id, p.currency, p.provider,
               coalesce((SELECT min(w.received_at) FROM provider_events w WHERE w.payment_id = p.id AND w.outcome = 'paid'),
                        p.created_at) AS at,
               p.amount, p.received AS moved
        FROM payments p
        WHERE p.status IN ('succeeded', 'partially_refunded', 'refunded')
          AND NOT EXISTS (SELECT FROM ledger_transactions t WHERE t.kind = 'payment_parked' AND t.subject = p.id)
        UNION ALL
        SELECT 'refund_requested', r.id, NULL, p.order_id, r.currency, p.provider, r.created_at, r.amount, r.amount
        FROM refunds r JOIN payments p ON p.id = r.payment_id -- also one that failed: it will be tried again
        UNION ALL
        SELECT 'refund_paid', r.id, NULL, p.order_id, r.currency, p.provider, r.updated_at, r.amount,
               coalesce(r.sent_amount, r.amount)
        FROM refunds r JOIN payments p ON p.id = r.payment_id WHERE r.status = 'succeeded'
        UNION ALL
        SELECT 'part_completed', q.order_id, q.store_id, q.order_id, o.currency, NULL, q.updated_at, q.amount, q.amount
        FROM order_parts q JOIN orders o ON o.id = q.order_id
        WHERE q.status = 'completed' AND o.payment_method <> 'cash_on_delivery'
    ) AS f
    WHERE NOT EXISTS (SELECT FROM ledger_transactions t
                      WHERE t.kind = f.kind AND t.subject = f.subject AND t.store_id IS NOT DISTINCT FROM f.store_id);

INSERT INTO ledger_transactions (id, kind, subject, store_id, order_id, currency, booked_at)
SELECT id, kind, subject, store_id, order_id, currency, at FROM opening;

-- The sides of each kind; what they differ by are whole shillings.
INSERT INTO ledger_entries (transaction_id, entry_no, account, provider, store_id, amount)
SELECT f.id, e.entry_no, e.account, CASE WHEN e.account = 'provider_cash' THEN f.provider END,
       CASE WHEN e.account = 'store_payable' THEN f.store_id END, e.amount
FROM opening f CROSS JOIN LATERAL (VALUES
    ('payment_settled', 1, 'provider_cash', f.moved),
    ('payment_settled', 2, 'buyer_funds', -f.amount),
    ('payment_settled', 3, 'rounding', f.amount - f.moved),
    ('refund_requested', 1, 'buyer_funds', f.amount),
    ('refund_requested', 2, 'refunds_payable', -f.amount),
    ('refund_paid', 1, 'refunds_payable', f.amount),
    ('refund_paid', 2, 'provider_cash', -f.moved),
    ('refund_paid', 3, 'rounding', f.moved - f.amount),
    ('part_completed', 1, 'buyer_funds', f.amount),
    ('part_completed', 2, 'store_payable', -f.amount)
) AS e (kind, entry_no, account, amount)
WHERE e.kind = f.kind AND e.amount <> 0;
