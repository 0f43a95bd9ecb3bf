DROP TABLE audit_chain, audit_log;
DROP FUNCTION audit_is_append_only();
