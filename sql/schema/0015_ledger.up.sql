-- Double entry. A transaction is booked once for its kind and subject, and its entries sum to zero. An
-- amount above zero is a debit, below zero a credit, in minor units of the transaction's currency.
-- Nothing here is ever changed or removed, by nobody.
CREATE TABLE ledger_transactions (
    id        uuid PRIMARY KEY,
    kind      text NOT NULL CHECK (kind IN
                  ('payment_settled', 'payment_parked', 'review_accepted', 'refund_requested', 'refund_reversed',
                   'refund_paid', 'part_completed', 'part_refunded', 'cash_part_completed')),
    subject   uuid NOT NULL, -- the payment, the refund, the order of the part
    store_id  uuid REFERENCES stores, -- of a part
    order_id  uuid,
    currency  text NOT NULL,
    booked_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT ledger_transactions_once UNIQUE NULLS NOT DISTINCT (kind, subject, store_id)
);
CREATE INDEX ledger_transactions_of_order ON ledger_transactions (order_id);

CREATE TABLE ledger_entries (
    transaction_id uuid NOT NULL REFERENCES ledger_transactions,
    entry_no       integer NOT NULL CHECK (entry_no > 0),
    account        text NOT NULL CHECK (account IN
                       ('provider_cash', 'buyer_funds', 'store_payable', 'commission', 'fees', 'refunds_payable',
                        'rounding', 'suspense')),
    provider       text CHECK ((provider IS NOT NULL) = (account = 'provider_cash')),
    store_id       uuid REFERENCES stores CHECK ((store_id IS NOT NULL) = (account = 'store_payable')),
    amount         bigint NOT NULL CHECK (amount <> 0),
    PRIMARY KEY (transaction_id, entry_no)
);
CREATE INDEX ledger_entries_of_store ON ledger_entries (store_id, transaction_id DESC) WHERE store_id IS NOT NULL;

REVOKE UPDATE, DELETE ON ledger_transactions, ledger_entries FROM soko_app;

CREATE FUNCTION ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is append-only: % on % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER ledger_transactions_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_transactions
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER ledger_entries_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entries
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();

-- At COMMIT: whatever was booked sums to zero. Entries added to an old transaction are looked at too.
CREATE FUNCTION ledger_demand_zero() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    booked uuid;
    total numeric;
BEGIN
    IF TG_TABLE_NAME = 'ledger_transactions' THEN
        booked := NEW.id;
    ELSE
        booked := NEW.transaction_id;
    END IF;
    SELECT sum(amount) INTO total FROM ledger_entries WHERE transaction_id = booked;
    IF total IS DISTINCT FROM 0 THEN
        RAISE EXCEPTION 'ledger transaction % sums to %, not to zero', booked, coalesce(total::text, 'nothing')
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_zero_sum';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER ledger_transactions_zero_sum AFTER INSERT ON ledger_transactions
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_demand_zero();
CREATE CONSTRAINT TRIGGER ledger_entries_zero_sum AFTER INSERT ON ledger_entries
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_demand_zero();
