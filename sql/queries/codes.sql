-- domain: accounts

-- One-time codes. A new one takes the place of the old, unless that is too young or there were too many: then no row
-- is touched. $1 account $2 purpose $3 target $4 its MAC $5 when it ends $6 least pause in ms $7 how many an hour.
-- name: CODES_ADD
INSERT INTO one_time_codes AS c (account_id, purpose, target, code_mac, expires_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (account_id, purpose) DO UPDATE
SET target = excluded.target, code_mac = excluded.code_mac, tries = 0, created_at = now(), expires_at = excluded.expires_at,
    used_at = NULL,
    sent = CASE WHEN c.sent_since > now() - interval '1 hour' THEN c.sent + 1 ELSE 1 END,
    sent_since = CASE WHEN c.sent_since > now() - interval '1 hour' THEN c.sent_since ELSE now() END
WHERE c.created_at + $6::bigint * interval '1 ms' <= now()
  AND (c.sent < $7::bigint OR c.sent_since <= now() - interval '1 hour')

-- How long to wait for the next one. $3 least pause in ms $4 how many an hour.
-- name: CODES_WAIT
SELECT coalesce(ceil(extract(epoch FROM
           greatest(created_at + $3::bigint * interval '1 ms',
                    CASE WHEN sent >= $4::bigint THEN sent_since + interval '1 hour' END) - now()) * 1000), 0)::bigint AS wait_ms
FROM one_time_codes WHERE account_id = $1 AND purpose = $2

-- One try, which takes turns with others by the row's lock, whether it is right or wrong: so no number of parallel
-- tries is more than $5. No row: there is no code that may be tried. $3 target $4 the MAC of what was tried.
-- name: CODES_TRY
UPDATE one_time_codes
SET tries = tries + CASE WHEN code_mac = $4 THEN 0 ELSE 1 END, used_at = CASE WHEN code_mac = $4 THEN now() END
WHERE account_id = $1 AND purpose = $2 AND target = $3 AND used_at IS NULL AND expires_at > now() AND tries < $5::bigint
RETURNING used_at IS NOT NULL AS is_right

-- name: CODES_END
UPDATE one_time_codes SET expires_at = now() WHERE account_id = $1 AND purpose = $2 AND expires_at > now()

-- What no longer counts for anything.
-- name: CODES_SWEEP
DELETE FROM one_time_codes WHERE (account_id, purpose) IN
    (SELECT account_id, purpose FROM one_time_codes
     WHERE expires_at < now() AND sent_since < now() - interval '1 hour' AND created_at < now() - interval '1 hour' LIMIT 1000)

-- An account's own contacts, under its lock: none of them changes before the transaction ends.
-- name: CODES_CONTACTS
SELECT name, email, phone, username, email_verified_at IS NOT NULL AS email_verified, phone_verified_at IS NOT NULL AS phone_verified
FROM accounts WHERE id = $1 FOR NO KEY UPDATE

-- name: CODES_PHONE_VERIFIED
UPDATE accounts SET phone_verified_at = now(), updated_at = now() WHERE id = $1

-- name: CODES_EMAIL_VERIFIED
UPDATE accounts SET email_verified_at = now(), updated_at = now() WHERE id = $1

-- Who forgot his password, by what he is called: email, phone or username.
-- name: CODES_FORGOTTEN_ADD
INSERT INTO forgotten_passwords (id, kind, name) VALUES ($1, $2, $3)

-- Takes it away. $2 how old it may be, in ms.
-- name: CODES_FORGOTTEN_TAKE
DELETE FROM forgotten_passwords WHERE id = $1 RETURNING kind, name, created_at > now() - $2::bigint * interval '1 ms' AS is_fresh

-- name: CODES_FORGOTTEN_SWEEP
DELETE FROM forgotten_passwords WHERE id IN
    (SELECT id FROM forgotten_passwords WHERE created_at < now() - $1::bigint * interval '1 ms' LIMIT 1000)

-- Who is called so, under his lock, if he may sign in. $4 the purpose of the code whose target is asked for: where it
-- was sent to, if that is still his. $5 how long an address or number is new, in ms.
-- name: CODES_RESET_FIND
SELECT a.id, a.name, a.email, a.phone, a.username,
       coalesce(a.email_set_at + $5::bigint * interval '1 ms' > now(), false) AS email_is_new,
       coalesce(a.phone_set_at + $5::bigint * interval '1 ms' > now(), false) AS phone_is_new,
       (SELECT c.target FROM one_time_codes c
        WHERE c.account_id = a.id AND c.purpose = $4 AND c.target IN (a.email, a.phone)) AS target
FROM accounts a WHERE (a.email = $1 OR a.phone = $2 OR a.username = $3) AND a.is_active FOR NO KEY UPDATE OF a
