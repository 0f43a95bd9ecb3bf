-- The transaction itself, and how a statement is planned. io/pg looks these up by name.

-- name: TX_BEGIN
BEGIN

-- name: TX_COMMIT
COMMIT

-- name: TX_ROLLBACK
ROLLBACK

-- name: TX_PLAN_CUSTOM
SET plan_cache_mode = force_custom_plan

-- name: TX_PLAN_AUTO
SET plan_cache_mode = auto
