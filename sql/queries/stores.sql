-- name: STORES_ADD
INSERT INTO stores (id, owner_id, name, description) VALUES ($1, $2, $3, $4)

-- name: STORES_SHOW
SELECT id, name, description, status, version, created_at, updated_at FROM stores WHERE id = $1

-- The store that an actor sells for: an administrator's is the one he names, a seller's his own.
-- name: STORES_OF_ACTOR
SELECT id FROM stores WHERE CASE WHEN $2::boolean THEN id = $3 ELSE owner_id = $1 END
