-- $1 event $2 actor $3 its role $4 API key $5 system user $6 subject $7 address $8 detail $9 trace id.
-- name: AUDIT_ADD
INSERT INTO audit_log (event, actor, actor_role, api_key, operator, subject, address, detail, trace_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
