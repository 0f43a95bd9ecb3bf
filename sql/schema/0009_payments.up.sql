-- Attempts to pay. Amount and currency come from the order.
CREATE TABLE payments (
    id           uuid PRIMARY KEY,
    order_id     uuid NOT NULL REFERENCES orders,
    provider     text NOT NULL CHECK (provider IN ('simulated', 'stripe', 'mpesa')),
    status       text NOT NULL CHECK (status IN
                     ('initiating', 'processing', 'unknown', 'succeeded', 'failed', 'cancelled', 'abandoned',
                      'partially_refunded', 'refunded', 'needs_review')),
    amount       bigint NOT NULL CHECK (amount > 0),
    currency     text NOT NULL,
    refunded     bigint NOT NULL DEFAULT 0,
    provider_ref text,
    receipt      text,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT payments_refunded_check CHECK (refunded BETWEEN 0 AND amount),
    CONSTRAINT payments_provider_ref_key UNIQUE (provider, provider_ref),
    CONSTRAINT payments_receipt_key UNIQUE (provider, receipt)
);
CREATE UNIQUE INDEX payments_one_open ON payments (order_id)
    WHERE status IN ('initiating', 'processing', 'unknown');
CREATE INDEX payments_of_order ON payments (order_id, created_at);

-- The provider's words, each heard once.
CREATE TABLE provider_events (
    provider    text NOT NULL,
    event_id    text NOT NULL,
    payment_id  uuid NOT NULL REFERENCES payments,
    outcome     text NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (provider, event_id)
);
REVOKE UPDATE, DELETE ON provider_events FROM soko_app;

-- Money on its way back. Never more than was paid: whoever adds one holds the payment's lock and has
-- counted.
CREATE TABLE refunds (
    id         uuid PRIMARY KEY,
    payment_id uuid NOT NULL REFERENCES payments,
    amount     bigint NOT NULL CHECK (amount > 0),
    currency   text NOT NULL,
    reason     text NOT NULL,
    status     text NOT NULL CHECK (status IN ('pending', 'succeeded', 'failed')),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX refunds_of_payment ON refunds (payment_id);
