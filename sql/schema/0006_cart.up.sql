-- A cart holds one currency. Placing an order locks its row, so that a cart is sold once.
CREATE TABLE carts (
    account_id uuid PRIMARY KEY REFERENCES accounts,
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE cart_items (
    account_id  uuid NOT NULL REFERENCES carts ON DELETE CASCADE,
    product_id  uuid NOT NULL REFERENCES products,
    quantity    bigint NOT NULL CHECK (quantity BETWEEN 1 AND 999),
    added_price bigint NOT NULL, -- minor units, when it was put in: the buyer is shown changes
    added_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, product_id)
);
