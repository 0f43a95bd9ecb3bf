-- Frozen when the order was placed. What was sold before there was a commission, was sold without.
ALTER TABLE order_parts ADD COLUMN commission_bp integer NOT NULL DEFAULT 0
    CHECK (commission_bp BETWEEN 0 AND 10000);
ALTER TABLE order_parts ALTER COLUMN commission_bp DROP DEFAULT;

-- What was given back of a line that was kept, in money and in units: never above what was sold. A
-- cancelled part is not counted here: all of it goes back.
ALTER TABLE order_lines
    ADD COLUMN refunded bigint NOT NULL DEFAULT 0,
    ADD COLUMN refunded_units bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT order_lines_refunded_check CHECK (refunded BETWEEN 0 AND price * quantity),
    ADD CONSTRAINT order_lines_refunded_units_check CHECK (refunded_units BETWEEN 0 AND quantity);

-- Who cancelled a part. Money that comes late revives what expiry has cancelled, and nothing else. Of parts that were
-- cancelled before, nobody knows: they stay cancelled.
ALTER TABLE order_parts ADD COLUMN cancel_reason text
    CONSTRAINT order_parts_reason_check CHECK (cancel_reason IS NULL OR (cancel_reason IN ('buyer', 'seller', 'expired') AND status = 'cancelled'));
