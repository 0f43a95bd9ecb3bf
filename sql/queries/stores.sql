-- name: STORES_ADD
INSERT INTO stores (id, owner_id, name, description) VALUES ($1, $2, $3, $4)

-- name: STORES_SHOW
SELECT id, name, description, logo_url, status, version, created_at, updated_at FROM stores WHERE id = $1

-- The store that an actor sells for: an administrator's is the one he names, a seller's his own.
-- name: STORES_OF_ACTOR
SELECT id FROM stores WHERE CASE WHEN $2::boolean THEN id = $3 ELSE owner_id = $1 END

-- name: STORES_COUNT
SELECT count(*) FROM (SELECT FROM stores WHERE status = 'active' LIMIT 10001) AS capped

-- name: STORES_LIST
SELECT id, name, description, logo_url, status, version, created_at, updated_at
FROM stores WHERE status = 'active' ORDER BY lower(name), id LIMIT $1 OFFSET $2

-- Locks a store for a change, or says why not. $2 the actor, $3 whether he administers, $4 the version
-- that he has seen, or null.
-- name: STORES_CLAIM
WITH target AS (SELECT id, owner_id, version FROM stores WHERE id = $1 FOR UPDATE)
SELECT CASE WHEN target.id IS NULL THEN 'NOT_FOUND'
            WHEN NOT $3::boolean AND target.owner_id <> $2 THEN 'FORBIDDEN'
            WHEN target.version <> $4::bigint THEN 'PRECONDITION_FAILED' END AS outcome,
       CASE WHEN target.id IS NOT NULL AND NOT $3 AND target.owner_id <> $2 THEN 'this is not your store' END AS message
FROM (VALUES (1)) AS one LEFT JOIN target ON true

-- name: STORES_UPDATE
UPDATE stores SET name = coalesce($2, name), description = coalesce($3, description), version = version + 1, updated_at = now()
WHERE id = $1

-- name: STORES_SET_LOGO
UPDATE stores SET logo_url = $2, version = version + 1, updated_at = now() WHERE id = $1

-- name: STORES_SET_STATUS
UPDATE stores SET status = $2, version = version + 1, updated_at = now() WHERE id = $1

-- What the platform takes of what a store sells from now on. $2 null: its usual rate.
-- name: STORES_SET_COMMISSION
UPDATE stores SET commission_bp = $2, version = version + 1, updated_at = now() WHERE id = $1

-- name: STORES_COMMISSION
SELECT id, name, commission_bp, coalesce(commission_bp, $2::integer) AS commission_bp_in_force, version FROM stores WHERE id = $1

-- name: STORES_NAMED custom
SELECT w.n, s.id FROM unnest($1::text[]) WITH ORDINALITY AS w (name, n) LEFT JOIN stores s ON lower(s.name) = lower(w.name)
ORDER BY w.n

-- An account's one store, if it has none yet.
-- name: STORES_ADD_FIRST
INSERT INTO stores (id, owner_id, name) SELECT $1, $2, $3 WHERE NOT EXISTS (SELECT FROM stores WHERE owner_id = $2)

-- In the order of the names' bytes, some at a time. $1 the last name or null $2 this one alone, by name or id, or
-- null $3 how many.
-- name: STORES_EXPORT custom
SELECT id, name FROM stores
WHERE ($1::text IS NULL OR name COLLATE "C" > $1) AND ($2::text IS NULL OR lower(name) = lower($2) OR id::text = lower($2))
ORDER BY name COLLATE "C" LIMIT $3

-- What the sysadmin sees. $1 status $2 words in the name; null is any.
-- name: STORES_ADMIN_LIST custom
SELECT s.id, s.name, s.status, s.owner_id, s.commission_bp, s.created_at, s.updated_at
FROM stores s
WHERE ($1::text IS NULL OR s.status = $1) AND ($2::text IS NULL OR s.name ILIKE '%' || $2 || '%')
ORDER BY lower(s.name), s.id LIMIT $3 OFFSET $4

-- $2 the platform's usual rate.
-- name: STORES_SHEET
SELECT s.id, s.name, s.description, s.logo_url, s.status, s.owner_id, s.commission_bp,
       coalesce(s.commission_bp, $2::integer) AS commission_bp_in_force,
       (SELECT count(*) FROM products p WHERE p.store_id = s.id AND p.is_active) AS products,
       s.version, s.created_at, s.updated_at
FROM stores s WHERE s.id = $1

-- By name or id.
-- name: STORES_FIND
SELECT id FROM stores WHERE lower(name) = lower($1) OR id = $2
