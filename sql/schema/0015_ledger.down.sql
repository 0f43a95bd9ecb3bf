DROP TABLE ledger_entries;
DROP TABLE ledger_transactions;
DROP FUNCTION ledger_demand_zero();
DROP FUNCTION ledger_refuse_change();
