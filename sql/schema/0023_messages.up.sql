-- Parameters that only the recipient may read (one-time codes), sealed by DATA_KEY; forgotten once sent.
-- After send_until a message is of no use (its code is too old), and is not sent.
ALTER TABLE messages ADD COLUMN sealed_params bytea, ADD COLUMN send_until timestamptz;
CREATE INDEX messages_sealed ON messages (send_until) WHERE sealed_params IS NOT NULL;
