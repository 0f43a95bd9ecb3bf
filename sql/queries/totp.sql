-- domain: accounts

-- What a client is shown of his second factor; a row for every account.
-- name: TOTP_SHOW
SELECT f.confirmed_at IS NOT NULL AS is_enabled, f.confirmed_at AS enabled_at,
       (SELECT count(*) FROM recovery_codes r
        WHERE r.account_id = f.account_id AND r.used_at IS NULL) AS recovery_codes_left
FROM accounts a LEFT JOIN second_factors f ON f.account_id = a.id AND f.confirmed_at IS NOT NULL
WHERE a.id = $1

-- The account's lock comes before the factor's, as at sign-in (ACCOUNTS_LOCK): whoever signs in meanwhile has
-- either shown the factor, or has a session already that can be ended.
-- name: TOTP_LOCK_ACCOUNT
SELECT id FROM accounts WHERE id = $1 FOR NO KEY UPDATE

-- Under that lock; a statement of its own, so that the roles are those of after it.
-- name: TOTP_HOLDER
SELECT coalesce(a.email, a.username, a.phone) AS label,
       EXISTS (SELECT FROM account_roles r WHERE r.account_id = a.id AND r.role = 'admin') AS is_admin
FROM accounts a WHERE a.id = $1

-- name: TOTP_FIND
SELECT id FROM accounts WHERE email = $1 OR phone = $2 OR username = $3

-- name: TOTP_LOCK
SELECT encode(secret, 'hex') AS secret, last_step, confirmed_at IS NOT NULL AS is_confirmed
FROM second_factors WHERE account_id = $1 FOR UPDATE

-- A confirmed one stays: that touches no row.
-- name: TOTP_BEGIN
INSERT INTO second_factors AS f (account_id, secret) VALUES ($1, $2)
ON CONFLICT (account_id) DO UPDATE SET secret = $2, last_step = 0, created_at = now()
WHERE f.confirmed_at IS NULL

-- name: TOTP_CONFIRM
UPDATE second_factors SET confirmed_at = now() WHERE account_id = $1 AND confirmed_at IS NULL

-- A step is taken once.
-- name: TOTP_TAKE_STEP
UPDATE second_factors SET last_step = $2 WHERE account_id = $1 AND last_step < $2

-- name: TOTP_TAKE_CODE
UPDATE recovery_codes SET used_at = now() WHERE account_id = $1 AND code_mac = $2 AND used_at IS NULL

-- name: TOTP_DROP_CODES
DELETE FROM recovery_codes WHERE account_id = $1

-- name: TOTP_ADD_CODE
INSERT INTO recovery_codes (account_id, code_mac) VALUES ($1, $2)

-- Its recovery codes go with it.
-- name: TOTP_OFF
DELETE FROM second_factors WHERE account_id = $1 AND confirmed_at IS NOT NULL

-- name: TOTP_MARK_SESSION
UPDATE sessions SET second_factor = $2 WHERE id = $1

-- From where somebody signed in before there was a second factor says nothing of who he was. $2: where the one is
-- who set it up.
-- name: TOTP_FORGET_ADDRESSES
DELETE FROM known_addresses WHERE account_id = $1 AND network <> $2
