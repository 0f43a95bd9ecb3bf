-- How far the import of a file has come. A file is known by its beginning and its size, whatever it is
-- called; each batch of lines moves the row on in the transaction that imports them.
CREATE TABLE product_imports (
    head         bytea NOT NULL, -- SHA-256 of its first MiB
    size         bigint NOT NULL CHECK (size >= 0),
    byte_offset  bigint NOT NULL DEFAULT 0 CHECK (byte_offset BETWEEN 0 AND size),
    line_number  bigint NOT NULL DEFAULT 1, -- of the line at byte_offset
    added        bigint NOT NULL DEFAULT 0,
    changed      bigint NOT NULL DEFAULT 0,
    same         bigint NOT NULL DEFAULT 0,
    refused      bigint NOT NULL DEFAULT 0,
    report_bytes bigint NOT NULL DEFAULT 0, -- how much of the report tells of lines before byte_offset
    started_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    finished_at  timestamptz,
    PRIMARY KEY (head, size)
);

-- For the export, whose order must not depend on the database's collation.
CREATE INDEX products_export ON products (store_id, sku COLLATE "C") WHERE sku IS NOT NULL;
