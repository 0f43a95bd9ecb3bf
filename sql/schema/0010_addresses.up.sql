-- Where a buyer has things sent. At most one is the default.
CREATE TABLE addresses (
    id          uuid PRIMARY KEY,
    account_id  uuid NOT NULL REFERENCES accounts,
    line1       text NOT NULL,
    line2       text,
    city        text NOT NULL,
    country     text NOT NULL CHECK (country ~ '^[A-Z]{2}$'),
    postal_code text,
    phone       text,
    is_default  boolean NOT NULL DEFAULT false,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX addresses_of_account ON addresses (account_id, created_at);
CREATE UNIQUE INDEX addresses_one_default ON addresses (account_id) WHERE is_default;
