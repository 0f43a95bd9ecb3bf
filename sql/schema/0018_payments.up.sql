-- Payments by providers. A payment without an order is money that somebody sent without saying what for:
-- it waits in needs_review.
ALTER TABLE payments
    ALTER COLUMN order_id DROP NOT NULL,
    ADD COLUMN asked         bigint CHECK (asked > 0), -- what the provider was asked for: M-Pesa knows whole shillings only
    ADD COLUMN received      bigint CHECK (received > 0), -- what the provider says has come; null: nothing yet
    ADD COLUMN phone         text,   -- M-Pesa: whose, in E.164
    ADD COLUMN merchant_ref  text,   -- M-Pesa: MerchantRequestID; provider_ref is CheckoutRequestID, or the PaymentIntent
    ADD COLUMN token_hash    bytea,  -- SHA-256 of the token in the callback's path
    ADD COLUMN client_secret text,   -- Stripe: for the buyer alone, never logged
    ADD COLUMN failure       text,   -- the provider's code for why it failed
    ADD COLUMN called_at     timestamptz, -- when the provider was first called
    ADD COLUMN ask_at        timestamptz, -- when to ask next what became of it; null: nothing to ask
    ADD COLUMN times_asked   integer NOT NULL DEFAULT 0,
    ADD COLUMN recheck_at    timestamptz, -- money sent by hand was taken for this attempt's: when to look whether it was
    ADD COLUMN closing       boolean NOT NULL DEFAULT false; -- the order is over or switches: cancel it if it can be
UPDATE payments SET asked = amount,
    received = CASE WHEN status IN ('succeeded', 'partially_refunded', 'refunded') THEN amount END;
ALTER TABLE payments
    ALTER COLUMN asked SET NOT NULL,
    ADD CONSTRAINT payments_token_key UNIQUE (token_hash),
    ADD CONSTRAINT payments_paid_is_received CHECK
        (status NOT IN ('succeeded', 'partially_refunded', 'refunded') OR received IS NOT NULL),
    ADD CONSTRAINT payments_order_or_review CHECK
        (order_id IS NOT NULL OR status IN ('needs_review', 'partially_refunded', 'refunded')),
    -- Money under review can be sent back too: what came, not what was asked for.
    DROP CONSTRAINT payments_refunded_check,
    ADD CONSTRAINT payments_refunded_check CHECK (refunded BETWEEN 0 AND greatest(amount, coalesce(received, 0)));
CREATE INDEX payments_to_ask ON payments (ask_at)
    WHERE status IN ('initiating', 'processing', 'unknown') AND ask_at IS NOT NULL;
CREATE INDEX payments_to_recheck ON payments (recheck_at) WHERE recheck_at IS NOT NULL;
CREATE INDEX payments_by_time ON payments (created_at DESC, id DESC);
CREATE INDEX payments_by_receipt ON payments (receipt) WHERE receipt IS NOT NULL;

-- The inbox: each word of a provider as it came, kept before anything follows from it. A word about
-- something that we do not know (yet) waits.
-- Without a foreign key: it would lock the payment before the order, against the sequence of locks.
ALTER TABLE provider_events
    DROP CONSTRAINT provider_events_payment_id_fkey,
    ALTER COLUMN payment_id DROP NOT NULL,
    ALTER COLUMN outcome DROP NOT NULL,
    ADD COLUMN id    uuid NOT NULL DEFAULT gen_random_uuid() CONSTRAINT provider_events_id_key UNIQUE,
    ADD COLUMN kind  text NOT NULL DEFAULT 'verdict', -- 'stripe.event', 'stk.callback', 'c2b', 'result', 'verdict' ...
    ADD COLUMN body  text,    -- null: it came by an answer, not by a webhook
    ADD COLUMN subject uuid,  -- the payment or refund that the callback's token named
    ADD COLUMN state text NOT NULL DEFAULT 'applied' CHECK (state IN ('waiting', 'applied', 'ignored'));
ALTER TABLE provider_events
    ALTER COLUMN id DROP DEFAULT, ALTER COLUMN kind DROP DEFAULT, ALTER COLUMN state DROP DEFAULT;
CREATE INDEX provider_events_waiting ON provider_events (received_at) WHERE state = 'waiting';
GRANT UPDATE (state, payment_id, outcome) ON provider_events TO soko_app;

-- Refunds by providers. `sending`: the provider may have been called; `sent`: he has taken it on, and will
-- say later. A failed one is tried again at ask_at, until it has been tried often enough for a person to
-- look (ask_at null).
ALTER TABLE refunds
    DROP CONSTRAINT refunds_status_check,
    ADD CONSTRAINT refunds_status_check CHECK (status IN ('pending', 'sending', 'sent', 'succeeded', 'failed')),
    ADD COLUMN channel      text CHECK (channel IN ('simulated', 'stripe', 'mpesa_reversal', 'mpesa_b2c')),
    ADD COLUMN sent_amount  bigint CHECK (sent_amount > 0), -- what the provider was asked to send: whole shillings by M-Pesa
    ADD COLUMN provider_ref text,  -- re_..., or M-Pesa's receipt of the money sent back
    ADD COLUMN conversation text,  -- M-Pesa: ConversationID
    ADD COLUMN token_hash   bytea CONSTRAINT refunds_token_key UNIQUE,
    ADD COLUMN failure      text,
    ADD COLUMN attempt      integer NOT NULL DEFAULT 1, -- a new one after each certain failure: part of the provider's idempotency key
    ADD COLUMN times_asked  integer NOT NULL DEFAULT 0,
    ADD COLUMN ask_at       timestamptz,
    ADD COLUMN reversed     boolean NOT NULL DEFAULT false CHECK (NOT reversed OR status = 'failed'), -- it went, and came back: another row took its place
    ADD COLUMN store_id     uuid REFERENCES stores,   -- who gave it back; null: the platform, or the whole order
    ADD COLUMN requested_by uuid REFERENCES accounts, -- null: the machine
    ADD COLUMN note         text;
UPDATE refunds SET channel = 'simulated', sent_amount = amount WHERE status = 'succeeded';
CREATE INDEX refunds_to_ask ON refunds (ask_at) WHERE status IN ('sending', 'sent', 'failed') AND ask_at IS NOT NULL;

-- The token by which all workers speak to a provider; fetched anew by one of them at a time.
CREATE TABLE provider_tokens (
    provider   text PRIMARY KEY,
    token      text NOT NULL,
    expires_at timestamptz NOT NULL,
    fetched_at timestamptz NOT NULL DEFAULT now()
);
