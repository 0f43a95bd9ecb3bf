-- domain: accounts

-- name: PROOF_READ
SELECT password_hash FROM accounts WHERE id = $1

-- The account under its lock, if its password is still the one that was checked.
-- name: PROOF_LOCK
SELECT password_hash FROM accounts WHERE id = $1 AND password_hash = $2 FOR NO KEY UPDATE
