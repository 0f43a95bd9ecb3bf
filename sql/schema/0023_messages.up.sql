-- Parameters that only the recipient may read (one-time codes), sealed by DATA_KEY; forgotten once sent.
ALTER TABLE messages ADD COLUMN sealed_params bytea;
