-- An order is split into parts, one a store; each part moves by itself. Locks are taken in this
-- sequence everywhere: order, its parts, its payment, stock by product id.
CREATE TABLE orders (
    id               uuid PRIMARY KEY,
    order_number     text NOT NULL CONSTRAINT orders_number_key UNIQUE CHECK (order_number ~ '^[A-Z0-9]{6,12}$'),
    account_id       uuid NOT NULL REFERENCES accounts,
    status           text NOT NULL DEFAULT 'pending' CHECK (status IN
                         ('pending', 'paid', 'processing', 'shipping', 'shipped', 'completed', 'cancelled')),
    payment_status   text NOT NULL DEFAULT 'unpaid' CHECK (payment_status IN
                         ('unpaid', 'paid', 'partially_refunded', 'refunded')),
    payment_method   text NOT NULL CHECK (payment_method IN ('mpesa', 'stripe', 'cash_on_delivery', 'simulated')),
    currency         text NOT NULL,
    total_amount     bigint NOT NULL CHECK (total_amount > 0),
    shipping_address json NOT NULL,
    notes            text,
    cancel_reason    text CHECK (cancel_reason IN ('buyer', 'seller', 'expired')),
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    expires_at       timestamptz, -- null: waits for its payment for ever (cash on delivery)
    CONSTRAINT orders_cancelled_has_reason CHECK ((status = 'cancelled') = (cancel_reason IS NOT NULL))
);
CREATE INDEX orders_of_account ON orders (account_id, created_at DESC, id DESC);
CREATE INDEX orders_unpaid ON orders (expires_at)
    WHERE status = 'pending' AND payment_status = 'unpaid' AND expires_at IS NOT NULL;

CREATE TABLE order_parts (
    order_id        uuid NOT NULL REFERENCES orders,
    store_id        uuid NOT NULL REFERENCES stores,
    status          text NOT NULL DEFAULT 'pending' CHECK (status IN
                        ('pending', 'paid', 'processing', 'shipping', 'shipped', 'completed', 'cancelled')),
    amount          bigint NOT NULL CHECK (amount > 0),
    tracking_number text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (order_id, store_id)
);
CREATE INDEX order_parts_of_store ON order_parts (store_id, created_at DESC, order_id DESC);

CREATE TABLE order_lines (
    order_id   uuid NOT NULL,
    line_no    integer NOT NULL CHECK (line_no > 0),
    store_id   uuid NOT NULL,
    product_id uuid NOT NULL REFERENCES products,
    name       text NOT NULL,
    price      bigint NOT NULL CHECK (price > 0),
    quantity   bigint NOT NULL CHECK (quantity > 0),
    restocked  bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (order_id, line_no),
    FOREIGN KEY (order_id, store_id) REFERENCES order_parts,
    CONSTRAINT order_lines_restocked_check CHECK (restocked BETWEEN 0 AND quantity)
);
CREATE INDEX order_lines_of_product ON order_lines (product_id, order_id);

-- What happened to an order, in words that buyer and seller read. Append-only.
CREATE TABLE order_events (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES orders,
    store_id uuid, -- null: the whole order
    event    text NOT NULL,
    at       timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX order_events_of_order ON order_events (order_id, id);
REVOKE UPDATE, DELETE ON order_events FROM soko_app;
