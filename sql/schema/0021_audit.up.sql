-- What signed in, what changed who may do what, and what staff did with money. Append-only, for the
-- shop's role by what it is granted, for everybody else by a trigger. `actor` and `subject` are no
-- foreign keys: the log outlives what it speaks of.
CREATE TABLE audit_log (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT now(),
    event      text NOT NULL CHECK (event <> ''),
    actor      uuid,           -- the account on whose behalf; null: nobody signed in, or the machine
    actor_role text,           -- in which it acted
    api_key    uuid,           -- if it came with an API key
    operator   text,           -- of the sysadmin's hand: the system user of sokoctl
    subject    uuid,           -- the account, refund, payment, store or key that it is about
    address    text,           -- of the client
    detail     text NOT NULL CHECK (length(detail) <= 4096 AND json_typeof(detail::json) = 'object'),
    trace_id   text NOT NULL
);
CREATE INDEX audit_log_by_time ON audit_log (at, id);
CREATE INDEX audit_log_of_actor ON audit_log (actor, at, id);
CREATE INDEX audit_log_of_subject ON audit_log (subject, at, id);
CREATE INDEX audit_log_of_event ON audit_log (event, at, id);

-- The chain: soko-jobs seals entries in the order in which it finds them, without a gap. `mac` is
-- HMAC-SHA-256, by a key that the database does not hold, of the link before, of this one and of its entry
-- (fcgi-app/shop/audit_link.h). Of entries up to `settled` none can come any more that has no link by then.
CREATE TABLE audit_chain (
    number    bigint PRIMARY KEY CHECK (number > 0),
    entry     bigint NOT NULL UNIQUE REFERENCES audit_log,
    settled   bigint NOT NULL CHECK (settled >= 0),
    mac       bytea NOT NULL CHECK (length(mac) = 32),
    sealed_at timestamptz NOT NULL DEFAULT now()
);

-- When an entry was written, and its number, are not for the shop's role to say.
REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON audit_log, audit_chain FROM soko_app;
GRANT INSERT (event, actor, actor_role, api_key, operator, subject, address, detail, trace_id) ON audit_log TO soko_app;
GRANT INSERT (number, entry, settled, mac) ON audit_chain TO soko_app;

CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only';
END
$$;
CREATE TRIGGER audit_log_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER audit_chain_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_chain
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
-- Nor may a session that plays replica.
ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_stays;
ALTER TABLE audit_chain ENABLE ALWAYS TRIGGER audit_chain_stays;
