CREATE TABLE categories (
    id         uuid PRIMARY KEY,
    parent_id  uuid CONSTRAINT categories_parent_fkey REFERENCES categories,
    name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT categories_not_its_own_parent CHECK (parent_id <> id)
);
CREATE UNIQUE INDEX categories_name_key ON categories (lower(name));
CREATE INDEX categories_of_parent ON categories (parent_id);

CREATE TABLE products (
    id          uuid PRIMARY KEY,
    store_id    uuid NOT NULL REFERENCES stores,
    category_id uuid NOT NULL CONSTRAINT products_category_fkey REFERENCES categories,
    name        text NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
    description text NOT NULL DEFAULT '',
    price       bigint NOT NULL CHECK (price BETWEEN 1 AND 999999999999999), -- minor units
    currency    text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    sku         text,
    weight_g    bigint CHECK (weight_g BETWEEN 0 AND 10000000),
    is_active   boolean NOT NULL DEFAULT true,
    version     integer NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    search      tsvector NOT NULL GENERATED ALWAYS AS
        (setweight(to_tsvector('english', name), 'A') || setweight(to_tsvector('english', description), 'B')) STORED,
    CONSTRAINT products_sku_key UNIQUE (store_id, sku)
);
CREATE INDEX products_newest ON products (created_at, id) WHERE is_active;
CREATE INDEX products_by_price ON products (currency, price, id) WHERE is_active;
CREATE INDEX products_by_name ON products (name, id) WHERE is_active;
CREATE INDEX products_of_category ON products (category_id);
CREATE INDEX products_of_store ON products (store_id);
CREATE INDEX products_search ON products USING gin (search) WHERE is_active;

-- Apart from products, so that a sale neither rewrites the product nor changes its version.
CREATE TABLE product_stock (
    product_id uuid PRIMARY KEY REFERENCES products,
    available  bigint NOT NULL CONSTRAINT product_stock_available_check CHECK (available BETWEEN 0 AND 1000000000)
) WITH (fillfactor = 50);

CREATE TABLE product_images (
    product_id uuid NOT NULL REFERENCES products,
    n          integer NOT NULL CHECK (n BETWEEN 1 AND 20),
    url        text NOT NULL,
    PRIMARY KEY (product_id, n)
);
