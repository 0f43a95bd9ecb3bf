ALTER TABLE stores DROP COLUMN commission_bp;
