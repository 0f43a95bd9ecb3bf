-- What a store has earned, by currency: what the ledger owes it, and what parts that are paid and not yet completed
-- will bring. $1 the store $2 the platform's commission.
-- name: PAYOUTS_BALANCE
SELECT s.id AS store_id, coalesce(s.commission_bp, $2::integer) AS commission_bp, (
    SELECT coalesce(json_agg(json_build_object('currency', b.currency, 'available', money_text(b.available, b.currency),
                                               'pending', money_text(b.pending, b.currency)) ORDER BY b.currency), '[]')
    FROM (
        SELECT m.currency, sum(m.available)::bigint AS available, sum(m.pending)::bigint AS pending
        FROM (
            SELECT t.currency, -e.amount AS available, 0 AS pending
            FROM ledger_entries e JOIN ledger_transactions t ON t.id = e.transaction_id WHERE e.store_id = s.id
            UNION ALL
            SELECT o.currency, 0, k.kept - commission_of(k.kept, q.commission_bp)
            FROM order_parts q JOIN orders o ON o.id = q.order_id
                 CROSS JOIN LATERAL (SELECT part_kept(q.order_id, q.store_id, q.amount) AS kept) AS k
            WHERE q.store_id = s.id AND q.status IN ('paid', 'processing', 'shipping', 'shipped')
              AND o.payment_method <> 'cash_on_delivery'
        ) AS m GROUP BY m.currency
    ) AS b) AS balances
FROM stores s WHERE s.id = $1

-- A store's statement, newest first. $1 the store $2 from $3 until; null is any; then a cursor's key and id, limit and
-- offset. Transactions' ids are in the order of time.
-- name: PAYOUTS_STATEMENT_COUNT custom
SELECT count(*) FROM (
    SELECT FROM ledger_entries e JOIN ledger_transactions t ON t.id = e.transaction_id
    WHERE e.store_id = $1 AND ($2::timestamptz IS NULL OR t.booked_at >= $2) AND ($3::timestamptz IS NULL OR t.booked_at < $3)
    LIMIT 10001) AS capped

-- name: PAYOUTS_STATEMENT custom
SELECT t.id, t.booked_at, t.kind, t.order_id, o.order_number, -e.amount AS "amount:money", c.commission AS "commission:money",
       t.currency, 'id ' || t.id AS "cursor:hidden"
FROM ledger_entries e JOIN ledger_transactions t ON t.id = e.transaction_id LEFT JOIN orders o ON o.id = t.order_id
     CROSS JOIN LATERAL (SELECT coalesce(-sum(x.amount), 0)::bigint AS commission FROM ledger_entries x
                         WHERE x.transaction_id = t.id AND x.account = 'commission') AS c
WHERE e.store_id = $1 AND ($2::timestamptz IS NULL OR t.booked_at >= $2) AND ($3::timestamptz IS NULL OR t.booked_at < $3)
  AND ($4::text IS NULL OR e.transaction_id < $5::uuid)
ORDER BY e.transaction_id DESC LIMIT $6 OFFSET $7

-- The same for people, oldest first, with the balance after each. $1 the store $2 from $3 until.
-- name: PAYOUTS_ACCOUNT custom
SELECT * FROM (
    SELECT t.id, t.booked_at, api_time(t.booked_at) AS at, t.kind, o.order_number, -e.amount AS amount, c.commission, t.currency,
           (-sum(e.amount) OVER (PARTITION BY t.currency ORDER BY e.transaction_id))::bigint AS balance
    FROM ledger_entries e JOIN ledger_transactions t ON t.id = e.transaction_id LEFT JOIN orders o ON o.id = t.order_id
         CROSS JOIN LATERAL (SELECT coalesce(-sum(x.amount), 0)::bigint AS commission FROM ledger_entries x
                             WHERE x.transaction_id = t.id AND x.account = 'commission') AS c
    WHERE e.store_id = $1) AS whole
WHERE ($2::timestamptz IS NULL OR booked_at >= $2) AND ($3::timestamptz IS NULL OR booked_at < $3)
ORDER BY id
