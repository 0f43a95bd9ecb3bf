-- name: DEMO_LOADED
SELECT count(*) AS products FROM products
