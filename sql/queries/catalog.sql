-- name: CATALOG_CATEGORY_ADD
INSERT INTO categories (id, parent_id, name) VALUES ($1, $2, $3)

-- name: CATALOG_CATEGORY_SHOW
SELECT id, parent_id, name, created_at, updated_at FROM categories WHERE id = $1

-- name: CATALOG_CATEGORIES
SELECT id, parent_id, name, created_at, updated_at FROM categories ORDER BY lower(name), id

-- name: CATALOG_PRODUCT_ADD
INSERT INTO products (id, store_id, category_id, name, description, price, currency, sku, weight_g, is_active)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)

-- name: CATALOG_STOCK_ADD
INSERT INTO product_stock (product_id, available) VALUES ($1, $2)

-- A shopper's view: only what is on sale.
-- name: CATALOG_PRODUCT_SHOW
SELECT * FROM product_view WHERE id = $1 AND is_active AND "store_is_active:hidden"

-- The view of him who has just made it, on sale or not.
-- name: CATALOG_PRODUCT_OWN
SELECT * FROM product_view WHERE id = $1 AND store_id = $2

-- The list, by sort order. $1 category $2 store $3 words $4 currency $5 least $6 most $7 in stock, then
-- limit and offset. The id makes every order total.

-- name: CATALOG_COUNT custom
SELECT count(*) FROM (SELECT FROM product_matches($1, $2, $3, $4, $5, $6, $7) LIMIT 10001) AS capped

-- name: CATALOG_NEWEST custom
SELECT * FROM product_matches($1, $2, $3, $4, $5, $6, $7) ORDER BY created_at DESC, id DESC LIMIT $8 OFFSET $9

-- name: CATALOG_OLDEST custom
SELECT * FROM product_matches($1, $2, $3, $4, $5, $6, $7) ORDER BY created_at, id LIMIT $8 OFFSET $9

-- name: CATALOG_CHEAPEST custom
SELECT * FROM product_matches($1, $2, $3, $4, $5, $6, $7) ORDER BY currency, "price:money", id LIMIT $8 OFFSET $9

-- name: CATALOG_DEAREST custom
SELECT * FROM product_matches($1, $2, $3, $4, $5, $6, $7) ORDER BY currency DESC, "price:money" DESC, id DESC LIMIT $8 OFFSET $9

-- name: CATALOG_BY_NAME custom
SELECT * FROM product_matches($1, $2, $3, $4, $5, $6, $7) ORDER BY name, id LIMIT $8 OFFSET $9

-- name: CATALOG_BY_NAME_DOWN custom
SELECT * FROM product_matches($1, $2, $3, $4, $5, $6, $7) ORDER BY name DESC, id DESC LIMIT $8 OFFSET $9

-- name: CATALOG_BEST_RATED custom
SELECT * FROM product_matches($1, $2, $3, $4, $5, $6, $7) ORDER BY rating_average DESC, id DESC LIMIT $8 OFFSET $9

-- name: CATALOG_WORST_RATED custom
SELECT * FROM product_matches($1, $2, $3, $4, $5, $6, $7) ORDER BY rating_average, id LIMIT $8 OFFSET $9

-- name: CATALOG_BEST_MATCH custom
SELECT * FROM product_matches($1, $2, $3, $4, $5, $6, $7)
ORDER BY ts_rank("search:hidden", search_query($3)) DESC, id DESC LIMIT $8 OFFSET $9

-- name: CATALOG_WORST_MATCH custom
SELECT * FROM product_matches($1, $2, $3, $4, $5, $6, $7)
ORDER BY ts_rank("search:hidden", search_query($3)), id LIMIT $8 OFFSET $9

-- Takes stock for a sale, all of it or none. Rows are locked in id order, so that two orders cannot
-- wait for each other; the check constraint stands behind it.
-- name: CATALOG_STOCK_TAKE
WITH want AS (
    SELECT * FROM unnest($1::uuid[], $2::bigint[]) AS w (product_id, quantity)
), held AS (
    SELECT k.product_id, k.available, want.quantity
    FROM product_stock k JOIN want ON want.product_id = k.product_id
    ORDER BY k.product_id FOR UPDATE OF k
), short AS (
    SELECT want.product_id, coalesce(held.available, 0) AS available
    FROM want LEFT JOIN held ON held.product_id = want.product_id
    WHERE coalesce(held.available, 0) < want.quantity
    ORDER BY want.product_id LIMIT 1
), taken AS (
    UPDATE product_stock k SET available = k.available - held.quantity
    FROM held WHERE k.product_id = held.product_id AND NOT EXISTS (SELECT FROM short)
)
SELECT CASE WHEN short.product_id IS NOT NULL THEN 'INSUFFICIENT_STOCK' END AS outcome,
       short.product_id, short.available
FROM (VALUES (1)) AS one LEFT JOIN short ON true

-- Gives stock back. The caller has made sure that it does so once.
-- name: CATALOG_STOCK_GIVE
WITH back AS (
    SELECT * FROM unnest($1::uuid[], $2::bigint[]) AS b (product_id, quantity)
), held AS (
    SELECT k.product_id, back.quantity FROM product_stock k JOIN back ON back.product_id = k.product_id
    ORDER BY k.product_id FOR UPDATE OF k
)
UPDATE product_stock k SET available = k.available + held.quantity
FROM held WHERE k.product_id = held.product_id
