-- domain: accounts
-- Accounts from a file (sokoctl user import).

-- A batch: what collides with an account, or with a line before, is passed over. A row for each line,
-- in their order.
-- name: PEOPLE_ADD
WITH lines AS (
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                         $8::bigint[], $9::text[], $10::bigint[], $11::bigint[]) WITH ORDINALITY
        AS l (id, line, name, email, phone, username, password_hash, is_active, created_at, email_verified,
              phone_verified, n)
), added AS (
    INSERT INTO accounts (id, imported_line, name, email, phone, username, password_hash, is_active, created_at,
                          email_verified_at, phone_verified_at)
    SELECT id, decode(line, 'hex'), name, email, phone, username, password_hash, is_active = 1,
           coalesce(created_at::timestamptz, now()),
           CASE WHEN email_verified = 1 THEN now() END, CASE WHEN phone_verified = 1 THEN now() END
    FROM lines ORDER BY n
    ON CONFLICT DO NOTHING RETURNING id
), buyers AS (
    INSERT INTO account_roles (account_id, role) SELECT id, 'buyer' FROM added
)
SELECT EXISTS (SELECT FROM added a WHERE a.id = l.id) AS is_added FROM lines l ORDER BY l.n

-- Why lines were passed over: a row for each, in their order.
-- name: PEOPLE_TAKEN
SELECT EXISTS (SELECT FROM accounts a WHERE a.imported_line = decode(l.line, 'hex')) AS is_here,
       EXISTS (SELECT FROM accounts a WHERE a.email = l.email) AS email,
       EXISTS (SELECT FROM accounts a WHERE a.phone = l.phone) AS phone,
       EXISTS (SELECT FROM accounts a WHERE a.username = l.username) AS username
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) WITH ORDINALITY AS l (line, email, phone, username, n)
ORDER BY l.n
