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

-- name: LEDGER_CASH
SELECT coalesce(sum(e.amount), 0)::bigint AS amount
FROM ledger_entries e JOIN ledger_transactions t ON t.id = e.transaction_id
WHERE e.account = 'provider_cash' AND e.provider = $1 AND t.currency = $2
