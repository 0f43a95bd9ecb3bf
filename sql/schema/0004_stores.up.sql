CREATE TABLE stores (
    id          uuid PRIMARY KEY,
    owner_id    uuid NOT NULL CONSTRAINT stores_owner_key UNIQUE REFERENCES accounts,
    name        text NOT NULL CHECK (length(name) BETWEEN 2 AND 255),
    description text NOT NULL DEFAULT '',
    status      text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
    version     integer NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX stores_name_key ON stores (lower(name));
