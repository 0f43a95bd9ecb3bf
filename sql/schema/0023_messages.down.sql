ALTER TABLE messages DROP COLUMN send_until, DROP COLUMN sealed_params;
