-- Whether the buyer holds the product: an order part with it was shipped.
-- name: REVIEWS_MAY_ADD
SELECT CASE
           WHEN NOT EXISTS (SELECT FROM products WHERE id = $1) THEN 'NOT_FOUND'
           WHEN NOT EXISTS (
               SELECT FROM order_lines l
               JOIN order_parts p ON p.order_id = l.order_id AND p.store_id = l.store_id
               JOIN orders o ON o.id = l.order_id
               WHERE l.product_id = $1 AND o.account_id = $2 AND p.status IN ('shipped', 'completed')) THEN 'FORBIDDEN'
       END AS outcome,
       CASE WHEN EXISTS (SELECT FROM products WHERE id = $1)
            THEN 'only who has bought the product, and had it shipped, may review it' END AS message

-- name: REVIEWS_ADD
INSERT INTO reviews (id, product_id, account_id, rating, comment) VALUES ($1, $2, $3, $4, $5)

-- name: REVIEWS_SHOW
SELECT r.id, r.product_id, a.name AS user_name, r.rating, r.comment, r.created_at, r.updated_at
FROM reviews r JOIN accounts a ON a.id = r.account_id WHERE r.id = $1

-- name: REVIEWS_PRODUCT
SELECT CASE WHEN NOT EXISTS (SELECT FROM products WHERE id = $1) THEN 'NOT_FOUND' END AS outcome

-- name: REVIEWS_COUNT
SELECT count(*) FROM (SELECT FROM reviews WHERE product_id = $1 LIMIT 10001) AS capped

-- name: REVIEWS_LIST
SELECT r.id, r.product_id, a.name AS user_name, r.rating, r.comment, r.created_at, r.updated_at
FROM reviews r JOIN accounts a ON a.id = r.account_id
WHERE r.product_id = $1 ORDER BY r.created_at DESC, r.id DESC LIMIT $2 OFFSET $3

-- Locks a review for a change, or says why not. $2 the actor, $3 whether he administers and may do so.
-- name: REVIEWS_CLAIM
WITH target AS (SELECT id, product_id, account_id, rating FROM reviews WHERE id = $1 FOR UPDATE)
SELECT CASE WHEN target.id IS NULL THEN 'NOT_FOUND'
            WHEN NOT $3::boolean AND target.account_id <> $2 THEN 'FORBIDDEN' END AS outcome,
       CASE WHEN target.id IS NOT NULL THEN 'this review is not yours' END AS message,
       target.product_id AS "product_id:hidden", target.rating AS "rating:hidden"
FROM (VALUES (1)) AS one LEFT JOIN target ON true

-- name: REVIEWS_UPDATE
UPDATE reviews SET rating = coalesce($2, rating), comment = CASE WHEN $3 THEN $4 ELSE comment END, updated_at = now()
WHERE id = $1

-- name: REVIEWS_DELETE
DELETE FROM reviews WHERE id = $1
