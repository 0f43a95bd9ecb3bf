-- Goes to psql in front of what pg_restore writes: all of it is one transaction, which after.sql ends. Whoever is
-- interrupted leaves the database as it was, empty.
BEGIN;
SET statement_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET lock_timeout = '60s';
