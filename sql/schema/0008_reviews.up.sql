CREATE TABLE reviews (
    id         uuid PRIMARY KEY,
    product_id uuid NOT NULL REFERENCES products,
    account_id uuid NOT NULL REFERENCES accounts,
    rating     integer NOT NULL CHECK (rating BETWEEN 1 AND 5),
    comment    text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT reviews_one_each UNIQUE (product_id, account_id)
);
CREATE INDEX reviews_of_product ON reviews (product_id, created_at DESC, id DESC);

-- Sums, so that a list of products need not read their reviews.
CREATE TABLE product_ratings (
    product_id   uuid PRIMARY KEY REFERENCES products,
    rating_count bigint NOT NULL CHECK (rating_count >= 0),
    rating_sum   bigint NOT NULL CHECK (rating_sum BETWEEN rating_count AND rating_count * 5),
    -- What lists are sorted by: hundredths, so that 4.67 is 467.
    average_100  bigint NOT NULL GENERATED ALWAYS AS
        (CASE WHEN rating_count = 0 THEN 0 ELSE (rating_sum * 200 + rating_count) / (rating_count * 2) END) STORED
);
