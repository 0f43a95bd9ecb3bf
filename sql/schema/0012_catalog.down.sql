DROP VIEW IF EXISTS product_view CASCADE;
DROP INDEX product_ratings_best;
DROP TRIGGER products_index ON products;
DROP FUNCTION product_index;
ALTER TABLE products DROP COLUMN search_text, DROP COLUMN search;
ALTER TABLE products ADD COLUMN search tsvector NOT NULL GENERATED ALWAYS AS
    (setweight(to_tsvector('english', name), 'A') || setweight(to_tsvector('english', description), 'B')) STORED;
CREATE INDEX products_search ON products USING gin (search) WHERE is_active;
