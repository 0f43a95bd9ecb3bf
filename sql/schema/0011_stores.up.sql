ALTER TABLE stores ADD COLUMN logo_url text;
