-- The first answer under each Idempotency-Key, written in the transaction of its effect.
CREATE TABLE idempotency_keys (
    account_id  uuid NOT NULL,
    key         text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    fingerprint bytea NOT NULL, -- SHA-256 of method, path and body
    status      integer,        -- null: started, and not finished
    body        text,           -- null: not kept, because it holds a secret
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);
