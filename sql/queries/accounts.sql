-- name: ACCOUNTS_ADD
INSERT INTO accounts (id, name, email, phone, username, password_hash) VALUES ($1, $2, $3, $4, $5, $6)

-- name: ACCOUNTS_GRANT
INSERT INTO account_roles (account_id, role) VALUES ($1, $2) ON CONFLICT DO NOTHING

-- name: ACCOUNTS_SHOW
SELECT a.id, a.name, a.email, a.email_verified_at IS NOT NULL AS email_verified,
       a.phone, a.phone_verified_at IS NOT NULL AS phone_verified, a.username,
       (SELECT json_agg(r.role ORDER BY array_position('{buyer,seller,admin}', r.role))
        FROM account_roles r WHERE r.account_id = a.id) AS roles,
       a.created_at, a.updated_at
FROM accounts a WHERE a.id = $1

-- What a sign-in must know. Exactly one of the first three is given; $4 network $5 how long it stays known, in ms.
-- name: ACCOUNTS_FOR_SIGN_IN
SELECT a.id, a.password_hash, a.password_scheme,
       EXISTS (SELECT FROM known_addresses k WHERE k.account_id = a.id AND k.network = $4
               AND k.last_used_at > now() - $5::bigint * interval '1 ms') AS is_known
FROM accounts a WHERE a.email = $1 OR a.phone = $2 OR a.username = $3

-- The few schemes that any account's hash has: each found by one look into the index, however many
-- accounts there are.
-- name: ACCOUNTS_SCHEMES
WITH RECURSIVE used AS (
    (SELECT password_scheme AS scheme FROM accounts ORDER BY password_scheme LIMIT 1)
    UNION ALL
    SELECT (SELECT a.password_scheme FROM accounts a WHERE a.password_scheme > u.scheme ORDER BY a.password_scheme LIMIT 1)
    FROM used u WHERE u.scheme IS NOT NULL
)
SELECT scheme FROM used WHERE scheme IS NOT NULL

-- Whoever takes something from an account, or opens a session of it, takes turns here. What it may do
-- is read by a statement after this one: whoever waited for the lock still sees the roles of before.
-- name: ACCOUNTS_LOCK
SELECT id, password_hash FROM accounts WHERE id = $1 FOR NO KEY UPDATE

-- name: ACCOUNTS_KNOW_ADDRESS
INSERT INTO known_addresses (account_id, network) VALUES ($1, $2)
ON CONFLICT (account_id, network) DO UPDATE SET last_used_at = now()

-- Whether it was signed in to before. $2 the entry that says so; addresses do not: they are forgotten.
-- name: ACCOUNTS_WAS_SIGNED_IN
SELECT EXISTS (SELECT FROM audit_log l WHERE l.subject = $1 AND l.event = $2) AS was_signed_in

-- name: ACCOUNTS_SWEEP_ADDRESSES
DELETE FROM known_addresses WHERE (account_id, network) IN
    (SELECT account_id, network FROM known_addresses WHERE last_used_at < now() - $1::bigint * interval '1 ms' LIMIT 1000)

-- How long a bucket's next try must wait: until the $2-th newest of its tries is an hour old.
-- name: ACCOUNTS_TRIES_LEFT
SELECT coalesce((SELECT ceil(extract(epoch FROM made + interval '1 hour' - now()) * 1000)
                 FROM tries t, unnest(t.made_at) AS made
                 WHERE t.bucket = $1 AND made > now() - interval '1 hour'
                 ORDER BY made DESC LIMIT 1 OFFSET $2::bigint - 1), 0)::bigint AS wait_ms

-- No row: there are $2 tries already.
-- name: ACCOUNTS_TRY
INSERT INTO tries AS t (bucket, made_at, over_at) VALUES ($1, ARRAY[now()], now() + interval '1 hour')
ON CONFLICT (bucket) DO UPDATE SET
    made_at = ARRAY(SELECT made FROM unnest(t.made_at) AS made WHERE made > now() - interval '1 hour') || now(),
    over_at = greatest(t.over_at, excluded.over_at)
WHERE (SELECT count(*) FROM unnest(t.made_at) AS made WHERE made > now() - interval '1 hour') < $2::bigint
RETURNING now() AS made_at

-- One try of that time. Always a row, since nothing is lost if it was forgotten meanwhile.
-- name: ACCOUNTS_TRY_BACK
WITH back AS (
    UPDATE tries SET made_at = made_at[:array_position(made_at, $2::timestamptz) - 1]
                            || made_at[array_position(made_at, $2::timestamptz) + 1:]
    WHERE bucket = $1 AND $2::timestamptz = ANY (made_at)
)
SELECT NULL::text AS outcome

-- name: ACCOUNTS_TRIES_SWEEP
DELETE FROM tries WHERE bucket IN (SELECT bucket FROM tries WHERE over_at < now() LIMIT 1000)

-- name: ACCOUNTS_OF_EMAIL
SELECT id FROM accounts WHERE email = lower($1)

-- name: ACCOUNTS_ROLES
SELECT a.id, a.is_active,
       EXISTS (SELECT FROM account_roles r WHERE r.account_id = a.id AND r.role = 'buyer') AS is_buyer,
       EXISTS (SELECT FROM account_roles r WHERE r.account_id = a.id AND r.role = 'seller') AS is_seller,
       EXISTS (SELECT FROM account_roles r WHERE r.account_id = a.id AND r.role = 'admin') AS is_admin
FROM accounts a WHERE a.id = $1

-- Only while the hash is the one that was checked: a password that changed meanwhile stays.
-- name: ACCOUNTS_REHASH
UPDATE accounts SET password_hash = $3 WHERE id = $1 AND password_hash = $2

-- Each value goes with a flag that says whether it was sent. What is new is not verified.
-- name: ACCOUNTS_UPDATE
UPDATE accounts SET
    name = CASE WHEN $2 THEN $3 ELSE name END,
    email = CASE WHEN $4 THEN $5 ELSE email END,
    email_verified_at = CASE WHEN $4 AND email IS DISTINCT FROM $5 THEN NULL ELSE email_verified_at END,
    email_set_at = CASE WHEN $4 AND email IS DISTINCT FROM $5 THEN now() ELSE email_set_at END,
    phone = CASE WHEN $6 THEN $7 ELSE phone END,
    phone_verified_at = CASE WHEN $6 AND phone IS DISTINCT FROM $7 THEN NULL ELSE phone_verified_at END,
    phone_set_at = CASE WHEN $6 AND phone IS DISTINCT FROM $7 THEN now() ELSE phone_set_at END,
    username = CASE WHEN $8 THEN $9 ELSE username END,
    updated_at = now()
WHERE id = $1

-- name: ACCOUNTS_SESSION_ADD
INSERT INTO sessions (id, account_id, role, user_agent, address, expires_at, second_factor)
VALUES ($1, $2, $3, $4, $5, $6, $7)

-- name: ACCOUNTS_REFRESH_TOKEN_ADD
INSERT INTO refresh_tokens (token_hash, session_id) VALUES ($1, $2)

-- The session behind an access token, when Redis does not know it.
-- name: ACCOUNTS_SESSION_LIVES
SELECT s.second_factor FROM sessions s JOIN accounts a ON a.id = s.account_id
WHERE s.id = $1 AND s.account_id = $2 AND s.ended_at IS NULL AND s.expires_at > now() AND a.is_active

-- Locks the session, so that two uses of one token take turns. $3 how long a token lives, in ms: one
-- that nobody used dies, though its session lives on by others.
-- name: ACCOUNTS_REFRESH_TOKEN_FIND
SELECT s.id AS session_id, s.account_id, s.role, t.rotated_at IS NOT NULL AS is_rotated,
       coalesce(t.rotated_at < now() - $2 * interval '1 ms', false) AS is_stale,
       s.ended_at IS NULL AND s.expires_at > now() AND t.issued_at > now() - $3::bigint * interval '1 ms' AS is_alive,
       s.second_factor
FROM refresh_tokens t JOIN sessions s ON s.id = t.session_id
WHERE t.token_hash = $1
FOR UPDATE OF s

-- name: ACCOUNTS_REFRESH_TOKEN_ROTATE
UPDATE refresh_tokens SET rotated_at = coalesce(rotated_at, now()) WHERE token_hash = $1

-- name: ACCOUNTS_SESSION_USE
UPDATE sessions SET role = $2, expires_at = $3, last_used_at = now() WHERE id = $1 AND ended_at IS NULL

-- name: ACCOUNTS_SESSION_END
UPDATE sessions SET ended_at = now(), end_reason = $2 WHERE id = $1 AND ended_at IS NULL

-- name: ACCOUNTS_SWEEP_SESSIONS
DELETE FROM sessions WHERE id IN
    (SELECT id FROM sessions WHERE expires_at < now() - $1 * interval '1 ms' ORDER BY expires_at LIMIT 1000)

-- Past its life a token says nothing any more, not even that it was stolen.
-- name: ACCOUNTS_SWEEP_REFRESH_TOKENS
DELETE FROM refresh_tokens WHERE token_hash IN
    (SELECT token_hash FROM refresh_tokens WHERE issued_at < now() - $1::bigint * interval '1 ms' ORDER BY issued_at LIMIT 1000)

-- name: ACCOUNTS_SESSIONS
SELECT id, role, user_agent, address, id = $2 AS is_current, created_at, last_used_at, expires_at
FROM sessions WHERE account_id = $1 AND ended_at IS NULL AND expires_at > now()
ORDER BY last_used_at DESC, id

-- Whether the actor may end it.
-- name: ACCOUNTS_SESSION_OWN
SELECT id FROM sessions WHERE id = $1 AND account_id = $2 AND ended_at IS NULL FOR UPDATE

-- Every living session of an account but one; null spares none.
-- name: ACCOUNTS_SESSIONS_OTHER
SELECT id FROM sessions WHERE account_id = $1 AND id IS DISTINCT FROM $2 AND ended_at IS NULL FOR UPDATE

-- name: ACCOUNTS_SET_PASSWORD
UPDATE accounts SET password_hash = $2, updated_at = now() WHERE id = $1

-- What an administrator sees. $1 words in name, e-mail, phone or username, $2 role, $3 active; null is any.
-- name: ACCOUNTS_ADMIN_COUNT custom
SELECT count(*) FROM (SELECT FROM accounts a
    WHERE ($1::text IS NULL OR a.email = lower($1) OR a.phone = $1 OR a.username = lower($1) OR a.name ILIKE '%' || $1 || '%')
      AND ($2::text IS NULL OR EXISTS (SELECT FROM account_roles r WHERE r.account_id = a.id AND r.role = $2))
      AND ($3::boolean IS NULL OR a.is_active = $3) LIMIT 10001) AS capped

-- name: ACCOUNTS_ADMIN_LIST custom
SELECT a.id, a.name, a.email, a.email_verified_at IS NOT NULL AS email_verified,
       a.phone, a.phone_verified_at IS NOT NULL AS phone_verified, a.username, a.is_active,
       (SELECT json_agg(r.role ORDER BY array_position('{buyer,seller,admin}', r.role))
        FROM account_roles r WHERE r.account_id = a.id) AS roles,
       a.created_at, a.updated_at
FROM accounts a
WHERE ($1::text IS NULL OR a.email = lower($1) OR a.phone = $1 OR a.username = lower($1) OR a.name ILIKE '%' || $1 || '%')
  AND ($2::text IS NULL OR EXISTS (SELECT FROM account_roles r WHERE r.account_id = a.id AND r.role = $2))
  AND ($3::boolean IS NULL OR a.is_active = $3)
ORDER BY a.created_at DESC, a.id DESC LIMIT $4 OFFSET $5

-- name: ACCOUNTS_ADMIN_SHOW
SELECT a.id, a.name, a.email, a.email_verified_at IS NOT NULL AS email_verified,
       a.phone, a.phone_verified_at IS NOT NULL AS phone_verified, a.username, a.is_active,
       (SELECT json_agg(r.role ORDER BY array_position('{buyer,seller,admin}', r.role))
        FROM account_roles r WHERE r.account_id = a.id) AS roles,
       a.created_at, a.updated_at
FROM accounts a WHERE a.id = $1

-- name: ACCOUNTS_SET_ACTIVE
UPDATE accounts SET is_active = $2, updated_at = now() WHERE id = $1

-- name: ACCOUNTS_REVOKE
DELETE FROM account_roles WHERE account_id = $1 AND role = $2

-- What an account's tries are counted by: its names and itself, from anywhere and from each network that it was
-- signed in from.
-- name: ACCOUNTS_TRIED_BY
SELECT c.name, n.network, c.is_id
FROM accounts a
CROSS JOIN LATERAL (VALUES (a.email, false), (a.phone, false), (a.username, false), (a.id::text, true)) AS c (name, is_id)
CROSS JOIN LATERAL (SELECT NULL AS network UNION ALL SELECT k.network FROM known_addresses k WHERE k.account_id = a.id) AS n
WHERE a.id = $1 AND c.name IS NOT NULL

-- $1 buckets, in hexadecimal digits.
-- name: ACCOUNTS_TRIES_FORGIVE
DELETE FROM tries WHERE bucket IN (SELECT decode(h, 'hex') FROM unnest($1::text[]) AS h)

-- name: ACCOUNTS_TRIES_FORGIVE_ALL
DELETE FROM tries

-- $1 as it was written, for nobody; $2 its id.
-- name: ACCOUNTS_FIND
SELECT id FROM accounts WHERE $1::text IS NOT NULL AND id = $2

-- What the sysadmin sees of one account.
-- name: ACCOUNTS_SHEET
SELECT a.id, a.name, a.email, a.email_verified_at IS NOT NULL AS email_verified,
       a.phone, a.phone_verified_at IS NOT NULL AS phone_verified, a.username, a.is_active,
       (SELECT json_agg(r.role ORDER BY array_position('{buyer,seller,admin}', r.role))
        FROM account_roles r WHERE r.account_id = a.id) AS roles,
       EXISTS (SELECT FROM second_factors f WHERE f.account_id = a.id AND f.confirmed_at IS NOT NULL) AS second_factor,
       (SELECT count(*) FROM sessions s WHERE s.account_id = a.id AND s.ended_at IS NULL AND s.expires_at > now()) AS sessions,
       (SELECT count(*) FROM api_keys k WHERE k.account_id = a.id AND k.revoked_at IS NULL
        AND (k.expires_at IS NULL OR k.expires_at > now())) AS api_keys,
       (SELECT s.id FROM stores s WHERE s.owner_id = a.id) AS store_id, a.created_at, a.updated_at
FROM accounts a WHERE a.id = $1

-- A hash by bcrypt, which each sign-in of anybody takes the time of, gives way to one that fits no password. Some at
-- a time. Who signs in meanwhile has a new one already.
-- name: ACCOUNTS_DROP_HASHES
UPDATE accounts SET password_hash = '$y$j9T$aaaaaaaaaaaaaaaaaaaaa.$' || repeat('.', 43), updated_at = now()
WHERE id IN (SELECT id FROM accounts WHERE password_scheme LIKE '_2b_%' LIMIT $1 FOR NO KEY UPDATE)
