DROP TABLE provider_tokens;
DELETE FROM refunds WHERE payment_id IN (SELECT id FROM payments WHERE order_id IS NULL);
UPDATE refunds SET status = 'pending' WHERE status IN ('sending', 'sent');
ALTER TABLE refunds
    DROP CONSTRAINT refunds_status_check,
    ADD CONSTRAINT refunds_status_check CHECK (status IN ('pending', 'succeeded', 'failed')),
    DROP COLUMN channel, DROP COLUMN sent_amount, DROP COLUMN provider_ref, DROP COLUMN conversation,
    DROP COLUMN token_hash, DROP COLUMN failure, DROP COLUMN attempt, DROP COLUMN times_asked, DROP COLUMN ask_at,
    DROP COLUMN reversed, DROP COLUMN store_id, DROP COLUMN requested_by, DROP COLUMN note;
REVOKE UPDATE (state, payment_id, outcome) ON provider_events FROM soko_app;
DELETE FROM provider_events WHERE payment_id IS NULL OR outcome IS NULL
    OR payment_id IN (SELECT id FROM payments WHERE order_id IS NULL);
ALTER TABLE provider_events
    ADD CONSTRAINT provider_events_payment_id_fkey FOREIGN KEY (payment_id) REFERENCES payments,
    ALTER COLUMN payment_id SET NOT NULL, ALTER COLUMN outcome SET NOT NULL,
    DROP COLUMN id, DROP COLUMN kind, DROP COLUMN body, DROP COLUMN subject, DROP COLUMN state;
DELETE FROM payments WHERE order_id IS NULL;
DROP INDEX payments_by_time;
DROP INDEX payments_by_receipt;
ALTER TABLE payments
    DROP CONSTRAINT payments_order_or_review,
    DROP CONSTRAINT payments_refunded_check,
    ADD CONSTRAINT payments_refunded_check CHECK (refunded BETWEEN 0 AND amount),
    DROP COLUMN asked, DROP COLUMN received, DROP COLUMN phone, DROP COLUMN merchant_ref,
    DROP COLUMN token_hash, DROP COLUMN client_secret, DROP COLUMN failure, DROP COLUMN called_at,
    DROP COLUMN ask_at, DROP COLUMN times_asked, DROP COLUMN closing, DROP COLUMN recheck_at,
    ALTER COLUMN order_id SET NOT NULL;
