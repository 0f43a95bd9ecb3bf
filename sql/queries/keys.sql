-- domain: accounts
-- API keys. One that is revoked is shown to nobody.

-- Whose key it is, if it may be used now: by its hash $1. Roles of $2 take a second factor. $3 how long a good answer
-- may be used again, in ms; less if the key expires before. Notes that it was used, once a minute.
-- name: KEYS_RESOLVE
WITH good AS (
    SELECT k.id, k.account_id, k.role, k.scope, k.expires_at
    FROM api_keys k JOIN accounts a ON a.id = k.account_id
    WHERE k.key_hash = $1 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now()) AND a.is_active
      AND EXISTS (SELECT FROM account_roles r WHERE r.account_id = k.account_id AND r.role = k.role)
      AND (k.role <> ALL ($2::text[])
           OR EXISTS (SELECT FROM second_factors f WHERE f.account_id = k.account_id AND f.confirmed_at IS NOT NULL))
), used AS (
    UPDATE api_keys SET last_used_at = now()
    WHERE id = (SELECT id FROM good) AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
)
SELECT id, account_id, role, scope,
       least($3::bigint, floor(extract(epoch FROM expires_at - now()) * 1000)::bigint) AS good_for_ms
FROM good

-- Who makes a key, and whether his session $2 has shown a second factor. Locks the account: who makes two at once
-- takes turns, and KEYS_ADD counts right.
-- name: KEYS_MAKER
SELECT EXISTS (SELECT FROM account_roles r WHERE r.account_id = a.id AND r.role = 'buyer') AS is_buyer,
       EXISTS (SELECT FROM account_roles r WHERE r.account_id = a.id AND r.role = 'seller') AS is_seller,
       EXISTS (SELECT FROM account_roles r WHERE r.account_id = a.id AND r.role = 'admin') AS is_admin,
       EXISTS (SELECT FROM sessions s WHERE s.id = $2 AND s.second_factor) AS second_factor
FROM accounts a WHERE a.id = $1 FOR NO KEY UPDATE

-- No row if $9 of them live already. Under KEYS_MAKER's lock.
-- name: KEYS_ADD
INSERT INTO api_keys (id, account_id, name, role, scope, key_hash, hint, expires_at)
SELECT $1, $2, $3, $4, $5, $6, $7, $8
WHERE (SELECT count(*) FROM api_keys WHERE account_id = $2 AND revoked_at IS NULL
       AND (expires_at IS NULL OR expires_at > now())) < $9::bigint

-- name: KEYS_SHOW
SELECT id, name, role, scope, hint, created_at, last_used_at, expires_at FROM api_keys WHERE id = $1 AND account_id = $2

-- name: KEYS_LIST
SELECT id, name, role, scope, hint, created_at, last_used_at, expires_at FROM api_keys
WHERE account_id = $1 AND revoked_at IS NULL ORDER BY created_at DESC, id DESC LIMIT 100

-- name: KEYS_REVOKE
UPDATE api_keys SET revoked_at = now() WHERE id = $1 AND account_id = $2 AND revoked_at IS NULL
RETURNING encode(key_hash, 'hex') AS hash

-- By what Redis knows those that live.
-- name: KEYS_OF_ACCOUNT
SELECT encode(key_hash, 'hex') AS hash FROM api_keys
WHERE account_id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())

-- name: KEYS_SWEEP
DELETE FROM api_keys WHERE id IN
    (SELECT id FROM api_keys WHERE least(revoked_at, expires_at) < now() - $1::bigint * interval '1 ms' LIMIT 1000)
