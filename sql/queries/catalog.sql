-- name: CATALOG_CATEGORY_ADD
INSERT INTO categories (id, parent_id, name) VALUES ($1, $2, $3)

-- name: CATALOG_CATEGORY_SHOW
SELECT id, parent_id, name, created_at, updated_at FROM categories WHERE id = $1

-- name: CATALOG_CATEGORIES
SELECT id, parent_id, name, created_at, updated_at FROM categories ORDER BY lower(name), id

-- name: CATALOG_PRODUCT_ADD
INSERT INTO products (id, store_id, category_id, name, description, price, currency, sku, weight_g, is_active)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)

-- name: CATALOG_RATING_ADD
INSERT INTO product_ratings (product_id) VALUES ($1)

-- $2 how many more ratings, $3 how many more points.
-- name: CATALOG_COUNT_RATING
UPDATE product_ratings SET rating_count = rating_count + $2, rating_sum = rating_sum + $3 WHERE product_id = $1

-- Copies new names of stores and categories into what is searched, some at a time. $1 the store or category.
-- name: CATALOG_REINDEX
UPDATE products SET name = name WHERE id IN (
    SELECT p.id FROM products p JOIN stores s ON s.id = p.store_id JOIN categories c ON c.id = p.category_id
    WHERE (p.store_id = $1 OR p.category_id = $1) AND p.search_text IS DISTINCT FROM concat_ws(' ', p.name, c.name, s.name)
    LIMIT $2)

-- name: CATALOG_STOCK_ADD
INSERT INTO product_stock (product_id, available) VALUES ($1, $2)

-- A shopper's view: only what is on sale.
-- name: CATALOG_PRODUCT_SHOW
SELECT * FROM product_view WHERE id = $1 AND is_active AND "store_is_active:hidden"

-- The view of him who has just made it, on sale or not.
-- name: CATALOG_PRODUCT_OWN
SELECT * FROM product_view WHERE id = $1 AND store_id = $2

-- The list, by sort order. $1 category $2 store $3 words $4 fuzzy $5 currency $6 least $7 most $8 in stock;
-- then $9 and $10, the key and id after which a cursor goes on, or null; then limit and offset. The id
-- makes every order total; "cursor:hidden" is the key of a row, as text that loses nothing.

-- name: CATALOG_COUNT custom
SELECT count(*) FROM (SELECT FROM product_matches($1, $2, $3, $4, $5, $6, $7, $8) LIMIT 10001) AS capped

-- name: CATALOG_NEWEST custom
SELECT *, created_at::text || ' ' || id AS "cursor:hidden" FROM product_matches($1, $2, $3, $4, $5, $6, $7, $8)
WHERE $9::text IS NULL OR (created_at, id) < ($9::text::timestamptz, $10::uuid)
ORDER BY created_at DESC, id DESC LIMIT $11 OFFSET $12

-- name: CATALOG_OLDEST custom
SELECT *, created_at::text || ' ' || id AS "cursor:hidden" FROM product_matches($1, $2, $3, $4, $5, $6, $7, $8)
WHERE $9::text IS NULL OR (created_at, id) > ($9::text::timestamptz, $10::uuid)
ORDER BY created_at, id LIMIT $11 OFFSET $12

-- name: CATALOG_CHEAPEST custom
SELECT *, currency || "price:money" || ' ' || id AS "cursor:hidden" FROM product_matches($1, $2, $3, $4, $5, $6, $7, $8)
WHERE $9::text IS NULL OR (currency, "price:money", id) > (left($9::text, 3), substr($9::text, 4)::bigint, $10::uuid)
ORDER BY currency, "price:money", id LIMIT $11 OFFSET $12

-- name: CATALOG_DEAREST custom
SELECT *, currency || "price:money" || ' ' || id AS "cursor:hidden" FROM product_matches($1, $2, $3, $4, $5, $6, $7, $8)
WHERE $9::text IS NULL OR (currency, "price:money", id) < (left($9::text, 3), substr($9::text, 4)::bigint, $10::uuid)
ORDER BY currency DESC, "price:money" DESC, id DESC LIMIT $11 OFFSET $12

-- name: CATALOG_BY_NAME custom
SELECT *, name || ' ' || id AS "cursor:hidden" FROM product_matches($1, $2, $3, $4, $5, $6, $7, $8)
WHERE $9::text IS NULL OR (name, id) > ($9::text::text, $10::uuid)
ORDER BY name, id LIMIT $11 OFFSET $12

-- name: CATALOG_BY_NAME_DOWN custom
SELECT *, name || ' ' || id AS "cursor:hidden" FROM product_matches($1, $2, $3, $4, $5, $6, $7, $8)
WHERE $9::text IS NULL OR (name, id) < ($9::text::text, $10::uuid)
ORDER BY name DESC, id DESC LIMIT $11 OFFSET $12

-- name: CATALOG_BEST_RATED custom
SELECT m.*, r.average_100 || ' ' || m.id AS "cursor:hidden"
FROM product_ratings r JOIN product_matches($1, $2, $3, $4, $5, $6, $7, $8) m ON m.id = r.product_id
WHERE $9::text IS NULL OR (r.average_100, r.product_id) < ($9::text::bigint, $10::uuid)
ORDER BY r.average_100 DESC, r.product_id DESC LIMIT $11 OFFSET $12

-- name: CATALOG_WORST_RATED custom
SELECT m.*, r.average_100 || ' ' || m.id AS "cursor:hidden"
FROM product_ratings r JOIN product_matches($1, $2, $3, $4, $5, $6, $7, $8) m ON m.id = r.product_id
WHERE $9::text IS NULL OR (r.average_100, r.product_id) > ($9::text::bigint, $10::uuid)
ORDER BY r.average_100, r.product_id LIMIT $11 OFFSET $12

-- name: CATALOG_BEST_MATCH custom
SELECT *, "relevance:hidden" || ' ' || id AS "cursor:hidden"
FROM (SELECT *, CASE WHEN $4::boolean THEN word_similarity($3, "search_text:hidden")
                     ELSE ts_rank("search:hidden", search_query($3)) END AS "relevance:hidden"
      FROM product_matches($1, $2, $3, $4, $5, $6, $7, $8)) AS ranked
WHERE $9::text IS NULL OR ("relevance:hidden", id) < ($9::text::real, $10::uuid)
ORDER BY "relevance:hidden" DESC, id DESC LIMIT $11 OFFSET $12

-- name: CATALOG_WORST_MATCH custom
SELECT *, "relevance:hidden" || ' ' || id AS "cursor:hidden"
FROM (SELECT *, CASE WHEN $4::boolean THEN word_similarity($3, "search_text:hidden")
                     ELSE ts_rank("search:hidden", search_query($3)) END AS "relevance:hidden"
      FROM product_matches($1, $2, $3, $4, $5, $6, $7, $8)) AS ranked
WHERE $9::text IS NULL OR ("relevance:hidden", id) > ($9::text::real, $10::uuid)
ORDER BY "relevance:hidden", id LIMIT $11 OFFSET $12

-- How the matches spread, over at most 10,000 of them. Price bands are decimal: 1-9, 10-99, ... of the currency.
-- name: CATALOG_FACETS custom
WITH matches AS (
    SELECT category_id, category_name, currency, "price:money" AS price, store_id, store_name
    FROM product_matches($1, $2, $3, $4, $5, $6, $7, $8) LIMIT 10000
), banded AS (
    SELECT currency, greatest(floor(log(price::numeric / (10 ^ money_scale(currency))::numeric)), 0)::integer AS band, count(*) AS n
    FROM matches GROUP BY 1, 2
)
SELECT (SELECT coalesce(json_agg(json_build_object('category_id', category_id, 'name', category_name, 'count', n) ORDER BY n DESC, category_name), '[]')
        FROM (SELECT category_id, category_name, count(*) AS n FROM matches GROUP BY 1, 2) AS c) AS categories,
       (SELECT coalesce(json_agg(json_build_object('store_id', store_id, 'name', store_name, 'count', n) ORDER BY n DESC, store_name), '[]')
        FROM (SELECT store_id, store_name, count(*) AS n FROM matches GROUP BY 1, 2) AS s) AS stores,
       (SELECT coalesce(json_agg(json_build_object('currency', currency, 'min_price', (10 ^ band)::bigint::text,
                                                   'below', (10 ^ (band + 1))::bigint::text, 'count', n) ORDER BY currency, band), '[]')
        FROM banded) AS prices

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

-- Each value goes with a flag that says whether it was sent.
-- name: CATALOG_CATEGORY_UPDATE
UPDATE categories SET name = coalesce($2, name), parent_id = CASE WHEN $3 THEN $4 ELSE parent_id END, updated_at = now()
WHERE id = $1

-- A category may not come to hang below itself.
-- name: CATALOG_CATEGORY_MAY_HANG
SELECT CASE WHEN $2 = ANY (category_with_children($1)) THEN 'VALIDATION_ERROR' END AS outcome,
       'parent_id' AS field, 'is the category itself, or below it' AS message

-- name: CATALOG_CATEGORY_DELETE
WITH verdict AS (
    SELECT CASE WHEN NOT EXISTS (SELECT FROM categories WHERE id = $1) THEN 'NOT_FOUND'
                WHEN EXISTS (SELECT FROM products WHERE category_id = $1) THEN 'CONFLICT'
                WHEN EXISTS (SELECT FROM categories WHERE parent_id = $1) THEN 'CONFLICT' END AS outcome
), gone AS (
    DELETE FROM categories USING verdict WHERE id = $1 AND outcome IS NULL
)
SELECT outcome, CASE outcome WHEN 'CONFLICT' THEN 'the category has products, or categories below it' END AS message FROM verdict

-- Locks a product for a change, or says why not. $2 the actor, $3 whether he administers, $4 the version
-- that he has seen, or null.
-- name: CATALOG_PRODUCT_CLAIM
WITH target AS (
    SELECT p.id, p.store_id, p.currency, p.version, s.owner_id
    FROM products p JOIN stores s ON s.id = p.store_id WHERE p.id = $1 FOR UPDATE OF p
)
SELECT CASE WHEN target.id IS NULL THEN 'NOT_FOUND'
            WHEN NOT $3::boolean AND target.owner_id <> $2 THEN 'FORBIDDEN'
            WHEN target.version <> $4::bigint THEN 'PRECONDITION_FAILED' END AS outcome,
       CASE WHEN target.id IS NOT NULL AND NOT $3 AND target.owner_id <> $2 THEN 'this is another store''s product' END AS message,
       target.store_id AS "store_id:hidden", target.currency AS "currency:hidden"
FROM (VALUES (1)) AS one LEFT JOIN target ON true

-- Column by column, and never the stock (seed hole 30). $1 product, then each value; null leaves it. The sku
-- and the weight can be taken away, and go with a flag.
-- name: CATALOG_PRODUCT_UPDATE
UPDATE products SET
    name = coalesce($2, name), description = coalesce($3, description), category_id = coalesce($4, category_id),
    price = coalesce($5, price), currency = coalesce($6, currency), is_active = coalesce($7, is_active),
    sku = CASE WHEN $8 THEN $9 ELSE sku END, weight_g = CASE WHEN $10 THEN $11 ELSE weight_g END,
    version = version + 1, updated_at = now()
WHERE id = $1

-- name: CATALOG_STOCK_SET
UPDATE product_stock SET available = $2 WHERE product_id = $1

-- name: CATALOG_PRODUCT_HIDE
UPDATE products SET is_active = false, version = version + 1, updated_at = now() WHERE id = $1

-- A store's own, hidden ones too. $1 store $2 on sale or not, or null $3 words or null.
-- name: CATALOG_SELLER_COUNT custom
SELECT count(*) FROM (SELECT FROM product_view WHERE store_id = $1 AND ($2::boolean IS NULL OR is_active = $2)
    AND ($3::text IS NULL OR "search:hidden" @@ search_query($3)) LIMIT 10001) AS capped

-- name: CATALOG_SELLER_LIST custom
SELECT * FROM product_view WHERE store_id = $1 AND ($2::boolean IS NULL OR is_active = $2)
    AND ($3::text IS NULL OR "search:hidden" @@ search_query($3))
ORDER BY created_at DESC, id DESC LIMIT $4 OFFSET $5

-- What an order asks for by product, priced as the cart would be. $1 the products.
-- name: CATALOG_FOR_ORDER
SELECT v.id AS product_id, v.store_id, v.name, v."price:money" AS price, v.currency,
       v.is_active AND v."store_is_active:hidden" AS on_sale
FROM product_view v WHERE v.id = ANY ($1::uuid[])

-- Pictures. The product is claimed, so that nobody else changes them. $1 product $2 URL $3 the most it may have.
-- name: CATALOG_IMAGE_ADD
WITH held AS (
    SELECT count(*)::integer AS images FROM product_images WHERE product_id = $1
), added AS (
    INSERT INTO product_images (product_id, n, url) SELECT $1, images + 1, $2 FROM held WHERE images < $3::integer
), changed AS (
    UPDATE products SET version = version + 1, updated_at = now() FROM held WHERE id = $1 AND images < $3
)
SELECT CASE WHEN images >= $3 THEN 'CONFLICT' END AS outcome,
       CASE WHEN images >= $3 THEN 'the product has ' || $3::integer || ' images already' END AS message
FROM held

-- Those behind the n-th move up, and the last place goes. $1 product $2 n
-- name: CATALOG_IMAGE_REMOVE
WITH held AS (
    SELECT count(*)::integer AS images FROM product_images WHERE product_id = $1
), moved AS (
    UPDATE product_images i SET url = behind.url FROM product_images behind
    WHERE i.product_id = $1 AND i.n >= $2::integer AND behind.product_id = $1 AND behind.n = i.n + 1
), gone AS (
    DELETE FROM product_images USING held WHERE product_id = $1 AND n = images AND n >= $2
), changed AS (
    UPDATE products SET version = version + 1, updated_at = now() FROM held WHERE id = $1 AND images >= $2
)
SELECT CASE WHEN images < $2 THEN 'NOT_FOUND' END AS outcome,
       CASE WHEN images < $2 THEN 'the product has no such image' END AS message
FROM held

-- Categories on the paths of an import: $1 names, $2 what each hangs below (null: nothing). `fits` says
-- whether it does.
-- name: CATALOG_IMPORT_CATEGORIES custom
SELECT w.n, c.id, up.name AS parent,
       CASE WHEN w.parent IS NULL THEN c.parent_id IS NULL ELSE lower(up.name) = lower(w.parent) END AS fits
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS w (name, parent, n)
LEFT JOIN categories c ON lower(c.name) = lower(w.name)
LEFT JOIN categories up ON up.id = c.parent_id
ORDER BY w.n

-- Adds one that is missing. $1 id $2 name $3 what it hangs below, or null
-- name: CATALOG_IMPORT_CATEGORY_ADD
INSERT INTO categories (id, parent_id, name)
SELECT $1, up.id, $2 FROM (VALUES (1)) AS one LEFT JOIN categories up ON lower(up.name) = lower($3)
WHERE $3::text IS NULL OR up.id IS NOT NULL
ON CONFLICT (lower(name)) DO NOTHING

-- A batch of an import: products are found by store and sku, changed if anything differs, added if there
-- are none. An id is for a new product. Null leaves what an existing one has. Rows are locked in id order,
-- products by the weaker lock that an order's lines do not wait for. $1 ids $2 stores $3 categories $4 skus
-- $5 names $6 descriptions $7 prices $8 currencies $9 weights $10 whether they are meant $11 stocks
-- $12 whether on sale. No store and sku may stand twice.
-- name: CATALOG_IMPORT custom
WITH line AS (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::bigint[],
                         $8::text[], $9::bigint[], $10::boolean[], $11::bigint[], $12::boolean[])
        AS l (id, store_id, category_id, sku, name, description, price, currency, weight_g, weighed, stock, is_active)
), held AS (
    SELECT p.id AS product_id, line.*
    FROM line JOIN products p ON p.store_id = line.store_id AND p.sku = line.sku
    ORDER BY p.id FOR NO KEY UPDATE OF p
), changed AS (
    UPDATE products p SET
        category_id = h.category_id, name = h.name, description = coalesce(h.description, p.description),
        price = h.price, currency = h.currency, weight_g = CASE WHEN h.weighed THEN h.weight_g ELSE p.weight_g END,
        is_active = coalesce(h.is_active, p.is_active), version = p.version + 1, updated_at = now()
    FROM held h
    WHERE p.id = h.product_id
      AND (p.category_id, p.name, p.description, p.price, p.currency, p.weight_g, p.is_active)
          IS DISTINCT FROM
          (h.category_id, h.name, coalesce(h.description, p.description), h.price, h.currency,
           CASE WHEN h.weighed THEN h.weight_g ELSE p.weight_g END, coalesce(h.is_active, p.is_active))
    RETURNING p.id
), short AS (
    SELECT k.product_id, h.stock
    FROM product_stock k JOIN held h ON h.product_id = k.product_id
    WHERE k.available <> h.stock
    ORDER BY k.product_id FOR UPDATE OF k
), restocked AS (
    UPDATE product_stock k SET available = short.stock
    FROM short WHERE k.product_id = short.product_id RETURNING k.product_id
), added AS (
    INSERT INTO products (id, store_id, category_id, name, description, price, currency, sku, weight_g, is_active)
    SELECT l.id, l.store_id, l.category_id, l.name, coalesce(l.description, ''), l.price, l.currency, l.sku,
           l.weight_g, coalesce(l.is_active, true)
    FROM line l WHERE NOT EXISTS (SELECT FROM held h WHERE h.id = l.id)
    ON CONFLICT (store_id, sku) DO NOTHING RETURNING id
), stocked AS (
    INSERT INTO product_stock (product_id, available)
    SELECT l.id, coalesce(l.stock, 0) FROM line l JOIN added ON added.id = l.id
), rated AS (
    INSERT INTO product_ratings (product_id) SELECT id FROM added
)
SELECT (SELECT count(*) FROM added) AS added, (SELECT count(*) FROM held) AS held,
       (SELECT count(*) FROM (SELECT id FROM changed UNION SELECT product_id FROM restocked) AS either) AS changed

-- An export reads a store's products by sku, in the order of its bytes. The category is its path; a '>' or
-- '\' in a name has a '\' before it. $1 store $2 the last sku or null $3 how many.
-- name: CATALOG_EXPORT custom
WITH RECURSIVE page AS (
    SELECT p.* FROM products p
    WHERE p.store_id = $1 AND p.sku <> '' AND ($2::text IS NULL OR p.sku COLLATE "C" > $2)
    ORDER BY p.sku COLLATE "C" LIMIT $3
), up AS (
    SELECT c.id AS leaf, c.parent_id, c.name, 1 AS n FROM categories c WHERE c.id IN (SELECT category_id FROM page)
    UNION ALL
    SELECT up.leaf, c.parent_id, c.name, up.n + 1 FROM categories c JOIN up ON c.id = up.parent_id
), place AS MATERIALIZED (
    SELECT leaf, string_agg(replace(replace(name, '\', '\\'), '>', '\>'), ' > ' ORDER BY n DESC) AS path
    FROM up GROUP BY leaf
)
SELECT place.path AS category, page.sku, page.name, page.description, page.price, page.currency,
       (SELECT k.available FROM product_stock k WHERE k.product_id = page.id) AS stock, page.weight_g, page.is_active
FROM page JOIN place ON place.leaf = page.category_id
ORDER BY page.sku COLLATE "C"

-- How many have no sku, and cannot be exported. $1 store
-- name: CATALOG_EXPORT_LEFT_OUT
SELECT count(*) AS products FROM products WHERE store_id = $1 AND coalesce(sku, '') = ''
