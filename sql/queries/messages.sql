-- One message for each channel that the account has; none if it has neither, and that is fine too: the null
-- outcome says so. $1 the SMS's id $2 the e-mail's $3 account $4 template $5 parameters.
-- name: MESSAGES_ADD
WITH added AS (
    INSERT INTO messages (id, account_id, channel, template, recipient, params)
    SELECT c.id, a.id, c.channel, $4, c.recipient, $5
    FROM accounts a
    CROSS JOIN LATERAL (VALUES ($1::uuid, 'sms', a.phone), ($2::uuid, 'email', a.email)) AS c (id, channel, recipient)
    WHERE a.id = $3 AND c.recipient IS NOT NULL
)
SELECT NULL::text AS outcome

-- One message to one recipient. $6 parameters $7 those that are sealed, or null $8 until when it is of use, or null.
-- name: MESSAGES_ADD_ONE
INSERT INTO messages (id, account_id, channel, template, recipient, params, sealed_params, send_until)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)

-- One message by e-mail if the account has an address, else by SMS; none if it has neither.
-- $1 id $2 account $3 template $4 parameters.
-- name: MESSAGES_ADD_NOTICE
WITH added AS (
    INSERT INTO messages (id, account_id, channel, template, recipient, params)
    SELECT $1, a.id, CASE WHEN a.email IS NOT NULL THEN 'email' ELSE 'sms' END, $3, coalesce(a.email, a.phone), $4
    FROM accounts a WHERE a.id = $2 AND coalesce(a.email, a.phone) IS NOT NULL
)
SELECT NULL::text AS outcome

-- Locks a message that is to be sent. $2 and $3 are the delivery and its attempt: `ours` is false if the lease
-- has run out, and somebody else has taken it.
-- name: MESSAGES_LOCK
SELECT m.channel, m.template, m.recipient, m.params, m.status, m.unsure, a.name,
       encode(m.sealed_params, 'hex') AS sealed, coalesce(m.send_until <= now(), false) AS late,
       EXISTS (SELECT FROM outbox o WHERE o.id = $2 AND o.attempts = $3) AS ours
FROM messages m JOIN accounts a ON a.id = m.account_id
WHERE m.id = $1 FOR UPDATE OF m

-- From here until it is known what became of it, it may have been sent.
-- name: MESSAGES_BEGIN
UPDATE messages SET status = 'sending', unsure = unsure + 1, updated_at = now() WHERE id = $1

-- It was not sent, for certain.
-- name: MESSAGES_TAKE_BACK
UPDATE messages SET status = 'queued', unsure = unsure - 1, updated_at = now() WHERE id = $1 AND status = 'sending'

-- What became of it; nobody will read its secrets again. $2 status $3 the provider's id of it $4 failure.
-- name: MESSAGES_END
UPDATE messages SET status = $2, provider_ref = $3, failure = $4, sealed_params = NULL, updated_at = now()
WHERE id = $1 AND status IN ('queued', 'sending')

-- A final word about an SMS. Whatever their order, "delivered" is kept: it cannot be taken back. $1 the
-- provider's id $2 status $3 failure.
-- name: MESSAGES_REPORT
WITH moved AS (
    UPDATE messages SET status = $2, failure = $3, updated_at = now()
    WHERE provider_ref = $1 AND channel = 'sms' AND (status = 'sent' OR (status = 'failed' AND $2 = 'delivered'))
    RETURNING template
)
SELECT (SELECT template FROM moved LIMIT 1) AS template,
       EXISTS (SELECT FROM messages WHERE provider_ref = $1 AND channel = 'sms') AS known

-- name: MESSAGES_SWEEP
UPDATE messages SET sealed_params = NULL, updated_at = now() WHERE id IN
    (SELECT id FROM messages WHERE sealed_params IS NOT NULL AND send_until < now() LIMIT 1000)
