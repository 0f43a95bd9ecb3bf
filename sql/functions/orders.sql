-- The parts of an answer about an order. Each is asked for by the order's id, and, for a seller, by
-- the store whose part alone he may see; null is the buyer, who sees all.

CREATE OR REPLACE FUNCTION order_lines_json(in_order uuid, in_store uuid, currency text) RETURNS json
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT coalesce(json_agg(json_build_object(
               'product_id', l.product_id, 'store_id', l.store_id, 'name', l.name,
               'price', money_text(l.price, currency), 'quantity', l.quantity,
               'subtotal', money_text(l.price * l.quantity, currency)) ORDER BY l.line_no), '[]')
    FROM order_lines l
    WHERE l.order_id = in_order AND (in_store IS NULL OR l.store_id = in_store);
END;

CREATE OR REPLACE FUNCTION order_parts_json(in_order uuid, currency text) RETURNS json
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT json_agg(json_build_object(
               'store_id', p.store_id, 'store_name', s.name, 'status', p.status,
               'amount', money_text(p.amount, currency), 'tracking_number', p.tracking_number,
               'updated_at', api_time(p.updated_at)) ORDER BY s.name)
    FROM order_parts p JOIN stores s ON s.id = p.store_id
    WHERE p.order_id = in_order;
END;

CREATE OR REPLACE FUNCTION order_events_json(in_order uuid, in_store uuid) RETURNS json
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT coalesce(json_agg(json_build_object('event', e.event, 'store_id', e.store_id, 'at', api_time(e.at))
                             ORDER BY e.id), '[]')
    FROM order_events e
    WHERE e.order_id = in_order AND (in_store IS NULL OR e.store_id IS NULL OR e.store_id = in_store);
END;

-- The attempt that has paid, else the latest; null before the first.
CREATE OR REPLACE FUNCTION order_payment_json(in_order uuid) RETURNS json
    LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT json_build_object('id', p.id, 'provider', p.provider, 'status', p.status,
               'amount', money_text(p.amount, p.currency), 'refunded', money_text(p.refunded, p.currency),
               'currency', p.currency, 'receipt', p.receipt, 'updated_at', api_time(p.updated_at))
    FROM payments p WHERE p.order_id = in_order
    ORDER BY (p.status IN ('succeeded', 'partially_refunded', 'refunded')) DESC, p.created_at DESC LIMIT 1;
END;
