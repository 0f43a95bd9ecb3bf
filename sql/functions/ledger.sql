-- The platform's share, as shop/pricing.c reckons it: half up.
CREATE OR REPLACE FUNCTION commission_of(amount bigint, bp integer) RETURNS bigint
    LANGUAGE sql IMMUTABLE
    RETURN round(amount::numeric * bp / 10000)::bigint;

-- What a store keeps of a part: its price less what was given back of its lines.
CREATE OR REPLACE FUNCTION part_kept(in_order uuid, in_store uuid, amount bigint) RETURNS bigint
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT amount - coalesce(sum(l.refunded), 0)::bigint
    FROM order_lines l WHERE l.order_id = in_order AND l.store_id = in_store;
END;

-- They and the views go away with 0020_ledger.down.sql, as tables cannot change under them.

-- What each payment and refund should have booked, by their own rows. Money that came and matched nothing is parked;
-- whether an administrator accepted it later, only the ledger remembers.
CREATE OR REPLACE VIEW ledger_payments AS
    SELECT p.id, p.order_id, p.provider, p.currency, p.status, p.amount, p.received,
           parked.id IS NOT NULL OR p.status = 'needs_review' AS was_parked,
           accepted.id IS NOT NULL OR (parked.id IS NOT NULL AND p.status = 'succeeded') AS was_accepted
    FROM payments p
         LEFT JOIN ledger_transactions parked ON parked.kind = 'payment_parked' AND parked.subject = p.id
         LEFT JOIN ledger_transactions accepted ON accepted.kind = 'review_accepted' AND accepted.subject = p.id
    WHERE p.status IN ('succeeded', 'partially_refunded', 'refunded')
       OR (p.status = 'needs_review' AND p.received IS NOT NULL);

-- A refund is owed from the moment it is asked for, also while it fails and is tried again. One that went and came
-- back after all (reversed) is over: another took its place.
CREATE OR REPLACE VIEW ledger_refunds AS
    SELECT r.id, r.payment_id, p.order_id, p.provider, r.currency, r.amount, coalesce(r.sent_amount, r.amount) AS sent,
           CASE WHEN r.reason = 'review' THEN 'suspense' ELSE 'buyer_funds' END AS source,
           r.status = 'succeeded' OR r.reversed AS was_paid, r.reversed AS was_reversed
    FROM refunds r JOIN ledger_payments p ON p.id = r.payment_id;

CREATE OR REPLACE VIEW ledger_due AS
    SELECT p.id AS subject, d.kind, p.currency, d.account, d.provider, d.amount
    FROM ledger_payments p CROSS JOIN LATERAL (VALUES
        ('payment_settled', 'provider_cash', p.provider, p.received, NOT p.was_parked),
        ('payment_settled', 'buyer_funds', '', -p.amount, NOT p.was_parked),
        ('payment_settled', 'rounding', '', p.amount - p.received, NOT p.was_parked),
        ('payment_parked', 'provider_cash', p.provider, p.received, p.was_parked),
        ('payment_parked', 'suspense', '', -p.received, p.was_parked),
        ('review_accepted', 'suspense', '', p.received, p.was_accepted),
        ('review_accepted', 'buyer_funds', '', -p.amount, p.was_accepted),
        ('review_accepted', 'rounding', '', p.amount - p.received, p.was_accepted)
    ) AS d (kind, account, provider, amount, holds)
    WHERE d.holds AND d.amount <> 0
    UNION ALL
    SELECT r.id, d.kind, r.currency, d.account, d.provider, d.amount
    FROM ledger_refunds r CROSS JOIN LATERAL (VALUES
        ('refund_requested', r.source, '', r.amount, true),
        ('refund_requested', 'refunds_payable', '', -r.amount, true),
        ('refund_paid', 'refunds_payable', '', r.amount, r.was_paid),
        ('refund_paid', 'provider_cash', r.provider, -r.sent, r.was_paid),
        ('refund_paid', 'rounding', '', r.sent - r.amount, r.was_paid),
        ('refund_reversed', 'provider_cash', r.provider, r.sent, r.was_reversed),
        ('refund_reversed', r.source, '', -r.amount, r.was_reversed),
        ('refund_reversed', 'rounding', '', r.amount - r.sent, r.was_reversed)
    ) AS d (kind, account, provider, amount, holds)
    WHERE d.holds AND d.amount <> 0;

GRANT SELECT ON ledger_payments, ledger_refunds, ledger_due TO soko_app;
