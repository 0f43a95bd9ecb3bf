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

-- name: REVIEWS_COUNT_RATING
INSERT INTO product_ratings AS r (product_id, rating_count, rating_sum) VALUES ($1, 1, $2)
ON CONFLICT (product_id)
DO UPDATE SET rating_count = r.rating_count + 1, rating_sum = r.rating_sum + excluded.rating_sum

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
