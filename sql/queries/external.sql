-- domain: accounts
-- Tokens of the OAuth2 server, by their SHA-256. A token of ours is never looked for here.

-- Whose token it is, whatever became of it.
-- name: EXTERNAL_FIND
SELECT s.id AS session_id, s.account_id, s.role,
       x.ended_at IS NULL AND x.expires_at > now() AND s.ended_at IS NULL AND s.expires_at > now() AS is_alive,
       x.expires_at AS expires_ms
FROM external_tokens x JOIN sessions s ON s.id = x.session_id WHERE x.token_hash = $1

-- A hash that is there already is a token that the server has given twice. $6: it is of no use, and ends as it begins.
-- name: EXTERNAL_ADD
INSERT INTO external_tokens (id, session_id, token_hash, sealed, expires_at, ended_at)
VALUES ($1, $2, $3, $4, $5, CASE WHEN $6::boolean THEN now() END)
ON CONFLICT (token_hash) DO NOTHING

-- Under the session's lock.
-- name: EXTERNAL_END
UPDATE external_tokens SET ended_at = now() WHERE session_id = $1 AND ended_at IS NULL
RETURNING id, encode(token_hash, 'hex') AS hash, expires_at > now() AS is_alive

-- The token that the session was given by another use of its refresh tokens, since the one of hash $1 was made and
-- lately: less than $2 ms ago. Under the session's lock.
-- name: EXTERNAL_AGAIN
SELECT x.id, encode(x.sealed, 'hex') AS sealed, x.expires_at AS expires_ms
FROM refresh_tokens t JOIN external_tokens x ON x.session_id = t.session_id
WHERE t.token_hash = $1 AND x.ended_at IS NULL AND x.issued_at > t.issued_at
  AND x.issued_at > now() - $2::bigint * interval '1 ms' AND x.expires_at > now() + $2::bigint * interval '1 ms'

-- name: EXTERNAL_TO_REVOKE
SELECT encode(sealed, 'hex') AS sealed, encode(token_hash, 'hex') AS hash
FROM external_tokens WHERE id = $1 AND revoked_at IS NULL AND expires_at > now()

-- Nobody needs it any more.
-- name: EXTERNAL_REVOKED
UPDATE external_tokens SET revoked_at = now(), sealed = '' WHERE id = $1

-- Tokens that outlived their session, which nobody has ended: it was not refreshed in time. Two days: what is older was
-- found before.
-- name: EXTERNAL_END_STALE
UPDATE external_tokens SET ended_at = now() WHERE id IN
    (SELECT x.id FROM sessions s JOIN external_tokens x ON x.session_id = s.id AND x.ended_at IS NULL
     WHERE s.expires_at < now() AND s.expires_at > now() - interval '2 days' LIMIT 1000 FOR UPDATE OF x SKIP LOCKED)
RETURNING id, encode(token_hash, 'hex') AS hash, expires_at > now() AS is_alive

-- name: EXTERNAL_SWEEP
DELETE FROM external_tokens WHERE id IN
    (SELECT id FROM external_tokens WHERE expires_at < now() - interval '1 day' ORDER BY expires_at LIMIT 1000)
