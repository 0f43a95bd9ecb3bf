-- Makes the cart if there is none, and locks it.
-- name: CART_TOUCH
INSERT INTO carts (account_id) VALUES ($1)
ON CONFLICT (account_id) DO UPDATE SET updated_at = now()

-- Adds to what the cart holds: at most 100 products, so that an order, and a page of orders, stay of a size
-- that can be answered. $1 account $2 product $3 quantity.
-- name: CART_ADD_ITEM
WITH product AS (
    SELECT id, "price:money" AS price, currency, stock FROM product_view
    WHERE id = $2 AND is_active AND "store_is_active:hidden"
), held AS (
    SELECT coalesce(sum(quantity) FILTER (WHERE product_id = $2), 0) AS quantity,
           count(*) FILTER (WHERE product_id <> $2) AS others
    FROM cart_items WHERE account_id = $1
), other AS (
    SELECT p.currency FROM cart_items i JOIN products p ON p.id = i.product_id
    WHERE i.account_id = $1 AND i.product_id <> $2 LIMIT 1
), verdict AS (
    SELECT CASE
               WHEN product.id IS NULL THEN 'NOT_FOUND'
               WHEN other.currency <> product.currency THEN 'CONFLICT'
               WHEN held.quantity + $3::bigint > 999 OR held.others >= 100 THEN 'VALIDATION_ERROR'
               WHEN held.quantity + $3::bigint > product.stock THEN 'INSUFFICIENT_STOCK'
           END AS outcome,
           product.id, product.price, product.stock, held.quantity, held.others, other.currency
    FROM held LEFT JOIN product ON true LEFT JOIN other ON true
), done AS (
    INSERT INTO cart_items (account_id, product_id, quantity, added_price)
    SELECT $1, id, $3, price FROM verdict WHERE outcome IS NULL
    ON CONFLICT (account_id, product_id)
    DO UPDATE SET quantity = cart_items.quantity + excluded.quantity, added_price = excluded.added_price
)
SELECT outcome,
       CASE WHEN outcome = 'NOT_FOUND' OR (outcome = 'VALIDATION_ERROR' AND others >= 100) THEN 'product_id'
            WHEN outcome = 'VALIDATION_ERROR' THEN 'quantity' END AS field,
       CASE outcome WHEN 'NOT_FOUND' THEN 'there is no such product on sale'
                    WHEN 'CONFLICT' THEN 'the cart holds goods priced in ' || currency || ', and one cart has one currency'
                    WHEN 'VALIDATION_ERROR' THEN CASE WHEN others >= 100 THEN 'a cart holds at most 100 products'
                                                      ELSE 'a cart holds at most 999 of one product' END END AS message,
       CASE outcome WHEN 'INSUFFICIENT_STOCK' THEN stock END AS available,
       CASE outcome WHEN 'INSUFFICIENT_STOCK' THEN quantity END AS in_cart
FROM verdict

-- Sets the quantity of what the cart holds already.
-- name: CART_SET_ITEM
WITH item AS (
    SELECT k.available FROM cart_items i JOIN product_stock k ON k.product_id = i.product_id
    WHERE i.account_id = $1 AND i.product_id = $2
), verdict AS (
    SELECT CASE WHEN item.available IS NULL THEN 'NOT_FOUND'
                WHEN item.available < $3::bigint THEN 'INSUFFICIENT_STOCK' END AS outcome, item.available
    FROM (VALUES (1)) AS one LEFT JOIN item ON true
), done AS (
    UPDATE cart_items SET quantity = $3
    FROM verdict WHERE account_id = $1 AND product_id = $2 AND outcome IS NULL
)
SELECT outcome, CASE outcome WHEN 'INSUFFICIENT_STOCK' THEN available END AS available FROM verdict

-- name: CART_REMOVE_ITEM
DELETE FROM cart_items WHERE account_id = $1 AND product_id = $2

-- name: CART_CLEAR
DELETE FROM cart_items WHERE account_id = $1

-- An empty cart that was never used looks the same as one that was emptied. A total that a bigint
-- cannot hold, far above what an order may be, is shown as the most that one can.
-- name: CART_SHOW
WITH lines AS (
    SELECT i.product_id, i.quantity, i.added_price, i.added_at, v.name, v."price:money" AS price, v.currency, v.stock,
           v.image_url, v.is_active AND v."store_is_active:hidden" AS on_sale
    FROM cart_items i JOIN product_view v ON v.id = i.product_id WHERE i.account_id = $1
)
SELECT (SELECT coalesce(json_agg(json_build_object(
            'product_id', product_id, 'name', name, 'price', money_text(price, currency),
            'added_price', money_text(added_price, currency), 'quantity', quantity,
            'subtotal', money_text(price * quantity, currency), 'image_url', image_url,
            'available', CASE WHEN on_sale THEN stock ELSE 0 END) ORDER BY added_at, product_id), '[]') FROM lines) AS items,
       (SELECT coalesce(sum(quantity), 0) FROM lines)::bigint AS item_count,
       (SELECT least(coalesce(sum(price * quantity), 0), 9223372036854775807) FROM lines)::bigint AS "total_amount:money",
       coalesce((SELECT min(currency) FROM lines), 'KES') AS currency,
       (SELECT updated_at FROM carts WHERE account_id = $1) AS updated_at

-- For an order: locks the cart first, in a statement of its own, so that the next one sees what the
-- lock protects.
-- name: CART_LOCK
SELECT count(*) FROM (SELECT FROM carts WHERE account_id = $1 FOR UPDATE) AS held

-- name: CART_LINES
SELECT i.product_id, v.store_id, v.name, v."price:money" AS price, v.currency, i.quantity,
       v.is_active AND v."store_is_active:hidden" AS on_sale
FROM cart_items i JOIN product_view v ON v.id = i.product_id
WHERE i.account_id = $1
ORDER BY i.added_at, i.product_id
