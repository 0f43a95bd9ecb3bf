-- Books what was sold before there was a ledger (DESIGN, section 4): money that came, went back, and is
-- owed. One transaction a fact, as the program would have booked it.
CREATE TEMPORARY TABLE opening ON COMMIT DROP AS
    SELECT gen_random_uuid() AS id, 'payment_settled' AS kind, p.id AS subject, NULL::uuid AS store_id, p.order_id,
           p.currency, p.updated_at AS at, p.provider, p.amount, 0::bigint AS fee
    FROM payments p WHERE p.status IN ('succeeded', 'partially_refunded', 'refunded')
    UNION ALL
    SELECT gen_random_uuid(), 'refund_requested', r.id, NULL, p.order_id, r.currency, r.created_at, p.provider, r.amount, 0
    FROM refunds r JOIN payments p ON p.id = r.payment_id WHERE r.status <> 'failed'
    UNION ALL
    SELECT gen_random_uuid(), 'refund_paid', r.id, NULL, p.order_id, r.currency, r.updated_at, p.provider, r.amount, 0
    FROM refunds r JOIN payments p ON p.id = r.payment_id WHERE r.status = 'succeeded'
    UNION ALL
    SELECT gen_random_uuid(), 'part_completed', q.order_id, q.store_id, q.order_id, o.currency, q.updated_at, NULL, q.amount, 0
    FROM order_parts q JOIN orders o ON o.id = q.order_id
    WHERE q.status = 'completed' AND o.payment_method <> 'cash_on_delivery';

INSERT INTO ledger_transactions (id, kind, subject, store_id, order_id, currency, booked_at)
SELECT id, kind, subject, store_id, order_id, currency, at FROM opening;

INSERT INTO ledger_entries (transaction_id, entry_no, account, provider, store_id, amount)
SELECT id, 1, CASE kind WHEN 'payment_settled' THEN 'provider_cash' WHEN 'refund_paid' THEN 'refunds_payable'
                        ELSE 'buyer_funds' END,
       CASE kind WHEN 'payment_settled' THEN provider END, NULL, amount
FROM opening
UNION ALL
SELECT id, 2, CASE kind WHEN 'payment_settled' THEN 'buyer_funds' WHEN 'refund_requested' THEN 'refunds_payable'
                        WHEN 'refund_paid' THEN 'provider_cash' ELSE 'store_payable' END,
       CASE kind WHEN 'refund_paid' THEN provider END, CASE kind WHEN 'part_completed' THEN store_id END, -amount
FROM opening;
