-- Search over name, description, store and category; tolerant of a misspelt word by trigrams.
CREATE EXTENSION IF NOT EXISTS pg_trgm;

DROP VIEW IF EXISTS product_view CASCADE;
ALTER TABLE products DROP COLUMN search;
ALTER TABLE products ADD COLUMN search tsvector, ADD COLUMN search_text text;

-- Kept by a trigger, so that no way of writing a product can forget it. What a store or a category is
-- called is copied; renaming one touches its products (EVENT_NAMES_CHANGED).
CREATE FUNCTION product_index() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    store text := (SELECT s.name FROM stores s WHERE s.id = NEW.store_id);
    category text := (SELECT c.name FROM categories c WHERE c.id = NEW.category_id);
BEGIN
    NEW.search_text := concat_ws(' ', NEW.name, category, store);
    NEW.search := setweight(to_tsvector('english', NEW.name), 'A')
               || setweight(to_tsvector('english', concat_ws(' ', category, store)), 'B')
               || setweight(to_tsvector('english', NEW.description), 'C');
    RETURN NEW;
END $$;
CREATE TRIGGER products_index BEFORE INSERT OR UPDATE OF name, description, store_id, category_id ON products
    FOR EACH ROW EXECUTE FUNCTION product_index();
UPDATE products SET name = name;

ALTER TABLE products ALTER COLUMN search SET NOT NULL, ALTER COLUMN search_text SET NOT NULL;
CREATE INDEX products_search ON products USING gin (search) WHERE is_active;
CREATE INDEX products_trigrams ON products USING gin (search_text gin_trgm_ops) WHERE is_active;

-- Every product has its row of ratings from the start, so that a list sorted by them is read from an
-- index; the catalogue keeps it, reviews tell it.
CREATE TEMPORARY TABLE ratings_before ON COMMIT DROP AS SELECT * FROM product_ratings;
DROP TABLE product_ratings;
CREATE TABLE product_ratings (
    product_id   uuid PRIMARY KEY REFERENCES products,
    rating_count bigint NOT NULL DEFAULT 0 CHECK (rating_count >= 0),
    rating_sum   bigint NOT NULL DEFAULT 0 CHECK (rating_sum BETWEEN rating_count AND rating_count * 5),
    -- Hundredths, so that 4.67 is 467.
    average_100  bigint NOT NULL GENERATED ALWAYS AS
        (CASE WHEN rating_count = 0 THEN 0 ELSE (rating_sum * 200 + rating_count) / (rating_count * 2) END) STORED
);
INSERT INTO product_ratings (product_id, rating_count, rating_sum)
SELECT p.id, coalesce(b.rating_count, 0), coalesce(b.rating_sum, 0)
FROM products p LEFT JOIN ratings_before b ON b.product_id = p.id;
CREATE INDEX product_ratings_best ON product_ratings (average_100, product_id);
