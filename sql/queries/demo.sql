-- Demo goods that have no picture yet, and the path of their category. $1 the sku's beginning
-- name: DEMO_WITHOUT_PICTURE
WITH RECURSIVE up AS (
    SELECT c.id AS leaf, c.parent_id, c.name, 1 AS n FROM categories c
    UNION ALL
    SELECT up.leaf, c.parent_id, c.name, up.n + 1 FROM categories c JOIN up ON c.id = up.parent_id
), place AS (
    SELECT leaf, string_agg(name, ' > ' ORDER BY n DESC) AS path FROM up GROUP BY leaf
)
SELECT p.id, p.sku, place.path AS category
FROM products p JOIN place ON place.leaf = p.category_id
WHERE starts_with(p.sku, $1) AND NOT EXISTS (SELECT FROM product_images i WHERE i.product_id = p.id)
ORDER BY p.sku
