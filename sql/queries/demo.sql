-- name: DEMO_LOADED
SELECT count(*) AS accounts FROM accounts WHERE email = $1
