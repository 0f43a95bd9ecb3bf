ALTER TABLE refunds DROP COLUMN sampled, DROP COLUMN trace_id, DROP COLUMN request_id;
ALTER TABLE payments DROP COLUMN sampled, DROP COLUMN trace_id, DROP COLUMN request_id;
ALTER TABLE outbox DROP COLUMN sampled, DROP COLUMN request_id;
