-- no transaction
-- What waits for a person is looked for every few seconds, by the metrics. It is little, and so are these.
DROP INDEX CONCURRENTLY IF EXISTS payments_in_review;
CREATE INDEX CONCURRENTLY payments_in_review ON payments (created_at) WHERE status = 'needs_review';
DROP INDEX CONCURRENTLY IF EXISTS refunds_for_a_person;
CREATE INDEX CONCURRENTLY refunds_for_a_person ON refunds (updated_at) WHERE status = 'failed' AND ask_at IS NULL AND NOT reversed;
