-- What has been applied. Run by `sokoctl migrate` before anything else; harmless if run again.
CREATE TABLE IF NOT EXISTS schema_migrations (
    version    integer PRIMARY KEY,
    name       text NOT NULL,
    checksum   text NOT NULL, -- SHA-256 of the .up.sql file, in hexadecimal digits
    applied_at timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT ON schema_migrations TO soko_app;
