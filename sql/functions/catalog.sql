-- What a shopper sees of a product, with the names of the API. Every catalogue statement reads it,
-- so that they cannot drift apart.
--
-- Views are replaced, never dropped and made anew: a statement that waits meanwhile would look for the view that is
-- gone, and answer 500. So a view only gains columns, at its end, and only together with a migration, by which
-- `migrate up` of the version before knows that the view is newer than its own.
CREATE OR REPLACE VIEW product_view AS
SELECT p.id, p.store_id, s.name AS store_name, p.category_id, c.name AS category_name, p.name, p.description,
       p.price AS "price:money", p.currency, k.available AS stock, p.sku, p.weight_g,
       (SELECT i.url FROM product_images i WHERE i.product_id = p.id ORDER BY i.n LIMIT 1) AS image_url,
       (SELECT coalesce(json_agg(i.url ORDER BY i.n), '[]') FROM product_images i WHERE i.product_id = p.id) AS images,
       trim_scale(coalesce(r.average_100, 0) / 100.0) AS rating_average, coalesce(r.rating_count, 0) AS rating_count,
       p.is_active, p.version, p.created_at, p.updated_at,
       s.status = 'active' AS "store_is_active:hidden", s.owner_id AS "owner_id:hidden",
       p.search AS "search:hidden", p.search_text AS "search_text:hidden"
FROM products p
JOIN stores s ON s.id = p.store_id
LEFT JOIN categories c ON c.id = p.category_id
LEFT JOIN product_stock k ON k.product_id = p.id
LEFT JOIN product_ratings r ON r.product_id = p.id;
GRANT SELECT ON product_view TO soko_app;

-- A category and everything below it.
CREATE OR REPLACE FUNCTION category_with_children(root uuid) RETURNS uuid[]
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    WITH RECURSIVE below AS (
        SELECT id FROM categories WHERE id = root
        UNION
        SELECT c.id FROM categories c JOIN below b ON c.parent_id = b.id
    )
    SELECT coalesce(array_agg(id), '{}') FROM below;
END;

-- What a shopper types: words as web searches have them ("phrases", -exclusions), and the last of plain
-- words also as the beginning of one, since it may not be typed to its end. PostgreSQL fails on a long
-- row of negations, so a hyphen that stands before neither a word nor a phrase is a blank.
CREATE OR REPLACE FUNCTION search_words(words text) RETURNS tsquery
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN websearch_to_tsquery('english', regexp_replace(words, '-(?![[:alnum:]"])', ' ', 'g'));

CREATE OR REPLACE FUNCTION search_query(words text) RETURNS tsquery
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE
        WHEN words ~ '["-]' THEN search_words(words)
        ELSE search_words(words)
             || (search_words(regexp_replace(words, '\S+$', ''))
                 && to_tsquery('english', '''' || translate(substring(words FROM '\S+$'), '\''', '  ') || ''':*'))
    END;

-- The products on sale that pass the filters; a null filter passes all. Its body is one plain SELECT, so
-- that PostgreSQL inlines it into each statement that sorts it, and finds an index for each
-- combination of filters when it plans for the values at hand. `fuzzy` takes the words for misspelt.
CREATE OR REPLACE FUNCTION product_matches(in_category uuid, in_store uuid, words text, fuzzy boolean, in_currency text,
                                at_least bigint, at_most bigint, in_stock boolean)
    RETURNS SETOF product_view
    LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT * FROM product_view v
    WHERE v.is_active AND v."store_is_active:hidden"
      AND (in_category IS NULL OR v.category_id = ANY (category_with_children(in_category)))
      AND (in_store IS NULL OR v.store_id = in_store)
      AND (words IS NULL OR fuzzy OR v."search:hidden" @@ search_query(words))
      AND (words IS NULL OR NOT fuzzy OR v."search_text:hidden" %> words)
      AND (in_currency IS NULL OR v.currency = in_currency)
      AND (at_least IS NULL OR v."price:money" >= at_least)
      AND (at_most IS NULL OR v."price:money" <= at_most)
      AND (in_stock IS NULL OR (v.stock > 0) = in_stock);
END;
