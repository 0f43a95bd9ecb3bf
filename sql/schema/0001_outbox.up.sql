-- The worker's role may read and write rows, and nothing else: it owns nothing and has no DDL.
ALTER DEFAULT PRIVILEGES IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO soko_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE ON SEQUENCES TO soko_app;

-- What must happen after a transaction, written in it: one row for each consumer of an event. A row
-- is taken by moving available_at past a lease, and deleted in the transaction of its effect.
CREATE TABLE outbox (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event        text NOT NULL,
    consumer     text NOT NULL,
    lane         text NOT NULL,
    subject      uuid NOT NULL, -- what the event is about: an order, a session
    detail       uuid,          -- the part of it, where only a part is meant: a store
    trace_id     text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    available_at timestamptz NOT NULL DEFAULT now(),
    attempts     integer NOT NULL DEFAULT 0,
    parked_at    timestamptz, -- given up, until a person looks
    last_error   text
);
CREATE INDEX outbox_due ON outbox (lane, available_at) WHERE parked_at IS NULL;
CREATE INDEX outbox_parked ON outbox (parked_at) WHERE parked_at IS NOT NULL;
ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
