ALTER TABLE order_lines DROP COLUMN refunded, DROP COLUMN refunded_units;
ALTER TABLE order_parts DROP COLUMN commission_bp, DROP COLUMN cancel_reason;
