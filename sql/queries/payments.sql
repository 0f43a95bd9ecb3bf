-- An attempt. Nothing happens if one is open already, has succeeded, or is looked at by a person. $5 asked $6 phone
-- $7 the token's hash $8 when to ask what became of it, in ms from now; null: never (the simulated one).
-- name: PAYMENTS_ADD
INSERT INTO payments (id, order_id, provider, status, amount, currency, asked, phone, token_hash, called_at, ask_at,
                      request_id, trace_id, sampled)
SELECT $1, $2, $3, 'initiating', $4, $5, $6, $7, $8, now(), now() + $9::bigint * interval '1 ms', $10, $11, $12
WHERE NOT EXISTS (SELECT FROM payments p WHERE p.order_id = $2
                  AND p.status NOT IN ('failed', 'cancelled', 'abandoned')
                  -- Money that a person has sent back from review has paid nothing.
                  AND NOT (p.status = 'refunded' AND EXISTS
                      (SELECT FROM refunds r WHERE r.payment_id = p.id AND r.reason = 'review')))
ON CONFLICT DO NOTHING

-- Money of which nobody had asked for a second lot: a payment of its own, like the one that it came with.
-- name: PAYMENTS_ADD_SECOND
INSERT INTO payments (id, order_id, provider, status, amount, currency, asked, phone, request_id, trace_id, sampled)
SELECT $2, order_id, provider, 'abandoned', amount, currency, asked, phone, request_id, trace_id, sampled FROM payments WHERE id = $1

-- name: PAYMENTS_ORDER_OF
SELECT order_id FROM payments WHERE id = $1

-- All of an attempt, and what is needed of its order; without any lock.
-- name: PAYMENTS_FIND
SELECT p.id, p.order_id, p.provider, p.status, p.amount, p.asked, p.received, p.currency, p.provider_ref, p.merchant_ref,
       p.client_secret, p.receipt, p.phone, p.closing, p.times_asked, o.order_number,
       (extract(epoch FROM now() - p.created_at) * 1000)::bigint AS age_ms, p.created_at AS created_ms
FROM payments p LEFT JOIN orders o ON o.id = p.order_id WHERE p.id = $1

-- The same under the order's lock, locking it too.
-- name: PAYMENTS_LOCK
SELECT p.id, p.order_id, p.provider, p.status, p.amount, p.asked, p.received, p.currency, p.provider_ref, p.merchant_ref,
       p.client_secret, p.receipt, p.phone, p.closing, p.times_asked, o.order_number,
       (extract(epoch FROM now() - p.created_at) * 1000)::bigint AS age_ms, p.created_at AS created_ms
FROM payments p LEFT JOIN orders o ON o.id = p.order_id WHERE p.id = $1 FOR UPDATE OF p

-- Under the order's lock: its open attempt; no row if there is none.
-- name: PAYMENTS_LOCK_OPEN
SELECT p.id, p.order_id, p.provider, p.status, p.amount, p.asked, p.received, p.currency, p.provider_ref, p.merchant_ref,
       p.client_secret, p.receipt, p.phone, p.closing, p.times_asked, o.order_number,
       (extract(epoch FROM now() - p.created_at) * 1000)::bigint AS age_ms, p.created_at AS created_ms
FROM payments p JOIN orders o ON o.id = p.order_id
WHERE p.order_id = $1 AND p.status IN ('initiating', 'processing', 'unknown') FOR UPDATE OF p

-- Which attempt a callback's token stands for.
-- name: PAYMENTS_BY_TOKEN
SELECT id, order_id FROM payments WHERE token_hash = $1

-- Which attempt Stripe speaks of: by his own id, or by ours in his metadata, unless we know another intent for it.
-- name: PAYMENTS_BY_INTENT
SELECT id, order_id FROM payments WHERE provider = 'stripe' AND (provider_ref = $1 OR (id = $2 AND provider_ref IS NULL))
ORDER BY provider_ref NULLS LAST LIMIT 1

-- The payment that has a receipt; no row if none has.
-- name: PAYMENTS_BY_RECEIPT
SELECT id, order_id FROM payments WHERE provider = $1 AND receipt = $2

-- Those of some receipts that payments have.
-- name: PAYMENTS_RECEIPTS_KNOWN
SELECT receipt FROM payments WHERE provider = $1 AND receipt = ANY ($2::text[])

-- What a provider's answer to the call says; the state is never written back from memory. A reference that another
-- attempt has is not taken. $5 the next question, in ms from now; null: as it stands.
-- name: PAYMENTS_NOTE
UPDATE payments p
SET provider_ref = coalesce(p.provider_ref, (SELECT $2::text WHERE NOT EXISTS
        (SELECT FROM payments q WHERE q.provider = p.provider AND q.provider_ref = $2 AND q.id <> p.id))),
    merchant_ref = coalesce(p.merchant_ref, $3), client_secret = coalesce(p.client_secret, $4),
    status = CASE WHEN p.status IN ('initiating', 'unknown') THEN 'processing' ELSE p.status END,
    ask_at = CASE WHEN p.closing OR $5::bigint IS NULL THEN p.ask_at ELSE now() + $5 * interval '1 ms' END,
    updated_at = now()
WHERE p.id = $1

-- A failure that is not the end: the same intent may be paid yet.
-- name: PAYMENTS_NOTE_FAILURE
UPDATE payments SET failure = $2, updated_at = now() WHERE id = $1 AND status IN ('initiating', 'processing', 'unknown')

-- Whoever comes next is to be asked about at once.
-- name: PAYMENTS_ASK_NOW
UPDATE payments SET ask_at = now() WHERE id = $1

-- $2 in ms from now; null: never.
-- name: PAYMENTS_ASK_LATER
UPDATE payments SET ask_at = now() + $2::bigint * interval '1 ms' WHERE id = $1

-- Under the order's lock: what is open is to be closed; whoever asks next cancels it if he can.
-- name: PAYMENTS_CLOSE_OPEN
UPDATE payments SET closing = true, ask_at = now()
WHERE order_id = $1 AND status IN ('initiating', 'processing', 'unknown') AND NOT closing AND provider <> 'simulated'

-- The simulated provider never says no.
-- name: PAYMENTS_CANCEL_SIMULATED
UPDATE payments SET status = 'cancelled', updated_at = now()
WHERE order_id = $1 AND provider = 'simulated' AND status IN ('initiating', 'processing', 'unknown')

-- name: PAYMENTS_IS_OPEN
SELECT count(*) AS n FROM payments WHERE order_id = $1 AND status IN ('initiating', 'processing', 'unknown')

-- Takes what is due, for $2 ms: open attempts, and any of which a callback waits to be confirmed.
-- name: PAYMENTS_CLAIM
WITH due AS (
    SELECT p.id FROM payments p WHERE p.id IN (
        SELECT q.id FROM payments q WHERE q.status IN ('initiating', 'processing', 'unknown') AND q.ask_at <= now()
        UNION
        SELECT e.subject FROM provider_events e WHERE e.state = 'waiting' AND e.kind = 'stk.callback')
      AND p.ask_at <= now()
    ORDER BY p.ask_at LIMIT $1 FOR UPDATE SKIP LOCKED
)
UPDATE payments p SET ask_at = now() + $2::bigint * interval '1 ms', times_asked = times_asked + 1
FROM due WHERE p.id = due.id RETURNING p.id, p.request_id, p.trace_id, p.sampled

-- Hears an event once: no row the second time.
-- name: PAYMENTS_EVENT_ADD
INSERT INTO provider_events (id, provider, event_id, kind, payment_id, outcome, state)
VALUES (gen_random_uuid(), $1, $2, 'verdict', $3, $4, 'applied')
ON CONFLICT DO NOTHING

-- The inbox. A word as it came: no row if it was heard before. $7 what its token named.
-- name: PAYMENTS_INBOX_ADD
INSERT INTO provider_events (id, provider, event_id, kind, payment_id, body, subject, state)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT DO NOTHING

-- name: PAYMENTS_INBOX_FIND
SELECT id, kind, body, subject FROM provider_events WHERE id = $1 AND state = 'waiting' FOR UPDATE

-- What waits to be confirmed for a payment, oldest first.
-- name: PAYMENTS_INBOX_WAITING
SELECT id, kind, body, subject FROM provider_events
WHERE subject = $1 AND state = 'waiting' AND kind = 'stk.callback' ORDER BY received_at, id

-- name: PAYMENTS_INBOX_SET
UPDATE provider_events SET state = $2, payment_id = coalesce($3, payment_id) WHERE id = $1

-- name: PAYMENTS_SET_STATUS
UPDATE payments SET status = $3, receipt = coalesce($4, receipt), received = coalesce($5, received),
       failure = coalesce($6, failure), currency = coalesce($7, currency), amount = coalesce($8, amount),
       ask_at = CASE WHEN $3 = 'unknown' THEN ask_at END, updated_at = now()
WHERE id = $1 AND status = $2

-- name: PAYMENTS_ADD_RECEIPT
UPDATE payments SET receipt = $2, updated_at = now() WHERE id = $1 AND receipt IS NULL

-- What a buyer sees of a payment. $1 the payment $2 the buyer.
-- name: PAYMENTS_SHOW
SELECT p.id, p.order_id, p.provider, p.status, p.amount AS "amount:money", p.asked AS "asked:money",
       p.received AS "received:money", p.refunded AS "refunded:money", p.currency, p.receipt,
       left(p.phone, 7) || '***' || right(p.phone, 3) AS phone, p.failure, p.created_at, p.updated_at
FROM payments p JOIN orders o ON o.id = p.order_id WHERE p.id = $1 AND o.account_id = $2

-- name: PAYMENTS_OF_ORDER
SELECT p.id, p.order_id, p.provider, p.status, p.amount AS "amount:money", p.asked AS "asked:money",
       p.received AS "received:money", p.refunded AS "refunded:money", p.currency, p.receipt,
       left(p.phone, 7) || '***' || right(p.phone, 3) AS phone, p.failure, p.created_at, p.updated_at
FROM payments p JOIN orders o ON o.id = p.order_id WHERE p.order_id = $1 AND o.account_id = $2
ORDER BY p.created_at DESC, p.id DESC

-- name: PAYMENTS_OWNS_ORDER
SELECT id FROM orders WHERE id = $1 AND account_id = $2

-- The answer to POST /payments/stripe alone: the one that holds the secret.
-- name: PAYMENTS_SHOW_STRIPE
SELECT p.id, p.order_id, p.provider, p.status, p.amount AS "amount:money", p.currency,
       p.provider_ref AS payment_intent_id, p.client_secret, p.created_at, p.updated_at
FROM payments p WHERE p.id = $1

-- name: PAYMENTS_SHOW_MPESA
SELECT p.id, p.order_id, p.provider, p.status, p.amount AS "amount:money", p.asked AS "asked:money", p.currency,
       left(p.phone, 7) || '***' || right(p.phone, 3) AS phone, p.provider_ref AS checkout_request_id,
       p.created_at, p.updated_at
FROM payments p WHERE p.id = $1

-- The token that all workers share. The lock is the session's: whoever holds it fetches a new one.
-- name: PAYMENTS_TOKEN_LOCK
SELECT pg_advisory_lock(hashtextextended('soko provider token ' || $1::text, 0)) IS NULL AS locked

-- name: PAYMENTS_TOKEN_UNLOCK
SELECT pg_advisory_unlock(hashtextextended('soko provider token ' || $1::text, 0)) AS unlocked

-- No row if there is none that lives.
-- name: PAYMENTS_TOKEN_FIND
SELECT token FROM provider_tokens WHERE provider = $1 AND expires_at > now()

-- name: PAYMENTS_TOKEN_SET
INSERT INTO provider_tokens (provider, token, expires_at) VALUES ($1, $2, now() + $3::bigint * interval '1 ms')
ON CONFLICT (provider) DO UPDATE SET token = excluded.token, expires_at = excluded.expires_at, fetched_at = now()
