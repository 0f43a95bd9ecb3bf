ALTER TABLE messages DROP COLUMN sealed_params;
