-- What a row that is worked on later keeps of its cause: the request's id beside its trace's (which, of rows from
-- before, is the request's), and whether whoever began the trace wants it recorded.
ALTER TABLE outbox ADD COLUMN request_id text, ADD COLUMN sampled boolean NOT NULL DEFAULT false;
ALTER TABLE payments ADD COLUMN request_id text, ADD COLUMN trace_id text, ADD COLUMN sampled boolean NOT NULL DEFAULT false;
ALTER TABLE refunds ADD COLUMN request_id text, ADD COLUMN trace_id text, ADD COLUMN sampled boolean NOT NULL DEFAULT false;
