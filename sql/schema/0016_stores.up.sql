-- Hundredths of a percent of what a store sells that are the platform's; null: COMMISSION_BP.
ALTER TABLE stores ADD COLUMN commission_bp integer
    CONSTRAINT stores_commission_check CHECK (commission_bp BETWEEN 0 AND 10000);
