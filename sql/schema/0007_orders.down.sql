DROP TABLE order_events, order_lines, order_parts, orders CASCADE;
