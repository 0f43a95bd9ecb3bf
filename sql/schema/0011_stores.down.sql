ALTER TABLE stores DROP COLUMN logo_url;
